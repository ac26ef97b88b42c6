"""How envelopes were answered when they were first ordered: looked up on a thread, within bounds.

Theory of operation. A client that did not hear an answer sends the same bytes again and is told
what it would have been told then. Anybody may send anything again, so what that costs is bounded:

- by first sequence number (the kernel still knows the id): a block is read and cut up once for all
  envelopes of the message that stand in it, and a message gets `MAX_ORIGINAL_BYTES` of blocks;
- by header (its time has passed, so only the durable index may know the id): a look-up reads all
  runs of ids of its time, so it is made only for who holds the key, and for `MAX_ID_LOOKUP_S`.

What is beyond is left out; its client is told to come back and finds fewer left each time. One
thread does it all, message by message, so that the event loop goes on.

TOO_LATE is said for ever: whoever hears it makes a new envelope. So it is not said by the clock
alone. A copy that came before may still be in flight, here or, if this node only believes to lead,
under another; it counts if its block is not later than `valid_until`. Once *log time* has passed
that, every such block is applied here and no other can come. Until then the client is told to come
back, and `undecided_until_ns` tells the ticker what it waits for.
"""

import asyncio
import struct
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from tallystick_core import Kernel, block_header

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import (
    BLOCK_HEADER_BYTES,
    ENVELOPE_HEADER_BYTES,
    ENVELOPE_PREFIX_BYTES,
    RECORD_BYTES,
)
from tallystick_node.answers import Original
from tallystick_node.applied_rows import RESULT_BYTES, AppliedRows
from tallystick_node.errors import DamagedLogError
from tallystick_node.failure import fatal
from tallystick_node.limits import (
    MAX_ID_LOOKUP_S,
    MAX_ORIGINAL_BYTES,
    MIN_BLOCK_COST_BYTES,
    ORIGINAL_WAIT_S,
)
from tallystick_node.storage import Store
from tallystick_node.verify import header_signature_holds

WaitForSequence = Callable[[int, float], Awaitable[None]]
"""Returns once a sequence number is applied and its rows are written; within so many seconds."""

_COUNT: Final = struct.Struct("<I")
_KEY: Final = slice(48, 80)
_ID: Final = slice(80, 96)
_VALID_UNTIL: Final = slice(96, 104)
_KEY_PRINCIPAL: Final = slice(32, 48)

Found = TypeVar("Found")


