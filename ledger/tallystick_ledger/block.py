"""The block: envelopes in order, with the sequence number and the time of the first record.

Record r of a block, counted through its envelopes, has sequence number `first_sequence + r` and
timestamp `timestamp_ns + r`. Source: docs/format.md section 8.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from tallystick_ledger import limits
from tallystick_ledger.envelope import Envelope, split_envelopes
from tallystick_ledger.errors import MalformedError
from tallystick_ledger.ids import SequenceNumber, TimestampNs, require_uint

MAGIC: Final = b"TSB1"
FORMAT_VERSION: Final = 1
RULES_VERSION: Final = 1

# magic, format, rules; timestamp; first sequence; envelopes, records, bytes; reserved
_HEADER: Final = struct.Struct("<4sHHQQIII28s")
_RESERVED: Final = bytes(28)


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """The first 64 bytes of a block.

    Attributes:
        timestamp_ns: Of the first record.
        first_sequence: Sequence number of the first record, from 1.
        envelope_count: At least 1.
        record_count: CONTs counted.
        body_bytes: Bytes of envelopes, at most 1 MiB.
        rules_version: Rules by which it is applied.
    """

    timestamp_ns: TimestampNs
    first_sequence: SequenceNumber
    envelope_count: int
    record_count: int
    body_bytes: int
    rules_version: int = RULES_VERSION

    def __post_init__(self) -> None:
        """Raises FieldError for a value that its field cannot hold."""
        require_uint("record count", self.record_count, limits.MAX_U32, 1)
        require_uint("timestamp_ns", self.timestamp_ns, limits.MAX_U64 - self.record_count)
        require_uint("first_sequence", self.first_sequence, limits.MAX_U64 - self.record_count, 1)
        require_uint("envelope count", self.envelope_count, limits.MAX_U32, 1)
        require_uint("body bytes", self.body_bytes, limits.MAX_BLOCK_BODY_BYTES)
        require_uint("rules version", self.rules_version, RULES_VERSION, RULES_VERSION)

    @property
    def next_sequence(self) -> SequenceNumber:
        """First sequence number of the next block."""
        return SequenceNumber(self.first_sequence + self.record_count)

    @property
    def min_next_timestamp_ns(self) -> TimestampNs:
        """Smallest timestamp of the next block."""
        return TimestampNs(self.timestamp_ns + self.record_count)

    def encode(self) -> bytes:
        """Returns 64 bytes."""
        return _HEADER.pack(
            MAGIC,
            FORMAT_VERSION,
            self.rules_version,
            self.timestamp_ns,
            self.first_sequence,
            self.envelope_count,
            self.record_count,
            self.body_bytes,
            _RESERVED,
        )

    @classmethod
    def decode(cls, data: bytes | memoryview) -> Self:
        """Reads 64 bytes.

        Raises:
            MalformedError: They are no block header.
        """
        if len(data) != limits.BLOCK_HEADER_BYTES:
            raise MalformedError(f"a block header has 64 bytes, not {len(data)}")
        magic, version, rules, timestamp, first, envelopes, records, body, reserved = (
            _HEADER.unpack(data)
        )
        if magic != MAGIC or version != FORMAT_VERSION:
            raise MalformedError("magic or format version is not that of a block")
        if reserved != _RESERVED:
            raise MalformedError("reserved bytes of the block header are not zero")
        try:
            return cls(
                TimestampNs(timestamp), SequenceNumber(first), envelopes, records, body, rules
            )
        except ValueError as error:
            raise MalformedError(f"block header: {error}") from error


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the right shape.

    Attributes:
        header: Its first 64 bytes.
        envelopes: In order.
        data: All bytes of it; a view of what was parsed.
    """

    header: BlockHeader
    envelopes: tuple[Envelope, ...]
    data: memoryview

    @classmethod
    def parse(cls, data: bytes | memoryview) -> Self:
        """Reads bytes that are one block and nothing else.

        Raises:
            MalformedError: They are not.
        """
        view = memoryview(data)
        header = BlockHeader.decode(view[: limits.BLOCK_HEADER_BYTES])
        body = view[limits.BLOCK_HEADER_BYTES :]
        if len(body) != header.body_bytes:
            raise MalformedError(f"the header promises {header.body_bytes} bytes, not {len(body)}")
        envelopes = tuple(split_envelopes(body))
        records = sum(envelope.header.record_count for envelope in envelopes)
        if (len(envelopes), records) != (header.envelope_count, header.record_count):
            raise MalformedError(
                f"{len(envelopes)} envelopes of {records} records, but the header says otherwise"
            )
        return cls(header, envelopes, view)


def build(
    envelopes: Sequence[bytes], timestamp_ns: TimestampNs, first_sequence: SequenceNumber
) -> bytes:
    """Returns the block of these envelopes.

    Args:
        envelopes: Sealed; at least one, at most 1 MiB together.
        timestamp_ns: Of the first record.
        first_sequence: Sequence number of the first record.

    Raises:
        MalformedError: One of them is no envelope.
        FieldError: A value that its field cannot hold.
    """
    body = b"".join(envelopes)
    parsed = split_envelopes(body)
    header = BlockHeader(
        timestamp_ns,
        first_sequence,
        len(parsed),
        sum(envelope.header.record_count for envelope in parsed),
        len(body),
    )
    return header.encode() + body
