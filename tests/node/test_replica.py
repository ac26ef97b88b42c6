"""Replicas over real TLS and real disks: elect, replicate, lose, restart, catch up, read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.node.replica_tools import NODES, Cluster

from tallystick_node.errors import NoQuorumError, NotLeaderError, ProposalRefusedError
from tallystick_node.replica import Role


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    await made.stop()


async def test_one_leader_is_elected_and_all_know_it(cluster: Cluster) -> None:
    await cluster.start()
    leader = await cluster.leader()
    assert [node.running.role for node in cluster.up].count(Role.LEADER) == 1
    assert {node.running.leader_id for node in cluster.up} == {leader.raft_id}
    assert "may propose" in leader.events
    await cluster.until(
        lambda: all(peer.connected for node in cluster.up for peer in node.running.status().peers)
    )


async def test_blocks_reach_all_nodes_and_their_disks(cluster: Cluster) -> None:
    await cluster.start()
    blocks = await cluster.commit(20)
    await cluster.until_all_have(blocks)
    leader = await cluster.leader()
    assert all(node.running.signatures_verified >= 20 for node in cluster.followers())
    # Each block was on two disks before the next was proposed; the third may take several at once.
    syncs = [node.store.sync_count for node in cluster.up if node.store is not None]
    assert len(syncs) == 3
    assert sum(syncs) >= 2 * 20
    assert min(syncs) >= 1
    tip = leader.running.tip
    assert tip.next_sequence == 21
    assert all(node.running.tip == tip for node in cluster.up)
    await cluster.stop()
    await cluster.start()
    assert all(node.blocks == blocks[: len(node.blocks)] for node in cluster.up)
    await cluster.until_all_have(blocks)


async def test_a_follower_refuses_to_propose(cluster: Cluster) -> None:
    await cluster.start()
    leader = await cluster.leader()
    follower = cluster.followers()[0]
    with pytest.raises(NotLeaderError) as caught:
        follower.running.propose(*cluster.block(follower.running.tip))
    assert caught.value.leader_id == leader.raft_id


async def test_a_leader_without_commits_refuses_more_than_it_may_hold(cluster: Cluster) -> None:
    await cluster.start()
    leader = await cluster.leader()
    accepted = 0

    def propose_for_ever() -> None:
        nonlocal accepted
        while True:  # never awaits, so nothing commits between two proposals
            leader.running.propose(*cluster.block(leader.running.tip, records=8000))
            accepted += 1

    with pytest.raises(ProposalRefusedError):
        propose_for_ever()
    assert 8 <= accepted <= 9
    assert leader.running.uncommitted_entries == accepted
    assert leader.running.uncommitted_bytes > 8_000_000
    await cluster.until(lambda: all(len(node.blocks) == accepted for node in cluster.up))
    assert leader.running.uncommitted_bytes == 0


async def test_a_new_leader_continues_the_chain_of_the_lost_one(cluster: Cluster) -> None:
    await cluster.start()
    blocks = await cluster.commit(5)
    lost = await cluster.leader()
    term = lost.running.term
    started_s = asyncio.get_running_loop().time()
    await lost.stop()
    leader = await cluster.leader()
    took_s = asyncio.get_running_loop().time() - started_s
    assert leader.raft_id != lost.raft_id
    assert leader.running.term > term
    # 1 to 2 election timeouts of 0.5 s, and a vote; generous for a busy machine.
    assert took_s < 10
    blocks += await cluster.commit(5)
    await lost.start()
    await cluster.until(lambda: lost.blocks == blocks)
    assert (await cluster.leader()).raft_id == leader.raft_id


async def test_a_returning_follower_is_fed_from_disk(cluster: Cluster) -> None:
    await cluster.start()
    blocks = await cluster.commit(3)
    late = cluster.followers()[0]
    await late.stop()
    blocks += await cluster.commit(30, records=50)
    # After a restart the leader's memory holds none of them.
    await cluster.stop()
    present = [node for node in cluster.nodes.values() if node is not late]
    for node in present:
        await node.start()
    blocks += await cluster.commit(1)
    leader = await cluster.leader()
    assert leader.running._consensus.status().cache_first > 30
    await late.start()
    await cluster.until(lambda: late.blocks == blocks, "the late follower")


async def test_no_majority_no_commit_and_no_read(cluster: Cluster) -> None:
    await cluster.start()
    blocks = await cluster.commit(2)
    leader = await cluster.leader()
    followers = cluster.followers()
    for node in followers:
        await node.stop()
    leader.running.propose(*cluster.block(leader.running.tip))
    with pytest.raises(NoQuorumError):
        await leader.running.read_index()
    assert leader.blocks == blocks
    await cluster.until(lambda: leader.running.role is not Role.LEADER, "check-quorum")
    assert "stepped down" in leader.events
    for node in followers:
        await node.start()
    await cluster.leader()
    await cluster.commit(1)


async def test_reads_see_all_that_was_committed_before(cluster: Cluster) -> None:
    await cluster.start()
    await cluster.commit(3)
    leader = await cluster.leader()
    committed = leader.running.status().commit_index
    for node in cluster.up:
        indexes = await asyncio.gather(*(node.running.read_index() for _ in range(50)))
        assert len(indexes) == 50
        assert min(indexes) >= committed


async def test_a_read_survives_the_loss_of_the_leader(cluster: Cluster) -> None:
    await cluster.start()
    await cluster.commit(3)
    lost = await cluster.leader()
    committed = lost.running.status().commit_index
    reader = cluster.followers()[0]
    stopping = asyncio.create_task(lost.stop())
    index = await reader.running.read_index()
    assert index >= committed
    await stopping


async def test_a_stopping_leader_hands_over(cluster: Cluster) -> None:
    await cluster.start()
    blocks = await cluster.commit(3)
    first = await cluster.leader()
    await cluster.until_all_have(blocks)
    term = first.running.term
    await first.running.hand_over()
    assert first.running.role is not Role.LEADER
    second = await cluster.leader()
    assert second.running.term == term + 1
    await second.stop(graceful=True)
    third = await cluster.leader()
    assert third.raft_id != second.raft_id
    blocks += await cluster.commit(2)


async def test_everybody_stops_at_once_and_nothing_is_lost(cluster: Cluster) -> None:
    await cluster.start()
    blocks = await cluster.commit(10)
    for _ in range(2):
        await asyncio.gather(*(node.stop() for node in cluster.nodes.values()))
        await cluster.start()
        blocks += await cluster.commit(3)
        await cluster.until_all_have(blocks)
    assert len({node.running.tip for node in cluster.up}) == 1
    assert len(cluster.up) == len(NODES)
