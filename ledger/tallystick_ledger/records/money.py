"""Records that move money at once: ISSUE, BURN (from and to a unit's issuance account), TRANSFER.

All have one layout: two 16-byte ids, amount, reference. Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, UnitId
from tallystick_ledger.records.base import (
    BytesLike,
    Record,
    check_head,
    require,
    require_id,
    require_nonce,
    require_reference,
    require_u128,
    u128,
    u128_bytes,
)
from tallystick_ledger.records.kinds import Flags, Group, Kind

# kind, flags, cont_count and reserved; from; to; amount; reference; reserved and cont_hash; nonce
_LAYOUT: Final = struct.Struct("<HHI16s16s16s16s40x16s")
_RESERVED: Final = ((6, 8), (72, 112))


@dataclass(frozen=True, slots=True)
class Issue(Record):
    """Makes new money of a unit. Signed by its issuer.

    Attributes:
        unit: The unit, whose issuance account is debited.
        credit_account: Who gets it.
        amount: 1 to 2**128 - 1, in the unit's smallest step.
        reference: The caller's own number, free; not 0 with `unique`.
        unique: Refuse it if the reference was used within the ledger's window.
    """

    KIND: ClassVar[Kind] = Kind.ISSUE
    GROUP: ClassVar[Group] = Group.UNIT

    unit: UnitId
    credit_account: AccountId
    amount: int
    reference: int = 0
    unique: bool = False

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        _check(self.unit, self.credit_account, self.amount, self.reference, unique=self.unique)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _LAYOUT.pack(
            Kind.ISSUE,
            Flags.UNIQUE if self.unique else 0,
            0,
            self.unit,
            self.credit_account,
            u128_bytes(self.amount),
            u128_bytes(self.reference),
            nonce,
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        flags = check_head(cls, data, _RESERVED)
        _, _, _, unit, credit_account, amount, reference, _ = _LAYOUT.unpack(data)
        return cls(
            UnitId(unit),
            AccountId(credit_account),
            u128(amount),
            u128(reference),
            unique=bool(flags & Flags.UNIQUE),
        )


@dataclass(frozen=True, slots=True)
class Burn(Record):
    """Takes money of a unit out of the world. Signed by its issuer, who must own it.

    Attributes:
        unit: The unit, whose issuance account is credited.
        debit_account: The issuer's account that it is taken from.
        amount: 1 to 2**128 - 1, in the unit's smallest step.
        reference: The caller's own number, free; not 0 with `unique`.
        unique: Refuse it if the reference was used within the ledger's window.
    """

    KIND: ClassVar[Kind] = Kind.BURN
    GROUP: ClassVar[Group] = Group.UNIT

    unit: UnitId
    debit_account: AccountId
    amount: int
    reference: int = 0
    unique: bool = False

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        _check(self.unit, self.debit_account, self.amount, self.reference, unique=self.unique)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _LAYOUT.pack(
            Kind.BURN,
            Flags.UNIQUE if self.unique else 0,
            0,
            self.unit,
            self.debit_account,
            u128_bytes(self.amount),
            u128_bytes(self.reference),
            nonce,
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        flags = check_head(cls, data, _RESERVED)
        _, _, _, unit, debit_account, amount, reference, _ = _LAYOUT.unpack(data)
        return cls(
            UnitId(unit),
            AccountId(debit_account),
            u128(amount),
            u128(reference),
            unique=bool(flags & Flags.UNIQUE),
        )


@dataclass(frozen=True, slots=True)
class Transfer(Record):
    """Moves money between two accounts of one unit. Signed by the owner of the first.

    Attributes:
        debit_account: Who pays.
        credit_account: Who gets it.
        amount: 1 to 2**128 - 1, in the unit's smallest step.
        reference: The caller's own number, free; not 0 with `unique`.
        unique: Refuse it if the reference was used within the ledger's window.
    """

    KIND: ClassVar[Kind] = Kind.TRANSFER
    GROUP: ClassVar[Group] = Group.MONEY

    debit_account: AccountId
    credit_account: AccountId
    amount: int
    reference: int = 0
    unique: bool = False

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        _check(
            self.debit_account,
            self.credit_account,
            self.amount,
            self.reference,
            unique=self.unique,
        )

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _LAYOUT.pack(
            Kind.TRANSFER,
            Flags.UNIQUE if self.unique else 0,
            0,
            self.debit_account,
            self.credit_account,
            u128_bytes(self.amount),
            u128_bytes(self.reference),
            nonce,
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        flags = check_head(cls, data, _RESERVED)
        _, _, _, debit_account, credit_account, amount, reference, _ = _LAYOUT.unpack(data)
        return cls(
            AccountId(debit_account),
            AccountId(credit_account),
            u128(amount),
            u128(reference),
            unique=bool(flags & Flags.UNIQUE),
        )


def _check(
    first: UnitId | AccountId, second: AccountId, amount: int, reference: int, *, unique: bool
) -> None:
    require_id("the first side", first)
    require_id("the second side", second)
    require_u128("amount", amount)
    require_reference(unique, reference)
    require(amount > 0, Code.ZERO_AMOUNT, "the amount is zero")
    require(first != second, Code.SELF_TRANSFER, "both sides are one account")
