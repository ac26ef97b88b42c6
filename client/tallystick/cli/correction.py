"""`tallystick refund`, `tallystick reprice` and `tallystick dispute open|accept|reject|list`."""

import time
from typing import Annotated

import typer

from tallystick.cli.ids import id_of
from tallystick.cli.output import Report, Table, age
from tallystick.cli.session import (
    AmountArgument,
    JsonOption,
    KeyOption,
    ProfileOption,
    ReferenceOption,
    UniqueOption,
    receipt_data,
    session,
)
from tallystick.cli.usage import USED_OPTION, read_served
from tallystick.errors import InvalidArgument
from tallystick.results import Receipt
from tallystick_ledger.ids import CardId, NameId
from tallystick_ledger.records import CorrectionReason
from tallystick_ledger.state_rows import DisputeRow, DisputeStatus

refund_app = typer.Typer(help="Give back a part of what a record paid.")
reprice_app = typer.Typer(help="Price again what a record cost, and give back the rest.")
dispute_app = typer.Typer(
    help="Ask for a part of what a record paid, and answer who asks.", no_args_is_help=True
)

_Cited = Annotated[
    int, typer.Argument(min=1, help="Sequence number of the record that paid.", metavar="SEQUENCE")
]
_Reason = Annotated[
    str, typer.Option(help=", ".join(reason.name.lower() for reason in CorrectionReason) + ".")
]


@refund_app.command()
def refund(
    cited: _Cited,
    amount: AmountArgument,
    reason: _Reason = "other",
    reference: ReferenceOption = 0,
    unique: UniqueOption = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give back a part of what a record paid. Signed by whoever it paid."""
    with session(profile, key, sends=True) as opened:
        steps = opened.amount_of_book(amount).steps
        receipt = opened.client.refund(
            cited, steps, _reason(reason), reference=reference, unique=unique
        )
    _report(receipt, cited, steps, f"Gave back {' '.join(amount)} of record {cited}").print(
        as_json=as_json
    )


@reprice_app.command()
def reprice(
    cited: _Cited,
    amount: AmountArgument,
    card: Annotated[str, typer.Option(help="Id of the own card that should have priced it.")],
    model: Annotated[str, typer.Option(help="Id of the model's name.")],
    used: Annotated[list[str], USED_OPTION],
    tier: Annotated[str, typer.Option(help="Id of the tier that was served.")] = "",
    region: Annotated[str, typer.Option(help="Id of the region that served.")] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a priced record cost AMOUNT, what its usage costs by CARD; the rest goes back.

    Signed by whoever it paid.
    """
    usage = read_served(used, tier, region)
    card_id, name = CardId(id_of("card", card)), NameId(id_of("model", model))
    with session(profile, key, sends=True) as opened:
        steps = opened.amount_of_book(amount).steps
        receipt = opened.client.reprice(cited, steps, card=card_id, model=name, usage=usage)
    did = f"Record {cited} costs {' '.join(amount)} now; the rest went back"
    _report(receipt, cited, steps, did).print(as_json=as_json)


@dispute_app.command("open")
def open_(
    cited: _Cited,
    amount: AmountArgument,
    reason: _Reason = "other",
    days: Annotated[float, typer.Option(min=0.001, help="How long it can be answered.")] = 7.0,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for a part of what a record paid. Signed by whoever paid; nothing moves yet."""
    with session(profile, key, sends=True) as opened:
        steps = opened.amount_of_book(amount).steps
        receipt = opened.client.dispute(
            cited, steps, _reason(reason), answer_within_s=days * 86_400
        )
    did = f"Asked for {' '.join(amount)} of record {cited} within {days:g} days"
    _report(receipt, cited, steps, did).print(as_json=as_json)


@dispute_app.command()
def accept(
    cited: _Cited,
    amount: AmountArgument,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give back what is disputed, or a part of it. Signed by whoever was paid."""
    with session(profile, key, sends=True) as opened:
        steps = opened.amount_of_book(amount).steps
        if steps == 0:
            raise InvalidArgument("Nothing is accepted.", advice="Use: tallystick dispute reject.")
        receipt = opened.client.answer_dispute(cited, steps)
    _report(receipt, cited, steps, f"Gave back {' '.join(amount)} of record {cited}").print(
        as_json=as_json
    )


@dispute_app.command()
def reject(
    cited: _Cited,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give nothing back. Signed by whoever was paid."""
    with session(profile, key, sends=True) as opened:
        receipt = opened.client.answer_dispute(cited, 0)
    _report(receipt, cited, 0, f"Rejected the dispute of record {cited}").print(as_json=as_json)


@dispute_app.command("list")
def list_disputes(
    every: Annotated[bool, typer.Option("--all", help="Answered and lapsed ones too.")] = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the open disputes of the key's principal, with age and deadline. For both sides."""
    with session(profile, key) as opened:
        now_ns = time.time_ns()
        rows = [row for row in opened.client.disputes() if every or row.is_open_at(now_ns)]
        payers = opened.client.get_accounts([row.payer_account for row in rows])
        table = []
        for row, payer in zip(rows, payers, strict=True):
            own = row.payee_account if payer is None else row.payer_account
            table.append(
                (
                    str(row.cited),
                    opened.book.account_name(row.payer_account),
                    opened.book.account_name(row.payee_account),
                    opened.written_for(row.disputed, own),
                    row.reason.name.lower(),
                    _state(row, now_ns),
                    age(now_ns - row.opened_at_ns),
                    age(row.deadline_ns - now_ns),
                )
            )
    data = [
        {
            "cited": row.cited,
            "payer": row.payer_account.hex(),
            "payee": row.payee_account.hex(),
            "amount": str(row.amount),
            "disputed": str(row.disputed),
            "accepted": str(row.accepted),
            "reason": row.reason.name,
            "status": _state(row, now_ns).upper(),
            "opened_at_ns": row.opened_at_ns,
            "deadline_ns": row.deadline_ns,
        }
        for row in rows
    ]
    open_ = sum(row.is_open_at(now_ns) for row in rows)
    columns = ("record>", "payer", "payee", "asked>", "reason", "status", "age>", "time left>")
    Report(
        {"disputes": data},
        f"{open_} open dispute{'' if open_ == 1 else 's'}.",
        table=Table(columns, table),
    ).print(as_json=as_json)


def _state(row: DisputeRow, now_ns: int) -> str:
    """A missed deadline is a rejection; the row does not say so by itself."""
    if row.status is DisputeStatus.OPEN and not row.is_open_at(now_ns):
        return "lapsed"
    return row.status.name.lower()


def _reason(text: str) -> CorrectionReason:
    try:
        return CorrectionReason[text.upper()]
    except KeyError:
        names = ", ".join(reason.name.lower() for reason in CorrectionReason)
        raise InvalidArgument(f"{text} is no reason.", advice=f"Use one of: {names}.") from None


def _report(receipt: Receipt, cited: int, steps: int, did: str) -> Report:
    return Report(
        {"cited": cited, "amount": str(steps), "receipt": receipt_data(receipt)},
        f"{did}; sequence number {receipt.sequence}.",
        [("envelope", receipt.envelope_id.hex())],
    )
