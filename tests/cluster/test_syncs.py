"""Nothing is acknowledged before a majority has synced it: as many syncs as acknowledged groups.

Under small traffic at most one block is uncommitted. So for each block there are two nodes that
synced after it was made and before the next one was, and no such sync can count for two blocks:
there are at least twice as many syncs as blocks. That what is counted are real ones is shown in
tests/faults, where they fail.
"""

import asyncio
import random

import pytest
from tests.cluster.nodes import Nodes

from tallystick_cluster.campaign.witness import Witness
from tallystick_cluster.traffic import setup_traffic
from tallystick_ledger.codes import Code

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

MAJORITY = 2
LONE_REQUESTS = 200


def _counts(nodes: Nodes) -> tuple[int, dict[int, int]]:
    """Entries committed so far, and the syncs of each node, of an idle cluster."""
    nodes.settled()
    statuses = {raft_id: nodes.must_say(raft_id) for raft_id in nodes.raft_ids}
    commit = max(status.commit_index for status in statuses.values())
    return commit, {raft_id: status.log_syncs for raft_id, status in statuses.items()}


def test_each_acknowledgement_of_a_lone_client_costs_a_sync_on_a_majority(nodes: Nodes) -> None:
    traffic, generator = setup_traffic(nodes.layout), random.Random(5)
    leader = nodes.leader()
    committed, before = _counts(nodes)
    for number in range(LONE_REQUESTS):
        answer = nodes.submit(leader, traffic.envelope(generator))
        assert int.from_bytes(answer.outcomes[:2], "little") == Code.OK, number
    committed_after, after = _counts(nodes)
    assert committed_after - committed == LONE_REQUESTS
    syncs = {raft_id: after[raft_id] - before[raft_id] for raft_id in nodes.raft_ids}
    print(f"{LONE_REQUESTS} lone requests, syncs by node: {syncs}")
    assert sum(syncs.values()) >= MAJORITY * LONE_REQUESTS


def test_each_group_under_load_costs_a_sync_on_a_majority(nodes: Nodes) -> None:
    traffic, witness = setup_traffic(nodes.layout), Witness()
    committed, before = _counts(nodes)
    asyncio.run(nodes.acknowledge(traffic, witness, 3_000, workers=48))
    committed_after, after = _counts(nodes)
    groups = committed_after - committed
    syncs = {raft_id: after[raft_id] - before[raft_id] for raft_id in nodes.raft_ids}
    print(f"{witness.count} acknowledged in {groups} groups, syncs by node: {syncs}")
    assert witness.count > groups  # there were groups at all
    assert sum(syncs.values()) >= MAJORITY * groups
    assert nodes.faults(witness) == []
