"""Making a genesis: what is sorted, what is refused. The bytes that are refused are vectors."""

from dataclasses import replace
from typing import Any, Final

import pytest
import tallystick_core

from tallystick_ledger import state_rows
from tallystick_ledger.errors import FieldError, GenesisError
from tallystick_ledger.genesis import Caps, Genesis, GenesisNode, Predecessor
from tallystick_ledger.ids import (
    LedgerId,
    SequenceNumber,
    TimestampNs,
    node_principal,
    operator_principal,
)
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records import PrincipalType, Scope

OPERATORS: Final = [SigningKey(bytes([byte]) * 32).public_key for byte in (1, 2, 3)]
NODES: Final = [
    GenesisNode(
        raft_id,
        bytes([raft_id]) * 32,
        SigningKey(bytes([16 + raft_id]) * 32).public_key,
        SigningKey(bytes([32 + raft_id]) * 32).public_key,
    )
    for raft_id in (1, 2, 3)
]
GENESIS: Final = Genesis(
    random_bytes=b"r" * 32, origin="example.org/a", operators=OPERATORS, nodes=NODES
)


def test_the_order_of_what_is_given_does_not_matter() -> None:
    turned = replace(GENESIS, operators=OPERATORS[::-1], nodes=NODES[::-1])
    assert turned == GENESIS
    assert turned.ledger_id == GENESIS.ledger_id
    assert Genesis.decode(GENESIS.encode()) == GENESIS


def test_every_fact_is_in_the_id() -> None:
    predecessor = Predecessor(LedgerId(b"l" * 32), 1, b"r" * 32, b"d" * 32)
    changes: list[dict[str, Any]] = [
        {"random_bytes": b"s" * 32},
        {"origin": "example.org/b"},
        {"operators": OPERATORS[:2]},
        {"nodes": NODES[:2]},
        {"operator_quorum": 2},
        {"max_lifetime_ns": GENESIS.max_lifetime_ns + 1},
        {"reference_window_ns": GENESIS.reference_window_ns + 1},
        {"hold_max_lifetime_ns": GENESIS.hold_max_lifetime_ns + 1},
        {"hold_retention_ns": GENESIS.hold_retention_ns + 1},
        *({"caps": replace(GENESIS.caps, **{name: 7})} for name in Caps.__slots__),
        {"predecessor": predecessor},
        {"predecessor": replace(predecessor, tree_size=2)},
        {"predecessor": replace(predecessor, tree_root=b"q" * 32)},
        {"predecessor": replace(predecessor, state_digest=b"e" * 32)},
    ]
    made = [replace(GENESIS, **change) for change in changes]
    assert len({genesis.ledger_id for genesis in made} | {GENESIS.ledger_id}) == len(changes) + 1
    for genesis in made:
        assert Genesis.decode(genesis.encode()) == genesis


@pytest.mark.parametrize(
    "change",
    [
        {"origin": ""},
        {"origin": "a" * 64},
        {"origin": "Example"},
        {"origin": "a b"},
        {"operators": []},
        {"operators": [OPERATORS[0]] * 2},
        {"operators": [bytes(32)]},
        {"nodes": []},
        {"nodes": [NODES[0], NODES[0]]},
        {"nodes": [replace(NODES[0], ledger_key=OPERATORS[0])]},
        {"rules_version": 2},
    ],
)
def test_facts_that_no_genesis_has(change: dict[str, Any]) -> None:
    with pytest.raises(GenesisError):
        replace(GENESIS, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"random_bytes": b"r" * 31},
        {"operator_quorum": 0},
        {"operator_quorum": 4},
        {"operators": [b"k" * 31]},
        {"max_lifetime_ns": 3_600_000_000_001},
        {"hold_retention_ns": -1},
    ],
)
def test_values_that_do_not_fit(change: dict[str, Any]) -> None:
    with pytest.raises(FieldError):
        replace(GENESIS, **change)


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(FieldError):
        Caps(keys=0)
    with pytest.raises(FieldError):
        replace(NODES[0], raft_id=65_536)
    with pytest.raises(FieldError):
        Predecessor(LedgerId(bytes(32)), 0, bytes(32), bytes(32))


def test_the_state_that_a_genesis_makes() -> None:
    """The rows of sections 3, 4 and 10 digest to what the core says, without the specification."""
    ledger_id = GENESIS.ledger_id
    members = [
        (operator_principal(ledger_id, place), key, PrincipalType.OPERATOR, Scope.OPERATE)
        for place, key in enumerate(GENESIS.operators)
    ] + [
        (node_principal(ledger_id, node.raft_id), node.ledger_key, PrincipalType.NODE, Scope.NODE)
        for node in GENESIS.nodes
    ]
    zero, never = SequenceNumber(0), TimestampNs(0)
    rows: list[state_rows.Row] = [state_rows.LedgerRow(SequenceNumber(1), never)]
    for principal, key, principal_type, scope in members:
        rows.append(state_rows.PrincipalRow(principal, principal_type, zero))
        rows.append(
            state_rows.KeyRow(key, principal, scope, state_rows.KeyStatus.ACTIVE, zero, never, zero)
        )
    kernel = tallystick_core.Kernel(GENESIS.encode())
    assert state_rows.digest(ledger_id, rows) == kernel.state_digest()
    assert state_rows.digest(ledger_id, rows[::-1]) == kernel.state_digest()
