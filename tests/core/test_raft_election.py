"""Elections: votes, PreVote, CheckQuorum, leadership transfer."""

import pytest
from tallystick_core import (
    NotLeader,
    ProposalDropped,
    RaftCore,
    RaftFrameError,
    RaftMessageType,
    RaftRole,
)
from tests.core.raft_sim import ELECTION_TICK, Cluster, Packet


def kind(packet: Packet) -> RaftMessageType:
    return RaftCore.peek(packet.frame).msg_type


def test_a_cluster_elects_one_leader_by_itself() -> None:
    cluster = Cluster()
    cluster.tick(times=2 * ELECTION_TICK)
    leader = cluster.leader()
    assert leader is not None
    assert {node.leader for node in cluster.running()} == {leader.id}
    assert [node.status.commit for node in cluster.running()] == [1, 1, 1]


def test_the_same_seed_gives_the_same_leader_and_another_may_not() -> None:
    def first_leader(seed: int) -> tuple[int, int]:
        cluster = Cluster(seed=seed)
        for tick in range(4 * ELECTION_TICK):
            cluster.tick()
            leader = cluster.leader()
            if leader is not None:
                return tick, leader.id
        raise AssertionError("no leader")

    outcomes = [first_leader(seed) for seed in range(8)]
    assert outcomes == [first_leader(seed) for seed in range(8)]
    assert len(set(outcomes)) > 1


def test_the_vote_request_waits_for_the_disk() -> None:
    cluster = Cluster()
    cluster.slow_disks = {1}
    node = cluster[1]
    node.core.campaign()
    cluster.pump(1)
    assert cluster.packets == []
    cluster.flush(1)
    assert {kind(packet) for packet in cluster.packets} == {RaftMessageType.REQUEST_PRE_VOTE}
    cluster.settle()
    assert node.role == RaftRole.CANDIDATE
    assert node.disk.term == 0  # a candidate in memory only, and nobody knows
    cluster.flush(1)
    assert (node.disk.term, node.disk.vote) == (1, 1)
    cluster.settle()
    assert node.role == RaftRole.LEADER


def test_a_vote_survives_a_restart() -> None:
    cluster = Cluster()
    cluster[1].core.campaign()
    cluster.pump(1)
    cluster.settle(keep=lambda packet: kind(packet) == RaftMessageType.REQUEST_VOTE_RESPONSE)
    assert cluster[2].disk.vote == 1
    cluster.packets.clear()  # node 1 never learns that it was elected
    for member in (1, 2, 3):
        cluster.crash(member)
        cluster.restart(member)
    assert [cluster[member].status.vote for member in (1, 2, 3)] == [1, 1, 1]
    assert [cluster[member].status.term for member in (1, 2, 3)] == [1, 1, 1]
    # Whoever asks for the same term again is refused: only a new term can be won.
    rival = RaftCore(
        3,
        [1, 2, 3],
        term=0,
        vote=0,
        commit=0,
        applied=0,
        term_runs=[],
        last_index=0,
        tail=[],
        election_tick=ELECTION_TICK,
        heartbeat_tick=2,
        max_inflight_msgs=8,
        max_size_per_msg=1 << 20,
        max_uncommitted_bytes=1 << 20,
    )
    requests = steal_campaign(rival, voter=2)
    for frame in requests:
        cluster[2].core.step(3, frame)
    cluster.pump(2)
    answers = [packet for packet in cluster.packets if packet.to == 3]
    assert [RaftCore.peek(packet.frame).reject for packet in answers] == [True]
    assert cluster[2].status.vote == 1


def steal_campaign(core: RaftCore, voter: int) -> list[bytes]:
    """Drives a core on its own through pre-vote, and returns its real vote request."""
    frames: list[tuple[int, bytes]] = []

    def drain() -> None:
        while (ready := core.ready()) is not None:
            core.on_persist(ready.number)
            frames.extend((to, frame) for to, _, frame in ready.messages_after_persist)

    core.campaign()
    drain()
    granted = bytearray(dict(frames)[voter])
    granted[4] = int(RaftMessageType.REQUEST_PRE_VOTE_RESPONSE)
    granted[16:24], granted[24:32] = granted[24:32], granted[16:24]
    granted[40:80] = bytes(40)
    frames.clear()
    core.step(voter, bytes(granted))
    drain()
    return [frame for to, frame in frames if to == voter]


