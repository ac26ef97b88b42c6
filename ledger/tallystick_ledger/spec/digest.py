"""The state as rows, and the digest over them. Source: docs/format.md section 10."""

from collections.abc import Iterator

from tallystick_ledger import state_rows
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import LedgerRow, Row


def rows(state: State) -> Iterator[Row]:
    """Yields all rows of all tables, in no order that matters."""
    yield LedgerRow(state.next_sequence_number, state.min_timestamp_ns)
    yield from state.principals
    yield from state.keys
    yield from state.names
    yield from state.units
    yield from state.accounts
    yield from state.holds
    yield from state.live_ids
    yield from state.references
    yield from state.channels
    yield from state.cards
    yield from state.price_lines
    yield from state.quotes
    yield from state.terms
    yield from state.corrections
    yield from state.disputes
    yield from state.mandates
    yield from state.grants
    yield from state.shares
    yield from state.limits
    yield from state.lines
    yield from state.marks
    yield from state.zones
    yield from state.lists
    yield from state.relations
    yield from state.deferred_units
    yield from state.members
    yield from state.windows
    yield from state.pairs
    yield from state.claims
    yield from state.recoveries
    yield from state.exchanges


def digest(state: State) -> bytes:
    """Returns the state digest: 32 bytes that two nodes with one log must agree on."""
    return state_rows.digest(state.ledger_id, rows(state))
