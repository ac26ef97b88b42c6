"""The public service ``tallystick.v1.Ledger``.

Submit and SubmitStream carry raw message bytes through hand-written, wire-compatible
(de)serialisers; the reads use the generated messages, and go through `gate`, which finds out who
asks, and `access`, which says what they see. Expected refusals travel inside responses as codes;
gRPC status codes say only what concerns the call itself:

- INVALID_ARGUMENT: sizes that cannot be right, or bytes that are no such message;
- UNAUTHENTICATED, PERMISSION_DENIED: no token or key that may read this;
- FAILED_PRECONDITION: a linearizable read on a node that cannot lead it to a quorum;
- UNAVAILABLE: no leader, or the state asked for was not reached in time: try again;
- RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED: see `turnstile`, through which every call goes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, TypeAlias

import grpc
from grpc import aio
from tallystick_core import Kernel

from tallystick_node import access
from tallystick_node.limits import (
    MAX_READ_GRANTS,
    MAX_READ_IDS,
    MAX_READ_ROWS,
    MAX_READ_ZONES,
    STREAM_IDLE_S,
    STREAM_WINDOW,
)
from tallystick_node.pipeline import Pipeline
from tallystick_node.reads import FoundEnvelope, Reads
from tallystick_node.services.gate import Caller, Gate, RawContext
from tallystick_node.services.settle import ID_BYTES, abort, check_ids, settle
from tallystick_node.services.turnstile import write
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2 as pb
from tallystick_proto.wire import WireError

# Where a header names its signer, and a key's row its principal (docs/format.md 5 and 10).
_SIGNER: Final = slice(48, 80)
_KEY_PRINCIPAL: Final = slice(32, 48)

# Subscripted only in the type checker's eyes.
SubmitContext: TypeAlias = "aio.ServicerContext[bytes, wire.SubmitResponse]"
StatusSource = Callable[[], pb.GetStatusResponse]


class LedgerService:
    """Answers clients; one instance a node."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        reads: Reads,
        gate: Gate,
        kernel: Kernel,
        status: StatusSource,
        max_lifetime_ns: int,
    ) -> None:
        self._pipeline = pipeline
        self._reads = reads
        self._gate = gate
        self._kernel = kernel
        self._status = status
        self._max_lifetime_ns = max_lifetime_ns

    # -- writes ----------------------------------------------------------------------------------

    async def submit(self, message: bytes, context: SubmitContext) -> wire.SubmitResponse:
        """Unary Submit."""
        return await self._pipeline.submit(message, context.peer())

    async def submit_stream(self, messages: AsyncIterator[bytes], context: SubmitContext) -> None:
        """Streaming Submit: answers in the order of the requests, at most a window in flight.

        Reading stops while the window is full, so HTTP/2 flow control holds the client back. What
        was read is answered before the call ends, also where it is refused: a status cannot
        overtake an answer that is under way.
        """
        del messages
        connection = context.peer()
        window: asyncio.Queue[asyncio.Task[wire.SubmitResponse] | None] = asyncio.Queue(
            STREAM_WINDOW
        )
        writer = asyncio.create_task(self._write_answers(window, context))
        no_message: WireError | None = None
        try:
            try:
                while (message := await self._next_message(context)) is not None:
                    if self._pipeline.is_barred(connection):
                        break
                    answer = asyncio.create_task(self._pipeline.submit(message, connection))
                    await self._until(writer, window.put(answer))
            except WireError as error:
                message, no_message = None, error
            await self._until(writer, window.put(None))
            await writer
        finally:
            writer.cancel()
        if no_message is not None:
            raise no_message
        if message is not None:
            await abort(
                context,
                grpc.StatusCode.PERMISSION_DENIED,
                "this connection delivered too many bad signatures; it is not served",
            )

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

    # -- reads -----------------------------------------------------------------------------------

    async def get_accounts(
        self, request: pb.GetAccountsRequest, caller: Caller, context: RawContext
    ) -> pb.GetAccountsResponse:
        """Rows of accounts; those that the caller may not see are as those that are not there."""
        await check_ids(request.ids, MAX_READ_IDS, context)
        await settle(self._reads, request.options, context)
        reader = caller.reader()
        access.require_account_reader(reader)
        before = self._reads.next_sequence
        rows = access.visible_accounts(reader, self._kernel.accounts(request.ids))
        return pb.GetAccountsResponse(rows=rows, next_sequence=before)

    async def get_holds(
        self, request: pb.GetHoldsRequest, caller: Caller, context: RawContext
    ) -> pb.GetHoldsResponse:
        """Rows of holds; as `get_accounts`."""
        rows, before = await self._pinned(self._kernel.holds, request, caller, context)
        terms = b""
        if request.with_terms:
            terms = access.visible_terms(rows, self._kernel.terms(request.ids))
        return pb.GetHoldsResponse(rows=rows, next_sequence=before, terms=terms)

    async def get_channels(
        self, request: pb.GetChannelsRequest, caller: Caller, context: RawContext
    ) -> pb.GetChannelsResponse:
        """Rows of channels; as `get_accounts`."""
        rows, before = await self._pinned(self._kernel.channels, request, caller, context)
        return pb.GetChannelsResponse(rows=rows, next_sequence=before)

    async def _pinned(
        self,
        read: Callable[[bytes], bytes],
        request: pb.GetHoldsRequest | pb.GetChannelsRequest,
        caller: Caller,
        context: RawContext,
    ) -> tuple[bytes, int]:
        """The rows of holds or channels that the caller may see, and the state they are of."""
        await check_ids(request.ids, MAX_READ_IDS, context)
        await settle(self._reads, request.options, context)
        reader = caller.reader()
        access.require_account_reader(reader)
        before = self._reads.next_sequence
        rows, count = read(request.ids), len(request.ids) // ID_BYTES
        accounts = self._kernel.accounts(access.accounts_of_holds(rows, count))
        return access.visible_holds(reader, rows, count, accounts), before

    async def get_limits(
        self, request: pb.GetLimitsRequest, caller: Caller, context: RawContext
    ) -> pb.GetLimitsResponse:
        """What bounds a principal and who recovers it, if the caller may see that, and zones."""
        if len(request.principal) not in (0, ID_BYTES):
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "a principal has 16 bytes")
        if len(request.zones) % ID_BYTES or len(request.zones) > MAX_READ_ZONES * ID_BYTES:
            await abort(
                context,
                grpc.StatusCode.INVALID_ARGUMENT,
                f"zones are 16 bytes each, at most {MAX_READ_ZONES} a call",
            )
        await settle(self._reads, request.options, context)
        reader = caller.reader()
        if request.principal:
            access.require_account_reader(reader)
        before = self._reads.next_sequence
        rows = recovery = b""
        if request.principal and access.may_read_limits(reader, request.principal):
            rows = self._kernel.limits(request.principal)
            recovery = self._kernel.recovery(request.principal) or b""
        named = [
            request.zones[start : start + ID_BYTES]
            for start in range(0, len(request.zones), ID_BYTES)
        ]
        wanted = dict.fromkeys([*named, *access.zones_of_limits(rows)])
        zones = b"".join(self._kernel.zone(zone) or b"" for zone in wanted)
        return pb.GetLimitsResponse(rows=rows, zones=zones, next_sequence=before, recovery=recovery)

    async def get_netting(
        self, request: pb.GetNettingRequest, caller: Caller, context: RawContext
    ) -> pb.GetNettingResponse:
        """What the caller may see of a deferred unit; the kernel leaves the rest out."""
        sizes = (len(request.unit), len(request.account) or ID_BYTES)
        if sizes != (ID_BYTES, ID_BYTES):
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "ids have 16 bytes")
        await settle(self._reads, request.options, context)
        reader = caller.reader()
        access.require_account_reader(reader)
        before = self._reads.next_sequence
        principal = None if reader.is_auditor else reader.principal
        parts = self._kernel.netting(request.unit, principal, request.account or None)
        if parts is None:
            return pb.GetNettingResponse(next_sequence=before)
        unit, windows, members, closed, open_, pairs, figures = parts
        return pb.GetNettingResponse(
            unit=unit,
            windows=windows,
            members=members,
            closed=closed,
            open=open_,
            pairs=pairs,
            figures=figures,
            next_sequence=before,
        )

    async def get_mandates(
        self, request: pb.GetMandatesRequest, caller: Caller, context: RawContext
    ) -> pb.GetMandatesResponse:
        """The mandates that a principal gave and was given: a page of rows, ascending by id."""
        after = await _page_after(request.after, context)
        limit = await self._page(request, caller, context)
        before = self._reads.next_sequence
        rows = self._kernel.mandates(request.principal, after, limit)
        return pb.GetMandatesResponse(rows=rows, next_sequence=before)

    async def get_claims(
        self, request: pb.GetClaimsRequest, caller: Caller, context: RawContext
    ) -> pb.GetClaimsResponse:
        """What a principal owes and is owed: a page of rows, ascending by id."""
        after = await _page_after(request.after, context)
        limit = await self._page(request, caller, context)
        before = self._reads.next_sequence
        rows = self._kernel.claims(request.principal, after, limit)
        return pb.GetClaimsResponse(rows=rows, next_sequence=before)

    async def get_disputes(
        self, request: pb.GetDisputesRequest, caller: Caller, context: RawContext
    ) -> pb.GetDisputesResponse:
        """The disputes of a principal: a page of rows, ascending by the disputed record."""
        limit = await self._page(request, caller, context)
        before = self._reads.next_sequence
        rows = self._kernel.disputes(request.principal, request.after, limit)
        return pb.GetDisputesResponse(rows=rows, next_sequence=before)

    async def _page(
        self,
        request: pb.GetMandatesRequest | pb.GetClaimsRequest | pb.GetDisputesRequest,
        caller: Caller,
        context: RawContext,
    ) -> int:
        """Checks who asks about which principal; returns how many rows the page may have."""
        if len(request.principal) != ID_BYTES:
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "say whose: 16 bytes")
        if request.limit > MAX_READ_ROWS:
            await abort(
                context, grpc.StatusCode.INVALID_ARGUMENT, f"at most {MAX_READ_ROWS} rows a call"
            )
        await settle(self._reads, request.options, context)
        access.require_principal_reader(caller.reader(), request.principal)
        return request.limit or MAX_READ_ROWS

    async def get_grants(
        self, request: pb.GetGrantsRequest, caller: Caller, context: RawContext
    ) -> pb.GetGrantsResponse:
        """The grants by and to a principal: a page of rows with their accounts', by id."""
        if len(request.principal) != ID_BYTES or len(request.after) not in (0, ID_BYTES):
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "ids have 16 bytes")
        if request.limit > MAX_READ_GRANTS:
            await abort(
                context, grpc.StatusCode.INVALID_ARGUMENT, f"at most {MAX_READ_GRANTS} rows a call"
            )
        await settle(self._reads, request.options, context)
        access.require_principal_reader(caller.reader(), request.principal)
        before = self._reads.next_sequence
        after, limit = request.after or bytes(ID_BYTES), request.limit or MAX_READ_GRANTS
        rows = self._kernel.grants(request.principal, after, limit)
        return pb.GetGrantsResponse(rows=rows, next_sequence=before)

    async def get_envelope(
        self, request: pb.GetEnvelopeRequest, caller: Caller, context: RawContext
    ) -> pb.GetEnvelopeResponse:
        """An envelope by number or id, or what can be said of its absence."""
        by = request.WhichOneof("by")
        if by is None:
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "say which envelope")
        key = request.key
        if by == "key" and (len(key.envelope_id) != ID_BYTES or len(key.principal) != ID_BYTES):
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "ids have 16 bytes")
        await settle(self._reads, request.options, context)
        reader = caller.reader()
        access.require_envelope_reader(reader, key.principal if by == "key" else None)
        before = self._reads.next_sequence
        # Taken before the look-up: what it decides about absence is then on the safe side.
        log_time_ns = self._reads.log_time_ns
        found = (
            self._reads.find(request.sequence)
            if by == "sequence"
            else self._reads.find_by_id(key.principal, key.envelope_id)
        )
        if found is not None and access.may_read_envelope(reader, self._principal_of(found)):
            return _found(found, before)
        presence = pb.GetEnvelopeResponse.NOT_YET
        if by == "key" and not request.options.stale:
            decided_ns = (int.from_bytes(key.envelope_id, "little") >> 80) * 1_000_000
            # No header with this id may carry a later `valid_until` (format.md, section 4).
            if log_time_ns > decided_ns + self._max_lifetime_ns:
                presence = pb.GetEnvelopeResponse.NEVER
        return pb.GetEnvelopeResponse(presence=presence, next_sequence=before)

    def _principal_of(self, found: FoundEnvelope) -> bytes | None:
        """Whose key signed it; a key belongs to one principal for ever."""
        row = self._kernel.key(found.envelope[_SIGNER])
        return None if row is None else row[_KEY_PRINCIPAL]

    async def get_status(
        self, request: pb.GetStatusRequest, caller: Caller, context: RawContext
    ) -> pb.GetStatusResponse:
        """What this node knows of itself and its group."""
        if request.with_state_digest:
            caller.prove()
        if request.linearizable:
            await settle(self._reads, pb.ReadOptions(), context)
        if not request.with_state_digest:
            return self._status()
        caller.reader()
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
        read, path = self._gate.unary, f"/{wire.SERVICE}/"
        handlers |= {
            "GetAccounts": read(path + "GetAccounts", pb.GetAccountsRequest, self.get_accounts),
            "GetHolds": read(path + "GetHolds", pb.GetHoldsRequest, self.get_holds),
            "GetChannels": read(path + "GetChannels", pb.GetChannelsRequest, self.get_channels),
            "GetLimits": read(path + "GetLimits", pb.GetLimitsRequest, self.get_limits),
            "GetNetting": read(path + "GetNetting", pb.GetNettingRequest, self.get_netting),
            "GetMandates": read(path + "GetMandates", pb.GetMandatesRequest, self.get_mandates),
            "GetClaims": read(path + "GetClaims", pb.GetClaimsRequest, self.get_claims),
            "GetDisputes": read(path + "GetDisputes", pb.GetDisputesRequest, self.get_disputes),
            "GetGrants": read(path + "GetGrants", pb.GetGrantsRequest, self.get_grants),
            "GetEnvelope": read(path + "GetEnvelope", pb.GetEnvelopeRequest, self.get_envelope),
            "GetStatus": read(path + "GetStatus", pb.GetStatusRequest, self.get_status),
        }
        return grpc.method_handlers_generic_handler(wire.SERVICE, handlers)


async def _page_after(after: bytes, context: RawContext) -> bytes:
    """The id behind which a page begins: zero for the first."""
    if len(after) not in (0, ID_BYTES):
        await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "ids have 16 bytes")
    return after or bytes(ID_BYTES)


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
