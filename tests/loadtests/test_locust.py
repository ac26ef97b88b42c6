"""Locust against real nodes: by our command, by locust's own, and by one that knows no ledger."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tallystick_loadtests.swarm.directory import DIRECTORY_VARIABLE

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

SWARM = ("-m", "tallystick_loadtests.swarm")


def _run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != DIRECTORY_VARIABLE}
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
    )


def _locust(root: Path) -> tuple[str, ...]:
    return ("-m", "locust", "-f", str(root / "loadtests/locustfile.py"), "--headless")


def test_one_command_loads_a_cluster_of_its_own(tmp_path: Path) -> None:
    done = _run(tmp_path, *SWARM, "run", "--users", "8", "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["nodes"] == 3
    assert set(figures["by_name"]) == {"transfer", "bulk"}
    sent = {name: each["requests"] for name, each in figures["by_name"].items()}
    assert sent["transfer"] > 10
    assert sent["bulk"] >= 1
    assert figures["acknowledged"] == sum(sent.values())
    assert figures["lost"] == figures["signed_late"] == 0
    assert all(each["failures"] == 0 for each in figures["by_name"].values())
    assert 0 < figures["locust_busy"] < 1.5
    assert list(tmp_path.iterdir()) == []


def test_steps_and_workers(tmp_path: Path) -> None:
    options = ("--steps", "2,4", "--step-s", "2", "--workers", "2", "--bulk-users", "0")
    done = _run(tmp_path, *SWARM, "run", "--nodes", "1", *options)
    assert done.returncode == 0, done.stderr
    summary = done.stdout.splitlines()[-1]
    assert "transfers/s by 4 users, 0 requests failed, 0 of " in summary


def test_locust_by_hand_makes_its_cluster_and_reads_back(
    tmp_path: Path, repository_root: Path
) -> None:
    options = ("--users", "4", "--run-time", "2s", "--singles", "2000", "--only-summary")
    done = _run(tmp_path, *_locust(repository_root), *options)
    assert done.returncode == 0, done.stderr
    assert "locust: 0 of " in done.stderr
    assert "acknowledged envelopes are lost" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_users_were_promised_and_is_not_there_fails_the_run(tmp_path: Path) -> None:
    assert _run(tmp_path, *SWARM, "up", "--dir", "own").returncode == 0
    (tmp_path / "own/load/acknowledged-1").write_bytes(bytes(32))
    done = _run(tmp_path, *SWARM, "check", "--dir", "own")
    assert done.returncode == 1
    assert "locust: 1 of 1 acknowledged envelopes are lost" in done.stderr


def test_a_worker_that_was_not_told_whom_to_load_ends(
    tmp_path: Path, repository_root: Path
) -> None:
    """It is asked as soon as it has found its master; here, without one."""
    code = f"""
import sys
from types import SimpleNamespace
sys.path.insert(0, {str(repository_root / "loadtests")!r})
import locustfile
options = SimpleNamespace(master=False, worker=True)
locustfile.find_load(SimpleNamespace(parsed_options=options))
"""
    done = _run(tmp_path, "-c", code)
    assert done.returncode == 1
    assert f"locust: set {DIRECTORY_VARIABLE}" in done.stderr
