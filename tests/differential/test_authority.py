"""Every signer there is, on every record kind and operation: right ones and wrong ones."""

from functools import cache

import pytest
from tests.differential import raw
from tests.differential.authority import PAGE, page
from tests.differential.authority_table import ROWS, Row
from tests.differential.authority_world import SIGNERS, World
from tests.differential.engines import ENGINES

from tallystick_ledger.codes import Code
from tallystick_ledger.records import AccountOperation, KeyOperation, Kind, Scope

ALL_SCOPES = range(1, 11)


@cache
def world_on(engine: str) -> World:
    """One ledger for all: a refused record changes nothing, a right one uses up what is its own."""
    return World.on(ENGINES[engine])


@pytest.mark.parametrize("name", sorted(ENGINES))
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "_"))
@pytest.mark.parametrize(("party", "scope"), SIGNERS, ids=str)
def test_each_signer_gets_its_answer(row: Row, party: str, scope: Scope, name: str) -> None:
    assert world_on(name).answer(row, party, scope) == row.answer(party, scope)


def test_every_kind_and_operation_has_a_row() -> None:
    assert {row.kind for row in ROWS} == set(Kind) - {Kind.CONT}
    names = {row.name for row in ROWS}
    assert len(names) == len(ROWS)
    for kind, operations in (("KEY", KeyOperation), ("ACCOUNT", AccountOperation)):
        for operation in operations:
            assert any(name.startswith(f"{kind} {operation.name}") for name in names)


def test_every_scope_signs_for_everybody_who_can_have_it() -> None:
    assert {scope for _, scope in SIGNERS} == set(Scope)
    for row in ROWS:
        assert row.scopes, f"nobody may sign {row.name}"
    for kind in {row.kind for row in ROWS}:
        rows = [row for row in ROWS if row.kind is kind]
        assert any(row.answer(*each) == Code.OK for row in rows for each in SIGNERS), kind.name


@pytest.mark.parametrize("name", sorted(ENGINES))
@pytest.mark.parametrize("scope", ALL_SCOPES)
def test_nobody_gives_keys_of_scopes_that_are_not_given(scope: int, name: str) -> None:
    """NODE and OPERATE come from the genesis alone; a number without a meaning is none."""
    world = world_on(name)
    book = world.book
    for owner in (world.payer, book.operator, book.node):
        record = raw.key(raw.ADD, book.fresh_key(), owner.principal, scope=scope)
        codes = book.codes(owner.key, record)
        if scope not in set(Scope) - {Scope.NODE, Scope.OPERATE}:
            assert codes == [Code.BAD_FIELD]
        else:
            gives = book.operator if scope == Scope.AUDIT else world.payer
            assert (codes == [Code.OK]) == (owner == gives)


def test_the_page_is_that_of_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
