"""Records in bulk are byte for byte what the records one by one are, and fail as they do."""

from array import array
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_ledger import bulk, limits, records
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import FieldError, RecordError
from tallystick_ledger.ids import AccountId, ChannelId, HoldId, Signature, TimestampNs
from tallystick_ledger.records import CaptureSource

ids = st.binary(min_size=16, max_size=16)
nonces = ids.filter(any)
amounts = st.integers(1, limits.MAX_U128)
times = st.integers(0, limits.MAX_U64)
sides = st.tuples(ids, ids).filter(lambda pair: pair[0] != pair[1])
rows = st.lists(st.tuples(sides, amounts, nonces, amounts, times), max_size=6)

Row = tuple[tuple[bytes, bytes], int, bytes, int, int]

A: Final = b"a" * 16
B: Final = b"b" * 16
N: Final = b"n" * 16


def _columns(some: list[Row]) -> tuple[bytes, bytes, list[int], bytes, bytes, list[int]]:
    return (
        b"".join(row[0][0] for row in some),
        b"".join(row[0][1] for row in some),
        [row[1] for row in some],
        b"".join(row[2] for row in some),
        b"".join(row[3].to_bytes(16, "little") for row in some),
        [row[4] for row in some],
    )


@given(rows, st.booleans())
def test_transfers(some: list[Row], unique: bool) -> None:
    debits, credits_, values, randoms, references, _ = _columns(some)
    one_by_one = [
        records.Transfer(
            AccountId(debit), AccountId(credit), amount, reference, unique=unique
        ).encode(nonce)
        for (debit, credit), amount, nonce, reference, _ in some
    ]
    made = bulk.transfers(debits, credits_, values, randoms, references, unique=unique)
    assert made == b"".join(one_by_one)


@given(rows, st.booleans())
def test_reserves(some: list[Row], unique: bool) -> None:
    payers, payees, values, randoms, references, expiries = _columns(some)
    one_by_one = [
        records.Reserve(
            AccountId(payer),
            AccountId(payee),
            maximum,
            TimestampNs(expires),
            reference,
            unique=unique,
        ).encode(nonce)
        for (payer, payee), maximum, nonce, reference, expires in some
    ]
    made = bulk.reserves(payers, payees, values, expiries, randoms, references, unique=unique)
    assert made == b"".join(one_by_one)


@given(rows, st.sampled_from(CaptureSource), st.booleans())
def test_captures(some: list[Row], source: CaptureSource, final: bool) -> None:
    holds, _, values, randoms, _, occurred = _columns(some)
    one_by_one = [
        records.Capture(
            HoldId(hold), amount, source, final=final, occurred_at_ns=TimestampNs(at)
        ).encode(nonce)
        for (hold, _), amount, nonce, _, at in some
    ]
    made = bulk.captures(holds, values, source, randoms, final=final, occurred_at_ns=occurred)
    assert made == b"".join(one_by_one)


@given(
    st.lists(
        st.tuples(
            ids,
            amounts,
            st.binary(min_size=24, max_size=24),
            st.binary(min_size=64, max_size=64),
        ),
        max_size=6,
    )
)
def test_vouchers(some: list[tuple[bytes, int, bytes, bytes]]) -> None:
    one_by_one = [
        records.Voucher(ChannelId(channel), amount, commitment, Signature(signature)).encode()
        for channel, amount, commitment, signature in some
    ]
    channels, values, commitments, signatures = zip(*some, strict=True) if some else [()] * 4
    made = bulk.vouchers(b"".join(channels), values, b"".join(commitments), b"".join(signatures))
    assert made == b"".join(one_by_one)


@pytest.mark.parametrize(
    "arguments",
    [
        (A[:15], [1], b"c" * 24, b"s" * 64),
        (A, [1, 1], b"c" * 24, b"s" * 64),
        (A, [1], b"c" * 23, b"s" * 64),
        (A, [1], b"c" * 24, b"s" * 65),
        (A, [2**128], b"c" * 24, b"s" * 64),
    ],
)
def test_no_vouchers(arguments: tuple[bytes, list[int], bytes, bytes]) -> None:
    with pytest.raises(FieldError):
        bulk.vouchers(*arguments)


