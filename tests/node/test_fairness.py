"""Turns between parties, and quotas of connections."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_node.fairness import ConnectionBook, FairQueue, Standing
from tallystick_node.limits import (
    MAX_BAD_SIGNATURES,
    MAX_CONNECTION_BYTES,
    MAX_IN_FLIGHT_BYTES,
    MAX_OPEN_CALLS,
    MAX_STRIKES,
    MAX_TRACKED_CONNECTIONS,
    MESSAGE_OVERHEAD_BYTES,
    STRIKES_FORGOTTEN_S,
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


SIZE = 1 << 20


def test_a_connection_has_a_quota_and_gets_it_back() -> None:
    book = ConnectionBook()
    taken = 0
    while book.admit("a", SIZE):
        taken += 1
    assert taken == MAX_CONNECTION_BYTES // (SIZE + MESSAGE_OVERHEAD_BYTES)
    assert book.admit("b", SIZE), "another connection has its own"
    book.release("a", SIZE)
    assert book.admit("a", SIZE)


@pytest.mark.parametrize("hogs", [4, 20, 60])
def test_however_many_take_all_they_can_a_newcomer_finds_room(hogs: int) -> None:
    book = ConnectionBook()
    for _ in range(MAX_IN_FLIGHT_BYTES // SIZE):
        for number in range(hogs):
            book.admit(str(number), SIZE)
    assert book.in_flight_bytes < MAX_IN_FLIGHT_BYTES
    for _ in range(50):
        assert book.admit("newcomer", 400)


def test_messages_without_size_are_bounded_too() -> None:
    book = ConnectionBook()
    taken = sum(book.admit(str(number % 10_000), 1) for number in range(100_000))
    assert taken <= MAX_IN_FLIGHT_BYTES // MESSAGE_OVERHEAD_BYTES


def test_there_is_room_for_the_nodes_own_messages() -> None:
    book = ConnectionBook()
    for number in range(1_000):
        book.admit(str(number % 200), SIZE)
    assert not book.admit("late", SIZE)
    assert book.admit("", 400)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(1, 9 << 20)), max_size=200))
def test_what_is_charged_is_what_is_in_flight(steps: list[tuple[bool, int, int]]) -> None:
    book = ConnectionBook()
    held: list[tuple[str, int]] = []
    for admits, number, size in steps:
        if admits and book.admit(str(number), size):
            held.append((str(number), size))
        elif not admits and held:
            book.release(*held.pop(number % len(held)))
        charged = sum(size + MESSAGE_OVERHEAD_BYTES for _, size in held)
        assert book.in_flight_bytes == charged <= MAX_IN_FLIGHT_BYTES
    while held:
        book.release(*held.pop())
    assert (book.in_flight_bytes, len(book)) == (0, 0)


def test_calls_are_shared_and_some_stay_free() -> None:
    book = ConnectionBook()
    for _ in range(MAX_OPEN_CALLS):
        for number in range(50):
            book.enter(str(number))
    assert book.open_calls < MAX_OPEN_CALLS
    assert book.enter("newcomer")
    book.leave("newcomer")
    for number in range(50):
        while str(number) in book._calls:
            book.leave(str(number))
    assert (book.open_calls, len(book)) == (0, 0)


def test_strikes_make_suspect_then_bar_and_are_forgotten() -> None:
    now_s = 0.0
    book = ConnectionBook(lambda: now_s)
    assert book.standing("a") is Standing.NEW
    book.praise("a")
    assert book.standing("a") is Standing.KNOWN
    for _ in range(MAX_STRIKES):
        assert not book.is_barred("a")
        book.strike("a", 1)
        book.praise("a")
        assert book.standing("a") in (Standing.SUSPECT, Standing.BARRED)
    assert book.is_barred("a")
    assert book.standing("b") is Standing.NEW
    now_s = STRIKES_FORGOTTEN_S + 1
    assert book.standing("a") is Standing.NEW


def test_many_bad_signatures_at_once_are_enough_and_so_is_a_bad_sample() -> None:
    book = ConnectionBook()
    book.strike("a", MAX_BAD_SIGNATURES)
    assert book.is_barred("a")
    book.strike("b", 8, bar=True)
    assert book.is_barred("b")


def test_what_is_answered_is_forgotten_and_the_book_is_bounded() -> None:
    book = ConnectionBook()
    for number in range(100):
        assert book.admit(str(number), 10)
        book.release(str(number), 10)
    assert len(book) == 0
    for number in range(MAX_TRACKED_CONNECTIONS + 10):
        book.strike(str(number), 1)
    assert len(book) <= MAX_TRACKED_CONNECTIONS
    assert book.standing("0") is Standing.NEW, "the oldest is forgotten first"
