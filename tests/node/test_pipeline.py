"""The leader's write path against a real kernel; only Raft is scripted.

`ScriptedLog` takes proposals and commits them when the test says so, which makes every order of
events reachable: group commit, lost leadership, refused proposals, repeated and bad envelopes.
"""

import asyncio
import os
import random
import struct
import time
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from prometheus_client import CollectorRegistry
from tallystick_core import Kernel
from tests.node.pipeline_world import World, make_world

from tallystick_cluster.traffic import Traffic
from tallystick_ledger.codes import Code
from tallystick_node.answers import OUTCOME, Original
from tallystick_node.errors import NotLeaderError, ProposalRefusedError
from tallystick_node.limits import (
    BULK_ENTRIES_IN_FLIGHT,
    MAX_BLOCK_BODY_BYTES,
    MAX_CONNECTION_BYTES,
    MAX_STRIKES,
)
from tallystick_node.metrics import WritePathMetrics
from tallystick_node.pipeline import Pipeline
from tallystick_node.replica import ChainTip
from tallystick_node.verify import Verifier
from tallystick_proto.wire import LeaderHint, SubmitResponse

HINT = LeaderHint(2, "127.0.0.1:1")


class ScriptedLog:
    """Takes proposals like Raft; commits and applies them on command."""

    def __init__(self, kernel: Kernel) -> None:
        status = kernel.status()
        self.kernel = kernel
        self.tip = ChainTip(status.next_sequence, status.min_next_timestamp_ns)
        self.may_propose = True
        self.leads = True
        self.room = 1_000
        self.term = 1
        self.blocks: dict[int, bytes] = {}
        self.next_index = 1
        self.changed = asyncio.Event()

    def propose(self, block: bytes, tip: ChainTip) -> tuple[int, int]:
        if not self.leads:
            raise NotLeaderError(2)
        if self.room == 0:
            raise ProposalRefusedError("full")
        self.room -= 1
        index = self.next_index
        self.next_index += 1
        self.blocks[index] = block
        self.changed.set()
        self.tip = tip
        return self.term, index


class Originals:
    """Remembers outcomes by first sequence number, as the store would."""

    def __init__(self) -> None:
        self.known: dict[int, Original] = {}

    async def by_sequence(self, first_sequences: Sequence[int]) -> Mapping[int, Original]:
        return {first: self.known[first] for first in first_sequences}

    async def by_header(self, envelopes: Sequence[bytes]) -> Sequence[Original | Code]:
        return [Code.TOO_LATE] * len(envelopes)


