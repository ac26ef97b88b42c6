"""Sends prepared envelopes by unary Submit calls, a fixed number of them under way at once.

Each worker takes a turn, sends its message and waits for the answer; whatever gives no answer is
sent again, byte for byte, and its latency goes on counting. All share one channel.
"""

import asyncio
import time
from typing import Final

from grpc import aio

from tallystick_loadtests.connection import Leader, Target, UnaryCall, submit_unary
from tallystick_loadtests.outcome import Outcome
from tallystick_loadtests.pacing import Pacer

ANSWER_TIMEOUT_S: Final = 10.0


class UnaryDriver:
    """Drives single calls."""

    def __init__(self, target: Target, messages: list[bytes], workers: int) -> None:
        """Opens nothing yet.

        Args:
            target: The ledger.
            messages: What is sent, one after another.
            workers: Calls under way at once.
        """
        self.outcome = Outcome()
        self._leader = Leader(target)
        self._target = target
        self._messages = messages
        self._workers = workers
        self._channels: dict[str, aio.Channel] = {}
        self._submits: dict[str, UnaryCall] = {}

    async def run(self, pacer: Pacer) -> None:
        """Sends until the pacer ends it; waits for all answers."""
        try:
            self._submit_at(self._leader.address)
            for channel in self._channels.values():
                await asyncio.wait_for(channel.channel_ready(), ANSWER_TIMEOUT_S)
            pacer.start()
            await asyncio.gather(*(self._work(pacer) for _ in range(self._workers)))
            self.outcome.elapsed_s = pacer.elapsed_s
        finally:
            for channel in self._channels.values():
                await channel.close()

    def _submit_at(self, address: str) -> UnaryCall:
        if address not in self._submits:
            channel = self._channels[address] = self._target.channel(address)
            self._submits[address] = submit_unary(channel)
        return self._submits[address]

    async def _work(self, pacer: Pacer) -> None:
        outcome, messages = self.outcome, self._messages
        while (turn := await pacer.next()) is not None:
            position, since_s = turn
            while True:
                address = self._leader.address
                try:
                    answer = await self._submit_at(address)(
                        messages[position], timeout=ANSWER_TIMEOUT_S
                    )
                except aio.AioRpcError:
                    hint = None
                else:
                    if outcome.take(answer, position, (time.perf_counter() - since_s) * 1000):
                        break
                    hint = answer.leader
                outcome.interruptions += 1
                if self._leader.address == address:  # nobody has noticed it meanwhile
                    await asyncio.sleep(self._leader.failed(hint))
