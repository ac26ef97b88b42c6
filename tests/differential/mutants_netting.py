"""Wrong variants of the rules of netting, as somebody could get them wrong: see test_mutants."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, Amount
from tallystick_ledger.netting import Position, payments
from tallystick_ledger.spec import netting
from tallystick_ledger.spec.refusal import require
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import AccountRow


def disputes_hold_nothing_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(netting, "_disputed_in_window", lambda *_: ([], []))


def positions_are_not_pinned(patch: pytest.MonkeyPatch) -> None:
    def pin(state: State, positions: Sequence[Position]) -> None:
        original(state, [replace(row, due=Amount(0), owes=Amount(0)) for row in positions])

    original = netting._pin
    patch.setattr(netting, "_pin", pin)


def creditors_are_paid_backwards(patch: pytest.MonkeyPatch) -> None:
    def backwards(positions: Sequence[Position]) -> list[tuple[AccountId, AccountId, Amount]]:
        return payments(sorted(positions, key=lambda row: row.account, reverse=True))

    patch.setattr(netting, "payments", backwards)


def raised_limits_stay(patch: pytest.MonkeyPatch) -> None:
    def use(account: AccountRow) -> int:
        return max(original(account), account.credit_limit)

    original = netting._use
    patch.setattr(netting, "_use", use)


def whoever_can_pay_can_be_failed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(netting, "_can_settle", lambda *_: False)


def strangers_may_owe(patch: pytest.MonkeyPatch) -> None:
    def check_between(_: State, debit: AccountRow, credit: AccountRow) -> None:
        require(debit.unit == credit.unit, Code.UNIT_MISMATCH)

    patch.setattr("tallystick_ledger.spec.money.check_between", check_between)


NETTING_MUTANTS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    disputes_hold_nothing_back,
    positions_are_not_pinned,
    creditors_are_paid_backwards,
    raised_limits_stay,
    whoever_can_pay_can_be_failed,
    strangers_may_owe,
)
