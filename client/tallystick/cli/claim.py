"""`tallystick claim list|pay|waive`: what holds with a debt limit left owing."""

import time
from typing import Annotated

import typer

from tallystick.cli.ids import id_of
from tallystick.cli.output import CommandFailed, Report, Table, age
from tallystick.cli.session import (
    JsonOption,
    KeyOption,
    ProfileOption,
    Session,
    receipt_data,
    session,
)
from tallystick_ledger.ids import ClaimId
from tallystick_ledger.state_rows import ClaimRow

app = typer.Typer(no_args_is_help=True, help="Pay what holds left owing, or waive it.")

_Claim = Annotated[str, typer.Argument(help="The claim's id: that of the hold that left it.")]


@app.command("list")
def list_claims(
    every: Annotated[bool, typer.Option("--all", help="Paid and waived ones too.")] = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what the key's principal owes and is owed, with its age. For both sides."""
    with session(profile, key) as opened:
        rows = [row for row in opened.client.claims() if every or row.is_open]
        now_ns = time.time_ns()
        table = [
            (
                row.claim.hex(),
                opened.book.account_name(row.payer_account),
                opened.book.account_name(row.payee_account),
                _written(opened, row, row.amount),
                _written(opened, row, row.rest),
                row.status.name.lower(),
                age(now_ns - row.opened_at_ns),
            )
            for row in rows
        ]
    data = [
        {
            "claim": row.claim.hex(),
            "payer": row.payer_account.hex(),
            "payee": row.payee_account.hex(),
            "amount": str(row.amount),
            "paid": str(row.paid),
            "waived": str(row.waived),
            "rest": str(row.rest),
            "status": row.status.name,
            "opened_at_ns": row.opened_at_ns,
            "ended_at_ns": row.ended_at_ns,
        }
        for row in rows
    ]
    open_ = sum(row.is_open for row in rows)
    Report(
        {"claims": data},
        f"{open_} open claim{'' if open_ == 1 else 's'}.",
        table=Table(("claim", "payer", "payee", "amount>", "rest>", "status", "age>"), table),
    ).print(as_json=as_json)


@app.command()
def pay(
    claim: _Claim,
    amount: Annotated[
        list[str] | None,
        typer.Argument(help="As in 12.50 USD; nothing: all that is left.", metavar="AMOUNT"),
    ] = None,
    account: Annotated[
        str | None, typer.Option("--from", help="Which own account pays; else the claim's.")
    ] = None,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pay a claim, or a part of it. Signed by the payer."""
    claim_id = _claim_id(claim)
    with session(profile, key, sends=True) as opened:
        row = _row(opened, claim_id)
        debit = row.payer_account if account is None else opened.book.account(account)
        steps = opened.amount(amount, debit).steps if amount else row.rest
        receipt = opened.client.pay_claim(claim_id, steps, debit)
        written = opened.written_for(steps, debit)
        rest = opened.written_for(row.rest - steps, debit)
    Report(
        {"claim": claim, "amount": str(steps), "receipt": receipt_data(receipt)},
        f"Paid {written}; {rest} left.",
    ).print(as_json=as_json)


@app.command()
def waive(
    claim: _Claim,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give up what is left of a claim. Signed by the payee."""
    with session(profile, key, sends=True) as opened:
        receipt = opened.client.waive_claim(_claim_id(claim))
    Report({"claim": claim, "receipt": receipt_data(receipt)}, f"Waived {claim}.").print(
        as_json=as_json
    )


def _written(opened: Session, row: ClaimRow, steps: int) -> str:
    """In the unit, as seen from the side that this key may read."""
    is_payers = opened.row_of(row.payer_account) is not None
    return opened.written_for(steps, row.payer_account if is_payers else row.payee_account)


def _claim_id(text: str) -> ClaimId:
    return ClaimId(id_of("claim", text))


def _row(opened: Session, claim: ClaimId) -> ClaimRow:
    for row in opened.client.claims():
        if row.claim == claim:
            return row
    raise CommandFailed(
        f"There is no claim {claim.hex()} that this key may see.",
        advice="Check the id and -k; paid ones are forgotten after a while.",
    )
