"""Syncs and writes fail under a store, and under two followers: nothing is acknowledged after.

Nearer to the store than test_failing_calls.py: no client, no service, one process or three.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.faults.libfiu import EARLY
from tests.node.replica_tools import Cluster, Node
from tests.node.test_node_process import write_settings

from tallystick_node.failure import ExitCode
from tallystick_node.launch import launch_environment

pytestmark = pytest.mark.faults

SYNC_FAILS = "enable name=posix/io/sync/fdatasync,failinfo=5"
START_S = 40.0
WRITE_FAILS = "enable name=posix/io/rw/write,failinfo=28"

STORE_CODE = """
import os, subprocess, sys
from pathlib import Path
from tests.node.store_tools import append, entry, new_store
store = new_store(Path(sys.argv[1]))
for index in range(1, 4):
    append(store, [entry(index, size=10_000)])
    print("acknowledged", index, flush=True)
subprocess.run(["fiu-ctrl", "-c", sys.argv[2], str(os.getpid())], check=True,
               env={k: v for k, v in os.environ.items() if k != "LD_PRELOAD"})
append(store, [entry(4, size=10_000)])
print("acknowledged", 4, flush=True)
"""


@pytest.mark.parametrize("fault", [SYNC_FAILS, WRITE_FAILS], ids=["sync", "write"])
def test_a_store_on_a_failing_disk_ends_the_process(tmp_path: Path, fault: str) -> None:
    done = subprocess.run(
        ["fiu-run", "-x", sys.executable, "-c", STORE_CODE, str(tmp_path / "db"), fault],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == ExitCode.FATAL, done.stderr
    assert done.stdout.split("\n")[:-1] == [f"acknowledged {index}" for index in (1, 2, 3)]
    if fault is SYNC_FAILS:  # with failing writes, stderr fails too
        assert "tallystick node stops: persist: sync" in done.stderr


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    await made.stop()


class FaultyNode:
    """A node's process under libfiu."""

    def __init__(self, node: Node) -> None:
        # It never stands for election: the third node leads.
        write_settings(node, "[raft]", "election_ticks = 100000")
        self.node = node
        self.process = subprocess.Popen(
            ["fiu-run", "-x", sys.executable, "-m", "tallystick_node", str(node.directory)],
            env=launch_environment({**os.environ, "TMPDIR": str(node.cluster.directory)})
            | {"PYTHONPATH": str(EARLY)},
            stdout=subprocess.DEVNULL,
            stderr=(node.directory / "stderr").open("wb"),
        )

    async def inject(self, fault: str) -> None:
        # fiu-ctrl only grumbles about a process that listens to no pipe: gone, or not yet so far.
        pipe = self.node.cluster.directory / f"fiu-ctrl-{self.process.pid}.in"
        deadline = time.monotonic() + START_S
        while not pipe.exists():
            assert self.process.poll() is None, (self.node.directory / "stderr").read_text()
            assert time.monotonic() < deadline, "the node listens to no pipe"
            await asyncio.sleep(0.02)
        await asyncio.to_thread(
            subprocess.run,
            ["fiu-ctrl", "-c", fault, str(self.process.pid)],
            check=True,
            env={**os.environ, "TMPDIR": str(self.node.cluster.directory)},
        )

    async def ended(self) -> tuple[int, str]:
        code = await asyncio.to_thread(self.process.wait, 60)
        return code, (self.node.directory / "stderr").read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


async def test_followers_whose_syncs_fail_acknowledge_nothing(cluster: Cluster) -> None:
    """Two of three: had one of them acknowledged, the block would be committed."""
    faulty = [FaultyNode(cluster.nodes[raft_id]) for raft_id in (2, 3)]
    try:
        leading = cluster.nodes[1]
        await leading.start()
        blocks = await cluster.commit(3)
        for one in faulty:
            await one.inject(SYNC_FAILS)
        committed = leading.running.status().commit_index
        leading.running.propose(*cluster.block(leading.running.tip))
        for one in faulty:
            code, said = await one.ended()
            assert code == ExitCode.FATAL, said
            assert "tallystick node stops: persist: sync" in said
        assert leading.running.status().commit_index == committed
        assert leading.blocks[-3:] == blocks
    finally:
        for one in faulty:
            one.kill()
