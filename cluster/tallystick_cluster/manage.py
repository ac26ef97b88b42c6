"""Start, inspect, kill and stop the node processes of a cluster directory.

Each node is a process of its own session, so it outlives the command that started it; what is
known of it is in its directory: `node.pid` (process id and start time, so that a reused id is not
taken for the node) and `node.log`. Nothing here keeps state in memory: every command starts from
the directory.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import psutil

from tallystick_cluster.errors import NodeFailedError, NodeStateError, NotReadyError
from tallystick_cluster.layout import ClusterLayout
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.ids import TimestampNs
from tallystick_ledger.read_token import METADATA_KEY, sign
from tallystick_node.launch import launch_environment
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2

PID_FILE: Final = "node.pid"
LOG_FILE: Final = "node.log"
LOG_TAIL_BYTES: Final = 2_000
POLL_S: Final = 0.05
STATUS_METHOD: Final = f"/{wire.SERVICE}/GetStatus"
STATUS_TIMEOUT_S: Final = 2.0
# Half of what nodes take: their clocks may differ from this one's by as much.
TOKEN_LIFETIME_NS: Final = 30_000_000_000
STOP_TIMEOUT_S: Final = 30.0
START_TOLERANCE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node as it is now.

    Attributes:
        raft_id: Its Raft id.
        address: host:port of its public interface.
        pid: Its process, None when it does not run.
        status: What it says of itself, None when it does not answer.
    """

    raft_id: int
    address: str
    pid: int | None
    status: ledger_pb2.GetStatusResponse | None


def process_of(layout: ClusterLayout, raft_id: int) -> psutil.Process | None:
    """The running process of a node, if there is one."""
    path = layout.node_directory(raft_id) / PID_FILE
    try:
        content = json.loads(path.read_text())
        process = psutil.Process(content["pid"])
        same = abs(process.create_time() - content["started"]) < START_TOLERANCE_S
        running = same and not _has_ended(process)
    except (FileNotFoundError, psutil.NoSuchProcess, ValueError, KeyError):
        return None
    return process if running else None


