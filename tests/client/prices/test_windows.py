"""Windows and sets of minutes, against sets that name each minute."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.prices.errors import LineReason, LineRefused
from tallystick.prices.windows import ALWAYS, WHOLE_WEEK, WeekSet, Window, minute_of_week

DAY, WEEK = 1_440, 10_080

windows = st.builds(Window, st.integers(0, DAY - 1), st.integers(1, DAY), st.integers(1, 127))
week_sets = st.lists(windows, max_size=4).map(
    lambda listed: WeekSet.of(pair for each in listed for pair in each.week_set().intervals)
)


def minutes(week: WeekSet) -> set[int]:
    return {minute for start, end in week.intervals for minute in range(start, end)}


@given(windows)
def test_a_window_covers_what_it_says(window: Window) -> None:
    wanted = set()
    for day in range(7):
        if window.weekdays >> day & 1:
            minute = day * DAY + window.start_minute
            while True:
                wanted.add(minute % WEEK)
                minute += 1
                if minute % DAY == window.end_minute % DAY:
                    break
    assert minutes(window.week_set()) == wanted


@given(week_sets, week_sets)
def test_sets_are_sets(one: WeekSet, two: WeekSet) -> None:
    assert minutes(one | two) == minutes(one) | minutes(two)
    assert minutes(one & two) == minutes(one) & minutes(two)
    assert minutes(one - two) == minutes(one) - minutes(two)
    assert bool(one) == bool(minutes(one))


@given(week_sets)
def test_windows_make_up_the_set_without_overlap(week: WeekSet) -> None:
    made = week.windows()
    covered = [minute for window in made for minute in minutes(window.week_set())]
    assert len(covered) == len(set(covered))
    assert set(covered) == minutes(week)


@given(st.integers(0, 7 * 10**9))
def test_minute_of_week(seconds: int) -> None:
    at = dt.datetime.fromtimestamp(seconds, dt.UTC)
    assert minute_of_week(seconds * 10**9) == at.weekday() * DAY + at.hour * 60 + at.minute


@pytest.mark.parametrize(
    "fields", [(-1, 5, 127), (1440, 5, 127), (0, 0, 1), (0, 1441, 1), (0, 1, 0)]
)
def test_no_window(fields: tuple[int, int, int]) -> None:
    with pytest.raises(LineRefused) as caught:
        Window(*fields)
    assert caught.value.reason is LineReason.WINDOW


def test_as_people_read_it() -> None:
    assert str(ALWAYS) == "always"
    assert WHOLE_WEEK.windows() == (ALWAYS,)
    assert str(Window(990, 30)) == "daily 16:30-00:30 UTC"
    assert str(Window(990, 30, 0b0011111)) == "Mon-Fri 16:30-00:30 UTC"
    assert str(Window(0, 60, 0b1000001)) == "Mon,Sun 00:00-01:00 UTC"
