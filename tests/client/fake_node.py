"""Nodes to test the SDK against: real gRPC, the executable specification, and bad manners.

A `FakeCluster` has one ledger and several nodes, each a real gRPC server on its own port. What the
ledger answers is what `spec.apply_block` says; nothing is invented. Reads go through the very gate
and rules of a node, tokens and all. One node leads. Each node takes orders on how to misbehave, one
for each Submit that reaches it: the SDK must cope with all of them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Self, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import Message
from tests.client.fake_market import FakeMarket, ids_of, recovery_for

from tallystick.results import OUTCOME
from tallystick_ledger import block
from tallystick_ledger.checks import check_envelope
from tallystick_ledger.citations import Postings
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import Envelope, split_envelopes
from tallystick_ledger.errors import MalformedError, RefusedError
from tallystick_ledger.genesis import Genesis, GenesisNode
from tallystick_ledger.ids import (
    EnvelopeId,
    PublicKey,
    SequenceNumber,
    TimestampNs,
    UnitId,
    id_time_ns,
)
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.netting import net_positions
from tallystick_ledger.spec.apply import apply_block
from tallystick_ledger.spec.digest import digest
from tallystick_ledger.spec.envelopes import Outcome
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import (
    AccountRow,
    ChannelRow,
    HoldRow,
    LimitRow,
    MemberRow,
    PairRow,
    WindowRow,
)
from tallystick_node import access
from tallystick_node.services.gate import Caller, Gate
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2 as pb

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

START_NS = 1_790_000_000_000_000_000
OPERATOR = SigningKey(b"\x01" * 32)


class Manner(Enum):
    """How a node treats one Submit."""

    DROP_ANSWER = auto()  # orders it, then breaks the call off
    BREAK = auto()  # breaks the call off and orders nothing
    HANG = auto()  # orders nothing and never answers
    COMMIT_AND_HANG = auto()
    UNAVAILABLE = auto()  # code 14, and orders nothing
    COMMIT_UNAVAILABLE = auto()  # code 14, and has ordered it
    OVERLOADED = auto()
    OVERLOADED_LATER = auto()  # takes the first envelope only
    NOT_LEADER = auto()
    NONSENSE = auto()  # an answer of odd length
    TOO_LATE = auto()  # code 10, whatever the clock says
    DENY = auto()


class Clock:
    """A wall clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_ns = START_NS

    def __call__(self) -> int:
        return self.now_ns

    def advance_s(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1_000_000_000)


@dataclass(frozen=True)
class Committed:
    """An envelope in the log."""

    envelope: bytes
    first_sequence: int
    timestamp_ns: int
    outcome: Outcome

    @property
    def results(self) -> bytes:
        return b"".join(result.encode() for result in self.outcome.results)

    @property
    def effects(self) -> bytes:
        return b"".join(effect.encode() for effect in self.outcome.effects)


def make_genesis(node_count: int = 3, max_lifetime_ns: int = 600_000_000_000) -> Genesis:
    nodes = [
        GenesisNode(raft_id, bytes([raft_id]) * 32, _key(10 + raft_id), _key(20 + raft_id))
        for raft_id in range(1, node_count + 1)
    ]
    return Genesis(
        random_bytes=b"\x07" * 32,
        origin="test.example/fake",
        operators=[OPERATOR.public_key],
        nodes=nodes,
        max_lifetime_ns=max_lifetime_ns,
    )


def _key(seed: int) -> PublicKey:
    return SigningKey(bytes([seed]) * 32).public_key


