"""`tallystick quote`: what is signed off the ledger: prices for one principal, and exchanges.

tallystick quote make alice 1000 USD --price MODEL:METER=1.50 -k shop   the provider; asks no node
tallystick quote check QUOTE                                             the beneficiary
tallystick meter till shop 2 USD --quote QUOTE …                         redeems it
tallystick quote exchange stock till 5000 TOK --rate "100 TOK=3 USD" -k maker   one unit for another
tallystick exchange purse wallet 30 USD --quote QUOTE                    takes it
"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from tallystick.cli.ids import id_of
from tallystick.cli.output import Report, Table
from tallystick.cli.session import (
    AmountArgument,
    JsonOption,
    KeyOption,
    ProfileOption,
    session,
)
from tallystick.draft import build
from tallystick.errors import InvalidArgument
from tallystick.exchanges import MAGIC, ExchangeQuote, make_exchange_quote
from tallystick.quotes import Quote, make_quote
from tallystick_ledger.ids import NO_ID, NameId, PrincipalId
from tallystick_ledger.records import QuoteLine

app = typer.Typer(
    help="Sign prices, or exchanges of one unit for another; check what was signed.",
    no_args_is_help=True,
)

_NS_PER_S = 1_000_000_000
_Quote = Annotated[str, typer.Argument(help="What `quote make` or `quote exchange` printed.")]


@app.command()
def make(
    beneficiary: Annotated[str, typer.Argument(help="Who may redeem it: principal, name or id.")],
    amount: AmountArgument,
    price: Annotated[
        list[str],
        typer.Option(
            help="For a million of a meter, as in 1.50, once for each.",
            metavar="MODEL:METER=PRICE",
        ),
    ],
    seconds: Annotated[
        float, typer.Option(min=1, help="Until when it may be redeemed; at most 400 days.")
    ] = 3_600.0,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a quote: up to AMOUNT in all, at these prices. PRICE or OWNER key; no node is asked."""
    with session(profile, key) as opened:
        parsed = opened.amount_of_book(amount)
        if not parsed.symbol:
            raise InvalidArgument("In which unit?", advice="Write the cap as in 100 USD.")
        unit = opened.book.units[parsed.symbol]
        lines = []
        for text in price:
            place, _, number = text.partition("=")
            model, _, meter = place.partition(":")
            steps = opened.amount_of_book([number, parsed.symbol]).steps
            lines.append(
                build(
                    QuoteLine,
                    NameId(id_of("model", model)),
                    NameId(id_of("meter", meter)),
                    steps,
                )
            )
        quote = make_quote(
            opened.client.signer,
            opened.client.ledger_id,
            opened.book.principal(beneficiary),
            unit.id,
            lines,
            cap=parsed.steps,
            valid_for_s=seconds,
        )
    # The quote is the last line for people: that is what they copy.
    Report(_data(quote), quote.hex()).print(as_json=as_json)


@app.command()
def exchange(
    giving: Annotated[str, typer.Argument(help="Own account that pays: name or id.")],
    taking: Annotated[str, typer.Argument(help="Own account that is paid: name or id.")],
    cap: AmountArgument,
    rate: Annotated[
        str,
        typer.Option(
            help='What is given for how much, as in "100 TOK=3 USD".', metavar="GIVEN=TAKEN"
        ),
    ],
    taker: Annotated[
        str, typer.Option(help="Who alone may take it: principal, name or id; else anyone.")
    ] = "",
    seconds: Annotated[
        float, typer.Option(min=1, help="Until when it may be taken; at most 400 days.")
    ] = 3_600.0,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign an exchange quote that gives up to CAP in all. SPEND or OWNER key; no node is asked."""
    given, _, taken = rate.partition("=")
    with session(profile, key) as opened:
        amounts = [opened.amount_of_book(text.split()) for text in (given, taken)]
        parsed = opened.amount_of_book(cap)
        if "" in (parsed.symbol, *(amount.symbol for amount in amounts)):
            raise InvalidArgument(
                "Of which units?", advice='Write 5000 TOK --rate "100 TOK=3 USD".'
            )
        if parsed.symbol != amounts[0].symbol:
            raise InvalidArgument("The cap is of another unit than what is given.")
        quote = make_exchange_quote(
            opened.client.signer,
            opened.client.ledger_id,
            opened.book.account(giving),
            opened.book.account(taking),
            amounts[0].steps,
            amounts[1].steps,
            cap=parsed.steps,
            taker=opened.book.principal(taker) if taker else PrincipalId(NO_ID),
            valid_for_s=seconds,
        )
    Report(_exchange_data(quote), quote.hex()).print(as_json=as_json)


@app.command()
def show(quote: _Quote, as_json: JsonOption = False) -> None:
    """Show what a quote says, whoever signed it."""
    read = _read(quote)
    if isinstance(read, ExchangeQuote):
        signed = read.signed
        said = f"{signed.give} steps for each {signed.take}, up to {signed.cap} until {_end(read)}."
        Report(_exchange_data(read), said).print(as_json=as_json)
        return
    rows = [
        (line.model.hex(), line.meter.hex(), line.tier.hex(), line.region.hex(), str(line.price))
        for line in read.signed.lines
    ]
    Report(
        _data(read),
        f"Up to {read.signed.cap} steps for {read.signed.beneficiary.hex()} until {_end(read)}.",
        table=Table(("model", "meter", "tier", "region", "price of a million>"), rows),
    ).print(as_json=as_json)


@app.command()
def check(quote: _Quote, as_json: JsonOption = False) -> None:
    """Check that the key which a quote names has signed it. No node is asked."""
    read = _read(quote)
    read.verify()
    data = _exchange_data(read) if isinstance(read, ExchangeQuote) else _data(read)
    Report(data, f"Signed by {read.signed.key.hex()}, good until {_end(read)}.").print(
        as_json=as_json
    )


def _read(text: str) -> Quote | ExchangeQuote:
    if text.strip().lower().startswith(MAGIC.hex()):
        return ExchangeQuote.from_hex(text)
    return Quote.from_hex(text)


def _end(quote: Quote | ExchangeQuote) -> str:
    try:
        at = datetime.fromtimestamp(quote.signed.not_after_ns // _NS_PER_S, UTC)
    except (OverflowError, ValueError) as error:
        raise InvalidArgument("The quote's end is no time.") from error
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _data(quote: Quote) -> dict[str, object]:
    signed = quote.signed
    return {
        "quote": quote.hex(),
        "id": quote.id.hex(),
        "ledger": quote.ledger_id.hex(),
        "key": signed.key.hex(),
        "beneficiary": signed.beneficiary.hex(),
        "unit": signed.unit.hex(),
        "cap": str(signed.cap),
        "not_after_ns": signed.not_after_ns,
        "lines": [
            {
                "model": line.model.hex(),
                "meter": line.meter.hex(),
                "tier": line.tier.hex(),
                "region": line.region.hex(),
                "price": str(line.price),
            }
            for line in signed.lines
        ],
    }


def _exchange_data(quote: ExchangeQuote) -> dict[str, object]:
    signed = quote.signed
    return {
        "quote": quote.hex(),
        "id": quote.id.hex(),
        "ledger": quote.ledger_id.hex(),
        "key": signed.key.hex(),
        "giving": signed.give_account.hex(),
        "taking": signed.take_account.hex(),
        "taker": signed.taker.hex(),
        "give": str(signed.give),
        "take": str(signed.take),
        "cap": str(signed.cap),
        "not_after_ns": signed.not_after_ns,
    }
