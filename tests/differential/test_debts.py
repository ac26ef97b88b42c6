"""Holds that charge on debt, and what they leave owing: one test a promise, on both engines."""

import pytest
from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, MakeEngine, genesis_for_tests
from tests.differential.debts import LONG_NS, Shop
from tests.differential.engines import KernelEngine

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps
from tallystick_ledger.limits import LATE_CAPTURE_NS
from tallystick_ledger.state_rows import ClaimRow, ClaimStatus, HoldStatus

LIMIT = 100


@pytest.fixture
def book(engine: MakeEngine) -> Book:
    return Book(engine)


def only_claim(book: Book) -> ClaimRow:
    (row,) = book.engine.claims(book.alice.principal)
    assert book.engine.claims(book.bob.principal) == [row]
    return row


def close(account: bytes) -> bytes:
    return raw.account(raw.CLOSE, account_id=account)


def test_within_the_maximum_nothing_is_different(book: Book) -> None:
    shop = Shop.of(book, book.bob)
    hold = shop.reserve(book.alice, 100, LIMIT)
    receipt = book.ok(book.bob.key, shop.used(hold, 70, flags=raw.FINAL))
    assert [(effect.cause.name, effect.amount) for effect in receipt.effects] == [
        ("CAPTURE", 70),
        ("RELEASE", 30),
    ]
    assert book.engine.claims(book.alice.principal) == []


def test_what_is_available_pays_first_and_the_effects_say_it(book: Book) -> None:
    shop = Shop.of(book, book.bob)
    hold = shop.reserve(book.alice, START_AMOUNT - 10, LIMIT)
    charged = START_AMOUNT + 40
    receipt = book.ok(book.bob.key, shop.used(hold, charged, flags=raw.FINAL))
    captured, claimed = receipt.effects
    assert (captured.cause.name, captured.amount) == ("CAPTURE", START_AMOUNT)
    assert (captured.origin, captured.card, captured.claim) == (hold, shop.card, raw.ZERO_ID)
    assert captured.beyond == 10, "what was not on hold"
    assert (claimed.cause.name, claimed.amount) == ("CLAIM", 40)
    assert (claimed.origin, claimed.claim) == (hold, hold)
    row = only_claim(book)
    assert (row.claim, row.rest, row.status) == (hold, 40, ClaimStatus.OPEN)
    assert (row.payer_account, row.payee_account) == (book.alice.account, book.bob.account)
    assert book.row(book.bob.account).balance == 2 * START_AMOUNT, "a claim is no balance"


def test_a_frozen_account_gives_what_is_on_hold_and_owes_the_rest(book: Book) -> None:
    shop = Shop.of(book, book.bob)
    hold = shop.reserve(book.alice, 10, LIMIT)
    book.ok(book.alice.key, raw.account(raw.FREEZE, account_id=book.alice.account))
    book.ok(book.bob.key, shop.used(hold, 60))
    assert only_claim(book).rest == 50
    assert book.available(book.alice) == START_AMOUNT - 10


def test_a_claim_grows_with_its_hold_and_opens_again(book: Book) -> None:
    shop = Shop.of(book, book.bob)
    hold = shop.reserve(book.alice, START_AMOUNT, LIMIT)
    book.ok(book.bob.key, shop.used(hold, START_AMOUNT + 10))
    book.ok(book.bob.key, shop.used(hold, START_AMOUNT + 25))
    assert only_claim(book).rest == 25
    book.issue(book.alice.account, 25)
    book.ok(book.alice.key, raw.pay_claim(hold, 25, book.alice.account))
    assert only_claim(book).status is ClaimStatus.PAID
    book.ok(book.bob.key, shop.used(hold, START_AMOUNT + 30, flags=raw.FINAL))
    row = only_claim(book)
    assert (row.amount, row.paid, row.rest, row.ended_at_ns) == (30, 25, 5, 0)
    assert row.is_open


def test_an_extended_hold_pays_from_what_it_holds_again(book: Book) -> None:
    shop = Shop.of(book, book.bob)
    hold = shop.reserve(book.alice, START_AMOUNT, LIMIT)
    book.ok(book.bob.key, shop.used(hold, START_AMOUNT + 20))
    book.issue(book.alice.account, 50)
    book.ok(book.alice.key, raw.extend(hold, 50))
    receipt = book.ok(book.bob.key, shop.used(hold, START_AMOUNT + 60, flags=raw.FINAL))
    amounts = [(effect.cause.name, effect.amount) for effect in receipt.effects]
    assert amounts == [("CAPTURE", 40), ("RELEASE", 10)]
    assert only_claim(book).rest == 20


