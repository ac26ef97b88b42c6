"""Vouchers: what a payer signs off the ledger, and hands to the payee of a channel.

    voucher = channel.voucher(1_250)            # the payer; no ledger is asked
    text = voucher.hex()                        # to the payee, by whatever way
    voucher = Voucher.from_hex(text)            # the payee
    voucher.verify(channel_key)                 # before it serves any more

A voucher names the sum so far, so each makes the ones before it worthless, and only the last has to
be kept and redeemed. It is 160 bytes; docs/format.md section 13 has the layout.
"""

import struct
from dataclasses import dataclass
from typing import Final

from tallystick.draft import build, require_amount
from tallystick.errors import InvalidArgument, InvalidVoucher
from tallystick_ledger import vouchers
from tallystick_ledger.ids import ChannelId, LedgerId, PublicKey, Signature
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import COMMITMENT_BYTES, VOUCHER_BYTES
from tallystick_ledger.records import Voucher as VoucherRecord

NO_COMMITMENT: Final = bytes(COMMITMENT_BYTES)

# magic, version, reserved; ledger; channel; cumulative amount; commitment; signature
_LAYOUT: Final = struct.Struct("<4sHH32s16s16s24s64s")

commitment_to = vouchers.commitment_to


@dataclass(frozen=True, slots=True)
class Voucher:
    """A signed voucher; making one checks its values, not its signature.

    Attributes:
        ledger_id: The ledger that the channel is on, 32 bytes.
        channel: The channel's id, 16 bytes.
        cumulative: What the channel pays *so far*, in the unit's smallest step; at least 1.
        commitment: 24 bytes: what the amount is for, see `commitment_to`; zeros for nothing.
        signature: By the channel's key, 64 bytes.
    """

    ledger_id: LedgerId
    channel: ChannelId
    cumulative: int
    commitment: bytes
    signature: Signature

    def __post_init__(self) -> None:
        """Raises InvalidArgument for values that no voucher has, TypeError for a sum of floats."""
        require_amount(self.cumulative)
        parts = (self.ledger_id, self.channel, *self._amount)
        build(vouchers.voucher_bytes, *parts)  # what the record does not hold is the ledger's id
        build(VoucherRecord, *parts[1:], self.signature)

    @classmethod
    def sign(
        cls,
        key: SigningKey,
        ledger_id: LedgerId,
        channel: ChannelId,
        cumulative: int,
        commitment: bytes = NO_COMMITMENT,
    ) -> "Voucher":
        """Signs a voucher: from now on the payee may redeem `cumulative` in all.

        Args:
            key: The channel's key.
            ledger_id: The ledger that the channel is on.
            channel: The channel.
            cumulative: What it pays so far, earlier vouchers included.
            commitment: 24 bytes; see `commitment_to`.

        Raises:
            InvalidArgument: A value that no voucher has.
            TypeError: An amount that is no int.
        """
        parts = (ledger_id, channel, require_amount(cumulative), commitment)
        return cls(*parts, build(vouchers.sign_voucher, key, *parts))

    def verify(self, key: PublicKey) -> None:
        """Checks the signature by the very rule of the ledger, without asking it.

        That the channel exists, has this key and enough left is another matter: only the ledger
        knows.

        Args:
            key: The channel's public key, 32 bytes.

        Raises:
            InvalidVoucher: The key did not sign this.
        """
        parts = (self.ledger_id, self.channel, *self._amount)
        if not vouchers.is_valid_voucher(key, *parts, self.signature):
            raise InvalidVoucher(f"The key {key.hex()} did not sign this voucher.")

    @property
    def record(self) -> VoucherRecord:
        """The record that redeems it."""
        return build(VoucherRecord, self.channel, *self._amount, self.signature)

    def encode(self) -> bytes:
        """Returns its 160 bytes."""
        return _LAYOUT.pack(
            vouchers.MAGIC,
            vouchers.FORMAT_VERSION,
            0,
            self.ledger_id,
            self.channel,
            self.cumulative.to_bytes(16, "little"),
            self.commitment,
            self.signature,
        )

    def hex(self) -> str:
        """Returns its bytes as 320 hexadecimal digits."""
        return self.encode().hex()

    @classmethod
    def decode(cls, data: bytes) -> "Voucher":
        """Reads what `encode` made. Its signature is not checked: `verify` does that.

        Raises:
            InvalidArgument: These bytes are no voucher.
        """
        if len(data) != VOUCHER_BYTES:
            raise InvalidArgument(f"A voucher has {VOUCHER_BYTES} bytes, not {len(data)}.")
        magic, version, reserved, ledger, channel, amount, commitment, signature = _LAYOUT.unpack(
            data
        )
        if (magic, version, reserved) != (vouchers.MAGIC, vouchers.FORMAT_VERSION, 0):
            raise InvalidArgument("These bytes are no voucher of a version that is known here.")
        return cls(
            LedgerId(ledger),
            ChannelId(channel),
            int.from_bytes(amount, "little"),
            commitment,
            Signature(signature),
        )

    @classmethod
    def from_hex(cls, text: str) -> "Voucher":
        """Reads what `hex` made; as `decode`.

        Raises:
            InvalidArgument: This text is no voucher.
        """
        try:
            data = bytes.fromhex(text.strip())
        except ValueError as error:
            raise InvalidArgument("A voucher is 320 hexadecimal digits.") from error
        return cls.decode(data)

    @property
    def _amount(self) -> tuple[int, bytes]:
        return self.cumulative, self.commitment
