"""Netting on both engines: what each record leaves behind, and the promises of a window."""

import pytest
from tests.differential import raw
from tests.differential.book import SECOND_NS, Book, Member

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import MAX_MEMBERS, MAX_SETTLED_WINDOWS
from tallystick_ledger.state_rows import (
    AccountFlags,
    DeferredUnitRow,
    MemberRow,
    MemberStatus,
    PairRow,
    Table,
    WindowRow,
    WindowStatus,
)

MONEY = 1_000


class Ring:
    """Three members of a deferred unit, each of whom may owe 100 and has money."""

    def __init__(self, book: Book, money: int = MONEY) -> None:
        self.book = book
        self.unit = book.deferred_unit()
        people = (book.alice, book.bob, book.customer())
        self.members = [book.member(person, self.unit, 100, money) for person in people]
        self.alice, self.bob, self.carol = self.members

    def pay(self, debtor: Member, creditor: Member, amount: int) -> int:
        """Sequence number of the TRANSFER."""
        record = raw.transfer(debtor.account, creditor.account, amount)
        return self.book.ok(debtor.key, record).first_sequence

    def close(self, window: int = 1) -> None:
        self.book.ok(self.book.bank.key, raw.window_close(self.unit, window))

    def pairs(self, window: int = 1) -> dict[tuple[bytes, bytes], int]:
        rows = map(PairRow.decode, self.book.engine.rows(Table.PAIR))
        return {
            (row.debtor_account, row.creditor_account): row.amount
            for row in rows
            if row.window == window
        }

    def settlement(self, window: int = 1) -> bytes:
        debts = [(*pair, amount) for pair, amount in self.pairs(window).items()]
        return self.book.settle(self.unit, window, debts)

    def settle(self, window: int = 1) -> None:
        self.book.ok(self.book.bank.key, self.settlement(window))

    def fail(self, member: Member, window: int = 1) -> list[Code]:
        return self.book.codes(self.book.bank.key, raw.fail(self.unit, window, member.account))

    def balance(self, member: Member) -> int:
        return self.book.row(member.account).balance

    def money(self, member: Member) -> int:
        return self.book.row(member.settlement).balance

    def windows(self) -> list[WindowRow]:
        return [WindowRow.decode(row) for row in self.book.engine.rows(Table.WINDOW)]

    def member(self, member: Member) -> MemberRow:
        rows = map(MemberRow.decode, self.book.engine.rows(Table.MEMBER))
        return next(row for row in rows if row.account == member.account)

    def spend(self, member: Member) -> None:
        """The member has no money to settle with any more."""
        away = raw.transfer(member.settlement, member.person.account, self.money(member))
        self.book.ok(member.key, away)


@pytest.fixture
def ring(book: Book) -> Ring:
    return Ring(book)


def test_a_deferred_unit_is_a_unit_with_an_open_window(ring: Ring) -> None:
    (row,) = map(DeferredUnitRow.decode, ring.book.engine.rows(Table.DEFERRED_UNIT))
    assert (row.unit, row.settlement_unit, row.open_window) == (ring.unit, ring.book.usd, 1)
    assert ring.book.row(ring.unit).flags == AccountFlags.ISSUANCE
    assert ring.book.row(ring.alice.account).flags == AccountFlags.DEFERRED


def test_what_is_paid_in_a_deferred_unit_is_owed(ring: Ring) -> None:
    ring.pay(ring.alice, ring.bob, 60)
    ring.pay(ring.alice, ring.bob, 10)
    ring.pay(ring.bob, ring.alice, 5)
    assert ring.pairs() == {
        (ring.alice.account, ring.bob.account): 70,
        (ring.bob.account, ring.alice.account): 5,
    }
    assert (ring.balance(ring.alice), ring.balance(ring.bob)) == (-65, 65)
    too_much = raw.transfer(ring.alice.account, ring.carol.account, 36)
    assert ring.book.codes(ring.alice.key, too_much) == [Code.INSUFFICIENT_FUNDS]


def test_captures_and_refunds_are_owed_as_well(ring: Ring) -> None:
    book, alice, bob = ring.book, ring.alice, ring.bob
    reserve = raw.reserve(alice.account, bob.account, 40, book.now_ns + 100 * SECOND_NS)
    hold = book.ok(alice.key, reserve).ids[0]
    paid = book.ok(bob.key, raw.capture(hold, 30, flags=raw.FINAL)).first_sequence
    book.ok(bob.key, raw.refund(paid, 12))
    assert ring.pairs() == {
        (alice.account, bob.account): 30,
        (bob.account, alice.account): 12,
    }


