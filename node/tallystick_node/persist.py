"""The persist thread: Raft's outputs onto the disk, one sync for whatever has gathered.

Each group is written as one batch and then synced once; while a sync runs, the next group gathers.
The GIL is free during the sync. What was written is reported to the event loop only after the sync
that covers it, so nothing can be acknowledged earlier. A failure ends the process.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

from tallystick_node.consensus_actions import Persist
from tallystick_node.failure import fatal
from tallystick_node.limits import MAX_GROUP_BYTES
from tallystick_node.metrics import NodeMetrics
from tallystick_node.storage import Store


class PersistThread:
    """Owns the thread. `put` and `stop` belong to the event loop."""

    def __init__(
        self, store: Store, metrics: NodeMetrics, on_durable: Callable[[int], None]
    ) -> None:
        """Make it; `start` starts it.

        Args:
            store: whose log side is written here and nowhere else.
            metrics: for the phases `persist` and `sync`.
            on_durable: called on the event loop with the number of the last `Persist` of a group.
        """
        self._store = store
        self._metrics = metrics
        self._on_durable = on_durable
        self._queue: SimpleQueue[Persist | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="persist", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, work: Persist) -> None:
        """Queue a write; Raft bounds how much can be under way."""
        self._queue.put(work)

    async def stop(self) -> None:
        """Write what is queued and end the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            for group in self._groups():
                self._write(group)
        except BaseException as error:  # noqa: BLE001 - not to die in silence
            fatal("persist", error)

    def _write(self, group: list[Persist]) -> None:
        started_s = time.perf_counter()
        self._store.write([(work.entries, work.hard_state) for work in group])
        written_s = time.perf_counter()
        self._store.sync()
        synced_s = time.perf_counter()
        self._metrics.write_path.persist.observe(written_s - started_s)
        self._metrics.write_path.sync.observe(synced_s - written_s)
        self._metrics.replica.synced_groups.inc()
        self._loop.call_soon_threadsafe(self._on_durable, group[-1].number)

    def _groups(self) -> Iterator[list[Persist]]:
        """Whatever has gathered, up to a bound, until the end is asked for."""
        while (first := self._queue.get()) is not None:
            group, size = [first], _size(first)
            while size < MAX_GROUP_BYTES:
                try:
                    work = self._queue.get_nowait()
                except Empty:
                    break
                if work is None:
                    yield group
                    return
                group.append(work)
                size += _size(work)
            yield group


def _size(work: Persist) -> int:
    return sum(len(entry.payload) for entry in work.entries)
