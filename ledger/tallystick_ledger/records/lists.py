"""LIST registers an immutable set of ids, so that another record can name all of them by one id.

Which ids they are is not asked: a GRANT compares those of a list with principals or with names,
and one that names nothing matches nothing. Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import cont, limits
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import FieldError
from tallystick_ledger.ids import NO_ID
from tallystick_ledger.records.base import (
    BytesLike,
    Record,
    check_kind_and_flags,
    check_zero,
    require,
    require_id,
    require_nonce,
)
from tallystick_ledger.records.kinds import Group, Kind

# kind, flags, cont_count, ids; reserved; cont_hash; nonce
_LIST: Final = struct.Struct("<HHHH72x32s16s")


@dataclass(frozen=True, slots=True)
class List(Record):
    """Registers a set of ids; the record's derived id is the list's. Signed by OWNER.

    Attributes:
        ids: 1 to 256 of 16 bytes, ascending, none of them zero.
    """

    KIND: ClassVar[Kind] = Kind.LIST
    GROUP: ClassVar[Group] = Group.REGISTRY

    ids: tuple[bytes, ...]

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        _require_count(len(self.ids))
        before = NO_ID
        for member in self.ids:
            require_id("id", member)
            require(before < member, Code.BAD_FIELD, "ids are not ascending, or zero")
            before = member

    @property
    def record_count(self) -> int:
        """The head and its CONTs."""
        return 1 + _conts(len(self.ids))

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, self.nonce_bytes)
        conts = cont.encode(b"".join(self.ids), nonce[limits.NONCE_BYTES :])
        count = len(conts) // limits.RECORD_BYTES
        hashed, own = cont.cont_hash(conts), nonce[: limits.NONCE_BYTES]
        return _LIST.pack(Kind.LIST, 0, count, len(self.ids), hashed, own) + conts

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        if len(data) < limits.RECORD_BYTES:
            raise FieldError(f"a record has 128 bytes, not {len(data)}")
        head, conts = data[: limits.RECORD_BYTES], data[limits.RECORD_BYTES :]
        check_kind_and_flags(cls, head)
        _, _, cont_count, count, _, _ = _LIST.unpack(head)
        _require_count(count)
        require(cont_count == _conts(count), Code.CONT_NOT_ALLOWED, f"{cont_count} CONTs")
        check_zero(head, ((8, 80),))
        content = cont.content(conts)
        end = limits.ID_BYTES * count
        check_zero(content, ((end, len(content)),))
        starts = range(0, end, limits.ID_BYTES)
        return cls(tuple(content[at : at + limits.ID_BYTES] for at in starts))


def _require_count(count: int) -> None:
    require(1 <= count <= limits.MAX_LIST_IDS, Code.BAD_FIELD, f"{count} ids")


def _conts(count: int) -> int:
    return cont.cont_count(limits.ID_BYTES * count)