def test_a_ring_of_debts_settles_without_money(ring: Ring) -> None:
    for debtor, creditor in (
        (ring.alice, ring.bob),
        (ring.bob, ring.carol),
        (ring.carol, ring.alice),
    ):
        ring.pay(debtor, creditor, 80)
    ring.close()
    receipt = ring.book.ok(ring.book.bank.key, ring.settlement())
    assert receipt.effects == []
    (window,) = ring.windows()
    assert (window.status, window.gross, window.moved) == (WindowStatus.SETTLED, 240, 0)
    assert ring.pairs() == {}


def test_net_positions_are_paid_in_the_settlement_unit(ring: Ring) -> None:
    ring.pay(ring.alice, ring.bob, 60)
    ring.pay(ring.alice, ring.carol, 30)
    ring.pay(ring.bob, ring.carol, 20)
    ring.close()
    receipt = ring.book.ok(ring.book.bank.key, ring.settlement())
    paid = {(effect.cause.name, effect.credit_account): effect.amount for effect in receipt.effects}
    assert paid == {
        ("NETTING", ring.bob.settlement): 40,
        ("NETTING", ring.carol.settlement): 50,
        ("NETTED", ring.alice.account): 40 if ring.bob.account > ring.carol.account else 50,
    }
    assert [ring.money(member) - MONEY for member in ring.members] == [-90, 40, 50]
    assert [ring.balance(member) for member in ring.members] == [0, 0, 0]
    (window,) = ring.windows()
    assert (window.gross, window.moved) == (110, 90)


def test_what_is_due_cannot_be_spent_before_it_is_settled(ring: Ring) -> None:
    ring.pay(ring.alice, ring.bob, 60)
    ring.close()
    bob = ring.book.row(ring.bob.account)
    assert (bob.balance, bob.debits_pending, bob.available) == (60, 60, 100)
    ring.pay(ring.bob, ring.carol, 100)
    one = raw.transfer(ring.bob.account, ring.carol.account, 1)
    assert ring.book.codes(ring.bob.key, one) == [Code.FUNDS_HELD]
    ring.settle()
    assert ring.balance(ring.bob) == -100
    assert ring.pairs(2) == {(ring.bob.account, ring.carol.account): 100}


def test_holds_on_what_is_due_raise_the_limit_until_the_next_settlement(ring: Ring) -> None:
    book, bob = ring.book, ring.bob
    ring.pay(ring.alice, bob, 60)
    until_ns = book.now_ns + 100 * SECOND_NS
    hold = book.ok(bob.key, raw.reserve(bob.account, ring.carol.account, 150, until_ns)).ids[0]
    ring.close()
    row = book.row(bob.account)
    assert (row.debits_pending, row.credit_limit, row.available) == (210, 150, 0)
    book.ok(ring.carol.key, raw.release(hold))
    ring.settle()
    row = book.row(bob.account)
    assert (row.credit_limit, row.available) == (100, 100)


def test_a_debtor_without_money_stops_the_settlement_and_is_named(ring: Ring) -> None:
    ring.pay(ring.alice, ring.bob, 60)
    ring.pay(ring.carol, ring.bob, 10)
    ring.spend(ring.carol)
    ring.close()
    receipt = ring.book.send(ring.book.bank.key, ring.settlement())
    place = sorted(member.account for member in ring.members).index(ring.carol.account)
    assert receipt.codes == [Code.INSUFFICIENT_FUNDS]
    assert receipt.results[0].detail == place
    assert ring.money(ring.alice) == MONEY


