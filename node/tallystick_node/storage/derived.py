"""What applying blocks made: derived from the log, rebuilt by replay, never synced for itself.

Per block there is one small batch: its place by sequence number, the ids that it consumed as a
sorted run, and, unless all its records were plain successes, one row of results and effects.
Nothing is put per record or per envelope, but for the names that a block registers (names.py).

The id index. A run's key begins with its largest and smallest id. Ids start with their time of
making, and a run is split where that time crosses a multiple of 2^13 ms (8.2 s), so all runs that
can hold an id have keys between the id and the end of its span. A lookup walks these keys only, and
reads the value of a run only if the id lies between its ends.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from rocksdict import WriteBatch

from tallystick_node.failure import fatal
from tallystick_node.limits import ID_SPAN_BITS
from tallystick_node.storage.database import new_batch
from tallystick_node.storage.names import NameRows
from tallystick_node.storage.rows import index_key, index_of_key

APPLIED_KEY: Final = b"applied"
ID_BYTES: Final = 16
_INDEX_BYTES: Final = 8
ID_ROW_BYTES: Final = 40
_OWNED_ID_BYTES: Final = 32  # id, principal
_ID_TIME_SHIFT: Final = 80  # the upper 48 of 128 bits are milliseconds


class DerivedRows(NameRows):
    """The applied side of a store. Writes belong to the apply thread; reads to any."""

    def write_applied(
        self,
        index: int,
        *,
        first_sequence: int,
        timestamp_ns: int,
        rows: bytes,
        ids: bytes,
        names: bytes = b"",
    ) -> None:
        """Write what applying one block made, not synced. Fatal if it fails.

        Args:
            index: log index of the block.
            first_sequence: sequence number of its first record.
            timestamp_ns: timestamp of its first record.
            rows: results and effects as the caller encodes them; empty for a plain block.
            ids: 40 bytes per consumed id, sorted: envelope id (u128 big-endian), principal (16),
                first sequence number (u64 big-endian).
            names: those that the block registered, as `Applied.names` has them.
        """
        try:
            database = self._database
            key = index_key(index)
            batch = new_batch()
            placed = key + index_key(timestamp_ns)
            batch.put(index_key(first_sequence), placed, database.handles["sequence"])
            if rows:
                batch.put(key, rows, database.handles["applied"])
            if names:
                self.put_names(batch, names)
            for run in _runs(ids):
                batch.put(_run_key(run, key), run, database.handles["ids"])
            self.put_applied_index(batch, index)
            database.write(batch)
        except BaseException as error:  # noqa: BLE001 - nothing that fails here may be survived
            fatal("apply: write", error)

    @staticmethod
    def put_applied_index(batch: WriteBatch, index: int) -> None:
        """Note that everything up to `index` is committed and applied."""
        batch.put(APPLIED_KEY, index_key(index))

    def applied_rows(self, index: int) -> bytes | None:
        """What `write_applied` was given as `rows`; None if that was nothing."""
        rows: bytes | None = self._database.applied.get(index_key(index))
        return rows

    def index_of_sequence(self, sequence: int) -> int | None:
        """Log index of the last block that begins at or before this sequence number."""
        cursor = self._database.sequence.iter()
        cursor.seek_for_prev(index_key(sequence))
        return index_of_key(cursor.value()[:_INDEX_BYTES]) if cursor.valid() else None

    def sequence_of_time(self, time_ns: int, end: int) -> int:
        """Sequence number of the first record that is not older than `time_ns`.

        Timestamps grow with sequence numbers, by one within a block.

        Args:
            time_ns: nanoseconds since 1970.
            end: answered if there is none before it.
        """
        cursor = self._database.sequence.iter()

        def block_at(sequence: int) -> tuple[int, int] | None:
            """(first sequence number, timestamp) of the block that begins at or before it."""
            cursor.seek_for_prev(index_key(sequence))
            if not cursor.valid():
                return None
            return index_of_key(cursor.key()), index_of_key(cursor.value()[_INDEX_BYTES:])

        low, high = 0, end  # a block that begins at `low` or before is older, none at `high`
        while low + 1 < high:
            middle = (low + high) // 2
            block = block_at(middle)
            if block is None or block[1] < time_ns:
                low = middle
            else:
                high = block[0]
        block = block_at(low)
        return high if block is None else min(block[0] + time_ns - block[1], high)

    def find_id(self, principal: bytes, envelope_id: bytes) -> int | None:
        """First sequence number of the envelope that consumed an id.

        Args:
            principal: 16 bytes.
            envelope_id: 16 bytes as in the envelope's header (little-endian).
        """
        wanted = envelope_id[::-1]
        owned = wanted + principal
        cursor = self._database.ids.iter()
        cursor.seek(wanted)
        while cursor.valid():
            key = cursor.key()
            largest, smallest = key[:ID_BYTES], key[ID_BYTES : 2 * ID_BYTES]
            if _span(largest) != _span(wanted):
                break
            if smallest <= wanted:
                sequence = _find_in_run(cursor.value(), owned)
                if sequence is not None:
                    return sequence
            cursor.next()
        return None


def _span(big_endian_id: bytes) -> int:
    """Ids with the same span may share a run."""
    return int.from_bytes(big_endian_id, "big") >> (_ID_TIME_SHIFT + ID_SPAN_BITS)


def _runs(ids: bytes) -> Iterator[bytes]:
    """Cut a sorted run where the time of its ids enters a new span; nearly always one piece."""
    while ids:
        last = _span(ids[-ID_ROW_BYTES:][:ID_BYTES])
        if _span(ids[:ID_BYTES]) == last:
            yield ids
            return
        starts = range(0, len(ids), ID_ROW_BYTES)
        first = _span(ids[:ID_BYTES])
        cut = starts[bisect_left(starts, first + 1, key=lambda at: _span(ids[at : at + ID_BYTES]))]
        yield ids[:cut]
        ids = ids[cut:]


def _run_key(run: bytes, index_bytes: bytes) -> bytes:
    return run[-ID_ROW_BYTES:][:ID_BYTES] + run[:ID_BYTES] + index_bytes


def _find_in_run(run: bytes, owned: bytes) -> int | None:
    starts = range(0, len(run), ID_ROW_BYTES)
    position = bisect_left(starts, owned, key=lambda at: run[at : at + _OWNED_ID_BYTES])
    row = run[position * ID_ROW_BYTES :][:ID_ROW_BYTES]
    return index_of_key(row[_OWNED_ID_BYTES:]) if row[:_OWNED_ID_BYTES] == owned else None
