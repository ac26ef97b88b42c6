"""Quotes: signed and read off the ledger, redeemed by holds and by metering."""

import pytest
from tests.client.conftest import Market

from tallystick import errors
from tallystick.quotes import Quote, make_quote
from tallystick_ledger.ids import NameId, TimestampNs
from tallystick_ledger.records import NameKind, QuoteLine, ServedUsage


async def _quote(market: Market, cap: int = 100) -> tuple[Quote, NameId, NameId]:
    client, payee = market.client, market.payee
    model = (await client.register_name(NameKind.MODEL, "model", signer=payee)).id
    meter = (await client.register_name(NameKind.METER, "tokens", signer=payee)).id
    quote = make_quote(
        payee,
        client.ledger_id,
        market.payer.principal,
        market.unit,
        [QuoteLine(model, meter, 1_500_000)],
        cap=cap,
        not_after_ns=TimestampNs(market.cluster.clock.now_ns + 10**12),
    )
    return quote, model, meter


async def test_a_quote_prices_holds_and_usage(market: Market) -> None:
    made, model, meter = await _quote(market)
    quote = Quote.from_hex(made.hex())
    quote.verify()
    assert quote == made
    assert len(quote.encode()) == 288
    client, accounts = market.client, (market.payer_account, market.payee_account)
    usage = ServedUsage(lines=((meter, 10),))
    terms = quote.terms(model)
    async with client.reserve(*accounts, 60, payee=market.payee, terms=terms, quote=quote) as hold:
        with pytest.raises(LookupError, match="with a card"):
            await client.capture_usage(hold.id, "input=1", signer=market.payee)
        await hold.capture(quote.price(model, usage), usage=usage, final=True)
    await client.meter(*accounts, 15, model=model, usage=usage, quote=quote)
    assert await client.balance(market.payee_account, signer=market.payee) == 30
    with pytest.raises(errors.QuoteRefused) as caught:
        await client.reserve(*accounts, 26, terms=terms, quote=quote)
    assert caught.value.code == "QUOTE_EXCEEDED"
    with pytest.raises(errors.PriceRefused):
        await client.meter(*accounts, 16, model=model, usage=usage, quote=quote)
    market.cluster.clock.now_ns += 2 * 10**12
    with pytest.raises(errors.QuoteRefused) as late:
        await client.meter(*accounts, 15, model=model, usage=usage, quote=quote)
    assert late.value.code == "QUOTE_EXPIRED"


async def test_others_and_forged_quotes_are_refused(market: Market) -> None:
    quote, model, meter = await _quote(market)
    client, usage = market.client, ServedUsage(lines=((meter, 10),))
    data = bytearray(quote.encode())
    data[104] ^= 1  # the cap
    forged = Quote.decode(bytes(data))
    with pytest.raises(errors.InvalidQuote):
        forged.verify()
    accounts = (market.payer_account, market.payee_account)
    with pytest.raises(errors.QuoteRefused) as caught:
        await client.meter(*accounts, 15, model=model, usage=usage, quote=forged)
    assert caught.value.code == "BAD_QUOTE"
    with pytest.raises(errors.QuoteNotFound):
        await client.meter(
            *accounts[::-1], 15, model=model, usage=usage, quote=quote, signer=market.payee
        )
    endless = make_quote(
        market.payee,
        client.ledger_id,
        market.payer.principal,
        market.unit,
        quote.signed.lines,
        cap=100,
        not_after_ns=TimestampNs(2**64 - 1),
    )
    with pytest.raises(errors.HoldRefused) as too_late:
        await client.meter(*accounts, 15, model=model, usage=usage, quote=endless)
    assert too_late.value.code == "EXPIRY_INVALID"
    with pytest.raises(errors.InvalidArgument):
        quote.price(meter, usage)


def test_what_is_no_quote() -> None:
    for data in (b"", bytes(288), b"TSQ1" + bytes(284), b"TSQ1\1\0" + bytes(282)):
        with pytest.raises(errors.InvalidArgument):
            Quote.decode(data)
    with pytest.raises(errors.InvalidArgument):
        Quote.from_hex("no digits")
