"""Limits, zones and lines of keys: each promise of docs/semantics.md on both engines."""

from dataclasses import replace

import pytest
from tests.differential import raw
from tests.differential.book import SECOND_NS, Book, MakeEngine, Person, genesis_for_tests
from tests.differential.cases_limits import DAY_S, publish

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps
from tallystick_ledger.limits import MAX_LIMITS, MAX_MARKS
from tallystick_ledger.records import LimitTarget, LimitWindow
from tallystick_ledger.results import LimitDetail


@pytest.fixture
def book(engine: MakeEngine) -> Book:
    return Book(engine, genesis_for_tests(replace(Caps(), keys=100)))


def one(owner: bytes) -> bytes:
    return owner + bytes(16)


def agent(book: Book, above: bytes | None = None) -> Person:
    """A SPEND key of Alice's."""
    key = book.add_key(book.alice, raw.SPEND)
    if above is not None:
        book.ok(book.alice.key, raw.delegate(key, above))
    return Person(book.alice.principal, key, book.alice.account)


def limit(book: Book, target: int, window: int, subject: bytes, amount: int) -> None:
    book.ok(book.alice.key, raw.limit(target, window, subject, book.usd, amount))


def pays(book: Book, amount: int) -> bytes:
    return raw.transfer(book.alice.account, book.bob.account, amount)


def used(book: Book) -> list[int]:
    """What Alice's limits have counted, in the order of their rows."""
    return [row.used for row in book.engine.limits(book.alice.principal)]


def test_all_limits_count_or_none(book: Book) -> None:
    parent = agent(book)
    child = agent(book, parent.key)
    limit(book, raw.OF_KEY, raw.TOTAL, child.key, 100)
    limit(book, raw.OF_KEY, raw.DAY, parent.key, 80)
    limit(book, raw.OF_ACCOUNT, raw.MONTH, one(book.alice.account), 60)
    limit(book, raw.OF_PRINCIPAL, raw.TOTAL, one(book.alice.principal), 50)
    assert book.codes(child.key, pays(book, 51), pays(book, 50)) == [Code.LIMIT_EXCEEDED, Code.OK]
    assert used(book) == [50] * 4
    assert book.codes(child.key, pays(book, 1)) == [Code.LIMIT_EXCEEDED]
    assert used(book) == [50] * 4


@pytest.mark.parametrize(
    ("target", "above", "window"),
    [
        (LimitTarget.KEY, 0, LimitWindow.TOTAL),
        (LimitTarget.KEY, 1, LimitWindow.DAY),
        (LimitTarget.KEY, 2, LimitWindow.MONTH),
        (LimitTarget.ACCOUNT, 0, LimitWindow.DAY),
        (LimitTarget.PRINCIPAL, 0, LimitWindow.TOTAL),
    ],
)
def test_the_detail_says_which_limit(
    book: Book, target: LimitTarget, above: int, window: LimitWindow
) -> None:
    top = agent(book)
    middle = agent(book, top.key)
    bottom = agent(book, middle.key)
    subject = {
        LimitTarget.KEY: (bottom, middle, top)[above].key,
        LimitTarget.ACCOUNT: one(book.alice.account),
        LimitTarget.PRINCIPAL: one(book.alice.principal),
    }[target]
    limit(book, target, window, subject, 9)
    receipt = book.send(bottom.key, pays(book, 10))
    assert receipt.codes == [Code.LIMIT_EXCEEDED]
    detail = LimitDetail.decode(receipt.results[0].detail)
    assert (detail.target, detail.window, detail.above) == (target, window, above)
    (row,) = book.engine.limits(book.alice.principal)
    left_ns = detail.resets_in_s * SECOND_NS - (row.ends_at_ns - receipt.timestamp_ns)
    assert (0 <= left_ns < SECOND_NS) if row.ends_at_ns else detail.resets_in_s == 0


def test_the_detail_of_an_atomic_envelope(book: Book) -> None:
    limit(book, raw.OF_PRINCIPAL, raw.TOTAL, one(book.alice.principal), 9)
    receipt = book.send(book.alice.key, pays(book, 5), pays(book, 5), atomic=True)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.LIMIT_EXCEEDED]
    detail = LimitDetail(LimitTarget.PRINCIPAL, LimitWindow.TOTAL, 0, 0)
    assert receipt.results[1].detail == detail.encode()
    assert used(book) == [0]


