"""Replicas against lying leaders, forgotten promises, forged senders and wrong clocks."""

import json
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from grpc import aio
from tests.node.replica_tools import Cluster, Node, force_propose

from tallystick_cluster import pki
from tallystick_node import replica as replica_module
from tallystick_node.errors import NotInitialisedError, RefusedByPeerError, WrongStoreError
from tallystick_node.failure import ExitCode
from tallystick_node.identity import NodeIdentity, initialise
from tallystick_node.peer_wire import BULK, CONTROL, REFUSAL_KEY, SERVICE, Hello
from tallystick_node.replica import Role

SIGNATURE_AT = 64 + 192
RECORD_AT = 64 + 256
TIMESTAMP_AT = 8
SEQUENCE_AT = 16


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    await made.stop()


def tampered(block: bytes, at: int) -> bytes:
    changed = bytearray(block)
    changed[at] ^= 1
    return bytes(changed)


# -- a lying leader --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "code"),
    [(SIGNATURE_AT, 4), (RECORD_AT + 120, 3), (SEQUENCE_AT, 1), (0, 1)],
    ids=["signature", "record", "sequence number", "magic"],
)
async def test_a_forged_block_commits_nothing(cluster: Cluster, at: int, code: int) -> None:
    await cluster.start()
    blocks = await cluster.commit(2)
    liar = await cluster.leader()
    forged = tampered(cluster.block(liar.running.tip)[0], at)
    force_propose(liar, forged)
    honest = [node for node in cluster.up if node is not liar]
    await cluster.until(
        lambda: all(node.count("tallystick_alarms_total", "bad_block") >= 1 for node in honest),
        "alarms",
    )
    # Its heartbeats are ignored, too: the others elect one of theirs, who goes on.
    await cluster.other_leader(liar)
    blocks += await cluster.commit(2)
    await cluster.until_all_have(blocks)
    assert forged not in [entry.payload for node in cluster.up for entry in node.committed]
    for node in honest:
        await _check_evidence(cluster, node, liar, forged, code)


async def _check_evidence(
    cluster: Cluster, node: Node, liar: Node, forged: bytes, code: int
) -> None:
    folder = node.directory / "evidence"
    await cluster.until(lambda: any(folder.glob("*.json")), "evidence")
    described = json.loads(min(folder.glob("*.json")).read_text())
    assert described["leader"] == liar.raft_id
    assert described["code"] == code
    assert (folder / described["block"]).read_bytes() == forged


async def test_good_blocks_behind_a_forged_one_do_not_commit_either(cluster: Cluster) -> None:
    await cluster.start()
    blocks = await cluster.commit(1)
    liar = await cluster.leader()
    tip = liar.running.tip
    block, after = cluster.block(tip)
    force_propose(liar, tampered(block, SIGNATURE_AT))
    good, _ = cluster.block(after)
    force_propose(liar, good)
    honest = [node for node in cluster.up if node is not liar]
    await cluster.until(
        lambda: all(node.count("tallystick_alarms_total", "bad_block") >= 1 for node in honest)
    )
    await cluster.other_leader(liar)
    blocks += await cluster.commit(1)
    await cluster.until_all_have(blocks)
    assert good not in blocks


# -- clocks ----------------------------------------------------------------------------------------


async def test_a_block_from_the_future_waits_until_another_leads(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_module, "STALLED_LEADER_S", 1.0)
    monkeypatch.setattr(replica_module, "NO_CAMPAIGN_S", 5.0)
    await cluster.start()
    blocks = await cluster.commit(1)
    fast = await cluster.leader()
    early, after = cluster.block(fast.running.tip, now_ns=time.time_ns() + 30_000_000_000)
    fast.running.propose(early, after)
    await cluster.until(lambda: fast.count("tallystick_alarms_total", "stalled_leader") == 1)
    assert fast.running.role is Role.FOLLOWER
    await cluster.other_leader(fast)
    others = [node for node in cluster.up if node is not fast]
    assert all(
        node.count("tallystick_alarms_total", "block_from_the_future") >= 1 for node in others
    )
    blocks += await cluster.commit(2)
    await cluster.until_all_have(blocks)
    assert early not in blocks


async def test_a_follower_with_a_slow_clock_still_learns_what_is_committed(
    cluster: Cluster,
) -> None:
    await cluster.start()
    await cluster.leader()
    slow = cluster.followers()[0]
    slow.clock_skew_ns = -3_600_000_000_000
    blocks = await cluster.commit(3)
    await cluster.until_all_have(blocks)


# -- nodes that forgot -----------------------------------------------------------------------------


