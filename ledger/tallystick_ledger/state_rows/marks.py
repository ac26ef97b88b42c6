"""Rows of what must not come twice: envelope ids and UNIQUE references."""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger.ids import EnvelopeId, PrincipalId, SequenceNumber, TimestampNs
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.records.kinds import Group
from tallystick_ledger.state_rows.base import Row, Table

_LIVE_ID: Final = struct.Struct("<Q16s16s32sQI4x")
_REFERENCE: Final = struct.Struct("<Q16sH6x16sQ")


@dataclass(frozen=True, slots=True)
class LiveIdRow(Row):
    """An envelope id that is used up, for as long as it could come again.

    Attributes:
        first_sequence: Sequence number of the envelope's first record.
        principal: Whose key signed it.
        envelope_id: The id.
        header_digest: SHA-256 of the header: tells the same envelope from another.
        block_timestamp_ns: When it was ordered.
        record_count: Records of the envelope.
    """

    TABLE: ClassVar[Table] = Table.LIVE_ID
    LAYOUT: ClassVar[struct.Struct] = _LIVE_ID

    first_sequence: SequenceNumber
    principal: PrincipalId
    envelope_id: EnvelopeId
    header_digest: bytes
    block_timestamp_ns: TimestampNs
    record_count: int

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.first_sequence.to_bytes(8, "big")

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _LIVE_ID.pack(
            self.first_sequence,
            self.principal,
            self.envelope_id,
            self.header_digest,
            self.block_timestamp_ns,
            self.record_count,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        first, principal, envelope_id, digest, timestamp, count = _LIVE_ID.unpack(data)
        return cls(
            SequenceNumber(first),
            PrincipalId(principal),
            EnvelopeId(envelope_id),
            digest,
            TimestampNs(timestamp),
            count,
        )


@dataclass(frozen=True, slots=True)
class ReferenceRow(Row):
    """A UNIQUE reference that was used.

    Attributes:
        sequence_number: Of the record that used it.
        principal: Who signed that.
        group: References are unique per principal and group.
        reference: The number, not 0.
        timestamp_ns: Of the record.
    """

    TABLE: ClassVar[Table] = Table.REFERENCE
    LAYOUT: ClassVar[struct.Struct] = _REFERENCE

    sequence_number: SequenceNumber
    principal: PrincipalId
    group: Group
    reference: int
    timestamp_ns: TimestampNs

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.sequence_number.to_bytes(8, "big")

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _REFERENCE.pack(
            self.sequence_number,
            self.principal,
            self.group,
            u128_bytes(self.reference),
            self.timestamp_ns,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        sequence_number, principal, group, reference, timestamp = _REFERENCE.unpack(data)
        return cls(
            SequenceNumber(sequence_number),
            PrincipalId(principal),
            Group(group),
            u128(reference),
            TimestampNs(timestamp),
        )
