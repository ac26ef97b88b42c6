"""Corrections under Hypothesis: what each record has cost in the end, on both engines at once.

The model knows of each record only what it paid, whether a card priced it, what was given back of
it, and what is disputed. After each step nobody has more or less than that says, and after a new
price a record has cost just that (docs/semantics.md section 3).
"""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, Person
from tests.differential.cases_prices import MINUTE_NS
from tests.differential.debts import Shop
from tests.differential.engines import KernelEngine, SpecEngine
from tests.stateful import length

from tallystick_ledger.codes import Code

MAXIMUM = 100_000
DEADLINE_NS = 10_000 * SECOND_NS
QUANTITIES = st.integers(1, 60)
AMOUNTS = st.integers(0, 70)
PLACES = st.integers(0, 30)  # among the records that paid
SLIPS = st.sampled_from([0, 0, 0, 0, 1])
SIGNERS = st.sampled_from(["bob", "bob", "bob", "alice", "bank"])

Make = Callable[[Book, "Side"], bytes]


@dataclass(slots=True)
class Side:
    """What one engine's book has made."""

    shop: Shop
    half: bytes  # a card at half the price
    hold: bytes

    def card(self, *, is_half: bool) -> bytes:
        return self.half if is_half else self.shop.card


@dataclass(slots=True)
class ModelRecord:
    sequence: int
    amount: int
    is_priced: bool
    corrected: int = 0
    disputed: int | None = None
    is_answered: bool = False

    @property
    def rest(self) -> int:
        return self.amount - self.corrected


