"""A node: everything wired together, from its directory to its ports.

Start: open the store (it refuses what is not this node's own, whole directory) → newest checkpoint
→ replay of the committed tail → Raft → services. Stop: no new requests, leadership handed over,
everything applied, a checkpoint written. A kill at any moment is as good as a stop, only slower to
come back from.
"""

import asyncio
import importlib.metadata
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tallystick_core import Applied, Kernel, KernelStatus

from tallystick_ledger.ids import LedgerId
from tallystick_node.apply import ApplyWorker, apply_entry
from tallystick_node.config import NodeConfig
from tallystick_node.errors import AddressTakenError
from tallystick_node.failure import fatal
from tallystick_node.fairness import ConnectionBook
from tallystick_node.history import History, covered_until
from tallystick_node.history_reads import HistoryReads
from tallystick_node.identity import DATABASE_DIRECTORY, NodeIdentity
from tallystick_node.limits import HISTORY_CHUNK_RECORDS, STOP_GRACE_S
from tallystick_node.logs import configure_logs
from tallystick_node.metrics import NodeMetrics, serve_metrics
from tallystick_node.originals import Originals
from tallystick_node.pipeline import Pipeline
from tallystick_node.reads import Reads
from tallystick_node.replica import ChainTip, CommittedEntry, Replica
from tallystick_node.services.gate import Gate
from tallystick_node.services.history import HistoryService
from tallystick_node.services.ledger import LedgerService
from tallystick_node.services.market import MarketService
from tallystick_node.services.reflection import offer_reflection
from tallystick_node.services.turnstile import client_server
from tallystick_node.storage import Store
from tallystick_node.ticker import Ticker
from tallystick_node.verify import Verifier
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2 as pb

log = structlog.get_logger(__name__)
VERSION = importlib.metadata.version("tallystick")


def recover(
    genesis: bytes, store: Store, *, chunk_records: int = HISTORY_CHUNK_RECORDS
) -> tuple[Kernel, int, History]:
    """State as of the last entry that is known to be committed, and the history index.

    Where that index or that of names does not reach the checkpoint, the whole log is replayed.

    Args:
        genesis: The ledger's genesis bytes.
        store: The node's store.
        chunk_records: Of the history index.

    Returns:
        The kernel, the Raft index it has applied, the history index.
    """
    kernel, applied = Kernel(genesis), 0
    checkpoint = store.load_checkpoint()
    if checkpoint is None:
        log.info("no checkpoint", replays=store.commit_index)
    else:
        restored = Kernel.restore(genesis, checkpoint[1])
        if _indexes_reach(store, restored.status(), chunk_records):
            kernel, applied = restored, checkpoint[0]
            log.info("checkpoint loaded", index=applied, replays=store.commit_index - applied)
    history = History(kernel, store, chunk_records=chunk_records)
    for index, payload in store.payloads(applied + 1, store.commit_index + 1):
        done = apply_entry(kernel, store, index, payload)
        if done is not None:
            history.applied(done.first_sequence + done.record_count)
        applied = index
    return kernel, applied, history


def _indexes_reach(store: Store, checkpoint: KernelStatus, chunk_records: int) -> bool:
    """Whether history and names on disk are all that a checkpoint has behind it."""
    indexed, named = covered_until(store, chunk_records), store.name_count()
    if indexed < checkpoint.next_sequence:
        store.reset_history()
        log.warning(
            "the history index is built anew from the whole log",
            indexed=indexed,
            checkpoint=checkpoint.next_sequence,
            replays=store.commit_index,
        )
        return False
    if named < checkpoint.names:
        log.warning(
            "the index of names is built anew from the whole log",
            names=named,
            checkpoint=checkpoint.names,
            replays=store.commit_index,
        )
        return False
    return True


