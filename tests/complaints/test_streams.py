"""C7 and C8: streams whose usage never arrives, and clients that leave before it does."""

import asyncio
from collections.abc import AsyncIterator

from tests.client.conftest import Market

from tallystick import PastCaptures, RollingP95

CHUNKS = (40, 40, 40)


async def _answer() -> AsyncIterator[int]:
    """Chunks of an answer, each with its cost; the final one with the usage never comes."""
    for cost in CHUNKS:
        await asyncio.sleep(0)
        yield cost


async def test_c07_the_usage_of_a_stream_is_missing(market: Market) -> None:
    # Naive: bill what the last chunk says; there was none.
    told = [chunk for chunk in [{"cost": cost} async for cost in _answer()] if "usage" in chunk]
    assert sum(chunk["usage"] for chunk in told) == 0
    # Here: what was handed over is what is observed, and pinned before it is.
    past = PastCaptures()
    for _ in range(20):
        past.add(market.payee_account, "", 50)
    sizing = RollingP95(past, slice_size=50)
    async with market.client.reserve(
        market.payer_account, market.payee_account, 1_000, sizing=sizing, payee=market.payee
    ) as hold:
        used = 0
        async for cost in _answer():
            used += cost
            await hold.observe(used)
            (row,) = await market.client.get_holds([hold.id])
            assert row is not None
            assert row.maximum >= used
    assert await market.client.balance(market.payee_account, signer=market.payee) == sum(CHUNKS)


async def test_c08_a_client_that_disconnects_is_not_billed(market: Market) -> None:
    billed = []

    # Naive: bill when the answer is over. A cancelled task never gets there.
    async def naive(served: "asyncio.Future[None]") -> None:
        used = 0
        async for cost in _answer():
            used += cost
            if used == 80:
                served.set_result(None)
                await asyncio.Event().wait()
        billed.append(used)

    # Here: the block's end charges what was observed, whichever way it is left.
    async def gateway(served: "asyncio.Future[None]") -> None:
        async with market.client.reserve(
            market.payer_account, market.payee_account, 1_000, payee=market.payee
        ) as hold:
            used = 0
            async for cost in _answer():
                used += cost
                await hold.observe(used)
                if used == 80:
                    served.set_result(None)
                    await asyncio.Event().wait()

    for serve in (naive, gateway):
        served: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve(served))
        await served
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    assert billed == []
    assert await market.client.balance(market.payee_account, signer=market.payee) == 80
    row = await market.client.get_account(market.payer_account)
    assert row is not None
    assert row.debits_pending == 0
