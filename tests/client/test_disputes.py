"""Disputes through the client: listed to both sides, and to nobody else."""

import pytest
from tests.client.conftest import Market

from tallystick import errors, limits
from tallystick_ledger.state_rows import DisputeStatus


async def test_nobody_lists_what_another_disputes(market: Market) -> None:
    with pytest.raises(errors.AccessDenied):
        await market.client.disputes(market.payee.principal, signer=market.payer)
    assert await market.client.disputes(market.payee.principal, signer=market.payee) == []


async def test_disputes_are_listed_to_both_sides_in_pages(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ROWS_PER_PAGE", 2)
    client, payee = market.client, market.payee
    cited = []
    for _ in range(5):
        paid = await client.transfer(market.payer_account, market.payee_account, 10)
        await client.dispute(paid.sequence, 4)
        cited.append(paid.sequence)
    await client.answer_dispute(cited[1], 3, signer=payee)
    rows = await client.disputes()
    assert [row.cited for row in rows] == cited
    assert await client.disputes(signer=payee) == rows
    accepted = [(row.cited, row.accepted) for row in rows if row.status is DisputeStatus.ACCEPTED]
    assert accepted == [(cited[1], 3)]
