"""Helpers of the store's tests."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tallystick_node.storage import HardState, LogEntry, Store


@dataclass(frozen=True)
class Owner:
    """Whose store it is."""

    ledger_id: bytes = b"L" * 32
    raft_id: int = 1
    incarnation: bytes = b"i" * 16


OWNER = Owner()


def entry(index: int, term: int = 1, size: int = 100) -> LogEntry:
    """An entry whose payload depends on index and term alone."""
    payload = (f"entry {index} of term {term} ".encode() * (size // 10 + 1))[:size]
    return LogEntry(index, term, payload)


def new_store(directory: Path) -> Store:
    Store.create(directory, OWNER)
    return Store.open(directory, OWNER)


def reopen(store: Store, directory: Path) -> Store:
    store.close()
    return Store.open(directory, OWNER)


def append(store: Store, entries: Sequence[LogEntry], commit: int = 0, term: int = 1) -> None:
    store.write([(entries, HardState(term, 1, commit))])
    store.sync()


def wal_files(directory: Path) -> list[Path]:
    """RocksDB's write-ahead logs with content, oldest first."""
    return sorted(path for path in (directory / "rocks").glob("*.log") if path.stat().st_size)


def cut(path: Path, count: int) -> None:
    """Take bytes off the end of a file."""
    os.truncate(path, path.stat().st_size - count)


def flip(path: Path, needle: bytes) -> None:
    """Change one bit of the first occurrence of `needle` in a file."""
    content = bytearray(path.read_bytes())
    at = content.index(needle)
    content[at] ^= 1
    path.write_bytes(content)
