"""REFUND, DISPUTE and DISPUTE_ANSWER, one test a promise, on both engines."""

from dataclasses import replace

import pytest
from tallystick_core import KernelBroken, cited_sequences
from tests.differential import raw
from tests.differential.book import SECOND_NS, Book, MakeEngine
from tests.differential.engines import KernelEngine, SpecEngine

from tallystick_ledger.block import Block
from tallystick_ledger.citations import Citation, CitationError
from tallystick_ledger.citations import cited_sequences as cited_by_the_page
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import Amount, SequenceNumber
from tallystick_ledger.limits import CORRECTION_WINDOW_NS, MAX_CITED_RECORDS
from tallystick_ledger.spec import apply_block
from tallystick_ledger.state_rows import DisputeStatus


@pytest.fixture
def book(engine: MakeEngine) -> Book:
    return Book(engine)


def paid(book: Book, amount: int = 100) -> int:
    """A transfer of Alice's to Bob, by its sequence number."""
    record = raw.transfer(book.alice.account, book.bob.account, amount)
    return book.ok(book.alice.key, record).first_sequence


def test_captures_vouchers_and_transfers_can_be_refunded(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 100)
    key = book.channel_key(book.alice)
    channel = book.channel(book.alice, book.bob, 100, key)
    captured = book.ok(book.bob.key, raw.capture(hold, 60)).first_sequence
    redeemed = book.ok(book.bob.key, book.voucher(key, channel, 70)).first_sequence
    for sequence, amount in ((captured, 60), (redeemed, 70), (paid(book, 80), 80)):
        assert book.codes(book.bob.key, raw.refund(sequence, amount + 1)) == [
            Code.CORRECTION_EXCEEDS
        ]
        receipt = book.ok(book.bob.key, raw.refund(sequence, amount))
        effect = receipt.effects[0]
        assert (effect.cause.name, effect.amount) == ("REFUND", amount)
        assert effect.debit_account == book.bob.account
        assert effect.credit_account == book.alice.account
    assert book.row(book.alice.account).balance == 1_000


def test_a_capture_is_refunded_by_what_itself_paid(book: Book) -> None:
    """Captures are cumulative, but each record paid its own difference only."""
    hold = book.reserve(book.alice, book.bob, 100)
    first = book.ok(book.bob.key, raw.capture(hold, 60)).first_sequence
    second = book.ok(book.bob.key, raw.capture(hold, 90)).first_sequence
    replay = book.ok(book.bob.key, raw.capture(hold, 90)).first_sequence
    for sequence, code in (
        (second, Code.CORRECTION_EXCEEDS),
        (replay, Code.CITED_NOT_FOUND),
        (first, Code.OK),
    ):
        assert book.codes(book.bob.key, raw.refund(sequence, 31)) == [code]


def test_what_moved_nothing_cannot_be_cited(book: Book) -> None:
    sequence = paid(book)
    refund = book.ok(book.bob.key, raw.refund(sequence, 10)).first_sequence
    refused = raw.transfer(book.alice.account, book.bob.account, 10_000)
    failed = book.send(book.alice.key, refused).first_sequence
    aborted = book.send(
        book.alice.key,
        raw.transfer(book.alice.account, book.bob.account, 1),
        refused,
        atomic=True,
    ).first_sequence
    for cited in (refund, failed, aborted):
        assert book.codes(book.bob.key, raw.refund(cited, 1)) == [Code.CITED_NOT_FOUND]


def test_nothing_of_the_same_block_can_be_cited(book: Book) -> None:
    payment = raw.transfer(book.alice.account, book.bob.account, 5)
    pays = book.envelope(book.alice.key, payment)
    refunds = book.envelope(book.bob.key, raw.refund(book.next_sequence, 1))
    assert book.apply(pays, refunds)[1].codes == [Code.CITED_NOT_FOUND]


def test_all_corrections_share_one_ceiling_also_within_an_envelope(book: Book) -> None:
    sequence = paid(book)
    deadline_ns = book.now_ns + 50 * SECOND_NS
    book.ok(book.alice.key, raw.dispute(sequence, 80, deadline_ns))
    assert book.codes(
        book.bob.key,
        raw.refund(sequence, 30),
        raw.dispute_answer(sequence, 71),
        raw.dispute_answer(sequence, 70),
        raw.refund(sequence, 1),
    ) == [Code.OK, Code.CORRECTION_EXCEEDS, Code.OK, Code.CORRECTION_EXCEEDS]
    row = book.engine.correction(sequence)
    assert row is not None
    assert (row.corrected, row.amount) == (100, 100)


def test_an_atomic_envelope_that_fails_corrects_nothing(book: Book) -> None:
    sequence = paid(book)
    book.ok(book.bob.key, raw.refund(sequence, 5))
    before = book.engine.correction(sequence)
    receipt = book.send(
        book.bob.key,
        raw.refund(sequence, 20),
        raw.refund(paid(book), 1),
        raw.refund(sequence, 90),
        atomic=True,
    )
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.ATOMIC_ABORTED, Code.CORRECTION_EXCEEDS]
    assert book.engine.correction(sequence) == before
    assert not receipt.effects


def test_a_missed_deadline_is_a_rejection(book: Book) -> None:
    sequence = paid(book)
    deadline_ns = book.now_ns + 5 * SECOND_NS
    book.ok(book.alice.key, raw.dispute(sequence, 40, deadline_ns))
    assert book.codes(book.alice.key, raw.dispute(sequence, 1, deadline_ns)) == [Code.DISPUTE_OPEN]
    answer = raw.dispute_answer(sequence, 40)
    assert book.codes(book.bob.key, answer, at_ns=deadline_ns) == [Code.DISPUTE_LAPSED]
    assert book.row(book.alice.account).balance == 900
    # It can be disputed again, and answered on the last nanosecond.
    deadline_ns = book.now_ns + 5 * SECOND_NS
    book.ok(book.alice.key, raw.dispute(sequence, 30, deadline_ns))
    assert book.codes(book.bob.key, answer, at_ns=deadline_ns - 2) == [Code.ANSWER_EXCEEDS]
    assert [row.disputed for row in book.engine.disputes(book.alice.principal)] == [30]


