"""A price book: the cards of many providers, and how to find a model in them.

A book is what an importer made out of one file. Cards have dates: the latest that is in effect at
the instant applies. Model names are found exactly; where the book brings rules (`matching`), the
first rule that matches the name wins, and a provider may fall back on another's cards once (Azure
sells OpenAI's models at prices that only OpenAI's list states).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tallystick.prices.card import Card, Served
from tallystick.prices.errors import UnknownModel, Unpriced
from tallystick.prices.lines import STANDARD, PriceLine
from tallystick.prices.matching import ModelRules
from tallystick.prices.pricing import Charge
from tallystick.prices.report import ImportReport
from tallystick.prices.usage import Usage


@dataclass(frozen=True, slots=True)
class Found:
    """Where a model's prices stand.

    Attributes:
        provider: Whose card; another's than asked for where the provider falls back.
        model: The model's name in it.
    """

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What one provider takes for a usage.

    Attributes:
        provider: Who.
        model: Which model.
        charge: What it costs there.
    """

    provider: str
    model: str
    charge: Charge


@dataclass(frozen=True, slots=True)
class Book:
    """An imported price book.

    Attributes:
        name: Which book.
        cards: All versions, sorted by provider, unit and date.
        report: What the import did.
        rules: How model names are found, by provider; none: exactly.
    """

    name: str
    cards: tuple[Card, ...]
    report: ImportReport
    rules: Mapping[str, ModelRules] = field(default_factory=dict)

    @property
    def providers(self) -> tuple[str, ...]:
        """Who has a card."""
        return tuple(dict.fromkeys(card.provider for card in self.cards))

    def card(self, provider: str, at_ns: int, unit: str = "USD") -> Card:
        """The card in effect.

        Raises:
            UnknownModel: The provider has none, or not yet.
        """
        best: Card | None = None
        for card in self.cards:
            fits = card.provider == provider and card.unit == unit
            if fits and card.effective_from_ns <= at_ns:
                best = card if best is None else max(best, card, key=_date)
        if best is None:
            raise UnknownModel(f"{provider} has no card in {unit} at that time.")
        return best

    def find(self, provider: str, model: str) -> Found:
        """Finds a model by the name that a caller or an answer uses.

        Raises:
            UnknownModel: No rule, and no card, knows it.
        """
        for place in self._places(provider):
            rules = self.rules.get(place)
            name = rules.find(model) if rules is not None else model
            known = any(card.provider == place and name in card.models for card in self.cards)
            if name is not None and known:
                return Found(place, name)
            if name is not None and rules is not None:
                break  # the first rule that matches decides, also where it leads to no price
        raise UnknownModel(f"The book {self.name} has no prices of {provider} for {model}.")

    def price(
        self,
        provider: str,
        model: str,
        usage: Usage,
        at_ns: int,
        *,
        tier: str = STANDARD,
        region: str = "",
        unit: str = "USD",
    ) -> Charge:
        """What a usage costs at a provider.

        Raises:
            UnknownModel: The book does not know the model.
            Unpriced: Some meter has no price.
        """
        found = self.find(provider, model)
        card = self.card(found.provider, at_ns, unit)
        return card.price(usage, Served(found.model, at_ns, tier, region))

    def offers(
        self,
        usage: Usage,
        at_ns: int,
        *,
        tier: str = STANDARD,
        region: str = "",
        unit: str = "USD",
    ) -> Iterator[Offer | Unpriced]:
        """What each model of each card costs, or why it cannot be said."""
        for provider in self.providers:
            try:
                card = self.card(provider, at_ns, unit)
            except UnknownModel:
                continue
            for model in sorted(card.models):
                try:
                    charge = card.price(usage, Served(model, at_ns, tier, region))
                except Unpriced as error:
                    yield error
                else:
                    yield Offer(provider, model, charge)

    def _places(self, provider: str) -> Iterator[str]:
        yield provider
        if provider in self.rules:
            yield from self.rules[provider].fallbacks


def _date(card: Card) -> int:
    return card.effective_from_ns


def cards_of(lines: Mapping[tuple[str, str, int], list[PriceLine]]) -> tuple[Card, ...]:
    """Cards from lines by provider, unit and date, in this order."""
    return tuple(
        Card(provider, unit, tuple(made), date)
        for (provider, unit, date), made in sorted(lines.items())
    )
