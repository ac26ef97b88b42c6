"""Rows of the history index by account: derived from the log, rebuilt by replay.

A *run* is the postings of some neighbouring records as pages, sorted by account (the core's
`_history.pyi`). Family `history`:

| key | value |
|---|---|
| level (1) ‖ first sequence number (8) ‖ account (16) ‖ sequence number (8) | page |

The numbers are big-endian; the last two are those of the page's first posting. The *catalogue*, a
row of the default family, lists the runs that count, in the order of the log and without gaps. It
changes in one batch with the removal of what it no longer lists, and only after all pages of a new
run are there: what is not listed is rubbish of a crash, and cleared away before its key is used.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from rocksdict import RdictIter
from tallystick_core import HistorySearch

from tallystick_node.failure import fatal
from tallystick_node.limits import HISTORY_PAGES_A_WRITE, MAX_HISTORY_LEVEL
from tallystick_node.storage.database import Database, new_batch

CATALOGUE_KEY: Final = b"history"
_VERSION: Final = 1
_HEAD: Final = struct.Struct("<HHI")
_RUN: Final = struct.Struct("<BB6xQQ")
_PREFIX: Final = struct.Struct(">BQ")
_NUMBER: Final = struct.Struct(">Q")
_IS_COMPLETE: Final = 1

Page = tuple[bytes, bytes, int]
"""Account and first sequence number as a key of 24 bytes, the page, its postings."""


@dataclass(frozen=True, slots=True)
class Run:
    """A sorted piece of the index.

    Attributes:
        level: 0 a part of a chunk; 1 a chunk; each higher one holds several of the one below.
        first: Sequence number of its first record.
        end: The one behind its last.
        is_complete: Whether its chunk ends with it; always, from level 1 on.
    """

    level: int
    first: int
    end: int
    is_complete: bool

    @property
    def prefix(self) -> bytes:
        """What the keys of its pages begin with."""
        return _PREFIX.pack(self.level, self.first)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The runs that count.

    Attributes:
        chunk_records: What the chunks were cut by.
        runs: In the order of the log.
    """

    chunk_records: int
    runs: tuple[Run, ...] = ()

    def end(self, first: int) -> int:
        """The sequence number behind the last indexed record; `first` if there is none."""
        return self.runs[-1].end if self.runs else first

    def chunk_first(self, first: int) -> int:
        """Where the chunk begins that the next record belongs to; `first` for the very first."""
        return next((run.end for run in reversed(self.runs) if run.is_complete), first)

    def encode(self) -> bytes:
        """The row."""
        head = _HEAD.pack(_VERSION, 0, self.chunk_records)
        return head + b"".join(
            _RUN.pack(run.level, run.is_complete * _IS_COMPLETE, run.first, run.end)
            for run in self.runs
        )

    @classmethod
    def decode(cls, row: bytes) -> Self | None:
        """Reads a row; None if it is none, or not of this version: then the index is rebuilt."""
        if len(row) < _HEAD.size or (len(row) - _HEAD.size) % _RUN.size:
            return None
        version, _, chunk_records = _HEAD.unpack_from(row)
        if version != _VERSION:
            return None
        parts = _RUN.iter_unpack(row[_HEAD.size :])
        runs = tuple(
            Run(level, first, end, bool(flags & _IS_COMPLETE)) for level, flags, first, end in parts
        )
        ends = (run.end for run in runs)
        if any(run.first != end for run, end in zip(runs[1:], ends, strict=False)):
            return None
        return cls(chunk_records, runs)


