"""C9: a budget's day ends when somebody else's does, or when a server was started."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.differential import raw
from tests.differential.book import SECOND_NS, Book

from tallystick import zone_tables
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import LedgerId
from tallystick_ledger.zones import zone_id

HOUR_NS = 3_600 * SECOND_NS
SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)


def test_c09_budget_windows_reset_in_the_wrong_zone(book: Book) -> None:
    # Naive: the day of a team in Shanghai ends at midnight UTC, at eight in its morning.
    naive_ns = _instant(datetime(2026, 11, 3, tzinfo=UTC))
    assert datetime.fromtimestamp(naive_ns // SECOND_NS, ZoneInfo("Asia/Shanghai")).hour == 8
    # Naive: days have 24 hours each, so the day after clocks were put back ends an hour early.
    berlin = ZoneInfo("Europe/Berlin")
    sunday = datetime(2026, 10, 25, tzinfo=berlin)
    assert (sunday.astimezone(UTC) + timedelta(hours=24)).astimezone(berlin).hour == 23

    # Here: a limit names its zone, whose table operators publish; the kernel knows no other clock.
    shanghai = _published(book, "Asia/Shanghai")
    assert _lengths(book, shanghai, datetime(2026, 11, 2, 20, tzinfo=UTC), 3) == [24, 24, 24]
    assert _end(book) == _instant(datetime(2026, 11, 7, tzinfo=ZoneInfo("Asia/Shanghai")))
    europe = _published(book, "Europe/Berlin")
    # Clocks are put forward on 28 March 2027, and back on 31 October.
    assert _lengths(book, europe, datetime(2027, 3, 26, 12, tzinfo=UTC), 4) == [24, 23, 24, 24]
    assert _lengths(book, europe, datetime(2027, 10, 29, 12, tzinfo=UTC), 4) == [24, 25, 24, 24]
    # Behind the horizon of the table nobody guesses.
    pays = raw.transfer(book.alice.account, book.bob.account, 1)
    late_ns = _instant(UNTIL - timedelta(minutes=30))
    assert book.codes(book.alice.key, pays, at_ns=late_ns) == [Code.ZONE_HORIZON]


def _published(book: Book, name: str) -> bytes:
    """Publishes the zone as the time-zone database has it; returns its id."""
    table = zone_tables.make(name, SINCE, UNTIL)
    times = (table.from_ns, table.horizon_ns, table.first_offset_s)
    book.ok(book.operator.key, raw.zone(name.encode(), 1, *times, table.transitions))
    return zone_id(LedgerId(book.genesis.ledger_id), name)


def _lengths(book: Book, zone: bytes, first: datetime, days: int) -> list[int]:
    """Hours of so many days of a limit, that of `first` left out."""
    book.now_ns = _instant(first)
    subject = book.alice.principal + bytes(16)
    book.ok(
        book.alice.key,
        raw.limit(raw.OF_PRINCIPAL, raw.DAY, subject, book.usd, operation=raw.END),
        raw.limit(raw.OF_PRINCIPAL, raw.DAY, subject, book.usd, 1, zone_id=zone),
    )
    pays = raw.transfer(book.alice.account, book.bob.account, 1)
    ends = [_end(book)]
    for _ in range(days):
        # The last nanosecond of a day and the first of the next.
        codes = book.codes(book.alice.key, pays, pays, at_ns=ends[-1] - 1)
        assert codes[1] is Code.OK
        ends.append(_end(book))
    return [(after - before) // HOUR_NS for before, after in itertools.pairwise(ends)]


def _end(book: Book) -> int:
    (row,) = book.engine.limits(book.alice.principal)
    return row.ends_at_ns


def _instant(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND_NS
