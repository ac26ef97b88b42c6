"""Wrong variants of the rules of limits, as somebody could get them wrong: see test_mutants."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tallystick_ledger import zones
from tallystick_ledger.ids import Amount, PublicKey
from tallystick_ledger.spec import (
    delegation,
    limits,
    lines,
    metering,
    registry,
    signer,
    spending,
)
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import MarkRow


def a_rotation_gives_a_second_budget(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(registry, "join", lambda *_: None)


def keys_above_do_not_count(patch: pytest.MonkeyPatch) -> None:
    def chain_of(state: State, key: PublicKey) -> list[PublicKey]:
        return [lines.line_of(state, key)]

    patch.setattr(spending, "chain_of", chain_of)


def a_revoked_parent_does_not_matter(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(signer, "check_above", lambda *_: None)


def it_comes_back_to_any_window(patch: pytest.MonkeyPatch) -> None:
    def uncount(state: State, mark: MarkRow, amount: Amount) -> None:
        row = state.limits.get(mark.limit)
        if row is not None:
            state.limits.put(mark.limit, replace(row, used=Amount(max(0, row.used - amount))))

    patch.setattr(spending, "_uncount", uncount)


def what_is_paid_stays_on_hold(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(metering, "no_longer_held", lambda *_: None)


def days_are_those_of_utc(patch: pytest.MonkeyPatch) -> None:
    original = zones.window_end_ns

    def window_end_ns(timestamp_ns: int, _: object, *, is_month: bool) -> int | None:
        return original(timestamp_ns, None, is_month=is_month)

    patch.setattr(spending, "window_end_ns", window_end_ns)


def a_spend_key_may_widen(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(limits, "is_spend", lambda *_: False)


def a_key_has_one_above_it_at_most(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delegation, "MAX_ANCESTORS", 1)


LIMIT_MUTANTS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    a_rotation_gives_a_second_budget,
    keys_above_do_not_count,
    a_revoked_parent_does_not_matter,
    it_comes_back_to_any_window,
    what_is_paid_stays_on_hold,
    days_are_those_of_utc,
    a_spend_key_may_widen,
    a_key_has_one_above_it_at_most,
)
