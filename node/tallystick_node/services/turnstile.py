"""The way into the client port: how many calls, how slow, from whom; and the port itself.

Theory of operation
-------------------
gRPC takes a call once its headers have come, waits for the request without end, and hands it over
when it is whole. A client that opens calls and sends nothing, or a byte a second, would hold them
for ever; so would one that takes no answers. `Turnstile` wraps the handlers of every service on the
port (ours, health, whatever is added), without knowing them:

1. a call counts against its connection's share of `MAX_OPEN_CALLS` (fairness.py). Above it a Submit
   is answered OVERLOADED: nothing of it was ordered, and a client that is told so in the answer
   need not ask. Since that takes its message, `MAX_TURNED_AWAY` do so at a time; all others get the
   status RESOURCE_EXHAUSTED unread, with a delay in `grpc-retry-pushback-ms`;
2. calls of a barred connection wait `BARRED_DELAY_S` and get PERMISSION_DENIED: refusing at once
   would let it ask as fast as it can;
3. a single request has `REQUEST_TIMEOUT_S` to arrive: it is read here, not by gRPC, for which on
   the wire a single message and a stream of one are the same; then it is decoded, and bytes that
   are no such message are INVALID_ARGUMENT;
4. each answer of a stream has `ANSWER_WRITE_TIMEOUT_S` to be taken; a call that was slower ends
   there, and none outlives its connection, which lives for `MAX_CONNECTION_AGE_MS`.

Streams of requests are read by their own handlers, which know how long silence is all right.
"""

import asyncio
import inspect
import resource
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from tallystick_ledger.codes import Code
from tallystick_node.access import RULES
from tallystick_node.answers import refuse_whole
from tallystick_node.fairness import ConnectionBook
from tallystick_node.limits import (
    ANSWER_WRITE_TIMEOUT_S,
    BARRED_DELAY_S,
    CLIENT_SERVER_OPTIONS,
    MAX_CONCURRENT_CALLS,
    MAX_CONNECTIONS,
    MAX_TURNED_AWAY,
    OWN_FILES,
    REQUEST_TIMEOUT_S,
    RETRY_AFTER_MS,
)
from tallystick_proto.wire import SUBMIT_METHOD, SubmitResponse, WireError

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "aio.ServicerContext[Any, Any]"
Work = Callable[..., Any]
"""What is done with a request, or a stream of them: returns an awaitable or an async generator."""

PUSHBACK_KEY: Final = "grpc-retry-pushback-ms"
_CONNECTIONS_OPTION: Final = "grpc.max_allowed_incoming_connections"


def client_server(connections: ConnectionBook) -> aio.Server:
    """The server of the client port, without services yet.

    Args:
        connections: Shared with the pipeline, which finds out whose signatures are bad.
    """
    allowed = min(MAX_CONNECTIONS, raise_file_limit() - OWN_FILES)
    options = dict(CLIENT_SERVER_OPTIONS) | {_CONNECTIONS_OPTION: max(allowed, 1)}
    return aio.server(
        interceptors=(Turnstile(connections),),
        options=tuple(options.items()),
        maximum_concurrent_rpcs=MAX_CONCURRENT_CALLS,
    )


def raise_file_limit() -> int:
    """Lets the process open as many files as it may; returns how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OWN_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


class Turnstile(aio.ServerInterceptor):
    """Wraps the handler of every call."""

    def __init__(self, connections: ConnectionBook) -> None:
        self._connections = connections
        self._turned_away = 0

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Called by gRPC for every call; a method that is not there stays UNIMPLEMENTED.

        So does one of which nobody has said who may call it.
        """
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method not in RULES:
            return None
        return self._wrapped(handler, answers=handler_call_details.method == SUBMIT_METHOD)

    def _wrapped(self, handler: Handler, *, answers: bool) -> Handler:
        reading, writing = handler.request_streaming, handler.response_streaming
        kinds = (
            handler.unary_unary,
            handler.unary_stream,
            handler.stream_unary,
            handler.stream_stream,
        )
        work = cast("Work", next(each for each in kinds if each is not None))
        decode = None if reading else handler.request_deserializer or _as_it_is

        async def run(requests: object, context: Context) -> Any:  # noqa: ANN401 - the handler's
            connection = context.peer()
            if not self._connections.enter(connection):
                return await self._turn_away(context, decode if answers else None)
            try:
                await self._hold_up(connection, context)
                request = requests if decode is None else decode(await _read(context))
                outcome = work(request, context)
                if not inspect.isasyncgen(outcome):
                    return await outcome
                async for response in outcome:
                    await write(context, response)
            except (WireError, DecodeError) as error:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no request: {error}")
            finally:
                self._connections.leave(connection)

        make: Callable[..., Handler] = (
            grpc.stream_stream_rpc_method_handler
            if writing
            else grpc.stream_unary_rpc_method_handler
        )
        return make(
            run,
            request_deserializer=handler.request_deserializer if reading else None,
            response_serializer=handler.response_serializer,
        )

    async def _turn_away(
        self, context: Context, decode: Callable[[bytes], bytes] | None
    ) -> SubmitResponse:
        """Refuses a call above its connection's share.

        Args:
            context: Of the call.
            decode: Makes the message of its request, where it is a Submit.
        """
        if decode is None or self._turned_away >= MAX_TURNED_AWAY:
            await _refuse(context, "this connection has too many calls open")
        self._turned_away += 1
        try:
            return refuse_whole(decode(await _read(context)), Code.OVERLOADED)
        except WireError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no request: {error}")
            raise RuntimeError("abort returned") from error
        finally:
            self._turned_away -= 1

    async def _hold_up(self, connection: str, context: Context) -> None:
        if self._connections.is_barred(connection):
            await asyncio.sleep(BARRED_DELAY_S)
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                "this connection delivered too many bad signatures; it is not served",
            )


async def _read(context: Context) -> bytes:
    """The one request of a call."""
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            request: object = await context.read()
    except TimeoutError:
        await context.abort(
            grpc.StatusCode.DEADLINE_EXCEEDED, f"no request within {REQUEST_TIMEOUT_S:.0f} s"
        )
    if not isinstance(request, bytes):  # the end of the stream
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the call has no request")
    return request


async def write(context: Context, response: object) -> None:
    """Writes one answer of a stream; ends the call of a client that took it too late.

    gRPC sends no status behind an answer that is still under way, and a write that is given up
    leaves a call that nothing ends. So the call waits, in its connection's share and with nothing
    more read from it, until the client takes the answer or is gone; `MAX_CONNECTION_AGE_MS` sees to
    that.
    """
    started_s = time.monotonic()
    await context.write(response)
    if time.monotonic() - started_s > ANSWER_WRITE_TIMEOUT_S:
        await context.abort(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            f"an answer was not taken within {ANSWER_WRITE_TIMEOUT_S:.0f} s",
        )


async def _refuse(context: Context, why: str) -> NoReturn:
    await context.abort(
        grpc.StatusCode.RESOURCE_EXHAUSTED, why, ((PUSHBACK_KEY, str(RETRY_AFTER_MS)),)
    )
    raise RuntimeError("abort returned")


def _as_it_is(request: bytes) -> bytes:
    return request
