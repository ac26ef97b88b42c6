"""The consensus shell: the Raft core and everything about it that needs no clock, disk or network.

Theory of operation
-------------------
Inputs are method calls: a tick, a frame of an authenticated peer, "these blocks are good", "this is
durable", "this is applied", a proposal, a read. Each ends in `_pump`, which takes the core's work
until there is none and turns it into actions; `take_actions` hands them out in order. The replica
carries them out and calls back. The same object runs under a simulator.

Rules that are kept here, and nowhere else:

1. A block reaches the core only after its byte checks (consensus_inbox.py). A bad one leaves an
   alarm with evidence and ends the trust in its leader for that term.
2. An uncommitted block too far ahead of this node's clock is dropped with an alarm, not distrusted:
   its leader's clock is wrong, not its intent.
3. A leader that cannot commit for a long time although a quorum answers it falls silent, so that
   another is elected, and stands for no election for a while. That is what happens to a leader
   whose clock is ahead (rule 2).
4. Messages that promise durability leave after `persisted`; a commit index alone is not worth a
   write and rides along with the next one.
5. Only a leader that has applied its own term's first entry proposes, and a proposal continues the
   last block of its log.
6. The core is told of an applied entry only by `applied`; what may still be replaced stays known.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tallystick_core import (
    FrameInfo,
    RaftCore,
    RaftFrameError,
    RaftMessageType,
    RaftRole,
    RaftStatus,
    Ready,
)

from tallystick_node.consensus_actions import (
    Action,
    Alarm,
    AlarmKind,
    BadBlock,
    Changed,
    Check,
    Commit,
    CommittedEntry,
    Fetch,
    MayPropose,
    Persist,
    ReadReady,
    Refused,
    Role,
    Send,
)
from tallystick_node.consensus_chain import Chain, ChainTip, block_place
from tallystick_node.consensus_inbox import Append, Inbox, parse_append
from tallystick_node.errors import NotLeaderError
from tallystick_node.storage.rows import HardState, LogEntry

# What only a leader sends; ignored from one that is not trusted.
_LEADER_WORDS: Final = frozenset(
    {RaftMessageType.APPEND, RaftMessageType.HEARTBEAT, RaftMessageType.TIMEOUT_NOW}
)
_MESSAGE_TYPE_OFFSET: Final = 4
_LEADER_WORD_BYTES: Final = frozenset(int(kind) for kind in _LEADER_WORDS)
_ROLES: Final = {
    RaftRole.LEADER: Role.LEADER,
    RaftRole.FOLLOWER: Role.FOLLOWER,
    RaftRole.CANDIDATE: Role.CANDIDATE,
    RaftRole.PRE_CANDIDATE: Role.PRE_CANDIDATE,
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things may take.

    Attributes:
        max_clock_ahead_ns: an uncommitted block further ahead of this node's clock is dropped.
        stalled_ticks: a leader that commits nothing for that long falls silent.
        silent_ticks: for that long it neither leads nor stands for election.
    """

    max_clock_ahead_ns: int
    stalled_ticks: int
    silent_ticks: int


@dataclass(slots=True)
class _Written:
    """A Ready that `persisted` has not covered yet."""

    number: int
    needs_write: bool
    messages: list[tuple[int, bool, bytes]]


