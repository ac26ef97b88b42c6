"""The demo as a user runs it: three real nodes, a real kill, and every way out."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tallystick_cluster.demo.replay import replay_nodes
from tallystick_cluster.layout import ClusterLayout
from tallystick_cluster.manage import process_of
from tallystick_ledger.genesis import Genesis

pytestmark = pytest.mark.cluster

COMMAND = (sys.executable, "-c", "from tallystick.cli import main; main()", "demo")
REQUESTS = 300


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """One small demo: its directory and its figures."""
    directory = tmp_path_factory.mktemp("demo") / "kept"
    result = subprocess.run(
        [*COMMAND, "--requests", str(REQUESTS), "--json", "--keep", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    (line,) = result.stdout.splitlines()
    return directory, json.loads(line)


def test_the_figures_hold_together(kept: tuple[Path, dict[str, Any]]) -> None:
    _, figures = kept
    assert figures["ok"] is True
    assert all(proof["ok"] for proof in figures["proofs"])
    assert figures["requests"] == REQUESTS
    providers, consumers = figures["providers"], figures["consumers"]
    assert sum(each["requests"] for each in providers) == figures["settled"]
    assert sum(each["settled"] for each in consumers) == figures["settled"]
    assert sum(each["settled"] + each["refused"] for each in consumers) == REQUESTS
    tokens = figures["tokens"]["input"] + figures["tokens"]["output"]
    assert sum(each["tokens"] for each in providers) == tokens
    spent = sum(each["deposit_nano_usd"] - each["left_nano_usd"] for each in consumers)
    assert spent == figures["money_nano_usd"] == sum(each["money_nano_usd"] for each in providers)


def test_somebody_runs_out_of_money(kept: tuple[Path, dict[str, Any]]) -> None:
    _, figures = kept
    assert 0 < figures["settled"] < REQUESTS
    assert figures["refusals"]["INSUFFICIENT_FUNDS"] > 0


def test_the_leader_died_and_another_led(kept: tuple[Path, dict[str, Any]]) -> None:
    _, figures = kept
    outage = figures["outage"]
    assert outage["node"] != outage["successor"]
    assert outage["silent_s"] > 0
    assert outage["back_s"] > 0


def test_keep_leaves_a_stopped_cluster(kept: tuple[Path, dict[str, Any]]) -> None:
    directory, _ = kept
    layout = ClusterLayout.open(directory)
    assert Genesis.decode(layout.genesis).nodes[2].raft_id == 3
    assert [each.name for each in sorted(directory.glob("node-*"))] == [
        "node-1",
        "node-2",
        "node-3",
    ]
    assert all(process_of(layout, node.raft_id) is None for node in layout.nodes)
    keys = {path.name for path in (directory / "keys").glob("*.key")}
    assert {"operator.key", "issuer.key", "client-5-spend.key", "aster-meter.key"} <= keys


def test_a_kept_directory_says_the_same_by_itself(kept: tuple[Path, dict[str, Any]]) -> None:
    directory, figures = kept
    nodes = replay_nodes(ClusterLayout.open(directory), ())
    assert len({node.state_digest for node in nodes}) == 1
    assert len({tuple(node.entries) for node in nodes}) == 1
    for node in nodes:
        assert node.violations == []
        assert node.checkpoints
        assert all(saved == replayed for _, saved, replayed in node.checkpoints)
        # Two holds a request, of money and of tokens: each was made and billed.
        assert len(node.reserved) == len(node.captured) == 2 * figures["settled"]
        tokens = figures["tokens"]["input"] + figures["tokens"]["output"]
        assert sum(node.captured.values()) == tokens + figures["money_nano_usd"]


def test_a_kept_directory_is_not_used_twice(kept: tuple[Path, dict[str, Any]]) -> None:
    directory, _ = kept
    result = subprocess.run(
        [*COMMAND, "--keep", str(directory)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "already" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_its_nodes(tmp_path: Path, number: signal.Signals) -> None:
    directory = tmp_path / "kept"
    command = [*COMMAND, "--keep", str(directory)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As from a terminal: what a shell has put into the background ignores SIGINT.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 - takes no lock
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        for line in demo.stdout:
            if "nodes with mutual TLS run" in line:
                break
        layout = ClusterLayout.open(directory)
        assert all(process_of(layout, node.raft_id) is not None for node in layout.nodes)
        demo.send_signal(number)
        demo.stdout.read()
        assert "interrupted" in demo.stderr.read()
    assert demo.returncode == 130
    assert all(process_of(layout, node.raft_id) is None for node in layout.nodes)
