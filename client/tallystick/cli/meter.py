"""`tallystick meter`, and `tallystick mandate give|end|list`."""

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
    Session,
    UniqueOption,
    receipt_data,
    session,
)
from tallystick.cli.usage import USED_OPTION, read_served
from tallystick.errors import InvalidArgument
from tallystick.quotes import Quote
from tallystick_ledger.ids import NO_ID, CardId, MandateId, NameId
from tallystick_ledger.state_rows import MandateRow

app = typer.Typer(help="Price a usage by a card and pay for it.")
mandate_app = typer.Typer(
    help="Let a payee meter against an account, up to caps.", no_args_is_help=True
)

_S_PER_DAY = 86_400


@app.command()
def meter(
    payer: Annotated[str, typer.Argument(help="Who pays: own account, name or id.")],
    payee: Annotated[str, typer.Argument(help="The provider's account, name or id.")],
    amount: AmountArgument,
    model: Annotated[str, typer.Option(help="Id of the model's name.")],
    used: Annotated[list[str], USED_OPTION],
    card: Annotated[str, typer.Option(help="Id of the provider's published card.")] = "",
    quote: Annotated[str, typer.Option(help="Instead of a card: a quote, as it was given.")] = "",
    tier: Annotated[str, typer.Option(help="Id of the tier that was served.")] = "",
    region: Annotated[str, typer.Option(help="Id of the region that served.")] = "",
    mandate: Annotated[str, typer.Option(help="Id of the mandate by which the payee signs.")] = "",
    reference: ReferenceOption = 0,
    unique: UniqueOption = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pay AMOUNT for a usage: exactly what it costs by the card, which the ledger checks."""
    usage = read_served(used, tier, region)
    if bool(card) == bool(quote):
        raise InvalidArgument("One thing prices it.", advice="Give --card or --quote.")
    priced = Quote.from_hex(quote) if quote else CardId(id_of("card", card))
    with session(profile, key, sends=True) as opened:
        debit, credit = opened.book.account(payer), opened.book.account(payee)
        parsed = opened.amount(amount, debit)
        receipt = opened.client.meter(
            debit,
            credit,
            parsed.steps,
            card=CardId(NO_ID) if isinstance(priced, Quote) else priced,
            quote=priced if isinstance(priced, Quote) else None,
            model=NameId(id_of("model", model)),
            usage=usage,
            mandate=MandateId(id_of("mandate", mandate) if mandate else NO_ID),
            reference=reference,
            unique=unique,
        )
        written = opened.written_for(parsed.steps, debit)
    Report(
        {
            "payer": debit.hex(),
            "payee": credit.hex(),
            "amount": str(parsed.steps),
            "card": priced.id.hex() if isinstance(priced, Quote) else priced.hex(),
            "receipt": receipt_data(receipt),
        },
        f"{payer} paid {payee} {written}; sequence number {receipt.sequence}.",
        [("envelope", receipt.envelope_id.hex())],
    ).print(as_json=as_json)


@mandate_app.command("give")
def give(
    payer: Annotated[str, typer.Argument(help="Who will pay: own account, name or id.")],
    payee: Annotated[str, typer.Argument(help="The principal that may meter, name or id.")],
    amount: AmountArgument,
    each: Annotated[
        str, typer.Option(help="Of each charge, as in 12.50; without it, AMOUNT.")
    ] = "",
    days: Annotated[float, typer.Option(min=0.001, help="How long it lasts.")] = 30.0,
    card: Annotated[str, typer.Option(help="Id of the only card that may price charges.")] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let PAYEE meter up to AMOUNT in all against an account. Signed by the payer's OWNER key."""
    with session(profile, key, sends=True) as opened:
        debit = opened.book.account(payer)
        cap = opened.amount(amount, debit).steps
        cap_each = opened.amount([each, *amount[1:]], debit).steps if each else cap
        created = opened.client.give_mandate(
            debit,
            opened.book.principal(payee),
            cap,
            expires_in_s=days * _S_PER_DAY,
            cap_each=cap_each,
            card=CardId(id_of("card", card) if card else NO_ID),
        )
        written = opened.written_for(cap, debit)
    Report(
        {
            "mandate": created.hex,
            "payer": debit.hex(),
            "cap": str(cap),
            "cap_each": str(cap_each),
            "receipt": receipt_data(created.receipt),
        },
        f"{payee} may meter up to {written} against {payer} for {days:g} days.",
        [("mandate", created.hex)],
    ).print(as_json=as_json)


@mandate_app.command("end")
def end(
    mandate: Annotated[str, typer.Argument(help="Its id, as `mandate give` printed it.")],
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a mandate. Signed by an OWNER key of either side."""
    with session(profile, key, sends=True) as opened:
        receipt = opened.client.end_mandate(MandateId(id_of("mandate", mandate)))
    Report(
        {"mandate": mandate, "receipt": receipt_data(receipt)}, f"Ended the mandate {mandate}."
    ).print(as_json=as_json)


@mandate_app.command("list")
def list_mandates(
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the mandates that the key's principal gave and was given. For both sides."""
    with session(profile, key) as opened:
        now_ns = time.time_ns()
        rows = [row for row in opened.client.mandates() if every or not row.is_over(now_ns)]
        table = [_mandate_row(opened, row, now_ns) for row in rows]
    data = [
        {
            "mandate": row.mandate.hex(),
            "payer": row.payer_account.hex(),
            "payee": row.payee.hex(),
            "card": row.card.hex(),
            "cap": str(row.cap),
            "cap_each": str(row.cap_each),
            "used": str(row.used),
            "state": _state(row, now_ns).upper(),
            "expires_at_ns": row.expires_at_ns,
            "created_at_ns": row.created_at_ns,
            "ended_at_ns": row.ended_at_ns,
        }
        for row in rows
    ]
    given = sum(not row.is_over(now_ns) for row in rows)
    columns = ("mandate", "payer", "payee", "card", "used>", "cap>", "each>", "state", "time left>")
    Report(
        {"mandates": data},
        f"{given} mandate{'' if given == 1 else 's'} in force.",
        table=Table(columns, table),
    ).print(as_json=as_json)


def _mandate_row(opened: Session, row: MandateRow, now_ns: int) -> tuple[str, ...]:
    def written(steps: int) -> str:
        return opened.written_for(steps, row.payer_account)

    return (
        row.mandate.hex(),
        opened.book.account_name(row.payer_account),
        opened.book.principal_name(row.payee),
        row.card.hex() if any(row.card) else "any",
        written(row.used),
        written(row.cap),
        written(row.cap_each),
        _state(row, now_ns),
        age(row.over_at_ns - now_ns),
    )


def _state(row: MandateRow, now_ns: int) -> str:
    if row.ended_at_ns:
        return "ended"
    return "expired" if row.is_over(now_ns) else "in force"
