"""Syncs and writes fail under a node: it ends with a clear message and acknowledges nothing after.

SIGKILL leaves the page cache as it is, so kills prove nothing about syncs. These tests do: an
acknowledgement that did not wait for its sync would be given here, and is not.
"""

import errno
import os

import pytest
from tests.cluster.disk_scenarios import Break, all_fail, follower_fails, leader_fails
from tests.cluster.nodes import Nodes
from tests.faults import libfiu

pytestmark = [pytest.mark.faults, pytest.mark.cluster, pytest.mark.timeout(180)]


def _failing(call: str, error: int, *says: str) -> Break:
    return Break(
        lambda nodes, raft_id: libfiu.enable(nodes, raft_id, call, error),
        [*says, os.strerror(error)],
    )


# The sync of the write-ahead log.
SYNC_EIO = _failing(libfiu.FDATASYNC, errno.EIO, "persist: sync: ", "While fdatasync")
SYNC_ENOSPC = _failing(libfiu.FDATASYNC, errno.ENOSPC, "persist: sync: ", "While fdatasync")
# The mark of what was synced, beside RocksDB.
MARK_EIO = _failing(libfiu.PWRITE, errno.EIO, "persist: sync: ")

BREAKS = pytest.mark.parametrize(
    "breaking",
    [
        pytest.param(SYNC_EIO, id="fdatasync EIO"),
        pytest.param(SYNC_ENOSPC, id="fdatasync ENOSPC"),
        pytest.param(MARK_EIO, id="pwrite EIO"),
    ],
)


@BREAKS
def test_a_follower_ends_and_acknowledges_nothing(nodes: Nodes, breaking: Break) -> None:
    follower_fails(nodes, breaking)


@BREAKS
def test_a_leader_ends_and_acknowledges_nothing(nodes: Nodes, breaking: Break) -> None:
    leader_fails(nodes, breaking)


@BREAKS
def test_on_all_nodes_no_client_is_told_anything(nodes: Nodes, breaking: Break) -> None:
    all_fail(nodes, breaking)
