"""Who a node is: its keys, the ledger it belongs to, its incarnation.

Theory of operation
-------------------
A node directory is made in two steps, because the genesis names the keys of all nodes:

1. `create_seeds`, beside the TLS files that the cluster's authority issued, gives the public keys;
2. with the genesis at hand, `initialise` writes it, draws the *incarnation* and makes the store.

The incarnation is 16 random bytes that the node tells its peers on each connection, and that each
peer pins at the first one. A directory that was emptied and initialised again has another
incarnation, is refused by every peer that knew the old one, and so can neither vote nor acknowledge
under an id whose promises it has forgotten.

| in the node's directory | what |
|---|---|
| node.toml | settings (config.py) |
| genesis.bin | the genesis' bytes |
| INCARNATION | 32 hexadecimal digits |
| identity/ | ca.pem, node.pem, node-key.pem; ledger.seed, cosigner.seed (32 bytes each) |
| db/ | the store |
"""

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tallystick_ledger.errors import LedgerError
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.keys import SigningKey
from tallystick_node.errors import AlreadyInitialisedError, NotInitialisedError, WrongStoreError
from tallystick_node.storage import Store

IDENTITY_DIRECTORY: Final = "identity"
DATABASE_DIRECTORY: Final = "db"
GENESIS_FILE: Final = "genesis.bin"
INCARNATION_FILE: Final = "INCARNATION"
LEDGER_SEED_FILE: Final = "ledger.seed"
COSIGNER_SEED_FILE: Final = "cosigner.seed"
# As the cluster's authority names them.
CA_CERTIFICATE_FILE: Final = "ca.pem"
CERTIFICATE_FILE: Final = "node.pem"
KEY_FILE: Final = "node-key.pem"

SEED_BYTES: Final = 32
INCARNATION_BYTES: Final = 16


def node_name(raft_id: int) -> str:
    """The name that a node's certificate carries, and that whoever dials it insists on."""
    return f"node-{raft_id}"


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """What a node is started with.

    Attributes:
        raft_id: its Raft id.
        genesis_bytes: the genesis.
        genesis: the same, decoded.
        ledger_id: its SHA-256.
        incarnation: 16 random bytes made by `initialise`; peers pin them.
        transport_identities: Raft id to SHA-256 of the TLS key, of all nodes of the genesis.
        ca_pem: who signs certificates of this cluster.
        certificate_pem: own certificate.
        key_pem: its key.
        ledger_seed: seed of the Ed25519 key that signs this node's records, 32 bytes.
        cosigner_seed: seed of its cosigner key, 32 bytes.
    """

    raft_id: int
    genesis_bytes: bytes = field(repr=False)
    genesis: Genesis = field(repr=False)
    ledger_id: bytes
    incarnation: bytes
    transport_identities: Mapping[int, bytes]
    ca_pem: bytes = field(repr=False)
    certificate_pem: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)
    ledger_seed: bytes = field(repr=False)
    cosigner_seed: bytes = field(repr=False)

    @classmethod
    def load(cls, directory: Path, raft_id: int) -> Self:
        """Read a node directory that `initialise` made.

        Args:
            directory: the node's.
            raft_id: who the node is to be; its keys must be those of the genesis.

        Raises:
            NotInitialisedError: a file is missing.
            WrongStoreError: files are damaged or contradict each other.
        """
        genesis_bytes = _read(directory / GENESIS_FILE)
        genesis = _decode_genesis(genesis_bytes)
        keys = directory / IDENTITY_DIRECTORY
        identity = cls(
            raft_id=raft_id,
            genesis_bytes=genesis_bytes,
            genesis=genesis,
            ledger_id=hashlib.sha256(genesis_bytes).digest(),
            incarnation=_decode_incarnation(_read(directory / INCARNATION_FILE)),
            transport_identities={node.raft_id: node.transport_identity for node in genesis.nodes},
            ca_pem=_read(keys / CA_CERTIFICATE_FILE),
            certificate_pem=_read(keys / CERTIFICATE_FILE),
            key_pem=_read(keys / KEY_FILE),
            ledger_seed=_read(keys / LEDGER_SEED_FILE),
            cosigner_seed=_read(keys / COSIGNER_SEED_FILE),
        )
        _check_keys(genesis, raft_id, keys)
        return identity

    @property
    def ledger_key(self) -> SigningKey:
        """The key that signs this node's records."""
        return SigningKey(self.ledger_seed)


