"""`tallystick meter`, and `tallystick mandate give|end`."""

from typing import Annotated

import typer

from tallystick.cli.ids import id_of
from tallystick.cli.output import Report
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
from tallystick.draft import build
from tallystick.errors import InvalidArgument
from tallystick_ledger.ids import NO_ID, CardId, MandateId, NameId
from tallystick_ledger.records import ServedUsage

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
    card: Annotated[str, typer.Option(help="Id of the provider's published card.")],
    model: Annotated[str, typer.Option(help="Id of the model's name.")],
    used: Annotated[
        list[str],
        typer.Option(help="How much of a meter, once for each.", metavar="METER=QUANTITY"),
    ],
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
    usage = build(ServedUsage, _name("tier", tier), _name("region", region), _lines(used))
    priced = CardId(id_of("card", card))
    with session(profile, key, sends=True) as opened:
        debit, credit = opened.book.account(payer), opened.book.account(payee)
        parsed = opened.amount(amount, debit)
        receipt = opened.client.meter(
            debit,
            credit,
            parsed.steps,
            card=priced,
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
            "card": priced.hex(),
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


def _lines(used: list[str]) -> tuple[tuple[NameId, int], ...]:
    counted: dict[NameId, int] = {}
    for text in used:
        name, _, quantity = text.partition("=")
        meter = NameId(id_of("meter", name))
        if not (quantity.isascii() and quantity.isdigit()) or meter in counted:
            raise InvalidArgument(
                f"{text!r} is no usage.", advice="Write METER=QUANTITY, each meter once."
            )
        counted[meter] = int(quantity)
    return tuple(sorted(counted.items()))


def _name(what: str, text: str) -> NameId:
    return NameId(id_of(what, text) if text else NO_ID)
