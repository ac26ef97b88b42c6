"""Reads: linearizable by ReadIndex, stale on request, and envelopes of the past by id or number.

Theory of operation. A linearizable read asks the leader for its commit index, confirmed by a
quorum (Raft thesis, section 6.4), waits until this node has applied that far, and then reads the
kernel. There are no lease reads: a paused process cannot know that its lease is over. A stale read
skips the first two steps. ``at_least_sequence`` waits for a sequence number instead, so that a
client reads its own writes from any node.
"""

import asyncio
import heapq
import itertools
import struct
from dataclasses import dataclass
from typing import Final, Protocol

from tallystick_core import Kernel, block_header

from tallystick_ledger.limits import BLOCK_HEADER_BYTES, ENVELOPE_PREFIX_BYTES, RECORD_BYTES
from tallystick_node.applied_rows import RESULT_BYTES, AppliedRows
from tallystick_node.errors import DamagedLogError, NodeError
from tallystick_node.failure import fatal
from tallystick_node.storage import Store

_COUNT: Final = struct.Struct("<I")


class ReadTimeoutError(NodeError):
    """The state asked for was not reached in time; try again or another node."""


class ReadIndexSource(Protocol):
    """The part of the replica that reads need."""

    async def read_index(self) -> int:
        """Index up to which a read has to wait."""


@dataclass(frozen=True, slots=True)
class FoundEnvelope:
    """An envelope in the log, with what the kernel said of it.

    Attributes:
        envelope: Its bytes.
        first_sequence: Sequence number of its first record.
        timestamp_ns: Timestamp of its first record.
        record_count: Its records.
        code: 0 executed, or 64 to 67.
        results: 16 bytes a record, in full.
        effects: 128 bytes each.
    """

    envelope: bytes
    first_sequence: int
    timestamp_ns: int
    record_count: int
    code: int
    results: bytes
    effects: bytes


class Reads:
    """Waits for state and looks up what the log and its derived rows hold."""

    def __init__(
        self, *, kernel: Kernel, store: Store, source: ReadIndexSource, applied_index: int
    ) -> None:
        self._kernel = kernel
        self._store = store
        self._source = source
        self._applied_index = applied_index
        status = kernel.status()
        self._next_sequence = status.next_sequence
        self._log_time_ns = status.min_next_timestamp_ns
        self._order = itertools.count()
        self._by_index: list[tuple[int, int, asyncio.Future[None]]] = []
        self._by_sequence: list[tuple[int, int, asyncio.Future[None]]] = []

    # -- progress --------------------------------------------------------------------------------

    @property
    def next_sequence(self) -> int:
        """Sequence number that the next record will take, as far as is applied and stored."""
        return self._next_sequence

    @property
    def applied_index(self) -> int:
        """Raft index up to which state is applied and its derived rows are written."""
        return self._applied_index

    @property
    def log_time_ns(self) -> int:
        """Smallest timestamp that the next block may have, as far as is applied and stored."""
        return self._log_time_ns

    def applied(self, index: int, next_sequence: int, log_time_ns: int) -> None:
        """Wakes the reads that waited for this index or sequence number (event loop)."""
        self._applied_index = max(self._applied_index, index)
        self._next_sequence = max(self._next_sequence, next_sequence)
        self._log_time_ns = max(self._log_time_ns, log_time_ns)
        for heap, reached in (
            (self._by_index, self._applied_index),
            (self._by_sequence, self._next_sequence - 1),
        ):
            while heap and heap[0][0] <= reached:
                future = heapq.heappop(heap)[2]
                if not future.done():
                    future.set_result(None)

    async def wait_for_index(self, index: int, timeout_s: float) -> None:
        """Returns once ``index`` is applied here.

        Raises:
            ReadTimeoutError: It did not happen within ``timeout_s`` seconds.
        """
        if index > self._applied_index:
            await self._wait(self._by_index, index, timeout_s)

    async def wait_for_sequence(self, sequence: int, timeout_s: float) -> None:
        """Returns once the record with this sequence number is applied here.

        Raises:
            ReadTimeoutError: It did not happen within ``timeout_s`` seconds.
        """
        if sequence >= self._next_sequence:
            await self._wait(self._by_sequence, sequence, timeout_s)

    async def _wait(
        self, heap: list[tuple[int, int, asyncio.Future[None]]], until: int, timeout_s: float
    ) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(heap, (until, next(self._order), future))
        try:
            await asyncio.wait_for(future, timeout_s)
        except TimeoutError as error:
            raise ReadTimeoutError(f"{until} is not applied here within {timeout_s} s") from error

    async def settle(self, *, stale: bool, at_least_sequence: int, timeout_s: float) -> None:
        """Waits until the kernel may answer a read with these options.

        Raises:
            NotLeaderError, NoQuorumError: A linearizable read could not be confirmed.
            ReadTimeoutError: It took longer than ``timeout_s`` seconds.
        """
        if not stale:
            try:
                index = await asyncio.wait_for(self._source.read_index(), timeout_s)
            except TimeoutError as error:
                raise ReadTimeoutError(f"no quorum confirmed within {timeout_s} s") from error
            await self.wait_for_index(index, timeout_s)
        if at_least_sequence:
            await self.wait_for_sequence(at_least_sequence, timeout_s)

    # -- the past --------------------------------------------------------------------------------

    def find_by_id(self, principal: bytes, envelope_id: bytes) -> FoundEnvelope | None:
        """The envelope that consumed this id, if any is applied here.

        Args:
            principal: 16 bytes.
            envelope_id: 16 bytes as in the header.
        """
        first = self._store.find_id(principal, envelope_id)
        return None if first is None else self.find(first)

    def find(self, sequence: int) -> FoundEnvelope | None:
        """The applied envelope that holds the record with this sequence number, if any."""
        if not 0 < sequence < self._next_sequence:
            return None
        index = self._store.index_of_sequence(sequence)
        if index is None:
            return None
        try:
            block = self._store.payload(index)
        except DamagedLogError as error:
            fatal("reads", error)  # a node that lost what it acknowledged must not stay
        if block is None:
            return None
        row = self._store.applied_rows(index)
        return locate(block, AppliedRows.decode(row) if row else None, sequence)


def locate(block: bytes, applied: AppliedRows | None, sequence: int) -> FoundEnvelope | None:
    """Cuts the envelope that holds ``sequence`` out of a block and its derived rows.

    Args:
        block: Payload of the entry.
        applied: What is kept of how it was applied, if anything.
        sequence: A sequence number inside the block.
    """
    header = block_header(block)
    offset, first = BLOCK_HEADER_BYTES, header.first_sequence
    for position in range(header.envelope_count):
        (count,) = _COUNT.unpack_from(block, offset + 12)
        size = ENVELOPE_PREFIX_BYTES + RECORD_BYTES * count
        if first <= sequence < first + count:
            return FoundEnvelope(
                envelope=block[offset : offset + size],
                first_sequence=first,
                timestamp_ns=header.timestamp_ns + (first - header.first_sequence),
                record_count=count,
                code=0 if applied is None else applied.codes[position],
                results=(
                    bytes(RESULT_BYTES * count)
                    if applied is None
                    else applied.results_of(first - header.first_sequence, count)
                ),
                effects=b"" if applied is None else applied.effects_of(position),
            )
        offset += size
        first += count
    return None
