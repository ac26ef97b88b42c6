"""Client methods for rate cards: prices that a provider publishes whole and never changes.

card = await client.publish_card(unit, lines, length_meters=[prompt_tokens], effective_in_s=90)

What a usage costs by them: `tallystick_ledger.pricing.price`, which is what every node computes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tallystick.core import ClientCore
from tallystick.draft import build
from tallystick.errors import InvalidArgument
from tallystick.keyfile import Signer
from tallystick.results import Created
from tallystick_ledger.ids import CardId, NameId, UnitId
from tallystick_ledger.limits import MAX_RECORDS
from tallystick_ledger.merkle import root_of_hashes
from tallystick_ledger.records import Card, CardPublish, Price

# The notice period is 60 s of log time, counted from when the card is applied.
DEFAULT_NOTICE_S: Final = 90.0
_NO_CARD = CardId(bytes(16))


class CardMethods(ClientCore):
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
        """Drafts a card, adds its lines and publishes it, all or nothing. Signed by OWNER or PRICE.

        Args:
            unit: What it prices in.
            lines: Its lines, in order; their `card` is put in here. About 4,000 at most.
            length_meters: Meters whose sum is a request's length, for lines with a threshold.
            effective_in_s: From when it prices holds, seconds from now; at least 60 and the time
                that the envelope takes.
            supersedes: An own published card that ends when this one begins; zero for none.
            signer: The provider.
            deadline_s: When to give up.

        Returns:
            The card's id.

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
        draft = self.draft(signer)
        card = CardId(draft.next_id())
        own = [build(replace, line, card=card) for line in lines]
        starts_ns = self._time_in(effective_in_s)
        root = root_of_hashes(line.leaf_hash for line in own)
        meters = tuple(sorted(length_meters))
        draft.add(build(Card, unit, starts_ns, len(own), root, meters, supersedes))
        if 2 * len(own) + draft.record_count >= MAX_RECORDS:
            raise InvalidArgument(
                f"{len(own)} lines do not fit into one envelope.", advice="Publish several cards."
            )
        for line in own:
            draft.add(line)
        draft.add(build(CardPublish, card))
        return Created(card, await self._send(draft, deadline_s, atomic=True))
