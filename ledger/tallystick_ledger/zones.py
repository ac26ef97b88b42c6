"""When a day or a month ends, in UTC or by a zone's table: what the windows of limits go by.

The ledger knows no time-zone database. A zone is a table of offsets that operators publish: from
some instant on an offset, then at each transition another, up to a horizon behind which nothing is
known. What the table does not say is not guessed. Source: docs/semantics.md, "When a window ends".
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from tallystick_ledger import limits
from tallystick_ledger.ids import ZONE_DOMAIN, LedgerId, TimestampNs, ZoneId

SECOND_NS: Final = 1_000_000_000
DAY_S: Final = 86_400
DAY_NS: Final = DAY_S * SECOND_NS

# Days from 0000-03-01 to 1970-01-01, and in 400 years, 100 years, 4 years and a year. Years that
# begin in March have their leap day last.
_EPOCH_DAYS: Final = 719_468
_ERA_DAYS: Final = 146_097
_CENTURY_DAYS: Final = 36_524
_LEAP_CYCLE_DAYS: Final = 1_461
_YEAR_DAYS: Final = 365
_FEBRUARY: Final = 11  # months after March


@dataclass(frozen=True, slots=True)
class ZoneTable:
    """What the offset from UTC is, and for which time that is known.

    Attributes:
        from_ns: Nothing is known of before.
        horizon_ns: Nothing is known of this instant and after.
        first_offset_s: Seconds to add to UTC from `from_ns` on; negative west of Greenwich.
        transitions: (instant, offset from then on), ascending, all between the two.
    """

    from_ns: TimestampNs
    horizon_ns: TimestampNs
    first_offset_s: int
    transitions: tuple[tuple[TimestampNs, int], ...] = ()

    def spans(self) -> tuple[tuple[int, int, int], ...]:
        """Returns (first instant, instant of its end, offset) of each stretch of one offset."""
        starts = (self.from_ns, *(instant for instant, _ in self.transitions))
        ends = (*starts[1:], self.horizon_ns)
        offsets = (self.first_offset_s, *(offset for _, offset in self.transitions))
        return tuple(zip(starts, ends, offsets, strict=True))


def zone_id(ledger_id: LedgerId, name: str) -> ZoneId:
    """Returns the 16-byte id of the zone with this name."""
    text = name.encode().ljust(limits.ZONE_NAME_BYTES, b"\0")
    return ZoneId(hashlib.sha256(ZONE_DOMAIN + ledger_id + text).digest()[: limits.ID_BYTES])


def window_end_ns(
    timestamp_ns: int, table: ZoneTable | None, *, is_month: bool
) -> TimestampNs | None:
    """Returns the first instant after a timestamp whose local date is in a later day or month.

    Args:
        timestamp_ns: An instant in the window.
        table: Of the zone; None for UTC.
        is_month: Whether the window is a month; else it is a day.

    Returns:
        The instant, at most 2**64 - 1; None if the table does not reach so far.
    """
    if table is None:
        end_ns = _next_date(timestamp_ns // DAY_NS, is_month=is_month) * DAY_NS
        return TimestampNs(min(end_ns, limits.MAX_U64))
    next_date: int | None = None
    for start_ns, end_ns, offset_s in table.spans():
        offset_ns = offset_s * SECOND_NS
        if next_date is None:
            if not start_ns <= timestamp_ns < end_ns:
                continue
            next_date = _next_date((timestamp_ns + offset_ns) // DAY_NS, is_month=is_month)
        # Clocks that are put forward at midnight enter the new day at the transition.
        begins_ns = max(start_ns, next_date * DAY_NS - offset_ns)
        if begins_ns < end_ns:
            return TimestampNs(begins_ns)
    return None


def _next_date(day: int, *, is_month: bool) -> int:
    """Returns the day after this day or after its month; days are counted from 1970-01-01."""
    return first_of_next_month(day) if is_month else day + 1


def first_of_next_month(day: int) -> int:
    """Returns the first day of the next month of the Gregorian calendar.

    Args:
        day: Days since 1970-01-01.
    """
    of_era = (day + _EPOCH_DAYS) % _ERA_DAYS
    leap_days = (
        of_era // (_LEAP_CYCLE_DAYS - 1) - of_era // _CENTURY_DAYS + of_era // (_ERA_DAYS - 1)
    )
    year = (of_era - leap_days) // _YEAR_DAYS
    of_year = of_era - (_YEAR_DAYS * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    if month < _FEBRUARY:
        return day - of_year + _first_of_month(month + 1)
    # February, whose length is that of the year that ends with it.
    next_year = year + 1
    first = _YEAR_DAYS * next_year + next_year // 4 - next_year // 100 + next_year // 400
    return day - of_era + first


def _first_of_month(month: int) -> int:
    """Returns the day of a year that begins in March, both counted from 0."""
    return (153 * month + 2) // 5
