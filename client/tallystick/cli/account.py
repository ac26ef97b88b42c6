"""`tallystick account`: accounts and what is on them."""

from typing import Annotated, Any

import typer

from tallystick.cli.book import AccountEntry, require_name
from tallystick.cli.output import CommandFailed, Report, Table
from tallystick.cli.session import (
    JsonOption,
    KeyOption,
    ProfileOption,
    Session,
    receipt_data,
    session,
)
from tallystick.errors import InvalidArgument
from tallystick.results import Receipt
from tallystick_ledger.ids import AccountId
from tallystick_ledger.state_rows import AccountFlags, AccountRow

app = typer.Typer(no_args_is_help=True, help="Open, read, freeze and close accounts.")

_Account = Annotated[str, typer.Argument(help="Name in the address book, or id.")]
_Name = Annotated[str, typer.Option(help="A name for the address book.")]


@app.command("open")
def open_account(
    unit: Annotated[str, typer.Option(help="What it holds: symbol or id.")],
    name: _Name,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open an account of the signer's principal."""
    require_name(name)
    with session(profile, key, sends=True) as opened:
        if name in opened.book.accounts:
            raise InvalidArgument(f"There is an account {name} in the address book already.")
        unit_id = opened.book.unit(unit)
        created = opened.client.open_account(unit_id)
        opened.book.accounts[name] = AccountEntry(created.id, opened.book.symbol(unit_id))
        opened.book.save()
    Report(
        {
            "name": name,
            "account": created.hex,
            "unit": unit_id.hex(),
            "receipt": receipt_data(created.receipt),
        },
        f"Opened {name}.",
        [("account", created.hex)],
    ).print(as_json=as_json)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name for the address book.")],
    account: Annotated[str, typer.Argument(help="Its id.")],
    unit: Annotated[
        str, typer.Option(help="What it holds, by symbol. Default: as the ledger says, if it does.")
    ] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note somebody else's account in the address book. Only its owner can look it up."""
    require_name(name)
    with session(profile, key) as opened:
        account_id = opened.book.account(account)
        unit_id = opened.book.unit(unit) if unit else None
        row = opened.row_of(account_id)
        if row is not None and unit_id not in (None, row.unit):
            raise InvalidArgument(f"The account {account} does not hold {unit}.")
        unit_id = unit_id if row is None else row.unit
        symbol = "" if unit_id is None else opened.book.symbol(unit_id)
        opened.book.accounts[name] = AccountEntry(account_id, symbol)
        opened.book.save()
    Report({"name": name, "account": account_id.hex()}, f"Noted {name}.").print(as_json=as_json)


@app.command()
def show(
    account: _Account,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an account's four columns and what it can spend. For its owner's keys, and auditors."""
    with session(profile, key) as opened:
        row = _row(opened, opened.book.account(account))
        unit = row.unit
        columns = [
            ("available", row.available),
            ("balance", row.balance),
            ("credit limit", row.credit_limit),
            ("credits posted", row.credits_posted),
            ("debits posted", row.debits_posted),
            ("credits pending", row.credits_pending),
            ("debits pending", row.debits_pending),
        ]
        Report(
            _data(opened, row),
            f"{account} can spend {opened.written(row.available, unit)}.",
            [
                ("account", row.account.hex()),
                ("owner", row.owner.hex()),
                ("unit", opened.book.symbol(unit) or unit.hex()),
                ("state", _state(row.flags)),
                *((label, opened.written(steps, unit)) for label, steps in columns),
            ],
        ).print(as_json=as_json)


@app.command(name="list")
def list_accounts(
    profile: ProfileOption = None, key: KeyOption = None, as_json: JsonOption = False
) -> None:
    """List those of the address book's accounts that the key may see, with what is on them."""
    with session(profile, key) as opened:
        names = list(opened.book.accounts)
        ids = [opened.book.accounts[name].id for name in names]
        rows = opened.client.get_accounts(ids)
        found = [(name, row) for name, row in zip(names, rows, strict=True) if row is not None]
        table = [
            (
                name,
                opened.written(row.available, row.unit),
                opened.written(row.debits_pending, row.unit),
                _state(row.flags),
                row.account.hex(),
            )
            for name, row in found
        ]
        data = [{"name": name} | _data(opened, row) for name, row in found]
    missing = len(names) - len(found)
    note = f"; {missing} are not there, or not for this key to see" if missing else ""
    Report(
        {"accounts": data},
        f"{len(found)} accounts{note}.",
        table=Table(("name", "available>", "on hold>", "state", "account"), table),
    ).print(as_json=as_json)


@app.command()
def freeze(
    account: _Account,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop an own account from paying and being paid."""
    with session(profile, key, sends=True) as opened:
        receipt = opened.client.freeze_account(opened.book.account(account))
    _changed(account, "Froze", receipt).print(as_json=as_json)


@app.command()
def unfreeze(
    account: _Account,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an own frozen account pay and be paid again."""
    with session(profile, key, sends=True) as opened:
        receipt = opened.client.unfreeze_account(opened.book.account(account))
    _changed(account, "Unfroze", receipt).print(as_json=as_json)


@app.command()
def close(
    account: _Account,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close an own empty account, for good."""
    with session(profile, key, sends=True) as opened:
        receipt = opened.client.close_account(opened.book.account(account))
    _changed(account, "Closed", receipt).print(as_json=as_json)


def _changed(account: str, did: str, receipt: Receipt) -> Report:
    return Report({"account": account, "receipt": receipt_data(receipt)}, f"{did} {account}.")


def _row(opened: Session, account: AccountId) -> AccountRow:
    row = opened.client.get_account(account)
    if row is None:
        raise CommandFailed(
            f"There is no account {account.hex()} that this key may see.",
            advice="Check the id, and read with a key of its owner: -k NAME.",
        )
    return row


def _state(flags: AccountFlags) -> str:
    names = [flag.name.lower() for flag in AccountFlags if flag in flags and flag.name]
    return ", ".join(names) or "open"


def _data(opened: Session, row: AccountRow) -> dict[str, Any]:
    return {
        "account": row.account.hex(),
        "owner": row.owner.hex(),
        "unit": row.unit.hex(),
        "symbol": opened.book.symbol(row.unit) or None,
        "flags": [flag.name for flag in AccountFlags if flag in row.flags],
        "available": str(row.available),
        "balance": str(row.balance),
        "credit_limit": str(row.credit_limit),
        "debits_pending": str(row.debits_pending),
        "debits_posted": str(row.debits_posted),
        "credits_pending": str(row.credits_pending),
        "credits_posted": str(row.credits_posted),
    }
