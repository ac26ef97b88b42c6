"""Rows of accounts and holds."""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import ClassVar, Final, Self

from tallystick_ledger.errors import RowError
from tallystick_ledger.ids import AccountId, Amount, HoldId, PrincipalId, TimestampNs, UnitId
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.records.kinds import ReserveMode
from tallystick_ledger.state_rows.base import Row, Table

_ACCOUNT: Final = struct.Struct("<16s16s16sH6x16s16s16s16s16s")
_HOLD: Final = struct.Struct("<16s16s16s16s16sQHH4xQQ")


class AccountFlags(IntFlag):
    """What an account is."""

    NONE = 0
    ISSUANCE = 1
    FROZEN = 2
    CLOSED = 4
    GRANT = 8
    DEFERRED = 16


# As a number: the complement of an `IntFlag` has its known bits only.
_ALL_FLAGS: Final = int(
    AccountFlags.ISSUANCE
    | AccountFlags.FROZEN
    | AccountFlags.CLOSED
    | AccountFlags.GRANT
    | AccountFlags.DEFERRED
)


class HoldStatus(IntEnum):
    """Where a hold is in its life. All but OPEN are ends."""

    OPEN = 1
    CAPTURED = 2
    RELEASED = 3
    EXPIRED = 4


@dataclass(frozen=True, slots=True)
class AccountRow(Row):
    """An account and its four columns, in the unit's smallest step.

    Attributes:
        account: Its id.
        owner: The principal that owns it.
        unit: What it counts in.
        flags: Issuance, frozen, closed, a grant's, deferred (of a deferred unit, its issuance
            account aside).
        credit_limit: How far it may go below zero.
        debits_pending: Pinned by open holds that it pays.
        debits_posted: Paid, ever.
        credits_pending: Promised by open holds that pay it.
        credits_posted: Received, ever.
    """

    TABLE: ClassVar[Table] = Table.ACCOUNT
    LAYOUT: ClassVar[struct.Struct] = _ACCOUNT

    account: AccountId
    owner: PrincipalId
    unit: UnitId
    flags: AccountFlags = AccountFlags.NONE
    credit_limit: Amount = Amount(0)  # noqa: RUF009 - a number, as the next four
    debits_pending: Amount = Amount(0)  # noqa: RUF009
    debits_posted: Amount = Amount(0)  # noqa: RUF009
    credits_pending: Amount = Amount(0)  # noqa: RUF009
    credits_posted: Amount = Amount(0)  # noqa: RUF009

    @property
    def balance(self) -> int:
        """What it has received less what it has paid: below zero where it is in debt."""
        return self.credits_posted - self.debits_posted

    @property
    def available(self) -> int:
        """What it can spend now: money on hold counts as spent. Below zero for issuance only."""
        return self.balance + self.credit_limit - self.debits_pending

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.account

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _ACCOUNT.pack(
            self.account,
            self.owner,
            self.unit,
            self.flags,
            u128_bytes(self.credit_limit),
            u128_bytes(self.debits_pending),
            u128_bytes(self.debits_posted),
            u128_bytes(self.credits_pending),
            u128_bytes(self.credits_posted),
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        account, owner, unit, flags, *columns = _ACCOUNT.unpack(data)
        if flags & ~_ALL_FLAGS:
            raise RowError(f"flags {flags:#x}")
        return cls(
            AccountId(account),
            PrincipalId(owner),
            UnitId(unit),
            AccountFlags(flags),
            *(Amount(u128(column)) for column in columns),
        )


@dataclass(frozen=True, slots=True)
class HoldRow(Row):
    """Money pinned for a payee.

    Attributes:
        hold: Its id.
        payer_account: Whose money it is.
        payee_account: Who may capture it.
        maximum: What is pinned at most.
        captured: What it has paid so far.
        expires_at_ns: When the rest goes back by itself.
        status: Open, or how it ended.
        ended_at_ns: When; 0 while open.
        created_at_ns: Time of its RESERVE, from which its longest life counts.
        mode: How it is priced; with CARD it has a `TermsRow`.
    """

    TABLE: ClassVar[Table] = Table.HOLD
    LAYOUT: ClassVar[struct.Struct] = _HOLD

    hold: HoldId
    payer_account: AccountId
    payee_account: AccountId
    maximum: Amount
    captured: Amount
    expires_at_ns: TimestampNs
    status: HoldStatus
    ended_at_ns: TimestampNs
    created_at_ns: TimestampNs
    mode: ReserveMode = ReserveMode.FLAT

    @property
    def is_open(self) -> bool:
        """Whether it can still pay, as far as its status says."""
        return self.status is HoldStatus.OPEN

    @property
    def rest(self) -> int:
        """What it can still pay while it is open; what it freed when it ended."""
        return self.maximum - self.captured

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.hold

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _HOLD.pack(
            self.hold,
            self.payer_account,
            self.payee_account,
            u128_bytes(self.maximum),
            u128_bytes(self.captured),
            self.expires_at_ns,
            self.status,
            self.mode,
            self.ended_at_ns,
            self.created_at_ns,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        hold, payer, payee, maximum, captured, *rest = _HOLD.unpack(data)
        expires_at, status, mode, ended_at, created_at = rest
        return cls(
            HoldId(hold),
            AccountId(payer),
            AccountId(payee),
            Amount(u128(maximum)),
            Amount(u128(captured)),
            TimestampNs(expires_at),
            HoldStatus(status),
            TimestampNs(ended_at),
            TimestampNs(created_at),
            ReserveMode(mode),
        )
