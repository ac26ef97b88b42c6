"""One sum, one rounding; usages as people write them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import InvalidArgument
from tallystick.prices import (
    Card,
    Group,
    Meter,
    PriceLine,
    Served,
    Usage,
    UsageRefused,
    parse_usage,
)
from tallystick.prices.errors import UsageReason
from tallystick.prices.pricing import round_half_up

U64 = (1 << 64) - 1
counts = st.dictionaries(st.sampled_from(Meter), st.integers(0, U64), max_size=8)


def card(prices: dict[Meter, int]) -> Card:
    return Card("p", "USD", tuple(PriceLine("m", meter, price) for meter, price in prices.items()))


@given(counts, st.data())
def test_a_charge_is_the_exact_sum_rounded_once(
    used: dict[Meter, int], data: st.DataObject
) -> None:
    prices = {meter: data.draw(st.integers(1, U64)) for meter in used}
    charge = card(prices).price(Usage(used), Served("m", 0))
    exact = sum((Fraction(n * prices[meter], 10**6) for meter, n in used.items()), Fraction())
    assert charge.exact == exact
    assert charge.exact_of(Group) == exact
    assert Fraction(-1, 2) < charge.amount_nano - exact <= Fraction(1, 2)
    assert charge.amount_nano < 1 << 128
    for exponent in (0, 6, 18):
        scaled = exact * Fraction(10) ** (exponent - 9)
        assert Fraction(-1, 2) < charge.amount(exponent) - scaled <= Fraction(1, 2)


def test_forty_meters_are_not_rounded_forty_times() -> None:
    prices = dict.fromkeys(Meter, 500_000)  # half a nano-unit each
    charge = card(prices).price(Usage(dict.fromkeys(Meter, 1)), Served("m", 0))
    each_rounded_up = sum(round_half_up(part.micro_nano, 10**6) for part in charge.parts)
    assert charge.amount_nano == (len(Meter) + 1) // 2
    assert each_rounded_up == len(Meter)


@pytest.mark.parametrize(("micro", "nano"), [(499_999, 0), (500_000, 1), (1_499_999, 1)])
def test_half_goes_up(micro: int, nano: int) -> None:
    charge = card({Meter.INPUT: micro}).price(Usage({Meter.INPUT: 1}), Served("m", 0))
    assert charge.amount_nano == nano


def test_prices_in_tokens_are_rounded_to_tokens() -> None:
    # Two and a half standard tokens for a search, at exponent 0.
    prices = {Meter.WEB_SEARCH: 2_500_000 * 10**9}
    charge = card(prices).price(Usage({Meter.WEB_SEARCH: 1}), Served("m", 0))
    assert charge.amount(0) == 3
    assert charge.amount(1) == 25


@pytest.mark.parametrize("exponent", [-1, 19, True])
def test_no_exponent(exponent: int) -> None:
    charge = card({Meter.INPUT: 1}).price(Usage({Meter.INPUT: 1}), Served("m", 0))
    with pytest.raises(InvalidArgument):
        charge.amount(exponent)


def test_a_charge_explains_itself() -> None:
    made = card({Meter.INPUT: 2_500_000_000})
    charge = made.price(Usage({Meter.INPUT: 1_200}), Served("m", 0))
    assert charge.as_json() == {
        "unit": "USD",
        "card": made.digest.hex(),
        "amount_nano": "3000000",
        "exact_micro_nano": "3000000000000",
        "parts": [
            {
                "meter": "input",
                "count": "1200",
                "nano_per_million": "2500000000",
                "priced_by": "input",
            }
        ],
    }


@given(counts)
def test_a_usage_reads_what_it_writes(used: dict[Meter, int]) -> None:
    usage = Usage(used)
    assert usage[Meter.INPUT] == used.get(Meter.INPUT, 0)
    if usage:
        assert parse_usage(str(usage)) == usage
        assert hash(parse_usage(str(usage))) == hash(usage)


@given(counts, counts)
def test_usages_add_or_say_that_they_cannot(one: dict[Meter, int], two: dict[Meter, int]) -> None:
    sums = {meter: one.get(meter, 0) + two.get(meter, 0) for meter in one.keys() | two.keys()}
    if max(sums.values(), default=0) > U64:
        with pytest.raises(UsageRefused):
            Usage(one) + Usage(two)
    else:
        assert Usage(one) + Usage(two) == Usage(sums)


@pytest.mark.parametrize("count", [-1, 1 << 64, True, 1.0, "1", None])
def test_no_count(count: int) -> None:
    with pytest.raises(UsageRefused) as caught:
        Usage({Meter.INPUT: count})
    assert caught.value.reason is UsageReason.NOT_A_COUNT


@pytest.mark.parametrize(
    "text",
    ["", "input", "input=", "input=-1", "input=1.5", "in=1", "input=1,input=1", "input=٣",
     f"input={1 << 64}", "input=" + "9" * 5_000],
)  # fmt: skip
def test_what_people_mistype(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_usage(text)


def test_the_input_length_counts_what_goes_in() -> None:
    used = parse_usage("input=1,cache_read=20,cache_write_1h=300,output=4000,request=1")
    assert used.input_length == 321
