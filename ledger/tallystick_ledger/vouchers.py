"""Vouchers: what a payer signs, off the ledger, each time its debt on a channel has grown.

A voucher names a cumulative amount, so the payee needs to keep the last one only, and a lost or
repeated one does no harm. The payee should check each when it arrives, since nobody can redeem
what does not verify: `is_valid_voucher` is the very rule of the ledger.
Source: docs/format.md section 6.
"""

import hashlib
from typing import Final

from tallystick_ledger import keys, limits
from tallystick_ledger.ids import ChannelId, LedgerId, PublicKey, Signature, require_length
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records.base import require_id, require_u128, u128_bytes

VOUCHER_DOMAIN: Final = b"tallystick/voucher/v1\0"
# Of a voucher that is handed over (docs/format.md section 13).
MAGIC: Final = b"TSV1"
FORMAT_VERSION: Final = 1


def voucher_bytes(
    ledger_id: LedgerId, channel: ChannelId, cumulative: int, commitment: bytes
) -> bytes:
    """Returns what a voucher signs.

    Raises:
        FieldError: A value fits no field.
    """
    require_length("ledger id", ledger_id, limits.HASH_BYTES)
    require_id("channel", channel)
    require_u128("cumulative", cumulative)
    require_length("commitment", commitment, limits.COMMITMENT_BYTES)
    return VOUCHER_DOMAIN + ledger_id + channel + u128_bytes(cumulative) + commitment


def sign_voucher(
    signing_key: SigningKey,
    ledger_id: LedgerId,
    channel: ChannelId,
    cumulative: int,
    commitment: bytes,
) -> Signature:
    """Signs a voucher: from now on the payee may redeem `cumulative` in all.

    Args:
        signing_key: The channel's key.
        ledger_id: The ledger that the channel is on.
        channel: The channel.
        cumulative: What it pays so far, in the unit's smallest step.
        commitment: 24 bytes; see `commitment_to`.

    Raises:
        FieldError: A value fits no field.
    """
    return signing_key.sign(voucher_bytes(ledger_id, channel, cumulative, commitment))


def is_valid_voucher(
    key: PublicKey,
    ledger_id: LedgerId,
    channel: ChannelId,
    cumulative: int,
    commitment: bytes,
    signature: Signature,
) -> bool:
    """Returns whether the ledger would take the signature for that of the channel's key.

    Raises:
        FieldError: A value fits no field.
    """
    message = voucher_bytes(ledger_id, channel, cumulative, commitment)
    return keys.is_valid_signature(key, message, signature)


def commitment_to(usage: bytes) -> bytes:
    """Returns 24 bytes that commit to what an amount is for, such as a usage report."""
    return hashlib.sha256(usage).digest()[: limits.COMMITMENT_BYTES]
