"""A stream for bulk: full messages, a window of them under way, answers in their order.

Theory of operation
-------------------
`SubmitStream` saves what a call costs for each message, and answers come first in, first out, so
nothing needs a tag. `send` waits while `STREAM_WINDOW` messages are unanswered.

A stream breaks when its node dies, or when an answer holds a code that says "not here, not now"
(OVERLOADED, NOT_LEADER, UNAVAILABLE). Then a new one is opened to whoever may lead, and every
unanswered message is sent again, in order and byte by byte the same. Envelopes of it that had been
ordered are answered as such (DUPLICATE, with their results): resending can order nothing twice.

Doubt is treated as in `outcomes`: after an attempt without an answer, a refusal that depends on
the moment decides nothing, and the message is sent again until its deadline.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import grpc
import grpc.aio

from tallystick import limits
from tallystick.envelopes import Stored, envelope_bytes, split
from tallystick.errors import (
    AccessDenied,
    InvalidArgument,
    OutcomeUnknown,
    ProtocolError,
    Refused,
    TallystickError,
)
from tallystick.nodes import Node, NodePool, NotConnected
from tallystick.outcomes import ELSEWHERE, OF_THE_MOMENT, connection_error, rpc_error
from tallystick.refusals import refused
from tallystick.results import OUTCOME, Receipt, outcome_of
from tallystick.retry import Backoff, Surroundings
from tallystick_ledger.codes import FIRST_RESULT_CODE, Code
from tallystick_ledger.limits import RESULT_BYTES
from tallystick_proto import wire

_NS_PER_S: Final = 1_000_000_000
_Call = grpc.aio.StreamStreamCall[bytes, wire.SubmitResponse]


@dataclass(frozen=True, slots=True)
class MessageOutcome:
    """What became of the envelopes of one message; looked into only as far as somebody asks.

    Attributes:
        message: The envelopes, back to back.
        outcomes: 32 bytes for each, as ledger.proto lays them out.
        results: 16 bytes for each ordered record; empty when all are OK.
    """

    message: bytes
    outcomes: bytes
    results: bytes

    @property
    def envelope_count(self) -> int:
        """Envelopes in the message."""
        return len(self.outcomes) // OUTCOME.size

    @property
    def ok(self) -> bool:
        """Whether every record of every envelope did what it says."""
        return not any(self.results) and all(
            code in (Code.OK, Code.DUPLICATE) for code, *_ in OUTCOME.iter_unpack(self.outcomes)
        )

    def __iter__(self) -> Iterator[Receipt | Refused]:
        """Yields the receipt of each envelope, or the error that says why it was not executed."""
        offset = 0
        rows = OUTCOME.iter_unpack(self.outcomes)
        for envelope, (code, _, count, sequence, timestamp_ns) in zip(
            split(self.message), rows, strict=False
        ):
            envelope_id = Stored.from_bytes(envelope).envelope_id
            if code and code < FIRST_RESULT_CODE:
                yield refused(Code(code), envelope_id)
                continue
            end = offset + count * RESULT_BYTES if self.results else 0
            part, offset = self.results[offset:end], end
            yield outcome_of(envelope_id, code, count, (sequence, timestamp_ns), part)


@dataclass(slots=True, eq=False)
class _Sent:
    """A message without an outcome; `written` says that the open stream has it."""

    message: bytes
    future: asyncio.Future[MessageOutcome]
    give_up_at: float
    written: bool = False
    doubt: bool = False
    cause: str = ""

    def give_up(self) -> None:
        if self.future.done():
            return
        cause = f"the deadline passed; {self.cause}" if self.cause else "the deadline passed"
        error: TallystickError = connection_error(cause)
        if self.doubt:
            first = Stored.from_bytes(self.message[: envelope_bytes(self.message, 0)])
            error = OutcomeUnknown(
                self.message, first.envelope_id, first.principal, first.valid_until_ns, cause
            )
        self.future.set_exception(error)


class _Broken(Exception):  # noqa: N818 - never leaves this module
    """The stream has to be opened again."""

    def __init__(self, cause: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(cause)
        self.retry_after_s = retry_after_s


class SubmitStream:
    """A stream of messages to whoever leads; made by `client.stream()`, used in `async with`."""

    def __init__(
        self, pool: NodePool, surroundings: Surroundings, attempt_timeout_s: float
    ) -> None:
        """Opens nothing yet; the arguments are those of `Submitter`."""
        self._pool = pool
        self._surroundings = surroundings
        self._attempt_timeout_s = attempt_timeout_s
        self._slots = asyncio.Semaphore(limits.STREAM_WINDOW)
        self._unanswered: deque[_Sent] = deque()
        self._changed = asyncio.Event()
        self._answered = 0
        self._runner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Returns the stream itself; it is opened with the first message."""
        self._runner = asyncio.get_running_loop().create_task(self._run())
        self._runner.add_done_callback(self._stopped)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Waits for all answers, unless the block failed; then ends the stream."""
        if kind is None:
            await self.drain()
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        while self._unanswered:
            self._unanswered.popleft().future.cancel()

    async def send(self, message: bytes) -> "asyncio.Future[MessageOutcome]":
        """Sends one message once there is room in the window.

        Args:
            message: Sealed envelopes back to back, at most 1 MiB; see `envelopes.pack`.

        Returns:
            A future with the message's outcome. It raises `OutcomeUnknown` (with the whole message
            as `envelope`), `ConnectionFailed`, `AccessDenied` or `ProtocolError` as `submit` does.

        Raises:
            InvalidArgument: The message is empty, too long, or does not start with an envelope; or
                the stream is not open.
        """
        if len(message) > limits.MAX_MESSAGE_BYTES:
            raise InvalidArgument(f"A message has {len(message)} bytes, more than 1 MiB.")
        first = Stored.from_bytes(message[: envelope_bytes(message, 0)])
        await self._slots.acquire()
        if self._runner is None or self._runner.done():
            self._slots.release()
            raise InvalidArgument("The stream is not open.", advice="Use it in `async with`.")
        loop = asyncio.get_running_loop()
        left_s = (first.valid_until_ns - self._surroundings.now_ns()) / _NS_PER_S
        give_up_at = loop.time() + max(0.0, left_s) + limits.DECISION_MARGIN_S
        sent = _Sent(message, loop.create_future(), give_up_at)
        sent.future.add_done_callback(lambda _: self._slots.release())
        self._unanswered.append(sent)
        self._changed.set()
        return sent.future

    async def drain(self) -> None:
        """Returns once every message sent so far has its outcome, whatever that is."""
        await asyncio.gather(
            *(asyncio.shield(sent.future) for sent in self._unanswered), return_exceptions=True
        )

    async def _run(self) -> None:
        """Keeps a stream open while there is something to send."""
        backoff = Backoff(self._surroundings.jitter)
        while True:
            await self._until_unanswered()
            node = self._pool.target
            answered_before = self._answered
            try:
                await self._converse(node)
            except _Broken as broken:
                delay_s = backoff.next_delay_s(broken.retry_after_s)
                self._note(str(broken))
            except NotConnected as error:
                delay_s = backoff.next_delay_s()
                self._pool.failed(node)
                self._note(str(error))
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError) as error:
                delay_s = backoff.next_delay_s()
                self._pool.failed(node)
                self._rpc_failed(error, node)
            if self._answered != answered_before:
                backoff = Backoff(self._surroundings.jitter)  # that node had worked: start anew
            self._expire()
            if self._unanswered:
                await asyncio.sleep(delay_s)

    def _stopped(self, runner: "asyncio.Task[None]") -> None:
        """Nobody awaits the runner: a defect in it must not leave callers waiting for ever."""
        error = None if runner.cancelled() else runner.exception()
        while error is not None and self._unanswered:
            sent = self._unanswered.popleft()
            sent.doubt = sent.doubt or sent.written
            sent.cause = f"{type(error).__name__} in the SDK: {error}"
            sent.give_up()

    async def _converse(self, node: Node) -> None:
        """Opens a stream to `node`, sends what is unanswered, reads answers until it breaks."""
        await node.connect(min(limits.CONNECT_TIMEOUT_S, self._attempt_timeout_s))
        call: _Call = node.submit_stream()
        writer = asyncio.get_running_loop().create_task(self._write(call))
        try:
            while True:
                await self._until_unanswered()
                try:
                    async with asyncio.timeout(self._attempt_timeout_s):
                        response = await call.read()
                except TimeoutError:
                    self._pool.failed(node)
                    raise _Broken(f"{node.address} did not answer in time") from None
                if not isinstance(response, wire.SubmitResponse):  # the end of the stream
                    self._pool.failed(node)
                    raise _Broken(f"{node.address} ended the stream")
                self._settle(response, node)
        finally:
            writer.cancel()
            call.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            for sent in self._unanswered:
                sent.doubt = sent.doubt or sent.written
                sent.written = False

    async def _write(self, call: _Call) -> None:
        """Writes each unanswered message once. If the stream breaks, the reader finds out why."""
        while True:
            sent = next((each for each in self._unanswered if not each.written), None)
            if sent is None:
                self._changed.clear()
                await self._changed.wait()
            else:
                sent.written = True
                await call.write(sent.message)

    async def _until_unanswered(self) -> None:
        while not self._unanswered:
            self._changed.clear()
            await self._changed.wait()

    def _settle(self, response: wire.SubmitResponse, node: Node) -> None:
        """Answers the oldest message, or finds that it has to be sent again."""
        sent = self._unanswered[0]
        whole = len(response.outcomes) % OUTCOME.size == 0
        codes = {row[0] for row in OUTCOME.iter_unpack(response.outcomes)} if whole else set()
        again = codes & ELSEWHERE
        if Code.NOT_LEADER in again:
            self._pool.not_leader(node, response.leader)
        elif Code.UNAVAILABLE in again:
            self._pool.failed(node)
        if not codes or again:
            # Answered, so this attempt leaves no doubt, unless the node says so itself.
            sent.written = Code.UNAVAILABLE in again or not codes
            raise _Broken(
                ", ".join(Code(code).name for code in sorted(again)) or "a garbled answer",
                retry_after_s=response.retry_after_ms / 1000,
            )
        if sent.doubt and codes & OF_THE_MOMENT:
            sent.written = False
            raise _Broken("a refusal that decides nothing about an earlier attempt")
        self._unanswered.popleft()
        self._answered += 1
        if not sent.future.done():
            sent.future.set_result(
                MessageOutcome(sent.message, response.outcomes, response.results)
            )

    def _note(self, cause: str) -> None:
        for sent in self._unanswered:
            sent.cause = cause

    def _rpc_failed(self, error: Exception, node: Node) -> None:
        """Notes why the stream broke; answers what no other node would treat differently."""
        failure: TallystickError = connection_error(f"{node.address}: {error}")
        if isinstance(error, grpc.aio.AioRpcError):
            failure = rpc_error(error, node.address)
        self._note(failure.message)
        if isinstance(failure, AccessDenied | ProtocolError):
            while self._unanswered:
                sent = self._unanswered.popleft()
                if not sent.future.done():
                    sent.future.set_exception(failure)

    def _expire(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._unanswered and self._unanswered[0].give_up_at <= now:
            self._unanswered.popleft().give_up()
