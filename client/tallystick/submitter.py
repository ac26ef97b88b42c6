"""Packs envelopes into messages, sends these to the leader, and finds out what became of each.

Theory of operation
-------------------
Envelopes wait in one queue. While fewer than `MESSAGES_IN_FLIGHT` messages are out, as many of
them as fit into 1 MiB leave together. Nothing waits for a timer: a lone envelope leaves at the end
of the loop's current turn, alone; those that arrive while messages are out leave together when one
is answered. So 64 callers who each wait for their own transfer travel in a few messages, and the
packing grows with the load by itself.

A message's task keeps its envelopes until each has an outcome, sending the *same bytes* again to
whoever may lead by then. What an attempt tells about an envelope is `outcomes.py`'s to decide.

Time ends it: at its deadline an envelope that no attempt can have ordered is refused (or the
connection failed), any other raises `OutcomeUnknown`. The default deadline is `valid_until` and a
margin: from then on a resend can order nothing, so it is refused, and the lookup that follows a
refusal in doubt decides.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from itertools import chain
from typing import Final

import grpc
import grpc.aio

from tallystick import limits
from tallystick.envelopes import Stored
from tallystick.errors import TallystickError
from tallystick.nodes import Node, NodePool, NotConnected
from tallystick.outcomes import (
    Step,
    Waiting,
    connection_error,
    note_rpc_failure,
    rpc_error,
    settle,
)
from tallystick.results import Receipt
from tallystick.retry import Backoff, Surroundings

# Returns what the ledger has under an envelope's id, or None if that is not decided yet.
Lookup = Callable[[Stored], Awaitable[Receipt | TallystickError | None]]

_NS_PER_S: Final = 1_000_000_000


class Submitter:
    """The write side of one client. All methods belong to its event loop's thread."""

    def __init__(
        self,
        pool: NodePool,
        lookup: Lookup,
        surroundings: Surroundings,
        attempt_timeout_s: float,
    ) -> None:
        """Starts nothing yet.

        Args:
            pool: Whom to ask.
            lookup: Asked about an envelope in doubt that a later attempt refused.
            surroundings: Clock and jitter.
            attempt_timeout_s: After this long without an answer another node is asked.
        """
        self._pool = pool
        self._lookup = lookup
        self._surroundings = surroundings
        self._attempt_timeout_s = attempt_timeout_s
        self._queue: deque[Waiting] = deque()
        self._queued_bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._deliveries: dict[asyncio.Task[None], list[Waiting]] = {}
        self._expiry = _Expiry(self._open)
        self._pump_is_due = False
        self._closed = False

    async def submit(self, stored: Stored, deadline_s: float | None = None) -> Receipt:
        """Returns once the envelope is ordered, with its results.

        Args:
            stored: What to send; it is packed together with others of this client.
            deadline_s: Seconds from now until this gives up; None for `valid_until` and a margin.

        Raises:
            Refused: It was not executed, and will not be.
            OutcomeUnknown: The deadline passed, and it may have been ordered.
            ConnectionFailed: The deadline passed, and no node was reached.
            AccessDenied, ProtocolError: A node refused the call as such.
        """
        return await self.enqueue(stored, await self._room_until(deadline_s, stored))

    def enqueue(self, stored: Stored, give_up_at: float) -> asyncio.Future[Receipt]:
        """Queues the envelope; the future has what `submit` returns or raises.

        Args:
            stored: What to send.
            give_up_at: When to give up, by the event loop's clock.
        """
        loop = asyncio.get_running_loop()
        waiting = Waiting(stored, loop.create_future(), give_up_at)
        if self._closed:
            waiting.fail(connection_error("the client is closed"))
            return waiting.future
        self._queue.append(waiting)
        self._queued_bytes += len(stored.envelope)
        if self._queued_bytes >= limits.MAX_QUEUED_BYTES:
            self._room.clear()
        self._expiry.watch(give_up_at)
        self._schedule_pump()
        return waiting.future

    async def room(self) -> None:
        """Returns when the queue takes more; who enqueues many awaits it before each."""
        await self._room.wait()

    def give_up_at(self, stored: Stored, deadline_s: float | None) -> float:
        """Returns when to give up on an envelope, by the event loop's clock."""
        if deadline_s is None:
            left_ns = stored.valid_until_ns - self._surroundings.now_ns()
            deadline_s = max(0.0, left_ns / _NS_PER_S) + limits.DECISION_MARGIN_S
        return asyncio.get_running_loop().time() + deadline_s

    async def close(self) -> None:
        """Ends all deliveries; envelopes on their way raise `OutcomeUnknown`."""
        self._closed = True
        for task in list(self._deliveries):
            task.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        while self._queue:
            self._queue.popleft().fail(connection_error("the client was closed"))
        self._expiry.cancel()

    async def _room_until(self, deadline_s: float | None, stored: Stored) -> float:
        give_up_at = self.give_up_at(stored, deadline_s)
        if not self._room.is_set():
            try:
                async with asyncio.timeout_at(give_up_at):
                    await self._room.wait()
            except TimeoutError:
                raise connection_error("the queue stayed full until the deadline") from None
        return give_up_at

    def _open(self) -> Iterable[Waiting]:
        return chain(self._queue, *self._deliveries.values())

    def _schedule_pump(self) -> None:
        if self._pump_is_due or len(self._deliveries) >= limits.MESSAGES_IN_FLIGHT:
            return
        self._pump_is_due = True
        # Behind all callbacks of this turn: callers that were woken together travel together.
        asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_is_due = False
        while self._queue and len(self._deliveries) < limits.MESSAGES_IN_FLIGHT:
            batch = self._next_batch()
            if batch:
                task = asyncio.get_running_loop().create_task(self._deliver(batch))
                self._deliveries[task] = batch
                task.add_done_callback(self._delivered)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._deliveries.pop(task, None)
        if not self._closed and self._queue:
            self._schedule_pump()

    def _next_batch(self) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 0
        queue = self._queue
        while queue:
            length = len(queue[0].stored.envelope)
            if size + length > limits.MAX_MESSAGE_BYTES and size:
                break
            waiting = queue.popleft()
            self._queued_bytes -= length
            if not waiting.future.done():  # its caller went away before it was sent
                batch.append(waiting)
                size += length
        if self._queued_bytes < limits.MAX_QUEUED_BYTES:
            self._room.set()
        return batch

    async def _deliver(self, batch: list[Waiting]) -> None:
        """Sees to it that each envelope of the batch gets an outcome."""
        try:
            await self._attempts(batch)
        except asyncio.CancelledError:
            for waiting in batch:
                waiting.give_up("the client was closed")
            raise
        except BaseException as error:
            # Nobody awaits this task: a defect must not leave callers waiting for ever.
            for waiting in batch:
                waiting.give_up(f"{type(error).__name__} in the SDK: {error}")
            raise

    async def _attempts(self, batch: list[Waiting]) -> None:
        backoff = Backoff(self._surroundings.jitter)
        hints_in_a_row = 0
        while True:
            node = self._pool.target
            step = await self._attempt(node, batch)
            if step.in_doubt:
                await self._look_up(step.in_doubt)
            batch = [waiting for waiting in batch if not waiting.future.done()]
            if not batch:
                return
            redirected = False
            if step.not_leader:
                redirected = self._pool.not_leader(node, step.leader)
            elif step.node_failed:
                self._pool.failed(node)
            hints_in_a_row = hints_in_a_row + 1 if redirected else 0
            if not redirected or hints_in_a_row > limits.MAX_HINTS_IN_A_ROW:
                await asyncio.sleep(backoff.next_delay_s(step.retry_after_s))
                batch = [waiting for waiting in batch if not waiting.future.done()]
                if not batch:
                    return

    async def _attempt(self, node: Node, batch: list[Waiting]) -> Step:
        """Sends the batch to `node` once, and settles what its answer decides."""
        try:
            await node.connect(min(limits.CONNECT_TIMEOUT_S, self._attempt_timeout_s))
        except NotConnected as error:
            for waiting in batch:
                waiting.cause = str(error)
            return Step(node_failed=True)
        for waiting in batch:
            waiting.under_way = True
        try:
            response = await node.submit(
                b"".join([waiting.stored.envelope for waiting in batch]),
                timeout=self._attempt_timeout_s,
            )
        except grpc.aio.AioRpcError as error:
            return note_rpc_failure(batch, rpc_error(error, node.address))
        except asyncio.CancelledError:
            for waiting in batch:
                waiting.doubt = True
            raise
        finally:
            for waiting in batch:
                waiting.under_way = False
        return settle(batch, response)

    async def _look_up(self, in_doubt: list[Waiting]) -> None:
        """Asks what became of envelopes that this attempt refused and an earlier may have sent."""
        for waiting in in_doubt:
            if waiting.future.done():
                continue
            try:
                found = await self._lookup(waiting.stored)
            except TallystickError as error:
                waiting.cause = str(error)
                continue
            if isinstance(found, Receipt):
                waiting.succeed(found)
            elif found is not None:
                waiting.fail(found)


class _Expiry:
    """Gives up each envelope at its own deadline; one timer for all of a client's.

    The timer stands at the earliest deadline that was known when it was set, and is rarely moved:
    most envelopes are answered long before, and later ones have later deadlines.
    """

    def __init__(self, open_: Callable[[], Iterable[Waiting]]) -> None:
        self._open = open_
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf

    def watch(self, give_up_at: float) -> None:
        """Makes sure that the timer goes off no later than `give_up_at`."""
        if give_up_at < self._at:
            self.cancel()
            self._at = give_up_at
            self._timer = asyncio.get_running_loop().call_at(give_up_at, self._expire)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, math.inf

    def _expire(self) -> None:
        now = asyncio.get_running_loop().time()
        self._timer, self._at = None, math.inf
        earliest = math.inf
        for waiting in self._open():
            if waiting.give_up_at <= now:
                waiting.give_up("the deadline passed")
            elif not waiting.future.done():
                earliest = min(earliest, waiting.give_up_at)
        if earliest < math.inf:
            self.watch(earliest)
