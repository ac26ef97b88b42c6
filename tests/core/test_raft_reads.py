"""ReadIndex: never stale, whoever leads."""

from collections.abc import Callable

import pytest
from tallystick_core import (
    RAFT_MAX_READ_CONTEXT_BYTES,
    NoLeader,
    RaftCore,
    RaftMessageType,
    RaftRole,
    ReadNotReady,
)
from tests.core.raft_sim import ELECTION_TICK, Cluster, Packet


def is_kind(kind: RaftMessageType) -> Callable[[Packet], bool]:
    return lambda packet: RaftCore.peek(packet.frame).msg_type == kind


def ask(cluster: Cluster, member: int, context: bytes, *, settle: bool = True) -> None:
    cluster[member].core.read_index(context)
    cluster.pump(member)
    if settle:
        cluster.settle()


@pytest.mark.parametrize("member", [1, 2])
def test_a_read_is_answered_with_the_commit_index(member: int) -> None:
    cluster = Cluster()
    cluster.elect(1)
    _, index = cluster.propose(1, b"payload")
    ask(cluster, member, b"r1")
    assert cluster[member].reads == [(index, b"r1")]
    assert cluster[3 - member].reads == []


def test_the_same_context_may_be_used_again() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.cut(1)
    ask(cluster, 1, b"same")
    _, index = cluster.propose(1, b"payload")
    ask(cluster, 1, b"same")
    cluster.heal()
    cluster.tick(times=4)
    assert [context for _, context in cluster[1].reads] == [b"same", b"same"]
    assert cluster[1].reads[0][0] <= cluster[1].reads[1][0] <= index


def test_no_leader_no_read() -> None:
    cluster = Cluster()
    with pytest.raises(NoLeader):
        cluster[1].core.read_index(b"r")


def test_a_context_has_a_limit() -> None:
    cluster = Cluster()
    cluster.elect(1)
    ask(cluster, 2, b"c" * RAFT_MAX_READ_CONTEXT_BYTES)
    assert cluster[2].reads[0][1] == b"c" * RAFT_MAX_READ_CONTEXT_BYTES
    with pytest.raises(ValueError, match="read context"):
        cluster[2].core.read_index(b"c" * (RAFT_MAX_READ_CONTEXT_BYTES + 1))


def test_a_new_leader_answers_only_after_its_own_first_commit() -> None:
    cluster = Cluster()
    cluster.elect(1)
    _, index = cluster.propose(1, b"committed by the old leader")
    cluster[1].core.transfer_leader(2)
    cluster.pump(1)
    cluster.settle(keep=is_kind(RaftMessageType.APPEND_RESPONSE))
    assert cluster[2].role == RaftRole.LEADER
    with pytest.raises(ReadNotReady, match="this term"):
        cluster[2].core.read_index(b"too early")
    ask(cluster, 3, b"forwarded too early", settle=False)
    cluster.settle(keep=is_kind(RaftMessageType.APPEND_RESPONSE))
    cluster.settle()
    assert cluster[3].reads == []
    ask(cluster, 2, b"now")
    assert cluster[2].reads == [(index + 1, b"now")]


def test_a_deposed_leader_that_does_not_know_it_answers_no_read() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.cut(1)
    cluster.tick(2, 3, times=ELECTION_TICK + 1)  # past the lease of the old leader
    cluster.elect(2)
    _, written = cluster.propose(2, b"new")
    assert cluster[1].status.leader == 1
    ask(cluster, 1, b"stale?")
    cluster.tick(1, times=4)
    assert cluster[1].reads == []
    cluster.heal()
    cluster.tick(times=4)
    assert all(index >= written for index, _ in cluster[1].reads)


def test_a_read_forwarded_to_a_deposed_leader_is_never_answered_by_it() -> None:
    cluster = Cluster(5)
    cluster.elect(1)
    cluster.cut(1, 3, 4, 5)
    cluster.cut(2, 3, 4, 5)
    cluster.tick(3, 4, 5, times=ELECTION_TICK + 1)
    cluster.elect(3)
    cluster.propose(3, b"new")
    ask(cluster, 2, b"via old leader")  # 2 still follows 1
    cluster.tick(1, times=4)
    assert cluster[2].reads == []


def test_acknowledgements_from_before_a_change_of_leader_confirm_nothing() -> None:
    """The heartbeats of a read are answered, but the answers arrive after a new election."""
    cluster = Cluster()
    cluster.elect(1)
    answers = is_kind(RaftMessageType.HEARTBEAT_RESPONSE)
    cluster[1].core.read_index(b"held")
    cluster.pump(1)
    cluster.settle(keep=answers)
    held = cluster.packets
    cluster.packets = []
    assert len(held) == 2
    cluster[1].core.transfer_leader(2)
    cluster.pump(1)
    cluster.settle()
    cluster.propose(2, b"newer")
    for packet in held:
        cluster.deliver(packet)
    cluster.settle()
    assert cluster[1].reads == []


def test_an_answer_to_the_read_of_an_earlier_run_is_not_taken_for_a_new_one() -> None:
    cluster = Cluster()
    cluster.elect(1)
    answers = is_kind(RaftMessageType.READ_INDEX_RESPONSE)
    ask(cluster, 2, b"r", settle=False)
    cluster.settle(keep=answers)
    [old_answer] = cluster.packets
    cluster.packets = []
    cluster.crash(2)
    cluster.restart(2)
    cluster.tick(times=3)
    _, index = cluster.propose(1, b"newer")
    ask(cluster, 2, b"r", settle=False)
    cluster.deliver(old_answer)
    assert cluster[2].reads == []
    cluster.settle()
    assert cluster[2].reads == [(index, b"r")]


def test_a_forwarded_read_is_not_forwarded_again() -> None:
    cluster = Cluster()
    cluster.elect(1)
    ask(cluster, 2, b"r", settle=False)
    [packet] = cluster.packets
    cluster.packets = []
    cluster[1].core.transfer_leader(3)
    cluster.pump(1)
    cluster.settle()
    cluster.deliver(packet)
    assert cluster.packets == []
    assert cluster[2].reads == []


def test_many_reads_share_one_confirmation() -> None:
    cluster = Cluster()
    cluster.elect(1)
    for number in range(10):
        cluster[1].core.read_index(bytes([number]))
    cluster.pump(1)
    cluster.settle(keep=is_kind(RaftMessageType.HEARTBEAT_RESPONSE))
    assert cluster[1].status.pending_reads == 10
    newest = [packet for packet in cluster.packets if packet.sender == 2][-1]
    cluster.deliver(newest)
    assert [context for _, context in cluster[1].reads] == [bytes([i]) for i in range(10)]
