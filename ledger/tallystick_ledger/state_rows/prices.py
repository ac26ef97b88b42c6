"""Rows of cards, of their lines, and of what priced holds are bound to."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Self

from tallystick_ledger import limits
from tallystick_ledger.errors import RowError
from tallystick_ledger.ids import (
    NO_ID,
    Amount,
    CardId,
    HoldId,
    LineId,
    NameId,
    PrincipalId,
    TimestampNs,
    UnitId,
)
from tallystick_ledger.pricing import Window
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.records.kinds import Flags, Overrun
from tallystick_ledger.records.terms import names_of
from tallystick_ledger.state_rows.base import Row, Table

_METERS_BYTES: Final = limits.MAX_LENGTH_METERS * limits.ID_BYTES
_LIST_BYTES: Final = limits.MAX_PERMITTED * limits.ID_BYTES
_CARD: Final = struct.Struct(f"<16s16s16s32s16sQQQQIHH{_METERS_BYTES}s")
_LINE: Final = struct.Struct("<16s16s16s16s16s16s16s16s32sQIHHHB5x")
_TERMS: Final = struct.Struct(f"<16s16s16s{_LIST_BYTES}s{_LIST_BYTES}s16sH6x16s16s")


class CardStatus(IntEnum):
    """Where a card is in its life."""

    DRAFT = 1
    PUBLISHED = 2


@dataclass(frozen=True, slots=True)
class CardRow(Row):
    """A card; its lines have rows of their own.

    Attributes:
        card: Its id.
        owner: The provider.
        unit: What it prices in.
        lines_root: Tree hash over its lines.
        supersedes: The card that it ends; zero for none.
        effective_from_ns: From when it prices holds.
        created_at_ns: Time of its CARD.
        published_at_ns: Time of its CARD_PUBLISH; 0 for a draft.
        superseded_from_ns: From when it prices no new holds; 0 unless superseded.
        line_count: How many lines it has once it is published.
        status: Draft or published.
        length_meters: The meters whose sum is a request's length.
    """

    TABLE: ClassVar[Table] = Table.CARD
    LAYOUT: ClassVar[struct.Struct] = _CARD

    card: CardId
    owner: PrincipalId
    unit: UnitId
    lines_root: bytes
    supersedes: CardId
    effective_from_ns: TimestampNs
    created_at_ns: TimestampNs
    published_at_ns: TimestampNs
    superseded_from_ns: TimestampNs
    line_count: int
    status: CardStatus
    length_meters: tuple[NameId, ...]

    @property
    def is_published(self) -> bool:
        """Whether it binds its owner."""
        return self.status is CardStatus.PUBLISHED

    def is_effective(self, at_ns: int) -> bool:
        """Whether a RESERVE at this time may name it."""
        ends = self.superseded_from_ns or limits.MAX_U64 + 1
        return self.is_published and self.effective_from_ns <= at_ns < ends

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.card

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _CARD.pack(
            self.card,
            self.owner,
            self.unit,
            self.lines_root,
            self.supersedes,
            self.effective_from_ns,
            self.created_at_ns,
            self.published_at_ns,
            self.superseded_from_ns,
            self.line_count,
            self.status,
            len(self.length_meters),
            b"".join(self.length_meters),
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        card, owner, unit, root, supersedes, *rest = _CARD.unpack(data)
        effective, created, published, superseded, lines, status, count, field = rest
        meters = names_of(field)
        if count != len(meters):
            raise RowError(f"{count} meters, of which {len(meters)} are there")
        return cls(
            CardId(card),
            PrincipalId(owner),
            UnitId(unit),
            root,
            CardId(supersedes),
            TimestampNs(effective),
            TimestampNs(created),
            TimestampNs(published),
            TimestampNs(superseded),
            lines,
            CardStatus(status),
            meters,
        )


@dataclass(frozen=True, slots=True)
class PriceLineRow(Row):
    """A line of a card, as its PRICE says it.

    Attributes:
        line: Its id.
        card: The card.
        index: Its place in the card, from 0.
        model: NAME of the model.
        meter: NAME of the meter.
        tier: NAME of the tier; zero for ANY.
        region: NAME of the region; zero for ANY.
        same_as: The meter whose price applies; zero for none.
        price: Per million of the meter, in the unit's smallest step.
        leaf_hash: Its leaf in the card's tree.
        above: Applies to requests whose length is greater.
        flags: FREE, SAME_AS.
        window: When it applies.
    """

    TABLE: ClassVar[Table] = Table.PRICE_LINE
    LAYOUT: ClassVar[struct.Struct] = _LINE

    line: LineId
    card: CardId
    index: int
    model: NameId
    meter: NameId
    tier: NameId
    region: NameId
    same_as: NameId
    price: int
    leaf_hash: bytes
    above: int
    flags: Flags
    window: Window

    @property
    def place(self) -> tuple[NameId, NameId, NameId, NameId]:
        """Where it is looked up: (model, meter, tier, region)."""
        return self.model, self.meter, self.tier, self.region

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.line

    def encode(self) -> bytes:
        """See `Row.encode`."""
        window = self.window
        return _LINE.pack(
            self.line,
            self.card,
            self.model,
            self.meter,
            self.tier,
            self.region,
            self.same_as,
            u128_bytes(self.price),
            self.leaf_hash,
            self.above,
            self.index,
            self.flags,
            window.start_minute,
            window.end_minute,
            window.weekdays,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        line, card, model, meter, tier, region, same_as, amount, leaf, *rest = _LINE.unpack(data)
        above, index, flags, *window = rest
        return cls(
            LineId(line),
            CardId(card),
            index,
            NameId(model),
            NameId(meter),
            NameId(tier),
            NameId(region),
            NameId(same_as),
            u128(amount),
            leaf,
            above,
            Flags(flags),
            Window(*window),
        )


@dataclass(frozen=True, slots=True)
class TermsRow(Row):
    """What a priced hold is bound to: the terms of its RESERVE.

    Attributes:
        hold: The hold.
        card: The card that prices it, or the quote.
        model: NAME of the model.
        tiers: Those that may be served; empty: only lines for ANY apply.
        regions: Likewise.
        end_user: A salted tag of whom it is for; zero for none.
        overrun: What becomes of a charge above the maximum.
        debt_limit: With DEBT, how much may be charged above the maximum; else 0.
        beyond: What was charged so far that the hold did not pay.
    """

    TABLE: ClassVar[Table] = Table.TERMS
    LAYOUT: ClassVar[struct.Struct] = _TERMS

    hold: HoldId
    card: CardId
    model: NameId
    tiers: tuple[NameId, ...]
    regions: tuple[NameId, ...]
    end_user: bytes
    overrun: Overrun
    debt_limit: Amount = Amount(0)  # noqa: RUF009 - a number
    beyond: Amount = Amount(0)  # noqa: RUF009

    def permits(self, tier: bytes, region: bytes) -> bool:
        """Whether this tier and this region may have been served; none where none is listed."""
        return tier in (self.tiers or (NO_ID,)) and region in (self.regions or (NO_ID,))

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.hold

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _TERMS.pack(
            self.hold,
            self.card,
            self.model,
            b"".join(self.tiers),
            b"".join(self.regions),
            self.end_user,
            self.overrun,
            u128_bytes(self.debt_limit),
            u128_bytes(self.beyond),
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        hold, card, model, tiers, regions, end_user, overrun, *debt = _TERMS.unpack(data)
        debt_limit, beyond = (Amount(u128(field)) for field in debt)
        return cls(
            HoldId(hold),
            CardId(card),
            NameId(model),
            names_of(tiers),
            names_of(regions),
            end_user,
            Overrun(overrun),
            debt_limit,
            beyond,
        )
