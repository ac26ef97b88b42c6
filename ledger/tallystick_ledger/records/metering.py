"""Records of metering: RESERVE pins money, EXTEND adds to it, CAPTURE bills it, RELEASE frees it.

A hold is FLAT, or priced by a card: its RESERVE then has `terms` in CONTs, its CAPTUREs `usage`.

Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import cont, limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, AccountId, HoldId, TimestampNs
from tallystick_ledger.records.base import (
    BytesLike,
    Record,
    check_head,
    check_kind_and_flags,
    check_zero,
    enum_field,
    require,
    require_id,
    require_nonce,
    require_reference,
    require_u64,
    require_u128,
    u128,
    u128_bytes,
)
from tallystick_ledger.records.kinds import CaptureSource, Flags, Group, Kind, ReserveMode
from tallystick_ledger.records.quote import MAX_QUOTE_CONTS, SignedQuote, decode_named
from tallystick_ledger.records.terms import (
    MAX_USAGE_CONTS,
    TERMS_CONTS,
    CardTerms,
    ServedUsage,
)

# kind, flags, cont_count, mode; payer; payee; maximum; reference; expires_at_ns; cont_hash; nonce
_RESERVE: Final = struct.Struct("<HHHH16s16s16s16sQ32s16s")
# kind, flags, cont_count and reserved; hold; amount; reserved; expires_at_ns; cont_hash; nonce
_EXTEND: Final = struct.Struct("<HHI16s16s32xQ32x16s")
# kind, flags, cont_count, source; hold; amount; reserved; occurred_at_ns; cont_hash; nonce
_CAPTURE: Final = struct.Struct("<HHHH16s16s32xQ32s16s")
# kind, flags, cont_count and reserved; hold; reserved and cont_hash; nonce
_RELEASE: Final = struct.Struct("<HHI16s88x16s")

_CONT_HASH: Final = (80, 112)
_NO_CONT_HASH: Final = bytes(limits.HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Reserve(Record):
    """Pins up to `maximum` of the payer's money for the payee, until the expiry.

    Attributes:
        payer_account: Whose money is pinned; signed by its owner.
        payee_account: Who may capture it.
        maximum: 1 to 2**128 - 1, in the unit's smallest step.
        expires_at_ns: When the rest goes back by itself.
        reference: The caller's own number, free; not 0 with `unique`.
        unique: Refuse it if the reference was used within the ledger's window.
        terms: What it is priced by; None for FLAT, where the payee names amounts.
        quote: The quote that the terms name, the first time that it is redeemed.
    """

    KIND: ClassVar[Kind] = Kind.RESERVE
    GROUP: ClassVar[Group] = Group.METERING

    payer_account: AccountId
    payee_account: AccountId
    maximum: int
    expires_at_ns: TimestampNs
    reference: int = 0
    unique: bool = False
    terms: CardTerms | None = None
    quote: SignedQuote | None = None

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("payer_account", self.payer_account)
        require_id("payee_account", self.payee_account)
        require_u128("maximum", self.maximum)
        require_u64("expires_at_ns", self.expires_at_ns)
        require_reference(self.unique, self.reference)
        require(self.maximum > 0, Code.ZERO_AMOUNT, "the maximum is zero")
        require(
            self.payer_account != self.payee_account,
            Code.SELF_TRANSFER,
            "payer and payee are one account",
        )

    @property
    def mode(self) -> ReserveMode:
        """How it is priced."""
        if self.terms is None:
            return ReserveMode.FLAT
        return ReserveMode.CARD if self.terms.quote == NO_ID else ReserveMode.QUOTE

    @property
    def record_count(self) -> int:
        """The head, and the CONTs of its terms and quote."""
        quote = 0 if self.quote is None else self.quote.cont_count
        return 1 if self.terms is None else 1 + TERMS_CONTS + quote

    @property
    def _content(self) -> bytes | None:
        """Of the CONTs: the terms, and the quote from the next CONT on."""
        if self.terms is None:
            return None
        terms = self.terms.encode().ljust(TERMS_CONTS * limits.CONT_PAYLOAD_BYTES, b"\0")
        return terms if self.quote is None else terms + self.quote.encode()

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, self.nonce_bytes)
        conts = _padded_conts(self._content, self.record_count - 1, nonce)
        head = _RESERVE.pack(
            Kind.RESERVE,
            Flags.UNIQUE if self.unique else 0,
            len(conts) // limits.RECORD_BYTES,
            self.mode,
            self.payer_account,
            self.payee_account,
            u128_bytes(self.maximum),
            u128_bytes(self.reference),
            self.expires_at_ns,
            cont.cont_hash(conts) if conts else _NO_CONT_HASH,
            nonce[: limits.NONCE_BYTES],
        )
        return head + conts

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        head, content = cont.head_and_content(data)
        flags, cont_count = check_kind_and_flags(cls, head)
        _, _, _, mode, payer, payee, maximum, reference, expires, _, _ = _RESERVE.unpack(head)
        is_quote = mode == ReserveMode.QUOTE
        fewest = TERMS_CONTS if mode in (ReserveMode.CARD, ReserveMode.QUOTE) else 0
        most = fewest + (MAX_QUOTE_CONTS if is_quote else 0)
        allowed = fewest <= cont_count <= most
        require(allowed, Code.CONT_NOT_ALLOWED, f"RESERVE with {cont_count} CONTs")
        check_zero(head, () if cont_count else (_CONT_HASH,))
        enum_field(ReserveMode, mode)
        terms_end = TERMS_CONTS * limits.CONT_PAYLOAD_BYTES
        terms = CardTerms.decode(content[:terms_end], is_quote=is_quote) if cont_count else None
        quote = decode_named(content[terms_end:], NO_ID if terms is None else terms.quote)
        return cls(
            AccountId(payer),
            AccountId(payee),
            u128(maximum),
            TimestampNs(expires),
            u128(reference),
            unique=bool(flags & Flags.UNIQUE),
            terms=terms,
            quote=quote,
        )


@dataclass(frozen=True, slots=True)
class Extend(Record):
    """Raises a hold's maximum, puts its expiry off, or both. Signed by the payer.

    Attributes:
        hold: The hold, by the id that its RESERVE derived.
        additional: What the maximum grows by, in the unit's smallest step; may be 0.
        expires_at_ns: The new expiry; 0 leaves it as it is.
    """

    KIND: ClassVar[Kind] = Kind.EXTEND
    GROUP: ClassVar[Group] = Group.METERING

    hold: HoldId
    additional: int = 0
    expires_at_ns: TimestampNs = TimestampNs(0)  # noqa: RUF009 - a number

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("hold", self.hold)
        require_u128("additional", self.additional)
        require_u64("expires_at_ns", self.expires_at_ns)
        require(
            self.additional > 0 or self.expires_at_ns > 0,
            Code.BAD_FIELD,
            "neither an amount nor an expiry",
        )

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        amount = u128_bytes(self.additional)
        return _EXTEND.pack(Kind.EXTEND, 0, 0, self.hold, amount, self.expires_at_ns, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (40, 72), _CONT_HASH))
        _, _, _, hold, additional, expires, _ = _EXTEND.unpack(data)
        return cls(HoldId(hold), u128(additional), TimestampNs(expires))


@dataclass(frozen=True, slots=True)
class Capture(Record):
    """Bills a hold up to `amount` in all. Signed by the payee.

    Attributes:
        hold: The hold, by the id that its RESERVE derived.
        amount: Cumulative: what the hold pays so far, earlier captures included.
        source: Who counted.
        final: Ends the hold and frees its rest; alone may have amount 0.
        occurred_at_ns: When the usage was; 0 for unknown.
        usage: What the amount is for, so far in all; None for a FLAT hold.
    """

    KIND: ClassVar[Kind] = Kind.CAPTURE
    GROUP: ClassVar[Group] = Group.METERING

    hold: HoldId
    amount: int
    source: CaptureSource
    final: bool = False
    occurred_at_ns: TimestampNs = TimestampNs(0)  # noqa: RUF009 - a number
    usage: ServedUsage | None = None

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("hold", self.hold)
        require_u128("amount", self.amount)
        require_u64("occurred_at_ns", self.occurred_at_ns)
        require(self.amount > 0 or self.final, Code.ZERO_AMOUNT, "only FINAL may capture nothing")

    @property
    def record_count(self) -> int:
        """The head, and the CONTs of its usage."""
        return 1 if self.usage is None else 1 + self.usage.cont_count

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, self.nonce_bytes)
        usage = None if self.usage is None else self.usage.encode()
        conts = _padded_conts(usage, self.record_count - 1, nonce)
        head = _CAPTURE.pack(
            Kind.CAPTURE,
            Flags.FINAL if self.final else 0,
            len(conts) // limits.RECORD_BYTES,
            self.source,
            self.hold,
            u128_bytes(self.amount),
            self.occurred_at_ns,
            cont.cont_hash(conts) if conts else _NO_CONT_HASH,
            nonce[: limits.NONCE_BYTES],
        )
        return head + conts

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        head, content = cont.head_and_content(data)
        flags, cont_count = check_kind_and_flags(cls, head)
        allowed = cont_count <= MAX_USAGE_CONTS
        require(allowed, Code.CONT_NOT_ALLOWED, f"CAPTURE with {cont_count} CONTs")
        check_zero(head, ((40, 72),) if cont_count else ((40, 72), _CONT_HASH))
        _, _, _, source, hold, amount, occurred_at, _, _ = _CAPTURE.unpack(head)
        usage = ServedUsage.decode(content) if cont_count else None
        return cls(
            HoldId(hold),
            u128(amount),
            enum_field(CaptureSource, source),
            final=bool(flags & Flags.FINAL),
            occurred_at_ns=TimestampNs(occurred_at),
            usage=usage,
        )


@dataclass(frozen=True, slots=True)
class Release(Record):
    """Ends a hold and frees its rest. Signed by the payee.

    Attributes:
        hold: The hold, by the id that its RESERVE derived.
    """

    KIND: ClassVar[Kind] = Kind.RELEASE
    GROUP: ClassVar[Group] = Group.METERING

    hold: HoldId

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("hold", self.hold)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _RELEASE.pack(Kind.RELEASE, 0, 0, self.hold, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (24, 112)))
        return cls(HoldId(_RELEASE.unpack(data)[3]))


def without_conts(head: BytesLike) -> bytes:
    """Returns the head of a RESERVE or CAPTURE as if it were FLAT.

    Args:
        head: 128 bytes.
    """
    flat = bytearray(head)
    flat[4:6] = bytes(2)
    if int.from_bytes(flat[:2], "little") == Kind.RESERVE:
        flat[6:8] = ReserveMode.FLAT.to_bytes(2, "little")
    flat[80:112] = _NO_CONT_HASH
    return bytes(flat)


def _padded_conts(content: bytes | None, count: int, nonce: bytes) -> bytes:
    """Returns so many CONTs with the content; none without any."""
    if content is None:
        return b""
    padded = content.ljust(count * limits.CONT_PAYLOAD_BYTES, b"\0")
    return cont.encode(padded, nonce[limits.NONCE_BYTES :])
