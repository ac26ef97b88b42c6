"""Nodes are only read when all have what was acknowledged: a node that lags has lost nothing."""

import random
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.cluster.nodes import Nodes, nodes_in, until

from tallystick_cluster.manage import NodeState
from tallystick_cluster.traffic import setup_traffic
from tallystick_loadtests import catch_up
from tallystick_loadtests.errors import NotCaughtUpError
from tallystick_loadtests.outcome import header_digests
from tallystick_loadtests.readback import Acknowledged, read_stored
from tallystick_proto.v1 import ledger_pb2

ENVELOPES = 20


def _node(
    raft_id: int, applied: int, last: int | None = None, *, leads: bool = False, term: int = 5
) -> NodeState:
    status = ledger_pb2.GetStatusResponse(
        role="leader" if leads else "follower",
        term=term,
        last_index=applied if last is None else last,
        applied_index=applied,
        raft_id=raft_id,
    )
    return NodeState(raft_id, "", 1, status)


def _silent(raft_id: int) -> NodeState:
    return NodeState(raft_id, "", 1, None)


class Story:
    """What nodes say, question after question; the last answer for ever. Time passes by sleep."""

    def __init__(self, *answers: Sequence[NodeState]) -> None:
        self._answers = answers
        self.asked = 0
        self.now_s = 0.0

    def ask(self) -> Sequence[NodeState]:
        self.asked += 1
        return self._answers[min(self.asked, len(self._answers)) - 1]

    def _sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def wait(self) -> int:
        return catch_up.wait(self.ask, clock_s=lambda: self.now_s, sleep=self._sleep)


def test_it_waits_for_the_slowest_node() -> None:
    leader = _node(1, 9, leads=True)
    story = Story(
        [leader, _node(2, 9), _node(3, 4)],
        [leader, _node(2, 9), _node(3, 8)],
        [leader, _node(2, 9), _node(3, 9)],
    )
    assert story.wait() == 9
    assert story.asked == 3


def test_what_the_leader_has_but_has_not_applied_counts() -> None:
    story = Story(
        [_node(1, 7, 9, leads=True), _node(2, 7), _node(3, 7)],
        [_node(1, 9, 9, leads=True), _node(2, 9), _node(3, 9)],
    )
    assert story.wait() == 9
    assert story.asked == 2


def test_a_silent_node_is_waited_for() -> None:
    """The silent one may be the leader, which alone knows how long the log is."""
    story = Story(
        [_silent(1), _node(2, 7), _node(3, 7)],
        [_node(1, 9, leads=True), _node(2, 7), _node(3, 7)],
        [_node(1, 9, leads=True), _node(2, 9), _node(3, 9)],
    )
    assert story.wait() == 9


def test_an_idle_log_that_still_grows_does_not_move_the_goal() -> None:
    story = Story(
        [_node(1, 9, leads=True), _node(2, 8)],
        [_node(1, 11, leads=True), _node(2, 10)],
    )
    assert story.wait() == 9
    assert story.asked == 2


def test_a_new_leader_is_a_new_goal() -> None:
    story = Story(
        [_node(1, 9, leads=True), _node(2, 4), _node(3, 9)],
        [_node(1, 9), _node(2, 9), _node(3, 9, 10, leads=True, term=6)],
        [_node(1, 10), _node(2, 10), _node(3, 10, leads=True, term=6)],
    )
    assert story.wait() == 10


def test_a_leader_that_was_replaced_sets_no_goal() -> None:
    story = Story(
        [_node(1, 4, leads=True), _node(2, 4), _node(3, 4, 9, leads=True, term=6)],
        [_node(1, 9), _node(2, 9), _node(3, 9, leads=True, term=6)],
    )
    assert story.wait() == 9


def test_patience_lasts_while_the_slowest_gets_on() -> None:
    leader = _node(1, 2_000, leads=True)
    story = Story(*([leader, _node(2, applied)] for applied in range(2_001)))
    assert story.wait() == 2_000
    assert story.now_s > 2 * catch_up.PATIENCE_S


@pytest.mark.parametrize(
    ("last", "says"),
    [
        ([_node(1, 9, leads=True), _node(2, 4)], "entry 9 is the last, .*node 2 has applied 4"),
        ([_node(1, 9, leads=True), _silent(2)], "node 2 is silent"),
        ([_node(1, 9), _node(2, 9)], "nobody leads"),
    ],
)
def test_who_stays_behind_is_an_error_and_no_loss(last: list[NodeState], says: str) -> None:
    story = Story(last)
    with pytest.raises(NotCaughtUpError, match=says):
        story.wait()
    assert catch_up.PATIENCE_S <= story.now_s < catch_up.PATIENCE_S + 1


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with nodes_in(tmp_path) as made:
        made.start()
        made.ready()
        yield made


@pytest.mark.cluster
def test_a_node_that_slept_through_the_load_has_lost_nothing(nodes: Nodes) -> None:
    """Read at once, its store would lack all of it."""
    traffic = setup_traffic(nodes.layout)
    nodes.settled()
    leader = nodes.leader()
    sleeper = next(raft_id for raft_id in nodes.raft_ids if raft_id != leader)
    slept_at = nodes.must_say(sleeper).applied_index
    nodes.signal(sleeper, signal.SIGSTOP)
    acknowledged = Acknowledged()
    generator = random.Random(3)
    for _ in range(ENVELOPES):
        envelope = traffic.envelope(generator)
        answer = nodes.submit(leader, envelope)
        assert answer.outcomes[:2] == b"\0\0"
        acknowledged.add_digests(header_digests(envelope))

    found: list[int] = []
    waiter = threading.Thread(target=lambda: found.append(catch_up.wait_for_all(nodes.layout)))
    waiter.start()
    assert nodes.must_say(leader).applied_index > slept_at
    assert found == []
    nodes.signal(sleeper, signal.SIGCONT)
    until(lambda: found, "the sleeper catches up")
    waiter.join()
    nodes.stop()
    for raft_id in nodes.raft_ids:
        assert read_stored(nodes.directory(raft_id)).lost(acknowledged) == 0