def test_a_vote_is_kept_when_a_candidate_steps_down_in_its_term() -> None:
    """Two leaders in one term, if the vote were cleared on the way back to follower.

    Nodes 1 and 3 campaign in the same term; 2 votes for 1, which becomes leader. 3 hears of it and
    follows in the same term. Should 3's late vote request for that term, or another node's, find
    anybody who forgot its vote, a second leader could be elected.
    """
    cluster = Cluster()
    for member in (1, 3):
        cluster[member].core.campaign()
        cluster.pump(member)
    late: list[Packet] = []

    def hold(packet: Packet) -> bool:
        request = kind(packet) == RaftMessageType.REQUEST_VOTE
        return request and packet.sender == 3

    cluster.settle(keep=hold)
    late = cluster.packets
    cluster.packets = []
    assert cluster[1].role == RaftRole.LEADER
    assert (cluster[3].role, cluster[3].leader) == (RaftRole.FOLLOWER, 1)
    assert (cluster[3].status.term, cluster[3].status.vote) == (1, 3)
    assert (cluster[3].disk.term, cluster[3].disk.vote) == (1, 3)
    for packet in late:
        cluster.deliver(packet)
    cluster.settle()
    assert cluster[1].role == RaftRole.LEADER
    assert [cluster[member].status.vote for member in (1, 2, 3)] == [1, 1, 3]
    # A restart in between does not help either.
    cluster.crash(3)
    cluster.restart(3)
    assert cluster[3].status.vote == 3


def test_a_pre_candidate_that_falls_back_keeps_its_vote() -> None:
    cluster = Cluster()
    cluster.elect(1)
    voted = [cluster[member].status.vote for member in (2, 3)]
    assert voted == [1, 1]
    cluster.cut(2)
    cluster[2].core.campaign()  # a pre-vote that nobody hears
    cluster.pump(2)
    cluster.settle()
    assert cluster[2].role == RaftRole.PRE_CANDIDATE
    cluster.heal()
    cluster.tick(1, times=3)
    assert (cluster[2].role, cluster[2].leader) == (RaftRole.FOLLOWER, 1)
    assert (cluster[2].status.term, cluster[2].status.vote) == (1, 1)


def test_a_node_back_from_a_partition_does_not_disturb() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.cut(3)
    cluster.tick(times=20 * ELECTION_TICK)
    assert cluster[3].role == RaftRole.PRE_CANDIDATE
    assert cluster[3].status.term == 1  # terms rise by real elections only
    cluster.propose(1, b"meanwhile")
    cluster.heal()
    cluster.tick(times=2 * ELECTION_TICK)
    assert cluster[1].role == RaftRole.LEADER
    assert [node.status.term for node in cluster.running()] == [1, 1, 1]
    assert cluster.payloads(3) == [b"meanwhile"]


def test_a_leader_without_a_majority_steps_down() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.cut(1)
    ticks = 0
    while cluster[1].role == RaftRole.LEADER:
        cluster.tick(1)
        ticks += 1
    assert ticks <= 2 * ELECTION_TICK
    assert (cluster[1].role, cluster[1].leader) == (RaftRole.FOLLOWER, 0)
    with pytest.raises(NotLeader) as refusal:
        cluster[1].core.propose(b"too late")
    assert refusal.value.leader == 0
    cluster.tick(2, 3, times=8 * ELECTION_TICK)
    leader = cluster.leader()
    assert leader is not None
    assert leader.id in (2, 3)


