"""`tallystick reserve`, `extend`, `capture` and `release`, and `hold list`."""

import time
from typing import Annotated

import typer

from tallystick.cli.output import CommandFailed, Report, Table
from tallystick.cli.session import (
    AmountArgument,
    JsonOption,
    KeyOption,
    ProfileOption,
    ReferenceOption,
    Session,
    UniqueOption,
    receipt_data,
    session,
)
from tallystick.errors import InvalidArgument
from tallystick_ledger.ids import HoldId
from tallystick_ledger.limits import ID_BYTES
from tallystick_ledger.state_rows import HoldRow

reserve_app = typer.Typer(help="Pin money for a payee.")
extend_app = typer.Typer(help="Pin more for a hold, or for longer.")
capture_app = typer.Typer(help="Bill a hold.")
release_app = typer.Typer(help="Free the rest of a hold.")
list_app = typer.Typer(no_args_is_help=True, help="List what is on hold.")

_NS_PER_S = 1_000_000_000

_Hold = Annotated[str, typer.Argument(help="The hold's id, as `tallystick reserve` printed it.")]


@reserve_app.command()
def reserve(
    payer: Annotated[str, typer.Argument(help="Whose money: own account, name or id.")],
    payee: Annotated[str, typer.Argument(help="Who may capture it: account name or id.")],
    amount: AmountArgument,
    seconds: Annotated[
        float, typer.Option(min=1, help="When the rest goes back by itself.")
    ] = 60.0,
    reference: ReferenceOption = 0,
    unique: UniqueOption = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pin up to AMOUNT of an own account for a payee."""
    with session(profile, key, sends=True) as opened:
        debit, credit = opened.book.account(payer), opened.book.account(payee)
        parsed = opened.amount(amount, debit)
        hold = opened.client.reserve(
            debit, credit, parsed.steps, expires_in_s=seconds, reference=reference, unique=unique
        )
        written = opened.written_for(parsed.steps, debit)
    Report(
        {
            "hold": hold.id.hex(),
            "payer": debit.hex(),
            "payee": credit.hex(),
            "maximum": str(parsed.steps),
            "expires_at_ns": hold.expires_at_ns,
            "receipt": receipt_data(hold.receipt),
        },
        f"{payee} may capture up to {written} of {payer} within {seconds:g} s.",
        [("hold", hold.id.hex())],
    ).print(as_json=as_json)


@extend_app.command()
def extend(
    hold: _Hold,
    amount: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to pin on top, as in 12.50 USD; nothing: only the time.", metavar="AMOUNT"
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="From now, until the rest goes back by itself.")
    ] = None,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pin AMOUNT more for a hold, put its expiry off, or both. Signed by the payer."""
    hold_id = _hold_id(hold)
    with session(profile, key, sends=True) as opened:
        row = _row(opened, hold_id)
        steps = opened.amount(amount, row.payer_account).steps if amount else 0
        receipt = opened.client.extend(hold_id, steps, expires_in_s=seconds)
        row = _row(opened, hold_id)
        written = opened.written_for(row.maximum, row.payer_account)
    Report(
        {
            "hold": hold,
            "maximum": str(row.maximum),
            "expires_at_ns": row.expires_at_ns,
            "receipt": receipt_data(receipt),
        },
        f"Up to {written} may be captured of {hold}.",
    ).print(as_json=as_json)


@capture_app.command()
def capture(
    hold: _Hold,
    amount: AmountArgument,
    final: Annotated[bool, typer.Option("--final", help="End the hold and free its rest.")] = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bill a hold: AMOUNT is the sum so far, earlier captures included. Signed by the payee."""
    hold_id = _hold_id(hold)
    with session(profile, key, sends=True) as opened:
        row = _row(opened, hold_id)
        parsed = opened.amount(amount, row.payee_account)
        receipt = opened.client.capture(hold_id, parsed.steps, final=final)
        written = opened.written_for(parsed.steps, row.payee_account)
        rest = opened.written_for(row.maximum - parsed.steps, row.payee_account)
    Report(
        {
            "hold": hold,
            "captured": str(parsed.steps),
            "final": final,
            "receipt": receipt_data(receipt),
        },
        f"Captured {written} so far; {rest} {'went back' if final else 'left'}.",
    ).print(as_json=as_json)


@release_app.command()
def release(
    hold: _Hold,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold: what was captured stays, the rest goes back. Signed by the payee."""
    hold_id = _hold_id(hold)
    with session(profile, key, sends=True) as opened:
        receipt = opened.client.release(hold_id)
    Report({"hold": hold, "receipt": receipt_data(receipt)}, f"Released {hold}.").print(
        as_json=as_json
    )


@list_app.callback()
def _holds() -> None:
    """List what is on hold."""


@list_app.command("list")
def list_holds(
    account: Annotated[str, typer.Argument(help="The payer's account, by name or id.")],
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the open holds that pin money of an account, the oldest first, with their age."""
    with session(profile, key) as opened:
        account_id = opened.book.account(account)
        try:
            rows = opened.client.open_holds(account_id)
        except LookupError as error:
            raise CommandFailed(f"{error}.", advice="Read with a key of its owner: -k.") from error
        now_ns = time.time_ns()
        table = [
            (
                row.hold.hex(),
                opened.book.account_name(row.payee_account),
                opened.written_for(row.rest, account_id),
                opened.written_for(row.captured, account_id),
                _seconds(now_ns - row.created_at_ns),
                _seconds(row.expires_at_ns - now_ns),
            )
            for row in rows
        ]
        rest = opened.written_for(sum(row.rest for row in rows), account_id)
    data = [
        {
            "hold": row.hold.hex(),
            "payer": row.payer_account.hex(),
            "payee": row.payee_account.hex(),
            "maximum": str(row.maximum),
            "captured": str(row.captured),
            "rest": str(row.rest),
            "created_at_ns": row.created_at_ns,
            "expires_at_ns": row.expires_at_ns,
            "age_s": (now_ns - row.created_at_ns) // _NS_PER_S,
            "expires_in_s": (row.expires_at_ns - now_ns) // _NS_PER_S,
        }
        for row in rows
    ]
    Report(
        {"holds": data},
        f"{len(rows)} open hold{'' if len(rows) == 1 else 's'} on {account}: {rest}.",
        table=Table(("hold", "payee", "rest>", "captured>", "age>", "expires in>"), table),
    ).print(as_json=as_json)


def _seconds(duration_ns: int) -> str:
    """A time for people; log time may be a little behind this machine's clock."""
    seconds = max(0, duration_ns) // _NS_PER_S
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def _hold_id(text: str) -> HoldId:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != ID_BYTES:
        raise InvalidArgument(f"{text!r} is no hold.", advice="Ids are 32 hexadecimal digits.")
    return HoldId(raw)


def _row(opened: Session, hold: HoldId) -> HoldRow:
    (row,) = opened.client.get_holds([hold])
    if row is None:
        raise CommandFailed(
            f"There is no hold {hold.hex()} that this key may see.",
            advice="Check the id and -k; ended holds are forgotten after a while.",
        )
    return row
