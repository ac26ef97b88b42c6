"""Wrong variants of the rules of debts, as somebody could get them wrong: see test_mutants."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tallystick_ledger.ids import Amount, HoldId
from tallystick_ledger.records import Overrun
from tallystick_ledger.spec import amounts, debts, metering, prune, spending
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import ClaimRow, ClaimStatus, HoldRow, TermsRow


def a_debt_has_no_limit(patch: pytest.MonkeyPatch) -> None:
    def limit(hold: HoldRow, terms: TermsRow | None) -> int:
        is_debt = terms is not None and terms.overrun is Overrun.DEBT
        return 1 << 128 if is_debt else hold.maximum

    patch.setattr(debts, "limit", limit)


def all_beyond_the_hold_is_claimed(patch: pytest.MonkeyPatch) -> None:
    def split(state: State, hold: HoldRow, difference: Amount) -> debts.Split:
        parts = original(state, hold, difference)
        claimed = amounts.add(parts.available, parts.claimed)
        return debts.Split(parts.pinned, Amount(0), claimed)

    original = debts.split
    patch.setattr(debts, "split", split)


def who_owes_may_reserve(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(debts, "check_no_claim", lambda *_: None)


def a_debt_is_charged_again(patch: pytest.MonkeyPatch) -> None:
    def charged(hold: HoldRow, _: TermsRow | None) -> Amount:
        return hold.captured

    patch.setattr(debts, "charged", charged)


def nothing_comes_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(debts, "may_come_late", lambda *_, **__: False)


def a_paid_claim_stays_open(patch: pytest.MonkeyPatch) -> None:
    def put_claim(state: State, row: ClaimRow) -> None:
        original(state, replace(row, status=ClaimStatus.OPEN) if row.paid else row)

    original = State.put_claim
    patch.setattr(State, "put_claim", put_claim)


def claims_are_kept_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(prune, "_prune_ended_claims", lambda *_: None)


def limits_do_not_count_debts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(spending, "_counted", lambda _, amount, __: amount)


def what_expires_on_debt_comes_back_at_once(patch: pytest.MonkeyPatch) -> None:
    def no_longer_held(state: State, pin: bytes, rest: Amount) -> None:
        hold = state.holds[HoldId(pin)]
        if rest == 0 and hold.rest > 0:
            debts.give_back_rest(state, hold)
        else:
            original(state, pin, rest)

    original = spending.no_longer_held
    patch.setattr(metering, "no_longer_held", no_longer_held)


DEBT_MUTANTS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    a_debt_has_no_limit,
    all_beyond_the_hold_is_claimed,
    who_owes_may_reserve,
    a_debt_is_charged_again,
    nothing_comes_late,
    a_paid_claim_stays_open,
    claims_are_kept_for_ever,
    limits_do_not_count_debts,
    what_expires_on_debt_comes_back_at_once,
)
