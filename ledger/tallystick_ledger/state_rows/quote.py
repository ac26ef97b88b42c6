"""Rows of quotes that were redeemed: their prices, and how much was agreed under them."""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import limits
from tallystick_ledger.ids import Amount, PrincipalId, QuoteId, TimestampNs, UnitId
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.records.quote import QuoteLine
from tallystick_ledger.state_rows.base import Row, Table

_LINES_BYTES: Final = limits.MAX_QUOTE_LINES * limits.QUOTE_LINE_BYTES
_QUOTE: Final = struct.Struct(f"<16s16s16s16s16s16sQH6x{_LINES_BYTES}s")


@dataclass(frozen=True, slots=True)
class QuoteRow(Row):
    """A quote that was redeemed at least once.

    Attributes:
        quote: Its id.
        provider: Whose key has signed it.
        beneficiary: The only principal that may redeem it.
        unit: What it prices in.
        cap: How much may be agreed under it in all.
        agreed: How much was agreed so far; what a hold does not use is not given back.
        not_after_ns: Until when it may be redeemed.
        lines: Its prices, ascending by place.
    """

    TABLE: ClassVar[Table] = Table.QUOTE
    LAYOUT: ClassVar[struct.Struct] = _QUOTE

    quote: QuoteId
    provider: PrincipalId
    beneficiary: PrincipalId
    unit: UnitId
    cap: Amount
    agreed: Amount
    not_after_ns: TimestampNs
    lines: tuple[QuoteLine, ...]

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.quote

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _QUOTE.pack(
            self.quote,
            self.provider,
            self.beneficiary,
            self.unit,
            u128_bytes(self.cap),
            u128_bytes(self.agreed),
            self.not_after_ns,
            len(self.lines),
            b"".join(line.encode() for line in self.lines),
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        quote, provider, beneficiary, unit, cap, agreed, not_after, count, lines = _QUOTE.unpack(
            data
        )
        size = limits.QUOTE_LINE_BYTES
        return cls(
            QuoteId(quote),
            PrincipalId(provider),
            PrincipalId(beneficiary),
            UnitId(unit),
            Amount(u128(cap)),
            Amount(u128(agreed)),
            TimestampNs(not_after),
            tuple(QuoteLine.decode(lines[at : at + size]) for at in range(0, size * count, size)),
        )
