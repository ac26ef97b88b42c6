"""C10 to C15 and C18: what is sent twice, what is sent in bulk, and what becomes of the past."""

from collections import Counter

from tests.client.statements.histories import random_ledger
from tests.differential import raw
from tests.differential.book import SECOND_NS, Book, Person
from tests.differential.engines import KernelEngine

from tallystick.statements.projection import Projection
from tallystick_ledger.codes import Code


def test_c10_one_request_is_counted_twice(book: Book) -> None:
    # Naive: a callback for each attempt, and three attempts for one request.
    spent = Counter[str]()
    for _attempt in range(3):
        spent["alice"] += 30
    assert spent["alice"] == 90
    # Here: the request has one hold, and what is captured is the sum so far: attempts, retries and
    # callbacks say it again. A second hold for the same request is refused by its reference.
    until_ns = book.now_ns + 60 * SECOND_NS
    request = raw.reserve(
        book.alice.account, book.bob.account, 100, until_ns, reference=0x1234, flags=raw.UNIQUE
    )
    hold = book.ok(book.alice.key, request).ids[0]
    assert book.codes(book.alice.key, request) == [Code.REFERENCE_USED]
    for cumulative in (10, 10, 30, 30, 30):
        book.ok(book.bob.key, raw.capture(hold, cumulative))
    assert book.codes(book.bob.key, raw.capture(hold, 20)) == [Code.CAPTURE_LOWERED]
    assert book.available(book.bob) == 1_030


def test_c11_a_top_up_is_posted_twice(book: Book) -> None:
    # Naive: a form that is submitted twice.
    wallet = 0
    for _post in range(2):
        wallet += 105
    assert wallet == 210
    # Here: the same envelope has the same id, and takes effect once whoever sends it how often.
    envelope = book.envelope(book.bank.key, raw.issue(book.usd, book.alice.account, 105))
    codes = [receipt.codes[0] for receipt in (*book.apply(envelope), *book.apply(envelope))]
    assert codes == [Code.OK, Code.DUPLICATE]
    assert book.available(book.alice) == 1_105
    # And another content under the id is told apart from the same.
    other = book.envelope(
        book.bank.key,
        raw.issue(book.usd, book.alice.account, 106),
        envelope_id=envelope.envelope_id,
    )
    assert book.apply(other)[0].codes == [Code.ID_CONFLICT]
    # A form that makes a new envelope each time names its order.
    top_up = raw.issue(book.usd, book.alice.account, 105, 77, flags=raw.UNIQUE)
    assert book.codes(book.bank.key, top_up) == [Code.OK]
    assert book.codes(book.bank.key, top_up) == [Code.REFERENCE_USED]
    assert book.available(book.alice) == 1_210


def test_c12_a_batch_is_half_done_and_nobody_knows_which_half(book: Book) -> None:
    amounts = (400, 700, 500)

    # Naive: a loop that stops at the first error.
    balance, done = 1_000, 0
    try:
        for amount in amounts:
            if amount > balance:
                raise OverflowError
            balance -= amount
            done += 1
    except OverflowError:
        pass
    assert (balance, done) == (600, 1)  # and the caller has one exception

    # Here: each record has its result, in its place; or all are undone, and it is said whose fault.
    def pay() -> list[bytes]:
        return [raw.transfer(book.alice.account, book.bob.account, amount) for amount in amounts]

    receipt = book.send(book.alice.key, *pay(), atomic=True)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.INSUFFICIENT_FUNDS, Code.ATOMIC_ABORTED]
    assert receipt.results[0].detail == 1
    assert book.available(book.alice) == 1_000
    each = book.send(book.alice.key, *pay())
    assert each.codes == [Code.OK, Code.INSUFFICIENT_FUNDS, Code.OK]
    assert book.available(book.alice) == 100


def test_c13_a_prepaid_balance_is_minutes_late(book: Book) -> None:
    # Naive: events are rated every five minutes; the wallet shows what it had.
    wallet, unrated, passed = 1_000, 0, 0
    for _call in range(50):
        if wallet >= 100:  # what the clock job has left there
            passed += 1
            unrated += 100
    wallet -= unrated
    assert (passed, wallet) == (50, -4_000)
    # Here: the row after a record has it; on hold, posted and available are told apart.
    hold = book.reserve(book.alice, book.bob, 900)
    row = book.row(book.alice.account)
    assert (row.available, row.debits_pending, row.balance) == (100, 900, 1_000)
    for cumulative in range(100, 901, 100):
        book.ok(book.bob.key, raw.capture(hold, cumulative))
        row = book.row(book.alice.account)
        assert (row.available, row.balance) == (100, 1_000 - cumulative)
        assert book.row(book.bob.account).available == 1_000 + cumulative


