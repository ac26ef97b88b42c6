"""A usage: how much of each meter was used. Integers, disjoint, order without meaning.

`Usage({Meter.INPUT: 1200, Meter.OUTPUT: 80})`, or as people write it, `input=1200,output=80`.
A count of zero is the same as none. Usages add; they are never subtracted.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, final

from tallystick.errors import InvalidArgument
from tallystick.prices.errors import UsageReason, UsageRefused
from tallystick.prices.limits import MAX_U64
from tallystick.prices.meters import BY_LABEL, Group, Meter

_COUNT: Final = re.compile(r"[0-9]{1,20}")


@final
class Usage:
    """Counts by meter; immutable.

    Raises:
        UsageRefused: A count is no `int` of 0 to 2^64 - 1 (NOT_A_COUNT).
    """

    __slots__ = ("_counts",)

    def __init__(self, counts: Mapping[Meter, int]) -> None:
        for meter, count in counts.items():
            if type(count) is not int or not 0 <= count <= MAX_U64:
                raise UsageRefused(UsageReason.NOT_A_COUNT, f"{meter.label}={count!r}")
        self._counts: Final = {meter: counts[meter] for meter in sorted(counts) if counts[meter]}

    def __getitem__(self, meter: Meter) -> int:
        return self._counts.get(meter, 0)

    def __iter__(self) -> Iterator[tuple[Meter, int]]:
        """Pairs of meter and count, by the meter's number, without zeros."""
        return iter(self._counts.items())

    def __add__(self, other: "Usage") -> "Usage":
        meters = self._counts.keys() | other._counts.keys()
        return Usage({meter: self[meter] + other[meter] for meter in meters})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Usage) and self._counts == other._counts

    def __hash__(self) -> int:
        return hash(tuple(self._counts.items()))

    def __bool__(self) -> bool:
        return bool(self._counts)

    def __repr__(self) -> str:
        return f"Usage({self})"

    def __str__(self) -> str:
        """As `parse_usage` reads it."""
        return ",".join(f"{meter.label}={count}" for meter, count in self)

    @property
    def input_length(self) -> int:
        """Tokens that went in, cached or not: what price bands look at."""
        return sum(count for meter, count in self if meter.group is Group.INPUT_TOKENS)


def parse_usage(text: str) -> Usage:
    """Reads `input=1200,cache_read=8000,output=80`.

    Raises:
        InvalidArgument: A meter is unknown or named twice, or a count is no integer of 64 bits.
    """
    counts: dict[Meter, int] = {}
    for part in text.split(","):
        label, _, digits = part.strip().partition("=")
        if label not in BY_LABEL:
            raise InvalidArgument(
                f"{label!r} is no meter.", advice="`tallystick.prices.meters` lists them."
            )
        if _COUNT.fullmatch(digits) is None or int(digits) > MAX_U64:
            raise InvalidArgument(f"{part!r} has no count.", advice="Write input=1200,output=80.")
        if BY_LABEL[label] in counts:
            raise InvalidArgument(f"{label} is given twice.")
        counts[BY_LABEL[label]] = int(digits)
    return Usage(counts)
