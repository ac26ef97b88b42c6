"""The nodes of a ledger as a client sees them: channels, who leads, whom to ask next.

Theory of operation
-------------------
A pool has one address per node and opens a channel when it first needs it. One node is the
*target*: the one believed to lead. Every operation starts there, since writes have to and
linearizable reads are shortest there. The target moves only on evidence about the current one:

    evidence                        next target
    NOT_LEADER with a hint          the hinted node (added if it was not configured)
    NOT_LEADER without, UNAVAILABLE the next in the list (round robin)
    no connection, RPC failed       the next in the list

Several operations fail together when a node dies. Each reports *which* node it asked; the first
report moves the target, the others find that it has moved already and change nothing.

`connect` separates "never sent" from "sent, answer lost": only after it has returned may bytes
have left, so only what fails later leaves an outcome unknown.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import grpc
import grpc.aio

from tallystick import limits
from tallystick.errors import ConfigurationError
from tallystick_ledger.read_token import METADATA_KEY
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2

# Measured for 1 MiB messages on one stream: 978 MiB/s with gRPC's defaults, 1,935 with these.
_CHANNEL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_send_message_length", limits.MAX_GRPC_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", limits.MAX_GRPC_MESSAGE_BYTES),
    ("grpc.http2.max_frame_size", 1 << 20),
    ("grpc.http2.lookahead_bytes", 16 << 20),
    ("grpc.http2.write_buffer_size", 1 << 20),
    ("grpc.http2.bdp_probe", 0),
    # Retries are decided here, with the stored bytes, and nowhere else.
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
)


Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class ReadMethod(Generic[Answer]):
    """An RPC that reads.

    Attributes:
        path: Its full name, which its tokens are signed over.
        decode: Reads its answer.
    """

    path: str
    decode: Callable[[bytes], Answer]


GET_ACCOUNTS: Final = ReadMethod(
    f"/{wire.SERVICE}/GetAccounts", ledger_pb2.GetAccountsResponse.FromString
)
GET_HOLDS: Final = ReadMethod(f"/{wire.SERVICE}/GetHolds", ledger_pb2.GetHoldsResponse.FromString)
GET_CHANNELS: Final = ReadMethod(
    f"/{wire.SERVICE}/GetChannels", ledger_pb2.GetChannelsResponse.FromString
)
GET_LIMITS: Final = ReadMethod(
    f"/{wire.SERVICE}/GetLimits", ledger_pb2.GetLimitsResponse.FromString
)
GET_NETTING: Final = ReadMethod(
    f"/{wire.SERVICE}/GetNetting", ledger_pb2.GetNettingResponse.FromString
)
GET_CARDS: Final = ReadMethod(f"/{wire.SERVICE}/GetCards", ledger_pb2.GetCardsResponse.FromString)
LIST_CARDS: Final = ReadMethod(
    f"/{wire.SERVICE}/ListCards", ledger_pb2.ListCardsResponse.FromString
)
LIST_PRICES: Final = ReadMethod(
    f"/{wire.SERVICE}/ListPrices", ledger_pb2.ListPricesResponse.FromString
)
GET_NAMES: Final = ReadMethod(f"/{wire.SERVICE}/GetNames", ledger_pb2.GetNamesResponse.FromString)
LIST_NAMES: Final = ReadMethod(
    f"/{wire.SERVICE}/ListNames", ledger_pb2.ListNamesResponse.FromString
)
GET_MANDATES: Final = ReadMethod(
    f"/{wire.SERVICE}/GetMandates", ledger_pb2.GetMandatesResponse.FromString
)
GET_CLAIMS: Final = ReadMethod(
    f"/{wire.SERVICE}/GetClaims", ledger_pb2.GetClaimsResponse.FromString
)
GET_DISPUTES: Final = ReadMethod(
    f"/{wire.SERVICE}/GetDisputes", ledger_pb2.GetDisputesResponse.FromString
)
GET_GRANTS: Final = ReadMethod(
    f"/{wire.SERVICE}/GetGrants", ledger_pb2.GetGrantsResponse.FromString
)
GET_ENVELOPE: Final = ReadMethod(
    f"/{wire.SERVICE}/GetEnvelope", ledger_pb2.GetEnvelopeResponse.FromString
)
GET_STATUS: Final = ReadMethod(
    f"/{wire.SERVICE}/GetStatus", ledger_pb2.GetStatusResponse.FromString
)
LIST_RECORDS: Final = ReadMethod(
    f"/{wire.SERVICE}/ListRecords", ledger_pb2.ListRecordsResponse.FromString
)
WATCH: Final = ReadMethod(f"/{wire.SERVICE}/Watch", ledger_pb2.WatchResponse.FromString)


def _read_metadata(token: bytes | None) -> tuple[tuple[str, bytes], ...] | None:
    """Returns the metadata of a call with this read token."""
    return None if token is None else ((METADATA_KEY, token),)


class NotConnected(Exception):  # noqa: N818 - says what happened; never leaves the SDK
    """No connection to the node within the time: nothing was sent to it."""


class Node:
    """One node's channel and the calls on it. Belongs to the event loop that first uses it."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        self.address = address
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(address, credentials, options=_CHANNEL_OPTIONS)
        self.submit = self._channel.unary_unary(
            wire.SUBMIT_METHOD,
            request_serializer=wire.encode_submit_request,
            response_deserializer=wire.decode_submit_response,
        )
        self.submit_stream = self._channel.stream_stream(
            wire.SUBMIT_STREAM_METHOD,
            request_serializer=wire.encode_submit_request,
            response_deserializer=wire.decode_submit_response,
        )

    def ask(
        self, method: ReadMethod[Answer], request: bytes, token: bytes | None, timeout_s: float
    ) -> Awaitable[Answer]:
        """Asks for one answer.

        Args:
            method: What is asked.
            request: The request message's bytes; they go out as they are.
            token: The read token over them, if it needs one.
            timeout_s: When to give up.
        """
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, Answer] = self._channel.unary_unary(
            method.path, response_deserializer=method.decode
        )
        return call(request, timeout=timeout_s, metadata=_read_metadata(token))

    def follow(
        self, method: ReadMethod[Answer], request: bytes, token: bytes | None
    ) -> "grpc.aio.UnaryStreamCall[bytes, Answer]":
        """Asks for a stream of answers; as `ask`, without an end."""
        call: grpc.aio.UnaryStreamMultiCallable[bytes, Answer] = self._channel.unary_stream(
            method.path, response_deserializer=method.decode
        )
        return call(request, metadata=_read_metadata(token))

    async def connect(self, timeout_s: float, *, patient: bool = False) -> None:
        """Returns once the channel is connected.

        Args:
            timeout_s: When to give up.
            patient: Whether to try again a node that refused the last time it was asked. Else that
                is taken for its answer until gRPC, in the background, has found it alive.

        Raises:
            NotConnected: it was refused, or took longer than `timeout_s`.
        """
        channel = self._channel
        state = channel.get_state(try_to_connect=True)
        if state is grpc.ChannelConnectivity.READY:
            return
        try:
            async with asyncio.timeout(timeout_s):
                while state is not grpc.ChannelConnectivity.READY:
                    if state in _HOPELESS and not patient:
                        raise NotConnected(f"{self.address} does not accept connections")
                    patient = patient and state in _HOPELESS
                    await channel.wait_for_state_change(state)
                    state = channel.get_state(try_to_connect=True)
        except TimeoutError:
            raise NotConnected(f"{self.address} did not accept a connection in time") from None

    async def close(self) -> None:
        """Ends the channel; calls under way fail with CANCELLED."""
        await self._channel.close()


