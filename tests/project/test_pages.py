"""The pages on benchmarks and operations name everything that there is to name."""

import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import pytest
import typer
from prometheus_client import CollectorRegistry

from tallystick_loadtests.bench import app as bench_app
from tallystick_loadtests.machine import Machine
from tallystick_loadtests.profiles import Profile
from tallystick_loadtests.report import OpenLoop, Report
from tallystick_loadtests.swarm.__main__ import app as swarm_app
from tallystick_loadtests.swarm.figures import Requests, SwarmReport
from tallystick_loadtests.sweep import Point, Sweep
from tallystick_node.consensus_actions import AlarmKind
from tallystick_node.failure import ExitCode
from tallystick_node.metrics import ReplicaMetrics, WritePathMetrics


def _quoted(page: Path) -> set[str]:
    """All words within backticks."""
    return {
        word
        for code in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
        for word in re.findall(r"[\w-]+", code)
    }


def _options(app: typer.Typer, command: str = "") -> list[str]:
    found = typer.main.get_command(app)
    if command:
        found = found.commands[command]  # type: ignore[attr-defined] # a group
    names = [name for each in found.params for name in each.opts]
    return [name for name in names if name.startswith("--") and "completion" not in name]


def _missing(names: Iterable[str], page: Path) -> list[str]:
    quoted = _quoted(page)
    return [name for name in names if name not in quoted]


def test_each_option_is_on_the_page(repository_root: Path) -> None:
    page = repository_root / "docs/benchmarks.md"
    bench, swarm = _options(bench_app), _options(swarm_app, "run")
    assert "--profile" in bench
    assert "--steps" in swarm
    assert _missing(bench + swarm, page) == []


@pytest.mark.parametrize(
    "figures", [Report, OpenLoop, Machine, Point, Sweep, Requests, SwarmReport]
)
def test_each_figure_is_on_the_page(repository_root: Path, figures: type) -> None:
    page = repository_root / "docs/benchmarks.md"
    assert _missing([each.name for each in fields(figures)], page) == []


def test_each_profile_is_on_the_page(repository_root: Path) -> None:
    assert _missing(Profile, repository_root / "docs/benchmarks.md") == []


def test_each_metric_and_alarm_is_on_the_page(repository_root: Path) -> None:
    registry = CollectorRegistry()
    WritePathMetrics(registry)
    ReplicaMetrics(registry)
    names = set()
    for family in registry.collect():
        name = family.name.removeprefix("tallystick_").removesuffix("_seconds")
        names.add(f"{name}_total" if family.type == "counter" else name)
    assert {"sync", "applied_index", "alarms_total"} <= names
    page = repository_root / "docs/operations.md"
    assert _missing([*sorted(names), *AlarmKind], page) == []


def test_each_exit_code_is_on_the_page(repository_root: Path) -> None:
    text = (repository_root / "docs/operations.md").read_text(encoding="utf-8")
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert set(ExitCode) <= listed


def test_what_is_not_on_a_page_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("`--one`, two, and `three four`\n")
    assert _missing(["--one", "two", "three", "four"], page) == ["two"]
