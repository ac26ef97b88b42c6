"""Holds on debt under Hypothesis: a small model foretells every answer, on both engines at once.

Alice reserves for Bob, whose card prices a meter at 1, and signs a debt limit each time. The model
knows what she has, what each hold has captured and charged beyond, and what is left of each claim.
After each step accounts, holds, claims, and the two limits that count them must be what the model
says (docs/semantics.md, 3).
"""

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, genesis_for_tests
from tests.differential.debts import Shop
from tests.differential.engines import KernelEngine, SpecEngine
from tests.stateful import length

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps
from tallystick_ledger.state_rows import HoldStatus

MAX_CLAIMS = 3
RETENTION_NS = 8 * SECOND_NS  # and so the grace of late captures
AMOUNTS = st.one_of(st.integers(1, 9), st.integers(1, START_AMOUNT + 20))


@dataclass(slots=True)
class ModelHold:
    maximum: int
    limit: int
    expires_at_ns: int
    captured: int = 0
    beyond: int = 0
    status: HoldStatus = HoldStatus.OPEN
    ended_at_ns: int = 0
    is_over: bool = False  # nothing more can be charged

    @property
    def charged(self) -> int:
        return self.captured + self.beyond

    @property
    def counted(self) -> int:
        return self.charged if self.is_over else self.maximum + self.limit

    @property
    def rest(self) -> int:
        return self.maximum - self.captured if self.status is HoldStatus.OPEN else 0


@dataclass(slots=True)
class ModelClaim:
    rest: int = 0
    ended_at_ns: int = 0


