"""A price line: what one meter costs, for whom, when, and from which input length on.

A line belongs to a card, which has one provider and one unit of account (USD, say, or a token). It
applies when all of these hold:

| field | applies when |
|---|---|
| model, tier, region | equal to what was *served*; `ANY` with the flag ANY applies to all |
| meter | that meter was used |
| above | the request's input length is greater than it (`>`): the whole request gets this price |
| window | the instant lies inside |

The price is an integer of nano-units per million of the meter. Zero is a price only with FREE, so
that a hole in a price list is never a gift. A SAME_AS line has no price of its own but that of
another meter under the same circumstances.
"""

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from tallystick.prices.errors import LineReason, LineRefused
from tallystick.prices.limits import MAX_NAME_BYTES, MAX_U64
from tallystick.prices.meters import Meter
from tallystick.prices.windows import ALWAYS, Window

# Stands for every model, tier or region; no name may look like it.
ANY: Final = "*"
# What a request gets that asks for no particular service tier.
STANDARD: Final = "standard"


class LineFlag(IntFlag):
    """What a line says beyond its price."""

    NONE = 0
    FREE = 1
    SAME_AS = 2
    ANY = 4


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of a card; immutable and checked.

    Attributes:
        model: The model's name, or ANY.
        meter: What is counted.
        price: Nano-units per million of the meter, u64; 0 with FREE and SAME_AS only.
        tier: Service tier, or ANY.
        region: Region, or ANY.
        above: Applies to requests whose input length is greater; 0 also to those of length 0.
        window: When.
        flags: FREE, SAME_AS, ANY.
        same_as: The meter whose price applies, with SAME_AS.

    Raises:
        LineRefused: It is no line; see `LineReason`.
    """

    model: str
    meter: Meter
    price: int
    tier: str = STANDARD
    region: str = ANY
    above: int = 0
    window: Window = ALWAYS
    flags: LineFlag = LineFlag.ANY
    same_as: Meter | None = None

    def __post_init__(self) -> None:
        """Checks what the class promises."""
        for name in (self.model, self.tier, self.region):
            if name != ANY and not is_name(name):
                raise LineRefused(LineReason.NAME, repr(name))
        if type(self.price) is not int or not 0 <= self.price <= MAX_U64:
            raise LineRefused(LineReason.PRICE_RANGE, self._title())
        if type(self.above) is not int or not 0 <= self.above <= MAX_U64:
            raise LineRefused(LineReason.THRESHOLD, self._title())
        if (ANY in (self.model, self.tier, self.region)) != bool(self.flags & LineFlag.ANY):
            raise LineRefused(LineReason.ANY_FLAG, self._title())
        self._check_price()

    def _check_price(self) -> None:
        free = bool(self.flags & LineFlag.FREE)
        if self.flags & LineFlag.SAME_AS:
            if self.same_as in (None, self.meter) or self.price or free:
                raise LineRefused(LineReason.SAME_AS_SHAPE, self._title())
        elif self.same_as is not None:
            raise LineRefused(LineReason.SAME_AS_SHAPE, self._title())
        elif free and self.price:
            raise LineRefused(LineReason.FREE_WITH_PRICE, self._title())
        elif not free and not self.price:
            raise LineRefused(LineReason.ZERO_WITHOUT_FREE, self._title())

    def _title(self) -> str:
        return f"{self.model} {self.meter.label} {self.tier} {self.region} >{self.above}"

    @property
    def key(self) -> tuple[str, Meter, str, str]:
        """What a lookup names exactly."""
        return self.model, self.meter, self.tier, self.region

    def canonical(self) -> bytes:
        """Its bytes for a digest: NUL-separated, NUL being in no name."""
        window = self.window
        fields = (
            self.model,
            self.meter.value,
            self.price,
            self.tier,
            self.region,
            self.above,
            window.start_minute,
            window.end_minute,
            window.weekdays,
            self.flags.value,
            0 if self.same_as is None else self.same_as.value,
        )
        return "\0".join(str(field) for field in fields).encode() + b"\n"


def is_name(text: str) -> bool:
    """Whether a text can name a model, tier, region or provider; ANY cannot."""
    return (
        text != ANY
        and 0 < len(text.encode("utf-8", "surrogatepass")) <= MAX_NAME_BYTES
        and text.isprintable()
        and text == text.strip()
    )
