"""Turns between parties, and quotas of connections."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_node.fairness import ConnectionBook, FairQueue
from tallystick_node.limits import (
    MAX_CONNECTION_BYTES,
    MAX_STRIKES,
    MAX_TRACKED_CONNECTIONS,
)

QUANTUM = 100
ROOM = 1 << 40


def drained(queue: FairQueue[str]) -> list[str]:
    items = []
    while (next_item := queue.pop_fitting(ROOM)) is not None:
        items.append(next_item[1])
    return items


def test_a_flood_waits_for_itself() -> None:
    queue: FairQueue[str] = FairQueue(QUANTUM)
    for number in range(1_000):
        queue.push("flood", f"flood-{number}", QUANTUM)
    queue.push("lone", "lone", QUANTUM)
    assert drained(queue).index("lone") <= 1


def test_bytes_are_shared_not_items() -> None:
    queue: FairQueue[str] = FairQueue(QUANTUM)
    for number in range(40):
        queue.push("large", f"large-{number}", 10 * QUANTUM)
    for number in range(400):
        queue.push("small", f"small-{number}", QUANTUM)
    served = Counter(item.split("-")[0] for item in drained(queue)[:110])
    assert served["large"] == pytest.approx(10, abs=1)
    assert served["small"] == pytest.approx(100, abs=10)


def test_a_large_item_is_not_overtaken_by_small_ones_for_ever() -> None:
    queue: FairQueue[str] = FairQueue(QUANTUM)
    queue.push("large", "large", QUANTUM)
    queue.push("small", "small", 1)
    assert queue.pop_fitting(50) is None, "it is the large one's turn and it does not fit"
    assert queue.pop_fitting(QUANTUM) == ("large", "large")


def test_what_was_put_back_comes_first_and_costs_no_turn() -> None:
    queue: FairQueue[str] = FairQueue(QUANTUM)
    queue.push("a", "a1", QUANTUM)
    queue.push("b", "b1", QUANTUM)
    party, item = queue.pop_fitting(ROOM) or ("", "")
    queue.push_back(party, item, QUANTUM)
    assert drained(queue) == [item, "b1" if item == "a1" else "a1"]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("push"), st.integers(0, 4), st.integers(1, 1_000)),
            st.tuples(st.just("pop"), st.integers(0, 4), st.integers(0, 1_200)),
        )
    )
)
def test_nothing_is_lost_doubled_or_reordered_within_a_party(
    steps: list[tuple[str, int, int]],
) -> None:
    queue: FairQueue[tuple[int, int]] = FairQueue(QUANTUM)
    sizes: dict[tuple[int, int], int] = {}
    pushed: dict[int, list[tuple[int, int]]] = {party: [] for party in range(5)}
    popped: dict[int, list[tuple[int, int]]] = {party: [] for party in range(5)}
    for kind, party, number in steps:
        if kind == "push":
            item = (party, len(pushed[party]))
            pushed[party].append(item)
            sizes[item] = number
            queue.push(party, item, number)
        elif (next_item := queue.pop_fitting(number)) is not None:
            popped[next_item[1][0]].append(next_item[1])
            assert sizes[next_item[1]] <= number
        waiting = [item for each in pushed for item in pushed[each][len(popped[each]) :]]
        assert len(queue) == len(waiting)
        assert queue.size_bytes == sum(sizes[item] for item in waiting)
    for party in range(5):
        assert popped[party] == pushed[party][: len(popped[party])]
        assert queue.bytes_of(party) == sum(
            sizes[item] for item in pushed[party][len(popped[party]) :]
        )
    queue.drain()
    assert len(queue) == queue.size_bytes == 0


def test_a_connection_has_a_quota_and_gets_it_back() -> None:
    book = ConnectionBook()
    assert book.admit("a", MAX_CONNECTION_BYTES)
    assert not book.admit("a", 1)
    assert book.admit("b", 1), "another connection has its own"
    book.release("a", MAX_CONNECTION_BYTES)
    assert book.admit("a", 1)


def test_strikes_make_suspect_then_bar() -> None:
    book = ConnectionBook()
    assert not book.is_suspect("a")
    book.strike("a")
    assert book.is_suspect("a")
    for _ in range(MAX_STRIKES - 1):
        assert not book.is_barred("a")
        book.strike("a")
    assert book.is_barred("a")
    assert not book.is_suspect("b")


def test_what_is_answered_is_forgotten_and_the_book_is_bounded() -> None:
    book = ConnectionBook()
    for number in range(100):
        book.admit(str(number), 10)
        book.release(str(number), 10)
    assert len(book) == 0
    for number in range(MAX_TRACKED_CONNECTIONS + 10):
        book.admit(str(number), 1)
    assert len(book) <= MAX_TRACKED_CONNECTIONS
