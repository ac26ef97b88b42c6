"""Exactly once: the same envelope, another under its id, and what does not use an id up."""

from dataclasses import replace

import pytest
from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, MakeEngine
from tests.differential.cases import KindCases, new_case
from tests.differential.cases_channels import CHANNEL
from tests.differential.cases_money import RESERVE
from tests.differential.cases_registry import ACCOUNT_OPEN, NAME, PRINCIPAL, UNIT

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import new_envelope_id
from tallystick_ledger.limits import MAX_ID_AHEAD_NS
from tallystick_ledger.results import Cause


def payment(book: Book, amount: int = 5) -> bytes:
    return raw.transfer(book.alice.account, book.bob.account, amount)


def test_the_same_envelope_is_executed_once(book: Book) -> None:
    envelope = book.envelope(book.alice.key, payment(book), raw.name(b"n" * 70))
    first = book.apply(envelope)[0]
    again = book.apply(envelope)[0]
    assert first.codes == [Code.OK, Code.OK]
    assert again.codes == [Code.DUPLICATE, Code.DUPLICATE]
    assert again.results[2].is_ok  # a CONT
    assert again.outcome.originals == (first.first_sequence,)
    assert again.outcome.envelope_codes == (Code.DUPLICATE,)
    assert book.available(book.alice) == START_AMOUNT - 5


def test_twice_in_one_block(book: Book) -> None:
    envelope = book.envelope(book.alice.key, payment(book))
    first, second = book.apply(envelope, envelope)
    assert (first.codes, second.codes) == ([Code.OK], [Code.DUPLICATE])
    assert second.outcome.originals == (first.first_sequence,)


def test_another_header_under_the_same_id_conflicts(book: Book) -> None:
    envelope = book.envelope(book.alice.key, payment(book))
    first = book.apply(envelope)[0]
    for other in (
        replace(envelope, records=(payment(book, 6),)),
        replace(envelope, valid_until_ns=envelope.valid_until_ns + 1),
        replace(envelope, atomic=True),
    ):
        receipt = book.apply(other)[0]
        assert receipt.codes == [Code.ID_CONFLICT]
        assert receipt.outcome.originals == (first.first_sequence,)
    assert book.available(book.alice) == START_AMOUNT - 5


def test_another_key_of_the_principal_conflicts(book: Book) -> None:
    key = book.add_key(book.alice, raw.SPEND)
    envelope = book.envelope(book.alice.key, payment(book))
    book.apply(envelope)
    assert book.apply(replace(envelope, signing_key=key))[0].codes == [Code.ID_CONFLICT]


def test_ids_are_per_principal(book: Book) -> None:
    envelope = book.envelope(book.alice.key, payment(book))
    back = raw.transfer(book.bob.account, book.alice.account, 1)
    other = book.envelope(book.bob.key, back, envelope_id=envelope.envelope_id)
    first, second = book.apply(envelope, other)
    assert (first.codes, second.codes) == ([Code.OK], [Code.OK])


def test_duplicate_comes_before_expiry_and_revocation(book: Book) -> None:
    key = book.add_key(book.alice, raw.SPEND)
    envelope = book.envelope(key, payment(book))
    book.apply(envelope)
    book.revoke_key(book.alice, key)
    late_ns = envelope.valid_until_ns + 1
    assert book.apply(envelope, at_ns=late_ns)[0].codes == [Code.DUPLICATE]


def test_valid_until_is_the_last_nanosecond_of_the_block(book: Book) -> None:
    """Decided by the block's timestamp, not by those of its records."""
    in_time = book.envelope(book.alice.key, payment(book), valid_until_ns=book.now_ns)
    filler = book.envelope(book.node.key, raw.tick(), raw.tick())
    assert book.apply(filler, in_time)[1].codes == [Code.OK]
    late = book.envelope(book.alice.key, payment(book), valid_until_ns=book.now_ns - 1)
    receipt = book.apply(late)[0]
    assert receipt.codes == [Code.EXPIRED]
    assert receipt.outcome.envelope_codes == (Code.EXPIRED,)


