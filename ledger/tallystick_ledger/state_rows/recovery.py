"""Rows of recoveries that are pending: which key is to become OWNER, and when."""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger.ids import PrincipalId, PublicKey, SequenceNumber, TimestampNs
from tallystick_ledger.state_rows.base import Row, Table

_RECOVERY: Final = struct.Struct("<16s32s32sQQ")


@dataclass(frozen=True, slots=True)
class RecoveryRow(Row):
    """A recovery that waits for its time, or for a veto.

    Attributes:
        principal: Whose OWNER keys are to be replaced.
        key: The key that is to become OWNER.
        recovery_key: The RECOVERY key that began it.
        begun_at: Sequence number of its RECOVER.
        due_ns: When it takes effect; until before that it can be vetoed.
    """

    TABLE: ClassVar[Table] = Table.RECOVERY
    LAYOUT: ClassVar[struct.Struct] = _RECOVERY

    principal: PrincipalId
    key: PublicKey
    recovery_key: PublicKey
    begun_at: SequenceNumber
    due_ns: TimestampNs

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.principal

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _RECOVERY.pack(
            self.principal, self.key, self.recovery_key, self.begun_at, self.due_ns
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        principal, key, recovery_key, begun_at, due_ns = _RECOVERY.unpack(data)
        return cls(
            PrincipalId(principal),
            PublicKey(key),
            PublicKey(recovery_key),
            SequenceNumber(begun_at),
            TimestampNs(due_ns),
        )
