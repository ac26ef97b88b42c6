"""The kernel as Python sees it: layouts of what it gives out, errors, checkpoints, threads.

The rules themselves are tested against the specification in tests/differential, and without
Python in core/tests/kernel.
"""

import threading
from struct import Struct
from typing import Final

import pytest
from tallystick_core import (
    BlockError,
    CheckpointError,
    GenesisError,
    Kernel,
    checkpoint_info,
)
from tests.core import ledger_world as world

from tallystick_ledger import ids, merkle
from tallystick_ledger.codes import Code
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.spec import State, apply_block, digest

GENESIS: Final = world.GENESIS.encode()
ENVELOPE_ENTRY: Final = Struct("<QIHHQQ16s")
OUTCOME: Final = Struct("<HHIQQQ")
MEMBER: Final = SigningKey(world.digest("member"))
NODE_PRINCIPAL: Final = ids.node_principal(world.LEDGER_ID, 1)
OPERATOR_PRINCIPAL: Final = ids.operator_principal(world.LEDGER_ID, 0)


def mixed_block() -> bytes:
    """Two envelopes that are executed, one of them refused by scope; a stranger; a duplicate."""
    ticks = world.tick("a", 2)
    return world.build(
        ticks,
        world.registration("member", MEMBER),
        world.tick("b", signer=world.STRANGER),
        world.tick("c", signer=world.OPERATOR),
        ticks,
    )


@pytest.fixture
def kernel() -> Kernel:
    return Kernel(GENESIS)


def test_a_new_kernel_has_the_state_of_the_genesis(kernel: Kernel) -> None:
    status = kernel.status()
    assert (status.next_sequence, status.min_next_timestamp_ns, status.tree_size) == (1, 0, 0)
    assert (status.principals, status.keys, status.accounts, status.live_ids) == (2, 2, 0, 0)
    assert status.tree_root == merkle.tree_root([])
    assert status.next_expiry_ns == 0
    assert kernel.ledger_id == world.LEDGER_ID
    assert kernel.state_digest() == digest(State.from_genesis(world.GENESIS))
    assert kernel.verify_invariants() == []


def test_applied_is_laid_out_as_documented(kernel: Kernel) -> None:
    block = mixed_block()
    applied = kernel.apply(block)
    entries = list(ENVELOPE_ENTRY.iter_unpack(applied.envelopes))
    codes = [Code.OK, Code.OK, Code.UNKNOWN_KEY, Code.OK, Code.DUPLICATE]
    principals = [NODE_PRINCIPAL, OPERATOR_PRINCIPAL, bytes(16), OPERATOR_PRINCIPAL, NODE_PRINCIPAL]
    offsets = [64, 64 + 512, 64 + 512 + 384, 64 + 512 + 768, 64 + 512 + 1152]
    assert entries == [
        (first, count, code, 0, original, offset, principal)
        for first, count, code, original, offset, principal in zip(
            [1, 3, 4, 5, 6],
            [2, 1, 1, 1, 2],
            codes,
            [0, 0, 0, 0, 1],
            offsets,
            principals,
            strict=True,
        )
    ]
    assert list(OUTCOME.iter_unpack(applied.outcomes)) == [
        (code, 0, count, first, world.NOW_NS + first - 1, 0)
        for first, count, code, *_ in [(e[0], e[1], e[2]) for e in entries]
    ]
    assert applied.effect_counts == bytes(20)
    assert applied.effects == b""
    assert not applied.plain
    assert (applied.envelope_count, applied.record_count) == (5, 7)
    assert (applied.first_sequence, applied.timestamp_ns) == (1, world.NOW_NS)


def test_results_agree_with_the_specification(kernel: Kernel) -> None:
    block = mixed_block()
    state = State.from_genesis(world.GENESIS)
    expected = apply_block(state, block)
    applied = kernel.apply(block)
    assert applied.results == expected.results
    assert applied.leaf_hashes == b"".join(expected.leaf_hashes)
    assert kernel.state_digest() == digest(state)
    sparse = applied.sparse_results
    rebuilt = bytearray(len(applied.results))
    for at in range(0, len(sparse), 20):
        index = int.from_bytes(sparse[at : at + 4], "little")
        rebuilt[16 * index : 16 * index + 16] = sparse[at + 4 : at + 20]
    assert bytes(rebuilt) == applied.results
    assert len(sparse) == 20 * 4  # the stranger, the operator's tick, two duplicates


def test_consumed_ids_ascend_and_are_big_endian(kernel: Kernel) -> None:
    applied = kernel.apply(mixed_block())
    entries = [applied.ids[at : at + 40] for at in range(0, len(applied.ids), 40)]
    assert entries == sorted(entries)
    expected = {
        (world.envelope_id("a")[::-1] + NODE_PRINCIPAL, 1),
        (world.envelope_id("member")[::-1] + OPERATOR_PRINCIPAL, 3),
        (world.envelope_id("c")[::-1] + OPERATOR_PRINCIPAL, 5),
    }
    assert {(entry[:32], int.from_bytes(entry[32:], "big")) for entry in entries} == expected


