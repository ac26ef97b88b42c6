"""Records of prices: CARD drafts a card, PRICE adds its lines, CARD_PUBLISH makes it binding.

A card is published whole or not at all: CARD commits to how many lines it has and to their tree
hash, and names the meters whose sum is a request's *length*. Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import cont, limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    NO_ID,
    CardId,
    NameId,
    TimestampNs,
    UnitId,
    require_length,
)
from tallystick_ledger.merkle import leaf_hash
from tallystick_ledger.pricing import ALWAYS, Window
from tallystick_ledger.records.base import (
    CONT_HASH_RANGE,
    BytesLike,
    Record,
    check_head,
    check_kind_and_flags,
    check_zero,
    require,
    require_id,
    require_nonce,
    require_u64,
    require_u128,
    u128,
    u128_bytes,
)
from tallystick_ledger.records.kinds import Flags, Group, Kind
from tallystick_ledger.records.terms import check_names

# kind, flags, cont_count, meters; unit; effective_from_ns; lines, reserved; root; reserved;
# cont_hash; nonce
_CARD: Final = struct.Struct("<HHHH16sQI4x32s8x32s16s")
# kind, flags, cont_count, reserved; card; model; meter; price; above; cont_hash; nonce
_PRICE: Final = struct.Struct("<HHHH16s16s16s16sQ32s16s")
# tier; region; same_as; start, end, weekdays
_PRICE_CONT: Final = struct.Struct("<16s16s16sHHB51x")
# kind, flags, cont_count and reserved; card; reserved and cont_hash; nonce
_PUBLISH: Final = struct.Struct("<HHI16s88x16s")
_PRICE_FIXED_BYTES: Final = 80  # of the head: all but cont_hash and nonce


@dataclass(frozen=True, slots=True)
class Card(Record):
    """Drafts a card; the record's derived id is the card's. Signed by OWNER or PRICE.

    Attributes:
        unit: What it prices in.
        effective_from_ns: From when RESERVE may name it.
        line_count: How many PRICE records follow, 1 to 4,096.
        lines_root: Tree hash over their `Price.leaf_hash`, in order.
        length_meters: Meters whose sum is a request's length, at most 16, ascending.
        supersedes: A card of the same owner and unit that ends when this one begins; zero: none.
    """

    KIND: ClassVar[Kind] = Kind.CARD
    GROUP: ClassVar[Group] = Group.PRICES

    unit: UnitId
    effective_from_ns: TimestampNs
    line_count: int
    lines_root: bytes
    length_meters: tuple[NameId, ...] = ()
    supersedes: CardId = CardId(NO_ID)  # noqa: RUF009 - a constant

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("unit", self.unit)
        require_id("supersedes", self.supersedes)
        require_u64("effective_from_ns", self.effective_from_ns)
        require_length("lines_root", self.lines_root, limits.HASH_BYTES)
        fits = 1 <= self.line_count <= limits.MAX_CARD_LINES
        require(fits, Code.BAD_FIELD, f"{self.line_count} lines")
        count = len(self.length_meters)
        require(count <= limits.MAX_LENGTH_METERS, Code.BAD_FIELD, f"{count} meters")
        check_names(self.length_meters)

    @property
    def record_count(self) -> int:
        """The head and its CONTs."""
        return 1 + _card_conts(len(self.length_meters))

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, self.nonce_bytes)
        content = self.supersedes + b"".join(self.length_meters)
        conts = cont.encode(content, nonce[limits.NONCE_BYTES :])
        head = _CARD.pack(
            Kind.CARD,
            0,
            len(conts) // limits.RECORD_BYTES,
            len(self.length_meters),
            self.unit,
            self.effective_from_ns,
            self.line_count,
            self.lines_root,
            cont.cont_hash(conts),
            nonce[: limits.NONCE_BYTES],
        )
        return head + conts

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        head, conts = cont.split(data)
        check_kind_and_flags(cls, head)
        _, _, cont_count, count, unit, effective, lines, root, _, _ = _CARD.unpack(head)
        require(count <= limits.MAX_LENGTH_METERS, Code.BAD_FIELD, f"{count} meters")
        require(cont_count == _card_conts(count), Code.CONT_NOT_ALLOWED, f"{cont_count} CONTs")
        check_zero(head, ((36, 40), (72, 80)))
        content = cont.content(conts)
        end = limits.ID_BYTES * (1 + count)
        check_zero(content, ((end, len(content)),))
        ids = [content[at : at + limits.ID_BYTES] for at in range(0, end, limits.ID_BYTES)]
        meters = tuple(NameId(meter) for meter in ids[1:])
        return cls(UnitId(unit), TimestampNs(effective), lines, root, meters, CardId(ids[0]))


@dataclass(frozen=True, slots=True)
class Price(Record):
    """One line of a draft. Signed by OWNER or PRICE of the card's owner.

    Attributes:
        card: The draft.
        model: NAME of the model.
        meter: NAME of the meter.
        price: Per million of the meter, in the unit's smallest step; 0 with FREE or SAME_AS only.
        tier: NAME of the service tier; zero for ANY.
        region: NAME of the region; zero for ANY.
        above: Applies to requests whose length is greater; 0 also to those of length 0.
        window: When, in UTC.
        free: Zero is the price.
        same_as: The meter whose price applies; zero for none.
    """

    KIND: ClassVar[Kind] = Kind.PRICE
    GROUP: ClassVar[Group] = Group.PRICES

    card: CardId
    model: NameId
    meter: NameId
    price: int
    tier: NameId = NameId(NO_ID)  # noqa: RUF009 - a constant, as the next ones
    region: NameId = NameId(NO_ID)  # noqa: RUF009
    above: int = 0
    window: Window = ALWAYS
    free: bool = False
    same_as: NameId = NameId(NO_ID)  # noqa: RUF009

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        for name in ("card", "model", "meter", "tier", "region", "same_as"):
            require_id(name, getattr(self, name))
        require_u128("price", self.price)
        require_u64("above", self.above)
        require(self.window.is_valid, Code.BAD_FIELD, f"no window: {self.window}")
        follows = self.same_as != NO_ID
        require(not (self.free and follows), Code.BAD_FIELD, "FREE and SAME_AS")
        require(self.same_as != self.meter, Code.BAD_FIELD, "SAME_AS itself")
        priceless = self.free or follows
        require(not (priceless and self.price), Code.BAD_FIELD, "a price with FREE or SAME_AS")
        require(priceless or self.price > 0, Code.ZERO_AMOUNT, "only FREE has the price zero")

    @property
    def record_count(self) -> int:
        """The head and its CONT."""
        return 2

    @property
    def flags(self) -> Flags:
        """As in the head."""
        free = Flags.FREE if self.free else Flags.NONE
        return free | Flags.SAME_AS if self.same_as != NO_ID else free

    @property
    def leaf_hash(self) -> bytes:
        """The line's leaf in the card's tree: over all that it says, and no nonce."""
        return leaf_hash(self._head()[:_PRICE_FIXED_BYTES] + self._content())

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, self.nonce_bytes)
        conts = cont.encode(self._content(), nonce[limits.NONCE_BYTES :])
        return self._head(cont.cont_hash(conts), nonce[: limits.NONCE_BYTES]) + conts

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        head, conts = cont.split(data)
        flags, cont_count = check_kind_and_flags(cls, head)
        require(cont_count == 1, Code.CONT_NOT_ALLOWED, f"{cont_count} CONTs")
        content = cont.content(conts)
        check_zero(head, ((6, 8),))
        check_zero(content, ((53, len(content)),))
        _, _, _, _, card, model, meter, price, above, _, _ = _PRICE.unpack(head)
        tier, region, same_as, start, end, weekdays = _PRICE_CONT.unpack(content)
        says_same_as = bool(flags & Flags.SAME_AS)
        require(says_same_as == any(same_as), Code.BAD_FIELD, "SAME_AS without a meter, or not")
        return cls(
            CardId(card),
            NameId(model),
            NameId(meter),
            u128(price),
            NameId(tier),
            NameId(region),
            above,
            Window(start, end, weekdays),
            bool(flags & Flags.FREE),
            NameId(same_as),
        )

    def _head(self, cont_hash: bytes = b"", nonce: bytes = b"") -> bytes:
        return _PRICE.pack(
            Kind.PRICE,
            self.flags,
            1,
            0,
            self.card,
            self.model,
            self.meter,
            u128_bytes(self.price),
            self.above,
            cont_hash,
            nonce,
        )

    def _content(self) -> bytes:
        window = self.window
        return _PRICE_CONT.pack(
            self.tier,
            self.region,
            self.same_as,
            window.start_minute,
            window.end_minute,
            window.weekdays,
        )


@dataclass(frozen=True, slots=True)
class CardPublish(Record):
    """Makes a draft with all its lines binding, for good. Signed by OWNER or PRICE.

    Attributes:
        card: The draft.
    """

    KIND: ClassVar[Kind] = Kind.CARD_PUBLISH
    GROUP: ClassVar[Group] = Group.PRICES

    card: CardId

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("card", self.card)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _PUBLISH.pack(Kind.CARD_PUBLISH, 0, 0, self.card, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (24, CONT_HASH_RANGE[1])))
        return cls(CardId(_PUBLISH.unpack(data)[3]))


def _card_conts(meter_count: int) -> int:
    return cont.cont_count(limits.ID_BYTES * (1 + meter_count))
