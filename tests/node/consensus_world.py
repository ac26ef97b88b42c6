"""Three consensus shells, disks that lose what was not synced, and a network that does anything.

Theory of operation
-------------------
Nothing happens by itself: `test_consensus_machine.py` ticks, delivers, syncs, crashes. A `Member`
is a node: its disk, what is to be written, and while it runs its shell. Frames wait on links until
they are delivered, dropped, doubled or overtaken. A crash loses what was not written; a restart
sees the disk alone, as the replica does (state is replayed up to the commit index on disk).

Checked at every action, always:

* a term has one leader, and of each node one vote, over all its runs;
* a frame that promises something (an acknowledgement, a vote, a candidacy) leaves after the disk
  has it, and what the disk has of terms and votes never goes back;
* each node is handed every entry once a run, in order, and all are handed the same (by SHA-256);
* what is handed out first is at that moment on a majority of disks, and its block stands strictly
  behind the one before it;
* a read is answered with an index that covers all that was committed when it was asked for;
* no node raises an alarm about blocks or refuses a frame: all of them are honest.
"""

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final, NoReturn

from tallystick_core import NoLeader, ProposalDropped, RaftCore, RaftMessageType, ReadNotReady
from tests.node.consensus_tools import NODES, START_NS, accept, after, block

from tallystick_node.consensus import Consensus, Patience
from tallystick_node.consensus_actions import (
    Action,
    Alarm,
    AlarmKind,
    Changed,
    Check,
    Commit,
    CommittedEntry,
    Fetch,
    Persist,
    ReadReady,
    Refused,
    Role,
    Send,
)
from tallystick_node.consensus_chain import ChainTip, block_place
from tallystick_node.storage import HardState, LogEntry

MAJORITY: Final = 2
MAX_UNCOMMITTED_BYTES: Final = 12 * 64
_LEADER_WORDS: Final = (RaftMessageType.APPEND, RaftMessageType.HEARTBEAT)


@dataclass(slots=True)
class Disk:
    """What is durable."""

    log: list[LogEntry] = field(default_factory=list)
    hard_state: HardState = field(default_factory=lambda: HardState(0, 0, 0))

    def write(self, work: Persist) -> bool:
        """One batch; True if it replaced entries."""
        replaced = False
        if work.entries:
            first = work.entries[0].index
            assert self.hard_state.commit < first <= len(self.log) + 1, "the log is torn"
            replaced = first <= len(self.log)
            self.log[first - 1 :] = work.entries
        new = work.hard_state
        if new is not None:
            old = self.hard_state
            assert new.term >= old.term, "a term went back"
            assert new.commit >= old.commit, "a commit index went back"
            self.hard_state = new
        return replaced

    def runs(self) -> list[tuple[int, int]]:
        """(first index, term) of each term in the log."""
        found: list[tuple[int, int]] = []
        for entry in self.log:
            if not found or found[-1][1] != entry.term:
                found.append((entry.index, entry.term))
        return found

    def tip(self, index: int) -> ChainTip:
        """Behind the entry at `index`."""
        blocks = [entry.payload for entry in self.log[:index] if entry.payload]
        return after(blocks[-1]) if blocks else ChainTip(1, 0)


