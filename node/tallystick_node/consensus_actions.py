"""What the consensus shell asks for: values that the replica carries out, in the order given."""

from dataclasses import dataclass
from enum import StrEnum

from tallystick_node.consensus_chain import ChainTip
from tallystick_node.storage.rows import HardState, LogEntry


class Role(StrEnum):
    """What a node is in its term."""

    LEADER = "leader"
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    PRE_CANDIDATE = "pre_candidate"


@dataclass(frozen=True, slots=True)
class CommittedEntry:
    """An entry that a majority has on disk. `payload` is empty for Raft's own entries."""

    index: int
    term: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame to a peer, on its bulk or its control stream."""

    to: int
    bulk: bool
    frame: bytes


@dataclass(frozen=True, slots=True)
class Persist:
    """Write entries (replacing what they conflict with) and hard state, and sync.

    Answer `persisted(number)` then; nothing that depends on it leaves before.
    """

    number: int
    entries: tuple[LogEntry, ...]
    hard_state: HardState | None


@dataclass(frozen=True, slots=True)
class Commit:
    """Apply these, in order; answer `applied` for the last."""

    entries: tuple[CommittedEntry, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read entries [low, high) from disk: at most `max_bytes`, at least one. Answer `fetched`."""

    low: int
    high: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class BlockJob:
    """One block to check from its bytes alone.

    Attributes:
        index: where it would stand in the log.
        block: its bytes.
        before: the tip that it must continue.
    """

    index: int
    block: bytes
    before: ChainTip


@dataclass(frozen=True, slots=True)
class Check:
    """Check blocks off the loop, in order of the tickets; answer `checked(ticket, …)`."""

    ticket: int
    jobs: tuple[BlockJob, ...]


@dataclass(frozen=True, slots=True)
class BadBlock:
    """The first block of a Check that failed.

    Attributes:
        job: which.
        code: a result code below 64.
        detail: for people.
    """

    job: BlockJob
    code: int
    detail: str


@dataclass(frozen=True, slots=True)
class ReadReady:
    """State applied up to `index` answers the read asked for with `context`."""

    index: int
    context: bytes


@dataclass(frozen=True, slots=True)
class Changed:
    """Role, term or leader changed."""

    role: Role
    term: int
    leader_id: int


@dataclass(frozen=True, slots=True)
class MayPropose:
    """This node leads and has applied its own term's first entry."""

    term: int


class AlarmKind(StrEnum):
    """What a person has to look at."""

    BAD_BLOCK = "bad_block"
    BLOCK_FROM_THE_FUTURE = "block_from_the_future"
    STALLED_LEADER = "stalled_leader"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Count and log it; `evidence` goes into a file.

    Attributes:
        kind: what happened.
        peer: Raft id of the node concerned.
        term: its term.
        detail: for people.
        evidence: the block that failed, with its code and index.
    """

    kind: AlarmKind
    peer: int
    term: int
    detail: str
    evidence: BadBlock | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A frame that no honest peer sends: count it; its stream is closed."""

    peer: int
    reason: str
    detail: str


Action = (
    Send | Persist | Commit | Fetch | Check | ReadReady | Changed | MayPropose | Alarm | Refused
)
