"""TICK, by which log time passes while nobody writes. Source: docs/semantics.md section 3."""

from tallystick_ledger.records import Scope, Tick
from tallystick_ledger.results import Effect
from tallystick_ledger.spec.signer import Place, check_key_and_scope
from tallystick_ledger.spec.state import State


def tick(state: State, place: Place, record: Tick) -> list[Effect]:  # noqa: ARG001
    """Changes nothing but log time, which every record moves.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED.
    """
    check_key_and_scope(state, place, Scope.NODE)
    return []
