"""The sending end: two streams to each peer, kept open for as long as the node runs.

Theory of operation
-------------------
A `Lane` is one stream to one peer with a queue in front. Its task dials, shows who this node is,
checks who answered (peer_wire.py), then writes frames until something breaks; then it drops what is
queued (Raft sends again what matters), says so, and dials again after a short, growing pause.

Queues are bounded in bytes. Above the bound, and while there is no stream, frames are dropped: old
consensus messages are worth nothing, and waiting for a slow peer must never slow down the others.

A peer may refuse this node because it knows its id with another incarnation. That ends the node
(`on_refused`): it is the one that forgot.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import grpc
import structlog
from grpc import aio

from tallystick_node.config import PeerAddress
from tallystick_node.identity import NodeIdentity, node_name
from tallystick_node.limits import (
    MAX_BULK_QUEUE_BYTES,
    MAX_CONTROL_QUEUE_BYTES,
    RECONNECT_FIRST_S,
    RECONNECT_LONGEST_S,
    STREAM_OPEN_TIMEOUT_S,
)
from tallystick_node.peer_wire import (
    BULK,
    CONTROL,
    DIAL_OPTIONS,
    REFUSAL_KEY,
    SERVICE,
    Hello,
    Refusal,
)
from tallystick_node.pins import Pins

_log = structlog.get_logger(__name__)

_BROKEN: Final = (aio.AioRpcError, aio.UsageError, asyncio.InvalidStateError, TimeoutError)
"""What a write to a dead stream raises; gRPC does not always say AioRpcError."""

Call = aio.StreamUnaryCall[bytes, bytes]


@dataclass(frozen=True, slots=True)
class LinkEvents:
    """What the transport reports, on the event loop.

    Attributes:
        unreachable: frames to this peer were lost.
        refused: this peer refuses this node's incarnation: (peer, what it said).
    """

    unreachable: Callable[[int], None]
    refused: Callable[[int, str], None]


class _PeerMismatchError(Exception):
    """Who answered is not the peer that is known."""


class Transport:
    """The streams to all peers. Belongs to the event loop."""

    def __init__(
        self,
        identity: NodeIdentity,
        hello: Hello,
        peers: Mapping[int, PeerAddress],
        pins: Pins,
        events: LinkEvents,
    ) -> None:
        """Make it; `start` dials.

        Args:
            identity: own certificate and the authority.
            hello: what peers are told.
            peers: where they are.
            pins: what they are held to.
            events: what is reported.
        """
        credentials = grpc.ssl_channel_credentials(
            identity.ca_pem, identity.key_pem, identity.certificate_pem
        )
        self._lanes: dict[tuple[int, bool], Lane] = {}
        self._channels: list[aio.Channel] = []
        for raft_id, address in peers.items():
            # One channel per lane: a megabyte on one connection would hold a heartbeat up.
            for bulk, method, limit in (
                (True, BULK, MAX_BULK_QUEUE_BYTES),
                (False, CONTROL, MAX_CONTROL_QUEUE_BYTES),
            ):
                channel = aio.secure_channel(
                    address.peer,
                    credentials,
                    options=(
                        *DIAL_OPTIONS,
                        # The certificate must be that very node's, whatever the address says.
                        ("grpc.ssl_target_name_override", node_name(raft_id)),
                    ),
                )
                self._channels.append(channel)
                self._lanes[raft_id, bulk] = Lane(
                    raft_id, channel, method, limit, hello, pins, events
                )

    def start(self) -> list[asyncio.Task[None]]:
        """Dial every peer; the tasks end only when they are cancelled."""
        return [
            asyncio.create_task(lane.run(), name=f"peer {lane.peer} {lane.method}")
            for lane in self._lanes.values()
        ]

    async def close(self) -> None:
        """Close the connections. Cancel the tasks first."""
        for channel in self._channels:
            await channel.close()

    def send(self, to: int, frame: bytes, *, bulk: bool) -> None:
        """Queue a frame, or drop it."""
        lane = self._lanes.get((to, bulk))
        if lane is not None:
            lane.send(frame)

    def is_connected(self, peer: int) -> bool:
        """Whether both streams to this peer are open."""
        return all(self._lanes[peer, bulk].is_open for bulk in (True, False))


class Lane:
    """One stream to one peer."""

    def __init__(
        self,
        peer: int,
        channel: aio.Channel,
        method: str,
        limit_bytes: int,
        hello: Hello,
        pins: Pins,
        events: LinkEvents,
    ) -> None:
        self.peer = peer
        self.method = method
        self.is_open = False
        self._stream_unary: aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(
            f"/{SERVICE}/{method}"
        )
        self._limit_bytes = limit_bytes
        self._hello = hello
        self._pins = pins
        self._events = events
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._warned = ""

    def send(self, frame: bytes) -> None:
        """Queue a frame; drop it without a stream or above the bound."""
        if not self.is_open or self._queued_bytes + len(frame) > self._limit_bytes:
            self._lost()
            return
        self._queue.append(frame)
        self._queued_bytes += len(frame)
        self._wake.set()

    async def run(self) -> None:
        """Keep the stream open, for ever."""
        pause_s = RECONNECT_FIRST_S
        while True:
            call: Call = self._stream_unary(metadata=self._hello.metadata())
            try:
                await self._open(call)
                pause_s = RECONNECT_FIRST_S
                await self._write(call)
            except _BROKEN as error:
                self._explain(error)
            except _PeerMismatchError as error:
                self._warn("peer is not the one that is known", str(error))
            except asyncio.CancelledError:
                # gRPC raises it, too, when a call ends under a write.
                if _is_cancelling():
                    raise
            finally:
                call.cancel()
                self._drop()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RECONNECT_LONGEST_S)

    async def _open(self, call: Call) -> None:
        """Wait for the peer's answer and check who it is."""
        async with asyncio.timeout(STREAM_OPEN_TIMEOUT_S):
            hello = Hello.read(await call.initial_metadata())
            if hello is None:
                # The answer was a refusal, and says why when it is awaited.
                await call
                raise _PeerMismatchError("the peer does not say who it is")
        if hello.raft_id != self.peer or hello.ledger_id != self._hello.ledger_id:
            raise _PeerMismatchError(f"node {hello.raft_id} of ledger {hello.ledger_id.hex()}")
        if not await self._pins.accepts(self.peer, hello.incarnation):
            raise _PeerMismatchError("its directory was emptied or made anew; it is not talked to")
        call.add_done_callback(lambda _: self._wake.set())
        self.is_open = True

    async def _write(self, call: Call) -> None:
        while not call.done():
            while self._queue:
                frame = self._queue.popleft()
                self._queued_bytes -= len(frame)
                await call.write(frame)
            self._wake.clear()
            if not call.done():
                await self._wake.wait()
        await call  # raises what ended it

    def _explain(self, error: BaseException) -> None:
        if not isinstance(error, aio.AioRpcError):
            return
        refusal = dict(error.trailing_metadata() or ()).get(REFUSAL_KEY)
        if refusal == Refusal.INCARNATION:
            self._events.refused(self.peer, error.details() or refusal)
        elif refusal is not None:
            self._warn("peer refuses this node", error.details() or str(refusal))

    def _warn(self, event: str, why: str) -> None:
        """Say it once, however often it is dialled in vain."""
        if why != self._warned:
            self._warned = why
            _log.warning(event, peer=self.peer, why=why)

    def _drop(self) -> None:
        was_open, self.is_open = self.is_open, False
        self._queue.clear()
        self._queued_bytes = 0
        if was_open:
            self._lost()

    def _lost(self) -> None:
        # Not at once: the caller may be in the middle of the core's own work.
        asyncio.get_running_loop().call_soon(self._events.unreachable, self.peer)


def _is_cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
