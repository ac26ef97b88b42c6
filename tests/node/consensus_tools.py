"""Three consensus shells in memory: no clock, disk, thread or network, and checks decided by tests.

Blocks here are a header and nothing else: what they hold is decided by whoever answers a `Check`.
"""

import struct
from collections import deque
from collections.abc import Callable

from tallystick_core import RaftCore

from tallystick_node.consensus import Consensus, Patience
from tallystick_node.consensus_actions import (
    Action,
    Alarm,
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
from tallystick_node.consensus_chain import ChainTip
from tallystick_node.storage import HardState, LogEntry

NODES = (1, 2, 3)
START_NS = 1_000_000_000_000
_HEADER = struct.Struct("<4sHHQQIII28x")


def block(tip: ChainTip, *, records: int = 1, timestamp_ns: int = 0, filler: int = 0) -> bytes:
    """A block behind `tip`; different fillers make different blocks."""
    timestamp_ns = max(timestamp_ns, tip.min_next_timestamp_ns)
    return _HEADER.pack(b"TSB1", 1, 1, timestamp_ns, tip.next_sequence, 1, records, filler)


def after(payload: bytes) -> ChainTip:
    """The tip behind a block."""
    _, _, _, timestamp_ns, first, _, records, _ = _HEADER.unpack(payload)
    return ChainTip(first + records, timestamp_ns + records)


def accept(check: Check) -> BadBlock | None:
    """The honest check: does each block continue what stands before it?"""
    for job in check.jobs:
        _, _, _, timestamp_ns, first, _, _, filler = _HEADER.unpack(job.block)
        if first != job.before.next_sequence or timestamp_ns < job.before.min_next_timestamp_ns:
            return BadBlock(job, 1, "does not continue the log")
        if filler == BAD:
            return BadBlock(job, 4, "a signature does not hold")
    return None


BAD = 0xBAD


class Shell:
    """One node: its shell and what it asked for."""

    def __init__(self, net: "Net", raft_id: int) -> None:
        self.net = net
        self.raft_id = raft_id
        self.log: dict[int, LogEntry] = {}
        self.hard_state = HardState(0, 0, 0)
        self.committed: list[CommittedEntry] = []
        self.checks: deque[Check] = deque()
        self.unsynced: deque[Persist] = deque()
        self.alarms: list[Alarm] = []
        self.refused: list[Refused] = []
        self.reads: list[ReadReady] = []
        self.changes: list[Changed | MayPropose] = []
        self.hold_checks = False
        self.hold_syncs = False
        self.hold_applies = False
        core = RaftCore(
            raft_id,
            list(NODES),
            term=0,
            vote=0,
            commit=0,
            applied=0,
            term_runs=[],
            last_index=0,
            tail=[],
            election_tick=10,
            heartbeat_tick=2,
            max_inflight_msgs=16,
            max_size_per_msg=1 << 20,
            max_uncommitted_bytes=1 << 20,
            seed=1,
            nonce=raft_id,
        )
        self.shell = Consensus(
            core,
            raft_id=raft_id,
            applied_index=0,
            applied_tip=ChainTip(1, 0),
            tail=(),
            patience=Patience(500_000_000, stalled_ticks=50, silent_ticks=100),
        )

    def carry_out(self) -> bool:
        """Do what was asked for; True if there was anything."""
        actions = self.shell.take_actions()
        for action in actions:
            self._do(action)
        return bool(actions)

    def _do(self, action: Action) -> None:
        match action:
            case Send(to, _, frame):
                self.net.frames.append((self.raft_id, to, frame))
            case Persist():
                self.unsynced.append(action)
                if not self.hold_syncs:
                    self.sync()
            case Check():
                self.checks.append(action)
                if not self.hold_checks:
                    self.answer_check()
            case Commit(entries):
                self.committed.extend(entries)
                if not self.hold_applies:
                    self.shell.applied(entries[-1].index)
            case Fetch(low, high, _):
                self.shell.fetched(low, [self.log[index] for index in range(low, high)])
            case _:
                self._note(action)

    def _note(self, action: Action) -> None:
        match action:
            case Alarm():
                self.alarms.append(action)
            case Refused():
                self.refused.append(action)
            case ReadReady():
                self.reads.append(action)
            case Changed() | MayPropose():
                self.changes.append(action)

    def sync(self) -> None:
        """Write and sync all that waits."""
        while self.unsynced:
            work = self.unsynced.popleft()
            for entry in work.entries:
                for index in [index for index in self.log if index >= entry.index]:
                    del self.log[index]
                self.log[entry.index] = entry
            self.hard_state = work.hard_state or self.hard_state
            self.shell.persisted(work.number)

    def answer_check(self, verdict: Callable[[Check], BadBlock | None] = accept) -> None:
        """Answer the oldest check."""
        check = self.checks.popleft()
        self.shell.checked(check.ticket, verdict(check))

    @property
    def blocks(self) -> list[bytes]:
        return [entry.payload for entry in self.committed if entry.payload]

    def propose(self, **options: int) -> bytes:
        """Propose a block behind the own tip."""
        made = block(self.shell.tip, **options)
        self.shell.propose(made, after(made))
        return made

    def force(self, payload: bytes) -> None:
        """Past the shell's own checks, as a lying leader would."""
        self.shell._core.propose(payload)
        self.shell._pump()


class Net:
    """The shells and the frames between them, delivered in order."""

    def __init__(self) -> None:
        self.frames: deque[tuple[int, int, bytes]] = deque()
        self.cut_off: set[int] = set()
        self.rejections = 0
        self.now_ns = START_NS
        self.shells = {raft_id: Shell(self, raft_id) for raft_id in NODES}

    def __getitem__(self, raft_id: int) -> Shell:
        return self.shells[raft_id]

    def settle(self) -> None:
        """Deliver frames and carry out actions until nothing moves."""
        moved = True
        while moved:
            moved = False
            for shell in self.shells.values():
                moved |= shell.carry_out()
            while self.frames:
                sender, to, frame = self.frames.popleft()
                self.rejections += RaftCore.peek(frame).reject
                if sender not in self.cut_off and to not in self.cut_off:
                    self.shells[to].shell.receive(sender, frame, self.now_ns)
                moved = True

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            for shell in self.shells.values():
                shell.shell.tick()
            self.settle()

    def elect(self, *, among: tuple[int, ...] = NODES, ticks: int = 400) -> Shell:
        """Tick until one of these may propose."""
        for _ in range(ticks):
            for raft_id in among:
                if self.shells[raft_id].shell.may_propose:
                    return self.shells[raft_id]
            self.tick()
        raise AssertionError("no leader")

    def others(self, leader: Shell) -> list[Shell]:
        return [shell for shell in self.shells.values() if shell is not leader]

    def roles(self) -> list[Role]:
        return [shell.shell.role for shell in self.shells.values()]
