"""GetCards, ListCards, ListPrices, GetNames, ListNames: what is offered, and what it is called.

Published cards and names are for everybody who holds a key of the ledger; a draft is for its owner
and for auditors, and answers to all others as a card that does not exist. Statuses are those of
`ledger`; INVALID_ARGUMENT also for a page token that cannot be one. ListCards and names are read
off the event loop.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

import grpc
from tallystick_core import Kernel

from tallystick_node import access
from tallystick_node.limits import (
    DEFAULT_PAGE_RECORDS,
    MAX_PAGE_RECORDS,
    MAX_READ_IDS,
    MAX_READ_LINES,
    MAX_READ_NAMES,
)
from tallystick_node.reads import Reads
from tallystick_node.services.gate import Caller, Gate, RawContext
from tallystick_node.services.settle import ID_BYTES, abort, check_ids, settle
from tallystick_node.storage import Store
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2 as pb

_CARD_ROW_BYTES: Final = 392
_NO_CARD: Final = bytes(_CARD_ROW_BYTES)
_BEFORE_ALL: Final = bytes(ID_BYTES)
_MAX_TEXT_BYTES: Final = 256
_MAX_KIND: Final = 0xFFFF
_INVALID: Final = grpc.StatusCode.INVALID_ARGUMENT
_Read = TypeVar("_Read")


class MarketService:
    """The RPCs of cards and names; one instance a node."""

    def __init__(self, *, reads: Reads, store: Store, gate: Gate, kernel: Kernel) -> None:
        self._reads = reads
        self._store = store
        self._gate = gate
        self._kernel = kernel

    async def get_cards(
        self, request: pb.GetCardsRequest, caller: Caller, context: RawContext
    ) -> pb.GetCardsResponse:
        """Rows of cards; those that the caller may not see are as those that are not there."""
        await check_ids(request.ids, MAX_READ_IDS, context)
        await settle(self._reads, request.options, context)
        reader = caller.reader()
        before = self._reads.next_sequence
        rows = access.visible_cards(reader, self._kernel.cards(request.ids))
        return pb.GetCardsResponse(rows=rows, next_sequence=before)

    async def list_cards(
        self, request: pb.ListCardsRequest, caller: Caller, context: RawContext
    ) -> pb.ListCardsResponse:
        """A page of the cards that the caller may see."""
        for each in (request.owner, request.model, request.page_token):
            await _check_optional_id(each, context)
        limit = await _page_size(request.page_size, context)
        await settle(self._reads, request.options, context)
        reader = caller.reader()
        before = self._reads.next_sequence
        rows = await _off_loop(
            lambda: self._kernel.card_list(
                request.page_token or _BEFORE_ALL,
                limit,
                drafts_of=None if reader.is_auditor else reader.principal,
                owner=request.owner or None,
                model=request.model or None,
            )
        )
        is_full = len(rows) == limit * _CARD_ROW_BYTES
        token = rows[-_CARD_ROW_BYTES:][:ID_BYTES] if is_full else b""
        return pb.ListCardsResponse(rows=rows, page_token=token, next_sequence=before)

    async def list_prices(
        self, request: pb.ListPricesRequest, caller: Caller, context: RawContext
    ) -> pb.ListPricesResponse:
        """Lines of a card; none of one that the caller may not see."""
        await check_ids(request.card, 1, context)
        await _check_optional_id(request.model, context)
        limit = request.page_size or MAX_READ_LINES
        if limit > MAX_READ_LINES:
            await abort(context, _INVALID, f"at most {MAX_READ_LINES} lines a page")
        await settle(self._reads, request.options, context)
        reader = caller.reader()
        before = self._reads.next_sequence
        rows = b""
        if access.visible_cards(reader, self._kernel.cards(request.card)) != _NO_CARD:
            model = request.model or None
            rows = self._kernel.card_lines(request.card, request.first_line, limit, model=model)
        return pb.ListPricesResponse(rows=rows, next_sequence=before)

    async def get_names(
        self, request: pb.GetNamesRequest, caller: Caller, context: RawContext
    ) -> pb.GetNamesResponse:
        """Names by their ids."""
        await check_ids(request.ids, MAX_READ_NAMES, context)
        await settle(self._reads, request.options, context)
        caller.reader()
        before = self._reads.next_sequence
        names = await _off_loop(lambda: self._store.names_by_id(request.ids))
        return pb.GetNamesResponse(names=names, next_sequence=before)

    async def list_names(
        self, request: pb.ListNamesRequest, caller: Caller, context: RawContext
    ) -> pb.ListNamesResponse:
        """A page of the names of a kind."""
        prefix, after = request.prefix.encode(), request.page_token
        if request.kind > _MAX_KIND or len(prefix) > _MAX_TEXT_BYTES:
            await abort(context, _INVALID, "there is no such kind, or no such long text")
        if after and not (after.startswith(prefix) and after[-ID_BYTES - 1 : -ID_BYTES] == b"\0"):
            await abort(context, _INVALID, "the page token is none of this list")
        limit = await _page_size(request.page_size, context)
        await settle(self._reads, request.options, context)
        caller.reader()
        before = self._reads.next_sequence
        names, token = await _off_loop(
            lambda: self._store.names_by_text(request.kind, prefix, after, limit)
        )
        return pb.ListNamesResponse(names=names, page_token=token, next_sequence=before)

    def handler(self) -> grpc.GenericRpcHandler:
        """The RPCs for ``Server.add_generic_rpc_handlers``, beside those of `LedgerService`."""
        read, path = self._gate.unary, f"/{wire.SERVICE}/"
        handlers = {
            "GetCards": read(path + "GetCards", pb.GetCardsRequest, self.get_cards),
            "ListCards": read(path + "ListCards", pb.ListCardsRequest, self.list_cards),
            "ListPrices": read(path + "ListPrices", pb.ListPricesRequest, self.list_prices),
            "GetNames": read(path + "GetNames", pb.GetNamesRequest, self.get_names),
            "ListNames": read(path + "ListNames", pb.ListNamesRequest, self.list_names),
        }
        return grpc.method_handlers_generic_handler(wire.SERVICE, handlers)


async def _check_optional_id(value: bytes, context: RawContext) -> None:
    if len(value) not in (0, ID_BYTES):
        await abort(context, _INVALID, "ids have 16 bytes")


async def _page_size(asked: int, context: RawContext) -> int:
    if asked > MAX_PAGE_RECORDS:
        await abort(context, _INVALID, f"at most {MAX_PAGE_RECORDS} rows a page")
    return asked or DEFAULT_PAGE_RECORDS


async def _off_loop(read: Callable[[], _Read]) -> _Read:
    return await asyncio.get_running_loop().run_in_executor(None, read)
