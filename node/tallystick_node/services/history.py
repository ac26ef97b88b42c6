"""ListRecords and Watch: an account's history, in pages and as it grows.

Both are for those who may read the account; to all others its history is empty, as that of an
account that does not exist. Statuses are those of `ledger`; INVALID_ARGUMENT also for a page token
that is none of the list asked for.

A watch searches what was applied since its last answer, at most every `WATCH_INTERVAL_S`, and asks
each time whether the key may still read. It ends with its client, with an error, or with the node.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import grpc
from tallystick_core import Kernel

from tallystick_node import access
from tallystick_node.history_reads import BadPageTokenError, HistoryReads, Listing, Page
from tallystick_node.limits import (
    DEFAULT_PAGE_RECORDS,
    MAX_PAGE_RECORDS,
    MAX_WATCHES,
    WATCH_INTERVAL_S,
    WATCH_PROGRESS_S,
)
from tallystick_node.reads import Reads, ReadTimeoutError
from tallystick_node.services.gate import Caller, Gate, RawContext
from tallystick_node.services.settle import abort, settle
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2 as pb

_ID_BYTES: Final = 16
_MAX_KINDS: Final = 64
_MAX_U16: Final = 0xFFFF
_INVALID: Final = grpc.StatusCode.INVALID_ARGUMENT


class HistoryService:
    """The RPCs of the history index; one instance a node."""

    def __init__(self, *, reads: Reads, history: HistoryReads, gate: Gate, kernel: Kernel) -> None:
        self._reads = reads
        self._history = history
        self._gate = gate
        self._kernel = kernel
        self._watches = 0

    async def list_records(
        self, request: pb.ListRecordsRequest, caller: Caller, context: RawContext
    ) -> pb.ListRecordsResponse:
        """A page of an account's history."""
        listing = await _listing(request, not request.oldest_first, context)
        limit = request.page_size or DEFAULT_PAGE_RECORDS
        if limit > MAX_PAGE_RECORDS:
            await abort(context, _INVALID, f"at most {MAX_PAGE_RECORDS} records a page")
        position: int | None = None
        if request.page_token:
            try:
                position = listing.position(request.page_token)
            except BadPageTokenError as error:
                await abort(context, _INVALID, str(error))
        await settle(self._reads, request.options, context)
        end = self._reads.next_sequence
        low, high = 0, end
        if position is not None and listing.newest_first:
            high = min(position, end)
        elif position is not None:
            low = position
        page = await self._page(caller, listing, (low, high), limit)
        token = b"" if page.position is None else listing.token(page.position)
        return pb.ListRecordsResponse(
            records=page.records,
            effects=page.effects,
            page_token=token,
            next_sequence=end,
            conts=page.conts,
        )

    async def watch(
        self, request: pb.WatchRequest, caller: Caller, context: RawContext
    ) -> AsyncIterator[pb.WatchResponse]:
        """An account's history from a sequence number on, without end."""
        listing = await _listing(request, False, context)
        access.require_account_reader(caller.reader())
        if self._watches >= MAX_WATCHES:
            await abort(
                context,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{MAX_WATCHES} watches are open on this node: try another one",
            )
        self._watches += 1
        try:
            position = request.from_sequence or self._reads.next_sequence
            told_s = 0.0
            loop = asyncio.get_running_loop()
            while True:
                end = self._reads.next_sequence
                page = await self._page(caller, listing, (position, end), MAX_PAGE_RECORDS)
                is_all = page.position is None
                position = max(position, end) if page.position is None else page.position
                if page.records or loop.time() - told_s >= WATCH_PROGRESS_S:
                    told_s = loop.time()
                    yield pb.WatchResponse(
                        records=page.records,
                        effects=page.effects,
                        next_sequence=position,
                        conts=page.conts,
                    )
                if is_all:
                    await asyncio.sleep(WATCH_INTERVAL_S)
                    await self._wait_beyond(end)
        finally:
            self._watches -= 1

    async def _wait_beyond(self, end: int) -> None:
        """Returns once a record is applied that was not before `end`, or after a while."""
        with suppress(ReadTimeoutError):
            await self._reads.wait_for_sequence(end, WATCH_PROGRESS_S)

    async def _page(
        self, caller: Caller, listing: Listing, within: tuple[int, int], limit: int
    ) -> Page:
        """A page for a caller; an empty one of an account that he may not see.

        Raises:
            UnauthenticatedError, DeniedError: He may not see any.
        """
        reader = caller.reader()
        access.require_account_reader(reader)
        if not access.may_read_account(reader, self._kernel.accounts(listing.account)):
            return Page()
        return await self._history.page(listing, *within, limit)

    def handler(self) -> grpc.GenericRpcHandler:
        """The RPCs for ``Server.add_generic_rpc_handlers``, beside those of `LedgerService`."""
        path = f"/{wire.SERVICE}/"
        handlers = {
            "ListRecords": self._gate.unary(
                path + "ListRecords", pb.ListRecordsRequest, self.list_records
            ),
            "Watch": self._gate.unary_stream(path + "Watch", pb.WatchRequest, self.watch),
        }
        return grpc.method_handlers_generic_handler(wire.SERVICE, handlers)


async def _listing(
    request: pb.ListRecordsRequest | pb.WatchRequest, newest_first: bool, context: RawContext
) -> Listing:
    """What a request asks for; ends the call of one that asks for nothing there can be."""
    wanted = request.filter
    outcome = wanted.outcome
    refusal = None
    if len(request.account) != _ID_BYTES:
        refusal = "an account's id has 16 bytes"
    elif len(wanted.counterparty) not in (0, _ID_BYTES):
        refusal = "a counterparty's id has 16 bytes"
    elif len(wanted.kinds) > _MAX_KINDS:
        refusal = f"at most {_MAX_KINDS} kinds"
    elif max(wanted.kinds, default=0) > _MAX_U16 or wanted.code > _MAX_U16:
        refusal = "kinds and codes have 16 bits"
    elif outcome not in (
        pb.HistoryFilter.OUTCOME_UNSPECIFIED,
        pb.HistoryFilter.EXECUTED,
        pb.HistoryFilter.REFUSED,
    ):
        refusal = "the outcome is none"
    elif wanted.code and outcome == pb.HistoryFilter.EXECUTED:
        refusal = "an executed record has no code"
    if refusal is not None:
        await abort(context, _INVALID, refusal)
    return Listing(
        request.account,
        newest_first,
        frozenset(wanted.kinds),
        executed=outcome != pb.HistoryFilter.REFUSED and not wanted.code,
        refused=outcome != pb.HistoryFilter.EXECUTED,
        code=wanted.code,
        counterparty=wanted.counterparty,
        since_ns=wanted.since_ns,
        until_ns=wanted.until_ns,
        with_conts=request.with_conts,
    )
