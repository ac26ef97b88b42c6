"""Nodes without a network: what the SDK sees of a cluster, and everything that can go wrong there.

Theory of operation
-------------------
A `SimCluster` has one ledger, the specification's, in which a block is *ordered* when it commits.
Before that it is in flight on the node that proposed it, and its fate is open: it commits, or is
lost with its leader. What a node does not do by itself the test decides: who leads, when a block
commits, who crashes, whose answers get lost, and who still believes to lead although another does.

A node answers as the pipeline does (node/tallystick_node/pipeline.py): refusals at once, by its own
clock and by what it has applied; everything else when its block is applied. One that believes to
lead and does not can refuse, but never commit: its majority is gone.

`SimPool` is the SDK's own pool, with these nodes instead of channels. Nothing else is replaced.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

import grpc
import grpc.aio
from tests.client.fake_node import (
    START_NS,
    Clock,
    Committed,
    Context,
    FakeCluster,
    FakeLedger,
    FakeNode,
    _split,
    _whole,
)

from tallystick.nodes import Node, NodePool, NotConnected
from tallystick.results import OUTCOME
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import Envelope
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.read_token import METADATA_KEY
from tallystick_proto import wire

RETRY_AFTER_MS: Final = 20


def rpc_error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    """As gRPC raises it."""
    empty = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, empty, empty, details)


@dataclass(slots=True, eq=False)
class Proposed:
    """A block in flight, and the answer that waits for it."""

    message: bytes
    verdicts: list[Code | Committed]
    fresh: list[bytes]
    timestamp_ns: int
    answer: "asyncio.Future[wire.SubmitResponse]"


class SimNode:
    """One node."""

    def __init__(self, cluster: "SimCluster", raft_id: int, ahead_ns: int) -> None:
        self.cluster = cluster
        self.raft_id = raft_id
        self.address = f"node-{raft_id}:7401"
        self.ahead_ns = ahead_ns
        self.is_up = True
        self.believes = False  # to lead
        self.next_sequence = 1  # as far as it has applied
        self.log_time_ns = 0  # there
        self.overloaded = False
        self.answers = ""  # "lost": the call breaks; "hanging": nobody is told anything
        self.in_flight: deque[Proposed] = deque()
        self.messages: list[bytes] = []

    # -- what the SDK calls ------------------------------------------------------------------------

    async def connect(self, timeout_s: float, *, patient: bool = False) -> None:
        del timeout_s, patient
        if not self.is_up:
            raise NotConnected(f"{self.address} does not accept connections")

    async def submit(
        self,
        message: bytes,
        *,
        timeout: float,  # noqa: ASYNC109 - its name in gRPC
    ) -> wire.SubmitResponse:
        try:
            async with asyncio.timeout(timeout):
                return await self.take(message)
        except TimeoutError:
            raise rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED, "too slow") from None

    def submit_stream(self) -> "SimCall":
        return SimCall(self)

    def ask(
        self,
        method: Any,  # noqa: ANN401 - of the SDK's read methods only GET_ENVELOPE comes here
        request: bytes,
        token: bytes | None,
        timeout_s: float,
    ) -> Awaitable[Any]:
        del timeout_s
        return self.cluster.read(self, method.path, request, token)

    # -- the node's side ---------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        return self.cluster.now_ns + self.ahead_ns

    async def take(self, message: bytes) -> wire.SubmitResponse:
        """One message through to its answer."""
        if not self.is_up:
            raise rpc_error(grpc.StatusCode.UNAVAILABLE, "connection refused")
        self.messages.append(message)
        answer = self._admit(message)
        if isinstance(answer, wire.SubmitResponse):
            return await self._answered(answer)
        self.in_flight.append(answer)
        if self.cluster.commits_at_once:
            self.cluster.commit(self)
        return await self._answered(await answer.answer)

    async def _answered(self, answer: wire.SubmitResponse) -> wire.SubmitResponse:
        if self.answers == "lost":
            raise rpc_error(grpc.StatusCode.UNAVAILABLE, "connection reset")
        if self.answers == "hanging":
            await asyncio.Event().wait()
        return answer

    def _admit(self, message: bytes) -> wire.SubmitResponse | Proposed:
        if not self.believes:
            leader = self.cluster.leader
            hint = None if leader is None else wire.LeaderHint(leader.raft_id, leader.address)
            return wire.SubmitResponse(OUTCOME.pack(Code.NOT_LEADER, 0, 0, 0, 0), leader=hint)
        if self.overloaded:
            return _whole(message, Code.OVERLOADED, RETRY_AFTER_MS)
        envelopes, _ = _split(message)
        verdicts = [self.cluster.ledger.admit_at(self, envelope) for envelope in envelopes]
        fresh = [
            envelope
            for envelope, verdict in zip(envelopes, verdicts, strict=True)
            if verdict is Code.OK
        ]
        loop = asyncio.get_running_loop()
        block = Proposed(message, verdicts, fresh, self.now_ns, loop.create_future())
        return block if fresh else _answer(verdicts, [], self.cluster.ledger)

    def catch_up(self) -> None:
        """Has applied all that is committed."""
        state = self.cluster.ledger.state
        self.next_sequence = state.next_sequence_number
        self.log_time_ns = state.min_timestamp_ns

    def may_be_under_way(self, envelope: bytes) -> bool:
        """Whether a copy that came before may still be ordered in time (originals.py)."""
        return Envelope.parse(envelope).header.valid_until_ns >= self.log_time_ns

    def give_up(self) -> None:
        """Does not lead any more: what is in flight here is another's to decide."""
        self.believes = False
        for block in self.in_flight:
            if not block.answer.done():
                block.answer.set_result(_whole(block.message, Code.UNAVAILABLE))
        self.in_flight.clear()