def test_a_failed_member_rolls_over_and_the_others_settle(ring: Ring) -> None:
    ring.pay(ring.alice, ring.bob, 60)
    ring.pay(ring.bob, ring.carol, 50)
    ring.pay(ring.carol, ring.alice, 10)
    ring.spend(ring.alice)
    ring.close()
    stale = ring.settlement()
    assert ring.fail(ring.bob) == [Code.MEMBER_CAN_PAY]
    assert ring.fail(ring.alice) == [Code.OK]
    assert ring.pairs(1) == {(ring.bob.account, ring.carol.account): 50}
    assert ring.pairs(2) == {
        (ring.alice.account, ring.bob.account): 60,
        (ring.carol.account, ring.alice.account): 10,
    }
    assert ring.book.codes(ring.book.bank.key, stale) == [Code.POSITIONS_MISMATCH]
    ring.settle()
    assert [ring.money(member) for member in ring.members] == [0, MONEY - 50, MONEY + 50]
    row = ring.book.row(ring.alice.account)
    assert (row.balance, row.credit_limit) == (-50, 50)
    assert ring.member(ring.alice).status is MemberStatus.FAILED
    one = raw.transfer(ring.alice.account, ring.carol.account, 1)
    assert ring.book.codes(ring.alice.key, one) == [Code.INSUFFICIENT_FUNDS]


def test_a_failed_member_joins_again_once_it_owes_nothing(ring: Ring) -> None:
    alice = ring.alice
    ring.pay(alice, ring.bob, 60)
    ring.spend(alice)
    ring.close()
    assert ring.fail(alice) == [Code.OK]
    ring.settle()
    again = raw.join(alice.account, alice.settlement, 100)
    assert ring.book.codes(alice.key, again) == [Code.MEMBER_FAILED]
    ring.book.issue(alice.settlement, 60)
    ring.close(2)
    ring.settle(2)
    ring.book.ok(alice.key, again)
    assert ring.member(alice).status is MemberStatus.JOINED
    ring.pay(alice, ring.bob, 100)


def test_a_creditor_whose_account_is_closed_can_be_failed(ring: Ring) -> None:
    ring.pay(ring.alice, ring.bob, 60)
    ring.close()
    ring.spend(ring.bob)
    close = raw.account(raw.CLOSE, account_id=ring.bob.settlement)
    ring.book.ok(ring.bob.key, close)
    assert ring.book.codes(ring.book.bank.key, ring.settlement()) == [Code.ACCOUNT_CLOSED]
    assert ring.fail(ring.bob) == [Code.OK]
    ring.settle()
    assert ring.pairs(2) == {(ring.alice.account, ring.bob.account): 60}


def test_a_frozen_creditor_is_paid(ring: Ring) -> None:
    ring.pay(ring.alice, ring.bob, 60)
    freeze = raw.account(raw.FREEZE, account_id=ring.bob.settlement)
    ring.book.ok(ring.bob.key, freeze)
    ring.close()
    ring.settle()
    assert ring.money(ring.bob) == MONEY + 60


def test_disputed_amounts_roll_over_until_they_are_answered(ring: Ring) -> None:
    book, alice, bob = ring.book, ring.alice, ring.bob
    paid = ring.pay(alice, bob, 60)
    book.ok(alice.key, raw.dispute(paid, 25, book.now_ns + 900 * SECOND_NS))
    ring.close()
    pair = (alice.account, bob.account)
    assert (ring.pairs(1), ring.pairs(2)) == ({pair: 35}, {pair: 25})
    ring.settle()
    ring.close(2)
    assert (ring.pairs(2), ring.pairs(3)) == ({}, {pair: 25})
    ring.settle(2)
    book.ok(bob.key, raw.dispute_answer(paid, 20))
    assert ring.pairs(3) == {pair: 25, (bob.account, alice.account): 20}
    ring.close(3)
    ring.settle(3)
    assert (ring.money(alice), ring.money(bob)) == (MONEY - 40, MONEY + 40)


def test_a_dispute_about_a_settled_payment_holds_nothing_back(ring: Ring) -> None:
    book, alice, bob = ring.book, ring.alice, ring.bob
    paid = ring.pay(alice, bob, 60)
    ring.close()
    ring.settle()
    ring.pay(alice, bob, 30)
    book.ok(alice.key, raw.dispute(paid, 60, book.now_ns + 900 * SECOND_NS))
    ring.close(2)
    assert (ring.pairs(2), ring.pairs(3)) == ({(alice.account, bob.account): 30}, {})


def test_a_lapsed_dispute_holds_nothing_back(ring: Ring) -> None:
    book, alice, bob = ring.book, ring.alice, ring.bob
    paid = ring.pay(alice, bob, 60)
    book.ok(alice.key, raw.dispute(paid, 60, book.now_ns + 5 * SECOND_NS))
    book.now_ns += 10 * SECOND_NS
    ring.close()
    assert ring.pairs(1) == {(alice.account, bob.account): 60}


