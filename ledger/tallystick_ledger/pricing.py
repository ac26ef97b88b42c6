"""What a usage costs by a card's lines: the rule of CAPTURE, as pure functions.

    price(lines, length_meters, usage, served) -> amount

Nothing is guessed and nothing is free by omission: a meter that no line covers is `UnpricedError`.
The look-up of a meter goes through four places in turn, from what is more specific to ANY: (tier,
region), (tier, ANY), (ANY, region), (ANY, ANY). The first place with a line that applies decides.
A line applies when its window covers the instant and its threshold lies below the request's length
(a threshold of 0 always does); of several the highest threshold wins, and it prices the whole. Two
lines of one place and threshold never cover one minute, since PRICE refuses the second.

Quantities times prices are summed exactly and rounded once, half up. Source: docs/semantics.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from tallystick_ledger.errors import LedgerError
from tallystick_ledger.ids import NO_ID, NameId
from tallystick_ledger.limits import ALL_DAYS, MINUTES_PER_DAY, PRICE_UNITS

_NS_PER_MINUTE: Final = 60_000_000_000
_MINUTES_PER_WEEK: Final = 7 * MINUTES_PER_DAY
# 1970-01-01 was a Thursday: three days into its week.
_EPOCH_MINUTE: Final = 3 * MINUTES_PER_DAY
ANY: Final = NameId(NO_ID)


class UnpricedError(LedgerError):
    """No line of the card covers a meter that was used."""


@dataclass(frozen=True, slots=True)
class Window:
    """A recurring part of the week, UTC.

    Attributes:
        start_minute: Minute of the day, 0 to 1439.
        end_minute: 1 to 1440, not itself inside; at or below `start_minute` it is of the next day.
        weekdays: Bit 0 is Monday, bit 6 Sunday: days on which it starts; at least one.
    """

    start_minute: int = 0
    end_minute: int = MINUTES_PER_DAY
    weekdays: int = ALL_DAYS

    @property
    def is_valid(self) -> bool:
        """Whether the fields are within their bounds."""
        starts = 0 <= self.start_minute < MINUTES_PER_DAY
        ends = 1 <= self.end_minute <= MINUTES_PER_DAY
        return starts and ends and 1 <= self.weekdays <= ALL_DAYS

    def covers(self, minute: int) -> bool:
        """Whether a minute of the week (0 is Monday 00:00) lies inside."""
        return any((minute - start) % _MINUTES_PER_WEEK < self._length for start in self.starts)

    def overlaps(self, other: "Window") -> bool:
        """Whether some minute of the week lies in both: one then begins inside the other."""
        return any(map(other.covers, self.starts)) or any(map(self.covers, other.starts))

    @property
    def _length(self) -> int:
        return (self.end_minute - self.start_minute - 1) % MINUTES_PER_DAY + 1

    @property
    def starts(self) -> list[int]:
        """The minutes of the week at which it begins."""
        days = (day for day in range(7) if self.weekdays >> day & 1)
        return [day * MINUTES_PER_DAY + self.start_minute for day in days]


ALWAYS: Final = Window()


class Line(Protocol):
    """A price line: a PRICE record, or its row of the state."""

    @property
    def model(self) -> NameId:
        """NAME of the model."""

    @property
    def meter(self) -> NameId:
        """NAME of the meter."""

    @property
    def tier(self) -> NameId:
        """NAME of the tier, or ANY."""

    @property
    def region(self) -> NameId:
        """NAME of the region, or ANY."""

    @property
    def above(self) -> int:
        """The threshold of the request's length."""

    @property
    def window(self) -> Window:
        """When it applies."""

    @property
    def price(self) -> int:
        """Per million of the meter."""

    @property
    def same_as(self) -> NameId:
        """The meter whose price applies, or zero."""


@dataclass(frozen=True, slots=True)
class Served:
    """What was served, and when it was agreed.

    Attributes:
        model: NAME of the model.
        tier: NAME of the tier; zero where none was agreed.
        region: NAME of the region; zero where none was agreed.
        at_ns: The instant that decides about windows: when the hold was made.
    """

    model: NameId
    tier: NameId
    region: NameId
    at_ns: int


def minute_of_week(at_ns: int) -> int:
    """The week's minute of an instant, 0 to 10,079."""
    return (at_ns // _NS_PER_MINUTE + _EPOCH_MINUTE) % _MINUTES_PER_WEEK


def find_line(lines: Iterable[Line], meter: NameId, served: Served, length: int) -> Line | None:
    """The line that covers a meter, or None.

    Args:
        lines: Those of the card.
        meter: What was used.
        served: Under which circumstances.
        length: Of the request, which decides about bands.
    """
    minute = minute_of_week(served.at_ns)
    applying = [
        line
        for line in lines
        if (line.model, line.meter) == (served.model, meter)
        and (line.above == 0 or line.above < length)
        and line.window.covers(minute)
    ]
    for tier in (served.tier, ANY):
        for region in (served.region, ANY):
            here = [line for line in applying if (line.tier, line.region) == (tier, region)]
            if here:
                return max(here, key=lambda line: line.above)
    return None


def price(
    lines: Iterable[Line],
    length_meters: Iterable[NameId],
    usage: Mapping[NameId, int],
    served: Served,
) -> int:
    """What a usage costs, in the unit's smallest step.

    Args:
        lines: Those of the card, in any order.
        length_meters: The meters whose sum is the request's length.
        usage: How much of each meter.
        served: What was served.

    Returns:
        The amount; it may be too large for a u128.

    Raises:
        UnpricedError: No line covers a meter, or only one whose SAME_AS leads to none.
    """
    card = list(lines)
    length = sum(usage.get(meter, 0) for meter in set(length_meters))
    total = 0
    for meter, quantity in usage.items():
        line = find_line(card, meter, served, length)
        if line is not None and line.same_as != NO_ID:
            line = find_line(card, line.same_as, served, length)
            if line is not None and line.same_as != NO_ID:
                line = None  # one step, not a chain
        if line is None:
            raise UnpricedError(f"no price for meter {meter.hex()}")
        total += quantity * line.price
    return (total + PRICE_UNITS // 2) // PRICE_UNITS
