"""What both importers share: policies, reading one price, and turning drafts into lines.

An importer reads numbers into *drafts*: a price, and where it applies. When an entry is complete,
`lines_of` decides about zeros, which takes the whole entry to judge, looks at prices that are
obviously wrong, and makes lines. Each decision is an item of the report.

A refused price stays as a draft without a price, because it holds a place: nothing else may be
taken for it. Without it, long requests would get the price of short ones whenever a band cannot be
read, and a meter whose own price cannot be read would be billed like its parent.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tallystick.prices.limits import MAX_U64, OUTLIER_NANO_PER_MILLION
from tallystick.prices.lines import ANY, STANDARD, LineFlag, PriceLine
from tallystick.prices.literals import Json, Repair, parse_number, repair
from tallystick.prices.meters import SAME_AS, Group, Meter
from tallystick.prices.report import Action, ImportReport, Reason
from tallystick.prices.windows import ALWAYS, WHOLE_WEEK, WeekSet

_TOKENS: Final = (Group.INPUT_TOKENS, Group.OUTPUT_TOKENS)
_REPAIRED: Final = {Repair.NOISE: Reason.NOISE, Repair.QUOTIENT: Reason.QUOTIENT}


@dataclass(frozen=True, slots=True)
class ImportPolicy:
    """What an import may do beyond reading; all of it off unless asked for, and reported.

    Attributes:
        repair: Take the nearest price for those that are not whole (see `literals`).
        free_zeros: Take a zero for free, unless the entry shows that it is unknown.
        same_as_parents: Where a token meter has no price but the meter it is part of has one,
            write a SAME_AS line.
    """

    repair: bool = False
    free_zeros: bool = False
    same_as_parents: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A price and where it applies, before it is a line.

    Attributes:
        what: Field of the entry that it came from.
        literal: The number as the file has it.
        meter: What is counted.
        price: Nano-units per million, 0 allowed; None where it was refused.
        unit: Unit of account.
        tier: Service tier.
        above: Threshold of the input length.
        week: Minutes of the week.
    """

    what: str
    literal: str
    meter: Meter
    price: int | None
    unit: str = "USD"
    tier: str = STANDARD
    above: int = 0
    week: WeekSet = WHOLE_WEEK

    @property
    def slot(self) -> tuple[str, Meter, str]:
        """What its bands and windows have in common."""
        return self.unit, self.meter, self.tier


