"""What is kept beside a block of how it was applied: derived, and rebuilt by replay.

A block whose records were all plain successes needs nothing: no row is written. Otherwise one row
holds what differs from success. Layout (little-endian)::

    u32 envelope count | u32 sparse result count | u32 effect count
    envelope count x (u16 code, u16 0, u32 effects of this envelope)
    sparse results: u32 record index in the block, 16-byte result; ascending
    effects: 128 bytes each, in order
"""

import struct
from dataclasses import dataclass
from typing import Final

from tallystick_core import Applied

_HEAD: Final = struct.Struct("<III")
_ENVELOPE: Final = struct.Struct("<HHI")
_SPARSE: Final = struct.Struct("<I16s")
_CODE: Final = struct.Struct("<H")
RESULT_BYTES: Final = 16
EFFECT_BYTES: Final = 128
# Rows of ``Applied.envelopes``.
ROW_BYTES: Final = 48
CODE_OFFSET: Final = 12
ORIGINAL_OFFSET: Final = 16


def encode_applied(applied: Applied) -> bytes:
    """The row for a block; empty when all its records were plain successes."""
    if applied.plain:
        return b""
    counts = memoryview(applied.effect_counts).cast("I")
    rows = applied.envelopes
    envelopes = b"".join(
        _ENVELOPE.pack(_CODE.unpack_from(rows, position * ROW_BYTES + CODE_OFFSET)[0], 0, count)
        for position, count in enumerate(counts)
    )
    sparse = applied.sparse_results
    head = _HEAD.pack(
        len(counts), len(sparse) // _SPARSE.size, len(applied.effects) // EFFECT_BYTES
    )
    return b"".join((head, envelopes, sparse, applied.effects))


@dataclass(frozen=True, slots=True)
class AppliedRows:
    """A decoded row.

    Attributes:
        codes: Envelope code of each envelope: 0 executed, or 64 to 67.
        effect_counts: Effects of each envelope.
        sparse_results: ``(u32 index, 16 bytes)`` of each record that was no plain success.
        effects: 128 bytes each.
    """

    codes: tuple[int, ...]
    effect_counts: tuple[int, ...]
    sparse_results: bytes
    effects: bytes

    @classmethod
    def decode(cls, row: bytes) -> "AppliedRows":
        """Reads a row.

        Raises:
            ValueError: Its sizes do not fit.
        """
        if len(row) < _HEAD.size:
            message = "applied row is torn"
            raise ValueError(message)
        envelope_count, sparse_count, effect_count = _HEAD.unpack_from(row)
        at_sparse = _HEAD.size + envelope_count * _ENVELOPE.size
        at_effects = at_sparse + sparse_count * _SPARSE.size
        if len(row) != at_effects + effect_count * EFFECT_BYTES:
            message = "applied row has the wrong size"
            raise ValueError(message)
        entries = list(_ENVELOPE.iter_unpack(row[_HEAD.size : at_sparse]))
        return cls(
            tuple(code for code, _, _ in entries),
            tuple(count for _, _, count in entries),
            row[at_sparse:at_effects],
            row[at_effects:],
        )

    def results_of(self, first_record: int, count: int) -> bytes:
        """The 16-byte results, in full, of ``count`` records from ``first_record`` in the block."""
        results = bytearray(RESULT_BYTES * count)
        for index, result in _SPARSE.iter_unpack(self.sparse_results):
            if first_record <= index < first_record + count:
                at = (index - first_record) * RESULT_BYTES
                results[at : at + RESULT_BYTES] = result
        return bytes(results)

    def effects_of(self, envelope: int) -> bytes:
        """The effects of the envelope at this position of the block."""
        start = sum(self.effect_counts[:envelope]) * EFFECT_BYTES
        return self.effects[start : start + self.effect_counts[envelope] * EFFECT_BYTES]
