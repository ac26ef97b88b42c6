"""Errors of a node.

NodeError
├── ConfigError                a setting is missing, unknown or out of range
├── StartRefusedError          the node must not start in this state
│   ├── NotInitialisedError    empty or wiped directory: `node init` makes one, under a new id
│   ├── AlreadyInitialisedError
│   ├── WrongStoreError        belongs to another ledger, node or incarnation
│   ├── AddressTakenError      a port is taken, or not this machine's (.address)
│   ├── RefusedByPeerError     a peer knows this node with another incarnation
│   └── DamagedLogError        acknowledged data is missing or damaged (.index)
├── UnauthenticatedError       who asks is not known (access.py)
├── DeniedError                who asks is known, and may not (access.py)
└── ReplicaError               this attempt failed; another may succeed
    ├── NotLeaderError         (.leader_id, 0 when unknown)
    ├── ProposalRefusedError   too much is uncommitted
    └── NoQuorumError          no majority answered in time

Broken invariants and failed writes are no errors to handle: `failure.fatal` ends the process.
"""


class NodeError(Exception):
    """Root of all errors of this package."""


class ConfigError(NodeError):
    """A setting is missing, unknown or out of range."""


class StartRefusedError(NodeError):
    """The node must not start in this state."""


class NotInitialisedError(StartRefusedError):
    """There is no node in this directory."""


class AlreadyInitialisedError(StartRefusedError):
    """There is a node in this directory already."""


class WrongStoreError(StartRefusedError):
    """What is in the directory belongs to another ledger, node or incarnation."""


class AddressTakenError(StartRefusedError):
    """A port to listen on is taken, or the address is not this machine's.

    Attributes:
        address: host:port, as configured.
    """

    def __init__(self, setting: str, address: str) -> None:
        super().__init__(
            f"cannot listen on {address} ({setting}): it is taken, or no address of this machine"
        )
        self.address = address


class RefusedByPeerError(StartRefusedError):
    """A peer knows this id with another incarnation: the directory has forgotten its promises."""


class DamagedLogError(StartRefusedError):
    """Acknowledged data is missing or damaged.

    Attributes:
        index: the log index concerned, 0 when it is not one entry.
    """

    def __init__(self, message: str, index: int = 0) -> None:
        super().__init__(message)
        self.index = index


class UnauthenticatedError(NodeError):
    """Who asks is not known: no token, or not one that is good for this call and state."""


class DeniedError(NodeError):
    """Who asks is known, and may not ask this, whatever the state is."""


class ReplicaError(NodeError):
    """This attempt failed; another may succeed."""


class NotLeaderError(ReplicaError):
    """Another node leads, or nobody does.

    Attributes:
        leader_id: Raft id of the leader, 0 when unknown.
    """

    def __init__(self, leader_id: int) -> None:
        super().__init__(f"not the leader; the leader is {leader_id or 'unknown'}")
        self.leader_id = leader_id


class ProposalRefusedError(ReplicaError):
    """Too much is uncommitted: try again after the next commit."""


class NoQuorumError(ReplicaError):
    """No leader or no majority answered in time."""
