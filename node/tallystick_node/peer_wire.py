"""What both ends of a peer connection agree on: options, metadata, refusals.

Each node dials every other and opens two client-streaming calls to it, `Bulk` and `Control`; frames
travel only from the dialling node to the dialled one. Both ends first show who they are:

1. TLS: both certificates come from the cluster's authority; the dialled one must name `node-<id>`,
   the dialling one's public key must be a transport identity of the genesis, which gives its id.
2. Call metadata and the answer's initial metadata: ledger id, Raft id, incarnation. Each side pins
   the other's incarnation at the first contact; another one later is refused.

Only then does the first frame leave, so whatever is stepped came from a peer that knew whom it was
talking to and that is known here.

The channel options were measured with frames of 1 MiB: they double what gRPC moves per second.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from tallystick_node.limits import (
    KEEPALIVE_MS,
    KEEPALIVE_TIMEOUT_MS,
    MAX_FRAME_BYTES,
    MAX_PEER_STREAMS,
    PEER_HANDSHAKE_TIMEOUT_MS,
)

SERVICE: Final = "tallystick.v1.Peer"
BULK: Final = "Bulk"
CONTROL: Final = "Control"

LEDGER_ID_KEY: Final = "tallystick-ledger-id-bin"
RAFT_ID_KEY: Final = "tallystick-raft-id"
INCARNATION_KEY: Final = "tallystick-incarnation-bin"
REFUSAL_KEY: Final = "tallystick-refusal"

_MIB: Final = 1024 * 1024

# For any connection that carries megabytes: public or between nodes.
TUNING_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.http2.max_frame_size", 1 * _MIB),
    ("grpc.http2.lookahead_bytes", 16 * _MIB),
    ("grpc.http2.write_buffer_size", 1 * _MIB),
    ("grpc.http2.bdp_probe", 0),
)

PEER_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    *TUNING_OPTIONS,
    ("grpc.max_receive_message_length", MAX_FRAME_BYTES),
    ("grpc.max_send_message_length", MAX_FRAME_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)

DIAL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    *PEER_OPTIONS,
    # A pool shared with other channels would keep a broken connection's back-off.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)

LISTEN_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    *PEER_OPTIONS,
    # Two processes on one port would each get half of the frames.
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
    # Whoever cannot show a certificate by then is closed; who can opens one stream a connection.
    ("grpc.server_handshake_timeout_ms", PEER_HANDSHAKE_TIMEOUT_MS),
    ("grpc.max_concurrent_streams", MAX_PEER_STREAMS),
)

Metadata = tuple[tuple[str, str | bytes], ...]


class Refusal(StrEnum):
    """Why a stream is not taken; travels in the trailing metadata."""

    UNKNOWN_PEER = "unknown_peer"
    """The certificate's key is not in the genesis."""
    WRONG_LEDGER = "wrong_ledger"
    WRONG_NODE = "wrong_node"
    """The Raft id is not that of the certificate."""
    INCARNATION = "incarnation"
    """This id was known with another incarnation: its directory was emptied or made anew."""
    BAD_FRAME = "bad_frame"


@dataclass(frozen=True, slots=True)
class Hello:
    """Who a node says it is."""

    ledger_id: bytes
    raft_id: int
    incarnation: bytes

    def metadata(self) -> Metadata:
        """As call metadata."""
        return (
            (LEDGER_ID_KEY, self.ledger_id),
            (RAFT_ID_KEY, str(self.raft_id)),
            (INCARNATION_KEY, self.incarnation),
        )

    @classmethod
    def read(cls, metadata: object) -> Self | None:
        """From call metadata; None if it is not complete. Never raises."""
        values: dict[str, str | bytes] = {}
        if metadata is not None:
            values = {str(key): value for key, value in metadata}  # type: ignore[attr-defined]
        ledger_id, raft_id = values.get(LEDGER_ID_KEY), values.get(RAFT_ID_KEY)
        incarnation = values.get(INCARNATION_KEY)
        if not isinstance(ledger_id, bytes) or not isinstance(incarnation, bytes):
            return None
        if not isinstance(raft_id, str) or not raft_id.isascii() or not raft_id.isdigit():
            return None
        if len(raft_id) > len("65535"):
            return None
        return cls(ledger_id, int(raft_id), incarnation)
