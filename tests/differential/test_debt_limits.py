"""What limits count of holds on debt: the worst case, until nothing can be charged any more."""

import pytest
from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, MakeEngine, genesis_for_tests
from tests.differential.debts import Shop

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import LATE_CAPTURE_NS

MAXIMUM, DEBT = 60, 40
WORST = MAXIMUM + DEBT
LIFETIME_NS = 5 * SECOND_NS


@pytest.fixture
def shop(engine: MakeEngine) -> Shop:
    """Retention of an hour: the grace is ten minutes."""
    book = Book(engine, genesis_for_tests(hold_retention_ns=3_600 * SECOND_NS))
    return Shop.of(book, book.bob)


def bounds(shop: Shop, amount: int = 10 * START_AMOUNT, held: int = START_AMOUNT) -> None:
    """A limit of Alice's spending for good, and one of what Bob keeps on hold of her account."""
    book = shop.book
    parties = book.alice.account + book.bob.account
    total = book.alice.account + bytes(16)
    for record in (
        raw.limit(raw.OF_ACCOUNT, raw.TOTAL, total, book.usd, amount),
        raw.limit(raw.OF_PAYEE, raw.HELD, parties, book.usd, held),
    ):
        book.ok(book.alice.key, record)


def counted(shop: Shop) -> tuple[int, int]:
    """What was spent and what is on hold, as the two limits say."""
    spent, held = shop.book.engine.limits(shop.book.alice.principal)
    return spent.used, held.used


def expire(shop: Shop) -> None:
    """Half a minute later nothing is on hold."""
    shop.book.now_ns += 30 * SECOND_NS
    shop.book.ok(shop.book.node.key, raw.tick())


def end_grace(shop: Shop, hold: bytes) -> None:
    """The first block after which no late capture can come."""
    row = shop.book.engine.hold(hold)
    assert row is not None
    over_ns = row.expires_at_ns + LATE_CAPTURE_NS
    before = counted(shop)
    shop.book.send(shop.book.node.key, raw.tick(), at_ns=over_ns)
    assert counted(shop) == before, "a capture before this nanosecond would have been in time"
    shop.book.send(shop.book.node.key, raw.tick(), at_ns=over_ns + 1)


def test_the_worst_case_counts_and_held_is_what_is_pinned(shop: Shop) -> None:
    bounds(shop, WORST, MAXIMUM)
    book = shop.book
    accounts = (book.alice.account, book.bob.account)
    for maximum, debt in ((MAXIMUM, DEBT + 1), (MAXIMUM + 1, DEBT - 1)):
        record = shop.reserve_record(*accounts, maximum, debt)
        assert book.codes(book.alice.key, record)[0] is Code.LIMIT_EXCEEDED
    shop.reserve(book.alice, MAXIMUM, DEBT)
    assert counted(shop) == (WORST, MAXIMUM)


def test_a_worst_case_beyond_all_numbers_is_above_any_limit(shop: Shop) -> None:
    bounds(shop, (1 << 128) - 1)
    book = shop.book
    accounts = (book.alice.account, book.bob.account)
    record = shop.reserve_record(*accounts, 2, (1 << 128) - 2)
    assert book.codes(book.alice.key, record)[0] is Code.LIMIT_EXCEEDED
    shop.reserve(book.alice, 1, (1 << 128) - 2)
    assert counted(shop) == ((1 << 128) - 1, 1)


@pytest.mark.parametrize("charged", [0, 1, MAXIMUM, MAXIMUM + 1, WORST])
def test_the_last_capture_gives_back_what_it_did_not_charge(shop: Shop, charged: int) -> None:
    bounds(shop)
    hold = shop.reserve(shop.book.alice, MAXIMUM, DEBT)
    if charged:
        shop.book.ok(shop.book.bob.key, shop.used(hold, charged))
    assert counted(shop) == (WORST, max(0, MAXIMUM - charged))
    shop.book.ok(shop.book.bob.key, shop.used(hold, charged, flags=raw.FINAL))
    assert counted(shop) == (charged, 0)


