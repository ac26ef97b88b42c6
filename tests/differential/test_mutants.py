"""The differential test can fail: wrong variants of the rules are caught within 10,000 blocks.

Each mutant changes one thing in the specification, as somebody could get it wrong, and leaves the
kernel as it is. `test_the_unchanged_specification_survives` is the control.
"""

from collections.abc import Callable
from dataclasses import replace
from heapq import heappop

import pytest
from tests.differential import campaign
from tests.differential.campaign import DisagreementError, Tally, run_seed
from tests.differential.mutants_debts import DEBT_MUTANTS
from tests.differential.mutants_exchange import EXCHANGE_MUTANTS
from tests.differential.mutants_grants import GRANT_MUTANTS
from tests.differential.mutants_limits import LIMIT_MUTANTS
from tests.differential.mutants_netting import NETTING_MUTANTS
from tests.differential.mutants_prices import PRICE_MUTANTS
from tests.differential.mutants_recovery import RECOVERY_MUTANTS
from tests.differential.mutants_reprice import REPRICE_MUTANTS
from tests.differential.shrink import shrink

from tallystick_ledger.citations import Citation
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import Envelope
from tallystick_ledger.ids import AccountId, Amount, PrincipalId, SequenceNumber, TimestampNs
from tallystick_ledger.records import Key
from tallystick_ledger.results import Effect, Result
from tallystick_ledger.spec import (
    accounts,
    channels,
    corrections,
    envelopes,
    metering,
    money,
    prune,
    registry,
    signer,
    tables,
    units,
)
from tallystick_ledger.spec.refusal import Refused, require
from tallystick_ledger.spec.signer import Place
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import (
    AccountFlags,
    AccountRow,
    ChannelRow,
    CorrectionRow,
    HoldRow,
    HoldStatus,
    KeyRow,
)

SMALL_LOG_BLOCKS = 6
SEEDS = range(2_008, 2_024)
# A mutant is looked for until it is caught, which for most is within the first hundred blocks.
SEARCH = range(2_008, 2_108)
BLOCKS = 100

Mutant = Callable[[pytest.MonkeyPatch], None]
Swept = tuple[int, list[Effect]]


def frozen_before_closed(patch: pytest.MonkeyPatch) -> None:
    def check_open(account: AccountRow) -> None:
        require(not account.flags & AccountFlags.FROZEN, Code.ACCOUNT_FROZEN)
        require(not account.flags & AccountFlags.CLOSED, Code.ACCOUNT_CLOSED)

    patch.setattr(accounts, "check_open", check_open)


def funds_held_counts_as_had(patch: pytest.MonkeyPatch) -> None:
    def check_funds(account: AccountRow, amount: int) -> None:
        require(amount <= account.available, Code.INSUFFICIENT_FUNDS)

    patch.setattr(money, "check_funds", check_funds)


def strangers_accounts_can_pay(patch: pytest.MonkeyPatch) -> None:
    def own_account(state: State, _: object, account_id: AccountId, code: Code) -> AccountRow:
        row = state.accounts.get(account_id)
        if row is None:
            raise Refused(code)
        return row

    patch.setattr(money, "own_account", own_account)


def key_lives_a_nanosecond_longer(patch: pytest.MonkeyPatch) -> None:
    def is_in_time(key: KeyRow, timestamp_ns: TimestampNs) -> bool:
        return key.until_ns == 0 or key.until_ns >= timestamp_ns

    patch.setattr(signer, "is_in_time", is_in_time)


def sweep_comes_a_nanosecond_late(patch: pytest.MonkeyPatch) -> None:
    original = metering.sweep

    def sweep(state: State, timestamp_ns: TimestampNs, index: int, limit: int) -> Swept:
        return original(state, TimestampNs(timestamp_ns - 1), index, limit)

    patch.setattr(metering, "sweep", sweep)


def sweep_goes_by_id_alone(patch: pytest.MonkeyPatch) -> None:
    original = State.next_to_expire

    def next_to_expire(state: State) -> HoldRow | None:
        first = original(state)
        if first is None:
            return None
        due = [
            row
            for row in state.holds
            if row.is_open and row.expires_at_ns < first.expires_at_ns + 1_000_000_000
        ]
        return min(due, key=lambda row: row.hold)

    patch.setattr(State, "next_to_expire", next_to_expire)


def expiry_of_nothing_has_no_effect(patch: pytest.MonkeyPatch) -> None:
    original = metering.sweep

    def sweep(state: State, timestamp_ns: TimestampNs, index: int, limit: int) -> Swept:
        swept, effects = original(state, timestamp_ns, index, limit)
        return swept, [effect for effect in effects if effect.amount]

    patch.setattr(metering, "sweep", sweep)


