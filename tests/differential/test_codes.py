"""What each kind does when it is done, and the codes that are not about one record alone.

`test_order.py` has a case for every code of section 3; here are the codes of section 2, the rows
that each kind leaves behind, and refusals that need a second look.
"""

import pytest
from tests.differential import raw
from tests.differential.book import (
    MAX_U128,
    SECOND_NS,
    START_AMOUNT,
    Book,
    MakeEngine,
    genesis_for_tests,
)
from tests.differential.test_order import KINDS

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps
from tallystick_ledger.ids import AccountId
from tallystick_ledger.records import Scope
from tallystick_ledger.state_rows import AccountFlags, KeyStatus

ENVELOPE_CODES = {
    Code.OK,
    Code.DUPLICATE,
    Code.ID_CONFLICT,
    Code.EXPIRED,
    Code.UNKNOWN_KEY,
    Code.ATOMIC_ABORTED,
}


# Takes a block that cites more than 256 records: test_corrections.py.
BLOCK_CODES = {Code.CITATIONS_FULL}


def test_every_result_code_has_a_case() -> None:
    covered = {rule.code for kind in KINDS for rule in kind.violations}
    covered |= ENVELOPE_CODES | BLOCK_CODES
    assert covered == {code for code in Code if not code.is_refusal}


def test_principal_registers_one_owner_key(book: Book) -> None:
    row = book.engine.key(book.alice.key)
    assert row is not None
    assert row.principal == book.alice.principal
    assert (row.scope, row.status, row.until_ns, row.revoked_at) == (
        Scope.OWNER,
        KeyStatus.ACTIVE,
        0,
        0,
    )


def test_genesis_keys_have_their_scopes(book: Book) -> None:
    scopes = [book.engine.key(person.key) for person in (book.operator, book.node)]
    assert [row and row.scope for row in scopes] == [Scope.OPERATE, Scope.NODE]


def test_unit_opens_the_issuance_account(book: Book) -> None:
    row = book.row(book.usd)
    assert (row.owner, row.unit, row.flags) == (
        book.bank.principal,
        book.usd,
        AccountFlags.ISSUANCE,
    )
    assert row.debits_posted == 2 * START_AMOUNT
    assert row.available == -2 * START_AMOUNT


def test_transfer_moves_posted_columns_only(book: Book) -> None:
    receipt = book.ok(
        book.alice.key, raw.transfer(book.alice.account, book.bob.account, START_AMOUNT)
    )
    assert receipt.effects == []
    assert book.available(book.alice) == 0
    assert book.row(book.bob.account).credits_posted == 2 * START_AMOUNT


def test_the_largest_amount_can_be_issued_and_moved_once(book: Book) -> None:
    euro = book.unit(b"EUR")
    first, second = book.account(book.alice, euro), book.account(book.bob, euro)
    book.issue(first, MAX_U128, euro)
    book.ok(book.alice.key, raw.transfer(first, second, MAX_U128))
    assert book.codes(book.bob.key, raw.transfer(second, first, MAX_U128)) == [Code.AMOUNT_OVERFLOW]
    assert book.codes(book.bank.key, raw.issue(euro, second, 1)) == [Code.AMOUNT_OVERFLOW]


def test_a_frozen_account_can_be_closed_and_keeps_the_flag(book: Book) -> None:
    account = book.account(book.alice)
    for operation in (raw.FREEZE, raw.CLOSE):
        book.ok(book.alice.key, raw.account(operation, account_id=account))
    assert book.row(account).flags == AccountFlags.FROZEN | AccountFlags.CLOSED
    unfreeze = raw.account(raw.UNFREEZE, account_id=account)
    assert book.codes(book.alice.key, unfreeze) == [Code.ACCOUNT_CLOSED]


def test_unfreeze_lets_money_move_again(book: Book) -> None:
    pay = raw.transfer(book.alice.account, book.bob.account, 1)
    book.ok(book.alice.key, raw.account(raw.FREEZE, account_id=book.alice.account))
    assert book.codes(book.alice.key, pay) == [Code.ACCOUNT_FROZEN]
    book.ok(book.alice.key, raw.account(raw.UNFREEZE, account_id=book.alice.account))
    assert book.codes(book.alice.key, pay) == [Code.OK]


@pytest.mark.parametrize("pending_for", ["payer", "payee"])
def test_an_account_with_something_pending_cannot_be_closed(book: Book, pending_for: str) -> None:
    payer, payee = book.customer(amount=10), book.customer(amount=0)
    book.reserve(payer, payee, 10)
    person = payer if pending_for == "payer" else payee
    close = raw.account(raw.CLOSE, account_id=person.account)
    assert book.codes(person.key, close) == [Code.ACCOUNT_NOT_EMPTY]


def test_a_revoked_key_signs_nothing_from_the_next_record_on(book: Book) -> None:
    key = book.add_key(book.alice, raw.SPEND)
    revoke = raw.key(raw.REVOKE, key, book.alice.principal)
    pay = raw.transfer(book.alice.account, book.bob.account, 1)
    assert book.codes(key, pay, revoke, pay) == [Code.OK, Code.OK, Code.KEY_REVOKED]
    row = book.engine.key(key)
    assert row is not None
    assert row.revoked_at == book.next_sequence - 2


def test_a_key_expires_on_its_nanosecond(book: Book) -> None:
    until_ns = book.now_ns + SECOND_NS
    key = book.add_key(book.alice, raw.SPEND, until_ns)
    pay = raw.transfer(book.alice.account, book.bob.account, 1)
    assert book.codes(key, pay, pay, at_ns=until_ns - 1) == [Code.OK, Code.KEY_EXPIRED]


