"""Holds under Hypothesis: a model of ten lines foretells every answer, on both engines at once.

The model knows of each hold only its maximum, what was captured, its expiry and how it ended, and
of each account what it was given and has paid. After each step the columns of all accounts must be
what the model says (docs/semantics.md section 4), and the digests of the two engines must agree.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, Person, genesis_for_tests
from tests.differential.engines import KernelEngine, SpecEngine
from tests.stateful import length

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps
from tallystick_ledger.results import Cause
from tallystick_ledger.state_rows import HoldStatus

MAX_OPEN_HOLDS = 3
RETENTION_NS = 5 * SECOND_NS
PEOPLE = st.integers(0, 2)
AMOUNTS = st.one_of(st.integers(0, 6), st.integers(0, START_AMOUNT + 10))
SIGNERS = st.integers(0, 9)  # above 2: the hold's payee
FINALS = st.sampled_from([False, False, True])

Make = Callable[[Book, tuple[Person, ...]], bytes]


@dataclass(slots=True)
class ModelHold:
    payer: int
    payee: int
    maximum: int
    expires_at_ns: int
    captured: int = 0
    status: HoldStatus = HoldStatus.OPEN
    ended_at_ns: int = 0

    @property
    def rest(self) -> int:
        return self.maximum - self.captured if self.status is HoldStatus.OPEN else 0


class HoldMachine(RuleBasedStateMachine):
    """Reserves, captures, releases, waits and pays between three people."""

    holds: Bundle[bytes] = Bundle("holds")

    @initialize()
    def start(self) -> None:
        caps = Caps(open_holds=MAX_OPEN_HOLDS)
        genesis = genesis_for_tests(caps, hold_retention_ns=RETENTION_NS)
        self.books = [Book(make, genesis) for make in (SpecEngine, KernelEngine)]
        self.people = [(book.alice, book.bob, book.customer()) for book in self.books]
        self.model: dict[bytes, ModelHold] = {}
        self.given = [START_AMOUNT] * 3
        self.paid = [0] * 3

    def send(self, signer: int, make: Make) -> tuple[Code, bytes, list[int]]:
        """Sends one record to both engines; returns code, derived id, amounts of effects."""
        answers = []
        for book, people in zip(self.books, self.people, strict=True):
            record = make(book, people)
            receipt = book.send(people[signer].key, record)
            self.timestamp_ns = receipt.timestamp_ns
            own = [int(item.amount) for item in receipt.effects if item.cause is not Cause.EXPIRY]
            answers.append((receipt.codes[0], receipt.ids[0], own, receipt.outcome))
        assert answers[0] == answers[1]
        return answers[0][:3]

    def pass_time(self, wait_ns: int) -> None:
        """What log time alone does, by the time of the next record."""
        now_ns = self.books[0].now_ns + wait_ns
        for key, hold in list(self.model.items()):
            ended = hold.status is not HoldStatus.OPEN
            if ended and hold.ended_at_ns + RETENTION_NS < now_ns:
                del self.model[key]
            elif not ended and hold.expires_at_ns <= now_ns:
                hold.status, hold.ended_at_ns = HoldStatus.EXPIRED, now_ns

    def signer(self, hold: ModelHold | None, drawn: int) -> int:
        if drawn in range(3):
            return drawn
        return 0 if hold is None else hold.payee

    def available(self, person: int) -> int:
        pinned = sum(hold.rest for hold in self.model.values() if hold.payer == person)
        return self.given[person] - self.paid[person] - pinned

    def funds_code(self, person: int, amount: int) -> Code:
        if amount > self.given[person] - self.paid[person]:
            return Code.INSUFFICIENT_FUNDS
        return Code.FUNDS_HELD if amount > self.available(person) else Code.OK

    @rule(
        target=holds,
        payer=PEOPLE,
        payee=PEOPLE,
        maximum=AMOUNTS,
        seconds=st.integers(0, 20),
    )
    def reserve(self, payer: int, payee: int, maximum: int, seconds: int) -> bytes:
        self.pass_time(0)
        expires_at_ns = self.books[0].now_ns + seconds * SECOND_NS

        def make(_: Book, people: tuple[Person, ...]) -> bytes:
            accounts = (people[payer].account, people[payee].account)
            return raw.reserve(*accounts, maximum, expires_at_ns)

        open_count = sum(
            hold.payer == payer and hold.status is HoldStatus.OPEN for hold in self.model.values()
        )
        expected = self.funds_code(payer, maximum)
        if open_count >= MAX_OPEN_HOLDS:
            expected = Code.CAP_EXCEEDED
        if seconds == 0:
            expected = Code.EXPIRY_INVALID
        if payer == payee:
            expected = Code.SELF_TRANSFER
        if maximum == 0:
            expected = Code.ZERO_AMOUNT
        code, hold_id, effects = self.send(payer, make)
        assert (code, effects) == (expected, [])
        if code is Code.OK:
            self.model[hold_id] = ModelHold(payer, payee, maximum, expires_at_ns)
        return hold_id

    @rule(hold_id=holds, signer=SIGNERS, amount=AMOUNTS, final=FINALS)
    def capture(self, hold_id: bytes, signer: int, amount: int, final: bool) -> None:
        self.pass_time(0)
        hold = self.model.get(hold_id)
        signer = self.signer(hold, signer)
        flags = raw.FINAL if final else 0
        code, _, effects = self.send(signer, lambda *_: raw.capture(hold_id, amount, flags=flags))
        if amount == 0 and not final:
            assert code is Code.ZERO_AMOUNT
        elif hold is None or signer not in (hold.payer, hold.payee):
            assert code is Code.HOLD_NOT_FOUND
        elif signer != hold.payee:
            assert code is Code.NOT_PAYEE
        elif hold.status is HoldStatus.EXPIRED:
            assert code is Code.HOLD_EXPIRED
        elif hold.status is not HoldStatus.OPEN:
            is_replay = hold.status is HoldStatus.CAPTURED and amount == hold.captured
            assert (code, effects) == (Code.OK if is_replay else Code.HOLD_ENDED, [])
        elif amount < hold.captured:
            assert code is Code.CAPTURE_LOWERED
        elif amount > hold.maximum:
            assert code is Code.CAPTURE_EXCEEDS_HOLD
        else:
            assert code is Code.OK
            new, rest = amount - hold.captured, hold.maximum - amount
            assert effects == [part for part in (new, rest if final else 0) if part]
            hold.captured = amount
            self.paid[hold.payer] += new
            self.given[hold.payee] += new
            if final:
                hold.status, hold.ended_at_ns = HoldStatus.CAPTURED, self.timestamp_ns

    @rule(hold_id=holds, signer=SIGNERS)
    def release(self, hold_id: bytes, signer: int) -> None:
        self.pass_time(0)
        hold = self.model.get(hold_id)
        signer = self.signer(hold, signer)
        code, _, effects = self.send(signer, lambda *_: raw.release(hold_id))
        if hold is None or signer not in (hold.payer, hold.payee):
            assert code is Code.HOLD_NOT_FOUND
        elif signer != hold.payee:
            assert code is Code.NOT_PAYEE
        elif hold.status is not HoldStatus.OPEN:
            expired = hold.status is HoldStatus.EXPIRED
            assert code is (Code.HOLD_EXPIRED if expired else Code.HOLD_ENDED)
        else:
            assert (code, effects) == (Code.OK, [hold.rest] if hold.rest else [])
            hold.status, hold.ended_at_ns = HoldStatus.RELEASED, self.timestamp_ns

    @rule(payer=PEOPLE, payee=PEOPLE, amount=AMOUNTS)
    def pay(self, payer: int, payee: int, amount: int) -> None:
        self.pass_time(0)

        def make(_: Book, people: tuple[Person, ...]) -> bytes:
            return raw.transfer(people[payer].account, people[payee].account, amount)

        expected = self.funds_code(payer, amount)
        if payer == payee:
            expected = Code.SELF_TRANSFER
        if amount == 0:
            expected = Code.ZERO_AMOUNT
        code, _, _ = self.send(payer, make)
        assert code is expected
        if code is Code.OK:
            self.paid[payer] += amount
            self.given[payee] += amount

    @rule(milliseconds=st.integers(1, 12_000))
    def wait(self, milliseconds: int) -> None:
        wait_ns = milliseconds * 1_000_000
        self.pass_time(wait_ns)
        for book in self.books:
            book.now_ns += wait_ns
            book.ok(book.node.key, raw.tick())

    @rule(hold_id=holds)
    def wait_for_the_expiry(self, hold_id: bytes) -> None:
        """The very nanosecond, if it is still to come."""
        hold = self.model.get(hold_id)
        if hold is not None and hold.expires_at_ns > self.books[0].now_ns:
            wait_ns = hold.expires_at_ns - self.books[0].now_ns
            self.pass_time(wait_ns)
            for book in self.books:
                book.now_ns += wait_ns
                book.ok(book.node.key, raw.tick())

    @invariant()
    def columns_are_as_foretold(self) -> None:
        for book, people in zip(self.books, self.people, strict=True):
            for number, person in enumerate(people):
                row = book.row(person.account)
                promised = sum(hold.rest for hold in self.model.values() if hold.payee == number)
                assert (row.debits_posted, row.credits_posted) == (
                    self.paid[number],
                    self.given[number],
                )
                assert row.available == self.available(number) >= 0
                assert row.credits_pending == promised

    @invariant()
    def holds_are_as_foretold(self) -> None:
        for book in self.books:
            for hold_id, hold in self.model.items():
                row = book.hold(hold_id)
                assert (row.maximum, row.captured, row.status) == (
                    hold.maximum,
                    hold.captured,
                    hold.status,
                )

    @invariant()
    def the_engines_agree(self) -> None:
        assert self.books[0].engine.digest() == self.books[1].engine.digest()
        assert self.books[0].engine.tree_root() == self.books[1].engine.tree_root()


TestHolds = HoldMachine.TestCase
TestHolds.settings = length(examples=100, steps=50)
