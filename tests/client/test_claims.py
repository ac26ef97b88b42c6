"""Debts through the client: a hold charged above its maximum, and the claim that this leaves."""

import pytest
from tests.client.conftest import Market

from tallystick import errors, limits
from tallystick_ledger.ids import CardId, HoldId, NameId
from tallystick_ledger.records import CardTerms, NameKind, Overrun, Price, ServedUsage
from tallystick_ledger.state_rows import ClaimStatus, DisputeStatus

LIMIT = 500


async def _hold(market: Market, maximum: int) -> tuple[HoldId, NameId]:
    """A hold on debt, under a card that prices a token at 1."""
    client, payee = market.client, market.payee
    model = await client.register_name(NameKind.MODEL, "model", signer=payee)
    meter = await client.register_name(NameKind.METER, "tokens", signer=payee)
    line = Price(CardId(bytes(16)), model.id, meter.id, 1_000_000)
    card = await client.publish_card(market.unit, [line], signer=payee)
    market.cluster.clock.now_ns += 100 * 10**9
    terms = CardTerms(card.id, model.id, overrun=Overrun.DEBT, debt_limit=LIMIT)
    accounts = (market.payer_account, market.payee_account)
    return (await client.reserve(*accounts, maximum, terms=terms)).id, meter.id


async def _owe(market: Market, owed: int) -> HoldId:
    balance = await market.client.balance(market.payer_account)
    hold, meter = await _hold(market, balance)
    used = ServedUsage(lines=((meter, balance + owed),))
    await market.client.capture(hold, balance + owed, usage=used, final=True, signer=market.payee)
    return hold


async def test_a_claim_is_listed_to_both_sides_and_paid(market: Market) -> None:
    client, payee = market.client, market.payee
    hold = await _owe(market, 300)
    (claim,) = await client.claims()
    assert (bytes(claim.claim), claim.rest, claim.status) == (hold, 300, ClaimStatus.OPEN)
    assert await client.claims(signer=payee) == [claim]
    accounts = (market.payer_account, market.payee_account)
    with pytest.raises(errors.ClaimOpen) as refused:
        await client.reserve(*accounts, 1)
    assert isinstance(refused.value, errors.HoldRefused)
    with pytest.raises(errors.InsufficientFunds):
        await client.pay_claim(hold, 300, market.payer_account)
    await client.issue(market.unit, market.payer_account, 1_000)
    with pytest.raises(errors.ClaimRefused) as above:
        await client.pay_claim(hold, 301, market.payer_account)
    assert above.value.code == "CLAIM_EXCEEDS"
    with pytest.raises(errors.WrongSide):
        await client.waive_claim(hold)
    await client.pay_claim(hold, 100, market.payer_account)
    receipt = await client.pay_claim(hold, 200, market.payer_account)
    (claim,) = await client.claims(at_least_sequence=receipt.sequence)
    assert (claim.rest, claim.paid, claim.status) == (0, 300, ClaimStatus.PAID)
    await client.reserve(*accounts, 1)


async def test_a_claim_is_waived_by_its_payee(market: Market) -> None:
    hold = await _owe(market, 300)
    await market.client.waive_claim(hold, signer=market.payee)
    (claim,) = await market.client.claims()
    assert (claim.waived, claim.status) == (300, ClaimStatus.WAIVED)
    with pytest.raises(errors.ClaimRefused):
        await market.client.waive_claim(hold, signer=market.payee)
    with pytest.raises(errors.ClaimNotFound):
        await market.client.waive_claim(HoldId(b"n" * 16), signer=market.payee)


async def test_nobody_lists_what_another_owes_or_disputes(market: Market) -> None:
    for read in (market.client.claims, market.client.disputes, market.client.mandates):
        with pytest.raises(errors.AccessDenied):
            await read(market.payee.principal, signer=market.payer)
        assert await read(market.payee.principal, signer=market.payee) == []


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
