"""The way into every read: who asks is found out here, over the bytes that came.

Theory of operation
-------------------
A handler made here gets the request as raw bytes, since a read token is signed over them; nothing
is ever encoded again to be checked. In this order:

1. size; then, where the RPC's rule (`access.RULES`) asks for a token, its layout, expiry and
   signature: bytes and clock only, so nobody who holds no key gets further;
2. the request is decoded;
3. the method runs. It waits until the state is recent enough, and only then asks its `Caller` for
   the `Reader`: so a key that was revoked, or registered, before a linearizable read began is
   known as such on every node.

What `access` raises becomes the call's status: UNAUTHENTICATED or PERMISSION_DENIED. A method that
answers a stream asks for the reader again before each part: a token opens a call and may expire
during it, but a key that is revoked meanwhile ends it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from grpc import aio
from tallystick_core import Kernel, verify_ed25519

from tallystick_ledger.ed25519_zip215 import is_canonical_point
from tallystick_ledger.errors import TokenError
from tallystick_ledger.ids import LedgerId, PublicKey
from tallystick_ledger.read_token import METADATA_KEY, ReadToken, signed_bytes
from tallystick_node.access import RULES, Reader, Token, reader_of
from tallystick_node.errors import DeniedError, UnauthenticatedError
from tallystick_node.limits import MAX_READ_REQUEST_BYTES

_HINT: Final = (
    f"sign this call with a registered key: metadata {METADATA_KEY}, docs/format.md section 12"
)
_ENCODED_POINT: Final = slice(0, 32)

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)

# Subscripted only in the type checker's eyes.
RawContext: TypeAlias = "aio.ServicerContext[bytes, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Caller:
    """Who makes one call, as far as that is proved."""

    def __init__(self, gate: "Gate", method: str, request: bytes, context: RawContext) -> None:
        """Made by `Gate`."""
        self._gate = gate
        self._method = method
        self._request = request
        self._context = context
        self._key: PublicKey | None = None

    def prove(self) -> PublicKey:
        """The key that signed the call's token; looks at bytes and clock only.

        Raises:
            UnauthenticatedError: There is no token, or it is not good for this call.
        """
        if self._key is None:
            tokens = [
                value
                for name, value in self._context.invocation_metadata() or ()
                if name == METADATA_KEY
            ]
            if len(tokens) != 1:
                count = "no read token" if not tokens else "more than one read token"
                raise UnauthenticatedError(f"there is {count}: {_HINT}")
            self._key = self._gate.verify(tokens[0], self._method, self._request)
        return self._key

    def reader(self) -> Reader:
        """Who asks, by the state that is applied now.

        Raises:
            UnauthenticatedError: As `prove`; or the key is not registered, revoked or expired.
        """
        return self._gate.reader(self.prove())


class Gate:
    """Makes handlers for reads; one instance a node."""

    def __init__(
        self,
        *,
        ledger_id: LedgerId,
        kernel: Kernel,
        log_time_ns: Callable[[], int],
        clock_ns: Callable[[], int],
    ) -> None:
        """Make it.

        Args:
            ledger_id: Of this node's ledger.
            kernel: Where keys are looked up.
            log_time_ns: Log time as far as it is applied.
            clock_ns: The node's clock.
        """
        self._ledger_id = ledger_id
        self._kernel = kernel
        self._log_time_ns = log_time_ns
        self._clock_ns = clock_ns

    def verify(self, token: bytes | str, method: str, request: bytes) -> PublicKey:
        """Checks a token by its bytes and the clock.

        Args:
            token: As it came in the metadata.
            method: Full name of the RPC.
            request: Of the call, as it came.

        Returns:
            The key that signed it; whether it is registered is not looked at.

        Raises:
            UnauthenticatedError: It is not good for this call.
        """
        try:
            parsed = ReadToken.parse(token if isinstance(token, bytes) else b"")
            parsed.check_time(self._clock_ns())
        except TokenError as error:
            raise UnauthenticatedError(f"the read token is not good: {error}") from error
        signed = signed_bytes(self._ledger_id, parsed.key, method, request, parsed.expires_at_ns)
        # The core asks for S below the group order and for an R that decompresses.
        canonical = is_canonical_point(parsed.signature[_ENCODED_POINT])
        if not (canonical and verify_ed25519(parsed.key, signed, parsed.signature)):
            raise UnauthenticatedError(
                "the read token is not good: its signature is not one of its key over this method, "
                "these request bytes and this ledger"
            )
        return parsed.key

    def reader(self, key: PublicKey) -> Reader:
        """Who holds a key, by the state that is applied now.

        Raises:
            UnauthenticatedError: The key is not registered, revoked, or its time is over.
        """
        # While a ledger is idle its time stands still; a key's does not.
        now_ns = max(self._log_time_ns(), self._clock_ns())
        return reader_of(key, self._kernel.key(key), now_ns)

    def unary(
        self,
        method: str,
        request_type: type[RequestT],
        work: "Callable[[RequestT, Caller, RawContext], Awaitable[Message]]",
    ) -> Handler:
        """A handler for an RPC with one answer.

        Args:
            method: Its full name; `access.RULES` must have it.
            request_type: Of its request.
            work: What it does.

        Raises:
            KeyError: Nobody has said who may call it.
        """
        rule = RULES[method]

        async def handle(raw: bytes, context: RawContext) -> Message:
            try:
                caller = self._admit(method, raw, context, rule.token)
                return await work(await _decode(request_type, raw, context), caller, context)
            except (UnauthenticatedError, DeniedError) as error:
                await _refuse(error, context)

        return grpc.unary_unary_rpc_method_handler(handle, response_serializer=_encode)

    def unary_stream(
        self,
        method: str,
        request_type: type[RequestT],
        work: "Callable[[RequestT, Caller, RawContext], AsyncIterator[Message]]",
    ) -> Handler:
        """A handler for an RPC that answers one request with a stream; as `unary`."""
        rule = RULES[method]

        async def handle(raw: bytes, context: RawContext) -> AsyncIterator[Message]:
            try:
                caller = self._admit(method, raw, context, rule.token)
                request = await _decode(request_type, raw, context)
                async for part in work(request, caller, context):
                    yield part
            except (UnauthenticatedError, DeniedError) as error:
                await _refuse(error, context)

        return grpc.unary_stream_rpc_method_handler(handle, response_serializer=_encode)

    def _admit(self, method: str, raw: bytes, context: RawContext, token: Token) -> Caller:
        caller = Caller(self, method, raw, context)
        if token is Token.REQUIRED and len(raw) <= MAX_READ_REQUEST_BYTES:
            caller.prove()
        return caller


def _encode(response: Message) -> bytes:
    return response.SerializeToString()


async def _decode(request_type: type[RequestT], raw: bytes, context: RawContext) -> RequestT:
    if len(raw) > MAX_READ_REQUEST_BYTES:
        await _abort(
            context,
            grpc.StatusCode.INVALID_ARGUMENT,
            f"a read's request has at most {MAX_READ_REQUEST_BYTES} bytes",
        )
    try:
        return request_type.FromString(raw)
    except DecodeError:
        await _abort(
            context,
            grpc.StatusCode.INVALID_ARGUMENT,
            f"the request is no {request_type.DESCRIPTOR.name}",
        )


async def _refuse(error: UnauthenticatedError | DeniedError, context: RawContext) -> NoReturn:
    unknown = isinstance(error, UnauthenticatedError)
    code = grpc.StatusCode.UNAUTHENTICATED if unknown else grpc.StatusCode.PERMISSION_DENIED
    await _abort(context, code, str(error))


async def _abort(context: RawContext, code: grpc.StatusCode, message: str) -> NoReturn:
    await context.abort(code, message)
    raise RuntimeError("abort returned")
