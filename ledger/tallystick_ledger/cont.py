"""CONT records: room for heads whose content does not fit in 128 bytes.

A head names how many CONTs follow it and holds a hash over them, so that a head alone commits to
all of its content. Source: docs/format.md section 6.
"""

import hashlib
import struct
from typing import Final

from tallystick_ledger import limits
from tallystick_ledger.errors import FieldError, MalformedError
from tallystick_ledger.records.base import BytesLike, require_nonce
from tallystick_ledger.records.kinds import Kind

CONT_DOMAIN: Final = b"tallystick/cont/v1\0"
# kind, flags, cont_count, zero; payload; nonce
_CONT: Final = struct.Struct("<HHHH104s16s")
_CONT_PREFIX: Final = struct.pack("<HHHH", Kind.CONT, 0, 0, 0)


def cont_count(content_bytes: int) -> int:
    """Returns how many CONTs hold this many bytes."""
    return -(-content_bytes // limits.CONT_PAYLOAD_BYTES)


def encode(content: bytes, nonces: bytes) -> bytes:
    """Spreads content over CONT records, the last zero-padded.

    Args:
        content: At most 64 x 104 bytes.
        nonces: 16 random bytes for each CONT.

    Returns:
        128 bytes for each CONT.

    Raises:
        FieldError: Too long, or the nonces have another length or are zero.
    """
    count = cont_count(len(content))
    if count > limits.MAX_CONT_COUNT:
        raise FieldError(f"{len(content)} bytes need {count} CONTs, at most 64 are allowed")
    require_nonce(nonces, limits.NONCE_BYTES * count)
    records = []
    for index in range(count):
        payload = content[index * limits.CONT_PAYLOAD_BYTES :][: limits.CONT_PAYLOAD_BYTES]
        nonce = nonces[index * limits.NONCE_BYTES :][: limits.NONCE_BYTES]
        records.append(_CONT.pack(Kind.CONT, 0, 0, 0, payload, nonce))
    return b"".join(records)


def content(conts: BytesLike) -> bytes:
    """Returns the payloads of CONT records, joined, their padding included.

    Raises:
        MalformedError: The bytes are no CONT records.
    """
    if len(conts) % limits.RECORD_BYTES:
        raise MalformedError(f"CONTs of {len(conts)} bytes are no multiple of 128")
    payloads = []
    for start in range(0, len(conts), limits.RECORD_BYTES):
        record = conts[start : start + limits.RECORD_BYTES]
        check(record)
        payloads.append(bytes(record[8:112]))
    return b"".join(payloads)


def check(record: BytesLike) -> None:
    """Raises MalformedError unless `record` has a CONT's fixed bytes and a nonce."""
    if record[:8] != _CONT_PREFIX:
        raise MalformedError("a CONT's first eight bytes are fixed")
    if not any(record[112:128]):
        raise MalformedError("the nonce of a CONT is all zero")


def cont_hash(conts: BytesLike) -> bytes:
    """Returns the 32 bytes by which a head commits to its CONTs, 128 bytes each."""
    digest = hashlib.sha256(CONT_DOMAIN)
    digest.update(conts)
    return digest.digest()


def split(data: BytesLike) -> tuple[BytesLike, BytesLike]:
    """Returns a head and its CONTs.

    Raises:
        FieldError: The length is not what the head says.
    """
    if len(data) < limits.RECORD_BYTES or len(data) % limits.RECORD_BYTES:
        raise FieldError(f"{len(data)} bytes are no head with CONTs")
    head, conts = data[: limits.RECORD_BYTES], data[limits.RECORD_BYTES :]
    if int.from_bytes(head[4:6], "little") * limits.RECORD_BYTES != len(conts):
        raise FieldError(f"the head names other CONTs than the {len(conts)} bytes that follow")
    return head, conts


def head_and_content(data: BytesLike) -> tuple[BytesLike, bytes]:
    """Returns a head, and the payloads of its CONTs. See `split`."""
    head, conts = split(data)
    return head, content(conts)
