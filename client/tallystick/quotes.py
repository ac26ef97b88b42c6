"""Quotes: prices that a provider signs off the ledger, for one principal, and hands over.

    quote = make_quote(provider, client.ledger_id, alice, unit, lines, cap=9_000, valid_for_s=3_600)
    text = quote.hex()                          # to the beneficiary, by whatever way
    quote = Quote.from_hex(text)                # the beneficiary
    quote.verify()                              # before relying on it
    client.reserve(mine, theirs, 500, terms=quote.terms(model), quote=quote)
    client.meter(mine, theirs, quote.price(model, usage), model=model, usage=usage, quote=quote)

A quote locks its prices until its end, whatever cards say meanwhile, for up to its cap in all. It
is 208 bytes and 80 a line; docs/format.md section 14 has the layout.
"""

import os
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tallystick.draft import build, require_amount
from tallystick.errors import InvalidArgument, InvalidQuote
from tallystick.keyfile import Signer
from tallystick_ledger import limits, pricing
from tallystick_ledger.ids import (
    NO_ID,
    CardId,
    LedgerId,
    NameId,
    PrincipalId,
    QuoteId,
    Signature,
    TimestampNs,
    UnitId,
)
from tallystick_ledger.keys import SigningKey, is_valid_signature
from tallystick_ledger.records import CardTerms, Overrun, QuoteLine, ServedUsage, SignedQuote

MAGIC: Final = b"TSQ1"
FORMAT_VERSION: Final = 1
_HEAD: Final = struct.Struct("<4sHH32s")  # magic, version, reserved; ledger
_NO_SIGNATURE: Final = Signature(bytes(limits.SIGNATURE_BYTES))
_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Quote:
    """A signed quote; making one checks its values, not its signature.

    Attributes:
        ledger_id: The ledger that it is for, 32 bytes.
        signed: What a record brings along: key, beneficiary, unit, cap, end, lines, signature.
    """

    ledger_id: LedgerId
    signed: SignedQuote

    @property
    def id(self) -> QuoteId:
        """16 bytes that name it in records."""
        return self.signed.quote_id

    def verify(self) -> None:
        """Checks the signature by the very rule of the ledger, without asking it.

        That the key is the provider's, and still good, is another matter: only the ledger knows.

        Raises:
            InvalidQuote: The key that it names did not sign this.
        """
        signed = self.signed
        if not is_valid_signature(signed.key, signed.message(self.ledger_id), signed.signature):
            raise InvalidQuote(f"The key {signed.key.hex()} did not sign this quote.")

    def terms(
        self,
        model: NameId,
        *,
        tiers: Iterable[NameId] = (),
        regions: Iterable[NameId] = (),
        end_user: bytes = NO_ID,
        overrun: Overrun = Overrun.REJECT,
        debt_limit: int = 0,
    ) -> CardTerms:
        """What a hold under the quote is bound to; see `CardTerms`.

        With a debt limit the quote has to cover that, too.

        Raises:
            InvalidArgument: Too many tiers or regions, or a debt limit without DEBT.
        """
        permitted = tuple(sorted(tiers)), tuple(sorted(regions))
        no_card = CardId(NO_ID)
        beyond = require_amount(debt_limit)
        return build(CardTerms, no_card, model, *permitted, end_user, overrun, beyond, self.id)

    def price(self, model: NameId, usage: ServedUsage) -> int:
        """What a usage costs, in the unit's smallest step, as the ledger will price it.

        Raises:
            InvalidArgument: The quote has no price for it.
        """
        served = pricing.Served(model, usage.tier, usage.region, 0)
        try:
            return pricing.price(self.signed.lines, (), dict(usage.lines), served)
        except pricing.UnpricedError as error:
            raise InvalidArgument(f"The quote has no price: {error}.") from error

    def encode(self) -> bytes:
        """Returns its bytes."""
        head = _HEAD.pack(MAGIC, FORMAT_VERSION, 0, self.ledger_id)
        return head + self.signed.body + self.signed.signature

    def hex(self) -> str:
        """Returns its bytes as hexadecimal digits."""
        return self.encode().hex()

    @classmethod
    def decode(cls, data: bytes) -> "Quote":
        """Reads what `encode` made. Its signature is not checked: `verify` does that.

        Raises:
            InvalidArgument: These bytes are no quote.
        """
        count, odd = divmod(len(data) - limits.QUOTE_BYTES, limits.QUOTE_LINE_BYTES)
        if odd or not 1 <= count <= limits.MAX_QUOTE_LINES:
            raise InvalidArgument(f"{len(data)} bytes are no quote.")
        magic, version, reserved, ledger = _HEAD.unpack_from(data)
        if (magic, version, reserved) != (MAGIC, FORMAT_VERSION, 0):
            raise InvalidArgument("These bytes are no quote of a version that is known here.")
        return cls(LedgerId(ledger), build(SignedQuote.of_body, data[_HEAD.size :]))

    @classmethod
    def from_hex(cls, text: str) -> "Quote":
        """Reads what `hex` made; as `decode`.

        Raises:
            InvalidArgument: This text is no quote.
        """
        try:
            data = bytes.fromhex(text.strip())
        except ValueError as error:
            raise InvalidArgument("A quote is hexadecimal digits.") from error
        return cls.decode(data)


def make_quote(
    provider: Signer | SigningKey,
    ledger_id: LedgerId,
    beneficiary: PrincipalId,
    unit: UnitId,
    lines: Iterable[QuoteLine],
    *,
    cap: int,
    valid_for_s: float | None = None,
    not_after_ns: TimestampNs | None = None,
) -> Quote:
    """Signs a quote. No node is asked.

    Args:
        provider: A key of the provider of scope PRICE or OWNER.
        ledger_id: The ledger that it is for.
        beneficiary: The only principal that may redeem it.
        unit: What it prices in.
        lines: Its prices, at most 16.
        cap: How much may be agreed under it in all, in the unit's smallest step.
        valid_for_s: Until when it may be redeemed, seconds from now; the ledger takes it from 400
            days before its end on.
        not_after_ns: The same as a time, nanoseconds since 1970; wins over `valid_for_s`.

    Raises:
        InvalidArgument: A value that no quote has, or neither end.
        TypeError: The cap is no int.
    """
    if not_after_ns is None:
        if valid_for_s is None:
            raise InvalidArgument("A quote has an end.", advice="Say valid_for_s.")
        not_after_ns = TimestampNs(time.time_ns() + int(valid_for_s * _NS_PER_S))
    key = provider.key if isinstance(provider, Signer) else provider
    ordered = tuple(sorted(lines, key=lambda line: line.place))
    nonce = os.urandom(limits.NONCE_BYTES)
    parts = (key.public_key, beneficiary, unit, require_amount(cap), not_after_ns, nonce, ordered)
    unsigned = build(SignedQuote, *parts, _NO_SIGNATURE)
    signature = key.sign(unsigned.message(ledger_id))
    return Quote(ledger_id, build(SignedQuote, *parts, signature))