def test_a_leader_that_steps_down_keeps_its_term_and_vote_and_others_take_over() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster[2].core.step_down()  # not a leader: nothing happens
    cluster[1].core.allow_campaigns(allowed=False)
    cluster[1].core.step_down()
    cluster.pump(1)
    cluster.settle()
    status = cluster[1].status
    assert (status.role, status.term, status.vote) == (RaftRole.FOLLOWER, 1, 1)
    assert (cluster[2].leader, cluster[2].role) == (1, RaftRole.FOLLOWER)
    cluster.tick(times=6 * ELECTION_TICK)
    leader = cluster.leader()
    assert leader is not None
    assert leader.id != 1
    cluster.propose(leader.id, b"goes on")
    assert cluster.payloads(1) == [b"goes on"]


def test_a_node_that_must_not_campaign_still_votes() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.crash(1)
    cluster[2].core.allow_campaigns(allowed=False)
    cluster.tick(2, times=10 * ELECTION_TICK)
    cluster[2].core.campaign()
    assert cluster[2].status.role == RaftRole.FOLLOWER
    cluster.tick(times=6 * ELECTION_TICK)
    assert cluster[3].role == RaftRole.LEADER
    assert cluster[2].status.vote == 3
    cluster[3].core.transfer_leader(2)
    cluster.pump(3)
    cluster.settle()
    assert cluster[2].role == RaftRole.FOLLOWER
    cluster[2].core.allow_campaigns(allowed=True)
    cluster[3].core.step_down()
    cluster[2].core.campaign()
    cluster.pump(2)
    cluster.pump(3)
    cluster.settle()
    assert cluster[2].role == RaftRole.LEADER


def test_leadership_is_handed_over_and_proposals_wait() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.propose(1, b"before")
    cluster[1].core.transfer_leader(3)
    assert cluster[1].status.transferring_to == 3
    with pytest.raises(ProposalDropped, match="transferred"):
        cluster[1].core.propose(b"not now")
    cluster.pump(1)
    cluster.settle()
    assert cluster[3].role == RaftRole.LEADER
    assert cluster[1].leader == 3
    cluster.propose(3, b"after")
    assert cluster.payloads(1) == [b"before", b"after"]


def test_a_transfer_to_a_dead_node_is_given_up() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.crash(3)
    cluster[1].core.transfer_leader(3)
    cluster.pump(1)
    cluster.tick(1, 2, times=2 * ELECTION_TICK)
    assert cluster[1].status.transferring_to == 0
    cluster.propose(1, b"goes on")
    assert cluster.payloads(2) == [b"goes on"]


def test_only_a_leader_transfers_and_only_to_another_voter() -> None:
    cluster = Cluster()
    with pytest.raises(NotLeader):
        cluster[1].core.transfer_leader(2)
    cluster.elect(1)
    for wrong in (0, 1, 9):
        with pytest.raises(ValueError, match="another voter"):
            cluster[1].core.transfer_leader(wrong)
    with pytest.raises(NotLeader) as refusal:
        cluster[2].core.transfer_leader(3)
    assert refusal.value.leader == 1


def test_the_election_timeout_can_be_set_within_its_range() -> None:
    cluster = Cluster()
    core = cluster[1].core
    for wrong in (0, ELECTION_TICK - 1, 2 * ELECTION_TICK, 10**9):
        with pytest.raises(ValueError, match="ticks outside"):
            core.set_randomized_election_timeout(wrong)
    core.set_randomized_election_timeout(ELECTION_TICK + 2)
    for _ in range(ELECTION_TICK + 1):
        core.tick()
    assert core.status().role == RaftRole.FOLLOWER
    core.tick()
    assert core.status().role == RaftRole.PRE_CANDIDATE


def test_a_second_leader_in_a_term_is_evidence() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.tick(1, times=2, settle=False)
    beat = bytearray(next(packet.frame for packet in cluster.packets if packet.to == 2))
    beat[16:24] = (3).to_bytes(8, "little")
    with pytest.raises(RaftFrameError) as refusal:
        cluster[2].core.step(3, bytes(beat))
    assert refusal.value.reason == "two_leaders"
    assert cluster[2].status.leader == 1
