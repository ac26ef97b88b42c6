"""Blocks that are refused as a whole: semantics.md section 1. The state stays as it was."""

from collections.abc import Callable

import pytest
from tests.differential import raw
from tests.differential.book import START_AMOUNT, Book, MakeEngine

from tallystick_ledger.codes import Code

Spoil = Callable[[bytes], bytes]
MAX_U64 = (1 << 64) - 1


def good_block(book: Book) -> bytes:
    envelope = book.envelope(
        book.alice.key,
        raw.transfer(book.alice.account, book.bob.account, 1),
        raw.name(b"n" * 70),
    )
    block = raw.Block(book.now_ns, (envelope, book.envelope(book.node.key, raw.tick())))
    return block.encode(book.genesis.ledger_id, book.next_sequence)


def patch(offset: int, content: bytes) -> Spoil:
    return lambda block: raw.patched(block, offset, content)


def add(offset: int, size: int, difference: int) -> Spoil:
    def spoil(block: bytes) -> bytes:
        value = int.from_bytes(block[offset : offset + size], "little") + difference
        return raw.patched(block, offset, value.to_bytes(size, "little"))

    return spoil


# The first envelope starts at 64, its records at 320: transfer, name, its CONT.
SPOILED: dict[str, Spoil] = {
    "empty": lambda _: b"",
    "header cut": lambda block: block[:63],
    "magic": patch(0, b"TSB2"),
    "format version": patch(4, raw.u16(2)),
    "rules version": patch(6, raw.u16(2)),
    "time before the last block": add(8, 8, -100_000_000),
    "time leaves 64 bits": patch(8, raw.u64(MAX_U64 - 3)),
    "sequence number ahead": add(16, 8, 1),
    "sequence number behind": add(16, 8, -1),
    "one envelope more": add(24, 4, 1),
    "one envelope less": add(24, 4, -1),
    "one record more": add(28, 4, 1),
    "one record less": add(28, 4, -1),
    "one byte more": add(32, 4, 1),
    "reserved": patch(63, b"\x01"),
    "bytes behind": lambda block: block + b"\0",
    "bytes missing": lambda block: block[:-1],
    "envelope magic": patch(64, b"TSE2"),
    "envelope version": patch(68, raw.u16(2)),
    "envelope flags": patch(70, raw.u16(2)),
    "algorithm": patch(72, raw.u16(2)),
    "envelope reserved": patch(74, b"\x01"),
    "no records": patch(76, bytes(4)),
    "too many records": patch(76, (8_191).to_bytes(4, "little")),
    "another ledger": patch(80, b"\xff"),
    "late reserved": patch(255, b"\x01"),
    "a CONT without a head": patch(320, raw.u16(raw.CONT)),
    "a head where a CONT should be": patch(576, raw.u16(raw.TICK)),
    "CONTs past the end": patch(452, raw.u16(2)),
    "too many CONTs": patch(452, raw.u16(65)),
    "CONT flags": patch(578, b"\x01"),
    "CONT count in a CONT": patch(580, b"\x01"),
    "CONT without nonce": patch(688, bytes(16)),
    "head without nonce": patch(432, bytes(16)),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_a_bad_block_is_refused_and_changes_nothing(book: Book, spoil: Spoil) -> None:
    good = good_block(book)
    before = book.engine.digest(), book.engine.tree_root(), book.engine.position()
    with pytest.raises(ValueError, match=r"."):
        book.engine.apply(spoil(good))
    assert (book.engine.digest(), book.engine.tree_root(), book.engine.position()) == before
    assert not any(book.engine.apply(good).results)


def test_the_same_block_does_not_apply_twice(book: Book) -> None:
    block = good_block(book)
    book.engine.apply(block)
    with pytest.raises(ValueError, match=r"."):
        book.engine.apply(block)


def test_time_may_stand_but_not_go_back(engine: MakeEngine) -> None:
    book = Book(engine)
    _, earliest_ns, _ = book.engine.position()
    receipt = book.send(book.node.key, raw.tick(), at_ns=earliest_ns)
    assert receipt.codes == [Code.OK]
    _, next_ns, _ = book.engine.position()
    assert next_ns == earliest_ns + 1
    with pytest.raises(ValueError, match=r"."):
        book.send(book.node.key, raw.tick(), at_ns=next_ns - 1)


def test_records_count_one_nanosecond_and_one_sequence_number_each(book: Book) -> None:
    next_sequence, _, _ = book.engine.position()
    pay = raw.transfer(book.alice.account, book.bob.account, 1)
    envelopes = [book.envelope(book.alice.key, pay, pay), book.envelope(book.alice.key, pay)]
    receipts = book.apply(*envelopes)
    assert [receipt.first_sequence for receipt in receipts] == [next_sequence, next_sequence + 2]
    assert book.engine.position()[:2] == (next_sequence + 3, receipts[0].timestamp_ns + 3)
    assert book.available(book.alice) == START_AMOUNT - 3


def test_the_last_possible_nanosecond(book: Book) -> None:
    tick = book.envelope(book.node.key, raw.tick(), valid_until_ns=MAX_U64)
    receipt = book.apply(tick, at_ns=MAX_U64 - 1)[0]
    assert receipt.codes == [Code.OK]
    assert book.engine.position()[1] == MAX_U64
