"""Wrong variants of the rules of recovery, as somebody could get them wrong: see test_mutants."""

from collections.abc import Callable

import pytest

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import SequenceNumber, TimestampNs
from tallystick_ledger.records import Veto
from tallystick_ledger.results import Effect
from tallystick_ledger.spec import recovery
from tallystick_ledger.spec.refusal import found
from tallystick_ledger.spec.signer import Place
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import KeyRow, RecoveryRow


def it_takes_effect_a_nanosecond_late(patch: pytest.MonkeyPatch) -> None:
    original = recovery.sweep

    def sweep(state: State, timestamp_ns: TimestampNs, number: SequenceNumber, limit: int) -> int:
        return original(state, TimestampNs(timestamp_ns - 1), number, limit)

    patch.setattr(recovery, "sweep", sweep)


def other_owner_keys_stay(patch: pytest.MonkeyPatch) -> None:
    original = recovery._take_effect

    def take_effect(state: State, row: RecoveryRow, number: SequenceNumber) -> None:
        before = state.keys.members(row.principal)
        original(state, row, number)
        for key in before:
            state.keys.put(key.key, key)

    patch.setattr(recovery, "_take_effect", take_effect)


def a_vetoed_key_may_begin_again(patch: pytest.MonkeyPatch) -> None:
    def veto(state: State, place: Place, record: Veto) -> list[Effect]:
        row = found(state.recoveries.get(place.principal), Code.RECOVERY_NOT_FOUND)
        kept: KeyRow = state.keys[row.recovery_key]
        effects = original(state, place, record)
        state.keys.put(kept.key, kept)
        return effects

    original = recovery.veto
    patch.setattr(recovery, "veto", veto)


RECOVERY_MUTANTS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    it_takes_effect_a_nanosecond_late,
    other_owner_keys_stay,
    a_vetoed_key_may_begin_again,
)
