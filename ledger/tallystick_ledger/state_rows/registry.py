"""Rows of the registry: principals, keys, names and units, and the ledger's own row."""

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Self

from tallystick_ledger.ids import (
    NameId,
    PrincipalId,
    PublicKey,
    SequenceNumber,
    TimestampNs,
    UnitId,
)
from tallystick_ledger.records.kinds import NameKind, PrincipalType, Scope
from tallystick_ledger.records.unit import decode_symbol, encode_symbol
from tallystick_ledger.state_rows.base import Row, Table

_LEDGER: Final = struct.Struct("<QQ")
_PRINCIPAL: Final = struct.Struct("<16sH6xQ")
_KEY: Final = struct.Struct("<32s16sHH4xQQQ")
_NAME: Final = struct.Struct("<16s16sHH4x32s")
_UNIT: Final = struct.Struct("<16s16s16sB7x")


class KeyStatus(IntEnum):
    """Whether a key may sign; its `until_ns` counts as well."""

    ACTIVE = 1
    REVOKED = 2


@dataclass(frozen=True, slots=True)
class LedgerRow(Row):
    """Where the ledger stands.

    Attributes:
        next_sequence: Sequence number of the next record.
        min_next_timestamp_ns: Smallest timestamp of the next block; 0 before the first.
    """

    TABLE: ClassVar[Table] = Table.LEDGER
    LAYOUT: ClassVar[struct.Struct] = _LEDGER

    next_sequence: SequenceNumber
    min_next_timestamp_ns: TimestampNs

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return b""

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _LEDGER.pack(self.next_sequence, self.min_next_timestamp_ns)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        next_sequence, timestamp = _LEDGER.unpack(data)
        return cls(SequenceNumber(next_sequence), TimestampNs(timestamp))


@dataclass(frozen=True, slots=True)
class PrincipalRow(Row):
    """Somebody who owns keys and accounts.

    Attributes:
        principal: Its id.
        principal_type: OPERATOR and NODE are those of the genesis.
        registered_at: Sequence number; 0 for genesis.
    """

    TABLE: ClassVar[Table] = Table.PRINCIPAL
    LAYOUT: ClassVar[struct.Struct] = _PRINCIPAL

    principal: PrincipalId
    principal_type: PrincipalType
    registered_at: SequenceNumber

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.principal

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _PRINCIPAL.pack(self.principal, self.principal_type, self.registered_at)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        principal, principal_type, registered_at = _PRINCIPAL.unpack(data)
        return cls(
            PrincipalId(principal), PrincipalType(principal_type), SequenceNumber(registered_at)
        )


@dataclass(frozen=True, slots=True)
class KeyRow(Row):
    """A key, which belongs to one principal for ever.

    Attributes:
        key: The public key.
        principal: Whose it is.
        scope: What it may sign.
        status: Active or revoked.
        registered_at: Sequence number; 0 for genesis.
        until_ns: End of its time; 0 for none.
        revoked_at: Sequence number; 0 if it is not.
    """

    TABLE: ClassVar[Table] = Table.KEY
    LAYOUT: ClassVar[struct.Struct] = _KEY

    key: PublicKey
    principal: PrincipalId
    scope: Scope
    status: KeyStatus
    registered_at: SequenceNumber
    until_ns: TimestampNs
    revoked_at: SequenceNumber

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.key

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _KEY.pack(
            self.key,
            self.principal,
            self.scope,
            self.status,
            self.registered_at,
            self.until_ns,
            self.revoked_at,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        key, principal, scope, status, registered_at, until_ns, revoked_at = _KEY.unpack(data)
        return cls(
            PublicKey(key),
            PrincipalId(principal),
            Scope(scope),
            KeyStatus(status),
            SequenceNumber(registered_at),
            TimestampNs(until_ns),
            SequenceNumber(revoked_at),
        )


@dataclass(frozen=True, slots=True)
class NameRow(Row):
    """A registered name; its text stands in the log.

    Attributes:
        name: Its id.
        owner: Who registered it.
        name_kind: What it is the name of.
        length: Bytes of the text.
        text_hash: SHA-256 of the text.
    """

    TABLE: ClassVar[Table] = Table.NAME
    LAYOUT: ClassVar[struct.Struct] = _NAME

    name: NameId
    owner: PrincipalId
    name_kind: NameKind
    length: int
    text_hash: bytes

    @classmethod
    def of_text(cls, name: NameId, owner: PrincipalId, name_kind: NameKind, text: str) -> Self:
        """Makes the row of a name."""
        raw = text.encode()
        return cls(name, owner, name_kind, len(raw), hashlib.sha256(raw).digest())

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.name

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _NAME.pack(self.name, self.owner, self.name_kind, self.length, self.text_hash)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        name, owner, name_kind, length, text_hash = _NAME.unpack(data)
        return cls(NameId(name), PrincipalId(owner), NameKind(name_kind), length, text_hash)


@dataclass(frozen=True, slots=True)
class UnitRow(Row):
    """What amounts are counted in.

    Attributes:
        unit: Its id, which is also that of its issuance account.
        issuer: Who may issue it.
        symbol: 1 to 16 characters.
        exponent: Decimal places.
    """

    TABLE: ClassVar[Table] = Table.UNIT
    LAYOUT: ClassVar[struct.Struct] = _UNIT

    unit: UnitId
    issuer: PrincipalId
    symbol: str
    exponent: int

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.unit

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _UNIT.pack(self.unit, self.issuer, encode_symbol(self.symbol), self.exponent)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        unit, issuer, symbol, exponent = _UNIT.unpack(data)
        return cls(UnitId(unit), PrincipalId(issuer), decode_symbol(symbol), exponent)