def payer_may_release(patch: pytest.MonkeyPatch) -> None:
    def hold_of_either(state: State, place: Place, hold_id: bytes) -> HoldRow:
        row = state.holds.get(hold_id)  # type: ignore[arg-type]
        owners = () if row is None else (row.payer_account, row.payee_account)
        if row is None or place.principal not in [state.accounts[id_].owner for id_ in owners]:
            raise Refused(Code.HOLD_NOT_FOUND)
        return row

    patch.setattr(metering, "_hold_of_payee", hold_of_either)


def ended_is_ended(patch: pytest.MonkeyPatch) -> None:
    every_end = (HoldStatus.CAPTURED, HoldStatus.RELEASED, HoldStatus.EXPIRED)
    patch.setattr(metering, "_ENDED_BY_PAYEE", every_end)


def nothing_is_undone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tables.Journal, "rollback", tables.Journal.commit)


def undone_in_the_wrong_order(patch: pytest.MonkeyPatch) -> None:
    def rollback(journal: tables.Journal) -> None:
        for undo in journal._end():
            undo()

    patch.setattr(tables.Journal, "rollback", rollback)


def aborted_without_detail(patch: pytest.MonkeyPatch) -> None:
    def result(code: Code = Code.OK, _: int = 0) -> Result:
        return Result(code)

    patch.setattr(envelopes, "Result", result)


def references_are_not_remembered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(money, "remember_reference", lambda *_, **__: None)


def references_have_no_cap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(metering, "check_reference_cap", lambda *_, **__: None)


def forgets_a_nanosecond_early(patch: pytest.MonkeyPatch) -> None:
    original = prune._prune_live_ids

    def early(state: State, now_ns: TimestampNs) -> None:
        original(state, TimestampNs(now_ns + 1))

    patch.setattr(prune, "_prune_live_ids", early)


def holds_are_forgotten_at_once(patch: pytest.MonkeyPatch) -> None:
    def next_to_forget(state: State) -> HoldRow | None:
        while state._ended:
            row = state.holds.get(state._ended[0][2])
            heappop(state._ended)
            if row is not None and not row.is_open:
                return replace(row, ended_at_ns=TimestampNs(0))
        return None

    patch.setattr(State, "next_to_forget", next_to_forget)


def rotation_takes_the_later_end(patch: pytest.MonkeyPatch) -> None:
    def later(ends: list[int]) -> int:
        return max(ends)

    patch.setattr(registry, "min", later, raising=False)


def rotation_keeps_the_old_key(patch: pytest.MonkeyPatch) -> None:
    original = registry._revoke_key

    def revoke(state: State, place: Place, row: KeyRow) -> None:
        if row.key != place.signing_key:
            original(state, place, row)

    patch.setattr(registry, "_revoke_key", revoke)


def any_owner_key_may_go(patch: pytest.MonkeyPatch) -> None:
    def revoke(state: State, place: Place, record: Key) -> None:
        row = state.keys.get(record.key)
        if row is None or row.principal != place.principal:
            raise Refused(Code.KEY_NOT_FOUND)
        registry._revoke_key(state, place, row)

    patch.setattr(registry, "key_revoke", revoke)


def everybody_may_issue(patch: pytest.MonkeyPatch) -> None:
    def check(condition: bool, code: Code) -> None:
        if code is not Code.UNIT_NOT_FOUND:
            require(condition, code)

    patch.setattr(units, "require", check)


def close_overlooks_what_is_promised(patch: pytest.MonkeyPatch) -> None:
    def account_close(row: AccountRow) -> AccountRow:
        require(row.credits_posted == row.debits_posted, Code.ACCOUNT_NOT_EMPTY)
        return replace(row, flags=row.flags | AccountFlags.CLOSED)

    patch.setattr(registry, "account_close", account_close)


def conflict_without_the_original(patch: pytest.MonkeyPatch) -> None:
    original = envelopes._refused_whole

    def refused(
        envelope: Envelope,
        swept: list[Effect],
        code: Code,
        principal: PrincipalId | None = None,
        *_: SequenceNumber,
    ) -> envelopes.Outcome:
        return original(envelope, swept, code, principal)

    patch.setattr(envelopes, "_refused_whole", refused)


