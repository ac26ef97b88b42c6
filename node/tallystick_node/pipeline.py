"""The leader's write path: from a client's message to its answer.

Theory of operation. A *message* is one or more envelopes back to back (at most 1 MiB). It passes

    submit ─▶ waiting ─▶ verify (worker thread, true batches over all waiting messages)
           ─▶ ready ─▶ order (one block = one Raft entry) ─▶ committed ─▶ applied ─▶ answer

Everything but verification runs on the event loop; nothing here loops over records or envelopes.
Answers that are not plain are put together in answers.py.

Group commit (findings on small traffic: without it each message becomes its own fsync):

- bulk: once half an entry is ready, up to ``BULK_ENTRIES_IN_FLIGHT`` blocks may be uncommitted;
- small: at most one uncommitted block; after a group of more than ``GROUP_WAIT_ABOVE`` messages
  the next one waits up to ``GROUP_WAIT_S`` for company. A lone request never waits.

Invariants:

1. A message is answered exactly once: with the outcomes of its block, or with one refusal.
2. Nothing is answered as ordered before the kernel has applied it on this node, which is after a
   majority has it on disk.
3. When leadership ends, every message in flight is answered UNAVAILABLE: its outcome is unknown to
   this node, and resending the same bytes is always safe.
4. Parties take turns: connections before verification, signers after it (fairness.py).
5. The bytes of all messages in here stay within ``MAX_IN_FLIGHT_BYTES``, also of those whose
   clients have gone away: the charge ends when the message leaves.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from tallystick_core import Admission, Applied, build_block

from tallystick_ledger.codes import Code
from tallystick_node.answers import (
    NOTHING_ORDERED,
    OUTCOME,
    Lookups,
    Share,
    answer_mixed,
    count_bad_signatures,
    refuse_stranger,
    refuse_whole,
)
from tallystick_node.applied_rows import RESULT_BYTES, ROW_BYTES
from tallystick_node.errors import NotLeaderError, ProposalRefusedError
from tallystick_node.fairness import ConnectionBook, FairQueue, Standing
from tallystick_node.limits import (
    BULK_BLOCK_BYTES,
    BULK_ENTRIES_IN_FLIGHT,
    GROUP_WAIT_ABOVE,
    GROUP_WAIT_S,
    MAX_BLOCK_BODY_BYTES,
    MAX_SIGNER_BYTES,
    MAX_VERIFY_BATCH_BYTES,
    SMALL_VERIFY_BYTES,
    STRANGER_ALONE_BYTES,
)
from tallystick_node.metrics import WritePathMetrics
from tallystick_node.replica import ChainTip
from tallystick_node.verify import Verifier
from tallystick_proto.wire import LeaderHint, SubmitResponse

log = structlog.get_logger(__name__)
SIGNER_OFFSET: Final = 48
KEY_BYTES: Final = 32


class Proposer(Protocol):
    """The part of the replica that the pipeline drives."""

    @property
    def may_propose(self) -> bool:
        """Leader, and the first entry of its own term is applied."""

    @property
    def tip(self) -> ChainTip:
        """Where the next block continues."""

    def propose(self, block: bytes, tip: ChainTip) -> tuple[int, int]:
        """Appends a block. Returns (term, index)."""


@dataclass(slots=True)
class _Submission:
    """One message on its way. ``admission``/``position`` are set once it is verified.

    ``abandoned``: its client has gone away; what has not been ordered need not be.
    """

    message: bytes
    connection: str
    reply: asyncio.Future[SubmitResponse]
    arrived_s: float
    admission: Admission | None = None
    position: int = 0
    body: bytes = b""
    ordered_envelopes: int = 0
    ordered_records: int = 0
    abandoned: bool = False

    @property
    def signer(self) -> bytes:
        """Key that signed the first envelope: who the message is charged to once verified."""
        return self.message[SIGNER_OFFSET : SIGNER_OFFSET + KEY_BYTES]


@dataclass(slots=True)
class _Proposed:
    """A block that was proposed and not yet applied."""

    term: int
    submissions: list[_Submission]
    proposed_s: float
    committed: bool = field(default=False)


class Pipeline:
    """Admission, ordering and answers of one node; idle unless the node leads.

    All methods are called on the event loop.
    """

    def __init__(
        self,
        *,
        proposer: Proposer,
        verifier: Verifier,
        originals: Lookups,
        metrics: WritePathMetrics,
        clock_ns: Callable[[], int],
        leader_hint: Callable[[], LeaderHint | None],
        connections: ConnectionBook | None = None,
    ) -> None:
        self._proposer = proposer
        self._verifier = verifier
        self._originals = originals
        self._metrics = metrics
        self._clock_ns = clock_ns
        self._leader_hint = leader_hint
        self._loop = asyncio.get_running_loop()
        self._waiting: FairQueue[_Submission] = FairQueue()
        self._ready: FairQueue[_Submission] = FairQueue()
        self._connections = ConnectionBook() if connections is None else connections
        self._proposed: dict[int, _Proposed] = {}
        self._uncommitted = 0
        self._last_group = 0
        self._group_timer: asyncio.TimerHandle | None = None
        self._group_waited = False
        self._leading = False
        self._wake = asyncio.Event()
        self._latest_valid_until_ns = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # -- entry -----------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nothing is between submission and answer."""
        return not (self._waiting or self._ready or self._proposed)

    @property
    def latest_valid_until_ns(self) -> int:
        """Largest ``valid_until`` of all clients' envelopes that this leader has proposed."""
        return self._latest_valid_until_ns

    def is_barred(self, connection: str) -> bool:
        """Whether the connection delivered so many bad signatures that it is not served."""
        return self._connections.is_barred(connection)

    async def submit(self, message: bytes, connection: str = "") -> SubmitResponse:
        """Takes one message through to its answer.

        Args:
            message: Envelopes back to back; 1 byte to 1 MiB.
            connection: Names the connection that it came by; empty for the node's own.

        Returns:
            The answer; refusals are answers, not exceptions.
        """
        if not self._leading:
            return refuse_whole(message, Code.NOT_LEADER, leader=self._leader_hint())
        if len(message) > MAX_BLOCK_BODY_BYTES:
            return refuse_whole(message, Code.TOO_LARGE)
        if not message:
            return refuse_whole(message, Code.MALFORMED)
        size = len(message)
        if not self._connections.admit(connection, size):
            return refuse_whole(message, Code.OVERLOADED)
        future: asyncio.Future[SubmitResponse] = self._loop.create_future()
        # Charged until the message has left, which is not when its client goes away: who sends and
        # cancels for ever would fill the queues for nothing.
        future.add_done_callback(lambda _: self._connections.release(connection, size))
        submission = _Submission(message, connection, future, self._loop.time())
        self._waiting.push(connection, submission, size)
        self._wake.set()
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            submission.abandoned = True
            raise

    async def run(self) -> None:
        """Verifies what waits, for as long as the node runs."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._verify_next()

    def _next_batch(self) -> tuple[Standing, list[_Submission]]:
        """As many waiting messages as one batch may hold, all of connections of one standing.

        Small messages of strangers share a batch; a large one, and any of a suspect, is alone.
        """
        standing, batch = Standing.KNOWN, list[_Submission]()
        room = MAX_VERIFY_BATCH_BYTES
        while (next_item := self._waiting.pop_fitting(room)) is not None:
            party, submission = next_item
            if submission.abandoned:
                submission.reply.cancel()
                continue
            size = len(submission.message)
            its = self._connections.standing(submission.connection)
            alone = its in (Standing.SUSPECT, Standing.BARRED) or (
                its is Standing.NEW and size > STRANGER_ALONE_BYTES
            )
            if batch and (its is not standing or alone):
                self._waiting.push_back(party, submission, size)
                break
            standing = its
            batch.append(submission)
            room = 0 if alone else room - size
        return standing, batch

    async def _verify_next(self) -> None:
        """Verifies a batch of waiting messages, then orders what is ready."""
        standing, batch = self._next_batch()
        if not batch:
            return
        now_ns = self._clock_ns()
        started_s = self._loop.time()
        if standing is Standing.BARRED:
            # It was taken before its connection was barred.
            self._refuse(batch[0], Code.OVERLOADED)
        elif standing is Standing.NEW and len(batch[0].message) > STRANGER_ALONE_BYTES:
            await self._verify_stranger(batch[0], now_ns)
        else:
            messages = [submission.message for submission in batch]
            if sum(map(len, messages)) <= SMALL_VERIFY_BYTES:
                admission = self._verifier.check(messages, now_ns)
            else:
                admission = await self._verifier.check_in_thread(messages, now_ns)
            for position, submission in enumerate(batch):
                self._verified(submission, admission, position)
        self._metrics.verify.observe(self._loop.time() - started_s)
        self._order()

    async def _verify_stranger(self, submission: _Submission, now_ns: int) -> None:
        """Verifies a large message of a connection that has not shown a good signature yet."""
        found = await self._verifier.check_stranger_in_thread(submission.message, now_ns)
        if not found.bad:
            self._verified(submission, found.admission, 0)
            return
        self._connections.strike(submission.connection, len(found.bad), bar=True)
        if not submission.reply.done():
            submission.reply.set_result(refuse_stranger(found.admission.codes(0), found.bad))

    def _verified(self, submission: _Submission, admission: Admission, position: int) -> None:
        """Queues a verified message for ordering, or answers it if nothing is left to order."""
        ordered = admission.ok_count(position)
        if submission.connection:
            if bad := count_bad_signatures(admission.codes(position)):
                self._connections.strike(submission.connection, bad)
            elif ordered:
                self._connections.praise(submission.connection)
        if submission.reply.done():
            return
        submission.admission = admission
        submission.position = position
        submission.ordered_envelopes = ordered
        submission.ordered_records = admission.ok_records(position)
        self._metrics.admit.observe(self._loop.time() - submission.arrived_s)
        if submission.ordered_envelopes == 0:
            self._answer_later(submission, NOTHING_ORDERED)
            return
        if not self._leading:
            self._give_up(submission)
            return
        signer = submission.signer
        if self._ready.bytes_of(signer) + len(submission.message) > MAX_SIGNER_BYTES:
            self._refuse(submission, Code.OVERLOADED)
            return
        submission.body = admission.body(position)
        if submission.connection:
            # Of clients only: a tick whose own id had to be decided would need another tick.
            self._latest_valid_until_ns = max(
                self._latest_valid_until_ns, admission.max_valid_until_ns(position)
            )
        self._ready.push(signer, submission, len(submission.body))

    # -- ordering --------------------------------------------------------------------------------

    def _order(self) -> None:
        """Proposes blocks for as long as the group-commit rule allows."""
        while self._ready and self._leading and self._proposer.may_propose:
            if self._ready.size_bytes >= BULK_BLOCK_BYTES:
                if self._uncommitted >= BULK_ENTRIES_IN_FLIGHT:
                    return
            elif self._uncommitted:
                return
            elif self._last_group > GROUP_WAIT_ABOVE and not self._group_waited:
                self._order_later()
                return
            if not self._propose_next():
                return

    def _order_later(self) -> None:
        """Tries again after the group's wait, unless that is due already."""
        if self._group_timer is None:
            self._group_timer = self._loop.call_later(GROUP_WAIT_S, self._group_complete)

    def _group_complete(self) -> None:
        """The wait for company is over."""
        self._group_timer = None
        self._group_waited = True
        self._order()

    def _next_group(self) -> list[_Submission]:
        """Ready messages that fill one block, in fair turns; those given up meanwhile fall out."""
        group: list[_Submission] = []
        room = MAX_BLOCK_BODY_BYTES
        while (next_item := self._ready.pop_fitting(room)) is not None:
            submission = next_item[1]
            if submission.abandoned:
                submission.reply.cancel()
            elif not submission.reply.done():
                room -= len(submission.body)
                group.append(submission)
        return group

    def _propose_next(self) -> bool:
        """Builds one block of what is ready and proposes it; False if Raft takes none now."""
        group = self._next_group()
        if not group:
            return True
        self._last_group = len(group)
        self._group_waited = False
        started_s = self._loop.time()
        tip = self._proposer.tip
        envelopes = sum(submission.ordered_envelopes for submission in group)
        records = sum(submission.ordered_records for submission in group)
        # Never before what admission compared with, nor before the log's own time.
        timestamp_ns = max(self._clock_ns(), tip.min_next_timestamp_ns)
        block = build_block(
            [submission.body for submission in group],
            timestamp_ns=timestamp_ns,
            first_sequence=tip.next_sequence,
            rules_version=1,
            envelope_count=envelopes,
            record_count=records,
        )
        after = ChainTip(tip.next_sequence + records, timestamp_ns + records)
        try:
            term, index = self._proposer.propose(block, after)
        except NotLeaderError:
            self.leadership_changed(leading=False)
            for submission in group:
                self._give_up(submission)
            return False
        except ProposalRefusedError:
            # Raft holds too much uncommitted data: the very same messages come first next time.
            for submission in reversed(group):
                self._ready.push_back(submission.signer, submission, len(submission.body))
            self._order_later()
            return False
        self._uncommitted += 1
        self._proposed[index] = _Proposed(term, group, self._loop.time())
        self._metrics.order.observe(self._loop.time() - started_s)
        return True

    # -- what the log says -----------------------------------------------------------------------

    def committed(self, index: int) -> None:
        """A majority has this entry on disk; room for the next group."""
        proposed = self._proposed.get(index)
        if proposed is not None and not proposed.committed:
            proposed.committed = True
            self._uncommitted -= 1
            self._metrics.replicate.observe(self._loop.time() - proposed.proposed_s)
            self._order()

    def applied(self, index: int, term: int, applied: Applied | None) -> None:
        """Answers the messages of an applied block.

        Args:
            index: Raft index.
            term: Term of the entry that was applied there.
            applied: What the kernel returned; None for an entry without a block.
        """
        self.committed(index)
        proposed = self._proposed.pop(index, None)
        if proposed is None:
            return
        if applied is None or proposed.term != term:
            for submission in proposed.submissions:
                self._give_up(submission)
            return
        envelope = record = 0
        outcomes, results = applied.outcomes, b"" if applied.plain else applied.results
        for submission in proposed.submissions:
            next_envelope = envelope + submission.ordered_envelopes
            next_record = record + submission.ordered_records
            share = Share(
                outcomes[envelope * OUTCOME.size : next_envelope * OUTCOME.size],
                b""
                if applied.plain
                else results[record * RESULT_BYTES : next_record * RESULT_BYTES],
                applied.envelopes[envelope * ROW_BYTES : next_envelope * ROW_BYTES],
            )
            self._answer(submission, share)
            envelope, record = next_envelope, next_record
        self._metrics.answer.observe(self._loop.time() - proposed.proposed_s)

    def leadership_changed(self, *, leading: bool) -> None:
        """Opens the path for a new leader; ends everything in flight on a former one."""
        self._leading = leading
        if leading:
            self._order()
            return
        for submission in self._waiting.drain() + self._ready.drain():
            self._give_up(submission)
        for proposed in self._proposed.values():
            for submission in proposed.submissions:
                self._give_up(submission)
        self._proposed.clear()
        self._uncommitted = 0
        self._last_group = 0

    def may_order(self) -> None:
        """The first entry of this leader's own term is applied: what is ready can be ordered."""
        self._order()

    # -- answers ---------------------------------------------------------------------------------

    def _answer(self, submission: _Submission, share: Share) -> None:
        """Answers a message from its share of an applied block."""
        if submission.reply.done():
            return
        admission = submission.admission
        count = submission.ordered_envelopes
        all_ordered = admission is not None and (
            len(admission.codes(submission.position)) == 2 * count
        )
        # Code bytes of all outcomes at once: zero everywhere means "executed now".
        executed = share.outcomes[0 :: OUTCOME.size].count(0) == count
        if all_ordered and executed:
            plain = share.results.count(0) == len(share.results)
            submission.reply.set_result(
                SubmitResponse(share.outcomes, b"" if plain else share.results)
            )
            return
        self._answer_later(submission, share)

    def _answer_later(self, submission: _Submission, share: Share) -> None:
        """Answers with what may have to be looked up, without holding up the others."""
        task = self._loop.create_task(self._answer_mixed(submission, share))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_mixed(self, submission: _Submission, share: Share) -> None:
        """Answers a message of which some envelopes were refused or ordered before."""
        admission = submission.admission
        if admission is None or submission.reply.done():
            return
        try:
            answer = await answer_mixed(admission, submission.position, share, self._originals)
        except Exception:
            # Nobody awaits this, so it must end in an answer; resending the same bytes will tell.
            log.exception("an outcome cannot be told")
            self._give_up(submission)
            return
        if not submission.reply.done():
            submission.reply.set_result(answer)

    def _give_up(self, submission: _Submission) -> None:
        """Answers UNAVAILABLE: this node no longer knows what becomes of the message."""
        if not submission.reply.done():
            submission.reply.set_result(
                refuse_whole(submission.message, Code.UNAVAILABLE, leader=self._leader_hint())
            )

    def _refuse(self, submission: _Submission, code: Code) -> None:
        """Answers that nothing of the message was ordered."""
        if not submission.reply.done():
            submission.reply.set_result(refuse_whole(submission.message, code))
