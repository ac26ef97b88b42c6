"""Followers' byte checks of the leader's blocks, on a thread of their own.

What a block's bytes prove (shape, ledger id, grid, roots, signatures, possessions, id times, that
it continues the block before) is checked before the Raft core sees it, so this node acknowledges
nothing that it did not verify itself. The core releases the GIL. Small blocks are checked on the
event loop: a hop to a thread and back costs more than a few signatures.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from tallystick_core import check_block

from tallystick_node.consensus_actions import BadBlock, Check
from tallystick_node.failure import fatal
from tallystick_node.identity import NodeIdentity
from tallystick_node.limits import SMALL_VERIFY_BYTES
from tallystick_node.metrics import NodeMetrics

SEED_BYTES: Final = 32

OnChecked = Callable[[int, BadBlock | None], None]


class BlockChecker:
    """Owns the thread. `put` and `stop` belong to the event loop."""

    def __init__(
        self, identity: NodeIdentity, *, threads: int, metrics: NodeMetrics, on_checked: OnChecked
    ) -> None:
        """Make it; `start` starts it.

        Args:
            identity: names the ledger.
            threads: that one batch verification may use inside the core.
            metrics: for the phase `block_check`.
            on_checked: called on the event loop with each ticket and the first bad block, if any.
        """
        self._ledger_id = identity.ledger_id
        self._max_lifetime_ns = identity.genesis.max_lifetime_ns
        self._threads = threads
        self._metrics = metrics
        self._on_checked = on_checked
        self._signatures = 0
        self._waiting = 0
        self._queue: SimpleQueue[Check | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="block-check", daemon=True)

    @property
    def signatures_verified(self) -> int:
        """Signatures in the blocks that were checked."""
        return self._signatures

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, check: Check) -> None:
        """Check now if it is small and nothing waits, else on the thread. Answers later."""
        size = sum(len(job.block) for job in check.jobs)
        if self._waiting == 0 and size <= SMALL_VERIFY_BYTES:
            self._loop.call_soon(self._on_checked, check.ticket, self._check(check))
            return
        self._waiting += 1
        self._queue.put(check)

    async def stop(self) -> None:
        """Finish what is queued and end the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            while (check := self._queue.get()) is not None:
                self._loop.call_soon_threadsafe(self._done, check.ticket, self._check(check))
        except BaseException as error:  # noqa: BLE001 - PanicException is no Exception
            fatal("block check", error)

    def _done(self, ticket: int, bad: BadBlock | None) -> None:
        self._waiting -= 1
        self._on_checked(ticket, bad)

    def _check(self, check: Check) -> BadBlock | None:
        """The first bad block, None if all are good."""
        started_s = time.perf_counter()
        for job in check.jobs:
            found = check_block(
                job.block,
                ledger_id=self._ledger_id,
                max_lifetime_ns=self._max_lifetime_ns,
                next_sequence=job.before.next_sequence,
                min_timestamp_ns=job.before.min_next_timestamp_ns,
                # Nobody may know it beforehand: it keeps bad signatures from cancelling out.
                seed=os.urandom(SEED_BYTES),
                threads=self._threads,
            )
            self._signatures += found.signatures
            if found.code:
                return BadBlock(job, found.code, found.detail)
        self._metrics.write_path.block_check.observe(time.perf_counter() - started_s)
        return None
