"""ZONE: a table of a time zone's offsets, up to a horizon. Source: docs/format.md section 6."""

import re
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Final, Self

from tallystick_ledger import cont, limits
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import FieldError
from tallystick_ledger.ids import TimestampNs, require_uint
from tallystick_ledger.records.base import (
    CONT_HASH_RANGE,
    BytesLike,
    Record,
    check_kind_and_flags,
    check_zero,
    require,
    require_nonce,
    require_u64,
)
from tallystick_ledger.records.kinds import Group, Kind
from tallystick_ledger.zones import ZoneTable

# kind, flags, cont_count, transitions; name; from_ns, horizon_ns; version, first offset; reserved;
# cont_hash; nonce
_ZONE: Final = struct.Struct("<HHHH32sQQII16x32s16s")
# instant, offset
TRANSITION: Final = struct.Struct("<QI")
_NAME: Final = re.compile(r"[A-Za-z0-9/_+-]{1,32}")
_NO_CONT_HASH: Final = bytes(limits.HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Zone(Record):
    """Publishes a zone's table, or replaces it. Signed by OPERATE.

    Attributes:
        name: 1 to 32 of `A-Z a-z 0-9 / _ + -`, such as Asia/Shanghai.
        version: 1 for a new zone, else that of the table in force plus 1.
        table: At most 64 transitions.
    """

    KIND: ClassVar[Kind] = Kind.ZONE
    GROUP: ClassVar[Group] = Group.LIMITS

    name: str
    version: int
    table: ZoneTable

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        if not isinstance(self.name, str):
            raise FieldError(f"name must be str, not {type(self.name).__name__}")
        require(_NAME.fullmatch(self.name) is not None, Code.BAD_FIELD, "no name of a zone")
        require_uint("version", self.version, limits.MAX_U32)
        require(self.version > 0, Code.BAD_FIELD, "versions count from 1")
        _check_table(self.table)

    @property
    def record_count(self) -> int:
        """The head and its CONTs."""
        return 1 + _conts(len(self.table.transitions))

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, self.nonce_bytes)
        table = self.table
        conts = cont.encode(encode_transitions(table), nonce[limits.NONCE_BYTES :])
        head = _ZONE.pack(
            Kind.ZONE,
            0,
            len(conts) // limits.RECORD_BYTES,
            len(table.transitions),
            encode_zone_name(self.name),
            table.from_ns,
            table.horizon_ns,
            self.version,
            table.first_offset_s + limits.MAX_OFFSET_S,
            cont.cont_hash(conts) if conts else _NO_CONT_HASH,
            nonce[: limits.NONCE_BYTES],
        )
        return head + conts

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        head, conts = data[: limits.RECORD_BYTES], data[limits.RECORD_BYTES :]
        if len(head) != limits.RECORD_BYTES or len(conts) % limits.RECORD_BYTES:
            raise FieldError(f"{len(data)} bytes are no head with CONTs")
        check_kind_and_flags(cls, head)
        _, _, cont_count, count, name, start, horizon, version, offset, _, _ = _ZONE.unpack(head)
        require(count <= limits.MAX_TRANSITIONS, Code.BAD_FIELD, f"{count} transitions")
        require(cont_count == _conts(count), Code.CONT_NOT_ALLOWED, f"{cont_count} CONTs")
        if cont_count * limits.RECORD_BYTES != len(conts):
            raise FieldError(f"the head names {cont_count} CONTs, {len(conts)} bytes follow")
        check_zero(head, ((64, 80),) if cont_count else ((64, 80), CONT_HASH_RANGE))
        content = cont.content(conts)
        check_zero(content, ((TRANSITION.size * count, len(content)),))
        table = ZoneTable(
            TimestampNs(start),
            TimestampNs(horizon),
            offset - limits.MAX_OFFSET_S,
            decode_transitions(content, count),
        )
        return cls(decode_zone_name(name), version, table)


def encode_zone_name(name: str) -> bytes:
    """Returns the 32 bytes of a zone's name."""
    return name.encode().ljust(limits.ZONE_NAME_BYTES, b"\0")


def decode_zone_name(data: bytes) -> str:
    """Reads 32 bytes; what is no name stays recognisable as none."""
    return data.rstrip(b"\0").decode("latin-1")


def encode_transitions(table: ZoneTable) -> bytes:
    """Returns 12 bytes for each transition; an offset stands in them plus a day."""
    return b"".join(
        TRANSITION.pack(instant, offset + limits.MAX_OFFSET_S)
        for instant, offset in table.transitions
    )


def decode_transitions(data: bytes, count: int) -> tuple[tuple[TimestampNs, int], ...]:
    """Reads what `encode_transitions` wrote."""
    pairs = TRANSITION.iter_unpack(data[: TRANSITION.size * count])
    return tuple((TimestampNs(at), offset - limits.MAX_OFFSET_S) for at, offset in pairs)


def _conts(count: int) -> int:
    return cont.cont_count(TRANSITION.size * count)


def _check_table(table: ZoneTable) -> None:
    """Raises RecordError (BAD_FIELD) unless instants ascend and offsets are those of a clock."""
    count = len(table.transitions)
    require(count <= limits.MAX_TRANSITIONS, Code.BAD_FIELD, f"{count} transitions")
    instants = [table.from_ns, *(at for at, _ in table.transitions), table.horizon_ns]
    for instant in instants:
        require_u64("an instant", instant)
    ascend = all(first < second for first, second in pairwise(instants))
    require(ascend, Code.BAD_FIELD, "the instants do not ascend")
    for offset in (table.first_offset_s, *(offset for _, offset in table.transitions)):
        fits = -limits.MAX_OFFSET_S <= offset <= limits.MAX_OFFSET_S
        require(fits, Code.BAD_FIELD, f"an offset of {offset} s")
