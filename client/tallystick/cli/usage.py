"""What commands about prices share: price books, usages and answers of APIs, instants."""

import datetime as dt
import json
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from tallystick.cli.ids import id_of
from tallystick.draft import build
from tallystick.errors import InvalidArgument
from tallystick.prices import (
    Book,
    Bundled,
    ImportPolicy,
    Reading,
    Usage,
    bundled_book,
    open_book,
    parse_usage,
    read_usage,
)
from tallystick_ledger.ids import NO_ID, NameId
from tallystick_ledger.records import ServedUsage

BOOK_HELP: Final = "litellm, genai, or a file of either kind."
_MAX_ANSWER_BYTES: Final = 16 << 20  # an API's answer with images in it, and then some
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NS_PER_US: Final = 1_000

RepairOption: TypeAlias = Annotated[
    bool, typer.Option("--repair", help="Take the nearest price for inexact ones.")
]
FreeZerosOption: TypeAlias = Annotated[
    bool, typer.Option("--free-zeros", help="Take zeros for free, where nothing speaks against it.")
]
SameAsOption: TypeAlias = Annotated[
    bool, typer.Option("--same-as-parents", help="Bill what has no price as what it is part of.")
]
UsageOption: TypeAlias = Annotated[
    str, typer.Option(help="input=1200,cache_read=8000,output=80", metavar="USAGE")
]
AnswerOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="An API's JSON answer (OpenAI, Anthropic, Gemini, Bedrock, OpenTelemetry): what it "
        "says of usage, model and tier."
    ),
]

USED_OPTION: Final = typer.Option(
    help="How much of a meter, by its id, once for each.", metavar="METER=QUANTITY"
)


def read_served(used: list[str], tier: str, region: str) -> ServedUsage:
    """Reads what was served from names' ids, as the ledger is told.

    Raises:
        InvalidArgument: It cannot be read, or there is too much of it.
    """
    counted: dict[NameId, int] = {}
    for text in used:
        name, _, quantity = text.partition("=")
        meter = NameId(id_of("meter", name))
        if not (quantity.isascii() and quantity.isdigit()) or meter in counted:
            raise InvalidArgument(
                f"{text!r} is no usage.", advice="Write METER=QUANTITY, each meter once."
            )
        counted[meter] = int(quantity)
    lines = tuple(sorted(counted.items()))
    return build(ServedUsage, _name("tier", tier), _name("region", region), lines)


def _name(what: str, text: str) -> NameId:
    return NameId(id_of(what, text) if text else NO_ID)


def read_used(usage: str, answer: Path | None) -> tuple[Usage, Reading | None]:
    """Reads what was used, from text or from an answer, and all that the answer says.

    Raises:
        InvalidArgument: Neither or both are given, or it cannot be read.
        UsageRefused: Its usage cannot be read without guessing.
    """
    if bool(usage) == (answer is not None):
        raise InvalidArgument("A usage is needed, once.", advice="Give --usage or --answer.")
    if answer is None:
        return parse_usage(usage), None
    reading = read_answer(answer)
    return reading.usage, reading


def format_instant(at_ns: int) -> str:
    """Writes an instant for people, to the second."""
    moment = _EPOCH + dt.timedelta(microseconds=at_ns // _NS_PER_US)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def open_source(source: str, policy: ImportPolicy) -> Book:
    """Opens a price book by its name or file.

    Raises:
        BookUnreadable: There is no such file, or it is none.
    """
    names = {which.name.lower(): which for which in Bundled}
    if source in names:
        return bundled_book(names[source], policy)
    return open_book(Path(source), policy)


def read_answer(path: Path) -> Reading:
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


def parse_instant(text: str) -> int:
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
    return (instant - _EPOCH) // dt.timedelta(microseconds=1) * _NS_PER_US
