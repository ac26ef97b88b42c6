"""C5, C6, C16, C17: tokens counted twice, missing and changing prices, money that is a float."""

import pytest
from tests.differential import raw, raw_quotes
from tests.differential.book import SECOND_NS, Book
from tests.differential.cases_prices import MINUTE_NS, names_of, published_card

from tallystick import errors
from tallystick.draft import require_amount
from tallystick.prices import Card, Meter, PriceLine, Served, Unpriced, Usage, read_usage
from tallystick_ledger.codes import Code

CARD = Card(
    "p",
    "USD",
    tuple(
        PriceLine("m", meter, price)  # nano-USD for a million tokens
        for meter, price in (
            (Meter.INPUT, 3_000_000_000),
            (Meter.CACHE_READ, 300_000_000),
            (Meter.OUTPUT, 15_000_000_000),
        )
    ),
)


def test_c05_cached_tokens_are_counted_twice_or_not_at_all() -> None:
    # The same request, as two APIs tell it: 1,000 tokens in, 900 of them from the cache.
    openai = {"prompt_tokens": 1_000, "completion_tokens": 10, "total_tokens": 1_010}
    openai_body = {
        "model": "m",
        "usage": openai | {"prompt_tokens_details": {"cached_tokens": 900}},
    }
    anthropic_body = {
        "model": "m",
        "usage": {"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": 10},
    }

    # Naive: one formula for both. Whichever way it is written, one of them is wrong.
    def naive(input_tokens: int, cached: int, *, subtracts: bool) -> int:
        return 3_000 * (input_tokens - cached if subtracts else input_tokens) + 300 * cached

    right = 100 * 3_000 + 900 * 300
    assert naive(1_000, 900, subtracts=True) == naive(100, 900, subtracts=False) == right
    assert naive(1_000, 900, subtracts=False) > 5 * right
    assert naive(100, 900, subtracts=True) < 0

    # Here: an adapter for each API, to meters of which each counts what no other counts.
    usages = [read_usage(body).usage for body in (openai_body, anthropic_body)]
    assert usages[0] == usages[1]
    charge = CARD.price(usages[0], Served("m", 0))
    assert charge.amount_nano == right + 10 * 15_000


def priced_hold(book: Book, card: bytes, model: bytes) -> bytes:
    """RESERVE by Alice for Bob, at the prices of his card."""
    until_ns = book.now_ns + 600 * SECOND_NS
    flat = raw.reserve(book.alice.account, book.bob.account, 100, until_ns)
    return raw.priced(flat, raw.terms(card, model))


def test_c06_a_missing_price_bills_nothing(book: Book) -> None:
    # Naive: prices.get(meter, 0).
    prices = {"input": 3_000, "output": 15_000}
    usage = {"input": 10, "reasoning": 1_000_000}
    assert sum(prices.get(meter, 0) * count for meter, count in usage.items()) == 30_000
    # Here: no price is no amount, and no amount is no charge.
    with pytest.raises(Unpriced):
        CARD.price(Usage({Meter.INPUT: 10, Meter.REASONING: 1_000_000}), Served("m", 0))
    with pytest.raises(Unpriced):
        CARD.price(Usage({Meter.INPUT: 10}), Served("redirected", 0))
    # Nor is there one for the ledger, whatever amount the payee names.
    names = names_of(book)
    card = published_card(book, book.bob, names)
    book.now_ns += 3 * MINUTE_NS
    hold = book.ok(book.alice.key, priced_hold(book, card, names.model)).ids[0]
    for lines in ([(names.other, 10)], sorted([(names.meter, 1), (names.other, 10)])):
        for amount in (1, 10):
            capture = raw.used(raw.capture(hold, amount), raw.usage(lines))
            assert book.codes(book.bob.key, capture) == [Code.UNPRICED]
    assert book.codes(book.alice.key, priced_hold(book, card, names.other)) != [Code.OK]


def test_c16_money_is_a_float(book: Book) -> None:
    # Naive: ten tenths are not one, and of large sums the last digit is lost.
    huge = 9_007_199_254_740_993  # 2**53 + 1
    assert sum([0.1] * 10) != 1.0
    assert int(float(huge)) != huge
    # Here: ints of 128 bits from the record to the row; the SDK takes nothing else.
    book.issue(book.alice.account, huge)
    book.ok(book.alice.key, raw.transfer(book.alice.account, book.bob.account, huge))
    assert book.available(book.bob) == 1_000 + huge
    for wrong in (0.1, 1.0, True):
        with pytest.raises(TypeError):
            require_amount(wrong)  # type: ignore[arg-type]
    assert issubclass(errors.InvalidArgument, ValueError)
    # A charge is summed exactly and rounded once: forty halves are twenty, not forty.
    halves = Card("p", "USD", tuple(PriceLine("m", meter, 500_000) for meter in Meter))
    charge = halves.price(Usage(dict.fromkeys(Meter, 1)), Served("m", 0))
    assert charge.amount_nano == (len(Meter) + 1) // 2


def test_c17_prices_are_wrong_or_stale_and_models_redirected(book: Book) -> None:
    # Naive: one table of prices, read when the bill is made. What was agreed is nowhere.
    prices = {"m": 1}
    agreed = 10 * prices["m"]
    prices["m"] = 5  # meanwhile
    assert 10 * prices["m"] == 5 * agreed
    # Here: a card never changes, and a hold names its card and its model.
    names = names_of(book)
    first = published_card(book, book.bob, names)  # 1 a token
    book.now_ns += 3 * MINUTE_NS
    hold = book.ok(book.alice.key, priced_hold(book, first, names.model)).ids[0]
    envelope_id = book.new_id()
    second = book.derived(book.bob.principal, envelope_id, 0)
    line = raw.price(second, names.model, names.meter, 5_000_000)
    effective_ns = book.now_ns + 2 * MINUTE_NS
    draft = raw.card(book.usd, effective_ns, 1, raw.lines_root([line]), (), first)
    book.ok(book.bob.key, draft, envelope_id=envelope_id)
    book.ok(book.bob.key, line, raw.card_publish(second))
    book.now_ns += 3 * MINUTE_NS
    ten = raw.usage([(names.meter, 10)])
    at_new_price = raw.used(raw.capture(hold, 50), ten)
    assert book.codes(book.bob.key, at_new_price) == [Code.PRICE_MISMATCH]
    receipt = book.ok(book.bob.key, raw.used(raw.capture(hold, 10), ten))
    assert [effect.card for effect in receipt.effects] == [first]
    # Who agrees from now on, agrees to the new card.
    refused = book.codes(book.alice.key, priced_hold(book, first, names.model))
    assert refused == [Code.CARD_NOT_EFFECTIVE]
    book.ok(book.alice.key, priced_hold(book, second, names.model))
    # Who wants a price for longer has it signed: the card is dearer by now, the quote is not.
    key = book.price_key(book.bob)
    until_ns = book.now_ns + 60 * SECOND_NS
    quoted = [raw_quotes.quote_line(names.model, names.meter, 1_000_000)]
    alice = book.alice.principal
    body = raw_quotes.quote_body(key.public_key, alice, book.usd, 10, until_ns, quoted)
    content = raw.metered(raw_quotes.quote_id(body), names.model, ten)
    accounts = (book.alice.account, book.bob.account)
    for amount, code in ((50, Code.PRICE_MISMATCH), (10, Code.OK)):
        record = raw.meter(*accounts, amount, content)
        sent = raw_quotes.meter_quoted(record, content, book.quote(key, body))
        assert book.codes(book.alice.key, sent) == [code]
