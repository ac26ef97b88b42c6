"""Kills the leader by SIGKILL while requests run, starts it again, and waits until it caught up.

What blocks runs in threads, a short piece at a time, so that the requests go on meanwhile and the
whole can be cancelled at any moment.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tallystick_cluster.errors import NotReadyError
from tallystick_cluster.layout import ClusterLayout
from tallystick_cluster.manage import NodeState, kill_node, node_states, start_node

LEADER_TIMEOUT_S: Final = 10.0
CATCH_UP_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.05
# How long the leader stays away: long enough that the others elect, and go on without it.
AWAY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Outage:
    """One death and return. Times are by the monotonic clock, in seconds.

    Attributes:
        node: The Raft id of the leader that was killed.
        successor: Who led when it was back.
        killed_at_s: When it was gone.
        started_at_s: When it was started again.
        back_at_s: When it had applied all that was committed when it first answered.
    """

    node: int
    successor: int
    killed_at_s: float
    started_at_s: float
    back_at_s: float


async def kill_and_restart(layout: ClusterLayout, tell: Callable[[str], None]) -> Outage:
    """Kills the leader, leaves it away for `AWAY_S`, starts it again and waits until it caught up.

    Args:
        layout: The cluster.
        tell: Told what happens, in sentences.

    Raises:
        NotReadyError: There is no leader to kill, or the node did not catch up in time.
        NodeStateError: The leader's process is gone already.
    """
    node = await _leader(layout, time.monotonic() + LEADER_TIMEOUT_S)
    await asyncio.to_thread(kill_node, layout, node)
    killed_at_s = time.monotonic()
    tell(f"node {node}, the leader, is killed by SIGKILL")
    await asyncio.sleep(AWAY_S)
    await asyncio.to_thread(start_node, layout, node)
    started_at_s = time.monotonic()
    tell(f"node {node} is started again")
    successor = await _caught_up(layout, node, started_at_s + CATCH_UP_TIMEOUT_S)
    tell(f"node {node} has caught up; node {successor} leads")
    return Outage(node, successor, killed_at_s, started_at_s, time.monotonic())


def leader_among(states: Sequence[NodeState]) -> int:
    """Raft id of the node that says it leads.

    Raises:
        NotReadyError: None does, or two do.
    """
    leaders = [each.raft_id for each in states if each.status and each.status.role == "leader"]
    if len(leaders) != 1:
        raise NotReadyError(f"{len(leaders)} nodes say that they lead")
    return leaders[0]


def longest_silence_s(acknowledged_at_s: Sequence[float], killed_at_s: float) -> float:
    """Longest time without an acknowledgement from the moment of the kill on, seconds.

    Args:
        acknowledged_at_s: When acknowledgements came, ascending.
        killed_at_s: When the leader was gone, by the same clock.
    """
    after = [killed_at_s, *(at_s for at_s in acknowledged_at_s if at_s > killed_at_s)]
    return max((later - earlier for earlier, later in pairwise(after)), default=0.0)


async def _leader(layout: ClusterLayout, deadline_s: float) -> int:
    """Raft id of the leader; waits for one where an election is just going on."""
    while True:
        try:
            return leader_among(await asyncio.to_thread(node_states, layout))
        except NotReadyError:
            if time.monotonic() > deadline_s:
                raise
        await asyncio.sleep(POLL_S)


async def _caught_up(layout: ClusterLayout, node: int, deadline_s: float) -> int:
    """Waits until `node` has applied what was committed when it first answered.

    Returns:
        Who leads by then.
    """
    target_index: int | None = None
    while time.monotonic() < deadline_s:
        states = await asyncio.to_thread(node_states, layout)
        status = {each.raft_id: each.status for each in states}[node]
        indexes = [each.status.commit_index for each in states if each.status]
        if status is not None:
            target_index = max(indexes) if target_index is None else target_index
            if status.applied_index >= target_index and status.HasField("leader"):
                return status.leader.raft_id
        await asyncio.sleep(POLL_S)
    raise NotReadyError(f"node {node} did not catch up within {CATCH_UP_TIMEOUT_S:.0f} s")
