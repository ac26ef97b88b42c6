"""RECOVER announces a new OWNER key in place of all others, VETO takes that back.

RECOVER holds a proof that the new key is possessed, as KEY does; it fills the place of the nonce.
Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import PrincipalId, PublicKey, Signature, require_length
from tallystick_ledger.records.base import (
    BytesLike,
    Record,
    check_head,
    require,
    require_id,
    require_nonce,
    require_u64,
)
from tallystick_ledger.records.kinds import Group, Kind

# kind, flags, cont_count and reserved; key; possession; principal; delay_ns
_RECOVER: Final = struct.Struct("<HHI32s64s16sQ")
# kind, flags, cont_count and reserved; key; reserved and cont_hash; nonce
_VETO: Final = struct.Struct("<HHI32s72x16s")


@dataclass(frozen=True, slots=True)
class Recover(Record):
    """Begins a recovery: after a delay a new key takes the place of all OWNER keys.

    Signed by a RECOVERY key of the principal.

    Attributes:
        key: The new OWNER key.
        possession: Proof by `key` for `principal`.
        principal: The signer's principal.
        delay_ns: How long an OWNER key can veto, 72 h to 30 days.
    """

    KIND: ClassVar[Kind] = Kind.RECOVER
    GROUP: ClassVar[Group] = Group.REGISTRY

    key: PublicKey
    possession: Signature
    principal: PrincipalId
    delay_ns: int = limits.MIN_RECOVERY_NS

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_length("key", self.key, limits.KEY_BYTES)
        require_length("possession", self.possession, limits.SIGNATURE_BYTES)
        require_id("principal", self.principal)
        require_u64("delay_ns", self.delay_ns)
        is_bounded = limits.MIN_RECOVERY_NS <= self.delay_ns <= limits.MAX_RECOVERY_NS
        require(is_bounded, Code.BAD_FIELD, "a recovery takes 72 hours to 30 days")

    @property
    def nonce_bytes(self) -> int:
        """Zero: the proof of possession is in the nonce's place."""
        return 0

    def encode(self, nonce: bytes = b"") -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, 0)
        return _RECOVER.pack(
            Kind.RECOVER, 0, 0, self.key, self.possession, self.principal, self.delay_ns
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8),))
        _, _, _, key, possession, principal, delay_ns = _RECOVER.unpack(data)
        return cls(PublicKey(key), Signature(possession), PrincipalId(principal), delay_ns)


@dataclass(frozen=True, slots=True)
class Veto(Record):
    """Ends the pending recovery and revokes the key that began it. Signed by OWNER.

    Attributes:
        key: The key that was to become OWNER.
    """

    KIND: ClassVar[Kind] = Kind.VETO
    GROUP: ClassVar[Group] = Group.REGISTRY

    key: PublicKey

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_length("key", self.key, limits.KEY_BYTES)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _VETO.pack(Kind.VETO, 0, 0, self.key, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (40, 112)))
        _, _, _, key, _ = _VETO.unpack(data)
        return cls(PublicKey(key))