def test_an_answer_on_the_last_nanosecond_counts(book: Book) -> None:
    sequence = paid(book)
    deadline_ns = book.now_ns + 5 * SECOND_NS
    book.ok(book.alice.key, raw.dispute(sequence, 40, deadline_ns))
    answer = raw.dispute_answer(sequence, 25)
    assert book.codes(book.bob.key, answer, at_ns=deadline_ns - 1) == [Code.OK]
    (row,) = book.engine.disputes(book.bob.principal)
    assert (row.status, row.accepted) == (DisputeStatus.ACCEPTED, 25)
    assert book.row(book.alice.account).balance == 925


def test_what_is_past_the_window_is_late_and_forgotten(book: Book) -> None:
    made = book.send(book.alice.key, raw.transfer(book.alice.account, book.bob.account, 100))
    sequence, end_ns = made.first_sequence, made.timestamp_ns + CORRECTION_WINDOW_NS
    book.ok(book.alice.key, raw.dispute(sequence, 10, end_ns))
    assert book.codes(book.bob.key, raw.refund(sequence, 1), at_ns=end_ns) == [Code.OK]
    assert book.engine.disputes(book.alice.principal)
    late = book.codes(book.bob.key, raw.refund(sequence, 1), at_ns=end_ns + 1_000_000)
    assert late == [Code.CORRECTION_TOO_LATE]
    assert book.engine.correction(sequence) is None
    assert not book.engine.disputes(book.alice.principal)


def test_a_frozen_payer_gets_its_money_back(book: Book) -> None:
    sequence = paid(book)
    book.ok(book.alice.key, raw.account(raw.FREEZE, account_id=book.alice.account))
    assert book.codes(book.bob.key, raw.refund(sequence, 100)) == [Code.OK]


def test_a_block_looks_up_no_more_than_256_records(book: Book) -> None:
    count = MAX_CITED_RECORDS + 1
    record = raw.transfer(book.alice.account, book.bob.account, 1)
    first = book.ok(book.alice.key, *[record] * count).first_sequence
    cited = range(first + count - 1, first - 1, -1)
    codes = book.send(book.bob.key, *(raw.refund(sequence, 1) for sequence in cited)).codes
    # Those that come first in the block are looked up: here the last payments.
    assert codes.index(Code.CITATIONS_FULL) == MAX_CITED_RECORDS
    assert book.codes(book.bob.key, raw.refund(first, 1)) in ([Code.OK], [Code.CAP_EXCEEDED])


def citing_block(book: Book) -> tuple[int, bytes]:
    """A payment, and the next block, which refunds a part of it."""
    sequence = paid(book)
    block = raw.Block(book.now_ns, (book.envelope(book.bob.key, raw.refund(sequence, 1)),))
    return sequence, block.encode(book.genesis.ledger_id, book.next_sequence)


def wrong_citations(sequence: int) -> list[bytes]:
    right, other = (Citation(SequenceNumber(number)).encode() for number in (sequence, 1))
    return [b"", other, other + right, right + right, right[:-1]]


def test_core_and_page_look_the_same_records_up() -> None:
    sequence, block = citing_block(Book(SpecEngine))
    assert cited_sequences(block) == sequence.to_bytes(8, "little")
    assert cited_by_the_page(Block.parse(block)) == (sequence,)
    assert cited_sequences(b"no block") == b""


@pytest.mark.parametrize("place", range(5))
def test_wrong_citations_change_nothing_in_the_specification(place: int) -> None:
    engine = SpecEngine(Book(SpecEngine).genesis.encode())
    book = Book(lambda _: engine)
    sequence, block = citing_block(book)
    before = engine.digest()
    with pytest.raises(CitationError):
        apply_block(engine.state, block, wrong_citations(sequence)[place])
    assert engine.digest() == before


@pytest.mark.parametrize("place", range(5))
def test_wrong_citations_end_the_kernel(place: int) -> None:
    engine = KernelEngine(Book(SpecEngine).genesis.encode())
    sequence, block = citing_block(Book(lambda _: engine))
    with pytest.raises(BaseException, match="kernel invariant broken"):
        engine.kernel.apply(block, 1, wrong_citations(sequence)[place])
    with pytest.raises(KernelBroken):
        engine.kernel.state_digest()


def test_a_citation_that_contradicts_the_state_ends_the_kernel() -> None:
    engine = KernelEngine(Book(SpecEngine).genesis.encode())
    book = Book(lambda _: engine)
    sequence = paid(book)
    book.ok(book.bob.key, raw.refund(sequence, 1))
    block = raw.Block(book.now_ns, (book.envelope(book.bob.key, raw.refund(sequence, 1)),))
    data = block.encode(book.genesis.ledger_id, book.next_sequence)
    right = Citation.decode(engine.postings.of(data))
    with pytest.raises(BaseException, match="kernel invariant broken"):
        engine.kernel.apply(data, 1, replace(right, amount=Amount(right.amount + 1)).encode())


def test_postings_are_those_of_the_log() -> None:
    engine = SpecEngine(Book(SpecEngine).genesis.encode())
    sequence = paid(Book(lambda _: engine), 7)
    moved = [(each.sequence_number, each.amount) for each in engine.postings]
    assert moved == [(sequence, 7)]
