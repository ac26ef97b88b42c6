"""Records that move money at once: ISSUE, BURN (from and to a unit's issuance account), TRANSFER.

All have one layout: two 16-byte ids, amount, reference. A TRANSFER with CONTs is an exchange.
Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import cont, limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, UnitId
from tallystick_ledger.records.base import (
    CONT_HASH_RANGE,
    BytesLike,
    Record,
    check_head,
    check_kind_and_flags,
    check_zero,
    require,
    require_id,
    require_nonce,
    require_reference,
    require_u128,
    u128,
    u128_bytes,
)
from tallystick_ledger.records.exchange import EXCHANGE_CONTS, Exchange
from tallystick_ledger.records.kinds import Flags, Group, Kind

# kind, flags, cont_count and reserved; from; to; amount; reference; reserved and cont_hash; nonce
_LAYOUT: Final = struct.Struct("<HHI16s16s16s16s40x16s")
_RESERVED: Final = ((6, 8), (72, 112))
_RESERVED_WITH_CONTS: Final = ((6, 8), (72, 80))


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
        return _encode(self, self.unit, self.credit_account, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        unit, credit_account, amount, reference, unique = _decode(cls, data)
        return cls(UnitId(unit), AccountId(credit_account), amount, reference, unique=unique)


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
        return _encode(self, self.unit, self.debit_account, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        unit, debit_account, amount, reference, unique = _decode(cls, data)
        return cls(UnitId(unit), AccountId(debit_account), amount, reference, unique=unique)


@dataclass(frozen=True, slots=True)
class Transfer(Record):
    """Moves money between two accounts of one unit. Signed by the owner of the first.

    Attributes:
        debit_account: Who pays.
        credit_account: Who gets it.
        amount: 1 to 2**128 - 1, in the unit's smallest step.
        reference: The caller's own number, free; not 0 with `unique`.
        unique: Refuse it if the reference was used within the ledger's window.
        exchange: What the owner of the second account pays for it, in another unit; None for
            nothing.
    """

    KIND: ClassVar[Kind] = Kind.TRANSFER
    GROUP: ClassVar[Group] = Group.MONEY

    debit_account: AccountId
    credit_account: AccountId
    amount: int
    reference: int = 0
    unique: bool = False
    exchange: Exchange | None = None

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        _check(
            self.debit_account,
            self.credit_account,
            self.amount,
            self.reference,
            unique=self.unique,
        )
        takes_it_to = self.credit_account
        if self.exchange is not None:
            takes_it_to = self.exchange.quote.take_account
        is_paid = takes_it_to == self.credit_account
        require(is_paid, Code.BAD_FIELD, "the quote is paid to another account")

    @property
    def record_count(self) -> int:
        """The head, and the CONTs of an exchange."""
        return 1 if self.exchange is None else 1 + EXCHANGE_CONTS

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, self.nonce_bytes)
        own, rest = nonce[: limits.NONCE_BYTES], nonce[limits.NONCE_BYTES :]
        head = _encode(self, self.debit_account, self.credit_account, own)
        if self.exchange is None:
            return head
        padded = self.exchange.encode().ljust(EXCHANGE_CONTS * limits.CONT_PAYLOAD_BYTES, b"\0")
        return _with_conts(head, cont.encode(padded, rest))

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        head, content = cont.head_and_content(data)
        _, cont_count = check_kind_and_flags(cls, head)
        allowed = cont_count in (0, EXCHANGE_CONTS)
        require(allowed, Code.CONT_NOT_ALLOWED, f"TRANSFER with {cont_count} CONTs")
        check_zero(head, _RESERVED_WITH_CONTS if cont_count else _RESERVED)
        exchange = Exchange.decode(content) if cont_count else None
        _, flags, _, debit, credit, amount, reference, _ = _LAYOUT.unpack(head)
        return cls(
            AccountId(debit),
            AccountId(credit),
            u128(amount),
            u128(reference),
            unique=bool(flags & Flags.UNIQUE),
            exchange=exchange,
        )


def _with_conts(head: bytes, conts: bytes) -> bytes:
    """Returns a head that commits to its CONTs, and these."""
    count = len(conts) // limits.RECORD_BYTES
    start, end = CONT_HASH_RANGE
    before = head[:4] + count.to_bytes(2, "little") + head[6:start]
    return before + cont.cont_hash(conts) + head[end:] + conts


def _encode(record: "Issue | Burn | Transfer", first: bytes, second: bytes, nonce: bytes) -> bytes:
    require_nonce(nonce)
    return _LAYOUT.pack(
        record.KIND,
        Flags.UNIQUE if record.unique else 0,
        0,
        first,
        second,
        u128_bytes(record.amount),
        u128_bytes(record.reference),
        nonce,
    )


def _decode(record_type: type[Record], data: BytesLike) -> tuple[bytes, bytes, int, int, bool]:
    """Returns both sides, amount, reference, and whether it is unique."""
    flags = check_head(record_type, data, _RESERVED)
    _, _, _, first, second, amount, reference, _ = _LAYOUT.unpack(data)
    return first, second, u128(amount), u128(reference), bool(flags & Flags.UNIQUE)


def _check(
    first: UnitId | AccountId, second: AccountId, amount: int, reference: int, *, unique: bool
) -> None:
    require_id("the first side", first)
    require_id("the second side", second)
    require_u128("amount", amount)
    require_reference(unique, reference)
    require(amount > 0, Code.ZERO_AMOUNT, "the amount is zero")
    require(first != second, Code.SELF_TRANSFER, "both sides are one account")
