"""Grants under Hypothesis: a model of their money foretells every answer, on both engines at once.

The model knows of each grant what went in and out of it, of each hold its parts and what they have
paid, of each charge what was given back of it. After each step the columns of all accounts, the
parts of all holds and the state of all grants must be what the model says (docs/semantics.md
section 4), and the digests of the two engines must agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from tests.differential import raw, raw_grants
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, Person, genesis_for_tests
from tests.differential.engines import KernelEngine, SpecEngine
from tests.stateful import length

from tallystick_ledger.codes import Code
from tallystick_ledger.state_rows import GrantStatus, HoldStatus

RETENTION_NS = 500 * SECOND_NS  # longer than an example
MILLION = 1_000_000
MOST_SHARES = 4
PERSON = st.integers(0, 2)
# Alice uses what Carol grants and Bob sells, most of the time.
USER = st.sampled_from([0, 0, 0, 0, 1])
OTHER = st.sampled_from([1, 1, 1, 1, 1, 2, 2, 2, 2, 0])  # so many further; 0 is oneself
SPONSOR = st.sampled_from([2, 2, 1, 0])
REGISTRAR = 3
AMOUNTS = st.one_of(st.integers(0, 6), st.integers(1, 300), st.integers(1, START_AMOUNT + 10))
RATIOS = st.one_of(st.just(MILLION), st.integers(1, MILLION), st.integers(1, 9))
LISTED: Final[tuple[tuple[int, ...], ...]] = ((0,), (1, 2))
PROVIDERS = st.sampled_from([None, None, None, None, *LISTED])
PERCENT = st.one_of(st.integers(1, 60), st.sampled_from([0, 99, 100, 110]))
FINALS = st.sampled_from([False, False, True])

Make = Callable[[Book, tuple[Person, ...]], bytes]


@dataclass(slots=True)
class Column:
    """What went into an account, and out of it."""

    given: int = 0
    paid: int = 0

    @property
    def balance(self) -> int:
        return self.given - self.paid


@dataclass(slots=True)
class ModelGrant:
    """`order` is the order in which grants pay, `asks` whether relations count."""

    sponsor: int
    grantee: int
    amount: int
    ratio: int
    cap: int
    order: tuple[int, int, int]
    providers: tuple[int, ...] | None
    asks: bool
    key: int
    money: Column
    status: GrantStatus = GrantStatus.OPEN

    @property
    def is_open(self) -> bool:
        return self.status is GrantStatus.OPEN


@dataclass(slots=True)
class Part:
    grant: bytes
    maximum: int
    paid: int = 0


@dataclass(slots=True)
class ModelHold:
    """`whole` is the maximum before it was extended: what the parts are parts of."""

    payer: int
    payee: int
    whole: int
    expires_at_ns: int
    parts: list[Part]
    added: int = 0
    captured: int = 0
    status: HoldStatus = HoldStatus.OPEN

    @property
    def maximum(self) -> int:
        return self.whole + self.added

    @property
    def rest(self) -> int:
        return self.maximum - self.captured if self.status is HoldStatus.OPEN else 0

    def is_open_at(self, now_ns: int) -> bool:
        return self.status is HoldStatus.OPEN and self.expires_at_ns > now_ns

    def rest_of(self, part: Part) -> int:
        return part.maximum - part.paid if self.status is HoldStatus.OPEN else 0

    @property
    def own_rest(self) -> int:
        return self.rest - sum(self.rest_of(part) for part in self.parts)


@dataclass(slots=True)
class Charge:
    """A CAPTURE, as a refund cites it."""

    payer: int
    payee: int
    amount: int
    parts: list[tuple[bytes, int]] = field(default_factory=list)
    corrected: int = 0


def falls(amount: int, parts: Sequence[int], whole: int) -> list[int]:
    """How much of an amount falls on each part: of what those before it leave, rounded down."""
    found: list[int] = []
    for part in parts:
        left, of = amount - sum(found), whole - sum(parts[: len(found)])
        found.append(left * part // of)
    return found


class GrantMachine(RuleBasedStateMachine):
    """Three people grant, use, bill and give back; a registrar says who is related."""

    grants: Bundle[bytes] = Bundle("grants")
    charges: Bundle[int] = Bundle("charges")

    @initialize(target=grants)
    def start(self) -> bytes:
        genesis = genesis_for_tests(hold_retention_ns=RETENTION_NS)
        self.books = [Book(make, genesis) for make in (SpecEngine, KernelEngine)]
        self.people = [
            (book.alice, book.bob, book.customer(), book.register()) for book in self.books
        ]
        self.lists: dict[tuple[int, ...], bytes] = {}
        for book, people in zip(self.books, self.people, strict=True):
            for members in LISTED:
                ids = [people[member].principal for member in members]
                self.lists[members] = book.id_list(people[0], *ids)
        self.money = [Column(START_AMOUNT) for _ in range(3)]
        self.model: dict[bytes, ModelGrant] = {}
        self.held: dict[bytes, ModelHold] = {}
        self.charged: dict[int, Charge] = {}
        self.related: set[tuple[int, int]] = set()
        return self.set_aside(2, 0, 300, MILLION // 3, 0, 1, 60, None, True, 0)

    # What every rule needs.

    def send(self, signer: int, make: Make) -> tuple[Code, bytes, int]:
        """Sends one record to both engines; returns code, derived id and sequence number."""
        answers = []
        for book, people in zip(self.books, self.people, strict=True):
            receipt = book.send(people[signer].key, make(book, people))
            answer = (receipt.codes[0], receipt.ids[0], receipt.first_sequence)
            answers.append((answer, receipt.outcome))
        assert answers[0] == answers[1]
        return answers[0][0]

    @property
    def now_ns(self) -> int:
        return self.books[0].now_ns

    def pass_time(self, wait_ns: int = 0) -> None:
        """What log time alone does, by the time of the next record: holds end, then grants."""
        now_ns = self.now_ns + wait_ns
        for hold in self.held.values():
            if hold.status is HoldStatus.OPEN and hold.expires_at_ns <= now_ns:
                self.free(hold, HoldStatus.EXPIRED)
        for grant_id, grant in self.model.items():
            if grant.is_open and grant.order[1] <= now_ns:
                self.end(grant_id, GrantStatus.EXPIRED)

    def let_pass(self, wait_ns: int) -> None:
        self.pass_time(wait_ns)
        for book in self.books:
            book.now_ns += wait_ns
            book.ok(book.node.key, raw.tick())

    def end(self, grant_id: bytes, status: GrantStatus) -> None:
        self.model[grant_id].status = status
        self.give_back(grant_id, self.left(grant_id))

    def give_back(self, grant_id: bytes, amount: int) -> None:
        grant = self.model[grant_id]
        grant.money.paid += amount
        self.money[grant.sponsor].given += amount

    def free(self, hold: ModelHold, status: HoldStatus) -> None:
        rests = [(part.grant, hold.rest_of(part)) for part in hold.parts]
        hold.status = status
        for grant_id, rest in rests:
            if not self.model[grant_id].is_open:
                self.give_back(grant_id, rest)

    def pinned(self, grant_id: bytes) -> int:
        return sum(
            hold.rest_of(part)
            for hold in self.held.values()
            for part in hold.parts
            if part.grant == grant_id
        )

    def left(self, grant_id: bytes) -> int:
        return self.model[grant_id].money.balance - self.pinned(grant_id)

    def available(self, person: int) -> int:
        pinned = sum(hold.own_rest for hold in self.held.values() if hold.payer == person)
        return self.money[person].balance - pinned

    def funds_code(self, person: int, amount: int) -> Code:
        if amount > self.money[person].balance:
            return Code.INSUFFICIENT_FUNDS
        return Code.FUNDS_HELD if amount > self.available(person) else Code.OK

    # Grants.

    @rule(
        target=grants,
        sponsor=SPONSOR,
        grantee=USER,
        amount=AMOUNTS,
        ratio=RATIOS,
        cap=st.sampled_from([0, 0, 7]),
        priority=st.integers(0, 2),
        seconds=st.one_of(st.integers(0, 30), st.just(60)),
        providers=PROVIDERS,
        asks=st.booleans(),
        key=st.sampled_from([0, 0, 1]),
    )
    def grant(self, **terms: Any) -> bytes:  # noqa: ANN401 - those of `set_aside`
        return self.set_aside(**terms)

    def set_aside(
        self,
        sponsor: int,
        grantee: int,
        amount: int,
        ratio: int,
        cap: int,
        priority: int,
        seconds: int,
        providers: tuple[int, ...] | None,
        asks: bool,
        key: int,
    ) -> bytes:
        self.pass_time()
        created_at_ns = self.now_ns
        expires_at_ns = created_at_ns + seconds * SECOND_NS

        def make(_: Book, people: tuple[Person, ...]) -> bytes:
            return raw_grants.grant(
                people[sponsor].account,
                people[grantee].principal,
                amount,
                expires_at_ns,
                priority=priority,
                ratio=ratio,
                cap=cap,
                providers=self.lists[providers] if providers else raw.ZERO_ID,
                registrar=people[REGISTRAR].principal if asks else raw.ZERO_ID,
                exclusivity=bytes([key]) * 16,
            )

        expected = self.funds_code(sponsor, amount)
        live = [each for each in self.model.values() if each.is_open and each.grantee == grantee]
        if key and any(each.key == key for each in live):
            expected = Code.DOUBLE_SUBSIDY
        if seconds == 0:
            expected = Code.EXPIRY_INVALID
        if amount == 0:
            expected = Code.ZERO_AMOUNT
        code, grant_id, _ = self.send(sponsor, make)
        assert code is expected
        if code is Code.OK:
            self.money[sponsor].paid += amount
            order = (priority, expires_at_ns, created_at_ns)
            terms = (sponsor, grantee, amount, ratio, cap, order, providers, asks, key)
            self.model[grant_id] = ModelGrant(*terms, money=Column(amount))
        return grant_id

    @rule(grant_id=grants, drawn=st.integers(0, 9))
    def claw_back(self, grant_id: bytes, drawn: int) -> None:
        self.pass_time()
        grant = self.model.get(grant_id)
        sponsor = grant.sponsor if grant is not None else 0
        signer = drawn if drawn in range(3) else sponsor
        code, _, _ = self.send(signer, lambda *_: raw_grants.claw_back(grant_id))
        if grant is None or signer not in (grant.sponsor, grant.grantee):
            assert code is Code.GRANT_NOT_FOUND
        elif signer != grant.sponsor:
            assert code is Code.NOT_SPONSOR
        elif not grant.is_open:
            assert code is Code.GRANT_ENDED
        else:
            assert code is Code.OK
            self.end(grant_id, GrantStatus.CLAWED_BACK)

    @rule(pair=st.sampled_from([(0, 1), (0, 2)]), states=st.sampled_from([True, False, False]))
    def relate(self, pair: tuple[int, int], states: bool) -> None:
        self.pass_time()

        def make(_: Book, people: tuple[Person, ...]) -> bytes:
            parties = sorted(people[party].principal for party in pair)
            operation = raw_grants.STATE if states else raw_grants.END
            return raw_grants.relation(parties, operation)

        code, _, _ = self.send(REGISTRAR, make)
        if states == (pair in self.related):
            assert code is (Code.RELATION_EXISTS if states else Code.RELATION_NOT_FOUND)
        else:
            assert code is Code.OK
            (self.related.add if states else self.related.discard)(pair)

    # Holds.

    def parts(self, payer: int, payee: int, maximum: int) -> list[Part]:
        """What grants would pay."""
        found: list[Part] = []
        mine = [(id_, grant) for id_, grant in self.model.items() if grant.grantee == payer]
        related = (min(payer, payee), max(payer, payee)) in self.related
        for grant_id, grant in sorted(mine, key=lambda item: item[1].order):
            is_listed = grant.providers is None or payee in grant.providers
            pays = grant.is_open and is_listed and not (grant.asks and related)
            bounds = [maximum * grant.ratio // MILLION, grant.cap or maximum, self.left(grant_id)]
            part = min(*bounds, maximum - sum(each.maximum for each in found))
            if pays and part > 0 and len(found) < MOST_SHARES:
                found.append(Part(grant_id, part))
        return found

    @rule(
        payer=USER,
        other=OTHER,
        maximum=AMOUNTS,
        seconds=st.one_of(st.integers(0, 20), st.just(60)),
    )
    def reserve(self, payer: int, other: int, maximum: int, seconds: int) -> None:
        self.hold(payer, (payer + other) % 3, maximum, seconds)

    @rule(target=charges, payer=USER, other=OTHER, maximum=AMOUNTS, percent=PERCENT, final=FINALS)
    def buy(self, payer: int, other: int, maximum: int, percent: int, final: bool) -> int:
        hold_id = self.hold(payer, (payer + other) % 3, maximum, 30)
        return self.bill(hold_id, percent, final=final)

    def hold(self, payer: int, payee: int, maximum: int, seconds: int) -> bytes:
        self.pass_time()
        expires_at_ns = self.now_ns + seconds * SECOND_NS

        def make(_: Book, people: tuple[Person, ...]) -> bytes:
            accounts = (people[payer].account, people[payee].account)
            return raw.reserve(*accounts, maximum, expires_at_ns)

        parts = self.parts(payer, payee, maximum)
        expected = self.funds_code(payer, maximum - sum(part.maximum for part in parts))
        if seconds == 0:
            expected = Code.EXPIRY_INVALID
        if payer == payee:
            expected = Code.SELF_TRANSFER
        if maximum == 0:
            expected = Code.ZERO_AMOUNT
        code, hold_id, _ = self.send(payer, make)
        assert code is expected
        if code is Code.OK:
            self.held[hold_id] = ModelHold(payer, payee, maximum, expires_at_ns, parts)
        return hold_id

    def open_hold(self, drawn: int) -> bytes:
        """One of those that the next record still finds open; none has no id."""
        self.let_pass(0)
        now_ns = self.now_ns
        open_ = [key for key, hold in self.held.items() if hold.is_open_at(now_ns)]
        if not open_:
            return b""
        self.pass_time()
        return open_[drawn % len(open_)]

    @rule(drawn=st.integers(0, 9), additional=st.integers(1, 200))
    def extend(self, drawn: int, additional: int) -> None:
        """What it adds is the payer's alone."""
        hold_id = self.open_hold(drawn)
        if not hold_id:
            return
        hold = self.held[hold_id]
        expected = self.funds_code(hold.payer, additional)
        code, _, _ = self.send(hold.payer, lambda *_: raw.extend(hold_id, additional))
        assert code is expected
        if code is Code.OK:
            hold.added += additional

    @rule(target=charges, drawn=st.integers(0, 9), percent=PERCENT, final=FINALS)
    def capture(self, drawn: int, percent: int, final: bool) -> int:
        return self.bill(self.open_hold(drawn), percent, final=final)

    def bill(self, hold_id: bytes, percent: int, *, final: bool) -> int:
        hold = self.held.get(hold_id)
        if hold is None:
            return 0
        self.pass_time()
        amount = hold.maximum * percent // 100
        flags = raw.FINAL if final else 0
        code, _, sequence = self.send(
            hold.payee, lambda *_: raw.capture(hold_id, amount, flags=flags)
        )
        if amount == 0 and not final:
            assert code is Code.ZERO_AMOUNT
        elif amount < hold.captured:
            assert code is Code.CAPTURE_LOWERED
        elif amount > hold.maximum:
            assert code is Code.CAPTURE_EXCEEDS_HOLD
        else:
            assert code is Code.OK
            self.charged[sequence] = self.pay(hold, amount)
            if final:
                self.free(hold, HoldStatus.CAPTURED)
        return sequence

    def pay(self, hold: ModelHold, amount: int) -> Charge:
        """Pays a hold up to an amount, each source its part of it."""
        charge = Charge(hold.payer, hold.payee, amount - hold.captured)
        maxima = [part.maximum for part in hold.parts]
        due = falls(min(amount, hold.whole), maxima, hold.whole)
        for part, now in zip(hold.parts, due, strict=True):
            step = now - part.paid
            assert step >= 0, "a part went down"
            self.model[part.grant].money.paid += step
            part.paid = now
            if step:
                charge.parts.append((part.grant, step))
        self.money[hold.payer].paid += charge.amount - sum(step for _, step in charge.parts)
        self.money[hold.payee].given += charge.amount
        hold.captured = amount
        return charge

    @rule(drawn=st.integers(0, 9))
    def release(self, drawn: int) -> None:
        hold_id = self.open_hold(drawn)
        if hold_id:
            hold = self.held[hold_id]
            code, _, _ = self.send(hold.payee, lambda *_: raw.release(hold_id))
            assert code is Code.OK
            self.free(hold, HoldStatus.RELEASED)

    # What is given back, and what else moves.

    @rule(sequence=charges, percent=PERCENT)
    def refund(self, sequence: int, percent: int) -> None:
        charge = self.charged.get(sequence)
        if charge is None or charge.amount == 0:
            return
        self.pass_time()
        amount = max(1, charge.amount * percent // 100)
        expected = self.funds_code(charge.payee, amount)
        if charge.corrected + amount > charge.amount:
            expected = Code.CORRECTION_EXCEEDS
        code, _, _ = self.send(charge.payee, lambda *_: raw.refund(sequence, amount))
        assert code is expected
        if code is Code.OK:
            self.correct(charge, amount)

    def correct(self, charge: Charge, amount: int) -> None:
        """Each source gets its part back, the sponsor that of a grant that is over."""
        maxima = [paid for _, paid in charge.parts]
        before = falls(charge.corrected, maxima, charge.amount)
        after = falls(charge.corrected + amount, maxima, charge.amount)
        charge.corrected += amount
        self.money[charge.payee].paid += amount
        self.money[charge.payer].given += amount - (sum(after) - sum(before))
        for (grant_id, _), was, now in zip(charge.parts, before, after, strict=True):
            grant = self.model[grant_id]
            source = grant.money if grant.is_open else self.money[grant.sponsor]
            source.given += now - was

    @rule(payer=PERSON, other=OTHER, amount=st.integers(1, START_AMOUNT))
    def transfer(self, payer: int, other: int, amount: int) -> None:
        self.pass_time()
        payee = (payer + other) % 3

        def make(_: Book, people: tuple[Person, ...]) -> bytes:
            return raw.transfer(people[payer].account, people[payee].account, amount)

        is_self = payer == payee
        expected = Code.SELF_TRANSFER if is_self else self.funds_code(payer, amount)
        code, _, _ = self.send(payer, make)
        assert code is expected
        if code is Code.OK:
            self.money[payer].paid += amount
            self.money[payee].given += amount

    @rule(milliseconds=st.integers(1, 4_000))
    def wait(self, milliseconds: int) -> None:
        self.let_pass(milliseconds * 1_000_000)

    @rule(grant_id=grants)
    def wait_for_the_end_of_a_grant(self, grant_id: bytes) -> None:
        """The very nanosecond, if it is still to come."""
        grant = self.model.get(grant_id)
        if grant is not None and grant.is_open and grant.order[1] > self.now_ns:
            self.let_pass(grant.order[1] - self.now_ns)

    # What must hold after each.

    @invariant()
    def people_have_what_was_foretold(self) -> None:
        for book, people in zip(self.books, self.people, strict=True):
            for number, money in enumerate(self.money):
                row = book.row(people[number].account)
                promised = sum(hold.rest for hold in self.held.values() if hold.payee == number)
                assert (row.debits_posted, row.credits_posted) == (money.paid, money.given)
                assert row.available == self.available(number) >= 0
                assert row.credits_pending == promised

    @invariant()
    def grants_are_as_foretold(self) -> None:
        for book in self.books:
            for grant_id, grant in self.model.items():
                account, row = book.row(grant_id), book.engine.grant(grant_id)
                assert row is not None
                assert row.status is grant.status
                posted = (account.debits_posted, account.credits_posted)
                assert posted == (grant.money.paid, grant.money.given)
                assert account.debits_pending == self.pinned(grant_id)
                assert account.available == self.left(grant_id) >= 0
                assert bool(row.settled_at_ns) == (not grant.is_open and not self.pinned(grant_id))

    @invariant()
    def holds_are_as_foretold(self) -> None:
        for book in self.books:
            for hold_id, hold in self.held.items():
                row, shares = book.hold(hold_id), book.engine.shares(hold_id)
                assert (row.maximum, row.captured, row.status) == (
                    hold.maximum,
                    hold.captured,
                    hold.status,
                )
                listed = [] if shares is None else shares.shares
                assert [(each.grant, each.maximum, each.paid) for each in listed] == [
                    (part.grant, part.maximum, part.paid) for part in hold.parts
                ]

    @invariant()
    def the_engines_agree(self) -> None:
        assert self.books[0].engine.digest() == self.books[1].engine.digest()
        assert self.books[0].engine.tree_root() == self.books[1].engine.tree_root()


TestGrants = GrantMachine.TestCase
TestGrants.settings = length(examples=100, steps=50)