class Originals:
    """The look-ups of one node. Its methods are called on the event loop."""

    def __init__(self, *, kernel: Kernel, store: Store, wait: WaitForSequence) -> None:
        """Make it.

        Args:
            kernel: Where keys are looked up.
            store: The log, its derived rows and the index of ids.
            wait: `Reads.wait_for_sequence`.
        """
        self._kernel = kernel
        self._store = store
        self._wait = wait
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="originals")
        self._undecided_until_ns = 0

    @property
    def undecided_until_ns(self) -> int:
        """Largest `valid_until` of all envelopes that could not be told TOO_LATE yet."""
        return self._undecided_until_ns

    async def by_sequence(self, first_sequences: Sequence[int]) -> Mapping[int, Original]:
        """Outcomes by first sequence number; what would cost too much now is left out.

        Raises:
            ReadTimeoutError: The rows of the newest did not appear in time.
        """
        await self._wait(max(first_sequences), ORIGINAL_WAIT_S)
        return await self._on_thread(lambda: self._read(sorted(set(first_sequences))))

    async def by_header(self, envelopes: Sequence[bytes]) -> Sequence[Original | Code]:
        """For each envelope whose time has passed its outcome, or why there is none.

        The reason is TOO_LATE (it is not in the ledger and never will be), BAD_SIGNATURE, or
        OVERLOADED (that is not decided yet, or would cost too much now).
        """
        return await self._on_thread(lambda: self._find(envelopes))

    def close(self) -> None:
        """Ends the thread once its work is done."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def _on_thread(self, work: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    # -- on the thread ---------------------------------------------------------------------------

    def _read(self, wanted: Sequence[int]) -> dict[int, Original]:
        """The originals that start at these ascending sequence numbers, block by block."""
        found: dict[int, Original] = {}
        budget = MAX_ORIGINAL_BYTES
        at = 0
        while at < len(wanted) and budget > 0:
            block = self._block_of(wanted[at])
            end = at + 1
            if block is not None:
                budget -= max(len(block.content), MIN_BLOCK_COST_BYTES)
                while end < len(wanted) and wanted[end] < block.next_sequence:
                    end += 1
                here = set(wanted[at:end])
                found |= {
                    first: block.original(first, count)
                    for first, count, _ in block.envelopes()
                    if first in here
                }
            at = end
        return found

    def _find(self, envelopes: Sequence[bytes]) -> list[Original | Code]:
        until_s = time.monotonic() + MAX_ID_LOOKUP_S
        # Before the look-ups: what is ordered up to here, they find.
        log_time_ns = self._kernel.status().min_next_timestamp_ns
        return [
            self._find_one(envelope, log_time_ns) if time.monotonic() < until_s else Code.OVERLOADED
            for envelope in envelopes
        ]

    def _find_one(self, envelope: bytes, log_time_ns: int) -> Original | Code:
        key = self._kernel.key(envelope[_KEY])
        if key is None:
            return Code.TOO_LATE
        if not header_signature_holds(envelope):
            return Code.BAD_SIGNATURE
        principal, envelope_id = key[_KEY_PRINCIPAL], envelope[_ID]
        valid_until_ns = int.from_bytes(envelope[_VALID_UNTIL], "little")
        if valid_until_ns >= log_time_ns:
            self._undecided_until_ns = max(self._undecided_until_ns, valid_until_ns)
            return Code.OVERLOADED
        if self._kernel.live_id(principal, envelope_id) is not None:
            return Code.OVERLOADED  # ordered since it was admitted: next time it is a DUPLICATE
        sequence = self._store.find_id(principal, envelope_id)
        found = None if sequence is None else self._original_at(sequence, envelope)
        return found or Code.TOO_LATE

    def _original_at(self, sequence: int, envelope: bytes) -> Original | None:
        """The outcome of the envelope that was ordered there, if it is this one."""
        block = self._block_of(sequence)
        if block is None:
            return None
        for first, count, offset in block.envelopes():
            if first == sequence:
                header = block.content[offset : offset + ENVELOPE_HEADER_BYTES]
                same = header == envelope[:ENVELOPE_HEADER_BYTES]
                return block.original(first, count) if same else None
        return None

    def _block_of(self, sequence: int) -> "_Block | None":
        index = self._store.index_of_sequence(sequence)
        if index is None:
            return None
        try:
            content = self._store.payload(index)
        except DamagedLogError as error:
            fatal("originals", error)  # a node that lost what it acknowledged must not stay
        if not content:
            return None
        return _Block(content, self._store.applied_rows(index))


class _Block:
    """A block of the log and how it was applied."""

    def __init__(self, content: bytes, row: bytes | None) -> None:
        header = block_header(content)
        self.content = content
        self._first_sequence = header.first_sequence
        self._timestamp_ns = header.timestamp_ns
        self._envelope_count = header.envelope_count
        self.next_sequence = header.first_sequence + header.record_count
        # Expanded once: taking them out for each envelope would cost the square.
        self._results = AppliedRows.decode(row).results_of(0, header.record_count) if row else b""

    def envelopes(self) -> Iterator[tuple[int, int, int]]:
        """(first sequence number, records, offset) of each envelope, in order."""
        offset, first = BLOCK_HEADER_BYTES, self._first_sequence
        for _ in range(self._envelope_count):
            (count,) = _COUNT.unpack_from(self.content, offset + 12)
            yield first, count, offset
            offset += ENVELOPE_PREFIX_BYTES + RECORD_BYTES * count
            first += count

    def original(self, first: int, count: int) -> Original:
        """The outcome of the envelope whose first record has this number."""
        at = first - self._first_sequence
        results = self._results[at * RESULT_BYTES : (at + count) * RESULT_BYTES]
        return Original(
            first, self._timestamp_ns + at, count, results or bytes(count * RESULT_BYTES)
        )