def test_a_voucher_of_nothing() -> None:
    with pytest.raises(RecordError) as caught:
        bulk.vouchers(A, [0], b"c" * 24, b"s" * 64)
    assert _code(caught.value) is Code.ZERO_AMOUNT


def test_arrays_and_sequences_give_the_same() -> None:
    values = [1, 2**64 - 1, 3]
    listed = bulk.transfers(A * 3, B * 3, values, N * 3)
    assert bulk.transfers(A * 3, B * 3, array("Q", values), N * 3) == listed
    assert bulk.transfers(A * 3, B * 3, tuple(values), N * 3) == listed
    assert bulk.transfers(A * 3, B * 3, range(1, 4), N * 3) != listed
    small = array("I", [1, 2, 3])
    assert bulk.transfers(A * 3, B * 3, small, N * 3) == bulk.transfers(
        A * 3, B * 3, [1, 2, 3], N * 3
    )


def test_no_records() -> None:
    assert bulk.transfers(b"", b"", [], b"") == b""


def test_a_full_envelope() -> None:
    count = limits.MAX_RECORDS
    made = bulk.transfers(A * count, B * count, array("Q", range(1, count + 1)), N * count)
    assert records.decode(made[-128:]) == records.Transfer(AccountId(A), AccountId(B), count)


@pytest.mark.parametrize(
    "arguments",
    [
        (A, B * 2, [1, 1], N * 2),
        (A * 2, B, [1, 1], N * 2),
        (A * 2, B * 2, [1], N * 2),
        (A * 2, B * 2, [1, 1], N),
        (A, B, [1], N[:15]),
        (A, B, [1], N, b"r" * 15),
        (A, B, [1], bytes(16)),
        (A, B, [2**128], N),
        (A, B, [-1], N),
        (A * 2, B * 2, [2**64, -1], N * 2),
        (A, B, [1.5], N),
        (A, B, [1e30], N),
        (A * 2, B * 2, [2**64, 1.5], N * 2),
        (A, B, array("d", [1.0]), N),
        (A, B, ["1"], N),
    ],
)
def test_what_fits_no_field(arguments: tuple[bytes, bytes, list[int], bytes]) -> None:
    with pytest.raises(FieldError):
        bulk.transfers(*arguments)


def _code(check: RecordError) -> Code:
    return check.code


def test_shapes_are_checked_as_one_by_one() -> None:
    with pytest.raises(RecordError) as caught:
        bulk.transfers(A * 2, B * 2, [1, 0], N * 2)
    assert _code(caught.value) is Code.ZERO_AMOUNT
    with pytest.raises(RecordError) as caught:
        bulk.transfers(A * 2, B + A, [1, 1], N * 2)
    assert _code(caught.value) is Code.SELF_TRANSFER
    with pytest.raises(RecordError) as caught:
        bulk.transfers(A * 2, B * 2, [1, 1], N * 2, N + bytes(16), unique=True)
    assert _code(caught.value) is Code.BAD_FIELD
    with pytest.raises(RecordError) as caught:
        bulk.transfers(A, B, [1], N, unique=True)
    assert _code(caught.value) is Code.BAD_FIELD
    with pytest.raises(RecordError) as caught:
        bulk.captures(A, [0], CaptureSource.ESTIMATED, N)
    assert _code(caught.value) is Code.ZERO_AMOUNT


def test_zeros_across_two_ids_are_no_zero_id() -> None:
    """Sixteen zero bytes that straddle two nonces, and equal halves of two accounts, are fine."""
    straddling = b"\1" + bytes(15) + bytes(15) + b"\1"
    assert len(bulk.transfers(A * 2, B * 2, [1, 1], straddling)) == 256
    debits = b"\1" * 16 + b"\2" * 16
    credits_ = b"\3" * 8 + b"\1" * 8 + b"\2" * 8 + b"\4" * 8
    assert len(bulk.transfers(debits, credits_, [1, 1], N * 2)) == 256


def test_final_captures_may_be_of_nothing() -> None:
    made = bulk.captures(A, [0], CaptureSource.ESTIMATED, N, final=True)
    expected = records.Capture(HoldId(A), 0, CaptureSource.ESTIMATED, final=True)
    assert records.decode(made) == expected