async def test_an_emptied_store_does_not_start(cluster: Cluster) -> None:
    await cluster.start()
    blocks = await cluster.commit(2)
    victim = cluster.followers()[0]
    await victim.stop()
    for path in (victim.directory / "db" / "rocks").iterdir():
        path.unlink()
    with pytest.raises(NotInitialisedError, match="new id"):
        await victim.start()
    blocks += await cluster.commit(1)
    await cluster.until_all_have(blocks)


async def test_a_node_made_anew_under_its_old_id_is_refused(cluster: Cluster) -> None:
    await cluster.start()
    blocks = await cluster.commit(2)
    await cluster.until_all_have(blocks)
    forgetful = cluster.followers()[0]
    await forgetful.stop()
    cluster.wipe(forgetful.raft_id)
    initialise(forgetful.directory, cluster.genesis.encode(), forgetful.raft_id)
    await forgetful.start()
    await cluster.until(lambda: bool(forgetful.ended), "its end")
    part, error, code = forgetful.ended[0]
    assert (part, code) == ("peers", ExitCode.REFUSED)
    assert isinstance(error, RefusedByPeerError)
    assert "forgotten" in str(error)
    blocks += await cluster.commit(2)
    await cluster.until_all_have(blocks)
    # It learnt nothing, acknowledged nothing and voted for nobody.
    assert forgetful.committed == []
    assert forgetful.running.last_index == 0
    assert forgetful.running.term == 0
    assert forgetful.store is not None
    assert forgetful.store.sync_count == 0


async def test_two_remaining_nodes_need_no_word_of_the_one_that_forgot(cluster: Cluster) -> None:
    """With the leader gone, its vote would make a majority: it must not be taken."""
    await cluster.start()
    blocks = await cluster.commit(2)
    await cluster.until_all_have(blocks)
    leader = await cluster.leader()
    forgetful, last = cluster.followers()
    await leader.stop()
    await forgetful.stop()
    cluster.wipe(forgetful.raft_id)
    initialise(forgetful.directory, cluster.genesis.encode(), forgetful.raft_id)
    await forgetful.start()
    await cluster.until(lambda: bool(forgetful.ended), "its end")
    await cluster.until(lambda: last.running.role is Role.PRE_CANDIDATE, "a pre-vote in vain")
    assert last.running.role is not Role.LEADER
    assert last.blocks == blocks
    await leader.start()
    blocks += await cluster.commit(1)


async def test_keys_of_another_node_do_not_start(cluster: Cluster) -> None:
    with pytest.raises(WrongStoreError, match="not those of node 2"):
        NodeIdentity.load(cluster.directory / "node-1", 2)


# -- the peer port ---------------------------------------------------------------------------------


def _channel(target: Node, credentials: pki.NodeCredentials | None, ca_pem: bytes) -> aio.Channel:
    return aio.secure_channel(
        target.cluster.addresses[target.raft_id].peer,
        grpc.ssl_channel_credentials(
            ca_pem,
            credentials.key_pem if credentials else None,
            credentials.certificate_pem if credentials else None,
        ),
        options=(("grpc.ssl_target_name_override", f"node-{target.raft_id}"),),
    )


async def _send(
    target: Node,
    frames: list[bytes],
    *,
    credentials: pki.NodeCredentials | None,
    hello: Hello | None,
    lane: str = BULK,
) -> aio.AioRpcError:
    """Open a stream with these credentials, send frames, return how it ended."""
    async with _channel(target, credentials, target.cluster.ca.certificate_pem) as channel:
        call: aio.StreamUnaryCall[bytes, bytes] = channel.stream_unary(f"/{SERVICE}/{lane}")(
            metadata=hello.metadata() if hello else ()
        )
        try:
            for frame in frames:
                await call.write(frame)
            await call
        except aio.AioRpcError as error:
            return error
        raise AssertionError("the stream was taken")


def _credentials(cluster: Cluster, raft_id: int) -> pki.NodeCredentials:
    return pki.read_node_credentials(cluster.directory / f"node-{raft_id}" / "identity")


def _hello(cluster: Cluster, raft_id: int) -> Hello:
    identity = NodeIdentity.load(cluster.directory / f"node-{raft_id}", raft_id)
    return Hello(identity.ledger_id, raft_id, identity.incarnation)


def _refusal(error: aio.AioRpcError) -> object:
    return dict(error.trailing_metadata() or ()).get(REFUSAL_KEY)


