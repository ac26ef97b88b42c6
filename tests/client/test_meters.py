"""Metered usage through the client: priced by the ledger, paid at once, given back if need be."""

import pytest
from tests.client.conftest import Market

from tallystick import errors, limits
from tallystick.keyfile import Signer
from tallystick.results import Receipt
from tallystick_ledger.ids import CardId, MandateId, NameId
from tallystick_ledger.records import CaptureSource, Meter, NameKind, Price, ServedUsage
from tallystick_ledger.results import Cause

NO_CARD = CardId(bytes(16))


async def _card(market: Market) -> tuple[CardId, NameId, NameId]:
    """A card in force, its model and its meter."""
    client, payee = market.client, market.payee
    model = await client.register_name(NameKind.MODEL, "model", signer=payee)
    meter = await client.register_name(NameKind.METER, "tokens", signer=payee)
    lines = [Price(NO_CARD, model.id, meter.id, 1_500_000)]
    created = await client.publish_card(market.unit, lines, signer=payee)
    market.cluster.clock.now_ns += 100 * 10**9
    return created.id, model.id, meter.id


async def test_a_usage_is_paid_at_once(market: Market) -> None:
    card, model, meter = await _card(market)
    usage = ServedUsage(lines=((meter, 10),))
    accounts = (market.payer_account, market.payee_account)
    receipt = await market.client.meter(
        *accounts,
        15,
        card=card,
        model=model,
        usage=usage,
        source=CaptureSource.GATEWAY_COUNTED,
        reference=7,
        unique=True,
        end_user=b"e" * 16,
    )
    assert await market.client.balance(market.payee_account, signer=market.payee) == 15
    info = await market.client.get_envelope(receipt.envelope_id)
    (effect,) = info.effects
    assert (effect.cause, effect.amount, effect.card) == (Cause.METER, 15, card)
    record = Meter.decode(info.envelope[256:])
    assert (record.usage, record.end_user) == (usage, b"e" * 16)
    with pytest.raises(errors.ReferenceUsed):
        await market.client.meter(
            *accounts, 15, card=card, model=model, usage=usage, reference=7, unique=True
        )
    await market.client.refund(receipt.sequence, 5, signer=market.payee)
    assert await market.client.balance(market.payee_account, signer=market.payee) == 10


async def test_a_payee_meters_under_a_mandate(market: Market) -> None:
    card, model, meter = await _card(market)
    client, payee = market.client, market.payee
    given = await client.give_mandate(
        market.payer_account, payee.principal, 40, cap_each=20, expires_in_s=1_000, card=card
    )

    async def charge(amount: int, quantity: int) -> None:
        await client.meter(
            market.payer_account,
            market.payee_account,
            amount,
            card=card,
            model=model,
            usage=ServedUsage(lines=((meter, quantity),)),
            mandate=given.id,
            signer=payee,
        )

    await charge(15, 10)
    for amount, quantity in ((21, 14), (27, 18)):
        with pytest.raises(errors.MandateRefused) as caught:
            await charge(amount, quantity)
        assert caught.value.code == "MANDATE_EXCEEDED"
    await client.end_mandate(given.id, signer=payee)
    with pytest.raises(errors.MandateRefused) as ended:
        await charge(15, 10)
    assert ended.value.code == "MANDATE_ENDED"
    with pytest.raises(errors.MandateRefused):
        await client.end_mandate(given.id)
    with pytest.raises(errors.MandateNotFound):
        await client.end_mandate(MandateId(bytes(16)))
    assert await client.balance(market.payee_account, signer=payee) == 15


async def test_a_charge_is_priced_again(market: Market) -> None:
    card, model, meter = await _card(market)
    client, payee = market.client, market.payee
    accounts = (market.payer_account, market.payee_account)
    usage, less = (ServedUsage(lines=((meter, quantity),)) for quantity in (10, 6))
    paid = await client.meter(*accounts, 15, card=card, model=model, usage=usage)

    async def again(cited: int, amount: int, signer: Signer) -> Receipt:
        return await client.reprice(
            cited, amount, card=card, model=model, usage=less, signer=signer
        )

    with pytest.raises(errors.PriceRefused):
        await again(paid.sequence, 8, payee)
    with pytest.raises(errors.WrongSide):
        await again(paid.sequence, 9, market.payer)
    receipt = await again(paid.sequence, 9, payee)
    (effect,) = (await client.get_envelope(receipt.envelope_id, signer=payee)).effects
    assert (effect.cause, effect.amount, effect.card) == (Cause.REPRICE, 6, card)
    assert await client.balance(market.payee_account, signer=payee) == 9
    flat = await client.transfer(*accounts, 20)
    for sequence, code in ((paid.sequence, "PRICE_NOT_LOWER"), (flat.sequence, "CITED_NOT_PRICED")):
        with pytest.raises(errors.RepriceRefused) as caught:
            await again(sequence, 9, payee)
        assert caught.value.code == code
    assert isinstance(caught.value, errors.CorrectionRefused)


async def test_mandates_are_listed_to_both_sides_in_pages(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ROWS_PER_PAGE", 2)
    client, payee = market.client, market.payee
    given = [
        await client.give_mandate(
            market.payer_account, payee.principal, cap, expires_in_s=1_000, cap_each=1
        )
        for cap in (1, 2, 3, 4)
    ]
    await client.end_mandate(given[2].id)
    rows = await client.mandates()
    assert await client.mandates(signer=payee) == rows
    assert [row.mandate for row in rows] == sorted(each.id for each in given)
    caps = {row.mandate: row.cap for row in rows}
    assert [caps[each.id] for each in given] == [1, 2, 3, 4]
    assert [row.mandate for row in rows if row.ended_at_ns] == [given[2].id]


async def test_no_other_amount_and_no_other_card(market: Market) -> None:
    card, model, meter = await _card(market)
    accounts = (market.payer_account, market.payee_account)
    usage, unknown = (ServedUsage(lines=((each, 10),)) for each in (meter, model))
    with pytest.raises(errors.PriceRefused):
        await market.client.meter(*accounts, 16, card=card, model=model, usage=usage)
    with pytest.raises(errors.NotPriced):
        await market.client.meter(*accounts, 15, card=card, model=model, usage=unknown)
    with pytest.raises(errors.CardNotFound):
        await market.client.meter(*accounts, 15, card=NO_CARD, model=model, usage=usage)
    with pytest.raises(errors.AccountNotFound):
        await market.client.meter(
            *accounts, 15, card=card, model=model, usage=usage, signer=market.payee
        )
    with pytest.raises(errors.InvalidArgument):
        await market.client.meter(*accounts, 0, card=card, model=model, usage=usage)
