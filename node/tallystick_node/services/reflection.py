"""gRPC reflection: tools such as grpcurl ask the port itself what it offers.

What the service tells is in the published .proto files, so anybody may ask. grpc's own servicer
takes requests of any size for as long as the client likes; here a name is short, and a stream
that says nothing ends.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final, cast

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2 import (
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from tallystick_node.limits import REQUEST_TIMEOUT_S
from tallystick_node.services.gate import RawContext
from tallystick_node.services.settle import abort
from tallystick_proto import wire

MAX_REQUEST_BYTES: Final = 4_096
"""A request names a file or a symbol; the answer repeats it."""
_HEALTH: Final[str] = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
_NAMES: Final = (wire.SERVICE, _HEALTH, reflection.SERVICE_NAME)


def offer_reflection(server: aio.Server) -> None:
    """Adds the service to the client port's server."""
    servicer = reflection.aio.ReflectionServicer(_NAMES)

    async def info(requests: object, context: RawContext) -> AsyncIterator[bytes]:
        del requests  # read through the context, which can be given up
        answers = servicer.ServerReflectionInfo(_requests(context), context)
        # An async generator, whatever its type says.
        async for answer in cast("AsyncIterable[ServerReflectionResponse]", answers):
            yield answer.SerializeToString()

    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(info)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                reflection.SERVICE_NAME, {"ServerReflectionInfo": method}
            ),
        )
    )


async def _requests(context: RawContext) -> AsyncIterator[ServerReflectionRequest]:
    """What the client asks, until it ends the stream or is silent for too long.

    Raises:
        DecodeError: Bytes that are no request.
    """
    while True:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                request: object = await context.read()
        except TimeoutError:
            await abort(
                context,
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"no request within {REQUEST_TIMEOUT_S:.0f} s",
            )
        if not isinstance(request, bytes):  # the end of the stream
            return
        if len(request) > MAX_REQUEST_BYTES:
            await abort(
                context,
                grpc.StatusCode.INVALID_ARGUMENT,
                f"at most {MAX_REQUEST_BYTES} bytes a request",
            )
        yield ServerReflectionRequest.FromString(request)
