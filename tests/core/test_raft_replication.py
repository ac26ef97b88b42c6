"""Replication: entries reach everybody, slow followers included, and limits hold."""

import sys

import pytest
from tallystick_core import (
    RAFT_FETCH_BYTES,
    RAFT_MAX_PAYLOAD_BYTES,
    NotLeader,
    PeerState,
    ProposalDropped,
    RaftCore,
    RaftMessageType,
)
from tests.core.raft_sim import Cluster, CoreOptions

MIB = 1 << 20


def payloads(count: int, size: int = 20) -> list[bytes]:
    return [bytes([i % 256]) * size for i in range(1, count + 1)]


def test_an_entry_is_committed_everywhere_with_the_place_propose_told() -> None:
    cluster = Cluster()
    cluster.elect(1)
    term, index = cluster.propose(1, b"payload")
    for node in cluster.running():
        assert node.committed[-1] == (index, term, b"payload")


def test_payload_objects_are_handed_through_and_not_copied() -> None:
    cluster = Cluster()
    cluster.elect(1)
    payload = b"x" * MIB
    cluster.propose(1, payload)
    leader, follower = cluster[1], cluster[2]
    assert leader.committed[-1].payload is payload
    assert leader.disk.log[-1].payload is payload
    assert follower.committed[-1].payload is follower.disk.log[-1].payload


def test_a_peeked_frame_shares_its_payloads_with_the_log() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.propose(1, b"y" * 1000, settle=False)
    packet = next(packet for packet in cluster.packets if packet.to == 2)
    info = RaftCore.peek(packet.frame)
    assert info.msg_type == RaftMessageType.APPEND
    assert (info.sender, info.to, info.term, info.index, info.log_term) == (1, 2, 1, 1, 1)
    assert info.entry_count == 1
    [(index, term, entry_type, payload)] = info.entries
    assert (index, term, entry_type, payload) == (2, 1, 0, b"y" * 1000)
    follower = cluster[2]
    follower.core.step(1, info)
    cluster.pump(2)
    assert follower.disk.log[-1].payload is payload


def test_a_rejected_frame_does_not_lend_its_payloads() -> None:
    """A frame with the right index and term, but another payload, must not replace the entry's."""
    cluster = Cluster()
    cluster.elect(1)
    cluster.propose(1, b"honest", settle=False)
    frame = next(packet.frame for packet in cluster.packets if packet.to == 2)
    cluster.slow_disks = {2}
    cluster[2].core.step(1, frame)
    forged = RaftCore.peek(frame.replace(b"honest", b"forged"))
    assert forged.entries[0][3] == b"forged"
    cluster[2].core.step(1, forged)  # same place: raft keeps what it has
    cluster.pump(2)
    cluster.flush(2)
    assert cluster[2].disk.log[-1].payload == b"honest"


def test_followers_acknowledge_only_what_is_on_disk() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.slow_disks = {2, 3}
    cluster.propose(1, b"payload")
    assert cluster.payloads(1) == []
    assert len(cluster[1].disk.log) == 2  # the leader's own disk is no majority
    cluster.flush(2)
    cluster.settle()
    assert cluster.payloads(1) == [b"payload"]


def test_the_leader_counts_itself_only_when_its_own_disk_is_done() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.slow_disks = {1}
    cluster.crash(3)
    cluster.propose(1, b"payload")
    assert len(cluster[2].disk.log) == 2  # replicated while the leader still writes
    assert cluster.payloads(1) == []
    cluster.flush(1)
    cluster.settle()
    assert cluster.payloads(1) == [b"payload"]


@pytest.mark.parametrize("size", [10, MIB])
def test_a_follower_behind_memory_is_fed_from_disk(size: int) -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.crash(3)
    sent = payloads(40, size)
    for payload in sent:
        cluster.propose(1, payload)
        cluster[1].core.trim(10**9)
    assert cluster[1].status.cache_first == cluster[1].status.last_index + 1
    cluster.restart(3)
    cluster.tick(times=4)
    assert cluster.payloads(3) == sent
    assert cluster.fetches, "nothing was read from disk"
    assert all(fetch[2] == RAFT_FETCH_BYTES for fetch in cluster.fetches)
    peer = cluster[1].status.peers[2]
    assert (peer.id, peer.matched, peer.state) == (3, 41, PeerState.REPLICATE)
    assert cluster[1].status.open_fetches == 0