class Node:
    """One running node."""

    def __init__(self, config: NodeConfig, identity: NodeIdentity) -> None:
        self.config = config
        self.identity = identity
        self.genesis = identity.genesis
        self.metrics = NodeMetrics()
        self._started_s = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []
        self.stopped = asyncio.Event()

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Recovers, joins its group and opens its ports."""
        loop = asyncio.get_running_loop()
        identity = self.identity
        threads = self.config.work.threads(os.cpu_count() or 1)
        self.store = Store.open(self.config.directory / DATABASE_DIRECTORY, identity)
        self.kernel, applied, self.history = await loop.run_in_executor(
            None, recover, identity.genesis_bytes, self.store
        )
        recovered = self.kernel.status()
        log.info("recovered", applied_index=applied, next_sequence=recovered.next_sequence)
        self.verifier = Verifier(self.kernel, threads=threads, entropy=os.urandom)
        self.replica = Replica(
            self.config,
            identity,
            self.store,
            self,
            applied_index=applied,
            applied_tip=ChainTip(recovered.next_sequence, recovered.min_next_timestamp_ns),
            metrics=self.metrics,
        )
        self._make_readers(applied)
        self.connections = ConnectionBook()
        self.pipeline = Pipeline(
            proposer=self.replica,
            verifier=self.verifier,
            originals=self.originals,
            metrics=self.metrics.write_path,
            clock_ns=time.time_ns,
            leader_hint=self.leader_hint,
            connections=self.connections,
        )
        self.ticker = Ticker(
            pipeline=self.pipeline,
            submit=self.pipeline.submit,
            kernel=self.kernel,
            ledger_id=LedgerId(identity.ledger_id),
            signing_key=identity.ledger_key,
            max_lifetime_ns=self.genesis.max_lifetime_ns,
            clock_ns=time.time_ns,
            entropy=os.urandom,
            undecided_until_ns=lambda: self.originals.undecided_until_ns,
        )
        self.worker = ApplyWorker(
            kernel=self.kernel,
            store=self.store,
            history=self.history,
            applied_index=applied,
            on_applied=self._on_applied,
            metrics=self.metrics.write_path,
            checkpoint_every_bytes=self.config.work.checkpoint_every_bytes,
            threads=threads,
        )
        self.worker.start()
        await self.replica.start()
        await self._serve()
        self._tasks = [
            loop.create_task(self._guard("pipeline", self.pipeline.run())),
            loop.create_task(self._guard("ticker", self.ticker.run())),
        ]
        log.info("serving", address=self.config.listen_client, raft_id=self.config.raft_id)

    def _make_readers(self, applied_index: int) -> None:
        """Makes what answers questions about the state and the past."""
        self.reads = Reads(
            kernel=self.kernel, store=self.store, source=self.replica, applied_index=applied_index
        )
        self.history_reads = HistoryReads(
            kernel=self.kernel, store=self.store, history=self.history
        )
        self.metrics.watch(
            "history_unwritten_records",
            "Records whose postings are in memory, not in the history index on disk",
            lambda: self.history.unwritten_records,
        )
        self.originals = Originals(
            kernel=self.kernel, store=self.store, wait=self.reads.wait_for_sequence
        )

    async def _serve(self) -> None:
        """Opens the client port and the metrics port."""
        self.server = client_server(self.connections)
        self.gate = Gate(
            ledger_id=LedgerId(self.identity.ledger_id),
            kernel=self.kernel,
            log_time_ns=lambda: self.reads.log_time_ns,
            clock_ns=time.time_ns,
        )
        service = LedgerService(
            pipeline=self.pipeline,
            reads=self.reads,
            gate=self.gate,
            kernel=self.kernel,
            status=self.status,
            max_lifetime_ns=self.genesis.max_lifetime_ns,
        )
        history = HistoryService(
            reads=self.reads, history=self.history_reads, gate=self.gate, kernel=self.kernel
        )
        market = MarketService(
            reads=self.reads, store=self.store, gate=self.gate, kernel=self.kernel
        )
        handlers = (service.handler(), history.handler(), market.handler())
        self.server.add_generic_rpc_handlers(handlers)
        self.health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        for name in ("", wire.SERVICE):
            await self.health.set(name, health_pb2.HealthCheckResponse.SERVING)
        if self.config.reflection:
            offer_reflection(self.server)
        credentials = grpc.ssl_server_credentials(
            [(self.identity.key_pem, self.identity.certificate_pem)]
        )
        try:
            self.server.add_secure_port(self.config.listen_client, credentials)
        except RuntimeError as error:  # grpc has none of its own for it
            raise AddressTakenError("listen_client", self.config.listen_client) from error
        await self.server.start()
        if self.config.listen_metrics is not None:
            try:
                serve_metrics(self.metrics, self.config.listen_metrics)
            except OSError as error:
                raise AddressTakenError("listen_metrics", self.config.listen_metrics) from error

    async def stop(self) -> None:
        """Stops in good order: what was accepted is finished, then state is checkpointed."""
        if self.stopped.is_set():
            return
        log.info("stopping")
        await self.health.enter_graceful_shutdown()
        await self.server.stop(STOP_GRACE_S)
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self.replica.stop()
        await asyncio.get_running_loop().run_in_executor(None, self.worker.stop)
        await asyncio.get_running_loop().run_in_executor(None, self.history.close)
        self.history_reads.close()
        self.verifier.close()
        self.originals.close()
        self.store.close()
        self.stopped.set()
        log.info("stopped")

    @staticmethod
    async def _guard(name: str, work: object) -> None:
        """Ends the process if a task that must never end does."""
        try:
            await work  # type: ignore[misc]
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - a Rust panic is no Exception
            fatal(name, error)

    # -- hooks of the replica and the apply worker -----------------------------------------------

    def committed(self, entries: Sequence[CommittedEntry]) -> None:
        """These entries are committed; in log order."""
        for entry in entries:
            self.pipeline.committed(entry.index)
        self.worker.put(entries)

    def leadership_changed(self, is_leader: bool, term: int, leader_id: int) -> None:
        """Role, term or known leader changed."""
        log.info("leadership", leading=is_leader, term=term, leader=leader_id)
        if not is_leader:
            self.pipeline.leadership_changed(leading=False)
            self.ticker.leadership_changed(leading=False)

    def may_propose(self) -> None:
        """This node leads and has applied its own term's first entry."""
        self.pipeline.leadership_changed(leading=True)
        self.ticker.leadership_changed(leading=True)

    def stepped_down(self) -> None:
        """This node led and does not any more."""
        self.pipeline.leadership_changed(leading=False)
        self.ticker.leadership_changed(leading=False)

    def _on_applied(self, index: int, term: int, applied: Applied | None) -> None:
        """A committed entry has been applied and its rows written."""
        if applied is None:
            self.reads.applied(index, 0, 0)
        else:
            after = applied.first_sequence + applied.record_count
            self.reads.applied(index, after, applied.timestamp_ns + applied.record_count)
        self.replica.applied(index)
        self.pipeline.applied(index, term, applied)

    # -- status ----------------------------------------------------------------------------------

    def leader_hint(self) -> wire.LeaderHint | None:
        """Where the leader answers clients, as far as this node knows."""
        leader = self.replica.leader_id
        if not leader:
            return None
        return wire.LeaderHint(leader, self.config.nodes[leader].client)

    def status(self) -> pb.GetStatusResponse:
        """The fields of GetStatus but the digest."""
        kernel, raft = self.kernel.status(), self.replica.status()
        hint = self.leader_hint()
        return pb.GetStatusResponse(
            raft_id=self.config.raft_id,
            role=raft.role,
            term=raft.term,
            leader=None
            if hint is None
            else pb.LeaderHint(raft_id=hint.raft_id, address=hint.address),
            last_index=raft.last_index,
            commit_index=raft.commit_index,
            applied_index=self.reads.applied_index,
            next_sequence=kernel.next_sequence,
            log_time_ns=kernel.min_next_timestamp_ns,
            tree_size=kernel.tree_size,
            tree_root=kernel.tree_root,
            ledger_id=self.identity.ledger_id,
            account_count=kernel.accounts,
            open_hold_count=kernel.holds,
            live_id_count=kernel.live_ids,
            signatures_verified=self.verifier.signatures_verified
            + self.replica.signatures_verified,
            log_syncs=self.store.sync_count,
            peers=[
                pb.PeerStatus(
                    raft_id=peer.raft_id,
                    connected=peer.connected,
                    match_index=peer.match_index,
                    state=peer.state,
                )
                for peer in raft.peers
            ],
            version=VERSION,
            uptime_ms=int((time.monotonic() - self._started_s) * 1000),
        )


async def serve(directory: Path) -> None:
    """Runs the node in ``directory`` until SIGTERM or SIGINT."""
    config = NodeConfig.load(directory)
    configure_logs(config.log, config.raft_id)
    node = Node(config, NodeIdentity.load(directory, config.raft_id))
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await node.start()
    await stop.wait()
    await node.stop()


def run_node(directory: Path) -> None:
    """Runs the node in ``directory``; the body of ``tallystick node run``.

    Raises:
        NodeError: The directory, its settings or its data do not allow a start.
    """
    asyncio.run(serve(directory))
