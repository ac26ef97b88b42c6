"""An open loop keeps its schedule whatever becomes of the answers, and says where it could not."""

import asyncio

import pytest

from tallystick_loadtests import pacing
from tallystick_loadtests.pacing import Pacer


class Clock:
    """Stands in for time and sleep of the module."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def perf_counter(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pacing, "time", made)
    monkeypatch.setattr(pacing, "asyncio", made)
    return made


def _turn(pacer: Pacer) -> tuple[int, float] | None:
    return asyncio.run(pacer.next())


def _turns(pacer: Pacer) -> list[tuple[int, float]]:
    found = []
    while (turn := _turn(pacer)) is not None:
        found.append(turn)
    return found


def test_a_closed_loop_ends_with_its_time(clock: Clock) -> None:
    pacer = Pacer(seconds=2)
    pacer.start()
    assert _turn(pacer) == (0, 100.0)
    clock.now_s += 1.5
    assert _turn(pacer) == (1, 101.5)
    clock.now_s += 0.5
    assert _turn(pacer) is None


@pytest.mark.usefixtures("clock")
def test_messages_of_an_open_loop_are_due_at_equal_distances() -> None:
    pacer = Pacer(seconds=1, interval_s=0.25)
    pacer.start()
    assert _turns(pacer) == [(0, 100.0), (1, 100.25), (2, 100.5), (3, 100.75)]
    arrears = pacer.arrears()
    assert (arrears.due, arrears.late, arrears.unsent) == (4, 0, 0)
    assert arrears.reached


def test_latency_counts_from_when_a_message_was_due(clock: Clock) -> None:
    """The ledger stalls for a second: those who would have come meanwhile wait, and it counts."""
    pacer = Pacer(seconds=2, interval_s=0.25)
    pacer.start()
    assert _turn(pacer) == (0, 100.0)
    clock.now_s += 1.0
    assert [_turn(pacer) for _ in range(4)] == [(i, 100 + i / 4) for i in range(1, 5)]
    assert clock.now_s == 101.0  # all of them at once


def test_what_had_not_left_in_time_is_late(clock: Clock) -> None:
    pacer = Pacer(seconds=1, interval_s=0.25)
    pacer.start()
    _turn(pacer)
    clock.now_s += 1.5
    assert len(_turns(pacer)) == 3
    arrears = pacer.arrears()
    assert (arrears.due, arrears.late, arrears.unsent) == (4, 3, 0)
    assert not arrears.reached


def test_what_never_leaves_is_unsent(clock: Clock) -> None:
    pacer = Pacer(seconds=1, interval_s=0.25)
    pacer.start()
    _turn(pacer)
    clock.now_s += 2.5
    assert _turns(pacer) == []
    arrears = pacer.arrears()
    assert (arrears.due, arrears.late, arrears.unsent) == (4, 3, 3)


@pytest.mark.parametrize(("seconds", "interval_s", "due"), [(1, 0.1, 10), (3, 0.3, 10), (1, 3, 1)])
@pytest.mark.usefixtures("clock")
def test_rounding_neither_adds_nor_drops_a_message(
    seconds: float, interval_s: float, due: int
) -> None:
    pacer = Pacer(seconds=seconds, interval_s=interval_s)
    pacer.start()
    assert len(_turns(pacer)) == pacer.arrears().due == due
