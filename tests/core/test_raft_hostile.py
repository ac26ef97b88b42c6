"""Frames from peers that lie: refused with a reason, and without any effect."""

import random
from collections import Counter

import pytest
from tallystick_core import (
    RAFT_MAX_FRAME_BYTES,
    RaftCore,
    RaftFrameError,
    RaftMessageType,
    RaftRole,
)
from tests.core.raft_sim import Cluster

FROM, TO, TERM, LOG_TERM, INDEX, COMMIT = range(16, 64, 8)


def word(frame: bytes, at: int, value: int) -> bytes:
    """The frame with one of its eight-byte fields replaced."""
    return frame[:at] + value.to_bytes(8, "little") + frame[at + 8 :]


def caught(cluster: Cluster, *, to: int, kind: RaftMessageType) -> bytes:
    """A frame of this type on its way to a node; all packets are dropped."""
    found = [
        packet.frame
        for packet in cluster.packets
        if packet.to == to and RaftCore.peek(packet.frame).msg_type == kind
    ]
    cluster.packets.clear()
    return found[0]


def heartbeat(cluster: Cluster) -> bytes:
    cluster.tick(1, times=2, settle=False)
    return caught(cluster, to=2, kind=RaftMessageType.HEARTBEAT)


def append(cluster: Cluster, payload: bytes = b"payload") -> bytes:
    cluster.propose(1, payload, settle=False)
    return caught(cluster, to=2, kind=RaftMessageType.APPEND)


def refusal(cluster: Cluster, sender: int, frame: bytes, member: int = 2) -> str:
    """Steps a frame that must be refused, and checks that nothing has changed."""
    core = cluster[member].core
    before = core.status()
    with pytest.raises(RaftFrameError) as caught_error:
        core.step(sender, frame)
    after = core.status()
    for name in ("term", "vote", "leader", "commit", "last_index"):
        assert getattr(before, name) == getattr(after, name)
    assert not core.has_ready()
    return caught_error.value.reason


def test_the_sender_is_bound_to_the_authenticated_peer() -> None:
    cluster = Cluster()
    cluster.elect(1)
    frame = heartbeat(cluster)
    assert refusal(cluster, 3, frame) == "forged"
    assert refusal(cluster, 9, word(frame, FROM, 9)) == "unknown_peer"
    assert refusal(cluster, 1, word(frame, TO, 3)) == "misdirected"
    assert refusal(cluster, 2, word(word(frame, FROM, 2), TO, 2)) == "address"
    cluster[2].core.step(1, frame)


@pytest.mark.parametrize("number", [0, 1, 2, 7, 10, 11, 12, 13, 19, 255])
def test_local_messages_do_not_come_from_the_network(number: int) -> None:
    """A proposal from the network would be appended unverified; a snapshot replaces the log."""
    cluster = Cluster()
    cluster.elect(1)
    frame = bytearray(append(cluster))
    frame[4] = number
    assert refusal(cluster, 1, bytes(frame)) == "type"
    with pytest.raises(RaftFrameError):
        RaftCore.peek(bytes(frame))


def test_what_is_committed_cannot_be_rewritten() -> None:
    cluster = Cluster()
    cluster.elect(1)
    old = append(cluster, b"original")
    cluster.tick(times=6)
    assert cluster.payloads(2) == [b"original"]
    rewrite = word(word(old, FROM, 3), TERM, 2)
    rewrite = rewrite[:80] + (2).to_bytes(8, "little") + rewrite[88:]
    assert refusal(cluster, 3, rewrite) == "committed_conflict"
    shorter_history = word(word(rewrite[:80], LOG_TERM, 1), INDEX, 9)
    shorter_history = shorter_history[:8] + bytes(4) + shorter_history[12:]
    cluster[2].core.step(3, shorter_history)  # honest: node 2 may be behind
    assert cluster[2].status.last_index == 2


def test_a_commit_index_outside_the_log_is_refused() -> None:
    cluster = Cluster()
    cluster.elect(1)
    assert refusal(cluster, 1, word(heartbeat(cluster), COMMIT, 50)) == "commit"


