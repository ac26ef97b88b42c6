"""EXTEND: a hold grows and lives longer, within its bounds, also while an envelope is undone."""

import pytest
from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, MakeEngine, genesis_for_tests

from tallystick_ledger.codes import Code
from tallystick_ledger.results import Cause
from tallystick_ledger.state_rows import HoldStatus

LONGEST_NS = 1_000 * SECOND_NS  # a hold's life in these tests


def test_the_maximum_grows_on_both_sides(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400)
    before = book.hold(hold)
    receipt = book.ok(book.alice.key, raw.extend(hold, 600))
    assert receipt.effects == []
    row = book.hold(hold)
    assert (row.maximum, row.expires_at_ns) == (START_AMOUNT, before.expires_at_ns)
    assert row.created_at_ns == before.created_at_ns
    assert book.row(book.alice.account).debits_pending == START_AMOUNT
    assert book.row(book.bob.account).credits_pending == START_AMOUNT
    assert book.codes(book.alice.key, raw.extend(hold, 1)) == [Code.FUNDS_HELD]
    assert book.codes(book.bob.key, raw.capture(hold, START_AMOUNT)) == [Code.OK]
    assert book.codes(book.alice.key, raw.extend(hold, 1)) == [Code.INSUFFICIENT_FUNDS]


def test_the_row_says_when_the_hold_was_made(book: Book) -> None:
    record = raw.reserve(book.alice.account, book.bob.account, 1, book.now_ns + 99 * SECOND_NS)
    receipt = book.ok(book.alice.key, record, record)
    times = [book.hold(hold).created_at_ns for hold in receipt.ids]
    assert times == [receipt.timestamp_ns, receipt.timestamp_ns + 1]


def test_a_later_expiry_replaces_the_first(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400, 10 * SECOND_NS)
    first_ns = book.hold(hold).expires_at_ns
    later_ns = first_ns + 10 * SECOND_NS
    book.ok(book.alice.key, raw.extend(hold, 0, later_ns))
    assert book.send(book.node.key, raw.tick(), at_ns=first_ns).effects == []
    assert book.codes(book.bob.key, raw.capture(hold, 1), at_ns=later_ns - 1) == [Code.OK]
    receipt = book.send(book.node.key, raw.tick(), at_ns=later_ns)
    assert [(item.cause, item.amount) for item in receipt.effects] == [(Cause.EXPIRY, 399)]
    assert book.hold(hold).status is HoldStatus.EXPIRED


@pytest.mark.parametrize(
    ("offset_ns", "code"), [(0, Code.OK), (1, Code.EXPIRY_INVALID), (-1, Code.OK)]
)
def test_a_hold_lives_no_longer_than_one_made_at_once(
    book: Book, offset_ns: int, code: Code
) -> None:
    """Counted from its RESERVE, however often and however late it is extended."""
    hold = book.reserve(book.alice, book.bob, 400)
    book.now_ns += 50 * SECOND_NS
    latest_ns = book.hold(hold).created_at_ns + LONGEST_NS
    assert book.codes(book.alice.key, raw.extend(hold, 0, latest_ns + offset_ns)) == [code]


@pytest.mark.parametrize(("ahead_ns", "code"), [(0, Code.OK), (-1, Code.EXPIRY_INVALID)])
def test_the_new_expiry_is_a_second_ahead(book: Book, ahead_ns: int, code: Code) -> None:
    hold = book.reserve(book.alice, book.bob, 400, 10 * SECOND_NS)
    at_ns = book.hold(hold).expires_at_ns - SECOND_NS // 2
    record = raw.extend(hold, 0, at_ns + SECOND_NS + ahead_ns)
    assert book.codes(book.alice.key, record, at_ns=at_ns) == [code]


def test_the_same_expiry_again_is_good_until_a_second_before(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400, 10 * SECOND_NS)
    expires_at_ns = book.hold(hold).expires_at_ns
    book.ok(book.alice.key, raw.extend(hold, 1, expires_at_ns))
    lower = raw.extend(hold, 1, expires_at_ns - 1)
    assert book.codes(book.alice.key, lower) == [Code.EXPIRY_INVALID]
    same = raw.extend(hold, 1, expires_at_ns)
    late_ns = expires_at_ns - SECOND_NS + 1
    assert book.codes(book.alice.key, same, at_ns=late_ns) == [Code.EXPIRY_INVALID]
    assert book.codes(book.alice.key, raw.extend(hold, 1)) == [Code.OK]


def test_an_undone_extension_leaves_the_first_expiry(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400, 10 * SECOND_NS)
    first = book.hold(hold)
    later = raw.extend(hold, 5, first.expires_at_ns + 10 * SECOND_NS)
    too_much = raw.transfer(book.alice.account, book.bob.account, START_AMOUNT + 1)
    receipt = book.send(book.alice.key, later, too_much, atomic=True)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.INSUFFICIENT_FUNDS]
    assert book.hold(hold) == first
    due = book.send(book.node.key, raw.tick(), at_ns=first.expires_at_ns)
    assert [(item.cause, item.amount) for item in due.effects] == [(Cause.EXPIRY, 400)]


def test_the_sweep_goes_by_the_new_order(book: Book) -> None:
    first = book.reserve(book.alice, book.bob, 10, 10 * SECOND_NS)
    second = book.reserve(book.alice, book.bob, 20, 12 * SECOND_NS)
    later_ns = book.hold(second).expires_at_ns + SECOND_NS
    book.ok(book.alice.key, raw.extend(first, 1, later_ns), raw.extend(first, 1, later_ns))
    receipt = book.send(book.node.key, raw.tick(), at_ns=later_ns)
    assert [(item.origin, item.amount) for item in receipt.effects] == [(second, 20), (first, 12)]


def test_a_spend_key_extends_and_a_meter_key_does_not(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 10)
    spend, meter = book.add_key(book.alice, raw.SPEND), book.add_key(book.alice, raw.METER_SCOPE)
    assert book.codes(spend, raw.extend(hold, 1)) == [Code.OK]
    assert book.codes(meter, raw.extend(hold, 1)) == [Code.SCOPE_DENIED]


def test_near_the_end_of_time_the_bounds_are_exact(engine: MakeEngine) -> None:
    """created_at_ns + the longest life is beyond 2**64: no expiry is too far."""
    end_ns = (1 << 64) - 1
    book = Book(engine, genesis_for_tests(hold_max_lifetime_ns=end_ns))
    hold = book.reserve(book.alice, book.bob, 10)
    assert book.codes(book.alice.key, raw.extend(hold, 0, end_ns)) == [Code.OK]
    late = book.envelope(
        book.alice.key, raw.extend(hold, 0, end_ns), envelope_id=b"l" * 16, valid_until_ns=end_ns
    )
    receipt = book.apply(late, at_ns=end_ns - 1_000_000)[0]
    assert receipt.codes == [Code.EXPIRY_INVALID]
