"""A campaign sees what it is there to see: each kind of fault, planted, is found."""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest

from tallystick_cluster.campaign.stores import Holding, compare
from tallystick_cluster.campaign.witness import Told, Witness, header_digest
from tallystick_ledger.codes import Code

A, B, C = (bytes([letter]) * 320 for letter in b"ABC")
TOLD = {A: Told(1, 100, b""), B: Told(2, 101, b"\x01" * 16), C: Told(3, 102, b"")}


def _witness() -> Witness:
    witness = Witness()
    for envelope, told in TOLD.items():
        witness.tell(envelope, told, witness.newest)
    return witness


def _holdings() -> list[Holding]:
    executed = {header_digest(envelope): [told] for envelope, told in TOLD.items()}
    return [
        Holding(raft_id, [b"x" * 32, b"y" * 32], deepcopy(executed), b"d" * 32)
        for raft_id in (1, 2, 3)
    ]


def test_what_fits_together_has_no_faults() -> None:
    witness = _witness()
    assert compare(_holdings(), witness) == []
    assert compare(_holdings(), witness, b"d" * 32) == []
    assert witness.contradictions == []
    assert witness.count == 3


def _lose(holding: Holding) -> None:
    del holding.executed[header_digest(B)]


def _double(holding: Holding) -> None:
    holding.executed[header_digest(B)] *= 2


def _double_untold(holding: Holding) -> None:
    holding.executed[b"u" * 32] = [Told(4, 103, b""), Told(5, 104, b"")]


def _move(holding: Holding) -> None:
    holding.executed[header_digest(A)] = [replace(TOLD[A], first_sequence=9)]


def _redate(holding: Holding) -> None:
    holding.executed[header_digest(A)] = [replace(TOLD[A], timestamp_ns=9)]


def _answer_otherwise(holding: Holding) -> None:
    holding.executed[header_digest(B)] = [replace(TOLD[B], results=b"")]


def _forget_an_entry(holding: Holding) -> None:
    holding.entries.pop()


def _change_state(holding: Holding) -> None:
    holding.state_digest = b"e" * 32


def _violate(holding: Holding) -> None:
    holding.violations = ["debits are not credits"]


@pytest.mark.parametrize("raft_id", [1, 2, 3])
@pytest.mark.parametrize(
    "damage",
    [
        _lose,
        _double,
        _double_untold,
        _move,
        _redate,
        _answer_otherwise,
        _forget_an_entry,
        _change_state,
        _violate,
    ],
)
def test_damage_on_one_node_is_found(damage: Callable[[Holding], None], raft_id: int) -> None:
    holdings = _holdings()
    damage(holdings[raft_id - 1])
    faults = compare(holdings, _witness())
    assert faults
    if raft_id != 1:  # what the first node has is what the others are compared with
        assert all(fault.startswith(f"node {raft_id}: ") for fault in faults)


def test_a_digest_that_running_nodes_told_counts() -> None:
    assert len(compare(_holdings(), _witness(), b"e" * 32)) == 3


@pytest.mark.parametrize(
    "again",
    [
        replace(TOLD[A], first_sequence=4),
        replace(TOLD[A], timestamp_ns=4),
        replace(TOLD[A], results=b"\x01" * 16),
    ],
)
def test_two_outcomes_for_one_envelope_are_noticed(again: Told) -> None:
    witness = _witness()
    witness.tell(A, TOLD[A], 0)
    assert (witness.contradictions, witness.repeats) == ([], 1)
    witness.tell(A, again, 0)
    assert len(witness.contradictions) == 1
    assert witness.count == 3


def test_a_refusal_after_an_acknowledgement_is_noticed() -> None:
    witness = _witness()
    witness.refuse(b"never ordered" * 20, Code.TOO_LATE)
    assert witness.contradictions == []
    witness.refuse(A, Code.TOO_LATE)
    assert len(witness.contradictions) == 1
    assert witness.refused == {"TOO_LATE": 2}


def test_an_order_that_contradicts_events_is_noticed() -> None:
    witness = _witness()
    witness.tell(b"D" * 320, Told(4, 103, b""), sent_after=3)
    assert witness.contradictions == []
    witness.tell(b"E" * 320, Told(5, 104, b""), sent_after=5)
    assert len(witness.contradictions) == 1


async def test_who_waits_for_a_count_is_woken_at_it() -> None:
    witness = Witness()
    waiting = [asyncio.create_task(witness.until(count)) for count in (3, 1, 2)]
    await witness.until(0)
    woken = []
    for envelope, told in TOLD.items():
        witness.tell(envelope, told, 0)
        for _ in range(3):
            await asyncio.sleep(0)
        woken.append([task.done() for task in waiting])
    assert woken == [[False, True, False], [False, True, True], [True, True, True]]