class FakeLedger:
    """The log and the state: one for all nodes of a cluster."""

    def __init__(self, genesis: Genesis, clock: Clock) -> None:
        self.genesis = genesis
        self.state = State.from_genesis(genesis)
        self.postings = Postings()
        self.clock = clock
        self.log: list[Committed] = []
        self.by_id: dict[tuple[bytes, bytes], Committed] = {}

    def commit(self, envelopes: list[bytes]) -> list[Committed]:
        """Orders envelopes as one block."""
        timestamp = TimestampNs(max(self.clock(), self.state.min_timestamp_ns))
        data = block.build(envelopes, timestamp, self.state.next_sequence_number)
        applied = apply_block(self.state, data, self.postings.of(data))
        self.postings.add(data, applied.results, applied.effects, applied.effect_counts)
        committed = []
        sequence = applied.header.first_sequence
        for envelope, each in zip(envelopes, applied.envelopes, strict=True):
            offset = each.first_sequence - sequence
            entry = Committed(envelope, each.first_sequence, timestamp + offset, each.outcome)
            self.log.append(entry)
            committed.append(entry)
            principal = each.outcome.principal
            if principal is not None and each.outcome.original_first_sequence == 0:
                self.by_id[principal, Envelope.parse(envelope).header.envelope_id] = entry
        return committed

    def admit(self, envelope: bytes) -> Code | Committed:
        """What a leader decides before ordering: OK, a refusal, or the earlier ordering."""
        try:
            parsed = check_envelope(
                envelope,
                ledger_id=self.genesis.ledger_id,
                max_lifetime_ns=self.genesis.max_lifetime_ns,
            )
        except RefusedError as error:
            return error.code
        header = parsed.header
        key = self.state.keys.get(header.signer)
        if key is None:
            return Code.UNKNOWN_SIGNER
        earlier = self.by_id.get((key.principal, header.envelope_id))
        if earlier is not None and earlier.envelope[:192] == envelope[:192]:
            return earlier
        if header.valid_until_ns < self.clock():
            return Code.TOO_LATE
        if id_time_ns(header.envelope_id) > self.clock() + 5_000_000_000:
            return Code.ID_IN_FUTURE
        return Code.OK

    def submit(self, message: bytes) -> wire.SubmitResponse:
        """Orders what can be ordered, as one block, and answers for each envelope."""
        envelopes, broken = _split(message)
        verdicts = [self.admit(envelope) for envelope in envelopes]
        fresh = [
            each for each, verdict in zip(envelopes, verdicts, strict=True) if verdict is Code.OK
        ]
        new = iter(self.commit(fresh) if fresh else [])
        outcomes, results = [], []
        for verdict in verdicts:
            if isinstance(verdict, Code) and verdict is not Code.OK:
                outcomes.append(OUTCOME.pack(verdict, 0, 0, 0, 0))
                continue
            entry = verdict if isinstance(verdict, Committed) else next(new)
            code = Code.DUPLICATE if isinstance(verdict, Committed) else entry.outcome.code
            count = len(entry.outcome.results)
            outcomes.append(OUTCOME.pack(code, 0, count, entry.first_sequence, entry.timestamp_ns))
            results.append(entry.results)
        if broken:
            outcomes.append(OUTCOME.pack(Code.MALFORMED, 0, 0, 0, 0))
        joined = b"".join(results)
        return wire.SubmitResponse(b"".join(outcomes), joined if any(joined) else b"")

    def principal_of(self, entry: Committed) -> bytes | None:
        """Whose key signed it."""
        key = self.state.keys.get(Envelope.parse(entry.envelope).header.signer)
        return None if key is None else key.principal

    def tick(self) -> None:
        """Lets log time follow the clock, as a leader's TICK does."""
        self.state.min_timestamp_ns = TimestampNs(max(self.clock(), self.state.min_timestamp_ns))


def _split(message: bytes) -> tuple[list[bytes], bool]:
    try:
        return [bytes(envelope.data) for envelope in split_envelopes(message)], False
    except MalformedError:
        pass
    envelopes: list[bytes] = []
    while message:
        count = int.from_bytes(message[12:16], "little")
        first = message[: 256 + 128 * count]
        try:
            Envelope.parse(first)
        except MalformedError:
            return envelopes, True
        envelopes.append(first)
        message = message[len(first) :]
    return envelopes, False


