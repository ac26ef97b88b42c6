"""A card: one provider's prices in one unit, whole, immutable, without overlaps.

Looking up a price is exact: the served model, tier and region, then the lines that say ANY, in a
fixed order that prefers what is more specific, model before tier before region. Whatever is not
found is UNPRICED. Among lines with the same names, those count whose window covers the instant and
whose threshold lies below the input length; the highest threshold wins. Overlaps are refused when
the card is made, so that there is never a second candidate.

A card that changes is another card: `digest` names the version, and a charge cites it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tallystick.prices.errors import LineReason, LineRefused, Unpriced, UnpricedReason
from tallystick.prices.lines import ANY, STANDARD, PriceLine, is_name
from tallystick.prices.meters import Meter
from tallystick.prices.pricing import Charge, Part
from tallystick.prices.usage import Usage
from tallystick.prices.windows import ALWAYS, minute_of_week

_DIGEST_PREFIX: Final = b"tallystick/price-card/v1\0"

_Key = tuple[str, Meter, str, str]


@dataclass(frozen=True, slots=True)
class Served:
    """What was served: the facts of the answer, not of the question.

    Attributes:
        model: The model that answered.
        at_ns: When, ns since the epoch.
        tier: The service tier given.
        region: Where; empty when it is not known: then only lines for ANY region apply.
    """

    model: str
    at_ns: int
    tier: str = STANDARD
    region: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A version of a provider's prices.

    Attributes:
        provider: Whose prices.
        unit: In which unit of account.
        lines: All of them.
        effective_from_ns: From when, ns since the epoch.

    Raises:
        LineRefused: Two lines overlap (OVERLAP), or a name is none (NAME).
    """

    provider: str
    unit: str
    lines: tuple[PriceLine, ...]
    effective_from_ns: int = 0
    _index: dict[_Key, tuple[PriceLine, ...]] = field(init=False, repr=False, compare=False)
    _models: frozenset[str] = field(init=False, repr=False, compare=False)
    _digest: list[bytes] = field(init=False, repr=False, compare=False, default_factory=list)

    def __post_init__(self) -> None:
        """Indexes the lines and looks for overlaps."""
        for name in (self.provider, self.unit):
            if not is_name(name):
                raise LineRefused(LineReason.NAME, repr(name))
        object.__setattr__(self, "_index", _index(self.lines))
        object.__setattr__(self, "_models", frozenset(each.model for each in self.lines) - {ANY})

    @property
    def digest(self) -> bytes:
        """SHA-256 over provider, unit, date and lines; their order does not matter."""
        if not self._digest:
            state = hashlib.sha256(_DIGEST_PREFIX)
            head = f"{self.provider}\0{self.unit}\0{self.effective_from_ns}\n"
            state.update(head.encode())
            for line in sorted(each.canonical() for each in self.lines):
                state.update(line)
            self._digest.append(state.digest())
        return self._digest[0]

    @property
    def models(self) -> frozenset[str]:
        """The models that it names."""
        return self._models

    def lines_of(self, model: str) -> tuple[PriceLine, ...]:
        """The lines that name a model."""
        return tuple(line for line in self.lines if line.model == model)

    def find(self, meter: Meter, served: Served, input_length: int) -> PriceLine:
        """The line that covers a meter.

        Raises:
            Unpriced: There is none (NO_LINE), or none for this instant and length (NOT_NOW).
        """
        minute = minute_of_week(served.at_ns)
        reason = UnpricedReason.NO_LINE
        for key in _keys(meter, served):
            best: PriceLine | None = None
            for line in self._index.get(key, ()):
                reason = UnpricedReason.NOT_NOW
                below = line.above < input_length or not line.above
                if below and (line.window == ALWAYS or minute in line.window.week_set()):
                    best = line if best is None or line.above > best.above else best
            if best is not None:
                return best
        raise Unpriced(self.provider, served.model, meter.label, reason)

    def price(self, usage: Usage, served: Served) -> Charge:
        """What a usage costs.

        Raises:
            Unpriced: Some meter that was used has no price; nothing is billed then.
        """
        length = usage.input_length
        parts = []
        for meter, count in usage:
            line = self.find(meter, served, length)
            parts.append(Part(meter, count, line, self._follow(line, served, length)))
        return Charge(self.unit, self.digest, tuple(parts))

    def _follow(self, line: PriceLine, served: Served, length: int) -> PriceLine:
        if line.same_as is None:
            return line
        target = self.find(line.same_as, served, length)
        if target.same_as is not None:
            reason = UnpricedReason.SAME_AS
            raise Unpriced(self.provider, served.model, line.meter.label, reason)
        return target


def overlap(lines: Iterable[PriceLine]) -> tuple[PriceLine, PriceLine] | None:
    """The first two lines of one key that price the same minute and threshold, if any."""
    seen: dict[tuple[_Key, int], list[PriceLine]] = {}
    for line in lines:
        group = seen.setdefault((line.key, line.above), [])
        for other in group:
            if line.window.week_set() & other.window.week_set():
                return other, line
        group.append(line)
    return None


def _index(lines: tuple[PriceLine, ...]) -> dict[_Key, tuple[PriceLine, ...]]:
    found = overlap(lines)
    if found is not None:
        first, second = found
        detail = f"{first.model} {first.meter.label} >{first.above} {first.window}, {second.window}"
        raise LineRefused(LineReason.OVERLAP, detail)
    index: dict[_Key, tuple[PriceLine, ...]] = {}
    for line in lines:
        index[line.key] = (*index.get(line.key, ()), line)
    return index


def _keys(meter: Meter, served: Served) -> Iterable[_Key]:
    regions = (served.region, ANY) if served.region else (ANY,)
    for model in (served.model, ANY):
        for tier in (served.tier, ANY):
            for region in regions:
                yield model, meter, tier, region
