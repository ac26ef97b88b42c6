"""Publishes the price books as rate cards, and knows what applies when.

A card needs a minute's notice. So all of them are published before the day: those of the morning
come into force at its midnight, one provider's next card, which supersedes the first, at noon. The
low prices of one provider begin at a whole minute of UTC inside the day, which `set_times` sees to.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tallystick import AsyncClient
from tallystick.prices import STANDARD, Card, Meter, Served, Usage
from tallystick.prices.ledger import LedgerCard, Names, ledger_card
from tallystick_cluster.demo.population import MONEY_EXPONENT
from tallystick_cluster.economy.cast import Cast
from tallystick_cluster.economy.day import NS_PER_S, Day
from tallystick_cluster.economy.offers import (
    MINUTES_PER_DAY,
    OFF_PEAK_MINUTE,
    PRICE_LISTS,
    Books,
    Offer,
    PriceList,
    models_of,
    moved,
)
from tallystick_ledger.ids import CardId, NameId
from tallystick_ledger.records import CardTerms, NameKind

# From publishing to midnight: the ledger's minute of notice, and time to publish on a busy machine.
LEAD_NS: Final = 64 * NS_PER_S
_MINUTE_NS: Final = 60 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Times:
    """The day, and what happens in it.

    Attributes:
        day: When it is.
        off_peak_ns: When the low prices of the provider with hours begin.
    """

    day: Day
    off_peak_ns: int

    @property
    def moved_minutes(self) -> int:
        """How much later than in the book that is."""
        minute = self.off_peak_ns // _MINUTE_NS % MINUTES_PER_DAY
        return (minute - OFF_PEAK_MINUTE) % MINUTES_PER_DAY


@dataclass(frozen=True, slots=True)
class Version:
    """A published card.

    Attributes:
        prices: Where its prices are from.
        date_ns: For which instant the book was asked.
        effective_from_ns: From when it prices holds.
        id: The card's id.
        lines: As the ledger has them.
    """

    prices: PriceList
    date_ns: int
    effective_from_ns: int
    id: CardId
    lines: LedgerCard


def set_times(now_ns: int, seconds: int) -> Times:
    """Sets the day so that a whole minute lies well inside it.

    Args:
        now_ns: The present.
        seconds: How long the day is to last.
    """
    begins_ns = now_ns + LEAD_NS
    margin_ns = seconds * NS_PER_S // 10
    off_peak_ns = -(-(begins_ns + margin_ns) // _MINUTE_NS) * _MINUTE_NS
    latest_ns = begins_ns + seconds * NS_PER_S - margin_ns
    begins_ns += max(0, off_peak_ns - latest_ns)
    return Times(Day(begins_ns, seconds), off_peak_ns)


class Tariffs:
    """All prices of the day."""

    def __init__(self, books: Books, times: Times) -> None:
        """Nothing is published yet."""
        self.times = times
        self._books = books
        self._versions: dict[str, list[Version]] = {each.provider: [] for each in PRICE_LISTS}
        self._names = Names({}, {}, {}, {})

    async def publish(self, client: AsyncClient, cast: Cast) -> None:
        """Registers the names, and publishes every card.

        Raises:
            TallystickError: The ledger refused something, or could not be reached.
        """
        cards = {each.provider: self._cards(each) for each in PRICE_LISTS}
        self._names = await _register_names(client, cast, cards)
        await asyncio.gather(
            *(self._publish(client, cast, each, cards[each.provider]) for each in PRICE_LISTS)
        )

    def versions(self, provider: str) -> list[Version]:
        """A provider's cards, the first one first."""
        return self._versions[provider]

    @property
    def by_id(self) -> Mapping[CardId, Version]:
        """All cards."""
        return {each.id: each for versions in self._versions.values() for each in versions}

    def in_force(self, provider: str, at_ns: int) -> Version:
        """The card that prices holds at an instant, by this process's clock."""
        versions = self._versions[provider]
        begun = [each for each in versions if each.effective_from_ns <= at_ns]
        return begun[-1] if begun else versions[0]

    def terms(self, version: Version, offer: Offer) -> CardTerms:
        """What a hold for a model is bound to."""
        return CardTerms(version.id, self._names.models[offer.model], self._tiers)

    def price(self, version: Version, offer: Offer, usage: Usage, at_ns: int) -> int:
        """What a usage costs, in nano-USD, as the ledger will compute it."""
        return version.lines.price(usage, Served(offer.model, at_ns), self._names)

    @property
    def names(self) -> Names:
        """The registered names."""
        return self._names

    @property
    def _tiers(self) -> tuple[NameId, ...]:
        return (self._names.tiers[STANDARD],)

    def _cards(self, of: PriceList) -> list[Card]:
        minutes = self.times.moved_minutes if of.has_moved_windows else 0
        return [moved(self._books.card(of, date_ns), minutes) for date_ns in of.dates_ns]

    async def _publish(
        self, client: AsyncClient, cast: Cast, of: PriceList, cards: list[Card]
    ) -> None:
        party = cast.providers[of.provider]
        starts_ns = (self.times.day.begins_ns, self.times.day.noon_ns)
        before = CardId(bytes(16))
        for card, date_ns, start_ns in zip(cards, of.dates_ns, starts_ns, strict=False):
            models = models_of(of.provider)
            lines = ledger_card(card, self._names, exponent=MONEY_EXPONENT, models=models)
            made = await client.publish_card(
                cast.money_unit,
                lines.lines,
                length_meters=lines.length_meters,
                effective_in_s=(start_ns - time.time_ns()) / NS_PER_S,
                supersedes=before,
                signer=party.pricer,
            )
            before = made.id
            version = Version(of, date_ns, start_ns, made.id, lines)
            self._versions[of.provider].append(version)


def dearest_nano(books: Books, offer: Offer, usage: Usage) -> int:
    """The most that a usage costs at any hour of the day under any card, in nano-USD."""
    return max(
        card.price(usage, Served(offer.model, minute * _MINUTE_NS)).amount_nano
        for card, minute in books.changes(offer)
    )


async def _register_names(
    client: AsyncClient, cast: Cast, cards: Mapping[str, Iterable[Card]]
) -> Names:
    """Registers models by their providers, meters and tiers by the registry."""
    lines = {
        provider: [
            line
            for card in versions
            for model in models_of(provider)
            for line in card.lines_of(model)
        ]
        for provider, versions in cards.items()
    }
    meters = sorted({line.meter for of in lines.values() for line in of})
    tiers = sorted({line.tier for of in lines.values() for line in of})

    async def name(kind: NameKind, text: str, provider: str = "") -> NameId:
        signer = cast.providers[provider].owner if provider else cast.registry
        return (await client.register_name(kind, text, signer=signer)).id

    models = [(provider, model) for provider in lines for model in models_of(provider)]
    model_ids, meter_ids, tier_ids = await asyncio.gather(
        asyncio.gather(*(name(NameKind.MODEL, model, provider) for provider, model in models)),
        asyncio.gather(*(name(NameKind.METER, Meter(meter).label) for meter in meters)),
        asyncio.gather(*(name(NameKind.TIER, tier) for tier in tiers)),
    )
    return Names(
        {model: made for (_, model), made in zip(models, model_ids, strict=True)},
        dict(zip(meters, meter_ids, strict=True)),
        dict(zip(tiers, tier_ids, strict=True)),
        {},
    )
