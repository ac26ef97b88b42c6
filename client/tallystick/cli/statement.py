"""`tallystick statement`: opening, movements and closing of a period; do they add up?

With details also what was used: quantities by meter. They stand in the columns of amounts, what the
account pays for under `out`. What one meter alone costs the ledger does not say.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from tallystick.cli.output import CommandFailed, Report, Table
from tallystick.cli.period import (
    FAR_NS,
    AccountsOption,
    FromOption,
    PrincipalOption,
    RebuildOption,
    ToOption,
    accounts_of,
    nanoseconds,
    projection,
    texts_of,
)
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, Session, session
from tallystick.errors import InvalidArgument
from tallystick.statements.follow import Compared, compare
from tallystick.statements.statement import BREAKDOWNS, Flow, Statement

app = typer.Typer(help="Say what accounts did in a period.")

# Not worth a row where nothing has the key.
_SILENT_IF_NONE: Final = frozenset({"source", "end_state", "card", "grant", "model"})


@app.command()
def statement(
    account: AccountsOption = None,
    principal: PrincipalOption = "",
    start: FromOption = None,
    end: ToOption = None,
    rebuild: RebuildOption = False,
    details: Annotated[
        bool,
        typer.Option("--details", help="Also by source, end state, card, grant, model and meter."),
    ] = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print statements: opening, movements, closing. Exit code 1 if they do not add up.

    The balances up to now are compared with the ledger's own each time.
    """
    with session(profile, key) as opened:
        from_ns, to_ns = nanoseconds(start, 0), nanoseconds(end, FAR_NS)
        if from_ns >= to_ns:
            raise InvalidArgument("The period ends before it begins.")
        accounts = accounts_of(opened, account, principal)
        with projection(opened, accounts, rebuild=rebuild) as kept:
            compared = compare(opened.client, kept, accounts)
            made = [
                kept.statement(each, from_ns, to_ns, log_time_ns=compared.log_time_ns)
                for each in accounts
            ]
        _report(opened, made, compared, details=details).print(as_json=as_json)
        if not _is_right(made, compared):
            raise CommandFailed(
                "The statement does not add up.", advice="Make it again from the ledger: --rebuild."
            )


def _is_right(made: list[Statement], compared: Compared) -> bool:
    return all(each.adds_up for each in made) and not compared.differing


def _report(opened: Session, made: list[Statement], compared: Compared, *, details: bool) -> Report:
    data: dict[str, Any] = {
        "statements": [each.as_json() for each in made],
        "differing_from_ledger": [each.hex() for each in compared.differing],
        "is_right": _is_right(made, compared),
    }
    names = texts_of(opened, _names_in(made)) if details else {}
    rows = [row for each in made for row in _rows(opened, each, names, details=details)]
    count = sum(each.movements.count for each in made)
    state = "final" if all(each.is_final for each in made) else "so far"
    word = "add up" if data["is_right"] else "DO NOT ADD UP"
    return Report(
        data,
        f"{len(made)} account{'' if len(made) == 1 else 's'}, {count} movements, {state}: "
        f"they {word} to the last unit.",
        table=Table(("account", "by", "what", "count>", "in>", "out>", "on hold>"), rows),
    )


def _names_in(made: list[Statement]) -> set[bytes]:
    models = {bytes.fromhex(model) for each in made for model in each.flows["model"]}
    return models.union(*(name for each in made for name in each.usage))


def _rows(
    opened: Session, made: Statement, names: Mapping[bytes, str], *, details: bool
) -> list[tuple[str, ...]]:
    name = opened.book.account_name(made.account)

    def written(steps: int) -> str:
        return opened.written(steps, made.unit)

    def row(by: str, what: str, flow: Flow) -> tuple[str, ...]:
        change = flow.change
        money = (change.credits_posted, change.debits_posted, change.debits_pending)
        return (name, by, what, str(flow.count), *map(written, money))

    def ends(what: str, balance: int, held: int) -> tuple[str, ...]:
        return (name, "", what, "", written(balance), "", written(held))

    rows = [ends("opening balance", made.opening.balance, made.opening.debits_pending)]
    for by in BREAKDOWNS:
        flows = made.flows[by]
        if by in _SILENT_IF_NONE and not (details and any(flows)):
            continue
        for what, flow in flows.items():
            label = what or "none"
            if by == "counterparty" and what:
                label = opened.book.account_name(opened.book.account(what))
            if by == "model" and what:
                label = names[bytes.fromhex(what)]
            rows.append(row(by, label, flow))
    for (model, meter), used in made.usage.items() if details else ():
        label = f"{names[meter]} of {names[model]}" if model else names[meter]
        quantities = str(used.credit), str(used.debit)
        rows.append((name, "meter", label, str(used.count), *quantities, ""))
    rows.append(row("", "movements", made.movements))
    rows.append(ends("closing balance", made.closing.balance, made.closing.debits_pending))
    return rows
