"""Records of channels: CHANNEL deposits, VOUCHER redeems, TOP_UP adds, CHANNEL_CLOSE ends.

A channel pays for a stream of usage with signatures instead of records: the payer hands the payee
a voucher for the sum so far whenever it has grown, and the payee redeems the last one alone. Making
and checking vouchers is in `tallystick_ledger.vouchers`. Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, ChannelId, PublicKey, Signature, require_length
from tallystick_ledger.records.base import (
    BytesLike,
    Record,
    check_head,
    require,
    require_id,
    require_nonce,
    require_reference,
    require_u64,
    require_u128,
    u128,
    u128_bytes,
)
from tallystick_ledger.records.kinds import Flags, Group, Kind

# kind, flags, cont_count and reserved; payer; payee; deposit; reference; challenge_ns; key; nonce
_CHANNEL: Final = struct.Struct("<HHI16s16s16s16sQ32s16s")
# kind, flags, cont_count and reserved; channel; amount; reserved and cont_hash; nonce
_TOP_UP: Final = struct.Struct("<HHI16s16s72x16s")
# kind, flags, cont_count and reserved; channel; cumulative amount; commitment; signature
_VOUCHER: Final = struct.Struct("<HHI16s16s24s64s")
# kind, flags, cont_count and reserved; channel; reserved and cont_hash; nonce
_CLOSE: Final = struct.Struct("<HHI16s88x16s")

_ZERO: Final = (6, 8)


@dataclass(frozen=True, slots=True)
class Channel(Record):
    """Deposits money of the payer for vouchers of the payee. Signed by the payer.

    Attributes:
        payer_account: Whose money is pinned.
        payee_account: Who may redeem vouchers.
        deposit: 1 to 2**128 - 1, in the unit's smallest step.
        challenge_ns: How long the payee may still redeem once the payer closes; at least a second.
        key: Signs the vouchers: a key of the payer's principal with scope CHANNEL.
        reference: The caller's own number, free; not 0 with `unique`.
        unique: Refuse it if the reference was used within the ledger's window.
    """

    KIND: ClassVar[Kind] = Kind.CHANNEL
    GROUP: ClassVar[Group] = Group.STREAMING

    payer_account: AccountId
    payee_account: AccountId
    deposit: int
    challenge_ns: int
    key: PublicKey
    reference: int = 0
    unique: bool = False

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("payer_account", self.payer_account)
        require_id("payee_account", self.payee_account)
        require_u128("deposit", self.deposit)
        require_u64("challenge_ns", self.challenge_ns)
        require_length("key", self.key, limits.KEY_BYTES)
        require_reference(self.unique, self.reference)
        require(self.deposit > 0, Code.ZERO_AMOUNT, "the deposit is zero")
        require(
            self.payer_account != self.payee_account,
            Code.SELF_TRANSFER,
            "payer and payee are one account",
        )
        # The genesis has the upper bound; see `spec.channels`.
        long_enough = self.challenge_ns >= limits.MIN_CHALLENGE_NS
        require(long_enough, Code.BAD_FIELD, "the challenge period is below a second")

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _CHANNEL.pack(
            Kind.CHANNEL,
            Flags.UNIQUE if self.unique else 0,
            0,
            self.payer_account,
            self.payee_account,
            u128_bytes(self.deposit),
            u128_bytes(self.reference),
            self.challenge_ns,
            self.key,
            nonce,
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        flags = check_head(cls, data, (_ZERO,))
        _, _, _, payer, payee, deposit, reference, challenge, key, _ = _CHANNEL.unpack(data)
        return cls(
            AccountId(payer),
            AccountId(payee),
            u128(deposit),
            challenge,
            PublicKey(key),
            u128(reference),
            unique=bool(flags & Flags.UNIQUE),
        )


@dataclass(frozen=True, slots=True)
class TopUp(Record):
    """Adds to the deposit of an open channel. Signed by the payer.

    Attributes:
        channel: The channel, by the id that its CHANNEL derived.
        amount: 1 to 2**128 - 1, in the unit's smallest step.
    """

    KIND: ClassVar[Kind] = Kind.TOP_UP
    GROUP: ClassVar[Group] = Group.STREAMING

    channel: ChannelId
    amount: int

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("channel", self.channel)
        require_u128("amount", self.amount)
        require(self.amount > 0, Code.ZERO_AMOUNT, "the amount is zero")

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _TOP_UP.pack(Kind.TOP_UP, 0, 0, self.channel, u128_bytes(self.amount), nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, (_ZERO, (40, 112)))
        _, _, _, channel, amount, _ = _TOP_UP.unpack(data)
        return cls(ChannelId(channel), u128(amount))


@dataclass(frozen=True, slots=True)
class Voucher(Record):
    """Redeems a voucher. Signed by the payee; what is inside was signed by the payer.

    Attributes:
        channel: The channel, by the id that its CHANNEL derived.
        cumulative: What the channel pays so far, earlier vouchers included; at least 1.
        commitment: 24 bytes that the payer signed along: what the amount is for.
        signature: By the channel's key; see `vouchers.sign_voucher`.
    """

    KIND: ClassVar[Kind] = Kind.VOUCHER
    GROUP: ClassVar[Group] = Group.STREAMING

    channel: ChannelId
    cumulative: int
    commitment: bytes
    signature: Signature

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("channel", self.channel)
        require_u128("cumulative", self.cumulative)
        require_length("commitment", self.commitment, limits.COMMITMENT_BYTES)
        require_length("signature", self.signature, limits.SIGNATURE_BYTES)
        require(self.cumulative > 0, Code.ZERO_AMOUNT, "the cumulative amount is zero")

    @property
    def nonce_bytes(self) -> int:
        """Zero: the signature is in the nonce's place."""
        return 0

    def encode(self, nonce: bytes = b"") -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, 0)
        amount = u128_bytes(self.cumulative)
        parts = (self.channel, amount, self.commitment, self.signature)
        return _VOUCHER.pack(Kind.VOUCHER, 0, 0, *parts)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, (_ZERO,))
        _, _, _, channel, cumulative, commitment, signature = _VOUCHER.unpack(data)
        return cls(ChannelId(channel), u128(cumulative), commitment, Signature(signature))


@dataclass(frozen=True, slots=True)
class ChannelClose(Record):
    """Closes a channel: the payee's at once, the payer's after the challenge period.

    Attributes:
        channel: The channel, by the id that its CHANNEL derived.
    """

    KIND: ClassVar[Kind] = Kind.CHANNEL_CLOSE
    GROUP: ClassVar[Group] = Group.STREAMING

    channel: ChannelId

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("channel", self.channel)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _CLOSE.pack(Kind.CHANNEL_CLOSE, 0, 0, self.channel, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, (_ZERO, (24, 112)))
        return cls(ChannelId(_CLOSE.unpack(data)[3]))
