"""Prometheus metrics: one histogram for each phase of the write path, and a few gauges.

Metrics belong to a registry of their own, not to the process: several nodes can live in one test
process. Durations are in seconds, as Prometheus wants them.
"""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

# From 50 µs (a small verification) to 10 s (a disk in trouble).
BUCKETS_S: Final = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


class WritePathMetrics:
    """Histograms of one node's write path, in the order in which a message passes.

    Attributes:
        admit: arrival of a message to the end of admission and verification.
        verify: one verification batch (leader).
        block_check: one frame's blocks (follower).
        order: making a block and handing it to Raft.
        persist: writing a group of log entries, before its sync.
        sync: the fsync of a group.
        replicate: proposal to commit.
        apply: kernel and derived rows of one block.
        answer: proposal to answer.
        vouchers_verified: signatures inside of VOUCHER records, verified by the block.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def phase(name: str, text: str) -> Histogram:
            return Histogram(
                f"tallystick_{name}_seconds", text, buckets=BUCKETS_S, registry=registry
            )

        self.admit = phase("admit", "Arrival of a message to the end of its verification")
        self.verify = phase("verify", "One batch of signature verification on the leader")
        self.block_check = phase("block_check", "Check of the blocks of one append on a follower")
        self.order = phase("order", "Making a block and handing it to Raft")
        self.persist = phase("persist", "Writing one group of log entries, before its sync")
        self.sync = phase("sync", "The fsync of one group")
        self.replicate = phase("replicate", "Proposal of a block to its commit")
        self.apply = phase("apply", "Kernel and derived rows of one block")
        self.answer = phase("answer", "Proposal of a block to its answers")
        self.vouchers_verified = Counter(
            "tallystick_vouchers_verified",
            "Signatures of vouchers that were verified in the batch of their block",
            registry=registry,
        )


class ReplicaMetrics:
    """Counters and gauges of the consensus half.

    Attributes:
        term, leader: as the last change left them.
        commit_index, applied_index, last_index: read whenever somebody scrapes.
        synced_groups: groups of writes made durable.
        elections: times this node became leader.
        refused_frames: frames of a peer that were not stepped, by reason.
        alarms: events that a person has to look at, by kind.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"tallystick_{name}", text, registry=registry)

        self.term = gauge("term", "Raft term")
        self.leader = gauge("is_leader", "1 while this node leads")
        self.commit_index = gauge("commit_index", "Committed as far as this node knows")
        self.applied_index = gauge("applied_index", "Applied by the kernel")
        self.last_index = gauge("last_index", "Last entry of the log")
        self.synced_groups = Counter(
            "tallystick_synced_groups", "Groups of writes made durable", registry=registry
        )
        self.elections = Counter(
            "tallystick_elections_won", "Times this node became leader", registry=registry
        )
        self.refused_frames = Counter(
            "tallystick_refused_frames",
            "Frames of a peer that were not stepped",
            ["reason"],
            registry=registry,
        )
        self.alarms = Counter(
            "tallystick_alarms", "What a person has to look at", ["kind"], registry=registry
        )


class NodeMetrics:
    """All metrics of one node and the registry that exposes them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.write_path = WritePathMetrics(self.registry)
        self.replica = ReplicaMetrics(self.registry)

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Expose a value that is read whenever somebody scrapes."""
        Gauge(f"tallystick_{name}", text, registry=self.registry).set_function(read)


def serve_metrics(metrics: NodeMetrics, address: str) -> Callable[[], None]:
    """Answer scrapes on host:port from a thread of its own; returns what ends it.

    Raises:
        OSError: the address is taken or not this machine's.
        ValueError: `address` is no host:port.
    """
    host, _, port = address.rpartition(":")
    server, thread = start_http_server(int(port), host or "127.0.0.1", registry=metrics.registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
