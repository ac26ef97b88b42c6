"""What a block cites, as a node reads it from its store: the same as from memory, or no answer."""

from pathlib import Path

import pytest
from tallystick_core import Kernel
from tests.differential import raw
from tests.differential.book import Book
from tests.differential.debts import Shop
from tests.differential.engines import Outcome, SpecEngine
from tests.node.store_tools import append, new_store, reopen

from tallystick_node.apply import apply_entry
from tallystick_node.citations import citations_of
from tallystick_node.errors import DamagedLogError
from tallystick_node.storage import LogEntry, Store


class NodeEngine(SpecEngine):
    """The specification, and beside it a kernel whose blocks go through a node's store."""

    def __init__(self, genesis: bytes, store: Store) -> None:
        super().__init__(genesis)
        self.kernel, self.store = Kernel(genesis), store
        self.count = 0

    def apply(self, block: bytes) -> Outcome:
        self.count += 1
        append(self.store, [LogEntry(self.count, 1, block)], commit=self.count)
        assert citations_of(self.store, block) == self.postings.of(block)
        applied = apply_entry(self.kernel, self.store, self.count, block)
        outcome = super().apply(block)
        assert applied is not None
        assert applied.results == outcome.results
        assert applied.effects == outcome.effects
        assert self.kernel.state_digest() == self.digest()
        return outcome


@pytest.fixture
def engine(tmp_path: Path) -> NodeEngine:
    store = new_store(tmp_path / "store")
    return NodeEngine(Book(SpecEngine).genesis.encode(), store)


def test_citations_come_from_the_store(engine: NodeEngine, tmp_path: Path) -> None:
    book = Book(lambda _: engine)
    payment = raw.transfer(book.alice.account, book.bob.account, 10)
    refused = raw.transfer(book.alice.account, book.bob.account, 10_000)
    holds = [book.reserve(book.alice, book.bob, 50) for _ in range(2)]
    first = book.ok(book.alice.key, payment, payment).first_sequence
    mixed = book.apply(
        book.envelope(book.alice.key, payment, refused, payment),
        book.envelope(book.bob.key, *(raw.capture(hold, 20) for hold in holds)),
    )
    numbers = [first, first + 1]
    numbers += range(mixed[0].first_sequence, mixed[1].first_sequence + 2)
    engine.store = reopen(engine.store, tmp_path / "store")
    receipt = book.send(book.bob.key, *(raw.refund(number, 3) for number in numbers))
    assert [code.name for code in receipt.codes] == [
        *["OK"] * 3,
        "CITED_NOT_FOUND",
        *["OK"] * 3,
    ]
    engine.store.close()


def test_what_priced_a_record_comes_from_the_store(engine: NodeEngine) -> None:
    book = Book(lambda _: engine)
    shop = Shop.of(book, book.bob)
    names = shop.names

    def used(quantity: int) -> bytes:
        return raw.usage([(names.meter, quantity)])

    metered = raw.metered(shop.card, names.model, used(9))
    record = raw.meter(book.alice.account, book.bob.account, 9, metered)
    cited = book.ok(book.alice.key, record).first_sequence
    again = raw.reprice(cited, 4, raw.repriced(shop.card, names.model, used(4)))
    (effect,) = book.ok(book.bob.key, again).effects
    assert (effect.amount, effect.card) == (5, shop.card)
    engine.store.close()


def test_what_is_cited_and_gone_is_no_answer(engine: NodeEngine, tmp_path: Path) -> None:
    book = Book(lambda _: engine)
    payment = raw.transfer(book.alice.account, book.bob.account, 10)
    sequence = book.ok(book.alice.key, payment).first_sequence
    block = raw.Block(book.now_ns, (book.envelope(book.bob.key, raw.refund(sequence, 1)),))
    data = block.encode(book.genesis.ledger_id, book.next_sequence)
    empty = new_store(tmp_path / "empty")
    with pytest.raises(DamagedLogError):
        citations_of(empty, data)
    empty.close()
    engine.store.close()
