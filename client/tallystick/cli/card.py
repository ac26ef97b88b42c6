"""`tallystick card`: publish rate cards out of price books, and read those of all providers."""

import time
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from tallystick.cards import DEFAULT_NOTICE_S, LINES_PER_ENVELOPE
from tallystick.cli.ids import id_of
from tallystick.cli.output import CommandFailed, Report, Table
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, Session, session
from tallystick.cli.usage import (
    BOOK_HELP,
    FreeZerosOption,
    RepairOption,
    SameAsOption,
    format_instant,
    open_source,
)
from tallystick.errors import InvalidArgument
from tallystick.market import ListedCard
from tallystick.prices import ANY, Card, ImportPolicy
from tallystick.prices.ledger import LedgerCard, ledger_card, names_of, names_wanted, parts_of
from tallystick.prices.windows import ALWAYS, Window
from tallystick_ledger.ids import NO_ID, CardId, UnitId
from tallystick_ledger.records import Flags, NameKind
from tallystick_ledger.state_rows import CardRow, PriceLineRow

app = typer.Typer(no_args_is_help=True, help="Publish and read rate cards.")


@dataclass(frozen=True, slots=True)
class _Made:
    """One of the cards that a command published, or found."""

    card: CardId
    models: list[str]
    lines: int
    effective_from_ns: int
    is_new: bool