def create_seeds(directory: Path) -> tuple[bytes, bytes]:
    """Make the seeds of a node's ledger and cosigner keys.

    Returns:
        The two public keys, 32 bytes each, for the genesis.

    Raises:
        FileExistsError: there are seeds already; they are never overwritten.
        OSError: they cannot be written.
    """
    keys = directory / IDENTITY_DIRECTORY
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    public: list[bytes] = []
    for name in (LEDGER_SEED_FILE, COSIGNER_SEED_FILE):
        seed = secrets.token_bytes(SEED_BYTES)
        _write_new(keys / name, seed)
        public.append(bytes(SigningKey(seed).public_key))
    return public[0], public[1]


def initialise(directory: Path, genesis_bytes: bytes, raft_id: int) -> bytes:
    """Make a node of a directory that holds `identity/`: `node init`.

    Returns:
        The new incarnation.

    Raises:
        AlreadyInitialisedError: the directory holds a genesis, an incarnation or a store.
        NotInitialisedError: keys are missing.
        WrongStoreError: the keys are not those that the genesis lists under `raft_id`.
        OSError: something cannot be written.
    """
    for name in (GENESIS_FILE, INCARNATION_FILE, DATABASE_DIRECTORY):
        if (directory / name).exists():
            raise AlreadyInitialisedError(f"{directory / name} exists: this is a node already")
    _check_keys(_decode_genesis(genesis_bytes), raft_id, directory / IDENTITY_DIRECTORY)
    incarnation = secrets.token_bytes(INCARNATION_BYTES)
    ledger_id = hashlib.sha256(genesis_bytes).digest()
    Store.create(directory / DATABASE_DIRECTORY, _Owner(ledger_id, raft_id, incarnation))
    _write_new(directory / GENESIS_FILE, genesis_bytes)
    # Last: without it the node does not start.
    _write_new(directory / INCARNATION_FILE, incarnation.hex().encode() + b"\n")
    return incarnation


def transport_identity(certificate_pem: bytes) -> bytes:
    """SHA-256 of the DER SubjectPublicKeyInfo of a certificate, as the genesis pins it.

    Raises:
        ValueError: not a PEM certificate.
    """
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    return hashlib.sha256(
        certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).digest()


@dataclass(frozen=True, slots=True)
class _Owner:
    ledger_id: bytes
    raft_id: int
    incarnation: bytes


def _check_keys(genesis: Genesis, raft_id: int, keys: Path) -> None:
    listed = next((node for node in genesis.nodes if node.raft_id == raft_id), None)
    if listed is None:
        raise WrongStoreError(f"the genesis has no node {raft_id}")
    try:
        found = (
            transport_identity(_read(keys / CERTIFICATE_FILE)),
            bytes(SigningKey(_read(keys / LEDGER_SEED_FILE)).public_key),
            bytes(SigningKey(_read(keys / COSIGNER_SEED_FILE)).public_key),
        )
    except (LedgerError, ValueError) as error:
        raise WrongStoreError(f"the keys in {keys} are damaged: {error}") from error
    if found != (listed.transport_identity, listed.ledger_key, listed.cosigner_key):
        raise WrongStoreError(f"the keys in {keys} are not those of node {raft_id} in the genesis")


def _decode_genesis(content: bytes) -> Genesis:
    try:
        return Genesis.decode(content)
    except LedgerError as error:
        raise WrongStoreError(f"not a genesis: {error}") from error


def _decode_incarnation(content: bytes) -> bytes:
    try:
        incarnation = bytes.fromhex(content.decode())
    except ValueError as error:
        raise WrongStoreError("the incarnation is damaged") from error
    if len(incarnation) != INCARNATION_BYTES:
        raise WrongStoreError("the incarnation is damaged")
    return incarnation


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotInitialisedError(
            f"{path} is missing: not a node, or one that was emptied; such a node has forgotten "
            "its vote and its log, and must join under a new id"
        ) from error


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
