"""MANDATE lets a payee meter against an account of the payer, up to caps; MANDATE_END ends that.

Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import cont, limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, AccountId, CardId, MandateId, PrincipalId, TimestampNs
from tallystick_ledger.records.base import (
    CONT_HASH_RANGE,
    BytesLike,
    Record,
    check_head,
    check_kind_and_flags,
    check_zero,
    require,
    require_id,
    require_nonce,
    require_u64,
    require_u128,
    u128,
    u128_bytes,
)
from tallystick_ledger.records.kinds import Group, Kind

# kind, flags, cont_count and reserved; account; payee; cap; cap each; expires_at_ns; hash; nonce
_MANDATE: Final = struct.Struct("<HHHH16s16s16s16sQ32s16s")
# kind, flags, cont_count and reserved; mandate; reserved and cont_hash; nonce
_END: Final = struct.Struct("<HHI16s88x16s")
_NO_CONT_HASH: Final = bytes(limits.HASH_BYTES)
_ANY: Final = CardId(NO_ID)


@dataclass(frozen=True, slots=True)
class Mandate(Record):
    """Permits a payee to METER against an account, without the payer's signature for each charge.

    Attributes:
        payer_account: Who pays; signed by its owner.
        payee: The principal that may meter.
        cap: Of all charges together, in the unit's smallest step.
        cap_each: Of each charge; at most `cap`.
        expires_at_ns: From when on it permits nothing.
        card: The only card that may price the charges; zero for any of the payee's.
    """

    KIND: ClassVar[Kind] = Kind.MANDATE
    GROUP: ClassVar[Group] = Group.METERING

    payer_account: AccountId
    payee: PrincipalId
    cap: int
    cap_each: int
    expires_at_ns: TimestampNs
    card: CardId = _ANY

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("payer_account", self.payer_account)
        require_id("payee", self.payee)
        require_id("card", self.card)
        require_u128("cap", self.cap)
        require_u128("cap_each", self.cap_each)
        require_u64("expires_at_ns", self.expires_at_ns)
        require(self.payee != NO_ID, Code.BAD_FIELD, "a mandate for nobody")
        require(self.cap > 0 and self.cap_each > 0, Code.ZERO_AMOUNT, "a cap of zero")
        require(self.cap_each <= self.cap, Code.BAD_FIELD, "one charge may exceed them all")

    @property
    def record_count(self) -> int:
        """The head, and a CONT with the card, if there is one."""
        return 1 if self.card == _ANY else 2

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, self.nonce_bytes)
        content = b"" if self.card == _ANY else self.card.ljust(limits.CONT_PAYLOAD_BYTES, b"\0")
        conts = cont.encode(content, nonce[limits.NONCE_BYTES :])
        head = _MANDATE.pack(
            Kind.MANDATE,
            0,
            self.record_count - 1,
            0,
            self.payer_account,
            self.payee,
            u128_bytes(self.cap),
            u128_bytes(self.cap_each),
            self.expires_at_ns,
            cont.cont_hash(conts) if conts else _NO_CONT_HASH,
            nonce[: limits.NONCE_BYTES],
        )
        return head + conts

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        head, content = cont.head_and_content(data)
        _, cont_count = check_kind_and_flags(cls, head)
        require(cont_count <= 1, Code.CONT_NOT_ALLOWED, f"MANDATE with {cont_count} CONTs")
        check_zero(head, ((6, 8),) if cont_count else ((6, 8), CONT_HASH_RANGE))
        check_zero(content, ((limits.ID_BYTES, len(content)),))
        card = CardId(content[: limits.ID_BYTES]) if cont_count else _ANY
        require(card != _ANY or not cont_count, Code.BAD_FIELD, "a CONT that names no card")
        _, _, _, _, payer, payee, cap, cap_each, expires, _, _ = _MANDATE.unpack(head)
        return cls(
            AccountId(payer),
            PrincipalId(payee),
            u128(cap),
            u128(cap_each),
            TimestampNs(expires),
            card,
        )


@dataclass(frozen=True, slots=True)
class MandateEnd(Record):
    """Ends a mandate. Signed by the payer or by the payee.

    Attributes:
        mandate: By the id that its MANDATE derived.
    """

    KIND: ClassVar[Kind] = Kind.MANDATE_END
    GROUP: ClassVar[Group] = Group.METERING

    mandate: MandateId

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("mandate", self.mandate)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _END.pack(Kind.MANDATE_END, 0, 0, self.mandate, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (24, 112)))
        return cls(MandateId(_END.unpack(data)[3]))
