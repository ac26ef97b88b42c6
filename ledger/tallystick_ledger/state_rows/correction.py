"""Rows of corrections: what was given back of a record's amount, and the disputes about it."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Self

from tallystick_ledger.ids import AccountId, Amount, SequenceNumber, TimestampNs
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.records.kinds import CorrectionReason
from tallystick_ledger.state_rows.base import Row, Table

_CORRECTION: Final = struct.Struct("<QQ16s16s16s16s")
_DISPUTE: Final = struct.Struct("<QQ16s16s16s16s16sQQQHHH2x")


class DisputeStatus(IntEnum):
    """How a dispute was answered. An open one whose deadline has passed is rejected by that."""

    OPEN = 1
    ACCEPTED = 2  # wholly or in part
    REJECTED = 3


@dataclass(frozen=True, slots=True)
class CorrectionRow(Row):
    """How much of what a record paid was given back so far.

    Attributes:
        cited: Sequence number of the record.
        cited_at_ns: Its timestamp.
        payer_account: Who had paid.
        payee_account: Who had been paid.
        amount: What the record moved: the ceiling.
        corrected: What of it was given back, at least 1.
    """

    TABLE: ClassVar[Table] = Table.CORRECTION
    LAYOUT: ClassVar[struct.Struct] = _CORRECTION

    cited: SequenceNumber
    cited_at_ns: TimestampNs
    payer_account: AccountId
    payee_account: AccountId
    amount: Amount
    corrected: Amount

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.cited.to_bytes(8, "big")

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _CORRECTION.pack(
            self.cited,
            self.cited_at_ns,
            self.payer_account,
            self.payee_account,
            u128_bytes(self.amount),
            u128_bytes(self.corrected),
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        cited, cited_at, payer, payee, amount, corrected = _CORRECTION.unpack(data)
        return cls(
            SequenceNumber(cited),
            TimestampNs(cited_at),
            AccountId(payer),
            AccountId(payee),
            Amount(u128(amount)),
            Amount(u128(corrected)),
        )


@dataclass(frozen=True, slots=True)
class DisputeRow(Row):
    """The last dispute about a record.

    Attributes:
        cited: Sequence number of the record.
        cited_at_ns: Its timestamp.
        payer_account: Who had paid, and disputes it.
        payee_account: Who had been paid, and answers.
        amount: What the record moved.
        disputed: What is asked back.
        accepted: What the answer gave back; 0 without one.
        deadline_ns: When it counts as rejected unless it was answered before.
        opened_at_ns: Timestamp of its DISPUTE.
        answered_at_ns: Timestamp of its DISPUTE_ANSWER; 0 without one.
        reason: Of its DISPUTE.
        status: Open, accepted or rejected.
        rolled: Whether the last cut-off of netting rolled its amount over into the open window.
    """

    TABLE: ClassVar[Table] = Table.DISPUTE
    LAYOUT: ClassVar[struct.Struct] = _DISPUTE

    cited: SequenceNumber
    cited_at_ns: TimestampNs
    payer_account: AccountId
    payee_account: AccountId
    amount: Amount
    disputed: Amount
    accepted: Amount
    deadline_ns: TimestampNs
    opened_at_ns: TimestampNs
    answered_at_ns: TimestampNs
    reason: CorrectionReason
    status: DisputeStatus
    rolled: bool = False

    def is_open_at(self, timestamp_ns: int) -> bool:
        """Whether it can still be answered."""
        return self.status is DisputeStatus.OPEN and timestamp_ns < self.deadline_ns

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.cited.to_bytes(8, "big")

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _DISPUTE.pack(
            self.cited,
            self.cited_at_ns,
            self.payer_account,
            self.payee_account,
            u128_bytes(self.amount),
            u128_bytes(self.disputed),
            u128_bytes(self.accepted),
            self.deadline_ns,
            self.opened_at_ns,
            self.answered_at_ns,
            self.reason,
            self.status,
            self.rolled,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        cited, cited_at, payer, payee, amount, disputed, accepted, *rest = _DISPUTE.unpack(data)
        deadline, opened_at, answered_at, reason, status, rolled = rest
        if rolled > 1:
            raise ValueError(f"{rolled} is neither rolled over nor not")
        return cls(
            SequenceNumber(cited),
            TimestampNs(cited_at),
            AccountId(payer),
            AccountId(payee),
            Amount(u128(amount)),
            Amount(u128(disputed)),
            Amount(u128(accepted)),
            TimestampNs(deadline),
            TimestampNs(opened_at),
            TimestampNs(answered_at),
            CorrectionReason(reason),
            DisputeStatus(status),
            bool(rolled),
        )
