"""Three real replicas in one process: real stores, real mutual TLS over loopback, real blocks.

The state machine behind a replica is the simplest there is: it remembers what was committed.
Waiting is on events (`Cluster.until`), never on a guess of how long something takes.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tallystick_cluster import pki
from tallystick_cluster.layout import free_addresses
from tallystick_ledger.block import build
from tallystick_ledger.envelope import seal
from tallystick_ledger.genesis import Genesis, GenesisNode
from tallystick_ledger.ids import PublicKey, SequenceNumber, TimestampNs, new_envelope_id
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records.system import Tick
from tallystick_node.config import NodeConfig, PeerAddress, RaftSettings
from tallystick_node.consensus_chain import block_place
from tallystick_node.identity import NodeIdentity, create_seeds, initialise
from tallystick_node.metrics import NodeMetrics
from tallystick_node.replica import ChainTip, CommittedEntry, Replica, Role
from tallystick_node.storage import Store

NODES = (1, 2, 3)
OPERATOR = SigningKey(b"o" * 32)
# Short enough for quick tests, long enough for a busy machine.
RAFT = RaftSettings(tick_ms=25, heartbeat_ticks=2, election_ticks=20)
WAIT_S = 40.0


class Node:
    """One node of the test cluster: its directory and, while it runs, its replica."""

    def __init__(self, cluster: "Cluster", raft_id: int) -> None:
        self.cluster = cluster
        self.raft_id = raft_id
        self.directory = cluster.directory / f"node-{raft_id}"
        self.metrics = NodeMetrics()
        self.committed: list[CommittedEntry] = []
        self.events: list[str] = []
        self.ended: list[tuple[str, BaseException, int]] = []
        self.clock_skew_ns = 0
        self.replica: Replica | None = None
        self.store: Store | None = None

    @property
    def running(self) -> Replica:
        assert self.replica is not None
        return self.replica

    async def start(self) -> None:
        config = NodeConfig(
            directory=self.directory,
            raft_id=self.raft_id,
            listen_client="127.0.0.1:0",
            listen_peer=self.cluster.addresses[self.raft_id].peer,
            nodes=self.cluster.addresses,
            raft=self.cluster.raft,
        )
        identity = NodeIdentity.load(self.directory, self.raft_id)
        store = Store.open(self.directory / "db", identity)
        tip = ChainTip(1, 0)
        self.committed = []
        for index, payload in store.payloads(1, store.commit_index + 1):
            self.committed.append(CommittedEntry(index, 0, payload))
            place = block_place(payload)
            tip = place.tip if place else tip
        self.store = store
        self.replica = Replica(
            config,
            identity,
            store,
            _Hooks(self),
            applied_index=store.commit_index,
            applied_tip=tip,
            metrics=self.metrics,
            clock_ns=lambda: time.time_ns() + self.clock_skew_ns,
            end_process=lambda part, error, code: self.ended.append((part, error, int(code))),
        )
        await self.replica.start()

    async def stop(self, *, graceful: bool = False) -> None:
        """Stop; without grace as abruptly as one process allows: no leadership is handed over."""
        replica, store = self.replica, self.store
        self.replica = self.store = None
        if replica is None or store is None:
            return
        if not graceful:
            replica._halted = True
        await replica.stop()
        store.close()
        self.cluster.notify()

    # The hooks of a replica.

    def committed_(self, entries: Sequence[CommittedEntry]) -> None:
        self.committed.extend(entries)
        self.running.applied(entries[-1].index)
        self.cluster.notify()

    def leadership_changed(self, is_leader: bool, term: int, leader_id: int) -> None:
        self.events.append(f"{'leads' if is_leader else 'follows'} {term} {leader_id}")
        self.cluster.notify()

    def may_propose(self) -> None:
        self.events.append("may propose")
        self.cluster.notify()

    def stepped_down(self) -> None:
        self.events.append("stepped down")
        self.cluster.notify()

    # What tests ask.

    @property
    def blocks(self) -> list[bytes]:
        return [entry.payload for entry in self.committed if entry.payload]

    def count(self, name: str, label: str) -> float:
        return self.metrics.registry.get_sample_value(name, {"kind": label}) or 0.0

    def refused(self, reason: str) -> float:
        return (
            self.metrics.registry.get_sample_value(
                "tallystick_refused_frames_total", {"reason": reason}
            )
            or 0.0
        )


class _Hooks:
    """`Node.committed` is data, so the hook of that name stands here."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.committed = node.committed_
        self.leadership_changed = node.leadership_changed
        self.may_propose = node.may_propose
        self.stepped_down = node.stepped_down


