"""Exchange quotes as raw bytes, right or wrong, and the TRANSFERs that take them; see `raw`."""

import hashlib

from tests.differential.raw import NONCE, RECORD_BYTES, ZERO_ID, spread, u64, u128, with_conts

DOMAIN = b"tallystick/exchange/v1\0"


def body(
    key_bytes: bytes,
    accounts: tuple[bytes, bytes],
    ratio: tuple[int, int],
    cap: int,
    not_after_ns: int,
    *,
    taker: bytes = ZERO_ID,
    nonce: bytes = NONCE,
) -> bytes:
    """An exchange quote without its signature.

    Args:
        key_bytes: The maker's key.
        accounts: The maker's: from which it gives, to which it takes.
        ratio: What it gives, for how much.
        cap: How much it gives in all.
        not_after_ns: Its end.
        taker: Who may take it; zero for anyone.
        nonce: Any 16 bytes.
    """
    amounts = u128(ratio[0]) + u128(ratio[1]) + u128(cap)
    return key_bytes + accounts[0] + accounts[1] + taker + amounts + u64(not_after_ns) + nonce


def quote_id(quote_body: bytes) -> bytes:
    return hashlib.sha256(DOMAIN + quote_body).digest()[:16]


def exchanged(transfer_record: bytes, receiving: bytes, output: int, quote: bytes) -> bytes:
    """A TRANSFER that takes an exchange quote: its body, and its signature behind it."""
    content = receiving + u128(output) + quote
    return with_conts(transfer_record[:RECORD_BYTES], spread(content))
