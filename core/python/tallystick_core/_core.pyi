"""Type stubs and reference documentation of the compiled module."""

from typing import ClassVar, Final, final

from tallystick_core._admission import Admission as Admission
from tallystick_core._history import HistoryChunk as HistoryChunk
from tallystick_core._history import HistoryGapError as HistoryGapError
from tallystick_core._history import HistoryMerge as HistoryMerge
from tallystick_core._history import HistoryPageError as HistoryPageError
from tallystick_core._history import HistorySearch as HistorySearch
from tallystick_core._history import KernelHistory as KernelHistory
from tallystick_core._history import cut_conts as cut_conts
from tallystick_core._history import cut_records as cut_records
from tallystick_core._history import history_tag_of_kind as history_tag_of_kind
from tallystick_core._kernel import Applied as Applied
from tallystick_core._kernel import BlockError as BlockError
from tallystick_core._kernel import CheckpointError as CheckpointError
from tallystick_core._kernel import CheckpointInfo as CheckpointInfo
from tallystick_core._kernel import GenesisError as GenesisError
from tallystick_core._kernel import Kernel as Kernel
from tallystick_core._kernel import KernelBroken as KernelBroken
from tallystick_core._kernel import KernelStatus as KernelStatus
from tallystick_core._kernel import checkpoint_info as checkpoint_info
from tallystick_core._kernel import cited_sequences as cited_sequences
from tallystick_core._tree import tree_inclusion_path as tree_inclusion_path
from tallystick_core._tree import tree_root as tree_root
from tallystick_core._tree import tree_verify_inclusion as tree_verify_inclusion
from tallystick_core._verify import BlockCheck as BlockCheck
from tallystick_core._verify import BlockHeader as BlockHeader
from tallystick_core._verify import block_header as block_header
from tallystick_core._verify import build_block as build_block
from tallystick_core._verify import check_block as check_block
from tallystick_core._verify import key_is_acceptable as key_is_acceptable
from tallystick_core._verify import verify_ed25519 as verify_ed25519

__version__: str

# --- Raft ---------------------------------------------------------------------------------------
#
# `RaftCore` is the consensus core of one node: frames in, `Ready` work out. It does no I/O, reads
# no clock and draws no random number: the same calls always give the same results. Call it from
# one thread at a time, in practice from the event loop; every call is short.
#
# After each call that feeds it (`tick`, `step`, `propose`, `read_index`, `campaign`, `on_persist`,
# `advance_apply`, `fetched`, ...) take `ready()` until it returns None, then `wanted()`. For each
# Ready:
#
#   1. send `messages_now` at once;
#   2. queue `hard_state` and `entries` for the disk, in order of `number`. If `truncate_from` is
#      not None, delete the log from that index on in the same atomic write;
#   3. once everything up to `number` is durable, call `on_persist(number)` and only then send
#      `messages_after_persist`. One call with the last number of a group write is enough;
#   4. apply `committed` in order, then call `advance_apply(index)`, and `trim(index)` now and then;
#   5. answer `read_states` once their index is applied; act on `soft_state`.
#
# A Ready without entries whose `must_sync` is False needs no write. A new commit index in its
# `hard_state` should ride along with the next write. If nothing is being written, `on_persist` may
# be called for it at once; otherwise it takes its place in the queue. A failed write or sync ends
# the process: it is never retried.
#
# Errors: expected refusals are exceptions below and change nothing. A broken invariant surfaces as
# `pyo3_runtime.PanicException`, a BaseException. The core's state is then unknown and the only
# right reaction is to end the process.
#
#   ValueError
#     RaftFrameError    a frame that no honest peer sends
#   RaftRefused
#     NotLeader         only a leader can do this; `leader` tells who is
#     NoLeader          no leader is known
#     ProposalDropped   too much is uncommitted, or leadership is being transferred
#     ReadNotReady      the leader cannot answer reads yet; try again shortly

RAFT_MAX_FRAME_BYTES: Final[int]
"""Largest frame between nodes, in bytes."""

RAFT_MAX_PAYLOAD_BYTES: Final[int]
"""Largest payload of one entry, in bytes."""

RAFT_MAX_READ_CONTEXT_BYTES: Final[int]
"""Longest context of `RaftCore.read_index`, in bytes."""

RAFT_FETCH_BYTES: Final[int]
"""Largest sum of payloads in one answer to a want, in bytes."""

