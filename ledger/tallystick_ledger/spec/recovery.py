"""RECOVER, VETO, and what becomes of a recovery that nobody vetoed.

A RECOVERY key is kept apart from daily use, for the day on which the OWNER key is lost. It can do
nothing at once: what it announces takes effect after a delay, in which an OWNER key that is not
lost after all can veto it. Source: docs/semantics.md section 3.
"""

from dataclasses import replace

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import SequenceNumber, TimestampNs
from tallystick_ledger.limits import MAX_U64
from tallystick_ledger.records import Recover, Scope, Veto
from tallystick_ledger.results import Effect
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.signer import Place, check_key_and_scope
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import KeyRow, KeyStatus, RecoveryRow


def recover(state: State, place: Place, record: Recover) -> list[Effect]:
    """Announces a new OWNER key in place of all there are.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; PRINCIPAL_MISMATCH, KEY_EXISTS;
            RECOVERY_PENDING, there is one already; CAP_EXCEEDED.
    """
    check_key_and_scope(state, place, Scope.RECOVERY)
    require(record.principal == place.principal, Code.PRINCIPAL_MISMATCH)
    require(not state.knows_key(record.key), Code.KEY_EXISTS)
    require(place.principal not in state.recoveries, Code.RECOVERY_PENDING)
    require(state.key_count(place.principal) < state.genesis.caps.keys, Code.CAP_EXCEEDED)

    row = RecoveryRow(
        principal=place.principal,
        key=record.key,
        recovery_key=place.signing_key,
        begun_at=place.sequence_number,
        due_ns=TimestampNs(min(place.timestamp_ns + record.delay_ns, MAX_U64)),
    )
    state.recoveries.put(row.principal, row)
    return []


def veto(state: State, place: Place, record: Veto) -> list[Effect]:
    """Ends the pending recovery, and revokes the key that began it: it begins no other.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; RECOVERY_NOT_FOUND, none to this key is
            pending, or it is due.
    """
    check_key_and_scope(state, place, Scope.OWNER)
    row = found(state.recoveries.get(place.principal), Code.RECOVERY_NOT_FOUND)
    is_in_time = row.key == record.key and row.due_ns > place.timestamp_ns
    require(is_in_time, Code.RECOVERY_NOT_FOUND)

    state.recoveries.remove(row.principal)
    _revoke(state, state.keys[row.recovery_key], place.sequence_number)
    return []


def sweep(
    state: State, timestamp_ns: TimestampNs, sequence_number: SequenceNumber, limit: int
) -> int:
    """Lets the recoveries that are due take effect, in the order of (due_ns, principal).

    Args:
        state: Changed in place.
        timestamp_ns: Time of the record before which the sweep runs.
        sequence_number: Of the same record.
        limit: How many may still take effect in this block.

    Returns:
        How many did.
    """
    count = 0
    while count < limit:
        row = state.next_to_recover()
        if row is None or row.due_ns > timestamp_ns:
            break
        _take_effect(state, row, sequence_number)
        count += 1
    return count


def _take_effect(state: State, row: RecoveryRow, sequence_number: SequenceNumber) -> None:
    state.recoveries.remove(row.principal)
    for key in state.keys.members(row.principal):
        if key.scope is Scope.OWNER and key.status is KeyStatus.ACTIVE:
            _revoke(state, key, sequence_number)
    owner = KeyRow(
        key=row.key,
        principal=row.principal,
        scope=Scope.OWNER,
        status=KeyStatus.ACTIVE,
        registered_at=sequence_number,
        until_ns=TimestampNs(0),
        revoked_at=SequenceNumber(0),
    )
    state.keys.put(owner.key, owner)


def _revoke(state: State, row: KeyRow, sequence_number: SequenceNumber) -> None:
    state.keys.put(row.key, replace(row, status=KeyStatus.REVOKED, revoked_at=sequence_number))
