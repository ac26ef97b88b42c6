"""What is wrong with a message is told for each envelope, and costs nobody else anything."""

import os
import time
from collections import Counter

import grpc
import pytest
from tests.hostile.arena import MIB, Arena, codes, status_of
from tests.hostile.forgery import flipped, forged_message, spoilt

from tallystick_cluster.traffic import fresh_envelope_id, sealed
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import seal
from tallystick_ledger.ids import LedgerId, TimestampNs, new_envelope_id
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records import Tick
from tallystick_proto import wire

pytestmark = pytest.mark.cluster

FULL = 2_730
# In the half of a signature that the equation is about.
S_BYTE = 225


def _tick() -> bytes:
    return Tick().encode(os.urandom(16))


@pytest.mark.parametrize("left", [1, 100, 191, 192, 255, 256, 300, 383])
def test_a_truncated_envelope(arena: Arena, left: int) -> None:
    good, other = arena.payment(), arena.payment()
    sent_after = arena.witness.newest
    answer = arena.submit(good + other[:left])
    assert codes(answer) == [Code.OK, Code.MALFORMED]
    arena.tell(good, answer, sent_after)


@pytest.mark.parametrize("trailing", [b"\0", b"\0" * 128, b"TSE1", os.urandom(500)])
def test_trailing_bytes(arena: Arena, trailing: bytes) -> None:
    assert codes(arena.submit(arena.payment() + trailing)) == [Code.OK, Code.MALFORMED]


@pytest.mark.parametrize(
    ("at", "to"),
    [(0, b"TSE2"), (0, b"\0\0\0\0"), (4, b"\2\0"), (12, b"\0" * 4), (12, b"\xff" * 4)],
    ids=["magic", "zeros", "version", "no records", "too many records"],
)
def test_a_lost_boundary_takes_what_follows_along_and_nothing_before(
    arena: Arena, at: int, to: bytes
) -> None:
    bad = spoilt(arena.payment(), at, to)
    answer = arena.submit(arena.payment() + bad + arena.payment())
    assert codes(answer) == [Code.OK, Code.MALFORMED]


@pytest.mark.parametrize(("at", "to"), [(6, b"\2"), (8, b"\2"), (10, b"\1"), (140, b"\1")])
def test_a_bad_header_field_is_refused_alone(arena: Arena, at: int, to: bytes) -> None:
    bad = spoilt(arena.payment(), at, to)
    answer = arena.submit(arena.payment() + bad + arena.payment())
    assert codes(answer) == [Code.OK, Code.MALFORMED, Code.OK]


def test_an_oversized_message(arena: Arena) -> None:
    assert set(codes(arena.submit(bytes(MIB + 1)))) == {Code.TOO_LARGE}
    assert set(codes(arena.submit(bytes(MIB + 2_000)))) == {Code.TOO_LARGE}
    for size in (MIB + 5_000, 32 * MIB):
        with pytest.raises(grpc.RpcError) as refused:
            arena.submit(bytes(size))
        assert status_of(refused.value) == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_empty_message_and_noise(arena: Arena) -> None:
    for message in (b"", b"\0", os.urandom(1_000), bytes(MIB), os.urandom(MIB)):
        assert codes(arena.submit(message)) == [Code.MALFORMED]


@pytest.mark.parametrize("at", [0, 1_500, FULL - 1])
def test_one_bad_signature_among_2729_good_ones(arena: Arena, at: int) -> None:
    envelopes = [arena.payment() for _ in range(FULL)]
    envelopes[at] = flipped(envelopes[at], S_BYTE)
    sent_after = arena.witness.newest
    started_s = time.monotonic()
    answer = arena.submit(b"".join(envelopes))
    print(
        f"\n2,730 envelopes with a bad one at {at}: {1e3 * (time.monotonic() - started_s):.0f} ms"
    )
    expected = [Code.OK] * FULL
    expected[at] = Code.BAD_SIGNATURE
    assert codes(answer) == expected
    if at:
        arena.tell(envelopes[0], answer, sent_after)


def test_every_second_signature_bad(arena: Arena) -> None:
    envelopes = [arena.payment() for _ in range(400)]
    bad = [flipped(each, S_BYTE) if n % 2 else each for n, each in enumerate(envelopes)]
    assert codes(arena.submit(b"".join(bad))) == [Code.OK, Code.BAD_SIGNATURE] * 200


def test_a_record_changed_after_signing(arena: Arena) -> None:
    assert codes(arena.submit(flipped(arena.payment(), 300))) == [Code.BAD_ROOT]


