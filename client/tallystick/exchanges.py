"""Exchange quotes: so much of one unit for so much of another, signed by a maker off the ledger.

    quote = make_exchange_quote(
        maker, client.ledger_id, stock, till, 100, 3, cap=50_000, valid_for_s=60
    )
    text = quote.hex()                          # to whoever may take it, by whatever way
    quote = ExchangeQuote.from_hex(text)        # the taker
    quote.verify()                              # before relying on it
    client.exchange(mine, wallet, 30, quote=quote)      # pays 30, gets quote.output_of(30) = 1,000

Both halves are one record: the ledger does both or neither. A quote may be taken many times, for up
to its cap in all; revoking the key that signed it ends it. It is 256 bytes; docs/format.md section
15 has the layout.
"""

import os
import struct
import time
from dataclasses import dataclass
from typing import Final

from tallystick.draft import build, require_amount
from tallystick.errors import InvalidArgument, InvalidQuote
from tallystick.keyfile import Signer
from tallystick_ledger import limits
from tallystick_ledger.ids import (
    NO_ID,
    AccountId,
    LedgerId,
    PrincipalId,
    QuoteId,
    Signature,
    TimestampNs,
)
from tallystick_ledger.keys import SigningKey, is_valid_signature
from tallystick_ledger.records import SignedExchange

MAGIC: Final = b"TSX1"
FORMAT_VERSION: Final = 1
_HEAD: Final = struct.Struct("<4sHH32s")  # magic, version, reserved; ledger
_NO_SIGNATURE: Final = Signature(bytes(limits.SIGNATURE_BYTES))
_NS_PER_S: Final = 1_000_000_000
_ANYONE: Final = PrincipalId(NO_ID)


@dataclass(frozen=True, slots=True)
class ExchangeQuote:
    """A signed exchange quote; making one checks its values, not its signature.

    Attributes:
        ledger_id: The ledger that it is for, 32 bytes.
        signed: What a record brings along: key, accounts, taker, amounts, end, signature.
    """

    ledger_id: LedgerId
    signed: SignedExchange

    @property
    def id(self) -> QuoteId:
        """16 bytes that name it in effects."""
        return self.signed.quote_id

    def verify(self) -> None:
        """Checks the signature by the very rule of the ledger, without asking it.

        That the key is the maker's, and still good, is another matter: only the ledger knows.

        Raises:
            InvalidQuote: The key that it names did not sign this.
        """
        signed = self.signed
        if not is_valid_signature(signed.key, signed.message(self.ledger_id), signed.signature):
            raise InvalidQuote(f"The key {signed.key.hex()} did not sign this quote.")

    def output_of(self, amount: int) -> int:
        """What the maker pays for an amount, as the ledger will compute it: rounded down.

        Raises:
            InvalidArgument: That is nothing.
        """
        output = self.signed.output_of(require_amount(amount))
        if output == 0:
            raise InvalidArgument("For so little the quote gives nothing.")
        return output

    def encode(self) -> bytes:
        """Returns its bytes."""
        head = _HEAD.pack(MAGIC, FORMAT_VERSION, 0, self.ledger_id)
        return head + self.signed.body + self.signed.signature

    def hex(self) -> str:
        """Returns its bytes as hexadecimal digits."""
        return self.encode().hex()

    @classmethod
    def decode(cls, data: bytes) -> "ExchangeQuote":
        """Reads what `encode` made. Its signature is not checked: `verify` does that.

        Raises:
            InvalidArgument: These bytes are no exchange quote.
        """
        if len(data) != limits.EXCHANGE_BYTES:
            raise InvalidArgument(f"{len(data)} bytes are no exchange quote.")
        magic, version, reserved, ledger = _HEAD.unpack_from(data)
        if (magic, version, reserved) != (MAGIC, FORMAT_VERSION, 0):
            raise InvalidArgument(
                "These bytes are no exchange quote of a version that is known here."
            )
        return cls(LedgerId(ledger), build(SignedExchange.of_body, data[_HEAD.size :]))

    @classmethod
    def from_hex(cls, text: str) -> "ExchangeQuote":
        """Reads what `hex` made; as `decode`.

        Raises:
            InvalidArgument: This text is no exchange quote.
        """
        try:
            data = bytes.fromhex(text.strip())
        except ValueError as error:
            raise InvalidArgument("An exchange quote is hexadecimal digits.") from error
        return cls.decode(data)


def make_exchange_quote(
    maker: Signer | SigningKey,
    ledger_id: LedgerId,
    give_account: AccountId,
    take_account: AccountId,
    give: int,
    take: int,
    *,
    cap: int,
    taker: PrincipalId = _ANYONE,
    valid_for_s: float | None = None,
    not_after_ns: TimestampNs | None = None,
) -> ExchangeQuote:
    """Signs an exchange quote: `give` for each `take`. No node is asked.

    Args:
        maker: A key of the maker of scope SPEND or OWNER; its limits count what is given.
        ledger_id: The ledger that it is for.
        give_account: The maker's account that pays.
        take_account: The maker's account that is paid, of another unit.
        give: In the smallest step of the unit that is given.
        take: In the smallest step of the unit that is taken.
        cap: How much is given in all.
        taker: The only principal that may take it; zero for anyone who learns of it.
        valid_for_s: Until when it may be taken, seconds from now; the ledger takes it from 400
            days before its end on.
        not_after_ns: The same as a time, nanoseconds since 1970; wins over `valid_for_s`.

    Raises:
        InvalidArgument: A value that no quote has, or neither end.
        TypeError: An amount is no int.
    """
    if not_after_ns is None:
        if valid_for_s is None:
            raise InvalidArgument("A quote has an end.", advice="Say valid_for_s.")
        not_after_ns = TimestampNs(time.time_ns() + int(valid_for_s * _NS_PER_S))
    key = maker.key if isinstance(maker, Signer) else maker
    parts = (
        key.public_key,
        give_account,
        take_account,
        taker,
        require_amount(give),
        require_amount(take),
        require_amount(cap),
        not_after_ns,
        os.urandom(limits.NONCE_BYTES),
    )
    unsigned = build(SignedExchange, *parts, _NO_SIGNATURE)
    signature = key.sign(unsigned.message(ledger_id))
    return ExchangeQuote(ledger_id, build(SignedExchange, *parts, signature))