class Reader:
    """Reads the prices of one file into a report."""

    def __init__(self, report: ImportReport, policy: ImportPolicy) -> None:
        self.report = report
        self.policy = policy
        self._priced: set[str] = set()

    def refuse(self, reason: Reason, entry: str, what: str = "", literal: object = "") -> None:
        """Notes that something is not imported."""
        self.report.note(Action.REFUSED, reason, entry, what, literal)

    def price(self, entry: str, what: str, value: Json, power: int) -> int | None:
        """Reads one price as nano-units per million.

        Args:
            entry: Which entry of the file.
            what: Which field of it.
            value: What the file has there.
            power: Power of ten from the book's unit to nano-units per million.

        Returns:
            The price, or None when it was refused.
        """
        number = parse_number(value)
        if number is None:
            self.refuse(Reason.NOT_A_NUMBER, entry, what, value)
            return None
        if number.digits < 0:
            self.refuse(Reason.NEGATIVE, entry, what, value)
            return None
        if number.digits:
            self._priced.add(entry)
        price = number.scaled(power)
        if price is None:
            if not self.policy.repair:
                self.refuse(Reason.INEXACT, entry, what, value)
                return None
            price, kind = repair(number, power)
            if price:
                self.report.note(Action.REPAIRED, _REPAIRED[kind], entry, what, value, price)
        if number.digits and not price:
            self.refuse(Reason.TOO_SMALL, entry, what, value)
            return None
        if price > MAX_U64:
            self.refuse(Reason.TOO_LARGE, entry, what, value)
            return None
        return price

    def lines_of(
        self, entry: str, model: str, drafts: Iterable[Draft], *, talks: bool
    ) -> dict[str, list[PriceLine]]:
        """Makes an entry's lines, by unit of account.

        Args:
            entry: Which entry of the file.
            model: The model's name in the lines.
            drafts: Its prices and places without one; of the same slot, band and window at most
                one.
            talks: Whether it answers in text, so that output below input looks wrong.
        """
        read = list(drafts)
        self._flag(entry, read, talks=talks and entry in self._priced)
        kept = list(self._without_zeros(entry, read))
        places = set(kept)
        lost = [draft for draft in read if draft not in places]
        made: dict[str, list[PriceLine]] = {}
        for draft in self._without_holes(entry, kept, lost):
            made.setdefault(draft.unit, []).extend(_lines(model, draft))
        if self.policy.same_as_parents:
            own = {draft.slot for draft in read}
            for unit, lines in made.items():
                lines.extend(self._parents(entry, model, unit, lines, own))
        return {unit: lines for unit, lines in made.items() if lines}

    def _without_zeros(self, entry: str, drafts: list[Draft]) -> Iterator[Draft]:
        """Passes on what has a price or is free by policy; an entry of zeros says nothing."""
        priced_below = {draft.slot for draft in drafts if draft.price and not draft.above}
        for draft in drafts:
            if draft.price is None:
                continue
            if draft.price:
                yield draft
            elif entry not in self._priced:
                self.refuse(Reason.ZERO_ENTRY, entry, draft.what, draft.literal)
            elif draft.above and draft.slot in priced_below:
                self.refuse(Reason.ZERO_BAND, entry, draft.what, draft.literal)
            elif not self.policy.free_zeros:
                self.refuse(Reason.ZERO, entry, draft.what, draft.literal)
            else:
                self.report.note(Action.ADDED, Reason.FREE_ZERO, entry, draft.what, draft.literal)
                yield draft

    def _without_holes(self, entry: str, kept: list[Draft], lost: list[Draft]) -> Iterator[Draft]:
        """Passes on what is not below a band that was refused."""
        for draft in kept:
            above = [d for d in lost if d.slot == draft.slot and d.above > draft.above]
            if any(draft.week & other.week for other in above):
                self.refuse(Reason.HOLE, entry, draft.what, draft.literal)
            else:
                yield draft

    def _flag(self, entry: str, drafts: list[Draft], *, talks: bool) -> None:
        for draft in drafts:
            token = draft.meter.group in _TOKENS and draft.unit == "USD"
            if token and draft.price is not None and draft.price > OUTLIER_NANO_PER_MILLION:
                reason = Reason.OUTLIER_HIGH
                self.report.note(
                    Action.FLAGGED, reason, entry, draft.what, draft.literal, draft.price
                )
        base = {
            draft.meter: draft
            for draft in drafts
            if draft.price is not None
            and draft.tier == STANDARD
            and not draft.above
            and draft.unit == "USD"
        }
        given, made = base.get(Meter.INPUT), base.get(Meter.OUTPUT)
        if talks and given and made and (made.price or 0) < (given.price or 0):
            detail = f"{made.literal} < {given.literal}"
            self.report.note(Action.FLAGGED, Reason.OUTPUT_BELOW_INPUT, entry, made.what, detail)

    def _parents(
        self,
        entry: str,
        model: str,
        unit: str,
        lines: list[PriceLine],
        own: set[tuple[str, Meter, str]],
    ) -> list[PriceLine]:
        """SAME_AS lines; what has a price of its own in the file, read or not, gets none."""
        added = []
        for tier in sorted({line.tier for line in lines}):
            priced = frozenset(line.meter for line in lines if line.tier == tier)
            stated = priced | {slot[1] for slot in own if slot == (unit, slot[1], tier)}
            for meter in SAME_AS:
                parent = None if meter in stated else nearest_priced(meter, stated)
                if parent is None or parent not in priced:
                    continue
                self.report.note(
                    Action.ADDED,
                    Reason.SAME_AS_PARENT,
                    entry,
                    meter.label if tier == STANDARD else f"{meter.label} {tier}",
                    became=parent.label,
                )
                flags = LineFlag.SAME_AS | LineFlag.ANY
                added.append(PriceLine(model, meter, 0, tier, flags=flags, same_as=parent))
        return added


def nearest_priced(meter: Meter, priced: frozenset[Meter]) -> Meter | None:
    """The meter that `meter` is part of and that has a price; None if none, or if two are as near.

    Cached audio is part of cached tokens and of audio tokens: with a price for both and none of its
    own, which of them applies is not ours to guess.
    """
    level = SAME_AS.get(meter, ())
    while level:
        found = [each for each in level if each in priced]
        if found:
            return found[0] if len(found) == 1 else None
        level = tuple({above: None for each in level for above in SAME_AS.get(each, ())})
    return None


def _lines(model: str, draft: Draft) -> Iterator[PriceLine]:
    price = draft.price or 0
    flags = LineFlag.ANY if price else LineFlag.ANY | LineFlag.FREE
    windows = (ALWAYS,) if draft.week == WHOLE_WEEK else draft.week.windows()
    for window in windows:
        yield PriceLine(
            model=model,
            meter=draft.meter,
            price=price,
            tier=draft.tier,
            region=ANY,
            above=draft.above,
            window=window,
            flags=flags,
        )
