"""Envelopes and blocks: sealing, views, boundaries. What breaks them is in the vectors."""

from dataclasses import FrozenInstanceError
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_ledger import block, checks, envelope, limits, merkle, records
from tallystick_ledger.errors import FieldError, MalformedError, RefusedError
from tallystick_ledger.ids import (
    AccountId,
    EnvelopeId,
    LedgerId,
    SequenceNumber,
    TimestampNs,
    new_envelope_id,
)
from tallystick_ledger.keys import SigningKey, is_valid_signature

KEY: Final = SigningKey(b"k" * 32)
LEDGER: Final = LedgerId(b"l" * 32)
ID: Final = new_envelope_id(1_000, b"r" * 10)
UNTIL: Final = TimestampNs(2_000_000_000)
LIFETIME_NS: Final = 600_000_000_000
TRANSFER: Final = records.Transfer(AccountId(b"a" * 16), AccountId(b"b" * 16), 5).encode(b"n" * 16)
NAME: Final = records.Name(records.NameKind.LABEL, "x" * 200).encode(b"m" * 48)


def sealed(content: bytes = TRANSFER, *, atomic: bool = False) -> bytes:
    return envelope.seal(KEY, LEDGER, ID, UNTIL, content, atomic=atomic)


@pytest.mark.parametrize("atomic", [False, True])
def test_what_is_sealed_is_read_again(atomic: bool) -> None:
    data = sealed(TRANSFER + NAME, atomic=atomic)
    parsed = checks.check_envelope(data, ledger_id=LEDGER, max_lifetime_ns=LIFETIME_NS)
    assert parsed.header == envelope.Header(
        LEDGER, KEY.public_key, ID, UNTIL, 4, merkle.root_of(TRANSFER + NAME, 128), atomic=atomic
    )
    assert bytes(parsed.data) == data
    assert bytes(parsed.records) == TRANSFER + NAME
    assert parsed.header.encode() == parsed.header_bytes == data[:192]
    assert is_valid_signature(KEY.public_key, parsed.signed_bytes, parsed.signature)


def test_heads_come_with_their_conts() -> None:
    parsed = envelope.Envelope.parse(sealed(TRANSFER + NAME + TRANSFER))
    heads = [(head.index, head.kind, bytes(head.data)) for head in parsed.heads()]
    transfer = records.Kind.TRANSFER
    assert heads == [(0, transfer, TRANSFER), (1, records.Kind.NAME, NAME), (4, transfer, TRANSFER)]
    assert bytes(parsed.record(4)) == TRANSFER
    with pytest.raises(FieldError):
        parsed.record(5)


def test_two_signatures_of_one_header_are_the_same_envelope() -> None:
    one = envelope.Envelope.parse(sealed())
    other = envelope.Envelope.parse(sealed()[:192] + b"\x07" * 64 + TRANSFER)
    assert one.header_digest == other.header_digest
    assert one.header_digest != envelope.Envelope.parse(sealed(atomic=True)).header_digest


def test_views_are_frozen() -> None:
    parsed = envelope.Envelope.parse(sealed())
    with pytest.raises(FrozenInstanceError):
        parsed.signature = parsed.signature  # type: ignore[misc]
    with pytest.raises(TypeError):
        parsed.data[0] = 1


@given(st.lists(st.integers(1, 3), max_size=5))
def test_envelopes_back_to_back(counts: list[int]) -> None:
    parts = [sealed(TRANSFER * count) for count in counts]
    found = envelope.split_envelopes(b"".join(parts))
    assert [bytes(part.data) for part in found] == parts


@given(st.integers(1, 2 * 384 - 1))
def test_a_torn_message_is_refused(length: int) -> None:
    message = sealed() * 2
    if length == len(message) // 2:
        return
    with pytest.raises(MalformedError):
        envelope.split_envelopes(message[:length])


@given(st.binary(max_size=600))
def test_noise_is_refused(data: bytes) -> None:
    """Whatever comes in, what comes out is a refusal."""
    with pytest.raises(RefusedError):
        checks.check_envelope(data, ledger_id=LEDGER, max_lifetime_ns=LIFETIME_NS)
    with pytest.raises(RefusedError):
        checks.check_block(
            data,
            ledger_id=LEDGER,
            max_lifetime_ns=LIFETIME_NS,
            next_sequence=SequenceNumber(1),
            min_timestamp_ns=TimestampNs(0),
        )


@given(st.integers(0, 384 + 3 * 128 - 1), st.integers(1, 255))
def test_every_byte_is_covered(place: int, difference: int) -> None:
    """No byte of an envelope can change without a refusal."""
    data = bytearray(sealed(TRANSFER + NAME))
    data[place] ^= difference
    with pytest.raises(RefusedError):
        checks.check_envelope(bytes(data), ledger_id=LEDGER, max_lifetime_ns=LIFETIME_NS)


@pytest.mark.parametrize("content", [b"", TRANSFER[:-1], TRANSFER * 8191])
def test_what_cannot_be_sealed(content: bytes) -> None:
    with pytest.raises(FieldError):
        sealed(content)


@pytest.mark.parametrize(
    ("ledger_id", "envelope_id", "until"),
    [
        (b"l" * 31, ID, UNTIL),
        (LEDGER, b"i" * 15, UNTIL),
        (LEDGER, ID, -1),
        (LEDGER, ID, 2**64),
    ],
)
def test_headers_of_wrong_parts(ledger_id: LedgerId, envelope_id: EnvelopeId, until: int) -> None:
    with pytest.raises(FieldError):
        envelope.seal(KEY, ledger_id, envelope_id, TimestampNs(until), TRANSFER)


@pytest.mark.parametrize(
    ("time_ms", "random"), [(-1, b"r" * 10), (2**48, b"r" * 10), (5, b"r" * 9)]
)
def test_envelope_ids_of_wrong_parts(time_ms: int, random: bytes) -> None:
    with pytest.raises(FieldError):
        new_envelope_id(time_ms, random)


def test_blocks() -> None:
    parts = [sealed(), sealed(NAME)]
    data = block.build(parts, TimestampNs(1_000_000_000), SequenceNumber(10))
    checked = checks.check_block(
        data,
        ledger_id=LEDGER,
        max_lifetime_ns=LIFETIME_NS,
        next_sequence=SequenceNumber(10),
        min_timestamp_ns=TimestampNs(1_000_000_000),
    )
    assert [bytes(part.data) for part in checked.envelopes] == parts
    assert (checked.header.envelope_count, checked.header.record_count) == (2, 4)
    assert checked.header.next_sequence == 14
    assert checked.header.min_next_timestamp_ns == 1_000_000_004
    assert checked.header.encode() == data[:64]


def test_a_block_is_at_most_one_mebibyte() -> None:
    largest = sealed(TRANSFER * limits.MAX_RECORDS)
    whole = block.build([largest], TimestampNs(0), SequenceNumber(1))
    assert len(whole) == limits.BLOCK_HEADER_BYTES + limits.MAX_BLOCK_BODY_BYTES
    with pytest.raises(FieldError):
        block.build([largest, sealed()], TimestampNs(0), SequenceNumber(1))


def test_a_block_of_nothing_or_of_noise() -> None:
    with pytest.raises(FieldError):
        block.build([], TimestampNs(0), SequenceNumber(1))
    with pytest.raises(MalformedError):
        block.build([b"noise"], TimestampNs(0), SequenceNumber(1))
