"""Checkpoints of the kernel's state: one file each, the newest two kept.

A file is written under a temporary name in bounded pieces, synced, and renamed: under its own name
it is whole. It ends with a SHA-256 over all of it, so one that rotted since is passed over for the
older one. It is a file and not a row, because it may have a gigabyte, is written and read once from
end to end, and plain file writes do not hold the GIL.

| offset | size | field |
|---|---|---|
| 0 | 4 | magic `TSK1` |
| 4 | 4 | reserved |
| 8 | 8 | log index up to which the state is applied |
| 16 | 8 | bytes of state |
| 24 | … | state |
| … | 32 | SHA-256 of all before |
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tallystick_node.limits import CHECKPOINT_CHUNK_BYTES, CHECKPOINTS_KEPT

_HEAD: Final = struct.Struct("<4sIQQ")
_MAGIC: Final = b"TSK1"
_DIGEST_BYTES: Final = 32
_SUFFIX: Final = ".checkpoint"
_UNFINISHED: Final = "unfinished"


class Checkpoints:
    """The checkpoint files of one store. One writer at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, index: int, state: bytes) -> None:
        """Write one, then remove all but the newest two.

        Raises:
            OSError: it could not be written or synced.
        """
        self._directory.mkdir(mode=0o700, exist_ok=True)
        unfinished = self._directory / _UNFINISHED
        digest = hashlib.sha256()
        with unfinished.open("wb", buffering=0) as file:
            for piece in _pieces(_HEAD.pack(_MAGIC, 0, index, len(state)), state):
                digest.update(piece)
                _write_all(file.fileno(), piece)
            _write_all(file.fileno(), memoryview(digest.digest()))
            os.fsync(file.fileno())
        unfinished.rename(self._directory / f"{index:020}{_SUFFIX}")
        _sync_directory(self._directory)
        for path in self._paths()[CHECKPOINTS_KEPT:]:
            path.unlink()

    def newest(self) -> tuple[int, bytes] | None:
        """(index, state) of the newest whole checkpoint; damaged ones are passed over."""
        for path in self._paths():
            found = _read(path)
            if found is not None:
                return found
        return None

    def damaged(self) -> list[Path]:
        """Files that are no whole checkpoint, for the operator."""
        return [path for path in self._paths() if _read(path) is None]

    def _paths(self) -> list[Path]:
        """Newest first."""
        return sorted(self._directory.glob(f"*{_SUFFIX}"), reverse=True)


def _pieces(head: bytes, state: bytes) -> Iterator[memoryview]:
    yield memoryview(head)
    view = memoryview(state)
    for start in range(0, len(view), CHECKPOINT_CHUNK_BYTES):
        yield view[start : start + CHECKPOINT_CHUNK_BYTES]


def _write_all(descriptor: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(descriptor, piece) :]


def _read(path: Path) -> tuple[int, bytes] | None:
    content = path.read_bytes()
    if len(content) < _HEAD.size + _DIGEST_BYTES:
        return None
    magic, _, index, length = _HEAD.unpack_from(content)
    end = _HEAD.size + length
    view = memoryview(content)
    if magic != _MAGIC or len(content) != end + _DIGEST_BYTES:
        return None
    if hashlib.sha256(view[:end]).digest() != content[end:]:
        return None
    return index, content[_HEAD.size : end]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
