"""From a card of a price book to the PRICE records of a ledger, and what a usage costs by them.

    terms = ledger_card(card, names, exponent=9, models=["gpt-x"])
    await client.publish_card(unit, terms.lines, length_meters=terms.length_meters)
    terms.price(usage, served, names)     # as the ledger will price it

A ledger knows models, meters, tiers and regions by the ids of registered NAMEs; `Names` says which
is which. What a card of a ledger cannot say is refused, never approximated: a line for any model,
or a price that is not whole in the unit's smallest step.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from tallystick.errors import InvalidArgument
from tallystick.prices.card import Card, Served
from tallystick.prices.errors import Unpriced, UnpricedReason
from tallystick.prices.lines import ANY, LineFlag, PriceLine
from tallystick.prices.literals import power_of_ten
from tallystick.prices.meters import Group, Meter
from tallystick.prices.usage import Usage
from tallystick_ledger import pricing
from tallystick_ledger.ids import NO_ID, CardId, NameId
from tallystick_ledger.records import NameKind, Price, ServedUsage

BOOK_EXPONENT: Final = 9  # books count in nano-units
_NO_CARD = CardId(NO_ID)
_Key = TypeVar("_Key", bound=str | Meter)


@dataclass(frozen=True, slots=True)
class Names:
    """Ids of the NAMEs that a card's words are registered as.

    Attributes:
        models: By the model's name in the book.
        meters: By meter; their registered text is the meter's label.
        tiers: By the tier's name.
        regions: By the region's name.
    """

    models: Mapping[str, NameId]
    meters: Mapping[Meter, NameId]
    tiers: Mapping[str, NameId]
    regions: Mapping[str, NameId]


@dataclass(frozen=True, slots=True)
class LedgerCard:
    """The lines of a card as a ledger knows them.

    Attributes:
        lines: In order; `publish_card` puts in which card they are of.
        length_meters: The meters of tokens that go in, ascending by id.
    """

    lines: tuple[Price, ...]
    length_meters: tuple[NameId, ...]

    def price(self, usage: Usage, served: Served, names: Names) -> int:
        """What a usage costs, in the unit's smallest step: the amount that a CAPTURE expects.

        Args:
            usage: All that was used so far.
            served: What was served; `at_ns` is the time of the hold.
            names: The registered names.

        Raises:
            Unpriced: The card has no price for some meter.
        """
        counted = served_usage(usage, served, names)
        circumstances = pricing.Served(
            _name(names.models, served.model), counted.tier, counted.region, served.at_ns
        )
        try:
            return pricing.price(self.lines, self.length_meters, dict(counted.lines), circumstances)
        except pricing.UnpricedError as error:
            reason = UnpricedReason.NO_LINE
            raise Unpriced("ledger", served.model, str(usage), reason) from error


def parts_of(card: Card, models: Iterable[str], limit: int) -> list[list[str]]:
    """Cuts models into runs whose lines fit into a card of a ledger each.

    Args:
        card: Of a price book.
        models: In the order that they come in.
        limit: Lines that fit; a model with more has a run of its own.
    """
    counts = Counter(line.model for line in card.lines)
    parts: list[list[str]] = []
    room = 0
    for model in models:
        if counts[model] > room:
            parts.append([])
            room = limit
        parts[-1].append(model)
        room -= counts[model]
    return parts


def names_wanted(card: Card, models: Iterable[str]) -> list[tuple[NameKind, str]]:
    """Kinds and texts of the names that a ledger needs for a card's lines for some models."""
    wanted = frozenset(models)
    found: set[tuple[NameKind, str]] = set()
    for line in card.lines:
        if line.model in wanted:
            found |= {(NameKind.MODEL, line.model), (NameKind.METER, line.meter.label)}
            found |= set() if line.same_as is None else {(NameKind.METER, line.same_as.label)}
            found |= set() if line.tier == ANY else {(NameKind.TIER, line.tier)}
            found |= set() if line.region == ANY else {(NameKind.REGION, line.region)}
    return sorted(found)


def names_of(found: Mapping[tuple[NameKind, str], NameId]) -> Names:
    """What `Client.ensure_names` found, as `ledger_card` takes it."""

    def by_text(kind: NameKind) -> dict[str, NameId]:
        return {text: name for (each, text), name in found.items() if each is kind}

    meters = by_text(NameKind.METER)
    return Names(
        by_text(NameKind.MODEL),
        {meter: meters[meter.label] for meter in Meter if meter.label in meters},
        by_text(NameKind.TIER),
        by_text(NameKind.REGION),
    )


def ledger_card(
    card: Card, names: Names, *, exponent: int = BOOK_EXPONENT, models: Iterable[str] | None = None
) -> LedgerCard:
    """Translates a card, or its lines for some models.

    Args:
        card: Of a price book.
        names: The registered names.
        exponent: Decimal exponent of the ledger's unit.
        models: Those to take; None for all.

    Raises:
        InvalidArgument: A line is for any model, a name is not registered, or a price is not whole.
    """
    wanted = None if models is None else frozenset(models)
    lines = [line for line in card.lines if wanted is None or line.model in wanted]
    counted = {line.meter for line in lines if line.meter.group is Group.INPUT_TOKENS}
    return LedgerCard(
        tuple(_line(line, names, exponent) for line in lines),
        tuple(sorted(_name(names.meters, meter) for meter in counted)),
    )


def served_usage(usage: Usage, served: Served, names: Names) -> ServedUsage:
    """A usage as a CAPTURE says it.

    Raises:
        InvalidArgument: A meter that was used is not registered.
    """
    lines = sorted((_name(names.meters, meter), count) for meter, count in usage)
    any_tier = NameId(NO_ID)
    tier = names.tiers.get(served.tier, any_tier)
    region = names.regions.get(served.region, any_tier)
    return ServedUsage(tier, region, tuple(lines))


def _line(line: PriceLine, names: Names, exponent: int) -> Price:
    if line.model == ANY:
        raise InvalidArgument(
            "A ledger's card has no line for any model.", advice="Name the models to publish."
        )
    same_as = NameId(NO_ID) if line.same_as is None else _name(names.meters, line.same_as)
    any_name = NameId(NO_ID)
    return Price(
        _NO_CARD,
        _name(names.models, line.model),
        _name(names.meters, line.meter),
        _scaled(line.price, exponent),
        any_name if line.tier == ANY else _name(names.tiers, line.tier),
        any_name if line.region == ANY else _name(names.regions, line.region),
        line.above,
        pricing.Window(line.window.start_minute, line.window.end_minute, line.window.weekdays),
        bool(line.flags & LineFlag.FREE),
        same_as,
    )


def _scaled(price: int, exponent: int) -> int:
    if exponent >= BOOK_EXPONENT:
        return price * power_of_ten(exponent - BOOK_EXPONENT)
    scaled, rest = divmod(price, power_of_ten(BOOK_EXPONENT - exponent))
    if rest:
        raise InvalidArgument(f"{price} nano-units are not whole with {exponent} decimals.")
    return scaled


def _name(names: Mapping[_Key, NameId], key: _Key) -> NameId:
    found = names.get(key)
    if found is None:
        label = key.label if isinstance(key, Meter) else key
        raise InvalidArgument(f"{label!r} is no registered name.", advice="Register it first.")
    return found
