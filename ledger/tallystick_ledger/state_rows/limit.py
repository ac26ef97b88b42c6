"""Rows of limits: the limits themselves, what counts against them, lines of keys, and zones."""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, NewType, Self

from tallystick_ledger import limits
from tallystick_ledger.ids import NO_KEY, Amount, PublicKey, TimestampNs, UnitId, ZoneId
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.records.kinds import LimitTarget, LimitWindow
from tallystick_ledger.records.zone import (
    decode_transitions,
    decode_zone_name,
    encode_transitions,
    encode_zone_name,
)
from tallystick_ledger.state_rows.base import Row, Table
from tallystick_ledger.zones import ZoneTable

LimitKey = NewType("LimitKey", bytes)  # 56 bytes: which limit it is

# target, window, reserved; subject; unit
_LIMIT_KEY: Final = struct.Struct("<HH4x32s16s")
# the above; zone; amount; used; since_ns; ends_at_ns
_LIMIT: Final = struct.Struct("<56s16s16s16sQQ")
# key; line; parent
_LINE: Final = struct.Struct("<32s32s32s")
# hold or channel; limit; since_ns; amount
_MARK: Final = struct.Struct("<16s56sQ16s")
# id; name; from_ns, horizon_ns; version, first offset, transitions, reserved; transitions
_ZONE: Final = struct.Struct("<16s32sQQIIH6x768s")
_NO_OFFSET: Final = limits.MAX_OFFSET_S  # an offset stands in the row plus a day


def limit_key(target: LimitTarget, window: LimitWindow, subject: bytes, unit: UnitId) -> LimitKey:
    """Returns the key of a limit's row: there is one limit of each kind."""
    return LimitKey(_LIMIT_KEY.pack(target, window, subject, unit))


@dataclass(frozen=True, slots=True)
class LimitRow(Row):
    """A limit, with what it has counted in its window.

    Attributes:
        target: Whose spending it bounds.
        window: Over what it counts.
        subject: 32 bytes: a key (the first of its line), one id, or the ids of both accounts.
        unit: What it counts.
        zone: Whose days and months; zero for UTC.
        amount: The most in one window.
        used: What it has counted since `since_ns`.
        since_ns: Timestamp of the record that began the window.
        ends_at_ns: When the window ends; 0 for one that does not.
    """

    TABLE: ClassVar[Table] = Table.LIMIT
    LAYOUT: ClassVar[struct.Struct] = _LIMIT

    target: LimitTarget
    window: LimitWindow
    subject: bytes
    unit: UnitId
    zone: ZoneId
    amount: Amount
    used: Amount
    since_ns: TimestampNs
    ends_at_ns: TimestampNs

    @property
    def limit_key(self) -> LimitKey:
        """The row's key."""
        return limit_key(self.target, self.window, self.subject, self.unit)

    def is_over_at(self, timestamp_ns: int) -> bool:
        """Whether the window has ended, so that nothing counts any more."""
        return 0 < self.ends_at_ns <= timestamp_ns

    def used_at(self, timestamp_ns: int) -> Amount:
        """What counts at this time: nothing once the window has ended."""
        return Amount(0) if self.is_over_at(timestamp_ns) else self.used

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.limit_key

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _LIMIT.pack(
            self.limit_key,
            self.zone,
            u128_bytes(self.amount),
            u128_bytes(self.used),
            self.since_ns,
            self.ends_at_ns,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        key, zone, amount, used, since, ends_at = _LIMIT.unpack(data)
        target, window, subject, unit = _LIMIT_KEY.unpack(key)
        return cls(
            LimitTarget(target),
            LimitWindow(window),
            subject,
            UnitId(unit),
            ZoneId(zone),
            Amount(u128(amount)),
            Amount(u128(used)),
            TimestampNs(since),
            TimestampNs(ends_at),
        )


@dataclass(frozen=True, slots=True)
class LineRow(Row):
    """To which line a key belongs: a key, and those that replaced it by rotation, are one line.

    There is a row for each key that replaced another, and for the first of a line that has a
    parent. Any other key is a line by itself, without a parent.

    Attributes:
        key: The key.
        line: The first key of its line.
        parent: The first key of the line above; zero for none, and for keys that are not first.
    """

    TABLE: ClassVar[Table] = Table.LINE
    LAYOUT: ClassVar[struct.Struct] = _LINE

    key: PublicKey
    line: PublicKey
    parent: PublicKey = NO_KEY

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.key

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _LINE.pack(self.key, self.line, self.parent)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        key, line, parent = _LINE.unpack(data)
        return cls(PublicKey(key), PublicKey(line), PublicKey(parent))


@dataclass(frozen=True, slots=True)
class MarkRow(Row):
    """What a hold or channel counts against a limit, so that it can be given back.

    Attributes:
        pin: The hold or channel.
        limit: The limit's key.
        since_ns: The limit's when this was counted: it names the window.
        amount: What of the hold or channel counts in that window.
    """

    TABLE: ClassVar[Table] = Table.MARK
    LAYOUT: ClassVar[struct.Struct] = _MARK

    pin: bytes
    limit: LimitKey
    since_ns: TimestampNs
    amount: Amount

    @property
    def window(self) -> LimitWindow:
        """That of the limit."""
        return LimitWindow(_LIMIT_KEY.unpack(self.limit)[1])

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.pin + self.limit

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _MARK.pack(self.pin, self.limit, self.since_ns, u128_bytes(self.amount))

    @classmethod
    def _read(cls, data: bytes) -> Self:
        pin, limit, since, amount = _MARK.unpack(data)
        return cls(pin, LimitKey(limit), TimestampNs(since), Amount(u128(amount)))


@dataclass(frozen=True, slots=True)
class ZoneRow(Row):
    """The table of a zone that is in force.

    Attributes:
        zone: Its id.
        name: Its name.
        version: How often it was published.
        table: What is known of its offset.
    """

    TABLE: ClassVar[Table] = Table.ZONE
    LAYOUT: ClassVar[struct.Struct] = _ZONE

    zone: ZoneId
    name: str
    version: int
    table: ZoneTable

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.zone

    def encode(self) -> bytes:
        """See `Row.encode`."""
        table = self.table
        return _ZONE.pack(
            self.zone,
            encode_zone_name(self.name),
            table.from_ns,
            table.horizon_ns,
            self.version,
            table.first_offset_s + _NO_OFFSET,
            len(table.transitions),
            encode_transitions(table),
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        zone, name, start, horizon, version, offset, count, transitions = _ZONE.unpack(data)
        table = ZoneTable(
            TimestampNs(start),
            TimestampNs(horizon),
            offset - _NO_OFFSET,
            decode_transitions(transitions, count),
        )
        return cls(ZoneId(zone), decode_zone_name(name), version, table)