def test_an_expired_envelope_uses_its_id_up(book: Book) -> None:
    envelope = book.envelope(book.alice.key, payment(book), valid_until_ns=book.now_ns - 1)
    assert book.apply(envelope)[0].codes == [Code.EXPIRED]
    assert book.apply(envelope)[0].codes == [Code.DUPLICATE]
    assert book.engine.is_live(book.alice.principal, envelope.envelope_id)


def test_an_unknown_key_uses_no_id_up(book: Book) -> None:
    key = book.fresh_key()
    envelope = book.envelope(key, payment(book))
    receipt = book.apply(envelope)[0]
    assert receipt.codes == [Code.UNKNOWN_KEY]
    assert receipt.outcome.envelope_codes == (Code.UNKNOWN_KEY,)
    book.ok(book.alice.key, raw.key(raw.ADD, key, book.alice.principal, scope=raw.SPEND))
    assert book.apply(envelope)[0].codes == [Code.OK]


def test_a_key_is_known_from_the_next_envelope_on(book: Book) -> None:
    key = book.fresh_key()
    add = book.envelope(
        book.alice.key, raw.key(raw.ADD, key, book.alice.principal, scope=raw.SPEND)
    )
    first, second = book.apply(add, book.envelope(key, payment(book)))
    assert (first.codes, second.codes) == ([Code.OK], [Code.OK])


def test_a_refused_envelope_still_sweeps_at_its_first_record(book: Book) -> None:
    hold = book.reserve(book.alice, book.bob, 100, 10 * SECOND_NS)
    due_ns = book.hold(hold).expires_at_ns
    receipt = book.send(book.fresh_key(), raw.tick(), raw.tick(), at_ns=due_ns)
    assert receipt.codes == [Code.UNKNOWN_KEY, Code.UNKNOWN_KEY]
    assert [(effect.cause, effect.record_index, effect.origin) for effect in receipt.effects] == [
        (Cause.EXPIRY, 0, hold)
    ]


def test_no_good_envelope_is_ever_executed_twice(book: Book) -> None:
    """The tightest case: made 5 s ahead, living as long as it may, sent at its last moment."""
    ahead_ns = book.now_ns + MAX_ID_AHEAD_NS
    made_ms = ahead_ns // 1_000_000
    envelope = book.envelope(
        book.alice.key,
        payment(book),
        envelope_id=new_envelope_id(made_ms, b"tightest!!"),
        valid_until_ns=made_ms * 1_000_000 + book.genesis.max_lifetime_ns,
    )
    assert book.apply(envelope)[0].codes == [Code.OK]
    assert book.apply(envelope, at_ns=envelope.valid_until_ns)[0].codes == [Code.DUPLICATE]
    forgotten_ns = envelope.valid_until_ns + 2_000_000
    assert book.apply(envelope, at_ns=forgotten_ns)[0].codes == [Code.EXPIRED]
    assert book.available(book.alice) == START_AMOUNT - 5


@pytest.mark.parametrize(
    "kind", [PRINCIPAL, NAME, ACCOUNT_OPEN, UNIT, RESERVE, CHANNEL], ids=lambda kind: kind.name
)
def test_a_derived_id_that_is_taken_conflicts(kind: KindCases, engine: MakeEngine) -> None:
    """Only a colliding hash does this. Here an id's time lies, which admission refuses."""
    case = new_case(kind, engine)
    book = case.book
    case.key, envelope_id = case.signer.key, book.new_id()
    first = case.build(case, envelope_id)
    assert book.send(case.key, first, envelope_id=envelope_id).codes == [Code.OK]
    book.now_ns += 70 * SECOND_NS  # the live id is forgotten, what was made is not
    offset, content = {
        "PRINCIPAL": (8, b"k" * 32),
        "NAME": (16, b"b"),
        "ACCOUNT OPEN": (112, b"x"),
        "UNIT": (24, b"X"),
        "RESERVE": (72, raw.u64(book.now_ns + 100 * SECOND_NS)),
        "CHANNEL": (112, b"x"),
    }[kind.name]
    second = raw.patched(first, offset, content)
    assert book.send(case.key, second, envelope_id=envelope_id).codes == [Code.ID_CONFLICT]
    fresh = book.new_id()
    if kind is PRINCIPAL:
        second = raw.patched(second, 104, book.derived(case.signer.principal, fresh, 0))
    assert book.send(case.key, second, envelope_id=fresh).codes == [Code.OK]
