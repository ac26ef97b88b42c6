r"""Requests with the times at which they came: both traces of this package, in one shape.

Of Mooncake's trace only the sizes are kept. How much of a prompt was cached follows from its blocks
of 512 tokens: those at its beginning that an earlier request had, too, in a cache without limit.

    import gzip, json
    from pathlib import Path

    seen, rows = set(), ["timestamp_ms,input_length,cached_length,output_length"]
    for line in gzip.open("conversation_trace.jsonl.gz"):
        request, blocks = json.loads(line), 0
        for block in request["hash_ids"]:
            if block not in seen:
                break
            blocks += 1
        seen.update(request["hash_ids"])
        size = request["input_length"]
        fields = request["timestamp"], size, min(512 * blocks, size), request["output_length"]
        rows.append(",".join(map(str, fields)))
    text = "\n".join(rows) + "\n"
    path = Path("mooncake-fast25-conversation.csv.gz")
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))

Azure's trace tells no cached tokens: all that went in counts as uncached.
"""

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from itertools import islice
from typing import Final

from tallystick_cluster.data import TRACE_FILE
from tallystick_cluster.errors import DataError

MOONCAKE_FILE: Final = "mooncake-fast25-conversation.csv.gz"
_MS_PER_S: Final = 1_000
_TICKS_PER_MS: Final = 10_000  # Azure's seven fractional digits


class Trace(Enum):
    """Which trace a request is from; the value is its file."""

    AZURE = TRACE_FILE
    MOONCAKE = MOONCAKE_FILE


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request of a trace.

    Attributes:
        trace: Which.
        number: Its row there, from 1.
        at_ms: When it came, since the trace's first request.
        input_tokens: Tokens that went in and were not cached.
        cached_tokens: Tokens that went in and were.
        output_tokens: Tokens that came out.
    """

    trace: Trace
    number: int
    at_ms: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input_tokens + self.cached_tokens + self.output_tokens


def load_arrivals(trace: Trace, count: int) -> tuple[Arrival, ...]:
    """Reads the first requests of a trace, in order of arrival.

    Args:
        trace: Which.
        count: How many at most.

    Raises:
        DataError: A row is not what it should be.
    """
    packed = files(__package__).joinpath(trace.value).read_bytes()
    rows = csv.reader(io.StringIO(gzip.decompress(packed).decode("ascii"), newline=""))
    next(rows)
    read = _azure if trace is Trace.AZURE else _mooncake
    arrivals: list[Arrival] = []
    try:
        for arrival in islice(read(rows), count):
            if arrivals and arrival.at_ms < arrivals[-1].at_ms:
                raise DataError(
                    f"row {arrival.number} of {trace.value} is older than the one before"
                )
            arrivals.append(arrival)
    except ValueError as error:
        raise DataError(f"row {len(arrivals) + 1} of {trace.value}: {error}") from error
    return tuple(arrivals)


def _azure(rows: Iterator[list[str]]) -> Iterator[Arrival]:
    first_ms = None
    for number, (stamp, context, generated) in enumerate(rows, start=1):
        day, _, clock = stamp.partition(" ")
        hours, minutes, seconds = clock.split(":")
        whole, _, ticks = seconds.partition(".")
        in_day_s = (int(hours) * 60 + int(minutes)) * 60 + int(whole)
        days = int(day.rpartition("-")[2])
        at_ms = (days * 86_400 + in_day_s) * _MS_PER_S + int(ticks or "0") // _TICKS_PER_MS
        first_ms = at_ms if first_ms is None else first_ms
        yield Arrival(Trace.AZURE, number, at_ms - first_ms, int(context), 0, int(generated))


def _mooncake(rows: Iterator[list[str]]) -> Iterator[Arrival]:
    for number, row in enumerate(rows, start=1):
        at_ms, length, cached, output = map(int, row)
        yield Arrival(Trace.MOONCAKE, number, at_ms, length - cached, cached, output)