class Consensus:
    """One node's consensus, without I/O. Not thread-safe: one caller."""

    def __init__(
        self,
        core: RaftCore,
        *,
        raft_id: int,
        applied_index: int,
        applied_tip: ChainTip,
        tail: Sequence[LogEntry],
        patience: Patience,
    ) -> None:
        """Take over a core that was made from the same log.

        Args:
            core: just made, not used yet.
            raft_id: this node.
            applied_index: what the kernel has applied.
            applied_tip: the chain's tip there.
            tail: the entries behind it, to the end of the log.
            patience: see there.
        """
        self._core = core
        self._raft_id = raft_id
        self._patience = patience
        self._chain = Chain(applied_index, core.term_at(applied_index), applied_tip)
        self._chain.extend((entry.index, entry.term, entry.payload) for entry in tail)
        self._uncommitted_bytes = sum(len(entry.payload) for entry in tail)
        self._inbox = Inbox(self._chain, core)
        self._actions: list[Action] = []
        self._written: deque[_Written] = deque()
        self._unwritten_state: HardState | None = None
        self._commit_index = applied_index
        self._applied_index = applied_index
        self._core_role = RaftRole.FOLLOWER
        self._leader_id = 0
        self._shown = Changed(Role.FOLLOWER, core.status().term, 0)
        self._may_propose_term = 0
        self._own_first_index: int | None = None
        self._tick_count = 0
        self._progress_tick = 0
        self._silent_until_tick = 0
        self._last_clock_alarm = (0, 0)
        self._pump()

    # -- what is known ----------------------------------------------------------------------------

    @property
    def role(self) -> Role:
        """Own role; a leader that fell silent is shown as a follower."""
        return self._shown.role

    @property
    def term(self) -> int:
        """Own term."""
        return self._shown.term

    @property
    def leader_id(self) -> int:
        """The known leader, 0 for none."""
        return self._shown.leader_id

    @property
    def tip(self) -> ChainTip:
        """Behind the last entry of the log, committed or not."""
        return self._chain.tip

    @property
    def last_index(self) -> int:
        """Last entry of the log."""
        return self._chain.last

    @property
    def commit_index(self) -> int:
        """Last entry that was handed out as committed."""
        return self._commit_index

    @property
    def applied_index(self) -> int:
        """Last entry that was reported as applied."""
        return self._applied_index

    @property
    def may_propose(self) -> bool:
        """Leader, and own term's first entry applied."""
        return self._shown.role is Role.LEADER and self._may_propose_term == self._shown.term

    @property
    def uncommitted_bytes(self) -> int:
        """Payload bytes behind the commit index."""
        return self._uncommitted_bytes

    @property
    def uncommitted_entries(self) -> int:
        """Entries behind the commit index."""
        return self._chain.last - self._commit_index

    def backlog_bytes(self, peer: int) -> int:
        """Bytes of a peer's appends that wait for their check or step."""
        return self._inbox.size_bytes(peer)

    def status(self) -> RaftStatus:
        """The core's own account."""
        return self._core.status()

    def take_actions(self) -> list[Action]:
        """What to do now, in order; each is handed out once."""
        actions, self._actions = self._actions, []
        return actions

    # -- inputs -----------------------------------------------------------------------------------

    def tick(self) -> None:
        """The logical clock moves by one."""
        self._tick_count += 1
        if self._tick_count >= self._silent_until_tick:
            self._core.tick()
        self._pump()
        self._watch_progress()

    def receive(self, peer: int, frame: bytes, now_ns: int) -> None:
        """A frame arrived from an authenticated peer.

        Args:
            peer: who sent it, by its certificate.
            frame: the bytes; anything.
            now_ns: this node's clock.
        """
        try:
            parsed = RaftCore.peek(frame)
        except RaftFrameError as error:
            self._actions.append(Refused(peer, error.reason, str(error)))
            return
        if parsed.sender != peer:
            self._actions.append(Refused(peer, "forged", f"node {peer} wrote as {parsed.sender}"))
            return
        kind = parsed.msg_type
        if kind in _LEADER_WORDS and self._inbox.is_distrusted(peer, parsed.term):
            return
        if kind == RaftMessageType.APPEND and (parsed.entry_count or self._inbox.is_waiting(peer)):
            self._receive_append(peer, parse_append(parsed, len(frame)), now_ns)
        else:
            self._step(peer, parsed)

    def checked(self, ticket: int, bad: BadBlock | None) -> None:
        """The blocks of a `Check` were looked at; `bad` is the first that failed."""
        origin = self._inbox.origin(ticket)
        if origin is None:
            return  # dropped meanwhile
        peer, term = origin
        if bad is None:
            self._inbox.checked(ticket)
            self._drain(peer)
            return
        self._inbox.distrust(peer, term)
        self._actions.append(
            Alarm(
                AlarmKind.BAD_BLOCK,
                peer,
                term,
                f"block for index {bad.job.index}: code {bad.code}, {bad.detail}",
                bad,
            )
        )

    def propose(self, block: bytes, tip: ChainTip) -> tuple[int, int]:
        """Append a block to the own log as leader.

        Args:
            block: continues `self.tip`.
            tip: what the caller takes for the tip behind it.

        Returns:
            (term, index).

        Raises:
            NotLeaderError: not leader, or own term's first entry not applied.
            ProposalDropped: too much is uncommitted, or leadership is being handed over.
            ValueError: the block does not continue the log; a defect of the caller.
        """
        if not self.may_propose:
            raise NotLeaderError(self.leader_id)
        place = block_place(block)
        if place is None or not place.continues(self._chain.tip) or place.tip != tip:
            raise ValueError(f"a block {place} does not continue {self._chain.tip} to {tip}")
        term, index = self._core.propose(block)
        self._pump()
        return term, index

    def read_index(self, context: bytes) -> None:
        """Ask for a linearizable index; `ReadReady` answers, or nothing does.

        Raises:
            NoLeader: no leader is known.
            ReadNotReady: this leader cannot answer reads yet.
        """
        self._core.read_index(context)
        self._pump()

    def persisted(self, number: int) -> None:
        """Everything up to `Persist.number` is durable."""
        released: list[_Written] = []
        while self._written and (
            self._written[0].number <= number or not self._written[0].needs_write
        ):
            released.append(self._written.popleft())
        self._release(released)
        self._pump()

    def applied(self, index: int) -> None:
        """The kernel has applied everything up to `index`.

        Raises:
            ValueError: `index` was not handed out as committed, or goes back.
        """
        self._core.advance_apply(index)
        self._core.trim(index)
        self._applied_index = index
        self._chain.raise_floor(index)
        self._pump()
        self._allow_proposals()

    def fetched(self, low: int, entries: Sequence[LogEntry]) -> None:
        """The answer to a `Fetch`; empty if the range is not in the log any more.

        What was read before a suffix was replaced is no answer: leader and log have changed.
        """
        current = all(
            entry.index <= self._chain.last and self._core.term_at(entry.index) == entry.term
            for entry in entries
        )
        rows = [(entry.index, entry.term, entry.payload) for entry in entries if current]
        self._core.fetched(low, rows)
        self._pump()

    def unreachable(self, peer: int) -> None:
        """What was on the way to this peer is lost."""
        self._core.report_unreachable(peer)
        self._pump()

    def hand_over(self) -> int:
        """As leader, start to hand leadership to the peer with the longest log.

        Returns:
            That peer's id; 0 if this node does not lead or no other peer is active.
        """
        status = self._core.status()
        if status.role != RaftRole.LEADER:
            return 0
        candidates = [
            peer for peer in status.peers if peer.id != self._raft_id and peer.recent_active
        ]
        if not candidates:
            return 0
        best = max(candidates, key=lambda peer: (peer.matched, -peer.id))
        self._core.transfer_leader(best.id)
        self._pump()
        return best.id

    # -- appends ----------------------------------------------------------------------------------

    def _receive_append(self, peer: int, append: Append, now_ns: int) -> None:
        latest_ns = now_ns + self._patience.max_clock_ahead_ns
        commit = append.frame.commit
        for (index, term, _, _), place in zip(append.entries, append.places, strict=True):
            if place and index > commit and place.timestamp_ns > latest_ns:
                self._alarm_about_clock(peer, term, index, place.timestamp_ns - now_ns)
                return
        check = self._inbox.add(peer, append)
        if check is not None:
            self._actions.append(check)
        self._drain(peer)

    def _alarm_about_clock(self, peer: int, term: int, index: int, ahead_ns: int) -> None:
        if self._last_clock_alarm == (term, index):
            return  # the leader sends it again and again
        self._last_clock_alarm = (term, index)
        detail = f"block for index {index} is {ahead_ns // 1_000_000} ms ahead of this node's clock"
        self._actions.append(Alarm(AlarmKind.BLOCK_FROM_THE_FUTURE, peer, term, detail))

    def _drain(self, peer: int) -> None:
        """Step whatever of this peer may be stepped."""
        while (item := self._inbox.next(peer)) is not None:
            if isinstance(item, Check):
                self._actions.append(item)
                return
            self._step(peer, item.frame)

    def _step(self, peer: int, frame: FrameInfo) -> None:
        try:
            self._core.step(peer, frame)
        except RaftFrameError as error:
            self._actions.append(Refused(peer, error.reason, str(error)))
        self._pump()

    # -- the core's work --------------------------------------------------------------------------

    def _pump(self) -> None:
        while (ready := self._core.ready()) is not None:
            self._take(ready)
        # A range can be wanted although nothing is ready.
        for low, high, max_bytes, _ in self._core.wanted():
            self._actions.append(Fetch(low, high, max_bytes))

    def _take(self, ready: Ready) -> None:
        self._note_roles(ready)
        self._send(ready.messages_now)
        self._write(ready)
        if ready.committed:
            self._commit(ready.committed)
        for low, high, max_bytes, _ in ready.wanted:
            self._actions.append(Fetch(low, high, max_bytes))
        for index, context in ready.read_states:
            self._actions.append(ReadReady(index, context))

    def _note_roles(self, ready: Ready) -> None:
        term = self._shown.term
        if ready.hard_state is not None:
            term = max(term, ready.hard_state[0])
        if ready.soft_state is not None:
            self._leader_id, self._core_role = ready.soft_state
        self._show(term)

    def _show(self, term: int) -> None:
        role, leader_id = _ROLES[self._core_role], self._leader_id
        if self._is_silent():
            role, leader_id = Role.FOLLOWER, 0
        shown = Changed(role, term, leader_id)
        if shown == self._shown:
            return
        self._own_first_index = None
        self._may_propose_term = 0
        self._progress_tick = self._tick_count
        self._shown = shown
        self._actions.append(shown)

    def _is_silent(self) -> bool:
        return self._core_role == RaftRole.LEADER and self._tick_count < self._silent_until_tick

    def _send(self, messages: Sequence[tuple[int, bool, bytes]]) -> None:
        silent = self._is_silent()
        for to, bulk, frame in messages:
            if not (silent and frame[_MESSAGE_TYPE_OFFSET] in _LEADER_WORD_BYTES):
                self._actions.append(Send(to, bulk, frame))

    def _write(self, ready: Ready) -> None:
        if ready.hard_state is not None:
            self._unwritten_state = HardState(*ready.hard_state)
        entries = ready.entries
        if entries:
            self._uncommitted_bytes += sum(len(entry[2]) for entry in entries)
            self._uncommitted_bytes -= self._chain.extend(entries)
        needs_write = bool(entries) or ready.must_sync
        written = _Written(ready.number, needs_write, ready.messages_after_persist)
        if needs_write:
            rows = tuple(LogEntry(*entry) for entry in entries)
            self._actions.append(Persist(ready.number, rows, self._unwritten_state))
            self._unwritten_state = None
            self._written.append(written)
        elif self._written:
            self._written.append(written)
        else:
            self._release([written])

    def _release(self, written: Sequence[_Written]) -> None:
        if not written:
            return
        self._core.on_persist(written[-1].number)
        for one in written:
            self._send(one.messages)

    def _commit(self, committed: Sequence[tuple[int, int, bytes]]) -> None:
        entries = tuple(CommittedEntry(*entry) for entry in committed)
        self._commit_index = entries[-1].index
        self._uncommitted_bytes -= sum(len(entry.payload) for entry in entries)
        self._progress_tick = self._tick_count
        self._actions.append(Commit(entries))

    # -- leading ----------------------------------------------------------------------------------

    def _allow_proposals(self) -> None:
        if self._shown.role is not Role.LEADER or self.may_propose:
            return
        if self._own_first_index is None:
            first_index, term = self._core.term_runs()[-1]
            if term != self._shown.term:
                return
            self._own_first_index = first_index
        if self._applied_index >= self._own_first_index:
            self._may_propose_term = self._shown.term
            self._actions.append(MayPropose(self._shown.term))

    def _watch_progress(self) -> None:
        """Rule 3: fall silent when nothing commits, speak again when the time is over."""
        if self._silent_until_tick == self._tick_count:
            self._show(self._shown.term)
            self._allow_proposals()
        waits = self._chain.last > self._commit_index
        if self._shown.role is not Role.LEADER or not waits:
            self._progress_tick = self._tick_count
        elif self._tick_count - self._progress_tick >= self._patience.stalled_ticks:
            self._silent_until_tick = self._tick_count + self._patience.silent_ticks
            detail = f"{self.uncommitted_entries} entries wait and none commits"
            self._actions.append(
                Alarm(AlarmKind.STALLED_LEADER, self._raft_id, self._shown.term, detail)
            )
            self._show(self._shown.term)