# Of a channel that asked and was refused; gRPC itself tries again in the background.
_HOPELESS: Final = (
    grpc.ChannelConnectivity.TRANSIENT_FAILURE,
    grpc.ChannelConnectivity.SHUTDOWN,
)


class NodePool:
    """All nodes of one ledger, and which of them is asked first."""

    def __init__(self, endpoints: Sequence[str], tls: bytes | None) -> None:
        """Checks the addresses; nothing is opened yet.

        Args:
            endpoints: `host:port` of each node's client port, at least one.
            tls: PEM certificates of the authorities to trust; None for a connection without TLS.

        Raises:
            ConfigurationError: no endpoint, or one that is no `host:port`.
        """
        if isinstance(endpoints, str):
            endpoints = [part.strip() for part in endpoints.split(",")]
        self._addresses = list(dict.fromkeys(endpoints))
        if not self._addresses:
            raise ConfigurationError("There is no endpoint.", advice="Name at least one host:port.")
        for address in self._addresses:
            require_address(address)
        self._credentials = None if tls is None else grpc.ssl_channel_credentials(tls)
        self._nodes: dict[str, Node] = {}
        self._target = 0

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every `host:port` known, configured ones first."""
        return tuple(self._addresses)

    @property
    def target(self) -> Node:
        """The node to ask first."""
        return self.node(self._addresses[self._target])

    def node(self, address: str) -> Node:
        """Returns the node at `address`, whose channel is opened at the first call."""
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = Node(address, self._credentials)
        return node

    def failed(self, node: Node) -> None:
        """Takes note that `node` could not answer; the next one becomes the target."""
        if self._addresses[self._target] == node.address:
            self._target = (self._target + 1) % len(self._addresses)

    def not_leader(self, node: Node, hint: wire.LeaderHint | None) -> bool:
        """Takes note that `node` does not lead; returns whether a hint names somebody else."""
        if hint is None or not _is_address(hint.address) or hint.address == node.address:
            self.failed(node)
            return False
        if hint.address not in self._addresses:
            if len(self._addresses) >= limits.MAX_ENDPOINTS:
                self.failed(node)
                return False
            self._addresses.append(hint.address)
        if self._addresses[self._target] in (node.address, hint.address):
            self._target = self._addresses.index(hint.address)
        return True

    async def close(self) -> None:
        """Closes every channel."""
        nodes, self._nodes = list(self._nodes.values()), {}
        for node in nodes:
            await node.close()


def require_address(address: str) -> None:
    """Raises ConfigurationError unless `address` is `host:port`."""
    if not _is_address(address):
        raise ConfigurationError(
            f"{address!r} is no endpoint.", advice="Write it as host:port, such as 127.0.0.1:7401."
        )


def _is_address(address: str) -> bool:
    host, separator, port = address.rpartition(":")
    return bool(separator and host) and port.isascii() and port.isdigit() and 0 < int(port) < 65536
