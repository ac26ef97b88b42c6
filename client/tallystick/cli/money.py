"""`tallystick issue`, `burn`, `credit` and `transfer`."""

from typing import Annotated

import typer

from tallystick.cli.output import Report
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
from tallystick.results import Receipt
from tallystick_ledger.ids import AccountId, UnitId

issue_app = typer.Typer(help="Make new money of a unit.")
burn_app = typer.Typer(help="Take money of an own unit out of the world.")
credit_app = typer.Typer(help="Say how far an account may go below zero.")
transfer_app = typer.Typer(help="Pay from one account to another.")

_Unit = Annotated[str, typer.Option(help="Its symbol or id, if the amount does not name it.")]


@issue_app.command()
def issue(
    to: Annotated[str, typer.Argument(help="Who gets it: account name or id.")],
    amount: AmountArgument,
    unit: _Unit = "",
    reference: ReferenceOption = 0,
    unique: UniqueOption = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make new money of a unit. Signed by its issuer."""
    with session(profile, key, sends=True) as opened:
        account = opened.book.account(to)
        parsed = opened.amount(amount, account)
        unit_id = _unit(opened, parsed.symbol or unit, account)
        receipt = opened.client.issue(
            unit_id, account, parsed.steps, reference=reference, unique=unique
        )
        written = opened.written(parsed.steps, unit_id)
    _report(receipt, parsed.steps, f"Issued {written} to {to}", to=account).print(as_json=as_json)


@burn_app.command()
def burn(
    account: Annotated[str, typer.Argument(help="Own account that it is taken from, name or id.")],
    amount: AmountArgument,
    reference: ReferenceOption = 0,
    unique: UniqueOption = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take money of an own unit out of the world, from an own account."""
    with session(profile, key, sends=True) as opened:
        debit = opened.book.account(account)
        parsed = opened.amount(amount, debit)
        unit_id = _unit(opened, parsed.symbol, debit)
        receipt = opened.client.burn(
            unit_id, debit, parsed.steps, reference=reference, unique=unique
        )
        written = opened.written(parsed.steps, unit_id)
    _report(receipt, parsed.steps, f"Burned {written} of {account}", debit=debit).print(
        as_json=as_json
    )


@credit_app.command()
def credit(
    account: Annotated[str, typer.Argument(help="Anybody's account of the unit, name or id.")],
    limit: AmountArgument,
    unit: _Unit = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how far an account may go below zero; 0 for not at all. Signed by the unit's issuer."""
    with session(profile, key, sends=True) as opened:
        account_id = opened.book.account(account)
        parsed = opened.amount(limit, account_id)
        unit_id = _unit(opened, parsed.symbol or unit, account_id)
        receipt = opened.client.set_credit_limit(unit_id, account_id, parsed.steps)
        written = opened.written(parsed.steps, unit_id)
    did = f"{account} may go {written} below zero"
    _report(receipt, parsed.steps, did, account=account_id).print(as_json=as_json)


@transfer_app.command()
def transfer(
    payer: Annotated[str, typer.Argument(help="Who pays: own account, name or id.")],
    payee: Annotated[str, typer.Argument(help="Who gets it: account name or id.")],
    amount: AmountArgument,
    reference: ReferenceOption = 0,
    unique: UniqueOption = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pay from an own account to another of the same unit."""
    with session(profile, key, sends=True) as opened:
        debit, credit = opened.book.account(payer), opened.book.account(payee)
        parsed = opened.amount(amount, debit)
        receipt = opened.client.transfer(
            debit, credit, parsed.steps, reference=reference, unique=unique
        )
        written = opened.written_for(parsed.steps, debit)
    _report(
        receipt, parsed.steps, f"Paid {written} from {payer} to {payee}", debit=debit, credit=credit
    ).print(as_json=as_json)


def _unit(opened: Session, text: str, account: AccountId) -> UnitId:
    if text:
        return opened.book.unit(text)
    unit = opened.unit_of(account)
    if unit is None:
        raise InvalidArgument(
            f"What the account {account.hex()} holds is not for this key to see.",
            advice="Name the unit: 12.50 USD, or --unit USD.",
        )
    return unit


def _report(receipt: Receipt, steps: int, did: str, **accounts: AccountId) -> Report:
    return Report(
        {name: account.hex() for name, account in accounts.items()}
        | {"amount": str(steps), "receipt": receipt_data(receipt)},
        f"{did}; sequence number {receipt.sequence}.",
        [("envelope", receipt.envelope_id.hex())],
    )
