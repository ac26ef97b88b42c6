"""UNIT: what amounts are counted in. Source: docs/format.md section 6."""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import FieldError, RecordError
from tallystick_ledger.ids import NO_ID, PrincipalId, require_uint
from tallystick_ledger.records.base import (
    BytesLike,
    Record,
    check_head,
    require,
    require_id,
    require_nonce,
)
from tallystick_ledger.records.kinds import Group, Kind

# kind, flags, cont_count; exponent, reserved; issuer; symbol; reserved and cont_hash; nonce
_UNIT: Final = struct.Struct("<HHHBx16s16s72x16s")
_SYMBOL_BYTES: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")


@dataclass(frozen=True, slots=True)
class Unit(Record):
    """Registers a unit and its issuance account. Signed by an operator.

    Attributes:
        symbol: 1 to 16 characters of `A-Z 0-9 . - _`, unique in the ledger.
        exponent: Decimal places: 9 for money in nano steps, 0 for whole tokens.
        issuer: The principal that may issue it.
    """

    KIND: ClassVar[Kind] = Kind.UNIT
    GROUP: ClassVar[Group] = Group.UNIT

    symbol: str
    exponent: int
    issuer: PrincipalId

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_uint("exponent", self.exponent, 255)
        require_id("issuer", self.issuer)
        require(
            self.exponent <= limits.MAX_UNIT_EXPONENT,
            Code.BAD_FIELD,
            f"exponent {self.exponent} is above 18",
        )
        encode_symbol(self.symbol)
        require(self.issuer != NO_ID, Code.BAD_FIELD, "the issuer is zero")

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _UNIT.pack(
            Kind.UNIT, 0, 0, self.exponent, self.issuer, encode_symbol(self.symbol), nonce
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((7, 8), (40, 112)))
        _, _, _, exponent, issuer, symbol, _ = _UNIT.unpack(data)
        return cls(decode_symbol(symbol), exponent, PrincipalId(issuer))


def encode_symbol(symbol: str) -> bytes:
    """Returns the 16-byte field of a symbol, zero-padded.

    Raises:
        RecordError: BAD_FIELD, it has no or more than 16 characters, or others than
            `A-Z 0-9 . - _`.
        FieldError: It is not text.
    """
    if not isinstance(symbol, str):
        raise FieldError(f"symbol must be str, not {type(symbol).__name__}")
    raw = symbol.encode("utf-8", "surrogatepass")
    if not 1 <= len(raw) <= limits.MAX_SYMBOL_BYTES or not _SYMBOL_BYTES.issuperset(raw):
        raise RecordError(Code.BAD_FIELD, f"symbol {symbol!r} is not 1 to 16 of A-Z 0-9 . - _")
    return raw.ljust(limits.MAX_SYMBOL_BYTES, b"\0")


def decode_symbol(field: bytes) -> str:
    """Reads the 16-byte field of a symbol.

    Raises:
        RecordError: BAD_FIELD, see `encode_symbol`.
    """
    raw = field.rstrip(b"\0")
    if not raw or not _SYMBOL_BYTES.issuperset(raw):
        raise RecordError(Code.BAD_FIELD, f"symbol {field!r} is not 1 to 16 of A-Z 0-9 . - _")
    return raw.decode("ascii")
