"""`tallystick prices`: what an import did with a price book; what a usage costs. Offline."""

import datetime as dt
import json
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from tallystick.cli.amounts import format_amount
from tallystick.cli.output import Report, Table
from tallystick.cli.session import JsonOption
from tallystick.errors import InvalidArgument
from tallystick.prices import (
    STANDARD,
    Book,
    Bundled,
    ImportPolicy,
    Reading,
    bundled_book,
    open_book,
    parse_usage,
    read_usage,
)

app = typer.Typer(no_args_is_help=True, help="Read public price books; price a usage. Offline.")

_MAX_ANSWER_BYTES: Final = 16 << 20  # an API's answer with images in it, and then some
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

_BookArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="BOOK", help="litellm, genai, or a file of either kind.")
]
_Repair: TypeAlias = Annotated[
    bool, typer.Option("--repair", help="Take the nearest price for inexact ones.")
]
_FreeZeros: TypeAlias = Annotated[
    bool, typer.Option("--free-zeros", help="Take zeros for free, where nothing speaks against it.")
]
_SameAs: TypeAlias = Annotated[
    bool, typer.Option("--same-as-parents", help="Bill what has no price as what it is part of.")
]


@app.command(name="import")
def import_command(
    source: _BookArgument,
    repair: _Repair = False,
    free_zeros: _FreeZeros = False,
    same_as_parents: _SameAs = False,
    as_json: JsonOption = False,
) -> None:
    """Import a book, and say what was refused, repaired, added and flagged."""
    report = _open(source, ImportPolicy(repair, free_zeros, same_as_parents)).report
    rows = [
        (item.action.value, item.reason.name, item.entry, item.what, item.literal)
        for item in report.items
    ]
    Report(
        report.as_json(),
        report.summary(),
        [("sha256", report.source_sha256)],
        Table(("action", "reason", "entry", "what", "literal"), rows),
    ).print(as_json=as_json)


@app.command()
def charge(
    source: _BookArgument,
    provider: Annotated[str, typer.Argument(help="Whose prices, as the book names it.")],
    at: Annotated[
        str, typer.Option(help="When it was served: 2026-07-01T12:00:00Z, with its offset.")
    ],
    usage: Annotated[str, typer.Option(help="input=1200,cache_read=8000,output=80")] = "",
    answer: Annotated[
        Path | None, typer.Option(help="An API's JSON answer, for usage, model and tier.")
    ] = None,
    model: Annotated[str, typer.Option(help="Default: the one that the answer names.")] = "",
    repair: _Repair = False,
    free_zeros: _FreeZeros = False,
    same_as_parents: _SameAs = False,
    as_json: JsonOption = False,
) -> None:
    """Price a usage by a book."""
    if bool(usage) == (answer is not None):
        raise InvalidArgument("A usage is needed, once.", advice="Give --usage or --answer.")
    at_ns = _parse_instant(at)
    reading = _read_answer(answer) if answer is not None else None
    used = parse_usage(usage) if reading is None else reading.usage
    served = model or (reading.model if reading is not None else "")
    if not served:
        raise InvalidArgument("The model is not known.", advice="Give --model.")
    book = _open(source, ImportPolicy(repair, free_zeros, same_as_parents))
    tier = STANDARD if reading is None else reading.tier
    region = "" if reading is None else reading.region
    made = book.price(provider, served, used, at_ns, tier=tier, region=region)
    rows = [
        (part.meter.label, f"{part.count:,}", f"{part.priced_by.price:,}", part.priced_by.model)
        for part in made.parts
    ]
    Report(
        {"usage": str(used), "notes": list(reading.notes) if reading else [], **made.as_json()},
        f"{format_amount(made.amount_nano, made.unit, 9)} for {used}.",
        [("card", made.card.hex())],
        Table(("meter", "count>", "nano per million>", "model"), rows),
    ).print(as_json=as_json)


def _open(source: str, policy: ImportPolicy) -> Book:
    names = {which.name.lower(): which for which in Bundled}
    if source in names:
        return bundled_book(names[source], policy)
    return open_book(Path(source), policy)


def _read_answer(path: Path) -> Reading:
    """Reads the usage of an API's answer.

    Raises:
        InvalidArgument: There is no such file, or it is no JSON object.
        UsageRefused: Its usage cannot be read without guessing.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_ANSWER_BYTES + 1)
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > _MAX_ANSWER_BYTES:
        raise InvalidArgument(f"{path} has more than {_MAX_ANSWER_BYTES:,} bytes.")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"{path} is no JSON.") from error
    if not isinstance(body, dict):
        raise InvalidArgument(f"{path} is no JSON object.")
    return read_usage(body)


def _parse_instant(text: str) -> int:
    """Reads an instant with its offset as ns since the epoch.

    Raises:
        InvalidArgument: It is none, lacks an offset, or lies before 1970.
    """
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidArgument(f"{text!r} is no instant.", advice="2026-07-01T12:00:00Z") from error
    if instant.tzinfo is None or instant < _EPOCH:
        raise InvalidArgument(f"{text!r} has no offset, or lies before 1970.", advice="Add Z.")
    return (instant - _EPOCH) // dt.timedelta(microseconds=1) * 1_000
