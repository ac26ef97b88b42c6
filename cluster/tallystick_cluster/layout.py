"""What a cluster directory holds, and how one is made.

::

    DIR/cluster.json        addresses of all nodes, origin
    DIR/genesis.bin         the ledger's genesis
    DIR/ca.pem              authority that clients and nodes trust; its key is in DIR/authority/
    DIR/keys/operator.key   seed of the one operator key of this genesis, 64 hex digits, mode 0600
    DIR/node-1 … node-N     one node directory each (`node init`)

Making one is a pure sequence of file writes; nothing is started here.
"""

import json
import os
import random
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tallystick_cluster import pki
from tallystick_cluster.errors import ClusterError, ClusterExistsError, NoClusterError
from tallystick_ledger.genesis import Genesis, GenesisNode
from tallystick_ledger.ids import PublicKey
from tallystick_ledger.keys import SigningKey
from tallystick_node.identity import CA_CERTIFICATE_FILE, GENESIS_FILE, create_seeds, initialise

CLUSTER_FILE: Final = "cluster.json"
KEYS_DIRECTORY: Final = "keys"
OPERATOR_KEY_FILE: Final = "operator.key"
AUTHORITY_DIRECTORY: Final = "authority"
IDENTITY_DIRECTORY: Final = "identity"
DEFAULT_ORIGIN: Final = "tallystick.local/cluster"
HOST: Final = "127.0.0.1"
SEED_BYTES: Final = 32
# Above the ports that services are usually given.
FIRST_PORT: Final = 10_000
MIN_CANDIDATES: Final = 1_000
OUTGOING_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
USUAL_FIRST_OUTGOING_PORT: Final = 32_768


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Where one node of the cluster listens.

    Attributes:
        raft_id: Its Raft id.
        client: host:port of the public interface.
        peer: host:port for the other nodes.
        metrics: host:port of the Prometheus endpoint.
    """

    raft_id: int
    client: str
    peer: str
    metrics: str


@dataclass(frozen=True, slots=True)
class ClusterLayout:
    """A cluster directory.

    Attributes:
        directory: Where it is.
        origin: The ledger's origin.
        nodes: Its nodes, ascending by Raft id.
    """

    directory: Path
    origin: str
    nodes: tuple[NodeAddress, ...]

    @property
    def genesis(self) -> bytes:
        """The genesis bytes."""
        return (self.directory / GENESIS_FILE).read_bytes()

    @property
    def ca_pem(self) -> bytes:
        """The certificate that clients trust."""
        return (self.directory / CA_CERTIFICATE_FILE).read_bytes()

    @property
    def endpoints(self) -> list[str]:
        """Client addresses of all nodes."""
        return [node.client for node in self.nodes]

    @property
    def operator_key(self) -> SigningKey:
        """The operator's signing key."""
        text = (self.directory / KEYS_DIRECTORY / OPERATOR_KEY_FILE).read_text()
        return SigningKey(bytes.fromhex(text.strip()))

    def node_directory(self, raft_id: int) -> Path:
        """Directory of one node."""
        return self.directory / f"node-{raft_id}"

    @classmethod
    def open(cls, directory: Path) -> "ClusterLayout":
        """Reads a cluster directory.

        Raises:
            NoClusterError: There is none.
        """
        try:
            content = json.loads((directory / CLUSTER_FILE).read_text())
        except FileNotFoundError as error:
            message = f"there is no cluster in {directory}; `tallystick cluster up` makes one"
            raise NoClusterError(message) from error
        nodes = tuple(NodeAddress(**node) for node in content["nodes"])
        return cls(directory, content["origin"], nodes)


def free_addresses(count: int) -> list[str]:
    """Addresses on the loopback whose ports are free now.

    They lie below the range from which the system takes ports for outgoing connections: the port of
    a node that is down must not be taken by somebody's client before the node is back.

    Raises:
        ClusterError: There are not so many.
    """
    candidates = list(range(FIRST_PORT, _first_outgoing_port()))
    random.SystemRandom().shuffle(candidates)
    addresses: list[str] = []
    with ExitStack() as stack:
        for port in candidates:
            if len(addresses) == count:
                break
            each = stack.enter_context(socket.socket())
            with suppress(OSError):
                each.bind((HOST, port))
                addresses.append(f"{HOST}:{port}")
    if len(addresses) < count:
        raise ClusterError(f"there are no {count} free ports on {HOST}")
    return addresses


