"""The differential campaign: random blocks on the specification and the kernel, compared.

    python -m tests.differential.campaign --seed 7 --blocks 100 [--shrink]

One seed is one ledger with its genesis and its blocks. After each block the two must agree on
results, effects, leaf hashes, tree root and state digest, and the invariants of docs/semantics.md
section 4 must hold. Now and then the kernel goes on from its own checkpoint.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.differential import raw
from tests.differential.engines import Engine, KernelEngine, Outcome, SpecEngine
from tests.differential.generator import random_block
from tests.differential.invariants import InvariantBrokenError, Invariants
from tests.differential.population import World, first_block, random_genesis

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.spec.digest import rows
from tallystick_ledger.state_rows import Row, framed

RESTART_PROBABILITY: Final = 0.02

MakeEngine = Callable[[bytes], Engine]


class DisagreementError(AssertionError):
    """The two engines differ, or an invariant is broken."""


@dataclass(slots=True)
class Tally:
    """What a campaign has seen."""

    blocks: int = 0
    records: int = 0
    envelopes: int = 0
    effects: int = 0
    restarts: int = 0
    codes: Counter[Code] = field(default_factory=Counter)
    pairs: Counter[tuple[int, Code]] = field(default_factory=Counter)
    causes: Counter[int] = field(default_factory=Counter)

    def add(self, block: raw.Block, outcome: Outcome) -> None:
        self.blocks += 1
        self.records += block.record_count
        self.envelopes += len(block.envelopes)
        self.effects += len(outcome.effects) // 128
        at = 0
        for envelope in block.envelopes:
            for record in envelope.records:
                code = Code(int.from_bytes(outcome.results[at : at + 2], "little"))
                self.codes[code] += 1
                self.pairs[int.from_bytes(record[:2], "little"), code] += 1
                at += 16 * (len(record) // raw.RECORD_BYTES)
        for start in range(0, len(outcome.effects), 128):
            self.causes[outcome.effects[start]] += 1

    def table(self) -> str:
        """Counts of heads by code, for people."""
        summary = (
            f"{self.blocks} blocks, {self.envelopes} envelopes, {self.records} records, "
            f"{self.effects} effects, {self.restarts} restarts from a checkpoint"
        )
        results = [code for code in Code if not code.is_refusal]
        lines = [f"{code:>5} {code.name:<21} {self.codes[code]:>8}" for code in results]
        return "\n".join([summary, *lines])


class Run:
    """One ledger of a campaign.

    Attributes:
        genesis: Of the ledger; decided by the seed, as all its blocks are.
        blocks: Applied so far; on the last one the engines perhaps disagree.
    """

    def __init__(self, seed: int, make_other: MakeEngine) -> None:
        rng = Random(seed)
        self.genesis = random_genesis(rng)
        self.blocks: list[raw.Block] = []
        self._spec = SpecEngine(self.genesis.encode())
        self._other = make_other(self.genesis.encode())
        self._world = World(rng, self._spec.state, postings=self._spec.postings)
        self._invariants = Invariants()

    def step(self, tally: Tally) -> None:
        """Makes the next block and applies it to both engines.

        Raises:
            DisagreementError: They differ.
        """
        block = random_block(self._world) if self.blocks else first_block(self._world)
        self.blocks.append(block)
        outcome = compare_block(self.genesis, self._spec, self._other, block, self._invariants)
        tally.add(block, outcome)
        restart = self._world.chance(RESTART_PROBABILITY)
        if restart and isinstance(self._other, KernelEngine):
            broken = self._other.kernel.verify_invariants()
            if broken:
                raise DisagreementError(f"the kernel's own invariants: {broken}")
            self._other = self._other.restarted()
            tally.restarts += 1


def run_seed(
    seed: int, block_count: int, tally: Tally, make_other: MakeEngine = KernelEngine
) -> None:
    """Applies `block_count` random blocks to both engines.

    Raises:
        DisagreementError: With the seed, the block, what differs, and how to see it again.
    """
    run = Run(seed, make_other)
    for number in range(block_count):
        try:
            run.step(tally)
        except DisagreementError as error:
            command = f"python -m tests.differential.campaign --seed {seed} --blocks {number + 1}"
            raise DisagreementError(
                f"seed {seed}, block {number}: {error}\nreplay: {command} --shrink"
            ) from error


def compare_block(
    genesis: Genesis, spec: SpecEngine, other: Engine, block: raw.Block, invariants: Invariants
) -> Outcome:
    """Applies one block to both and returns the outcome that they agree on.

    Raises:
        DisagreementError: They do not, or an invariant is broken.
    """
    data = block.encode(genesis.ledger_id, spec.state.next_sequence_number)
    expected = spec.apply(data)
    try:
        actual = other.apply(data)
    except ValueError as error:
        raise DisagreementError(f"the block is refused: {error}") from error
    for what in Outcome.__slots__:
        if getattr(expected, what) != getattr(actual, what):
            raise DisagreementError(_difference(block, expected, actual, what))
    if spec.position() != other.position():
        raise DisagreementError(f"position: {spec.position()} and {other.position()}")
    if spec.tree_root() != other.tree_root():
        raise DisagreementError("the tree roots differ")
    if spec.digest() != other.digest():
        raise DisagreementError(f"the state digests differ{_differing_row(spec, other)}")
    try:
        invariants.check(spec.state)
    except InvariantBrokenError as error:
        raise DisagreementError(f"invariant: {error}") from error
    return expected


def _difference(block: raw.Block, expected: Outcome, actual: Outcome, what: str) -> str:
    if what != "results":
        return f"{what} differ: {getattr(expected, what)!r} and {getattr(actual, what)!r}"
    at = 0
    for place, envelope in enumerate(block.envelopes):
        for record in envelope.records:
            ours, theirs = expected.results[at : at + 16], actual.results[at : at + 16]
            if ours != theirs:
                names = [
                    Code(int.from_bytes(result[:2], "little")).name for result in (ours, theirs)
                ]
                return (
                    f"results differ at record {at // 16}, envelope {place}"
                    f"{' (ATOMIC)' if envelope.atomic else ''}: {names[0]} and {names[1]}; "
                    f"record {record.hex()}"
                )
            at += 16 * (len(record) // raw.RECORD_BYTES)
    return "results differ in a CONT"


def _differing_row(spec: SpecEngine, other: Engine) -> str:
    """The first rows that differ, where the other engine can list its rows."""
    if not isinstance(other, KernelEngine):
        return ""
    ours = b"".join(framed(row) for row in sorted(rows(spec.state), key=_place_of_row))
    theirs = other.kernel.state_rows()
    at = 0
    while ours[at : at + 8] == theirs[at : at + 8] and at < len(ours):
        end = at + 8 + int.from_bytes(ours[at + 4 : at + 8], "little")
        if ours[at:end] != theirs[at:end]:
            break
        at = end
    return f", first at {ours[at : at + 180].hex()} and {theirs[at : at + 180].hex()}"


def _place_of_row(row: Row) -> tuple[int, bytes]:
    return row.TABLE, row.key_bytes()


def main() -> int:
    """Runs seeds from the command line."""
    from tests.differential.shrink import shrink  # noqa: PLC0415 - it imports this module

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1, help="how many, from --seed on")
    parser.add_argument("--blocks", type=int, default=100, help="blocks of each")
    parser.add_argument("--shrink", action="store_true", help="look for a smallest failing log")
    arguments = parser.parse_args()
    tally = Tally()
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        try:
            run_seed(seed, arguments.blocks, tally)
        except DisagreementError as error:
            sys.stdout.write(f"{error}\n")
            if arguments.shrink:
                sys.stdout.write(shrink(seed, arguments.blocks))
            return 1
    sys.stdout.write(tally.table() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
