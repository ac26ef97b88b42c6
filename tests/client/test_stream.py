"""Bulk streams: order, window, and what happens when a node breaks one."""

import asyncio

import pytest
from tests.client.conftest import Market
from tests.client.fake_node import Manner

from tallystick import OutcomeUnknown, Receipt, errors, limits
from tallystick.envelopes import pack, split
from tallystick.stream import MessageOutcome
from tallystick_ledger.records import Transfer


def message(market: Market, *amounts: int, valid_for_s: float = 60) -> bytes:
    parts = []
    for amount in amounts:
        draft = market.client.draft(valid_for_s=valid_for_s)
        draft.add(Transfer(market.payer_account, market.payee_account, amount))
        parts.append(draft.seal().envelope)
    return b"".join(parts)


async def balance(market: Market) -> int:
    return await market.client.balance(market.payee_account, signer=market.payee)


async def test_answers_come_in_order_and_say_what_became_of_each_envelope(market: Market) -> None:
    messages = [message(market, 1, 2), message(market, 3, 2_000_000), message(market, 4)]
    async with market.client.stream() as stream:
        futures = [await stream.send(each) for each in messages]
    outcomes = [future.result() for future in futures]
    assert [outcome.message for outcome in outcomes] == messages
    assert [outcome.envelope_count for outcome in outcomes] == [2, 2, 1]
    assert [outcome.ok for outcome in outcomes] == [True, False, True]
    receipts = [receipt for outcome in outcomes for receipt in outcome]
    assert all(isinstance(receipt, Receipt) for receipt in receipts)
    sequences = [receipt.sequence for receipt in receipts if isinstance(receipt, Receipt)]
    assert sequences == list(range(sequences[0], sequences[0] + 5))
    refused = [receipt.error() for receipt in receipts if isinstance(receipt, Receipt)]
    assert [None if error is None else error.code for error in refused] == [
        None,
        None,
        None,
        "INSUFFICIENT_FUNDS",
        None,
    ]
    assert await balance(market) == 10


async def test_the_window_is_kept(market: Market) -> None:
    node = market.cluster.nodes[0]
    node.gate = asyncio.Event()
    async with market.client.stream() as stream:
        for _ in range(limits.STREAM_WINDOW):
            await stream.send(message(market, 1))
        one_more = asyncio.ensure_future(stream.send(message(market, 1)))
        await node.received(1)
        assert not one_more.done()
        node.gate.set()
        await (await one_more)
    assert await balance(market) == limits.STREAM_WINDOW + 1


@pytest.mark.parametrize(
    "manner",
    [
        Manner.DROP_ANSWER,
        Manner.BREAK,
        Manner.UNAVAILABLE,
        Manner.COMMIT_UNAVAILABLE,
        Manner.OVERLOADED,
        Manner.OVERLOADED_LATER,
        Manner.NOT_LEADER,
        Manner.NONSENSE,
    ],
)
async def test_a_broken_stream_is_opened_again_and_nothing_is_paid_twice(
    market: Market, manner: Manner
) -> None:
    for node in market.cluster.nodes:
        node.manners.append(manner)
    async with market.client.stream() as stream:
        futures = [await stream.send(message(market, 1, 1, 1)) for _ in range(10)]
    outcomes = [future.result() for future in futures]
    assert all(outcome.ok for outcome in outcomes)
    assert await balance(market) == 30


async def test_a_node_that_hangs_is_left(market: Market) -> None:
    market.cluster.nodes[0].manners.append(Manner.COMMIT_AND_HANG)
    async with market.new_client(attempt_timeout_s=0.2) as client, client.stream() as stream:
        futures = [await stream.send(message(market, 1)) for _ in range(10)]
        assert all([(await future).ok for future in futures])
    assert await balance(market) == 10


async def test_the_leader_dies_under_a_stream(market: Market) -> None:
    cluster = market.cluster
    async with market.client.stream() as stream:
        futures = [await stream.send(message(market, 1)) for _ in range(20)]
        await cluster.nodes[0].stop()
        cluster.leader = cluster.nodes[1]
        futures += [await stream.send(message(market, 1)) for _ in range(20)]
    assert all(future.result().ok for future in futures)
    assert await balance(market) == 40


async def test_refusals_that_decide_nothing_after_doubt(market: Market) -> None:
    """Ordered, answer lost, then TOO_LATE from one who has not the id: sent again until known."""
    cluster = market.cluster
    cluster.nodes[0].manners.extend([Manner.DROP_ANSWER])
    cluster.nodes[1].manners.extend([Manner.TOO_LATE])
    async with market.client.stream() as stream:
        outcome = await (await stream.send(message(market, 5)))
    (receipt,) = outcome
    assert isinstance(receipt, Receipt)
    assert receipt.duplicate
    assert await balance(market) == 5


async def test_a_deadline_ends_it_as_unknown(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DECISION_MARGIN_S", 0.05)
    for node in market.cluster.nodes:
        node.manners.extend([Manner.DROP_ANSWER] + [Manner.BREAK] * 100)
    sent = message(market, 5, valid_for_s=0.2)
    async with market.client.stream() as stream:
        future = await stream.send(sent)
        with pytest.raises(OutcomeUnknown) as caught:
            await future
    assert caught.value.envelope == sent
    assert await balance(market) == 5


async def test_denied_streams_and_broken_messages(market: Market) -> None:
    market.cluster.nodes[0].manners.append(Manner.DENY)
    async with market.client.stream() as stream:
        future = await stream.send(message(market, 5))
        with pytest.raises(errors.TallystickError):
            await future
        for broken in (b"", b"TSE1", message(market, 1)[:-1], bytes((1 << 20) + 1)):
            with pytest.raises(errors.InvalidArgument):
                await stream.send(broken)


async def test_a_failed_block_ends_the_stream_at_once(market: Market) -> None:
    market.cluster.nodes[0].gate = asyncio.Event()
    futures: list[asyncio.Future[MessageOutcome]] = []

    async def fail() -> None:
        async with market.client.stream() as stream:
            futures.append(await stream.send(message(market, 5)))
            raise RuntimeError("the program's own")

    with pytest.raises(RuntimeError, match="the program's own"):
        await fail()
    assert futures[0].cancelled()


def test_refusals_before_ordering_have_no_results() -> None:
    outcome = MessageOutcome(b"", b"", b"")
    assert outcome.ok
    assert list(outcome) == []


def test_messages_are_packed_full_and_split_again(full_envelope: bytes) -> None:
    small = full_envelope[:12] + (1).to_bytes(4, "little") + full_envelope[16:384]
    envelopes = [small] * 5000 + [full_envelope] + [small] * 3
    messages = list(pack(envelopes))
    assert [each for message in messages for each in split(message)] == envelopes
    assert max(map(len, messages)) == 1 << 20
    assert len(messages) == 4
    with pytest.raises(errors.InvalidArgument):
        list(split(small[:-1]))
    with pytest.raises(errors.InvalidArgument):
        list(pack([full_envelope + b"x"]))


@pytest.fixture
def full_envelope() -> bytes:
    header = b"TSE1\x01\x00\x00\x00\x01\x00\x00\x00" + (8190).to_bytes(4, "little")
    return header.ljust(1 << 20, b"\x01")