def vouchers_are_not_verified(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(channels, "is_valid_voucher", lambda *_: True)


def channels_close_a_nanosecond_late(patch: pytest.MonkeyPatch) -> None:
    original = channels.sweep

    def sweep(state: State, timestamp_ns: TimestampNs, index: int, limit: int) -> list[Effect]:
        return original(state, TimestampNs(timestamp_ns - 1), index, limit)

    patch.setattr(channels, "sweep", sweep)


def a_closing_channel_can_be_topped_up(patch: pytest.MonkeyPatch) -> None:
    def check(condition: bool, code: Code) -> None:
        if code is not Code.CHANNEL_CLOSING:
            require(condition, code)

    patch.setattr(channels, "require", check)


def channels_do_not_count_for_the_cap(patch: pytest.MonkeyPatch) -> None:
    def check_pinned_cap(state: State, payer: PrincipalId) -> None:
        require(state.holds.count(payer) < state.genesis.caps.open_holds, Code.CAP_EXCEEDED)

    patch.setattr(metering, "check_pinned_cap", check_pinned_cap)


def channels_are_forgotten_at_once(patch: pytest.MonkeyPatch) -> None:
    def next_to_forget(state: State) -> ChannelRow | None:
        closed = [row for row in state.channels if not row.is_open]
        return replace(closed[0], ended_at_ns=TimestampNs(0)) if closed else None

    patch.setattr(State, "next_channel_to_forget", next_to_forget)


def the_payee_may_extend(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(metering, "_hold_of_payer", metering._hold_of_party)


def an_extended_hold_expires_as_before(patch: pytest.MonkeyPatch) -> None:
    def put_hold(state: State, row: HoldRow) -> None:
        before = state.holds.get(row.hold)
        if before is not None:
            row = replace(row, expires_at_ns=before.expires_at_ns)
        original(state, row)

    original = State.put_hold
    patch.setattr(State, "put_hold", put_hold)


def anybodys_money_can_be_burned(patch: pytest.MonkeyPatch) -> None:
    def own_account(state: State, _: object, account_id: AccountId, code: Code) -> AccountRow:
        row = state.accounts.get(account_id)
        if row is None:
            raise Refused(code)
        return row

    patch.setattr(units, "own_account", own_account)


def corrections_have_a_ceiling_each(patch: pytest.MonkeyPatch) -> None:
    def corrected_so_far(_: State, cited: Citation) -> CorrectionRow:
        accounts_ = (cited.payer_account, cited.payee_account)
        row = (cited.sequence_number, cited.timestamp_ns, *accounts_, cited.amount, Amount(0))
        return CorrectionRow(*row)

    patch.setattr(corrections, "_corrected_so_far", corrected_so_far)


def window_of_corrections_is_never_over(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(corrections, "_check_window", lambda *_: None)


def frozen_payers_get_nothing_back(patch: pytest.MonkeyPatch) -> None:
    def check_can_give_back(payer: AccountRow, payee: AccountRow) -> None:
        accounts.check_open(payee)
        accounts.check_open(payer)

    patch.setattr(corrections, "_check_can_give_back", check_can_give_back)


def corrected_totals_are_kept_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(prune, "_prune_corrections", lambda *_: None)


MUTANTS: tuple[Mutant, ...] = (
    corrections_have_a_ceiling_each,
    window_of_corrections_is_never_over,
    frozen_payers_get_nothing_back,
    corrected_totals_are_kept_for_ever,
    frozen_before_closed,
    funds_held_counts_as_had,
    strangers_accounts_can_pay,
    key_lives_a_nanosecond_longer,
    sweep_comes_a_nanosecond_late,
    sweep_goes_by_id_alone,
    expiry_of_nothing_has_no_effect,
    payer_may_release,
    ended_is_ended,
    nothing_is_undone,
    undone_in_the_wrong_order,
    aborted_without_detail,
    references_are_not_remembered,
    references_have_no_cap,
    forgets_a_nanosecond_early,
    holds_are_forgotten_at_once,
    rotation_takes_the_later_end,
    rotation_keeps_the_old_key,
    any_owner_key_may_go,
    everybody_may_issue,
    close_overlooks_what_is_promised,
    conflict_without_the_original,
    vouchers_are_not_verified,
    channels_close_a_nanosecond_late,
    a_closing_channel_can_be_topped_up,
    channels_do_not_count_for_the_cap,
    channels_are_forgotten_at_once,
    the_payee_may_extend,
    an_extended_hold_expires_as_before,
    anybodys_money_can_be_burned,
    *PRICE_MUTANTS,
    *EXCHANGE_MUTANTS,
    *GRANT_MUTANTS,
    *NETTING_MUTANTS,
    *LIMIT_MUTANTS,
    *DEBT_MUTANTS,
    *REPRICE_MUTANTS,
    *RECOVERY_MUTANTS,
)


def run_all(seeds: range) -> Tally:
    tally = Tally()
    for seed in seeds:
        run_seed(seed, BLOCKS, tally)
    return tally


def test_the_unchanged_specification_survives() -> None:
    assert run_all(SEEDS).blocks == BLOCKS * len(SEEDS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_wrong_specification_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    with pytest.raises(DisagreementError, match=r"replay: python -m tests\.differential"):
        run_all(SEARCH)


def test_a_disagreement_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 blocks those stay that the mistake needs, with few records each."""
    payer_may_release(monkeypatch)
    text = shrink(SEEDS[0], BLOCKS)
    assert "NOT_PAYEE" in text
    assert text.count("block at") <= SMALL_LOG_BLOCKS
    assert "genesis 54534731" in text


def test_the_command_that_a_failure_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["campaign", "--seed", str(SEEDS[0]), "--blocks", "20"])
    assert campaign.main() == 0
    assert "20 blocks" in capsys.readouterr().out
    nothing_is_undone(monkeypatch)
    assert campaign.main() == 1
    assert f"--seed {SEEDS[0]} --blocks" in capsys.readouterr().out
