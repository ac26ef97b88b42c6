"""Admission through the kernel: what clients send, screened against the state and verified."""

import struct
from typing import Final

import pytest
from tallystick_core import Admission, Kernel
from tests.core import ledger_world as world

from tallystick_ledger.codes import Code
from tallystick_ledger.keys import SigningKey

OK: Final = Code.OK


def kernel() -> Kernel:
    return Kernel(world.GENESIS.encode())


def codes(admission: Admission, m: int) -> list[Code]:
    return [Code(code) for (code,) in struct.iter_unpack("<H", admission.codes(m))]


def admit(*messages: bytes, now_ns: int = world.NOW_NS, of: Kernel | None = None) -> Admission:
    return (of or kernel()).admit(list(messages), now_ns)


def test_a_message_that_is_all_good_comes_back_as_the_same_object() -> None:
    message = world.tick("a") + world.tick("b", 3)
    other = world.registration("c", world.STRANGER)
    admission = admit(message, other)
    assert len(admission) == 2
    assert admission.envelope_counts() == [2, 1]
    assert admission.verify(world.SEED, 2) == admission.signatures == 4
    assert codes(admission, 0) == [OK, OK]
    assert admission.body(0) is message
    assert admission.body(1) is other
    assert struct.unpack("<2I", admission.record_counts(0)) == (1, 3)
    assert (admission.ok_count(0), admission.ok_records(0), admission.records(0)) == (2, 4, 4)
    assert admission.min_valid_until_ns(0) == world.NOW_NS + 60 * world.SECOND_NS
    assert admission.detail(0, 0) == ""


def test_bad_envelopes_are_cut_out_of_their_message() -> None:
    good = [world.tick(label) for label in "abc"]
    spoilt = bytearray(good[1])
    spoilt[210] ^= 1
    admission = admit(good[0] + bytes(spoilt) + good[2])
    assert codes(admission, 0) == [OK, OK, OK], "signatures are not looked at yet"
    admission.verify(world.SEED)
    assert codes(admission, 0) == [OK, Code.BAD_SIGNATURE, OK]
    assert admission.body(0) == good[0] + good[2]
    assert (admission.ok_count(0), admission.ok_records(0), admission.records(0)) == (2, 2, 3)
    assert "signature" in admission.detail(0, 1)


def test_one_bad_among_many_is_found_wherever_it_stands() -> None:
    envelopes = [world.tick(f"{n}") for n in range(40)]
    for bad in (0, 1, 20, 38, 39):
        spoilt = [bytearray(data) for data in envelopes]
        spoilt[bad][200] ^= 0x40
        admission = admit(b"".join(spoilt))
        assert admission.verify(world.SEED) == 40
        assert [at for at, code in enumerate(codes(admission, 0)) if code != OK] == [bad]


def test_keys_to_register_need_a_proof() -> None:
    admission = admit(
        world.registration("a", world.STRANGER, spoil=50),
        world.registration("b", world.STRANGER),
    )
    admission.verify(world.SEED)
    assert codes(admission, 0) == [Code.BAD_POSSESSION]
    assert codes(admission, 1) == [OK]
    assert admission.body(0) == b""
    assert admission.min_valid_until_ns(0) == 0


def test_what_was_ordered_is_a_duplicate_or_a_conflict_at_any_time() -> None:
    state = kernel()
    first, second = world.tick("a", 2), world.tick("b")
    state.apply(world.build(first, second))
    conflict = world.tick("b", 5)
    message = first + conflict + second
    for now_ns in (world.NOW_NS, world.NOW_NS + 300 * world.SECOND_NS):
        admission = admit(message, now_ns=now_ns, of=state)
        assert admission.verify(world.SEED) == 0
        assert codes(admission, 0) == [Code.DUPLICATE, Code.ID_CONFLICT, Code.DUPLICATE]
        assert struct.unpack("<3Q", admission.original(0)) == (1, 3, 3)


def test_signers_become_known_when_their_registration_is_applied() -> None:
    state = kernel()
    message = world.tick("mine", signer=world.STRANGER)
    assert codes(admit(message, of=state), 0) == [Code.UNKNOWN_SIGNER]
    state.apply(world.build(world.registration("a", world.STRANGER)))
    assert codes(admit(message, of=state), 0) == [OK]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"", Code.MALFORMED),
        (bytes((1 << 20) + 1), Code.TOO_LARGE),
        (world.tick("a")[:-1], Code.MALFORMED),
        (world.tick("a", made_ns=world.NOW_NS + 5_001_000_000), Code.ID_IN_FUTURE),
        (world.tick("a", valid_until_ns=world.NOW_NS - 1), Code.BAD_ID_TIME),
        (
            world.tick("a", made_ns=world.NOW_NS - 10**9, valid_until_ns=world.NOW_NS - 1),
            Code.TOO_LATE,
        ),
    ],
)
def test_cheap_refusals(message: bytes, code: Code) -> None:
    admission = admit(message)
    assert codes(admission, 0) == [code]
    assert admission.detail(0, 0) != ""
    assert admission.verify(world.SEED) == 0
    assert admission.body(0) == b""


def test_a_lost_boundary_keeps_what_stands_before_it() -> None:
    first = world.tick("a")
    admission = admit(first + b"junk" + world.tick("b"))
    admission.verify(world.SEED)
    assert codes(admission, 0) == [OK, Code.MALFORMED]
    assert struct.unpack("<2I", admission.record_counts(0)) == (1, 0)
    assert admission.body(0) == first


def test_a_principal_has_room_for_so_many_live_ids() -> None:
    state = kernel()
    ordered = [world.tick(f"old {n}") for n in range(world.CAP_LIVE_IDS - 2)]
    state.apply(world.build(*ordered))
    admission = admit(b"".join(world.tick(f"new {n}") for n in range(4)), of=state)
    assert codes(admission, 0) == [OK, OK, Code.OVERLOADED, Code.OVERLOADED]


def test_what_verify_lets_through_can_be_ordered() -> None:
    state = kernel()
    keys = [SigningKey(world.digest(f"key {n}")) for n in range(20)]
    message = b"".join(world.registration(f"{n}", key) for n, key in enumerate(keys))
    admission = admit(message, of=state)
    assert admission.verify(world.SEED, 2) == 40
    applied = state.apply(world.build(admission.body(0)))
    assert applied.plain
    assert all(state.key(key.public_key) is not None for key in keys)


def test_indexes_and_seeds_are_checked() -> None:
    admission = admit(world.tick("a"))
    for read in (admission.codes, admission.body, admission.ok_count, admission.original):
        with pytest.raises(IndexError):
            read(1)
    with pytest.raises(IndexError):
        admission.detail(0, 1)
    with pytest.raises(ValueError, match="a seed has 32 bytes"):
        admission.verify(b"short")
