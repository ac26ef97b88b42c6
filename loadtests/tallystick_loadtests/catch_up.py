"""Waits until every node has applied all that was acknowledged, so that any of them may be read.

An envelope is acknowledged as soon as a majority has it on disk; the others get it later. A node
that is stopped before that does not have it, and a reader of its store would call it lost, although
it is not. So the nodes are stopped only when

1. every node answers, and one of them leads: its log holds everything that was ever acknowledged;
2. every node has applied that log as it stood when the leader was first seen. A change of leader or
   term starts anew, because another log counts then.

A node that falls behind for good is no loss either, and no figure: the run ends with an error.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tallystick_cluster.layout import ClusterLayout
from tallystick_cluster.manage import NodeState, node_states
from tallystick_loadtests.errors import NotCaughtUpError

# Without any progress of the slowest node.
PATIENCE_S: Final = 30.0
POLL_S: Final = 0.05

Ask = Callable[[], Sequence[NodeState]]


@dataclass(frozen=True, slots=True)
class Goal:
    """What all nodes have to apply.

    Attributes:
        leader: Raft id of the node whose log counts.
        term: In which it led.
        index: The last entry of its log when it was first seen.
    """

    leader: int
    term: int
    index: int


def wait_for_all(layout: ClusterLayout) -> int:
    """Waits until all nodes of a cluster have applied the same index.

    Args:
        layout: A running cluster that nobody submits to any more.

    Returns:
        The index.

    Raises:
        NotCaughtUpError: A node stays silent or behind.
    """
    return wait(lambda: node_states(layout))


def wait(
    ask: Ask,
    *,
    clock_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """The same, of whoever answers `ask`.

    Args:
        ask: Tells how all nodes are.
        clock_s: Seconds since any moment.
        sleep: Waits between two questions.

    Raises:
        NotCaughtUpError: Nothing got better for `PATIENCE_S`.
    """
    goal: Goal | None = None
    best = (-1, -1)
    better_s = clock_s()
    while True:
        states = ask()
        goal = _goal(states, goal)
        if goal is not None and all(_applied(state) >= goal.index for state in states):
            return goal.index
        progress = (sum(state.status is not None for state in states), min(map(_applied, states)))
        now_s = clock_s()
        if progress > best:
            best, better_s = progress, now_s
        elif now_s - better_s >= PATIENCE_S:
            raise NotCaughtUpError(_complaint(states, goal))
        sleep(POLL_S)


def _goal(states: Sequence[NodeState], before: Goal | None) -> Goal | None:
    """The goal that holds now; None while somebody is silent or nobody leads."""
    statuses = [state.status for state in states if state.status is not None]
    leaders = [status for status in statuses if status.role == "leader"]
    if len(statuses) < len(states) or not leaders:
        return None
    # One that was replaced may not know it yet.
    leader = max(leaders, key=lambda status: status.term)
    if before is not None and (before.leader, before.term) == (leader.raft_id, leader.term):
        return before
    return Goal(leader.raft_id, leader.term, leader.last_index)


def _applied(state: NodeState) -> int:
    """The last index that a node has applied; below all where it does not answer."""
    return -1 if state.status is None else state.status.applied_index


def _complaint(states: Sequence[NodeState], goal: Goal | None) -> str:
    each = ", ".join(
        f"node {state.raft_id} "
        + ("is silent" if state.status is None else f"has applied {state.status.applied_index}")
        for state in states
    )
    wanted = "nobody leads" if goal is None else f"entry {goal.index} is the last"
    return f"the nodes did not catch up, so nothing can be said about losses: {wanted}, {each}"
