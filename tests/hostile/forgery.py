"""Envelopes that nobody signed."""

import os
import time
from typing import Final

from tallystick_ledger.ids import new_envelope_id

_ID: Final = slice(80, 96)
_VALID_UNTIL: Final = slice(96, 104)
_S: Final = slice(224, 256)
_LIFE_NS: Final = 60_000_000_000


def spoilt(envelope: bytes, at: int, to: bytes) -> bytes:
    """The envelope with other bytes from `at` on."""
    assert envelope[at : at + len(to)] != to
    return envelope[:at] + to + envelope[at + len(to) :]


def flipped(envelope: bytes, at: int) -> bytes:
    """The envelope with one bit changed."""
    return spoilt(envelope, at, bytes([envelope[at] ^ 1]))


def forged_message(template: bytes, count: int, *, age_s: int = 0) -> bytes:
    """Envelopes that quote a key, with signatures that cost as much to refuse as any can.

    R is a point and S below the group order, so that nothing but the equation tells.

    Args:
        template: An envelope of the victim.
        count: How many.
        age_s: How long ago their ids were made; valid for a minute from then.
    """
    made_ns = time.time_ns() - age_s * 1_000_000_000
    forged = bytearray(template)
    forged[_VALID_UNTIL] = (made_ns + _LIFE_NS).to_bytes(8, "little")
    out = []
    for _ in range(count):
        forged[_ID] = new_envelope_id(made_ns // 1_000_000, os.urandom(10))
        forged[_S] = os.urandom(31) + b"\0"
        out.append(bytes(forged))
    return b"".join(out)
