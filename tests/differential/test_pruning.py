"""What is forgotten, to the nanosecond, and the two limits of 10,000 rows a block."""

import pytest
from tests.differential import raw
from tests.differential.book import (
    SECOND_NS,
    START_AMOUNT,
    Book,
    MakeEngine,
    Receipt,
    genesis_for_tests,
)

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps
from tallystick_ledger.limits import MAX_ID_AHEAD_NS, MAX_PRUNED_ROWS, MAX_SWEPT
from tallystick_ledger.state_rows import HoldStatus

WINDOW_NS = 100 * SECOND_NS  # of references
RETENTION_NS = 50 * SECOND_NS  # of ended holds


def tick(book: Book, at_ns: int) -> Receipt:
    return book.send(book.node.key, raw.tick(), at_ns=at_ns)


def test_live_ids_are_forgotten_after_lifetime_and_five_seconds(book: Book) -> None:
    receipt = book.ok(book.alice.key, raw.transfer(book.alice.account, book.bob.account, 1))
    last_ns = receipt.timestamp_ns + book.genesis.max_lifetime_ns + MAX_ID_AHEAD_NS
    envelope_id = receipt.envelope.envelope_id
    tick(book, last_ns)
    assert book.engine.is_live(book.alice.principal, envelope_id)
    tick(book, last_ns + 1_000_000)
    assert not book.engine.is_live(book.alice.principal, envelope_id)


def test_live_ids_go_by_the_time_of_their_block(book: Book) -> None:
    filler = book.envelope(book.node.key, *[raw.tick()] * 50)
    late = book.envelope(book.alice.key, raw.name(b"n"))
    block_ns = book.apply(filler, late)[0].timestamp_ns
    tick(book, block_ns + book.genesis.max_lifetime_ns + MAX_ID_AHEAD_NS + 1)
    assert not book.engine.is_live(book.alice.principal, late.envelope_id)


def test_references_are_forgotten_after_the_window(book: Book) -> None:
    """Seen from the block's time: a record later in the block does not forget more."""
    pay = raw.transfer(book.alice.account, book.bob.account, 1, 7, flags=raw.UNIQUE)
    other = raw.transfer(book.alice.account, book.bob.account, 1, 8, flags=raw.UNIQUE)
    first_ns = book.ok(book.alice.key, other, pay).timestamp_ns
    at_ns = first_ns + WINDOW_NS + 1
    receipt = book.send(book.alice.key, other, pay, pay, at_ns=at_ns)
    assert receipt.codes == [Code.OK, Code.REFERENCE_USED, Code.REFERENCE_USED]
    assert book.codes(book.alice.key, pay, at_ns=at_ns + 10_000_000) == [Code.OK]


@pytest.mark.parametrize("end", ["captured", "released", "expired"])
def test_ended_holds_are_forgotten_after_the_retention(book: Book, end: str) -> None:
    hold = book.reserve(book.alice, book.bob, 10, 5 * SECOND_NS)
    if end == "captured":
        book.ok(book.bob.key, raw.capture(hold, 1, flags=raw.FINAL))
    elif end == "released":
        book.ok(book.bob.key, raw.release(hold))
    else:
        tick(book, book.now_ns + 6 * SECOND_NS)
    ended_at_ns = book.hold(hold).ended_at_ns
    tick(book, ended_at_ns + RETENTION_NS)
    assert book.engine.hold(hold) is not None
    late_ns = book.now_ns
    assert late_ns > ended_at_ns + RETENTION_NS
    assert book.codes(book.bob.key, raw.release(hold), at_ns=late_ns) == [Code.HOLD_NOT_FOUND]
    assert book.engine.hold(hold) is None


def test_open_holds_are_never_forgotten(engine: MakeEngine) -> None:
    book = Book(engine, genesis_for_tests(hold_retention_ns=0))
    hold = book.reserve(book.alice, book.bob, 10, 1_000 * SECOND_NS)
    tick(book, book.now_ns + 900 * SECOND_NS)
    assert book.hold(hold).status is HoldStatus.OPEN


