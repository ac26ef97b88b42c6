"""`tallystick netting join|close|settle|fail|show`: debts that are set off before they are paid."""

from typing import Annotated

import typer

from tallystick.cli.output import CommandFailed, Report, Table
from tallystick.cli.session import (
    AmountArgument,
    JsonOption,
    KeyOption,
    ProfileOption,
    Session,
    receipt_data,
    session,
)
from tallystick.errors import AccountRefused, FundsRefused
from tallystick.netting_state import NettingState, position_of
from tallystick.results import Receipt
from tallystick_ledger.ids import AccountId, UnitId
from tallystick_ledger.netting import Position
from tallystick_ledger.state_rows import MemberRow, WindowStatus

app = typer.Typer(no_args_is_help=True, help="Net debts in a deferred unit, and settle them.")

_Unit = Annotated[str, typer.Argument(help="A deferred unit: symbol or id.")]
_Account = Annotated[str, typer.Argument(help="Its account there: name or id.")]


@app.command()
def join(
    account: _Account,
    settlement: Annotated[str, typer.Argument(help="Own account that pays and is paid.")],
    maximum: AmountArgument,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take part in netting, or change how far the account may owe. Signed by its owner."""
    with session(profile, key, sends=True) as opened:
        member = opened.book.account(account)
        steps = opened.amount(maximum, member).steps
        receipt = opened.client.join_netting(member, opened.book.account(settlement), steps)
    Report(
        {"account": member.hex(), "maximum_debit": str(steps), "receipt": receipt_data(receipt)},
        f"{account} may owe up to {' '.join(maximum)}, and settles from {settlement}.",
    ).print(as_json=as_json)


@app.command()
def close(
    unit: _Unit,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cut the open window off; what comes later belongs to the next. Signed by the operator."""
    with session(profile, key, sends=True) as opened:
        unit_id = opened.book.unit(unit)
        receipt = opened.client.close_window(unit_id)
        state = _state(opened, unit_id)
        window = state.unit.open_window - 1
        net = opened.written(state.closed_moved, unit_id)
        gross = opened.written(state.closed_gross, unit_id)
    summary = f"Closed window {window}: {gross} are owed, settling them moves {net}."
    _did(receipt, window, summary, state).print(as_json=as_json)


@app.command()
def settle(
    unit: _Unit,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pay all net positions of the closed window, or nothing. Signed by the operator."""
    with session(profile, key, sends=True) as opened:
        unit_id = opened.book.unit(unit)
        state = _state(opened, unit_id)
        receipt = _settled_or_told(opened, unit, state)
        window = state.unit.open_window - 1
        net = opened.written(state.closed_moved, state.unit.settlement_unit)
    share = _ratio(state.closed_moved, state.closed_gross)
    summary = f"Settled window {window}: {net} moved, {share} of what was owed."
    _did(receipt, window, summary, state).print(as_json=as_json)


@app.command()
def fail(
    unit: _Unit,
    account: _Account,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on without a member that cannot settle; its debts roll over. Signed by the operator."""
    with session(profile, key, sends=True) as opened:
        unit_id = opened.book.unit(unit)
        receipt = opened.client.fail_member(unit_id, opened.book.account(account))
        state = _state(opened, unit_id)
        window = state.unit.open_window - 1
        net = opened.written(state.closed_moved, unit_id)
    summary = f"Window {window} goes on without {account}: settling it moves {net}."
    _did(receipt, window, summary, state).print(as_json=as_json)


@app.command()
def show(
    unit: _Unit,
    account: Annotated[str, typer.Option(help="Whose pairs to list: name or id.")] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show members, positions and windows: the operator and auditors all, members their own."""
    with session(profile, key) as opened:
        unit_id = opened.book.unit(unit)
        whose = opened.book.account(account) if account else None
        state = _state(opened, unit_id, whose)
        table = _pairs(opened, state) if account else _positions(opened, state)
        facts = [("settled in", opened.book.symbol(state.unit.settlement_unit) or "?")]
        facts += [
            (
                f"window {row.window}",
                _window(opened, unit_id, "settled", (row.gross, row.moved), "moved"),
            )
            for row in state.windows
            if row.status is WindowStatus.SETTLED
        ]
        if state.waiting:
            closed = (state.closed_gross, state.closed_moved)
            line = _window(opened, unit_id, "waits for settlement", closed, "to move")
            facts.append((f"window {state.waiting.window}", line))
        running = (state.open_gross, state.open_moved)
        line = _window(opened, unit_id, "open", running, "net")
        facts.append((f"window {state.unit.open_window}", line))
    Report(
        _data(state),
        f"{unit} has {len(state.members)} members that this key may see.",
        facts,
        table,
    ).print(as_json=as_json)


def _settled_or_told(opened: Session, unit: str, state: NettingState) -> Receipt:
    """Settles; who stands in the way is named."""
    try:
        return opened.client.settle_window(state.unit.unit, state)
    except (AccountRefused, FundsRefused) as error:
        name = opened.book.account_name(state.closed[error.detail].account)
        error.advice = (
            f"{name} stands in the way: its settlement account has to be put in order, or the "
            f"window goes on without it: tallystick netting fail {unit} {name}"
        )
        raise


def _window(opened: Session, unit: UnitId, status: str, figures: tuple[int, int], does: str) -> str:
    """A window in a line; `figures` are gross and net."""
    gross, net = figures
    owed, moved = opened.written(gross, unit), opened.written(net, unit)
    return f"{status}, gross {owed}, {does} {moved} ({_ratio(net, gross)})"


def _state(opened: Session, unit: UnitId, account: AccountId | None = None) -> NettingState:
    state = opened.client.get_netting(unit, account)
    if state is None:
        raise CommandFailed(f"There is no deferred unit {unit.hex()}.")
    return state


def _ratio(net: int, gross: int) -> str:
    """Percent with one decimal, of whole numbers alone."""
    if gross == 0:
        return "nothing owed"
    tenths = net * 1000 // gross
    return f"{tenths // 10}.{tenths % 10} %"


def _positions(opened: Session, state: NettingState) -> Table:
    unit = state.unit.unit

    def row(member: MemberRow) -> tuple[str, ...]:
        waiting = position_of(state.closed, member.account)
        running = position_of(state.open, member.account)
        return (
            opened.book.account_name(member.account),
            member.status.name.lower(),
            opened.written(member.maximum_debit, unit),
            opened.written(waiting.due - waiting.owes, unit),
            opened.written(running.due - running.owes, unit),
        )

    columns = ("member", "status", "may owe>", "to settle>", "open>")
    return Table(columns, [row(member) for member in state.members])


def _pairs(opened: Session, state: NettingState) -> Table:
    name = opened.book.account_name
    return Table(
        ("window>", "debtor", "creditor", "owes>"),
        [
            (
                str(row.window),
                name(row.debtor_account),
                name(row.creditor_account),
                opened.written(row.amount, row.unit),
            )
            for row in state.pairs
        ],
    )


def _did(receipt: Receipt, window: int, summary: str, state: NettingState) -> Report:
    data = {
        "window": window,
        "gross": str(state.closed_gross),
        "moved": str(state.closed_moved),
        "receipt": receipt_data(receipt),
    }
    return Report(data, summary)


def _data(state: NettingState) -> dict[str, object]:
    def position(row: Position) -> dict[str, str]:
        return {"account": row.account.hex(), "owes": str(row.owes), "due": str(row.due)}

    return {
        "unit": state.unit.unit.hex(),
        "settlement_unit": state.unit.settlement_unit.hex(),
        "open_window": state.unit.open_window,
        "members": [
            {
                "account": row.account.hex(),
                "settlement_account": row.settlement_account.hex(),
                "maximum_debit": str(row.maximum_debit),
                "status": row.status.name.lower(),
            }
            for row in state.members
        ],
        "windows": [
            {
                "window": row.window,
                "status": row.status.name.lower(),
                "closed_at_ns": str(row.closed_at_ns),
                "settled_at_ns": str(row.settled_at_ns),
                "gross": str(row.gross),
                "moved": str(row.moved),
            }
            for row in state.windows
        ],
        "closed": [position(row) for row in state.closed],
        "closed_gross": str(state.closed_gross),
        "closed_moved": str(state.closed_moved),
        "open": [position(row) for row in state.open],
        "open_gross": str(state.open_gross),
        "open_moved": str(state.open_moved),
        "pairs": [
            {
                "window": row.window,
                "debtor": row.debtor_account.hex(),
                "creditor": row.creditor_account.hex(),
                "amount": str(row.amount),
            }
            for row in state.pairs
        ],
    }