class RaftFrameError(ValueError):
    """A frame was refused, and nothing has changed. No honest peer sends such a frame.

    Attributes:
        reason: Stable short word for counters and alarms. From the bytes alone: `oversized`,
            `torn`, `trailing`, `magic`, `type`, `reserved`, `range`, `address`, `term`,
            `entries`, `context`, `log_term`, `reject_hint`, `entry_type`, `entry_term`. From the
            node's state: `misdirected`, `forged`, `unknown_peer`, `not_voter`, `term_jump`,
            `two_leaders`, `committed_conflict`, `commit`, `ack`, `unasked_vote`, `read_context`,
            `raft`. `two_leaders` and `committed_conflict` contradict Raft's guarantees: a peer
            lies or has lost its disk.
    """

    reason: str

class RaftRefused(Exception):  # noqa: N818  # refusals, not failures
    """Base of the expected refusals of a core."""

class NotLeader(RaftRefused):
    """Only a leader can do this.

    Attributes:
        leader: Id of the leader as far as this node knows, else 0.
    """

    leader: int

class NoLeader(RaftRefused):
    """No leader is known at the moment."""

class ProposalDropped(RaftRefused):
    """The proposal was not appended: too much is uncommitted, or leadership is in transfer."""

class ReadNotReady(RaftRefused):
    """This leader cannot answer reads yet; ask again after the next commit."""

@final
class RaftRole:
    """Role of a node in its term."""

    FOLLOWER: ClassVar[RaftRole]
    PRE_CANDIDATE: ClassVar[RaftRole]
    CANDIDATE: ClassVar[RaftRole]
    LEADER: ClassVar[RaftRole]
    def __int__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class PeerState:
    """How a leader feeds a follower: one append at a time, a full window, or not at all."""

    PROBE: ClassVar[PeerState]
    REPLICATE: ClassVar[PeerState]
    SNAPSHOT: ClassVar[PeerState]
    def __int__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class RaftMessageType:
    """Type of a frame. Only these travel between nodes."""

    APPEND: ClassVar[RaftMessageType]
    APPEND_RESPONSE: ClassVar[RaftMessageType]
    REQUEST_VOTE: ClassVar[RaftMessageType]
    REQUEST_VOTE_RESPONSE: ClassVar[RaftMessageType]
    HEARTBEAT: ClassVar[RaftMessageType]
    HEARTBEAT_RESPONSE: ClassVar[RaftMessageType]
    TIMEOUT_NOW: ClassVar[RaftMessageType]
    READ_INDEX: ClassVar[RaftMessageType]
    READ_INDEX_RESPONSE: ClassVar[RaftMessageType]
    REQUEST_PRE_VOTE: ClassVar[RaftMessageType]
    REQUEST_PRE_VOTE_RESPONSE: ClassVar[RaftMessageType]
    def __int__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class FrameInfo:
    """A parsed frame, made by `RaftCore.peek`. Its claims are unchecked until it is stepped."""

    @property
    def msg_type(self) -> RaftMessageType: ...
    @property
    def term(self) -> int:
        """The sender's term; 0 only for READ_INDEX."""

    @property
    def sender(self) -> int:
        """Id of the node that the frame claims to be from."""

    @property
    def to(self) -> int: ...
    @property
    def index(self) -> int:
        """For APPEND the index before the first entry; otherwise as the type has it."""

    @property
    def log_term(self) -> int:
        """For APPEND the term of the entry at `index`."""

    @property
    def commit(self) -> int: ...
    @property
    def reject(self) -> bool: ...
    @property
    def entry_count(self) -> int: ...
    @property
    def entries(self) -> list[tuple[int, int, int, bytes]]:
        """(index, term, entry type, payload) of an APPEND, without gaps; else empty.

        The type is always 0 (normal). An empty payload is Raft's own entry at the start of a term.
        The payload objects are made once; if this object is stepped, the log uses the same ones.
        """

@final
class Ready:
    """A batch of work; see the head of the Raft part for how to do it."""

    @property
    def number(self) -> int:
        """Rises by one from Ready to Ready."""

    @property
    def must_sync(self) -> bool:
        """Whether entries, term or vote have to be durable before `on_persist`."""

    @property
    def hard_state(self) -> tuple[int, int, int] | None:
        """(term, vote, commit) if one of them changed."""

    @property
    def entries(self) -> list[tuple[int, int, bytes]]:
        """(index, term, payload) to write, without gaps."""

    @property
    def truncate_from(self) -> int | None:
        """First index of `entries` if the log already reaches there: delete from it on."""

    @property
    def messages_now(self) -> list[tuple[int, bool, bytes]]:
        """(to, is bulk, frame) that may leave at once."""

    @property
    def messages_after_persist(self) -> list[tuple[int, bool, bytes]]:
        """(to, is bulk, frame) that promise durability: they wait for `on_persist(number)`."""

    @property
    def committed(self) -> list[tuple[int, int, bytes]]:
        """(index, term, payload) to apply, in order; durable here and on a majority."""

    @property
    def read_states(self) -> list[tuple[int, bytes]]:
        """(index, context): a read may be answered from a state that has applied `index`."""

    @property
    def soft_state(self) -> tuple[int, RaftRole] | None:
        """(leader or 0, role) if one of them changed. Reads asked before are to be asked again."""

    @property
    def wanted(self) -> list[tuple[int, int, int, int]]:
        """As `RaftCore.wanted()`, and taken out of it."""

