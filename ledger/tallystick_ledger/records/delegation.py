"""DELEGATE puts a key under another, KILL revokes a key with all that is under it.

Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_KEY, PublicKey, require_length
from tallystick_ledger.records.base import BytesLike, Record, check_head, require, require_nonce
from tallystick_ledger.records.kinds import Group, Kind

# kind, flags, cont_count and reserved; key; parent; reserved and cont_hash; nonce
_DELEGATE: Final = struct.Struct("<HHI32s32s40x16s")
# kind, flags, cont_count and reserved; key; reserved and cont_hash; nonce
_KILL: Final = struct.Struct("<HHI32s72x16s")


@dataclass(frozen=True, slots=True)
class Delegate(Record):
    """Puts a SPEND key under another: what it spends counts for both. Signed by OWNER or SPEND.

    Attributes:
        key: The agent's key.
        parent: The key above it; zero: none any more.
    """

    KIND: ClassVar[Kind] = Kind.DELEGATE
    GROUP: ClassVar[Group] = Group.LIMITS

    key: PublicKey
    parent: PublicKey = NO_KEY

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_length("key", self.key, limits.KEY_BYTES)
        require_length("parent", self.parent, limits.KEY_BYTES)
        require(self.key != self.parent, Code.BAD_FIELD, "a key under itself")

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _DELEGATE.pack(Kind.DELEGATE, 0, 0, self.key, self.parent, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (72, 112)))
        _, _, _, key, parent, _ = _DELEGATE.unpack(data)
        return cls(PublicKey(key), PublicKey(parent))


@dataclass(frozen=True, slots=True)
class Kill(Record):
    """Revokes a SPEND key and all keys under it at once. Signed by OWNER or a SPEND key above.

    Attributes:
        key: The key.
    """

    KIND: ClassVar[Kind] = Kind.KILL
    GROUP: ClassVar[Group] = Group.LIMITS

    key: PublicKey

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_length("key", self.key, limits.KEY_BYTES)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _KILL.pack(Kind.KILL, 0, 0, self.key, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (40, 112)))
        _, _, _, key, _ = _KILL.unpack(data)
        return cls(PublicKey(key))
