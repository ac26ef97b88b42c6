"""TICK, by which a node lets log time pass while nobody writes.

Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger.records.base import BytesLike, Record, check_head, require_nonce
from tallystick_ledger.records.kinds import Group, Kind

_TICK: Final = struct.Struct("<HHI104x16s")


@dataclass(frozen=True, slots=True)
class Tick(Record):
    """Changes nothing but log time. Signed by a node's ledger key."""

    KIND: ClassVar[Kind] = Kind.TICK
    GROUP: ClassVar[Group] = Group.SYSTEM

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _TICK.pack(Kind.TICK, 0, 0, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 112),))
        return cls()