def test_without_retention_a_hold_is_forgotten_by_the_next_later_block(
    engine: MakeEngine,
) -> None:
    book = Book(engine, genesis_for_tests(hold_retention_ns=0))
    hold = book.reserve(book.alice, book.bob, 10)
    book.ok(book.bob.key, raw.release(hold))
    assert book.codes(book.bob.key, raw.release(hold)) == [Code.HOLD_NOT_FOUND]


def many_holds(book: Book, count: int, expires_at_ns: int) -> list[bytes]:
    """Holds of 1, in blocks of 6,000."""
    holds: list[bytes] = []
    record = raw.reserve(book.alice.account, book.bob.account, 1, expires_at_ns)
    for start in range(0, count, 6_000):
        holds += book.ok(book.alice.key, *[record] * min(6_000, count - start)).ids
    return holds


def test_a_block_sweeps_and_forgets_at_most_10_000_holds(engine: MakeEngine) -> None:
    extra = 5
    book = Book(engine, genesis_for_tests(hold_retention_ns=SECOND_NS))
    book.issue(book.alice.account, 20_000)
    expires_at_ns = book.now_ns + 100 * SECOND_NS
    holds = many_holds(book, MAX_SWEPT + extra, expires_at_ns)
    assert book.available(book.alice) == START_AMOUNT + 10_000 - extra

    # Two heads, one limit. What is left over is expired all the same, but still pinned.
    pay = raw.transfer(book.alice.account, book.bob.account, START_AMOUNT + 20_000)
    receipt = book.send(book.alice.key, pay, pay, at_ns=expires_at_ns)
    assert receipt.codes == [Code.FUNDS_HELD, Code.FUNDS_HELD]
    assert [item.origin for item in receipt.effects] == sorted(holds)[:MAX_SWEPT]
    left = sorted(holds)[MAX_SWEPT:]
    assert {book.hold(hold).status for hold in left} == {HoldStatus.OPEN}
    assert book.row(book.alice.account).debits_pending == extra

    receipt = book.send(book.bob.key, raw.capture(left[0], 1))
    assert receipt.codes == [Code.HOLD_EXPIRED]
    assert [item.origin for item in receipt.effects] == left

    # Forgetting goes in the order in which they ended, as many a block.
    tick(book, book.now_ns + 10 * SECOND_NS)
    remembered = [hold for hold in holds if book.engine.hold(hold) is not None]
    assert sorted(remembered) == left
    tick(book, book.now_ns)
    assert all(book.engine.hold(hold) is None for hold in left)


def test_references_beyond_the_limit_are_still_remembered(engine: MakeEngine) -> None:
    book = Book(engine)
    book.issue(book.alice.account, 20_000)
    total = MAX_PRUNED_ROWS + 2
    for start in range(0, total, 6_000):
        numbers = range(start, min(total, start + 6_000))
        records = [
            raw.transfer(book.alice.account, book.bob.account, 1, 1 + number, flags=raw.UNIQUE)
            for number in numbers
        ]
        book.ok(book.alice.key, *records)
    forgotten, kept = (
        raw.transfer(book.alice.account, book.bob.account, 1, reference, flags=raw.UNIQUE)
        for reference in (MAX_PRUNED_ROWS, MAX_PRUNED_ROWS + 1)
    )
    late_ns = book.now_ns + 200 * SECOND_NS
    assert book.codes(book.alice.key, forgotten, kept, at_ns=late_ns) == [
        Code.OK,
        Code.REFERENCE_USED,
    ]
    assert book.codes(book.alice.key, kept) == [Code.OK]


def test_forgotten_references_make_room_under_the_cap(engine: MakeEngine) -> None:
    book = Book(engine, genesis_for_tests(Caps(references=1)))
    first, second = (
        raw.transfer(book.alice.account, book.bob.account, 1, reference, flags=raw.UNIQUE)
        for reference in (1, 2)
    )
    assert book.codes(book.alice.key, first, second) == [Code.OK, Code.CAP_EXCEEDED]
    assert book.codes(book.alice.key, second, at_ns=book.now_ns + 101 * SECOND_NS) == [Code.OK]
