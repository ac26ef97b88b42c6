"""Key files and profiles: what is written can be read, and what is wrong is said."""

import os
import stat
import time
from pathlib import Path

import grpc
import pytest
from tests.client.fake_node import FakeCluster, make_genesis

from tallystick import AsyncClient, Client, SigningKey, errors
from tallystick.keyfile import KeyFile, new_key_file, read_key_file, write_key_file
from tallystick.profile import find_key, load_profile, load_signer, write_profile
from tallystick_cluster import pki
from tallystick_ledger.ids import PrincipalId, operator_principal

SEED = b"\x11" * 32
PRINCIPAL = PrincipalId(b"\x22" * 16)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No profile of the machine and no variable of the environment gets in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in list(os.environ):
        if name.startswith("TALLYSTICK_"):
            monkeypatch.delenv(name)


def test_a_key_file_is_secret_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    write_key_file(path, new_key_file(SEED, 'al"ice\n', PRINCIPAL))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    read = read_key_file(path)
    assert (read.key.seed, read.principal, read.name) == (SEED, PRINCIPAL, "alice")
    assert SEED.hex() not in repr(read)
    assert [each.name for each in tmp_path.iterdir()] == ["alice.key"]


def test_a_key_file_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    write_key_file(path, new_key_file(SEED))
    with pytest.raises(errors.ConfigurationError, match="exists"):
        write_key_file(path, new_key_file(b"\x12" * 32))
    assert read_key_file(path).key.seed == SEED
    write_key_file(path, new_key_file(SEED, "", PRINCIPAL), replace=True)
    assert read_key_file(path).principal == PRINCIPAL
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    write_key_file(path, new_key_file(SEED))
    path.chmod(0o640)
    with pytest.raises(errors.ConfigurationError) as caught:
        read_key_file(path)
    assert "chmod 600" in caught.value.advice


def test_a_bare_seed_is_a_key_without_principal() -> None:
    assert KeyFile.decode(SEED.hex() + "\n").key.seed == SEED
    with pytest.raises(errors.ConfigurationError, match="no principal"):
        KeyFile.decode(SEED.hex()).signer()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tallystick-key/1", "tallystick-key/2"),
        (SEED.hex(), SEED.hex()[:-2] + "12"),  # another seed than public_key's
        (SEED.hex(), SEED.hex()[:-2]),
        (SEED.hex(), "xy" * 32),
        ('seed = "', "seed = "),
        (PRINCIPAL.hex(), PRINCIPAL.hex() + "22"),
        ('seed = "', "a = " + "[" * 5_000),
    ],
)
def test_a_damaged_key_file_is_noticed(old: str, new: str) -> None:
    text = new_key_file(SEED, "a", PRINCIPAL).encode()
    assert KeyFile.decode(text).principal == PRINCIPAL
    with pytest.raises(errors.ConfigurationError):
        KeyFile.decode(text.replace(old, new))


def test_a_missing_key_file_and_a_binary_one(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigurationError, match="No such file"):
        read_key_file(tmp_path / "none.key")
    binary = tmp_path / "binary.key"
    binary.touch(mode=0o600)
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(errors.ConfigurationError, match="not text"):
        read_key_file(binary)


def write_ledger(directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "genesis.bin").write_bytes(make_genesis().encode())
    (directory / "ca.pem").write_text("an authority")
    (directory / "keys").mkdir()
    write_key_file(directory / "keys" / "operator.key", new_key_file(b"\x01" * 32))
    write_key_file(directory / "keys" / "alice.key", new_key_file(SEED, "alice", PRINCIPAL))


