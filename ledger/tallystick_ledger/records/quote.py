"""Quotes: prices that a provider signs, off the ledger, for one principal.

The record that redeems a quote first brings it along in CONTs, whole; its id names it from then on.
What is handed over before is the same with the ledger's id: docs/format.md section 14.
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Final, Self

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    NO_ID,
    LedgerId,
    NameId,
    PrincipalId,
    PublicKey,
    QuoteId,
    Signature,
    TimestampNs,
    UnitId,
    require_length,
)
from tallystick_ledger.pricing import ALWAYS, ANY, Window
from tallystick_ledger.records.base import (
    check_zero,
    require,
    require_id,
    require_u64,
    require_u128,
    u128,
    u128_bytes,
)

QUOTE_DOMAIN: Final = b"tallystick/quote/v1\0"
# provider's key; beneficiary; unit; cap; not_after_ns; nonce
_TERMS: Final = struct.Struct("<32s16s16s16sQ16s")
# model; meter; tier; region; price
_LINE: Final = struct.Struct("<16s16s16s16s16s")
# count of lines; the terms, the lines and the signature follow
_HEAD: Final = struct.Struct("<H6x")
_LINES_AT: Final = _HEAD.size + _TERMS.size


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """A price of a quote: always the same, whatever the hour and the length of the request.

    Attributes:
        model: NAME of the model.
        meter: NAME of the meter.
        price: For a million of the meter, in the unit's smallest step; at least 1.
        tier: NAME of the tier, zero for any.
        region: NAME of the region, zero for any.
    """

    model: NameId
    meter: NameId
    price: int
    tier: NameId = ANY
    region: NameId = ANY

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        for name in ("model", "meter", "tier", "region"):
            require_id(name, getattr(self, name))
        require_u128("price", self.price)
        named = NO_ID not in (self.model, self.meter)
        require(named, Code.BAD_FIELD, "a line of no model or meter")

    @property
    def place(self) -> bytes:
        """What lines are ordered by, and distinct in."""
        return self.model + self.meter + self.tier + self.region

    @property
    def above(self) -> int:
        """No threshold; see `pricing.Line`."""
        return 0

    @property
    def window(self) -> Window:
        """Always; see `pricing.Line`."""
        return ALWAYS

    @property
    def same_as(self) -> NameId:
        """No other meter; see `pricing.Line`."""
        return ANY

    def encode(self) -> bytes:
        """Returns 80 bytes."""
        price = u128_bytes(self.price)
        return _LINE.pack(self.model, self.meter, self.tier, self.region, price)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Reads 80 bytes; raises what `Record.decode` lists."""
        model, meter, tier, region, price = _LINE.unpack(data)
        return cls(NameId(model), NameId(meter), u128(price), NameId(tier), NameId(region))