def test_what_is_not_captured_comes_back(book: Book) -> None:
    limit(book, raw.OF_PRINCIPAL, raw.DAY, one(book.alice.principal), 100)
    hold = book.reserve(book.alice, book.bob, 70)
    book.ok(book.alice.key, raw.extend(hold, 30))
    assert book.codes(book.alice.key, pays(book, 1)) == [Code.LIMIT_EXCEEDED]
    book.ok(book.bob.key, raw.capture(hold, 60))
    assert used(book) == [100]  # the worst case counts until the end
    book.ok(book.bob.key, raw.capture(hold, 65, flags=raw.FINAL))
    assert used(book) == [65]


@pytest.mark.parametrize("end", ["release", "expiry", "close"])
def test_each_end_gives_back(book: Book, end: str) -> None:
    limit(book, raw.OF_ACCOUNT, raw.TOTAL, one(book.alice.account), 100)
    if end == "close":
        key = book.channel_key(book.alice)
        channel = book.channel(book.alice, book.bob, 60, key)
        book.ok(book.alice.key, raw.top_up(channel, 20))
        assert used(book) == [80]
        book.ok(book.bob.key, book.voucher(key, channel, 15))
        book.ok(book.bob.key, raw.channel_close(channel))
        assert used(book) == [15]
        return
    hold = book.reserve(book.alice, book.bob, 80, 10 * SECOND_NS)
    assert used(book) == [80]
    if end == "release":
        book.ok(book.bob.key, raw.release(hold))
    else:
        book.now_ns += 11 * SECOND_NS
        book.ok(book.bank.key, raw.open_account(book.usd))
    assert used(book) == [0]


def test_nothing_comes_back_to_another_window(book: Book) -> None:
    """Both parts of a hold count on their day; what is left belongs to the second."""
    zone = publish(book, 1, 90 * DAY_S, before_midnight_s=10)
    subject = one(book.alice.principal)
    book.ok(
        book.alice.key,
        raw.limit(raw.OF_PRINCIPAL, raw.DAY, subject, book.usd, 100, zone_id=zone),
    )
    first = book.reserve(book.alice, book.bob, 60)
    second = book.reserve(book.alice, book.bob, 40)
    book.now_ns += 20 * SECOND_NS
    book.ok(book.alice.key, raw.extend(first, 30))
    assert used(book) == [30]
    book.ok(book.bob.key, raw.release(second))
    assert used(book) == [30]
    book.ok(book.bob.key, raw.release(first))
    assert used(book) == [0]


def test_refunds_do_not_come_back(book: Book) -> None:
    limit(book, raw.OF_PRINCIPAL, raw.TOTAL, one(book.alice.principal), 100)
    paid = book.ok(book.alice.key, pays(book, 100)).first_sequence
    book.ok(book.bob.key, raw.refund(paid, 100))
    assert used(book) == [100]


def test_a_rotation_does_not_give_a_second_budget(book: Book) -> None:
    old = agent(book)
    child = agent(book, old.key)
    limit(book, raw.OF_KEY, raw.TOTAL, old.key, 100)
    book.ok(old.key, pays(book, 40))
    new = book.rotate_key(old.key, book.now_ns + 100 * SECOND_NS)
    book.ok(new, pays(book, 30))
    book.ok(old.key, pays(book, 20))
    book.ok(child.key, pays(book, 10))
    for key in (old.key, new, child.key):
        assert book.codes(key, pays(book, 1)) == [Code.LIMIT_EXCEEDED]
    assert used(book) == [100]
    # The limit can be named by any key of the line.
    limit(book, raw.OF_KEY, raw.TOTAL, new, 101)
    assert used(book) == [100]
    assert book.codes(child.key, pays(book, 1)) == [Code.OK]


