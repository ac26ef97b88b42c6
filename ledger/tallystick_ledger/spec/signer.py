"""Stages 2 and 3 of every record: may the signing key do this now, and is its reference new?

Source: docs/semantics.md section 3.
"""

from dataclasses import dataclass

from tallystick_ledger.citations import Citations
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    EnvelopeId,
    PrincipalId,
    PublicKey,
    SequenceNumber,
    TimestampNs,
    object_id,
)
from tallystick_ledger.records import Group, Scope
from tallystick_ledger.spec.lines import check_above, is_in_time
from tallystick_ledger.spec.refusal import require
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import KeyStatus, ReferenceRow


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands, and who signed it.

    Attributes:
        signing_key: The key in the envelope's header; it is registered.
        principal: The principal of this key.
        envelope_id: Id of the envelope.
        index: The record's index in its envelope, CONTs counted.
        sequence_number: The record's own.
        timestamp_ns: The record's own: that of the block plus its index in the block.
        citations: What earlier records moved, as far as the block cites them.
    """

    signing_key: PublicKey
    principal: PrincipalId
    envelope_id: EnvelopeId
    index: int
    sequence_number: SequenceNumber
    timestamp_ns: TimestampNs
    citations: Citations

    def derived_id(self, state: State) -> bytes:
        """Returns the 16-byte id of the object that the record makes."""
        return object_id(state.ledger_id, self.principal, self.envelope_id, self.index)


def check_key_and_scope(state: State, place: Place, *scopes: Scope) -> None:
    """Stage 2.

    Args:
        state: Read only.
        place: Of the record.
        scopes: Those that may sign it.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED or SCOPE_DENIED, in this order.
    """
    key = state.keys[place.signing_key]
    require(key.status is KeyStatus.ACTIVE, Code.KEY_REVOKED)
    require(is_in_time(key, place.timestamp_ns), Code.KEY_EXPIRED)
    check_above(state, key.key, place.timestamp_ns)
    require(key.scope in scopes, Code.SCOPE_DENIED)


def check_reference(
    state: State, place: Place, group: Group, reference: int, *, unique: bool
) -> None:
    """Stage 3.

    Raises:
        Refused: REFERENCE_USED, the reference is remembered for this principal and group.
    """
    if unique:
        used = state.references.find((place.principal, group, reference))
        require(used is None, Code.REFERENCE_USED)


def check_reference_cap(state: State, place: Place, *, unique: bool) -> None:
    """The part of stage 6 that is about references.

    Raises:
        Refused: CAP_EXCEEDED, the principal has as many remembered as it may.
    """
    if unique:
        count = state.references.count(place.principal)
        require(count < state.genesis.caps.references, Code.CAP_EXCEEDED)


def remember_reference(
    state: State, place: Place, group: Group, reference: int, *, unique: bool
) -> None:
    """Marks a UNIQUE reference as used, once its record has passed all checks."""
    if unique:
        row = ReferenceRow(
            sequence_number=place.sequence_number,
            principal=place.principal,
            group=group,
            reference=reference,
            timestamp_ns=place.timestamp_ns,
        )
        state.references.put(place.sequence_number, row)