@dataclass(frozen=True, slots=True)
class SignedQuote:
    """A quote as a record brings it along.

    Attributes:
        key: An OWNER or PRICE key of the provider.
        beneficiary: The only principal that may redeem it.
        unit: What it prices in.
        cap: How much may be agreed under it in all, in the unit's smallest step.
        not_after_ns: Until when it may be redeemed; holds made before keep its prices.
        nonce: 16 bytes that make it another quote than one with the same content.
        lines: 1 to 16, ascending by `place`.
        signature: By `key`, over `message`.
    """

    key: PublicKey
    beneficiary: PrincipalId
    unit: UnitId
    cap: int
    not_after_ns: TimestampNs
    nonce: bytes
    lines: tuple[QuoteLine, ...]
    signature: Signature

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_length("key", self.key, limits.KEY_BYTES)
        require_length("signature", self.signature, limits.SIGNATURE_BYTES)
        for name in ("beneficiary", "unit", "nonce"):
            require_id(name, getattr(self, name))
        require_u128("cap", self.cap)
        require_u64("not_after_ns", self.not_after_ns)
        is_count = 1 <= len(self.lines) <= limits.MAX_QUOTE_LINES
        require(is_count, Code.BAD_FIELD, f"{len(self.lines)} lines")
        places = [line.place for line in self.lines]
        is_ordered = places == sorted(set(places))
        require(is_ordered, Code.BAD_FIELD, "lines are not ascending")
        are_priced = self.cap > 0 and all(line.price > 0 for line in self.lines)
        require(are_priced, Code.ZERO_AMOUNT, "a cap or a price of zero")

    @property
    def quote_id(self) -> QuoteId:
        """Its id: 16 bytes of a hash over everything but the signature."""
        return QuoteId(hashlib.sha256(QUOTE_DOMAIN + self.body).digest()[: limits.ID_BYTES])

    @property
    def body(self) -> bytes:
        """All of it but the signature."""
        terms = _TERMS.pack(
            self.key,
            self.beneficiary,
            self.unit,
            u128_bytes(self.cap),
            self.not_after_ns,
            self.nonce,
        )
        return terms + b"".join(line.encode() for line in self.lines)

    def message(self, ledger_id: LedgerId) -> bytes:
        """What is signed: the domain prefix, the ledger's id, and `body`."""
        return QUOTE_DOMAIN + ledger_id + self.body

    @property
    def cont_count(self) -> int:
        """CONTs that it takes."""
        return -(-_size_of(len(self.lines)) // limits.CONT_PAYLOAD_BYTES)

    def encode(self) -> bytes:
        """Returns the content of the CONTs, without its padding."""
        return _HEAD.pack(len(self.lines)) + self.body + self.signature

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Reads the payloads of the CONTs; raises what `Record.decode` lists."""
        (count,) = _HEAD.unpack_from(content)
        is_count = 1 <= count <= limits.MAX_QUOTE_LINES
        require(is_count, Code.BAD_FIELD, f"{count} lines")
        size = _size_of(count)
        conts = len(content) // limits.CONT_PAYLOAD_BYTES
        fits = conts == -(-size // limits.CONT_PAYLOAD_BYTES)
        require(fits, Code.CONT_NOT_ALLOWED, f"a quote in {conts} CONTs")
        check_zero(content, ((2, _HEAD.size), (size, len(content))))
        return cls.of_body(content[_HEAD.size : size])

    @classmethod
    def of_body(cls, data: bytes) -> Self:
        """Reads `body` and the signature behind it; raises what `Record.decode` lists."""
        body, signature = data[: -limits.SIGNATURE_BYTES], data[-limits.SIGNATURE_BYTES :]
        key, beneficiary, unit, cap, not_after, nonce = _TERMS.unpack_from(body)
        lines = body[_TERMS.size :]
        size = limits.QUOTE_LINE_BYTES
        return cls(
            PublicKey(key),
            PrincipalId(beneficiary),
            UnitId(unit),
            u128(cap),
            TimestampNs(not_after),
            nonce,
            tuple(QuoteLine.decode(lines[at : at + size]) for at in range(0, len(lines), size)),
            Signature(signature),
        )


def _size_of(count: int) -> int:
    return _LINES_AT + count * limits.QUOTE_LINE_BYTES + limits.SIGNATURE_BYTES


MAX_QUOTE_CONTS: Final = -(-_size_of(limits.MAX_QUOTE_LINES) // limits.CONT_PAYLOAD_BYTES)


def decode_named(content: bytes, quote_id: bytes) -> SignedQuote | None:
    """Reads the quote that a record brings along; None if there is none.

    Args:
        content: The payloads of the CONTs that are left for it.
        quote_id: The quote that the record names.

    Raises:
        RecordError: As `SignedQuote.decode`; BAD_FIELD, it is another.
    """
    if not content:
        return None
    quote = SignedQuote.decode(content)
    require(quote.quote_id == quote_id, Code.BAD_FIELD, "another quote than the one named")
    return quote
