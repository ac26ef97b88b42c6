"""The history index by account, kept up behind the answers.

Theory of operation
-------------------
The kernel gathers postings while it applies blocks (the core's `_history.pyi`). After each block
the apply thread looks whether a chunk is full, takes it and queues it; the history thread packs and
writes it as a run and merges runs, `HISTORY_FANOUT` of a level into one of the next, so that a
search reads few of them. Nothing of it is between a block and its answer.

What a search reads is always the whole: runs, chunks that wait to be written, and what the kernel
gathers meet without gap or overlap. One lock makes each move from one to the next atomic.

Invariants:

1. Runs, waiting chunks and the kernel's postings cover the records in this order, each once.
2. At most `HISTORY_CHUNKS_WAITING` chunks wait: above, applying waits, so the lag is bounded.
3. Before a checkpoint all that was gathered is written as a part of a chunk (`flush`): behind a
   checkpoint the kernel gathers anew, so the index must reach it. Parts become one run once
   their chunk is complete; so the runs are a function of the log, whenever a node was stopped.
4. An index that does not reach the checkpoint is removed, and the log is replayed from its start.

A failed write, or a page that is damaged, ends the process; in the latter case the catalogue goes
first, so that the next start builds the index anew.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from queue import Empty, Queue
from typing import Final

import structlog
from tallystick_core import (
    HistoryChunk,
    HistoryMerge,
    HistoryPageError,
    HistorySearch,
    Kernel,
    KernelHistory,
)

from tallystick_node.failure import fatal
from tallystick_node.limits import (
    HISTORY_CHUNK_RECORDS,
    HISTORY_CHUNKS_WAITING,
    HISTORY_FANOUT,
    HISTORY_PAGES_A_WRITE,
    MAX_HISTORY_LEVEL,
)
from tallystick_node.storage import Store
from tallystick_node.storage.history import Catalogue, Page, Run, search_run

_log = structlog.get_logger(__name__)
_FIRST_SEQUENCE: Final = 1  # docs/format.md section 8

_Work = HistoryChunk | threading.Event | None


def usable_catalogue(store: Store, chunk_records: int = HISTORY_CHUNK_RECORDS) -> Catalogue | None:
    """The catalogue of an index that can be gone on with."""
    catalogue = store.read_catalogue()
    is_usable = catalogue is not None and catalogue.chunk_records == chunk_records
    return catalogue if is_usable else None


def covered_until(store: Store, chunk_records: int = HISTORY_CHUNK_RECORDS) -> int:
    """Sequence number of the first record that is not in the index on disk."""
    catalogue = usable_catalogue(store, chunk_records)
    return _FIRST_SEQUENCE if catalogue is None else catalogue.end(_FIRST_SEQUENCE)


class History:
    """The index of one node. `applied` and `flush` belong to the apply thread."""

    def __init__(
        self, kernel: Kernel, store: Store, *, chunk_records: int = HISTORY_CHUNK_RECORDS
    ) -> None:
        """Makes it go on from what is on disk, and starts its thread.

        Args:
            kernel: State that the index on disk reaches (`covered_until`), or the genesis'.
            store: Where the runs are.
            chunk_records: Records of a chunk; another figure than that of the index on disk
                builds it anew.

        Raises:
            HistoryGapError: The kernel has applied records that are not in the index.
        """
        catalogue = usable_catalogue(store, chunk_records)
        if catalogue is None:
            store.reset_history()
            catalogue = Catalogue(chunk_records)
        self._store = store
        self._catalogue = catalogue
        end = catalogue.end(_FIRST_SEQUENCE)
        store.clear_history_behind(end)
        self._chunk_records = chunk_records
        self._chunk_first = catalogue.chunk_first(_FIRST_SEQUENCE)
        self._gathering = KernelHistory(
            kernel,
            chunk_first=self._chunk_first,
            since=end,
            chunk_records=chunk_records,
        )
        self._kernel = kernel
        self._lock = threading.Lock()
        self._waiting: tuple[HistoryChunk, ...] = ()
        self._queue: Queue[_Work] = Queue(HISTORY_CHUNKS_WAITING)
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    # -- the apply thread ------------------------------------------------------------------------

    def applied(self, next_sequence: int) -> None:
        """A block was applied. Waits only where the disk cannot keep up.

        Args:
            next_sequence: Sequence number behind the block's last record.
        """
        # The kernel knows it, too, but asking it gives the GIL away once a block.
        if next_sequence - self._chunk_first >= self._chunk_records:
            self._hand_over()

    def flush(self) -> None:
        """Returns once all that was applied is in the index on disk, not synced yet."""
        self._hand_over()
        written = threading.Event()
        self._queue.put(written)
        written.wait()

    def close(self) -> None:
        """Writes what waits and ends the thread; merges are left for the next start."""
        self._queue.put(None)
        self._thread.join()

    def _hand_over(self) -> None:
        with self._lock:
            chunk = self._gathering.take()
            if chunk is None:
                return
            self._waiting += (chunk,)
        if chunk.is_complete:
            self._chunk_first = chunk.end_sequence
        self._queue.put(chunk)

    # -- the history thread ----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._work()
        except HistoryPageError as error:
            self._damaged(error)
        except BaseException as error:  # noqa: BLE001 - a Rust panic is no Exception
            fatal("history", error)

    def _work(self) -> None:
        """Writes what waits; between two chunks, and only then, merges page by page."""
        merge: Iterator[None] | None = None
        while True:
            merge = merge or self._next_merge()
            try:
                work = self._queue.get(block=merge is None)
            except Empty:
                if merge is not None and next(merge, True):
                    merge = None  # it has ended
                continue
            if work is None:
                return
            if isinstance(work, threading.Event):
                work.set()
            else:
                self._write(work)

    def _write(self, chunk: HistoryChunk) -> None:
        runs = self._catalogue.runs
        is_part = not chunk.is_complete or bool(runs and not runs[-1].is_complete)
        run = Run(int(not is_part), chunk.first_sequence, chunk.end_sequence, chunk.is_complete)
        self._store.write_pages(run, self._gathering.pack(chunk))
        catalogue = replace(self._catalogue, runs=(*runs, run))
        with self._lock:
            self._store.publish(catalogue)
            self._catalogue = catalogue
            self._waiting = self._waiting[1:]

    def _next_merge(self) -> Iterator[None] | None:
        """The merge that is due; always the same one for the same runs."""
        runs = self._catalogue.runs
        parts = [run for run in runs if run.level == 0]
        complete = next((number for number, run in enumerate(parts, 1) if run.is_complete), None)
        if complete is not None:
            return self._merge(parts[:complete], 1)
        for level in range(1, MAX_HISTORY_LEVEL):
            peers = [run for run in runs if run.level == level]
            if len(peers) >= HISTORY_FANOUT:
                return self._merge(peers[:HISTORY_FANOUT], level + 1)
        return None

    def _merge(self, inputs: list[Run], level: int) -> Iterator[None]:
        """Makes one run of neighbours; each step is the work of about one page."""
        target = Run(level, inputs[0].first, inputs[-1].end, is_complete=True)
        self._store.clear_run(target)
        merge = HistoryMerge(target.first, len(inputs))
        pages = [self._store.run_pages(run) for run in inputs]
        done: list[Page] = []
        while (wanted := merge.run()) is not None:
            merge.feed(wanted, next(pages[wanted], None))
            done += merge.take_pages()
            if len(done) >= HISTORY_PAGES_A_WRITE:
                self._store.write_pages(target, done)
                done = []
            yield
        self._store.write_pages(target, done + merge.finish())
        runs = self._catalogue.runs
        at = runs.index(inputs[0])
        catalogue = replace(self._catalogue, runs=(*runs[:at], target, *runs[at + len(inputs) :]))
        with self._lock:
            self._store.publish(catalogue, inputs)
            self._catalogue = catalogue

    def _damaged(self, error: HistoryPageError) -> None:
        _log.error("history index is damaged; the next start builds it anew", why=str(error))
        self._store.forget_catalogue()
        fatal("history", error)

    # -- any thread ------------------------------------------------------------------------------

    @property
    def unwritten_records(self) -> int:
        """Records that are found in memory only."""
        return max(0, self._kernel.status().next_sequence - self._catalogue.end(_FIRST_SEQUENCE))

    def search(self, search: HistorySearch, *, account: bytes, newest_first: bool) -> None:
        """Searches all there is.

        Args:
            search: What is looked for.
            account: 16 bytes, that of the search.
            newest_first: The order of the search.
        """
        with self._page_errors():
            if newest_first:
                self._search_back(search, account)
            else:
                self._search_forward(search, account)

    def _search_back(self, search: HistorySearch, account: bytes) -> None:
        with self._lock:
            search.narrow(0, self._gathering.search(search))
            waiting, runs = self._waiting, self._catalogue.runs
            cursor = self._store.history_cursor()
        for chunk in reversed(waiting):
            if _is_done(search):
                return
            self._gathering.search_chunk(chunk, search)
            search.narrow(0, chunk.first_sequence)
        for run in reversed(runs):
            if _is_done(search):
                return
            if run.first < search.high:
                search_run(cursor, run, search, account=account, newest_first=True)
                search.narrow(0, run.first)

    def _search_forward(self, search: HistorySearch, account: bytes) -> None:
        until = search.high
        while not _is_done(search):
            with self._lock:
                first = self._gathering.first_sequence
                if first <= search.low:
                    self._gathering.search(search)
                    return
                waiting, runs = self._waiting, self._catalogue.runs
                cursor = self._store.history_cursor()
            for run in runs:
                if _is_done(search):
                    return
                if run.end > search.low:
                    search_run(cursor, run, search, account=account, newest_first=False)
                    search.narrow(run.end, until)
            for chunk in waiting:
                if _is_done(search):
                    return
                if chunk.end_sequence > search.low:
                    self._gathering.search_chunk(chunk, search)
                    search.narrow(chunk.end_sequence, until)
            if search.low < first:  # nothing is gathered that far back, nor missing
                search.narrow(first, until)

    @contextmanager
    def _page_errors(self) -> Iterator[None]:
        try:
            yield
        except HistoryPageError as error:
            self._damaged(error)


def _is_done(search: HistorySearch) -> bool:
    return search.is_full or search.low >= search.high
