"""Disks: restarts, lost tails, overwritten suffixes, and writes that complete too late to count."""

import pytest
from tallystick_core import RaftCore, RaftMessageType, RaftRole
from tests.core.raft_sim import ELECTION_TICK, Cluster, CoreOptions, Entry, Packet


def test_entries_between_applied_and_commit_are_handed_out_again() -> None:
    cluster = Cluster()
    cluster.elect(1)
    for payload in (b"a", b"b", b"c"):
        cluster.propose(1, payload)
        if payload == b"a":
            cluster[2].save_state()
    cluster.tick(1, times=2)
    disk = cluster[2].disk
    assert disk.applied < disk.commit
    before = list(cluster[2].committed)
    cluster.crash(2)
    cluster[2].start()
    assert cluster[2].committed == before[: disk.applied]
    cluster.pump(2)  # alone: nobody has said a word yet
    assert cluster[2].committed == before[: disk.commit]


def test_a_commit_index_behind_the_applied_state_is_raised() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.propose(1, b"a")
    cluster[2].save_state()
    cluster[2].disk.commit = 0  # it was to ride along with a write that never came
    cluster.crash(2)
    cluster.restart(2)
    assert cluster[2].status.commit == cluster[2].disk.applied == 2


def test_a_commit_index_alone_needs_no_write() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.slow_disks = {2}
    cluster.propose(1, b"payload")
    cluster.flush(2, 1)
    [late] = [item for item in cluster[2].queue if item.hard_state is not None]
    assert late.entries == []
    assert late.hard_state == (1, 1, 2)
    assert cluster.payloads(2) == [b"payload"]


def test_must_sync_is_false_for_a_commit_index_only() -> None:
    cluster = Cluster()
    core = cluster[1].core
    seen: list[tuple[bool, bool, bool]] = []
    core.campaign()
    while (ready := core.ready()) is not None:
        seen.append((ready.must_sync, ready.hard_state is not None, bool(ready.entries)))
    assert seen == [(False, False, False)]  # a pre-vote changes nothing on disk
    cluster = Cluster()
    cluster.elect(1)
    follower = cluster[2].core
    cluster.propose(1, b"payload", settle=False)
    for packet in [packet for packet in cluster.packets if packet.to == 2]:
        follower.step(1, packet.frame)
    ready = follower.ready()
    assert ready is not None
    assert (ready.must_sync, len(ready.entries)) == (True, 1)


def test_an_unsynced_tail_is_lost_and_sent_again() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.propose(1, b"kept")
    cluster.slow_disks = {3}
    cluster.propose(1, b"lost")
    assert len(cluster[3].disk.log) == 2
    cluster.crash(3)
    cluster.slow_disks.clear()
    cluster.restart(3)
    assert cluster[3].status.last_index == 2
    cluster.tick(times=4)
    assert cluster.payloads(3) == [b"kept", b"lost"]


def test_a_whole_cluster_that_loses_power_keeps_what_it_acknowledged() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.propose(1, b"acknowledged")
    cluster.slow_disks = {1, 2, 3}
    cluster.propose(1, b"in flight")
    for member in (1, 2, 3):
        cluster.crash(member)
    cluster.packets.clear()
    cluster.slow_disks.clear()
    for member in (1, 2, 3):
        cluster.restart(member)
    cluster.tick(times=4 * ELECTION_TICK)
    assert cluster.leader() is not None
    assert [cluster.payloads(member) for member in (1, 2, 3)] == [[b"acknowledged"]] * 3


def test_an_uncommitted_suffix_is_replaced_in_the_same_write() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.propose(1, b"common")
    cluster.cut(1)
    for payload in (b"x1", b"x2", b"x3"):
        cluster.propose(1, payload)
    assert len(cluster[1].disk.log) == 5
    cluster.tick(2, 3, times=ELECTION_TICK + 1)
    cluster.elect(2)
    cluster.propose(2, b"y")
    cluster.slow_disks = {1}
    cluster.heal()
    cluster.tick(2, times=4)
    while not any(item.truncate_from for item in cluster[1].queue):
        cluster.flush(1)
        cluster.tick(2, times=2)
    [replacing] = [item for item in cluster[1].queue if item.truncate_from is not None]
    assert replacing.truncate_from == 3 == replacing.entries[0][0]
    assert [entry.payload for entry in cluster[1].disk.log[2:]] == [b"x1", b"x2", b"x3"]
    cluster.slow_disks.clear()
    cluster.flush(1)
    cluster.tick(2, times=4)
    assert cluster[1].disk.log == cluster[2].disk.log
    assert cluster.payloads(1) == [b"common", b"y"]


def append_frame(leader: int, term: int, at: tuple[int, int], rows: list[Entry]) -> bytes:
    """The append that a leader would send to node 1, made by hand."""
    words = [leader, 1, term, at[1], at[0], at[0], 0, 0]
    table = b"".join(
        row.term.to_bytes(8, "little") + len(row.payload).to_bytes(4, "little") + bytes(4)
        for row in rows
    )
    head = b"TSR1\x03\0\0\0" + len(rows).to_bytes(4, "little") + bytes(4)
    head += b"".join(word.to_bytes(8, "little") for word in words)
    return head + table + b"".join(row.payload for row in rows)


