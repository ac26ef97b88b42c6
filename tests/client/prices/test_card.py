"""Price lines, and the look-up in a card."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.prices import (
    ANY,
    Card,
    LineFlag,
    LineRefused,
    Meter,
    PriceLine,
    Served,
    Unpriced,
    Usage,
    Window,
)
from tallystick.prices.errors import LineReason, UnpricedReason

NOON_THURSDAY = 12 * 3600 * 10**9
INPUT = PriceLine("m", Meter.INPUT, 1_000)


def served(model: str = "m", at_ns: int = NOON_THURSDAY, **more: str) -> Served:
    return Served(model, at_ns, **more)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: PriceLine("", Meter.INPUT, 1), LineReason.NAME),
        (lambda: PriceLine("a\nb", Meter.INPUT, 1), LineReason.NAME),
        (lambda: PriceLine(" a", Meter.INPUT, 1), LineReason.NAME),
        (lambda: PriceLine("é" * 101, Meter.INPUT, 1), LineReason.NAME),
        (lambda: PriceLine("m", Meter.INPUT, -1), LineReason.PRICE_RANGE),
        (lambda: PriceLine("m", Meter.INPUT, 1 << 64), LineReason.PRICE_RANGE),
        (lambda: PriceLine("m", Meter.INPUT, True), LineReason.PRICE_RANGE),
        (lambda: PriceLine("m", Meter.INPUT, 1, above=-1), LineReason.THRESHOLD),
        (lambda: PriceLine("m", Meter.INPUT, 1, above=1 << 64), LineReason.THRESHOLD),
        (lambda: PriceLine("m", Meter.INPUT, 0), LineReason.ZERO_WITHOUT_FREE),
        (
            lambda: PriceLine("m", Meter.INPUT, 1, flags=LineFlag.ANY | LineFlag.FREE),
            LineReason.FREE_WITH_PRICE,
        ),
        (lambda: PriceLine("m", Meter.INPUT, 1, flags=LineFlag.NONE), LineReason.ANY_FLAG),
        (lambda: PriceLine("m", Meter.INPUT, 1, region="eu"), LineReason.ANY_FLAG),
        (
            lambda: PriceLine("m", Meter.INPUT, 1, same_as=Meter.OUTPUT),
            LineReason.SAME_AS_SHAPE,
        ),
        (lambda: same_as(Meter.INPUT, Meter.INPUT), LineReason.SAME_AS_SHAPE),
        (
            lambda: PriceLine("m", Meter.INPUT, 0, flags=LineFlag.ANY | LineFlag.SAME_AS),
            LineReason.SAME_AS_SHAPE,
        ),
        (lambda: Card("p", "USD", (INPUT, INPUT)), LineReason.OVERLAP),
        (lambda: Card("", "USD", (INPUT,)), LineReason.NAME),
        (lambda: Card(ANY, "USD", (INPUT,)), LineReason.NAME),
    ],
)
def test_no_line_and_no_card(make: Callable[[], object], reason: LineReason) -> None:
    with pytest.raises(LineRefused) as caught:
        make()
    assert caught.value.reason is reason


def same_as(meter: Meter, other: Meter) -> PriceLine:
    flags = LineFlag.ANY | LineFlag.SAME_AS
    return PriceLine("m", meter, 0, flags=flags, same_as=other)


def test_a_band_applies_above_its_threshold_to_the_whole_request() -> None:
    card = Card("p", "USD", (INPUT, PriceLine("m", Meter.INPUT, 2_000, above=200_000)))
    at = card.price(Usage({Meter.INPUT: 200_000}), served())
    above = card.price(Usage({Meter.INPUT: 200_001}), served())
    assert at.micro_nano == 200_000 * 1_000
    assert above.micro_nano == 200_001 * 2_000


def test_cached_tokens_count_for_the_band() -> None:
    lines = (
        INPUT,
        PriceLine("m", Meter.INPUT, 5_000, above=100),
        PriceLine("m", Meter.CACHE_READ, 10),
    )
    charge = Card("p", "USD", lines).price(Usage({Meter.INPUT: 1, Meter.CACHE_READ: 100}), served())
    assert charge.micro_nano == 5_000 + 1_000


def test_free_needs_its_flag_and_costs_nothing() -> None:
    free = PriceLine("m", Meter.INPUT, 0, flags=LineFlag.ANY | LineFlag.FREE)
    assert Card("p", "USD", (free,)).price(Usage({Meter.INPUT: 9}), served()).amount_nano == 0


def test_same_as_is_followed_once() -> None:
    card = Card("p", "USD", (INPUT, same_as(Meter.CACHE_READ, Meter.INPUT)))
    charge = card.price(Usage({Meter.CACHE_READ: 3}), served())
    assert charge.micro_nano == 3_000
    assert charge.parts[0].line.meter is Meter.CACHE_READ
    assert charge.parts[0].priced_by == INPUT
    lines = (*card.lines, same_as(Meter.CACHE_READ_AUDIO, Meter.CACHE_READ))
    with pytest.raises(Unpriced) as caught:
        Card("p", "USD", lines).price(Usage({Meter.CACHE_READ_AUDIO: 3}), served())
    assert caught.value.reason is UnpricedReason.SAME_AS


@pytest.mark.parametrize(
    ("usage", "where", "reason"),
    [
        ({Meter.OUTPUT: 1}, served(), UnpricedReason.NO_LINE),
        ({Meter.INPUT: 1}, served("other"), UnpricedReason.NO_LINE),
        ({Meter.INPUT: 1}, served(tier="batch"), UnpricedReason.NO_LINE),
        ({Meter.CACHE_READ: 1}, served(), UnpricedReason.NOT_NOW),
    ],
)
def test_a_missing_price_is_never_zero(
    usage: dict[Meter, int], where: Served, reason: UnpricedReason
) -> None:
    night = PriceLine("m", Meter.CACHE_READ, 1, window=Window(0, 60))
    with pytest.raises(Unpriced) as caught:
        Card("p", "USD", (INPUT, night)).price(Usage(usage), where)
    assert caught.value.reason is reason
    assert caught.value.provider == "p"


def test_one_missing_meter_refuses_the_whole_usage() -> None:
    with pytest.raises(Unpriced):
        Card("p", "USD", (INPUT,)).price(Usage({Meter.INPUT: 1, Meter.OUTPUT: 1}), served())


def test_more_specific_lines_win_model_before_tier_before_region() -> None:
    def line(price: int, model: str, tier: str, region: str) -> PriceLine:
        wild = LineFlag.ANY if ANY in {model, tier, region} else LineFlag.NONE
        return PriceLine(model, Meter.INPUT, price, tier, region, flags=wild)

    ranked = [
        line(1, "m", "standard", "eu"),
        line(2, "m", "standard", ANY),
        line(3, "m", ANY, "eu"),
        line(4, "m", ANY, ANY),
        line(5, ANY, "standard", "eu"),
        line(6, ANY, "standard", ANY),
        line(7, ANY, ANY, "eu"),
        line(8, ANY, ANY, ANY),
    ]
    for first in range(len(ranked)):
        card = Card("p", "USD", tuple(reversed(ranked[first:])))
        assert card.find(Meter.INPUT, served(region="eu"), 1).price == first + 1
    # Nothing is known of the region: no line for one applies.
    assert Card("p", "USD", tuple(ranked)).find(Meter.INPUT, served(), 1).price == 2


def test_windows_that_do_not_overlap_share_a_meter() -> None:
    day = PriceLine("m", Meter.INPUT, 9, window=Window(60, 1_440))
    night = PriceLine("m", Meter.INPUT, 1, window=Window(0, 60))
    card = Card("p", "USD", (day, night))
    assert card.find(Meter.INPUT, served(), 1) == day
    assert card.find(Meter.INPUT, served(at_ns=59 * 60 * 10**9), 1) == night
    with pytest.raises(LineRefused):
        Card("p", "USD", (*card.lines, PriceLine("m", Meter.INPUT, 1, window=Window(1_439, 1))))


@given(st.permutations([1, 2, 3, 4]))
def test_the_digest_names_the_version_whatever_the_order(order: list[int]) -> None:
    lines = tuple(PriceLine("m", Meter.INPUT, price, above=price) for price in (1, 2, 3, 4))
    shuffled = tuple(lines[index - 1] for index in order)
    assert Card("p", "USD", shuffled).digest == Card("p", "USD", lines).digest


def test_the_digest_covers_everything() -> None:
    cards = [
        Card("p", "USD", (INPUT,)),
        Card("q", "USD", (INPUT,)),
        Card("p", "EUR", (INPUT,)),
        Card("p", "USD", (INPUT,), effective_from_ns=1),
        Card("p", "USD", ()),
        Card("p", "USD", (PriceLine("m", Meter.INPUT, 1_001),)),
        Card("p", "USD", (PriceLine("m", Meter.INPUT, 1_000, above=1),)),
        Card("p", "USD", (PriceLine("m", Meter.INPUT, 1_000, window=Window(0, 1)),)),
        Card("p", "USD", (same_as(Meter.INPUT, Meter.OUTPUT),)),
    ]
    assert len({card.digest for card in cards}) == len(cards)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 20)), unique_by=lambda pair: pair[1]),
    st.integers(0, 25),
)
def test_the_highest_band_below_the_length_wins(bands: list[tuple[int, int]], length: int) -> None:
    card = Card("p", "USD", tuple(PriceLine("m", Meter.INPUT, p, above=a) for p, a in bands))
    fitting = [(above, price) for price, above in bands if above < length or not above]
    if fitting:
        assert card.find(Meter.INPUT, served(), length).price == max(fitting)[1]
    else:
        with pytest.raises(Unpriced):
            card.find(Meter.INPUT, served(), length)
