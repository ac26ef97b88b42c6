"""The leader's write path: from a client's message to its answer.

Theory of operation. A *message* is one or more envelopes back to back (at most 1 MiB). It passes

    submit ─▶ waiting ─▶ verify (worker thread, true batches over all waiting messages)
           ─▶ ready ─▶ order (one block = one Raft entry) ─▶ committed ─▶ applied ─▶ answer

Everything but verification runs on the event loop; nothing here loops over records, and only the
rare mixed answer (a refused or repeated envelope among good ones) loops over envelopes.

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
5. The bytes of all messages between ``submit`` and their answer stay within
   ``MAX_IN_FLIGHT_BYTES``.
"""

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from tallystick_core import Admission, Applied, build_block

from tallystick_ledger.codes import Code
from tallystick_node.applied_rows import ORIGINAL_OFFSET, ROW_BYTES
from tallystick_node.errors import NotLeaderError, ProposalRefusedError
from tallystick_node.fairness import ConnectionBook, FairQueue
from tallystick_node.limits import (
    BULK_BLOCK_BYTES,
    BULK_ENTRIES_IN_FLIGHT,
    GROUP_WAIT_ABOVE,
    GROUP_WAIT_S,
    MAX_BLOCK_BODY_BYTES,
    MAX_IN_FLIGHT_BYTES,
    MAX_SIGNER_BYTES,
    MAX_VERIFY_BATCH_BYTES,
    MAX_WAITING_MESSAGES,
    RETRY_AFTER_MS,
    SMALL_VERIFY_BYTES,
)
from tallystick_node.metrics import WritePathMetrics
from tallystick_node.replica import ChainTip
from tallystick_node.verify import Verifier
from tallystick_proto.wire import LeaderHint, SubmitResponse

OUTCOME: Final = struct.Struct("<HHIQQQ")
RESULT_BYTES: Final = 16
SIGNER_OFFSET: Final = 48
KEY_BYTES: Final = 32
_U64: Final = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Original:
    """How an envelope that was ordered before was answered then.

    Attributes:
        first_sequence: Sequence number of its first record.
        timestamp_ns: Timestamp of its first record.
        record_count: Its records.
        results: 16 bytes for each of them, in full.
    """

    first_sequence: int
    timestamp_ns: int
    record_count: int
    results: bytes


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


class OriginalLookup(Protocol):
    """Finds how an envelope was answered when it was first ordered."""

    async def original(self, first_sequence: int) -> Original:
        """The outcome of the envelope whose first record has this sequence number."""

    async def original_by_header(self, envelope: bytes) -> Original | None:
        """The outcome of the envelope with this header by the durable id index; None if absent."""