def test_a_block_of_plain_successes_is_plain(kernel: Kernel) -> None:
    applied = kernel.apply(world.build(world.tick("a", 3), world.tick("b")))
    assert applied.plain
    assert applied.results == bytes(64)
    assert applied.sparse_results == b""


def test_rows_are_read_by_id(kernel: Kernel) -> None:
    kernel.apply(mixed_block())
    member = ids.object_id(world.LEDGER_ID, OPERATOR_PRINCIPAL, world.envelope_id("member"), 0)
    row = kernel.principal(member)
    assert row is not None
    assert row[:16] == member
    key = kernel.key(MEMBER.public_key)
    assert key is not None
    assert key[32:48] == member
    live = kernel.live_id(NODE_PRINCIPAL, world.envelope_id("a"))
    assert live is not None
    assert int.from_bytes(live[:8], "little") == 1
    assert kernel.live_id(NODE_PRINCIPAL, world.envelope_id("b")) is None
    assert kernel.accounts(bytes(32)) == bytes(2 * 136)
    assert kernel.holds(bytes(16)) == bytes(112)
    assert kernel.units() == b""
    assert (kernel.unit(member), kernel.name(member)) == (None, None)
    with pytest.raises(ValueError, match="16 bytes each"):
        kernel.accounts(b"odd")
    with pytest.raises(ValueError, match="32 bytes"):
        kernel.key(b"short")


def test_admission_knows_what_was_applied(kernel: Kernel) -> None:
    ticks, member = world.tick("a"), world.tick("m", signer=MEMBER)
    messages = [ticks, member]
    before = kernel.admit(messages, world.NOW_NS)
    assert [before.codes(m) for m in (0, 1)] == [_code(Code.OK), _code(Code.UNKNOWN_SIGNER)]
    kernel.apply(world.build(ticks, world.registration("member", MEMBER)))
    after = kernel.admit([*messages, world.tick("a", 2)], world.NOW_NS)
    codes = [after.codes(m) for m in range(3)]
    assert codes == [_code(Code.DUPLICATE), _code(Code.OK), _code(Code.ID_CONFLICT)]
    assert after.original(0) == (1).to_bytes(8, "little")


def _code(code: Code) -> bytes:
    return code.to_bytes(2, "little")


def test_a_checkpoint_restores_the_kernel(kernel: Kernel) -> None:
    kernel.apply(mixed_block())
    checkpoint = kernel.checkpoint(applied_index=41)
    info = checkpoint_info(checkpoint)
    assert (info.applied_index, info.ledger_id) == (41, world.LEDGER_ID)
    status = kernel.status()
    assert (info.next_sequence, info.min_next_timestamp_ns, info.tree_size) == (
        status.next_sequence,
        status.min_next_timestamp_ns,
        status.tree_size,
    )
    restored = Kernel.restore(GENESIS, checkpoint)
    following = world.build(
        world.tick("d"), timestamp_ns=status.min_next_timestamp_ns, first_sequence=8
    )
    assert restored.apply(following).leaf_hashes == kernel.apply(following).leaf_hashes
    assert restored.state_digest() == kernel.state_digest()
    assert restored.status().tree_root == kernel.status().tree_root


def test_refusals_have_their_own_errors(kernel: Kernel) -> None:
    with pytest.raises(GenesisError, match="length does not fit"):
        Kernel(GENESIS[:-1])
    with pytest.raises(BlockError, match="sequence number 2"):
        kernel.apply(world.build(world.tick("a"), first_sequence=2))
    checkpoint = kernel.checkpoint()
    with pytest.raises(CheckpointError, match="SHA-256"):
        Kernel.restore(GENESIS, checkpoint[:-1] + b"\0")
    with pytest.raises(CheckpointError):
        checkpoint_info(b"")
    assert kernel.status().next_sequence == 1


def test_readers_and_admission_run_beside_the_one_who_applies(kernel: Kernel) -> None:
    blocks = world.CAP_LIVE_IDS - 5
    failures: list[BaseException] = []

    def read() -> None:
        try:
            last = 0
            while last < blocks + 1:
                status = kernel.status()
                assert status.next_sequence >= last
                last = status.next_sequence
                assert kernel.verify_invariants() == []
                admission = kernel.admit([world.tick("reader")], world.NOW_NS)
                assert admission.codes(0) == _code(Code.OK)
        except BaseException as error:  # noqa: BLE001 - reported by the main thread
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(blocks):
        at = world.NOW_NS + number
        kernel.apply(
            world.build(world.tick(f"n{number}"), timestamp_ns=at, first_sequence=number + 1)
        )
    for reader in readers:
        reader.join()
    assert failures == []
