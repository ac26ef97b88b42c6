"""The life of a hold: reserved, captured in steps, and ended once, by one of three ends."""

import pytest
from tests.differential import raw
from tests.differential.book import (
    SECOND_NS,
    START_AMOUNT,
    Book,
    MakeEngine,
    Person,
    genesis_for_tests,
)

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps
from tallystick_ledger.ids import Amount
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.state_rows import HoldStatus

Columns = tuple[int, int, int, int]


def columns(book: Book, person: Person) -> Columns:
    """debits pending and posted, credits pending and posted."""
    row = book.row(person.account)
    return row.debits_pending, row.debits_posted, row.credits_pending, row.credits_posted


def effect(book: Book, cause: Cause, amount: int, hold: bytes, index: int = 0) -> Effect:
    row = book.hold(hold)
    return Effect(cause, index, row.payer_account, row.payee_account, Amount(amount), row.hold)


def test_reserve_pins_the_maximum_on_both_sides(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400)
    assert columns(book, book.alice) == (400, 0, 0, START_AMOUNT)
    assert columns(book, book.bob) == (0, 0, 400, START_AMOUNT)
    assert (book.available(book.alice), book.available(book.bob)) == (600, START_AMOUNT)
    row = book.hold(hold)
    assert (row.maximum, row.captured, row.status, row.ended_at_ns) == (400, 0, HoldStatus.OPEN, 0)


def test_captures_are_cumulative(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400)
    first = book.ok(book.bob.key, raw.capture(hold, 150))
    assert first.effects == [effect(book, Cause.CAPTURE, 150, hold)]
    second = book.ok(book.bob.key, raw.capture(hold, 250))
    assert second.effects == [effect(book, Cause.CAPTURE, 100, hold)]
    repeated = book.ok(book.bob.key, raw.capture(hold, 250))
    assert repeated.effects == []
    assert columns(book, book.alice) == (150, 250, 0, START_AMOUNT)
    assert columns(book, book.bob) == (0, 0, 150, START_AMOUNT + 250)


def test_final_pays_and_frees_in_this_order(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400)
    receipt = book.ok(book.bob.key, raw.capture(hold, 150, flags=raw.FINAL))
    assert receipt.effects == [
        effect(book, Cause.CAPTURE, 150, hold),
        effect(book, Cause.RELEASE, 250, hold),
    ]
    row = book.hold(hold)
    assert (row.status, row.captured, row.ended_at_ns) == (
        HoldStatus.CAPTURED,
        150,
        receipt.timestamp_ns,
    )
    assert columns(book, book.alice) == (0, 150, 0, START_AMOUNT)


def test_final_of_everything_frees_nothing(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400)
    receipt = book.ok(book.bob.key, raw.capture(hold, 400, flags=raw.FINAL))
    assert [item.cause for item in receipt.effects] == [Cause.CAPTURE]


def test_final_of_nothing_frees_everything(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400)
    receipt = book.ok(book.bob.key, raw.capture(hold, 0, flags=raw.FINAL))
    assert receipt.effects == [effect(book, Cause.RELEASE, 400, hold)]
    assert book.hold(hold).status is HoldStatus.CAPTURED


@pytest.mark.parametrize("flags", [0, raw.FINAL])
def test_the_last_capture_can_be_replayed(book: Book, flags: int) -> None:
    hold = book.reserve(book.alice, book.bob, 400)
    book.ok(book.bob.key, raw.capture(hold, 150, flags=raw.FINAL))
    replay = book.ok(book.bob.key, raw.capture(hold, 150, flags=flags))
    assert replay.effects == []
    for amount in (149, 151):
        again = raw.capture(hold, amount, flags=flags)
        assert book.codes(book.bob.key, again) == [Code.HOLD_ENDED]


def test_a_replay_is_good_even_after_the_expiry(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400, 10 * SECOND_NS)
    final = raw.capture(hold, 150, flags=raw.FINAL)
    book.ok(book.bob.key, final)
    assert book.codes(book.bob.key, final, at_ns=book.now_ns + 20 * SECOND_NS) == [Code.OK]


