"""The price of a usage: one sum in integers, one rounding.

Each meter's count times its line's price is an integer number of *micro-nano* units (nano-units per
million). They are summed without loss, in 256 bits where the width is fixed, and divided by a
million once, half up. So a request split over forty meters is not rounded forty times, and the
order of summing cannot matter. The exact value before rounding is kept as a rational.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from tallystick.errors import InvalidArgument
from tallystick.prices.limits import MAX_UNIT_EXPONENT, PRICE_UNITS
from tallystick.prices.lines import PriceLine
from tallystick.prices.literals import power_of_ten
from tallystick.prices.meters import Group, Meter


@dataclass(frozen=True, slots=True)
class Part:
    """One meter's share of a charge.

    Attributes:
        meter: What was used.
        count: How much.
        line: The line that covers it.
        priced_by: The line that has the price: `line`, or where its SAME_AS leads.
    """

    meter: Meter
    count: int
    line: PriceLine
    priced_by: PriceLine

    @property
    def micro_nano(self) -> int:
        """Count times price: millionths of a nano-unit."""
        return self.count * self.priced_by.price

    def as_json(self) -> dict[str, str]:
        """For programs and receipts."""
        return {
            "meter": self.meter.label,
            "count": str(self.count),
            "nano_per_million": str(self.priced_by.price),
            "priced_by": self.priced_by.meter.label,
        }


@dataclass(frozen=True, slots=True)
class Charge:
    """What a usage costs, and why.

    Attributes:
        unit: Unit of account, such as USD.
        card: Digest of the card that was applied: which version of the prices this is.
        parts: One for each meter used, by the meter's number.
    """

    unit: str
    card: bytes
    parts: tuple[Part, ...]

    @property
    def micro_nano(self) -> int:
        """The exact sum, in millionths of a nano-unit."""
        return sum(part.micro_nano for part in self.parts)

    @property
    def exact(self) -> Fraction:
        """The price in nano-units before rounding."""
        return Fraction(self.micro_nano, PRICE_UNITS)

    @property
    def amount_nano(self) -> int:
        """The price in nano-units, rounded half up, once."""
        return self.amount(9)

    def amount(self, exponent: int) -> int:
        """The price in the smallest step of a unit of account, rounded half up, once.

        Args:
            exponent: The unit's decimal exponent: 9 for money, 0 for standard tokens.

        Raises:
            InvalidArgument: No unit has such an exponent.
        """
        if type(exponent) is not int or not 0 <= exponent <= MAX_UNIT_EXPONENT:
            raise InvalidArgument(f"{exponent!r} is no unit's exponent.", advice="Money has 9.")
        return round_half_up(self.micro_nano * power_of_ten(exponent), power_of_ten(15))

    def as_json(self) -> dict[str, object]:
        """For programs and receipts: integers as text, so that nothing makes floats of them."""
        return {
            "unit": self.unit,
            "card": self.card.hex(),
            "amount_nano": str(self.amount_nano),
            "exact_micro_nano": str(self.micro_nano),
            "parts": [part.as_json() for part in self.parts],
        }

    def exact_of(self, groups: Iterable[Group]) -> Fraction:
        """The share of some groups of meters, in nano-units before rounding."""
        wanted = frozenset(groups)
        total = sum(part.micro_nano for part in self.parts if part.meter.group in wanted)
        return Fraction(total, PRICE_UNITS)


def round_half_up(dividend: int, divisor: int) -> int:
    """The quotient's nearest integer, the greater of two; for what is not below zero."""
    return (2 * dividend + divisor) // (2 * divisor)
