"""Recovery of a principal: what a RECOVERY key begins, a veto ends, and time lets happen."""

import pytest
from tests.differential import raw, raw_recovery
from tests.differential.book import SECOND_NS, Book, MakeEngine, Person, genesis_for_tests
from tests.differential.cases_recovery import PENDING_KEY, begin
from tests.differential.engines import KernelEngine

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps
from tallystick_ledger.limits import MAX_RECOVERY_NS, MAX_U64, MIN_RECOVERY_NS
from tallystick_ledger.records import Scope
from tallystick_ledger.state_rows import KeyStatus, RecoveryRow, Table


def pending(book: Book) -> list[RecoveryRow]:
    return [RecoveryRow.decode(row) for row in book.engine.rows(Table.RECOVERY)]


def due_ns(book: Book) -> int:
    (row,) = pending(book)
    return row.due_ns


def pay(book: Book, person: Person | None = None) -> bytes:
    return raw.transfer((person or book.alice).account, book.bob.account, 1)


def is_active(book: Book, key: bytes) -> bool:
    row = book.engine.key(key)
    assert row is not None
    return row.status is KeyStatus.ACTIVE


def test_the_row_says_what_is_to_come(book: Book) -> None:
    recovery_key = book.add_key(book.alice, raw.RECOVERY)
    record = raw_recovery.recover(PENDING_KEY, book.alice.principal, MAX_RECOVERY_NS)
    receipt = book.ok(recovery_key, record)
    (row,) = pending(book)
    assert (row.principal, row.key, row.recovery_key) == (
        book.alice.principal,
        PENDING_KEY,
        recovery_key,
    )
    assert (row.begun_at, row.due_ns) == (
        receipt.first_sequence,
        receipt.timestamp_ns + MAX_RECOVERY_NS,
    )
    assert book.engine.key(PENDING_KEY) is None


def test_it_takes_effect_on_its_nanosecond(book: Book) -> None:
    """Within one envelope: the record a nanosecond before is the old key's last."""
    second = book.add_key(book.alice, raw.OWNER)
    spend = book.add_key(book.alice, raw.SPEND)
    recovery_key = begin(book, book.alice)
    receipt = book.send(book.alice.key, pay(book), pay(book), at_ns=due_ns(book) - 1)
    assert receipt.codes == [Code.OK, Code.KEY_REVOKED]
    assert pending(book) == []
    for old in (book.alice.key, second):
        row = book.engine.key(old)
        assert row is not None
        assert (row.status, row.revoked_at) == (KeyStatus.REVOKED, receipt.first_sequence + 1)
    row = book.engine.key(PENDING_KEY)
    assert row is not None
    assert (row.principal, row.scope, row.until_ns) == (book.alice.principal, Scope.OWNER, 0)
    assert row.registered_at == receipt.first_sequence + 1
    # All others stay: it is for the new owner to revoke them.
    assert book.codes(spend, pay(book)) == [Code.OK]
    assert book.codes(PENDING_KEY, pay(book)) == [Code.OK]
    revoke = raw.key(raw.REVOKE, recovery_key, book.alice.principal)
    assert book.codes(PENDING_KEY, revoke) == [Code.OK]


def test_the_new_key_signs_from_the_record_that_is_due_on(book: Book) -> None:
    begin(book, book.alice)
    book.now_ns = due_ns(book) - 1
    early = book.envelope(PENDING_KEY, raw.name(b"early"))
    late = book.envelope(PENDING_KEY, raw.name(b"late"))
    receipts = book.apply(early, late)
    assert [receipt.codes for receipt in receipts] == [[Code.UNKNOWN_KEY], [Code.OK]]


def test_an_envelope_of_strangers_is_enough(book: Book) -> None:
    begin(book, book.alice)
    book.send(book.fresh_key(), raw.tick(), at_ns=due_ns(book))
    assert not is_active(book, book.alice.key)
    assert is_active(book, PENDING_KEY)


def test_inside_an_atomic_envelope_nothing_takes_effect(book: Book) -> None:
    """The old owner's records pass, but no veto of what is due."""
    begin(book, book.alice)
    records = [pay(book), pay(book)]
    receipt = book.send(book.alice.key, *records, atomic=True, at_ns=due_ns(book) - 1)
    assert receipt.codes == [Code.OK, Code.OK]
    assert len(pending(book)) == 1
    assert book.codes(book.alice.key, pay(book)) == [Code.KEY_REVOKED]


