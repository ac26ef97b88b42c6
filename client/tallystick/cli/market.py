"""`tallystick market`: what is offered on the ledger, and what a usage costs where."""

import time
from typing import Annotated, Any

import typer

from tallystick.cli.card import LINE_COLUMNS, line_cells, line_data
from tallystick.cli.output import Report, Table
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, Session, session
from tallystick.cli.usage import (
    AnswerOption,
    UsageOption,
    format_instant,
    parse_instant,
    read_used,
)
from tallystick.errors import InvalidArgument
from tallystick.market import Listing, Offer
from tallystick.prices import STANDARD, Usage
from tallystick_ledger.ids import PrincipalId, TimestampNs

app = typer.Typer(help="List what is offered; compare by the price of a usage.")


@app.command()
def market(
    usage: UsageOption = "",
    answer: AnswerOption = None,
    model: Annotated[list[str] | None, typer.Option(help="Only this model; repeatable.")] = None,
    provider: Annotated[
        list[str] | None,
        typer.Option(help="Only this provider: its name, or its principal; repeatable."),
    ] = None,
    tier: Annotated[
        str, typer.Option(help="The service tier. Default: the answer's, or standard.")
    ] = "",
    region: Annotated[str, typer.Option(help="Where it has to be served.")] = "",
    unit: Annotated[str, typer.Option(help="Only prices in this unit: symbol or id.")] = "",
    at: Annotated[str, typer.Option(help="When: 2026-07-01T12:00:00Z. Default: now.")] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List all offers, or with --usage or --answer what that costs, the cheapest first.

    Offers without a price for it come last, with the reason.
    """
    used = None
    if usage or answer is not None:
        used, reading = read_used(usage, answer)
        tier = tier or (STANDARD if reading is None else reading.tier)
        region = region or ("" if reading is None else reading.region)
    at_ns = TimestampNs(parse_instant(at) if at else time.time_ns())
    with session(profile, key) as opened:
        listing = opened.client.market(
            used,
            models=model or (),
            providers=[_provider(opened, each) for each in provider or ()],
            tier=tier or STANDARD,
            region=region,
            at_ns=at_ns,
        )
        if unit:
            wanted = opened.book.unit(unit)
            offers = (each for each in listing.offers if each.card.row.unit == wanted)
            listing = Listing(tuple(offers))
        report = _prices(opened, listing, used)
    report.print(as_json=as_json)


def _prices(opened: Session, listing: Listing, used: Usage | None) -> Report:
    if used is None:
        return _lines(opened, listing)
    usage = str(used)
    rows = [
        (
            each.provider,
            each.model_text,
            _tier(each),
            _region(each),
            "-" if each.amount is None else opened.written(each.amount, each.card.row.unit),
            each.card.row.card.hex(),
            each.why,
        )
        for each in listing.offers
    ]
    priced = [each for each in listing.offers if each.amount is not None]
    facts: list[tuple[str, str]] = []
    summary = f"None of {len(listing.offers)} offers has a price for {usage}."
    if priced:
        units = {each.card.row.unit for each in priced}
        first = priced[0]
        facts = [("take it", _reserve_line(opened, first))]
        written = opened.written(first.amount or 0, first.card.row.unit)
        summary = (
            f"{len(priced)} of {len(listing.offers)} offers priced for {usage}; the cheapest is "
            f"{first.model_text} of {first.provider} for {written}."
        )
        if len(units) > 1:
            summary += f" Prices are in {len(units)} units, which are not compared: give --unit."
    return Report(
        {"usage": usage, "offers": [_offer_data(each) for each in listing.offers]},
        summary,
        facts,
        Table(("provider", "model", "tier", "region", "price>", "card", "no price because"), rows),
    )


def _lines(opened: Session, listing: Listing) -> Report:
    found = [(each, line) for each in listing.offers for line in each.lines]
    rows = [
        (
            each.provider,
            *line_cells(opened, each.card, line),
            format_instant(each.card.row.effective_from_ns),
            each.card.row.card.hex(),
        )
        for each, line in found
    ]
    data = [
        {**_offer_data(each), "prices": [line_data(each.card, line) for line in each.lines]}
        for each in listing.offers
    ]
    providers = {each.card.row.owner for each in listing.offers}
    return Report(
        {"usage": None, "offers": data},
        f"{len(listing.offers)} offers of {len(providers)} providers, {len(found)} prices.",
        table=Table(("provider", *LINE_COLUMNS, "from", "card"), rows),
    )


def _reserve_line(opened: Session, offer: Offer) -> str:
    """The command that takes an offer; the payee's account is the provider's to tell."""
    row = offer.card.row
    tier, region = _tier(offer), _region(offer)
    return " ".join(
        [
            "tallystick reserve PAYER PAYEE",
            opened.written(offer.amount or 0, row.unit).removesuffix(" steps"),
            f"--card {row.card.hex()} --model '{offer.model_text}'",
            *([f"--tier {tier}"] if tier != "*" else []),
            *([f"--region {region}"] if region != "*" else []),
        ]
    )


def _tier(offer: Offer) -> str:
    return "" if offer.usage is None else offer.card.text(offer.usage.tier)


def _region(offer: Offer) -> str:
    return "" if offer.usage is None else offer.card.text(offer.usage.region)


def _offer_data(offer: Offer) -> dict[str, Any]:
    row = offer.card.row
    return {
        "provider": offer.provider,
        "owner": row.owner.hex(),
        "model": offer.model_text,
        "model_name": offer.model.hex(),
        "card": row.card.hex(),
        "unit": row.unit.hex(),
        "effective_from_ns": row.effective_from_ns,
        "tier": _tier(offer) or None,
        "region": _region(offer) or None,
        "amount": None if offer.amount is None else str(offer.amount),
        "why": offer.why,
    }


def _provider(opened: Session, text: str) -> str | PrincipalId:
    """A principal of the address book or an id; else a provider's name."""
    try:
        return opened.book.principal(text)
    except InvalidArgument:
        return text
