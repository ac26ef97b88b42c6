"""DELEGATE puts a SPEND key under another, KILL revokes one with all that is under it.

Source: docs/semantics.md section 3.
"""

from dataclasses import replace

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_KEY, PublicKey
from tallystick_ledger.limits import MAX_ANCESTORS
from tallystick_ledger.records import Delegate, Kill, Scope
from tallystick_ledger.results import Effect
from tallystick_ledger.spec.lines import chain_of, line_of, parent_of, set_parent, spend_keys
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.signer import Place, check_key_and_scope
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import KeyRow, KeyStatus


def delegate(state: State, place: Place, record: Delegate) -> list[Effect]:
    """Puts the line of a key under that of another, or takes it out from under one.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; KEY_NOT_FOUND; SCOPE_DENIED, a SPEND key
            that would do more than move what is under it further down; DELEGATION_INVALID.
    """
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND)
    own_spend_key(state, place, record.key)
    if record.parent != NO_KEY:
        own_spend_key(state, place, record.parent)
    line = line_of(state, record.key)
    above = [] if record.parent == NO_KEY else chain_of(state, record.parent)
    if is_spend(state, place):
        current = parent_of(state, line)
        is_under = line_of(state, place.signing_key) in chain_of(state, record.key)[1:]
        require(is_under and current in above, Code.SCOPE_DENIED)
    require(line not in above, Code.DELEGATION_INVALID)
    depth = len(above) + _height(state, place, line)
    require(depth <= MAX_ANCESTORS, Code.DELEGATION_INVALID)

    set_parent(state, line, above[0] if above else None)
    return []


def kill(state: State, place: Place, record: Kill) -> list[Effect]:
    """Revokes all keys of a line and of the lines under it, from the next record on.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; KEY_NOT_FOUND; SCOPE_DENIED, a SPEND key
            that is not above; KEY_STATE, all are revoked already.
    """
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND)
    own_spend_key(state, place, record.key)
    check_above_or_owner(state, place, record.key)
    line = line_of(state, record.key)
    doomed = [
        row
        for row in spend_keys(state, place.principal)
        if row.status is KeyStatus.ACTIVE and line in chain_of(state, row.key)
    ]
    require(len(doomed) > 0, Code.KEY_STATE)

    for row in doomed:
        revoked_at = place.sequence_number
        state.keys.put(row.key, replace(row, status=KeyStatus.REVOKED, revoked_at=revoked_at))
    return []


def own_spend_key(state: State, place: Place, key: PublicKey) -> KeyRow:
    """Returns a SPEND key of the signer's principal, whatever its status.

    Raises:
        Refused: KEY_NOT_FOUND.
    """
    row = found(state.keys.get(key), Code.KEY_NOT_FOUND)
    is_own = row.principal == place.principal and row.scope is Scope.SPEND
    require(is_own, Code.KEY_NOT_FOUND)
    return row


def is_spend(state: State, place: Place) -> bool:
    """Whether a SPEND key signs."""
    return state.keys[place.signing_key].scope is Scope.SPEND


def check_above_or_owner(state: State, place: Place, key: PublicKey) -> None:
    """Checks that a SPEND key that signs is of this key's line or of one above it.

    Raises:
        Refused: SCOPE_DENIED.
    """
    own = line_of(state, place.signing_key)
    may = not is_spend(state, place) or own in chain_of(state, key)
    require(may, Code.SCOPE_DENIED)


def _height(state: State, place: Place, line: PublicKey) -> int:
    """Returns how many lines stand under a line, one under the other."""
    chains = [chain_of(state, row.key) for row in spend_keys(state, place.principal)]
    return max(chain.index(line) for chain in chains if line in chain)
