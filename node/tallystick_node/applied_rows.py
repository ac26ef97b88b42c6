"""What is kept beside a block of how it was applied: derived, and rebuilt by replay.

A block whose records were all plain successes keeps nothing but its place; everything else follows
from the block. The functions here turn what the kernel returned into the stored record, and cut an
envelope's share out of it.
"""

import struct
from typing import Final

from tallystick_core import Applied

from tallystick_node.storage.rows import AppliedRecord

_SPARSE: Final = struct.Struct("<I16s")
_CODE: Final = struct.Struct("<H")
RESULT_BYTES: Final = 16
EFFECT_BYTES: Final = 128
# Rows of ``Applied.envelopes``.
ROW_BYTES: Final = 48
CODE_OFFSET: Final = 12
ORIGINAL_OFFSET: Final = 16


def to_record(index: int, applied: Applied) -> AppliedRecord:
    """What the store keeps of an applied block.

    Args:
        index: Raft index of the block.
        applied: What the kernel returned for it.
    """
    plain = applied.plain
    return AppliedRecord(
        index=index,
        first_sequence=applied.first_sequence,
        record_count=applied.record_count,
        timestamp_ns=applied.timestamp_ns,
        sparse_results=b"" if plain else applied.sparse_results,
        effects=applied.effects,
        effect_counts=applied.effect_counts if applied.effects else b"",
        envelopes=b"" if plain else applied.envelopes,
        ids=applied.ids,
    )


def results_of(record: AppliedRecord | None, first_record: int, count: int) -> bytes:
    """Results, in full, of some records of a block.

    Args:
        record: What is kept of the block, if anything.
        first_record: Index in the block of the first of them.
        count: How many.

    Returns:
        16 bytes each.
    """
    results = bytearray(RESULT_BYTES * count)
    if record is not None:
        for index, result in _SPARSE.iter_unpack(record.sparse_results):
            if first_record <= index < first_record + count:
                at = (index - first_record) * RESULT_BYTES
                results[at : at + RESULT_BYTES] = result
    return bytes(results)


def effects_of(record: AppliedRecord | None, envelope: int) -> bytes:
    """The effects (128 bytes each) of the envelope at this position of the block."""
    if record is None or not record.effect_counts:
        return b""
    counts = memoryview(record.effect_counts).cast("I")
    start = sum(counts[:envelope]) * EFFECT_BYTES
    return record.effects[start : start + counts[envelope] * EFFECT_BYTES]


def code_of(record: AppliedRecord | None, envelope: int) -> int:
    """Envelope code (0 executed, or 64 to 67) at this position of the block."""
    if record is None or not record.envelopes:
        return 0
    return int(_CODE.unpack_from(record.envelopes, envelope * ROW_BYTES + CODE_OFFSET)[0])