def test_an_atomic_envelope_undoes_a_whole_settlement(ring: Ring) -> None:
    book = ring.book
    paid = ring.pay(ring.alice, ring.bob, 60)
    ring.pay(ring.carol, ring.bob, 5)
    book.ok(ring.alice.key, raw.dispute(paid, 25, book.now_ns + 900 * SECOND_NS))
    before = book.engine.rows(Table.ACCOUNT), book.engine.rows(Table.PAIR)
    debts = [(ring.alice.account, ring.bob.account, 35), (ring.carol.account, ring.bob.account, 5)]
    records = (
        raw.window_close(ring.unit, 1),
        book.settle(ring.unit, 1, debts),
        raw.window_close(ring.unit, 2),
    )
    receipt = book.send(book.bank.key, *records, raw.window_close(ring.unit, 2), atomic=True)
    assert receipt.codes[-1] is Code.WINDOW_STATE
    assert (book.engine.rows(Table.ACCOUNT), book.engine.rows(Table.PAIR)) == before
    assert ring.windows() == []
    assert set(book.send(book.bank.key, *records, atomic=True).codes) == {Code.OK}


def test_an_atomic_envelope_undoes_a_failure(ring: Ring) -> None:
    book = ring.book
    ring.pay(ring.alice, ring.bob, 60)
    ring.pay(ring.bob, ring.carol, 50)
    ring.spend(ring.alice)
    ring.close()
    tables = (Table.ACCOUNT, Table.PAIR, Table.MEMBER)
    before = [book.engine.rows(table) for table in tables]
    fail = raw.fail(ring.unit, 1, ring.alice.account)
    receipt = book.send(book.bank.key, fail, fail, atomic=True)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.MEMBER_CAN_PAY]
    assert [book.engine.rows(table) for table in tables] == before


def test_only_members_pay_and_are_paid(ring: Ring) -> None:
    book = ring.book
    outsider = book.account(book.alice, ring.unit)
    into = raw.transfer(ring.alice.account, outsider, 1)
    out_of = raw.transfer(outsider, ring.bob.account, 1)
    assert book.codes(ring.alice.key, into, out_of) == [Code.NOT_A_MEMBER] * 2


def test_who_leaves_closes_the_account_once_all_is_settled(ring: Ring) -> None:
    book, alice, bob = ring.book, ring.alice, ring.bob
    ring.pay(alice, bob, 60)
    ring.pay(bob, alice, 60)
    close = raw.account(raw.CLOSE, account_id=alice.account)
    assert book.codes(alice.key, close) == [Code.ACCOUNT_NOT_EMPTY]
    ring.close()
    assert book.codes(alice.key, close) == [Code.ACCOUNT_NOT_EMPTY]
    ring.settle()
    abort = raw.account(raw.CLOSE, account_id=bob.settlement)
    undone = book.send(alice.key, close, abort, atomic=True)
    assert undone.codes == [Code.ATOMIC_ABORTED, Code.ACCOUNT_NOT_FOUND]
    assert len(book.engine.rows(Table.MEMBER)) == 3
    book.ok(alice.key, close)
    assert len(book.engine.rows(Table.MEMBER)) == 2
    back = raw.transfer(bob.account, alice.account, 1)
    assert book.codes(bob.key, back) == [Code.ACCOUNT_CLOSED]


def test_only_the_last_settled_windows_are_kept(ring: Ring) -> None:
    for window in range(1, MAX_SETTLED_WINDOWS + 4):
        ring.close(window)
        ring.settle(window)
    numbers = [row.window for row in ring.windows()]
    assert numbers == list(range(4, MAX_SETTLED_WINDOWS + 4))


def test_a_unit_has_a_bounded_number_of_members(ring: Ring) -> None:
    book = ring.book
    person = book.register()
    count = MAX_MEMBERS - len(ring.members)
    opened = [raw.open_account(ring.unit), raw.open_account(book.usd)] * (count + 1)
    ids = book.ok(person.key, *opened).ids
    joins = [raw.join(*pair, 1) for pair in zip(ids[::2], ids[1::2], strict=True)]
    assert set(book.codes(person.key, *joins[:-1])) == {Code.OK}
    assert book.codes(person.key, joins[-1], joins[0]) == [Code.CAP_EXCEEDED, Code.OK]
