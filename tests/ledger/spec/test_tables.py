"""Tables, their look-ups, and the journal: against a model, and when they are misused."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_ledger.spec.tables import DuplicateRowError, Journal, Table, TransactionError


@dataclass(frozen=True, slots=True)
class Thing:
    key: int
    group: int | None
    alias: int | None


def new_table() -> tuple[Journal, Table[int, Thing]]:
    journal = Journal()
    table: Table[int, Thing] = Table(
        journal, member_of=lambda row: row.group, alias_of=lambda row: row.alias
    )
    return journal, table


def snapshot(table: Table[int, Thing]) -> object:
    """All that can be asked of a table whose keys, groups and aliases are 0 to 5."""
    numbers = range(6)
    return (
        sorted(row.key for row in table),
        len(table),
        [table.get(number) for number in numbers],
        [table.count(number) for number in numbers],
        [sorted(row.key for row in table.members(number)) for number in numbers],
        [table.find(number) for number in numbers],
    )


SMALL = st.integers(0, 5)
Steps = list[tuple[bool, int, int | None, int | None]]
STEPS = st.lists(st.tuples(st.booleans(), SMALL, st.none() | SMALL, st.none() | SMALL), max_size=30)


def run(table: Table[int, Thing], steps: Steps) -> None:
    for removes, key, group, alias in steps:
        taken = None if alias is None else table.find(alias)
        if removes and key in table:
            table.remove(key)
        elif taken is None or taken.key == key:
            table.put(key, Thing(key, group, alias))


@given(STEPS, STEPS)
def test_rollback_restores_everything_that_can_be_asked(
    before: Steps,
    inside: Steps,
) -> None:
    journal, table = new_table()
    run(table, before)
    expected = snapshot(table)
    journal.begin()
    run(table, inside)
    journal.rollback()
    assert snapshot(table) == expected


@given(STEPS)
def test_look_ups_follow_from_the_rows(
    steps: Steps,
) -> None:
    _, table = new_table()
    run(table, steps)
    rows = list(table)
    for number in range(6):
        members = {row.key for row in rows if row.group == number}
        assert {row.key for row in table.members(number)} == members
        assert table.count(number) == sum(row.group == number for row in rows)
        assert table.find(number) == next((row for row in rows if row.alias == number), None)


@given(STEPS, STEPS)
def test_commit_keeps_everything(
    before: Steps,
    inside: Steps,
) -> None:
    journal, table = new_table()
    _, plain = new_table()
    run(table, before)
    journal.begin()
    run(table, inside)
    journal.commit()
    run(plain, before)
    run(plain, inside)
    assert snapshot(table) == snapshot(plain)


def test_rows_come_in_the_order_in_which_they_were_first_put() -> None:
    _, table = new_table()
    for key in (3, 1, 2):
        table.put(key, Thing(key, None, None))
    table.put(1, Thing(1, 5, None))
    assert [row.key for row in table] == [3, 1, 2]


def test_two_rows_with_one_alias_are_a_broken_rule() -> None:
    _, table = new_table()
    table.put(1, Thing(1, None, 7))
    with pytest.raises(DuplicateRowError):
        table.put(2, Thing(2, None, 7))


def test_transactions_do_not_nest_and_end_once() -> None:
    journal, _ = new_table()
    journal.begin()
    with pytest.raises(TransactionError):
        journal.begin()
    journal.commit()
    with pytest.raises(TransactionError):
        journal.commit()
    with pytest.raises(TransactionError):
        journal.rollback()
