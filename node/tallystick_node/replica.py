"""The consensus half of a node: Raft, its log on disk and its peers, as one asyncio object.

Theory of operation
-------------------
The consensus shell decides (consensus.py); this object carries out. Each input is one call into the
shell followed by `_carry_out`, which does what the shell asked for, in order:

    Send → transport      Persist → persist thread      Check → block-check thread
    Commit → hooks        Fetch → reader thread         ReadReady → waiting reads

and the threads' answers come back as inputs. All of that runs on the event loop, so there are no
locks; every call is short, and nothing here blocks.

A replica that must not go on (its peers know its id with another incarnation) *halts*: from that
moment it neither sends nor takes anything, and the process ends. Anything unforeseen, a panic of
the core included, ends the process at once.

The clock is read here and passed on: ticks come from the loop's clock, and missed ones are not made
up for, so that a process that was paused does not believe that time has passed for its peers.
"""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from tallystick_core import PeerState, ProposalDropped, RaftCore

from tallystick_node.block_check import BlockChecker
from tallystick_node.config import NodeConfig
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
from tallystick_node.errors import (
    NotLeaderError,
    ProposalRefusedError,
    RefusedByPeerError,
    StartRefusedError,
)
from tallystick_node.evidence import write_evidence
from tallystick_node.failure import ExitCode, fatal
from tallystick_node.identity import NodeIdentity
from tallystick_node.limits import (
    ALARM_LOG_INTERVAL_S,
    MAX_SIZE_PER_MESSAGE,
    MAX_UNSTEPPED_BYTES,
    NO_CAMPAIGN_S,
    STALLED_LEADER_S,
    TRANSFER_TIMEOUT_S,
)
from tallystick_node.metrics import NodeMetrics
from tallystick_node.peer_wire import Hello
from tallystick_node.persist import PersistThread
from tallystick_node.pins import Pins
from tallystick_node.read_index import ReadBatcher
from tallystick_node.services.peer import PeerServer
from tallystick_node.storage import LogEntry, Store
from tallystick_node.transport import LinkEvents, Transport

__all__ = [
    "ChainTip",
    "CommittedEntry",
    "PeerProgress",
    "Replica",
    "ReplicaHooks",
    "ReplicaStatus",
    "Role",
]

_log = structlog.get_logger(__name__)

_NS_PER_MS: Final = 1_000_000
_PEER_STATES: Final = {
    PeerState.PROBE: "probe",
    PeerState.REPLICATE: "replicate",
    PeerState.SNAPSHOT: "snapshot",
}

EndProcess = Callable[[str, BaseException, ExitCode], None]


@dataclass(frozen=True, slots=True)
class PeerProgress:
    """What this node knows of a peer. `match_index` and `state` mean something on the leader."""

    raft_id: int
    connected: bool
    match_index: int
    state: str


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """A moment of the replica, for GetStatus."""

    raft_id: int
    role: Role
    term: int
    leader_id: int
    last_index: int
    commit_index: int
    applied_index: int
    peers: tuple[PeerProgress, ...]


class ReplicaHooks(Protocol):
    """What the replica calls, always on the event loop; must return quickly."""

    def committed(self, entries: Sequence[CommittedEntry]) -> None:
        """These are committed, in log order, each once. Answer with `Replica.applied`."""

    def leadership_changed(self, is_leader: bool, term: int, leader_id: int) -> None:
        """Role, term or known leader changed (`leader_id` 0: none known)."""

    def may_propose(self) -> None:
        """This node leads and has applied its own term's first entry: `propose` works from now."""

    def stepped_down(self) -> None:
        """This node led and does not any more: what it proposed may or may not commit."""


