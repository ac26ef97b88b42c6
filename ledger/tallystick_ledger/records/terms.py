"""What the CONTs of priced records say: a hold's terms, and the usage that a capture bills.

RESERVE of mode CARD pins which card and model apply and which tiers and regions may be served;
CAPTURE of such a hold, and METER, say what was served and how much of each meter was used. All have
a fixed layout inside the payloads of the CONTs. Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import Final, Self

from tallystick_ledger import cont, limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, CardId, NameId, QuoteId
from tallystick_ledger.records.base import (
    BytesLike,
    check_zero,
    enum_field,
    require,
    require_id,
    require_u64,
    require_u128,
    u128,
    u128_bytes,
)
from tallystick_ledger.records.kinds import Overrun

TERMS_CONTS: Final = 3
_LIST_BYTES: Final = limits.MAX_PERMITTED * limits.ID_BYTES
# card; model; tiers; regions; end user; overrun; reserved; debt limit; quote
_TERMS: Final = struct.Struct(f"<16s16s{_LIST_BYTES}s{_LIST_BYTES}s16sH6x16s16s")
_RESERVED: Final = (178, 184)
_QUOTE: Final = slice(200, 216)

# tier; region; count of lines
_USAGE: Final = struct.Struct("<16s16sH6x")
# meter; quantity
_USAGE_LINE: Final = struct.Struct("<16sQ")
_MAX_USAGE_BYTES: Final = _USAGE.size + limits.MAX_USAGE_LINES * _USAGE_LINE.size
MAX_USAGE_CONTS: Final = -(-_MAX_USAGE_BYTES // limits.CONT_PAYLOAD_BYTES)


@dataclass(frozen=True, slots=True)
class CardTerms:
    """What a priced hold is bound to.

    Attributes:
        card: The published card that prices it; zero where a quote does.
        model: A NAME that the card has lines for.
        tiers: NAMEs that may be served, at most 4, ascending; none: only lines for ANY apply.
        regions: Likewise.
        end_user: A salted tag of whom it is for; zero for none.
        overrun: What becomes of a charge above the maximum.
        debt_limit: With DEBT, how much may be charged above the maximum, at least 1; else 0.
        quote: The quote that prices it; zero where a card does.
    """

    card: CardId
    model: NameId
    tiers: tuple[NameId, ...] = ()
    regions: tuple[NameId, ...] = ()
    end_user: bytes = NO_ID
    overrun: Overrun = Overrun.REJECT
    debt_limit: int = 0
    quote: QuoteId = QuoteId(NO_ID)  # noqa: RUF009 - a constant

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("card", self.card)
        require_id("quote", self.quote)
        is_one = NO_ID in (self.quote, self.card)
        require(is_one, Code.RESERVED_NONZERO, "a card and a quote")
        require_id("model", self.model)
        require_id("end_user", self.end_user)
        for names in (self.tiers, self.regions):
            require(len(names) <= limits.MAX_PERMITTED, Code.BAD_FIELD, f"{len(names)} names")
            check_names(names)
        require_u128("debt_limit", self.debt_limit)
        is_debt = self.overrun is Overrun.DEBT
        require(is_debt == (self.debt_limit > 0), Code.BAD_FIELD, "DEBT alone has a debt limit")

    @property
    def priced_by(self) -> CardId:
        """The id of what prices it, card or quote."""
        return CardId(self.quote) if self.quote != NO_ID else self.card

    def encode(self) -> bytes:
        """Returns the content of the CONTs, without its padding."""
        return _TERMS.pack(
            self.card,
            self.model,
            b"".join(self.tiers),
            b"".join(self.regions),
            self.end_user,
            self.overrun,
            u128_bytes(self.debt_limit),
            self.quote,
        )

    @classmethod
    def decode(cls, content: bytes, *, is_quote: bool = False) -> Self:
        """Reads the payloads of the CONTs; raises what `Record.decode` lists."""
        unused = (0, limits.ID_BYTES) if is_quote else (_QUOTE.start, _QUOTE.stop)
        check_zero(content, (_RESERVED, (_QUOTE.stop, len(content)), unused))
        card, model, tiers, regions, end_user, overrun, limit, quote = _TERMS.unpack_from(content)
        policy = enum_field(Overrun, overrun)
        terms = cls(
            CardId(card),
            NameId(model),
            names_of(tiers),
            names_of(regions),
            end_user,
            policy,
            u128(limit),
            QuoteId(quote),
        )
        named = not is_quote or quote != NO_ID
        require(named, Code.BAD_FIELD, "terms that name no quote")
        return terms


@dataclass(frozen=True, slots=True)
class ServedUsage:
    """What was served so far, and how much of it.

    Attributes:
        tier: The NAME of the tier that was served; zero where the hold permits none.
        region: Likewise.
        lines: (meter, quantity so far), ascending by meter, quantities of at least 1.
    """

    tier: NameId = NameId(NO_ID)  # noqa: RUF009 - a constant
    region: NameId = NameId(NO_ID)  # noqa: RUF009
    lines: tuple[tuple[NameId, int], ...] = ()

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("tier", self.tier)
        require_id("region", self.region)
        require(len(self.lines) <= limits.MAX_USAGE_LINES, Code.BAD_FIELD, "too many meters")
        for _, quantity in self.lines:
            require_u64("quantity", quantity)
            require(quantity > 0, Code.BAD_FIELD, "a quantity of zero")
        check_names(tuple(meter for meter, _ in self.lines))

    @property
    def cont_count(self) -> int:
        """CONTs that it takes."""
        return cont.cont_count(self.size_of(len(self.lines)))

    def encode(self) -> bytes:
        """Returns the content of the CONTs, without its padding."""
        head = _USAGE.pack(self.tier, self.region, len(self.lines))
        return head + b"".join(_USAGE_LINE.pack(*line) for line in self.lines)

    @staticmethod
    def size_of(line_count: int) -> int:
        """Bytes of the content with so many lines."""
        return _USAGE.size + line_count * _USAGE_LINE.size

    @classmethod
    def conts_end(cls, content: bytes, start: int) -> int:
        """Returns where the CONTs end that the usage behind the first bytes of a content needs.

        Raises:
            RecordError: BAD_FIELD, too many meters; CONT_NOT_ALLOWED, there are fewer.
        """
        conts = cont.cont_count(cls._end(content, start))
        end = conts * limits.CONT_PAYLOAD_BYTES
        require(end <= len(content), Code.CONT_NOT_ALLOWED, "too few CONTs")
        return end

    @classmethod
    def _end(cls, content: bytes, start: int) -> int:
        _, _, count = _USAGE.unpack_from(content, start)
        require(count <= limits.MAX_USAGE_LINES, Code.BAD_FIELD, f"{count} meters")
        return start + cls.size_of(count)

    @classmethod
    def decode(cls, content: bytes, start: int = 0) -> Self:
        """Reads the payloads of the CONTs from a byte on; raises what `Record.decode` lists."""
        end = cls._end(content, start)
        tier, region, _ = _USAGE.unpack_from(content, start)
        conts = len(content) // limits.CONT_PAYLOAD_BYTES
        require(conts == cont.cont_count(end), Code.CONT_NOT_ALLOWED, f"{conts} CONTs")
        check_zero(content, ((start + 34, start + 40), (end, len(content))))
        pairs = _USAGE_LINE.iter_unpack(content[start + _USAGE.size : end])
        lines = tuple((NameId(meter), quantity) for meter, quantity in pairs)
        return cls(NameId(tier), NameId(region), lines)


def check_names(names: tuple[NameId, ...]) -> None:
    """Raises RecordError (BAD_FIELD) unless the ids ascend strictly and none is zero."""
    before: bytes = NO_ID
    for name in names:
        require_id("name", name)
        require(before < name, Code.BAD_FIELD, "names are not ascending, or zero")
        before = name


def names_of(field: BytesLike) -> tuple[NameId, ...]:
    """Reads ids that lie back to back, those before the first zero one.

    Raises:
        RecordError: BAD_FIELD, something follows after a zero one.
    """
    ids = [bytes(field[at : at + limits.ID_BYTES]) for at in range(0, len(field), limits.ID_BYTES)]
    count = ids.index(NO_ID) if NO_ID in ids else len(ids)
    require(not any(map(any, ids[count:])), Code.BAD_FIELD, "a name behind a gap")
    return tuple(NameId(name) for name in ids[:count])
