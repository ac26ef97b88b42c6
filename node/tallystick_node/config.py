"""Settings of a node: `node.toml` in its directory, overridden by `TALLYSTICK_…` variables.

A nested setting is `TALLYSTICK_SECTION__NAME`; a variable beats the file, the file beats the
default. Unknown names are errors: a misspelt setting is not a default.
"""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

CONFIG_FILE = "node.toml"


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
    """Time is counted in ticks; a follower stands for election after 1 to 2 times
    `election_ticks` without a word from a leader.

    Attributes:
        tick_ms: length of a tick.
        heartbeat_ticks: ticks between a leader's heartbeats.
        election_ticks: shortest silence before an election.
        max_inflight_messages: appends on the way to one peer (1 MiB each).
        max_uncommitted_bytes: above this a proposal is dropped.
        max_clock_ahead_ms: a block further ahead of this node's clock is not accepted.
    """

    tick_ms: int = Field(50, ge=1, le=10_000)
    heartbeat_ticks: int = Field(2, ge=1)
    election_ticks: int = Field(20, ge=3)
    max_inflight_messages: int = Field(16, ge=1, le=256)
    max_uncommitted_bytes: int = Field(8 * 1024 * 1024, ge=1024 * 1024)
    max_clock_ahead_ms: int = Field(500, ge=1)


class WorkSettings(_Section):
    """How much the node works at once.

    Attributes:
        verify_threads: threads of one batch verification; 0: cores divided by `nodes_per_machine`.
        nodes_per_machine: nodes that share this machine's cores.
        checkpoint_every_bytes: log applied between two checkpoints of state.
    """

    verify_threads: int = Field(0, ge=0, le=256)
    nodes_per_machine: int = Field(1, ge=1, le=64)
    checkpoint_every_bytes: int = Field(256 * 1024 * 1024, ge=1024 * 1024)


class LogSettings(_Section):
    """Attributes:
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
        raise NotImplementedError

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the file, then defaults."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
