"""`tallystick unit`: what amounts are counted in."""

from typing import Annotated

import typer

from tallystick.cli.book import UnitEntry
from tallystick.cli.output import Report, Table
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, receipt_data, session

app = typer.Typer(no_args_is_help=True, help="Register what amounts are counted in.")

_Symbol = Annotated[str, typer.Argument(help="1 to 16 of A-Z 0-9 . - _, such as USD.")]
_Exponent = Annotated[int, typer.Option(min=0, max=18, help="Decimal places.")]


@app.command()
def new(
    symbol: _Symbol,
    issuer: Annotated[str, typer.Option(help="Who may issue it: name or principal id.")],
    exponent: _Exponent = 9,
    settled_in: Annotated[
        str, typer.Option(help="Of debts, which are netted and paid in this unit: symbol or id.")
    ] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a unit. Signed by an operator."""
    with session(profile, key, sends=True) as opened:
        created = opened.client.create_unit(
            symbol,
            exponent,
            opened.book.principal(issuer),
            settlement_unit=opened.book.unit(settled_in) if settled_in else None,
        )
        opened.book.units[symbol] = UnitEntry(created.id, exponent)
        opened.book.save()
    Report(
        {
            "symbol": symbol,
            "unit": created.hex,
            "exponent": exponent,
            "receipt": receipt_data(created.receipt),
        },
        f"Registered {symbol} with {exponent} decimals.",
        [("unit", created.hex)],
    ).print(as_json=as_json)


@app.command()
def add(
    symbol: _Symbol,
    unit: Annotated[str, typer.Argument(help="Its id.")],
    exponent: _Exponent,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note somebody else's unit in the address book."""
    with session(profile) as opened:
        entry = UnitEntry(opened.book.unit(unit), exponent)
        opened.book.units[symbol] = entry
        opened.book.save()
    Report(
        {"symbol": symbol, "unit": entry.id.hex(), "exponent": exponent},
        f"Noted {symbol} with {exponent} decimals.",
    ).print(as_json=as_json)


@app.command(name="list")
def list_units(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """List the address book's units."""
    with session(profile) as opened:
        units = opened.book.units
    Report(
        {
            "units": [
                {"symbol": symbol, "unit": entry.id.hex(), "exponent": entry.exponent}
                for symbol, entry in units.items()
            ]
        },
        f"{len(units)} units in the address book.",
        table=Table(
            ("symbol", "decimals>", "unit"),
            [(name, str(entry.exponent), entry.id.hex()) for name, entry in units.items()],
        ),
    ).print(as_json=as_json)