@app.command()
def publish(
    source: Annotated[str, typer.Option("--from", metavar="BOOK", help=BOOK_HELP)],
    provider: Annotated[str, typer.Option(help="Whose prices, as the book names it.")],
    model: Annotated[
        list[str] | None, typer.Option(help="Only this model; repeatable. Default: all.")
    ] = None,
    unit: Annotated[str, typer.Option(help="What to price in: symbol or id.")] = "USD",
    called: Annotated[
        str, typer.Option("--as", help="Your name as a provider. Default: the book's.")
    ] = "",
    names_from: Annotated[
        list[str] | None,
        typer.Option(help="Whose models, meters, tiers and regions to use; repeatable."),
    ] = None,
    supersedes: Annotated[str, typer.Option(help="An own card that ends when this begins.")] = "",
    seconds: Annotated[
        float, typer.Option("--in", min=0, help="From when on, in seconds from now; 60 or more.")
    ] = DEFAULT_NOTICE_S,
    repair: RepairOption = False,
    free_zeros: FreeZerosOption = False,
    same_as_parents: SameAsOption = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a provider's prices out of a price book. Signed by OWNER, or PRICE.

    Names that are missing are registered, which takes an OWNER key. Prices that do not fit into one
    card make several. What is published already stays as it is, so the command may be repeated.
    """
    book = open_source(source, ImportPolicy(repair, free_zeros, same_as_parents))
    card = book.card(provider, time.time_ns())
    models = _models_of(card, model)
    parts = parts_of(card, models, LINES_PER_ENVELOPE)
    if supersedes and len(parts) > 1:
        raise InvalidArgument(
            f"These prices make {len(parts)} cards, and one card is superseded by one.",
            advice="Choose models, or supersede nothing.",
        )
    with session(profile, key, sends=True) as opened:
        unit_id, exponent = _unit(opened, unit)
        wanted = names_wanted(card, models)
        found = opened.client.ensure_names(
            [*wanted, (NameKind.PROVIDER, called or provider)],
            of=[opened.book.principal(each) for each in names_from or ()],
        )
        names = names_of(found)
        translated = [ledger_card(card, names, exponent=exponent, models=part) for part in parts]
        old = CardId(id_of("card", supersedes)) if supersedes else CardId(NO_ID)
        made = [
            _publish(opened, unit_id, each, part, seconds, old)
            for each, part in zip(translated, parts, strict=True)
        ]
    left_out = sum(line.model == ANY for line in card.lines) if model is None else 0
    _report_published(made, called or provider, left_out).print(as_json=as_json)


def _publish(
    opened: Session,
    unit: UnitId,
    card: LedgerCard,
    models: list[str],
    seconds: float,
    supersedes: CardId,
) -> _Made:
    there = opened.client.find_card(unit, card.lines, length_meters=card.length_meters)
    if there is not None:
        count = len(card.lines)
        return _Made(there.card, models, count, there.effective_from_ns, is_new=False)
    created = opened.client.publish_card(
        unit,
        card.lines,
        length_meters=card.length_meters,
        effective_in_s=seconds,
        supersedes=supersedes,
    )
    (row,) = opened.client.get_cards([created.id])
    begins_ns = 0 if row is None else row.effective_from_ns
    return _Made(created.id, models, len(card.lines), begins_ns, is_new=True)


def _report_published(made: list[_Made], provider: str, left_out: int) -> Report:
    new = sum(each.is_new for each in made)
    lines = sum(each.lines for each in made)
    begins = max(each.effective_from_ns for each in made)
    summary = f"{lines:,} lines of {provider} on {len(made)} card{'s' * (len(made) > 1)}"
    facts = [("card", each.card.hex()) for each in made]
    if left_out:
        facts.append(("left out", f"{left_out} lines for any model, which no ledger's card has"))
    return Report(
        {
            "provider": provider,
            "cards": [
                {
                    "card": each.card.hex(),
                    "models": each.models,
                    "lines": each.lines,
                    "effective_from_ns": each.effective_from_ns,
                    "new": each.is_new,
                }
                for each in made
            ],
            "left_out": left_out,
        },
        f"{summary}, {new} of them new; in force from {format_instant(begins)}.",
        facts,
    )


@app.command(name="list")
def list_cards(
    owner: Annotated[str, typer.Option(help="Only of this principal: name or id.")] = "",
    every: Annotated[
        bool, typer.Option("--all", help="Superseded cards and own drafts, too.")
    ] = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rate cards of all providers."""
    with session(profile, key) as opened:
        whose = opened.book.principal(owner) if owner else None
        rows = opened.client.cards(owner=whose)
        now_ns = time.time_ns()
        shown = [row for row in rows if every or _state(row, now_ns) in {"in force", "later"}]
        names = opened.client.names(NameKind.PROVIDER)
        providers = {each.owner: each.text for each in reversed(names)}  # the first one's
        table = [
            (
                row.card.hex(),
                providers.get(row.owner, row.owner.hex()),
                opened.book.symbol(row.unit) or row.unit.hex(),
                str(row.line_count),
                _state(row, now_ns),
                format_instant(row.effective_from_ns),
            )
            for row in shown
        ]
    Report(
        {
            "cards": [
                {**_card_data(row, now_ns), "provider": providers.get(row.owner, "")}
                for row in shown
            ]
        },
        f"{len(shown)} card{'' if len(shown) == 1 else 's'}.",
        table=Table(("card", "provider", "unit", "lines>", "state", "from"), table),
    ).print(as_json=as_json)


@app.command()
def show(
    card: Annotated[str, typer.Argument(help="The card's id.")],
    model: Annotated[str, typer.Option(help="Only the lines of this model.")] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a rate card with its lines; prices are per million."""
    with session(profile, key) as opened:
        listed = read_card(opened, card)
        lines = [line for line in listed.lines if model in ("", listed.text(line.model))]
        table = [line_cells(opened, listed, line) for line in lines]
    now_ns = time.time_ns()
    Report(
        {
            **_card_data(listed.row, now_ns),
            "provider": listed.provider,
            "prices": [line_data(listed, line) for line in lines],
        },
        f"{len(lines)} of {listed.row.line_count} lines of {listed.provider}, "
        f"{_state(listed.row, now_ns)}.",
        [
            ("card", listed.row.card.hex()),
            ("owner", listed.row.owner.hex()),
            ("from", format_instant(listed.row.effective_from_ns)),
        ],
        Table(LINE_COLUMNS, table),
    ).print(as_json=as_json)


LINE_COLUMNS: Final = ("model", "meter", "tier", "region", "above>", "window", "per million>")


def read_card(opened: Session, card: str) -> ListedCard:
    """Reads a card that an argument names.

    Raises:
        CommandFailed: There is none that this key may see.
    """
    listed = opened.client.card(CardId(id_of("card", card)))
    if listed is None:
        raise CommandFailed(
            f"There is no card {card} that this key may see.",
            advice="`tallystick card list` has the published ones.",
        )
    return listed


def line_cells(opened: Session, card: ListedCard, line: PriceLineRow) -> tuple[str, ...]:
    """A price line for people."""
    window = Window(line.window.start_minute, line.window.end_minute, line.window.weekdays)
    if line.flags & Flags.SAME_AS:
        price = f"as {card.text(line.same_as)}"
    elif line.flags & Flags.FREE:
        price = "free"
    else:
        price = opened.written(line.price, card.row.unit)
    return (
        card.text(line.model),
        card.text(line.meter),
        card.text(line.tier),
        card.text(line.region),
        str(line.above or ""),
        "" if window == ALWAYS else str(window),
        price,
    )


def line_data(card: ListedCard, line: PriceLineRow) -> dict[str, Any]:
    """A price line for programs."""
    window = line.window
    return {
        "model": card.text(line.model),
        "meter": card.text(line.meter),
        "tier": card.text(line.tier),
        "region": card.text(line.region),
        "above": str(line.above),
        "window": [window.start_minute, window.end_minute, window.weekdays],
        "price": str(line.price),
        "free": bool(line.flags & Flags.FREE),
        "same_as": card.text(line.same_as) if line.flags & Flags.SAME_AS else None,
    }


def _card_data(row: CardRow, now_ns: int) -> dict[str, Any]:
    return {
        "card": row.card.hex(),
        "owner": row.owner.hex(),
        "unit": row.unit.hex(),
        "lines": row.line_count,
        "state": _state(row, now_ns),
        "effective_from_ns": row.effective_from_ns,
        "superseded_from_ns": row.superseded_from_ns,
        "supersedes": row.supersedes.hex(),
        "lines_root": row.lines_root.hex(),
    }


def _state(row: CardRow, now_ns: int) -> str:
    if not row.is_published:
        return "draft"
    if row.superseded_from_ns and row.superseded_from_ns <= now_ns:
        return "superseded"
    return "in force" if row.effective_from_ns <= now_ns else "later"


def _models_of(card: Card, wanted: list[str] | None) -> list[str]:
    if wanted is None:
        return sorted(card.models)
    missing = [each for each in wanted if each not in card.models]
    if missing:
        raise InvalidArgument(
            f"The book has no prices of {card.provider} for {', '.join(missing)}.",
            advice="Models are called as the book calls them.",
        )
    return sorted(set(wanted))


def _unit(opened: Session, text: str) -> tuple[UnitId, int]:
    entry = opened.book.units.get(text)
    if entry is None:
        raise InvalidArgument(
            f"How many decimals {text} has is not known.",
            advice="Note it with `tallystick unit add`.",
        )
    return entry.id, entry.exponent
