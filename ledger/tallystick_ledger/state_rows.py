"""The rows of the state: what a ledger knows after a block, and what its digest covers.

Each table has a frozen dataclass with its content's bytes (`encode`, `decode`), its table number
and its key as bytes. `digest` is over rows ordered by table, then key; integer keys compare as
numbers, so `key_bytes` gives those big-endian. Source: docs/format.md section 10.
"""

import hashlib
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import ClassVar, Final, Self

from tallystick_ledger.errors import RowError
from tallystick_ledger.ids import (
    AccountId,
    Amount,
    EnvelopeId,
    HoldId,
    LedgerId,
    NameId,
    PrincipalId,
    PublicKey,
    SequenceNumber,
    TimestampNs,
    UnitId,
)
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.records.kinds import Group, NameKind, PrincipalType, Scope
from tallystick_ledger.records.unit import decode_symbol, encode_symbol

STATE_DOMAIN: Final = b"tallystick/state/v1\0"

_ROW_PREFIX: Final = struct.Struct("<HHI")
_LEDGER: Final = struct.Struct("<QQ")
_PRINCIPAL: Final = struct.Struct("<16sH6xQ")
_KEY: Final = struct.Struct("<32s16sHH4xQQQ")
_NAME: Final = struct.Struct("<16s16sHH4x32s")
_UNIT: Final = struct.Struct("<16s16s16sB7x")
_ACCOUNT: Final = struct.Struct("<16s16s16sH6x16s16s16s16s16s")
_HOLD: Final = struct.Struct("<16s16s16s16s16sQH6xQ")
_LIVE_ID: Final = struct.Struct("<Q16s16s32sQI4x")
_REFERENCE: Final = struct.Struct("<Q16sH6x16sQ")


class Table(IntEnum):
    """Numbers of the tables, in the order of the digest."""

    LEDGER = 1
    PRINCIPAL = 2
    KEY = 3
    NAME = 4
    UNIT = 5
    ACCOUNT = 6
    HOLD = 7
    LIVE_ID = 8
    REFERENCE = 9


class KeyStatus(IntEnum):
    """Whether a key may sign; its `until_ns` counts as well."""

    ACTIVE = 1
    REVOKED = 2


class AccountFlags(IntFlag):
    """What an account is."""

    NONE = 0
    ISSUANCE = 1
    FROZEN = 2
    CLOSED = 4


class HoldStatus(IntEnum):
    """Where a hold is in its life. All but OPEN are ends."""

    OPEN = 1
    CAPTURED = 2
    RELEASED = 3
    EXPIRED = 4


class Row(ABC):
    """A row of one of the tables."""

    __slots__ = ()

    TABLE: ClassVar[Table]
    LAYOUT: ClassVar[struct.Struct]

    @abstractmethod
    def key_bytes(self) -> bytes:
        """Returns the key, as bytes that compare in the order of the table."""

    @abstractmethod
    def encode(self) -> bytes:
        """Returns the row's content."""

    @classmethod
    @abstractmethod
    def _read(cls, data: bytes) -> Self:
        """Reads content of the right length; a ValueError means that it is no row."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Reads a row's content.

        Raises:
            RowError: It is none of this table.
        """
        if len(data) != cls.LAYOUT.size:
            raise RowError(f"a {cls.__name__} has {cls.LAYOUT.size} bytes, not {len(data)}")
        try:
            row = cls._read(data)
        except ValueError as error:
            raise RowError(f"no {cls.__name__}: {error}") from error
        if row.encode() != data:
            raise RowError(f"reserved bytes of a {cls.__name__} are not zero")
        return row


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