def test_release_frees_the_rest(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400)
    book.ok(book.bob.key, raw.capture(hold, 150))
    receipt = book.ok(book.bob.key, raw.release(hold))
    assert receipt.effects == [effect(book, Cause.RELEASE, 250, hold)]
    assert book.hold(hold).status is HoldStatus.RELEASED
    assert book.codes(book.bob.key, raw.release(hold)) == [Code.HOLD_ENDED]
    assert book.codes(book.bob.key, raw.capture(hold, 150)) == [Code.HOLD_ENDED]


def test_release_of_a_fully_captured_hold_has_no_effect(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400)
    book.ok(book.bob.key, raw.capture(hold, 400))
    assert book.ok(book.bob.key, raw.release(hold)).effects == []


def test_capture_just_before_and_at_the_expiry(book: Book) -> None:
    expires_at_ns = book.now_ns + 10 * SECOND_NS
    record = raw.reserve(book.alice.account, book.bob.account, 400, expires_at_ns)
    hold = book.ok(book.alice.key, record).ids[0]
    receipt = book.send(
        book.bob.key, raw.capture(hold, 1), raw.capture(hold, 2), at_ns=expires_at_ns - 1
    )
    assert receipt.codes == [Code.OK, Code.HOLD_EXPIRED]
    # The sweep that ran before the second record took the rest.
    assert receipt.effects[1:] == [effect(book, Cause.EXPIRY, 399, hold, index=1)]
    assert book.hold(hold).ended_at_ns == expires_at_ns
    assert columns(book, book.alice) == (0, 1, 0, START_AMOUNT)


def test_money_of_a_due_hold_is_free_for_the_record_that_finds_it_due(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, START_AMOUNT, 10 * SECOND_NS)
    pay_all = raw.transfer(book.alice.account, book.bob.account, START_AMOUNT)
    due_ns = book.hold(hold).expires_at_ns
    assert book.codes(book.alice.key, pay_all, pay_all, at_ns=due_ns - 1) == [
        Code.FUNDS_HELD,
        Code.OK,
    ]


def test_expiry_of_a_fully_captured_hold_has_an_effect_of_zero(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400, 10 * SECOND_NS)
    book.ok(book.bob.key, raw.capture(hold, 400))
    receipt = book.send(book.node.key, raw.tick(), at_ns=book.now_ns + 20 * SECOND_NS)
    assert receipt.effects == [effect(book, Cause.EXPIRY, 0, hold)]


def test_sweeps_go_by_expiry_then_id(book: Book) -> None:
    expires = [book.now_ns + seconds * SECOND_NS for seconds in (12, 10, 11, 10, 10)]
    records = [
        raw.reserve(book.alice.account, book.bob.account, 10 + number, expires_at_ns)
        for number, expires_at_ns in enumerate(expires)
    ]
    holds = book.ok(book.alice.key, *records).ids
    receipt = book.send(book.node.key, raw.tick(), at_ns=book.now_ns + 20 * SECOND_NS)
    order = sorted(zip(expires, holds, strict=True))
    assert [item.origin for item in receipt.effects] == [hold for _, hold in order]


def test_several_sweeps_in_one_block(book: Book) -> None:
    """Each head has its own sweep: three holds, due at three records of two envelopes."""
    start_ns = book.now_ns + 10 * SECOND_NS
    records = [
        raw.reserve(book.alice.account, book.bob.account, 10, start_ns + offset)
        for offset in (0, 2, 3)
    ]
    book.ok(book.alice.key, *records)
    ticks = [book.envelope(book.node.key, raw.tick(), raw.tick()) for _ in range(2)]
    first, second = book.apply(*ticks, at_ns=start_ns)
    assert [item.record_index for item in first.effects] == [0]
    assert [item.record_index for item in second.effects] == [0, 1]


def test_a_hold_survives_revocation_and_freeze_of_the_payer(book: Book) -> None:
    key = book.add_key(book.alice, raw.SPEND)
    record = raw.reserve(book.alice.account, book.bob.account, 400, book.now_ns + 100 * SECOND_NS)
    hold = book.ok(key, record).ids[0]
    book.revoke_key(book.alice, key)
    book.ok(book.alice.key, raw.account(raw.FREEZE, account_id=book.alice.account))
    assert book.codes(book.bob.key, raw.capture(hold, 100, flags=raw.FINAL)) == [Code.OK]


