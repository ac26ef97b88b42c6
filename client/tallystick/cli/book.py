"""The address book: names for ids, on this machine only.

The ledger knows ids; people want `alice` and `USD`. `tallystick-book.json`, beside the profile,
holds what this machine's commands have registered or were told (`unit add`, `account add`): units
with their decimals, accounts with their unit, principals. It holds nothing secret, and nothing in
it is believed by the ledger.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tallystick.errors import ConfigurationError, InvalidArgument
from tallystick_ledger.ids import AccountId, PrincipalId, UnitId
from tallystick_ledger.limits import ID_BYTES, MAX_UNIT_EXPONENT

FILE_NAME: Final = "tallystick-book.json"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEX_ID: Final = re.compile(f"[0-9a-f]{{{2 * ID_BYTES}}}")


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """A unit: its id and decimal places."""

    id: UnitId
    exponent: int


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account: its id and its unit's symbol, empty where that is not known."""

    id: AccountId
    unit: str = ""


@dataclass(slots=True)
class Book:
    """An address book; `save` writes it.

    Attributes:
        path: Its file.
        units: By symbol.
        accounts: By name.
        principals: By name.
    """

    path: Path
    units: dict[str, UnitEntry] = field(default_factory=dict)
    accounts: dict[str, AccountEntry] = field(default_factory=dict)
    principals: dict[str, PrincipalId] = field(default_factory=dict)

    @property
    def exponents(self) -> Mapping[str, int]:
        """Decimal places of each unit, by symbol."""
        return {symbol: unit.exponent for symbol, unit in self.units.items()}

    def unit(self, text: str) -> UnitId:
        """Returns the unit with this symbol or id."""
        entry = self.units.get(text)
        return UnitId(_id(text, "unit")) if entry is None else entry.id

    def symbol(self, unit: UnitId) -> str:
        """Returns a unit's symbol, empty where it is not known."""
        return next((symbol for symbol, entry in self.units.items() if entry.id == unit), "")

    def account(self, text: str) -> AccountId:
        """Returns the account with this name or id."""
        entry = self.accounts.get(text)
        return AccountId(_id(text, "account")) if entry is None else entry.id

    def account_name(self, account: AccountId) -> str:
        """Returns an account's name, or its id where it has none."""
        names = (name for name, entry in self.accounts.items() if entry.id == account)
        return next(names, account.hex())

    def principal(self, text: str) -> PrincipalId:
        """Returns the principal with this name or id."""
        known = self.principals.get(text)
        return PrincipalId(_id(text, "principal")) if known is None else known

    def principal_name(self, principal: PrincipalId) -> str:
        """Returns a principal's name, or its id where it has none."""
        names = (name for name, known in self.principals.items() if known == principal)
        return next(names, principal.hex())

    def save(self) -> None:
        """Writes the file, whole or not at all.

        Raises:
            ConfigurationError: It cannot be written.
        """
        content = {
            "units": {
                symbol: {"id": unit.id.hex(), "exponent": unit.exponent}
                for symbol, unit in self.units.items()
            },
            "accounts": {
                name: {"id": account.id.hex(), "unit": account.unit}
                for name, account in self.accounts.items()
            },
            "principals": {name: value.hex() for name, value in self.principals.items()},
        }
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        try:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            temporary.replace(self.path)
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be written: {error.strerror}.") from error


def load_book(directory: Path) -> Book:
    """Reads the address book of a directory; there need not be one yet.

    Raises:
        ConfigurationError: The file is damaged.
    """
    path = directory / FILE_NAME
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Book(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    try:
        return Book(
            path,
            {
                symbol: UnitEntry(UnitId(_raw(unit["id"])), _exponent(unit["exponent"]))
                for symbol, unit in content["units"].items()
            },
            {
                name: AccountEntry(AccountId(_raw(account["id"])), str(account["unit"]))
                for name, account in content["accounts"].items()
            },
            {name: PrincipalId(_raw(value)) for name, value in content["principals"].items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{path} is damaged: {error}.", advice="Correct it or remove it; ids are in the ledger."
        ) from error


def require_name(name: str) -> str:
    """Returns a name for the book.

    Raises:
        InvalidArgument: It is none, or looks like an id.
    """
    if not _NAME.fullmatch(name) or _HEX_ID.fullmatch(name):
        raise InvalidArgument(
            f"{name!r} is no name.", advice="Use letters, digits, dot, dash and underscore."
        )
    return name


def _id(text: str, what: str) -> bytes:
    if not _HEX_ID.fullmatch(text):
        raise InvalidArgument(
            f"{text!r} is no {what} in the address book and no id.",
            advice="Ids are 32 hexadecimal digits.",
        )
    return bytes.fromhex(text)


def _raw(text: str) -> bytes:
    if not _HEX_ID.fullmatch(text):
        raise ValueError(f"{text!r} is no id")
    return bytes.fromhex(text)


def _exponent(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_UNIT_EXPONENT:
        raise ValueError(f"{value!r} is no exponent")
    return value