@dataclass(frozen=True, slots=True)
class AccountRow(Row):
    """An account and its four columns, in the unit's smallest step.

    Attributes:
        account: Its id.
        owner: The principal that owns it.
        unit: What it counts in.
        flags: Issuance, frozen, closed.
        credit_limit: How far it may go below zero.
        debits_pending: Pinned by open holds that it pays.
        debits_posted: Paid, ever.
        credits_pending: Promised by open holds that pay it.
        credits_posted: Received, ever.
    """

    TABLE: ClassVar[Table] = Table.ACCOUNT
    LAYOUT: ClassVar[struct.Struct] = _ACCOUNT

    account: AccountId
    owner: PrincipalId
    unit: UnitId
    flags: AccountFlags = AccountFlags.NONE
    credit_limit: Amount = Amount(0)  # noqa: RUF009 - a number, as the next four
    debits_pending: Amount = Amount(0)  # noqa: RUF009
    debits_posted: Amount = Amount(0)  # noqa: RUF009
    credits_pending: Amount = Amount(0)  # noqa: RUF009
    credits_posted: Amount = Amount(0)  # noqa: RUF009

    @property
    def balance(self) -> int:
        """What it has received less what it has paid: below zero where it is in debt."""
        return self.credits_posted - self.debits_posted

    @property
    def available(self) -> int:
        """What it can spend now: money on hold counts as spent. Below zero for issuance only."""
        return self.balance + self.credit_limit - self.debits_pending

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.account

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _ACCOUNT.pack(
            self.account,
            self.owner,
            self.unit,
            self.flags,
            u128_bytes(self.credit_limit),
            u128_bytes(self.debits_pending),
            u128_bytes(self.debits_posted),
            u128_bytes(self.credits_pending),
            u128_bytes(self.credits_posted),
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        account, owner, unit, flags, *columns = _ACCOUNT.unpack(data)
        if flags & ~(AccountFlags.ISSUANCE | AccountFlags.FROZEN | AccountFlags.CLOSED):
            raise RowError(f"flags {flags:#x}")
        return cls(
            AccountId(account),
            PrincipalId(owner),
            UnitId(unit),
            AccountFlags(flags),
            *(Amount(u128(column)) for column in columns),
        )


@dataclass(frozen=True, slots=True)
class HoldRow(Row):
    """Money pinned for a payee.

    Attributes:
        hold: Its id.
        payer_account: Whose money it is.
        payee_account: Who may capture it.
        maximum: What is pinned at most.
        captured: What it has paid so far.
        expires_at_ns: When the rest goes back by itself.
        status: Open, or how it ended.
        ended_at_ns: When; 0 while open.
    """

    TABLE: ClassVar[Table] = Table.HOLD
    LAYOUT: ClassVar[struct.Struct] = _HOLD

    hold: HoldId
    payer_account: AccountId
    payee_account: AccountId
    maximum: Amount
    captured: Amount
    expires_at_ns: TimestampNs
    status: HoldStatus
    ended_at_ns: TimestampNs

    @property
    def is_open(self) -> bool:
        """Whether it can still pay, as far as its status says."""
        return self.status is HoldStatus.OPEN

    @property
    def rest(self) -> int:
        """What it can still pay while it is open; what it freed when it ended."""
        return self.maximum - self.captured

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.hold

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _HOLD.pack(
            self.hold,
            self.payer_account,
            self.payee_account,
            u128_bytes(self.maximum),
            u128_bytes(self.captured),
            self.expires_at_ns,
            self.status,
            self.ended_at_ns,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        hold, payer, payee, maximum, captured, expires_at, status, ended_at = _HOLD.unpack(data)
        return cls(
            HoldId(hold),
            AccountId(payer),
            AccountId(payee),
            Amount(u128(maximum)),
            Amount(u128(captured)),
            TimestampNs(expires_at),
            HoldStatus(status),
            TimestampNs(ended_at),
        )


@dataclass(frozen=True, slots=True)
class LiveIdRow(Row):
    """An envelope id that is used up, for as long as it could come again.

    Attributes:
        first_sequence: Sequence number of the envelope's first record.
        principal: Whose key signed it.
        envelope_id: The id.
        header_digest: SHA-256 of the header: tells the same envelope from another.
        block_timestamp_ns: When it was ordered.
        record_count: Records of the envelope.
    """

    TABLE: ClassVar[Table] = Table.LIVE_ID
    LAYOUT: ClassVar[struct.Struct] = _LIVE_ID

    first_sequence: SequenceNumber
    principal: PrincipalId
    envelope_id: EnvelopeId
    header_digest: bytes
    block_timestamp_ns: TimestampNs
    record_count: int

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.first_sequence.to_bytes(8, "big")

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _LIVE_ID.pack(
            self.first_sequence,
            self.principal,
            self.envelope_id,
            self.header_digest,
            self.block_timestamp_ns,
            self.record_count,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        first, principal, envelope_id, digest, timestamp, count = _LIVE_ID.unpack(data)
        return cls(
            SequenceNumber(first),
            PrincipalId(principal),
            EnvelopeId(envelope_id),
            digest,
            TimestampNs(timestamp),
            count,
        )


@dataclass(frozen=True, slots=True)
class ReferenceRow(Row):
    """A UNIQUE reference that was used.

    Attributes:
        sequence_number: Of the record that used it.
        principal: Who signed that.
        group: References are unique per principal and group.
        reference: The number, not 0.
        timestamp_ns: Of the record.
    """

    TABLE: ClassVar[Table] = Table.REFERENCE
    LAYOUT: ClassVar[struct.Struct] = _REFERENCE

    sequence_number: SequenceNumber
    principal: PrincipalId
    group: Group
    reference: int
    timestamp_ns: TimestampNs

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.sequence_number.to_bytes(8, "big")

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _REFERENCE.pack(
            self.sequence_number,
            self.principal,
            self.group,
            u128_bytes(self.reference),
            self.timestamp_ns,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        sequence_number, principal, group, reference, timestamp = _REFERENCE.unpack(data)
        return cls(
            SequenceNumber(sequence_number),
            PrincipalId(principal),
            Group(group),
            u128(reference),
            TimestampNs(timestamp),
        )


ROW_TYPES: Final[dict[Table, type[Row]]] = {
    row.TABLE: row
    for row in (
        LedgerRow,
        PrincipalRow,
        KeyRow,
        NameRow,
        UnitRow,
        AccountRow,
        HoldRow,
        LiveIdRow,
        ReferenceRow,
    )
}


def framed(row: Row) -> bytes:
    """Returns a row as it stands in the digest and in a checkpoint: prefix and content."""
    content = row.encode()
    return _ROW_PREFIX.pack(row.TABLE, 0, len(content)) + content


def digest(ledger_id: LedgerId, rows: Iterable[Row]) -> bytes:
    """Returns the state digest over rows that come in any order.

    Raises:
        RowError: Two rows have one key.
    """
    ordered = sorted(rows, key=lambda row: (row.TABLE, row.key_bytes()))
    state = hashlib.sha256(STATE_DOMAIN + ledger_id)
    previous: tuple[Table, bytes] | None = None
    for row in ordered:
        place = (row.TABLE, row.key_bytes())
        if place == previous:
            raise RowError(f"two rows of table {row.TABLE.name} have one key")
        previous = place
        state.update(framed(row))
    return state.digest()
