"""Reports of grants in random ledgers: right to the last unit, and by both sides' books."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.client.statements.histories import Told, random_ledger
from tests.client.statements.test_projection import END_NS, project

from tallystick.grants import GrantState
from tallystick.statements.focus import is_charge
from tallystick.statements.posting import GIVES_BACK, Authority, Posting, Side
from tallystick.statements.projection import Projection
from tallystick.statements.statement import Columns
from tallystick.statements.subsidy import GrantReport, report_of, with_passed
from tallystick_ledger.ids import (
    AccountId,
    Amount,
    GrantId,
    SequenceNumber,
    TimestampNs,
    grant_account,
)
from tallystick_ledger.records import Kind
from tallystick_ledger.results import Cause

BLOCKS = 60
GRANT = GrantId(bytes(range(16)))


def reports(made: Told, kept: Projection) -> list[GrantReport]:
    found = []
    for row in made.state.grants:
        account = made.state.accounts[grant_account(row.grant)]
        own = list(kept.postings(account.account, 0, END_NS))
        followed = kept.followed(account.account)
        assert followed is not None
        pool = kept.postings(row.pool_account, 0, END_NS)
        found.append(report_of(GrantState(row, account), followed.columns, own, pool))
    return found


def change_of_payee(posting: Posting) -> int:
    """What a payee has more by a posting; a pool may be one."""
    if posting.side is Side.CREDIT:
        return posting.amount if posting.posted and posting.cause in ("CAPTURE", "METER") else 0
    return -posting.amount if posting.cause in GIVES_BACK else 0


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_reports_lead_to_what_the_ledger_has_left(seed: int) -> None:
    made = random_ledger(seed, BLOCKS)
    with project(made) as kept:
        for report in reports(made, kept):
            account = report.grant.account
            assert report.adds_up
            assert report.columns.balance == account.credits_posted - account.debits_posted
            assert report.columns.debits_pending == report.grant.held
            kept_by = Counter[bytes]()
            for paid in report.paid:
                for posting in kept.postings(paid.account, 0, END_NS):
                    if posting.grant == report.grant.terms.grant:
                        kept_by[paid.account] += change_of_payee(posting)
            assert kept_by == Counter({each.account: each.kept for each in report.paid})


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_passed_on_is_found_in_the_books_of_either_side(seed: int) -> None:
    made = random_ledger(seed, BLOCKS)
    owners = {row.account: row.owner for row in made.state.accounts}
    with project(made) as kept:
        every: dict[AccountId, list[Posting]] = {
            account: list(kept.postings(account, 0, END_NS)) for account in owners
        }
        for report in reports(made, kept):
            whole = with_passed(report, every, owners)
            assert whole.unread == ()
            grantee = report.grant.terms.grantee
            payees = {owners[each.account] for each in report.paid}
            # Of a pair of principals the books of one side tell all.
            for side in ({grantee}, payees - {grantee}):
                books = {key: rows for key, rows in every.items() if owners[key] in side}
                assert with_passed(report, books, owners).passed == whole.passed
            transfers = sum(
                posting.amount
                for account, rows in every.items()
                for posting in rows
                if owners[account] in payees
                and posting.side is Side.DEBIT
                and posting.cause == Kind.TRANSFER.name
                and owners.get(AccountId(posting.counterparty)) == grantee
                and posting.timestamp_ns >= report.grant.terms.created_at_ns
            )
            told = [each.amount for each in whole.passed if each.cause == Kind.TRANSFER.name]
            assert sum(told) == transfers


def _posting(cause: str, side: Side, amount: int) -> Posting:
    return Posting(
        sequence=SequenceNumber(7),
        part=0,
        timestamp_ns=TimestampNs(8),
        occurred_at_ns=0,
        cause=cause,
        side=side,
        pending=0,
        posted=1,
        amount=amount,
        authority=Authority.PAYER,
        counterparty=b"shop" * 4,
        grant=GRANT,
    )


@pytest.mark.parametrize("cause", sorted(GIVES_BACK))
@pytest.mark.parametrize("is_over", [False, True])
def test_what_is_given_back_is_taken_off(cause: str, is_over: bool) -> None:
    made = random_ledger(0, BLOCKS)
    row = replace(next(iter(made.state.grants)), grant=GRANT, amount=Amount(100))
    account = made.state.accounts[row.pool_account]
    own = [_posting("GRANT", Side.CREDIT, 100), _posting("CAPTURE", Side.DEBIT, 40)]
    back = [_posting(cause, Side.CREDIT, 10)]
    credits_posted = 100 if is_over else 110
    found = report_of(
        GrantState(row, account),
        Columns(debits_posted=40, credits_posted=credits_posted),
        own if is_over else own + back,
        back if is_over else [],
    )
    assert found.adds_up
    assert (found.kept, found.back_to_pool) == (30, 10 if is_over else 0)


def test_statements_and_reports_agree_on_what_gives_back() -> None:
    causes = {each.name for each in Cause if is_charge(_posting(each.name, Side.CREDIT, 1))}
    assert causes == GIVES_BACK
