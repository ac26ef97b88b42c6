"""The apply worker: committed entries through the kernel, on a thread of its own.

Theory of operation. Committed entries arrive in log order from the event loop. The thread runs the
kernel (the GIL is released), writes one batch of derived rows (unsynced: replay rebuilds them), and
posts the result back to the loop. State is checkpointed after so many bytes of log; a restart loads
the newest checkpoint and replays the tail.

Invariants:

1. Entries are applied once each, in order, without gaps; a gap ends the process.
2. What a block cites is read from the log before it is applied (citations.py).
3. Derived rows are written before the loop hears of the block, so an answer never refers to rows
   that cannot be read.
4. Before a checkpoint the history index is brought up to it (history.py); else it is kept up behind
   the answers.
5. Any failure ends the process: a node that cannot apply what is committed has nothing to say.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from tallystick_core import Applied, Kernel

from tallystick_node.applied_rows import encode_applied
from tallystick_node.citations import citations_of
from tallystick_node.failure import fatal
from tallystick_node.history import History
from tallystick_node.limits import CHECKPOINT_SIZE_FACTOR
from tallystick_node.metrics import WritePathMetrics
from tallystick_node.replica import CommittedEntry
from tallystick_node.storage import Store

OnApplied = Callable[[int, int, Applied | None], None]


def apply_entry(
    kernel: Kernel, store: Store, index: int, payload: bytes, *, threads: int = 1
) -> Applied | None:
    """Applies one committed entry and writes its derived rows.

    Args:
        kernel: The state.
        store: Where the derived rows go, and what the block cites comes from.
        index: Raft index.
        payload: A block, or nothing for Raft's own entries.
        threads: How many verify the signatures of its vouchers.

    Returns:
        What the kernel said; None for an entry without a block.

    Raises:
        DamagedLogError: A record that the block cites cannot be read.
    """
    if not payload:
        return None
    applied = kernel.apply(payload, threads, citations_of(store, payload))
    store.write_applied(
        index,
        first_sequence=applied.first_sequence,
        timestamp_ns=applied.timestamp_ns,
        rows=encode_applied(applied),
        ids=applied.ids,
        names=applied.names,
    )
    return applied


class ApplyWorker:
    """Owns the apply thread."""

    def __init__(
        self,
        *,
        kernel: Kernel,
        store: Store,
        history: History,
        applied_index: int,
        on_applied: OnApplied,
        metrics: WritePathMetrics,
        checkpoint_every_bytes: int,
        threads: int,
    ) -> None:
        """Makes a worker.

        Args:
            kernel: State as of ``applied_index``.
            store: Derived rows and checkpoints.
            history: Told of every block.
            applied_index: Last index that the kernel has applied.
            on_applied: Called on the event loop with (index, term, applied).
            metrics: Phase histograms.
            checkpoint_every_bytes: Log applied between two checkpoints, at least.
            threads: How many verify the signatures of vouchers.
        """
        self._kernel = kernel
        self._store = store
        self._history = history
        self._applied_index = applied_index
        self._on_applied = on_applied
        self._metrics = metrics
        self._checkpoint_every_bytes = checkpoint_every_bytes
        self._threads = threads
        self._queue: SimpleQueue[CommittedEntry | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._log_bytes = 0
        self._checkpoint_bytes = 0
        self._thread = threading.Thread(target=self._run, name="apply", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def put(self, entries: Sequence[CommittedEntry]) -> None:
        """Queues committed entries in log order."""
        for entry in entries:
            self._queue.put(entry)

    def stop(self) -> None:
        """Applies what is queued, writes a checkpoint and ends the thread. Blocks."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (entry := self._queue.get()) is not None:
                self._apply(entry.index, entry.term, entry.payload)
            if self._log_bytes:
                self._checkpoint()
        except BaseException as error:  # noqa: BLE001 - a Rust panic is no Exception
            fatal("apply", error)

    def _apply(self, index: int, term: int, payload: bytes) -> None:
        if index != self._applied_index + 1:
            raise RuntimeError(f"entry {index} follows {self._applied_index}: the log has a gap")
        started_s = time.perf_counter()
        applied = apply_entry(self._kernel, self._store, index, payload, threads=self._threads)
        self._applied_index = index
        self._metrics.apply.observe(time.perf_counter() - started_s)
        self._loop.call_soon_threadsafe(self._on_applied, index, term, applied)
        if applied is not None:
            self._metrics.vouchers_verified.inc(applied.vouchers_verified)
            self._history.applied(applied.first_sequence + applied.record_count)
        self._log_bytes += len(payload)
        if self._log_bytes >= max(
            self._checkpoint_every_bytes, self._checkpoint_bytes * CHECKPOINT_SIZE_FACTOR
        ):
            self._checkpoint()

    def _checkpoint(self) -> None:
        """Writes a checkpoint of the state as of the last applied entry."""
        self._history.flush()
        data = self._kernel.checkpoint(self._applied_index)
        self._store.write_checkpoint(self._applied_index, data)
        self._checkpoint_bytes = len(data)
        self._log_bytes = 0
