"""Who a node is: its keys, the ledger it belongs to, its incarnation.

Skeleton of the seam; being filled.
"""

from dataclasses import dataclass, field
from pathlib import Path

IDENTITY_DIRECTORY = "identity"
DATABASE_DIRECTORY = "db"
GENESIS_FILE = "genesis.bin"
INCARNATION_FILE = "INCARNATION"
LEDGER_SEED_FILE = "ledger.seed"
COSIGNER_SEED_FILE = "cosigner.seed"
# As the cluster's authority names them.
CA_CERTIFICATE_FILE = "ca.pem"
CERTIFICATE_FILE = "node.pem"
KEY_FILE = "node-key.pem"


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """What a node is started with.

    Attributes:
        raft_id: its Raft id.
        genesis: the genesis' bytes.
        ledger_id: their SHA-256.
        incarnation: 16 random bytes made by `node init`; peers pin them.
        transport_identities: Raft id to SHA-256 of the TLS key, of all nodes of the genesis.
        max_lifetime_ns: the genesis' longest life of an envelope.
        ca_pem: who signs certificates of this cluster.
        certificate_pem: own certificate.
        key_pem: its key.
        ledger_seed: seed of the Ed25519 key that signs this node's records, 32 bytes.
        cosigner_seed: seed of its cosigner key, 32 bytes.
    """

    raft_id: int
    genesis: bytes
    ledger_id: bytes
    incarnation: bytes
    transport_identities: dict[int, bytes]
    max_lifetime_ns: int
    ca_pem: bytes
    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    ledger_seed: bytes = field(repr=False)
    cosigner_seed: bytes = field(repr=False)

    @classmethod
    def load(cls, directory: Path) -> "NodeIdentity":
        """Read a node directory that `initialise` made.

        Raises:
            NotInitialisedError: a file is missing.
            WrongStoreError: files contradict each other.
        """
        raise NotImplementedError


def initialise(directory: Path, genesis: bytes, raft_id: int) -> None:
    """Turn a directory with `identity/` (TLS files of the cluster's authority, seeds) into a node's:
    writes the genesis, a fresh incarnation and an empty store. `node init`.

    Raises:
        AlreadyInitialisedError: the directory holds a genesis, an incarnation or a store.
        WrongStoreError: the identity is not the one that the genesis lists under `raft_id`.
    """
    raise NotImplementedError


def create_seeds(directory: Path) -> tuple[bytes, bytes]:
    """Make `identity/ledger.seed` and `cosigner.seed`; returns the two public keys (32 bytes each),
    for the genesis. Existing seeds are never overwritten.
    """
    raise NotImplementedError