def _first_outgoing_port() -> int:
    """The lowest port of outgoing connections; a usual one where the system does not say."""
    try:
        first = int(OUTGOING_PORTS.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return USUAL_FIRST_OUTGOING_PORT
    # A system that hands out nearly all ports leaves no range to keep out of.
    return first if first > FIRST_PORT + MIN_CANDIDATES else USUAL_FIRST_OUTGOING_PORT


def create_cluster(
    directory: Path,
    *,
    node_count: int,
    now_ns: int,
    entropy: Callable[[int], bytes] = os.urandom,
    origin: str = DEFAULT_ORIGIN,
    checkpoint_every_bytes: int | None = None,
) -> ClusterLayout:
    """Makes authority, keys, genesis and node directories of a new cluster.

    Args:
        directory: Made if it is not there.
        node_count: 1 to 9.
        now_ns: The present, for the certificates.
        entropy: Gives random bytes.
        origin: The ledger's origin.
        checkpoint_every_bytes: Log between two checkpoints of state; None for the default.

    Raises:
        ClusterExistsError: The directory holds a cluster.
        ClusterError: There are not enough free ports.
    """
    if (directory / CLUSTER_FILE).exists():
        message = f"there is a cluster in {directory} already; choose another or remove it"
        raise ClusterExistsError(message)
    (directory / KEYS_DIRECTORY).mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = pki.make_ca(now_ns=now_ns)
    pki.write_ca(directory / AUTHORITY_DIRECTORY, authority)
    (directory / CA_CERTIFICATE_FILE).write_bytes(authority.certificate_pem)
    operator = _new_key(directory / KEYS_DIRECTORY / OPERATOR_KEY_FILE, entropy)
    raft_ids = range(1, node_count + 1)
    ports = free_addresses(3 * node_count)
    nodes = tuple(
        NodeAddress(raft_id, *ports[3 * (raft_id - 1) : 3 * raft_id]) for raft_id in raft_ids
    )
    layout = ClusterLayout(directory, origin, nodes)
    genesis_nodes = tuple(_prepare_node(layout, authority, each, now_ns) for each in raft_ids)
    genesis = Genesis(
        random_bytes=entropy(32),
        origin=origin,
        operators=(operator.public_key,),
        nodes=genesis_nodes,
    ).encode()
    (directory / GENESIS_FILE).write_bytes(genesis)
    for node in nodes:
        node_directory = layout.node_directory(node.raft_id)
        (node_directory / "node.toml").write_text(_node_toml(layout, node, checkpoint_every_bytes))
        initialise(node_directory, genesis, node.raft_id)
    content = {"origin": origin, "nodes": [asdict(node) for node in nodes]}
    (directory / CLUSTER_FILE).write_text(json.dumps(content, indent=2) + "\n")
    return layout


def _new_key(path: Path, entropy: Callable[[int], bytes]) -> SigningKey:
    seed = entropy(SEED_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(seed.hex() + "\n")
    return SigningKey(seed)


def _prepare_node(
    layout: ClusterLayout, authority: pki.CertificateAuthority, raft_id: int, now_ns: int
) -> GenesisNode:
    """Makes a node's keys and certificate; returns its entry of the genesis."""
    directory = layout.node_directory(raft_id)
    credentials = pki.issue_node_certificate(authority, raft_id, now_ns=now_ns)
    pki.write_node_credentials(directory / IDENTITY_DIRECTORY, credentials)
    ledger_key, cosigner_key = create_seeds(directory)
    return GenesisNode(
        raft_id=raft_id,
        transport_identity=credentials.transport_identity,
        ledger_key=PublicKey(ledger_key),
        cosigner_key=PublicKey(cosigner_key),
    )


def _node_toml(layout: ClusterLayout, node: NodeAddress, checkpoint_every_bytes: int | None) -> str:
    lines = [
        f"raft_id = {node.raft_id}",
        f'listen_client = "{node.client}"',
        f'listen_peer = "{node.peer}"',
        f'listen_metrics = "{node.metrics}"',
        "",
        "[work]",
        f"nodes_per_machine = {len(layout.nodes)}",
    ]
    if checkpoint_every_bytes is not None:
        lines.append(f"checkpoint_every_bytes = {checkpoint_every_bytes}")
    for each in layout.nodes:
        lines += ["", f"[nodes.{each.raft_id}]"]
        lines += [f'peer = "{each.peer}"', f'client = "{each.client}"']
    return "\n".join(lines) + "\n"
