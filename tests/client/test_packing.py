"""Concurrent callers travel together; a lone one does not wait."""

import asyncio

import pytest
from tests.client.conftest import Market

from tallystick import limits
from tallystick.envelopes import split


def counts(market: Market) -> list[int]:
    return [len(list(split(message))) for message in market.cluster.nodes[0].messages]


async def test_callers_of_one_turn_share_a_message(market: Market) -> None:
    await asyncio.gather(
        *(market.client.transfer(market.payer_account, market.payee_account, 1) for _ in range(64))
    )
    assert counts(market) == [64]


async def test_callers_in_a_loop_keep_sharing(market: Market) -> None:
    async def caller() -> None:
        for _ in range(5):
            await market.client.transfer(market.payer_account, market.payee_account, 1)

    await asyncio.gather(*(caller() for _ in range(40)))
    assert sum(counts(market)) == 200
    assert len(counts(market)) < 40


async def test_while_messages_are_out_the_rest_waits_and_then_leaves_together(
    market: Market,
) -> None:
    node = market.cluster.nodes[0]
    node.gate = asyncio.Event()
    calls = []
    for count in range(1, limits.MESSAGES_IN_FLIGHT + 1):
        calls.append(
            asyncio.ensure_future(
                market.client.transfer(market.payer_account, market.payee_account, 1)
            )
        )
        await node.received(count)
    calls += [
        asyncio.ensure_future(market.client.transfer(market.payer_account, market.payee_account, 1))
        for _ in range(50)
    ]
    await asyncio.sleep(0)
    assert counts(market) == [1] * limits.MESSAGES_IN_FLIGHT
    node.gate.set()
    await asyncio.gather(*calls)
    assert counts(market) == [1] * limits.MESSAGES_IN_FLIGHT + [50]


async def test_large_envelopes_do_not_exceed_a_message(market: Market) -> None:
    count = 8_190 * 2 + 5
    await market.client.transfers(
        market.payer_account * count, market.payee_account * count, [1] * count
    )
    assert max(map(len, market.cluster.nodes[0].messages)) <= limits.MAX_MESSAGE_BYTES
    assert sum(counts(market)) == 3


async def test_a_full_queue_makes_callers_wait(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = market.cluster.nodes[0]
    node.gate = asyncio.Event()
    monkeypatch.setattr(limits, "MAX_QUEUED_BYTES", 384 * 10)
    calls = [
        asyncio.ensure_future(market.client.transfer(market.payer_account, market.payee_account, 1))
        for _ in range(100)
    ]
    await node.received(1)
    assert market.client._submitter._queued_bytes <= 384 * 10
    node.gate.set()
    await asyncio.gather(*calls)
    assert await market.client.balance(market.payee_account, signer=market.payee) == 100
