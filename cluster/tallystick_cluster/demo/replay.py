"""Reads one stopped node's own directory, and replays its log into a kernel of this process.

Nothing that the node said while it ran is used. Its store is opened as the node itself would open
it, every entry is checked against its digest, and the kernel starts from the genesis; what the node
had checkpointed of its state is compared with the replay.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from tallystick_core import Applied, Kernel

from tallystick_cluster.layout import ClusterLayout
from tallystick_ledger import limits
from tallystick_ledger.block import Block
from tallystick_ledger.envelope import Envelope
from tallystick_ledger.ids import AccountId, HoldId, LedgerId, PrincipalId, object_id
from tallystick_ledger.records import Capture, Kind, Reserve
from tallystick_ledger.state_rows import AccountRow, Table, split_rows
from tallystick_node.identity import DATABASE_DIRECTORY, NodeIdentity
from tallystick_node.storage.store import Store

# Rows of `Applied.envelopes`: sequence number, record count, code, …, principal of the signer.
_APPLIED_BYTES: Final = 48
_SEQUENCE: Final = slice(0, 8)
_CODE: Final = slice(12, 14)
_PRINCIPAL: Final = slice(32, 48)


@dataclass(frozen=True, slots=True)
class Executed:
    """An envelope that the log executes.

    Attributes:
        sequence: Sequence number of its first record.
        result_bytes: 16 bytes a record; empty when all are OK, as in a receipt.
    """

    sequence: int
    result_bytes: bytes


@dataclass(slots=True)
class NodeReplay:
    """What one node's directory holds.

    Attributes:
        raft_id: Whose.
        entries: SHA-256 of the payload of each log entry up to the index that all nodes have.
        executed: SHA-256 of an envelope's bytes to each time that the log executes it.
        repeats: Envelopes that stand in the log without being executed there.
        reserved: Holds by the RESERVE that made each.
        captured: Holds by the amount captured in all.
        accounts: Every account of the ledger.
        state_digest: At the end of `entries`.
        tree_root: At the end of `entries`.
        tree_size: Envelopes up to there.
        digest_at: State digests at the sequence numbers that were asked for, where reached.
        checkpoints: (log index, digest of the node's checkpoint, digest of the replay there).
        violations: Invariants that do not hold.
        open_holds: How many.
    """

    raft_id: int
    entries: list[bytes] = field(default_factory=list)
    executed: dict[bytes, list[Executed]] = field(default_factory=lambda: defaultdict(list))
    repeats: int = 0
    reserved: dict[HoldId, Reserve] = field(default_factory=dict)
    captured: dict[HoldId, int] = field(default_factory=dict)
    accounts: dict[AccountId, AccountRow] = field(default_factory=dict)
    state_digest: bytes = b""
    tree_root: bytes = b""
    tree_size: int = 0
    digest_at: dict[int, bytes] = field(default_factory=dict)
    checkpoints: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    open_holds: int = 0


def replay_nodes(layout: ClusterLayout, sequences: Iterable[int]) -> list[NodeReplay]:
    """Replays every node of a stopped cluster.

    Args:
        layout: Its directory.
        sequences: Where the nodes told their state digests: next sequence numbers.

    Raises:
        NodeError: A directory is not whole, or a node still has it open.
        ValueError: An entry is no block that fits where it stands.
    """
    wanted = frozenset(sequences)
    with ExitStack() as stack:
        stores = []
        for node in layout.nodes:
            directory = layout.node_directory(node.raft_id)
            identity = NodeIdentity.load(directory, node.raft_id)
            store = Store.open(directory / DATABASE_DIRECTORY, identity)
            stack.callback(store.close)
            stores.append((identity, store))
        # What all three hold is committed, whatever each knew of that when it was stopped.
        common = min(store.last_index for _, store in stores)
        return [_Replay(identity, store, common, wanted).run() for identity, store in stores]


def account_rows(state_rows: bytes) -> Iterator[AccountRow]:
    """Yields the accounts among the rows of a state.

    Args:
        state_rows: All rows as the state digest is over them (docs/format.md section 10).
    """
    for table, row in split_rows(state_rows):
        if table == Table.ACCOUNT:
            yield AccountRow.decode(row)


class _Replay:
    """The replay of one node."""

    def __init__(
        self, identity: NodeIdentity, store: Store, common: int, wanted: frozenset[int]
    ) -> None:
        self._genesis = identity.genesis_bytes
        self._ledger_id = LedgerId(identity.ledger_id)
        self._store = store
        self._common = common
        self._wanted = wanted
        self._found = NodeReplay(identity.raft_id)

    def run(self) -> NodeReplay:
        found = self._found
        kernel = Kernel(self._genesis)
        checkpoint = self._store.load_checkpoint()
        end = max(self._common, 0 if checkpoint is None else checkpoint[0])
        for index, payload in self._store.payloads(1, end + 1):
            if payload:
                applied = kernel.apply(payload)
                if index <= self._common:
                    self._read(payload, applied)
                following = applied.first_sequence + applied.record_count
                if following in self._wanted:
                    found.digest_at[following] = kernel.state_digest()
            if index <= self._common:
                found.entries.append(hashlib.sha256(payload).digest())
            if index == self._common:
                self._read_state(kernel)
            if checkpoint is not None and index == checkpoint[0]:
                restored = Kernel.restore(self._genesis, checkpoint[1])
                found.checkpoints.append((index, restored.state_digest(), kernel.state_digest()))
        return found

    def _read_state(self, kernel: Kernel) -> None:
        found = self._found
        status = kernel.status()
        found.state_digest = kernel.state_digest()
        found.tree_root, found.tree_size = status.tree_root, status.tree_size
        found.violations = kernel.verify_invariants()
        found.open_holds = status.open_holds
        found.accounts = {row.account: row for row in account_rows(kernel.state_rows())}

    def _read(self, payload: bytes, applied: Applied) -> None:
        """Takes down what a block's envelopes did."""
        rows, results = applied.envelopes, applied.results
        at = 0
        for position, envelope in enumerate(Block.parse(payload).envelopes):
            row = rows[position * _APPLIED_BYTES : (position + 1) * _APPLIED_BYTES]
            end = at + envelope.header.record_count * limits.RESULT_BYTES
            result_bytes, at = results[at:end], end
            if int.from_bytes(row[_CODE], "little"):
                self._found.repeats += 1
                continue
            sequence = int.from_bytes(row[_SEQUENCE], "little")
            digest = hashlib.sha256(envelope.data).digest()
            executed = Executed(sequence, result_bytes if any(result_bytes) else b"")
            self._found.executed[digest].append(executed)
            self._read_records(envelope, PrincipalId(row[_PRINCIPAL]), result_bytes)

    def _read_records(self, envelope: Envelope, principal: PrincipalId, results: bytes) -> None:
        """Takes down the holds that succeeding records made or billed."""
        for head in envelope.heads():
            start = head.index * limits.RESULT_BYTES
            if any(results[start : start + limits.RESULT_BYTES]):
                continue
            if head.kind == Kind.RESERVE:
                hold = object_id(
                    self._ledger_id, principal, envelope.header.envelope_id, head.index
                )
                self._found.reserved[HoldId(hold)] = Reserve.decode(head.data)
            elif head.kind == Kind.CAPTURE:
                capture = Capture.decode(head.data)
                self._found.captured[capture.hold] = capture.amount
