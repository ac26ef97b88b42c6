"""The public service ``tallystick.v1.Ledger``.

Submit and SubmitStream carry raw message bytes through hand-written, wire-compatible
(de)serialisers; the reads use the generated messages. Expected refusals travel inside responses as
codes; gRPC status codes say only what concerns the call itself:

- INVALID_ARGUMENT: sizes that cannot be right;
- FAILED_PRECONDITION: a linearizable read on a node that cannot lead it to a quorum;
- UNAVAILABLE: no leader, or the state asked for was not reached in time: try again;
- RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED: see `turnstile`, through which every call goes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message
from grpc import aio
from tallystick_core import Kernel

from tallystick_node.errors import NodeError, NoQuorumError, NotLeaderError
from tallystick_node.limits import (
    MAX_READ_IDS,
    READ_TIMEOUT_S,
    STREAM_IDLE_S,
    STREAM_WINDOW,
)
from tallystick_node.pipeline import Pipeline
from tallystick_node.reads import FoundEnvelope, Reads, ReadTimeoutError
from tallystick_node.services.turnstile import write
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2 as pb

ID_BYTES: Final = 16

# Subscripted only in the type checker's eyes.
SubmitContext: TypeAlias = "aio.ServicerContext[bytes, wire.SubmitResponse]"
Request = TypeVar("Request")
Response = TypeVar("Response")
StatusSource = Callable[[], pb.GetStatusResponse]


class LedgerService:
    """Answers clients; one instance a node."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        reads: Reads,
        kernel: Kernel,
        status: StatusSource,
        max_lifetime_ns: int,
    ) -> None:
        self._pipeline = pipeline
        self._reads = reads
        self._kernel = kernel
        self._status = status
        self._max_lifetime_ns = max_lifetime_ns

    # -- writes ----------------------------------------------------------------------------------

    async def submit(self, message: bytes, context: SubmitContext) -> wire.SubmitResponse:
        """Unary Submit."""
        return await self._pipeline.submit(message, context.peer())

    async def submit_stream(self, messages: AsyncIterator[bytes], context: SubmitContext) -> None:
        """Streaming Submit: answers in the order of the requests, at most a window in flight.

        Reading stops while the window is full, so HTTP/2 flow control holds the client back.
        """
        del messages
        connection = context.peer()
        window: asyncio.Queue[asyncio.Task[wire.SubmitResponse] | None] = asyncio.Queue(
            STREAM_WINDOW
        )
        writer = asyncio.create_task(self._write_answers(window, context))
        try:
            while (message := await self._next_message(context)) is not None:
                await self._refuse_barred(connection, context)
                answer = asyncio.create_task(self._pipeline.submit(message, connection))
                await self._until(writer, window.put(answer))
            await self._until(writer, window.put(None))
            await writer
        finally:
            writer.cancel()

    @staticmethod
    async def _next_message(context: SubmitContext) -> bytes | None:
        """The next message; None at the end, and after a long silence."""
        try:
            async with asyncio.timeout(STREAM_IDLE_S):
                message: object = await context.read()
        except TimeoutError:
            return None
        return message if isinstance(message, bytes) else None

    @staticmethod
    async def _write_answers(
        window: asyncio.Queue[asyncio.Task[wire.SubmitResponse] | None], context: SubmitContext
    ) -> None:
        while (task := await window.get()) is not None:
            await write(context, await task)

    @staticmethod
    async def _until(writer: asyncio.Task[None], step: Coroutine[Any, Any, None]) -> None:
        """Awaits a step of the reader, unless the writer ends first: then its error is raised."""
        task = asyncio.ensure_future(step)
        await asyncio.wait((task, writer), return_when=asyncio.FIRST_COMPLETED)
        if writer.done() and not task.done():
            task.cancel()
            await writer
            return
        await task

    async def _refuse_barred(self, connection: str, context: SubmitContext) -> None:
        if self._pipeline.is_barred(connection):
            await _abort(
                context,
                grpc.StatusCode.PERMISSION_DENIED,
                "this connection delivered too many bad signatures; it is not served",
            )

    # -- reads -----------------------------------------------------------------------------------

    async def get_accounts(
        self,
        request: pb.GetAccountsRequest,
        context: "aio.ServicerContext[pb.GetAccountsRequest, pb.GetAccountsResponse]",
    ) -> pb.GetAccountsResponse:
        """Rows of accounts."""
        await self._check_ids(request.ids, context)
        await self._settle(request.options, context)
        before = self._reads.next_sequence
        return pb.GetAccountsResponse(rows=self._kernel.accounts(request.ids), next_sequence=before)

    async def get_holds(
        self,
        request: pb.GetHoldsRequest,
        context: "aio.ServicerContext[pb.GetHoldsRequest, pb.GetHoldsResponse]",
    ) -> pb.GetHoldsResponse:
        """Rows of holds."""
        await self._check_ids(request.ids, context)
        await self._settle(request.options, context)
        before = self._reads.next_sequence
        return pb.GetHoldsResponse(rows=self._kernel.holds(request.ids), next_sequence=before)

    async def get_envelope(
        self,
        request: pb.GetEnvelopeRequest,
        context: "aio.ServicerContext[pb.GetEnvelopeRequest, pb.GetEnvelopeResponse]",
    ) -> pb.GetEnvelopeResponse:
        """An envelope by number or id, or what can be said of its absence."""
        by = request.WhichOneof("by")
        if by is None:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "say which envelope")
        key = request.key
        if by == "key" and (len(key.envelope_id) != ID_BYTES or len(key.principal) != ID_BYTES):
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "ids have 16 bytes")
        await self._settle(request.options, context)
        before = self._reads.next_sequence
        # Taken before the look-up: what it decides about absence is then on the safe side.
        log_time_ns = self._reads.log_time_ns
        found = (
            self._reads.find(request.sequence)
            if by == "sequence"
            else self._reads.find_by_id(key.principal, key.envelope_id)
        )
        if found is not None:
            return _found(found, before)
        presence = pb.GetEnvelopeResponse.NOT_YET
        if by == "key" and not request.options.stale:
            decided_ns = (int.from_bytes(key.envelope_id, "little") >> 80) * 1_000_000
            # No header with this id may carry a later `valid_until` (format.md, section 4).
            if log_time_ns > decided_ns + self._max_lifetime_ns:
                presence = pb.GetEnvelopeResponse.NEVER
        return pb.GetEnvelopeResponse(presence=presence, next_sequence=before)

    async def get_status(
        self,
        request: pb.GetStatusRequest,
        context: "aio.ServicerContext[pb.GetStatusRequest, pb.GetStatusResponse]",
    ) -> pb.GetStatusResponse:
        """What this node knows of itself and its group."""
        if request.linearizable:
            await self._settle(pb.ReadOptions(), context)
        if not request.with_state_digest:
            return self._status()
        # The digest is a pass over all state: off the loop, and the status is of the same moment.
        return await asyncio.get_running_loop().run_in_executor(None, self._status_with_digest)

    def _status_with_digest(self) -> pb.GetStatusResponse:
        """Reads status and digest until both are of one moment."""
        while True:
            before = self._kernel.status().next_sequence
            digest = self._kernel.state_digest()
            response = self._status()
            if response.next_sequence == before == self._kernel.status().next_sequence:
                response.state_digest = digest
                return response

    # -- shared ----------------------------------------------------------------------------------

    async def _settle(
        self, options: pb.ReadOptions, context: "aio.ServicerContext[Request, Response]"
    ) -> None:
        try:
            await self._reads.settle(
                stale=options.stale,
                at_least_sequence=options.at_least_sequence,
                timeout_s=READ_TIMEOUT_S,
            )
        except NotLeaderError as error:
            await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except (NoQuorumError, ReadTimeoutError) as error:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, str(error))
        except NodeError as error:
            await _abort(context, grpc.StatusCode.INTERNAL, str(error))

    @staticmethod
    async def _check_ids(ids: bytes, context: "aio.ServicerContext[Request, Response]") -> None:
        if len(ids) % ID_BYTES or not ids:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "ids are 16 bytes each")
        if len(ids) > MAX_READ_IDS * ID_BYTES:
            await _abort(
                context, grpc.StatusCode.INVALID_ARGUMENT, f"at most {MAX_READ_IDS} ids a call"
            )

    # -- wiring ----------------------------------------------------------------------------------

    def handler(self) -> grpc.GenericRpcHandler:
        """The service for ``Server.add_generic_rpc_handlers``."""
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Submit": grpc.unary_unary_rpc_method_handler(
                self.submit,
                request_deserializer=wire.decode_submit_request,
                response_serializer=wire.encode_submit_response,
            ),
            "SubmitStream": grpc.stream_stream_rpc_method_handler(
                self.submit_stream,
                request_deserializer=wire.decode_submit_request,
                response_serializer=wire.encode_submit_response,
            ),
        }
        handlers |= {
            "GetAccounts": _unary(self.get_accounts, pb.GetAccountsRequest, pb.GetAccountsResponse),
            "GetHolds": _unary(self.get_holds, pb.GetHoldsRequest, pb.GetHoldsResponse),
            "GetEnvelope": _unary(self.get_envelope, pb.GetEnvelopeRequest, pb.GetEnvelopeResponse),
            "GetStatus": _unary(self.get_status, pb.GetStatusRequest, pb.GetStatusResponse),
        }
        return grpc.method_handlers_generic_handler(wire.SERVICE, handlers)


def _unary(
    method: Callable[..., Awaitable[Message]], request: type[Message], response: type[Message]
) -> "grpc.RpcMethodHandler[Any, Any]":
    """A handler whose messages are the generated ones."""
    return grpc.unary_unary_rpc_method_handler(
        method,
        request_deserializer=request.FromString,
        response_serializer=response.SerializeToString,
    )


def _found(found: FoundEnvelope, next_sequence: int) -> pb.GetEnvelopeResponse:
    return pb.GetEnvelopeResponse(
        presence=pb.GetEnvelopeResponse.FOUND,
        envelope=found.envelope,
        first_sequence=found.first_sequence,
        timestamp_ns=found.timestamp_ns,
        results=found.results,
        effects=found.effects,
        next_sequence=next_sequence,
        code=found.code,
    )


async def _abort(
    context: "aio.ServicerContext[Request, Response]", code: grpc.StatusCode, message: str
) -> NoReturn:
    await context.abort(code, message)
    raise AssertionError("abort does not return")
