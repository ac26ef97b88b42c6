"""The read side: accounts, holds, channels, envelopes and status, decoded into frozen values.

Reads go to the node believed to lead, and to the others in turn when it does not answer. Unless
`stale` is asked for, the node confirms with a quorum that nothing newer is acknowledged, so whoever
got a receipt finds its effects. Failed reads are repeated until the deadline; nothing hangs on
them.

Nodes tell balances and envelopes only to those whose they are, so each attempt carries a read token
(`tallystick_ledger.read_token`), signed for it over the bytes that go out.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from tallystick import limits
from tallystick.bounds import Bounds
from tallystick.envelopes import Stored
from tallystick.errors import (
    AccessDenied,
    ConnectionFailed,
    InvalidArgument,
    ProtocolError,
    Refused,
    TallystickError,
)
from tallystick.history import HistoryRecord, decode_records
from tallystick.netting_state import NettingState, decode_netting
from tallystick.nodes import (
    GET_ACCOUNTS,
    GET_CHANNELS,
    GET_ENVELOPE,
    GET_HOLDS,
    GET_LIMITS,
    GET_NETTING,
    GET_STATUS,
    LIST_RECORDS,
    WATCH,
    Answer,
    Node,
    NodePool,
    NotConnected,
    ReadMethod,
)
from tallystick.outcomes import connection_error, rpc_error
from tallystick.refusals import refused
from tallystick.results import Receipt, outcome_of
from tallystick.retry import Backoff, Surroundings
from tallystick_ledger import read_token
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import LedgerError
from tallystick_ledger.ids import (
    AccountId,
    ChannelId,
    EnvelopeId,
    HoldId,
    LedgerId,
    PrincipalId,
    SequenceNumber,
    TimestampNs,
)
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import ID_BYTES
from tallystick_ledger.results import Effect, decode_effects
from tallystick_ledger.state_rows import (
    AccountRow,
    ChannelRow,
    HoldRow,
    LimitRow,
    RecoveryRow,
    Row,
    ZoneRow,
)
from tallystick_proto.v1 import ledger_pb2

_NS_PER_S = 1_000_000_000


class Presence(IntEnum):
    """Whether an envelope stands in the ledger."""

    FOUND = 1
    NOT_YET = 2  # not there now; it may still be ordered
    NEVER = 3  # not there, and it can no longer be ordered: safe to pay again


@dataclass(frozen=True, slots=True)
class EnvelopeInfo:
    """What the ledger holds under an envelope id or sequence number.

    Attributes:
        presence: Whether it is there.
        envelope: Its bytes; empty unless FOUND, as all that follow.
        receipt: What became of it; None unless it was executed.
        refusal: Why it was ordered in vain, if so.
        effects: What the rules computed: captures, releases, expiries.
    """

    presence: Presence
    envelope: bytes = b""
    receipt: Receipt | None = None
    refusal: Refused | None = None
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """Another node, as the asked one sees it.

    Attributes:
        raft_id: Its Raft id.
        connected: Whether the asked node has a connection to it.
        match_index: How far it has the log; told by the leader only.
        state: `probe`, `replicate` or `snapshot`; told by the leader only.
    """

    raft_id: int
    connected: bool
    match_index: int
    state: str


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node's view of itself and its ledger.

    Attributes:
        address: `host:port` that was asked.
        raft_id: Its Raft id.
        role: `leader`, `follower`, `candidate`, `pre_candidate` or `learner`.
        term: Raft's term.
        leader_raft_id: Who leads, 0 for unknown.
        last_index: Newest entry in its log.
        commit_index: Newest entry that a majority has.
        applied_index: Newest entry in its state.
        next_sequence: Sequence number of the next record.
        log_time_ns: Smallest timestamp that the next block may have.
        tree_size: Envelopes in the log.
        tree_root: Root of the tree over them, 32 bytes.
        state_digest: 32 bytes; empty unless asked for.
        ledger_id: 32 bytes.
        account_count: Accounts, closed ones included.
        open_hold_count: Holds that have not ended.
        live_id_count: Envelope ids remembered in memory.
        signatures_verified: Since its process started.
        log_syncs: Synced groups since its process started.
        uptime_ms: Since its process started.
        version: Its software.
        peers: The other nodes.
    """

    address: str
    raft_id: int
    role: str
    term: int
    leader_raft_id: int
    last_index: int
    commit_index: int
    applied_index: int
    next_sequence: SequenceNumber
    log_time_ns: TimestampNs
    tree_size: int
    tree_root: bytes
    state_digest: bytes
    ledger_id: LedgerId
    account_count: int
    open_hold_count: int
    live_id_count: int
    signatures_verified: int
    log_syncs: int
    uptime_ms: int
    version: str
    peers: tuple[PeerInfo, ...]