class HistoryRows:
    """The index's side of a store. Writes belong to the history thread, reads to any."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read_catalogue(self) -> Catalogue | None:
        """What the store has of an index; None for none, or none that can be used."""
        row: bytes | None = self._database.rows.get(CATALOGUE_KEY)
        return None if row is None else Catalogue.decode(row)

    def reset_history(self) -> None:
        """Remove the whole index. Fatal if it fails."""
        try:
            batch = new_batch()
            batch.delete(CATALOGUE_KEY)
            batch.delete_range(b"\x00", b"\xff", self._database.handles["history"])
            self._database.write(batch)
        except BaseException as error:  # noqa: BLE001 - nothing that fails here may be survived
            fatal("history: write", error)

    def clear_history_behind(self, end: int) -> None:
        """Remove what no catalogue lists from sequence number `end` on. Fatal if it fails."""
        levels = range(MAX_HISTORY_LEVEL + 1)
        self._delete([(_PREFIX.pack(level, end), bytes([level + 1])) for level in levels])

    def clear_run(self, run: Run) -> None:
        """Remove what a crash may have left under a run's key. Fatal if it fails."""
        self._delete([_range_of(run)])

    def write_pages(self, run: Run, pages: Sequence[Page]) -> None:
        """Write pages of a run that is not listed yet. Fatal if it fails."""
        try:
            for start in range(0, len(pages), HISTORY_PAGES_A_WRITE):
                batch = new_batch()
                for key, page, _ in pages[start : start + HISTORY_PAGES_A_WRITE]:
                    batch.put(run.prefix + key, page, self._database.handles["history"])
                self._database.write(batch)
        except BaseException as error:  # noqa: BLE001 - nothing that fails here may be survived
            fatal("history: write", error)

    def publish(self, catalogue: Catalogue, removed: Sequence[Run] = ()) -> None:
        """Write a catalogue, and remove what it no longer lists. Fatal if it fails."""
        self._delete([_range_of(run) for run in removed], catalogue)

    def forget_catalogue(self) -> None:
        """Remove the catalogue durably, so that the next start builds the index anew."""
        self._database.rows.delete(CATALOGUE_KEY)
        self._database.sync()

    def history_cursor(self) -> RdictIter:
        """The pages as they are now, whatever is removed meanwhile."""
        return self._database.history.iter()

    def run_pages(self, run: Run) -> Iterator[bytes]:
        """All pages of a run, ascending."""
        cursor = self.history_cursor()
        cursor.seek(run.prefix)
        while cursor.valid() and cursor.key().startswith(run.prefix):
            yield cursor.value()
            cursor.next()
        cursor.status()  # raises if the cursor stopped because it could not read on

    def _delete(
        self, ranges: Iterable[tuple[bytes, bytes]], catalogue: Catalogue | None = None
    ) -> None:
        """Remove ranges; with the catalogue that says so, or all of it."""
        try:
            batch = new_batch()
            for low, high in ranges:
                batch.delete_range(low, high, self._database.handles["history"])
            if catalogue is not None:
                batch.put(CATALOGUE_KEY, catalogue.encode())
            self._database.write(batch)
        except BaseException as error:  # noqa: BLE001 - nothing that fails here may be survived
            fatal("history: write", error)


def _range_of(run: Run) -> tuple[bytes, bytes]:
    return run.prefix, _PREFIX.pack(run.level, run.first + 1)


def search_run(
    cursor: RdictIter, run: Run, search: HistorySearch, *, account: bytes, newest_first: bool
) -> None:
    """Search the pages of a run.

    Args:
        cursor: From a moment at which the run was listed.
        run: Which.
        search: What is looked for.
        account: 16 bytes, that of the search.
        newest_first: The order of the search.

    Raises:
        HistoryPageError: A page is damaged.
    """
    prefix = run.prefix
    own = prefix + account
    place = max(search.high, 1) - 1 if newest_first else search.low
    cursor.seek_for_prev(own + _NUMBER.pack(place))
    if not newest_first and not (cursor.valid() and cursor.key().startswith(prefix)):
        cursor.seek(prefix)
    while cursor.valid() and not search.is_full:
        key = cursor.key()
        # The page that `place` leads to may begin with a smaller account; all others must not.
        if not key.startswith(prefix) or (key > own and not key.startswith(own)):
            break
        search.page(cursor.value())
        if newest_first:
            if key <= own + _NUMBER.pack(search.low):
                break
            cursor.prev()
        else:
            cursor.next()
            if not cursor.valid() or cursor.key() >= own + _NUMBER.pack(search.high):
                break
    cursor.status()  # raises if the cursor stopped because it could not read on
