"""Where a driver finds the ledger: endpoints, trust, and which node it believes to lead."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import grpc
from grpc import aio

from tallystick_proto import wire

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 4 << 20),
    ("grpc.max_send_message_length", 4 << 20),
    ("grpc.http2.max_frame_size", 1 << 20),
    ("grpc.http2.lookahead_bytes", 16 << 20),
    ("grpc.http2.write_buffer_size", 1 << 20),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
# Before the next attempt when nobody said who leads.
PAUSE_S: Final = 0.2

StreamCall: TypeAlias = "aio.StreamStreamCall[bytes, wire.SubmitResponse]"
UnaryCall: TypeAlias = "aio.UnaryUnaryMultiCallable[bytes, wire.SubmitResponse]"


@dataclass(frozen=True, slots=True)
class Target:
    """A ledger.

    Attributes:
        endpoints: `host:port` of each node's client port, the leader's first.
        ca_pem: Certificates to trust.
        genesis: The ledger's genesis bytes.
    """

    endpoints: tuple[str, ...]
    ca_pem: bytes
    genesis: bytes

    def channel(self, address: str) -> aio.Channel:
        """A channel of its own to a node."""
        credentials = grpc.ssl_channel_credentials(self.ca_pem)
        return aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS)


class Leader:
    """Follows hints to the leader; goes round where there are none."""

    def __init__(self, target: Target) -> None:
        self._endpoints = target.endpoints
        self._hint: str | None = None
        self._attempt = 0

    @property
    def address(self) -> str:
        """Whom to ask now."""
        return self._hint or self._endpoints[self._attempt % len(self._endpoints)]

    def failed(self, hint: wire.LeaderHint | None = None) -> float:
        """Takes note that the present address does not lead, or does not answer.

        Args:
            hint: What it said about who leads.

        Returns:
            How long to wait before the next attempt, in seconds.
        """
        if hint is not None and hint.address not in ("", self.address):
            self._hint = hint.address
            return 0.0
        self._hint = None
        self._attempt += 1
        return PAUSE_S


def submit_stream(channel: aio.Channel) -> StreamCall:
    """Opens a SubmitStream."""
    call: StreamCall = channel.stream_stream(
        wire.SUBMIT_STREAM_METHOD,
        request_serializer=wire.encode_submit_request,
        response_deserializer=wire.decode_submit_response,
    )()
    return call


def submit_unary(channel: aio.Channel) -> UnaryCall:
    """The Submit method of a channel."""
    call: UnaryCall = channel.unary_unary(
        wire.SUBMIT_METHOD,
        request_serializer=wire.encode_submit_request,
        response_deserializer=wire.decode_submit_response,
    )
    return call
