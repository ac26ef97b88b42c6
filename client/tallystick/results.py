"""What the ledger answered, as frozen values.

A `Receipt` is an ordered envelope's answer. Results stay the bytes that the node sent (16 a
record, none at all when every record is a plain success) until somebody looks at them: an envelope
of 8,190 records costs no 8,190 objects.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from tallystick.errors import RecordRefused, Refused
from tallystick.refusals import record_refused, refused
from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import EnvelopeId, SequenceNumber, TimestampNs

# code, flags, detail, reserved: docs/format.md section 7.
_RESULT: Final = struct.Struct("<HHIQ")
_ID = TypeVar("_ID", bound=bytes)


@dataclass(frozen=True, slots=True)
class RecordResult:
    """One record's result.

    Attributes:
        code: OK, or why the record changed nothing.
        detail: Zero but where docs/semantics.md says otherwise.
        sequence: The record's sequence number in the ledger.
        timestamp_ns: The record's timestamp, nanoseconds since 1970.
    """

    code: Code
    detail: int
    sequence: SequenceNumber
    timestamp_ns: TimestampNs

    @property
    def ok(self) -> bool:
        """Whether the record did what it says."""
        return self.code == Code.OK


@dataclass(frozen=True, slots=True)
class Receipt:
    """An envelope that a majority of the nodes has on disk, and what became of its records.

    Attributes:
        envelope_id: 16 bytes, as in the header.
        sequence: Sequence number of its first record; record i has `sequence + i`.
        timestamp_ns: Timestamp of its first record; record i has `timestamp_ns + i`.
        record_count: Records in it, CONTs included.
        result_bytes: 16 bytes a record as docs/format.md lays them out; empty when all are OK.
        duplicate: Whether this answer is that of an earlier ordering of the same envelope.
    """

    envelope_id: EnvelopeId
    sequence: SequenceNumber
    timestamp_ns: TimestampNs
    record_count: int
    result_bytes: bytes = b""
    duplicate: bool = False

    @property
    def ok(self) -> bool:
        """Whether every record did what it says."""
        return not any(self.result_bytes)

    @property
    def results(self) -> tuple[RecordResult, ...]:
        """The result of each record, in order; made at each call."""
        return tuple(self[index] for index in range(self.record_count))

    @property
    def refusals(self) -> Iterator[tuple[int, RecordResult]]:
        """Yields (index, result) of each record that was refused."""
        if self.ok:
            return
        for index, (code, _, _, _) in enumerate(_RESULT.iter_unpack(self.result_bytes)):
            if code:
                yield index, self[index]

    @property
    def ok_count(self) -> int:
        """Records that did what they say, CONTs included."""
        return self.record_count - sum(1 for _ in self.refusals)

    def __getitem__(self, index: int) -> RecordResult:
        """Returns the result of the record at `index`.

        Raises:
            IndexError: there is no such record.
        """
        if not 0 <= index < self.record_count:
            raise IndexError(f"record {index} of {self.record_count}")
        code, detail = 0, 0
        if self.result_bytes:
            code, _, detail, _ = _RESULT.unpack_from(self.result_bytes, index * limits.RESULT_BYTES)
        return RecordResult(
            Code(code),
            detail,
            SequenceNumber(self.sequence + index),
            TimestampNs(self.timestamp_ns + index),
        )

    def error(self) -> RecordRefused | None:
        """Returns the refusal to blame, or None when all is well.

        In an ATOMIC envelope that is the record at fault, not those undone because of it.
        """
        first: RecordRefused | None = None
        for index, result in self.refusals:
            if result.code != Code.ATOMIC_ABORTED:
                return record_refused(result.code, index, result.detail, self)
            first = first or record_refused(result.code, index, result.detail, self)
        return first

    def require_ok(self) -> "Receipt":
        """Returns this receipt.

        Raises:
            RecordRefused: a record was refused; the subclass says how.
        """
        error = self.error()
        if error is not None:
            raise error
        return self


@dataclass(frozen=True, slots=True)
class Created(Generic[_ID]):
    """Something new in the ledger.

    Attributes:
        id: Its 16 bytes; derived, so it was known before the ledger answered.
        receipt: That of the envelope which made it.
    """

    id: _ID
    receipt: Receipt

    @property
    def hex(self) -> str:
        """The id as 32 hexadecimal digits."""
        return self.id.hex()


# An outcome of ledger.proto: code, reserved, record count, first sequence number, timestamp.
OUTCOME: Final = struct.Struct("<HHIQQ8x")


def outcome_of(
    envelope_id: EnvelopeId,
    code: int,
    record_count: int,
    placed: tuple[int, int],
    result_bytes: bytes,
) -> Receipt | Refused:
    """Returns what an ordered envelope's answer means.

    An envelope that expired has used up its id: every resend is answered DUPLICATE with the
    results of the first, all EXPIRED. It must be told the same way each time.

    Args:
        envelope_id: Of the envelope.
        code: 0 or DUPLICATE for executed, else the envelope's code.
        record_count: Records in it.
        placed: Sequence number and timestamp of its first record.
        result_bytes: 16 bytes a record, or empty when all are OK.

    Raises:
        ValueError: A code that is not known here.
    """
    first = int.from_bytes(result_bytes[:2], "little")
    if code == Code.DUPLICATE and first in (Code.EXPIRED, Code.ID_CONFLICT, Code.UNKNOWN_KEY):
        code = first
    if code not in (Code.OK, Code.DUPLICATE):
        return refused(Code(code), envelope_id)
    return Receipt(
        envelope_id,
        SequenceNumber(placed[0]),
        TimestampNs(placed[1]),
        record_count,
        result_bytes if any(result_bytes) else b"",
        code == Code.DUPLICATE,
    )