@final
class PeerProgress:
    """What a leader knows about a member, itself included."""

    @property
    def id(self) -> int: ...
    @property
    def matched(self) -> int:
        """Last index known to be durable there."""

    @property
    def next(self) -> int:
        """Next index to send."""

    @property
    def state(self) -> PeerState: ...
    @property
    def recent_active(self) -> bool:
        """Heard from since the last quorum check."""

    @property
    def pending(self) -> bool:
        """Nothing more is sent before an answer: window full, or a probe on its way."""

    @property
    def inflight(self) -> int:
        """Appends on their way."""

@final
class RaftStatus:
    """A snapshot of the core's state."""

    @property
    def id(self) -> int: ...
    @property
    def role(self) -> RaftRole: ...
    @property
    def term(self) -> int: ...
    @property
    def vote(self) -> int:
        """Id voted for in `term`, else 0."""

    @property
    def leader(self) -> int:
        """Id of the leader, else 0."""

    @property
    def commit(self) -> int: ...
    @property
    def applied(self) -> int: ...
    @property
    def last_index(self) -> int: ...
    @property
    def persisted(self) -> int:
        """Last index that is durable here."""

    @property
    def transferring_to(self) -> int:
        """Id of the node that leadership is being handed to, else 0."""

    @property
    def uncommitted_bytes(self) -> int:
        """Payload bytes of proposals not handed out as committed yet; for a leader."""

    @property
    def cache_first(self) -> int:
        """First index whose entry is in memory; `last_index + 1` if none is."""

    @property
    def cache_bytes(self) -> int: ...
    @property
    def open_fetches(self) -> int:
        """Wants that `fetched` has not answered."""

    @property
    def pending_reads(self) -> int: ...
    @property
    def peers(self) -> list[PeerProgress]:
        """By id; empty unless leader."""