class CorrectionMachine(RuleBasedStateMachine):
    """Alice pays Bob in each way; he refunds and prices again, she disputes."""

    @initialize()
    def start(self) -> None:
        self.books = [Book(make) for make in (SpecEngine, KernelEngine)]
        self.sides = [self._side(book) for book in self.books]
        self.model: list[ModelRecord] = []
        self.captured = 0

    @staticmethod
    def _side(book: Book) -> Side:
        shop = Shop.of(book, book.bob)
        envelope_id = book.new_id()
        half = book.derived(book.bob.principal, envelope_id, 0)
        line = raw.price(half, shop.names.model, shop.names.meter, 500_000)
        # In force long after: a new price may be that of a card to come.
        starts_ns = book.now_ns + 1_000 * MINUTE_NS
        head = raw.card(book.usd, starts_ns, 1, raw.lines_root([line]))
        book.ok(book.bob.key, head, line, raw.card_publish(half), envelope_id=envelope_id)
        book.issue(book.alice.account, 2 * MAXIMUM)
        return Side(shop, half, shop.reserve(book.alice, MAXIMUM, 0))

    def send(self, signer: str, make: Make) -> tuple[Code, int, list[int]]:
        """Sends one record to both engines; returns code, sequence number, amounts of effects."""
        answers = []
        for book, side in zip(self.books, self.sides, strict=True):
            person: Person = getattr(book, signer)
            receipt = book.send(person.key, make(book, side))
            amounts = [int(effect.amount) for effect in receipt.effects]
            answers.append((receipt.codes[0], receipt.first_sequence, amounts, receipt.outcome))
        assert answers[0] == answers[1]
        return answers[0][:3]

    @rule(quantity=QUANTITIES)
    def meter(self, quantity: int) -> None:
        def make(book: Book, side: Side) -> bytes:
            used = raw.usage([(side.shop.names.meter, quantity)])
            content = raw.metered(side.shop.card, side.shop.names.model, used)
            return raw.meter(book.alice.account, book.bob.account, quantity, content)

        self._paid("alice", make, quantity, is_priced=True)

    @rule(quantity=QUANTITIES)
    def capture(self, quantity: int) -> None:
        """The next slice of the hold."""
        self.captured += quantity
        total = self.captured
        self._paid(
            "bob", lambda _, side: side.shop.used(side.hold, total), quantity, is_priced=True
        )

    @rule(amount=QUANTITIES)
    def pay(self, amount: int) -> None:
        def make(book: Book, _: Side) -> bytes:
            return raw.transfer(book.alice.account, book.bob.account, amount)

        self._paid("alice", make, amount, is_priced=False)

    def _paid(self, signer: str, make: Make, amount: int, *, is_priced: bool) -> None:
        code, sequence, _ = self.send(signer, make)
        assert code is Code.OK
        self.model.append(ModelRecord(sequence, amount, is_priced))

    def cited(self, place: int) -> ModelRecord:
        return self.model[place % len(self.model)]

    @precondition(lambda self: self.model)
    @rule(place=PLACES, amount=AMOUNTS, signer=SIGNERS)
    def refund(self, place: int, amount: int, signer: str) -> None:
        record = self.cited(place)
        code, _, effects = self.send(signer, lambda *_: raw.refund(record.sequence, amount))
        if amount == 0:
            assert code is Code.ZERO_AMOUNT
        elif signer != "bob":
            assert code is self._denied(signer)
        elif amount > record.rest:
            assert code is Code.CORRECTION_EXCEEDS
        else:
            assert (code, effects) == (Code.OK, [amount])
            record.corrected += amount

    @precondition(lambda self: self.model)
    @rule(place=PLACES, quantity=QUANTITIES, is_half=st.booleans(), slip=SLIPS, signer=SIGNERS)
    def reprice(self, place: int, quantity: int, is_half: bool, slip: int, signer: str) -> None:
        record = self.cited(place)
        price = (quantity + 1) // 2 if is_half else quantity

        def make(_: Book, side: Side) -> bytes:
            names = side.shop.names
            used = raw.usage([(names.meter, quantity)])
            content = raw.repriced(side.card(is_half=is_half), names.model, used)
            return raw.reprice(record.sequence, price + slip, content)

        code, _, effects = self.send(signer, make)
        if signer != "bob":
            assert code is self._denied(signer)
        elif not record.is_priced:
            assert code is Code.CITED_NOT_PRICED
        elif slip:
            assert code is Code.PRICE_MISMATCH
        elif price >= record.rest:
            assert code is Code.PRICE_NOT_LOWER
        else:
            assert (code, effects) == (Code.OK, [record.rest - price])
            record.corrected = record.amount - price
            assert record.rest == price

    @staticmethod
    def _denied(signer: str) -> Code:
        return Code.NOT_PAYEE if signer == "alice" else Code.CITED_NOT_FOUND

    @precondition(lambda self: self.model)
    @rule(place=PLACES, amount=QUANTITIES)
    def dispute(self, place: int, amount: int) -> None:
        record = self.cited(place)
        deadline_ns = self.books[0].now_ns + DEADLINE_NS
        make: Make = lambda *_: raw.dispute(record.sequence, amount, deadline_ns)  # noqa: E731
        code, _, effects = self.send("alice", make)
        is_open = record.disputed is not None and not record.is_answered
        if is_open:
            assert code is Code.DISPUTE_OPEN
        elif amount > record.rest:
            assert code is Code.CORRECTION_EXCEEDS
        else:
            assert (code, effects) == (Code.OK, [])
            record.disputed, record.is_answered = amount, False

    @precondition(lambda self: self.model)
    @rule(place=PLACES, amount=AMOUNTS)
    def answer(self, place: int, amount: int) -> None:
        record = self.cited(place)
        code, _, effects = self.send("bob", lambda *_: raw.dispute_answer(record.sequence, amount))
        if record.disputed is None:
            assert code is Code.DISPUTE_NOT_FOUND
        elif record.is_answered:
            assert code is Code.DISPUTE_ANSWERED
        elif amount > record.disputed:
            assert code is Code.ANSWER_EXCEEDS
        elif amount > record.rest:
            assert code is Code.CORRECTION_EXCEEDS
        else:
            assert (code, effects) == (Code.OK, [amount] if amount else [])
            record.corrected += amount
            record.is_answered = True

    @invariant()
    def nobody_has_more_or_less(self) -> None:
        cost = sum(record.rest for record in self.model)
        for book in self.books:
            assert book.row(book.bob.account).balance == START_AMOUNT + cost
            for record in self.model:
                row = book.engine.correction(record.sequence)
                assert (0 if row is None else row.corrected) == record.corrected <= record.amount

    @invariant()
    def the_engines_agree(self) -> None:
        assert self.books[0].engine.digest() == self.books[1].engine.digest()


TestCorrections = CorrectionMachine.TestCase
TestCorrections.settings = length(examples=60, steps=40)
