"""Amounts stay between 0 and 2**128 - 1, or the program stops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_ledger.ids import Amount
from tallystick_ledger.limits import MAX_AMOUNT
from tallystick_ledger.spec import amounts

AMOUNTS = st.integers(0, MAX_AMOUNT).map(Amount)


@given(AMOUNTS, AMOUNTS)
def test_add_is_exact_or_raises(first: Amount, second: Amount) -> None:
    if amounts.fits(first + second):
        assert amounts.add(first, second) == first + second
    else:
        with pytest.raises(amounts.AmountRangeError):
            amounts.add(first, second)


@given(AMOUNTS, AMOUNTS)
def test_subtract_is_exact_or_raises(first: Amount, second: Amount) -> None:
    if second <= first:
        assert amounts.subtract(first, second) == first - second
    else:
        with pytest.raises(amounts.AmountRangeError):
            amounts.subtract(first, second)


@pytest.mark.parametrize(
    ("value", "fits"), [(-1, False), (0, True), (MAX_AMOUNT, True), (MAX_AMOUNT + 1, False)]
)
def test_bounds(value: int, fits: bool) -> None:
    assert amounts.fits(value) is fits
