"""Amounts as people write them: `12.50 USD`, or whole smallest steps without a symbol.

A number without a symbol is in the unit's smallest step and has no fraction; a number with a symbol
is in the unit itself, with up to as many decimals as the unit has. So nobody's `100` is taken for
something a billion times smaller or larger. All arithmetic is on ints.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tallystick.errors import InvalidArgument
from tallystick_ledger.limits import MAX_AMOUNT

_AMOUNT: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?(?:\s*([A-Z][A-Z0-9._-]*))?")


@dataclass(frozen=True, slots=True)
class ParsedAmount:
    """An amount.

    Attributes:
        steps: In the unit's smallest step.
        symbol: The unit's symbol, empty for a bare number.
    """

    steps: int
    symbol: str = ""


def parse_amount(text: str, exponents: Mapping[str, int]) -> ParsedAmount:
    """Reads an amount.

    Args:
        text: Digits, maybe with a fraction, maybe with a symbol: `1500`, `12.50 USD`.
        exponents: Decimal places of each known unit, by symbol.

    Raises:
        InvalidArgument: It is none, its unit is not known, or it has more decimals than that.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise InvalidArgument(
            f"{text!r} is no amount.", advice="Write 12.50 USD, or whole smallest steps: 1250."
        )
    whole, fraction, symbol = match[1], match[2] or "", match[3] or ""
    if symbol:
        if symbol not in exponents:
            raise InvalidArgument(
                f"The unit {symbol} is not in the address book.",
                advice="Register it (tallystick unit new), add it (tallystick unit add), "
                "or write smallest steps without a symbol.",
            )
        exponent = exponents[symbol]
    else:
        exponent = 0
    if len(fraction.rstrip("0")) > exponent:
        raise InvalidArgument(
            f"{symbol} has {exponent} decimals, {text!r} has more."
            if symbol
            else f"{text!r} has a fraction but no unit.",
            advice="Amounts are never rounded." if symbol else "Write the unit: 12.50 USD.",
        )
    steps = int(whole + fraction[:exponent].ljust(exponent, "0"))
    if steps > MAX_AMOUNT:
        raise InvalidArgument(f"{text!r} does not fit into 128 bits.")
    return ParsedAmount(steps, symbol)


def format_amount(steps: int, symbol: str, exponent: int) -> str:
    """Writes an amount: at least two decimals where the unit has them, no needless ones beyond."""
    sign, digits = "-" if steps < 0 else "", str(abs(steps)).rjust(exponent + 1, "0")
    point = len(digits) - exponent
    whole = digits[:point]
    fraction = digits[point:].rstrip("0").ljust(min(2, exponent), "0")
    return f"{sign}{whole}{'.' + fraction if fraction else ''} {symbol}".rstrip()
