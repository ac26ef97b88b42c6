"""What became of what was sent: counted answer by answer, without a Python object per record.

An `Outcome` is filled by one driver on one event loop. It keeps which envelopes were acknowledged,
so that they can be looked for on a node's disk afterwards.
"""

import hashlib
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import EnvelopeId
from tallystick_ledger.limits import (
    ENVELOPE_HEADER_BYTES,
    ENVELOPE_PREFIX_BYTES,
    RECORD_BYTES,
    RESULT_BYTES,
)
from tallystick_proto import wire

OUTCOME_BYTES: Final = 32
_COUNT: Final = slice(12, 16)
_ID: Final = slice(80, 96)
_WORDS: Final = OUTCOME_BYTES // 4
# "Not here" or "not now": the message has to be sent again.
_AGAIN: Final = frozenset({Code.NOT_LEADER, Code.UNAVAILABLE, Code.OVERLOADED})


@dataclass(slots=True)
class Outcome:
    """Counts of one timed part.

    Attributes:
        latencies_ms: Of the messages that were answered in full.
        ok_records: Records whose result is OK.
        refused_records: Records of ordered envelopes with another result.
        refused_envelopes: Envelopes that were not ordered.
        envelopes: Envelopes that were ordered: acknowledged.
        whole: Positions of messages all of whose envelopes were acknowledged.
        partly: Position of any other message, and which of its envelopes were.
        ids: Of envelopes that the SDK made and that were acknowledged.
        elapsed_s: From the first message to the last answer.
        interruptions: Messages or streams that had to be sent or opened again.
    """

    latencies_ms: list[float] = field(default_factory=list)
    ok_records: int = 0
    refused_records: int = 0
    refused_envelopes: int = 0
    envelopes: int = 0
    whole: list[int] = field(default_factory=list)
    partly: dict[int, list[int]] = field(default_factory=dict)
    ids: list[EnvelopeId] = field(default_factory=list)
    elapsed_s: float = 0.0
    interruptions: int = 0

    @property
    def refused(self) -> int:
        """Records and envelopes that were not OK."""
        return self.refused_records + self.refused_envelopes

    def take(self, answer: wire.SubmitResponse, position: int, latency_ms: float) -> bool:
        """Counts the answer to a message.

        Args:
            answer: As the node gave it.
            position: Of the message.
            latency_ms: Since it was sent, or should have been.

        Returns:
            False if nothing was counted and the message has to be sent again.
        """
        words = memoryview(answer.outcomes).cast("I")
        # The first word of each outcome is the code (u16) and a reserved zero, the second a count.
        codes = words[0::_WORDS].tolist()
        if codes[0] in _AGAIN:
            return False
        self.latencies_ms.append(latency_ms)
        records = sum(words[1::_WORDS].tolist())
        refused = refused_results(answer.results)
        self.ok_records += records - refused
        self.refused_records += refused
        ordered = codes.count(Code.OK) + codes.count(Code.DUPLICATE)
        self.envelopes += ordered
        self.refused_envelopes += len(codes) - ordered
        if ordered == len(codes):
            self.whole.append(position)
        else:
            self.partly[position] = [
                index for index, code in enumerate(codes) if code in (Code.OK, Code.DUPLICATE)
            ]
        return True

    def digests(self, messages: list[bytes]) -> Iterator[bytes]:
        """Header digests of all envelopes of `messages` that were acknowledged."""
        for position in self.whole:
            yield from header_digests(messages[position])
        for position, indices in self.partly.items():
            digests = header_digests(messages[position])
            yield from (digests[index] for index in indices)


def refused_results(results: bytes) -> int:
    """How many of the results, 16 bytes each, are not OK."""
    if results.count(0) == len(results):
        return 0
    zero = bytes(RESULT_BYTES)
    return sum(
        results[at : at + RESULT_BYTES] != zero for at in range(0, len(results), RESULT_BYTES)
    )


def headers(envelopes: bytes) -> Iterator[bytes]:
    """The 192-byte header of each envelope, back to back, as `docs/format.md` section 5."""
    at = 0
    while at < len(envelopes):
        header = envelopes[at : at + ENVELOPE_HEADER_BYTES]
        yield header
        records = int.from_bytes(header[_COUNT], "little")
        at += ENVELOPE_PREFIX_BYTES + RECORD_BYTES * records


def header_digests(envelopes: bytes) -> list[bytes]:
    """SHA-256 of the header of each envelope."""
    return [hashlib.sha256(header).digest() for header in headers(envelopes)]


def id_of(header: bytes) -> EnvelopeId:
    """The envelope id in a header."""
    return EnvelopeId(header[_ID])


def quantiles(latencies_ms: list[float]) -> dict[str, float]:
    """p50, p99, p99.9 and the largest; zeros of nothing."""
    if len(latencies_ms) < 2:
        only = latencies_ms[0] if latencies_ms else 0.0
        return dict.fromkeys(("p50", "p99", "p99_9", "max"), round(only, 2))
    cuts = statistics.quantiles(latencies_ms, n=1000, method="inclusive")
    return {
        "p50": round(cuts[499], 2),
        "p99": round(cuts[989], 2),
        "p99_9": round(cuts[998], 2),
        "max": round(max(latencies_ms), 2),
    }
