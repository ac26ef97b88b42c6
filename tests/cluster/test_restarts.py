"""Starts from whole, old, damaged and emptied directories: the right state, or no start at all.

What the store itself refuses is tested byte by byte in tests/node; here it is a process with peers.
"""

import asyncio
import shutil
from pathlib import Path

import pytest
from tests.cluster.nodes import CALL_TIMEOUT_S, Nodes, forget

from tallystick import Signer
from tallystick.errors import ConnectionFailed
from tallystick_cluster.campaign.stores import open_store
from tallystick_cluster.campaign.witness import Witness
from tallystick_cluster.traffic import Party, Traffic, setup_traffic
from tallystick_ledger.block import Block
from tallystick_ledger.ids import EnvelopeId
from tallystick_node.failure import ExitCode
from tallystick_node.identity import DATABASE_DIRECTORY, initialise
from tallystick_node.storage.database import Database, new_batch
from tallystick_node.storage.mark import MARK_FILE
from tallystick_node.storage.rows import index_key

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

LOAD = 300


def _load(nodes: Nodes, traffic: Traffic, witness: Witness, seed: int = 1) -> None:
    asyncio.run(nodes.acknowledge(traffic, witness, LOAD, seed=seed))


def _checkpoints(nodes: Nodes, raft_id: int) -> list[Path]:
    """Files of a node's checkpoints, newest first."""
    directory = nodes.directory(raft_id) / DATABASE_DIRECTORY / "checkpoints"
    return sorted(directory.glob("*.checkpoint"), reverse=True)


def _flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _replayed(nodes: Nodes, raft_id: int) -> tuple[int, int]:
    """(index of the checkpoint that the node started from, entries that it replayed)."""
    (loaded,) = nodes.events(raft_id, "checkpoint loaded")
    return loaded["index"], loaded["replays"]


def test_after_a_stop_in_good_order_nothing_is_replayed(nodes: Nodes) -> None:
    traffic, witness = setup_traffic(nodes.layout), Witness()
    _load(nodes, traffic, witness)
    digest = nodes.settled()
    nodes.stop()
    nodes.start()
    nodes.ready()
    assert nodes.settled() == digest
    for raft_id in nodes.raft_ids:
        index, replays = _replayed(nodes, raft_id)
        assert index > 0
        # At most what Raft wrote for itself while leadership went from node to node.
        assert replays <= 3
    _load(nodes, traffic, witness, seed=2)
    assert nodes.faults(witness) == []


def test_killed_before_any_checkpoint_the_whole_log_is_replayed(nodes: Nodes) -> None:
    traffic, witness = setup_traffic(nodes.layout), Witness()
    _load(nodes, traffic, witness)
    digest = nodes.settled()
    reached = {raft_id: nodes.must_say(raft_id).applied_index for raft_id in nodes.raft_ids}
    nodes.kill()
    assert not any(_checkpoints(nodes, raft_id) for raft_id in nodes.raft_ids)
    nodes.start()
    nodes.ready()
    assert nodes.settled() == digest
    for raft_id in nodes.raft_ids:
        (found,) = nodes.events(raft_id, "no checkpoint")
        assert found["replays"] == reached[raft_id]
    assert nodes.faults(witness) == []


def test_damaged_checkpoints_are_passed_over(nodes: Nodes) -> None:
    traffic, witness = setup_traffic(nodes.layout), Witness()
    _load(nodes, traffic, witness, seed=1)
    nodes.settled()
    nodes.stop()
    nodes.start()
    nodes.ready()
    _load(nodes, traffic, witness, seed=2)
    digest = nodes.settled()
    nodes.stop()
    newest, older = _checkpoints(nodes, 1)
    _flip_a_bit(newest)
    nodes.start()
    nodes.ready()
    assert nodes.settled() == digest
    assert _passed_over(nodes, 1) == [newest]
    index, replays = _replayed(nodes, 1)
    assert index == int(older.stem)
    assert replays > 0
    assert _replayed(nodes, 2)[1] <= 3

    nodes.kill()
    _flip_a_bit(older)
    nodes.start()
    nodes.ready()
    assert nodes.settled() == digest
    assert _passed_over(nodes, 1) == [newest, older]
    assert nodes.events(1, "no checkpoint")
    assert nodes.faults(witness) == []


def _passed_over(nodes: Nodes, raft_id: int) -> list[Path]:
    found = nodes.events(raft_id, "damaged checkpoint passed over")
    return [Path(event["path"]) for event in found]


def _replace_payload(nodes: Nodes, raft_id: int, index: int) -> None:
    """Write another payload under an index, in such a way that RocksDB itself finds no fault."""
    directory = nodes.directory(raft_id) / DATABASE_DIRECTORY / "rocks"
    database = Database.open(directory)
    found: bytes | None = database.log.get(index_key(index))
    assert found
    payload = bytearray(found)
    payload[-1] ^= 1
    batch = new_batch()
    batch.put(index_key(index), bytes(payload), database.handles["log"])
    database.write(batch)
    database.sync()
    database.close()


def _goes_on_without(nodes: Nodes, raft_id: int, traffic: Traffic, witness: Witness) -> None:
    """The others settle more; the node that was refused acknowledges nothing."""
    others = [each for each in nodes.raft_ids if each != raft_id]
    leader = nodes.leader(*others)
    before = nodes.match_index(leader, raft_id)
    _load(nodes, traffic, witness, seed=9)
    leader = nodes.leader(*others)
    assert nodes.match_index(leader, raft_id) <= before
    assert not any(
        peer.connected for peer in nodes.must_say(leader).peers if peer.raft_id == raft_id
    )


