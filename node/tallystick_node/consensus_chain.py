"""How blocks continue each other, and where the log's end stands.

Each block names its first sequence number and its timestamp, and takes one of each per record; the
next block starts behind both (docs/format.md section 8). `ChainTip` is that place. `Chain` knows it
for every entry that may still be replaced: from the applied one to the last. Raft's own entries are
empty and leave the tip where it is.

Invariants: the chain covers the indexes [floor, last] without a gap, floor ≤ applied ≤ last; what
is below the floor is applied and can never be replaced.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

# magic, version, rules version, timestamp, first sequence, envelopes, records: the layout's start.
_HEADER: Final = struct.Struct("<4sHHQQII")
BLOCK_HEADER_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class ChainTip:
    """What the next block must continue from.

    Attributes:
        next_sequence: sequence number of its first record.
        min_next_timestamp_ns: smallest timestamp it may have.
    """

    next_sequence: int
    min_next_timestamp_ns: int


@dataclass(frozen=True, slots=True)
class BlockPlace:
    """Where a block says it stands."""

    first_sequence: int
    timestamp_ns: int
    record_count: int

    @property
    def tip(self) -> ChainTip:
        """The tip behind it."""
        return ChainTip(
            self.first_sequence + self.record_count, self.timestamp_ns + self.record_count
        )

    def continues(self, tip: ChainTip) -> bool:
        """Whether it may stand behind `tip`."""
        return (
            self.first_sequence == tip.next_sequence
            and self.timestamp_ns >= tip.min_next_timestamp_ns
        )


def block_place(payload: bytes) -> BlockPlace | None:
    """Read a block's header; None if there is no room for one. Checks nothing else."""
    if len(payload) < BLOCK_HEADER_BYTES:
        return None
    _, _, _, timestamp_ns, first_sequence, _, record_count = _HEADER.unpack_from(payload)
    return BlockPlace(first_sequence, timestamp_ns, record_count)


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of the log as far as the chain is concerned.

    Attributes:
        term: of the entry.
        tip: behind the entry.
        size_bytes: of its payload.
    """

    term: int
    tip: ChainTip
    size_bytes: int


class Chain:
    """The links of the log from the applied entry to the last one."""

    def __init__(self, applied_index: int, applied_term: int, applied_tip: ChainTip) -> None:
        self._links = {applied_index: Link(applied_term, applied_tip, 0)}
        self._floor = applied_index
        self._last = applied_index

    @property
    def floor(self) -> int:
        """Lowest index whose link is known."""
        return self._floor

    @property
    def last(self) -> int:
        """Last index of the log."""
        return self._last

    @property
    def tip(self) -> ChainTip:
        """Behind the last entry."""
        return self._links[self._last].tip

    def link(self, index: int) -> Link | None:
        """The link at `index`; None below the floor and above the last."""
        return self._links.get(index)

    def extend(self, entries: Iterable[tuple[int, int, bytes]]) -> int:
        """Append (index, term, payload), dropping what they replace.

        Returns:
            Payload bytes of the links that were dropped.

        Raises:
            ValueError: an entry does not follow the log, or would replace an applied one.
        """
        dropped_bytes = 0
        for index, term, payload in entries:
            if not self._floor < index <= self._last + 1:
                raise ValueError(f"entry {index} does not follow the log's end, {self._last}")
            for replaced in range(index, self._last + 1):
                dropped_bytes += self._links.pop(replaced).size_bytes
            before = self._links[index - 1].tip
            place = block_place(payload)
            self._links[index] = Link(term, place.tip if place else before, len(payload))
            self._last = index
        return dropped_bytes

    def raise_floor(self, index: int) -> None:
        """Forget what is below `index`, which is applied."""
        for below in range(self._floor, min(index, self._last)):
            del self._links[below]
        self._floor = max(self._floor, min(index, self._last))
