"""Submit messages to and from bytes by hand, without a protobuf message in between.

Theory of operation
-------------------
`Submit` and `SubmitStream` carry up to 1 MiB of envelopes in one bytes field. Python's protobuf
copies such a field when it is set and again when the message is serialised (about 1.5 ms a MiB);
the functions here copy once. They are wire-compatible with `ledger.proto` in both directions, as
the protobuf encoding specification defines it (protobuf.dev/programming-guides/encoding):

- a field is `varint(number << 3 | wire type)` and then its value;
- wire type 0 is a varint, 2 is `varint(length)` and as many bytes, 1 and 5 are 8 and 4 bytes;
- unknown fields are skipped, the last occurrence of a scalar field wins, fields at their default
  are left out.

A message has at most `MAX_FIELDS` fields: a megabyte of fields of two bytes each would otherwise
keep whoever decodes it busy for half a second.

Pass them to grpc as `request_serializer`, `response_deserializer` and so on. Decoders accept any
bytes and raise `WireError` (a `ValueError`) for what is no message; they never read outside it.
"""

from dataclasses import dataclass
from typing import Final

SERVICE: Final = "tallystick.v1.Ledger"
SUBMIT_METHOD: Final = f"/{SERVICE}/Submit"
SUBMIT_STREAM_METHOD: Final = f"/{SERVICE}/SubmitStream"

# Bytes that a request adds around its envelopes at most: one tag, four bytes of length.
SUBMIT_REQUEST_OVERHEAD: Final = 5

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5
_U64: Final = 2**64
_U32_MASK: Final = 2**32 - 1
# Four are known, each may be repeated, and later versions may add some.
MAX_FIELDS: Final = 64
# A varint carries 7 bits a byte, 64 bits at most.
_VARINT_MAX_BYTES: Final = 10
# A tag is a u32, a length has 31 bits, and no longer encoding of either is one.
_SHORT_MAX_BYTES: Final = 5


class WireError(ValueError):
    """The bytes are not an encoding of the message."""


@dataclass(frozen=True, slots=True)
class LeaderHint:
    """Where the leader answers.

    Attributes:
        raft_id: its Raft id, 0 for unknown.
        address: `host:port` of its client port, empty for unknown.
    """

    raft_id: int
    address: str


@dataclass(frozen=True, slots=True)
class SubmitResponse:
    """An answer to one Submit request; `ledger.proto` has the layouts.

    Attributes:
        outcomes: 32 bytes for each envelope of the request.
        results: 16 bytes for each record that was ordered; empty when all are plain successes.
        retry_after_ms: when to come back, 0 for unsaid.
        leader: where the leader answers, if the node knew.
    """

    outcomes: bytes
    results: bytes = b""
    retry_after_ms: int = 0
    leader: LeaderHint | None = None


def encode_submit_request(envelopes: bytes) -> bytes:
    """Returns the encoding of `SubmitRequest(envelopes=envelopes)`."""
    return _encode_bytes(1, envelopes)


def decode_submit_request(message: bytes) -> bytes:
    """Returns the envelopes of an encoded `SubmitRequest`.

    Raises:
        WireError: the bytes are no protobuf message, or the field has another type.
    """
    envelopes = b""
    for number, value in _fields(message):
        if number == 1:
            envelopes = _as_bytes(value)
    return envelopes


def encode_submit_response(response: SubmitResponse) -> bytes:
    """Returns the encoding of `response` as a protobuf `SubmitResponse`."""
    encoded = _encode_bytes(1, response.outcomes)
    if response.results:
        encoded += _encode_bytes(2, response.results)
    if response.retry_after_ms:
        encoded += b"\x18" + _encode_varint(response.retry_after_ms & _U32_MASK)
    if response.leader is not None:
        encoded += _encode_bytes(4, _encode_hint(response.leader), keep_empty=True)
    return encoded


def decode_submit_response(message: bytes) -> SubmitResponse:
    """Returns the content of an encoded `SubmitResponse`.

    Raises:
        WireError: the bytes are no protobuf message, or a field has another type.
    """
    outcomes = results = b""
    retry_after_ms = 0
    leader: LeaderHint | None = None
    for number, value in _fields(message):
        if number == 1:
            outcomes = _as_bytes(value)
        elif number == 2:
            results = _as_bytes(value)
        elif number == 3:
            retry_after_ms = _as_int(value) & _U32_MASK
        elif number == 4:
            leader = _decode_hint(_as_bytes(value), leader)
    return SubmitResponse(outcomes, results, retry_after_ms, leader)


def _encode_hint(hint: LeaderHint) -> bytes:
    encoded = b"\x08" + _encode_varint(hint.raft_id) if hint.raft_id else b""
    return encoded + _encode_bytes(2, hint.address.encode())


def _decode_hint(message: bytes, earlier: LeaderHint | None) -> LeaderHint:
    """Decodes a hint; occurrences of an embedded message are merged, as protobuf does."""
    raft_id, address = (earlier.raft_id, earlier.address) if earlier else (0, "")
    for number, value in _fields(message):
        if number == 1:
            raft_id = _as_int(value)
        elif number == 2:
            try:
                address = _as_bytes(value).decode()
            except UnicodeDecodeError as error:
                raise WireError("the address of the leader is not UTF-8") from error
    return LeaderHint(raft_id, address)


def _encode_bytes(number: int, value: bytes, *, keep_empty: bool = False) -> bytes:
    if not value and not keep_empty:
        return b""
    # join copies `value` once; `+` would do so for each operand on its left.
    return b"".join((bytes(((number << 3) | _BYTES,)), _encode_varint(len(value)), value))


def _encode_varint(value: int) -> bytes:
    if not 0 <= value < _U64:
        raise ValueError(f"{value} is outside u64")
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _fields(message: bytes) -> list[tuple[int, int | bytes]]:
    """Splits a message into (field number, value); fixed-size fields are skipped."""
    fields: list[tuple[int, int | bytes]] = []
    offset, end = 0, len(message)
    count = 0
    while offset < end:
        count += 1
        if count > MAX_FIELDS:
            raise WireError(f"more than {MAX_FIELDS} fields")
        number, wire_type, offset = _read_tag(message, offset)
        if wire_type == _VARINT:
            value, offset = _read_varint(message, offset)
            fields.append((number, value))
            continue
        if wire_type == _BYTES:
            size, offset = _read_varint(message, offset, _SHORT_MAX_BYTES)
        elif wire_type == _FIXED64:
            size = 8
        elif wire_type == _FIXED32:
            size = 4
        else:
            raise WireError(f"wire type {wire_type}")
        if size > end - offset:
            raise WireError("a field is longer than the message")
        if wire_type == _BYTES:
            fields.append((number, message[offset : offset + size]))
        offset += size
    return fields


def _read_tag(message: bytes, offset: int) -> tuple[int, int, int]:
    """Returns field number, wire type and where the value begins."""
    tag, offset = _read_varint(message, offset, _SHORT_MAX_BYTES)
    number, wire_type = tag >> 3, tag & 7
    if number == 0 or tag > _U32_MASK:
        raise WireError(f"field number {number}")
    return number, wire_type, offset


def _read_varint(
    message: bytes, offset: int, max_bytes: int = _VARINT_MAX_BYTES
) -> tuple[int, int]:
    value = shift = 0
    for position in range(offset, min(offset + max_bytes, len(message))):
        byte = message[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (_U64 - 1), position + 1
        shift += 7
    raise WireError("a varint that does not end")


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise WireError("a number where bytes belong")
    return value


def _as_int(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise WireError("bytes where a number belongs")
    return value
