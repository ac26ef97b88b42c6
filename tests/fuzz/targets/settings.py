"""The files that people write: a node's settings, a client's profile, a key file.

Input: one byte that chooses the file, then its content. Properties: only the promised error is
raised; a key file that is taken is taken again when it is written back.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tallystick.errors import ConfigurationError
from tallystick.keyfile import KeyFile, read_key_file
from tallystick.profile import CLUSTER_FILE, load_profile
from tallystick_node.config import CONFIG_FILE, NodeConfig
from tallystick_node.errors import ConfigError

# Kept while the process lives: the file is written anew for each input.
_DIRECTORY: Final = tempfile.TemporaryDirectory(prefix="tallystick-fuzz-")


def run(data: bytes) -> None:
    if data:
        FILES[data[0] % len(FILES)](data[1:])


def _written(name: str, content: bytes) -> Path:
    path = Path(_DIRECTORY.name) / name
    path.write_bytes(content)
    return path


def _node(content: bytes) -> None:
    path = _written(CONFIG_FILE, content)
    try:
        config = NodeConfig.load(path.parent)
    except ConfigError:
        return
    assert config.raft_id in config.nodes


def _profile(content: bytes) -> None:
    _load_profile(_written("tallystick.toml", content))


def _cluster(content: bytes) -> None:
    _load_profile(_written(CLUSTER_FILE, content))


def _load_profile(path: Path) -> None:
    try:
        profile = load_profile(path)
    except ConfigurationError:
        return
    assert profile.endpoints


def _key(content: bytes) -> None:
    path = _written("some.key", content)
    path.chmod(0o600)
    try:
        held = read_key_file(path)
    except ConfigurationError:
        return
    again = KeyFile.decode(held.encode())
    assert (again.key.seed, again.principal) == (held.key.seed, held.principal)


FILES: Final[tuple[Callable[[bytes], None], ...]] = (_node, _profile, _cluster, _key)
