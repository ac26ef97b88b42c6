"""The sync mark: a lower bound, kept outside RocksDB, of what was made durable.

Theory of operation
-------------------
RocksDB's write-ahead log cannot tell a torn tail (writes that were under way when the process died,
acknowledged to nobody) from a tail that somebody cut off or that the disk lost after it was synced:
both just end early. So each group of log writes carries a running number inside its batch, and
after the sync of group *n*, but before anything is acknowledged, *n* is written to this file. On
start the store must hold at least that group; if not, acknowledged data is missing.

The file itself is synced only now and then, since one fsync per group is enough: after a power cut
it may lag behind, never lead. It is a lower bound; that suffices to refuse, never to accept.
"""

import errno
import os
import struct
from pathlib import Path
from typing import Final, Self

from tallystick_node.errors import DamagedLogError, NotInitialisedError
from tallystick_node.storage.rows import checked, checksum

MARK_FILE: Final = "SYNCED"
_MARK: Final = struct.Struct("<4sQ")
_MAGIC: Final = b"TSM1"


class SyncMark:
    """The open mark file of one store. One thread at a time."""

    def __init__(self, descriptor: int, group: int) -> None:
        self._descriptor = descriptor
        self._group = group

    @classmethod
    def create(cls, directory: Path) -> None:
        """Write the mark of a store in which nothing was synced yet.

        Raises:
            FileExistsError: there is a mark already.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = os.open(directory / MARK_FILE, flags, 0o600)
        try:
            os.write(descriptor, _encode(0))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open the mark of a store.

        Raises:
            NotInitialisedError: there is none.
            DamagedLogError: it cannot be read.
        """
        path = directory / MARK_FILE
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError as error:
            raise NotInitialisedError(f"{path} is missing: what was synced is unknown") from error
        try:
            row = checked(os.pread(descriptor, 64, 0), _MARK.size)
        except ValueError as error:
            os.close(descriptor)
            raise DamagedLogError(f"{path} is damaged: what was synced is unknown") from error
        magic, group = _MARK.unpack(row)
        if magic != _MAGIC:
            os.close(descriptor)
            raise DamagedLogError(f"{path} has an unknown version")
        return cls(descriptor, group)

    @property
    def group(self) -> int:
        """The group that is known to be durable."""
        return self._group

    def advance(self, group: int) -> None:
        """Note that this group and all before it are durable. No fsync.

        Raises:
            OSError: the file cannot be written.
        """
        row = _encode(group)
        if os.pwrite(self._descriptor, row, 0) != len(row):
            raise OSError(errno.EIO, "the sync mark was written in part")
        self._group = group

    def sync(self) -> None:
        """Make the mark itself durable.

        Raises:
            OSError: the sync failed.
        """
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _encode(group: int) -> bytes:
    row = _MARK.pack(_MAGIC, group)
    return row + checksum(row)
