"""Rows of channels."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Self

from tallystick_ledger.ids import AccountId, Amount, ChannelId, PublicKey, TimestampNs
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.state_rows.base import Row, Table

_CHANNEL: Final = struct.Struct("<16s16s16s32s16s16s16sQQH6xQ")


class ChannelStatus(IntEnum):
    """Where a channel is in its life."""

    OPEN = 1
    CLOSING = 2  # the payer closed it; the payee may still redeem
    CLOSED = 3


@dataclass(frozen=True, slots=True)
class ChannelRow(Row):
    """Money deposited for the vouchers of one key.

    Attributes:
        channel: Its id.
        payer_account: Whose money it is.
        payee_account: Who may redeem.
        key: Signs its vouchers.
        deposit: What is pinned at most: its CHANNEL's and every TOP_UP's.
        paid: What it has paid so far.
        highest: The cumulative amount of the last voucher that was redeemed; 0 before any. Above
            `paid` if the deposit was too small for it.
        challenge_ns: How long the payee may redeem once the payer closes.
        closes_at_ns: While closing: when it ends by itself. Else 0.
        status: Open, closing or closed.
        ended_at_ns: When it was closed; 0 until then.
    """

    TABLE: ClassVar[Table] = Table.CHANNEL
    LAYOUT: ClassVar[struct.Struct] = _CHANNEL

    channel: ChannelId
    payer_account: AccountId
    payee_account: AccountId
    key: PublicKey
    deposit: Amount
    paid: Amount
    highest: Amount
    challenge_ns: int
    closes_at_ns: TimestampNs
    status: ChannelStatus
    ended_at_ns: TimestampNs

    @property
    def is_open(self) -> bool:
        """Whether it still pins money, open or closing, as far as its status says."""
        return self.status is not ChannelStatus.CLOSED

    @property
    def rest(self) -> int:
        """What it can still pay while it is not closed; what it freed when it was."""
        return self.deposit - self.paid

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.channel

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _CHANNEL.pack(
            self.channel,
            self.payer_account,
            self.payee_account,
            self.key,
            u128_bytes(self.deposit),
            u128_bytes(self.paid),
            u128_bytes(self.highest),
            self.challenge_ns,
            self.closes_at_ns,
            self.status,
            self.ended_at_ns,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        channel, payer, payee, key, *rest = _CHANNEL.unpack(data)
        deposit, paid, highest, challenge, closes_at, status, ended_at = rest
        return cls(
            ChannelId(channel),
            AccountId(payer),
            AccountId(payee),
            PublicKey(key),
            Amount(u128(deposit)),
            Amount(u128(paid)),
            Amount(u128(highest)),
            challenge,
            TimestampNs(closes_at),
            ChannelStatus(status),
            TimestampNs(ended_at),
        )
