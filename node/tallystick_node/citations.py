"""What a block cites, read from the log before the block is applied.

Theory of operation. The core says from a block's bytes which earlier records it cites: nearly
always none. Each of them lies in a block that was applied before, whose entry and derived rows
stand in the store by then: rows of blocks behind the last checkpoint are written, or written again
by replay, before the next block is applied, and those before it were synced with it. So the same is
found while a node runs, when it replays its log, and on every other node.

A cited record that cannot be read ends the process: going on without it would be another ledger.
"""

import struct
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from tallystick_core import block_header, cited_sequences, cut_records

from tallystick_ledger.citations import posting_of
from tallystick_ledger.ids import SequenceNumber, TimestampNs
from tallystick_node.applied_rows import EFFECT_BYTES, AppliedRows
from tallystick_node.errors import DamagedLogError
from tallystick_node.storage import Store

_CUT: Final = struct.Struct("<IIQ16s32s128s")  # as the core's cut_records has them
_NO_RESULTS: Final = bytes(16)


def citations_of(store: Store, block: bytes) -> bytes:
    """Returns the citations of the next block: 208 bytes for each record that it cites.

    Raises:
        DamagedLogError: One of these records cannot be read.
    """
    packed = cited_sequences(block)
    if not packed:
        return b""
    numbers = memoryview(packed).cast("Q")
    by_block = groupby(numbers, lambda number: _index_of(store, number))
    return b"".join(_of_one_block(store, index, list(group)) for index, group in by_block)


def _index_of(store: Store, number: int) -> int:
    index = store.index_of_sequence(number)
    if index is None:
        raise DamagedLogError(f"record {number} is cited, but is in no block that was applied")
    return index


def _of_one_block(store: Store, index: int, numbers: list[int]) -> bytes:
    payload = store.payload(index)
    if payload is None:
        raise DamagedLogError(f"entry {index} was applied, but is not in the log", index)
    header = block_header(payload)
    row = store.applied_rows(index)
    applied = AppliedRows.decode(row) if row else None
    cuts = _CUT.iter_unpack(cut_records(payload, struct.pack(f"<{len(numbers)}Q", *numbers)))
    found = []
    for number, (envelope, place, _, _, _, record) in zip(numbers, cuts, strict=True):
        first = number - header.first_sequence
        result = _NO_RESULTS if applied is None else applied.results_of(first, 1)
        effects = () if applied is None else _effects(applied, envelope, place)
        timestamp_ns = TimestampNs(header.timestamp_ns + first)
        found.append(posting_of(SequenceNumber(number), timestamp_ns, record, result, effects))
    return b"".join(each.encode() for each in found)


def _effects(applied: AppliedRows, envelope: int, place: int) -> Iterator[bytes]:
    """Those of the record at a place of an envelope."""
    effects = applied.effects_of(envelope)
    for at in range(0, len(effects), EFFECT_BYTES):
        effect = effects[at : at + EFFECT_BYTES]
        if int.from_bytes(effect[4:8], "little") == place:
            yield effect
