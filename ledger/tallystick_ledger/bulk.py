"""Thousands of records at once, without a Python call for each.

A record is sixteen 64-bit words. All heads of one kind have the same first word, and each field
is one or two columns of words; so a batch is a grid whose columns are copied as a whole, by
assignments to strided slices of a `memoryview`. 8,190 transfers take well under a millisecond.

Ids come and go as bytes, 16 for each record; amounts as any sequence of whole numbers, of which
`array("Q")` is the fastest. Each function checks what the record's own class would check, and
raises the same errors. Source: docs/format.md section 6.
"""

import struct
from array import array
from collections.abc import Sequence
from typing import Final, Self

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import FieldError, RecordError
from tallystick_ledger.records.kinds import CaptureSource, Flags, Kind, ReserveMode

Numbers = Sequence[int]

_WORD_BYTES: Final = 8
_WORDS: Final = limits.RECORD_BYTES // _WORD_BYTES
_U64_BITS: Final = 64
_NONCE_WORD: Final = 14
_IS_LITTLE_ENDIAN: Final = array("H", [1]).tobytes() == b"\x01\x00"
_ZERO_ID: Final = bytes(limits.ID_BYTES)


def transfers(
    debits: bytes,
    credits: bytes,  # noqa: A002 - the other side of a debit
    amounts: Numbers,
    nonces: bytes,
    references: bytes | None = None,
    *,
    unique: bool = False,
) -> bytes:
    """Returns TRANSFER records, 128 bytes each.

    Args:
        debits: Debit accounts, 16 bytes for each record.
        credits: Credit accounts, likewise.
        amounts: 1 to 2**128 - 1, in the unit's smallest step.
        nonces: 16 random bytes for each record.
        references: 16 bytes (u128) for each record; all zero if left out.
        unique: Refuse a record if its reference was used within the ledger's window.

    Raises:
        FieldError: The arguments are not of one length, or a value fits no field.
        RecordError: ZERO_AMOUNT, SELF_TRANSFER, or BAD_FIELD: unique without a reference.
    """
    grid = _Grid.with_nonces(Kind.TRANSFER, Flags.UNIQUE if unique else Flags.NONE, 0, nonces)
    grid.put_ids(1, "debits", debits)
    grid.put_ids(3, "credits", credits)
    grid.put_u128(5, "amounts", amounts)
    grid.put_references(7, references, unique=unique)
    _require_different(debits, credits)
    return grid.data()


def reserves(
    payers: bytes,
    payees: bytes,
    maxima: Numbers,
    expires_at_ns: Numbers,
    nonces: bytes,
    references: bytes | None = None,
    *,
    unique: bool = False,
) -> bytes:
    """Returns RESERVE records, 128 bytes each.

    Args:
        payers: Payer accounts, 16 bytes for each record.
        payees: Payee accounts, likewise.
        maxima: 1 to 2**128 - 1, in the unit's smallest step.
        expires_at_ns: When each hold expires.
        nonces: 16 random bytes for each record.
        references: 16 bytes (u128) for each record; all zero if left out.
        unique: Refuse a record if its reference was used within the ledger's window.

    Raises:
        FieldError: The arguments are not of one length, or a value fits no field.
        RecordError: ZERO_AMOUNT, SELF_TRANSFER, or BAD_FIELD: unique without a reference.
    """
    flags = Flags.UNIQUE if unique else Flags.NONE
    grid = _Grid.with_nonces(Kind.RESERVE, flags, ReserveMode.FLAT, nonces)
    grid.put_ids(1, "payers", payers)
    grid.put_ids(3, "payees", payees)
    grid.put_u128(5, "maxima", maxima)
    grid.put_references(7, references, unique=unique)
    grid.put_u64(9, "expires_at_ns", expires_at_ns)
    _require_different(payers, payees)
    return grid.data()


def captures(
    holds: bytes,
    amounts: Numbers,
    source: CaptureSource,
    nonces: bytes,
    *,
    final: bool = False,
    occurred_at_ns: Numbers | None = None,
) -> bytes:
    """Returns CAPTURE records, 128 bytes each.

    Args:
        holds: Hold ids, 16 bytes for each record.
        amounts: Cumulative amounts; at least 1 unless `final`.
        source: Who counted, the same for all.
        nonces: 16 random bytes for each record.
        final: End all these holds.
        occurred_at_ns: When the usage was; 0 (unknown) if left out.

    Raises:
        FieldError: The arguments are not of one length, or a value fits no field.
        RecordError: ZERO_AMOUNT.
    """
    grid = _Grid.with_nonces(Kind.CAPTURE, Flags.FINAL if final else Flags.NONE, source, nonces)
    grid.put_ids(1, "holds", holds)
    grid.put_u128(3, "amounts", amounts, may_be_zero=final)
    if occurred_at_ns is not None:
        grid.put_u64(9, "occurred_at_ns", occurred_at_ns)
    return grid.data()


def vouchers(channels: bytes, cumulatives: Numbers, commitments: bytes, signatures: bytes) -> bytes:
    """Returns VOUCHER records, 128 bytes each.

    Args:
        channels: Channel ids, 16 bytes for each record.
        cumulatives: Cumulative amounts, at least 1.
        commitments: 24 bytes for each record.
        signatures: 64 bytes for each record; see `vouchers.sign_voucher`.

    Raises:
        FieldError: The arguments are not of one length, or a value fits no field.
        RecordError: ZERO_AMOUNT.
    """
    grid = _Grid(Kind.VOUCHER, Flags.NONE, 0, _count_of("channels", channels, limits.ID_BYTES))
    grid.put_ids(1, "channels", channels)
    grid.put_u128(3, "cumulatives", cumulatives)
    grid.put_bytes(5, "commitments", commitments, limits.COMMITMENT_BYTES)
    grid.put_bytes(8, "signatures", signatures, limits.SIGNATURE_BYTES)
    return grid.data()