def test_a_damaged_acknowledged_entry_is_named_and_refused(nodes: Nodes) -> None:
    traffic, witness = setup_traffic(nodes.layout), Witness()
    _load(nodes, traffic, witness)
    nodes.settled()
    nodes.kill()
    store = open_store(nodes.layout, 3)
    index = next(index for index, payload in store.payloads(10, 1_000) if payload)
    assert index <= store.commit_index
    store.close()
    _replace_payload(nodes, 3, index)
    nodes.start()
    assert nodes.exit_code(3) == ExitCode.REFUSED
    assert f"entry {index} of the log was written, but its payload" in nodes.log(3)
    _goes_on_without(nodes, 3, traffic, witness)


def test_a_damaged_entry_behind_a_checkpoint_stops_the_node_when_it_is_read(nodes: Nodes) -> None:
    """A start does not read it. Whoever asks for it gets no answer, and the node does not stay."""
    traffic, witness = setup_traffic(nodes.layout), Witness()
    _load(nodes, traffic, witness)
    nodes.settled()
    nodes.stop()
    store = open_store(nodes.layout, 3)
    index = next(index for index, payload in store.payloads(10, 1_000) if payload)
    payload = store.payload(index)
    store.close()
    assert payload
    _replace_payload(nodes, 3, index)
    nodes.start()
    nodes.ready()
    envelope = Block.parse(payload).envelopes[0].header
    with pytest.raises(ConnectionFailed):
        asyncio.run(_look_up(nodes, 3, traffic.party_of(envelope.signer), envelope.envelope_id))
    assert nodes.exit_code(3) == ExitCode.FATAL
    assert f"entry {index} of the log was written, but its payload" in nodes.log(3)
    _goes_on_without(nodes, 3, traffic, witness)


async def _look_up(nodes: Nodes, raft_id: int, party: Party, envelope_id: EnvelopeId) -> None:
    signer = Signer(party.key, party.principal)
    async with nodes.client(raft_id, signer) as client:
        await client.get_envelope(envelope_id, deadline_s=CALL_TIMEOUT_S)


def test_a_damaged_write_ahead_log_is_refused(nodes: Nodes) -> None:
    traffic, witness = setup_traffic(nodes.layout), Witness()
    _load(nodes, traffic, witness)
    nodes.settled()
    nodes.kill()
    wal = max(
        (nodes.directory(3) / DATABASE_DIRECTORY / "rocks").glob("*.log"),
        key=lambda path: path.stat().st_size,
    )
    _flip_a_bit(wal)
    nodes.start()
    assert nodes.exit_code(3) == ExitCode.REFUSED
    assert "is damaged" in nodes.log(3)
    _goes_on_without(nodes, 3, traffic, witness)


def test_an_emptied_directory_does_not_start_and_is_no_old_friend(nodes: Nodes) -> None:
    """Emptied more and more, at last made anew: each time the node does not come back."""
    traffic, witness = setup_traffic(nodes.layout), Witness()
    _load(nodes, traffic, witness)
    nodes.kill(3)
    directory = nodes.directory(3)
    mark = directory / DATABASE_DIRECTORY / MARK_FILE
    content = mark.read_bytes()
    mark.unlink()
    _is_refused(nodes, 3, f"{mark} is missing")
    mark.write_bytes(content)
    rocks = directory / DATABASE_DIRECTORY / "rocks"
    rocks.rename(directory / "elsewhere")
    _is_refused(nodes, 3, "has forgotten its vote and its log, and must join under a new id")
    (directory / "elsewhere").rename(rocks)
    shutil.rmtree(directory / DATABASE_DIRECTORY)
    _is_refused(nodes, 3, f"{mark} is missing")
    (directory / DATABASE_DIRECTORY).mkdir()
    forget(directory)
    _is_refused(nodes, 3, "has forgotten its vote and its log, and must join under a new id")
    initialise(directory, nodes.layout.genesis, 3)
    _is_refused(nodes, 3, "is known here with another incarnation")
    _goes_on_without(nodes, 3, traffic, witness)


def _is_refused(nodes: Nodes, raft_id: int, why: str) -> None:
    nodes.start(raft_id)
    assert nodes.exit_code(raft_id) == ExitCode.REFUSED
    assert why in nodes.log(raft_id)
    assert "Traceback" not in nodes.log(raft_id)


def test_a_node_made_anew_is_no_majority_with_one_other(nodes: Nodes) -> None:
    """With one node down, the one that forgot must not help to elect or to acknowledge."""
    traffic, witness = setup_traffic(nodes.layout), Witness()
    _load(nodes, traffic, witness)
    leader = nodes.leader()
    down, forgetful = (each for each in nodes.raft_ids if each != leader)
    nodes.settled()
    nodes.kill(down, forgetful)
    forget(nodes.directory(forgetful))
    initialise(nodes.directory(forgetful), nodes.layout.genesis, forgetful)
    committed = nodes.must_say(leader).commit_index
    nodes.start(forgetful)
    assert nodes.exit_code(forgetful) == ExitCode.REFUSED
    assert nodes.must_say(leader).commit_index == committed
    nodes.start(down)
    nodes.leader(leader, down)
    _load(nodes, traffic, witness, seed=2)
