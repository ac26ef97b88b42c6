"""`tallystick exchange`: takes an exchange quote, which `tallystick quote exchange` makes."""

from typing import Annotated

import typer

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
from tallystick.exchanges import ExchangeQuote

app = typer.Typer(help="Pay in one unit for another, by a maker's quote.")


@app.command()
def exchange(
    payer: Annotated[str, typer.Argument(help="Own account that pays the maker: name or id.")],
    receiver: Annotated[str, typer.Argument(help="Own account that the maker pays: name or id.")],
    amount: AmountArgument,
    quote: Annotated[str, typer.Option(help="What `quote exchange` printed.")],
    reference: ReferenceOption = 0,
    unique: UniqueOption = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pay AMOUNT to the maker of a quote, and be paid in another unit: both or neither."""
    read = ExchangeQuote.from_hex(quote)
    read.verify()
    with session(profile, key, sends=True) as opened:
        debit, receiving = opened.book.account(payer), opened.book.account(receiver)
        parsed = opened.amount(amount, debit)
        output = read.output_of(parsed.steps)
        receipt = opened.client.exchange(
            debit, receiving, parsed.steps, quote=read, reference=reference, unique=unique
        )
        paid = opened.written_for(parsed.steps, debit)
        got = opened.written_for(output, receiving)
    Report(
        {
            "debit": debit.hex(),
            "receiving": receiving.hex(),
            "quote": read.id.hex(),
            "amount": str(parsed.steps),
            "output": str(output),
            "receipt": receipt_data(receipt),
        },
        f"Paid {paid} from {payer}, got {got} in {receiver}; sequence number {receipt.sequence}.",
        [("envelope", receipt.envelope_id.hex())],
    ).print(as_json=as_json)
