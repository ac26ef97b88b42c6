"""Numbers as a price book writes them, without ever making a float of one.

`1.5e-08` USD per token is exactly 15,000,000 nano-USD per million tokens; as a float it is
15,000,000.000000002 or 14,999,999.999999998, depending on who multiplies first. So a JSON number
is kept as the text that stood in the file, taken apart into an integer and a power of ten, and
scaled by moving the point. What does not come out whole is not rounded here: it is inexact, and
the importer decides, by a rule with a name, what becomes of it.

`repair` is that rule. Prices with 16 or 17 significant digits are not prices that anybody set.
Either they are *noise*, a short decimal that went through a float and came back longer
(`5.0000000000000004e-08`): then rounding to 15 significant digits gives the short one back,
because a double keeps 15. Or they are *quotients*, a price in another currency divided by a rate
(`1.142857142857143e-07`): then the nearest nano-unit per million is taken.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, NoReturn

from tallystick.prices.errors import BookUnreadable
from tallystick.prices.limits import MAX_EXPONENT, MAX_LITERAL_CHARACTERS

_NUMBER: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
# What a double surely keeps of a decimal (DBL_DIG).
_DOUBLE_DIGITS: Final = 15

Json = str | int | bool | None | list["Json"] | Mapping[str, "Json"]


class Literal(str):
    """A JSON number with a fraction or an exponent, as the text that stood in the file."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Exact:
    """A decimal number: `digits` times ten to the `exponent`.

    Attributes:
        digits: All significant digits, with the sign, without trailing zeros.
        exponent: Power of ten.
    """

    digits: int
    exponent: int

    def scaled(self, power: int) -> int | None:
        """The number times ten to the `power`, if that is whole."""
        shift = self.exponent + power
        if shift >= 0:
            return self.digits * power_of_ten(shift)
        whole, rest = divmod(self.digits, power_of_ten(-shift))
        return None if rest else whole

    def scaled_half_up(self, power: int) -> int:
        """The same, rounded half up."""
        shift = self.exponent + power
        if shift >= 0:
            return self.digits * power_of_ten(shift)
        divisor = power_of_ten(-shift)
        return (2 * self.digits + divisor) // (2 * divisor)

    def to_digits(self, count: int) -> "Exact":
        """Rounded half up to so many significant digits; not for negative numbers."""
        surplus = len(str(self.digits)) - count
        if surplus <= 0:
            return self
        divisor = power_of_ten(surplus)
        return _normal((2 * self.digits + divisor) // (2 * divisor), self.exponent + surplus)


class Repair(Enum):
    """What was wrong with an inexact price."""

    NOISE = "a short decimal that went through a float"
    QUOTIENT = "a quotient of currencies, rounded to the nearest nano-unit per million"


def parse_number(value: Json) -> Exact | None:
    """Reads a JSON number; None if it is none, or absurdly long."""
    if isinstance(value, bool) or not isinstance(value, int | Literal):
        return None
    text = str(value)
    match = _NUMBER.fullmatch(text) if len(text) <= MAX_LITERAL_CHARACTERS else None
    if match is None:
        return None
    sign, whole, fraction, exponent = match[1], match[2], match[3] or "", int(match[4] or "0")
    if abs(exponent) > MAX_EXPONENT:
        return None
    digits = int(whole + fraction)
    return _normal(-digits if sign else digits, exponent - len(fraction))


def repair(number: Exact, power: int) -> tuple[int, Repair]:
    """The whole number nearest to what was meant, for one that `scaled(power)` finds inexact."""
    short = number.to_digits(_DOUBLE_DIGITS).scaled(power)
    if short is not None:
        return short, Repair.NOISE
    return number.scaled_half_up(power), Repair.QUOTIENT


def parse_json(data: bytes) -> Json:
    """Reads JSON with every number that is no plain integer kept as its text.

    Raises:
        BookUnreadable: It is no JSON, or holds NaN or Infinity, or a key twice.
    """
    try:
        parsed: Json = json.loads(
            data,
            parse_float=Literal,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError) as error:
        raise BookUnreadable(f"This is no JSON that a price book can be: {error}.") from error
    return parsed


def power_of_ten(exponent: int) -> int:
    """Ten to a power that is not negative, as the integer that it is."""
    return int("1" + "0" * exponent)


def _normal(digits: int, exponent: int) -> Exact:
    if not digits:
        return Exact(0, 0)
    while digits % 10 == 0:
        digits //= 10
        exponent += 1
    return Exact(digits, exponent)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has a key twice")
    return made
