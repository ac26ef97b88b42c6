"""The cluster's authority: certificates, their identities, their files, and real handshakes.

The handshakes run gRPC's own TLS on both ends in this process. Each refusal differs from the
accepted case in one thing only, so that a test cannot pass for another reason.
"""

import hashlib
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tallystick_cluster import pki

NOW_NS = time.time_ns()
SECONDS_PER_DAY = 86_400
DEADLINE_S = 10


@pytest.fixture(scope="module")
def ca() -> pki.CertificateAuthority:
    return pki.make_ca(now_ns=NOW_NS)


def _answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
    """Answers with the transport identity of the caller, as the server sees it."""
    # The stubs call this value bytes; gRPC gives a list of them.
    certificates = cast("list[bytes]", context.auth_context()["x509_pem_cert"])
    return pki.transport_identity(certificates[0])


@contextmanager
def _server(credentials: pki.NodeCredentials) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(_answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t", {"Who": handler}),))
    port = server.add_secure_port(
        "127.0.0.1:0",
        grpc.ssl_server_credentials(
            [(credentials.key_pem, credentials.certificate_pem)],
            root_certificates=credentials.ca_certificate_pem,
            require_client_auth=True,
        ),
    )
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait()


def _call(
    port: int,
    client: pki.NodeCredentials | None,
    trusted_pem: bytes,
    *,
    host: str = "127.0.0.1",
    expect_name: str | None = None,
) -> bytes:
    channel_credentials = grpc.ssl_channel_credentials(
        root_certificates=trusted_pem,
        private_key=client.key_pem if client else None,
        certificate_chain=client.certificate_pem if client else None,
    )
    options: list[tuple[str, int | str]] = [("grpc.use_local_subchannel_pool", 1)]
    if expect_name is not None:
        options.append(("grpc.ssl_target_name_override", expect_name))
    with grpc.secure_channel(f"{host}:{port}", channel_credentials, options=options) as channel:
        who: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/t/Who")
        return who(b"", timeout=DEADLINE_S)


def _assert_refused(
    port: int,
    client: pki.NodeCredentials | None,
    trusted_pem: bytes,
    *,
    expect_name: str | None = None,
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _call(port, client, trusted_pem, expect_name=expect_name)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_two_nodes_of_one_authority_shake_hands(ca: pki.CertificateAuthority) -> None:
    server = pki.issue_node_certificate(ca, 1, now_ns=NOW_NS)
    client = pki.issue_node_certificate(ca, 2, now_ns=NOW_NS)
    with _server(server) as port:
        seen = _call(port, client, ca.certificate_pem)
        assert seen == client.transport_identity
        assert _call(port, client, ca.certificate_pem, host="localhost") == seen


def test_a_dialling_node_can_insist_on_one_peer(ca: pki.CertificateAuthority) -> None:
    server = pki.issue_node_certificate(ca, 1, now_ns=NOW_NS)
    client = pki.issue_node_certificate(ca, 2, now_ns=NOW_NS)
    with _server(server) as port:
        assert _call(port, client, ca.certificate_pem, expect_name=pki.node_name(1))
        _assert_refused(port, client, ca.certificate_pem, expect_name=pki.node_name(3))


def test_client_of_another_authority_is_refused(ca: pki.CertificateAuthority) -> None:
    server = pki.issue_node_certificate(ca, 1, now_ns=NOW_NS)
    stranger = pki.issue_node_certificate(pki.make_ca(now_ns=NOW_NS), 2, now_ns=NOW_NS)
    with _server(server) as port:
        _assert_refused(port, stranger, ca.certificate_pem)


def test_client_without_certificate_is_refused(ca: pki.CertificateAuthority) -> None:
    with _server(pki.issue_node_certificate(ca, 1, now_ns=NOW_NS)) as port:
        _assert_refused(port, None, ca.certificate_pem)


def test_server_of_another_authority_is_refused(ca: pki.CertificateAuthority) -> None:
    server = pki.issue_node_certificate(ca, 1, now_ns=NOW_NS)
    client = pki.issue_node_certificate(ca, 2, now_ns=NOW_NS)
    with _server(server) as port:
        _assert_refused(port, client, pki.make_ca(now_ns=NOW_NS).certificate_pem)


@pytest.mark.parametrize("days", [-900, 2], ids=["expired", "not yet valid"])
def test_certificate_outside_its_validity_is_refused(
    ca: pki.CertificateAuthority, days: int
) -> None:
    server = pki.issue_node_certificate(ca, 1, now_ns=NOW_NS)
    other_time_ns = NOW_NS + days * SECONDS_PER_DAY * 10**9
    client = pki.issue_node_certificate(ca, 2, now_ns=other_time_ns)
    with _server(server) as port:
        _assert_refused(port, client, ca.certificate_pem)


def test_a_node_cannot_sign_for_another(ca: pki.CertificateAuthority) -> None:
    server = pki.issue_node_certificate(ca, 1, now_ns=NOW_NS)
    rogue = pki.issue_node_certificate(ca, 2, now_ns=NOW_NS)
    forged = pki.issue_node_certificate(
        pki.CertificateAuthority(rogue.certificate_pem, rogue.key_pem), 3, now_ns=NOW_NS
    )
    chained = pki.NodeCredentials(
        ca_certificate_pem=ca.certificate_pem,
        certificate_pem=forged.certificate_pem + rogue.certificate_pem,
        key_pem=forged.key_pem,
    )
    with _server(server) as port:
        _assert_refused(port, chained, ca.certificate_pem)


def test_identity_is_the_hash_of_the_public_key(ca: pki.CertificateAuthority) -> None:
    node = pki.issue_node_certificate(ca, 1, now_ns=NOW_NS)
    key = x509.load_pem_x509_certificate(node.certificate_pem).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert node.transport_identity == hashlib.sha256(spki).digest()
    assert len(node.transport_identity) == 32
    again = pki.issue_node_certificate(ca, 1, now_ns=NOW_NS)
    assert again.transport_identity != node.transport_identity


def test_validity_follows_the_clock_that_was_passed_in() -> None:
    now_ns = 1_700_000_000 * 10**9 + 999_999_999
    now = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    ca = pki.make_ca(now_ns=now_ns)
    node = pki.issue_node_certificate(ca, 1, now_ns=now_ns)
    authority = x509.load_pem_x509_certificate(ca.certificate_pem)
    certificate = x509.load_pem_x509_certificate(node.certificate_pem)
    assert authority.not_valid_before_utc == now - pki.CLOCK_ALLOWANCE
    assert authority.not_valid_after_utc == now + pki.CA_LIFETIME
    assert certificate.not_valid_before_utc == now - pki.CLOCK_ALLOWANCE
    assert certificate.not_valid_after_utc == now + pki.NODE_LIFETIME


def test_no_certificate_outlives_its_authority() -> None:
    ca = pki.make_ca(now_ns=NOW_NS)
    late_ns = NOW_NS + (pki.CA_LIFETIME.days - 1) * SECONDS_PER_DAY * 10**9
    node = pki.issue_node_certificate(ca, 1, now_ns=late_ns)
    authority = x509.load_pem_x509_certificate(ca.certificate_pem)
    certificate = x509.load_pem_x509_certificate(node.certificate_pem)
    assert certificate.not_valid_after_utc == authority.not_valid_after_utc


def test_names_become_dns_names_and_addresses(ca: pki.CertificateAuthority) -> None:
    names = ("ledger.example.org", "10.0.0.7", "::1", "ledger.example.org")
    node = pki.issue_node_certificate(ca, 7, now_ns=NOW_NS, names=names)
    certificate = x509.load_pem_x509_certificate(node.certificate_pem)
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == ["node-7", "ledger.example.org"]
    assert [str(ip) for ip in found.get_values_for_type(x509.IPAddress)] == ["10.0.0.7", "::1"]


@pytest.mark.parametrize("raft_id", [0, -1, 2**64])
def test_impossible_raft_ids_are_refused(ca: pki.CertificateAuthority, raft_id: int) -> None:
    with pytest.raises(ValueError, match="Raft id"):
        pki.issue_node_certificate(ca, raft_id, now_ns=NOW_NS)


def test_identity_of_garbage_is_refused() -> None:
    with pytest.raises(ValueError, match="not a PEM certificate"):
        pki.transport_identity(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def test_files_are_private_and_come_back_whole(
    ca: pki.CertificateAuthority, tmp_path: Path
) -> None:
    node = pki.issue_node_certificate(ca, 1, now_ns=NOW_NS)
    pki.write_ca(tmp_path / "ca", ca)
    pki.write_node_credentials(tmp_path / "node", node)
    assert pki.read_ca(tmp_path / "ca") == ca
    assert pki.read_node_credentials(tmp_path / "node") == node
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in files} == {0o700}
    assert not any(ca.key_pem in path.read_bytes() for path in (tmp_path / "node").iterdir())


def test_an_existing_key_is_never_overwritten(ca: pki.CertificateAuthority, tmp_path: Path) -> None:
    pki.write_ca(tmp_path, ca)
    with pytest.raises(FileExistsError):
        pki.write_ca(tmp_path, pki.make_ca(now_ns=NOW_NS))
    assert pki.read_ca(tmp_path) == ca


def test_private_keys_do_not_show_in_reprs(ca: pki.CertificateAuthority) -> None:
    node = pki.issue_node_certificate(ca, 1, now_ns=NOW_NS)
    assert "PRIVATE" not in repr(ca)
    assert "PRIVATE" not in repr(node)
