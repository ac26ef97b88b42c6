"""Sends prepared messages over one SubmitStream.

One task writes while there is room in the window, another reads answers, which come in order. A
broken stream is opened again to whoever leads then, and what was unanswered is sent again, byte
for byte, before anything new; its latency goes on counting.
"""

import asyncio
import time
from collections import deque
from typing import Final

from grpc import aio

from tallystick_loadtests.connection import Leader, StreamCall, Target, submit_stream
from tallystick_loadtests.outcome import Outcome
from tallystick_loadtests.pacing import Pacer
from tallystick_proto import wire

ANSWER_TIMEOUT_S: Final = 60.0
_BROKEN: Final = (aio.AioRpcError, aio.UsageError, asyncio.InvalidStateError, TimeoutError)

Sent = tuple[int, float]
"""Position of a message, and the moment from which its latency counts."""


class StreamDriver:
    """Drives one stream."""

    def __init__(self, target: Target, messages: list[bytes], window: int) -> None:
        """Opens nothing yet.

        Args:
            target: The ledger.
            messages: Up to 1 MiB of envelopes each.
            window: Messages under way at once.
        """
        self.outcome = Outcome()
        self._target = target
        self._leader = Leader(target)
        self._messages = messages
        self._window = window
        self._again: deque[Sent] = deque()
        self._under_way: deque[Sent] = deque()
        self._hint: wire.LeaderHint | None = None
        self._changed = asyncio.Event()

    async def run(self, pacer: Pacer) -> None:
        """Sends until the pacer ends it; waits for all answers."""
        started = False
        while True:
            async with self._target.channel(self._leader.address) as channel:
                if not started:
                    await asyncio.wait_for(channel.channel_ready(), ANSWER_TIMEOUT_S)
                    pacer.start()
                    started = True
                complete = await self._converse(submit_stream(channel), pacer)
            if complete:
                break
            self.outcome.interruptions += 1
            self._again.extendleft(reversed(self._under_way))
            self._under_way.clear()
            await asyncio.sleep(self._leader.failed(self._hint))
            self._hint = None
        self.outcome.elapsed_s = pacer.elapsed_s

    async def _converse(self, call: StreamCall, pacer: Pacer) -> bool:
        """Sends and reads until all is answered (True) or the stream breaks (False)."""
        room = asyncio.Semaphore(self._window)
        writer = asyncio.create_task(self._write(call, pacer, room))
        writer.add_done_callback(lambda _: self._changed.set())
        try:
            while not (writer.done() and not self._under_way):
                if not self._under_way:
                    self._changed.clear()
                    await self._changed.wait()
                    continue
                answer = await asyncio.wait_for(call.read(), ANSWER_TIMEOUT_S)
                if not isinstance(answer, wire.SubmitResponse) or not self._take(answer):
                    return False
                room.release()
            await writer
        except _BROKEN:
            return False
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            call.cancel()
        return True

    def _take(self, answer: wire.SubmitResponse) -> bool:
        position, since_s = self._under_way[0]
        if not self.outcome.take(answer, position, (time.perf_counter() - since_s) * 1000):
            self._hint = answer.leader
            return False
        self._under_way.popleft()
        return True

    async def _write(self, call: StreamCall, pacer: Pacer, room: asyncio.Semaphore) -> None:
        """Writes what is due, the unanswered of an earlier stream first."""
        while True:
            await room.acquire()
            turn = self._again.popleft() if self._again else await pacer.next()
            if turn is None:
                return
            self._under_way.append(turn)
            self._changed.set()
            await call.write(self._messages[turn[0]])
