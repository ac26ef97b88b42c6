"""Settings from node.toml and the environment."""

from pathlib import Path

import pytest

from tallystick_node.config import NodeConfig
from tallystick_node.errors import ConfigError
from tallystick_node.launch import LAUNCH_ENV, launch_environment

MINIMAL = """
raft_id = 2
listen_client = "127.0.0.1:7002"
listen_peer = "127.0.0.1:7102"

[nodes.1]
peer = "127.0.0.1:7101"
client = "127.0.0.1:7001"

[nodes.2]
peer = "127.0.0.1:7102"
client = "127.0.0.1:7002"
"""


def write(directory: Path, text: str) -> Path:
    (directory / "node.toml").write_text(text)
    return directory


def test_a_file_with_the_least_is_enough(tmp_path: Path) -> None:
    config = NodeConfig.load(write(tmp_path, MINIMAL))
    assert config.raft_id == 2
    assert config.directory == tmp_path
    assert list(config.peers) == [1]
    assert config.listen_metrics is None
    assert config.raft.max_clock_ahead_ms == 500
    assert config.work.threads(8) == 8


def test_the_environment_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYSTICK_LISTEN_CLIENT", "0.0.0.0:9000")
    monkeypatch.setenv("TALLYSTICK_WORK__NODES_PER_MACHINE", "4")
    monkeypatch.setenv("TALLYSTICK_RAFT__TICK_MS", "77")
    config = NodeConfig.load(write(tmp_path, MINIMAL + "\n[raft]\ntick_ms = 20\n"))
    assert config.listen_client == "0.0.0.0:9000"
    assert config.raft.tick_ms == 77
    assert config.work.threads(8) == 2
    assert config.work.threads(2) == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (MINIMAL.replace("raft_id = 2", "raft_id = 0"), "raft_id"),
        (MINIMAL.replace("raft_id = 2", "raft_id = 3"), "nodes"),
        (MINIMAL.replace("listen_peer", "listen_pear"), "listen_pe"),
        (MINIMAL + "\n[raft]\ntick_ms = 'often'\n", "raft.tick_ms"),
        (MINIMAL + "\n[raft]\nticks = 1\n", "raft.ticks"),
        ("raft_id = ", "node.toml"),
        ("raft_id = " + "[" * 5_000, "node.toml"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        NodeConfig.load(write(tmp_path, text))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    directory = write(tmp_path, MINIMAL)
    (directory / "node.toml").write_bytes(b"raft_id = '\x9d'")
    with pytest.raises(ConfigError, match=r"node\.toml"):
        NodeConfig.load(directory)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"node\.toml"):
        NodeConfig.load(tmp_path)


def test_what_a_launcher_sets_itself_stays() -> None:
    environment = launch_environment({"MALLOC_TOP_PAD_": "1", "PATH": "/bin"})
    assert environment["MALLOC_TOP_PAD_"] == "1"
    assert environment["PATH"] == "/bin"
    assert set(LAUNCH_ENV) <= set(environment)
