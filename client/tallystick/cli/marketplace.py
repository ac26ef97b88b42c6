"""`tallystick marketplace`: an internal marketplace out of its plan."""

from pathlib import Path
from typing import Annotated

import typer

from tallystick.cli.book import AccountEntry, UnitEntry
from tallystick.cli.output import Report
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, Session, session
from tallystick.marketplace import JOURNAL_SUFFIX, KEYS, PLAN_FILE, Journal, SetUp, read_plan

app = typer.Typer(no_args_is_help=True, help="Set an internal marketplace up out of its plan.")


@app.callback()
def _marketplace() -> None:
    """Set an internal marketplace up out of its plan."""


@app.command(name="set-up")
def set_up(
    plan: Annotated[
        Path | None, typer.Argument(help=f"Default: {PLAN_FILE} beside the profile.")
    ] = None,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register principals, keys, units, accounts, budgets and words of a plan.

    Signed by an operator. It may be run again: after a failure it goes on, and when the plan has
    grown it does the rest.
    """
    with session(profile, key, sends=True) as opened:
        path = plan or opened.directory / PLAN_FILE
        work = SetUp(
            opened.client,
            read_plan(path),
            Journal.load(path.with_name(f"{path.stem}{JOURNAL_SUFFIX}")),
            opened.directory / KEYS,
        )
        try:
            work.run()
        finally:
            _note(opened, work)
    Report(
        {
            "principals": {name: each.hex() for name, each in work.principals.items()},
            "units": {symbol: each.hex() for symbol, each in work.units.items()},
            "accounts": {name: each.hex() for name, (each, _) in work.accounts.items()},
            "made": work.made,
        },
        f"{len(work.principals)} principals, {len(work.units)} units, {len(work.accounts)} "
        f"accounts; {len(work.made)} steps done now. Keys are in {opened.directory / KEYS}.",
    ).print(as_json=as_json)


def _note(opened: Session, work: SetUp) -> None:
    """Puts into the address book what is there, also after a failure half way."""
    book = opened.book
    book.principals |= work.principals
    for symbol, unit in work.units.items():
        book.units[symbol] = UnitEntry(unit, work.plan.units[symbol])
    for name, (account, symbol) in work.accounts.items():
        book.accounts[name] = AccountEntry(account, symbol)
    book.save()
