"""Client methods for rate cards: prices that a provider publishes whole and never changes.

card = await client.publish_card(unit, lines, length_meters=[prompt_tokens], effective_in_s=90)

What a usage costs by them: `tallystick_ledger.pricing.price`, which is what every node computes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tallystick.draft import Draft, build
from tallystick.errors import InvalidArgument
from tallystick.keyfile import Signer
from tallystick.market_methods import MarketMethods
from tallystick.results import Created
from tallystick_ledger.ids import CardId, NameId, UnitId
from tallystick_ledger.limits import HASH_BYTES, MAX_CARD_LINES, MAX_RECORDS
from tallystick_ledger.merkle import root_of_hashes
from tallystick_ledger.records import Card, CardPublish, Price
from tallystick_ledger.state_rows import CardRow

# The notice period is 60 s of log time, counted from when the card is applied.
DEFAULT_NOTICE_S: Final = 90.0
_NO_CARD = CardId(bytes(16))
_RECORDS_A_LINE: Final = 2
# What fits beside a CARD with all its length meters (up to 4 records) and CARD_PUBLISH.
LINES_PER_ENVELOPE: Final = (MAX_RECORDS - 5) // _RECORDS_A_LINE


class CardMethods(MarketMethods):
    """What publishes prices. Errors and arguments that are not named are as in `HoldMethods`."""

    async def publish_card(
        self,
        unit: UnitId,
        lines: Sequence[Price],
        *,
        length_meters: Sequence[NameId] = (),
        effective_in_s: float = DEFAULT_NOTICE_S,
        supersedes: CardId = _NO_CARD,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Created[CardId]:
        """Drafts a card, adds its lines and publishes it. Signed by OWNER or PRICE.

        All or nothing, if it fits into one envelope: up to 4,092 lines do. More go in several, one
        after the other. Where one of these fails, the draft binds nobody and is forgotten after a
        day; the same call goes on with it if it comes in time for the draft's notice period.

        Args:
            unit: What it prices in.
            lines: Its lines, in order, at most 4,096; their `card` is put in here.
            length_meters: Meters whose sum is a request's length, for lines with a threshold.
            effective_in_s: From when it prices holds, seconds from now; at least 60 and the time
                that the envelopes take. A draft that is gone on with keeps its own.
            supersedes: An own published card that ends when this one begins; zero for none.
            signer: The provider.
            deadline_s: When to give up each envelope.

        Returns:
            The card's id, and the receipt of what published it.

        Raises:
            UnitNotFound: There is no such unit.
            CardNotFound: There is no such own card to supersede.
            NameNotFound: A model, meter, tier or region is not registered as such.
            CardRefused: Two lines overlap, the notice is too short, or the card to supersede is
                superseded already.
            CapExceeded: The provider has too many cards or lines.
        """
        if not lines:
            raise InvalidArgument("A card has at least one line.")
        if len(lines) > MAX_CARD_LINES:
            raise InvalidArgument(
                f"A card has at most {MAX_CARD_LINES:,} lines, not {len(lines):,}.",
                advice="Publish several cards, of some models each.",
            )
        draft = self.draft(signer)
        wanted = build(
            Card,
            unit,
            self._time_in(effective_in_s),
            len(lines),
            bytes(HASH_BYTES),
            tuple(sorted(length_meters)),
            supersedes,
        )
        is_whole = _fits(draft, wanted, len(lines))
        begun = None if is_whole else await self._begun(wanted, lines, draft.signer, deadline_s)
        card, done = (CardId(draft.next_id()), 0) if begun is None else begun
        own = _of(card, lines)
        if begun is None:
            draft.add(replace(wanted, lines_root=_root(own)))
            if not is_whole:
                done = (MAX_RECORDS - draft.record_count) // _RECORDS_A_LINE
                for line in own[:done]:
                    draft.add(line)
                await self._send(draft, deadline_s, atomic=True)
        if not is_whole:
            draft = self.draft(signer)
        for line in own[done:]:
            draft.add(line)
        draft.add(build(CardPublish, card))
        return Created(card, await self._send(draft, deadline_s, atomic=True))

    async def find_card(
        self,
        unit: UnitId,
        lines: Sequence[Price],
        *,
        length_meters: Sequence[NameId] = (),
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> CardRow | None:
        """Finds the own published card that says just this, and that no other has superseded.

        So a program can publish a price list again and again, and make a card of it once.

        Args:
            unit: What it prices in.
            lines: All its lines, in order; their `card` does not matter.
            length_meters: Meters whose sum is a request's length.
            signer: The provider.
            deadline_s: When to give up each of the questions that it takes.
        """
        whose = self.signer if signer is None else signer
        meters = tuple(sorted(length_meters))
        for row in await self.cards(owner=whose.principal, signer=signer, deadline_s=deadline_s):
            is_in_force = row.is_published and not row.superseded_from_ns
            said = (row.unit, row.line_count, row.length_meters)
            if not is_in_force or said != (unit, len(lines), meters):
                continue
            if _root(_of(row.card, lines)) == row.lines_root:
                return row
        return None

    async def _begun(
        self, wanted: Card, lines: Sequence[Price], signer: Signer, deadline_s: float | None
    ) -> tuple[CardId, int] | None:
        """An own draft of just these lines that can still be published, and how many it has."""
        rows = await self.cards(owner=signer.principal, signer=signer, deadline_s=deadline_s)
        for row in rows:
            said = (row.unit, row.line_count, row.length_meters, row.supersedes)
            is_alike = said == (
                wanted.unit,
                wanted.line_count,
                wanted.length_meters,
                wanted.supersedes,
            )
            in_time = row.effective_from_ns >= self._time_in(DEFAULT_NOTICE_S * 3 / 4)
            if row.is_published or not is_alike or not in_time:
                continue
            if _root(_of(row.card, lines)) == row.lines_root:
                there = await self._lines(row.card, None, signer, deadline_s)
                return row.card, len(there)
        return None


def _of(card: CardId, lines: Sequence[Price]) -> list[Price]:
    return [build(replace, line, card=card) for line in lines]


def _root(lines: Sequence[Price]) -> bytes:
    return root_of_hashes(line.leaf_hash for line in lines)


def _fits(draft: Draft, card: Card, line_count: int) -> bool:
    count = draft.record_count + card.record_count + _RECORDS_A_LINE * line_count + 1
    return count <= MAX_RECORDS
