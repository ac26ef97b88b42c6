"""Windows of the week in UTC, and exact arithmetic on sets of the week's minutes.

A `Window` is what a price line holds: a start and an end minute of the day and the ISO weekdays on
which it *starts*. One that ends at or before its start crosses midnight into the next day, also
from Sunday into Monday. `ALWAYS` is the whole week.

A `WeekSet` is any union of such windows, as sorted, disjoint, half-open intervals of the week's
10,080 minutes (0 is Monday 00:00 UTC). Importers compute with these: the peak price applies on the
complement of the off-peak windows, so that no two lines overlap.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tallystick.prices.errors import LineReason, LineRefused
from tallystick.prices.limits import MINUTES_PER_DAY, MINUTES_PER_WEEK, NS_PER_MINUTE

ALL_DAYS: Final = 0x7F
# 1970-01-01 was a Thursday: three days into its week.
_EPOCH_MINUTE: Final = 3 * MINUTES_PER_DAY
_DAY_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A recurring part of the week, UTC.

    Attributes:
        start_minute: Minute of the day, 0 to 1439.
        end_minute: 1 to 1440, not itself inside; at or below `start_minute` it is of the next day.
        weekdays: Bit 0 is Monday (ISO 1), bit 6 Sunday (ISO 7): days on which it starts.
    """

    start_minute: int = 0
    end_minute: int = MINUTES_PER_DAY
    weekdays: int = ALL_DAYS

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            LineRefused: WINDOW.
        """
        fits = 0 <= self.start_minute < MINUTES_PER_DAY and 1 <= self.end_minute <= MINUTES_PER_DAY
        if not fits or not 1 <= self.weekdays <= ALL_DAYS:
            raise LineRefused(LineReason.WINDOW, repr(self))

    def week_set(self) -> "WeekSet":
        """The minutes of the week that it covers."""
        length = (self.end_minute - self.start_minute - 1) % MINUTES_PER_DAY + 1
        starts = (
            day * MINUTES_PER_DAY + self.start_minute
            for day in range(7)
            if self.weekdays >> day & 1
        )
        return WeekSet.of((start, start + length) for start in starts)

    def __str__(self) -> str:
        """As people read it: `Mon-Fri 16:30-00:30 UTC`."""
        if self == ALWAYS:
            return "always"
        days = [day for day in range(7) if self.weekdays >> day & 1]
        if self.weekdays == ALL_DAYS:
            text = "daily"
        elif len(days) > 2 and days == list(range(days[0], days[-1] + 1)):
            text = f"{_DAY_NAMES[days[0]]}-{_DAY_NAMES[days[-1]]}"
        else:
            text = ",".join(_DAY_NAMES[day] for day in days)
        return f"{text} {_clock(self.start_minute)}-{_clock(self.end_minute)} UTC"


ALWAYS: Final = Window()


@dataclass(frozen=True, slots=True)
class WeekSet:
    """A set of minutes of the week.

    Attributes:
        intervals: Half-open, sorted, disjoint, not touching, within 0 to 10,080.
    """

    intervals: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, intervals: Iterable[tuple[int, int]]) -> "WeekSet":
        """Any half-open intervals, those past the week's end wrapped around."""
        pieces: list[tuple[int, int]] = []
        for start, end in intervals:
            if end <= MINUTES_PER_WEEK:
                pieces.append((start, end))
            else:
                pieces += [(start, MINUTES_PER_WEEK), (0, end - MINUTES_PER_WEEK)]
        merged: list[tuple[int, int]] = []
        for start, end in sorted(piece for piece in pieces if piece[0] < piece[1]):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return cls(tuple(merged))

    def __bool__(self) -> bool:
        return bool(self.intervals)

    def __contains__(self, minute: int) -> bool:
        return any(start <= minute < end for start, end in self.intervals)

    def __or__(self, other: "WeekSet") -> "WeekSet":
        return WeekSet.of(self.intervals + other.intervals)

    def __and__(self, other: "WeekSet") -> "WeekSet":
        return WeekSet.of(
            (max(a, c), min(b, d)) for a, b in self.intervals for c, d in other.intervals
        )

    def __sub__(self, other: "WeekSet") -> "WeekSet":
        return self & WeekSet.of(other._gaps())

    def _gaps(self) -> Iterator[tuple[int, int]]:
        at = 0
        for start, end in self.intervals:
            yield at, start
            at = end
        yield at, MINUTES_PER_WEEK

    def windows(self) -> tuple[Window, ...]:
        """Windows that do not overlap and make it up; equal hours of several days are one."""
        if self == WHOLE_WEEK:
            return (ALWAYS,)
        days: dict[tuple[int, int], int] = {}
        for day in range(7):
            first = day * MINUTES_PER_DAY
            today = WeekSet(((first, first + MINUTES_PER_DAY),))
            for start, end in (self & today).intervals:
                hours = (start - first, end - first)
                days[hours] = days.get(hours, 0) | 1 << day
        _join_over_midnight(days)
        return tuple(sorted(Window(start, end, mask) for (start, end), mask in days.items()))


def _join_over_midnight(days: dict[tuple[int, int], int]) -> None:
    """Makes one window of evening hours and the next days' morning hours, where days agree."""
    for (start, end), mask in list(days.items()):
        if end != MINUTES_PER_DAY or not start:
            continue
        next_days = (mask << 1 | mask >> 6) & ALL_DAYS
        for (other, morning), other_mask in list(days.items()):
            if not other and morning <= start and other_mask == next_days:
                del days[start, end], days[other, morning]
                days[start, morning] = mask
                break


WHOLE_WEEK: Final = WeekSet(((0, MINUTES_PER_WEEK),))


def minute_of_week(at_ns: int) -> int:
    """The week's minute of an instant (ns since the epoch), 0 to 10,079."""
    return (at_ns // NS_PER_MINUTE + _EPOCH_MINUTE) % MINUTES_PER_WEEK


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
