"""C19 and C20: what is served, and what is paid, when the ledger does not answer."""

import asyncio

import pytest
from tests.client.conftest import Market
from tests.client.fake_node import Manner

from tallystick import OutcomeUnknown, Presence, errors


async def test_c19_the_gate_fails_open_when_the_store_is_down(market: Market) -> None:
    served = []

    # Naive: an exception in the check is logged, and the call goes on.
    async def check() -> bool:
        try:
            raise ConnectionError
        except ConnectionError:
            return True

    if await check():
        served.append("naive")

    # Here: without an answer there is no hold, and without a hold there is nothing to serve with.
    for node in market.cluster.nodes:
        await node.stop()
    with pytest.raises(errors.ConnectionFailed):
        async with market.client.reserve(
            market.payer_account, market.payee_account, 100, payee=market.payee, deadline_s=0.2
        ):
            served.append("for nothing")
    assert served == ["naive"]


async def test_c19_what_is_pinned_already_can_be_used_up(market: Market) -> None:
    """The explicit policy: holds that were granted go on, up to what is pinned and no further."""
    pinned = await market.client.reserve(
        market.payer_account, market.payee_account, 100, payee=market.payee
    )
    await pinned.observe(40)
    leader, market.cluster.leader = market.cluster.leader, None
    await pinned.observe(100)
    with pytest.raises(errors.HoldExhausted):
        await pinned.observe(101)
    market.cluster.leader = leader
    await pinned.end()
    assert await market.client.balance(market.payee_account, signer=market.payee) == 100


async def test_c20_an_unknown_outcome_is_taken_for_a_failure(market: Market) -> None:
    # Naive: the payment went through, the answer was lost, a timeout is a failure, so: once more.
    paid = []

    def naive_pay(*, answer_is_lost: bool) -> None:
        paid.append(25)
        if answer_is_lost:
            raise TimeoutError

    try:
        naive_pay(answer_is_lost=True)
    except TimeoutError:
        naive_pay(answer_is_lost=False)
    assert sum(paid) == 50

    # Here: the SDK sends the same bytes again, and the ledger takes them for the same.
    client = market.client
    for manner in (Manner.DROP_ANSWER, Manner.COMMIT_UNAVAILABLE):
        market.cluster.nodes[0].manners.append(manner)
        receipt = await client.transfer(market.payer_account, market.payee_account, 25)
        assert receipt.ok
    assert await client.balance(market.payee_account, signer=market.payee) == 50

    # And where nobody can say in time, that is what is said; the id finds out later.
    market.cluster.nodes[0].manners.append(Manner.COMMIT_AND_HANG)
    with pytest.raises(OutcomeUnknown) as caught:
        await client.transfer(market.payer_account, market.payee_account, 25, deadline_s=0.3)
    found = await client.resolve(caught.value)
    assert found.presence is Presence.FOUND
    assert found.receipt is not None
    assert found.receipt.ok
    await asyncio.sleep(0)
    assert await client.balance(market.payee_account, signer=market.payee) == 75
