"""Settings of a node: `node.toml` in its directory, overridden by `TALLYSTICK_…` variables.

A nested setting is `TALLYSTICK_SECTION__NAME`; a variable beats the file, the file beats the
default. Unknown names are errors: a misspelt setting is not a default.
"""

import tomllib
from pathlib import Path
from typing import ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from tallystick_node.errors import ConfigError
from tallystick_node.limits import CHECKPOINT_EVERY_BYTES

CONFIG_FILE: Final = "node.toml"
# How tomllib refuses: no syntax of TOML, not UTF-8, brackets nested without end.
_NO_TOML: Final = (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PeerAddress(_Section):
    """Where another node of the ledger is reached.

    Attributes:
        peer: host:port of its peer port.
        client: host:port of its client port, given to clients as the leader's address.
    """

    peer: str
    client: str


class RaftSettings(_Section):
    """Time is counted in ticks.

    A follower stands for election after 1 to 2 times `election_ticks` without a leader's word.

    Attributes:
        tick_ms: length of a tick.
        heartbeat_ticks: ticks between a leader's heartbeats.
        election_ticks: shortest silence before an election.
        max_inflight_messages: appends on the way to one peer (1 MiB each).
        max_uncommitted_bytes: above this a proposal is dropped.
        max_clock_ahead_ms: a block further ahead of this node's clock is not accepted.
    """

    tick_ms: int = Field(default=50, ge=1, le=10_000)
    heartbeat_ticks: int = Field(default=2, ge=1)
    election_ticks: int = Field(default=20, ge=3)
    max_inflight_messages: int = Field(default=16, ge=1, le=256)
    max_uncommitted_bytes: int = Field(default=8 * 1024 * 1024, ge=1024 * 1024)
    max_clock_ahead_ms: int = Field(default=500, ge=1)


class WorkSettings(_Section):
    """How much the node works at once.

    Attributes:
        verify_threads: threads of one batch verification; 0: cores divided by `nodes_per_machine`.
        nodes_per_machine: nodes that share this machine's cores.
        checkpoint_every_bytes: log applied between two checkpoints of state, at least.
    """

    verify_threads: int = Field(default=0, ge=0, le=256)
    nodes_per_machine: int = Field(default=1, ge=1, le=64)
    checkpoint_every_bytes: int = Field(default=CHECKPOINT_EVERY_BYTES, ge=1)

    def threads(self, core_count: int) -> int:
        """Threads of one batch verification on a machine with so many cores."""
        return self.verify_threads or max(1, core_count // self.nodes_per_machine)


class LogSettings(_Section):
    """What the node says while it runs.

    Attributes:
        level: least severe message that is written.
        format: `console` for people, `json` for machines.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "json"


class NodeConfig(BaseSettings):
    """All settings of one node.

    Attributes:
        directory: the node's directory (given by who loads it, not by the file).
        raft_id: its id in the genesis.
        listen_client: host:port of the public interface.
        listen_peer: host:port for the other nodes.
        listen_metrics: host:port of the Prometheus endpoint; none without it.
        reflection: whether the client port tells tools such as grpcurl what it offers.
        nodes: every node of the genesis by Raft id, this one included.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="TALLYSTICK_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    directory: Path
    raft_id: int = Field(ge=1, le=65_535)
    listen_client: str
    listen_peer: str
    listen_metrics: str | None = None
    reflection: bool = True
    nodes: dict[int, PeerAddress]
    raft: RaftSettings = RaftSettings()
    work: WorkSettings = WorkSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def load(cls, directory: Path) -> "NodeConfig":
        """Read `directory`/node.toml and the environment.

        Raises:
            ConfigError: missing file, unknown or bad setting; the message names it.
        """
        path = directory / CONFIG_FILE
        if not path.is_file():
            raise ConfigError(f"{path} is missing: `tallystick node init` writes it")
        try:
            config = _reader(path)(directory=directory)  # type: ignore[call-arg] # from the file
        except (ValidationError, SettingsError, *_NO_TOML) as error:
            raise ConfigError(f"{path}: {_first_line(error)}") from error
        if config.raft_id not in config.nodes:
            raise ConfigError(f"{path}: nodes has no entry for this node, {config.raft_id}")
        return config

    @property
    def peers(self) -> dict[int, PeerAddress]:
        """The other nodes, by Raft id."""
        return {raft_id: node for raft_id, node in self.nodes.items() if raft_id != self.raft_id}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, then the file, then defaults."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def _reader(path: Path) -> type[NodeConfig]:
    """NodeConfig bound to one file: pydantic-settings takes the file's name from the class."""

    class FileConfig(NodeConfig):
        model_config = SettingsConfigDict(toml_file=path)

    return FileConfig


def _first_line(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