class Member:
    """A node. What its slow parts have not done yet waits in its queues."""

    def __init__(self, world: "World", raft_id: int) -> None:
        self.world = world
        self.raft_id = raft_id
        self.disk = Disk()
        self.slow: set[str] = set()
        self.writes: deque[Persist] = deque()
        self.checks: deque[Check] = deque()
        self.fetches: deque[tuple[int, list[LogEntry]]] = deque()
        self.proposed: dict[int, tuple[int, bytes]] = {}
        self.handed = self.applied = self.runs = 0
        self.shell: Consensus | None = None
        self.start()

    def start(self) -> None:
        """Begins a run with what the disk has."""
        disk, state = self.disk, self.disk.hard_state
        self.runs += 1
        tail = disk.log[state.commit :]
        core = RaftCore(
            self.raft_id,
            list(NODES),
            term=state.term,
            vote=state.vote,
            commit=state.commit,
            applied=state.commit,
            term_runs=disk.runs(),
            last_index=len(disk.log),
            tail=[(entry.index, entry.term, entry.payload) for entry in tail],
            election_tick=10,
            heartbeat_tick=2,
            max_inflight_msgs=4,
            max_size_per_msg=256,
            max_uncommitted_bytes=MAX_UNCOMMITTED_BYTES,
            cache_bytes=0,
            seed=self.world.seed,
            nonce=self.runs,
        )
        self.handed = self.applied = state.commit
        self.shell = self.world.make(
            core,
            raft_id=self.raft_id,
            applied_index=state.commit,
            applied_tip=disk.tip(state.commit),
            tail=tail,
            patience=Patience(500_000_000, stalled_ticks=50, silent_ticks=60),
        )
        self.carry_out()

    def crash(self, survived: int) -> None:
        """Ends the run; of what was to be written the first `survived` batches are."""
        for _ in range(min(survived, len(self.writes))):
            self.write(self.writes.popleft())
        self.world.seen["writes lost"] += len(self.writes)
        for queue in (self.writes, self.checks, self.fetches):
            queue.clear()
        self.proposed.clear()
        self.slow.clear()
        self.shell = None

    # -- work --------------------------------------------------------------------------------------

    def carry_out(self) -> None:
        """Does all that the shell asks for, except what is slow."""
        while self.shell is not None and (actions := self.shell.take_actions()):
            for action in actions:
                self._do(action)

    def _do(self, action: Action) -> None:
        world = self.world
        match action:
            case Send(to, _, frame):
                world.check_promise(self, frame)
                world.links[self.raft_id, to].append(frame)
            case Persist():
                self.writes.append(action)
                if "disk" not in self.slow:
                    self.sync(len(self.writes))
            case Check():
                self.checks.append(action)
                if "checks" not in self.slow:
                    self.check()
            case Commit(entries):
                self._take(entries)
                if "kernel" not in self.slow:
                    self.apply()
            case Fetch(low, high, _):
                self.fetches.append((low, self.disk.log[low - 1 : high - 1]))
                if "reader" not in self.slow:
                    self.fetch()
            case _:
                world.check_word(self, action)

    def write(self, work: Persist) -> None:
        """One batch is durable, whether it is told or not."""
        self.world.seen["suffixes replaced"] += self.disk.write(work)
        self.world.check_vote(self)

    def sync(self, count: int) -> None:
        """The first `count` writes are durable; one report covers them all."""
        group = [self.writes.popleft() for _ in range(min(count, len(self.writes)))]
        for work in group:
            self.write(work)
        if group and self.shell is not None:
            self.shell.persisted(group[-1].number)

    def check(self) -> None:
        """Answers the oldest check."""
        if self.checks and self.shell is not None:
            check = self.checks.popleft()
            self.shell.checked(check.ticket, accept(check))

    def fetch(self) -> None:
        """Answers the oldest fetch with what the disk had when it was asked for."""
        if self.fetches and self.shell is not None:
            self.world.seen["fetches"] += 1
            self.shell.fetched(*self.fetches.popleft())

    def apply(self) -> None:
        """The kernel is through with all that it was handed."""
        if self.applied < self.handed and self.shell is not None:
            self.applied = self.handed
            self.shell.applied(self.applied)

    def catch_up(self) -> None:
        """Nothing is slow any more, and what was waiting is done."""
        self.slow.clear()
        self.sync(len(self.writes))
        while self.checks:
            self.check()
        while self.fetches:
            self.fetch()
        self.apply()
        self.carry_out()

    def _take(self, entries: tuple[CommittedEntry, ...]) -> None:
        for entry in entries:
            self.world.check_committed(self, entry)
            self.handed = entry.index
            if self.proposed.pop(entry.index, None) == (entry.term, entry.payload):
                self.world.acknowledged[entry.index] = entry.payload

    # -- what clients do ---------------------------------------------------------------------------

    def propose(self, records: int) -> bool:
        """Proposes a block as the pipeline does; False if this node takes none."""
        if self.shell is None or not self.shell.may_propose:
            return False
        self.world.fillers += 1
        made = block(self.shell.tip, records=records, filler=self.world.fillers)
        try:
            term, index = self.shell.propose(made, after(made))
        except ProposalDropped:
            self.world.seen["proposals dropped"] += 1
            return False
        self.proposed[index] = (term, made)
        self.carry_out()
        return True

    def read(self) -> None:
        """Asks for an index that is linearizable now."""
        if self.shell is None:
            return
        context = b"%d/%d" % (self.raft_id, len(self.world.reads))
        try:
            self.world.reads[context] = len(self.world.history)
            self.shell.read_index(context)
        except (NoLeader, ReadNotReady):
            return
        self.carry_out()


