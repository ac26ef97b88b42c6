"""Node processes of a cluster directory: started once, found again, killed, stopped, explained."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tallystick_cluster import layout as layout_module
from tallystick_cluster import manage
from tallystick_cluster.errors import (
    ClusterError,
    ClusterExistsError,
    NoClusterError,
    NodeFailedError,
    NodeStateError,
    NotReadyError,
)
from tallystick_cluster.layout import ClusterLayout, create_cluster, free_addresses
from tallystick_cluster.manage import (
    PID_FILE,
    cluster_directory,
    kill_node,
    log_tail,
    node_states,
    process_of,
    start_node,
    stop_nodes,
    wait_ready,
)
from tallystick_node.identity import INCARNATION_FILE

# Many threads, and memory to give back: it takes a while to end.
LOCK_HOLDER = """
import fcntl, sys, threading, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
memory = bytearray(256 << 20)
for _ in range(200):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("locked", flush=True)
time.sleep(60)
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[ClusterLayout]:
    """A new cluster of one node, not started; whatever a test starts is stopped."""
    made = create_cluster(tmp_path / "cluster", node_count=1, now_ns=time.time_ns())
    yield made
    stop_nodes(made)


def test_a_cluster_is_made_once_and_read_back(cluster: ClusterLayout) -> None:
    assert ClusterLayout.open(cluster.directory) == cluster
    with pytest.raises(ClusterExistsError):
        create_cluster(cluster.directory, node_count=1, now_ns=time.time_ns())


def test_secrets_are_for_their_owner_only(cluster: ClusterLayout) -> None:
    secrets = [*cluster.directory.rglob("*.key"), *cluster.directory.rglob("*.seed")]
    assert len(secrets) >= 3
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)


def test_a_directory_without_cluster_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoClusterError, match="cluster up"):
        ClusterLayout.open(tmp_path)


def test_a_command_means_the_usual_directory(tmp_path: Path) -> None:
    assert cluster_directory(None) == Path("tallystick-cluster")
    assert cluster_directory(tmp_path) == tmp_path


def test_free_addresses_differ_and_are_no_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout_module, "FIRST_PORT", 20_000)
    monkeypatch.setattr(layout_module, "_first_outgoing_port", lambda: 21_000)
    addresses = free_addresses(27)
    assert len(set(addresses)) == 27
    assert all(20_000 <= int(address.split(":")[1]) < 21_000 for address in addresses)


def test_taken_ports_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setattr(layout_module, "FIRST_PORT", port)
        monkeypatch.setattr(layout_module, "_first_outgoing_port", lambda: port + 1)
        with pytest.raises(ClusterError, match="no 1 free ports"):
            free_addresses(1)


def test_a_node_that_was_never_started_is_not_found(cluster: ClusterLayout) -> None:
    assert process_of(cluster, 1) is None
    (state,) = node_states(cluster)
    assert (state.pid, state.status) == (None, None)
    assert log_tail(cluster, 1) == "(no log)"
    assert stop_nodes(cluster) == []
    with pytest.raises(NodeStateError, match="does not run"):
        kill_node(cluster, 1)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"pid": os.getpid(), "started": 1.0}),
        json.dumps({"pid": 2**22 + 1, "started": 1.0}),
        json.dumps({"pid": os.getpid()}),
        "{",
    ],
    ids=["who got the id later", "nobody", "without a time", "damaged"],
)
def test_a_process_that_is_not_the_node_is_not_taken_for_it(
    cluster: ClusterLayout, content: str
) -> None:
    (cluster.node_directory(1) / PID_FILE).write_text(content)
    assert process_of(cluster, 1) is None


def test_an_unknown_node_cannot_be_started(cluster: ClusterLayout) -> None:
    with pytest.raises(NodeStateError, match="no node 2"):
        start_node(cluster, 2)


@pytest.mark.cluster
def test_a_node_runs_is_killed_comes_back_and_stops(cluster: ClusterLayout) -> None:
    start_node(cluster, 1)
    assert wait_ready(cluster) == 1
    with pytest.raises(NodeStateError, match="runs already"):
        start_node(cluster, 1)
    process = process_of(cluster, 1)
    assert process is not None

    assert kill_node(cluster, 1) == process.pid
    assert process_of(cluster, 1) is None
    (state,) = node_states(cluster)
    assert state.status is None

    start_node(cluster, 1)
    assert wait_ready(cluster) == 1
    (state,) = node_states(cluster, with_digest=True)
    assert state.status is not None
    assert len(state.status.state_digest) == 32
    assert state.pid != process.pid

    assert stop_nodes(cluster) == [1]
    assert process_of(cluster, 1) is None
    assert not (cluster.node_directory(1) / PID_FILE).exists()


@pytest.mark.cluster
def test_a_node_that_ends_at_once_is_explained_by_its_log(cluster: ClusterLayout) -> None:
    (cluster.node_directory(1) / INCARNATION_FILE).unlink()
    process = start_node(cluster, 1)
    process.wait()
    with pytest.raises(NodeFailedError, match=INCARNATION_FILE):
        wait_ready(cluster)


@pytest.mark.cluster
def test_one_node_of_three_never_leads(tmp_path: Path) -> None:
    three = create_cluster(tmp_path / "three", node_count=3, now_ns=time.time_ns())
    start_node(three, 1)
    try:
        with pytest.raises(NotReadyError, match="no leader within 3 s"):
            wait_ready(three, 3.0, nodes=1)
        (state, _, _) = node_states(three)
        assert state.status is not None
        assert state.status.role != "leader"
    finally:
        stop_nodes(three)


def test_a_killed_process_counts_until_its_last_thread_is_gone(tmp_path: Path) -> None:
    """Its first thread ends before the others, with which it still holds its store's lock."""
    lock = tmp_path / "lock"
    process = subprocess.Popen(
        [sys.executable, "-c", LOCK_HOLDER, str(lock)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    assert manage._wait_gone(psutil.Process(process.pid), 30.0)
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    process.wait()
    process.stdout.close()
