"""What must happen when a disk fails, whichever way it does: told once, for all kinds of failure.

A `Break` makes the disk of a running, idle node fail from its next write or sync on; the tests in
test_write_failures.py and in tests/faults bring different ones. Each scenario breaks disks while
the cluster is idle, so that what follows can be said exactly: nothing that was submitted later may
count as durable on a broken node.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc
from tests.cluster.nodes import Nodes, until

from tallystick_cluster.campaign.clients import UNDECIDED, RawClient, under_load
from tallystick_cluster.campaign.witness import Witness
from tallystick_cluster.traffic import Traffic, setup_traffic
from tallystick_ledger.codes import Code
from tallystick_node.failure import ExitCode

WORKERS = 16
BEFORE = 500
AFTER = 500
MAJORITY = 2


@dataclass(frozen=True)
class Break:
    """How a disk fails.

    Attributes:
        apply: makes the disk of a running node fail: (cluster, node).
        says: what the node's last words must contain, each of them.
        mend: undoes what outlives the process: (cluster, node).
    """

    apply: Callable[[Nodes, int], None]
    says: Sequence[str]
    mend: Callable[[Nodes, int], None] = lambda _nodes, _raft_id: None


def _prepared(nodes: Nodes) -> tuple[Traffic, Witness]:
    """An idle cluster in which something was acknowledged, and all nodes have all of it."""
    traffic, witness = setup_traffic(nodes.layout), Witness()
    asyncio.run(nodes.acknowledge(traffic, witness, BEFORE, workers=WORKERS))
    nodes.settled()
    return traffic, witness


def _ended_by_it(nodes: Nodes, raft_id: int, breaking: Break) -> None:
    assert nodes.exit_code(raft_id) == ExitCode.FATAL, nodes.log(raft_id)
    last_words = [line for line in nodes.log(raft_id).splitlines() if "node stops:" in line]
    assert len(last_words) == 1
    for word in breaking.says:
        assert word in last_words[0]


def _heal(nodes: Nodes, witness: Witness, broken: Sequence[int], breaking: Break) -> None:
    """Restart with whole disks: everything acknowledged is there, on all nodes, once."""
    for raft_id in broken:
        breaking.mend(nodes, raft_id)
        nodes.start(raft_id)
    nodes.ready()
    assert nodes.faults(witness) == []


def follower_fails(nodes: Nodes, breaking: Break) -> None:
    """The others go on, and never learn that the follower has anything new."""
    traffic, witness = _prepared(nodes)
    leader = nodes.leader()
    broken = next(raft_id for raft_id in nodes.raft_ids if raft_id != leader)
    others = [raft_id for raft_id in nodes.raft_ids if raft_id != broken]
    had = nodes.match_index(leader, broken)
    assert had == nodes.must_say(leader).last_index
    breaking.apply(nodes, broken)
    before = witness.count
    asyncio.run(nodes.acknowledge(traffic, witness, AFTER, workers=WORKERS, seed=2))
    assert witness.count >= before + AFTER
    _ended_by_it(nodes, broken, breaking)
    assert nodes.leader(*others) == leader
    assert nodes.must_say(leader).commit_index > had
    assert nodes.match_index(leader, broken) == had
    _heal(nodes, witness, [broken], breaking)


def leader_fails(nodes: Nodes, breaking: Break) -> None:
    """It acknowledges nothing more; what it was given is decided by the others, once."""
    traffic, witness = _prepared(nodes)
    broken = nodes.leader()
    others = [raft_id for raft_id in nodes.raft_ids if raft_id != broken]
    breaking.apply(nodes, broken)
    envelope = traffic.envelope(random.Random(7))
    assert not _is_acknowledged(nodes, broken, envelope)
    _ended_by_it(nodes, broken, breaking)
    nodes.leader(*others)
    asyncio.run(_decide(nodes, witness, envelope))
    asyncio.run(nodes.acknowledge(traffic, witness, AFTER, workers=WORKERS, seed=2))
    _heal(nodes, witness, [broken], breaking)


def all_fail(nodes: Nodes, breaking: Break) -> None:
    """Nobody is told anything; after the repair the very same envelopes are decided."""
    traffic, witness = _prepared(nodes)
    for raft_id in nodes.raft_ids:
        breaking.apply(nodes, raft_id)
    before = witness.count

    async def load_through_it() -> None:
        client = RawClient(nodes.layout, witness)
        try:
            async with under_load(client, traffic, witness, workers=WORKERS, seed=3):
                await asyncio.to_thread(_a_majority_ended, nodes, breaking)
                assert witness.count == before
                for raft_id in nodes.raft_ids:
                    breaking.mend(nodes, raft_id)
                    nodes.start(raft_id)
                await asyncio.to_thread(nodes.ready)
                await witness.more(AFTER)
        finally:
            await client.close()

    asyncio.run(load_through_it())
    assert nodes.faults(witness) == []


def _a_majority_ended(nodes: Nodes, breaking: Break) -> None:
    """Wait until two of three are gone. One that had nothing to write by then never will have."""

    def ended() -> list[int]:
        gone = [raft_id for raft_id in nodes.raft_ids if not nodes.is_running(raft_id)]
        return gone if len(gone) >= MAJORITY else []

    for raft_id in until(ended, "a majority ends"):
        _ended_by_it(nodes, raft_id, breaking)
    for raft_id in nodes.raft_ids:
        if nodes.is_running(raft_id):
            assert nodes.must_say(raft_id).role != "leader"
            nodes.kill(raft_id)


def _is_acknowledged(nodes: Nodes, raft_id: int, envelope: bytes) -> bool:
    """Whether this very node answers that the envelope was ordered."""
    with contextlib.suppress(grpc.RpcError):
        answer = nodes.submit(raft_id, envelope)
        code = Code(int.from_bytes(answer.outcomes[:2], "little"))
        assert code in (UNDECIDED | {Code.OK})
        return code is Code.OK
    return False


async def _decide(nodes: Nodes, witness: Witness, envelope: bytes) -> None:
    client = RawClient(nodes.layout, witness)
    try:
        assert await client.decide(envelope, 0)
    finally:
        await client.close()