def test_rotation_at_once_revokes_and_keeps_the_scope(book: Book) -> None:
    old = book.add_key(book.alice, raw.SPEND)
    new = book.rotate_key(old)
    pay = raw.transfer(book.alice.account, book.bob.account, 1)
    assert book.codes(old, pay) == [Code.KEY_REVOKED]
    assert book.codes(new, pay) == [Code.OK]
    row = book.engine.key(new)
    assert row is not None
    assert (row.scope, row.until_ns) == (Scope.SPEND, 0)


def test_rotation_with_overlap_takes_the_smaller_end(book: Book) -> None:
    end_ns = book.now_ns + 10 * SECOND_NS
    old = book.add_key(book.alice, raw.SPEND, end_ns)
    book.rotate_key(old, end_ns + SECOND_NS)
    row = book.engine.key(old)
    assert row is not None
    assert (row.until_ns, row.status) == (end_ns, KeyStatus.ACTIVE)
    book.rotate_key(old, end_ns - SECOND_NS)
    row = book.engine.key(old)
    assert row is not None
    assert row.until_ns == end_ns - SECOND_NS


def test_the_only_owner_key_may_rotate_but_not_revoke_itself(book: Book) -> None:
    revoke = raw.key(raw.REVOKE, book.alice.key, book.alice.principal)
    assert book.codes(book.alice.key, revoke) == [Code.LAST_OWNER_KEY]
    new = book.rotate_key(book.alice.key, book.now_ns + 10 * SECOND_NS)
    # The old key is in its overlap; the new one is an OWNER key too, so either may go.
    assert book.codes(book.alice.key, revoke) == [Code.OK]
    again = raw.key(raw.REVOKE, new, book.alice.principal)
    assert book.codes(new, again) == [Code.LAST_OWNER_KEY]


def test_an_expired_owner_key_does_not_count_as_another(book: Book) -> None:
    book.add_key(book.alice, raw.OWNER, book.now_ns + SECOND_NS)
    revoke = raw.key(raw.REVOKE, book.alice.key, book.alice.principal)
    assert book.codes(book.alice.key, revoke, at_ns=book.now_ns + 2 * SECOND_NS) == [
        Code.LAST_OWNER_KEY
    ]


def test_a_spend_key_may_revoke_itself_only(book: Book) -> None:
    first, second = book.add_key(book.alice, raw.SPEND), book.add_key(book.alice, raw.SPEND)
    other = raw.key(raw.REVOKE, second, book.alice.principal)
    itself = raw.key(raw.REVOKE, first, book.alice.principal)
    assert book.codes(first, other, itself) == [Code.SCOPE_DENIED, Code.OK]


def test_names_are_unique_by_owner_kind_and_bytes(book: Book) -> None:
    composed, decomposed = "\u00e9".encode(), "e\u0301".encode()
    assert composed != decomposed
    book.ok(book.alice.key, raw.name(composed), raw.name(decomposed), raw.name(composed, 2))
    book.ok(book.bob.key, raw.name(composed))
    assert book.codes(book.alice.key, raw.name(composed)) == [Code.NAME_EXISTS]


@pytest.mark.parametrize("length", [1, 63, 64, 65, 168, 169, 256])
def test_names_of_all_lengths(book: Book, length: int) -> None:
    receipt = book.ok(book.alice.key, raw.name(b"n" * length))
    assert all(result.code is Code.OK for result in receipt.results)
    assert len(receipt.results) == 1 + max(0, -(-(length - 64) // 104))


def test_a_reference_is_unique_per_principal_and_group(book: Book) -> None:
    pay = raw.transfer(book.alice.account, book.bob.account, 1, 7, flags=raw.UNIQUE)
    hold = raw.reserve(
        book.alice.account,
        book.bob.account,
        1,
        book.now_ns + 9 * SECOND_NS,
        7,
        flags=raw.UNIQUE,
    )
    back = raw.transfer(book.bob.account, book.alice.account, 1, 7, flags=raw.UNIQUE)
    assert book.codes(book.alice.key, pay, hold, pay) == [
        Code.OK,
        Code.OK,
        Code.REFERENCE_USED,
    ]
    assert book.codes(book.bob.key, back) == [Code.OK]


def test_a_refused_record_uses_up_no_reference(book: Book) -> None:
    too_much = raw.transfer(
        book.alice.account, book.bob.account, START_AMOUNT + 1, 7, flags=raw.UNIQUE
    )
    pay = raw.transfer(book.alice.account, book.bob.account, 1, 7, flags=raw.UNIQUE)
    assert book.codes(book.alice.key, too_much, pay) == [Code.INSUFFICIENT_FUNDS, Code.OK]


def test_without_unique_a_reference_is_free(book: Book) -> None:
    pay = raw.transfer(book.alice.account, book.bob.account, 1, 7)
    assert book.codes(book.alice.key, pay, pay) == [Code.OK, Code.OK]


def test_issuance_accounts_count_for_the_cap(engine: MakeEngine) -> None:
    book = Book(engine, genesis_for_tests(Caps(accounts=2)))
    book.unit(b"EUR")
    third = raw.unit(book.bank.principal, b"XXX".ljust(16, b"\0"))
    assert book.codes(book.operator.key, third) == [Code.CAP_EXCEEDED]
    assert book.codes(book.bank.key, raw.open_account(book.usd)) == [Code.CAP_EXCEEDED]


def test_the_log_tree_grows_by_a_leaf_per_envelope(book: Book) -> None:
    before = book.engine.position()[2]
    root = book.engine.tree_root()
    book.apply(*(book.envelope(book.node.key, raw.tick()) for _ in range(3)))
    assert book.engine.position()[2] == before + 3
    assert book.engine.tree_root() != root


def test_unknown_account_ids_have_no_row(book: Book) -> None:
    assert book.engine.account(AccountId(b"?" * 16)) is None
