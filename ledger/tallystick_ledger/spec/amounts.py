"""Amounts: whole numbers from 0 to 2**128 - 1 that cannot leave that range unnoticed.

A column of an account only changes through `add` and `subtract`. The rules test first whether the
result fits and answer with a code; these two raise, so that a forgotten test stops the program
instead of creating or destroying money.
"""

from tallystick_ledger.errors import LedgerError
from tallystick_ledger.ids import Amount
from tallystick_ledger.limits import MAX_AMOUNT


class AmountRangeError(LedgerError):
    """A sum or difference left 0 to 2**128 - 1: some rule forgot a check."""


def fits(value: int) -> bool:
    """Whether a whole number is an amount."""
    return 0 <= value <= MAX_AMOUNT


def add(first: Amount, second: Amount) -> Amount:
    """Returns the sum.

    Raises:
        AmountRangeError: It is above 2**128 - 1.
    """
    return _checked(first + second)


def subtract(first: Amount, second: Amount) -> Amount:
    """Returns `first - second`.

    Raises:
        AmountRangeError: It is below 0.
    """
    return _checked(first - second)


def _checked(value: int) -> Amount:
    if not fits(value):
        raise AmountRangeError(f"{value} is not between 0 and 2**128 - 1")
    return Amount(value)