class SimCall:
    """A SubmitStream call: answers in the order of the messages."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        self._taken: asyncio.Queue[asyncio.Task[wire.SubmitResponse]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[wire.SubmitResponse]] = []

    async def write(self, message: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._node.take(message))
        self._tasks.append(task)
        self._taken.put_nowait(task)

    async def read(self) -> wire.SubmitResponse:
        return await (await self._taken.get())

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
            task.add_done_callback(lambda done: done.cancelled() or done.exception())


def _answer(
    verdicts: list[Code | Committed], new: list[Committed], ledger: "SimLedger"
) -> wire.SubmitResponse:
    """As the pipeline tells it: originals for what was ordered before."""
    outcomes, results = [], []
    ordered = iter(new)
    for verdict in verdicts:
        if isinstance(verdict, Code) and verdict is not Code.OK:
            outcomes.append(OUTCOME.pack(verdict, 0, 0, 0, 0))
            continue
        entry = verdict if isinstance(verdict, Committed) else next(ordered)
        code = Code.DUPLICATE if isinstance(verdict, Committed) else entry.outcome.code
        if code is Code.DUPLICATE and not isinstance(verdict, Committed):
            entry = ledger.original(entry.envelope)
        count = len(entry.outcome.results)
        outcomes.append(OUTCOME.pack(code, 0, count, entry.first_sequence, entry.timestamp_ns))
        results.append(entry.results)
    joined = b"".join(results)
    retry_after_ms = RETRY_AFTER_MS if Code.OVERLOADED in verdicts else 0
    return wire.SubmitResponse(b"".join(outcomes), joined if any(joined) else b"", retry_after_ms)


class SimLedger(FakeLedger):
    """What is committed."""

    def commit_at(self, envelopes: list[bytes], timestamp_ns: int) -> list[Committed]:
        self.clock.now_ns = timestamp_ns
        return self.commit(envelopes)

    def original(self, envelope: bytes) -> Committed:
        header = Envelope.parse(envelope).header
        principal = self.state.keys[header.signer].principal
        return self.by_id[principal, header.envelope_id]

    def admit_at(self, node: SimNode, envelope: bytes) -> Code | Committed:
        """What a node says by its clock and by what it has applied."""
        self.clock.now_ns = node.now_ns
        verdict = self.admit(envelope)
        if isinstance(verdict, Committed):
            if verdict.first_sequence < node.next_sequence:
                return verdict
            late = Envelope.parse(envelope).header.valid_until_ns < node.now_ns
            verdict = Code.TOO_LATE if late else Code.OK
        if verdict is Code.TOO_LATE and node.may_be_under_way(envelope):
            return Code.OVERLOADED
        return verdict


class SimPool(NodePool):
    """The SDK's pool; its channels lead to these nodes."""

    def __init__(self, cluster: "SimCluster") -> None:
        super().__init__([node.address for node in cluster.nodes], None)
        self._sims = {node.address: node for node in cluster.nodes}

    def node(self, address: str) -> Node:
        return cast("Node", self._sims[address])