def test_a_late_completion_of_an_overwritten_write_acknowledges_nothing() -> None:
    """The A-B-A race: an entry is written, replaced, and comes back while disks are slow.

    Completion of the first write must not pass for the third: between them the disk holds B, and
    a power cut there would leave a node that has applied A on a log with B.
    """
    cluster = Cluster()
    cluster.slow_disks = {1}
    node = cluster[1]
    a, b, c = Entry(1, 1, b"A"), Entry(1, 2, b"B"), Entry(2, 3, b"C")
    cluster[2].disk.log = [a, c]  # what the last leader has, and with node 1 a majority will have
    for leader, term, rows in ((2, 1, [a]), (3, 2, [b]), (2, 3, [a, c])):
        node.core.step(leader, append_frame(leader, term, (0, 0), rows))
        cluster.pump(1)
    commit = bytearray(append_frame(2, 3, (2, 3), []))
    node.core.step(2, bytes(commit))
    cluster.pump(1)
    truncations = [item.truncate_from for item in node.queue]
    assert truncations[:3] == [None, 1, 1]
    assert node.status.commit == 2
    for write in range(2):
        cluster.flush(1, 1)
        assert node.status.persisted == 0, f"after write {write}"
        assert node.committed == []
        answers = [RaftCore.peek(packet.frame) for packet in cluster.packets]
        assert all(answer.term < 3 for answer in answers), "acknowledged to the present leader"
    cluster.flush(1, 1)
    assert node.status.persisted == 2
    assert node.committed == [a, c]
    cluster.crash(1)
    cluster.restart(1)
    assert node.disk.log == [a, c]


def test_a_new_leader_does_not_commit_old_entries_by_counting_them() -> None:
    """Raft figure 8: an entry of an earlier term is committed only by one of the leader's own."""
    cluster = Cluster(5, options=CoreOptions(max_size_per_msg=1))  # one entry per append
    cluster.elect(1)
    cluster.cut(1, 3, 4, 5)
    cluster.propose(1, b"old")
    assert [len(cluster[member].disk.log) for member in (1, 2, 3, 4, 5)] == [2, 2, 1, 1, 1]
    cluster.crash(1)
    for member in (2, 3, 4, 5):
        cluster[member].core.set_randomized_election_timeout(2 * ELECTION_TICK - 1)
    cluster.tick(2, 3, 4, 5, times=ELECTION_TICK)
    cluster[2].core.campaign()
    cluster.pump(2)

    def own_entry_to_one_that_has_the_old(packet: Packet) -> bool:
        info = RaftCore.peek(packet.frame)
        has_old = len(cluster[packet.to].disk.log) == 2
        return info.msg_type == RaftMessageType.APPEND and info.index == 2 and has_old

    cluster.settle(keep=own_entry_to_one_that_has_the_old)
    assert cluster[2].role == RaftRole.LEADER
    assert [len(cluster[member].disk.log) for member in (2, 3, 4, 5)] == [3, 2, 2, 2]
    assert {peer.matched for peer in cluster[2].status.peers if peer.id > 2} == {2}
    assert cluster[2].status.commit == 1
    cluster.settle()
    assert [cluster.payloads(member) for member in (2, 3, 4, 5)] == [[b"old"]] * 4
    assert cluster[2].status.commit == 3


def test_a_node_without_an_answer_from_its_disk_leads_nobody() -> None:
    cluster = Cluster()
    cluster.slow_disks = {1}
    cluster[1].core.campaign()
    cluster.pump(1)
    cluster.tick(1, times=5 * ELECTION_TICK)
    assert cluster[1].role != RaftRole.LEADER
    assert all(node.status.term == 0 for node in (cluster[2], cluster[3]))


def test_a_core_refuses_a_contradictory_disk() -> None:
    def start(**changes: object) -> RaftCore:
        arguments: dict[str, object] = {
            "term": 2,
            "vote": 0,
            "commit": 1,
            "applied": 1,
            "term_runs": [(1, 1), (2, 2)],
            "last_index": 3,
            "tail": [(2, 2, b"b"), (3, 2, b"c")],
            "election_tick": 10,
            "heartbeat_tick": 2,
            "max_inflight_msgs": 8,
            "max_size_per_msg": 1 << 20,
            "max_uncommitted_bytes": 1 << 20,
        }
        return RaftCore(1, [1, 2, 3], **(arguments | changes))  # type: ignore[arg-type]

    assert start().status().last_index == 3
    wrong: list[tuple[str, dict[str, object]]] = [
        ("commit is 4, more than 3", {"commit": 4}),
        ("commit is 4, more than 3", {"applied": 4}),
        ("the tail must cover", {"tail": [(3, 2, b"c")]}),
        ("does not fit the log at 2", {"tail": [(2, 1, b"b"), (3, 2, b"c")]}),
        ("runs must start at index 1", {"term_runs": [(2, 2)]}),
        ("rise in index and term", {"term_runs": [(1, 2), (2, 1)]}),
        ("term 1 below the log's 2", {"term": 1}),
        ("members must be distinct", {"learners": [3]}),
        ("election tick must be greater", {"election_tick": 2}),
        ("inflight messages must be", {"max_inflight_msgs": 0}),
        ("max_size_per_msg is 4194304", {"max_size_per_msg": 4 << 20}),
        ("max uncommitted size should", {"max_uncommitted_bytes": 1}),
    ]
    for message, changes in wrong:
        with pytest.raises(ValueError, match=message):
            start(**changes)


def test_numbers_that_were_never_handed_out_are_refused() -> None:
    cluster = Cluster(options=CoreOptions())
    cluster.elect(1)
    core = cluster[1].core
    with pytest.raises(ValueError, match="persisted 99"):
        core.on_persist(99)
    with pytest.raises(ValueError, match="persisted 0"):
        core.on_persist(0)
    with pytest.raises(ValueError, match="applied 99"):
        core.advance_apply(99)
    with pytest.raises(ValueError, match="applied 0"):
        core.advance_apply(0)