def test_only_this_payee_waits_and_only_for_this_account(book: Book) -> None:
    shop = Shop.of(book, book.bob)
    claim = shop.claim(book.alice, 5)
    carol = book.customer()
    other = book.account(book.alice)
    book.issue(other, 1)
    until_ns = book.now_ns + LONG_NS
    to_bob = raw.reserve(book.alice.account, book.bob.account, 1, until_ns)
    assert book.codes(book.alice.key, to_bob) == [Code.CLAIM_OPEN]
    book.ok(book.alice.key, raw.reserve(book.alice.account, carol.account, 1, until_ns))
    book.ok(book.alice.key, raw.reserve(other, book.bob.account, 1, until_ns))
    book.ok(book.bob.key, raw.waive_claim(claim))
    book.ok(book.alice.key, to_bob)


def test_neither_side_closes_its_account_over_an_open_claim(book: Book) -> None:
    shop = Shop.of(book, book.bob)
    payee = book.account(book.bob)
    claim = shop.claim(book.alice, 5, payee)
    book.ok(book.bob.key, raw.transfer(payee, book.bob.account, 1))
    assert book.codes(book.bob.key, close(payee)) == [Code.ACCOUNT_NOT_EMPTY]
    rest = book.available(book.alice)
    book.ok(book.alice.key, raw.transfer(book.alice.account, book.bob.account, rest))
    assert book.codes(book.alice.key, close(book.alice.account)) == [Code.ACCOUNT_NOT_EMPTY]
    book.ok(book.bob.key, raw.waive_claim(claim))
    book.ok(book.alice.key, close(book.alice.account))
    book.ok(book.bob.key, close(payee))


def test_any_account_of_the_payer_pays_and_it_can_be_refunded(book: Book) -> None:
    shop = Shop.of(book, book.bob)
    claim = shop.claim(book.alice, 30)
    other = book.account(book.alice)
    book.issue(other, 30)
    receipt = book.ok(book.alice.key, raw.pay_claim(claim, 30, other))
    (effect,) = receipt.effects
    assert (effect.cause.name, effect.debit_account, effect.claim) == ("PAY_CLAIM", other, claim)
    book.ok(book.bob.key, raw.refund(receipt.first_sequence, 30))
    assert book.row(other).balance == 30


def test_a_capture_on_debt_is_refunded_by_what_it_posted(book: Book) -> None:
    shop = Shop.of(book, book.bob)
    hold = shop.reserve(book.alice, START_AMOUNT - 10, LIMIT)
    used = shop.used(hold, START_AMOUNT + 40, flags=raw.FINAL)
    sequence = book.ok(book.bob.key, used).first_sequence
    too_much = raw.refund(sequence, START_AMOUNT + 1)
    assert book.codes(book.bob.key, too_much) == [Code.CORRECTION_EXCEEDS]
    book.ok(book.bob.key, raw.refund(sequence, START_AMOUNT))


def test_claims_have_a_cap_and_at_the_cap_no_debt_is_made(engine: MakeEngine) -> None:
    book = Book(engine, genesis_for_tests(Caps(references=2)))
    shop = Shop.of(book, book.bob)
    holds = [shop.reserve(book.alice, 1, LIMIT) for _ in range(3)]
    book.ok(book.alice.key, raw.account(raw.FREEZE, account_id=book.alice.account))
    for hold in holds[:2]:
        book.ok(book.bob.key, shop.used(hold, 2))
    assert book.codes(book.bob.key, shop.used(holds[2], 2))[0] is Code.CAP_EXCEEDED
    book.ok(book.bob.key, shop.used(holds[2], 1))
    book.ok(book.bob.key, shop.used(holds[0], 3))  # it has its row already
    book.ok(book.bob.key, raw.waive_claim(holds[0]))
    assert book.codes(book.bob.key, shop.used(holds[2], 2))[0] is Code.CAP_EXCEEDED
    book.now_ns += 51 * SECOND_NS
    book.ok(book.bob.key, shop.used(holds[2], 2))  # the waived one was forgotten