def test_c14_one_hot_account_stalls_everybody(book: Book) -> None:
    payers = 40

    # Naive: each reads the row's version, and writes only if nobody else has; who lost tries again.
    waiting, tries = payers, 0
    while waiting:
        tries += waiting
        waiting -= 1  # of all that read the same version, one wins
    assert tries == payers * (payers + 1) // 2

    # Here: an order first, then one pass. So many payers, one payee, one block: each tried once.
    people = [book.customer(10) for _ in range(payers)]
    envelopes = [
        book.envelope(person.key, raw.transfer(person.account, book.bob.account, 10))
        for person in people
    ]
    before = book.next_sequence
    codes = [receipt.codes for receipt in book.apply(*envelopes)]
    assert codes == [[Code.OK]] * payers
    assert book.next_sequence - before == payers
    assert book.available(book.bob) == 1_000 + 10 * payers


def _settle(book: Book, payer: Person, payee: Person, count: int) -> None:
    """So many requests, each with a hold that ends, in the log for ever."""
    for _ in range(count):
        hold = book.reserve(payer, payee, 10, 20 * SECOND_NS)
        book.ok(payee.key, raw.capture(hold, 1, flags=raw.FINAL))
        book.now_ns += SECOND_NS


def test_c15_the_log_grows_and_reports_read_all_of_it() -> None:
    # Naive: the state is the log, and a report adds it all up, each day again.
    log: list[int] = []
    read = []
    for _day in range(5):
        log += [1] * 100
        read.append(len(log))
    assert read == [100, 200, 300, 400, 500]

    # Here: what a node keeps to apply the next block does not grow with what was settled …
    book = Book(KernelEngine)
    engine = book.engine
    assert isinstance(engine, KernelEngine)
    _settle(book, book.alice, book.bob, 150)  # past every window: ended holds are forgotten
    sizes, sequences = [], []
    for _ in range(3):
        _settle(book, book.alice, book.bob, 60)
        sizes.append(engine.kernel.status().holds)
        sequences.append(book.next_sequence)
    assert len(set(sizes)) == 1
    assert sizes[0] < 60
    assert sequences[2] - sequences[0] == 2 * 120
    # … and a report goes on where it was: it is not given what it has booked.
    told = random_ledger(3, 30)
    row, entries = max(
        ((row, told.histories[row.account]) for row in told.state.accounts),
        key=lambda pair: len(pair[1]),
    )
    half = len(entries) // 2
    assert half > 1
    with Projection(":memory:", told.ledger_id) as projection:
        projection.add(row.account, row.owner, row.unit)
        projection.book(row.account, entries[:half], entries[half - 1].sequence + 1)
        followed = projection.followed(row.account)
        assert followed is not None
        assert followed.resume_ns == entries[half - 1].timestamp_ns + 1
        projection.book(row.account, entries[half:], entries[-1].sequence + 1)
        statement = projection.statement(row.account, 0, 2**63 - 1)
        assert statement.adds_up
        assert statement.closing.debits_posted == row.debits_posted


def test_c18_backdated_usage_and_resets_corrupt_balances(book: Book) -> None:
    # Naive: the balance of a month is what happened in it; what arrives late changes a closed one.
    events = [(1, 100), (2, 50)]  # month, amount

    def statement(month: int) -> int:
        return sum(amount for at, amount in events if at == month)

    closed = statement(1)
    events.append((1, 30))
    assert statement(1) != closed

    # Here: a record has two times. It is booked when it is ordered, behind all that is there, and
    # says besides when it was used; nothing before it changes.
    hold = book.reserve(book.alice, book.bob, 500)
    first = book.ok(book.bob.key, raw.capture(hold, 100))
    closed_rows = book.row(book.alice.account), book.row(book.bob.account)
    closed_at_ns = book.now_ns
    late = book.ok(book.bob.key, raw.capture(hold, 130, occurred_at_ns=SECOND_NS))
    assert late.timestamp_ns >= closed_at_ns > first.timestamp_ns
    assert late.first_sequence > first.first_sequence
    assert [effect.amount for effect in late.effects] == [30]
    assert book.row(book.alice.account).debits_posted == closed_rows[0].debits_posted + 30
    # What was wrong is corrected by a record of its own that cites it, up to what it paid.
    assert book.codes(book.bob.key, raw.refund(first.first_sequence, 101)) == [
        Code.CORRECTION_EXCEEDS
    ]
    book.ok(book.bob.key, raw.refund(first.first_sequence, 100))
    assert book.row(book.alice.account).debits_posted == 130  # still there
    assert book.row(book.alice.account).balance == 970
