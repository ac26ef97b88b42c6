"""What clients were told, kept outside all nodes.

The witness hears of every answer. It remembers the first one for each envelope, compares all later
ones with it, and checks that the ledger's order agrees with the order of events: an envelope that
was sent after another one was acknowledged has the higher sequence number.

It belongs to one event loop.
"""

import asyncio
import hashlib
import heapq
from collections import Counter
from dataclasses import dataclass

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import ENVELOPE_HEADER_BYTES


@dataclass(frozen=True, slots=True)
class Told:
    """What a client was told of one envelope, or what a node's own log says of it.

    Attributes:
        first_sequence: Sequence number of its first record.
        timestamp_ns: Timestamp of its first record.
        results: 16 bytes a record; empty when all are OK.
    """

    first_sequence: int
    timestamp_ns: int
    results: bytes


def header_digest(envelope: bytes | memoryview) -> bytes:
    """SHA-256 of an envelope's header: the same header is the same envelope."""
    return hashlib.sha256(envelope[:ENVELOPE_HEADER_BYTES]).digest()


class Witness:
    """Everything that clients were told.

    Attributes:
        told: By header digest, what was told first.
        repeats: Answers about envelopes that had been answered before.
        refused: Refusals before ordering, by code.
        contradictions: Sentences about what does not fit together; none is good.
    """

    def __init__(self) -> None:
        self.told: dict[bytes, Told] = {}
        self.repeats = 0
        self.refused: Counter[str] = Counter()
        self.contradictions: list[str] = []
        self._newest = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = 0

    @property
    def count(self) -> int:
        """Envelopes that were acknowledged."""
        return len(self.told)

    @property
    def newest(self) -> int:
        """Highest sequence number that anybody was told. Take it before sending."""
        return self._newest

    def tell(self, envelope: bytes, told: Told, sent_after: int) -> None:
        """Takes down an acknowledgement.

        Args:
            envelope: Its bytes.
            told: What the answer says.
            sent_after: What `newest` was before it was sent for the first time.
        """
        digest = header_digest(envelope)
        before = self.told.get(digest)
        if before is not None:
            self.repeats += 1
            if before != told:
                self._contradict(digest, f"told {before}, then {told}")
            return
        self.told[digest] = told
        if told.first_sequence <= sent_after:
            self._contradict(digest, f"sent after {sent_after} was told, placed before: {told}")
        self._newest = max(self._newest, told.first_sequence)
        while self._waiting and self._waiting[0][0] <= len(self.told):
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    def refuse(self, envelope: bytes, code: Code) -> None:
        """Takes down that an envelope was refused for good."""
        self.refused[code.name] += 1
        digest = header_digest(envelope)
        if digest in self.told:
            self._contradict(digest, f"told {self.told[digest]}, then refused: {code.name}")

    async def until(self, count: int) -> None:
        """Returns once `count` envelopes have been acknowledged, since the beginning."""
        if len(self.told) >= count:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._number += 1
        heapq.heappush(self._waiting, (count, self._number, future))
        await future

    async def more(self, count: int) -> None:
        """Returns once `count` envelopes more than now have been acknowledged."""
        await self.until(len(self.told) + count)

    def _contradict(self, digest: bytes, what: str) -> None:
        self.contradictions.append(f"envelope {digest.hex()[:16]}: {what}")
