"""The specification's own face: what `apply_block` returns, and the order of the two heaps."""

from dataclasses import replace

import pytest
from tests.differential import raw
from tests.differential.book import SECOND_NS, Book, genesis_for_tests
from tests.differential.engines import SpecEngine

from tallystick_ledger import merkle
from tallystick_ledger.codes import Code
from tallystick_ledger.spec import BlockError, State, apply_block, digest
from tallystick_ledger.state_rows import HoldStatus


def test_a_new_state_holds_the_genesis_principals_only() -> None:
    genesis = genesis_for_tests()
    state = State.from_genesis(genesis)
    assert (len(state.principals), len(state.keys), len(state.accounts)) == (2, 2, 0)
    assert (state.next_sequence_number, state.min_timestamp_ns) == (1, 0)
    assert state.log.root() == merkle.EMPTY_ROOT


def test_the_digest_depends_on_the_ledger_and_on_every_row() -> None:
    genesis = genesis_for_tests()
    other = replace(genesis, random_bytes=b"s" * 32)
    states = [State.from_genesis(genesis), State.from_genesis(other)]
    assert digest(states[0]) != digest(states[1])
    before = digest(states[0])
    key = genesis.operators[0]
    states[0].keys.put(key, replace(states[0].keys[key], until_ns=1))  # type: ignore[arg-type]
    assert digest(states[0]) != before


def test_leaves_cover_results_and_effects() -> None:
    genesis = genesis_for_tests()
    book = Book(SpecEngine, genesis)
    hold = book.reserve(book.alice, book.bob, 10)
    engine = book.engine
    assert isinstance(engine, SpecEngine)
    envelope = book.envelope(book.bob.key, raw.capture(hold, 4, flags=raw.FINAL), raw.tick())
    data = raw.Block(book.now_ns, (envelope,)).encode(genesis.ledger_id, book.next_sequence)
    applied = apply_block(engine.state, data)
    (item,) = applied.envelopes
    assert [result.code for result in item.outcome.results] == [Code.OK, Code.SCOPE_DENIED]
    assert item.leaf.results_root == merkle.root_of(applied.results, 16)
    assert item.leaf.effects_root == merkle.root_of(applied.effects, 128)
    assert applied.effect_counts == (2,)
    assert item.leaf.header == data[64:256]
    assert item.leaf.signature == data[256:320]
    assert item.leaf.first_sequence == book.next_sequence
    assert item.leaf.timestamp_ns == book.now_ns


def test_a_block_of_another_ledger_says_so() -> None:
    genesis = genesis_for_tests()
    state = State.from_genesis(genesis)
    tick = raw.Envelope(genesis.nodes[0].ledger_key, b"i" * 16, 1 << 62, (raw.tick(),))
    with pytest.raises(BlockError, match="another ledger"):
        apply_block(state, raw.Block(5, (tick,)).encode(b"x" * 32, 1))
    with pytest.raises(BlockError, match="goes on at 1"):
        apply_block(state, raw.Block(5, (tick,)).encode(genesis.ledger_id, 2))


def test_holds_come_in_the_order_of_expiry_and_of_end_after_an_undone_end() -> None:
    book = Book(SpecEngine)
    engine = book.engine
    assert isinstance(engine, SpecEngine)
    late = book.reserve(book.alice, book.bob, 1, 50 * SECOND_NS)
    early = book.reserve(book.alice, book.bob, 1, 40 * SECOND_NS)
    assert engine.state.next_to_forget() is None
    failing = raw.release(raw.ZERO_ID)
    book.send(book.bob.key, raw.release(early), failing, atomic=True)
    assert engine.state.next_to_forget() is None
    upcoming = engine.state.next_to_expire()
    assert upcoming is not None
    assert upcoming.hold == early
    book.ok(book.bob.key, raw.release(late))
    book.ok(book.bob.key, raw.release(early))
    first = engine.state.next_to_forget()
    assert first is not None
    assert (first.hold, first.status) == (late, HoldStatus.RELEASED)
    assert engine.state.next_to_expire() is None
