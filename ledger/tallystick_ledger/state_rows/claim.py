"""Rows of claims: what payers owe payees beyond what holds pinned."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Self

from tallystick_ledger.ids import AccountId, Amount, ClaimId, TimestampNs
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.state_rows.base import Row, Table

_CLAIM: Final = struct.Struct("<16s16s16s16s16s16sQQH6x")


class ClaimStatus(IntEnum):
    """How a claim stands."""

    OPEN = 1
    PAID = 2
    WAIVED = 3


@dataclass(frozen=True, slots=True)
class ClaimRow(Row):
    """What a hold left owing. It is no balance: nobody can spend it.

    Attributes:
        claim: Its id, which is that of the hold.
        payer_account: Whose owner owes it.
        payee_account: Who is owed.
        amount: What became a claim in all.
        paid: What of it was paid.
        waived: What of it the payee gave up.
        opened_at_ns: Timestamp of the CAPTURE that opened it.
        ended_at_ns: When the last of it was paid or waived; 0 while it is open.
        status: Open, paid or waived.
    """

    TABLE: ClassVar[Table] = Table.CLAIM
    LAYOUT: ClassVar[struct.Struct] = _CLAIM

    claim: ClaimId
    payer_account: AccountId
    payee_account: AccountId
    amount: Amount
    paid: Amount
    waived: Amount
    opened_at_ns: TimestampNs
    ended_at_ns: TimestampNs
    status: ClaimStatus

    @property
    def is_open(self) -> bool:
        """Whether something is still owed."""
        return self.status is ClaimStatus.OPEN

    @property
    def rest(self) -> Amount:
        """What is still owed."""
        return Amount(self.amount - self.paid - self.waived)

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.claim

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _CLAIM.pack(
            self.claim,
            self.payer_account,
            self.payee_account,
            u128_bytes(self.amount),
            u128_bytes(self.paid),
            u128_bytes(self.waived),
            self.opened_at_ns,
            self.ended_at_ns,
            self.status,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        claim, payer, payee, amount, paid, waived, opened, ended, status = _CLAIM.unpack(data)
        return cls(
            ClaimId(claim),
            AccountId(payer),
            AccountId(payee),
            Amount(u128(amount)),
            Amount(u128(paid)),
            Amount(u128(waived)),
            TimestampNs(opened),
            TimestampNs(ended),
            ClaimStatus(status),
        )
