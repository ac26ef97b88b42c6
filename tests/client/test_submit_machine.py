"""Exactly once, under Hypothesis: the SDK against nodes that lead, die, lose answers and forget.

`sim_cluster.py` decides nothing by itself; the rules here do. Payments travel alone, together and
on a stream; the same bytes are sent again at any time, as another process would; other bytes come
under the same id. After each step, for every call that has ended:

* an envelope was executed at most once, and the payee has what the executed ones say;
* a receipt is what the ledger has of these very bytes;
* what was refused for its time or its id is not executed, neither before nor ever after;
* what was refused otherwise, or never sent, is not executed unless somebody sent it another time;
* what `resolve` said stays true.

A run ends with all nodes well. By then every call has ended, and what was unknown is decided.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests import stateful
from tests.client import sim_cluster
from tests.client.fake_node import OPERATOR, Committed, make_genesis
from tests.client.sim_cluster import SimCluster, SimNode, SimPool
from tests.client.virtual_time import VirtualLoop

from tallystick import AsyncClient, OutcomeUnknown, Receipt, Refused, Signer, errors, submitter
from tallystick.envelopes import Stored
from tallystick.outcomes import Step, Waiting
from tallystick.reads import EnvelopeInfo, Presence
from tallystick.retry import Surroundings
from tallystick.stream import SubmitStream
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, PrincipalId
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records import Transfer

NODE = st.integers(0, 2)
PAST = st.integers(0, 99)  # one of the payments made so far
NS_PER_S = 1_000_000_000
MAX_LIFETIME_NS = 600 * NS_PER_S
FINAL = (errors.TooLate, errors.IdConflict)


@dataclass(slots=True, eq=False)
class Call:
    """One submission of an envelope."""

    stored: Stored
    began_s: float
    work: "asyncio.Future[Any]"
    position: int = 0  # among the outcomes of a stream's message
    ended_s: float = float("inf")

    def outcome(self) -> Receipt | Exception | None:
        """What the caller was told; None if nothing yet."""
        if not self.work.done():
            return None
        error = self.work.exception()
        if error is not None:
            assert isinstance(error, errors.TallystickError), error
            return error
        told = self.work.result()
        return told if isinstance(told, Receipt) else list(told)[self.position]


@dataclass(slots=True, eq=False)
class Payment:
    """An envelope, and all that was ever said of it."""

    stored: Stored
    amount: int
    calls: list[Call] = field(default_factory=list)
    looks: "list[asyncio.Future[EnvelopeInfo]]" = field(default_factory=list)

    @property
    def is_alone(self) -> bool:
        """Whether it was sent once."""
        return len(self.calls) == 1


class SubmitMachine(RuleBasedStateMachine):
    """A client, three nodes, one payer and one payee."""

    client_type: ClassVar[type[AsyncClient]] = AsyncClient
    totals: ClassVar[Counter[str]] = Counter()

    @initialize(ahead_ms=st.sampled_from([0, 300]))
    def start(self, ahead_ms: int) -> None:
        self.loop = VirtualLoop()
        genesis = make_genesis(max_lifetime_ns=MAX_LIFETIME_NS)
        self.cluster = SimCluster(genesis, self.loop, ahead_ms * 1_000_000)
        numbers = iter(range(1, 1 << 62))

        def random_bytes(count: int) -> bytes:
            return next(numbers).to_bytes(count, "little")

        self.around = Surroundings(lambda: self.cluster.now_ns, random_bytes, lambda: 0.0)
        self.payments: list[Payment] = []
        self.seen: Counter[str] = Counter()
        self.stream: SubmitStream | None = None
        self.loop.finish(self._populate())
        self.executed: dict[bytes, int] = {}
        self.looked_at = len(self.cluster.ledger.log)
        self.cluster.commits_at_once = False
        self.closing = self.loop.create_future()
        self.streaming = self.loop.create_task(self._keep_stream())
        self.happen()

    async def _populate(self) -> None:
        operator = self.make_client(AsyncClient, OPERATOR)
        keys = SigningKey(b"\x31" * 32), SigningKey(b"\x32" * 32)
        payer, payee = [Signer(key, (await operator.register_principal(key)).id) for key in keys]
        unit = (await operator.create_unit("TOKEN", 3, payer.principal)).id
        self.client = self.make_client(self.client_type, payer)
        self.accounts = [
            AccountId((await self.client.open_account(unit, signer=signer)).id)
            for signer in (payer, payee)
        ]
        await self.client.issue(unit, self.accounts[0], 1_000_000)

    def make_client(
        self, client_type: type[AsyncClient], signer: Signer | SigningKey
    ) -> AsyncClient:
        pool = SimPool(self.cluster)
        client = client_type(
            pool.addresses,
            self.cluster.genesis,
            tls=None,
            signer=signer,
            attempt_timeout_s=2.0,
            surroundings=self.around,
        )
        client._pool = client._reader._pool = client._submitter._pool = pool
        return client

    async def _keep_stream(self) -> None:
        async with self.client.stream() as self.stream:
            await self.closing

    def happen(self, seconds: float = 0.0) -> None:
        """Everything that follows at once, or within so many seconds."""
        self.loop.pass_time(seconds)
        for payment in self.payments:
            for call in payment.calls:
                if call.work.done():
                    call.ended_s = min(call.ended_s, self.loop.time())

    # -- what clients do ---------------------------------------------------------------------------

    def make_payment(self, amount: int, valid_for_s: float, envelope_id: bytes = b"") -> Payment:
        draft = self.client.draft(valid_for_s=valid_for_s)
        if envelope_id:
            draft.envelope_id = type(draft.envelope_id)(envelope_id)
        draft.add(Transfer(self.accounts[0], self.accounts[1], amount))
        payment = Payment(draft.seal(), amount)
        self.payments.append(payment)
        return payment

    def send(self, payment: Payment, deadline_s: float | None) -> None:
        work = self.loop.create_task(self.client.submit(payment.stored, deadline_s=deadline_s))
        payment.calls.append(Call(payment.stored, self.loop.time(), work))

    @rule(
        amounts=st.lists(st.integers(1, 9), min_size=1, max_size=3),
        valid_for_s=st.sampled_from([1.0, 4.0, 60.0]),
        deadline_s=st.sampled_from([None, 0.5, 3.0]),
    )
    def pay(self, amounts: list[int], valid_for_s: float, deadline_s: float | None) -> None:
        for amount in amounts:
            self.send(self.make_payment(amount, valid_for_s), deadline_s)
        self.happen()

    @rule(past=PAST, deadline_s=st.sampled_from([None, 0.5, 3.0]))
    def send_the_same_again(self, past: int, deadline_s: float | None) -> None:
        """As a program does that found the envelope in its own database."""
        if self.payments:
            self.send(self.payments[past % len(self.payments)], deadline_s)
            self.happen()

    @rule(past=PAST)
    def send_the_same_again_when_it_is_late(self, past: int) -> None:
        """Just behind `valid_until`, if that is near."""
        open_ones = [item for item in self.payments if not self.was_executed(item.stored)]
        if open_ones:
            payment = open_ones[past % len(open_ones)]
            left_ns = payment.stored.valid_until_ns - self.cluster.now_ns
            if left_ns < 10 * NS_PER_S:
                self.happen(max(0, left_ns) / NS_PER_S + 0.4)
                self.send(payment, 3.0)
                self.happen()

    @rule(past=PAST, amount=st.integers(1, 9))
    def send_other_bytes_under_the_same_id(self, past: int, amount: int) -> None:
        if self.payments:
            taken = self.payments[past % len(self.payments)].stored.envelope_id
            self.send(self.make_payment(amount, 60.0, taken), 3.0)
            self.happen()

    @rule(amounts=st.lists(st.integers(1, 9), min_size=1, max_size=3))
    def stream_some(self, amounts: list[int]) -> None:
        if self.stream is None or self.streaming.done():
            return
        some = [self.make_payment(amount, 4.0) for amount in amounts]
        message = b"".join(payment.stored.envelope for payment in some)
        work = self.loop.create_task(self._on_stream(self.stream, message))
        for position, payment in enumerate(some):
            call = Call(payment.stored, self.loop.time(), work, position)
            payment.calls.append(call)
        self.happen()

    @staticmethod
    async def _on_stream(stream: SubmitStream, message: bytes) -> Any:  # noqa: ANN401
        return await (await stream.send(message))

    @rule(past=PAST)
    def resolve(self, past: int) -> None:
        if self.payments:
            payment = self.payments[past % len(self.payments)]
            work = self.loop.create_task(self.client.resolve(payment.stored, deadline_s=1.0))
            payment.looks.append(work)
            self.happen()

    # -- what nodes do -----------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.6, 1.0, 2.5, 6.0]))
    def pass_time(self, seconds: float) -> None:
        self.happen(seconds)

    @rule(count=st.integers(1, 3))
    def commit(self, count: int) -> None:
        for _ in range(count):
            if self.cluster.leader is not None:
                self.cluster.commit(self.cluster.leader)
        self.happen()

    @rule(node=NODE, adopted=st.integers(0, 2), is_noticed=st.booleans())
    def elect(self, node: int, adopted: int, is_noticed: bool) -> None:
        self.seen["elections"] += 1
        self.cluster.elect(self.cluster.nodes[node], adopted, is_noticed=is_noticed)
        self.happen()

    @rule(node=NODE)
    def notice(self, node: int) -> None:
        """A former leader learns that it does not lead."""
        former = self.cluster.nodes[node]
        if former is not self.cluster.leader:
            former.give_up()
            self.happen()

    @rule(node=NODE)
    def crash(self, node: int) -> None:
        self.cluster.crash(self.cluster.nodes[node])
        self.happen()

    @rule(node=NODE)
    def restart(self, node: int) -> None:
        self.cluster.nodes[node].is_up = True
        self.happen()

    @rule(node=NODE, answers=st.sampled_from(["", "lost", "hanging"]))
    def treat_answers(self, node: int, answers: str) -> None:
        self.cluster.nodes[node].answers = answers

    @rule(overloaded=st.sampled_from([True, True, False]))
    def be_overloaded(self, overloaded: bool) -> None:
        """Whoever leads now; until it crashes, or is not any more."""
        if self.cluster.leader is not None:
            self.cluster.leader.overloaded = overloaded

    @rule()
    def tick(self) -> None:
        self.cluster.tick()

    # -- checks ------------------------------------------------------------------------------------

    def entry_of(self, stored: Stored) -> Committed | None:
        """What the ledger has of these very bytes, or of others under their id."""
        return self.cluster.ledger.by_id.get((stored.principal, stored.envelope_id))

    def was_executed(self, stored: Stored) -> bool:
        return stored.envelope in self.executed

    @invariant()
    def nothing_is_executed_twice(self) -> None:
        log = self.cluster.ledger.log
        for entry in log[self.looked_at :]:
            if entry.outcome.code is Code.OK:
                assert entry.envelope not in self.executed, "an envelope was executed twice"
                self.executed[entry.envelope] = entry.first_sequence
        self.looked_at = len(log)
        paid = sum(item.amount for item in self.payments if self.was_executed(item.stored))
        row = self.cluster.ledger.state.accounts.get(self.accounts[1])
        assert row is not None
        assert row.credits_posted == paid, "the payee has another amount than was paid"

    @invariant()
    def what_callers_were_told_is_true(self) -> None:
        for payment in self.payments:
            for call in payment.calls:
                self.check_call(payment, call)
            for look in payment.looks:
                self.check_look(payment, look)

    def check_call(self, payment: Payment, call: Call) -> None:
        told = call.outcome()
        entry, executed = self.entry_of(payment.stored), self.was_executed(payment.stored)
        if isinstance(told, Receipt):
            assert executed, "a receipt for what was not executed"
            assert entry is not None
            assert (told.sequence, told.ok) == (entry.first_sequence, not any(entry.results))
        elif isinstance(told, FINAL):
            assert not executed, f"refused for ever, and executed: {told.code}"
        elif isinstance(told, Refused | errors.ConnectionFailed):
            assert not executed or not payment.is_alone, f"refused, and executed: {told}"
        elif told is not None:
            assert isinstance(told, OutcomeUnknown), told

    def check_look(self, payment: Payment, look: "asyncio.Future[EnvelopeInfo]") -> None:
        if not look.done() or look.exception() is not None:
            return
        info, entry = look.result(), self.entry_of(payment.stored)
        if info.presence is Presence.FOUND:
            assert entry is not None
            assert info.envelope == entry.envelope
            assert (info.receipt is not None) == (entry.outcome.code is Code.OK)
        elif info.presence is Presence.NEVER:
            assert entry is None, "NEVER, and there it is"

    # -- the end -----------------------------------------------------------------------------------

    def let_all_end(self) -> None:
        """All nodes are well, and time passes until nothing can be undecided."""
        cluster = self.cluster
        for node in cluster.nodes:
            node.is_up, node.overloaded, node.answers = True, False, ""
        if cluster.leader is None:
            cluster.elect(cluster.nodes[0], 1)
        for node in cluster.nodes:
            if node is not cluster.leader:
                node.give_up()
        for _ in range(100):
            while cluster.leader is not None and cluster.leader.in_flight:
                cluster.commit(cluster.leader)
            cluster.commits_at_once = True
            cluster.tick()
            self.happen(1.0)
        self.happen(MAX_LIFETIME_NS / NS_PER_S + 10)
        cluster.tick()

    def check_the_end(self) -> None:
        self.let_all_end()
        self.nothing_is_executed_twice()
        for payment in self.payments:
            assert all(call.work.done() for call in payment.calls), "a call has not ended"
            look = self.loop.create_task(self.client.resolve(payment.stored, deadline_s=5.0))
            payment.looks.append(look)
            self.happen(5.0)
            info = look.result()
            assert info.presence is not Presence.NOT_YET, "still undecided"
            decided = info.presence is Presence.FOUND and info.envelope == payment.stored.envelope
            assert self.was_executed(payment.stored) == (decided and info.receipt is not None)
            for call in payment.calls:
                told = call.outcome()
                self.seen[type(told).__name__] += 1
                self.seen["duplicates"] += isinstance(told, Receipt) and told.duplicate
        self.what_callers_were_told_is_true()

    def teardown(self) -> None:
        try:
            if hasattr(self, "streaming"):
                self.check_the_end()
                self.totals.update(self.seen)
        finally:
            self.stop()

    def stop(self) -> None:
        if not hasattr(self, "loop"):
            return
        pending = asyncio.all_tasks(self.loop)
        for task in pending:
            task.cancel()
        self.loop.pass_time(0)
        self.loop.close()
        for payment in self.payments:
            for work in (*(call.work for call in payment.calls), *payment.looks):
                if not work.cancelled():
                    work.exception()  # known: asyncio need not complain of it


def test_everything_is_executed_at_most_once_and_told_as_it_is() -> None:
    totals = SubmitMachine.totals
    totals.clear()
    stateful.run_machine(SubmitMachine, examples=300, steps=40)
    # The examples do what they are meant to do.
    assert not {name: totals[name] for name in WANTED if totals[name] < 5}, totals


WANTED = (
    "ConnectionFailed",
    "IdConflict",
    "OutcomeUnknown",
    "Overloaded",
    "Receipt",
    "TooLate",
    "duplicates",
    "elections",
)


# -- faults that the checks must notice ------------------------------------------------------------


class Impatient(AsyncClient):
    """Takes "unknown" for "no", and pays with a new envelope."""

    async def submit(
        self,
        envelope: Stored | bytes,
        *,
        principal: PrincipalId | None = None,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        try:
            return await super().submit(
                envelope, principal=principal, signer=signer, deadline_s=deadline_s
            )
        except OutcomeUnknown as unknown:
            again = self.draft()
            again.add_encoded(unknown.envelope[256:])
            return await super().submit(again.seal(), deadline_s=deadline_s)


class Careless(Waiting):
    """Forgets that its bytes are on their way."""

    __slots__ = ()

    @property
    def under_way(self) -> bool:
        return False

    @under_way.setter
    def under_way(self, _: bool) -> None:
        pass


class Hasty(SimNode):
    """Says TOO_LATE by its clock alone."""

    def may_be_under_way(self, envelope: bytes) -> bool:
        del envelope
        return False


def require_noticed(match: str, machine: type[SubmitMachine] = SubmitMachine) -> None:
    stateful.require_caught(machine, examples=2000, steps=40, match=match)


def test_paying_again_after_an_unknown_outcome_is_noticed() -> None:
    class ImpatientMachine(SubmitMachine):
        client_type = Impatient

    require_noticed("another amount than was paid|refused, and executed", ImpatientMachine)


def test_bytes_on_their_way_that_are_forgotten_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(submitter, "Waiting", Careless)
    require_noticed("refused, and executed")


def test_doubt_that_is_forgotten_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitter, "note_rpc_failure", lambda *_: Step(node_failed=True))
    require_noticed("refused, and executed")


def test_a_node_that_goes_by_its_clock_alone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim_cluster, "SimNode", Hasty)
    require_noticed("refused for ever, and executed")