def test_a_revoked_or_expired_key_stops_those_under_it(book: Book) -> None:
    parent = agent(book)
    child = agent(book, parent.key)
    new = book.rotate_key(parent.key)  # revokes the old one; the line goes on
    book.ok(child.key, pays(book, 1))
    book.revoke_key(book.alice, new)
    assert book.codes(child.key, pays(book, 1)) == [Code.KEY_REVOKED]
    brief = book.add_key(book.alice, raw.SPEND, book.now_ns + 10 * SECOND_NS)
    book.ok(book.alice.key, raw.delegate(child.key, brief))
    book.ok(child.key, pays(book, 1))
    book.now_ns += 11 * SECOND_NS
    assert book.codes(child.key, pays(book, 1)) == [Code.KEY_EXPIRED]
    book.ok(book.alice.key, raw.delegate(child.key))
    book.ok(child.key, pays(book, 1))


def test_kill_revokes_all_under_a_key(book: Book) -> None:
    top = agent(book)
    middle = agent(book, top.key)
    bottom = agent(book, middle.key)
    beside = agent(book, top.key)
    successor = book.rotate_key(bottom.key, book.now_ns + 100 * SECOND_NS)
    assert book.codes(beside.key, raw.kill(middle.key)) == [Code.SCOPE_DENIED]
    book.ok(top.key, raw.kill(middle.key))
    for key in (middle.key, bottom.key, successor):
        assert book.codes(key, pays(book, 1)) == [Code.KEY_REVOKED]
    book.ok(beside.key, pays(book, 1))
    assert book.codes(top.key, raw.kill(bottom.key)) == [Code.KEY_STATE]
    book.ok(book.alice.key, raw.kill(top.key))
    assert book.codes(beside.key, pays(book, 1)) == [Code.KEY_REVOKED]


def test_at_most_four_keys_stand_above_one(book: Book) -> None:
    keys = [agent(book)]
    for _ in range(4):
        keys.append(agent(book, keys[-1].key))
    extra = agent(book)
    below = raw.delegate(extra.key, keys[-1].key)
    above = raw.delegate(keys[0].key, extra.key)
    assert book.codes(book.alice.key, below, above) == [Code.DELEGATION_INVALID] * 2
    book.ok(book.alice.key, raw.delegate(keys[2].key, extra.key))
    assert book.codes(book.alice.key, above) == [Code.OK]
    cycle = raw.delegate(extra.key, keys[4].key)
    assert book.codes(book.alice.key, cycle) == [Code.DELEGATION_INVALID]


def test_a_delegate_moves_keys_further_down_only(book: Book) -> None:
    top = agent(book)
    middle = agent(book, top.key)
    bottom = agent(book, top.key)
    book.ok(top.key, raw.delegate(bottom.key, middle.key))
    up = raw.delegate(bottom.key, top.key)
    assert book.codes(top.key, up, raw.delegate(bottom.key)) == [Code.SCOPE_DENIED] * 2


def test_what_a_payee_keeps_on_hold(book: Book) -> None:
    pair = book.alice.account + book.bob.account
    limit(book, raw.OF_PAYEE, raw.HELD, pair, 100)
    first = book.reserve(book.alice, book.bob, 60)
    too_much = raw.reserve(book.alice.account, book.bob.account, 41, book.now_ns + 50 * SECOND_NS)
    assert book.codes(book.alice.key, too_much) == [Code.LIMIT_EXCEEDED]
    book.ok(book.alice.key, pays(book, 500))  # not on hold
    book.ok(book.bob.key, raw.capture(first, 30))
    assert used(book) == [30]
    key = book.channel_key(book.alice)
    channel = book.channel(book.alice, book.bob, 70, key)
    assert used(book) == [100]
    book.ok(book.bob.key, book.voucher(key, channel, 25))
    assert used(book) == [75]
    book.ok(book.bob.key, raw.channel_close(channel))
    assert used(book) == [30]
    book.ok(book.bob.key, raw.release(first))
    assert used(book) == [0]


def test_a_limit_begun_anew_does_not_know_older_holds(book: Book) -> None:
    subject = one(book.alice.principal)
    limit(book, raw.OF_PRINCIPAL, raw.TOTAL, subject, 100)
    hold = book.reserve(book.alice, book.bob, 80)
    end = raw.limit(raw.OF_PRINCIPAL, raw.TOTAL, subject, book.usd, operation=raw.END)
    book.ok(book.alice.key, end)
    book.ok(book.alice.key, end)  # there is none any more
    limit(book, raw.OF_PRINCIPAL, raw.TOTAL, subject, 100)
    book.ok(book.alice.key, pays(book, 50))
    book.ok(book.bob.key, raw.release(hold))
    assert used(book) == [50]