def test_a_profile_is_found_and_its_paths_are_its_own(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    write_ledger(ledger)
    write_profile(
        ledger / "tallystick.toml", endpoints=("a.example:1", "b.example:2"), key="keys/alice.key"
    )
    profile = load_profile(ledger)
    assert profile == load_profile(ledger / "tallystick.toml")
    assert profile.endpoints == ("a.example:1", "b.example:2")
    assert profile.trusted() == b"an authority"
    assert profile.read_ledger_id() == make_genesis().ledger_id
    signer = profile.read_signer()
    assert signer is not None
    assert signer.principal == PRINCIPAL
    assert find_key("alice", ledger) == ledger / "keys" / "alice.key"
    assert find_key("some/alice.key", ledger) == Path("some/alice.key")
    client = Client.from_profile(ledger, key="alice")
    assert client.principal == PRINCIPAL
    client.close()


def test_an_operators_principal_follows_from_the_genesis(tmp_path: Path) -> None:
    write_ledger(tmp_path)
    genesis = make_genesis()
    signer = load_signer(tmp_path / "keys" / "operator.key", genesis)
    assert signer.principal == operator_principal(genesis.ledger_id, 0)
    with pytest.raises(errors.ConfigurationError, match="no principal"):
        load_signer(tmp_path / "keys" / "operator.key", None)


def test_the_environment_wins_and_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ledger(tmp_path)
    write_profile(tmp_path / "tallystick.toml", endpoints=("a.example:1",))
    monkeypatch.setenv("TALLYSTICK_ENDPOINTS", "c.example:3, d.example:4")
    monkeypatch.setenv("TALLYSTICK_VALID_FOR_S", "5")
    profile = load_profile()
    assert profile.endpoints == ("c.example:3", "d.example:4")
    assert profile.valid_for_s == 5
    assert profile.trusted() == b"an authority"
    (tmp_path / "tallystick.toml").unlink()
    with pytest.raises(errors.ConfigurationError):
        load_profile()
    monkeypatch.setenv("TALLYSTICK_INSECURE", "true")
    monkeypatch.setenv("TALLYSTICK_LEDGER_ID", "ab" * 32)
    profile = load_profile()
    assert profile.trusted() is None
    assert profile.read_ledger_id() == b"\xab" * 32


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('endpoints = ["a:1"]\ngenesis = "g"\n', "insecure"),
        ('endpoints = ["a:1"]\nca = "c"\ninsecure = true\ngenesis = "g"\n', "insecure"),
        ('endpoints = []\nca = "c"\ngenesis = "g"\n', "endpoints"),
        ('ca = "c"\ngenesis = "g"\n', "endpoints"),
        ('endpoints = ["a:1"]\nca = "c"\n', "ledger_id"),
        ('endpoints = ["a:1"]\nca = "c"\nledger_id = "zz"\n', "ledger_id"),
        ('endpoints = ["a:1"]\nca = "c"\ngenesis = "g"\ncolour = "red"\n', "colour"),
        ("endpoints = [", "not usable"),
        ("endpoints = " + "[" * 5_000, "not usable"),
    ],
)
def test_a_wrong_profile_says_which_line(tmp_path: Path, line: str, complaint: str) -> None:
    (tmp_path / "tallystick.toml").write_text(line)
    with pytest.raises(errors.ConfigurationError, match=complaint):
        load_profile()


def test_a_genesis_of_another_ledger(tmp_path: Path) -> None:
    write_ledger(tmp_path)
    (tmp_path / "tallystick.toml").write_text(
        f'endpoints = ["a:1"]\nca = "ca.pem"\ngenesis = "genesis.bin"\nledger_id = "{"ab" * 32}"\n'
    )
    with pytest.raises(errors.ConfigurationError, match="not the genesis"):
        load_profile().read_ledger_id()
    (tmp_path / "genesis.bin").write_bytes(b"nothing of the kind")
    with pytest.raises(errors.ConfigurationError, match="no genesis"):
        load_profile().read_genesis()


@pytest.mark.parametrize("endpoint", ["", "a", "a:", ":1", "a:0", "a:65536", "a:b", "a:1\u0661"])
def test_endpoints_are_checked(endpoint: str) -> None:
    with pytest.raises(errors.ConfigurationError):
        AsyncClient([endpoint], b"\x01" * 32, tls=None)


def test_clients_that_cannot_work_are_refused() -> None:
    genesis = make_genesis(max_lifetime_ns=5_000_000_000)
    with pytest.raises(errors.ConfigurationError):
        AsyncClient([], genesis, tls=None)
    with pytest.raises(errors.ConfigurationError, match="valid_for_s"):
        AsyncClient(["a:1"], genesis, tls=None)
    with pytest.raises(errors.ConfigurationError, match="no genesis"):
        AsyncClient(["a:1"], b"short", tls=None)
    with pytest.raises(errors.ConfigurationError, match="does not follow"):
        AsyncClient(["a:1"], make_genesis(), tls=None, signer=SigningKey(SEED))
    client = AsyncClient(["a:1"], make_genesis(), tls=None)
    with pytest.raises(errors.ConfigurationError, match="no key"):
        client.draft()


async def test_tls_is_checked_against_the_authority() -> None:
    now_ns = time.time_ns()
    authority, stranger = pki.make_ca(now_ns=now_ns), pki.make_ca(now_ns=now_ns)
    credentials = pki.issue_node_certificate(authority, 1, now_ns=now_ns)
    server = grpc.ssl_server_credentials([(credentials.key_pem, credentials.certificate_pem)])
    async with FakeCluster(1, credentials=server) as cluster:
        trusted = authority.certificate_pem
        async with AsyncClient(cluster.endpoints, cluster.genesis, tls=trusted) as client:
            assert (await client.status()).raft_id == 1
        for other in (stranger.certificate_pem, None):
            async with AsyncClient(cluster.endpoints, cluster.genesis, tls=other) as client:
                with pytest.raises(errors.ConnectionFailed):
                    await client.status(deadline_s=0.3)
