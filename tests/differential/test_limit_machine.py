"""Limits under Hypothesis: a model that keeps every spending foretells what each limit says.

The model knows no counters. It keeps a list of what was counted, by which limit, when and for which
hold, takes the newest parts back when a hold ends, and adds up those of the day. After each step
each limit must have counted just that, and never more than it allows (docs/semantics.md, "What
limits count"); and the digests of the two engines must agree.
"""

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from tests.differential import raw
from tests.differential.book import SECOND_NS, Book, genesis_for_tests
from tests.differential.engines import KernelEngine, SpecEngine
from tests.stateful import length

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps

DAY_NS = 86_400 * SECOND_NS
NAMES = ("agent", "tool", "account", "principal", "payee")
SIGNERS = st.sampled_from(["alice", "agent", "tool"])
AMOUNTS = st.integers(1, 60)


@dataclass(slots=True)
class Part:
    """So much of something was counted."""

    hold: bytes
    at_ns: int
    amount: int


@dataclass(slots=True)
class Bound:
    """A limit: DAY of the two keys, TOTAL of account and principal, HELD of the payee."""

    amount: int
    parts: list[Part] = field(default_factory=list)


class LimitMachine(RuleBasedStateMachine):
    """Alice, her agent and its tool spend; holds end; limits change; days pass."""

    holds: Bundle[bytes] = Bundle("holds")

    @initialize()
    def start(self) -> None:
        genesis = genesis_for_tests(Caps(), hold_max_lifetime_ns=5 * DAY_NS)
        self.books = [Book(make, genesis) for make in (SpecEngine, KernelEngine)]
        for book in self.books:
            book.issue(book.alice.account, 10**6)
            keys = [book.add_key(book.alice, raw.SPEND) for _ in range(2)]
            self.keys = {"alice": book.alice.key, "agent": keys[0], "tool": keys[1]}
            book.ok(book.alice.key, raw.delegate(keys[1], keys[0]))
        self.first = (self.keys["agent"], self.keys["tool"])
        self.bounds: dict[str, Bound] = {}
        self.rests: dict[bytes, int] = {}

    def send(self, signer: str, record: bytes) -> tuple[Code, bytes]:
        answers = []
        for book in self.books:
            receipt = book.send(self.keys[signer], record)
            self.now_ns = receipt.timestamp_ns
            answers.append((receipt.codes[0], receipt.ids[0], receipt.outcome))
        assert answers[0] == answers[1]
        return answers[0][:2]

    def subject(self, name: str) -> tuple[int, int, bytes]:
        alice, bob = self.books[0].alice, self.books[0].bob
        return {
            "agent": (raw.OF_KEY, raw.DAY, self.first[0]),
            "tool": (raw.OF_KEY, raw.DAY, self.first[1]),
            "account": (raw.OF_ACCOUNT, raw.TOTAL, alice.account + bytes(16)),
            "principal": (raw.OF_PRINCIPAL, raw.TOTAL, alice.principal + bytes(16)),
            "payee": (raw.OF_PAYEE, raw.HELD, alice.account + bob.account),
        }[name]

    def counting(self, signer: str, *, pinned: bool) -> list[str]:
        names = {"alice": [], "agent": ["agent"], "tool": ["tool", "agent"]}[signer]
        names = [*names, "account", "principal", *(["payee"] if pinned else [])]
        return [name for name in names if name in self.bounds]

    def used(self, name: str) -> int:
        """What a limit has counted in the window of now."""
        bound = self.bounds[name]
        daily = name in ("agent", "tool")
        parts = [
            part
            for part in bound.parts
            if not daily or part.at_ns // DAY_NS == self.books[0].now_ns // DAY_NS
        ]
        return sum(part.amount for part in parts)

    def spend(self, signer: str, record: bytes, amount: int, hold: bytes | None = None) -> bytes:
        """Sends a record that spends; `hold` is what it adds to, all zero for a new one."""
        names = self.counting(signer, pinned=hold is not None)
        over = any(self.used(name) + amount > self.bounds[name].amount for name in names)
        code, own_id = self.send(signer, record)
        assert code is (Code.LIMIT_EXCEEDED if over else Code.OK)
        if over:
            return b""
        made = hold or own_id
        if hold is not None:
            self.rests[made] = self.rests.get(made, 0) + amount
        for name in names:
            pin = b"" if hold is None else made
            self.bounds[name].parts.append(Part(pin, self.now_ns, amount))
        return made

    def give_back(self, name: str, hold: bytes, amount: int) -> None:
        """Takes the newest parts of a hold back, as far as they are of one day."""
        own = [part for part in self.bounds[name].parts if part.hold == hold]
        for part in reversed(own):
            taken = min(part.amount, amount)
            part.amount -= taken
            amount -= taken

    def end(self, hold: bytes, rest: int) -> None:
        for name, bound in self.bounds.items():
            held = sum(part.amount for part in bound.parts if part.hold == hold)
            self.give_back(name, hold, held if name == "payee" else rest)
        del self.rests[hold]

    @rule(signer=SIGNERS, amount=AMOUNTS)
    def pay(self, signer: str, amount: int) -> None:
        book = self.books[0]
        self.spend(signer, raw.transfer(book.alice.account, book.bob.account, amount), amount)

    @rule(target=holds, signer=SIGNERS, amount=AMOUNTS)
    def reserve(self, signer: str, amount: int) -> bytes:
        book = self.books[0]
        until_ns = book.now_ns + 4 * DAY_NS
        record = raw.reserve(book.alice.account, book.bob.account, amount, until_ns)
        return self.spend(signer, record, amount, b"")

    @rule(hold=holds, signer=SIGNERS, amount=AMOUNTS)
    def extend(self, hold: bytes, signer: str, amount: int) -> None:
        if hold in self.rests:
            self.spend(signer, raw.extend(hold, amount), amount, hold)

    @rule(hold=holds, part=st.integers(0, 100), final=st.booleans())
    def capture(self, hold: bytes, part: int, final: bool) -> None:
        if hold not in self.rests:
            return
        row = self.books[0].hold(hold)
        step = self.rests[hold] * part // 100
        flags = raw.FINAL if final else 0
        record = raw.capture(hold, row.captured + step, flags=flags)
        if row.captured + step == 0 and not final:
            return
        for book in self.books:
            book.ok(book.bob.key, record)
        self.rests[hold] -= step
        if "payee" in self.bounds:
            parts = self.bounds["payee"].parts
            marked = sum(each.amount for each in parts if each.hold == hold)
            self.give_back("payee", hold, max(0, marked - self.rests[hold]))
        if final:
            self.end(hold, self.rests[hold])

    @rule(name=st.sampled_from(NAMES), amount=st.integers(0, 200))
    def set_limit(self, name: str, amount: int) -> None:
        target, window, subject = self.subject(name)
        code, _ = self.send("alice", raw.limit(target, window, subject, self.books[0].usd, amount))
        assert code is Code.OK
        self.bounds.setdefault(name, Bound(amount)).amount = amount

    @rule(name=st.sampled_from(NAMES))
    def end_limit(self, name: str) -> None:
        target, window, subject = self.subject(name)
        unit = self.books[0].usd
        record = raw.limit(target, window, subject, unit, operation=raw.END)
        assert self.send("alice", record)[0] is Code.OK
        self.bounds.pop(name, None)

    @rule(signer=st.sampled_from(["agent", "tool"]))
    def rotate(self, signer: str) -> None:
        until_ns = self.books[0].now_ns + SECOND_NS
        new = [book.rotate_key(self.keys[signer], until_ns) for book in self.books]
        self.keys[signer] = new[0]

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        for book in self.books:
            book.now_ns += hours * 3_600 * SECOND_NS
            book.ok(book.node.key, raw.tick())
        for hold in list(self.rests):
            if not self.books[0].hold(hold).is_open:
                self.end(hold, self.rests[hold])

    @invariant()
    def limits_have_counted_what_is_foretold(self) -> None:
        for book in self.books:
            rows = {
                (row.target, row.window, row.subject): row
                for row in book.engine.limits(book.alice.principal)
            }
            assert len(rows) == len(self.bounds)
            for name, bound in self.bounds.items():
                row = rows[self.subject(name)]  # type: ignore[index]
                assert row.amount == bound.amount
                assert row.used_at(book.now_ns) == self.used(name), name

    @invariant()
    def the_engines_agree(self) -> None:
        assert self.books[0].engine.digest() == self.books[1].engine.digest()


TestLimits = LimitMachine.TestCase
TestLimits.settings = length(examples=60, steps=40)
