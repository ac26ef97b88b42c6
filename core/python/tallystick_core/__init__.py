"""Native core of Tallystick: Raft binding, batch verification, tree hashing and kernel.

The compiled module is `tallystick_core._core`; this package re-exports its public names. Type
stubs with the full documentation of each name are in `_core.pyi`.
"""

from tallystick_core._core import (
    RAFT_FETCH_BYTES,
    RAFT_MAX_FRAME_BYTES,
    RAFT_MAX_PAYLOAD_BYTES,
    RAFT_MAX_READ_CONTEXT_BYTES,
    FrameInfo,
    NoLeader,
    NotLeader,
    PeerProgress,
    PeerState,
    ProposalDropped,
    RaftCore,
    RaftFrameError,
    RaftMessageType,
    RaftRefused,
    RaftRole,
    RaftStatus,
    ReadNotReady,
    Ready,
    __version__,
)

__all__ = [
    "RAFT_FETCH_BYTES",
    "RAFT_MAX_FRAME_BYTES",
    "RAFT_MAX_PAYLOAD_BYTES",
    "RAFT_MAX_READ_CONTEXT_BYTES",
    "FrameInfo",
    "NoLeader",
    "NotLeader",
    "PeerProgress",
    "PeerState",
    "ProposalDropped",
    "RaftCore",
    "RaftFrameError",
    "RaftMessageType",
    "RaftRefused",
    "RaftRole",
    "RaftStatus",
    "ReadNotReady",
    "Ready",
    "__version__",
]
