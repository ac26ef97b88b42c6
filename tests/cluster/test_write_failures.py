"""Writes that the system refuses: a node whose files may not grow ends, and acknowledges nothing.

The limit on a file's size (RLIMIT_FSIZE) can be set on a running process and applies to regular
files only: a true failure of write(2), in the middle of a record of the write-ahead log, without
any help from outside. Failing syncs and full disks are in tests/faults.
"""

import resource

import pytest
from tests.cluster.disk_scenarios import Break, all_fail, follower_fails, leader_fails
from tests.cluster.nodes import Nodes

from tallystick_node.identity import DATABASE_DIRECTORY

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


def _stop_growth(nodes: Nodes, raft_id: int) -> None:
    """No file of the node may become longer than its write-ahead log is now."""
    rocks = nodes.directory(raft_id) / DATABASE_DIRECTORY / "rocks"
    longest = max(path.stat().st_size for path in rocks.glob("*.log"))
    assert longest > 100_000  # the node's own messages must still find room
    resource.prlimit(nodes.pid(raft_id), resource.RLIMIT_FSIZE, (longest, longest))


NO_ROOM = Break(_stop_growth, ["persist: write: ", "File too large"])


def test_a_follower_that_cannot_write_ends_and_acknowledges_nothing(nodes: Nodes) -> None:
    follower_fails(nodes, NO_ROOM)


def test_a_leader_that_cannot_write_ends_and_acknowledges_nothing(nodes: Nodes) -> None:
    leader_fails(nodes, NO_ROOM)


def test_when_nobody_can_write_nobody_is_told_anything(nodes: Nodes) -> None:
    all_fail(nodes, NO_ROOM)