def test_one_read_serves_all_who_wait_and_is_not_asked_twice() -> None:
    cluster = Cluster(5)
    cluster.elect(1)
    for member in (4, 5):
        cluster.crash(member)
        cluster[1].core.report_unreachable(member)
    for payload in payloads(20):
        cluster.propose(1, payload)
    cluster[1].save_state()
    cluster.restart(4)
    cluster.restart(5)
    cluster.fetching = False
    cluster.tick(times=10)
    for payload in payloads(5):
        cluster.propose(1, payload)
    assert [fetch[:2] for fetch in cluster.fetches] == [(2, 22)]
    assert cluster[1].status.open_fetches == 1
    cluster[1].core.fetched(2, [*cluster[1].disk.log[1:21]])
    cluster.pump(1)
    cluster.settle()
    cluster.tick(times=4)
    assert cluster.payloads(4) == cluster.payloads(5) == payloads(20) + payloads(5)
    assert len(cluster.fetches) == 1


def test_one_piece_from_disk_fills_the_window() -> None:
    cluster = Cluster(options=CoreOptions(max_size_per_msg=1, max_inflight_msgs=8))
    cluster.elect(1)
    cluster.crash(3)
    cluster[1].core.report_unreachable(3)
    for payload in payloads(30):
        cluster.propose(1, payload)
    cluster[1].save_state()
    cluster.restart(3)
    cluster.fetching = False
    cluster.tick(times=4)
    while cluster[1].status.peers[2].state != PeerState.REPLICATE:
        answer_from_disk(cluster)
        cluster.settle()
    answer_from_disk(cluster)
    appends = [packet for packet in cluster.packets if packet.to == 3]
    assert len(appends) == 8  # not one per read
    cluster.fetching = True
    cluster.settle()
    cluster.tick(times=4)
    assert cluster.payloads(3) == payloads(30)


def answer_from_disk(cluster: Cluster) -> None:
    """Answers the newest want of node 1."""
    low, high, *_ = cluster.fetches[-1]
    cluster[1].core.fetched(low, [*cluster[1].disk.log[low - 1 : high - 1]])
    cluster.pump(1)


def test_a_frame_that_does_not_fit_the_log_leaves_nothing_in_memory() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.cut(1, 2)
    for payload in (b"missed", b"ahead" * 100):
        cluster.propose(1, payload, settle=False)
    ahead = [packet.frame for packet in cluster.packets if packet.to == 2][-1]
    info = RaftCore.peek(ahead)
    payload = info.entries[0][3]
    assert payload == b"ahead" * 100
    held = sys.getrefcount(payload)
    cluster[2].core.step(1, info)
    assert cluster[2].status.last_index == 1
    assert sys.getrefcount(payload) == held


def test_a_failed_read_is_asked_again() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.crash(3)
    cluster.propose(1, b"one")
    cluster[1].save_state()
    cluster.restart(3)
    cluster.fetching = False
    cluster.tick(times=4)
    low = cluster.fetches[-1][0]
    asked = len(cluster.fetches)
    cluster[1].core.fetched(low, [])
    cluster.fetching = True
    cluster.tick(times=4)
    assert len(cluster.fetches) == asked + 1
    assert cluster.payloads(3) == [b"one"]


def test_damaged_history_is_not_sent() -> None:
    cluster = Cluster()
    cluster.elect(1)
    core = cluster[1].core
    cluster.propose(1, b"one")
    for wrong in ([(2, 9, b"")], [(3, 1, b"")], [(2, 1, b""), (4, 1, b"")], [(99, 1, b"")]):
        with pytest.raises(ValueError, match="is not the entry at"):
            core.fetched(2, wrong)
    too_much = [(1, 1, b"x" * RAFT_FETCH_BYTES), (2, 1, b"x")]
    with pytest.raises(ValueError, match="piece of"):
        core.fetched(1, too_much)


