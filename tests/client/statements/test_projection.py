"""Projections of random ledgers: right to the last unit, wherever they were interrupted."""

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.client.statements.histories import Told, random_ledger

from tallystick.errors import ConfigurationError
from tallystick.history import HistoryRecord
from tallystick.statements.posting import MOVE_NOTHING, OF_EFFECTS, OF_RECORDS, Side
from tallystick.statements.projection import Projection, ProjectionDamaged
from tallystick.statements.statement import Columns
from tallystick_ledger.ids import AccountId, LedgerId, PrincipalId, UnitId
from tallystick_ledger.records import Kind
from tallystick_ledger.results import Cause

BLOCKS = 40
END_NS = 2**63 - 1


def project(made: Told, rng: Random | None = None) -> Projection:
    """Books all histories; with `rng` in pages of random length, some of them twice."""
    projection = Projection(":memory:", made.ledger_id)
    for row in made.state.accounts:
        projection.add(row.account, row.owner, row.unit)
        entries = made.histories[row.account]
        at = 0
        while at < len(entries):
            size = len(entries) if rng is None else rng.randint(1, 4)
            page = entries[max(0, at - (rng.randint(0, 2) if rng else 0)) : at + size]
            projection.book(row.account, page, entries[min(at + size, len(entries)) - 1].sequence)
            at += size
    return projection


def test_each_kind_and_cause_has_its_rule() -> None:
    """What nobody knows how to book would be missing from every statement."""
    assert set(OF_RECORDS) | MOVE_NOTHING == set(Kind)
    assert not set(OF_RECORDS) & MOVE_NOTHING
    assert set(OF_EFFECTS) == set(Cause)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.randoms(use_true_random=False))
def test_statements_lead_to_the_state_of_the_ledger(seed: int, cut: Random) -> None:
    made = random_ledger(seed, BLOCKS)
    with project(made) as whole, project(made, cut) as resumed:
        assert whole.rows() == resumed.rows()
        for row in made.state.accounts:
            entries = made.histories[row.account]
            times = (
                sorted(cut.choice(entries).timestamp_ns for _ in range(2)) if entries else [1, 2]
            )
            bounds = [0, *times, END_NS]
            statements = [whole.statement(row.account, *bounds[at : at + 2]) for at in range(3)]
            assert all(each.adds_up for each in statements)
            for earlier, later in pairwise(statements):
                assert earlier.closing == later.opening
            assert statements[0].opening == Columns()
            assert statements[-1].closing == Columns(
                row.debits_pending, row.debits_posted, row.credits_pending, row.credits_posted
            )


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_both_sides_say_the_same_of_what_is_common(seed: int) -> None:
    made = random_ledger(seed, BLOCKS)
    posted = 0
    with project(made) as projection:
        sides: dict[Side, set[tuple[object, ...]]] = {Side.DEBIT: set(), Side.CREDIT: set()}
        for account in projection.accounts():
            for each in projection.postings(account, 0, END_NS):
                pair = [bytes(account), each.counterparty]
                pair = pair if each.side is Side.DEBIT else pair[::-1]
                posted += each.posted
                if each.posted:
                    row = (each.sequence, each.cause, each.amount, each.authority, *pair)
                    sides[each.side].add(row)
        assert sides[Side.DEBIT] == sides[Side.CREDIT]
    assert posted


def test_a_rebuilt_projection_is_the_same() -> None:
    made = random_ledger(7, BLOCKS)
    with project(made) as projection:
        before = projection.rows()
        for row in made.state.accounts:
            projection.forget(row.account)
            projection.add(row.account, row.owner, row.unit)
            projection.book(row.account, made.histories[row.account], 0)
            entries = made.histories[row.account]
            if entries:
                projection.book(row.account, [], entries[-1].sequence)
        assert projection.rows() == before


def test_a_changed_posting_does_not_add_up() -> None:
    made = random_ledger(7, BLOCKS)
    with project(made) as projection:
        account = max(made.histories, key=lambda each: len(made.histories[each]))
        assert projection.statement(AccountId(account), 0, END_NS).adds_up
        amount = (12345).to_bytes(16, "big")
        projection._db.execute("UPDATE posting SET amount = ? WHERE account = ?", (amount, account))
        assert not projection.statement(AccountId(account), 0, END_NS).adds_up


def test_a_failed_page_books_nothing() -> None:
    """The release of what was never pinned would take a column below zero."""
    made = random_ledger(7, BLOCKS)
    with Projection(":memory:", made.ledger_id) as projection:
        account, entries = next(
            (account, entries)
            for account, entries in made.histories.items()
            if any(map(_frees, entries))
        )
        projection.add(AccountId(account), PrincipalId(bytes(16)), UnitId(bytes(16)))
        before = projection.rows()
        freed = [entry for entry in entries if _frees(entry) and not entry.data]
        freed = freed or [entry for entry in entries if _frees(entry)]
        with pytest.raises(ProjectionDamaged):
            projection.book(AccountId(account), freed, 0)
        assert projection.rows() == before


def _frees(entry: HistoryRecord) -> bool:
    """Whether it takes something out of a pending column."""
    return any(OF_EFFECTS[effect.cause].pending < 0 for effect in entry.effects)


def test_a_file_of_another_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "statements.sqlite"
    Projection(path, LedgerId(b"\1" * 32)).close()
    Projection(path, LedgerId(b"\1" * 32)).close()
    with pytest.raises(ConfigurationError, match="belongs to the ledger 0101"):
        Projection(path, LedgerId(b"\2" * 32))