class Cluster:
    """Three nodes with one genesis."""

    def __init__(self, directory: Path, raft: RaftSettings = RAFT) -> None:
        self.directory = directory
        self.raft = raft
        peers = free_addresses(len(NODES))
        self.addresses = {
            raft_id: PeerAddress(peer=peer, client="127.0.0.1:0")
            for raft_id, peer in zip(NODES, peers, strict=True)
        }
        self._changed = asyncio.Event()
        self.ca = pki.make_ca(now_ns=time.time_ns())
        entries = []
        for raft_id in NODES:
            folder = directory / f"node-{raft_id}"
            credentials = pki.issue_node_certificate(self.ca, raft_id, now_ns=time.time_ns())
            pki.write_node_credentials(folder / "identity", credentials)
            ledger_key, cosigner_key = create_seeds(folder)
            entries.append(
                GenesisNode(
                    raft_id,
                    credentials.transport_identity,
                    PublicKey(ledger_key),
                    PublicKey(cosigner_key),
                )
            )
        self.genesis = Genesis(
            random_bytes=b"r" * 32,
            origin="test.example/replicas",
            operators=[OPERATOR.public_key],
            nodes=entries,
        )
        for raft_id in NODES:
            initialise(directory / f"node-{raft_id}", self.genesis.encode(), raft_id)
        self.nodes = {raft_id: Node(self, raft_id) for raft_id in NODES}

    async def start(self) -> None:
        for node in self.nodes.values():
            await node.start()

    async def stop(self) -> None:
        for node in self.nodes.values():
            await node.stop()

    def notify(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], bool], what: str = "") -> None:
        """Wait until a condition holds; it is looked at after each event, and now and then."""
        deadline_s = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline_s, f"in vain: {what} {self.describe()}"
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), 0.05)

    async def until_all_have(self, blocks: list[bytes]) -> None:
        """Wait until every node that runs has committed exactly these blocks."""
        await self.until(lambda: all(node.blocks == blocks for node in self.up), "the same blocks")

    def describe(self) -> str:
        return "; ".join(
            f"{raft_id}: {node.running.status() if node.replica else 'down'}"
            for raft_id, node in self.nodes.items()
        )

    @property
    def up(self) -> list[Node]:
        """Nodes that run and were not told to end."""
        return [node for node in self.nodes.values() if node.replica and not node.ended]

    def leader_or_none(self) -> Node | None:
        """The node that may propose, if all that run agree on it."""
        leaders = [node for node in self.up if node.running.may_propose]
        agreed = {(node.running.leader_id, node.running.term) for node in self.up}
        return leaders[0] if len(leaders) == 1 and len(agreed) == 1 else None

    async def other_leader(self, former: Node) -> Node:
        """Wait until another than `former` may propose, in a later term."""
        term = former.running.term

        def leads(node: Node) -> bool:
            return node.running.may_propose and node.running.term > term

        others = [node for node in self.up if node is not former]
        await self.until(lambda: any(leads(node) for node in others), "another leader")
        return await self.leader()

    async def leader(self) -> Node:
        await self.until(lambda: self.leader_or_none() is not None, "a leader")
        found = self.leader_or_none()
        assert found is not None
        return found

    def followers(self) -> list[Node]:
        return [node for node in self.up if node.running.role is not Role.LEADER]

    async def commit(self, count: int, *, records: int = 1) -> list[bytes]:
        """Have the leader commit that many blocks, one after the other; returns them."""
        blocks = []
        for _ in range(count):
            leader = await self.leader()
            block, tip = self.block(leader.running.tip, records=records)
            _, index = leader.running.propose(block, tip)
            await self.until(
                lambda leader=leader, index=index: bool(  # type: ignore[misc]
                    leader.committed and leader.committed[-1].index >= index
                ),
                "a commit",
            )
            blocks.append(block)
        return blocks

    def block(
        self, tip: ChainTip, *, records: int = 1, now_ns: int | None = None
    ) -> tuple[bytes, ChainTip]:
        """A good block of one envelope behind `tip`, and the tip behind it."""
        now_ns = time.time_ns() if now_ns is None else now_ns
        timestamp_ns = max(now_ns, tip.min_next_timestamp_ns)
        nonces = (tip.next_sequence + position for position in range(records))
        data = b"".join(Tick().encode((nonce << 8 | 1).to_bytes(16, "little")) for nonce in nonces)
        now_ms = now_ns // 1_000_000
        envelope = seal(
            OPERATOR,
            self.genesis.ledger_id,
            new_envelope_id(now_ms, tip.next_sequence.to_bytes(10, "little")),
            TimestampNs(now_ms * 1_000_000 + 60_000_000_000),
            data,
        )
        block = build([envelope], TimestampNs(timestamp_ns), SequenceNumber(tip.next_sequence))
        return block, ChainTip(tip.next_sequence + records, timestamp_ns + records)

    def wipe(self, raft_id: int) -> None:
        """Take away all that `initialise` made; the keys stay."""
        folder = self.directory / f"node-{raft_id}"
        shutil.rmtree(folder / "db")
        (folder / "genesis.bin").unlink()
        (folder / "INCARNATION").unlink()


def force_propose(node: Node, payload: bytes) -> None:
    """What a lying leader does: past the shell's checks, straight into its core."""
    consensus = node.running._consensus
    consensus._core.propose(payload)
    consensus._pump()
    node.running._carry_out()