class _Grid:
    """Records in the making: one row of sixteen words for each."""

    __slots__ = ("_buffer", "_count", "_words")

    def __init__(self, kind: Kind, flags: Flags, subtype: int, count: int) -> None:
        self._count = count
        self._buffer = bytearray(limits.RECORD_BYTES * count)
        self._words = memoryview(self._buffer).cast("Q")
        first = struct.pack("<HHHH", kind, flags, 0, subtype) * count
        self._put_column(0, memoryview(first).cast("Q"))

    @classmethod
    def with_nonces(cls, kind: Kind, flags: Flags, subtype: int, nonces: bytes) -> Self:
        """As many records as there are nonces."""
        grid = cls(kind, flags, subtype, _count_of("nonces", nonces, limits.NONCE_BYTES))
        _refuse_zero_ids(nonces, FieldError("a nonce must not be all zero"))
        grid.put_ids(_NONCE_WORD, "nonces", nonces)
        return grid

    def data(self) -> bytes:
        """Returns the records."""
        return bytes(self._buffer)

    def put_ids(self, word: int, name: str, ids: bytes) -> None:
        """Fills two columns from 16 bytes for each record."""
        self.put_bytes(word, name, ids, limits.ID_BYTES)

    def put_bytes(self, word: int, name: str, data: bytes, size: int) -> None:
        """Fills `size // 8` columns from `size` bytes for each record."""
        if len(data) != size * self._count:
            raise FieldError(f"{name}: {len(data)} bytes are not {size} for each of {self._count}")
        source, words = memoryview(data).cast("B").cast("Q"), size // _WORD_BYTES
        for part in range(words):
            self._put_column(word + part, source[part::words])

    def put_references(self, word: int, references: bytes | None, *, unique: bool) -> None:
        """Fills the two columns of `reference`."""
        if unique:
            error = RecordError(Code.BAD_FIELD, "UNIQUE needs a reference that is not 0")
            _refuse_zero_ids(_ZERO_ID if references is None else references, error)
        if references is not None:
            self.put_ids(word, "references", references)

    def put_u64(self, word: int, name: str, values: Numbers) -> None:
        """Fills one column."""
        self._require_count(name, values)
        self._put_column(word, _words_of(name, values))

    def put_u128(self, word: int, name: str, values: Numbers, *, may_be_zero: bool = False) -> None:
        """Fills two columns; the upper one only if some value needs it."""
        self._require_count(name, values)
        if not may_be_zero and 0 in values:
            raise RecordError(Code.ZERO_AMOUNT, f"{name}: an amount is zero")
        try:
            halves = _halves(values)
        except TypeError as error:
            raise FieldError(f"{name}: a value is no whole number") from error
        for place, half in enumerate(halves):
            self._put_column(word + place, _words_of(name, half))

    def _require_count(self, name: str, values: Numbers) -> None:
        if len(values) != self._count:
            raise FieldError(f"{name}: {len(values)} values for {self._count} records")

    def _put_column(self, word: int, column: memoryview) -> None:
        if self._count:
            self._words[word::_WORDS] = column


def _count_of(name: str, data: bytes, size: int) -> int:
    """Returns how many parts of `size` bytes there are."""
    count, odd = divmod(len(data), size)
    if odd:
        raise FieldError(f"{name}: {len(data)} bytes are not {size} for each record")
    return count


def _halves(values: Numbers) -> tuple[Numbers, ...]:
    """Returns the lower words of 128-bit numbers, and the upper ones if any is not zero."""
    if isinstance(values, array) or max(values, default=0) <= limits.MAX_U64:
        return (values,)
    pairs = [divmod(value, 1 << _U64_BITS) for value in values]
    return [lower for _, lower in pairs], [upper for upper, _ in pairs]


def _words_of(name: str, values: Numbers) -> memoryview:
    """Returns numbers as little-endian 64-bit words."""
    if isinstance(values, array) and values.typecode == "Q" and _IS_LITTLE_ENDIAN:
        return memoryview(values)
    try:
        return memoryview(struct.pack(f"<{len(values)}Q", *values)).cast("Q")
    except struct.error as error:
        raise FieldError(f"{name}: a value is no whole number in its range") from error


def _require_different(left: bytes, right: bytes) -> None:
    """Raises RecordError (SELF_TRANSFER) if a record has one account on both sides.

    Two ids are equal where the exclusive-or of the columns has 16 zero bytes at an id's place.
    """
    difference = int.from_bytes(left, "little") ^ int.from_bytes(right, "little")
    _refuse_zero_ids(
        difference.to_bytes(len(left), "little"),
        RecordError(Code.SELF_TRANSFER, "both sides are one account"),
    )


def _refuse_zero_ids(data: bytes, error: Exception) -> None:
    """Raises `error` if one of the 16-byte parts of `data` is all zero."""
    if _ZERO_ID not in data:
        return  # the usual case, in one pass
    places = range(0, len(data), limits.ID_BYTES)
    if any(data[place : place + limits.ID_BYTES] == _ZERO_ID for place in places):
        raise error
