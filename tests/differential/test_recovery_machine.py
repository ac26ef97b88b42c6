"""Recovery under Hypothesis: a model of keys foretells every answer and who may sign after it.

The model keeps the active keys of one principal by scope and what is pending; it lets a recovery
take effect when its time is over. After each step just these keys are active on both engines, and
the digests of the two agree (docs/semantics.md, RECOVER and VETO).
"""

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.differential import raw, raw_recovery
from tests.differential.book import SECOND_NS, Book
from tests.differential.engines import KernelEngine, SpecEngine
from tests.stateful import length

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import MIN_RECOVERY_NS
from tallystick_ledger.records import Scope
from tallystick_ledger.state_rows import KeyRow, KeyStatus, RecoveryRow, Table

HOUR_NS = 3_600 * SECOND_NS
CHOICES = st.integers(0, 99)


@dataclass(slots=True)
class Pending:
    """A recovery on its way."""

    key: bytes
    begun_by: bytes
    due_ns: int


class RecoveryMachine(RuleBasedStateMachine):
    """Alice adds, revokes and rotates keys; RECOVERY keys recover; she vetoes or days pass."""

    @initialize()
    def start(self) -> None:
        self.books = [Book(make) for make in (SpecEngine, KernelEngine)]
        self.alice = self.books[0].alice
        self.owners = [self.alice.key]
        self.vaults: list[bytes] = []
        self.gone: list[bytes] = []
        self.pending: Pending | None = None

    def send(self, key: bytes, *records: bytes) -> Code:
        """Sends an envelope; the code of its last record."""
        answers = [book.send(key, *records) for book in self.books]
        assert answers[0].outcome == answers[1].outcome
        self.timestamp_ns = answers[0].timestamp_ns
        return answers[0].codes[-1]

    def new_key(self) -> bytes:
        (new,) = {book.fresh_key() for book in self.books}
        return new

    def pick(self, keys: list[bytes], choice: int) -> bytes:
        return keys[choice % len(keys)]

    def let_time_decide(self, now_ns: int) -> None:
        if self.pending is not None and self.pending.due_ns <= now_ns:
            self.gone += self.owners
            self.owners = [self.pending.key]
            self.pending = None

    @rule(choice=CHOICES, scope=st.sampled_from([Scope.OWNER, Scope.RECOVERY]))
    def add(self, choice: int, scope: Scope) -> None:
        new = self.new_key()
        record = raw.key(raw.ADD, new, self.alice.principal, scope=scope)
        assert self.send(self.pick(self.owners, choice), record) is Code.OK
        (self.owners if scope is Scope.OWNER else self.vaults).append(new)

    @rule(choice=CHOICES)
    def rotate(self, choice: int) -> None:
        old, new = self.pick(self.owners, choice), self.new_key()
        assert self.send(old, raw.key(raw.ROTATE, new, self.alice.principal)) is Code.OK
        self.owners[self.owners.index(old)] = new
        self.gone.append(old)

    @rule(choice=CHOICES, more_ns=st.sampled_from([0, 1, HOUR_NS]))
    def recover(self, choice: int, more_ns: int) -> None:
        if not self.vaults:
            return
        vault, new = self.pick(self.vaults, choice), self.new_key()
        delay_ns = MIN_RECOVERY_NS + more_ns
        code = self.send(vault, raw_recovery.recover(new, self.alice.principal, delay_ns))
        if self.pending is None:
            assert code is Code.OK
            self.pending = Pending(new, vault, self.timestamp_ns + delay_ns)
        else:
            assert code is Code.RECOVERY_PENDING

    @rule(choice=CHOICES)
    def announce_a_known_key(self, choice: int) -> None:
        known = [*self.owners, *self.gone, *([self.pending.key] if self.pending else [])]
        if self.vaults:
            record = raw_recovery.recover(self.pick(known, choice), self.alice.principal)
            assert self.send(self.pick(self.vaults, choice), record) is Code.KEY_EXISTS

    @rule(choice=CHOICES, right=st.booleans())
    def veto(self, choice: int, right: bool) -> None:
        pending = self.pending
        key = pending.key if pending is not None and right else self.alice.principal * 2
        code = self.send(self.pick(self.owners, choice), raw_recovery.veto(key))
        if pending is None or not right:
            assert code is Code.RECOVERY_NOT_FOUND
            return
        assert code is Code.OK
        self.vaults.remove(pending.begun_by)
        self.gone.append(pending.begun_by)
        self.pending = None

    @rule(choice=CHOICES, by_itself=st.booleans())
    def revoke(self, choice: int, by_itself: bool) -> None:
        if not self.vaults:
            return
        vault = self.pick(self.vaults, choice)
        signer = vault if by_itself else self.pick(self.owners, choice)
        code = self.send(signer, raw.key(raw.REVOKE, vault, self.alice.principal))
        if self.pending is not None and self.pending.begun_by == vault:
            assert code is Code.RECOVERY_PENDING
        else:
            assert code is Code.OK
            self.vaults.remove(vault)
            self.gone.append(vault)

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        for book in self.books:
            book.now_ns += hours * HOUR_NS
        self.tick()

    @rule(before_ns=st.sampled_from([0, 1, 2]))
    def wait_until_it_is_due(self, before_ns: int) -> None:
        """Or until just before: the next record that comes is late enough."""
        if self.pending is not None:
            for book in self.books:
                book.now_ns = max(book.now_ns, self.pending.due_ns - before_ns)
            self.tick()

    def tick(self) -> None:
        assert self.send(self.books[0].node.key, raw.tick()) is Code.OK
        self.let_time_decide(self.timestamp_ns)
        if self.pending is not None and self.pending.due_ns <= self.books[0].now_ns:
            self.tick()

    @invariant()
    def just_these_keys_are_active(self) -> None:
        for book in self.books:
            rows = [KeyRow.decode(row) for row in book.engine.rows(Table.KEY)]
            own = [row for row in rows if row.principal == self.alice.principal]
            active = {(row.key, row.scope) for row in own if row.status is KeyStatus.ACTIVE}
            expected = {(key, Scope.OWNER) for key in self.owners}
            assert active == expected | {(key, Scope.RECOVERY) for key in self.vaults}
            pending = [RecoveryRow.decode(row) for row in book.engine.rows(Table.RECOVERY)]
            told = [(row.key, row.recovery_key, row.due_ns) for row in pending]
            mine = self.pending
            assert told == ([] if mine is None else [(mine.key, mine.begun_by, mine.due_ns)])

    @invariant()
    def the_engines_agree(self) -> None:
        assert self.books[0].engine.digest() == self.books[1].engine.digest()


TestRecovery = RecoveryMachine.TestCase
TestRecovery.settings = length(examples=60, steps=40)
