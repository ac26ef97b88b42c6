"""What a run costs: counters of the nodes and of the processes, at one moment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from tallystick_cluster.layout import ClusterLayout
from tallystick_cluster.manage import node_states, process_of
from tallystick_loadtests.errors import NodeSilentError

MIB: Final = 1 << 20
# What `stat` calls a block, whatever the file system's own.
STAT_BLOCK_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Usage:
    """Counters at one moment; processes are `client`, `node1` and so on.

    Attributes:
        signatures: Verified so far, by node.
        syncs: fsyncs of the log so far, by node.
        cpu_s: User and system time so far, by process.
        rss_mib: Resident memory, by process.
        disk_bytes: Of node 1's directory.
        leader: Name of the node that leads; empty if nobody does.
    """

    signatures: dict[str, int]
    syncs: dict[str, int]
    cpu_s: dict[str, float]
    rss_mib: dict[str, float]
    disk_bytes: int
    leader: str

    @classmethod
    def of(cls, layout: ClusterLayout, client: psutil.Process | None = None) -> "Usage":
        """Reads the counters.

        Args:
            layout: The cluster.
            client: The process that makes the load; None for this one.

        Raises:
            NodeSilentError: A node does not answer.
        """
        process = psutil.Process() if client is None else client
        cpu_s = {"client": cpu_seconds(process)}
        rss_mib = {"client": rounded_mib(process)}
        signatures, syncs, leader = {}, {}, ""
        for state in node_states(layout):
            node = process_of(layout, state.raft_id)
            if state.status is None or node is None:
                message = f"node {state.raft_id} does not answer"
                raise NodeSilentError(message)
            name = f"node{state.raft_id}"
            signatures[name] = state.status.signatures_verified
            syncs[name] = state.status.log_syncs
            cpu_s[name] = cpu_seconds(node)
            rss_mib[name] = rounded_mib(node)
            if state.status.role == "leader":
                leader = name
        disk_bytes = directory_bytes(layout.node_directory(1))
        return cls(signatures, syncs, cpu_s, rss_mib, disk_bytes, leader)


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process."""
    times = process.cpu_times()
    return float(times.user + times.system)


def rounded_mib(process: psutil.Process) -> float:
    """Resident memory of a process."""
    return round(process.memory_info().rss / MIB, 1)


def directory_bytes(directory: Path) -> int:
    """Bytes on disk below a directory."""
    total = 0
    for path in directory.rglob("*"):
        try:
            status = path.stat()
        except FileNotFoundError:  # a running node removes files
            continue
        total += status.st_blocks * STAT_BLOCK_BYTES
    return total


def growth(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """By how much counters grew."""
    return {name: after[name] - before[name] for name in after}


def cpu_growth(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    """By how much CPU times grew, in seconds."""
    return {name: round(after[name] - before[name], 2) for name in after}
