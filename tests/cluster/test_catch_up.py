"""A follower that misses more than 200 MiB of log is fed from the leader's disk, and is then equal.

That is far more than a leader keeps in memory for its followers: it has to read its store.
"""

import asyncio
import random
import signal
import time
from collections.abc import Callable

import pytest
from tests.cluster.nodes import Nodes

from tallystick_cluster.campaign.clients import RawClient
from tallystick_cluster.campaign.witness import Witness
from tallystick_cluster.traffic import Traffic, setup_traffic

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

ENVELOPES = 210  # of 1 MiB: 8,190 transfers each
SENDERS = 3
# What a leader may have sent before it noticed that nobody reads: its window and two queues.
IN_FLIGHT = 64


async def _send(nodes: Nodes, traffic: Traffic, witness: Witness) -> None:
    """Have all envelopes acknowledged, a few at a time."""
    client = RawClient(nodes.layout, witness)
    generator = random.Random(4)
    left = iter(range(ENVELOPES))

    async def work() -> None:
        for _ in left:
            envelope = await asyncio.to_thread(traffic.bulk_envelope, generator)
            assert await client.decide(envelope, witness.newest)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(work())
    finally:
        await client.close()


@pytest.mark.parametrize("way", ["killed", "frozen"])
def test_a_follower_that_missed_200_mib_comes_back_equal(
    nodes: Nodes, way: str, record_property: Callable[[str, object], None]
) -> None:
    traffic, witness = setup_traffic(nodes.layout), Witness()
    leader = nodes.leader()
    absent, present = (raft_id for raft_id in nodes.raft_ids if raft_id != leader)
    nodes.settled()
    had = nodes.must_say(leader).last_index
    if way == "killed":
        nodes.kill(absent)
    else:
        nodes.signal(absent, signal.SIGSTOP)

    asyncio.run(_send(nodes, traffic, witness))
    assert witness.count == ENVELOPES
    leader = nodes.leader(leader, present)
    reached = nodes.must_say(leader).commit_index
    assert reached >= had + ENVELOPES
    assert nodes.match_index(leader, absent) <= had + IN_FLIGHT

    back_s = time.monotonic()
    if way == "killed":
        nodes.start(absent)
    else:
        nodes.signal(absent, signal.SIGCONT)
    nodes.settled()
    took_s = round(time.monotonic() - back_s, 1)
    print(f"a follower that was {way} during {ENVELOPES} MiB was equal {took_s} s after its return")
    record_property(f"catch_up_{way}_s", took_s)
    assert nodes.must_say(absent).applied_index >= reached
    assert nodes.faults(witness) == []
