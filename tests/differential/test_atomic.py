"""ATOMIC: all records or none, whatever the kind. docs/semantics.md section 2."""

from collections.abc import Callable

import pytest
from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, MakeEngine, genesis_for_tests
from tests.differential.cases import KindCases, new_case
from tests.differential.test_order import KINDS

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps
from tallystick_ledger.results import Cause
from tallystick_ledger.state_rows import HoldStatus

FAILING = raw.release(b"no such hold....")


def digest_without_position(book: Book) -> tuple[bytes, bytes]:
    """What a refused record must not change: the rows of the two people and the bank's unit."""
    rows = [book.row(account) for account in (book.alice.account, book.bob.account, book.usd)]
    keys = [book.engine.key(person.key) for person in (book.alice, book.bob, book.bank)]
    return b"".join(row.encode() for row in rows), b"".join(key.encode() for key in keys if key)


def test_records_see_the_effects_of_earlier_ones(book: Book) -> None:
    key, envelope_id = book.alice.key, book.new_id()
    account = book.derived(book.alice.principal, envelope_id, 0)
    records = (
        raw.open_account(book.usd),
        raw.transfer(book.alice.account, account, 10),
        raw.transfer(account, book.bob.account, 10),
        raw.account(raw.CLOSE, account_id=account),
    )
    receipt = book.send(key, *records, atomic=True, envelope_id=envelope_id)
    assert receipt.codes == [Code.OK] * 4


def test_the_first_failure_keeps_its_code_and_aborts_all_others(book: Book) -> None:
    pay = raw.transfer(book.alice.account, book.bob.account, 1)
    too_much = raw.transfer(book.alice.account, book.bob.account, START_AMOUNT)
    receipt = book.send(book.alice.key, pay, raw.name(b"n" * 70), too_much, pay, atomic=True)
    expected = [Code.ATOMIC_ABORTED, Code.ATOMIC_ABORTED, Code.INSUFFICIENT_FUNDS]
    assert receipt.codes == [*expected, Code.ATOMIC_ABORTED]
    # The failing head is the fourth record: NAME has a CONT, whose result is zero as ever.
    assert [result.detail for result in receipt.results] == [3, 3, 0, 0, 3]
    assert receipt.results[2].is_ok
    assert book.available(book.alice) == START_AMOUNT


def test_shape_refusals_abort_too(book: Book) -> None:
    pay = raw.transfer(book.alice.account, book.bob.account, 1)
    receipt = book.send(book.alice.key, pay, raw.head(0x0666, 0, {}), atomic=True)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.UNKNOWN_KIND]
    assert receipt.results[0].detail == 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_undone(kind: KindCases, engine: MakeEngine) -> None:
    """The same envelope with a failing record at its end leaves the same state as that alone."""
    digests = []
    for with_record in (True, False):
        case = new_case(kind, engine)
        book = case.book
        case.key = case.signer.key
        envelope_id = book.new_id()
        record = case.build(case, envelope_id)
        fillers = [FAILING] * (len(record) // raw.RECORD_BYTES)
        first = [record] if with_record else fillers
        envelope = book.envelope(case.key, *first, FAILING, atomic=True, envelope_id=envelope_id)
        receipt = book.apply(envelope)[0]
        assert receipt.effects == []
        if with_record:
            assert receipt.codes[0] is Code.ATOMIC_ABORTED
        digests.append((book.engine.position()[:2], rows_but_live_ids(book)))
    assert digests[0] == digests[1]


def rows_but_live_ids(book: Book) -> object:
    """All that two ledgers can share whose last envelopes differ by their headers."""
    digest = digest_without_position(book)
    # Let the live ids of both be forgotten, then compare the whole.
    at_ns = book.now_ns + 200 * SECOND_NS
    envelope = book.envelope(
        book.node.key, raw.tick(), envelope_id=b"i" * 16, valid_until_ns=at_ns + SECOND_NS
    )
    book.apply(envelope, at_ns=at_ns)
    return digest, book.engine.digest()


def test_the_envelope_id_stays_consumed(book: Book) -> None:
    envelope = book.envelope(book.alice.key, FAILING, atomic=True)
    assert book.apply(envelope)[0].codes == [Code.HOLD_NOT_FOUND]
    assert book.apply(envelope)[0].codes == [Code.DUPLICATE]


def test_marks_are_undone(book: Book) -> None:
    pay = raw.transfer(book.alice.account, book.bob.account, 1, 7, flags=raw.UNIQUE)
    book.send(book.alice.key, pay, FAILING, atomic=True)
    assert book.codes(book.alice.key, pay) == [Code.OK]


def test_a_revocation_is_undone_and_acts_inside(book: Book) -> None:
    key = book.add_key(book.alice, raw.SPEND)
    revoke = raw.key(raw.REVOKE, key, book.alice.principal)
    pay = raw.transfer(book.alice.account, book.bob.account, 1)
    receipt = book.send(key, pay, revoke, pay, atomic=True)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.ATOMIC_ABORTED, Code.KEY_REVOKED]
    assert book.codes(key, pay) == [Code.OK]