def test_an_open_claim_outlives_its_hold_for_good(book: Book) -> None:
    shop = Shop.of(book, book.bob)
    claim = shop.claim(book.alice, 5)
    book.now_ns += 400 * 86_400 * SECOND_NS
    book.ok(book.node.key, raw.tick())
    assert book.engine.hold(claim) is None
    assert only_claim(book).rest == 5
    book.ok(book.alice.key, raw.pay_claim(claim, 5, book.alice.account))
    book.now_ns += 51 * SECOND_NS
    book.ok(book.node.key, raw.tick())
    assert book.engine.claims(book.alice.principal) == []


@pytest.mark.parametrize("retention_s", [50, 3_600])
def test_a_late_capture_has_its_grace_to_the_nanosecond(
    engine: MakeEngine, retention_s: int
) -> None:
    """Ten minutes, and no longer than an ended hold is remembered."""
    genesis = genesis_for_tests(hold_retention_ns=retention_s * SECOND_NS)
    grace_ns = min(LATE_CAPTURE_NS, retention_s * SECOND_NS)
    for late_ns, code in ((grace_ns - 1, Code.OK), (grace_ns, Code.HOLD_EXPIRED)):
        book = Book(engine, genesis)
        shop = Shop.of(book, book.bob)
        hold = shop.reserve(book.alice, 100, LIMIT, lifetime_ns=5 * SECOND_NS)
        made = book.engine.hold(hold)
        assert made is not None
        used = shop.used(hold, 150, flags=raw.FINAL)
        at_ns = made.expires_at_ns + late_ns
        assert book.send(book.bob.key, used, at_ns=at_ns).codes[0] is code
        row = book.engine.hold(hold)
        assert row is not None
        assert (row.status, row.captured) == (HoldStatus.EXPIRED, 0)
        paid = 150 if code is Code.OK else 0
        assert book.available(book.bob) == START_AMOUNT + paid


def test_a_late_capture_goes_on_from_what_was_captured_and_repeats(book: Book) -> None:
    shop = Shop.of(book, book.bob)
    hold = shop.reserve(book.alice, 100, LIMIT, lifetime_ns=5 * SECOND_NS)
    book.ok(book.bob.key, shop.used(hold, 60))
    book.now_ns += 6 * SECOND_NS
    book.ok(book.node.key, raw.tick())
    late = shop.used(hold, 200, flags=raw.FINAL)
    amounts = [effect.amount for effect in book.ok(book.bob.key, late).effects]
    assert amounts == [140]
    assert book.ok(book.bob.key, late).effects == []
    more, less = (shop.used(hold, amount, flags=raw.FINAL) for amount in (201, 199))
    assert book.codes(book.bob.key, more)[0] is Code.CAPTURE_EXCEEDS_HOLD
    assert book.codes(book.bob.key, less)[0] is Code.CAPTURE_LOWERED
    book.now_ns += 45 * SECOND_NS
    assert book.ok(book.bob.key, late).effects == [], "a replay is one as long as it is known"


def test_nothing_comes_late_without_the_payers_word(book: Book) -> None:
    shop = Shop.of(book, book.bob)
    hold = shop.reserve(book.alice, 100, 0, lifetime_ns=5 * SECOND_NS)
    book.now_ns += 6 * SECOND_NS
    book.ok(book.node.key, raw.tick())
    late = shop.used(hold, 60, flags=raw.FINAL)
    assert book.codes(book.bob.key, late)[0] is Code.HOLD_EXPIRED


def test_claims_are_listed_by_id_to_both_sides_alone() -> None:
    book = Book(KernelEngine)
    shop = Shop.of(book, book.bob)
    claims = sorted(shop.claim(book.alice, 5, book.account(book.bob)) for _ in range(3))
    kernel = book.engine.kernel  # type: ignore[attr-defined]
    for party in (book.alice, book.bob):
        listed = [row.claim for row in book.engine.claims(party.principal)]
        assert listed == claims
        rows = kernel.claims(party.principal, claims[0], 1)
        assert ClaimRow.decode(rows).claim == claims[1]
    assert kernel.claim(claims[2]) == kernel.claims(book.bob.principal, claims[1], 9)
    assert kernel.claims(book.bank.principal, bytes(16), 9) == b""
    assert kernel.claims(b"nobody.........!", bytes(16), 9) == b""
    assert kernel.claim(b"no claim.......!") is None
