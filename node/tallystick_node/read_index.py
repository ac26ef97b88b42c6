"""Linearizable read indexes, batched.

Theory of operation ------------------- A read index costs the leader one round of heartbeats,
however many reads share it. So at most one request is under way; whoever comes meanwhile shares
the next one (never the one under way: its index may be older than the read). Requests get lost
with messages and leaders: one that was not answered for a while, or whose leader changed, is asked
again for all who wait, with a context of its own.

Source: Raft thesis, section 6.4. There are no lease reads: a paused process cannot know that its
lease is over.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Final

from tallystick_core import RaftRefused

from tallystick_node.errors import NoQuorumError
from tallystick_node.limits import READ_INDEX_RETRY_S, READ_INDEX_TIMEOUT_S

_CONTEXT_BYTES: Final = 8


class ReadBatcher:
    """Belongs to the event loop."""

    def __init__(self, ask: Callable[[bytes], None]) -> None:
        """Make it.

        Args:
            ask: requests a read index with a context; may raise RaftRefused.
        """
        self._ask = ask
        self._contexts = itertools.count(1)
        self._next: list[asyncio.Future[int]] = []
        self._asked: list[asyncio.Future[int]] = []
        self._context = b""
        self._retry: asyncio.TimerHandle | None = None

    async def read_index(self) -> int:
        """An index; state applied up to it is linearizable for a read that began before this call.

        Raises:
            NoQuorumError: no leader or no majority answered in time.
        """
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._next.append(future)
        if not self._context and len(self._next) == 1:
            # Others of this turn of the loop come along.
            asyncio.get_running_loop().call_soon(self._begin)
        try:
            async with asyncio.timeout(READ_INDEX_TIMEOUT_S):
                return await future
        except TimeoutError as error:
            raise NoQuorumError("no quorum confirmed a read index in time") from error

    def answered(self, context: bytes, index: int) -> None:
        """A read index arrived."""
        if context != self._context:
            return
        for future in self._asked:
            if not future.done():
                future.set_result(index)
        self._asked = []
        self._end()
        if self._next:
            self._begin()

    def leader_changed(self) -> None:
        """What was asked may never be answered: ask again."""
        if self._context:
            self._begin()

    def close(self) -> None:
        """Fail all who wait."""
        for future in (*self._asked, *self._next):
            if not future.done():
                future.set_exception(NoQuorumError("the node stops"))
        self._asked, self._next = [], []
        self._end()

    def _begin(self) -> None:
        self._end()
        self._asked = [future for future in (*self._asked, *self._next) if not future.done()]
        self._next = []
        if not self._asked:
            return
        self._context = next(self._contexts).to_bytes(_CONTEXT_BYTES, "little")
        self._retry = asyncio.get_running_loop().call_later(READ_INDEX_RETRY_S, self._begin)
        # No leader, or one that is not ready: the timer asks again.
        with contextlib.suppress(RaftRefused):
            self._ask(self._context)

    def _end(self) -> None:
        self._context = b""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
