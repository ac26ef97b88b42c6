"""A whole cluster of Raft cores in one process, with disks and a network that can be broken.

Theory of operation: `Cluster` owns one `SimNode` per member and one list of packets in flight.
Nothing happens by itself: a test ticks clocks, delivers packets, flushes disks. `settle` does the
last two until nothing is left to do. The same calls always give the same run.

A `SimDisk` holds what is durable. Writes wait in the node's queue, as in a real node; `flush` makes
the first ones durable and only then releases the messages that depend on them; `crash` forgets the
rest. A restart sees the durable image alone.

Checked after every delivery and flush, for every cluster, always:

* at most one leader per term, and at most one durable vote of a node per term;
* every node is handed the same entries as committed, each once per run and in order;
* what is handed out as committed is durable on a majority of disks;
* what a core takes for durable is what its disk holds;
* terms and commit indexes on disk never go back.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from tallystick_core import RaftCore, RaftRole, RaftStatus, Ready

ELECTION_TICK = 10
HEARTBEAT_TICK = 2


class Entry(NamedTuple):
    """One entry of the log: (index, term, payload)."""

    at: int
    term: int
    payload: bytes


class Packet(NamedTuple):
    """A frame in flight."""

    sender: int
    to: int
    bulk: bool
    frame: bytes


@dataclass(slots=True)
class Write:
    """What one Ready asks of the disk, and the messages that wait for it."""

    number: int
    hard_state: tuple[int, int, int] | None
    truncate_from: int | None
    entries: list[tuple[int, int, bytes]]
    messages: list[tuple[int, bool, bytes]]


@dataclass(slots=True)
class SimDisk:
    """The durable image of a node: hard state, log, and how far its state was saved.

    `replacements` counts the writes that deleted an uncommitted suffix.
    """

    term: int = 0
    vote: int = 0
    commit: int = 0
    log: list[Entry] = field(default_factory=list)
    applied: int = 0
    replacements: int = 0

    def write(self, item: Write) -> None:
        """Makes one Ready's changes, as one atomic batch would.

        Raises:
            AssertionError: If term or commit go back, or the log gets a hole.
        """
        if item.truncate_from is not None:
            assert item.truncate_from > self.commit, "a committed entry was deleted"
            del self.log[item.truncate_from - 1 :]
            self.replacements += 1
        if item.hard_state is not None:
            term, vote, commit = item.hard_state
            assert term >= self.term
            assert commit >= self.commit
            assert term > self.term or self.vote in (0, vote), "a vote was changed"
            self.term, self.vote, self.commit = term, vote, commit
        for row in item.entries:
            assert row[0] == len(self.log) + 1
            self.log.append(Entry(*row))

    def term_runs(self) -> list[tuple[int, int]]:
        """(first index, term) of each term in the log."""
        runs: list[tuple[int, int]] = []
        for entry in self.log:
            if not runs or runs[-1][1] != entry.term:
                runs.append((entry.at, entry.term))
        return runs


@dataclass(slots=True)
class CoreOptions:
    """The settings that tests vary."""

    max_inflight_msgs: int = 16
    max_size_per_msg: int = 1 << 20
    max_uncommitted_bytes: int = 64 << 20
    cache_bytes: int = 0
    learners: tuple[int, ...] = ()


class SimNode:
    """A node: its disk, and while it runs its core."""

    def __init__(self, node_id: int, voters: list[int], options: CoreOptions, seed: int) -> None:
        self.id = node_id
        self.disk = SimDisk()
        self.queue: list[Write] = []
        self.committed: list[Entry] = []
        self.reads: list[tuple[int, bytes]] = []
        self.leader = 0
        self.role = RaftRole.FOLLOWER
        self.runs = 0
        self._voters = voters
        self._options = options
        self._seed = seed
        self._core: RaftCore | None = None
        self.start()

    @property
    def core(self) -> RaftCore:
        """The running core.

        Raises:
            AssertionError: If the node is down.
        """
        assert self._core is not None, f"node {self.id} is down"
        return self._core

    @property
    def running(self) -> bool:
        return self._core is not None

    @property
    def status(self) -> RaftStatus:
        return self.core.status()

    def start(self) -> None:
        """Starts a core from the durable image."""
        disk = self.disk
        self.runs += 1
        self._core = RaftCore(
            self.id,
            self._voters,
            learners=list(self._options.learners),
            term=disk.term,
            vote=disk.vote,
            commit=disk.commit,
            applied=disk.applied,
            term_runs=disk.term_runs(),
            last_index=len(disk.log),
            tail=list(disk.log[disk.applied :]),
            election_tick=ELECTION_TICK,
            heartbeat_tick=HEARTBEAT_TICK,
            max_inflight_msgs=self._options.max_inflight_msgs,
            max_size_per_msg=self._options.max_size_per_msg,
            max_uncommitted_bytes=self._options.max_uncommitted_bytes,
            cache_bytes=self._options.cache_bytes,
            seed=self._seed,
            nonce=self.runs,
        )
        self.committed = self.committed[: disk.applied]
        self.leader, self.role = 0, RaftRole.FOLLOWER

    def crash(self) -> None:
        """Stops at once. Writes that were not flushed are lost."""
        self._core = None
        self.queue.clear()
        self.reads.clear()

    def save_state(self) -> None:
        """Makes the applied state durable, as a checkpoint does."""
        self.disk.applied = self.status.applied
        self.core.trim(self.disk.applied)

    def take(self, ready: Ready) -> None:
        """Does everything with a Ready except its messages and its write."""
        for row in ready.committed:
            assert row[0] == len(self.committed) + 1, "committed out of order"
            self.committed.append(Entry(*row))
        if ready.committed:
            self.core.advance_apply(ready.committed[-1][0])
        self.reads.extend(ready.read_states)
        if ready.soft_state is not None:
            self.leader, self.role = ready.soft_state


class Cluster:
    """Members, packets in flight, and the checks. See the module's description."""

    def __init__(self, size: int = 3, *, options: CoreOptions | None = None, seed: int = 0) -> None:
        options = options or CoreOptions()
        members = range(1, size + 1)
        self.voters = [member for member in members if member not in options.learners]
        self.nodes = {member: SimNode(member, self.voters, options, seed) for member in members}
        self.packets: list[Packet] = []
        self.blocked: set[tuple[int, int]] = set()
        self.slow_disks: set[int] = set()
        self.fetching = True
        self.fetches: list[tuple[int, int, int, int]] = []
        self._leaders: dict[int, int] = {}
        self._votes: dict[tuple[int, int], int] = {}
        self._history: list[Entry] = []

    def __getitem__(self, member: int) -> SimNode:
        return self.nodes[member]

    def running(self) -> list[SimNode]:
        """Nodes that are up, by id."""
        return [node for node in self.nodes.values() if node.running]

    # --- the work of a node ------------------------------------------------------------------

    def pump(self, member: int) -> None:
        """Takes all work out of a core. Flushes at once unless the disk is slow."""
        node = self.nodes[member]
        while True:
            self._fetch(node)
            ready = node.core.ready()
            if ready is None:
                break
            self._send(node, ready.messages_now)
            node.take(ready)
            self.fetches.extend(ready.wanted)
            self._answer(node, ready.wanted)
            node.queue.append(
                Write(
                    ready.number,
                    ready.hard_state,
                    ready.truncate_from,
                    ready.entries,
                    ready.messages_after_persist,
                )
            )
            if member not in self.slow_disks:
                self._flush(node, len(node.queue))
        self._check(node)

    def flush(self, member: int, count: int | None = None) -> None:
        """Makes the first `count` queued writes durable; all of them by default."""
        node = self.nodes[member]
        self._flush(node, len(node.queue) if count is None else count)
        self.pump(member)

    def _flush(self, node: SimNode, count: int) -> None:
        group, node.queue = node.queue[:count], node.queue[count:]
        for item in group:
            node.disk.write(item)
        if group:
            node.core.on_persist(group[-1].number)
        for item in group:
            self._send(node, item.messages)

    def _fetch(self, node: SimNode) -> None:
        wanted = node.core.wanted()
        self.fetches.extend(wanted)
        self._answer(node, wanted)

    def _answer(self, node: SimNode, wanted: Iterable[tuple[int, int, int, int]]) -> None:
        for low, high, max_bytes, _ in wanted:
            if not self.fetching:
                continue
            piece: list[tuple[int, int, bytes]] = []
            for entry in node.disk.log[low - 1 : high - 1]:
                if piece and sum(len(row[2]) for row in piece) + len(entry.payload) > max_bytes:
                    break
                piece.append(entry)
            node.core.fetched(low, piece)

    def _send(self, node: SimNode, messages: Iterable[tuple[int, bool, bytes]]) -> None:
        for to, bulk, frame in messages:
            self.packets.append(Packet(node.id, to, bulk, frame))

    # --- time and network --------------------------------------------------------------------

    def tick(self, *members: int, times: int = 1, settle: bool = True) -> None:
        """Ticks the given running nodes, or all; then lets everything settle."""
        for _ in range(times):
            for member in members or tuple(self.nodes):
                if self.nodes[member].running:
                    self.nodes[member].core.tick()
                    self.pump(member)
            if settle:
                self.settle()

    def deliver(self, packet: Packet) -> None:
        """Gives a packet to its addressee, if the link and the node are up."""
        node = self.nodes[packet.to]
        if (packet.sender, packet.to) in self.blocked or not node.running:
            return
        node.core.step(packet.sender, packet.frame)
        self.pump(packet.to)

    def settle(self, keep: Callable[[Packet], bool] = lambda _: False) -> None:
        """Delivers packets in order until none is left but those that `keep` holds back."""
        held: list[Packet] = []
        while self.packets:
            packet = self.packets.pop(0)
            if keep(packet):
                held.append(packet)
            else:
                self.deliver(packet)
        self.packets = held

    def cut(self, member: int, *others: int) -> None:
        """Cuts the links between a node and the others, both ways; all by default."""
        for other in others or tuple(self.nodes):
            self.blocked |= {(member, other), (other, member)}

    def heal(self) -> None:
        """Mends all links."""
        self.blocked.clear()

    def crash(self, member: int) -> None:
        """Kills a node; its unflushed writes are gone."""
        self.nodes[member].crash()

    def restart(self, member: int) -> None:
        """Starts a node from its disk."""
        self.nodes[member].start()
        self.pump(member)

    # --- shortcuts ---------------------------------------------------------------------------

    def elect(self, member: int) -> SimNode:
        """Makes a node campaign and win, and commits its first entry."""
        self.nodes[member].core.campaign()
        self.pump(member)
        self.settle()
        node = self.nodes[member]
        assert node.role == RaftRole.LEADER, f"node {member} lost"
        return node

    def propose(self, member: int, payload: bytes, *, settle: bool = True) -> tuple[int, int]:
        """Proposes at a node; returns (term, index)."""
        place = self.nodes[member].core.propose(payload)
        self.pump(member)
        if settle:
            self.settle()
        return place

    def leader(self) -> SimNode | None:
        """The running leader of the highest term."""
        leaders = [node for node in self.running() if node.role == RaftRole.LEADER]
        return max(leaders, key=lambda node: node.status.term, default=None)

    def payloads(self, member: int) -> list[bytes]:
        """Committed payloads at a node, without Raft's own empty entries."""
        return [entry.payload for entry in self.nodes[member].committed if entry.payload]

    # --- checks ------------------------------------------------------------------------------

    def _check(self, node: SimNode) -> None:
        status = node.status
        if status.role == RaftRole.LEADER:
            owner = self._leaders.setdefault(status.term, node.id)
            assert owner == node.id, f"nodes {owner} and {node.id} lead term {status.term}"
        if node.disk.vote:
            term = node.disk.term
            vote = self._votes.setdefault((node.id, term), node.disk.vote)
            assert vote == node.disk.vote, f"node {node.id} voted twice in term {term}"
        assert status.applied <= status.persisted <= status.last_index
        if status.persisted:
            durable = node.disk.log[status.persisted - 1]
            assert durable.term == node.core.term_at(status.persisted), (
                "claims more than is on disk"
            )
        self._check_committed(node)

    def _check_committed(self, node: SimNode) -> None:
        known = len(self._history)
        assert node.committed[:known] == self._history[: len(node.committed)]
        for entry in node.committed[known:]:
            copies = sum(
                self.nodes[voter].disk.log[entry.at - 1 : entry.at] == [entry]
                for voter in self.voters
            )
            assert copies * 2 > len(self.voters), f"entry {entry.at} is not on a majority"
            self._history.append(entry)
