"""METER prices a usage by a published card and pays for it, in one step and without a hold.

Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import cont, limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, AccountId, CardId, MandateId, NameId, TimestampNs
from tallystick_ledger.records.base import (
    BytesLike,
    Record,
    check_kind_and_flags,
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
from tallystick_ledger.records.kinds import CaptureSource, Flags, Group, Kind
from tallystick_ledger.records.quote import MAX_QUOTE_CONTS, SignedQuote, decode_named
from tallystick_ledger.records.terms import ServedUsage

# kind, flags, cont_count, source, what prices it; payer; payee; amount; reference; occurred_at_ns;
# cont_hash; nonce
_METER: Final = struct.Struct("<HHHBB16s16s16s16sQ32s16s")
# card; model; mandate; end user; the usage follows
_TERMS: Final = struct.Struct("<16s16s16s16s")
_PRICED_BY: Final = 7
_BY_QUOTE: Final = 1
_MAX_BYTES: Final = _TERMS.size + ServedUsage.size_of(limits.MAX_USAGE_LINES)
MAX_METER_CONTS: Final = -(-_MAX_BYTES // limits.CONT_PAYLOAD_BYTES)


@dataclass(frozen=True, slots=True)
class Meter(Record):
    """Pays what a usage costs. Signed by the payer, or by the payee under a mandate.

    Attributes:
        payer_account: Who pays; signed by its owner, or under its mandate.
        payee_account: Who is paid: an account of the card's owner.
        amount: What the usage costs by the card, in the unit's smallest step; the ledger computes
            it again and refuses any other.
        card: A published card in force, or the quote that prices it.
        model: A NAME that the card has lines for.
        usage: What was served, and how much of each meter.
        source: Who counted.
        reference: The caller's own number, free; not 0 with `unique`.
        unique: Refuse it if the reference was used within the ledger's window.
        occurred_at_ns: When the usage was; 0 for unknown.
        end_user: A salted tag of whom it was for; zero for none.
        mandate: By which the payee may sign; zero where the payer does.
        by_quote: Whether a quote prices it.
        quote: That quote, the first time that it is redeemed.
    """

    KIND: ClassVar[Kind] = Kind.METER
    GROUP: ClassVar[Group] = Group.METERING

    payer_account: AccountId
    payee_account: AccountId
    amount: int
    card: CardId
    model: NameId
    usage: ServedUsage
    source: CaptureSource = CaptureSource.PROVIDER_REPORTED
    reference: int = 0
    unique: bool = False
    occurred_at_ns: TimestampNs = TimestampNs(0)  # noqa: RUF009 - a number
    end_user: bytes = NO_ID
    mandate: MandateId = MandateId(NO_ID)  # noqa: RUF009 - a constant
    by_quote: bool = False
    quote: SignedQuote | None = None

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        for name in ("payer_account", "payee_account", "card", "model", "end_user", "mandate"):
            require_id(name, getattr(self, name))
        require_u128("amount", self.amount)
        require_u64("occurred_at_ns", self.occurred_at_ns)
        require_reference(self.unique, self.reference)
        require(self.amount > 0, Code.ZERO_AMOUNT, "the amount is zero")
        require(
            self.payer_account != self.payee_account,
            Code.SELF_TRANSFER,
            "payer and payee are one account",
        )

    @property
    def record_count(self) -> int:
        """The head, and the CONTs of terms, usage and quote."""
        return 1 + self._usage_conts + (0 if self.quote is None else self.quote.cont_count)

    @property
    def _usage_conts(self) -> int:
        return cont.cont_count(_TERMS.size + ServedUsage.size_of(len(self.usage.lines)))

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, self.nonce_bytes)
        terms = _TERMS.pack(self.card, self.model, self.mandate, self.end_user)
        content = terms + self.usage.encode()
        if self.quote is not None:
            content = content.ljust(self._usage_conts * limits.CONT_PAYLOAD_BYTES, b"\0")
            content += self.quote.encode()
        count = self.record_count - 1
        padded = content.ljust(count * limits.CONT_PAYLOAD_BYTES, b"\0")
        conts = cont.encode(padded, nonce[limits.NONCE_BYTES :])
        head = _METER.pack(
            Kind.METER,
            Flags.UNIQUE if self.unique else 0,
            count,
            self.source,
            int(self.by_quote),
            self.payer_account,
            self.payee_account,
            u128_bytes(self.amount),
            u128_bytes(self.reference),
            self.occurred_at_ns,
            cont.cont_hash(conts),
            nonce[: limits.NONCE_BYTES],
        )
        return head + conts

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        head, content = cont.head_and_content(data)
        _, cont_count = check_kind_and_flags(cls, head)
        by_quote = head[_PRICED_BY] == _BY_QUOTE
        most = MAX_METER_CONTS + (MAX_QUOTE_CONTS if by_quote else 0)
        allowed = 1 <= cont_count <= most
        require(allowed, Code.CONT_NOT_ALLOWED, f"METER with {cont_count} CONTs")
        end = len(content)
        if by_quote:
            end = ServedUsage.conts_end(content, _TERMS.size)
        usage = ServedUsage.decode(content[:end], _TERMS.size)
        require(head[_PRICED_BY] <= _BY_QUOTE, Code.BAD_FIELD, "priced by nothing known")
        quote = decode_named(content[end:], content[: limits.ID_BYTES])
        return cls._read(head, _TERMS.unpack_from(content), usage, quote)

    @classmethod
    def of_head(cls, head: BytesLike) -> Self:
        """Reads the head alone: card, model and mandate are zero, the usage is empty.

        Raises:
            RecordError: As `decode`, of what stands in the head.
        """
        return cls._read(head, (NO_ID, NO_ID, NO_ID, NO_ID), ServedUsage())

    @classmethod
    def _read(
        cls,
        head: BytesLike,
        terms: tuple[bytes, ...],
        usage: ServedUsage,
        quote: SignedQuote | None = None,
    ) -> Self:
        _, flags, _, source, by_quote, payer, payee, *rest = _METER.unpack(head)
        amount, reference, occurred, _, _ = rest
        card, model, mandate, end_user = terms
        return cls(
            AccountId(payer),
            AccountId(payee),
            u128(amount),
            CardId(card),
            NameId(model),
            usage,
            enum_field(CaptureSource, source),
            u128(reference),
            unique=bool(flags & Flags.UNIQUE),
            occurred_at_ns=TimestampNs(occurred),
            end_user=end_user,
            mandate=MandateId(mandate),
            by_quote=by_quote == _BY_QUOTE,
            quote=quote,
        )
