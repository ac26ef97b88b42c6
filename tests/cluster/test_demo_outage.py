"""What the demo says about the kill: who led, and how long nobody got an answer."""

import pytest

from tallystick_cluster.demo.outage import leader_among, longest_silence_s
from tallystick_cluster.errors import NotReadyError
from tallystick_cluster.manage import NodeState
from tallystick_proto.v1 import ledger_pb2


def _state(raft_id: int, role: str | None) -> NodeState:
    status = None if role is None else ledger_pb2.GetStatusResponse(raft_id=raft_id, role=role)
    return NodeState(raft_id, "127.0.0.1:1", 1, status)


def test_the_leader_is_who_says_so() -> None:
    assert leader_among([_state(1, "follower"), _state(2, "leader"), _state(3, None)]) == 2


@pytest.mark.parametrize("roles", [("follower", "candidate", None), ("leader", "leader", None)])
def test_no_single_leader_is_an_error(roles: tuple[str | None, ...]) -> None:
    with pytest.raises(NotReadyError, match="nodes say that they lead"):
        leader_among([_state(raft_id, role) for raft_id, role in enumerate(roles, start=1)])


@pytest.mark.parametrize(
    ("acknowledged_at_s", "longest_s"),
    [
        ([], 0.0),
        ([1.0, 2.0], 0.0),  # nothing came after the kill
        ([9.0, 10.5, 12.5, 13.0], 2.0),
        ([1.0, 13.0, 13.5], 3.0),  # the silence before the kill does not count
    ],
)
def test_silence_counts_from_the_kill(acknowledged_at_s: list[float], longest_s: float) -> None:
    assert longest_silence_s(acknowledged_at_s, killed_at_s=10.0) == longest_s