class DebtMachine(RuleBasedStateMachine):
    """Reserves, captures above and after, pays, waives, waits."""

    holds: Bundle[bytes] = Bundle("holds")

    @initialize()
    def start(self) -> None:
        genesis = genesis_for_tests(Caps(references=MAX_CLAIMS), hold_retention_ns=RETENTION_NS)
        self.books = [Book(make, genesis) for make in (SpecEngine, KernelEngine)]
        self.shops = [Shop.of(book, book.bob) for book in self.books]
        self.carols = [book.customer() for book in self.books]
        self.model: dict[bytes, ModelHold] = {}
        self.claims: dict[bytes, ModelClaim] = {}
        self.funds = START_AMOUNT
        self.earned = START_AMOUNT
        self.spent = 0  # by transfers, and by holds that are forgotten
        for book in self.books:
            alice, bob = book.alice.account, book.bob.account
            total = raw.limit(raw.OF_ACCOUNT, raw.TOTAL, alice + bytes(16), book.usd, 1 << 100)
            held = raw.limit(raw.OF_PAYEE, raw.HELD, alice + bob, book.usd, 1 << 100)
            book.ok(book.alice.key, total, held)

    def send(self, by: str, *records: bytes) -> tuple[Code, bytes, list[tuple[str, int]]]:
        """Sends one record, made by each shop, to both engines."""
        answers = []
        for book, record in zip(self.books, records, strict=True):
            receipt = book.send(getattr(book, by).key, record)
            self.timestamp_ns = receipt.timestamp_ns
            own = [
                (effect.cause.name, int(effect.amount))
                for effect in receipt.effects
                if effect.cause.name != "EXPIRY"
            ]
            answers.append((receipt.codes[0], receipt.ids[0], own, receipt.outcome))
        assert answers[0] == answers[1]
        return answers[0][:3]

    def pass_time(self, wait_ns: int = 0) -> None:
        """What log time alone does, by the time of the next record."""
        now_ns = self.books[0].now_ns + wait_ns
        for key, hold in list(self.model.items()):
            if hold.ended_at_ns and hold.expires_at_ns + RETENTION_NS < now_ns:
                hold.is_over = True
            if hold.ended_at_ns and hold.ended_at_ns + RETENTION_NS < now_ns:
                self.spent += hold.charged
                del self.model[key]
            elif not hold.ended_at_ns and hold.expires_at_ns <= now_ns:
                hold.status, hold.ended_at_ns = HoldStatus.EXPIRED, now_ns
        for key, claim in list(self.claims.items()):
            if claim.ended_at_ns and claim.ended_at_ns + RETENTION_NS < now_ns:
                del self.claims[key]

    @property
    def available(self) -> int:
        return self.funds - sum(hold.rest for hold in self.model.values())

    def funds_code(self, amount: int) -> Code:
        if amount > self.funds:
            return Code.INSUFFICIENT_FUNDS
        return Code.FUNDS_HELD if amount > self.available else Code.OK

    @rule(target=holds, maximum=AMOUNTS, limit=AMOUNTS, seconds=st.integers(1, 20))
    def reserve(self, maximum: int, limit: int, seconds: int) -> bytes:
        self.pass_time()
        lifetime_ns = (seconds + 1) * SECOND_NS
        expires_at_ns = self.books[0].now_ns + lifetime_ns
        accounts = (self.books[0].alice.account, self.books[0].bob.account)
        code, hold_id, effects = self.send(
            "alice",
            *(shop.reserve_record(*accounts, maximum, limit, lifetime_ns) for shop in self.shops),
        )
        expected = self.funds_code(maximum)
        if any(claim.rest for claim in self.claims.values()):
            expected = Code.CLAIM_OPEN
        assert (code, effects) == (expected, [])
        if code is Code.OK:
            self.model[hold_id] = ModelHold(maximum, limit, expires_at_ns)
        return hold_id

    def foretold(self, hold_id: bytes, amount: int, *, final: bool) -> Code | None:
        """The code that refuses a capture; None for one that changes something."""
        hold = self.model.get(hold_id)
        if hold is None:
            return Code.HOLD_NOT_FOUND
        charged = hold.captured + hold.beyond
        late = hold.status is HoldStatus.EXPIRED and final
        if amount == charged and (late or hold.status is HoldStatus.CAPTURED):
            return Code.OK
        if hold.status is HoldStatus.CAPTURED:
            return Code.HOLD_ENDED
        grace_over = self.books[0].now_ns >= hold.expires_at_ns + RETENTION_NS
        if hold.status is HoldStatus.EXPIRED and (not late or grace_over):
            return Code.HOLD_EXPIRED
        if amount < charged:
            return Code.CAPTURE_LOWERED
        return Code.CAPTURE_EXCEEDS_HOLD if amount > hold.maximum + hold.limit else None

    @rule(hold_id=holds, amount=AMOUNTS, final=st.booleans(), above=st.booleans())
    def capture(self, hold_id: bytes, amount: int, final: bool, above: bool) -> None:
        self.pass_time()
        hold = self.model.get(hold_id)
        if hold is not None and above:  # about the maximum, and what lies above it
            amount = hold.maximum + amount % (hold.limit + 2)
        flags = raw.FINAL if final else 0
        expected = self.foretold(hold_id, amount, final=final)
        code, _, effects = self.send(
            "bob", *(shop.used(hold_id, amount, flags=flags) for shop in self.shops)
        )
        if expected is not None or hold is None:
            assert (code, effects) == (expected, [])
            return
        difference = amount - hold.captured - hold.beyond
        pinned = min(difference, hold.rest)
        spot = min(difference - pinned, self.available)
        owed = difference - pinned - spot
        if owed and hold_id not in self.claims and len(self.claims) >= MAX_CLAIMS:
            assert (code, effects) == (Code.CAP_EXCEEDED, [])
            return
        hold.captured += pinned
        hold.beyond += spot + owed
        self.funds -= pinned + spot
        self.earned += pinned + spot
        parts = [("CAPTURE", pinned + spot), ("CLAIM", owed)]
        parts.append(("RELEASE", hold.rest if final else 0))
        assert (code, effects) == (Code.OK, [part for part in parts if part[1]])
        if owed:
            claim = self.claims.setdefault(hold_id, ModelClaim())
            claim.rest, claim.ended_at_ns = claim.rest + owed, 0
        if final and hold.status is HoldStatus.OPEN:
            hold.status, hold.ended_at_ns = HoldStatus.CAPTURED, self.timestamp_ns
            hold.is_over = True

    @rule(hold_id=holds, amount=AMOUNTS, whole=st.booleans())
    def pay(self, hold_id: bytes, amount: int, whole: bool) -> None:
        self.pass_time()
        claim = self.claims.get(hold_id)
        if claim is not None and whole and claim.rest:
            amount = claim.rest
        record = raw.pay_claim(hold_id, amount, self.books[0].alice.account)
        code, _, effects = self.send("alice", record, record)
        if claim is None:
            expected = Code.CLAIM_NOT_FOUND
        elif claim.ended_at_ns:
            expected = Code.CLAIM_ENDED
        elif amount > claim.rest:
            expected = Code.CLAIM_EXCEEDS
        else:
            expected = self.funds_code(amount)
        assert code is expected
        assert effects == ([("PAY_CLAIM", amount)] if code is Code.OK else [])
        if code is Code.OK and claim is not None:
            self.funds -= amount
            self.earned += amount
            self.lower(claim, amount)

    @rule(hold_id=holds)
    def waive(self, hold_id: bytes) -> None:
        self.pass_time()
        claim = self.claims.get(hold_id)
        record = raw.waive_claim(hold_id)
        code, _, effects = self.send("bob", record, record)
        if claim is None:
            assert code is Code.CLAIM_NOT_FOUND
        elif claim.ended_at_ns:
            assert code is Code.CLAIM_ENDED
        else:
            assert (code, effects) == (Code.OK, [])
            self.lower(claim, claim.rest)

    def lower(self, claim: ModelClaim, amount: int) -> None:
        claim.rest -= amount
        if claim.rest == 0:
            claim.ended_at_ns = self.timestamp_ns

    @rule(amount=AMOUNTS, back=st.booleans())
    def move(self, amount: int, back: bool) -> None:
        """Money of Alice's comes and goes."""
        self.pass_time()
        if back:
            for book in self.books:
                book.issue(book.alice.account, amount)
            self.funds += amount
            return
        amount = min(amount, self.available)
        if amount:
            for book, carol in zip(self.books, self.carols, strict=True):
                book.ok(book.alice.key, raw.transfer(book.alice.account, carol.account, amount))
            self.funds -= amount
            self.spent += amount

    @rule(milliseconds=st.integers(1, 12_000))
    def wait(self, milliseconds: int) -> None:
        wait_ns = milliseconds * 1_000_000
        self.pass_time(wait_ns)
        for book in self.books:
            book.now_ns += wait_ns
            book.ok(book.node.key, raw.tick())

    @invariant()
    def all_is_as_foretold(self) -> None:
        for book in self.books:
            alice = book.row(book.alice.account)
            assert (alice.balance, alice.available) == (self.funds, self.available)
            assert book.row(book.bob.account).balance == self.earned
            for hold_id, hold in self.model.items():
                row = book.hold(hold_id)
                assert (row.captured, row.status) == (hold.captured, hold.status)
            claims = {row.claim: row.rest for row in book.engine.claims(book.alice.principal)}
            assert claims == {key: claim.rest for key, claim in self.claims.items()}
            total, held = book.engine.limits(book.alice.principal)
            assert total.used == self.spent + sum(hold.counted for hold in self.model.values())
            assert held.used == sum(hold.rest for hold in self.model.values())

    @invariant()
    def the_engines_agree(self) -> None:
        assert self.books[0].engine.digest() == self.books[1].engine.digest()
        assert self.books[0].engine.tree_root() == self.books[1].engine.tree_root()


TestDebts = DebtMachine.TestCase
TestDebts.settings = length(examples=100, steps=50)
