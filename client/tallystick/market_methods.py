"""Client methods that read rate cards and names, compare offers, and bill by them.

Published cards and names are for every key of the ledger; a draft is its owner's. What a published
card says never changes, so the client keeps the last ones that it read to bill by.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tallystick import limits
from tallystick.core import ClientCore
from tallystick.draft import build
from tallystick.errors import ProtocolError
from tallystick.keyfile import Signer
from tallystick.market import ListedCard, Listing, RegisteredName, offers_of
from tallystick.nodes import GET_CARDS, GET_HOLDS, GET_NAMES, LIST_CARDS, LIST_NAMES, LIST_PRICES
from tallystick.prices.lines import STANDARD
from tallystick.prices.usage import Usage, parse_usage
from tallystick.reads import all_rows, decode_rows, id_parts
from tallystick.results import Receipt
from tallystick_ledger.errors import LedgerError
from tallystick_ledger.ids import NO_ID, CardId, HoldId, NameId, PrincipalId, TimestampNs
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import MAX_CARD_LINES, MAX_RECORDS
from tallystick_ledger.records import (
    Capture,
    CaptureSource,
    Name,
    NameKind,
    Overrun,
    ReserveMode,
)
from tallystick_ledger.state_rows import CardRow, HoldRow, PriceLineRow, TermsRow
from tallystick_proto.v1 import ledger_pb2

# id, owner, kind, bytes of the text
_NAME: Final = struct.Struct("<16s16sHH")
_UNKNOWN_TIME = TimestampNs(0)
# One NAME takes up to 3 records.
_NAMES_PER_ENVELOPE: Final = MAX_RECORDS // 3


@dataclass(frozen=True, slots=True)
class Priced:
    """A capture whose amount the client computed.

    Attributes:
        amount: What all usage so far costs, in the unit's smallest step.
        receipt: Of the capture.
    """

    amount: int
    receipt: Receipt


class MarketMethods(ClientCore):
    """What reads cards and names. For any key that is registered and active.

    `signer` is whose key signs the question, None for the client's read key or signer; `deadline_s`
    is when to give up, seconds from now. All raise `AccessDenied`, `ConnectionFailed` and
    `ProtocolError` where nobody could say.
    """

    async def get_cards(
        self,
        cards: Sequence[CardId],
        *,
        stale: bool = False,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[CardRow | None]:
        """Reads cards by their ids: published ones, and own drafts.

        Returns:
            Their rows in this order, None where there is no such card, or not for this key.
        """
        rows: list[CardRow | None] = []
        options = ledger_pb2.ReadOptions(stale=stale)
        for part in id_parts(cards):
            request = ledger_pb2.GetCardsRequest(ids=part, options=options)
            answer = await self._reader.ask(GET_CARDS, request, *self._asking(signer, deadline_s))
            rows += decode_rows(CardRow, answer.rows, len(part) // len(NO_ID))
        return rows

    async def cards(
        self,
        *,
        owner: PrincipalId | None = None,
        model: NameId | None = None,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[CardRow]:
        """Lists published cards, and own drafts, by their ids.

        Args:
            owner: Only those of this principal.
            model: Only those with lines for this NAME.
            signer: Whose key signs the question.
            deadline_s: When to give up each of the questions that it takes.
        """
        found: list[CardRow] = []
        request = ledger_pb2.ListCardsRequest(
            owner=owner or b"", model=model or b"", page_size=limits.MAX_PAGE_RECORDS
        )
        while True:
            answer = await self._reader.ask(LIST_CARDS, request, *self._asking(signer, deadline_s))
            found += all_rows(CardRow, answer.rows)
            request.page_token = answer.page_token
            if not answer.page_token:
                return found

    async def card(
        self,
        card: CardId,
        *,
        model: NameId | None = None,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> ListedCard | None:
        """Reads a card with its lines and the texts of its names.

        Args:
            card: Which.
            model: Only lines for this NAME.
            signer: Whose key signs the question.
            deadline_s: When to give up each of the questions that it takes.

        Returns:
            None where there is no such card, or not for this key.
        """
        (row,) = await self.get_cards([card], signer=signer, deadline_s=deadline_s)
        if row is None:
            return None
        (listed,) = await self._listed([(row, model)], signer, deadline_s)
        return listed

    async def get_names(
        self,
        names: Iterable[NameId],
        *,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> dict[NameId, RegisteredName]:
        """Reads names by their ids; those that are not there are not in the answer."""
        found: dict[NameId, RegisteredName] = {}
        for part in id_parts(list(names), limits.MAX_NAMES_PER_READ):
            request = ledger_pb2.GetNamesRequest(ids=part)
            answer = await self._reader.ask(GET_NAMES, request, *self._asking(signer, deadline_s))
            found |= {each.id: each for each in _decode_names(answer.names)}
        return found

    async def names(
        self,
        kind: NameKind,
        prefix: str = "",
        *,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[RegisteredName]:
        """Lists the names of a kind that begin with `prefix`, in the order of their texts' bytes.

        Args:
            kind: What they are the names of.
            prefix: How they begin; empty for all.
            signer: Whose key signs the question.
            deadline_s: When to give up each of the questions that it takes.
        """
        found: list[RegisteredName] = []
        request = ledger_pb2.ListNamesRequest(
            kind=kind, prefix=prefix, page_size=limits.MAX_PAGE_RECORDS
        )
        while True:
            answer = await self._reader.ask(LIST_NAMES, request, *self._asking(signer, deadline_s))
            found += _decode_names(answer.names)
            request.page_token = answer.page_token
            if not answer.page_token:
                return found

    async def ensure_names(
        self,
        wanted: Iterable[tuple[NameKind, str]],
        *,
        of: Sequence[PrincipalId] = (),
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> dict[tuple[NameKind, str], NameId]:
        """Finds the names of these texts, and registers those that are missing. Signed by OWNER.

        Own names come first, then those of the principals `of`, in this order. May be repeated:
        what is there is not registered again.

        Args:
            wanted: Kinds and texts.
            of: Whose names are as good as own ones, such as a market's standard meters.
            signer: Who registers what is missing.
            deadline_s: When to give up each of the questions and envelopes that it takes.

        Raises:
            InvalidArgument: A text is none that a name can have; nothing was sent.
            CapExceeded: The principal has too many names.
        """
        texts = sorted(set(wanted))
        whose = [(signer or self.signer).principal, *of]
        found: dict[tuple[NameKind, str], NameId] = {}
        for kind in sorted({kind for kind, _ in texts}):
            there = await self._names_of(kind, [t for k, t in texts if k is kind], signer)
            for owner in reversed(whose):
                found |= {(kind, each.text): each.id for each in there if each.owner == owner}
        missing = [each for each in texts if each not in found]
        records = [build(Name, kind, text) for kind, text in missing]
        for start in range(0, len(records), _NAMES_PER_ENVELOPE):
            draft = self.draft(signer)
            part = slice(start, start + _NAMES_PER_ENVELOPE)
            made = [NameId(draft.add_creating(record)) for record in records[part]]
            await self._send(draft, deadline_s, atomic=True)
            found |= dict(zip(missing[part], made, strict=True))
        return {each: found[each] for each in texts}

    async def market(
        self,
        usage: Usage | str | None = None,
        *,
        models: Sequence[str] = (),
        providers: Sequence[str | PrincipalId] = (),
        tier: str = STANDARD,
        region: str = "",
        at_ns: TimestampNs | None = None,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> Listing:
        """Lists what is offered on the ledger, and what a usage costs where.

        Args:
            usage: What to price, as `input=1500,output=200`; None for nothing.
            models: Only these, by name.
            providers: Only these: by what they registered as a PROVIDER name, or by principal.
            tier: The service tier; `standard` also where a card knows no tiers.
            region: Where it has to be served; empty where that makes no difference.
            at_ns: When a hold would be made, nanoseconds since 1970; None for now. Cards that
                begin later are listed, and not priced.
            signer: Whose key signs the question.
            deadline_s: When to give up each of the questions that it takes.

        Returns:
            Priced offers, the cheapest first, and the others with why they have no price.
        """
        counted = parse_usage(usage) if isinstance(usage, str) else usage
        moment_ns = self._surroundings.now_ns() if at_ns is None else at_ns
        owners = await self._owners(providers, signer)
        ids: list[NameId | None] = [None]
        if models:
            ids = [each.id for each in await self._names_of(NameKind.MODEL, models, signer)]
        wanted = {
            (row.card, model): (row, model)
            for owner in owners
            for model in ids
            for row in await self.cards(
                owner=owner, model=model, signer=signer, deadline_s=deadline_s
            )
            if row.is_published and not 0 < row.superseded_from_ns <= moment_ns
        }
        listed = await self._listed(list(wanted.values()), signer, deadline_s)
        return offers_of(listed, counted, moment_ns, models=models, tier=tier, region=region)

    async def get_terms(
        self,
        holds: Sequence[HoldId],
        *,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[TermsRow | None]:
        """Reads what priced holds are bound to, of payer or payee.

        Returns:
            In the order of `holds`; None where no card prices it, or it is not for this key.
        """
        return [terms for _, terms in await self._holds_with_terms(holds, signer, deadline_s)]

    async def capture_usage(
        self,
        hold: HoldId,
        usage: Usage | str,
        *,
        tier: str = STANDARD,
        region: str = "",
        final: bool = False,
        source: CaptureSource = CaptureSource.PROVIDER_REPORTED,
        occurred_at_ns: TimestampNs = _UNKNOWN_TIME,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Priced:
        """Bills a priced hold for what was used, by the card that it is bound to.

        Args:
            hold: Which.
            usage: All that was used *so far*, as `input=1500,output=200`.
            tier: The service tier that was given.
            region: Where it was served; empty where that makes no difference.
            final: Whether this ends the hold and frees its rest.
            source: Who counted.
            occurred_at_ns: When it was used, nanoseconds since 1970; 0 for unknown.
            signer: The payee.
            deadline_s: When to give up each of the questions and the envelope.

        Raises:
            LookupError: There is no such hold for this key, or no card prices it.
            Unpriced: The card has no price for something that was used; nothing was sent.
            TallystickError: As for `capture`.
        """
        counted = parse_usage(usage) if isinstance(usage, str) else usage
        ((row, terms),) = await self._holds_with_terms([hold], signer, deadline_s)
        if row is None or terms is None or row.mode is not ReserveMode.CARD:
            raise LookupError(f"there is no hold {hold.hex()} with a card that this key may see")
        card = await self._card_to_bill_by(terms, signer, deadline_s)
        served = card.served(terms.model, counted, tier, region)
        amount = card.price(terms.model, served, row.created_at_ns)
        draft = self.draft(signer)
        draft.add(build(Capture, hold, amount, source, final, occurred_at_ns, served))
        receipt = await self._send(draft, deadline_s)
        billed = min(amount, row.maximum) if terms.overrun is Overrun.CAP else amount
        return Priced(billed, receipt)

    async def _card_to_bill_by(
        self, terms: TermsRow, signer: Signer | None, deadline_s: float | None
    ) -> ListedCard:
        key = (terms.card, terms.model)
        card = self._billed_by.get(key)
        if card is None:
            card = await self.card(
                terms.card, model=terms.model, signer=signer, deadline_s=deadline_s
            )
            if card is None:
                raise LookupError(f"there is no card {terms.card.hex()} any more")
            if len(self._billed_by) >= limits.MAX_CARDS_KEPT:
                self._billed_by.pop(next(iter(self._billed_by)))
            self._billed_by[key] = card
        return card

    async def _holds_with_terms(
        self,
        holds: Sequence[HoldId],
        signer: Signer | SigningKey | None,
        deadline_s: float | None,
    ) -> list[tuple[HoldRow | None, TermsRow | None]]:
        found: list[tuple[HoldRow | None, TermsRow | None]] = []
        for part in id_parts(holds):
            request = ledger_pb2.GetHoldsRequest(ids=part, with_terms=True)
            answer = await self._reader.ask(GET_HOLDS, request, *self._asking(signer, deadline_s))
            count = len(part) // len(NO_ID)
            rows = decode_rows(HoldRow, answer.rows, count)
            found += zip(rows, decode_rows(TermsRow, answer.terms, count), strict=True)
        return found

    async def _owners(
        self, providers: Sequence[str | PrincipalId], signer: Signer | SigningKey | None
    ) -> list[PrincipalId | None]:
        """The principals that are meant; None stands for any."""
        if not providers:
            return [None]
        texts = [each for each in providers if isinstance(each, str)]
        owners = [each for each in providers if not isinstance(each, str)]
        named = await self._names_of(NameKind.PROVIDER, texts, signer)
        return [*dict.fromkeys([*owners, *(each.owner for each in named)])]

    async def _names_of(
        self, kind: NameKind, texts: Sequence[str], signer: Signer | SigningKey | None
    ) -> list[RegisteredName]:
        """The names of a kind with one of these texts."""
        if len(texts) > limits.MAX_NAMES_ASKED_ALONE:
            there, wanted = await self.names(kind, signer=signer), frozenset(texts)
            return [each for each in there if each.text in wanted]
        return [
            each
            for text in dict.fromkeys(texts)
            for each in await self.names(kind, text, signer=signer)
            if each.text == text
        ]

    async def _listed(
        self,
        wanted: Sequence[tuple[CardRow, NameId | None]],
        signer: Signer | SigningKey | None,
        deadline_s: float | None,
    ) -> list[ListedCard]:
        """Cards with lines and names; all names in as few questions as they fit in."""
        lines = [await self._lines(row.card, model, signer, deadline_s) for row, model in wanted]
        ids = [_names_in(row, own) for (row, _), own in zip(wanted, lines, strict=True)]
        names = await self.get_names(sorted(frozenset[NameId]().union(*ids)), signer=signer)
        owners = {row.owner for row, _ in wanted}
        providers: list[RegisteredName] = []
        if owners:
            there = await self.names(NameKind.PROVIDER, signer=signer)
            providers = [each for each in there if each.owner in owners]
        return [
            ListedCard(row, own, _restricted(names, mentioned) | _by_id(providers, row.owner))
            for (row, _), own, mentioned in zip(wanted, lines, ids, strict=True)
        ]

    async def _lines(
        self,
        card: CardId,
        model: NameId | None,
        signer: Signer | SigningKey | None,
        deadline_s: float | None,
    ) -> tuple[PriceLineRow, ...]:
        """A card's lines, of one model or all; none where it is not there for this key."""
        request = ledger_pb2.ListPricesRequest(
            card=card, model=model or b"", page_size=MAX_CARD_LINES
        )
        answer = await self._reader.ask(LIST_PRICES, request, *self._asking(signer, deadline_s))
        return tuple(all_rows(PriceLineRow, answer.rows))

    def _asking(
        self, signer: Signer | SigningKey | None, deadline_s: float | None
    ) -> tuple[SigningKey, float]:
        within_s = self._read_deadline_s if deadline_s is None else deadline_s
        return self._key_to_read(signer), within_s


def _names_in(row: CardRow, lines: Iterable[PriceLineRow]) -> frozenset[NameId]:
    names = set(row.length_meters)
    for line in lines:
        names |= {line.model, line.meter, line.tier, line.region, line.same_as}
    return frozenset(names - {NameId(NO_ID)})


def _restricted(
    names: Mapping[NameId, RegisteredName], wanted: Iterable[NameId]
) -> dict[NameId, RegisteredName]:
    return {each: names[each] for each in wanted if each in names}


def _by_id(names: Iterable[RegisteredName], owner: PrincipalId) -> dict[NameId, RegisteredName]:
    return {each.id: each for each in names if each.owner == owner}


def _decode_names(data: bytes) -> Iterator[RegisteredName]:
    at = 0
    try:
        while at < len(data):
            name, owner, kind, length = _NAME.unpack_from(data, at)
            end = at + _NAME.size + length
            text = data[at + _NAME.size : end]
            if len(text) != length:
                raise ValueError("the last text is cut off")
            yield RegisteredName(
                NameId(name), PrincipalId(owner), NameKind(kind), text.decode("utf-8")
            )
            at = end
    except (struct.error, ValueError, LedgerError) as error:
        raise ProtocolError(f"A node's names are unusable: {error}.") from error
