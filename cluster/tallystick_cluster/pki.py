"""A private certificate authority for the mutual TLS between the nodes of one cluster.

Theory of operation
-------------------
Each cluster has its own authority, made when the cluster is made. It signs one certificate per
node, good for both ends of a connection, because every node is server and client of every other.
A peer is accepted when two independent checks agree:

1. TLS: the certificate chains to this cluster's authority and names the host dialled, or the
   node itself (`node_name`), which lets a dialling node insist on *that* peer.
2. The genesis: the peer's `transport_identity`, a hash of its public key, is pinned there. An
   authority that was stolen can therefore still not add a node.

The identity covers the public key alone (SHA-256 of the DER SubjectPublicKeyInfo, the pin of
RFC 7469 section 2.4), so a certificate can be renewed without a change to the ledger.

Keys are ECDSA on P-256: every TLS stack offers it, while the BoringSSL inside gRPC does not accept
Ed25519 certificates by default. These keys protect connections only; ledger signatures are
Ed25519 and have nothing to do with this module.

No clock is read here: the caller passes `now_ns`, and validity follows from it.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_CERTIFICATE_FILE: Final = "ca.pem"
CA_KEY_FILE: Final = "ca-key.pem"
NODE_CERTIFICATE_FILE: Final = "node.pem"
NODE_KEY_FILE: Final = "node-key.pem"

DEFAULT_NAMES: Final = ("localhost", "127.0.0.1")

# A certificate starts this much before `now_ns`, for peers whose clocks are behind.
CLOCK_ALLOWANCE: Final = timedelta(hours=1)
# The authority outlives each certificate that it signs; renewal is `cluster` work, not an outage.
CA_LIFETIME: Final = timedelta(days=3650)
NODE_LIFETIME: Final = timedelta(days=825)

# Raft ids are u64 and 0 means "nobody" in Raft.
MAX_RAFT_ID: Final = 2**64 - 1

_FILE_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """The authority of one cluster. Whoever holds `key_pem` can sign node certificates.

    Attributes:
        certificate_pem: self-signed X.509 certificate, PEM.
        key_pem: its P-256 private key, PKCS #8 PEM, not encrypted.
    """

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NodeCredentials:
    """What one node needs to speak mutual TLS.

    Attributes:
        ca_certificate_pem: the authority that its peers must be signed by, PEM.
        certificate_pem: the node's own certificate, PEM.
        key_pem: its P-256 private key, PKCS #8 PEM, not encrypted.
    """

    ca_certificate_pem: bytes
    certificate_pem: bytes
    key_pem: bytes = field(repr=False)

    @property
    def transport_identity(self) -> bytes:
        """The 32 bytes by which the genesis pins this node."""
        return transport_identity(self.certificate_pem)


def node_name(raft_id: int) -> str:
    """The DNS name in each certificate that says which node it is, for example `node-3`.

    Raises:
        ValueError: `raft_id` is not in 1 … 2^64 - 1.
    """
    if not 1 <= raft_id <= MAX_RAFT_ID:
        msg = f"a Raft id lies in 1 … 2^64 - 1, not {raft_id}"
        raise ValueError(msg)
    return f"node-{raft_id}"


def make_ca(*, now_ns: int, cluster_name: str = "tallystick") -> CertificateAuthority:
    """Make a new authority with a new key.

    Args:
        now_ns: the present, ns since the epoch.
        cluster_name: shown in the certificates; means nothing to TLS.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, cluster_name),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{cluster_name} private authority"),
        ]
    )
    now = _datetime_of(now_ns)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_ALLOWANCE)
        .not_valid_after(now + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return CertificateAuthority(certificate.public_bytes(Encoding.PEM), _private_pem(key))


def issue_node_certificate(
    ca: CertificateAuthority,
    raft_id: int,
    *,
    now_ns: int,
    names: Sequence[str] = DEFAULT_NAMES,
) -> NodeCredentials:
    """Make a new key for a node and have the authority sign a certificate for it.

    Args:
        ca: the cluster's authority.
        raft_id: the node's id, 1 … 2^64 - 1; the certificate also names `node_name(raft_id)`.
        now_ns: the present, ns since the epoch.
        names: host names and IP addresses under which the node is dialled.

    Raises:
        ValueError: bad `raft_id`, or `ca` holds no usable certificate and key.
    """
    ca_certificate = _load_certificate(ca.certificate_pem)
    ca_key = _load_key(ca.key_pem)
    own_name = node_name(raft_id)
    key = ec.generate_private_key(ec.SECP256R1())
    now = _datetime_of(now_ns)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, own_name)]))
        .issuer_name(ca_certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_ALLOWANCE)
        .not_valid_after(min(now + NODE_LIFETIME, ca_certificate.not_valid_after_utc))
        .add_extension(_alternative_names([own_name, *names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    return NodeCredentials(
        ca_certificate_pem=ca.certificate_pem,
        certificate_pem=certificate.public_bytes(Encoding.PEM),
        key_pem=_private_pem(key),
    )


def transport_identity(certificate_pem: bytes) -> bytes:
    """The 32 bytes by which the genesis pins a node: SHA-256 of its DER SubjectPublicKeyInfo.

    Raises:
        ValueError: `certificate_pem` is not a PEM certificate with a supported key.
    """
    certificate = _load_certificate(certificate_pem)
    try:
        public_key = certificate.public_key()
    except UnsupportedAlgorithm as error:
        msg = "the certificate's key is of an unsupported kind"
        raise ValueError(msg) from error
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def write_ca(directory: Path, ca: CertificateAuthority) -> None:
    """Write the authority into `directory` (mode 0700), each file with mode 0600.

    Raises:
        FileExistsError: there is an authority already; an existing key is never overwritten.
        OSError: the directory or a file cannot be written.
    """
    _write_private(directory / CA_KEY_FILE, ca.key_pem)
    _write_private(directory / CA_CERTIFICATE_FILE, ca.certificate_pem)


def read_ca(directory: Path) -> CertificateAuthority:
    """Read what `write_ca` wrote.

    Raises:
        OSError: a file is missing or cannot be read.
    """
    return CertificateAuthority(
        certificate_pem=(directory / CA_CERTIFICATE_FILE).read_bytes(),
        key_pem=(directory / CA_KEY_FILE).read_bytes(),
    )


def write_node_credentials(directory: Path, credentials: NodeCredentials) -> None:
    """Write a node's credentials into `directory` (mode 0700), each file with mode 0600.

    The authority's key is not among them: a node cannot sign certificates.

    Raises:
        FileExistsError: there are credentials already; an existing key is never overwritten.
        OSError: the directory or a file cannot be written.
    """
    _write_private(directory / NODE_KEY_FILE, credentials.key_pem)
    _write_private(directory / NODE_CERTIFICATE_FILE, credentials.certificate_pem)
    _write_private(directory / CA_CERTIFICATE_FILE, credentials.ca_certificate_pem)


def read_node_credentials(directory: Path) -> NodeCredentials:
    """Read what `write_node_credentials` wrote.

    Raises:
        OSError: a file is missing or cannot be read.
    """
    return NodeCredentials(
        ca_certificate_pem=(directory / CA_CERTIFICATE_FILE).read_bytes(),
        certificate_pem=(directory / NODE_CERTIFICATE_FILE).read_bytes(),
        key_pem=(directory / NODE_KEY_FILE).read_bytes(),
    )


def _write_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
    # The mode is set at creation: there is no moment at which others could read the key.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _datetime_of(now_ns: int) -> datetime:
    # X.509 times are whole seconds.
    return datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)


def _alternative_names(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _load_certificate(certificate_pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(certificate_pem)
    except ValueError as error:
        msg = "not a PEM certificate"
        raise ValueError(msg) from error


def _load_key(key_pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(key_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        msg = "the authority's key is not an elliptic-curve key"
        raise ValueError(msg)  # noqa: TRY004 - the content is wrong, not the argument's type
    return key


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