def test_what_is_due_cannot_be_vetoed(book: Book) -> None:
    begin(book, book.alice)
    records = [pay(book), raw_recovery.veto(PENDING_KEY)]
    receipt = book.send(book.alice.key, *records, atomic=True, at_ns=due_ns(book) - 1)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.RECOVERY_NOT_FOUND]


def test_the_last_moment_of_a_veto(book: Book) -> None:
    begin(book, book.alice)
    veto = raw_recovery.veto(PENDING_KEY)
    assert book.codes(book.alice.key, veto, at_ns=due_ns(book) - 1) == [Code.OK]


def test_a_veto_ends_it_and_revokes_the_key_that_began_it(book: Book) -> None:
    other = book.add_key(book.alice, raw.RECOVERY)
    thief = begin(book, book.alice)
    last_ns = due_ns(book)
    receipt = book.ok(book.alice.key, raw_recovery.veto(PENDING_KEY))
    assert pending(book) == []
    row = book.engine.key(thief)
    assert row is not None
    assert row.revoked_at == receipt.first_sequence
    again = raw_recovery.recover(PENDING_KEY, book.alice.principal)
    assert book.codes(thief, again) == [Code.KEY_REVOKED]
    assert book.codes(book.alice.key, pay(book), at_ns=last_ns + SECOND_NS) == [Code.OK]
    # The key that was announced is free again, and other RECOVERY keys are as good as before.
    assert book.codes(other, again) == [Code.OK]


def test_revoking_the_key_that_began_it_is_refused(book: Book) -> None:
    """By its owner and by itself: VETO alone ends a recovery, so nobody believes it is ended."""
    recovery_key = begin(book, book.alice)
    revoke = raw.key(raw.REVOKE, recovery_key, book.alice.principal)
    assert book.codes(book.alice.key, revoke) == [Code.RECOVERY_PENDING]
    assert book.codes(recovery_key, revoke) == [Code.RECOVERY_PENDING]
    other = book.add_key(book.alice, raw.RECOVERY)
    assert book.codes(other, raw.key(raw.REVOKE, other, book.alice.principal)) == [Code.OK]


def test_a_recovery_key_does_not_rotate(book: Book) -> None:
    """Or a thief would make a second one of it before the first is vetoed."""
    recovery_key = book.add_key(book.alice, raw.RECOVERY)
    until_ns = book.now_ns + 100 * SECOND_NS
    rotate = raw.key(raw.ROTATE, book.fresh_key(), book.alice.principal, until_ns=until_ns)
    assert book.codes(recovery_key, rotate) == [Code.SCOPE_DENIED]


def test_kill_spares_recovery_keys(book: Book) -> None:
    recovery_key = book.add_key(book.alice, raw.RECOVERY)
    agent = book.add_key(book.alice, raw.SPEND)
    assert book.codes(book.alice.key, raw.kill(recovery_key)) == [Code.KEY_NOT_FOUND]
    book.ok(book.alice.key, raw.kill(agent))
    assert book.codes(recovery_key, raw_recovery.recover(PENDING_KEY, book.alice.principal)) == [
        Code.OK
    ]


def test_it_outlives_the_key_that_began_it(book: Book) -> None:
    """As a hold does: what a good key has signed stays."""
    recovery_key = book.add_key(book.alice, raw.RECOVERY, book.now_ns + 10 * SECOND_NS)
    record = raw_recovery.recover(PENDING_KEY, book.alice.principal)
    book.ok(recovery_key, record)
    assert book.codes(recovery_key, record, at_ns=book.now_ns + 20 * SECOND_NS) == [
        Code.KEY_EXPIRED
    ]
    assert book.codes(PENDING_KEY, pay(book), at_ns=due_ns(book)) == [Code.OK]


def test_owners_that_come_meanwhile_go_as_well(book: Book) -> None:
    begin(book, book.alice)
    added = book.add_key(book.alice, raw.OWNER)
    rotated = book.rotate_key(book.alice.key)
    book.send(book.node.key, raw.tick(), at_ns=due_ns(book))
    assert [is_active(book, key) for key in (added, rotated, PENDING_KEY)] == [False, False, True]


def test_it_helps_where_no_owner_key_is_good_any_more(book: Book) -> None:
    recovery_key = book.add_key(book.alice, raw.RECOVERY)
    book.rotate_key(book.alice.key)  # to a key that nobody has
    book.ok(recovery_key, raw_recovery.recover(PENDING_KEY, book.alice.principal))
    assert book.codes(PENDING_KEY, pay(book), at_ns=due_ns(book)) == [Code.OK]


