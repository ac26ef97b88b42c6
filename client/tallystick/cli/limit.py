"""`tallystick limit set|end|list`: what keys, accounts and principals may spend."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from tallystick.cli.ids import public_key
from tallystick.cli.output import Report, Table
from tallystick.cli.session import (
    AmountArgument,
    JsonOption,
    KeyOption,
    ProfileOption,
    Session,
    receipt_data,
    session,
)
from tallystick.errors import InvalidArgument
from tallystick.spending import UTC as UTC_ZONE
from tallystick.spending import LimitOf
from tallystick_ledger.ids import NO_ID, AccountId, ZoneId
from tallystick_ledger.limits import ID_BYTES
from tallystick_ledger.records import LimitTarget, LimitWindow
from tallystick_ledger.state_rows import LimitRow

app = typer.Typer(no_args_is_help=True, help="Bound what keys and accounts spend.")

_NS_PER_S = 1_000_000_000
_KeyOf = Annotated[str, typer.Option("--of-key", help="A SPEND key: 64 hexadecimal digits.")]
_Account = Annotated[str, typer.Option("--of-account", help="An account, by name or id.")]
_Principal = Annotated[str, typer.Option("--of-principal", help="A principal, by name or id.")]
_Payee = Annotated[
    str, typer.Option("--payee", help="With --of-account: what this account keeps on hold of it.")
]
_Window = Annotated[str, typer.Option(help="day, month or total.")]


@app.command("set")
def set_(
    amount: AmountArgument,
    of_key: _KeyOf = "",
    of_account: _Account = "",
    of_principal: _Principal = "",
    payee: _Payee = "",
    window: _Window = "day",
    zone: Annotated[str, typer.Option(help="Whose days and months.")] = UTC_ZONE,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a limit, or change one. Signed by an OWNER key; a SPEND key may narrow its own."""
    with session(profile, key, sends=True) as opened:
        of = _limit_of(opened, of_key, of_account, of_principal, payee)
        parsed = opened.amount_of_book(amount)
        unit = opened.book.unit(parsed.symbol)
        receipt = opened.client.set_limit(of, unit, parsed.steps, _window(of, window), zone=zone)
    Report(
        {"amount": str(parsed.steps), "receipt": receipt_data(receipt)},
        f"Bound to {' '.join(amount)} ({_window(of, window).name.lower()}).",
    ).print(as_json=as_json)


@app.command()
def end(
    unit: Annotated[str, typer.Argument(help="The unit, by symbol or id.")],
    of_key: _KeyOf = "",
    of_account: _Account = "",
    of_principal: _Principal = "",
    payee: _Payee = "",
    window: _Window = "day",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a limit away. Signed by an OWNER key."""
    with session(profile, key, sends=True) as opened:
        of = _limit_of(opened, of_key, of_account, of_principal, payee)
        receipt = opened.client.end_limit(of, opened.book.unit(unit), _window(of, window))
    Report({"receipt": receipt_data(receipt)}, "No such limit any more.").print(as_json=as_json)


@app.command("list")
def list_limits(
    principal: Annotated[str, typer.Option(help="Whose, by name or id; default: the key's.")] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the limits of a principal, its keys and accounts, and what they have counted."""
    now_ns = time.time_ns()
    with session(profile, key) as opened:
        whose = opened.book.principal(principal) if principal else None
        rows = opened.client.limits(whose)
        table = [
            (
                _subject(opened, row),
                row.window.name.lower(),
                opened.written(row.amount, row.unit),
                opened.written(row.used_at(now_ns), row.unit),
                _end(row, now_ns),
            )
            for row in rows
        ]
    data = [
        {
            "target": row.target.name,
            "window": row.window.name,
            "subject": row.subject.hex(),
            "unit": row.unit.hex(),
            "zone": None if row.zone == ZoneId(NO_ID) else row.zone.hex(),
            "amount": str(row.amount),
            "used": str(row.used_at(now_ns)),
            "ends_at_ns": row.ends_at_ns or None,
        }
        for row in rows
    ]
    Report(
        {"limits": data},
        f"{len(rows)} limit{'' if len(rows) == 1 else 's'}.",
        table=Table(("of", "window", "limit>", "used>", "resets"), table),
    ).print(as_json=as_json)


def _limit_of(
    opened: Session, of_key: str, of_account: str, of_principal: str, payee: str
) -> LimitOf:
    given = [text for text in (of_key, of_account, of_principal) if text]
    if len(given) != 1 or (payee and not of_account):
        raise InvalidArgument(
            "Say whose limit it is, and only one.",
            advice="One of --of-key, --of-account (perhaps with --payee) and --of-principal.",
        )
    if of_key:
        return LimitOf.key(public_key(of_key))
    if of_principal:
        return LimitOf.principal(opened.book.principal(of_principal))
    account = opened.book.account(of_account)
    return LimitOf.payee(account, opened.book.account(payee)) if payee else LimitOf.account(account)


def _window(of: LimitOf, window: str) -> LimitWindow:
    if of.target is LimitTarget.PAYEE:
        return LimitWindow.HELD
    known = {each.name.lower(): each for each in LimitWindow if each is not LimitWindow.HELD}
    if window not in known:
        raise InvalidArgument(f"{window!r} is none of {', '.join(known)}.")
    return known[window]


def _subject(opened: Session, row: LimitRow) -> str:
    first, second = row.subject[:ID_BYTES], row.subject[ID_BYTES:]
    name = opened.book.account_name
    match row.target:
        case LimitTarget.KEY:
            return f"key {row.subject.hex()}"
        case LimitTarget.PRINCIPAL:
            return f"principal {first.hex()}"
        case LimitTarget.ACCOUNT:
            return f"account {name(AccountId(first))}"
    return f"held by {name(AccountId(second))} of {name(AccountId(first))}"


def _end(row: LimitRow, now_ns: int) -> str:
    if not row.ends_at_ns:
        return "-"
    if row.is_over_at(now_ns):
        return "at the next spending"
    return datetime.fromtimestamp(row.ends_at_ns // _NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