def test_sweeps_stay_and_do_not_run_inside(book: Book) -> None:
    """One hold is due at the envelope's first record, another at its second."""
    due_ns = book.now_ns + 10 * SECOND_NS
    for number, expires_at_ns in enumerate((due_ns, due_ns + 1)):
        record = raw.reserve(book.alice.account, book.bob.account, 100 + number, expires_at_ns)
        book.ok(book.alice.key, record)
    pay_all = raw.transfer(book.alice.account, book.bob.account, START_AMOUNT - 101)
    pay_more = raw.transfer(book.alice.account, book.bob.account, 1)
    book.now_ns = due_ns
    receipt = book.send(book.alice.key, pay_all, pay_more, atomic=True)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.FUNDS_HELD]
    assert [(effect.cause, effect.record_index) for effect in receipt.effects] == [
        (Cause.EXPIRY, 0)
    ]
    assert book.available(book.alice) == START_AMOUNT - 101


def test_an_open_hold_that_is_due_inside_answers_expired(book: Book) -> None:
    due_ns = book.now_ns + 10 * SECOND_NS
    record = raw.reserve(book.alice.account, book.bob.account, 100, due_ns)
    hold = book.ok(book.alice.key, record).ids[0]
    book.now_ns = due_ns - 1
    receipt = book.send(
        book.bob.key, raw.capture(hold, 10), raw.capture(hold, 20, flags=raw.FINAL), atomic=True
    )
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.HOLD_EXPIRED]
    assert book.hold(hold).status is HoldStatus.OPEN
    assert book.hold(hold).captured == 0


def test_an_undone_end_of_a_hold_can_come_again(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 100)
    final = raw.capture(hold, 40, flags=raw.FINAL)
    book.send(book.bob.key, final, FAILING, atomic=True)
    assert book.hold(hold).status is HoldStatus.OPEN
    assert book.codes(book.bob.key, final) == [Code.OK]
    ended_at_ns = book.hold(hold).ended_at_ns
    # Forgotten by its second end, not by the one that was undone.
    book.send(book.node.key, raw.tick(), at_ns=ended_at_ns + 50 * SECOND_NS)
    assert book.engine.hold(hold) is not None
    book.send(book.node.key, raw.tick(), at_ns=ended_at_ns + 51 * SECOND_NS)
    assert book.engine.hold(hold) is None


@pytest.mark.parametrize(
    ("caps", "make"),
    [
        (Caps(accounts=2), lambda book: raw.open_account(book.usd)),
        (Caps(names=1), lambda _: raw.name(b"a name")),
        (Caps(keys=2), lambda book: raw.key(raw.ADD, b"k" * 32, book.alice.principal, scope=2)),
        (
            Caps(open_holds=1),
            lambda book: raw.reserve(
                book.alice.account, book.bob.account, 1, book.now_ns + 9 * SECOND_NS
            ),
        ),
        (
            Caps(references=1),
            lambda book: raw.transfer(book.alice.account, book.bob.account, 1, 7, flags=raw.UNIQUE),
        ),
    ],
    ids=["accounts", "names", "keys", "open_holds", "references"],
)
def test_counts_for_caps_are_undone(
    engine: MakeEngine, caps: Caps, make: Callable[[Book], bytes]
) -> None:
    book = Book(engine, genesis_for_tests(caps))
    for _ in range(3):
        receipt = book.send(book.alice.key, make(book), FAILING, atomic=True)
        assert receipt.codes == [Code.ATOMIC_ABORTED, Code.HOLD_NOT_FOUND]
    assert book.codes(book.alice.key, make(book)) == [Code.OK]
