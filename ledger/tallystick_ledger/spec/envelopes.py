"""Applies one envelope: is its key known, its id new, its time not over; then its heads in turn.

Source: docs/semantics.md section 2.
"""

from dataclasses import dataclass, field

from tallystick_ledger.citations import Citations
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import Envelope
from tallystick_ledger.ids import PrincipalId, SequenceNumber, TimestampNs
from tallystick_ledger.limits import MAX_SWEPT
from tallystick_ledger.results import Effect, Result
from tallystick_ledger.spec import channels, grants, metering, recovery
from tallystick_ledger.spec.dispatch import execute
from tallystick_ledger.spec.refusal import Refused
from tallystick_ledger.spec.signer import Place
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import LiveIdRow

_OK = Result()


@dataclass(slots=True)
class Sweeper:
    """Runs the sweeps of one block, which share one limit."""

    left: int = MAX_SWEPT

    def sweep(
        self,
        state: State,
        timestamp_ns: TimestampNs,
        sequence_number: SequenceNumber,
        index: int,
    ) -> list[Effect]:
        """Ends what is due: `sweep` of `metering`, of `channels`, of `grants`, of `recovery`."""
        swept, effects = metering.sweep(state, timestamp_ns, index, self.left)
        self.left -= swept
        closed = channels.sweep(state, timestamp_ns, index, self.left)
        self.left -= len(closed)
        ended = grants.sweep(state, timestamp_ns, index, self.left)
        self.left -= len(ended)
        self.left -= recovery.sweep(state, timestamp_ns, sequence_number, self.left)
        return effects + closed + ended


@dataclass(frozen=True, slots=True)
class EnvelopePlace:
    """Where an envelope stands.

    Attributes:
        first_sequence: Sequence number of its first record.
        first_timestamp_ns: Timestamp of its first record.
        block_timestamp_ns: Timestamp of its block.
        citations: Those of its block.
    """

    first_sequence: SequenceNumber
    first_timestamp_ns: TimestampNs
    block_timestamp_ns: TimestampNs
    citations: Citations


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an envelope.

    Attributes:
        code: OK if its records were executed, whatever their results; else DUPLICATE,
            ID_CONFLICT, EXPIRED or UNKNOWN_KEY.
        principal: Of the signing key; None with UNKNOWN_KEY.
        original_first_sequence: First sequence number of the envelope that consumed the id, with
            DUPLICATE and ID_CONFLICT; else 0.
        results: One for each record, CONTs included.
        effects: In the order in which they arose.
    """

    code: Code
    principal: PrincipalId | None
    original_first_sequence: SequenceNumber
    results: tuple[Result, ...]
    effects: tuple[Effect, ...] = field(default=())


def apply_envelope(
    state: State, envelope: Envelope, place: EnvelopePlace, sweeper: Sweeper
) -> Outcome:
    """Applies one envelope to the state.

    Args:
        state: Changed in place.
        envelope: Its bytes passed the checks of format.md sections 5 and 6.
        place: Where it stands.
        sweeper: That of the block.
    """
    swept = sweeper.sweep(state, place.first_timestamp_ns, place.first_sequence, 0)
    header = envelope.header
    signer = state.keys.get(header.signer)
    if signer is None:
        return _refused_whole(envelope, swept, Code.UNKNOWN_KEY)
    live = state.live_ids.find((signer.principal, header.envelope_id))
    if live is not None:
        same = live.header_digest == envelope.header_digest
        code = Code.DUPLICATE if same else Code.ID_CONFLICT
        return _refused_whole(envelope, swept, code, signer.principal, live.first_sequence)
    row = LiveIdRow(
        first_sequence=place.first_sequence,
        principal=signer.principal,
        envelope_id=header.envelope_id,
        header_digest=envelope.header_digest,
        block_timestamp_ns=place.block_timestamp_ns,
        record_count=header.record_count,
    )
    state.live_ids.put(row.first_sequence, row)
    if header.valid_until_ns < place.block_timestamp_ns:
        return _refused_whole(envelope, swept, Code.EXPIRED, signer.principal)

    run = _run_atomic if header.atomic else _run_one_by_one
    results, effects = run(state, envelope, signer.principal, place, sweeper)
    no_other = SequenceNumber(0)
    return Outcome(Code.OK, signer.principal, no_other, tuple(results), (*swept, *effects))


def _refused_whole(
    envelope: Envelope,
    swept: list[Effect],
    code: Code,
    principal: PrincipalId | None = None,
    original: SequenceNumber = SequenceNumber(0),  # noqa: B008 - a number
) -> Outcome:
    results = [_OK] * envelope.header.record_count
    for head in envelope.heads():
        results[head.index] = Result(code)
    return Outcome(code, principal, original, tuple(results), tuple(swept))


def _run_one_by_one(
    state: State,
    envelope: Envelope,
    principal: PrincipalId,
    place: EnvelopePlace,
    sweeper: Sweeper,
) -> tuple[list[Result], list[Effect]]:
    """Executes each head on its own; a refused one changes nothing."""
    results = [_OK] * envelope.header.record_count
    effects: list[Effect] = []
    for head in envelope.heads():
        head_place = _place_of(envelope, principal, place, head.index)
        if head.index > 0:
            when = (head_place.timestamp_ns, head_place.sequence_number)
            effects += sweeper.sweep(state, *when, head.index)
        try:
            effects += execute(state, head_place, head.data)
        except Refused as refusal:
            results[head.index] = Result(refusal.code, refusal.detail)
    return results, effects


def _run_atomic(
    state: State,
    envelope: Envelope,
    principal: PrincipalId,
    place: EnvelopePlace,
    sweeper: Sweeper,  # noqa: ARG001 - there is no sweep inside
) -> tuple[list[Result], list[Effect]]:
    """Executes all heads, or undoes them all at the first failure."""
    results = [_OK] * envelope.header.record_count
    effects: list[Effect] = []
    heads = list(envelope.heads())
    state.journal.begin()
    for head in heads:
        try:
            head_place = _place_of(envelope, principal, place, head.index)
            effects += execute(state, head_place, head.data)
        except Refused as refusal:
            state.journal.rollback()
            for other in heads:
                results[other.index] = Result(Code.ATOMIC_ABORTED, head.index)
            results[head.index] = Result(refusal.code, refusal.detail)
            return results, []
    state.journal.commit()
    return results, effects


def _place_of(
    envelope: Envelope, principal: PrincipalId, place: EnvelopePlace, index: int
) -> Place:
    return Place(
        signing_key=envelope.header.signer,
        principal=principal,
        envelope_id=envelope.header.envelope_id,
        index=index,
        sequence_number=SequenceNumber(place.first_sequence + index),
        timestamp_ns=TimestampNs(place.first_timestamp_ns + index),
        citations=place.citations,
    )