@dataclass
class FakeNode:
    """One server. `manners` are used up from the left, then it behaves."""

    cluster: "FakeCluster"
    raft_id: int
    port: int = 0
    manners: deque[Manner] = field(default_factory=deque)
    messages: list[bytes] = field(default_factory=list)
    reads: int = 0
    fail_reads: int = 0
    server: grpc.aio.Server | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None
    hint: "FakeNode | None" = None  # whom it calls the leader, if not the one who is

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 4 << 20)]
        self.server = grpc.aio.server(options=options)
        self.server.add_generic_rpc_handlers((self._handler(),))
        if self.cluster.credentials is None:
            self.port = self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        else:
            self.port = self.server.add_secure_port(self.address, self.cluster.credentials)
        await self.server.start()

    async def stop(self) -> None:
        """Ends it as a killed process ends: connections break, the port is closed."""
        if self.server is not None:
            await self.server.stop(None)
            self.server = None

    async def received(self, count: int) -> None:
        """Returns once so many messages have come."""
        while len(self.messages) < count:
            self.arrived.clear()
            await self.arrived.wait()

    def _handler(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            wire.SERVICE,
            {
                "Submit": grpc.unary_unary_rpc_method_handler(
                    self._submit,
                    request_deserializer=wire.decode_submit_request,
                    response_serializer=wire.encode_submit_response,
                ),
                "SubmitStream": grpc.stream_stream_rpc_method_handler(
                    self._submit_stream,
                    request_deserializer=wire.decode_submit_request,
                    response_serializer=wire.encode_submit_response,
                ),
                "GetAccounts": self._read("GetAccounts", pb.GetAccountsRequest, self._get_accounts),
                "GetChannels": self._read("GetChannels", pb.GetChannelsRequest, self._get_channels),
                "GetLimits": self._read("GetLimits", pb.GetLimitsRequest, self._get_limits),
                "GetHolds": self._read("GetHolds", pb.GetHoldsRequest, self._get_holds),
                "GetNetting": self._read("GetNetting", pb.GetNettingRequest, self._get_netting),
                "GetEnvelope": self._read("GetEnvelope", pb.GetEnvelopeRequest, self._get_envelope),
                "GetStatus": self._read("GetStatus", pb.GetStatusRequest, self._get_status),
            }
            | {
                name: self._read(name, request, work)
                for name, (request, work) in FakeMarket(self.cluster.ledger).reads().items()
            },
        )

    async def _submit(self, message: bytes, context: Context) -> wire.SubmitResponse:
        self.messages.append(message)
        self.arrived.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.manners:
            return await self._misbehave(self.manners.popleft(), message, context)
        if self.cluster.leader is not self:
            return self._not_leader()
        return self.cluster.ledger.submit(message)

    async def _submit_stream(
        self, requests: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[wire.SubmitResponse]:
        async for message in requests:
            yield await self._submit(message, context)

    async def _misbehave(
        self, manner: Manner, message: bytes, context: Context
    ) -> wire.SubmitResponse:
        ledger = self.cluster.ledger
        if manner in {Manner.DROP_ANSWER, Manner.COMMIT_AND_HANG, Manner.COMMIT_UNAVAILABLE}:
            ledger.submit(message)
        if manner in {Manner.HANG, Manner.COMMIT_AND_HANG}:
            await asyncio.Event().wait()
        if manner in {Manner.DROP_ANSWER, Manner.BREAK}:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
        if manner is Manner.DENY:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")
        if manner in {Manner.UNAVAILABLE, Manner.COMMIT_UNAVAILABLE}:
            return _whole(message, Code.UNAVAILABLE)
        if manner is Manner.OVERLOADED:
            return _whole(message, Code.OVERLOADED, retry_after_ms=1)
        if manner is Manner.OVERLOADED_LATER:
            envelopes, _ = _split(message)
            first = ledger.submit(envelopes[0])
            rest = OUTCOME.pack(Code.OVERLOADED, 0, 0, 0, 0) * (len(envelopes) - 1)
            return wire.SubmitResponse(first.outcomes + rest, first.results, retry_after_ms=1)
        if manner is Manner.TOO_LATE:
            return _whole(message, Code.TOO_LATE)
        if manner is Manner.NONSENSE:
            return wire.SubmitResponse(b"nonsense")
        return self._not_leader()

    def _not_leader(self) -> wire.SubmitResponse:
        leader = self.hint or self.cluster.leader
        hint = None
        if self.cluster.gives_hints and leader is not None:
            hint = wire.LeaderHint(leader.raft_id, leader.address)
        return wire.SubmitResponse(OUTCOME.pack(Code.NOT_LEADER, 0, 0, 0, 0), leader=hint)

    async def _before_read(self, context: Context) -> None:
        self.reads += 1
        if self.fail_reads:
            self.fail_reads -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no quorum")

    def _read(
        self, name: str, request: type[Message], work: Callable[..., Awaitable[Message]]
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        """A read as a node takes it: the caller is known by its token over the bytes that came."""

        gate = Gate(
            ledger_id=self.cluster.genesis.ledger_id,
            kernel=_Keys(self.cluster.ledger),  # type: ignore[arg-type]  # all that it asks for
            log_time_ns=lambda: self.cluster.ledger.state.min_timestamp_ns,
            clock_ns=self.cluster.clock,
        )

        async def counted(
            message: Any,  # noqa: ANN401
            caller: Caller,
            context: Context,
        ) -> Message:
            await self._before_read(context)
            return await work(message, caller)

        return gate.unary(f"/{wire.SERVICE}/{name}", request, counted)

    def _account_rows(self, ids: bytes) -> bytes:
        rows = [self.cluster.ledger.state.accounts.get(each) for each in ids_of(ids)]
        return b"".join(
            bytes(AccountRow.LAYOUT.size) if row is None else row.encode() for row in rows
        )

    async def _get_accounts(
        self, request: pb.GetAccountsRequest, caller: Caller
    ) -> pb.GetAccountsResponse:
        reader = caller.reader()
        access.require_account_reader(reader)
        return pb.GetAccountsResponse(
            rows=access.visible_accounts(reader, self._account_rows(request.ids)),
            next_sequence=self.cluster.ledger.state.next_sequence_number,
        )

    async def _get_holds(self, request: pb.GetHoldsRequest, caller: Caller) -> pb.GetHoldsResponse:
        reader = caller.reader()
        access.require_account_reader(reader)
        found = [self.cluster.ledger.state.holds.get(each) for each in ids_of(request.ids)]
        rows = b"".join(
            bytes(HoldRow.LAYOUT.size) if row is None else row.encode() for row in found
        )
        accounts = self._account_rows(access.accounts_of_holds(rows, len(found)))
        visible = access.visible_holds(reader, rows, len(found), accounts)
        return pb.GetHoldsResponse(
            rows=visible,
            next_sequence=self.cluster.ledger.state.next_sequence_number,
            terms=FakeMarket(self.cluster.ledger).terms(request, visible),
        )

    async def _get_limits(
        self, request: pb.GetLimitsRequest, caller: Caller
    ) -> pb.GetLimitsResponse:
        reader, state = caller.reader(), self.cluster.ledger.state
        rows: list[LimitRow] = []
        if request.principal:
            access.require_account_reader(reader)
            if access.may_read_limits(reader, request.principal):
                own = state.limits.members(request.principal)
                rows = sorted(own, key=lambda row: row.limit_key)
        named = dict.fromkeys([*ids_of(request.zones), *(row.zone for row in rows)])
        zones = [state.zones.get(each) for each in named]
        return pb.GetLimitsResponse(
            rows=b"".join(row.encode() for row in rows),
            zones=b"".join(row.encode() for row in zones if row is not None),
            next_sequence=state.next_sequence_number,
            recovery=recovery_for(reader, state, request.principal),
        )

    async def _get_channels(
        self, request: pb.GetChannelsRequest, caller: Caller
    ) -> pb.GetChannelsResponse:
        reader = caller.reader()
        access.require_account_reader(reader)
        found = [self.cluster.ledger.state.channels.get(each) for each in ids_of(request.ids)]
        rows = b"".join(
            bytes(ChannelRow.LAYOUT.size) if row is None else row.encode() for row in found
        )
        accounts = self._account_rows(access.accounts_of_holds(rows, len(found)))
        return pb.GetChannelsResponse(
            rows=access.visible_holds(reader, rows, len(found), accounts),
            next_sequence=self.cluster.ledger.state.next_sequence_number,
        )

    async def _get_netting(
        self, request: pb.GetNettingRequest, caller: Caller
    ) -> pb.GetNettingResponse:
        access.require_account_reader(caller.reader())
        return netting_of(self.cluster.ledger.state, request.unit, request.account)

    async def _get_envelope(
        self, request: pb.GetEnvelopeRequest, caller: Caller
    ) -> pb.GetEnvelopeResponse:
        ledger = self.cluster.ledger
        reader = caller.reader()
        by_key = request.WhichOneof("by") == "key"
        access.require_envelope_reader(reader, request.key.principal if by_key else None)
        found: Committed | None
        if request.WhichOneof("by") == "sequence":
            wanted = SequenceNumber(request.sequence)
            found = next(
                (
                    entry
                    for entry in ledger.log
                    if 0 <= wanted - entry.first_sequence < len(entry.outcome.results)
                ),
                None,
            )
        else:
            key = request.key
            found = ledger.by_id.get((key.principal, key.envelope_id))
        if found is None or not access.may_read_envelope(reader, ledger.principal_of(found)):
            presence = pb.GetEnvelopeResponse.NOT_YET
            if request.WhichOneof("by") == "key":
                latest = (
                    id_time_ns(EnvelopeId(request.key.envelope_id)) + ledger.genesis.max_lifetime_ns
                )
                if ledger.state.min_timestamp_ns > latest:
                    presence = pb.GetEnvelopeResponse.NEVER
            return pb.GetEnvelopeResponse(presence=presence)
        return pb.GetEnvelopeResponse(
            presence=pb.GetEnvelopeResponse.FOUND,
            envelope=found.envelope,
            first_sequence=found.first_sequence,
            timestamp_ns=found.timestamp_ns,
            results=found.results,
            effects=found.effects,
            code=found.outcome.code,
        )

    async def _get_status(
        self, request: pb.GetStatusRequest, caller: Caller
    ) -> pb.GetStatusResponse:
        if request.with_state_digest:
            caller.reader()
        state = self.cluster.ledger.state
        leader = self.cluster.leader
        return pb.GetStatusResponse(
            raft_id=self.raft_id,
            role="leader" if leader is self else "follower",
            term=3,
            leader=None
            if leader is None
            else pb.LeaderHint(raft_id=leader.raft_id, address=leader.address),
            next_sequence=state.next_sequence_number,
            tree_size=state.log.size,
            state_digest=digest(state) if request.with_state_digest else b"",
            ledger_id=state.ledger_id,
            account_count=len(state.accounts),
            version="fake",
        )


class _Keys:
    """What `Gate` asks of a kernel, out of the specification's state."""

    def __init__(self, ledger: FakeLedger) -> None:
        self._ledger = ledger

    def key(self, public_key: PublicKey) -> bytes | None:
        row = self._ledger.state.keys.get(public_key)
        return None if row is None else row.encode()


def _whole(message: bytes, code: Code, retry_after_ms: int = 0) -> wire.SubmitResponse:
    envelopes, _ = _split(message)
    outcomes = OUTCOME.pack(code, 0, 0, 0, 0) * len(envelopes)
    return wire.SubmitResponse(outcomes, retry_after_ms=retry_after_ms)


class FakeCluster:
    """Some nodes of one ledger."""

    def __init__(
        self,
        node_count: int = 3,
        genesis: Genesis | None = None,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self.clock = Clock()
        self.genesis = genesis or make_genesis(node_count)
        self.ledger = FakeLedger(self.genesis, self.clock)
        self.credentials = credentials
        self.gives_hints = True
        self.nodes = [FakeNode(self, raft_id) for raft_id in range(1, node_count + 1)]
        self.leader: FakeNode | None = self.nodes[0]

    @property
    def endpoints(self) -> list[str]:
        return [node.address for node in self.nodes]

    async def __aenter__(self) -> Self:
        for node in self.nodes:
            await node.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes:
            await node.stop()


def netting_of(state: State, unit_id: bytes, account: bytes) -> pb.GetNettingResponse:
    """All of a deferred unit, as its issuer sees it."""
    row = state.deferred_units.get(UnitId(unit_id))
    if row is None:
        return pb.GetNettingResponse(next_sequence=state.next_sequence_number)
    windows = sorted(state.windows.members(row.unit), key=WindowRow.key_bytes)
    members = sorted(state.members.members(row.unit), key=MemberRow.key_bytes)
    parts, figures = [], b""
    for number in (row.open_window - 1, row.open_window):
        pairs = state.pairs.members((row.unit, number))
        positions = net_positions(
            (pair.debtor_account, pair.creditor_account, pair.amount) for pair in pairs
        )
        totals = (sum(pair.amount for pair in pairs), sum(position.due for position in positions))
        figures += b"".join(total.to_bytes(16, "little") for total in totals)
        parts.append(
            b"".join(
                position.account
                + position.owes.to_bytes(16, "little")
                + position.due.to_bytes(16, "little")
                for position in positions
            )
        )
    named = [row for row in state.pairs if account in (row.debtor_account, row.creditor_account)]
    return pb.GetNettingResponse(
        unit=row.encode(),
        windows=b"".join(window.encode() for window in windows),
        members=b"".join(member.encode() for member in members),
        closed=parts[0],
        open=parts[1],
        pairs=b"".join(pair.encode() for pair in sorted(named, key=PairRow.key_bytes)),
        figures=figures,
        next_sequence=state.next_sequence_number,
    )
