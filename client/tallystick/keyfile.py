"""Signing keys in files.

A key file is TOML with mode 0600:

    # Tallystick signing key. Whoever reads this file can sign with it.
    format = "tallystick-key/1"
    name = "alice"
    public_key = "64 hexadecimal digits"
    principal = "32 hexadecimal digits"
    seed = "64 hexadecimal digits"

`seed` is the secret. `public_key` is its public half, checked on reading, so that a damaged file
is noticed before it signs. `principal` says whose key it is in the ledger; it is missing until the
key is registered, and for the genesis' operators, whose principals follow from the genesis.
A file that others may read is refused. A file of nothing but 64 hexadecimal digits is taken for a
bare seed, as `cluster up` writes it for the operator.
"""

import os
import re
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tallystick.errors import ConfigurationError
from tallystick_ledger import limits
from tallystick_ledger.ids import PrincipalId, PublicKey
from tallystick_ledger.keys import SigningKey

FORMAT: Final = "tallystick-key/1"
_BARE_SEED: Final = re.compile("[0-9a-f]{64}")
_MODE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
# Such a file has 300 bytes; whatever is much longer is another file.
_MAX_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signs, and whose it is.

    Attributes:
        key: The Ed25519 key.
        principal: Principal that the key belongs to, 16 bytes.
        name: A word for people.
    """

    key: SigningKey
    principal: PrincipalId
    name: str = ""

    @property
    def public_key(self) -> PublicKey:
        """32 bytes, the public half."""
        return self.key.public_key


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What a key file holds.

    Attributes:
        key: The Ed25519 key.
        principal: Whose it is; None while that is not known.
        name: A word for people.
    """

    key: SigningKey = field(repr=False)
    principal: PrincipalId | None = None
    name: str = ""

    def encode(self) -> str:
        """Returns the file's text."""
        principal = "" if self.principal is None else f'principal = "{self.principal.hex()}"\n'
        return (
            "# Tallystick signing key. Whoever reads this file can sign with it.\n"
            f'format = "{FORMAT}"\n'
            f'name = "{_plain(self.name)}"\n'
            f'public_key = "{self.key.public_key.hex()}"\n'
            f"{principal}"
            f'seed = "{self.key.seed.hex()}"\n'
        )

    @classmethod
    def decode(cls, text: str, where: str = "the key file") -> "KeyFile":
        """Reads the file's text.

        Raises:
            ConfigurationError: It is no key file, or its parts contradict one another.
        """
        if _BARE_SEED.fullmatch(text.strip()):
            return cls(SigningKey(bytes.fromhex(text.strip())))
        try:
            fields = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigurationError(f"{where} is not TOML: {error}.") from error
        if fields.get("format") != FORMAT:
            raise ConfigurationError(f"{where} is no Tallystick key file (format {FORMAT}).")
        key = SigningKey(_hex(fields, "seed", limits.SEED_BYTES, where))
        if _hex(fields, "public_key", limits.KEY_BYTES, where) != key.public_key:
            raise ConfigurationError(
                f"In {where}, public_key is not that of seed.",
                advice="The file is damaged: take it from a backup.",
            )
        principal = None
        if "principal" in fields:
            principal = PrincipalId(_hex(fields, "principal", limits.ID_BYTES, where))
        name = fields.get("name", "")
        return cls(key, principal, name if isinstance(name, str) else "")

    def signer(self, fallback: PrincipalId | None = None) -> Signer:
        """Returns the key together with its principal.

        Args:
            fallback: Principal to take when the file names none.

        Raises:
            ConfigurationError: Neither names one.
        """
        principal = self.principal or fallback
        if principal is None:
            raise ConfigurationError(
                f"The key {self.key.public_key.hex()} has no principal.",
                advice="Register it first (tallystick principal new), or name the genesis.",
            )
        return Signer(self.key, principal, self.name)


def new_key_file(seed: bytes, name: str = "", principal: PrincipalId | None = None) -> KeyFile:
    """Returns a new key file's content.

    Args:
        seed: 32 random bytes.
        name: A word for people.
        principal: Whose it is, if that is known.
    """
    return KeyFile(SigningKey(seed), principal, name)


def existing_or_new(path: Path, name: str) -> KeyFile:
    """Reads a key file, or makes one with its directory.

    Raises:
        ConfigurationError: It is there and no key file, or cannot be written.
    """
    if path.exists():
        return read_key_file(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = new_key_file(os.urandom(limits.SEED_BYTES), name)
    write_key_file(path, made)
    return made


def write_key_file(path: Path, key_file: KeyFile, *, replace: bool = False) -> None:
    """Writes a key file that only its owner can read, whole or not at all.

    Args:
        path: Where to.
        key_file: What.
        replace: Whether a file of that name may be there already.

    Raises:
        ConfigurationError: It exists, or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(key_file.encode())
                file.flush()
                os.fsync(file.fileno())
            if replace:
                temporary.replace(path)
            else:
                os.link(temporary, path)  # fails if somebody was faster
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError as error:
        raise ConfigurationError(
            f"{path} exists already.", advice="Choose another name; keys are never overwritten."
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error


def read_key_file(path: Path) -> KeyFile:
    """Reads a key file.

    Raises:
        ConfigurationError: It is missing, readable by others, or no key file.
    """
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS:
                raise ConfigurationError(
                    f"{path} can be read by others.", advice=f"Run: chmod 600 {path}"
                )
            text = file.read(_MAX_BYTES)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is no key file: it is not text.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    return KeyFile.decode(text, str(path))


def _hex(fields: dict[str, object], name: str, length: int, where: str) -> bytes:
    value = fields.get(name)
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != length:
        raise ConfigurationError(f"In {where}, {name} is not {2 * length} hexadecimal digits.")
    return raw


def _plain(name: str) -> str:
    return "".join(
        character for character in name if character.isprintable() and character not in '"\\'
    )
