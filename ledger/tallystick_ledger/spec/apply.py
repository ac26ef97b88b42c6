"""Applies a block: `(state, block) -> results, effects, leaves`, and the state is one block on.

    1. Prune what log time has made forgettable.
    2. Apply each envelope in order; each record takes one sequence number and one nanosecond.
    3. Add a leaf per envelope to the log tree.

Nothing here verifies signatures, roots or proofs of possession: that is decided from a block's
bytes alone and belongs to whoever lets the block into the log. What the block cites of the log
before it comes in beside it (`citations`). Source: docs/semantics.md section 1.
"""

from dataclasses import dataclass

from tallystick_ledger import merkle
from tallystick_ledger.block import Block, BlockHeader
from tallystick_ledger.citations import Citations
from tallystick_ledger.envelope import Envelope
from tallystick_ledger.errors import LedgerError, MalformedError
from tallystick_ledger.ids import SequenceNumber, TimestampNs
from tallystick_ledger.leaf import Leaf
from tallystick_ledger.spec.envelopes import EnvelopePlace, Outcome, Sweeper, apply_envelope
from tallystick_ledger.spec.prune import prune
from tallystick_ledger.spec.state import State


class BlockError(LedgerError, ValueError):
    """The block does not continue this ledger; the state is as it was."""


@dataclass(frozen=True, slots=True)
class AppliedEnvelope:
    """What became of one envelope of a block.

    Attributes:
        first_sequence: Sequence number of its first record.
        outcome: Its results and effects.
        leaf: What the log tree says about it.
    """

    first_sequence: SequenceNumber
    outcome: Outcome
    leaf: Leaf


@dataclass(frozen=True, slots=True)
class AppliedBlock:
    """What became of a block.

    Attributes:
        header: That of the block.
        envelopes: In order.
    """

    header: BlockHeader
    envelopes: tuple[AppliedEnvelope, ...]

    @property
    def results(self) -> bytes:
        """16 bytes for each record of the block."""
        outcomes = (envelope.outcome for envelope in self.envelopes)
        return b"".join(result.encode() for outcome in outcomes for result in outcome.results)

    @property
    def effects(self) -> bytes:
        """128 bytes for each effect; `effect_counts` says which envelope they belong to."""
        outcomes = (envelope.outcome for envelope in self.envelopes)
        return b"".join(effect.encode() for outcome in outcomes for effect in outcome.effects)

    @property
    def effect_counts(self) -> tuple[int, ...]:
        """Number of effects of each envelope."""
        return tuple(len(envelope.outcome.effects) for envelope in self.envelopes)

    @property
    def leaf_hashes(self) -> tuple[bytes, ...]:
        """32 bytes for each envelope: what the log tree grew by."""
        return tuple(envelope.leaf.leaf_hash() for envelope in self.envelopes)


def apply_block(state: State, data: bytes, citations: bytes = b"") -> AppliedBlock:
    """Applies the next block of the log.

    Args:
        state: Changed in place.
        data: The block's bytes.
        citations: 208 bytes for each of its `cited_sequences`, as `Postings.of` gives them.

    Raises:
        BlockError: It is malformed, of another ledger or of other rules, or does not follow the
            last block; the state is unchanged.
        CitationError: The citations are not those of the block; the state is unchanged.
    """
    block = _parse(state, data)
    cited = Citations(block, citations)
    prune(state, block.header.timestamp_ns)
    sweeper = Sweeper()
    applied = []
    index = 0
    for envelope in block.envelopes:
        place = EnvelopePlace(
            first_sequence=SequenceNumber(block.header.first_sequence + index),
            first_timestamp_ns=TimestampNs(block.header.timestamp_ns + index),
            block_timestamp_ns=block.header.timestamp_ns,
            citations=cited,
        )
        outcome = apply_envelope(state, envelope, place, sweeper)
        leaf = _leaf(block.header, envelope, place, outcome)
        applied.append(AppliedEnvelope(place.first_sequence, outcome, leaf))
        index += envelope.header.record_count
    state.next_sequence_number = block.header.next_sequence
    state.min_timestamp_ns = block.header.min_next_timestamp_ns
    result = AppliedBlock(block.header, tuple(applied))
    state.log = state.log.extended(result.leaf_hashes)
    return result


def _parse(state: State, data: bytes) -> Block:
    try:
        block = Block.parse(data)
        for envelope in block.envelopes:
            envelope.check_grid()
    except MalformedError as error:
        raise BlockError(str(error)) from error
    header = block.header
    if header.first_sequence != state.next_sequence_number:
        raise BlockError(
            f"it starts at {header.first_sequence}, the ledger goes on at "
            f"{state.next_sequence_number}"
        )
    if header.timestamp_ns < state.min_timestamp_ns:
        raise BlockError(f"its time {header.timestamp_ns} is before {state.min_timestamp_ns}")
    if any(envelope.header.ledger_id != state.ledger_id for envelope in block.envelopes):
        raise BlockError("an envelope is for another ledger")
    return block


def _leaf(header: BlockHeader, envelope: Envelope, place: EnvelopePlace, outcome: Outcome) -> Leaf:
    return Leaf(
        rules_version=header.rules_version,
        record_count=envelope.header.record_count,
        first_sequence=place.first_sequence,
        timestamp_ns=place.first_timestamp_ns,
        header=envelope.header_bytes,
        signature=envelope.signature,
        results_root=merkle.tree_root(result.encode() for result in outcome.results),
        effects_root=merkle.tree_root(effect.encode() for effect in outcome.effects),
    )
