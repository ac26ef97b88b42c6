"""Where a ledger is and who signs: from a profile file, the environment, or both.

A profile is TOML, by default `tallystick.toml` in the current directory or, failing that, in
`~/.config/tallystick`; `TALLYSTICK_PROFILE` names another:

    endpoints = ["127.0.0.1:7401", "127.0.0.1:7402", "127.0.0.1:7403"]
    ca = "ca.pem"                  # authorities that sign the nodes' certificates
    genesis = "genesis.bin"        # or: ledger_id = "64 hexadecimal digits"
    key = "keys/alice.key"         # who signs; may be missing for somebody who only reads
    read_key = "keys/reader.key"   # who reads, if not the same
    valid_for_s = 60               # how long an envelope may be ordered
    # insecure = true              # instead of ca: no TLS. For a test on one machine

Every line can come from the environment instead, which wins: `TALLYSTICK_ENDPOINTS` (with commas),
`TALLYSTICK_CA`, `TALLYSTICK_KEY` and so on. Paths in the file are relative to the file.
"""

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from tallystick import limits
from tallystick.errors import ConfigurationError
from tallystick.keyfile import Signer, read_key_file
from tallystick_ledger.errors import LedgerError
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.ids import LedgerId, PrincipalId, operator_principal
from tallystick_ledger.keys import SigningKey

FILE_NAME: Final = "tallystick.toml"
# What `tallystick cluster up` writes; its directory implies a profile.
CLUSTER_FILE: Final = "cluster.json"
PATH_VARIABLE: Final = "TALLYSTICK_PROFILE"
_USER_DIRECTORY: Final = Path("~/.config/tallystick")
_PATHS: Final = ("ca", "genesis", "key", "read_key")


