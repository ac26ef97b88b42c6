"""Wrong variants of the rules of grants, as somebody could get them wrong: see test_mutants."""

from collections.abc import Callable, Sequence

import pytest

from tallystick_ledger.citations import Citation
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, Amount, GrantId, TimestampNs, grant_account
from tallystick_ledger.results import Effect
from tallystick_ledger.spec import accounts, corrections, grants, prune, shares
from tallystick_ledger.spec.refusal import require
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import AccountFlags, AccountRow, GrantRow


def grants_pay_for_anything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shares, "_is_earmarked", lambda *_: True)


def grants_pay_by_age(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GrantRow, "burn_order", property(lambda row: row.created_at_ns))


def shares_are_rounded_up(patch: pytest.MonkeyPatch) -> None:
    def split(amount: int, parts: Sequence[int], whole: int) -> list[Amount]:
        falls = []
        for part in parts:
            taken = -(-amount * part // whole)
            falls.append(Amount(taken))
            amount, whole = amount - taken, whole - part
        return falls

    patch.setattr(shares, "split", split)


def refunds_are_the_payers(patch: pytest.MonkeyPatch) -> None:
    def parts(_: State, cited: Citation, __: object, amount: Amount) -> list[corrections._Part]:
        return [corrections._Part(cited.payer_account, GrantId(bytes(16)), amount)]

    patch.setattr(corrections, "_parts", parts)


def grants_that_are_over_get_refunds(patch: pytest.MonkeyPatch) -> None:
    def source(_: State, grant_id: GrantId) -> AccountId:
        return grant_account(grant_id)

    patch.setattr(corrections, "_source", source)


def anybody_may_pay_a_grant(patch: pytest.MonkeyPatch) -> None:
    def check_ordinary(account: AccountRow) -> None:
        require(not account.flags & AccountFlags.ISSUANCE, Code.ISSUANCE_ACCOUNT)

    patch.setattr(accounts, "check_ordinary", check_ordinary)


def grants_end_a_nanosecond_late(patch: pytest.MonkeyPatch) -> None:
    original = grants.sweep

    def sweep(state: State, timestamp_ns: TimestampNs, index: int, limit: int) -> list[Effect]:
        return original(state, TimestampNs(timestamp_ns - 1), index, limit)

    patch.setattr(grants, "sweep", sweep)


def grants_are_remembered_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(prune, "_prune_grants", lambda *_: None)


def grants_that_are_over_keep_what_holds_free(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GrantRow, "is_open", property(lambda _: True))


def relations_do_not_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shares, "_are_related", lambda *_: False)


GRANT_MUTANTS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    grants_pay_for_anything,
    grants_pay_by_age,
    shares_are_rounded_up,
    refunds_are_the_payers,
    grants_that_are_over_get_refunds,
    anybody_may_pay_a_grant,
    grants_end_a_nanosecond_late,
    grants_are_remembered_for_ever,
    grants_that_are_over_keep_what_holds_free,
    relations_do_not_count,
)
