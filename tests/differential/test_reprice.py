"""REPRICE, one test a promise, on both engines."""

import pytest
from tests.differential import raw, raw_quotes
from tests.differential.book import SECOND_NS, START_AMOUNT, Book
from tests.differential.cases_prices import MINUTE_NS, Names, published_card
from tests.differential.debts import Shop

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID
from tallystick_ledger.results import Cause
from tallystick_ledger.state_rows import Table


@pytest.fixture
def shop(book: Book) -> Shop:
    return Shop.of(book, book.bob)


def used(names: Names, quantity: int) -> bytes:
    return raw.usage([(names.meter, quantity)])


def metered(shop: Shop, amount: int, payer: bytes = b"", payee: bytes = b"") -> int:
    """A METER of Alice's for Bob at 1 each, by its sequence number."""
    book, names = shop.book, shop.names
    accounts = (payer or book.alice.account, payee or book.bob.account)
    content = raw.metered(shop.card, names.model, used(names, amount))
    return book.ok(book.alice.key, raw.meter(*accounts, amount, content)).first_sequence


def again(shop: Shop, cited: int, amount: int, quantity: int, card: bytes = b"") -> bytes:
    content = raw.repriced(card or shop.card, shop.names.model, used(shop.names, quantity))
    return raw.reprice(cited, amount, content)


def test_a_card_to_come_and_one_that_is_over_will_do(book: Book, shop: Shop) -> None:
    cited = metered(shop, 90)
    newer = published_card(book, book.bob, shop.names, supersedes=shop.card)
    assert book.codes(book.bob.key, again(shop, cited, 60, 60, newer)) == [Code.OK]
    book.now_ns += 3 * MINUTE_NS
    assert book.codes(book.bob.key, again(shop, cited, 50, 50)) == [Code.OK]
    assert book.available(book.bob) == START_AMOUNT + 50


def test_windows_are_those_of_the_time_when_it_was_booked(book: Book, shop: Shop) -> None:
    envelope_id = book.new_id()
    card = book.derived(book.bob.principal, envelope_id, 0)
    minute = book.now_ns // MINUTE_NS % 1_440
    now, else_ = (minute, (minute + 30) % 1_440), ((minute + 30) % 1_440, minute)
    lines = [
        raw.price(card, shop.names.model, shop.names.meter, price, window=(*window, 0x7F))
        for price, window in ((2_000_000, now), (500_000, else_))
    ]
    head = raw.card(book.usd, book.now_ns + 2 * MINUTE_NS, 2, raw.lines_root(lines))
    book.ok(book.bob.key, head, *lines, raw.card_publish(card), envelope_id=envelope_id)
    cited = metered(shop, 90)
    book.now_ns += 60 * MINUTE_NS
    late = [again(shop, cited, 20, 40, card), again(shop, cited, 80, 40, card)]
    assert book.codes(book.bob.key, *late) == [Code.PRICE_MISMATCH, Code.OK]


def test_a_slice_of_a_hold_is_priced_by_itself(book: Book, shop: Shop) -> None:
    hold = shop.reserve(book.alice, 100, 0)
    slices = [book.ok(book.bob.key, shop.used(hold, amount)).first_sequence for amount in (60, 90)]
    replay = book.ok(book.bob.key, shop.used(hold, 90)).first_sequence
    for cited, code in (
        (slices[1], Code.PRICE_NOT_LOWER),
        (replay, Code.CITED_NOT_FOUND),
        (slices[0], Code.OK),
    ):
        assert book.codes(book.bob.key, again(shop, cited, 40, 40)) == [code]
    assert book.available(book.bob) == START_AMOUNT + 70


def test_what_became_a_claim_is_no_part_of_it(book: Book, shop: Shop) -> None:
    book.ok(book.alice.key, raw.transfer(book.alice.account, book.customer().account, 900))
    hold = shop.reserve(book.alice, 60, 90)
    cited = book.ok(book.bob.key, shop.used(hold, 130, flags=raw.FINAL)).first_sequence
    # 60 were on hold, 40 there, 30 are owed.
    assert book.codes(book.bob.key, again(shop, cited, 100, 100)) == [Code.PRICE_NOT_LOWER]
    (effect,) = book.ok(book.bob.key, again(shop, cited, 99, 99)).effects
    assert effect.amount == 1
    assert book.codes(book.alice.key, raw.pay_claim(hold, 1, book.alice.account)) == [Code.OK]


def test_what_a_quote_priced_is_priced_by_a_card(book: Book, shop: Shop) -> None:
    key, names = book.price_key(book.bob), shop.names
    lines = [raw_quotes.quote_line(names.model, names.meter, 3_000_000)]
    until_ns = book.now_ns + 100 * SECOND_NS
    body = raw_quotes.quote_body(
        key.public_key, book.alice.principal, book.usd, 90, until_ns, lines
    )
    content = raw.metered(raw_quotes.quote_id(body), names.model, used(names, 30))
    flat = raw.meter(book.alice.account, book.bob.account, 90, content)
    record = raw_quotes.meter_quoted(flat, content, book.quote(key, body))
    cited = book.ok(book.alice.key, record).first_sequence
    (effect,) = book.ok(book.bob.key, again(shop, cited, 30, 30)).effects
    assert (effect.amount, effect.card) == (60, shop.card)


def test_what_costs_nothing_goes_back_whole(book: Book, shop: Shop) -> None:
    cited = metered(shop, 90)
    nothing = raw.repriced(shop.card, shop.names.model, raw.usage([]))
    assert book.codes(book.bob.key, raw.reprice(cited, 0, nothing)) == [Code.OK]
    assert book.codes(book.bob.key, raw.refund(cited, 1)) == [Code.CORRECTION_EXCEEDS]
    assert book.available(book.alice) == START_AMOUNT


def test_an_obligation_that_is_priced_again_is_owed_back(book: Book) -> None:
    unit = book.deferred_unit()
    debtor, creditor = (book.member(person, unit, 100) for person in (book.alice, book.bob))
    shop = Shop.of(book, book.bob)
    card = published_card(book, book.bob, shop.names, unit=unit)
    book.now_ns += 3 * MINUTE_NS
    content = raw.metered(card, shop.names.model, used(shop.names, 9))
    record = raw.meter(debtor.account, creditor.account, 9, content)
    cited = book.ok(book.alice.key, record).first_sequence
    book.ok(book.bob.key, again(shop, cited, 4, 4, card))
    pairs = book.engine.rows(Table.PAIR)
    assert len(pairs) == 2
    assert book.codes(book.bob.key, again(shop, cited, 4, 4)) == [Code.UNIT_MISMATCH]


def test_what_grants_paid_goes_back_to_them(book: Book, shop: Shop) -> None:
    sponsor = book.customer()
    grant = book.grant(sponsor, book.alice, 300, ratio=250_000)
    cited = metered(shop, 80)
    receipt = book.ok(book.bob.key, again(shop, cited, 60, 60))
    given = [(effect.amount, effect.card, effect.grant) for effect in receipt.effects]
    assert given == [(15, shop.card, NO_ID), (5, shop.card, grant)]
    assert {effect.cause for effect in receipt.effects} == {Cause.REPRICE}
    assert book.available(book.alice) == START_AMOUNT - 45
