"""An idle ledger decides what is open, and then rests.

That an envelope was never accepted can be said only once log time has passed the moment until which
it could have been. While nobody submits, log time moves by the leader's TICKs alone.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.nodes import Nodes, nodes_in, until

from tallystick.reads import Presence
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import Envelope, seal
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.ids import (
    EnvelopeId,
    PrincipalId,
    TimestampNs,
    new_envelope_id,
    object_id,
    operator_principal,
)
from tallystick_ledger.keys import SigningKey, prove_possession
from tallystick_ledger.limits import MAX_ID_AHEAD_NS
from tallystick_ledger.records import Principal, PrincipalType

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

LIFETIME_NS = 3_000_000_000


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    """Three running nodes of a ledger whose envelopes live for three seconds at most."""
    with nodes_in(tmp_path, max_lifetime_ns=LIFETIME_NS) as made:
        made.start()
        made.ready()
        yield made


def _id_now() -> EnvelopeId:
    return new_envelope_id(time.time_ns() // 1_000_000, os.urandom(10))


def _registration(nodes: Nodes) -> bytes:
    """An operator's envelope that registers somebody, valid for as long as any may be."""
    genesis = Genesis.decode(nodes.layout.genesis)
    operator, envelope_id = operator_principal(genesis.ledger_id, 0), _id_now()
    key = SigningKey(os.urandom(32))
    principal = PrincipalId(object_id(genesis.ledger_id, operator, envelope_id, 0))
    possession = prove_possession(key, genesis.ledger_id, principal)
    record = Principal(PrincipalType.INDIVIDUAL, key.public_key, possession, principal).encode(b"")
    made_ns = (int.from_bytes(envelope_id, "little") >> 80) * 1_000_000
    valid_until_ns = TimestampNs(made_ns + LIFETIME_NS)
    return seal(nodes.layout.operator_key, genesis.ledger_id, envelope_id, valid_until_ns, record)


def _presence(nodes: Nodes, raft_id: int, envelope_id: EnvelopeId) -> Presence:
    """What a node says of an envelope of the operator's."""

    async def ask() -> Presence:
        async with nodes.client(raft_id, nodes.layout.operator_key) as client:
            return (await client.get_envelope(envelope_id)).presence

    return asyncio.run(ask())


def _submit(nodes: Nodes, leader: int) -> EnvelopeId:
    envelope = _registration(nodes)
    answer = nodes.submit(leader, envelope)
    assert int.from_bytes(answer.outcomes[:2], "little") == Code.OK
    return Envelope.parse(envelope).header.envelope_id


def _decided(nodes: Nodes, raft_id: int, envelope_id: EnvelopeId) -> None:
    """Wait until the node says NEVER of an id; it must not say so while it may still be ordered."""
    made_ns = (int.from_bytes(envelope_id, "little") >> 80) * 1_000_000

    def is_decided() -> bool:
        if _presence(nodes, raft_id, envelope_id) is not Presence.NEVER:
            return False
        assert time.time_ns() > made_ns + LIFETIME_NS
        return True

    until(is_decided, "NEVER", 30.0)


def test_after_the_last_envelope_an_id_that_was_never_sent_is_decided(nodes: Nodes) -> None:
    leader = nodes.leader()
    never_sent = _id_now()
    sent = _submit(nodes, leader)
    assert _presence(nodes, leader, never_sent) == Presence.NOT_YET
    _decided(nodes, leader, never_sent)
    for raft_id in nodes.raft_ids:
        assert _presence(nodes, raft_id, never_sent) == Presence.NEVER
        assert _presence(nodes, raft_id, sent) == Presence.FOUND


def test_a_new_leader_decides_what_its_predecessor_admitted(nodes: Nodes) -> None:
    first = nodes.leader()
    never_sent = _id_now()
    sent = _submit(nodes, first)
    nodes.kill(first)
    others = [raft_id for raft_id in nodes.raft_ids if raft_id != first]
    second = nodes.leader(*others)
    _decided(nodes, second, never_sent)
    assert _presence(nodes, second, sent) == Presence.FOUND


def test_a_new_leader_decides_although_its_predecessor_left_no_trace(nodes: Nodes) -> None:
    """What was lost with a leader may have been the first envelope for a long time."""
    first = nodes.leader()
    lost = _id_now()
    nodes.kill(first)
    second = nodes.leader(*[raft_id for raft_id in nodes.raft_ids if raft_id != first])
    assert _presence(nodes, second, lost) == Presence.NOT_YET
    _decided(nodes, second, lost)


def test_an_idle_ledger_with_nothing_open_rests(nodes: Nodes) -> None:
    leader = nodes.leader()
    never_sent = _id_now()
    _submit(nodes, leader)
    _decided(nodes, leader, never_sent)
    # A leader ticks once more for what its predecessors may have admitted.
    longest_open_s = (LIFETIME_NS + MAX_ID_AHEAD_NS) / 1e9 + 2
    ends = until(lambda: _unchanged_for(nodes, leader, longest_open_s), "rest", 90.0)
    assert ends == nodes.must_say(leader).last_index


def _unchanged_for(nodes: Nodes, leader: int, seconds: float) -> int:
    """The log's end if nothing is added to it for that long, else 0. Silence has no event."""
    before = nodes.must_say(leader).last_index
    deadline_s = time.monotonic() + seconds
    while time.monotonic() < deadline_s:
        if nodes.must_say(leader).last_index != before:
            return 0
        time.sleep(0.2)
    return before


def test_a_frozen_follower_does_not_keep_ids_open(nodes: Nodes) -> None:
    leader = nodes.leader()
    follower = next(raft_id for raft_id in nodes.raft_ids if raft_id != leader)
    nodes.signal(follower, signal.SIGSTOP)
    never_sent = _id_now()
    _submit(nodes, leader)
    _decided(nodes, leader, never_sent)
    nodes.signal(follower, signal.SIGCONT)
    _decided(nodes, follower, never_sent)
