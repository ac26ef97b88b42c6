"""Makes a failing log small: fewer blocks, fewer envelopes, fewer records, as long as it fails.

Sequence numbers are given anew on each try. A record that goes takes the place of those behind it
with it, so ids derived from places change; what still fails is kept, whatever the reason.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from tests.differential import raw
from tests.differential.campaign import (
    DisagreementError,
    MakeEngine,
    Run,
    Tally,
    compare_block,
)
from tests.differential.engines import KernelEngine, SpecEngine
from tests.differential.invariants import Invariants

from tallystick_ledger.genesis import Genesis

Log = tuple[raw.Block, ...]
Part = TypeVar("Part")


def failure(genesis: Genesis, log: Sequence[raw.Block], make_other: MakeEngine) -> str:
    """How the engines disagree on a log; empty if they do not."""
    spec, other = SpecEngine(genesis.encode()), make_other(genesis.encode())
    invariants = Invariants()
    for number, block in enumerate(log):
        try:
            compare_block(genesis, spec, other, block, invariants)
        except DisagreementError as error:
            return f"block {number}: {error}"
    return ""


def smallest(log: Log, fails: Callable[[Log], bool]) -> Log:
    """Drops whatever can go, largest parts first, until nothing can."""
    while True:
        smaller = next((smaller for smaller in _smaller(log) if fails(smaller)), None)
        if smaller is None:
            return log
        log = smaller


def shrink(seed: int, block_count: int, make_other: MakeEngine = KernelEngine) -> str:
    """Finds the failing log of a seed and returns its smallest form, as text for people."""
    run = Run(seed, make_other)
    with suppress(DisagreementError):
        for _ in range(block_count):
            run.step(Tally())
    log = smallest(tuple(run.blocks), lambda log: bool(failure(run.genesis, log, make_other)))
    lines = [f"seed {seed}: {failure(run.genesis, log, make_other)}"]
    lines.append(f"genesis {run.genesis.encode().hex()}")
    for block in log:
        lines.append(f"block at {block.timestamp_ns}")
        for envelope in block.envelopes:
            atomic = " ATOMIC" if envelope.atomic else ""
            lines.append(f"  envelope {envelope.envelope_id.hex()}{atomic}")
            lines.append(f"    signer {envelope.signing_key.hex()}")
            lines += [f"    {record.hex()}" for record in envelope.records]
    return "\n".join(lines) + "\n"


def _smaller(log: Log) -> Iterator[Log]:
    size = len(log) // 2
    while size:
        for start in range(0, len(log), size):
            yield log[:start] + log[start + size :]
        size //= 2
    for at, block in enumerate(log):
        for parts in _without_one(block.envelopes):
            yield (*log[:at], replace(block, envelopes=parts), *log[at + 1 :])
    for at, block in enumerate(log):
        for place, envelope in enumerate(block.envelopes):
            for records in _without_one(envelope.records):
                envelopes = list(block.envelopes)
                envelopes[place] = replace(envelope, records=records)
                yield (*log[:at], replace(block, envelopes=tuple(envelopes)), *log[at + 1 :])


def _without_one(parts: tuple[Part, ...]) -> Iterator[tuple[Part, ...]]:
    if len(parts) > 1:
        for at in range(len(parts)):
            yield parts[:at] + parts[at + 1 :]
