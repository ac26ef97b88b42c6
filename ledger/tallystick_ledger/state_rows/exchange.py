"""Rows of exchange quotes that were taken: how much was given under them."""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger.ids import Amount, PrincipalId, QuoteId, TimestampNs
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.state_rows.base import Row, Table

_EXCHANGE: Final = struct.Struct("<16s16s16s16sQ")


@dataclass(frozen=True, slots=True)
class ExchangeRow(Row):
    """An exchange quote that was taken at least once, and whose time is not over.

    Attributes:
        quote: Its id, which stands for all that it says.
        maker: Whose key has signed it.
        cap: How much may be given under it in all.
        given: How much was given so far.
        not_after_ns: Until when it may be taken.
    """

    TABLE: ClassVar[Table] = Table.EXCHANGE
    LAYOUT: ClassVar[struct.Struct] = _EXCHANGE

    quote: QuoteId
    maker: PrincipalId
    cap: Amount
    given: Amount
    not_after_ns: TimestampNs

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.quote

    def encode(self) -> bytes:
        """See `Row.encode`."""
        amounts = u128_bytes(self.cap), u128_bytes(self.given)
        return _EXCHANGE.pack(self.quote, self.maker, *amounts, self.not_after_ns)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        quote, maker, cap, given, not_after_ns = _EXCHANGE.unpack(data)
        return cls(
            QuoteId(quote),
            PrincipalId(maker),
            Amount(u128(cap)),
            Amount(u128(given)),
            TimestampNs(not_after_ns),
        )