class Profile(BaseSettings):
    """A profile's content; see the module for each line's meaning.

    Attributes:
        endpoints: `host:port` of each node's client port.
        ca: PEM file with the authorities to trust.
        insecure: Whether to do without TLS.
        genesis: The ledger's genesis file.
        ledger_id: Its hash in hexadecimal, for those who have no genesis file.
        key: Key file of who signs.
        read_key: Key file of who reads; None for who signs.
        valid_for_s: How long an envelope may be ordered, seconds from its making.
        attempt_timeout_s: Seconds after which another node is asked.
    """

    model_config = SettingsConfigDict(env_prefix="TALLYSTICK_", extra="forbid", frozen=True)

    endpoints: Annotated[tuple[str, ...], NoDecode] = Field(min_length=1)
    ca: Path | None = None
    insecure: bool = False
    genesis: Path | None = None
    ledger_id: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    key: Path | None = None
    read_key: Path | None = None
    valid_for_s: float = Field(default=limits.DEFAULT_VALID_FOR_S, gt=0, le=3600)
    attempt_timeout_s: float = Field(default=limits.DEFAULT_ATTEMPT_TIMEOUT_S, gt=0, le=3600)

    @field_validator("endpoints", mode="before")
    @classmethod
    def _split_endpoints(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _be_explicit(self) -> "Profile":
        if (self.ca is None) != self.insecure:
            raise ValueError("name either ca or insecure = true")
        if self.genesis is None and self.ledger_id is None:
            raise ValueError("name genesis or ledger_id")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Lets the environment win over the file, whose lines are the constructor's arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)

    def trusted(self) -> bytes | None:
        """Returns the authorities to trust in PEM, None for no TLS."""
        return None if self.ca is None else _read(self.ca)

    def read_genesis(self) -> Genesis | None:
        """Returns the genesis, if the profile names its file."""
        if self.genesis is None:
            return None
        try:
            return Genesis.decode(_read(self.genesis))
        except LedgerError as error:
            raise ConfigurationError(f"{self.genesis} is no genesis: {error}.") from error

    def read_ledger_id(self) -> LedgerId:
        """Returns the ledger's id: of the genesis, checked against `ledger_id` if both are named.

        Raises:
            ConfigurationError: The genesis cannot be read, or is that of another ledger.
        """
        genesis = self.read_genesis()
        named = LedgerId(bytes.fromhex(self.ledger_id or ""))
        if genesis is None:
            return named
        if named and named != genesis.ledger_id:
            raise ConfigurationError(
                f"{self.genesis} is not the genesis of ledger {self.ledger_id}.",
                advice="Remove one of the two lines, or take the right file.",
            )
        return genesis.ledger_id

    def read_signer(self, key: Path | None = None) -> Signer | None:
        """Returns who signs: the key in file `key`, else the profile's, else nobody."""
        path = key or self.key
        return None if path is None else load_signer(path, self.read_genesis())

    def load_read_key(self) -> Signer | SigningKey | None:
        """Returns who reads, if that is not who signs; a key reads without a principal, too."""
        if self.read_key is None:
            return None
        held = read_key_file(self.read_key)
        return held.key if held.principal is None else held.signer()


def load_profile(path: Path | str | None = None) -> Profile:
    """Finds and reads a profile.

    Args:
        path: The file, a directory with a `tallystick.toml`, or one that `tallystick cluster up`
            made, whose operator then signs; None to look in the usual places. Without any file
            the environment alone must say everything.

    Raises:
        ConfigurationError: The file is missing or not TOML, or a line is missing or wrong.
    """
    file = find_profile(path)
    lines: dict[str, object] = {}
    if file is not None:
        lines = _lines(file)
        for name in _PATHS:
            value = lines.get(name)
            if isinstance(value, str):
                lines[name] = file.parent / value
    try:
        return Profile(**lines)  # type: ignore[arg-type]  # checked by pydantic, line by line
    except ValidationError as error:
        where = f"Profile {file}" if file else f"Without a {FILE_NAME}, the environment"
        problems = "; ".join(
            _describe(problem["loc"], problem["msg"]) for problem in error.errors()
        )
        raise ConfigurationError(
            f"{where} is not usable: {problems}.",
            advice=f"Write a {FILE_NAME} or set TALLYSTICK_* variables; see tallystick.profile.",
        ) from error


def load_signer(path: Path, genesis: Genesis | None) -> Signer:
    """Reads a key file; a genesis operator's principal follows from the genesis.

    Raises:
        ConfigurationError: The file is unusable, or nobody says whose key it is.
    """
    key_file = read_key_file(path)
    fallback: PrincipalId | None = None
    if genesis is not None and key_file.key.public_key in genesis.operators:
        position = list(genesis.operators).index(key_file.key.public_key)
        fallback = operator_principal(genesis.ledger_id, position)
    return key_file.signer(fallback)


def write_profile(
    path: Path,
    *,
    endpoints: tuple[str, ...],
    ca: str | None = "ca.pem",
    genesis: str = "genesis.bin",
    key: str | None = None,
) -> None:
    """Writes a profile; `ca`, `genesis` and `key` are paths as they shall stand in it."""
    lines = [f"endpoints = [{', '.join(_quoted(endpoint) for endpoint in endpoints)}]"]
    lines.append("insecure = true" if ca is None else f"ca = {_quoted(ca)}")
    lines.append(f"genesis = {_quoted(genesis)}")
    if key is not None:
        lines.append(f"key = {_quoted(key)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def find_key(key: Path | str, profile: Path | str | None = None) -> Path:
    """Returns the key file that `key` means: a path, or a name for `keys/NAME.key` by the profile.

    What exists as a path is a path.
    """
    path = Path(key).expanduser()
    file = find_profile(profile)
    if file is None or path.exists() or path.parent != Path():
        return path
    return file.parent / "keys" / f"{path.name}.key"


def find_profile(path: Path | str | None = None) -> Path | None:
    """Returns the file that `load_profile` would read, None for the environment alone."""
    named = path or os.environ.get(PATH_VARIABLE)
    if named:
        file = Path(named).expanduser()
        return _inside(file) or file / FILE_NAME if file.is_dir() else file
    for directory in (Path(), _USER_DIRECTORY.expanduser()):
        found = _inside(directory)
        if found is not None:
            return found
    return None


def _inside(directory: Path) -> Path | None:
    files = (directory / FILE_NAME, directory / CLUSTER_FILE)
    return next((file for file in files if file.is_file()), None)


def _lines(file: Path) -> dict[str, object]:
    """Reads a profile's lines; for a cluster's directory those that it implies."""
    text = _read(file)
    try:
        if file.name != CLUSTER_FILE:
            return tomllib.loads(text.decode())
        nodes = json.loads(text)["nodes"]
        return {
            "endpoints": [node["client"] for node in nodes],
            "ca": "ca.pem",
            "genesis": "genesis.bin",
            "key": "keys/operator.key",
        }
    except (KeyError, TypeError, ValueError, RecursionError) as error:  # also: not UTF-8
        raise ConfigurationError(f"{file} is not usable: {error}.") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error


def _describe(location: tuple[int | str, ...], message: str) -> str:
    name = ".".join(str(part) for part in location)
    text = message.removeprefix("Value error, ")
    return f"{name}: {text}" if name else text


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