def test_a_frozen_payee_can_release_but_not_capture(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 400)
    book.ok(book.bob.key, raw.account(raw.FREEZE, account_id=book.bob.account))
    assert book.codes(book.bob.key, raw.capture(hold, 1), raw.release(hold)) == [
        Code.ACCOUNT_FROZEN,
        Code.OK,
    ]


def test_a_meter_key_captures_and_releases(book: Book) -> None:
    meter = book.add_key(book.bob, raw.METER_SCOPE)
    first, second = (book.reserve(book.alice, book.bob, 10) for _ in range(2))
    assert book.codes(meter, raw.capture(first, 1), raw.release(second)) == [Code.OK, Code.OK]


def test_payer_and_payee_may_be_one_principal(book: Book) -> None:
    second = book.account(book.alice)
    record = raw.reserve(book.alice.account, second, 10, book.now_ns + 100 * SECOND_NS)
    hold = book.ok(book.alice.key, record).ids[0]
    assert book.codes(book.alice.key, raw.capture(hold, 10, flags=raw.FINAL)) == [Code.OK]
    assert book.row(second).credits_posted == 10


def test_competing_holds_share_the_money(book: Book) -> None:
    record = raw.reserve(book.alice.account, book.bob.account, 600, book.now_ns + 100 * SECOND_NS)
    assert book.codes(book.alice.key, record, record) == [Code.OK, Code.FUNDS_HELD]
    larger = raw.reserve(book.alice.account, book.bob.account, 1_001, book.now_ns + 100 * SECOND_NS)
    assert book.codes(book.alice.key, larger) == [Code.INSUFFICIENT_FUNDS]


@pytest.mark.parametrize(
    ("lifetime_ns", "code"),
    [
        (SECOND_NS - 1, Code.EXPIRY_INVALID),
        (SECOND_NS, Code.OK),
        (1_000 * SECOND_NS, Code.OK),
        (1_000 * SECOND_NS + 1, Code.EXPIRY_INVALID),
    ],
)
def test_bounds_of_the_expiry(book: Book, lifetime_ns: int, code: Code) -> None:
    record = raw.reserve(book.alice.account, book.bob.account, 1, book.now_ns + lifetime_ns)
    assert book.codes(book.alice.key, record) == [code]


def test_bounds_near_the_end_of_time_are_exact(engine: MakeEngine) -> None:
    """2**64 - 1 is less than a second ahead: no time that fits the field is late enough."""
    end_ns = (1 << 64) - 1
    book = Book(engine, genesis_for_tests(hold_max_lifetime_ns=end_ns))
    record = raw.reserve(book.alice.account, book.bob.account, 1, end_ns)
    early = book.envelope(book.alice.key, record, valid_until_ns=end_ns)
    assert book.apply(early, at_ns=end_ns - SECOND_NS)[0].codes == [Code.OK]
    late = book.envelope(book.alice.key, record, envelope_id=b"l" * 16, valid_until_ns=end_ns)
    assert book.apply(late, at_ns=end_ns - 1_000_000)[0].codes == [Code.EXPIRY_INVALID]


def test_ended_holds_make_room_under_the_cap(engine: MakeEngine) -> None:
    book = Book(engine, genesis_for_tests(Caps(open_holds=1)))
    hold = book.reserve(book.alice, book.bob, 1)
    record = raw.reserve(book.alice.account, book.bob.account, 1, book.now_ns + 9 * SECOND_NS)
    assert book.codes(book.alice.key, record) == [Code.CAP_EXCEEDED]
    book.ok(book.bob.key, raw.release(hold))
    assert book.codes(book.alice.key, record) == [Code.OK]
    # The payee's holds are not counted for the payee.
    back = raw.reserve(book.bob.account, book.alice.account, 1, book.now_ns + 9 * SECOND_NS)
    assert book.codes(book.bob.key, back) == [Code.OK]
