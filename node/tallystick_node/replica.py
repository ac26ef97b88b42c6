"""The consensus half of a node: Raft, its log on disk and its peers, as one asyncio object.

Skeleton of the seam; being filled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tallystick_node.config import NodeConfig
from tallystick_node.identity import NodeIdentity
from tallystick_node.storage.store import Store


class Role(StrEnum):
    """What this node is in its term."""

    LEADER = "leader"
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    PRE_CANDIDATE = "pre_candidate"


@dataclass(frozen=True, slots=True)
class ChainTip:
    """What the next block must continue from.

    Attributes:
        next_sequence: sequence number of its first record.
        min_next_timestamp_ns: smallest timestamp it may have.
    """

    next_sequence: int
    min_next_timestamp_ns: int


@dataclass(frozen=True, slots=True)
class CommittedEntry:
    """An entry that a majority has on disk. `payload` is empty for Raft's own entries."""

    index: int
    term: int
    payload: bytes


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
    ) -> None:
        """Args:
        applied_index: what the kernel has applied: exactly `store.recovered.hard_state.commit`.
        applied_tip: the kernel's next sequence number and smallest timestamp there.
        """
        raise NotImplementedError

    async def start(self) -> None:
        """Start threads, peer server and ticking."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Hand over leadership if held, stop ticking, drain the persist thread, close peers."""
        raise NotImplementedError

    async def wait_closed(self) -> None:
        """Returns when the replica has stopped; raises if a part of it died."""
        raise NotImplementedError

    def propose(self, block: bytes, tip: ChainTip) -> tuple[int, int]:
        """Append a block; returns (term, index).

        Args:
            block: the block's bytes; must continue from `self.tip`.
            tip: the chain's tip after it.

        Raises:
            NotLeaderError: not leader, or own term's first entry not applied yet.
            ProposalRefusedError: too much uncommitted; try again after the next commit.
        """
        raise NotImplementedError

    async def read_index(self) -> int:
        """An index such that state applied up to it is linearizable now; batched.

        Raises:
            NotLeaderError: no leader known to forward to.
            NoQuorumError: no answer in time.
        """
        raise NotImplementedError

    def applied(self, index: int) -> None:
        """The kernel has applied everything up to `index`."""
        raise NotImplementedError

    @property
    def tip(self) -> ChainTip:
        """After the last entry of the log, committed or not."""
        raise NotImplementedError

    @property
    def may_propose(self) -> bool:
        """Leader, and own term's first entry applied."""
        raise NotImplementedError

    @property
    def uncommitted_bytes(self) -> int:
        """Payload bytes behind the commit index."""
        raise NotImplementedError

    @property
    def uncommitted_entries(self) -> int:
        """Entries behind the commit index."""
        raise NotImplementedError

    @property
    def leader_id(self) -> int:
        """The known leader's Raft id, 0 for none."""
        raise NotImplementedError

    @property
    def role(self) -> Role:
        """Own role."""
        raise NotImplementedError

    @property
    def term(self) -> int:
        """Own term."""
        raise NotImplementedError

    def status(self) -> ReplicaStatus:
        """All of it, for GetStatus."""
        raise NotImplementedError
