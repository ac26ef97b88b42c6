"""The peer port as somebody sees it who is not a peer, or not the one it says."""

import grpc
from grpc import aio
from tests.hostile.arena import Arena

from tallystick_cluster import pki
from tallystick_node.identity import NodeIdentity
from tallystick_node.peer_wire import Hello


def credentials_of(arena: Arena, raft_id: int) -> pki.NodeCredentials:
    """What lies in a node's directory: whoever has it is that node."""
    return pki.read_node_credentials(arena.nodes.directory(raft_id) / "identity")


def hello_of(arena: Arena, raft_id: int) -> Hello:
    """What a node truly says of itself."""
    identity = NodeIdentity.load(arena.nodes.directory(raft_id), raft_id)
    return Hello(identity.ledger_id, raft_id, identity.incarnation)


def peer_channel(arena: Arena, raft_id: int, *, as_node: pki.NodeCredentials | None) -> aio.Channel:
    """A connection to a node's peer port with somebody's credentials, or none."""
    address = next(each.peer for each in arena.nodes.layout.nodes if each.raft_id == raft_id)
    return aio.secure_channel(
        address,
        grpc.ssl_channel_credentials(
            arena.ca_pem,
            as_node.key_pem if as_node else None,
            as_node.certificate_pem if as_node else None,
        ),
        options=(
            ("grpc.ssl_target_name_override", f"node-{raft_id}"),
            ("grpc.use_local_subchannel_pool", 1),
        ),
    )
