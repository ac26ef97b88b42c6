"""Netting under Hypothesis: two grids of debts foretell every answer, on both engines at once.

The model knows who paid whom how much in the open and in the closed window, how much money each
member has, how far it may owe and whether it failed. After each step positions and money must be
what the model says (docs/semantics.md section 4), and the digests of the two engines must agree.
"""

from collections import Counter
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.differential import raw
from tests.differential.book import Book, Member
from tests.differential.engines import KernelEngine, SpecEngine
from tests.stateful import length

from tallystick_ledger.codes import Code

MEMBERS = 4
MONEY = 60
MAXIMUM = 50
MEMBER = st.integers(0, MEMBERS - 1)
AMOUNTS = st.integers(1, 70)

Pair = tuple[int, int]
Make = Callable[[Book, bytes, list[Member]], bytes]


def balances(pairs: Counter[Pair]) -> list[int]:
    """What each member is owed, less what it owes."""
    net = [0] * MEMBERS
    for (debtor, creditor), amount in pairs.items():
        net[debtor] -= amount
        net[creditor] += amount
    return net


class NettingMachine(RuleBasedStateMachine):
    """Four members owe, pay, fail and join again; the bank nets."""

    @initialize()
    def start(self) -> None:
        self.books = [Book(make) for make in (SpecEngine, KernelEngine)]
        self.units = [book.deferred_unit() for book in self.books]
        self.members = [
            [book.member(book.register(), unit, MAXIMUM, MONEY) for _ in range(MEMBERS)]
            for book, unit in zip(self.books, self.units, strict=True)
        ]
        self.open: Counter[Pair] = Counter()
        self.closed: Counter[Pair] | None = None
        self.window = 1
        self.money = [MONEY] * MEMBERS
        self.maximum = [MAXIMUM] * MEMBERS
        self.limit = [MAXIMUM] * MEMBERS
        self.failed: set[int] = set()

    def send(self, signer: int | None, make: Make) -> tuple[Code, int]:
        """Sends one record to both engines; returns code and detail."""
        answers = []
        for book, unit, members in zip(self.books, self.units, self.members, strict=True):
            key = book.bank.key if signer is None else members[signer].key
            receipt = book.send(key, make(book, unit, members))
            answers.append((receipt.results[0], receipt.outcome))
        assert answers[0] == answers[1]
        return answers[0][0].code, answers[0][0].detail

    def pinned(self) -> list[int]:
        """What is due to each member in the closed window."""
        return [max(0, net) for net in balances(self.closed or Counter())]

    def position(self, member: int) -> int:
        return balances(self.open)[member] + balances(self.closed or Counter())[member]

    def place(self, member: int) -> bytes:
        return self.members[0][member].account

    @rule(debtor=MEMBER, creditor=MEMBER, amount=AMOUNTS)
    def owe(self, debtor: int, creditor: int, amount: int) -> None:
        pinned = self.pinned()[debtor]
        had = self.position(debtor) + self.limit[debtor]
        expected = Code.OK
        if debtor == creditor:
            expected = Code.SELF_TRANSFER
        elif amount > had:
            expected = Code.INSUFFICIENT_FUNDS
        elif amount > had - pinned:
            expected = Code.FUNDS_HELD

        def make(_: Book, __: bytes, members: list[Member]) -> bytes:
            return raw.transfer(members[debtor].account, members[creditor].account, amount)

        assert self.send(debtor, make)[0] is expected
        if expected is Code.OK:
            self.open[debtor, creditor] += amount

    @rule(skew=st.sampled_from([0, 0, 0, 1]))
    def close(self, skew: int) -> None:
        window = self.window + skew
        code, _ = self.send(None, lambda _, unit, __: raw.window_close(unit, window))
        if skew or self.closed is not None:
            assert code is Code.WINDOW_STATE
            return
        assert code is Code.OK
        self.closed, self.open = self.open, Counter()
        self.window += 1

    def blocked(self) -> dict[int, int]:
        """Members that cannot pay, with the place of their positions."""
        net = balances(self.closed or Counter())
        due = sorted((member for member in range(MEMBERS) if net[member]), key=self.place)
        return {
            member: place for place, member in enumerate(due) if -net[member] > self.money[member]
        }

    @rule()
    def settle(self) -> None:
        closed = self.closed or Counter()

        def make(book: Book, unit: bytes, members: list[Member]) -> bytes:
            debts = [
                (members[debtor].account, members[creditor].account, amount)
                for (debtor, creditor), amount in closed.items()
            ]
            return book.settle(unit, self.window - 1 or 1, debts)

        answer = self.send(None, make)
        blocked = self.blocked()
        if self.closed is None:
            assert answer[0] is Code.WINDOW_STATE
        elif blocked:
            assert answer == (Code.INSUFFICIENT_FUNDS, min(blocked.values()))
        else:
            assert answer == (Code.OK, 0)
            for member, net in enumerate(balances(closed)):
                self.money[member] += net
            self.closed = None
            for member in range(MEMBERS):
                self.limit[member] = max(self.maximum[member], -self.position(member), 0)

    @rule(member=MEMBER)
    def fail(self, member: int) -> None:
        def make(_: Book, unit: bytes, members: list[Member]) -> bytes:
            return raw.fail(unit, self.window - 1 or 1, members[member].account)

        code, _ = self.send(None, make)
        if self.closed is None:
            assert code is Code.WINDOW_STATE
        elif member not in self.blocked():
            assert code is Code.MEMBER_CAN_PAY
        else:
            assert code is Code.OK
            leaving = {pair: amount for pair, amount in self.closed.items() if member in pair}
            self.open.update(leaving)
            for pair in leaving:
                del self.closed[pair]
            self.failed.add(member)
            self.maximum[member] = 0
            self.raise_limits()
            self.limit[member] = max(0, -self.position(member))

    def raise_limits(self) -> None:
        """Nobody is left below zero by what is pinned."""
        for member, pinned in enumerate(self.pinned()):
            self.limit[member] = max(self.limit[member], pinned - self.position(member))

    @rule(member=MEMBER, maximum=st.integers(0, 2 * MAXIMUM))
    def join(self, member: int, maximum: int) -> None:
        def make(_: Book, __: bytes, members: list[Member]) -> bytes:
            return raw.join(members[member].account, members[member].settlement, maximum)

        code, _ = self.send(member, make)
        if member in self.failed and self.position(member) < 0:
            assert code is Code.MEMBER_FAILED
        elif self.pinned()[member] - self.position(member) > maximum:
            assert code is Code.CREDIT_IN_USE
        else:
            assert code is Code.OK
            self.maximum[member] = self.limit[member] = maximum
            self.failed.discard(member)

    @rule(member=MEMBER)
    def earn(self, member: int) -> None:
        """A member gets some money to settle with."""

        def make(book: Book, _: bytes, members: list[Member]) -> bytes:
            return raw.issue(book.usd, members[member].settlement, MONEY)

        assert self.send(None, make)[0] is Code.OK
        self.money[member] += MONEY

    @rule(member=MEMBER)
    def spend(self, member: int) -> None:
        """A member has no money any more."""
        amount = self.money[member]

        def make(book: Book, _: bytes, members: list[Member]) -> bytes:
            return raw.transfer(members[member].settlement, book.alice.account, amount)

        if amount:
            assert self.send(member, make)[0] is Code.OK
            self.money[member] = 0

    @invariant()
    def accounts_are_as_foretold(self) -> None:
        net, pinned = balances(self.closed or Counter()), self.pinned()
        for book, members in zip(self.books, self.members, strict=True):
            for number, member in enumerate(members):
                row = book.row(member.account)
                assert row.balance == self.position(number)
                assert (row.debits_pending, row.credits_pending) == (
                    pinned[number],
                    max(0, -net[number]),
                )
                assert row.credit_limit == self.limit[number]
                assert row.available >= 0
                assert book.row(member.settlement).available == self.money[number]

    @invariant()
    def the_engines_agree(self) -> None:
        assert self.books[0].engine.digest() == self.books[1].engine.digest()
        assert self.books[0].engine.tree_root() == self.books[1].engine.tree_root()


TestNetting = NettingMachine.TestCase
TestNetting.settings = length(examples=60, steps=40)
