"""Values that go into the store and come out of it, and their bytes.

All integers in values are little-endian; those in keys are big-endian, so that RocksDB's byte order
is their order. Nothing here touches a disk.
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Final, Self

_STATE: Final = struct.Struct("<4sQQQQQ")
_STATE_MAGIC: Final = b"TSH1"
_META: Final = struct.Struct("<QI32s")
_OWNER: Final = struct.Struct("<4s32sQ16s")
_OWNER_MAGIC: Final = b"TSO1"
_KEY: Final = struct.Struct(">Q")
_CHECK_BYTES: Final = 8


def index_key(index: int) -> bytes:
    """The key of anything that stands under one log index, sequence number or Raft id."""
    return _KEY.pack(index)


def index_of_key(key: bytes) -> int:
    """The number that `index_key` wrote."""
    number: int = _KEY.unpack(key)[0]
    return number


@dataclass(frozen=True, slots=True)
class HardState:
    """What Raft must never forget.

    Attributes:
        term: the latest term this node has seen.
        vote: the Raft id it voted for in `term`, 0 for none.
        commit: an index known to be committed.
    """

    term: int
    vote: int
    commit: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of the Raft log.

    Attributes:
        index: its position, from 1.
        term: the term of the leader that made it.
        payload: a block (docs/format.md section 8), or nothing for Raft's own entries.
    """

    index: int
    term: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Recovered:
    """What the log on disk says at start, checked (see `Store.open`).

    Attributes:
        hard_state: with `commit` raised to what is known to be applied.
        runs: (first index, term) of each run of entries with one term, ascending; empty for an
            empty log.
        last_index: 0 for an empty log.
    """

    hard_state: HardState
    runs: tuple[tuple[int, int], ...]
    last_index: int


@dataclass(frozen=True, slots=True)
class StateRow:
    """The row that each group of log writes ends with.

    Attributes:
        hard_state: as of this group.
        last_index: last entry of the log after this group.
        group: how many groups were written before; the sync mark is compared with it.
    """

    hard_state: HardState
    last_index: int
    group: int

    def encode(self) -> bytes:
        """44 bytes and the first 8 of their SHA-256."""
        state = self.hard_state
        row = _STATE.pack(
            _STATE_MAGIC, state.term, state.vote, state.commit, self.last_index, self.group
        )
        return row + checksum(row)

    @classmethod
    def decode(cls, row: bytes) -> Self:
        """Read what `encode` wrote.

        Raises:
            ValueError: the row is damaged.
        """
        magic, term, vote, commit, last, group = _STATE.unpack(checked(row, _STATE.size))
        if magic != _STATE_MAGIC:
            raise ValueError("the hard state has an unknown version")
        return cls(HardState(term, vote, commit), last, group)


@dataclass(frozen=True, slots=True)
class EntryMeta:
    """What is kept of an entry apart from its payload, so that damage is told from absence.

    Attributes:
        term: term of the entry.
        length: bytes of payload.
        digest: SHA-256 of the payload (of nothing, for an empty entry).
    """

    term: int
    length: int
    digest: bytes

    @classmethod
    def of(cls, entry: LogEntry) -> Self:
        """The meta row of an entry. Hashing releases the GIL."""
        return cls(entry.term, len(entry.payload), hashlib.sha256(entry.payload).digest())

    def matches(self, payload: bytes) -> bool:
        """Whether this is the payload that was written."""
        return len(payload) == self.length and hashlib.sha256(payload).digest() == self.digest

    def encode(self) -> bytes:
        """44 bytes."""
        return _META.pack(self.term, self.length, self.digest)

    @classmethod
    def decode(cls, row: bytes) -> Self:
        """Read what `encode` wrote.

        Raises:
            ValueError: the row has the wrong size.
        """
        if len(row) != _META.size:
            raise ValueError("an entry's meta row has the wrong size")
        return cls(*_META.unpack(row))


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """Whose store this is: a store of another ledger, node or incarnation is never opened."""

    ledger_id: bytes
    raft_id: int
    incarnation: bytes

    def encode(self) -> bytes:
        """60 bytes and the first 8 of their SHA-256."""
        row = _OWNER.pack(_OWNER_MAGIC, self.ledger_id, self.raft_id, self.incarnation)
        return row + checksum(row)

    @classmethod
    def decode(cls, row: bytes) -> Self:
        """Read what `encode` wrote.

        Raises:
            ValueError: the row is damaged or of another version.
        """
        magic, ledger_id, raft_id, incarnation = _OWNER.unpack(checked(row, _OWNER.size))
        if magic != _OWNER_MAGIC:
            raise ValueError("the owner row has an unknown version")
        return cls(ledger_id, raft_id, incarnation)


def checksum(row: bytes) -> bytes:
    """The 8 bytes that end a row that must not be misread."""
    return hashlib.sha256(row).digest()[:_CHECK_BYTES]


def checked(row: bytes, size: int) -> bytes:
    """The first `size` bytes of a row, whose checksum follows them.

    Raises:
        ValueError: wrong size or checksum.
    """
    if len(row) != size + _CHECK_BYTES or checksum(row[:size]) != row[size:]:
        raise ValueError("a row does not match its checksum")
    return row[:size]
