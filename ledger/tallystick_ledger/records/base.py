"""What all kinds of records share: the head's fixed bytes, and the checks of its shape.

A record is a frozen dataclass. Making one checks its values, `encode` turns it into bytes,
`decode` back. Both raise `RecordError` with the code that the kernel would give: together they are
stage 1 ("shape") of semantics.md section 3, in the order that it fixes:

    decode:  flags, cont_count, reserved bytes, then the values in the dataclass's `__post_init__`

An argument that does not fit its field at all (15 bytes for an id, 2**128 for an amount) has no
code, since no bytes say it: it raises `FieldError`.

Nonces come from the caller, 16 random bytes for each of the `nonce_bytes // 16` records that have
one. They keep a record from being guessed by somebody who sees only its hash in a receipt.
"""

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable
from enum import IntEnum
from typing import ClassVar, Final, Self, TypeVar

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import FieldError, RecordError
from tallystick_ledger.ids import require_length, require_uint
from tallystick_ledger.records.kinds import ALLOWED_FLAGS, Flags, Group, Kind

BytesLike = bytes | bytearray | memoryview

HEAD: Final = struct.Struct("<HHH")
CONT_HASH_RANGE: Final = (80, 112)
NONCE_OFFSET: Final = 112
_ZERO_NONCE: Final = bytes(limits.NONCE_BYTES)

_Enum = TypeVar("_Enum", bound=IntEnum)


class Record(ABC):
    """A head, with its CONT records where the kind takes any."""

    __slots__ = ()

    KIND: ClassVar[Kind]
    GROUP: ClassVar[Group]

    @property
    def record_count(self) -> int:
        """Records of 128 bytes that this takes in an envelope."""
        return 1

    @property
    def nonce_bytes(self) -> int:
        """Length of the random bytes that `encode` needs: 16 a record, or none."""
        return limits.NONCE_BYTES * self.record_count

    @abstractmethod
    def encode(self, nonce: bytes) -> bytes:
        """Returns the record's bytes: 128, and 128 more for each CONT.

        Args:
            nonce: `nonce_bytes` random bytes, the head's 16 first; no 16 of them all zero.

        Raises:
            FieldError: The nonce has another length, or 16 zero bytes.
        """

    @classmethod
    @abstractmethod
    def decode(cls, data: BytesLike) -> Self:
        """Reads a head and its CONTs.

        Args:
            data: 128 bytes, and 128 more for each CONT; the grid of format.md section 6 holds.

        Raises:
            RecordError: The kernel would refuse it by its shape; `code` says how.
            FieldError: Another length or another kind.
        """


def check_head(record: type[Record], data: BytesLike, reserved: Iterable[tuple[int, int]]) -> int:
    """Checks the bytes that all kinds share, and returns the flags.

    Args:
        record: The class that is about to read `data`.
        data: The head's 128 bytes; more only if its cont_count is refused.
        reserved: Ranges (first, end) that must be zero.

    Raises:
        RecordError: UNKNOWN_FLAGS, CONT_NOT_ALLOWED or RESERVED_NONZERO, in this order.
        FieldError: Another length or another kind.
    """
    if len(data) < limits.RECORD_BYTES:
        raise FieldError(f"a record has 128 bytes, not {len(data)}")
    flags, cont_count = check_kind_and_flags(record, data)
    if cont_count:
        raise RecordError(Code.CONT_NOT_ALLOWED, f"{record.KIND.name} with {cont_count} CONTs")
    if len(data) != limits.RECORD_BYTES:
        raise FieldError(f"a record without CONTs has 128 bytes, not {len(data)}")
    check_zero(data, reserved)
    return flags


def check_kind_and_flags(record: type[Record], data: BytesLike) -> tuple[int, int]:
    """Checks kind and flags, and returns flags and `cont_count`.

    Raises:
        RecordError: UNKNOWN_FLAGS.
        FieldError: Another kind.
    """
    kind, flags, cont_count = HEAD.unpack_from(data)
    if kind != record.KIND:
        raise FieldError(f"kind {kind:#06x} is not {record.KIND.name}")
    # int(): inverting an IntFlag keeps only the flags that it has names for.
    unknown = flags & ~int(ALLOWED_FLAGS.get(record.KIND, Flags.NONE))
    if unknown:
        raise RecordError(Code.UNKNOWN_FLAGS, f"{record.KIND.name} has no flags {unknown:#x}")
    return flags, cont_count


def check_zero(data: BytesLike, ranges: Iterable[tuple[int, int]]) -> None:
    """Raises RecordError (RESERVED_NONZERO) unless all bytes in the ranges are zero."""
    for start, end in ranges:
        if any(data[start:end]):
            raise RecordError(Code.RESERVED_NONZERO, f"bytes {start} to {end} must be zero")


def require(condition: bool, code: Code, detail: str) -> None:
    """Raises RecordError unless the condition holds."""
    if not condition:
        raise RecordError(code, detail)


def enum_field(enumeration: type[_Enum], value: int) -> _Enum:
    """Returns the member with this number.

    Raises:
        RecordError: BAD_FIELD, there is none.
    """
    try:
        return enumeration(value)
    except ValueError:
        raise RecordError(Code.BAD_FIELD, f"{value} is no {enumeration.__name__}") from None


def require_id(name: str, value: bytes) -> None:
    """Raises FieldError unless `value` is 16 bytes."""
    require_length(name, value, limits.ID_BYTES)


def require_u64(name: str, value: int) -> None:
    """Raises FieldError unless `value` is a whole number that fits in 64 bits."""
    require_uint(name, value, limits.MAX_U64)


def require_u128(name: str, value: int) -> None:
    """Raises FieldError unless `value` is a whole number that fits in 128 bits."""
    require_uint(name, value, limits.MAX_U128)


def require_reference(unique: bool, reference: int) -> None:
    """Checks a `reference` field.

    Raises:
        RecordError: BAD_FIELD, UNIQUE with reference zero.
        FieldError: It does not fit in 128 bits.
    """
    require_u128("reference", reference)
    require(reference != 0 or not unique, Code.BAD_FIELD, "UNIQUE needs a reference that is not 0")


def require_nonce(nonce: bytes, length: int = limits.NONCE_BYTES) -> None:
    """Raises FieldError unless `nonce` has this length and no 16 bytes of it are all zero."""
    require_length("nonce", nonce, length)
    for start in range(0, length, limits.NONCE_BYTES):
        if nonce[start : start + limits.NONCE_BYTES] == _ZERO_NONCE:
            raise FieldError("a nonce must not be all zero")


def u128_bytes(value: int) -> bytes:
    """Returns 16 bytes, little-endian."""
    return value.to_bytes(16, "little")


def u128(data: bytes) -> int:
    """Reads 16 bytes, little-endian."""
    return int.from_bytes(data, "little")
