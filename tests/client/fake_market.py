"""What a fake node answers about cards and names, out of the specification's state."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import Message
from tests.client.fake_grants import grants_of
from tests.client.fake_pages import claims_of, disputes_of, mandates_of

from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import Envelope
from tallystick_ledger.ids import CardId, PrincipalId
from tallystick_ledger.records import Name, decode
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import CardRow, NameRow, TermsRow
from tallystick_node import access
from tallystick_node.services.gate import Caller
from tallystick_proto.v1 import ledger_pb2 as pb

if TYPE_CHECKING:
    from tests.client.fake_node import FakeLedger

Work = Callable[..., Awaitable[Message]]
PAGE: Final = 3  # small, so that every list has pages


class FakeMarket:
    """The RPCs of `tallystick_node.services.market`, GetDisputes and GetGrants, for one ledger."""

    def __init__(self, ledger: "FakeLedger") -> None:
        self._ledger = ledger

    def reads(self) -> dict[str, tuple[type[Message], Work]]:
        """Request and method of each RPC, by its name."""
        return {
            "GetCards": (pb.GetCardsRequest, self._get_cards),
            "ListCards": (pb.ListCardsRequest, self._list_cards),
            "ListPrices": (pb.ListPricesRequest, self._list_prices),
            "GetNames": (pb.GetNamesRequest, self._get_names),
            "ListNames": (pb.ListNamesRequest, self._list_names),
            "GetMandates": (pb.GetMandatesRequest, mandates_of(self._ledger)),
            "GetClaims": (pb.GetClaimsRequest, claims_of(self._ledger)),
            "GetDisputes": (pb.GetDisputesRequest, disputes_of(self._ledger)),
            "GetGrants": (pb.GetGrantsRequest, grants_of(self._ledger)),
        }

    def _rows(self, reader: access.Reader, ids: Iterable[bytes]) -> bytes:
        rows = [self._ledger.state.cards.get(CardId(each)) for each in ids]
        blank = bytes(CardRow.LAYOUT.size)
        encoded = b"".join(blank if row is None else row.encode() for row in rows)
        return access.visible_cards(reader, encoded)

    def terms(self, request: pb.GetHoldsRequest, holds: bytes) -> bytes:
        """Terms of the holds that are visible, where they are asked for."""
        if not request.with_terms:
            return b""
        rows = [self._ledger.state.terms.get(each) for each in ids_of(request.ids)]
        blank = bytes(TermsRow.LAYOUT.size)
        pinned = b"".join(blank if row is None else row.encode() for row in rows)
        return access.visible_terms(holds, pinned)

    async def _get_cards(self, request: pb.GetCardsRequest, caller: Caller) -> pb.GetCardsResponse:
        return pb.GetCardsResponse(rows=self._rows(caller.reader(), ids_of(request.ids)))

    async def _list_cards(
        self, request: pb.ListCardsRequest, caller: Caller
    ) -> pb.ListCardsResponse:
        state, reader = self._ledger.state, caller.reader()
        wanted = [
            row.card
            for row in sorted(state.cards, key=lambda row: row.card)
            if row.card > request.page_token
            and request.owner in (b"", row.owner)
            and (not request.model or request.model in self._models(row.card))
            and (row.is_published or reader.is_auditor or row.owner == reader.principal)
        ]
        page = wanted[:PAGE]
        token = page[-1] if len(wanted) > PAGE else b""
        return pb.ListCardsResponse(rows=self._rows(reader, page), page_token=token)

    def _models(self, card: CardId) -> set[bytes]:
        return {line.model for line in self._ledger.state.price_lines.members(card)}

    async def _list_prices(
        self, request: pb.ListPricesRequest, caller: Caller
    ) -> pb.ListPricesResponse:
        if not any(self._rows(caller.reader(), [request.card])):
            return pb.ListPricesResponse()
        lines = self._ledger.state.price_lines.members(CardId(request.card))
        wanted = [
            line.encode()
            for line in sorted(lines, key=lambda line: line.index)
            if line.index >= request.first_line and request.model in (b"", line.model)
        ]
        return pb.ListPricesResponse(rows=b"".join(wanted[: request.page_size]))

    async def _get_names(self, request: pb.GetNamesRequest, caller: Caller) -> pb.GetNamesResponse:
        caller.reader()
        texts = self._texts()
        rows = [self._ledger.state.names.get(each) for each in ids_of(request.ids)]
        names = b"".join(_encoded(row, texts) for row in rows if row is not None)
        return pb.GetNamesResponse(names=names)

    async def _list_names(
        self, request: pb.ListNamesRequest, caller: Caller
    ) -> pb.ListNamesResponse:
        caller.reader()
        texts = self._texts()
        prefix = request.prefix.encode()
        found = sorted(
            (texts[row.text_hash] + b"\0" + row.name, row)
            for row in self._ledger.state.names
            if row.name_kind == request.kind and texts[row.text_hash].startswith(prefix)
        )
        rest = [each for each in found if each[0] > request.page_token]
        token = rest[PAGE - 1][0] if len(rest) > PAGE else b""
        names = b"".join(_encoded(row, texts) for _, row in rest[:PAGE])
        return pb.ListNamesResponse(names=names, page_token=token)

    def _texts(self) -> dict[bytes, bytes]:
        """Texts of the names in the log, by their hash."""
        found: dict[bytes, bytes] = {}
        for entry in self._ledger.log:
            envelope = Envelope.parse(entry.envelope)
            for head in envelope.heads():
                if entry.outcome.results[head.index].code is Code.OK:
                    record = decode(head.data)
                    if isinstance(record, Name):
                        raw = record.text.encode()
                        found[hashlib.sha256(raw).digest()] = raw
        return found


def ids_of(joined: bytes) -> list[Any]:
    """Ids of 16 bytes back to back, each of whatever kind it is asked for."""
    return [joined[start : start + 16] for start in range(0, len(joined), 16)]


def _encoded(row: NameRow, texts: dict[bytes, bytes]) -> bytes:
    text = texts[row.text_hash]
    numbers = row.name_kind.to_bytes(2, "little") + len(text).to_bytes(2, "little")
    return row.name + row.owner + numbers + text


def recovery_for(reader: access.Reader, state: State, principal: bytes) -> bytes:
    """What is pending for a principal, if this reader may see it."""
    row = state.recoveries.get(PrincipalId(principal))
    may_see = access.may_read_limits(reader, principal)
    return row.encode() if row is not None and may_see else b""
