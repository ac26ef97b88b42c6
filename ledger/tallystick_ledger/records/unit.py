"""UNIT: what amounts are counted in; CREDIT_LIMIT: who may owe it.

Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import FieldError, RecordError
from tallystick_ledger.ids import NO_ID, AccountId, PrincipalId, UnitId, require_uint
from tallystick_ledger.records.base import (
    BytesLike,
    Record,
    check_head,
    check_zero,
    require,
    require_id,
    require_nonce,
    require_u128,
    u128,
    u128_bytes,
)
from tallystick_ledger.records.kinds import Flags, Group, Kind

# kind, flags, cont_count; exponent, reserved; issuer; symbol; settlement unit; reserved; nonce
_UNIT: Final = struct.Struct("<HHHBx16s16s16s56x16s")
_SETTLEMENT_UNIT: Final = (40, 56)
# kind, flags, cont_count and reserved; unit; account; limit; reserved and cont_hash; nonce
_CREDIT_LIMIT: Final = struct.Struct("<HHI16s16s16s56x16s")
_SYMBOL_BYTES: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")


@dataclass(frozen=True, slots=True)
class Unit(Record):
    """Registers a unit and its issuance account. Signed by an operator.

    Attributes:
        symbol: 1 to 16 characters of `A-Z 0-9 . - _`, unique in the ledger.
        exponent: Decimal places: 9 for money in nano steps, 0 for whole tokens.
        issuer: The principal that may issue it; of a deferred one the operator of its netting.
        settlement_unit: Makes it a deferred unit, of obligations that are netted and paid in this
            one.
    """

    KIND: ClassVar[Kind] = Kind.UNIT
    GROUP: ClassVar[Group] = Group.UNIT

    symbol: str
    exponent: int
    issuer: PrincipalId
    settlement_unit: UnitId | None = None

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
        if self.settlement_unit is not None:
            require_id("settlement_unit", self.settlement_unit)
            is_named = self.settlement_unit != NO_ID
            require(is_named, Code.BAD_FIELD, "the settlement unit is zero")

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        is_deferred = self.settlement_unit is not None
        return _UNIT.pack(
            Kind.UNIT,
            Flags.DEFERRED if is_deferred else 0,
            0,
            self.exponent,
            self.issuer,
            encode_symbol(self.symbol),
            self.settlement_unit or NO_ID,
            nonce,
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        flags = check_head(cls, data, ((7, 8), (56, 112)))
        is_deferred = bool(flags & Flags.DEFERRED)
        if not is_deferred:
            check_zero(data, (_SETTLEMENT_UNIT,))
        _, _, _, exponent, issuer, symbol, settlement, _ = _UNIT.unpack(data)
        return cls(
            decode_symbol(symbol),
            exponent,
            PrincipalId(issuer),
            UnitId(settlement) if is_deferred else None,
        )


@dataclass(frozen=True, slots=True)
class CreditLimit(Record):
    """Says how far an account may go below zero. Signed by the unit's issuer.

    Attributes:
        unit: The account's unit.
        account: Whose limit it is.
        limit: 0 to 2**128 - 1, in the unit's smallest step.
    """

    KIND: ClassVar[Kind] = Kind.CREDIT_LIMIT
    GROUP: ClassVar[Group] = Group.UNIT

    unit: UnitId
    account: AccountId
    limit: int

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("unit", self.unit)
        require_id("account", self.account)
        require_u128("limit", self.limit)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        limit = u128_bytes(self.limit)
        return _CREDIT_LIMIT.pack(Kind.CREDIT_LIMIT, 0, 0, self.unit, self.account, limit, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (56, 112)))
        _, _, _, unit, account, limit, _ = _CREDIT_LIMIT.unpack(data)
        return cls(UnitId(unit), AccountId(account), u128(limit))


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
