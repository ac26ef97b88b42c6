"""The durable half of a node, over RocksDB.

Skeleton of the seam; being filled.
"""

from collections.abc import Iterator
from pathlib import Path

from tallystick_node.storage.rows import (
    AppliedRecord,
    BlockLocation,
    HardState,
    LogEntry,
    Recovered,
    StateCheckpoint,
)


class Store:
    """One node's directory `db/`. Threads: the log side belongs to the persist thread, the applied
    side to the apply thread; reads may come from any thread.

    A failed write or sync never returns: it ends the process (`failure.fatal`).
    """

    @classmethod
    def create(cls, directory: Path, *, ledger_id: bytes, raft_id: int, incarnation: bytes) -> None:
        """Make an empty store; `node init` only. Refuses a directory that holds anything."""
        raise NotImplementedError

    @classmethod
    def open(
        cls, directory: Path, *, ledger_id: bytes, raft_id: int, incarnation: bytes
    ) -> "Store":
        """Open what `create` made; checks identity, log and acknowledged data.

        Raises:
            NotInitialisedError: no store here (empty or wiped directory).
            WrongStoreError: the store belongs to another ledger, node or incarnation.
            DamagedLogError: acknowledged data is missing or damaged; names the index.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Sync and close."""
        raise NotImplementedError

    @property
    def recovered(self) -> Recovered:
        """What `open` found."""
        raise NotImplementedError

    # Log (persist thread)

    def append(self, entries: list[LogEntry], hard_state: HardState | None) -> None:
        """Write entries, replacing any suffix they conflict with, in one unsynced batch."""
        raise NotImplementedError

    def sync(self) -> None:
        """Make all that was written before durable: one fsync."""
        raise NotImplementedError

    @property
    def sync_count(self) -> int:
        """Synced groups since the store was opened."""
        raise NotImplementedError

    # Log (any thread)

    def entries(self, low: int, high: int, max_bytes: int) -> list[LogEntry]:
        """Entries [low, high), at least one, cut at `max_bytes`; digests checked.

        Raises:
            DamagedLogError: an entry is missing or does not match its digest.
        """
        raise NotImplementedError

    def replay(self, low: int, high: int, chunk_bytes: int = ...) -> Iterator[list[LogEntry]]:
        """Entries [low, high) in bounded chunks, digests checked."""
        raise NotImplementedError

    # Applied side (apply thread)

    def write_applied(self, records: list[AppliedRecord], applied_index: int) -> None:
        """One unsynced batch: results, effects, indexes of these blocks, and the applied index."""
        raise NotImplementedError

    def read_applied(self, location: BlockLocation) -> AppliedRecord | None:
        """What applying the block made (without `ids`); None if it was not written."""
        raise NotImplementedError

    def find_sequence(self, sequence: int) -> BlockLocation | None:
        """The block that holds this sequence number."""
        raise NotImplementedError

    def find_id(self, principal: bytes, envelope_id: bytes) -> int | None:
        """First sequence number of the envelope that consumed this id (16 bytes as in the header)."""
        raise NotImplementedError

    # Checkpoints

    def write_checkpoint(self, checkpoint: StateCheckpoint) -> None:
        """Write a checkpoint atomically (a crash leaves the older ones), keep the last two.

        Syncs the log and the applied side first: replay starts behind the checkpoint.
        """
        raise NotImplementedError

    def checkpoints(self) -> Iterator[StateCheckpoint]:
        """Whole checkpoints, newest first; torn or damaged ones are passed over."""
        raise NotImplementedError

    # Peers

    def pin_incarnation(self, raft_id: int, incarnation: bytes) -> bytes:
        """Pin on first contact, durably; returns what is pinned (maybe another one)."""
        raise NotImplementedError
