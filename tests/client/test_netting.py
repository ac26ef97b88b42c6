"""Netting through the client: members owe each other, the operator closes, settles and fails."""

import pytest
from tests.client.conftest import Market
from tests.client.fake_node import OPERATOR

from tallystick import Signer, errors
from tallystick.netting_state import NettingState, position_of
from tallystick_ledger.ids import AccountId, UnitId, operator_principal
from tallystick_ledger.state_rows import MemberStatus, WindowStatus


class Ring:
    """Payer and payee, each of whom may owe 500 in a unit that the payer nets."""

    def __init__(self, market: Market, unit: UnitId, mine: AccountId, theirs: AccountId) -> None:
        self.market = market
        self.unit = unit
        self.mine = mine
        self.theirs = theirs

    async def state(self, account: AccountId | None = None) -> NettingState:
        state = await self.market.client.get_netting(self.unit, account)
        assert state is not None
        return state


async def _ring(market: Market) -> Ring:
    client = market.client
    operator = Signer(OPERATOR, operator_principal(client.ledger_id, 0))
    created = await client.create_unit(
        "DEBT", 3, market.payer.principal, settlement_unit=market.unit, signer=operator
    )
    mine = (await client.open_account(created.id)).id
    theirs = (await client.open_account(created.id, signer=market.payee)).id
    await client.join_netting(mine, market.payer_account, 500)
    await client.join_netting(theirs, market.payee_account, 500, signer=market.payee)
    return Ring(market, created.id, mine, theirs)


async def test_a_window_is_closed_and_settled(market: Market) -> None:
    client, ring = market.client, await _ring(market)
    await client.transfer(ring.mine, ring.theirs, 300)
    await client.transfer(ring.theirs, ring.mine, 120, signer=market.payee)
    before = await ring.state(ring.mine)
    assert (before.open_gross, before.open_moved, before.waiting) == (420, 180, None)
    assert sorted(row.amount for row in before.pairs) == [120, 300]
    with pytest.raises(errors.InvalidArgument, match="No window waits"):
        await client.settle_window(ring.unit)
    await client.close_window(ring.unit)
    closed = await ring.state()
    assert closed.waiting is not None
    assert position_of(closed.closed, ring.mine).owes == 180
    with pytest.raises(errors.NettingRefused):
        await client.fail_member(ring.unit, ring.mine)
    await client.settle_window(ring.unit, closed)
    settled = await ring.state()
    (window,) = settled.windows
    assert (window.status, window.gross, window.moved) == (WindowStatus.SETTLED, 420, 180)
    assert await client.balance(market.payee_account, signer=market.payee) == 180


async def test_who_cannot_pay_is_named_and_failed(market: Market) -> None:
    client, ring = market.client, await _ring(market)
    await client.transfer(ring.theirs, ring.mine, 200, signer=market.payee)
    await client.close_window(ring.unit)
    expected = await ring.state()
    with pytest.raises(errors.InsufficientFunds) as caught:
        await client.settle_window(ring.unit)
    assert expected.closed[caught.value.detail].account == ring.theirs
    await client.fail_member(ring.unit, ring.theirs)
    with pytest.raises(errors.NettingRefused) as mismatch:
        await client.settle_window(ring.unit, expected)
    assert mismatch.value.code == "POSITIONS_MISMATCH"
    await client.settle_window(ring.unit)
    state = await ring.state()
    failed = [row.account for row in state.members if row.status is MemberStatus.FAILED]
    assert failed == [ring.theirs]
    assert state.open_gross == 200
    with pytest.raises(errors.NettingRefused):
        await client.join_netting(ring.theirs, market.payee_account, 500, signer=market.payee)


async def test_what_is_not_deferred_has_no_netting(market: Market) -> None:
    assert await market.client.get_netting(market.unit) is None
    with pytest.raises(errors.InvalidArgument, match="no deferred unit"):
        await market.client.close_window(market.unit)
    with pytest.raises(errors.NettingRefused):
        await market.client.close_window(market.unit, 1)
    with pytest.raises(errors.InvalidArgument, match=r"2\*\*80"):
        await market.client.join_netting(market.payer_account, market.payee_account, 2**81)


async def test_nobody_issues_debts(market: Market) -> None:
    client, ring = market.client, await _ring(market)
    with pytest.raises(errors.NettingRefused) as caught:
        await client.issue(ring.unit, ring.mine, 5)
    assert caught.value.code == "UNIT_DEFERRED"
    outsider = (await client.open_account(ring.unit)).id
    with pytest.raises(errors.NettingRefused):
        await client.transfer(ring.mine, outsider, 5)
