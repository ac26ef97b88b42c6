"""A leader that is frozen for longer than an election and wakes up again, not knowing that it was.

SIGSTOP and SIGCONT stand for a suspended virtual machine, a long collection, a stuck disk. What is
sent to the frozen node waits in its sockets, and is the first thing it sees when it wakes up: the
very moment in which it still takes itself for the leader.
"""

import asyncio
import random
import signal

import pytest
from grpc import aio
from tests.cluster.nodes import Nodes, until_async

from tallystick import AsyncClient, Signer
from tallystick.errors import ConnectionFailed
from tallystick_cluster.campaign.witness import Told, Witness
from tallystick_cluster.traffic import Party, Traffic, fresh_envelope_id, sealed, setup_traffic
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import Amount
from tallystick_ledger.records import Transfer
from tallystick_proto import wire

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

ROUNDS = 3
LOADED_ROUNDS = 2
DEADLINE_S = 30.0
READS_AFTER = 200


def _payment(traffic: Traffic, payer: Party, payee: Party, nonce: bytes) -> bytes:
    """An envelope that moves one unit."""
    record = Transfer(payer.account, payee.account, Amount(1)).encode(nonce)
    return sealed(traffic.ledger_id, payer.key, fresh_envelope_id(), record)


async def _credited(client: AsyncClient, party: Party) -> int | None:
    """What the account has received, by a linearizable read; None if the node does not say."""
    try:
        row = await client.get_account(party.account, deadline_s=DEADLINE_S)
    except ConnectionFailed:
        return None
    assert row is not None
    return row.credits_posted


async def _submit(channel: aio.Channel, envelope: bytes) -> wire.SubmitResponse | None:
    submit = channel.unary_unary(
        wire.SUBMIT_METHOD,
        request_serializer=wire.encode_submit_request,
        response_deserializer=wire.decode_submit_response,
    )
    try:
        return await submit(envelope, timeout=DEADLINE_S)
    except aio.AioRpcError:
        return None


async def _pay(nodes: Nodes, witness: Witness, node: int, envelope: bytes) -> None:
    """Have one payment acknowledged by a leader that is known."""
    sent_after = witness.newest
    answer = await asyncio.to_thread(nodes.submit, node, envelope)
    assert int.from_bytes(answer.outcomes[:2], "little") == Code.OK
    _take(witness, envelope, answer, sent_after)


def _take(
    witness: Witness, envelope: bytes, answer: wire.SubmitResponse | None, sent_after: int
) -> None:
    if answer is None:
        return
    outcome = answer.outcomes
    if int.from_bytes(outcome[:2], "little") in (Code.OK, Code.DUPLICATE):
        sequence, timestamp_ns = (int.from_bytes(outcome[at : at + 8], "little") for at in (8, 16))
        results = answer.results if any(answer.results) else b""
        witness.tell(envelope, Told(sequence, timestamp_ns, results), sent_after)


async def test_a_frozen_leader_wakes_up_and_answers_nothing_stale(nodes: Nodes) -> None:
    traffic = await asyncio.to_thread(setup_traffic, nodes.layout)
    witness, generator = Witness(), random.Random(3)
    payer, payee = traffic.parties[:2]
    answered = 0
    for _ in range(ROUNDS):
        frozen = await asyncio.to_thread(nodes.leader)
        others = [raft_id for raft_id in nodes.raft_ids if raft_id != frozen]
        client = nodes.client(frozen, Signer(payee.key, payee.principal))
        channel = nodes.async_channel(frozen)
        await channel.channel_ready()
        paid = await _credited(client, payee)
        assert paid is not None
        nodes.signal(frozen, signal.SIGSTOP)
        successor = await asyncio.to_thread(nodes.leader, *others)
        assert successor != frozen

        # Reads and a payment reach the frozen node's sockets while others are acknowledged.
        waiting: list[tuple[int, asyncio.Task[int | None]]] = []
        late = _payment(traffic, payer, payee, generator.randbytes(16))
        late_after = witness.newest
        late_answer = asyncio.create_task(_submit(channel, late))
        for _ in range(10):
            envelope = _payment(traffic, payer, payee, generator.randbytes(16))
            await _pay(nodes, witness, successor, envelope)
            paid += 1
            waiting.append((paid, asyncio.create_task(_credited(client, payee))))
            await asyncio.sleep(0)  # lets the read leave before the next payment

        nodes.signal(frozen, signal.SIGCONT)
        for _ in range(READS_AFTER):
            waiting.append((paid, asyncio.create_task(_credited(client, payee))))
            await asyncio.sleep(0.002)  # spreads the reads over the moment in which it learns
        for acknowledged, read in waiting:
            found = await read
            assert found is None or found >= acknowledged
            answered += found is not None
        _take(witness, late, await late_answer, late_after)
        await channel.close()
        await client.close()
        await asyncio.to_thread(nodes.leader)
    # As a follower it answers by its leader's read index: it must not just have been silent.
    assert answered > ROUNDS * READS_AFTER // 2
    assert await asyncio.to_thread(nodes.faults, witness) == []


async def test_a_leader_frozen_under_load_loses_nothing(nodes: Nodes) -> None:
    traffic = await asyncio.to_thread(setup_traffic, nodes.layout)
    witness = Witness()
    for seed in range(LOADED_ROUNDS):
        frozen = await asyncio.to_thread(nodes.leader)
        others = [raft_id for raft_id in nodes.raft_ids if raft_id != frozen]
        freeze = asyncio.create_task(_freeze_for_an_election(nodes, frozen, others, witness))
        await nodes.acknowledge(traffic, witness, 2_000, seed=seed, also=freeze)
    assert witness.count >= LOADED_ROUNDS * 2_000
    assert await asyncio.to_thread(nodes.faults, witness) == []


async def _freeze_for_an_election(
    nodes: Nodes, frozen: int, others: list[int], witness: Witness
) -> None:
    await witness.more(200)
    nodes.signal(frozen, signal.SIGSTOP)
    try:
        await asyncio.to_thread(nodes.leader, *others)
        await witness.more(500)
    finally:
        nodes.signal(frozen, signal.SIGCONT)
    await until_async(lambda: nodes.status(frozen), "the frozen node answers again")
