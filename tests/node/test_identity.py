"""Making a node's directory, and loading it."""

import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tallystick_cluster import pki
from tallystick_ledger.genesis import Genesis, GenesisNode
from tallystick_ledger.ids import PublicKey
from tallystick_ledger.keys import SigningKey
from tallystick_node.errors import AlreadyInitialisedError, NotInitialisedError, WrongStoreError
from tallystick_node.identity import NodeIdentity, create_seeds, initialise
from tallystick_node.storage import Store


@pytest.fixture
def genesis(tmp_path: Path) -> Genesis:
    """Of one node, whose keys are in `tmp_path`."""
    ca = pki.make_ca(now_ns=time.time_ns())
    credentials = pki.issue_node_certificate(ca, 7, now_ns=time.time_ns())
    pki.write_node_credentials(tmp_path / "identity", credentials)
    ledger_key, cosigner_key = create_seeds(tmp_path)
    node = GenesisNode(
        7, credentials.transport_identity, PublicKey(ledger_key), PublicKey(cosigner_key)
    )
    return Genesis(
        random_bytes=bytes(range(32)),
        origin="test.example/identity",
        operators=[SigningKey(b"o" * 32).public_key],
        nodes=[node],
    )


def test_what_was_made_is_loaded(tmp_path: Path, genesis: Genesis) -> None:
    incarnation = initialise(tmp_path, genesis.encode(), 7)
    identity = NodeIdentity.load(tmp_path, 7)
    assert identity.incarnation == incarnation
    assert identity.ledger_id == genesis.ledger_id
    assert identity.genesis == genesis
    assert identity.ledger_key.public_key == genesis.nodes[0].ledger_key
    Store.open(tmp_path / "db", identity).close()


def test_secrets_are_not_shown_and_not_readable_by_others(tmp_path: Path, genesis: Genesis) -> None:
    initialise(tmp_path, genesis.encode(), 7)
    shown = repr(NodeIdentity.load(tmp_path, 7))
    assert "seed" not in shown
    assert "PRIVATE" not in shown
    for name in ("ledger.seed", "cosigner.seed", "node-key.pem"):
        assert stat.S_IMODE((tmp_path / "identity" / name).stat().st_mode) == 0o600


def test_nothing_is_made_twice(tmp_path: Path, genesis: Genesis) -> None:
    initialise(tmp_path, genesis.encode(), 7)
    with pytest.raises(AlreadyInitialisedError):
        initialise(tmp_path, genesis.encode(), 7)
    with pytest.raises(FileExistsError):
        create_seeds(tmp_path)


def test_each_making_is_another_incarnation(tmp_path: Path, genesis: Genesis) -> None:
    first = initialise(tmp_path, genesis.encode(), 7)
    (tmp_path / "INCARNATION").rename(tmp_path / "gone")
    (tmp_path / "genesis.bin").unlink()
    (tmp_path / "db").rename(tmp_path / "gone-db")
    assert initialise(tmp_path, genesis.encode(), 7) != first


def test_an_old_store_under_a_new_incarnation_is_refused(tmp_path: Path, genesis: Genesis) -> None:
    initialise(tmp_path, genesis.encode(), 7)
    (tmp_path / "INCARNATION").write_text("00" * 16)
    with pytest.raises(WrongStoreError, match="incarnation"):
        Store.open(tmp_path / "db", NodeIdentity.load(tmp_path, 7))


def test_a_failed_initialisation_does_not_start(tmp_path: Path, genesis: Genesis) -> None:
    initialise(tmp_path, genesis.encode(), 7)
    (tmp_path / "INCARNATION").unlink()
    with pytest.raises(NotInitialisedError):
        NodeIdentity.load(tmp_path, 7)


def _other_genesis(genesis: Genesis, _: Path) -> bytes:
    return replace(genesis, nodes=[replace(genesis.nodes[0], raft_id=8)]).encode()


def _other_seed(genesis: Genesis, directory: Path) -> bytes:
    (directory / "identity" / "cosigner.seed").write_bytes(b"z" * 32)
    return genesis.encode()


def _short_seed(genesis: Genesis, directory: Path) -> bytes:
    (directory / "identity" / "ledger.seed").write_bytes(b"z" * 31)
    return genesis.encode()


def _no_certificate(genesis: Genesis, directory: Path) -> bytes:
    (directory / "identity" / "node.pem").write_bytes(b"nonsense")
    return genesis.encode()


def _torn_genesis(genesis: Genesis, _: Path) -> bytes:
    return genesis.encode()[:-1]


@pytest.mark.parametrize(
    "spoil", [_other_genesis, _other_seed, _short_seed, _no_certificate, _torn_genesis]
)
def test_keys_that_the_genesis_does_not_list_make_no_node(
    tmp_path: Path, genesis: Genesis, spoil: Callable[[Genesis, Path], bytes]
) -> None:
    content = spoil(genesis, tmp_path)
    with pytest.raises(WrongStoreError):
        initialise(tmp_path, content, 7)
    assert not (tmp_path / "db").exists()