class Replica:
    """Runs Raft for one node. All methods belong to the event loop's thread."""

    def __init__(
        self,
        config: NodeConfig,
        identity: NodeIdentity,
        store: Store,
        hooks: ReplicaHooks,
        *,
        applied_index: int,
        applied_tip: ChainTip,
        metrics: NodeMetrics,
        clock_ns: Callable[[], int] = time.time_ns,
        end_process: EndProcess = fatal,
    ) -> None:
        """Make it from what is on disk; `start` starts it. Needs a running event loop.

        Args:
            config: settings.
            identity: who this node is.
            store: opened, not used by anybody else for its log side.
            hooks: what is called.
            applied_index: what the kernel has applied: exactly `store.commit_index`.
            applied_tip: the kernel's next sequence number and smallest timestamp there.
            metrics: of this node.
            clock_ns: the node's clock, ns since the epoch.
            end_process: called when this node must not go on.

        Raises:
            StartRefusedError: state and log contradict each other.
            DamagedLogError: an entry behind the commit index is damaged.
        """
        self._config = config
        self._identity = identity
        self._store = store
        self._hooks = hooks
        self._metrics = metrics
        self._clock_ns = clock_ns
        self._end_process = end_process
        self._loop = asyncio.get_running_loop()
        self._consensus = self._make_consensus(applied_index, applied_tip)
        self._halted = False
        self._carrying_out = False
        self._led = False
        self._room = asyncio.Event()
        self._role_changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._alarm_logged_s: dict[tuple[str, int], float] = {}
        self._reads = ReadBatcher(self._ask_read_index)
        self._persist = PersistThread(store, metrics, self._on_durable)
        self._checker = BlockChecker(
            identity,
            threads=config.work.threads(os.cpu_count() or 1),
            metrics=metrics,
            on_checked=self._on_checked,
        )
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-reader")
        pins = Pins(store)
        hello = Hello(identity.ledger_id, identity.raft_id, identity.incarnation)
        events = LinkEvents(unreachable=self._on_unreachable, refused=self._on_refused)
        self._server = PeerServer(identity, hello, pins, self._deliver)
        self._transport = Transport(identity, hello, config.peers, pins, events)
        gauges = metrics.replica
        gauges.last_index.set_function(lambda: self._consensus.last_index)
        gauges.commit_index.set_function(lambda: self._consensus.commit_index)
        gauges.applied_index.set_function(lambda: self._consensus.applied_index)

    def _make_consensus(self, applied_index: int, applied_tip: ChainTip) -> Consensus:
        config, store = self._config, self._store
        found = store.recovered
        if applied_index != found.hard_state.commit:
            raise StartRefusedError(
                f"state is applied up to {applied_index}, the log is committed up to "
                f"{found.hard_state.commit}: replay first"
            )
        tail = list(_read_all(store, applied_index + 1, found.last_index + 1))
        settings = config.raft
        core = RaftCore(
            config.raft_id,
            sorted(self._identity.transport_identities),
            term=found.hard_state.term,
            vote=found.hard_state.vote,
            commit=found.hard_state.commit,
            applied=applied_index,
            term_runs=list(found.runs),
            last_index=found.last_index,
            tail=[(entry.index, entry.term, entry.payload) for entry in tail],
            election_tick=settings.election_ticks,
            heartbeat_tick=settings.heartbeat_ticks,
            max_inflight_msgs=settings.max_inflight_messages,
            max_size_per_msg=MAX_SIZE_PER_MESSAGE,
            max_uncommitted_bytes=settings.max_uncommitted_bytes,
            seed=int.from_bytes(os.urandom(8), "little"),
            nonce=int.from_bytes(os.urandom(8), "little"),
        )
        patience = Patience(
            max_clock_ahead_ns=settings.max_clock_ahead_ms * _NS_PER_MS,
            stalled_ticks=_ticks(STALLED_LEADER_S, settings.tick_ms),
            silent_ticks=_ticks(NO_CAMPAIGN_S, settings.tick_ms),
        )
        return Consensus(
            core,
            raft_id=config.raft_id,
            applied_index=applied_index,
            applied_tip=applied_tip,
            tail=tail,
            patience=patience,
        )

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start threads, peer port and ticking.

        Raises:
            AddressTakenError: the peer port is taken.
        """
        self._persist.start()
        self._checker.start()
        port = await self._server.start(self._config.listen_peer)
        _log.info("peer port open", address=self._config.listen_peer, port=port)
        self._tasks = [*self._transport.start(), self._spawn(self._tick_forever(), "ticks")]
        for task in self._tasks:
            task.add_done_callback(_fatal_if_died)
        self._carry_out()

    async def hand_over(self) -> None:
        """As leader, hand leadership to another node; returns when it is gone, or after a while."""
        if self.role is not Role.LEADER or self._halted:
            return
        if not self._consensus.hand_over():
            return
        self._carry_out()
        try:
            async with asyncio.timeout(TRANSFER_TIMEOUT_S):
                while self.role is Role.LEADER:
                    self._role_changed.clear()
                    await self._role_changed.wait()
        except TimeoutError:
            _log.info("leadership was not taken over in time")

    async def stop(self) -> None:
        """Hand over leadership if held, stop ticking, close the peers, drain the threads."""
        await self.hand_over()
        self._halted = True
        for task in self._tasks:
            task.remove_done_callback(_fatal_if_died)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reads.close()
        await self._server.stop()
        await self._transport.close()
        await self._checker.stop()
        await self._persist.stop()
        await asyncio.to_thread(self._reader.shutdown)

    # -- what the rest of the node calls -----------------------------------------------------------

    def propose(self, block: bytes, tip: ChainTip) -> tuple[int, int]:
        """Append a block; returns (term, index).

        Args:
            block: its bytes; must continue from `self.tip`.
            tip: the chain's tip behind it.

        Raises:
            NotLeaderError: not leader, or own term's first entry not applied yet.
            ProposalRefusedError: too much is uncommitted, or leadership is being handed over.
        """
        if self._halted:
            raise NotLeaderError(0)
        started_s = time.perf_counter()
        try:
            place = self._consensus.propose(block, tip)
            self._carry_out()
        except ProposalDropped as error:
            raise ProposalRefusedError(str(error)) from error
        except NotLeaderError:
            raise
        except BaseException as error:  # noqa: BLE001 - PanicException is no Exception
            fatal("consensus", error)
        self._metrics.write_path.order.observe(time.perf_counter() - started_s)
        return place

    async def read_index(self) -> int:
        """An index such that state applied up to it is linearizable now; batched.

        Raises:
            NoQuorumError: no leader or no majority answered in time.
        """
        return await self._reads.read_index()

    def applied(self, index: int) -> None:
        """The kernel has applied everything up to `index`."""
        self._input(lambda: self._consensus.applied(index))

    @property
    def tip(self) -> ChainTip:
        """Behind the last entry of the log, committed or not."""
        return self._consensus.tip

    @property
    def may_propose(self) -> bool:
        """Leader, and own term's first entry applied."""
        return not self._halted and self._consensus.may_propose

    @property
    def uncommitted_bytes(self) -> int:
        """Payload bytes behind the commit index."""
        return self._consensus.uncommitted_bytes

    @property
    def uncommitted_entries(self) -> int:
        """Entries behind the commit index."""
        return self._consensus.uncommitted_entries

    @property
    def leader_id(self) -> int:
        """The known leader's Raft id, 0 for none."""
        return self._consensus.leader_id

    @property
    def role(self) -> Role:
        """Own role."""
        return self._consensus.role

    @property
    def term(self) -> int:
        """Own term."""
        return self._consensus.term

    @property
    def last_index(self) -> int:
        """Last entry of the log."""
        return self._consensus.last_index

    @property
    def signatures_verified(self) -> int:
        """Signatures in other leaders' blocks that this node verified."""
        return self._checker.signatures_verified

    def status(self) -> ReplicaStatus:
        """All of it, for GetStatus."""
        progress = {peer.id: peer for peer in self._consensus.status().peers}
        peers = tuple(
            PeerProgress(
                raft_id=raft_id,
                connected=self._transport.is_connected(raft_id),
                match_index=progress[raft_id].matched if raft_id in progress else 0,
                state=_PEER_STATES[progress[raft_id].state] if raft_id in progress else "",
            )
            for raft_id in sorted(self._config.peers)
        )
        return ReplicaStatus(
            raft_id=self._config.raft_id,
            role=self.role,
            term=self.term,
            leader_id=self.leader_id,
            last_index=self._consensus.last_index,
            commit_index=self._consensus.commit_index,
            applied_index=self._consensus.applied_index,
            peers=peers,
        )

    # -- inputs ------------------------------------------------------------------------------------

    async def _tick_forever(self) -> None:
        interval_s = self._config.raft.tick_ms / 1000
        due_s = self._loop.time() + interval_s
        while not self._halted:
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))
            # One tick, however late: time that this process slept through did not pass for it.
            due_s = max(due_s, self._loop.time() - interval_s) + interval_s
            self._input(self._consensus.tick)

    async def _deliver(self, peer: int, frame: bytes) -> bool:
        """Take a frame of a peer; wait while too much of that peer is unchecked."""
        now_ns = self._clock_ns()
        refused = self._input(lambda: self._consensus.receive(peer, frame, now_ns), peer)
        while self._consensus.backlog_bytes(peer) > MAX_UNSTEPPED_BYTES and not self._halted:
            self._room.clear()
            await self._room.wait()
        return not refused

    def _on_checked(self, ticket: int, bad: BadBlock | None) -> None:
        self._input(lambda: self._consensus.checked(ticket, bad))
        self._room.set()

    def _on_durable(self, number: int) -> None:
        self._input(lambda: self._consensus.persisted(number))

    def _on_unreachable(self, peer: int) -> None:
        self._input(lambda: self._consensus.unreachable(peer))

    def _on_fetched(self, low: int, entries: list[LogEntry]) -> None:
        self._input(lambda: self._consensus.fetched(low, entries))

    def _ask_read_index(self, context: bytes) -> None:
        self._consensus.read_index(context)
        self._carry_out()

    def _on_refused(self, peer: int, why: str) -> None:
        """A peer knows this id with another incarnation: this node has forgotten its promises."""
        if self._halted:
            return
        self._halted = True
        error = RefusedByPeerError(f"node {peer} refuses this node: {why}")
        _log.error("refused by a peer", peer=peer, why=why)
        self._end_process("peers", error, ExitCode.REFUSED)

    def _input(self, step: Callable[[], None], peer: int = 0) -> bool:
        """Feed the shell and carry out what follows; True if a frame of `peer` was refused."""
        if self._halted:
            return False
        try:
            step()
            return self._carry_out(peer)
        except BaseException as error:  # noqa: BLE001 - PanicException is no Exception
            fatal("consensus", error)

    # -- outputs -----------------------------------------------------------------------------------

    def _carry_out(self, peer: int = 0) -> bool:
        """Do what the shell asked for, in order; True if it refused a frame of `peer`."""
        if self._carrying_out or self._halted:
            return False  # a hook called back in: the loop below goes on with it
        refused = False
        self._carrying_out = True
        try:
            while actions := self._consensus.take_actions():
                for action in actions:
                    refused |= isinstance(action, Refused) and action.peer == peer
                    self._do(action)
        finally:
            self._carrying_out = False
        return refused

    def _do(self, action: Action) -> None:
        match action:
            case Send(to, bulk, frame):
                self._transport.send(to, frame, bulk=bulk)
            case Persist():
                self._persist.put(action)
            case Check():
                self._checker.put(action)
            case Commit(entries):
                self._hooks.committed(entries)
            case Fetch():
                self._fetch(action)
            case ReadReady(index, context):
                self._reads.answered(context, index)
            case Changed() | MayPropose() | Alarm() | Refused():
                self._report(action)

    def _report(self, event: Changed | MayPropose | Alarm | Refused) -> None:
        match event:
            case Changed():
                self._change(event)
            case MayPropose():
                self._hooks.may_propose()
            case Alarm():
                self._alarm(event)
            case Refused(peer, reason, detail):
                self._metrics.replica.refused_frames.labels(reason).inc()
                self._log_alarm("refused frame", peer, f"{reason}: {detail}")

    def _fetch(self, fetch: Fetch) -> None:
        def read() -> None:
            try:
                entries = self._store.entries(fetch.low, fetch.high, fetch.max_bytes)
            except BaseException as error:  # noqa: BLE001 - a damaged log must not be served
                fatal("log reader", error)
            self._loop.call_soon_threadsafe(self._on_fetched, fetch.low, entries)

        self._reader.submit(read)

    def _change(self, changed: Changed) -> None:
        leads = changed.role is Role.LEADER
        _log.info(
            "leadership", role=changed.role.value, term=changed.term, leader=changed.leader_id
        )
        self._metrics.replica.term.set(changed.term)
        self._metrics.replica.leader.set(leads)
        if self._led and not leads:
            self._hooks.stepped_down()
        if leads and not self._led:
            self._metrics.replica.elections.inc()
        self._led = leads
        self._hooks.leadership_changed(leads, changed.term, changed.leader_id)
        self._reads.leader_changed()
        self._role_changed.set()

    def _alarm(self, alarm: Alarm) -> None:
        self._metrics.replica.alarms.labels(alarm.kind.value).inc()
        self._log_alarm(alarm.kind.value, alarm.peer, alarm.detail)
        bad = alarm.evidence
        if bad is not None:
            self._reader.submit(self._write_evidence, alarm, bad, self._clock_ns())

    def _write_evidence(self, alarm: Alarm, bad: BadBlock, now_ns: int) -> None:
        try:
            path = write_evidence(self._config.directory, alarm, bad, now_ns)
        except OSError as error:
            _log.error("evidence cannot be written", why=str(error))
        else:
            _log.error("evidence against a leader", path=str(path), peer=alarm.peer)

    def _log_alarm(self, kind: str, peer: int, detail: str) -> None:
        now_s = self._loop.time()
        if now_s - self._alarm_logged_s.get((kind, peer), -ALARM_LOG_INTERVAL_S) >= (
            ALARM_LOG_INTERVAL_S
        ):
            self._alarm_logged_s[kind, peer] = now_s
            _log.error("alarm", kind=kind, peer=peer, detail=detail)

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        return asyncio.create_task(work, name=name)


def _read_all(store: Store, low: int, high: int) -> Sequence[LogEntry]:
    found: list[LogEntry] = []
    while low < high and (piece := store.entries(low, high)):
        found += piece
        low = piece[-1].index + 1
    return found


def _ticks(seconds: float, tick_ms: int) -> int:
    return max(1, round(seconds * 1000 / tick_ms))


def _fatal_if_died(task: asyncio.Task[None]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        fatal(f"task {task.get_name()}", error)