def test_what_is_owed_counts_as_charged_and_its_payment_does_not(shop: Shop) -> None:
    bounds(shop)
    book = shop.book
    hold = shop.reserve(book.alice, MAXIMUM, DEBT)
    book.ok(book.alice.key, raw.account(raw.FREEZE, account_id=book.alice.account))
    book.ok(book.bob.key, shop.used(hold, WORST - 3, flags=raw.FINAL))
    book.ok(book.alice.key, raw.account(raw.UNFREEZE, account_id=book.alice.account))
    assert counted(shop) == (WORST - 3, 0)
    book.ok(book.alice.key, raw.pay_claim(hold, 7, book.alice.account))
    book.ok(book.bob.key, raw.waive_claim(hold))
    assert counted(shop) == (WORST - 3, 0)


def test_release_gives_back_what_was_not_charged(shop: Shop) -> None:
    bounds(shop)
    book = shop.book
    hold = shop.reserve(book.alice, MAXIMUM, DEBT)
    book.ok(book.bob.key, shop.used(hold, MAXIMUM + 5))
    book.ok(book.alice.key, raw.extend(hold, 20))
    assert counted(shop) == (WORST + 20, 20)
    book.ok(book.bob.key, raw.release(hold))
    assert counted(shop) == (MAXIMUM + 5, 0)


def test_expiry_gives_back_what_was_held_and_the_rest_after_the_grace(shop: Shop) -> None:
    bounds(shop)
    hold = shop.reserve(shop.book.alice, MAXIMUM, DEBT, lifetime_ns=LIFETIME_NS)
    shop.book.ok(shop.book.bob.key, shop.used(hold, 10))
    expire(shop)
    assert counted(shop) == (WORST, 0)
    end_grace(shop, hold)
    assert counted(shop) == (10, 0)


def test_a_late_capture_takes_of_what_is_still_counted(shop: Shop) -> None:
    bounds(shop)
    hold = shop.reserve(shop.book.alice, MAXIMUM, DEBT, lifetime_ns=LIFETIME_NS)
    expire(shop)
    for charged in (MAXIMUM, WORST - 1):
        shop.book.ok(shop.book.bob.key, shop.used(hold, charged, flags=raw.FINAL))
        assert counted(shop) == (WORST, 0)
    end_grace(shop, hold)
    assert counted(shop) == (WORST - 1, 0)


def test_without_debt_expiry_gives_back_at_once(shop: Shop) -> None:
    bounds(shop)
    shop.reserve(shop.book.alice, MAXIMUM, 0, lifetime_ns=LIFETIME_NS)
    assert counted(shop) == (MAXIMUM, MAXIMUM)
    expire(shop)
    assert counted(shop) == (0, 0)


def test_an_ended_hold_that_is_forgotten_gives_back(engine: MakeEngine) -> None:
    """With a retention below ten minutes the grace is no longer than that."""
    book = Book(engine, genesis_for_tests(hold_retention_ns=50 * SECOND_NS))
    shop = Shop.of(book, book.bob)
    bounds(shop)
    holds = [shop.reserve(book.alice, MAXIMUM, DEBT, lifetime_ns=LIFETIME_NS) for _ in range(2)]
    expire(shop)
    book.ok(book.bob.key, shop.used(holds[0], 7, flags=raw.FINAL))
    assert counted(shop) == (2 * WORST, 0)
    book.now_ns += 200 * SECOND_NS
    book.ok(book.node.key, raw.tick())
    assert [book.engine.hold(hold) for hold in holds] == [None, None]
    assert counted(shop) == (7, 0)


def test_a_limit_set_anew_meanwhile_gets_nothing_back(shop: Shop) -> None:
    bounds(shop)
    book = shop.book
    hold = shop.reserve(book.alice, MAXIMUM, DEBT, lifetime_ns=LIFETIME_NS)
    expire(shop)
    total = book.alice.account + bytes(16)
    end = raw.limit(raw.OF_ACCOUNT, raw.TOTAL, total, book.usd, operation=raw.END)
    book.ok(book.alice.key, end)
    bounds(shop)
    book.ok(book.alice.key, raw.transfer(book.alice.account, book.bob.account, 3))
    end_grace(shop, hold)
    assert counted(shop) == (3, 0)
