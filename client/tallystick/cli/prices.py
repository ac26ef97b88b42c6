"""`tallystick prices`: what an import did with a price book; what a usage costs. Offline."""

from typing import Annotated, TypeAlias

import typer

from tallystick.cli.amounts import format_amount
from tallystick.cli.output import Report, Table
from tallystick.cli.session import JsonOption
from tallystick.cli.usage import (
    BOOK_HELP,
    AnswerOption,
    FreeZerosOption,
    RepairOption,
    SameAsOption,
    UsageOption,
    open_source,
    parse_instant,
    read_used,
)
from tallystick.errors import InvalidArgument
from tallystick.prices import STANDARD, ImportPolicy

app = typer.Typer(no_args_is_help=True, help="Read public price books; price a usage. Offline.")

_BookArgument: TypeAlias = Annotated[str, typer.Argument(metavar="BOOK", help=BOOK_HELP)]


@app.command(name="import")
def import_command(
    source: _BookArgument,
    repair: RepairOption = False,
    free_zeros: FreeZerosOption = False,
    same_as_parents: SameAsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Import a book, and say what was refused, repaired, added and flagged."""
    report = open_source(source, ImportPolicy(repair, free_zeros, same_as_parents)).report
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
    usage: UsageOption = "",
    answer: AnswerOption = None,
    model: Annotated[str, typer.Option(help="Default: the one that the answer names.")] = "",
    repair: RepairOption = False,
    free_zeros: FreeZerosOption = False,
    same_as_parents: SameAsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Price a usage by a book."""
    at_ns = parse_instant(at)
    used, reading = read_used(usage, answer)
    served = model or (reading.model if reading is not None else "")
    if not served:
        raise InvalidArgument("The model is not known.", advice="Give --model.")
    book = open_source(source, ImportPolicy(repair, free_zeros, same_as_parents))
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