def heartbeat(sender: int, to: int, term: int) -> bytes:
    """A well-formed heartbeat frame (layout: core/src/raft/frame.rs)."""
    words = (sender, to, term, 0, 0, 0, 0, 0)
    return b"TSR1" + bytes((8,)) + bytes(11) + b"".join(w.to_bytes(8, "little") for w in words)


async def test_a_frame_in_anothers_name_is_refused(cluster: Cluster) -> None:
    for raft_id in (1, 2):
        await cluster.nodes[raft_id].start()
    leader = await cluster.leader()
    target = next(node for node in cluster.up if node is not leader)
    term = target.running.term
    error = await _send(
        target,
        [heartbeat(leader.raft_id, target.raft_id, term + 5)],
        credentials=_credentials(cluster, 3),
        hello=_hello(cluster, 3),
    )
    assert _refusal(error) == "bad_frame"
    assert target.refused("forged") == 1
    assert target.running.term == term
    await cluster.commit(1)


async def test_a_node_whose_stream_was_taken_over_dials_again(cluster: Cluster) -> None:
    """Somebody else with its key ends its streams, and would leave it writing to nobody."""
    await cluster.start()
    blocks = await cluster.commit(1)
    leader = await cluster.leader()
    for target in cluster.followers():
        for lane in (BULK, CONTROL):
            error = await _send(
                target,
                [b"noise"],
                credentials=_credentials(cluster, leader.raft_id),
                hello=_hello(cluster, leader.raft_id),
                lane=lane,
            )
            assert _refusal(error) == "bad_frame"
    blocks += await cluster.commit(2)
    await cluster.until_all_have(blocks)


async def test_random_bytes_from_an_authenticated_peer_change_nothing(cluster: Cluster) -> None:
    for raft_id in (1, 2):
        await cluster.nodes[raft_id].start()
    await cluster.commit(1)
    target = cluster.followers()[0]
    for size in (0, 1, 79, 80, 5000, 1_000_000):
        error = await _send(
            target,
            [os.urandom(size)],
            credentials=_credentials(cluster, 3),
            hello=_hello(cluster, 3),
        )
        assert _refusal(error) == "bad_frame"
    await cluster.commit(1)


async def test_a_frame_above_the_limit_is_refused(cluster: Cluster) -> None:
    for raft_id in (1, 2):
        await cluster.nodes[raft_id].start()
    await cluster.commit(1)
    target = cluster.followers()[0]
    error = await _send(
        target,
        [bytes(5_000_000)],
        credentials=_credentials(cluster, 3),
        hello=_hello(cluster, 3),
    )
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    await cluster.commit(1)


async def test_random_bytes_to_the_port_change_nothing(cluster: Cluster) -> None:
    await cluster.start()
    await cluster.commit(1)
    for node in cluster.up:
        host, _, port = cluster.addresses[node.raft_id].peer.rpartition(":")
        for size in (1, 100, 100_000):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(os.urandom(size))
    await cluster.commit(2)


async def test_who_is_not_in_the_genesis_is_refused(cluster: Cluster) -> None:
    """A stolen authority can sign a certificate, but not change the genesis."""
    node = cluster.nodes[1]
    await node.start()
    stranger = pki.issue_node_certificate(cluster.ca, 3, now_ns=time.time_ns())
    error = await _send(node, [], credentials=stranger, hello=_hello(cluster, 3))
    assert _refusal(error) == "unknown_peer"


async def test_who_has_no_certificate_or_another_authoritys_is_refused(cluster: Cluster) -> None:
    node = cluster.nodes[1]
    await node.start()
    other_ca = pki.make_ca(now_ns=time.time_ns())
    foreign = pki.issue_node_certificate(other_ca, 3, now_ns=time.time_ns())
    for credentials in (None, foreign):
        error = await _send(node, [], credentials=credentials, hello=_hello(cluster, 3))
        assert error.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"ledger_id": b"x" * 32}, "wrong_ledger"),
        ({"raft_id": 2}, "wrong_node"),
        (None, "wrong_node"),
    ],
)
async def test_who_says_something_wrong_is_refused(
    cluster: Cluster, change: dict[str, bytes | int] | None, refusal: str
) -> None:
    node = cluster.nodes[1]
    await node.start()
    true = _hello(cluster, 3)
    said = None
    if change is not None:
        said = Hello(
            change.get("ledger_id", true.ledger_id),  # type: ignore[arg-type]
            change.get("raft_id", true.raft_id),  # type: ignore[arg-type]
            true.incarnation,
        )
    error = await _send(node, [], credentials=_credentials(cluster, 3), hello=said)
    assert _refusal(error) == refusal
