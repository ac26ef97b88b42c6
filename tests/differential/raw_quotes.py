"""Quotes as raw bytes, right or wrong, and the records that redeem them; see `raw`."""

import hashlib
from collections.abc import Sequence

from tests.differential.raw import (
    NONCE,
    RECORD_BYTES,
    ZERO_ID,
    patched,
    spread,
    u16,
    u64,
    u128,
    with_conts,
)


def quote_line(
    model: bytes, meter: bytes, amount: int, tier: bytes = ZERO_ID, region: bytes = ZERO_ID
) -> bytes:
    return model + meter + tier + region + u128(amount)


def quote_body(
    key_bytes: bytes,
    beneficiary: bytes,
    unit_id: bytes,
    cap: int,
    not_after_ns: int,
    lines: Sequence[bytes],
    nonce: bytes = NONCE,
) -> bytes:
    """A quote without its signature."""
    terms_part = beneficiary + unit_id + u128(cap) + u64(not_after_ns) + nonce
    return key_bytes + terms_part + b"".join(lines)


def quote_id(body: bytes) -> bytes:
    return hashlib.sha256(b"tallystick/quote/v1\0" + body).digest()[:16]


def quote(body: bytes, signature: bytes) -> bytes:
    """The content of the CONTs that bring a quote along."""
    return u16((len(body) - 104) // 80) + bytes(6) + body + signature


def quoted(reserve_record: bytes, content: bytes, quote_content: bytes = b"") -> bytes:
    """A RESERVE of mode QUOTE; `content` as `terms` makes it, with the quote for a card."""
    moved = ZERO_ID + content[16:].ljust(184, b"\0") + content[:16]
    payloads = spread(moved, 3) + spread(quote_content)
    return with_conts(patched(reserve_record, 6, u16(2)), payloads)


def meter_quoted(meter_record: bytes, content: bytes, quote_content: bytes = b"") -> bytes:
    """A METER that a quote prices; `content` as `metered` makes it, with the quote for a card."""
    head_record = patched(meter_record[:RECORD_BYTES], 7, b"\x01")
    return with_conts(head_record, spread(content) + spread(quote_content))