def test_recent_entries_stay_in_memory_up_to_the_budget() -> None:
    cluster = Cluster(options=CoreOptions(cache_bytes=3 * 1024))
    cluster.elect(1)
    for payload in payloads(10, 1000):
        cluster.propose(1, payload)
    core = cluster[1].core
    first = core.trim(10**9)
    status = core.status()
    assert first == status.cache_first == 9  # three entries of 1,000 bytes each and overhead
    assert status.cache_bytes <= 3 * 1024


def test_what_is_in_flight_to_one_follower_is_bounded() -> None:
    cluster = Cluster(options=CoreOptions(max_inflight_msgs=4))
    cluster.elect(1)
    matched = cluster[1].status.peers[1].matched
    for payload in payloads(20):
        cluster.propose(1, payload, settle=False)
    peer = cluster[1].status.peers[1]
    assert (peer.inflight, peer.pending, peer.next) == (4, True, matched + 5)
    cluster.settle()
    assert cluster.payloads(2) == payloads(20)


def test_a_lost_append_is_sent_again() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.cut(1, 3)
    cluster.propose(1, b"lost")
    assert cluster.payloads(3) == []
    cluster.heal()
    cluster[1].core.report_unreachable(3)
    cluster.tick(times=6)
    assert cluster.payloads(3) == [b"lost"]


def test_bulk_and_control_frames_are_told_apart() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.propose(1, b"payload", settle=False)
    assert all(packet.bulk for packet in cluster.packets)
    cluster.settle()
    cluster.tick(1, times=2, settle=False)
    assert cluster.packets
    assert not any(packet.bulk for packet in cluster.packets)


def test_too_much_uncommitted_is_dropped_and_accepted_again_after_commit() -> None:
    cluster = Cluster(options=CoreOptions(max_uncommitted_bytes=3 * MIB))
    cluster.elect(1)
    cluster.cut(1)
    for _ in range(3):
        cluster.propose(1, b"z" * MIB)
    assert cluster[1].status.uncommitted_bytes == 3 * MIB
    last = cluster[1].status.last_index
    with pytest.raises(ProposalDropped, match="uncommitted"):
        cluster[1].core.propose(b"z")
    assert cluster[1].status.last_index == last
    cluster.heal()
    cluster.tick(times=4)
    assert cluster[1].status.uncommitted_bytes == 0
    cluster.propose(1, b"again")
    assert cluster.payloads(2) == [b"z" * MIB] * 3 + [b"again"]


def test_a_follower_forwards_nothing() -> None:
    cluster = Cluster()
    with pytest.raises(NotLeader) as refusal:
        cluster[2].core.propose(b"payload")
    assert refusal.value.leader == 0
    cluster.elect(1)
    with pytest.raises(NotLeader) as refusal:
        cluster[2].core.propose(b"payload")
    assert refusal.value.leader == 1
    assert not cluster[2].core.has_ready()
    assert cluster.packets == []


def test_payloads_have_limits() -> None:
    cluster = Cluster()
    cluster.elect(1)
    for wrong in (b"", b"x" * (RAFT_MAX_PAYLOAD_BYTES + 1)):
        with pytest.raises(ValueError, match="payload of"):
            cluster[1].core.propose(wrong)
    largest = b"x" * RAFT_MAX_PAYLOAD_BYTES
    cluster.propose(1, largest)
    assert cluster.payloads(3) == [largest]


def test_a_learner_replicates_and_neither_votes_nor_counts() -> None:
    cluster = Cluster(4, options=CoreOptions(learners=(4,)))
    cluster.elect(1)
    cluster.propose(1, b"one")
    assert cluster.payloads(4) == [b"one"]
    cluster.tick(4, times=50)
    assert cluster[4].status.term == 1
    cluster.crash(2)
    cluster.crash(3)
    cluster.propose(1, b"two")
    assert cluster.payloads(1) == [b"one"]


def test_terms_are_known_for_the_whole_log() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.propose(1, b"payload")
    for old, new in ((1, 2), (2, 3)):
        cluster[old].core.transfer_leader(new)
        cluster.pump(old)
        cluster.settle()
        cluster.propose(new, b"payload")
    core = cluster[1].core
    assert [core.term_at(index) for index in range(7)] == [0, 1, 1, 2, 2, 3, 3]
    assert core.term_runs() == [(1, 1), (3, 2), (5, 3)]
    with pytest.raises(ValueError, match="beyond the log"):
        core.term_at(7)
