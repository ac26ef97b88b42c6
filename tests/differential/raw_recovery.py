"""RECOVER and VETO as bytes, right or wrong."""

from tests.differential.raw import RECOVER, VETO, head, u64


def recover(
    key_bytes: bytes, principal_id: bytes, delay_ns: int = 259_200 * 10**9, possession: bytes = b""
) -> bytes:
    parts = {8: key_bytes, 40: possession or b"\x01" * 64, 104: principal_id, 120: u64(delay_ns)}
    return head(RECOVER, 0, parts)


def veto(key_bytes: bytes) -> bytes:
    return head(VETO, 0, {8: key_bytes})
