"""Tables of time zones for the ledger, out of the time-zone database (zoneinfo, tzdata).

The ledger itself knows no database: `make` writes down when the offset changes between two
instants, an operator publishes that (`publish_zone`), and from then on every node goes by it.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tallystick.errors import InvalidArgument
from tallystick_ledger.ids import TimestampNs
from tallystick_ledger.limits import MAX_TRANSITIONS
from tallystick_ledger.zones import SECOND_NS, ZoneTable

# No zone has put its clocks forward and back again within less than that.
_STEP_S: Final = 86_400
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def make(name: str, since: datetime, until: datetime) -> ZoneTable:
    """Returns a zone's table for the time from `since` to `until`.

    Args:
        name: As in the time-zone database, such as Europe/Berlin.
        since: From when on windows are to be known; with a time zone.
        until: The horizon; windows have to end before it.

    Raises:
        InvalidArgument: No such zone, no such time, or more than 64 changes of the offset.
    """
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidArgument(f"The time-zone database has no {name!r}.") from error
    start, end = _seconds(since), _seconds(until)
    if not 0 <= start < end:
        raise InvalidArgument("A table ends after it begins, and begins in 1970 or later.")
    transitions: list[tuple[TimestampNs, int]] = []
    at, offset = start, _offset_s(zone, start)
    while at < end:
        following = min(at + _STEP_S, end)
        if _offset_s(zone, following) != offset:
            at = _change(zone, at, following)
            offset = _offset_s(zone, at)
            if at < end:
                transitions.append((TimestampNs(at * SECOND_NS), offset))
        else:
            at = following
    if len(transitions) > MAX_TRANSITIONS:
        raise InvalidArgument(
            f"{name} changes its offset {len(transitions)} times until then, 64 is the most.",
            advice="Choose an earlier end, and publish a newer table before it.",
        )
    first = _offset_s(zone, start)
    return ZoneTable(
        TimestampNs(start * SECOND_NS), TimestampNs(end * SECOND_NS), first, tuple(transitions)
    )


def _change(zone: ZoneInfo, before: int, after: int) -> int:
    """Returns the first second of another offset than at `before`."""
    offset = _offset_s(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset_s(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset_s(zone: ZoneInfo, second: int) -> int:
    """Returns what a zone adds to UTC at a second since 1970."""
    offset = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset() or timedelta()
    return offset.days * _STEP_S + offset.seconds


def _seconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise InvalidArgument("A moment needs its time zone.")
    difference = moment - _EPOCH
    return difference.days * _STEP_S + difference.seconds
