"""What the nodes themselves hold: their own directories, read after they were stopped.

Nothing that a node said while it ran is believed here. Its store is opened with all the checks of a
start, every entry is compared with its digest, and the log is replayed from the genesis by a kernel
of this process.
"""

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass, field

from tallystick_core import Kernel

from tallystick.results import OUTCOME
from tallystick_cluster.campaign.witness import Told, Witness, header_digest
from tallystick_cluster.layout import ClusterLayout
from tallystick_ledger.block import Block
from tallystick_ledger.codes import Code
from tallystick_ledger.limits import RESULT_BYTES
from tallystick_node.config import NodeConfig
from tallystick_node.identity import DATABASE_DIRECTORY, NodeIdentity
from tallystick_node.storage import Store


@dataclass(slots=True)
class Holding:
    """What one node's own log holds, up to the index that all nodes have.

    Attributes:
        raft_id: Whose.
        entries: SHA-256 of each entry's payload.
        executed: By header digest, each time that the log executes the envelope. One that was
            ordered again and answered DUPLICATE was executed once.
        state_digest: Of the state that the replay ends with.
        violations: Invariants that do not hold in it.
    """

    raft_id: int
    entries: list[bytes] = field(default_factory=list)
    executed: dict[bytes, list[Told]] = field(default_factory=dict)
    state_digest: bytes = b""
    violations: list[str] = field(default_factory=list)


def open_store(layout: ClusterLayout, raft_id: int) -> Store:
    """Opens the store of a node that does not run, with all the checks of a start.

    Raises:
        StartRefusedError: The node itself would not start.
    """
    directory = layout.node_directory(raft_id)
    identity = NodeIdentity.load(directory, NodeConfig.load(directory).raft_id)
    return Store.open(directory / DATABASE_DIRECTORY, identity)


def read_holdings(layout: ClusterLayout) -> list[Holding]:
    """Replays the log of every node of a stopped cluster.

    Raises:
        StartRefusedError: A node itself would not start.
        DamagedLogError: An entry does not match its digest.
    """
    with ExitStack() as stack:
        stores = []
        for node in layout.nodes:
            store = open_store(layout, node.raft_id)
            stack.callback(store.close)
            stores.append((node.raft_id, store))
        # What all of them hold is committed, whatever each knew of that when it was stopped.
        common = min(store.last_index for _, store in stores)
        return [_replay(raft_id, store, common, layout.genesis) for raft_id, store in stores]


def _replay(raft_id: int, store: Store, last_index: int, genesis: bytes) -> Holding:
    holding = Holding(raft_id)
    kernel = Kernel(genesis)
    for _, payload in store.payloads(1, last_index + 1):
        holding.entries.append(hashlib.sha256(payload).digest())
        if payload:
            applied = kernel.apply(payload)
            _take_down(holding, payload, applied.outcomes, applied.results)
    holding.state_digest = kernel.state_digest()
    holding.violations = kernel.verify_invariants()
    return holding


def _take_down(holding: Holding, payload: bytes, outcomes: bytes, results: bytes) -> None:
    """Takes down what a block's envelopes did."""
    at = 0
    for envelope, (code, _, count, sequence, timestamp_ns) in zip(
        Block.parse(payload).envelopes, OUTCOME.iter_unpack(outcomes), strict=True
    ):
        mine, at = results[at : at + count * RESULT_BYTES], at + count * RESULT_BYTES
        if code == Code.OK:
            told = Told(sequence, timestamp_ns, mine if any(mine) else b"")
            holding.executed.setdefault(header_digest(envelope.data), []).append(told)


def compare(
    holdings: list[Holding], witness: Witness, told_digest: bytes | None = None
) -> list[str]:
    """What is wrong with the stores, in sentences; nothing is good.

    Args:
        holdings: Of all nodes.
        witness: What clients were told.
        told_digest: The state digest that the running nodes told at the end, if they were asked.
    """
    faults: list[str] = []
    first = holdings[0]
    for holding in holdings:
        name = f"node {holding.raft_id}"
        for digest, told in witness.told.items():
            found = holding.executed.get(digest, [])
            if found != [told]:
                faults.append(f"{name}: envelope {digest.hex()[:16]} told {told}, stored {found}")
        faults += [
            f"{name}: envelope {digest.hex()[:16]} executed {len(times)} times"
            for digest, times in holding.executed.items()
            if len(times) != 1
        ]
        faults += [f"{name}: {violation}" for violation in holding.violations]
        if holding.entries != first.entries:
            faults.append(f"{name}: its log differs from that of node {first.raft_id}")
        if holding.state_digest != (told_digest or first.state_digest):
            faults.append(f"{name}: the replay gives another state digest")
    return faults