_Row = TypeVar("_Row", bound=Row)
_HasRows = TypeVar(
    "_HasRows",
    ledger_pb2.GetAccountsResponse,
    ledger_pb2.GetChannelsResponse,
    ledger_pb2.GetHoldsResponse,
)
_HasPages = TypeVar(
    "_HasPages",
    ledger_pb2.GetClaimsResponse,
    ledger_pb2.GetDisputesResponse,
    ledger_pb2.GetMandatesResponse,
)


class Reader:
    """The read side of one client. All methods belong to its event loop's thread."""

    def __init__(
        self,
        pool: NodePool,
        ledger_id: LedgerId,
        surroundings: Surroundings,
        attempt_timeout_s: float,
    ) -> None:
        """Opens nothing yet.

        Args:
            pool: Whom to ask.
            ledger_id: Of which ledger; part of each token.
            surroundings: Clock and jitter.
            attempt_timeout_s: After this long without an answer another node is asked.
        """
        self._pool = pool
        self._ledger_id = ledger_id
        self._surroundings = surroundings
        self._attempt_timeout_s = attempt_timeout_s

    async def accounts(
        self,
        ids: Sequence[AccountId],
        options: ledger_pb2.ReadOptions,
        key: SigningKey,
        deadline_s: float,
    ) -> list[AccountRow | None]:
        """Returns the row of each account, in the order of `ids`.

        None stands for one that is not there, or not for `key` to see.
        """

        def request(part: bytes) -> Message:
            return ledger_pb2.GetAccountsRequest(ids=part, options=options)

        return await self._rows(GET_ACCOUNTS, request, AccountRow, ids, key, deadline_s)

    async def holds(
        self,
        ids: Sequence[HoldId],
        options: ledger_pb2.ReadOptions,
        key: SigningKey,
        deadline_s: float,
    ) -> list[HoldRow | None]:
        """Returns the row of each hold, in the order of `ids`; as `accounts`."""

        def request(part: bytes) -> Message:
            return ledger_pb2.GetHoldsRequest(ids=part, options=options)

        return await self._rows(GET_HOLDS, request, HoldRow, ids, key, deadline_s)

    async def channels(
        self,
        ids: Sequence[ChannelId],
        options: ledger_pb2.ReadOptions,
        key: SigningKey,
        deadline_s: float,
    ) -> list[ChannelRow | None]:
        """Returns the row of each channel, in the order of `ids`; as `accounts`."""

        def request(part: bytes) -> Message:
            return ledger_pb2.GetChannelsRequest(ids=part, options=options)

        return await self._rows(GET_CHANNELS, request, ChannelRow, ids, key, deadline_s)

    async def netting(
        self, request: ledger_pb2.GetNettingRequest, key: SigningKey, deadline_s: float
    ) -> NettingState | None:
        """Returns what this key may see of a deferred unit; None where there is no such unit."""
        return decode_netting(await self.ask(GET_NETTING, request, key, deadline_s))

    async def limits(
        self, request: ledger_pb2.GetLimitsRequest, key: SigningKey, deadline_s: float
    ) -> Bounds:
        """Returns what bounds a principal, and the zones that its limits or the request name."""
        answer = await self.ask(GET_LIMITS, request, key, deadline_s)
        return Bounds(
            all_rows(LimitRow, answer.rows),
            all_rows(ZoneRow, answer.zones),
            all_rows(RecoveryRow, answer.recovery),
        )

    async def pages(
        self,
        method: ReadMethod[_HasPages],
        behind: Callable[[_Row | None], Message],
        row_type: type[_Row],
        asked: tuple[SigningKey, float],
    ) -> list[_Row]:
        """Returns all rows of what concerns a principal, in their order, page after page.

        Args:
            method: What is asked for.
            behind: Makes the request for the page behind a row; None for the first.
            row_type: What the answers consist of.
            asked: By whose key, within how many seconds a page.
        """
        found: list[_Row] = []
        while True:
            request = behind(found[-1] if found else None)
            page = all_rows(row_type, (await self.ask(method, request, *asked)).rows)
            found += page
            if len(page) < limits.ROWS_PER_PAGE:
                return found

    async def envelope(
        self, request: ledger_pb2.GetEnvelopeRequest, key: SigningKey, deadline_s: float
    ) -> EnvelopeInfo:
        """Returns what the ledger holds under an id or sequence number."""
        answer = await self.ask(GET_ENVELOPE, request, key, deadline_s)
        try:
            return _decode_envelope(answer)
        except (LedgerError, InvalidArgument, ValueError) as error:
            raise ProtocolError(
                f"A node's answer about an envelope is unusable: {error}"
            ) from error

    async def records(
        self, request: ledger_pb2.ListRecordsRequest, key: SigningKey, deadline_s: float
    ) -> ledger_pb2.ListRecordsResponse:
        """Returns a page of an account's history."""
        return await self.ask(LIST_RECORDS, request, key, deadline_s)

    async def watch(
        self, request: ledger_pb2.WatchRequest, key: SigningKey, deadline_s: float
    ) -> AsyncGenerator[HistoryRecord, None]:
        """Yields an account's history as it grows, from one node or another.

        Raises:
            ConnectionFailed: None has answered for `deadline_s`.
            AccessDenied, ProtocolError: A node refused the request as such.
        """
        loop = asyncio.get_running_loop()
        backoff = Backoff(self._surroundings.jitter)
        heard_s = loop.time()
        while True:
            node = self._pool.target
            try:
                await node.connect(limits.CONNECT_TIMEOUT_S)
                async for answer in self._follow(node, request, key):
                    heard_s, backoff = loop.time(), Backoff(self._surroundings.jitter)
                    for record in decode_records(answer, with_conts=request.with_conts):
                        yield record
                    request.from_sequence = answer.next_sequence
                failure: TallystickError = ConnectionFailed(f"{node.address} fell silent.")
            except NotConnected as error:
                failure = connection_error(str(error))
            except grpc.aio.AioRpcError as error:
                failure = rpc_error(error, node.address)
                if isinstance(failure, AccessDenied | ProtocolError):
                    raise failure from error
            self._pool.failed(node)
            delay_s = backoff.next_delay_s()
            if loop.time() + delay_s - heard_s >= deadline_s:
                raise failure
            await asyncio.sleep(delay_s)

    async def _follow(
        self, node: Node, request: ledger_pb2.WatchRequest, key: SigningKey
    ) -> AsyncIterator[ledger_pb2.WatchResponse]:
        """Yields a node's answers until it says nothing for too long."""
        sent = request.SerializeToString()
        call = node.follow(WATCH, sent, self._token(WATCH.path, sent, key))
        answers = aiter(call)
        try:
            while True:
                async with asyncio.timeout(limits.WATCH_SILENCE_S):
                    answer = await anext(answers)
                yield answer
        except (TimeoutError, StopAsyncIteration):
            return
        finally:
            call.cancel()

    async def lookup(self, stored: Stored, key: SigningKey) -> Receipt | TallystickError | None:
        """Returns what the ledger has under an envelope's id; None while that is undecided.

        Raises:
            ConnectionFailed, AccessDenied, ProtocolError: Nobody could say.
        """
        if not any(stored.principal):
            return None
        by = ledger_pb2.EnvelopeKey(envelope_id=stored.envelope_id, principal=stored.principal)
        request = ledger_pb2.GetEnvelopeRequest(key=by)
        info = await self.envelope(request, key, self._attempt_timeout_s)
        if info.presence is Presence.NOT_YET:
            return None
        if info.presence is Presence.NEVER:
            return refused(Code.TOO_LATE, stored.envelope_id)
        if info.envelope[:192] != stored.envelope[:192]:
            return refused(Code.ID_CONFLICT, stored.envelope_id)
        return info.receipt or info.refusal

    async def status(
        self,
        request: ledger_pb2.GetStatusRequest,
        key: SigningKey | None,
        deadline_s: float,
        address: str | None,
    ) -> NodeStatus:
        """Returns the status of the node at `address`, or of the one believed to lead."""
        sent = request.SerializeToString()
        if address is None:
            answer, node = await self._ask_and_tell(GET_STATUS, sent, key, deadline_s)
            return _decode_status(answer, node.address)
        node = self._pool.node(address)
        try:
            await node.connect(min(deadline_s, limits.CONNECT_TIMEOUT_S), patient=True)
            token = self._token(GET_STATUS.path, sent, key)
            return _decode_status(await node.ask(GET_STATUS, sent, token, deadline_s), address)
        except NotConnected as error:
            raise ConnectionFailed(f"{error}.") from error
        except grpc.aio.AioRpcError as error:
            raise rpc_error(error, address) from error

    def _token(self, path: str, request: bytes, key: SigningKey | None) -> bytes | None:
        """Signs for one attempt."""
        if key is None:
            return None
        expires_at_ns = self._surroundings.now_ns() + limits.READ_TOKEN_LIFETIME_S * _NS_PER_S
        token = read_token.sign(key, self._ledger_id, path, request, TimestampNs(expires_at_ns))
        return token.encode()

    async def _rows(
        self,
        method: ReadMethod[_HasRows],
        request: Callable[[bytes], Message],
        row_type: type[_Row],
        ids: Sequence[bytes],
        key: SigningKey,
        deadline_s: float,
    ) -> list[_Row | None]:
        rows: list[_Row | None] = []
        for part in id_parts(ids):
            answer = await self.ask(method, request(part), key, deadline_s)
            rows += decode_rows(row_type, answer.rows, len(part) // ID_BYTES)
        return rows

    async def ask(
        self, method: ReadMethod[Answer], request: Message, key: SigningKey, deadline_s: float
    ) -> Answer:
        """Returns the answer to a question, from one node or another.

        Raises:
            ConnectionFailed, AccessDenied, ProtocolError: Nobody could say.
        """
        sent = request.SerializeToString()
        answer, _ = await self._ask_and_tell(method, sent, key, deadline_s)
        return answer

    async def _ask_and_tell(
        self, method: ReadMethod[Answer], request: bytes, key: SigningKey | None, deadline_s: float
    ) -> tuple[Answer, Node]:
        """Asks one node after the other until one answers; also returns which.

        Raises:
            ConnectionFailed: None did before the deadline.
            AccessDenied, ProtocolError: A node refused the request as such.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + deadline_s
        backoff = Backoff(self._surroundings.jitter)
        while True:
            node = self._pool.target
            left_s = give_up_at - loop.time()
            try:
                await node.connect(min(max(left_s, 0.0), limits.CONNECT_TIMEOUT_S))
                timeout_s = min(max(left_s, 0.001), self._attempt_timeout_s)
                token = self._token(method.path, request, key)
                return await node.ask(method, request, token, timeout_s), node
            except NotConnected as error:
                failure: TallystickError = connection_error(str(error))
            except grpc.aio.AioRpcError as error:
                failure = rpc_error(error, node.address)
                if isinstance(failure, AccessDenied | ProtocolError):
                    raise failure from error
            self._pool.failed(node)
            delay_s = backoff.next_delay_s()
            if loop.time() + delay_s >= give_up_at:
                raise failure
            await asyncio.sleep(delay_s)


def id_parts(ids: Sequence[bytes], limit: int = limits.MAX_IDS_PER_READ) -> Iterator[bytes]:
    """Ids back to back, as many as fit into one question.

    Raises:
        InvalidArgument: One of them has not 16 bytes.
    """
    for each in ids:
        if len(each) != ID_BYTES:
            raise InvalidArgument(f"{each!r} is no id of 16 bytes.")
    for start in range(0, len(ids), limit):
        yield b"".join(ids[start : start + limit])


def decode_rows(row_type: type[_Row], rows: bytes, count: int) -> list[_Row | None]:
    """Rows of a node's answer, None for those that are all zero.

    Raises:
        ProtocolError: They are not so many rows of this kind.
    """
    size = row_type.LAYOUT.size
    if len(rows) != count * size:
        raise ProtocolError(f"A node answered {len(rows)} bytes for {count} rows of {size}.")
    parts = (rows[start : start + size] for start in range(0, len(rows), size))
    try:
        return [row_type.decode(part) if any(part) else None for part in parts]
    except LedgerError as error:
        raise ProtocolError(f"A node's row is unusable: {error}") from error


def all_rows(row_type: type[_Row], rows: bytes) -> list[_Row]:
    """Rows of a list, which leaves out what is not there.

    Raises:
        ProtocolError: They are no whole rows of this kind.
    """
    count = len(rows) // row_type.LAYOUT.size
    return [row for row in decode_rows(row_type, rows, count) if row is not None]


def _decode_envelope(answer: ledger_pb2.GetEnvelopeResponse) -> EnvelopeInfo:
    presence = Presence(answer.presence)
    if presence is not Presence.FOUND:
        return EnvelopeInfo(presence)
    stored = Stored.from_bytes(answer.envelope)
    outcome = outcome_of(
        stored.envelope_id,
        answer.code,
        stored.record_count,
        (answer.first_sequence, answer.timestamp_ns),
        answer.results,
    )
    return EnvelopeInfo(
        presence,
        answer.envelope,
        outcome if isinstance(outcome, Receipt) else None,
        outcome if isinstance(outcome, Refused) else None,
        tuple(decode_effects(answer.effects)),
    )


def _decode_status(answer: ledger_pb2.GetStatusResponse, address: str) -> NodeStatus:
    return NodeStatus(
        address=address,
        raft_id=answer.raft_id,
        role=answer.role,
        term=answer.term,
        leader_raft_id=answer.leader.raft_id,
        last_index=answer.last_index,
        commit_index=answer.commit_index,
        applied_index=answer.applied_index,
        next_sequence=SequenceNumber(answer.next_sequence),
        log_time_ns=TimestampNs(answer.log_time_ns),
        tree_size=answer.tree_size,
        tree_root=answer.tree_root,
        state_digest=answer.state_digest,
        ledger_id=LedgerId(answer.ledger_id),
        account_count=answer.account_count,
        open_hold_count=answer.open_hold_count,
        live_id_count=answer.live_id_count,
        signatures_verified=answer.signatures_verified,
        log_syncs=answer.log_syncs,
        uptime_ms=answer.uptime_ms,
        version=answer.version,
        peers=tuple(
            PeerInfo(peer.raft_id, peer.connected, peer.match_index, peer.state)
            for peer in answer.peers
        ),
    )


def envelope_request(
    by: "EnvelopeId | SequenceNumber | int", principal: PrincipalId | None
) -> ledger_pb2.GetEnvelopeRequest:
    """Returns the request for an envelope id (with its principal) or a sequence number."""
    if isinstance(by, int):
        return ledger_pb2.GetEnvelopeRequest(sequence=by)
    if principal is None:
        raise InvalidArgument("An envelope id is looked up together with its signer's principal.")
    key = ledger_pb2.EnvelopeKey(envelope_id=by, principal=principal)
    return ledger_pb2.GetEnvelopeRequest(key=key)
