"""The native block check, against blocks that the plain Python formats made."""

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tallystick_core import BlockCheck, block_header, build_block, check_block
from tests.core import ledger_world as world

from tallystick_ledger import checks
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import RefusedError
from tallystick_ledger.ids import SequenceNumber, TimestampNs

GOOD: Final = (world.tick("a"), world.tick("b", 3), world.registration("c", world.STRANGER))
BLOCK: Final = world.build(*GOOD)


def check(
    data: bytes,
    *,
    ledger_id: bytes = world.LEDGER_ID,
    next_sequence: int = 1,
    min_timestamp_ns: int = world.NOW_NS,
    threads: int = 1,
) -> BlockCheck:
    return check_block(
        data,
        ledger_id=ledger_id,
        max_lifetime_ns=world.GENESIS.max_lifetime_ns,
        next_sequence=next_sequence,
        min_timestamp_ns=min_timestamp_ns,
        seed=world.SEED,
        threads=threads,
    )


def python_code(data: bytes) -> Code:
    """What the plain Python check says of the same block."""
    try:
        checks.check_block(
            data,
            ledger_id=world.LEDGER_ID,
            max_lifetime_ns=world.GENESIS.max_lifetime_ns,
            next_sequence=SequenceNumber(1),
            min_timestamp_ns=TimestampNs(world.NOW_NS),
        )
    except RefusedError as refusal:
        return refusal.code
    return Code.OK


@pytest.mark.parametrize("threads", [0, 1, 2, 4])
def test_a_good_block_says_what_follows_it(threads: int) -> None:
    result = check(BLOCK, threads=threads)
    assert (result.code, result.detail) == (0, "")
    assert (result.envelope_count, result.record_count) == (3, 5)
    assert (result.next_sequence, result.min_next_timestamp_ns) == (6, world.NOW_NS + 5)
    assert result.signatures == 4


@pytest.mark.parametrize(
    ("spoil", "code", "detail"),
    [
        (lambda: check(BLOCK, next_sequence=2), Code.MALFORMED, "sequence number 1, not 2"),
        (lambda: check(BLOCK, min_timestamp_ns=world.NOW_NS + 1), Code.MALFORMED, "timestamp"),
        (lambda: check(BLOCK, ledger_id=bytes(32)), Code.WRONG_LEDGER, "envelope 0"),
        (lambda: check(BLOCK[:-1]), Code.MALFORMED, "length"),
        (lambda: check(b""), Code.MALFORMED, "shorter"),
    ],
)
def test_a_block_must_fit_its_place(
    spoil: Callable[[], BlockCheck], code: Code, detail: str
) -> None:
    result = spoil()
    assert result.code == code
    assert detail in result.detail
    assert (result.record_count, result.next_sequence, result.signatures) == (0, 0, 0)


@pytest.mark.parametrize(
    ("offset", "code"),
    [(96, Code.BAD_SIGNATURE), (200, Code.BAD_SIGNATURE), (256 + 100, Code.BAD_ROOT)],
    ids=["header", "signature", "record"],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_bad_envelope_is_named(offset: int, code: Code, threads: int) -> None:
    start = 64 + len(GOOD[0])
    data = bytearray(BLOCK)
    data[start + offset] ^= 1
    result = check(bytes(data), threads=threads)
    assert result.code == code
    assert result.detail.startswith("envelope 1: ")


@pytest.mark.parametrize(
    ("spoil", "code"), [(60, Code.BAD_POSSESSION), (39, Code.BAD_KEY), (104, Code.BAD_POSSESSION)]
)
def test_keys_to_register_are_checked(spoil: int, code: Code) -> None:
    data = world.build(GOOD[0], world.registration("d", world.STRANGER, spoil=spoil))
    result = check(data)
    assert result.code == code
    assert result.code == python_code(data)


def test_ids_from_the_future_wait() -> None:
    for ahead_ms, code in [(5_000, Code.OK), (5_001, Code.ID_IN_FUTURE)]:
        made_ns = world.NOW_NS + ahead_ms * 1_000_000
        assert check(world.build(world.tick("a", made_ns=made_ns))).code == code


@given(st.integers(0, len(BLOCK) - 1), st.integers(1, 255))
def test_every_changed_byte_is_noticed_as_python_does(at: int, mask: int) -> None:
    data = bytearray(BLOCK)
    data[at] ^= mask
    code = check(bytes(data)).code
    if not 8 <= at < 16:  # another timestamp may be good
        assert code != 0
    assert code == python_code(bytes(data))


@given(st.binary(max_size=600))
def test_no_bytes_do_harm(data: bytes) -> None:
    assert check(data).code == Code.MALFORMED
    assert check(BLOCK[:64] + data).code != 0


def test_header_fields_can_be_read_alone() -> None:
    header = block_header(BLOCK)
    assert header.rules_version == 1
    assert (header.timestamp_ns, header.first_sequence) == (world.NOW_NS, 1)
    assert (header.envelope_count, header.record_count) == (3, 5)
    assert header.envelope_bytes == len(BLOCK) - 64
    with pytest.raises(ValueError, match="shorter than a block header"):
        block_header(BLOCK[:63])


def test_a_built_block_is_what_python_builds() -> None:
    data = build_block(
        [GOOD[0], GOOD[1] + GOOD[2]],
        timestamp_ns=world.NOW_NS,
        first_sequence=1,
        envelope_count=3,
        record_count=5,
    )
    assert data == BLOCK
    with pytest.raises(ValueError, match="1 MiB"):
        build_block(
            [bytes(1 << 20), b"x"],
            timestamp_ns=1,
            first_sequence=1,
            envelope_count=1,
            record_count=1,
        )


def test_arguments_of_wrong_length_are_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="a ledger id has 32 bytes"):
        check(BLOCK, ledger_id=b"")
