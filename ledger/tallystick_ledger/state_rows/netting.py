"""Rows of netting: deferred units, their members, their windows, and who owes whom how much."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Self

from tallystick_ledger.ids import AccountId, Amount, SequenceNumber, TimestampNs, UnitId
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.state_rows.base import Row, Table

_DEFERRED_UNIT: Final = struct.Struct("<16s16sQQ")
_MEMBER: Final = struct.Struct("<16s16s16sH6x")
_WINDOW: Final = struct.Struct("<16sQH6xQQ16s16s")
_PAIR: Final = struct.Struct("<16sQ16s16s16s")


class MemberStatus(IntEnum):
    """Whether a member settled so far."""

    JOINED = 1
    FAILED = 2  # until it owes nothing and joins again


class WindowStatus(IntEnum):
    """How far a window has come that is not open any more."""

    CLOSED = 1
    SETTLED = 2


@dataclass(frozen=True, slots=True)
class DeferredUnitRow(Row):
    """A unit of obligations, and the window that collects them.

    Attributes:
        unit: The deferred unit.
        settlement_unit: In which net positions are paid.
        open_window: Number of the window that collects what is posted now, from 1.
        opened_at: Sequence number of the UNIT or WINDOW_CLOSE that opened it.
    """

    TABLE: ClassVar[Table] = Table.DEFERRED_UNIT
    LAYOUT: ClassVar[struct.Struct] = _DEFERRED_UNIT

    unit: UnitId
    settlement_unit: UnitId
    open_window: int
    opened_at: SequenceNumber

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.unit

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _DEFERRED_UNIT.pack(
            self.unit, self.settlement_unit, self.open_window, self.opened_at
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        unit, settlement, window, opened_at = _DEFERRED_UNIT.unpack(data)
        return cls(UnitId(unit), UnitId(settlement), window, SequenceNumber(opened_at))


@dataclass(frozen=True, slots=True)
class MemberRow(Row):
    """An account that takes part in netting.

    Attributes:
        account: In the deferred unit.
        settlement_account: Pays and is paid in the settlement unit.
        maximum_debit: Of its last JOIN; 0 once it failed.
        status: Joined or failed.
    """

    TABLE: ClassVar[Table] = Table.MEMBER
    LAYOUT: ClassVar[struct.Struct] = _MEMBER

    account: AccountId
    settlement_account: AccountId
    maximum_debit: Amount
    status: MemberStatus = MemberStatus.JOINED

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.account

    def encode(self) -> bytes:
        """See `Row.encode`."""
        maximum = u128_bytes(self.maximum_debit)
        return _MEMBER.pack(self.account, self.settlement_account, maximum, self.status)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        account, settlement, maximum, status = _MEMBER.unpack(data)
        return cls(
            AccountId(account),
            AccountId(settlement),
            Amount(u128(maximum)),
            MemberStatus(status),
        )


@dataclass(frozen=True, slots=True)
class WindowRow(Row):
    """A window that was cut off.

    Attributes:
        unit: The deferred unit.
        window: Its number.
        status: Closed or settled.
        closed_at_ns: Timestamp of its WINDOW_CLOSE.
        settled_at_ns: Timestamp of its SETTLE; 0 before.
        gross: What its pairs added up to when it was settled; 0 before.
        moved: What was paid in the settlement unit; 0 before.
    """

    TABLE: ClassVar[Table] = Table.WINDOW
    LAYOUT: ClassVar[struct.Struct] = _WINDOW

    unit: UnitId
    window: int
    status: WindowStatus
    closed_at_ns: TimestampNs
    settled_at_ns: TimestampNs = TimestampNs(0)  # noqa: RUF009 - a number, as the next two
    gross: Amount = Amount(0)  # noqa: RUF009
    moved: Amount = Amount(0)  # noqa: RUF009

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.unit + self.window.to_bytes(8, "big")

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _WINDOW.pack(
            self.unit,
            self.window,
            self.status,
            self.closed_at_ns,
            self.settled_at_ns,
            u128_bytes(self.gross),
            u128_bytes(self.moved),
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        unit, window, status, closed_at, settled_at, gross, moved = _WINDOW.unpack(data)
        return cls(
            UnitId(unit),
            window,
            WindowStatus(status),
            TimestampNs(closed_at),
            TimestampNs(settled_at),
            Amount(u128(gross)),
            Amount(u128(moved)),
        )


@dataclass(frozen=True, slots=True)
class PairRow(Row):
    """What one account paid another in a window that is not settled.

    Attributes:
        unit: The deferred unit.
        window: The open or the closed one.
        debtor_account: Who paid, and owes it.
        creditor_account: Who was paid.
        amount: At least 1.
    """

    TABLE: ClassVar[Table] = Table.PAIR
    LAYOUT: ClassVar[struct.Struct] = _PAIR

    unit: UnitId
    window: int
    debtor_account: AccountId
    creditor_account: AccountId
    amount: Amount

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        window = self.window.to_bytes(8, "big")
        return self.unit + window + self.debtor_account + self.creditor_account

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _PAIR.pack(
            self.unit,
            self.window,
            self.debtor_account,
            self.creditor_account,
            u128_bytes(self.amount),
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        unit, window, debtor, creditor, amount = _PAIR.unpack(data)
        return cls(
            UnitId(unit), window, AccountId(debtor), AccountId(creditor), Amount(u128(amount))
        )
