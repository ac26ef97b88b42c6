"""C5, C6 and C16: tokens counted twice, prices that are missing, and money that is a float."""

import pytest
from tests.differential import raw
from tests.differential.book import Book

from tallystick import errors
from tallystick.draft import require_amount
from tallystick.prices import Card, Meter, PriceLine, Served, Unpriced, Usage, read_usage

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


def test_c06_a_missing_price_bills_nothing() -> None:
    # Naive: prices.get(meter, 0).
    prices = {"input": 3_000, "output": 15_000}
    usage = {"input": 10, "reasoning": 1_000_000}
    assert sum(prices.get(meter, 0) * count for meter, count in usage.items()) == 30_000
    # Here: no price is no amount, and no amount is no charge.
    with pytest.raises(Unpriced):
        CARD.price(Usage({Meter.INPUT: 10, Meter.REASONING: 1_000_000}), Served("m", 0))
    with pytest.raises(Unpriced):
        CARD.price(Usage({Meter.INPUT: 10}), Served("redirected", 0))


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
