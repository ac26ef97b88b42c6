"""CONTs cut out of blocks, against the plain Python formats, and out of what is no block."""

from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tallystick_core import cut_conts, cut_records
from tests.differential.engines import SpecEngine
from tests.differential.generator import random_block
from tests.differential.population import World, first_block, random_genesis

from tallystick_ledger.block import Block
from tallystick_ledger.citations import Postings
from tallystick_ledger.spec import apply_block

RECORD_BYTES: Final = 128


def _blocks(seed: int, count: int) -> list[bytes]:
    rng = Random(seed)
    genesis = random_genesis(rng)
    engine = SpecEngine(genesis.encode())
    world, postings, made = World(rng, engine.state), Postings(), []
    for number in range(count):
        block = random_block(world) if number else first_block(world)
        data = block.encode(genesis.ledger_id, engine.state.next_sequence_number)
        applied = apply_block(engine.state, data, postings.of(data))
        postings.add(data, applied.results, applied.effects, applied.effect_counts)
        made.append(data)
    return made


BLOCKS: Final = _blocks(7, 25)


def _packed(*sequences: int) -> bytes:
    return b"".join(sequence.to_bytes(8, "little") for sequence in sequences)


def _records(data: bytes) -> list[bytes]:
    envelopes = (bytes(each.data)[256:] for each in Block.parse(data).envelopes)
    joined = b"".join(envelopes)
    return [joined[at : at + RECORD_BYTES] for at in range(0, len(joined), RECORD_BYTES)]


def test_conts_are_those_behind_their_heads() -> None:
    seen = 0
    for data in BLOCKS:
        first, records = int.from_bytes(data[16:24], "little"), _records(data)
        wanted = list(range(len(records)))
        Random(1).shuffle(wanted)
        expected = []
        for at in wanted:
            count = int.from_bytes(records[at][4:6], "little")
            expected += records[at + 1 : at + 1 + count]
        sequences = _packed(*(first + at for at in wanted))
        assert cut_conts(data, sequences) == b"".join(expected)
        cut = cut_records(data, sequences)
        assert [cut[at + 64 : at + 192] for at in range(0, len(cut), 192)] == [
            records[at] for at in wanted
        ]
        seen += len(expected)
    assert seen > 50


def test_what_is_not_there_is_said() -> None:
    data = BLOCKS[3]
    first, count = int.from_bytes(data[16:24], "little"), len(_records(data))
    for outside in (first - 1, first + count, 0, 2**64 - 1):
        with pytest.raises(ValueError, match=f"{outside} is not in the block"):
            cut_conts(data, _packed(outside))
    with pytest.raises(ValueError, match="8 bytes each"):
        cut_conts(data, b"x")
    with pytest.raises(ValueError, match="shorter than a block header"):
        cut_conts(b"", _packed(first))


@settings(max_examples=300, deadline=None)
@given(
    number=st.integers(0, len(BLOCKS) - 1),
    flips=st.lists(st.tuples(st.integers(0), st.integers(1, 255)), max_size=8),
    keep=st.floats(0, 1),
    at=st.integers(0, 400),
)
def test_damaged_blocks_give_bytes_or_a_value_error(
    number: int, flips: list[tuple[int, int]], keep: float, at: int
) -> None:
    data = bytearray(BLOCKS[number])
    for place, change in flips:
        data[place % len(data)] ^= change
    if keep < 0.5:
        del data[int(2 * keep * len(data)) :]
    first = int.from_bytes(BLOCKS[number][16:24], "little")
    try:
        cut = cut_conts(bytes(data), _packed(first + at, first))
    except ValueError:
        return
    assert len(cut) % RECORD_BYTES == 0


@given(data=st.binary(max_size=600), sequences=st.binary(max_size=40))
def test_random_bytes_give_a_value_error(data: bytes, sequences: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever comes first
        cut_conts(data, sequences)