def test_a_lower_limit_refuses_and_a_higher_one_goes_on(book: Book) -> None:
    subject = one(book.alice.account)
    limit(book, raw.OF_ACCOUNT, raw.DAY, subject, 100)
    book.ok(book.alice.key, pays(book, 60))
    limit(book, raw.OF_ACCOUNT, raw.DAY, subject, 10)
    assert book.codes(book.alice.key, pays(book, 1)) == [Code.LIMIT_EXCEEDED]
    limit(book, raw.OF_ACCOUNT, raw.DAY, subject, 61)
    assert book.codes(book.alice.key, pays(book, 1), pays(book, 1)) == [
        Code.OK,
        Code.LIMIT_EXCEEDED,
    ]


def test_a_window_that_has_begun_keeps_its_end(book: Book) -> None:
    """A new table of the zone, and another zone, count from the next window on."""
    zone = publish(book, 1, 90 * DAY_S, before_midnight_s=10)
    subject = one(book.alice.principal)
    record = raw.limit(raw.OF_PRINCIPAL, raw.DAY, subject, book.usd, 9, zone_id=zone)
    book.ok(book.alice.key, record)
    (before,) = book.engine.limits(book.alice.principal)
    publish(book, 2, 90 * DAY_S, before_midnight_s=40_000)
    limit(book, raw.OF_PRINCIPAL, raw.DAY, subject, 8)
    (after,) = book.engine.limits(book.alice.principal)
    assert (after.ends_at_ns, after.since_ns) == (before.ends_at_ns, before.since_ns)
    book.ok(book.alice.key, record)
    book.ok(book.alice.key, pays(book, 9))
    second_ns = before.ends_at_ns
    codes = book.codes(book.alice.key, pays(book, 1), pays(book, 1), at_ns=second_ns - 1)
    assert codes == [Code.LIMIT_EXCEEDED, Code.OK]
    (renewed,) = book.engine.limits(book.alice.principal)
    assert renewed.ends_at_ns - second_ns in range(39_000 * SECOND_NS, 40_000 * SECOND_NS)
    assert (renewed.used, renewed.since_ns) == (1, second_ns)


def test_caps(engine: MakeEngine) -> None:
    book = Book(engine, genesis_for_tests(Caps(accounts=2_000, keys=200)))
    accounts = book.ok(book.alice.key, *[raw.open_account(book.usd)] * 1_366).ids
    windows = (raw.DAY, raw.MONTH, raw.TOTAL)
    records = [
        raw.limit(raw.OF_ACCOUNT, window, one(account), book.usd, 5)
        for account in accounts
        for window in windows
    ]
    book.ok(book.alice.key, *records[:MAX_LIMITS])
    assert book.codes(book.alice.key, records[MAX_LIMITS]) == [Code.CAP_EXCEEDED]
    book.ok(book.alice.key, records[0])  # one that is there
    zones = [raw.zone(b"Zone/%d" % number, 1, 1, 2, 0) for number in range(1_025)]
    assert book.codes(book.operator.key, *zones)[-2:] == [Code.OK, Code.CAP_EXCEEDED]
    again = raw.zone(b"Zone/0", 2, 1, 2, 0)
    assert book.codes(book.operator.key, again) == [Code.OK]


def test_a_hold_counts_against_at_most_64_limits(book: Book) -> None:
    """Of ever other keys: each has three."""
    hold = book.reserve(book.alice, book.bob, 1)
    key = book.channel_key(book.alice)
    channel = book.channel(book.alice, book.bob, 1, key)
    agents = [agent(book) for _ in range(MAX_MARKS // 3 + 1)]
    for each in agents:
        for window in (raw.DAY, raw.MONTH, raw.TOTAL):
            limit(book, raw.OF_KEY, window, each.key, 100)
    more = (raw.extend(hold, 1), raw.top_up(channel, 1))
    for each in agents[:-1]:
        book.ok(each.key, *more)
    assert book.codes(agents[-1].key, *more) == [Code.CAP_EXCEEDED] * 2
    assert book.codes(agents[0].key, *more) == [Code.OK] * 2
    book.ok(book.bob.key, raw.release(hold), raw.channel_close(channel))
    assert used(book) == [0] * len(agents) * 3