def test_a_used_id_with_other_bytes(arena: Arena) -> None:
    envelope_id = fresh_envelope_id()
    first, second = (arena.payment(envelope_id=envelope_id) for _ in range(2))
    sent_after = arena.witness.newest
    answer = arena.submit(first)
    assert codes(answer) == [Code.OK]
    arena.tell(first, answer, sent_after)
    assert codes(arena.submit(second)) == [Code.ID_CONFLICT]
    again = arena.submit(first)
    assert codes(again) == [Code.DUPLICATE]
    arena.tell(first, again, sent_after)
    # Both at once: the second is ordered, too, and told what it is.
    envelope_id = fresh_envelope_id()
    both = b"".join(arena.payment(envelope_id=envelope_id) for _ in range(2))
    assert codes(arena.submit(both)) == [Code.OK, Code.ID_CONFLICT]


def test_a_whole_message_again_costs_one_look_at_its_block(arena: Arena) -> None:
    message = b"".join(arena.payment() for _ in range(FULL))
    first = arena.submit(message)
    assert codes(first) == [Code.OK] * FULL
    started_s = time.monotonic()
    again = arena.submit(message)
    print(f"\n2,730 envelopes again: {1e3 * (time.monotonic() - started_s):.0f} ms")
    assert codes(again) == [Code.DUPLICATE] * FULL
    for row in range(0, len(first.outcomes), 32):
        assert first.outcomes[row + 4 : row + 32] == again.outcomes[row + 4 : row + 32]


def test_another_ledgers_envelope(arena: Arena) -> None:
    payer = arena.traffic.parties[0]
    foreign = sealed(LedgerId(os.urandom(32)), payer.key, fresh_envelope_id(), _tick())
    answer = arena.submit(arena.payment() + foreign + arena.payment())
    assert codes(answer) == [Code.OK, Code.WRONG_LEDGER, Code.OK]


def test_times_that_cannot_be(arena: Arena) -> None:
    payer, ledger_id = arena.traffic.parties[0], arena.traffic.ledger_id
    now_ns = time.time_ns()

    def made(id_ns: int, until_ns: int) -> bytes:
        envelope_id = new_envelope_id(id_ns // 1_000_000, os.urandom(10))
        return seal(payer.key, ledger_id, envelope_id, TimestampNs(until_ns), _tick())

    minute = 60_000_000_000
    expired = made(now_ns - 2 * minute, now_ns - minute)
    early = made(now_ns + minute, now_ns + 2 * minute)
    long = made(now_ns, now_ns + 60 * minute)
    backwards = made(now_ns, now_ns - minute)
    answer = arena.submit(expired + early + long + backwards + arena.payment())
    assert codes(answer) == [
        Code.TOO_LATE,
        Code.ID_IN_FUTURE,
        Code.BAD_ID_TIME,
        Code.BAD_ID_TIME,
        Code.OK,
    ]


def test_an_unknown_key(arena: Arena) -> None:
    stranger = SigningKey(os.urandom(32))
    unknown = sealed(arena.traffic.ledger_id, stranger, fresh_envelope_id(), _tick())
    answer = arena.submit(arena.payment() + unknown)
    assert codes(answer) == [Code.OK, Code.UNKNOWN_SIGNER]


def test_thousands_of_expired_envelopes_are_looked_up_within_bounds(arena: Arena) -> None:
    """Nobody but the key's holder can have the index searched, and that not for long."""
    forged = forged_message(arena.payment(), FULL, age_s=120)
    started_s = time.monotonic()
    told = Counter(codes(arena.submit(forged)))
    print(f"\n2,730 forged expired ones: {1e3 * (time.monotonic() - started_s):.0f} ms, {told}")
    assert set(told) <= {Code.BAD_SIGNATURE, Code.OVERLOADED}
    assert told[Code.BAD_SIGNATURE] > 0


def test_a_victims_key_quoted_without_its_signature(arena: Arena) -> None:
    """Nothing of it is ordered, a few signatures are looked at, and its connection is barred."""
    victim = arena.payment()
    forged = forged_message(victim, FULL)
    before = arena.nodes.must_say(arena.leader)
    with arena.nodes.channel(arena.leader) as own:
        submit = own.unary_unary(
            wire.SUBMIT_METHOD,
            request_serializer=wire.encode_submit_request,
            response_deserializer=wire.decode_submit_response,
        )
        told = Counter(codes(submit(forged)))
        assert set(told) == {Code.BAD_SIGNATURE, Code.OVERLOADED}
        with pytest.raises(grpc.RpcError) as barred:
            submit(forged)
        assert status_of(barred.value) == grpc.StatusCode.PERMISSION_DENIED
    after = arena.nodes.must_say(arena.leader)
    assert after.next_sequence == before.next_sequence
    assert after.signatures_verified - before.signatures_verified <= 8
    sent_after = arena.witness.newest
    answer = arena.submit(victim)
    assert codes(answer) == [Code.OK]
    arena.tell(victim, answer, sent_after)