@dataclass(slots=True)
class _Submission:
    """One message on its way. ``admission``/``position`` are set once it is verified."""

    message: bytes
    connection: str
    reply: asyncio.Future[SubmitResponse]
    arrived_s: float
    admission: Admission | None = None
    position: int = 0
    body: bytes = b""
    ordered_envelopes: int = 0
    ordered_records: int = 0

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
        originals: OriginalLookup,
        metrics: WritePathMetrics,
        clock_ns: Callable[[], int],
        leader_hint: Callable[[], LeaderHint | None],
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
        self._connections = ConnectionBook()
        self._in_flight_bytes = 0
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
        if (
            self._in_flight_bytes + size > MAX_IN_FLIGHT_BYTES
            or len(self._waiting) >= MAX_WAITING_MESSAGES
            or not self._connections.admit(connection, size)
        ):
            return refuse_whole(message, Code.OVERLOADED, retry_after_ms=RETRY_AFTER_MS)
        future: asyncio.Future[SubmitResponse] = self._loop.create_future()
        submission = _Submission(message, connection, future, self._loop.time())
        self._in_flight_bytes += size
        self._waiting.push(connection, submission, size)
        self._wake.set()
        try:
            return await submission.reply
        finally:
            self._in_flight_bytes -= size
            self._connections.release(connection, size)

    async def run(self) -> None:
        """Verifies what waits, for as long as the node runs."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._verify_next()

    def _next_batch(self) -> list[_Submission]:
        """As many waiting messages as one batch may hold; those of a suspect stay alone."""
        batch: list[_Submission] = []
        room = MAX_VERIFY_BATCH_BYTES
        while (next_item := self._waiting.pop_fitting(room)) is not None:
            connection, submission = next_item
            if self._connections.is_suspect(submission.connection):
                if batch:
                    self._waiting.push_back(connection, submission, len(submission.message))
                    return batch
                return [submission]
            room -= len(submission.message)
            batch.append(submission)
        return batch

    async def _verify_next(self) -> None:
        """Verifies a batch of waiting messages, then orders what is ready."""
        batch = self._next_batch()
        messages = [submission.message for submission in batch]
        now_ns = self._clock_ns()
        started_s = self._loop.time()
        if sum(map(len, messages)) <= SMALL_VERIFY_BYTES:
            admission = self._verifier.check(messages, now_ns)
        else:
            admission = await self._verifier.check_in_thread(messages, now_ns)
        self._metrics.verify.observe(self._loop.time() - started_s)
        for position, submission in enumerate(batch):
            self._verified(submission, admission, position)
        self._order()

    def _verified(self, submission: _Submission, admission: Admission, position: int) -> None:
        """Queues a verified message for ordering, or answers it if nothing is left to order."""
        if submission.reply.done():
            return
        submission.admission = admission
        submission.position = position
        submission.ordered_envelopes = admission.ok_count(position)
        submission.ordered_records = admission.ok_records(position)
        self._metrics.admit.observe(self._loop.time() - submission.arrived_s)
        if submission.connection and has_bad_signature(admission.codes(position)):
            self._connections.strike(submission.connection)
        if submission.ordered_envelopes == 0:
            self._spawn(self._answer_mixed(submission, b"", b"", b""))
            return
        if not self._leading:
            self._give_up(submission)
            return
        signer = submission.signer
        if self._ready.bytes_of(signer) + len(submission.message) > MAX_SIGNER_BYTES:
            self._overloaded(submission)
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
            if not submission.reply.done():
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
        outcomes, results = applied.outcomes, applied.results
        for submission in proposed.submissions:
            next_envelope = envelope + submission.ordered_envelopes
            next_record = record + submission.ordered_records
            self._answer(
                submission,
                outcomes[envelope * OUTCOME.size : next_envelope * OUTCOME.size],
                b"" if applied.plain else results[record * 16 : next_record * 16],
                applied.envelopes[envelope * ROW_BYTES : next_envelope * ROW_BYTES],
            )
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

    def _answer(
        self, submission: _Submission, outcomes: bytes, results: bytes, rows: bytes
    ) -> None:
        """Answers a message from its share of an applied block."""
        if submission.reply.done():
            return
        admission = submission.admission
        count = submission.ordered_envelopes
        all_ordered = admission is not None and (
            len(admission.codes(submission.position)) == 2 * count
        )
        # Code bytes of all outcomes at once: zero everywhere means "executed now".
        executed = outcomes[0 :: OUTCOME.size].count(0) == count
        if all_ordered and executed:
            plain = results.count(0) == len(results)
            submission.reply.set_result(SubmitResponse(outcomes, b"" if plain else results))
            return
        self._spawn(self._answer_mixed(submission, outcomes, results, rows))

    async def _answer_mixed(
        self, submission: _Submission, outcomes: bytes, results: bytes, rows: bytes
    ) -> None:
        """Answers a message of which some envelopes were refused or ordered before."""
        admission = submission.admission
        if admission is None or submission.reply.done():
            return
        position = submission.position
        codes = memoryview(admission.codes(position)).cast("H")
        counts = memoryview(admission.record_counts(position)).cast("I")
        firsts = memoryview(admission.original(position)).cast("Q")
        out: list[bytes] = []
        all_results: list[bytes] = []
        ordered = record = 0
        for code, record_count, seen_first in zip(codes, counts, firsts, strict=True):
            first = seen_first
            if code == Code.OK:
                outcome = outcomes[ordered * OUTCOME.size : (ordered + 1) * OUTCOME.size]
                (first,) = _U64.unpack_from(rows, ordered * ROW_BYTES + ORIGINAL_OFFSET)
                ordered += 1
                now = results[record * RESULT_BYTES : (record + record_count) * RESULT_BYTES]
                record += record_count
                if OUTCOME.unpack(outcome)[0] != Code.DUPLICATE:
                    out.append(outcome)
                    all_results.append(now or bytes(RESULT_BYTES * record_count))
                    continue
            if code in (Code.OK, Code.DUPLICATE):
                original = await self._originals.original(first)
                out.append(duplicate_outcome(original))
                all_results.append(original.results)
            elif code == Code.TOO_LATE:
                known = await self._originals.original_by_header(
                    admission.envelope(position, len(out))
                )
                out.append(duplicate_outcome(known) if known else refusal_outcome(code))
                all_results.append(known.results if known else b"")
            else:
                out.append(refusal_outcome(code))
        joined = b"".join(all_results)
        plain = joined.count(0) == len(joined)
        if not submission.reply.done():
            submission.reply.set_result(SubmitResponse(b"".join(out), b"" if plain else joined))

    def _give_up(self, submission: _Submission) -> None:
        """Answers UNAVAILABLE: this node no longer knows what becomes of the message."""
        if not submission.reply.done():
            submission.reply.set_result(
                refuse_whole(submission.message, Code.UNAVAILABLE, leader=self._leader_hint())
            )

    def _overloaded(self, submission: _Submission) -> None:
        """Answers OVERLOADED: nothing of the message was ordered."""
        if not submission.reply.done():
            submission.reply.set_result(
                refuse_whole(submission.message, Code.OVERLOADED, retry_after_ms=RETRY_AFTER_MS)
            )

    def _spawn(self, work: object) -> None:
        """Runs an answer that has to look something up, without holding up the others."""
        task: asyncio.Task[None] = self._loop.create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def has_bad_signature(codes: bytes) -> bool:
    """Whether one of the codes (u16 each) is BAD_SIGNATURE.

    The code is below 256, so its low byte is enough once every high byte of a refusal is zero.
    """
    low, high = codes[0::2], codes[1::2]
    return bool(Code.BAD_SIGNATURE in low and high.count(0) == len(high))


def refusal_outcome(code: int) -> bytes:
    """The 32 bytes of an envelope that was not ordered."""
    return OUTCOME.pack(code, 0, 0, 0, 0, 0)


def duplicate_outcome(original: Original) -> bytes:
    """The 32 bytes of an envelope that was ordered before."""
    return OUTCOME.pack(
        Code.DUPLICATE, 0, original.record_count, original.first_sequence, original.timestamp_ns, 0
    )


def count_envelopes(message: bytes) -> int:
    """Envelopes in a message by their stated record counts; a broken rest counts as one."""
    offset = count = 0
    while offset < len(message):
        count += 1
        if offset + 256 > len(message):
            break
        (records,) = struct.unpack_from("<I", message, offset + 12)
        offset += 256 + 128 * int(records)
    return max(count, 1)


def refuse_whole(
    message: bytes, code: Code, *, retry_after_ms: int = 0, leader: LeaderHint | None = None
) -> SubmitResponse:
    """Refuses every envelope of a message with one code."""
    outcomes = refusal_outcome(code) * count_envelopes(message)
    return SubmitResponse(outcomes, b"", retry_after_ms, leader)