@final
class RaftCore:
    """The Raft core of one node. PreVote and CheckQuorum are on; reads are by ReadIndex only.

    The log begins at index 1 and is never compacted, so there are no Raft snapshots: a follower
    that lags is fed from disk through `wanted` and `fetched`.

    Args:
        id: This node, a member; not 0.
        voters: Ids of the voting members.
        learners: Ids of members that replicate without a vote.
        term: Persisted term.
        vote: Persisted vote in that term, else 0.
        commit: Persisted commit index. Raised to `applied` if below; the entries above `applied`
            are handed out as committed.
        applied: Index of the last applied entry.
        term_runs: (first index, term) of each term in the log, rising; see `term_runs()`.
        last_index: Index of the last entry, 0 for an empty log.
        tail: (index, term, payload) of at least all entries above `applied`, up to `last_index`.
        election_tick: Ticks without a leader before an election. The timeout is drawn from
            [election_tick, 2 * election_tick) whenever term or role change.
        heartbeat_tick: Ticks between heartbeats.
        max_inflight_msgs: Appends on their way to one follower. Times `max_size_per_msg` this
            bounds the bytes in flight: 16 to 32 for messages of 1 MiB.
        max_size_per_msg: Bytes of entries in one append, at most 1 MiB + 128 KiB.
        max_uncommitted_bytes: Proposals beyond are dropped; one is always accepted.
        cache_bytes: Bytes of applied entries that `trim` leaves in memory.
        seed: Seed of the election timeouts; mixed with `id`.
        nonce: A number that no other run of this node has (64 random bits): an answer to a read of
            an earlier run must not be taken for one of this run.

    Raises:
        ValueError: If the arguments contradict each other or exceed a limit.
    """

    def __new__(
        cls,
        id: int,  # noqa: A002  # the name the argument has
        voters: list[int],
        *,
        learners: list[int] = ...,
        term: int,
        vote: int,
        commit: int,
        applied: int,
        term_runs: list[tuple[int, int]],
        last_index: int,
        tail: list[tuple[int, int, bytes]],
        election_tick: int,
        heartbeat_tick: int,
        max_inflight_msgs: int,
        max_size_per_msg: int,
        max_uncommitted_bytes: int,
        cache_bytes: int = 33_554_432,
        seed: int = 0,
        nonce: int = 0,
    ) -> RaftCore: ...
    @staticmethod
    def peek(frame: bytes) -> FrameInfo:
        """Parses a frame without stepping it, so that its payloads can be verified first.

        Raises:
            RaftFrameError: If the bytes are not exactly one frame of a type that may come from
                the network.
        """

    def tick(self) -> None:
        """Advances the logical clock by one tick."""

    def step(self, sender: int, frame: bytes | FrameInfo) -> None:
        """Takes a frame from a peer. Nothing a peer sends makes this panic.

        Args:
            sender: The authenticated peer; must be a member and the frame's `sender`.
            frame: The bytes, or what `peek` made of them: then they are not parsed again and the
                payload objects that were looked at are the ones that go into the log.

        Raises:
            RaftFrameError: If no honest peer would have sent the frame. Frames that merely come
                too late, or reach a node that is no longer what the sender thinks, are ignored.
        """

    def propose(self, payload: bytes) -> tuple[int, int]:
        """Appends an entry to the leader's log. It may still be overwritten before it commits.

        Returns:
            (term, index) of the entry. It is committed if and only if an entry with this index
            and this term is handed out as committed.

        Raises:
            NotLeader: If this node does not lead. Nothing is ever forwarded.
            ProposalDropped: If too much is uncommitted, or leadership is being transferred.
            ValueError: If the payload is empty or above `RAFT_MAX_PAYLOAD_BYTES`.
        """

    def read_index(self, context: bytes) -> None:
        """Asks for an index from which a read is linearizable (Raft thesis 6.4).

        The answer comes as (index, context) in a Ready's `read_states`, on a follower by way of
        the leader. It may never come (messages get lost, leaders change): ask again after a time,
        and after each change of `soft_state`.

        Raises:
            NoLeader: If no leader is known.
            ReadNotReady: If this leader has not committed an entry of its own term yet, or has
                too many pending reads. A follower's request is then dropped by the leader.
            ValueError: If the context is above `RAFT_MAX_READ_CONTEXT_BYTES`.
        """

    def transfer_leader(self, to: int) -> None:
        """Starts to hand leadership over; given up after an election timeout.

        Raises:
            NotLeader: If this node does not lead.
            ValueError: If `to` is not another voter.
        """

    def step_down(self) -> None:
        """Stops leading, in the same term and with the vote kept. Does nothing in other roles.

        For a leader whose blocks the others refuse (its clock is off): with campaigns forbidden,
        somebody else takes over.
        """

    def allow_campaigns(self, allowed: bool) -> None:
        """Allows (the default) or forbids elections started here; voting goes on in any case."""

    def campaign(self) -> None:
        """Starts an election, with a pre-vote, without waiting for the timeout."""

    def report_unreachable(self, to: int) -> None:
        """Says that messages to this peer were lost, so that it is probed instead of streamed."""

    def has_ready(self) -> bool: ...
    def ready(self) -> Ready | None:
        """Takes the next batch of work, or None."""

    def wanted(self) -> list[tuple[int, int, int, int]]:
        """Takes the reads that lagging followers need: (low, high, max bytes, to).

        Read entries from `low` on, below `high`, at most `max bytes` of payload but at least one,
        and give them to `fetched(low, ...)`. `to` is one follower that waits for them, for
        information. Look here after each call, not only after a Ready. Each want is returned once
        and stays open until answered, so every one must be answered, if only with [].
        """

    def on_persist(self, number: int) -> None:
        """Reports that the writes of all Readies up to `number` are durable.

        A completed write that a later, unfinished one replaces does not count until that one is
        done: it neither advances the commit index nor what may be applied.

        Raises:
            ValueError: If `number` goes back or was never handed out.
        """

    def advance_apply(self, index: int) -> None:
        """Reports that all entries up to `index` are applied.

        Raises:
            ValueError: If `index` goes back or was not handed out as committed.
        """

    def trim(self, index: int) -> int:
        """Frees applied entries at or below `index`, except the newest `cache_bytes` of them.

        Memory grows until this is called. Give the last index that can be read back from disk.

        Returns:
            The first index that is still in memory.
        """

    def fetched(self, low: int, entries: list[tuple[int, int, bytes]]) -> None:
        """Answers a want with (index, term, payload) from disk; [] if it cannot be read.

        Feeds every follower that stands in the range. Ignored if this node no longer leads.

        Raises:
            ValueError: If these are not the log's entries from `low` on (the disk is damaged), or
                exceed `RAFT_FETCH_BYTES`.
        """

    def set_randomized_election_timeout(self, ticks: int) -> None:
        """Sets the election timeout that holds until term or role change next.

        Raises:
            ValueError: Outside [election_tick, 2 * election_tick).
        """

    def term_at(self, index: int) -> int:
        """Term of the entry at `index`; 0 for index 0.

        Raises:
            ValueError: Beyond the end of the log.
        """

    def term_runs(self) -> list[tuple[int, int]]:
        """(first index, term) of each term in the log, as far as Readies have handed it out."""

    def status(self) -> RaftStatus: ...
