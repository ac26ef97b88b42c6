"""What goes into the store and comes out of it, as values.

Nothing here touches a disk; `store.py` says when each of these is written and how durably.
"""

from dataclasses import dataclass
from typing import NewType

LogIndex = NewType("LogIndex", int)
"""Position in the Raft log, from 1; 0 is before the first entry."""

Term = NewType("Term", int)
"""Raft term."""


@dataclass(frozen=True, slots=True)
class HardState:
    """What Raft must never forget.

    Attributes:
        term: the latest term this node has seen.
        vote: the Raft id it voted for in `term`, 0 for none.
        commit: an index known to be committed; what is applied never exceeds it on disk.
    """

    term: int
    vote: int
    commit: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of the Raft log.

    Attributes:
        index: its position.
        term: the term of the leader that made it.
        payload: a block (docs/format.md section 8), or nothing for Raft's own entries.
    """

    index: int
    term: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class EntryMeta:
    """What is kept of an entry apart from its payload, so that damage is told from absence.

    Attributes:
        index: position in the log.
        term: term of the entry.
        digest: SHA-256 of the payload (of nothing, for an empty entry).
        length: bytes of payload.
    """

    index: int
    term: int
    digest: bytes
    length: int


@dataclass(frozen=True, slots=True)
class AppliedRecord:
    """What applying one block made, kept so that any envelope can be answered for ever.

    A block all of whose records are plain successes leaves `sparse_results`, `effects` and
    `envelopes` empty: everything else follows from the block itself.

    Attributes:
        index: log index of the block.
        first_sequence: sequence number of its first record.
        record_count: its records; `first_sequence + record_count` is the next block's first.
        timestamp_ns: the block's timestamp.
        sparse_results: u32 record index and 16-byte result, for each result that is not zero.
        effects: 128 bytes each, in order.
        effect_counts: u32 per envelope; empty when there is no effect.
        envelopes: the envelope table, 48 bytes each (tallystick_core's `Applied.envelopes`).
        ids: 40 bytes per consumed id, sorted: envelope id (u128 big-endian), principal (16),
            first sequence number (u64 big-endian); tallystick_core's `Applied.ids`.
    """

    index: int
    first_sequence: int
    record_count: int
    timestamp_ns: int
    sparse_results: bytes
    effects: bytes
    effect_counts: bytes
    envelopes: bytes
    ids: bytes


@dataclass(frozen=True, slots=True)
class BlockLocation:
    """Where the block stands that holds a sequence number."""

    index: int
    first_sequence: int
    record_count: int
    timestamp_ns: int


@dataclass(frozen=True, slots=True)
class StateCheckpoint:
    """A kernel checkpoint.

    Attributes:
        index: log index up to and including which the state is applied.
        state: the bytes that `Kernel.checkpoint()` gave; the kernel checks them itself as well.
    """

    index: int
    state: bytes


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