class World:
    """The members, the links, and the checks."""

    make: type[Consensus] = Consensus
    member: type[Member] = Member

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.links: dict[tuple[int, int], deque[bytes]] = {
            (sender, to): deque() for sender in NODES for to in NODES if sender != to
        }
        self.cut_off: set[int] = set()
        self.history: list[tuple[int, bytes]] = []  # (term, SHA-256) of index 1, 2, …
        self.tip = ChainTip(1, 0)
        self.acknowledged: dict[int, bytes] = {}
        self.reads: dict[bytes, int] = {}
        self.leaders: dict[int, int] = {}
        self.votes: dict[tuple[int, int], int] = {}  # by node and term
        self.seen: Counter[str] = Counter()
        self.fillers = 0
        self.failed = False
        self.members = {raft_id: self.member(self, raft_id) for raft_id in NODES}

    def __getitem__(self, raft_id: int) -> Member:
        return self.members[raft_id]

    # -- the network -------------------------------------------------------------------------------

    def busy_link(self, drawn: int) -> tuple[int, int]:
        """One of the links that have frames; any if none has."""
        busy = [link for link, frames in self.links.items() if frames] or list(self.links)
        return busy[drawn % len(busy)]

    def deliver(self, sender: int, to: int, position: int = 0) -> None:
        """Delivers one frame of a link; later ones than the first have overtaken those before."""
        link, shell = self.links[sender, to], self.members[to].shell
        if not link:
            return
        position = min(position, len(link) - 1)
        self.seen["reordered"] += position > 0
        frame = link[position]
        del link[position]
        if shell is not None and not self.cut_off & {sender, to}:
            shell.receive(sender, frame, START_NS)
            self.members[to].carry_out()

    def settle(self, at_most: int = 1_000_000) -> None:
        """Delivers frames, those of each link in order, until none is under way."""
        while any(self.links.values()):
            for link in self.links:
                if self.links[link]:
                    if not at_most:
                        return
                    at_most -= 1
                    self.deliver(*link)

    def pass_time(self, ticks: int) -> None:
        """All clocks go, and the network is fast."""
        for _ in range(ticks):
            for member in self.members.values():
                if member.shell is not None:
                    member.shell.tick()
                    member.carry_out()
            self.settle()

    def heal(self) -> None:
        """Everything works again, and a new proposal must commit on all three."""
        self.cut_off.clear()
        for member in self.members.values():
            if member.shell is None:
                member.start()
            member.catch_up()
        self.settle()
        leader = None
        for _ in range(400):
            self.pass_time(1)
            leader = next((member for member in self.members.values() if member.propose(1)), None)
            if leader is not None:
                break
        if leader is None:
            self.fail("nobody leads although nothing is broken")
        assert leader.shell is not None
        last = leader.shell.last_index
        self.pass_time(30)
        if any(member.handed < last for member in self.members.values()):
            self.fail(f"entry {last} is not committed everywhere")

    # -- checks ------------------------------------------------------------------------------------

    def fail(self, message: str) -> NoReturn:
        self.failed = True
        raise AssertionError(message)

    def check_word(self, member: Member, action: Action) -> None:
        """What a node says of roles, reads and others."""
        match action:
            case ReadReady(index, context):
                self.check_read(index, context)
            case Changed(Role.LEADER, term, _):
                self.check_leader(member, term)
            case Alarm(AlarmKind.STALLED_LEADER):
                self.seen["stalled"] += 1
            case Alarm() | Refused():
                self.fail(f"node {member.raft_id} accuses an honest one: {action}")

    def check_leader(self, member: Member, term: int) -> None:
        owner = self.leaders.setdefault(term, member.raft_id)
        if owner != member.raft_id:
            self.fail(f"nodes {owner} and {member.raft_id} lead term {term}")

    def check_vote(self, member: Member) -> None:
        state = member.disk.hard_state
        if state.vote:
            vote = self.votes.setdefault((member.raft_id, state.term), state.vote)
            if vote != state.vote:
                self.fail(f"node {member.raft_id} voted twice in term {state.term}")

    def check_promise(self, member: Member, frame: bytes) -> None:
        """What a frame says of its sender must be on its disk when it leaves."""
        said, state = RaftCore.peek(frame), member.disk.hard_state
        kind = said.msg_type
        if state.term > said.term:
            kept = True  # one sync took several writes: nobody listens to that term any more
        elif kind == RaftMessageType.APPEND_RESPONSE and not said.reject:
            kept = len(member.disk.log) >= said.index and state.term == said.term
        elif kind == RaftMessageType.REQUEST_VOTE_RESPONSE and not said.reject:
            kept = (state.term, state.vote) == (said.term, said.to)
        elif kind == RaftMessageType.REQUEST_VOTE:
            kept = (state.term, state.vote) == (said.term, member.raft_id)
        else:
            kept = kind not in _LEADER_WORDS or state.term == said.term
        if not kept:
            self.fail(f"node {member.raft_id} promised what its disk has not: {kind} {said.term}")

    def check_committed(self, member: Member, entry: CommittedEntry) -> None:
        """The same entry everywhere; when it is new, on a majority and behind the last block."""
        if entry.index != member.handed + 1:
            self.fail(f"node {member.raft_id} was handed {entry.index} behind {member.handed}")
        digest = (entry.term, hashlib.sha256(entry.payload).digest())
        if entry.index <= len(self.history):
            if self.history[entry.index - 1] != digest:
                self.fail(f"entry {entry.index} is another one on node {member.raft_id}")
            return
        self.history.append(digest)
        self.require_on_majority(entry.index)
        place = block_place(entry.payload)
        if place is not None:
            if not place.continues(self.tip) or not place.record_count:
                self.fail(f"the block of entry {entry.index} does not continue: {place}")
            self.tip = place.tip

    def require_on_majority(self, index: int) -> None:
        """The disks that have a committed entry are a majority."""
        term, digest = self.history[index - 1]
        count = 0
        for member in self.members.values():
            kept = member.disk.log[index - 1 : index]
            count += any(
                entry.term == term and hashlib.sha256(entry.payload).digest() == digest
                for entry in kept
            )
        if count < MAJORITY:
            self.fail(f"entry {index} is committed and on {count} disks")

    def check_read(self, index: int, context: bytes) -> None:
        self.seen["reads"] += 1
        if index < self.reads[context]:
            self.fail(f"a read got {index} after {self.reads[context]} was committed")
