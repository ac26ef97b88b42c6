"""What clients are told: outcomes and results of one message, from what became of its envelopes.

Theory of operation. Layouts are those of SubmitResponse in ledger.proto: 32 bytes of outcome for
each envelope, 16 bytes of result for each record of those that were ordered. Envelopes that were
ordered by this very message are answered from the applied block. One that was ordered before gets
what it got then, and one whose time has passed might have been: both are looked up (`Lookups`,
originals.py), within bounds; what is beyond them is told to come back.

Nothing here loops over records, and over envelopes only in runs of equal codes: a message may hold
2,730 of them, and it costs its sender nothing to have them all refused.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Protocol

from tallystick_core import Admission

from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import FORMAT_VERSION, MAGIC
from tallystick_ledger.limits import (
    ENVELOPE_PREFIX_BYTES,
    MAX_RECORDS,
    RECORD_BYTES,
)
from tallystick_node.applied_rows import ORIGINAL_OFFSET, RESULT_BYTES, ROW_BYTES
from tallystick_node.limits import RETRY_AFTER_MS
from tallystick_proto.wire import LeaderHint, SubmitResponse

OUTCOME: Final = struct.Struct("<HHIQQQ")
_FRAME: Final = struct.Struct("<4sHHHHI")
_U64: Final = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Original:
    """How an envelope that was ordered before was answered then.

    Attributes:
        first_sequence: Sequence number of its first record.
        timestamp_ns: Timestamp of its first record.
        record_count: Its records.
        results: 16 bytes for each of them, in full.
    """

    first_sequence: int
    timestamp_ns: int
    record_count: int
    results: bytes


class Lookups(Protocol):
    """Finds how envelopes were answered when they were first ordered."""

    async def by_sequence(self, first_sequences: Sequence[int]) -> Mapping[int, Original]:
        """Outcomes by first sequence number; what would cost too much now is left out."""

    async def by_header(self, envelopes: Sequence[bytes]) -> Sequence[Original | Code]:
        """For each envelope whose time has passed its outcome, or why there is none.

        The reason is TOO_LATE (it is not in the ledger and never will be), BAD_SIGNATURE, or
        OVERLOADED (that is not decided yet, or would cost too much now).
        """


@dataclass(frozen=True, slots=True)
class Share:
    """The part of an applied block that belongs to one message; empty if none of it was ordered.

    Attributes:
        outcomes: 32 bytes for each ordered envelope.
        results: 16 bytes for each of their records; empty if all are plain successes.
        rows: The kernel's 48 bytes for each ordered envelope.
    """

    outcomes: bytes = b""
    results: bytes = b""
    rows: bytes = b""


NOTHING_ORDERED: Final = Share()


@dataclass(frozen=True, slots=True)
class _Now:
    outcomes: bytes
    results: bytes


@dataclass(frozen=True, slots=True)
class _Before:
    first_sequence: int


@dataclass(frozen=True, slots=True)
class _Late:
    number: int


async def answer_mixed(
    admission: Admission, position: int, share: Share, lookups: Lookups
) -> SubmitResponse:
    """Answers a message of which some envelopes were refused or ordered before.

    Args:
        admission: What became of its envelopes before ordering.
        position: The message in `admission`.
        share: What became of those that were ordered.
        lookups: Where the past is looked up.
    """
    parts: list[_Now | _Before | _Late] = []
    late: list[bytes] = []
    firsts = memoryview(admission.original(position)).cast("Q")
    ordered = _Ordered(share, memoryview(admission.record_counts(position)).cast("I"))
    for code, start, end in _runs(admission.codes(position)):
        if code == Code.OK:
            parts.extend(ordered.take(start, end))
        elif code == Code.DUPLICATE:
            parts.extend(map(_Before, firsts[start:end]))
        elif code == Code.TOO_LATE:
            parts.extend(map(_Late, range(len(late), len(late) + end - start)))
            late.extend(admission.envelope(position, number) for number in range(start, end))
        else:
            parts.append(_Now(refusal_outcome(code) * (end - start), b""))
    wanted = [part.first_sequence for part in parts if isinstance(part, _Before)]
    known = await lookups.by_sequence(wanted) if wanted else {}
    decided = await lookups.by_header(late) if late else ()
    outcomes, results = [], []
    retry = False
    for part in parts:
        if isinstance(part, _Now):
            outcomes.append(part.outcomes)
            results.append(part.results)
            continue
        found = (
            known.get(part.first_sequence, Code.OVERLOADED)
            if isinstance(part, _Before)
            else decided[part.number]
        )
        if isinstance(found, Original):
            outcomes.append(_duplicate_outcome(found))
            results.append(found.results)
        else:
            outcomes.append(refusal_outcome(found))
            retry |= found is Code.OVERLOADED
    joined = b"".join(results)
    plain = joined.count(0) == len(joined)
    return SubmitResponse(
        b"".join(outcomes), b"" if plain else joined, RETRY_AFTER_MS if retry else 0
    )


class _Ordered:
    """Hands out a message's share of a block, run by run."""

    def __init__(self, share: Share, record_counts: memoryview) -> None:
        self._share = share
        self._record_counts = record_counts
        self._envelope = 0
        self._record = 0

    def take(self, start: int, end: int) -> Iterator[_Now | _Before]:
        """What became of the envelopes `start` to `end` of the message, all ordered."""
        count = end - start
        at = self._envelope * OUTCOME.size
        outcomes = self._share.outcomes[at : at + count * OUTCOME.size]
        # Low bytes of the codes: none is above 255 after ordering.
        if Code.DUPLICATE not in outcomes[:: OUTCOME.size]:
            records = sum(self._record_counts[start:end])
            self._envelope += count
            yield _Now(outcomes, self._results(records))
            return
        for number in range(start, end):
            records = self._record_counts[number]
            outcome = outcomes[(number - start) * OUTCOME.size :][: OUTCOME.size]
            row = self._envelope * ROW_BYTES
            self._envelope += 1
            results = self._results(records)
            if outcome[0] == Code.DUPLICATE:
                yield _Before(_U64.unpack_from(self._share.rows, row + ORIGINAL_OFFSET)[0])
            else:
                yield _Now(outcome, results)

    def _results(self, records: int) -> bytes:
        at = self._record * RESULT_BYTES
        self._record += records
        results = self._share.results[at : at + records * RESULT_BYTES]
        return results or bytes(records * RESULT_BYTES)


