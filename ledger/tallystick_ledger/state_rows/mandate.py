"""Rows of mandates: what payees may meter against, and how much of it they have used."""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger.ids import (
    AccountId,
    Amount,
    CardId,
    MandateId,
    PrincipalId,
    TimestampNs,
)
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.state_rows.base import Row, Table

_MANDATE: Final = struct.Struct("<16s16s16s16s16s16s16sQQQ")


@dataclass(frozen=True, slots=True)
class MandateRow(Row):
    """A permission to meter.

    Attributes:
        mandate: Its id.
        payer_account: Who pays.
        payee: The principal that may meter.
        card: The only card that may price the charges; zero for any.
        cap: Of all charges together.
        cap_each: Of each charge.
        used: What was charged so far; refunds do not restore it.
        expires_at_ns: From when on it permits nothing.
        created_at_ns: Timestamp of its MANDATE.
        ended_at_ns: Timestamp of its MANDATE_END; 0 without one.
    """

    TABLE: ClassVar[Table] = Table.MANDATE
    LAYOUT: ClassVar[struct.Struct] = _MANDATE

    mandate: MandateId
    payer_account: AccountId
    payee: PrincipalId
    card: CardId
    cap: Amount
    cap_each: Amount
    used: Amount
    expires_at_ns: TimestampNs
    created_at_ns: TimestampNs
    ended_at_ns: TimestampNs

    @property
    def over_at_ns(self) -> TimestampNs:
        """From when on it permits nothing: ended, or expired."""
        return self.ended_at_ns or self.expires_at_ns

    def is_over(self, timestamp_ns: int) -> bool:
        """Whether it permits nothing any more."""
        return self.over_at_ns <= timestamp_ns

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.mandate

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _MANDATE.pack(
            self.mandate,
            self.payer_account,
            self.payee,
            self.card,
            u128_bytes(self.cap),
            u128_bytes(self.cap_each),
            u128_bytes(self.used),
            self.expires_at_ns,
            self.created_at_ns,
            self.ended_at_ns,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        mandate, payer, payee, card, cap, cap_each, used, *times = _MANDATE.unpack(data)
        expires_at, created_at, ended_at = times
        return cls(
            MandateId(mandate),
            AccountId(payer),
            PrincipalId(payee),
            CardId(card),
            Amount(u128(cap)),
            Amount(u128(cap_each)),
            Amount(u128(used)),
            TimestampNs(expires_at),
            TimestampNs(created_at),
            TimestampNs(ended_at),
        )
