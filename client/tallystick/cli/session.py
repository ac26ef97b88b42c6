"""What commands that talk to a ledger share: options, a client, and the address book."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from tallystick.cli.amounts import ParsedAmount, format_amount, parse_amount
from tallystick.cli.book import Book, load_book
from tallystick.client import Client
from tallystick.errors import AccessDenied, ConfigurationError, InvalidArgument
from tallystick.profile import find_profile
from tallystick.results import Receipt
from tallystick_ledger.ids import AccountId, UnitId
from tallystick_ledger.state_rows import AccountRow

_REACHABLE_WITHIN_S = 10.0

ProfileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        "-p",
        envvar="TALLYSTICK_PROFILE",
        help="Profile file, or a cluster's directory. Default: ./tallystick.toml",
    ),
]
KeyOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--key", "-k", help="Who signs and reads: a key file, or NAME for keys/NAME.key."),
]
ReferenceOption: TypeAlias = Annotated[
    int, typer.Option(min=0, help="Your own number for it; with --unique it is taken once.")
]
UniqueOption: TypeAlias = Annotated[
    bool, typer.Option("--unique", help="Refuse it if the reference was used.")
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AmountArgument: TypeAlias = Annotated[
    list[str],
    typer.Argument(help="12.50 USD, or whole smallest steps without a symbol.", metavar="AMOUNT"),
]


@dataclass(frozen=True, slots=True)
class Session:
    """A client and the address book beside its profile."""

    client: Client
    book: Book
    directory: Path

    def amount(self, words: list[str], account: AccountId) -> ParsedAmount:
        """Reads an amount that is to leave or reach `account`.

        Raises:
            InvalidArgument: It is none, or the account holds another unit.
        """
        amount = parse_amount(" ".join(words), self.book.exponents)
        if amount.symbol:
            unit = self.unit_of(account)
            if unit is not None and unit != self.book.unit(amount.symbol):
                held = self.book.symbol(unit) or unit.hex()
                raise InvalidArgument(
                    f"The account {self.book.account_name(account)} holds {held}, "
                    f"not {amount.symbol}."
                )
        return amount

    def amount_of_book(self, words: list[str]) -> ParsedAmount:
        """Reads an amount whose account is not known here: its symbol is only looked up.

        Raises:
            InvalidArgument: It is none.
        """
        return parse_amount(" ".join(words), self.book.exponents)

    def unit_of(self, account: AccountId) -> UnitId | None:
        """Returns an account's unit: by the address book, or by the ledger if this key may see it.

        None where neither says.
        """
        entry = self.book.accounts.get(self.book.account_name(account))
        noted = None if entry is None else self.book.units.get(entry.unit)
        if noted is not None:
            return noted.id
        row = self.row_of(account)
        return None if row is None else row.unit

    def row_of(self, account: AccountId) -> AccountRow | None:
        """Returns an account as the ledger has it, None where it is not this key's to see."""
        try:
            return self.client.get_account(account)
        except (AccessDenied, ConfigurationError):
            return None

    def written(self, steps: int, unit: UnitId) -> str:
        """Writes an amount of a unit for people."""
        symbol = self.book.symbol(unit)
        if not symbol:
            return f"{steps} steps"
        return format_amount(steps, symbol, self.book.units[symbol].exponent)

    def written_for(self, steps: int, account: AccountId) -> str:
        """Writes an amount of an account's unit for people, as far as the book knows it."""
        entry = self.book.accounts.get(self.book.account_name(account))
        unit = None if entry is None else self.book.units.get(entry.unit)
        return f"{steps} steps" if unit is None else self.written(steps, unit.id)


@contextmanager
def session(
    profile: Path | None, key: Path | None = None, *, sends: bool = False
) -> Iterator[Session]:
    """Opens the client that a command's options name.

    Args:
        profile: `--profile`.
        key: `--key`.
        sends: Whether an envelope is to be sent. The SDK would look for a node for as long as the
            envelope lives; a person is told sooner that there is none.

    Raises:
        ConfigurationError: Profile, key or address book is missing or wrong.
        ConnectionFailed: `sends`, and no node answers.
    """
    found = find_profile(profile)
    directory = Path() if found is None else found.parent
    with Client.from_profile(profile, key=key) as client:
        if sends:
            client.status(deadline_s=_REACHABLE_WITHIN_S)
        yield Session(client, load_book(directory), directory)


def receipt_data(receipt: Receipt) -> dict[str, object]:
    """Returns a receipt for JSON."""
    return {
        "envelope_id": receipt.envelope_id.hex(),
        "sequence": receipt.sequence,
        "timestamp_ns": receipt.timestamp_ns,
        "records": receipt.record_count,
        "ok": receipt.ok,
        "duplicate": receipt.duplicate,
    }