def start_node(
    layout: ClusterLayout, raft_id: int, *, extra_env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts one node in the background.

    Args:
        layout: The cluster.
        raft_id: Which node.
        extra_env: Added to the process's environment.

    Raises:
        NodeStateError: It runs already, or there is no such node.
    """
    directory = layout.node_directory(raft_id)
    if not directory.is_dir():
        message = f"there is no node {raft_id} in {layout.directory}"
        raise NodeStateError(message)
    if process_of(layout, raft_id) is not None:
        message = f"node {raft_id} runs already"
        raise NodeStateError(message)
    environment = launch_environment(os.environ) | (extra_env or {})
    with (directory / LOG_FILE).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tallystick_node", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    try:
        started = psutil.Process(process.pid).create_time()
        (directory / PID_FILE).write_text(json.dumps({"pid": process.pid, "started": started}))
    except BaseException:
        process.kill()  # nobody would find it again
        process.wait()
        raise
    return process


def kill_node(layout: ClusterLayout, raft_id: int, signal_number: int = signal.SIGKILL) -> int:
    """Sends a signal to a node and, for SIGKILL, waits until it is gone.

    Returns:
        The process id.

    Raises:
        NodeStateError: It does not run.
    """
    process = process_of(layout, raft_id)
    if process is None:
        message = f"node {raft_id} does not run"
        raise NodeStateError(message)
    _send(process, signal_number)
    if signal_number == signal.SIGKILL:
        _wait_gone(process, STOP_TIMEOUT_S)
    return int(process.pid)


def stop_nodes(layout: ClusterLayout) -> list[int]:
    """Stops all running nodes in good order; one that does not end in time is killed.

    Returns:
        Raft ids of the nodes that ran.
    """
    running = {
        node.raft_id: process
        for node in layout.nodes
        if (process := process_of(layout, node.raft_id)) is not None
    }
    for process in running.values():
        _send(process, signal.SIGTERM)
    for raft_id, process in running.items():
        if not _wait_gone(process, STOP_TIMEOUT_S):
            _send(process, signal.SIGKILL)
            _wait_gone(process, STOP_TIMEOUT_S)
        (layout.node_directory(raft_id) / PID_FILE).unlink(missing_ok=True)
    return list(running)


def _send(process: psutil.Process, signal_number: int) -> None:
    """Sends a signal; a process that has just ended is as good as one that got it."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal_number)


def _wait_gone(process: psutil.Process, timeout_s: float) -> bool:
    """Waits until the process is no more, also when it is nobody's child any longer."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        try:
            if not process.is_running() or _has_ended(process):
                _reap(process.pid)
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(POLL_S)
    return False


def _has_ended(process: psutil.Process) -> bool:
    """Whether it has let go of all it held, even if nobody has asked for its exit status yet.

    A killed process is called a zombie as soon as its first thread is gone; until the last one is,
    it holds its files, and the lock of its store with them.

    Raises:
        psutil.NoSuchProcess: There is no trace of it left.
    """
    return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1


def _reap(pid: int) -> None:
    """Collects the exit status if the process is our child; else that is somebody else's work."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def node_states(layout: ClusterLayout, *, with_digest: bool = False) -> list[NodeState]:
    """Asks every node how it is; for the state digest as the cluster's operator."""
    states = []
    for node in layout.nodes:
        process = process_of(layout, node.raft_id)
        status = (
            None if process is None else ask_status(layout, node.client, with_digest=with_digest)
        )
        pid = None if process is None else process.pid
        states.append(NodeState(node.raft_id, node.client, pid, status))
    return states


def ask_status(
    layout: ClusterLayout, address: str, *, with_digest: bool, timeout_s: float = STATUS_TIMEOUT_S
) -> ledger_pb2.GetStatusResponse | None:
    """What the node at an address says of itself; None if it does not answer."""
    request = ledger_pb2.GetStatusRequest(with_state_digest=with_digest).SerializeToString()
    metadata = ((METADATA_KEY, _token(layout, request)),) if with_digest else None
    credentials = grpc.ssl_channel_credentials(layout.ca_pem)
    with grpc.secure_channel(address, credentials) as channel:
        ask: grpc.UnaryUnaryMultiCallable[bytes, ledger_pb2.GetStatusResponse]
        ask = channel.unary_unary(
            STATUS_METHOD, response_deserializer=ledger_pb2.GetStatusResponse.FromString
        )
        try:
            return ask(request, timeout=timeout_s, metadata=metadata)
        except grpc.RpcError:
            return None


def _token(layout: ClusterLayout, request: bytes) -> bytes:
    """Proves to a node that the cluster's operator asks."""
    ledger_id = Genesis.decode(layout.genesis).ledger_id
    expires_at_ns = TimestampNs(time.time_ns() + TOKEN_LIFETIME_NS)
    return sign(layout.operator_key, ledger_id, STATUS_METHOD, request, expires_at_ns).encode()


def wait_ready(layout: ClusterLayout, timeout_s: float = 30.0, *, nodes: int | None = None) -> int:
    """Waits until ``nodes`` nodes (default: all) answer and agree on a leader.

    Returns:
        The leader's Raft id.

    Raises:
        NodeFailedError: A node's process ended.
        NotReadyError: It took longer.
    """
    wanted = len(layout.nodes) if nodes is None else nodes
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        states = node_states(layout)
        _raise_if_failed(layout, states, wanted)
        statuses = [state.status for state in states if state.status is not None]
        leaders = {status.leader.raft_id for status in statuses if status.HasField("leader")}
        led = [status for status in statuses if status.role == "leader"]
        if len(statuses) >= wanted and len(leaders) == 1 and led:
            return leaders.pop()
        time.sleep(POLL_S)
    message = f"no leader within {timeout_s:.0f} s; see {LOG_FILE} in the node directories"
    raise NotReadyError(message)


def _raise_if_failed(layout: ClusterLayout, states: list[NodeState], wanted: int) -> None:
    gone = [state for state in states if state.pid is None]
    if len(states) - len(gone) < wanted:
        tails = "\n".join(
            f"node {state.raft_id}: {log_tail(layout, state.raft_id)}" for state in gone
        )
        message = f"a node's process ended\n{tails}"
        raise NodeFailedError(message)


def log_tail(layout: ClusterLayout, raft_id: int) -> str:
    """The last lines of a node's log."""
    path = layout.node_directory(raft_id) / LOG_FILE
    if not path.exists():
        return "(no log)"
    with path.open("rb") as log:
        log.seek(0, os.SEEK_END)
        log.seek(max(0, log.tell() - LOG_TAIL_BYTES))
        return log.read().decode(errors="replace").strip()


def cluster_directory(given: Path | None) -> Path:
    """The directory that a command means: as given, or ./tallystick-cluster."""
    return Path("tallystick-cluster") if given is None else given