def test_an_announced_key_is_nobody_elses(book: Book) -> None:
    begin(book, book.alice)
    bob = book.bob.principal
    add = raw.key(raw.ADD, PENDING_KEY, bob, scope=raw.SPEND)
    rotate = raw.key(raw.ROTATE, PENDING_KEY, bob)
    assert book.codes(book.bob.key, add, rotate) == [Code.KEY_EXISTS] * 2
    envelope_id = book.new_id()
    principal_id = book.derived(book.operator.principal, envelope_id, 0)
    register = raw.principal(principal_id, PENDING_KEY)
    receipt = book.send(book.operator.key, register, envelope_id=envelope_id)
    assert receipt.codes == [Code.KEY_EXISTS]
    book.ok(book.alice.key, raw_recovery.veto(PENDING_KEY))
    assert book.codes(book.bob.key, add) == [Code.OK]


def test_it_counts_for_the_cap_on_keys(engine: MakeEngine) -> None:
    book = Book(engine, genesis_for_tests(Caps(keys=4)))
    begin(book, book.alice)
    book.add_key(book.alice, raw.SPEND)
    more = raw.key(raw.ADD, book.fresh_key(), book.alice.principal, scope=raw.SPEND)
    assert book.codes(book.alice.key, more) == [Code.CAP_EXCEEDED]
    assert book.codes(book.alice.key, more, at_ns=due_ns(book)) == [Code.KEY_REVOKED]
    assert book.codes(PENDING_KEY, more) == [Code.CAP_EXCEEDED]


def test_a_rollback_brings_back_what_was_vetoed(book: Book) -> None:
    recovery_key = begin(book, book.alice)
    before, digest = pending(book), book.engine.digest()
    bad = raw.transfer(book.alice.account, book.bob.account, 0)
    receipt = book.send(book.alice.key, raw_recovery.veto(PENDING_KEY), bad, atomic=True)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.ZERO_AMOUNT]
    assert pending(book) == before
    assert is_active(book, recovery_key)
    assert book.engine.digest() != digest  # log time went on
    other = book.add_key(book.bob, raw.RECOVERY)
    begun = raw_recovery.recover(b"another key that was not known..", book.bob.principal)
    bad = raw.patched(begun, 120, bytes(8))
    receipt = book.send(other, begun, bad, atomic=True)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.BAD_FIELD]
    assert pending(book) == before
    assert book.codes(PENDING_KEY, pay(book), at_ns=due_ns(book)) == [Code.OK]


def test_they_take_effect_in_the_order_of_their_times(book: Book) -> None:
    carol = book.customer()
    keys = [bytes((number,)) * 32 for number in (1, 2, 3)]
    for person, key, more_ns in zip((book.alice, book.bob, carol), keys, (9, 5, 7), strict=True):
        recovery_key = book.add_key(person, raw.RECOVERY)
        book.ok(
            recovery_key, raw_recovery.recover(key, person.principal, MIN_RECOVERY_NS + more_ns)
        )
    last_ns = max(row.due_ns for row in pending(book))
    receipt = book.send(book.node.key, raw.tick(), at_ns=last_ns)
    rows = [book.engine.key(key) for key in keys]
    assert {row and row.registered_at for row in rows} == {receipt.first_sequence}


def test_a_time_that_leaves_64_bits_never_comes(book: Book) -> None:
    recovery_key = book.add_key(book.alice, raw.RECOVERY)
    record = raw_recovery.recover(PENDING_KEY, book.alice.principal)
    late_ns = MAX_U64 - MIN_RECOVERY_NS // 2
    envelope = book.envelope(recovery_key, record, valid_until_ns=MAX_U64)
    book.apply(envelope, at_ns=late_ns)
    assert due_ns(book) == MAX_U64


def test_a_checkpoint_keeps_what_is_pending() -> None:
    book = Book(KernelEngine)
    begin(book, book.alice)
    assert isinstance(book.engine, KernelEngine)
    engine = book.engine
    assert engine.kernel.verify_invariants() == []
    book.engine = restored = engine.restarted()
    assert restored.digest() == engine.digest()
    assert restored.kernel.status().next_expiry_ns == due_ns(book)
    assert book.codes(PENDING_KEY, pay(book), at_ns=due_ns(book)) == [Code.OK]
    assert restored.kernel.verify_invariants() == []
    assert restored.kernel.status().next_expiry_ns == 0


@pytest.mark.parametrize("scope", [raw.SPEND, raw.READ, raw.CHANNEL_SCOPE])
def test_no_other_scope_recovers(book: Book, scope: int) -> None:
    key = book.add_key(book.alice, scope)
    record = raw_recovery.recover(PENDING_KEY, book.alice.principal)
    assert book.codes(key, record) == [Code.SCOPE_DENIED]
