"""Rate cards through the client: published, agreed to in a hold, priced by the ledger."""

import pytest
from tests.client.conftest import Market

from tallystick import errors
from tallystick_ledger.ids import CardId, NameId
from tallystick_ledger.records import CardTerms, NameKind, Overrun, Price, ServedUsage

NO_CARD = CardId(bytes(16))


async def _names(market: Market) -> tuple[NameId, NameId]:
    client, payee = market.client, market.payee
    model = await client.register_name(NameKind.MODEL, "model", signer=payee)
    meter = await client.register_name(NameKind.METER, "tokens", signer=payee)
    return model.id, meter.id


async def _card(market: Market, model: NameId, meter: NameId, *, supersedes: CardId) -> CardId:
    lines = [
        Price(NO_CARD, model, meter, 1_500_000),
        Price(NO_CARD, model, meter, 3_000_000, above=100),
    ]
    created = await market.client.publish_card(
        market.unit, lines, length_meters=[meter], supersedes=supersedes, signer=market.payee
    )
    market.cluster.clock.now_ns += 100 * 10**9
    return created.id


async def test_a_published_card_prices_a_hold(market: Market) -> None:
    model, meter = await _names(market)
    card = await _card(market, model, meter, supersedes=NO_CARD)
    terms = CardTerms(card, model, overrun=Overrun.CAP)
    accounts = (market.payer_account, market.payee_account)
    async with market.client.reserve(*accounts, 400, payee=market.payee, terms=terms) as hold:
        await hold.capture(15, usage=ServedUsage(lines=((meter, 10),)))
        assert await market.client.balance(market.payee_account, signer=market.payee) == 15
        with pytest.raises(errors.PriceRefused) as caught:
            await hold.capture(20, usage=ServedUsage(lines=((meter, 11),)))
        assert caught.value.code == "PRICE_MISMATCH"
        with pytest.raises(errors.NotPriced):
            await hold.capture(15, usage=ServedUsage(lines=((model, 10),)))
        with pytest.raises(errors.HoldRefused):
            await hold.capture(15)
        with pytest.raises(errors.InvalidArgument, match="usage"):
            await hold.observe(20)
        await hold.capture(600, usage=ServedUsage(lines=((meter, 200),)), final=True)
        assert hold.captured == 400
    assert await market.client.balance(market.payee_account, signer=market.payee) == 400


async def test_a_superseded_card_is_agreed_to_no_more(market: Market) -> None:
    model, meter = await _names(market)
    first = await _card(market, model, meter, supersedes=NO_CARD)
    await _card(market, model, meter, supersedes=first)
    accounts = (market.payer_account, market.payee_account)
    with pytest.raises(errors.CardRefused) as caught:
        await market.client.reserve(*accounts, 400, terms=CardTerms(first, model))
    assert caught.value.code == "CARD_NOT_EFFECTIVE"


async def test_a_card_is_published_whole_or_not_at_all(market: Market) -> None:
    model, meter = await _names(market)
    client, unit, payee = market.client, market.unit, market.payee
    lines = [Price(NO_CARD, model, meter, price) for price in (1, 2)]
    with pytest.raises(errors.RecordRefused) as overlapping:
        await client.publish_card(unit, lines, signer=payee)
    assert overlapping.value.receipt.results[-1].code.name == "ATOMIC_ABORTED"
    with pytest.raises(errors.RecordRefused) as hasty:
        await client.publish_card(unit, lines[:1], effective_in_s=10, signer=payee)
    assert "NOTICE_TOO_SHORT" in {result.code.name for result in hasty.value.receipt.results}
    with pytest.raises(errors.InvalidArgument):
        await client.publish_card(unit, [], signer=payee)
