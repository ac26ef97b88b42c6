"""The Raft log and the hard state on disk.

Theory of operation
-------------------
`write` puts any number of Raft's outputs into one batch, in order: for each, what its entries
conflict with is deleted, then the entries and their meta rows are put; the state row comes last.
The batch is atomic, so the log never has a hole, and an uncommitted suffix disappears in the very
write that replaces it. `sync` makes it durable, once for the group, then moves the sync mark. Only
after `sync` returns may anything be acknowledged.

Invariants:

1. Entries 1 … last_index each have a meta row and a payload that matches it.
2. A committed entry is never deleted or rewritten.
3. The state row's group number is never below the sync mark.

Writes and syncs belong to one thread (persist). A failed one ends the process: the pages may be
gone, so trying again would prove nothing. Reads may come from any thread.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import Final

from rocksdict import WriteBatch

from tallystick_node.errors import DamagedLogError
from tallystick_node.failure import fatal
from tallystick_node.limits import READ_CHUNK_BYTES
from tallystick_node.storage.database import Database, new_batch
from tallystick_node.storage.mark import SyncMark
from tallystick_node.storage.rows import (
    EntryMeta,
    HardState,
    LogEntry,
    StateRow,
    index_key,
    index_of_key,
)

STATE_KEY: Final = b"state"
# Meta rows looked up at a time: 44 bytes each.
_METAS_PER_READ: Final = 256

LogWrite = tuple[Sequence[LogEntry], HardState | None]
"""Entries to append (replacing what they conflict with) and the hard state, if it changed."""


class LogRows:
    """The log side of a store."""

    def __init__(self, database: Database, mark: SyncMark, state: StateRow) -> None:
        self._database = database
        self._mark = mark
        self._state = state
        self._sync_count = 0
        # Held by a write, and by a reader that has to know whether one is under way.
        self._write_lock = threading.Lock()

    # -- writing ---------------------------------------------------------------------------------

    def write(self, group: Sequence[LogWrite]) -> None:
        """Write a group of Raft's outputs in one batch, not yet durable. Fatal if it fails.

        Args:
            group: in the order in which Raft made them.
        """
        try:
            batch = new_batch()
            last, hard_state = self._state.last_index, self._state.hard_state
            for entries, changed in group:
                last = self._add_entries(batch, entries, last)
                hard_state = changed or hard_state
            state = StateRow(hard_state, last, self._state.group + 1)
            batch.put(STATE_KEY, state.encode())
            with self._write_lock:
                self._database.write(batch)
                self._state = state
        except BaseException as error:  # noqa: BLE001 - nothing that fails here may be survived
            fatal("persist: write", error)

    def sync(self) -> None:
        """Make all that was written durable and move the sync mark. Fatal if it fails."""
        try:
            group = self._state.group
            self._database.sync()
            self._mark.advance(group)
            self._sync_count += 1
        except BaseException as error:  # noqa: BLE001 - nothing that fails here may be survived
            fatal("persist: sync", error)

    def _add_entries(self, batch: WriteBatch, entries: Sequence[LogEntry], last: int) -> int:
        if not entries:
            return last
        first = entries[0].index
        if not self._state.hard_state.commit < first <= last + 1:
            raise RuntimeError(f"entry {first} does not follow the log, which ends at {last}")
        database = self._database
        if first <= last:
            for name in ("log", "meta"):
                batch.delete_range(index_key(first), index_key(last + 1), database.handles[name])
        for position, entry in enumerate(entries):
            if entry.index != first + position:
                raise RuntimeError(f"entry {entry.index} stands where {first + position} belongs")
            key = index_key(entry.index)
            batch.put(key, entry.payload, database.handles["log"])
            batch.put(key, EntryMeta.of(entry).encode(), database.handles["meta"])
        return entries[-1].index

    # -- reading ---------------------------------------------------------------------------------

    @property
    def sync_count(self) -> int:
        """Groups made durable since the store was opened."""
        return self._sync_count

    @property
    def last_index(self) -> int:
        """Last entry of the log as written."""
        return self._state.last_index

    def payload(self, index: int) -> bytes | None:
        """The payload of one entry, checked; None where the log does not reach.

        Raises:
            DamagedLogError: it is missing or does not match its digest.
        """
        if not 1 <= index <= self._state.last_index:
            return None
        found = self.entries(index, index + 1)
        return found[0].payload if found else None

    def entries(self, low: int, high: int, max_bytes: int = READ_CHUNK_BYTES) -> list[LogEntry]:
        """Entries from `low` on, up to `high` (exclusive), each checked.

        At least one where the log reaches `low`. Fewer, too, if a suffix is replaced meanwhile.

        Args:
            low: first index.
            high: first index not wanted; may be behind the end of the log.
            max_bytes: the second and later entries are left out above this sum of payloads.

        Raises:
            DamagedLogError: an entry is missing or does not match its digest.
        """
        found: list[LogEntry] = []
        size = 0
        high = min(high, low + _METAS_PER_READ, self._state.last_index + 1)
        keys = [index_key(index) for index in range(low, high)]
        for index, key, row in zip(range(low, high), keys, self._read_metas(keys), strict=True):
            size += _decode_meta(index, row).length if row else 0
            if found and size > max_bytes:
                break
            entry = self._checked(index, row, self._read_payload(index, key))
            if entry is None:
                break
            found.append(entry)
        return found

    def payloads(self, low: int, high: int) -> Iterator[tuple[int, bytes]]:
        """(index, payload) of each entry in [low, high), in order, read in bounded pieces.

        Raises:
            DamagedLogError: an entry is missing or does not match its digest.
        """
        while low < high and (found := self.entries(low, high)):
            for entry in found:
                yield entry.index, entry.payload
            low = found[-1].index + 1

    def _checked(self, index: int, row: bytes | None, payload: bytes | None) -> LogEntry | None:
        """The entry, if row and payload fit; None if it was replaced while it was being read."""
        entry = _match(index, row, payload)
        if entry is not None:
            return entry
        with self._write_lock:
            # No write is under way now: what does not fit is damaged, unless it is gone.
            if index > self._state.last_index:
                return None
            key = index_key(index)
            entry = _match(index, self._read_metas([key])[0], self._read_payload(index, key))
        if entry is None:
            raise _damaged(index, "payload or meta row")
        return entry

    def _read_metas(self, keys: list[bytes]) -> list[bytes | None]:
        try:
            rows: list[bytes | None] | None = self._database.meta.get([*keys])
        except Exception as error:
            raise _damaged(index_of_key(keys[0]), f"meta row ({error})") from error
        if rows is None:
            raise _damaged(index_of_key(keys[0]), "meta row")
        return rows

    def _read_payload(self, index: int, key: bytes) -> bytes | None:
        try:
            payload: bytes | None = self._database.log.get(key)
        except Exception as error:
            raise _damaged(index, f"payload ({error})") from error
        return payload


def check_log(database: Database, state: StateRow) -> tuple[tuple[int, int], ...]:
    """Check that the log is contiguous up to the state row's last index.

    Returns:
        Its terms as runs: (first index, term), ascending.

    Raises:
        DamagedLogError: a meta row is missing, damaged or too many, or terms go back.
    """
    runs: list[tuple[int, int]] = []
    expected = 1
    try:
        for index, row in _meta_rows(database):
            term = _check_meta(expected, index, row, runs[-1][1] if runs else 0)
            if not runs or term > runs[-1][1]:
                runs.append((index, term))
            expected += 1
    except DamagedLogError:
        raise
    except Exception as error:  # rocksdict raises nothing more precise
        raise _damaged(expected, f"meta row ({error})") from error
    if expected != state.last_index + 1:
        raise DamagedLogError(
            f"the log ends at {expected - 1}, but its last write ended at {state.last_index}",
            min(expected, state.last_index + 1),
        )
    if state.hard_state.commit > state.last_index:
        raise DamagedLogError(
            f"entry {state.hard_state.commit} was committed, but the log ends at "
            f"{state.last_index}: acknowledged entries are missing",
            state.last_index + 1,
        )
    return tuple(runs)


def _meta_rows(database: Database) -> Iterator[tuple[int, bytes]]:
    cursor = database.meta.iter()
    cursor.seek_to_first()
    while cursor.valid():
        yield index_of_key(cursor.key()), cursor.value()
        cursor.next()
    cursor.status()  # raises if the cursor stopped because it could not read on


def _check_meta(expected: int, index: int, row: bytes, term_before: int) -> int:
    """The term of the entry at `index`, which must be the expected one."""
    if index != expected:
        raise _damaged(expected, "meta row")
    term = _decode_meta(index, row).term
    if term < term_before:
        raise DamagedLogError(f"entry {index} has a lower term than the one before", index)
    return term


def _match(index: int, row: bytes | None, payload: bytes | None) -> LogEntry | None:
    if row is None or payload is None:
        return None
    meta = _decode_meta(index, row)
    return LogEntry(index, meta.term, payload) if meta.matches(payload) else None


def _decode_meta(index: int, row: bytes) -> EntryMeta:
    try:
        return EntryMeta.decode(row)
    except ValueError as error:
        raise _damaged(index, "meta row") from error


def _damaged(index: int, what: str) -> DamagedLogError:
    return DamagedLogError(
        f"entry {index} of the log was written, but its {what} is missing or damaged; this node "
        "must not vote or acknowledge before it is repaired, or must rejoin under a new id",
        index,
    )