def test_an_acknowledgement_outside_the_log_is_refused() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster[2].core.step(1, append(cluster))
    cluster.pump(2)
    ack = caught(cluster, to=1, kind=RaftMessageType.APPEND_RESPONSE)
    assert refusal(cluster, 2, word(ack, INDEX, 1 << 61), member=1) == "ack"


def test_terms_cannot_be_used_up() -> None:
    cluster = Cluster()
    cluster.elect(1)
    frame = heartbeat(cluster)
    assert refusal(cluster, 1, word(frame, TERM, 1 << 40)) == "term_jump"
    assert refusal(cluster, 1, word(frame, TERM, (1 << 64) - 1)) == "range"
    assert refusal(cluster, 1, word(frame, TERM, 0)) == "term"


def test_a_hole_in_the_log_cannot_be_sent() -> None:
    """Raft gives term 0 for indexes beyond its log, and would take this for a match."""
    cluster = Cluster()
    cluster.elect(1)
    frame = word(word(append(cluster), INDEX, 1000), LOG_TERM, 0)
    assert refusal(cluster, 1, frame) == "log_term"


def test_torn_oversized_and_trailing_frames_are_refused() -> None:
    cluster = Cluster()
    cluster.elect(1)
    frame = append(cluster)
    for end in range(len(frame)):
        assert refusal(cluster, 1, frame[:end]) == "torn"
    assert refusal(cluster, 1, frame + b"\0") == "trailing"
    assert refusal(cluster, 1, bytes(RAFT_MAX_FRAME_BYTES + 1)) == "oversized"


def test_a_read_may_only_be_forwarded_in_the_own_name() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster[2].core.read_index(b"r")
    cluster.pump(2)
    frame = caught(cluster, to=1, kind=RaftMessageType.READ_INDEX)
    assert refusal(cluster, 3, word(frame, FROM, 3), member=1) == "read_context"


def test_an_answer_to_a_read_counts_from_the_leader_only() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster[2].core.read_index(b"r")
    cluster.pump(2)
    answer = RaftMessageType.READ_INDEX_RESPONSE
    cluster.settle(keep=lambda packet: RaftCore.peek(packet.frame).msg_type == answer)
    frame = caught(cluster, to=2, kind=answer)
    cluster[2].core.step(3, word(frame, FROM, 3))
    cluster.pump(2)
    assert cluster[2].reads == []
    cluster[2].core.step(1, frame)
    cluster.pump(2)
    assert cluster[2].reads == [(1, b"r")]


def test_leadership_is_not_handed_over_by_strangers() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster[1].core.transfer_leader(2)
    cluster.pump(1)
    frame = caught(cluster, to=2, kind=RaftMessageType.TIMEOUT_NOW)
    cluster[2].core.step(3, word(frame, FROM, 3))
    cluster.pump(2)
    assert cluster[2].role == RaftRole.FOLLOWER
    cluster[2].core.step(1, frame)
    cluster.pump(2)
    assert cluster[2].role == RaftRole.CANDIDATE


def test_no_bytes_stop_a_core() -> None:
    """Random bytes, and honest frames with random damage, against a leader and a follower."""
    rng = random.Random(20)
    cluster = Cluster()
    cluster.elect(1)
    honest: list[bytes] = [heartbeat(cluster), append(cluster), append(cluster, b"x" * 300)]
    cluster.tick(times=3)
    cluster[2].core.read_index(b"r")
    cluster.pump(2)
    honest.append(cluster.packets[0].frame)
    reasons: Counter[str] = Counter()
    for _ in range(20_000):
        if rng.random() < 0.2:
            frame = bytearray(rng.randbytes(rng.randrange(200)))
        else:
            frame = bytearray(rng.choice(honest))
            for _ in range(rng.randrange(1, 4)):
                frame[rng.randrange(len(frame))] = rng.choice((0, 1, 2, 3, 255, rng.randrange(256)))
        member = rng.choice((1, 2))
        try:
            cluster[member].core.step(rng.choice((1, 2, 3, 9)), bytes(frame))
        except RaftFrameError as error:
            reasons[error.reason] += 1
        ready = cluster[member].core.ready()
        if ready is not None:
            cluster[member].core.on_persist(ready.number)
    assert reasons.total() > 10_000
    assert len(reasons) > 12, reasons