def _runs(codes: bytes) -> Iterator[tuple[int, int, int]]:
    """(code, start, end) of each run of equal codes, u16 each."""
    start = 0
    for code, run in groupby(memoryview(codes).cast("H")):
        end = start + len(list(run))
        yield code, start, end
        start = end


def count_bad_signatures(codes: bytes) -> int:
    """How many of the codes (u16 each) are BAD_SIGNATURE; every code is below 256."""
    return codes[0::2].count(Code.BAD_SIGNATURE)


def refusal_outcome(code: int) -> bytes:
    """The 32 bytes of an envelope that was not ordered."""
    return OUTCOME.pack(code, 0, 0, 0, 0, 0)


def _duplicate_outcome(original: Original) -> bytes:
    return OUTCOME.pack(
        Code.DUPLICATE, 0, original.record_count, original.first_sequence, original.timestamp_ns, 0
    )


def count_envelopes(message: bytes) -> int:
    """Envelopes in a message as the core counts them: what has lost its boundary is one more."""
    offset = count = 0
    while offset < len(message):
        count += 1
        if offset + ENVELOPE_PREFIX_BYTES > len(message):
            break
        magic, version, _, _, _, records = _FRAME.unpack_from(message, offset)
        if magic != MAGIC or version != FORMAT_VERSION or not 0 < records <= MAX_RECORDS:
            break
        offset += ENVELOPE_PREFIX_BYTES + RECORD_BYTES * records
    return max(count, 1)


def refuse_whole(message: bytes, code: Code, *, leader: LeaderHint | None = None) -> SubmitResponse:
    """Refuses every envelope of a message with one code; OVERLOADED says when to come back."""
    count = 1 if code is Code.TOO_LARGE else count_envelopes(message)
    retry_after_ms = RETRY_AFTER_MS if code is Code.OVERLOADED else 0
    return SubmitResponse(refusal_outcome(code) * count, b"", retry_after_ms, leader)


def refuse_stranger(codes: bytes, sampled: Sequence[int]) -> SubmitResponse:
    """Answers a message of which no sampled signature holds, so that no more were verified.

    Args:
        codes: Of its envelopes after the cheap checks, u16 each.
        sampled: Which of them were verified and found bad.
    """
    told = [
        code if 0 < code < Code.DUPLICATE and code != Code.TOO_LATE else Code.OVERLOADED
        for code in memoryview(codes).cast("H")
    ]
    for number in sampled:
        told[number] = Code.BAD_SIGNATURE
    return SubmitResponse(b"".join(map(refusal_outcome, told)), b"", RETRY_AFTER_MS)
