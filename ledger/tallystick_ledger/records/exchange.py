"""Exchange quotes: so much of one unit for so much of another, signed by a maker off the ledger.

A TRANSFER that takes one brings it along in its CONTs, whole, each time: it pays the maker in one
unit, and the ledger pays the taker in the other. What is handed over before is the same with the
ledger's id: docs/format.md section 15.
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Final, Self

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    NO_ID,
    AccountId,
    LedgerId,
    PrincipalId,
    PublicKey,
    QuoteId,
    Signature,
    TimestampNs,
    require_length,
)
from tallystick_ledger.records.base import (
    check_zero,
    require,
    require_id,
    require_u64,
    require_u128,
    u128,
    u128_bytes,
)

EXCHANGE_DOMAIN: Final = b"tallystick/exchange/v1\0"
# maker's key; gives from; takes to; taker; gives; takes; cap; not_after_ns; nonce
_BODY: Final = struct.Struct("<32s16s16s16s16s16s16sQ16s")
# receiving account; output; the body and the signature of the quote follow
_HEAD: Final = struct.Struct("<16s16s")
_SIZE: Final = _HEAD.size + _BODY.size + limits.SIGNATURE_BYTES
EXCHANGE_CONTS: Final = -(-_SIZE // limits.CONT_PAYLOAD_BYTES)


@dataclass(frozen=True, slots=True)
class SignedExchange:
    """What a maker offers: `give` of one unit for each `take` of another.

    Attributes:
        key: An OWNER or SPEND key of the maker.
        give_account: The maker's account that it pays from; its unit is what it gives.
        take_account: The maker's account that it is paid to; its unit is what it takes.
        taker: The only principal that may take it; zero for anyone.
        give: In the smallest step of what it gives.
        take: In the smallest step of what it takes.
        cap: How much it gives in all.
        not_after_ns: Until when it may be taken.
        nonce: 16 bytes that make it another quote than one with the same content.
        signature: By `key`, over `message`.
    """

    key: PublicKey
    give_account: AccountId
    take_account: AccountId
    taker: PrincipalId
    give: int
    take: int
    cap: int
    not_after_ns: TimestampNs
    nonce: bytes
    signature: Signature

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_length("key", self.key, limits.KEY_BYTES)
        require_length("signature", self.signature, limits.SIGNATURE_BYTES)
        for name in ("give_account", "take_account", "taker", "nonce"):
            require_id(name, getattr(self, name))
        for name in ("give", "take", "cap"):
            require_u128(name, getattr(self, name))
        require_u64("not_after_ns", self.not_after_ns)
        are_amounts = self.give > 0 and self.take > 0 and self.cap > 0
        require(are_amounts, Code.ZERO_AMOUNT, "an exchange of nothing")

    @property
    def quote_id(self) -> QuoteId:
        """Its id: 16 bytes of a hash over everything but the signature."""
        return QuoteId(hashlib.sha256(EXCHANGE_DOMAIN + self.body).digest()[: limits.ID_BYTES])

    @property
    def body(self) -> bytes:
        """All of it but the signature."""
        return _BODY.pack(
            self.key,
            self.give_account,
            self.take_account,
            self.taker,
            u128_bytes(self.give),
            u128_bytes(self.take),
            u128_bytes(self.cap),
            self.not_after_ns,
            self.nonce,
        )

    def message(self, ledger_id: LedgerId) -> bytes:
        """What is signed: the domain prefix, the ledger's id, and `body`."""
        return EXCHANGE_DOMAIN + ledger_id + self.body

    def is_for(self, principal: PrincipalId) -> bool:
        """Whether a principal may take it."""
        return self.taker in (NO_ID, principal)

    def output_of(self, amount: int) -> int:
        """What it gives for an amount: never more than the exact ratio."""
        return amount * self.give // self.take

    @classmethod
    def of_body(cls, data: bytes) -> Self:
        """Reads `body` and the signature behind it; raises what `Record.decode` lists."""
        body, signature = data[: _BODY.size], data[_BODY.size :]
        key, give_account, take_account, taker, *rest = _BODY.unpack(body)
        give, take, cap, not_after, nonce = rest
        return cls(
            PublicKey(key),
            AccountId(give_account),
            AccountId(take_account),
            PrincipalId(taker),
            u128(give),
            u128(take),
            u128(cap),
            TimestampNs(not_after),
            nonce,
            Signature(signature),
        )


@dataclass(frozen=True, slots=True)
class Exchange:
    """The other half of a TRANSFER that takes an exchange quote.

    Attributes:
        receiving_account: The taker's account that the maker pays to.
        output: What the maker pays; the ledger computes it again and refuses any other.
        quote: What the maker has signed.
    """

    receiving_account: AccountId
    output: int
    quote: SignedExchange

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("receiving_account", self.receiving_account)
        require_u128("output", self.output)
        require(self.output > 0, Code.ZERO_AMOUNT, "an output of zero")

    def encode(self) -> bytes:
        """Returns the content of the CONTs, without its padding."""
        head = _HEAD.pack(self.receiving_account, u128_bytes(self.output))
        return head + self.quote.body + self.quote.signature

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Reads the payloads of 3 CONTs; raises what `Record.decode` lists."""
        check_zero(content, ((_SIZE, len(content)),))
        receiving, output = _HEAD.unpack_from(content)
        quote = SignedExchange.of_body(content[_HEAD.size : _SIZE])
        return cls(AccountId(receiving), u128(output), quote)
