"""Records of corrections: REFUND gives back, DISPUTE asks for it, DISPUTE_ANSWER says how much.

REPRICE gives back what a record cost above its new price.

All of them cite a record by its sequence number; nothing that stands in the ledger is rewritten.
Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import cont, limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, CardId, NameId, SequenceNumber, TimestampNs
from tallystick_ledger.records.base import (
    CONT_HASH_RANGE,
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
from tallystick_ledger.records.kinds import CorrectionReason, Flags, Group, Kind
from tallystick_ledger.records.terms import ServedUsage

# kind, flags, cont_count, reason; cited; reserved; amount; reserved; reference; occurred_at_ns;
# cont_hash; nonce
_REFUND: Final = struct.Struct("<HHHHQ8x16s16x16sQ32x16s")
# kind, flags, cont_count, reason; cited; reserved; amount; reserved; deadline_ns; cont_hash; nonce
_DISPUTE: Final = struct.Struct("<HHHHQ8x16s32xQ32x16s")
# kind, flags, cont_count and reserved; cited; reserved; amount; reserved and cont_hash; nonce
_ANSWER: Final = struct.Struct("<HHIQ8x16s72x16s")
# kind, flags, cont_count, reserved; cited; reserved; amount; reserved; occurred_at_ns; cont_hash;
# nonce
_REPRICE: Final = struct.Struct("<HHH2xQ8x16s32xQ32s16s")
# card; model; the usage follows
_TERMS: Final = struct.Struct("<16s16s")
_MAX_BYTES: Final = _TERMS.size + ServedUsage.size_of(limits.MAX_USAGE_LINES)
MAX_REPRICE_CONTS: Final = -(-_MAX_BYTES // limits.CONT_PAYLOAD_BYTES)

_BESIDE_CITED: Final = (16, 24)


def _require_cited(cited: int) -> None:
    require_u64("cited", cited)
    require(cited > 0, Code.BAD_FIELD, "no record has sequence number 0")


@dataclass(frozen=True, slots=True)
class Refund(Record):
    """Gives back a part of what a record paid. Signed by its payee.

    Attributes:
        cited: Sequence number of that record.
        amount: 1 to 2**128 - 1, in the unit's smallest step; not above what is left of it.
        reason: Why.
        reference: The caller's own number, free; not 0 with `unique`.
        unique: Refuse it if the reference was used within the ledger's window.
        occurred_at_ns: When the reason for it arose; 0 for unknown.
    """

    KIND: ClassVar[Kind] = Kind.REFUND
    GROUP: ClassVar[Group] = Group.CORRECTION

    cited: SequenceNumber
    amount: int
    reason: CorrectionReason
    reference: int = 0
    unique: bool = False
    occurred_at_ns: TimestampNs = TimestampNs(0)  # noqa: RUF009 - a number

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_reference(self.unique, self.reference)
        _require_cited(self.cited)
        require_u128("amount", self.amount)
        require_u64("occurred_at_ns", self.occurred_at_ns)
        require(self.amount > 0, Code.ZERO_AMOUNT, "the amount is zero")

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _REFUND.pack(
            Kind.REFUND,
            Flags.UNIQUE if self.unique else 0,
            0,
            self.reason,
            self.cited,
            u128_bytes(self.amount),
            u128_bytes(self.reference),
            self.occurred_at_ns,
            nonce,
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        flags = check_head(cls, data, (_BESIDE_CITED, (40, 56), CONT_HASH_RANGE))
        _, _, _, reason, cited, amount, reference, occurred_at, _ = _REFUND.unpack(data)
        return cls(
            SequenceNumber(cited),
            u128(amount),
            enum_field(CorrectionReason, reason),
            u128(reference),
            unique=bool(flags & Flags.UNIQUE),
            occurred_at_ns=TimestampNs(occurred_at),
        )


@dataclass(frozen=True, slots=True)
class Dispute(Record):
    """Asks for a part of what a record paid. Signed by its payer; moves nothing.

    Attributes:
        cited: Sequence number of that record.
        amount: 1 to 2**128 - 1, in the unit's smallest step; not above what is left of it.
        reason: Why.
        deadline_ns: Until when the payee can answer; without an answer it is rejected then.
    """

    KIND: ClassVar[Kind] = Kind.DISPUTE
    GROUP: ClassVar[Group] = Group.CORRECTION

    cited: SequenceNumber
    amount: int
    reason: CorrectionReason
    deadline_ns: TimestampNs

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        _require_cited(self.cited)
        require_u128("amount", self.amount)
        require_u64("deadline_ns", self.deadline_ns)
        require(self.amount > 0, Code.ZERO_AMOUNT, "the amount is zero")

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        amount = u128_bytes(self.amount)
        return _DISPUTE.pack(
            Kind.DISPUTE, 0, 0, self.reason, self.cited, amount, self.deadline_ns, nonce
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, (_BESIDE_CITED, (40, 72), CONT_HASH_RANGE))
        _, _, _, reason, cited, amount, deadline, _ = _DISPUTE.unpack(data)
        return cls(
            SequenceNumber(cited),
            u128(amount),
            enum_field(CorrectionReason, reason),
            TimestampNs(deadline),
        )


@dataclass(frozen=True, slots=True)
class DisputeAnswer(Record):
    """Answers the dispute about a record. Signed by the record's payee.

    Attributes:
        cited: Sequence number of the disputed record.
        amount: What is given back, at most what is disputed; 0 rejects the dispute.
    """

    KIND: ClassVar[Kind] = Kind.DISPUTE_ANSWER
    GROUP: ClassVar[Group] = Group.CORRECTION

    cited: SequenceNumber
    amount: int = 0

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        _require_cited(self.cited)
        require_u128("amount", self.amount)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _ANSWER.pack(Kind.DISPUTE_ANSWER, 0, 0, self.cited, u128_bytes(self.amount), nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), _BESIDE_CITED, (40, 112)))
        _, _, _, cited, amount, _ = _ANSWER.unpack(data)
        return cls(SequenceNumber(cited), u128(amount))


@dataclass(frozen=True, slots=True)
class Reprice(Record):
    """Prices again what a record cost, and gives back what is above that. Signed by its payee.

    Attributes:
        cited: Sequence number of a CAPTURE or METER that a card or quote priced.
        amount: What the usage costs by the card, in the unit's smallest step; the ledger computes
            it again and refuses any other. 0 if it costs nothing.
        card: The published card that should have priced it; of the payee.
        model: A NAME that the card has lines for.
        usage: What was served; of a CAPTURE, since the one before.
        occurred_at_ns: When the reason for it arose; 0 for unknown.
    """

    KIND: ClassVar[Kind] = Kind.REPRICE
    GROUP: ClassVar[Group] = Group.CORRECTION

    cited: SequenceNumber
    amount: int
    card: CardId
    model: NameId
    usage: ServedUsage
    occurred_at_ns: TimestampNs = TimestampNs(0)  # noqa: RUF009 - a number

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("card", self.card)
        require_id("model", self.model)
        _require_cited(self.cited)
        require_u128("amount", self.amount)
        require_u64("occurred_at_ns", self.occurred_at_ns)

    @property
    def record_count(self) -> int:
        """The head, and the CONTs of card, model and usage."""
        return 1 + cont.cont_count(_TERMS.size + ServedUsage.size_of(len(self.usage.lines)))

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, self.nonce_bytes)
        content = _TERMS.pack(self.card, self.model) + self.usage.encode()
        count = self.record_count - 1
        padded = content.ljust(count * limits.CONT_PAYLOAD_BYTES, b"\0")
        conts = cont.encode(padded, nonce[limits.NONCE_BYTES :])
        head = _REPRICE.pack(
            Kind.REPRICE,
            0,
            count,
            self.cited,
            u128_bytes(self.amount),
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
        allowed = 1 <= cont_count <= MAX_REPRICE_CONTS
        require(allowed, Code.CONT_NOT_ALLOWED, f"REPRICE with {cont_count} CONTs")
        check_zero(head, ((6, 8), _BESIDE_CITED, (40, 72)))
        usage = ServedUsage.decode(content, _TERMS.size)
        return cls._read(head, _TERMS.unpack_from(content), usage)

    @classmethod
    def of_head(cls, head: BytesLike) -> Self:
        """Reads the head alone: card and model are zero, the usage is empty.

        Raises:
            RecordError: As `decode`, of what stands in the head.
        """
        return cls._read(head, (NO_ID, NO_ID), ServedUsage())

    @classmethod
    def _read(cls, head: BytesLike, terms: tuple[bytes, ...], usage: ServedUsage) -> Self:
        _, _, _, cited, amount, occurred_at, _, _ = _REPRICE.unpack(head)
        card, model = terms
        return cls(
            SequenceNumber(cited),
            u128(amount),
            CardId(card),
            NameId(model),
            usage,
            TimestampNs(occurred_at),
        )
