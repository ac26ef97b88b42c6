"""What the services share: checking ids, waiting for a read's state, and ending a call."""

from typing import Final, NoReturn, TypeVar

import grpc
from grpc import aio

from tallystick_node.errors import NodeError, NoQuorumError, NotLeaderError
from tallystick_node.limits import READ_TIMEOUT_S
from tallystick_node.reads import Reads, ReadTimeoutError
from tallystick_node.services.gate import RawContext
from tallystick_proto.v1 import ledger_pb2 as pb

ID_BYTES: Final = 16
Request = TypeVar("Request")
Response = TypeVar("Response")


async def settle(reads: Reads, options: pb.ReadOptions, context: RawContext) -> None:
    """Returns once the state is what a read's options ask for; ends the call if it cannot be."""
    try:
        await reads.settle(
            stale=options.stale,
            at_least_sequence=options.at_least_sequence,
            timeout_s=READ_TIMEOUT_S,
        )
    except NotLeaderError as error:
        await abort(context, grpc.StatusCode.FAILED_PRECONDITION, str(error))
    except (NoQuorumError, ReadTimeoutError) as error:
        await abort(context, grpc.StatusCode.UNAVAILABLE, str(error))
    except NodeError as error:
        await abort(context, grpc.StatusCode.INTERNAL, str(error))


async def check_ids(ids: bytes, limit: int, context: RawContext) -> None:
    """Ends the call unless these are ids back to back: at least one, at most `limit`."""
    if len(ids) % ID_BYTES or not ids:
        await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "ids are 16 bytes each")
    if len(ids) > limit * ID_BYTES:
        await abort(context, grpc.StatusCode.INVALID_ARGUMENT, f"at most {limit} ids a call")


async def abort(
    context: "aio.ServicerContext[Request, Response]", code: grpc.StatusCode, message: str
) -> NoReturn:
    """Ends a call with a status."""
    await context.abort(code, message)
    raise AssertionError("abort does not return")