class SimCluster:
    """Three nodes."""

    def __init__(self, genesis: Genesis, loop: asyncio.AbstractEventLoop, ahead_ns: int) -> None:
        self.genesis = genesis
        self.loop = loop
        self.ledger = SimLedger(genesis, Clock())
        self.commits_at_once = True
        self.nodes = [SimNode(self, raft_id, ahead_ns * (raft_id - 2)) for raft_id in (1, 2, 3)]
        self.undecided: deque[Proposed] = deque()  # of a leader that died
        self.leader: SimNode | None = None
        reader = FakeNode(cast("FakeCluster", _Shim(self)), 1)
        self._handler = reader._handler()
        self.elect(self.nodes[0], 0)

    @property
    def now_ns(self) -> int:
        return START_NS + int(self.loop.time() * 1_000_000_000)

    # -- what happens ------------------------------------------------------------------------------

    def commit(self, node: SimNode) -> None:
        """The oldest block in flight on the leader is on a majority of disks, and applied."""
        if node is self.leader and node.in_flight:
            self._order(node.in_flight.popleft())

    def _order(self, block: Proposed) -> None:
        new = self.ledger.commit_at(block.fresh, block.timestamp_ns)
        if self.leader is not None:
            self.leader.catch_up()
        if not block.answer.done():
            block.answer.set_result(_answer(block.verdicts, new, self.ledger))

    def elect(self, node: SimNode, adopted: int, *, is_noticed: bool = True) -> None:
        """Another leads; of what the former had in flight the first `adopted` blocks commit.

        Args:
            node: It is up, or nothing happens.
            adopted: How many blocks had reached the majority that elected it.
            is_noticed: Whether the former leader knows; if not it goes on as if it led.
        """
        if not node.is_up or node is self.leader:
            return
        former = self.leader
        open_blocks = list(self.undecided if former is None else former.in_flight)
        self.undecided.clear()
        if node.believes:  # a former leader that had not noticed
            node.give_up()
        self.leader = node
        for block in open_blocks[:adopted]:
            # Who proposed it does not see it commit: the answer is not his to give any more.
            unanswered = block.answer
            block.answer = self.loop.create_future()
            self._order(block)
            block.answer = unanswered
        node.catch_up()
        node.believes = True
        if former is not None and is_noticed:
            former.give_up()

    def crash(self, node: SimNode) -> None:
        """Ends a node; what it had in flight may have reached others."""
        node.is_up = node.believes = False
        node.overloaded, node.answers = False, ""
        for block in node.in_flight:
            if not block.answer.done():
                block.answer.set_exception(rpc_error(grpc.StatusCode.UNAVAILABLE, "reset"))
                block.answer.exception()
        if node is self.leader:
            self.leader, self.undecided = None, deque(node.in_flight)
        node.in_flight.clear()

    def tick(self) -> None:
        """The leader orders its TICK, if nothing else is under way."""
        leader = self.leader
        if leader is not None and not leader.in_flight:
            self.ledger.clock.now_ns = leader.now_ns
            self.ledger.tick()
            leader.catch_up()

    async def read(self, node: SimNode, path: str, request: bytes, token: bytes | None) -> object:
        """A linearizable read at a node; None of this goes without a majority."""
        await asyncio.sleep(0)
        if not node.is_up or self.leader is None or (node.believes and node is not self.leader):
            raise rpc_error(grpc.StatusCode.UNAVAILABLE, "no quorum")
        details = cast("grpc.HandlerCallDetails", _Details(path))
        method = cast("Any", self._handler.service(details))
        return await method.unary_unary(request, cast("Context", _Call(token)))


@dataclass(frozen=True)
class _Details:
    method: str


@dataclass(frozen=True)
class _Call:
    """What a read's handler asks of its call."""

    token: bytes | None

    def invocation_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return () if self.token is None else ((METADATA_KEY, self.token),)

    async def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        raise rpc_error(code, details)


class _Shim:
    """What `FakeNode` asks of its cluster when it reads."""

    def __init__(self, cluster: SimCluster) -> None:
        self.genesis = cluster.genesis
        self.ledger = cluster.ledger
        self.clock = lambda: cluster.now_ns