class Rig:
    """A pipeline over a scripted log."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kernel = world.kernel
        self.log = ScriptedLog(world.kernel)
        self.originals = Originals()
        self.now_ns = time.time_ns()
        self.pipeline = Pipeline(
            proposer=self.log,
            verifier=Verifier(world.kernel, threads=1, entropy=os.urandom),
            originals=self.originals,
            metrics=WritePathMetrics(CollectorRegistry()),
            clock_ns=lambda: self.now_ns,
            leader_hint=lambda: HINT,
        )
        self.pipeline.leadership_changed(leading=True)
        self.task = asyncio.get_running_loop().create_task(self.pipeline.run())
        self.generator = random.Random(7)

    def envelope(self) -> bytes:
        return self.world.traffic.envelope(self.generator)

    def submit(self, message: bytes, connection: str = "c1") -> asyncio.Task[SubmitResponse]:
        return asyncio.get_running_loop().create_task(self.pipeline.submit(message, connection))

    async def proposed(self, count: int) -> None:
        """Waits until so many blocks were proposed in all."""
        async with asyncio.timeout(5):
            while len(self.log.blocks) < count:
                await self.log.changed.wait()
                self.log.changed.clear()

    def commit(self, index: int) -> None:
        """Commits and applies one proposed block."""
        applied = self.kernel.apply(self.log.blocks[index])
        sequence = applied.first_sequence
        for at in range(0, len(applied.outcomes), OUTCOME.size):
            _, _, count, first, timestamp, _ = OUTCOME.unpack_from(applied.outcomes, at)
            start = (first - sequence) * 16
            self.originals.known[first] = Original(
                first, timestamp, count, applied.results[start : start + 16 * count]
            )
        self.pipeline.committed(index)
        self.pipeline.applied(index, self.log.term, applied)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig(make_world())
    yield rig
    rig.task.cancel()


def codes(answer: SubmitResponse) -> list[int]:
    return [
        struct.unpack_from("<H", answer.outcomes, at)[0]
        for at in range(0, len(answer.outcomes), OUTCOME.size)
    ]


async def test_a_lone_message_is_proposed_at_once_and_answered_after_it_is_applied(
    rig: Rig,
) -> None:
    before = rig.log.tip.next_sequence
    task = rig.submit(rig.envelope())
    await rig.proposed(1)
    assert not task.done(), "proposed is not committed"
    rig.commit(1)
    answer = await task
    assert codes(answer) == [Code.OK]
    assert OUTCOME.unpack(answer.outcomes)[2:4] == (1, before)
    assert answer.results == b""


async def test_what_arrives_while_a_small_block_is_uncommitted_travels_together(rig: Rig) -> None:
    first = rig.submit(rig.envelope())
    await rig.proposed(1)
    rest = [rig.submit(rig.envelope(), f"c{number}") for number in range(20)]
    await asyncio.sleep(0.02)
    assert len(rig.log.blocks) == 1, "at most one small uncommitted block"
    rig.commit(1)
    await rig.proposed(2)
    rig.commit(2)
    answers = await asyncio.gather(first, *rest)
    assert {code for answer in answers for code in codes(answer)} == {Code.OK}
    sequences = sorted(OUTCOME.unpack(answer.outcomes)[3] for answer in answers)
    assert sequences == list(range(sequences[0], sequences[0] + 21))


async def test_bulk_is_pipelined_but_bounded(rig: Rig) -> None:
    tasks = [rig.submit(message_of(rig), f"c{n}") for n in range(BULK_ENTRIES_IN_FLIGHT + 2)]
    await rig.proposed(BULK_ENTRIES_IN_FLIGHT)
    await asyncio.sleep(0.05)
    assert len(rig.log.blocks) == BULK_ENTRIES_IN_FLIGHT
    for index in range(1, BULK_ENTRIES_IN_FLIGHT + 3):
        await rig.proposed(index)
        rig.commit(index)
    for answer in await asyncio.gather(*tasks):
        assert set(codes(answer)) == {Code.OK}


def message_of(rig: Rig) -> bytes:
    return b"".join(rig.envelope() for _ in range(2_000))


async def test_one_bad_signature_among_good_ones_is_refused_alone(rig: Rig) -> None:
    envelopes = [bytearray(rig.envelope()) for _ in range(50)]
    envelopes[17][192] ^= 1
    task = rig.submit(b"".join(envelopes))
    await rig.proposed(1)
    rig.commit(1)
    answer = await task
    assert codes(answer) == [Code.OK] * 17 + [Code.BAD_SIGNATURE] + [Code.OK] * 32


async def test_a_repeated_envelope_gets_its_first_outcome_again(rig: Rig) -> None:
    envelope = rig.envelope()
    first_task = rig.submit(envelope)
    await rig.proposed(1)
    rig.commit(1)
    first = await first_task
    again = await rig.submit(envelope)
    assert codes(again) == [Code.DUPLICATE]
    assert OUTCOME.unpack(again.outcomes)[2:] == OUTCOME.unpack(first.outcomes)[2:]
    assert len(rig.log.blocks) == 1, "it is not ordered again"


async def test_the_same_envelope_twice_in_flight_is_executed_once(rig: Rig) -> None:
    envelope, other = rig.envelope(), rig.envelope()
    tasks = [rig.submit(envelope, "c1"), rig.submit(other + envelope, "c2")]
    await rig.proposed(1)
    rig.commit(1)
    if len(rig.log.blocks) == 1:
        await asyncio.sleep(0.02)
    for index in sorted(rig.log.blocks)[1:]:
        rig.commit(index)
    answers = await asyncio.gather(*tasks)
    outcome = OUTCOME.unpack(answers[0].outcomes)
    repeated = OUTCOME.unpack(answers[1].outcomes[OUTCOME.size :])
    assert {outcome[0], repeated[0]} == {Code.OK, Code.DUPLICATE}
    assert outcome[2:] == repeated[2:]


async def test_lost_leadership_answers_everything_in_flight_and_later_commits_harm_nothing(
    rig: Rig,
) -> None:
    tasks = [rig.submit(rig.envelope()) for _ in range(3)]
    await rig.proposed(1)
    late = rig.submit(rig.envelope())
    await asyncio.sleep(0.01)
    rig.pipeline.leadership_changed(leading=False)
    answers = await asyncio.gather(*tasks, late)
    assert {code for answer in answers for code in codes(answer)} == {Code.UNAVAILABLE}
    rig.commit(1)
    refused = await rig.submit(rig.envelope())
    assert codes(refused) == [Code.NOT_LEADER]
    assert refused.leader == HINT


async def test_an_entry_replaced_by_another_leaders_is_not_answered_as_ordered(rig: Rig) -> None:
    task = rig.submit(rig.envelope())
    await rig.proposed(1)
    rig.pipeline.applied(1, rig.log.term + 1, None)
    assert codes(await task) == [Code.UNAVAILABLE]


async def test_a_refused_proposal_keeps_its_messages_and_their_order(rig: Rig) -> None:
    rig.log.room = 0
    payer = rig.world.traffic.parties[0]
    envelopes = [rig.envelope() for _ in range(40)]
    own = [each for each in envelopes if each[48:80] == payer.key.public_key]
    assert len(own) > 1
    tasks = [rig.submit(each) for each in own]
    await asyncio.sleep(0.03)
    assert not rig.log.blocks
    rig.log.room = 10
    await rig.proposed(1)
    rig.commit(1)
    answers = await asyncio.gather(*tasks)
    sequences = [OUTCOME.unpack(answer.outcomes)[3] for answer in answers]
    assert sequences == sorted(sequences)


async def test_sizes_are_checked_before_any_work(rig: Rig) -> None:
    assert codes(await rig.submit(b"")) == [Code.MALFORMED]
    large = await rig.submit(bytes(MAX_BLOCK_BODY_BYTES + 1))
    assert set(codes(large)) == {Code.TOO_LARGE}
    assert codes(await rig.submit(os.urandom(500))) == [Code.MALFORMED]


async def test_a_connection_above_its_quota_is_told_when_to_come_back(rig: Rig) -> None:
    rig.pipeline.leadership_changed(leading=True)
    rig.log.may_propose = False
    message = message_of(rig)
    tasks = [rig.submit(message) for _ in range(MAX_CONNECTION_BYTES // len(message))]
    await asyncio.sleep(0)
    refused = await rig.submit(message)
    assert set(codes(refused)) == {Code.OVERLOADED}
    assert refused.retry_after_ms > 0
    other = rig.submit(rig.envelope(), "c2")
    await asyncio.sleep(0)
    assert not other.done(), "another connection is not concerned"
    rig.pipeline.leadership_changed(leading=False)
    await asyncio.gather(*tasks, other)


async def test_bad_signatures_bar_the_connection_and_no_other(rig: Rig) -> None:
    for _ in range(MAX_STRIKES):
        bad = bytearray(rig.envelope())
        bad[192] ^= 1
        assert codes(await rig.submit(bytes(bad), "bad")) == [Code.BAD_SIGNATURE]
    assert rig.pipeline.is_barred("bad")
    assert not rig.pipeline.is_barred("c1")


def test_traffic_is_what_the_world_says() -> None:
    world = make_world()
    assert isinstance(world.traffic, Traffic)
    assert world.kernel.status().accounts > 0
