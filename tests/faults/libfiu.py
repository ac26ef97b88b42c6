"""Failing system calls, on demand, in a process that runs: libfiu's preload library.

A node that is started with `environment` behaves as always until `enable` is called; from then on
every call of the named kind fails with the given error, before it reaches the system. What libfiu
calls `posix/io/sync/fdatasync` is the very function through which RocksDB syncs its write-ahead
log. See fiu-run(1) and fiu-ctrl(1).
"""

import re
import shutil
import subprocess
from pathlib import Path

from tests.cluster.nodes import Nodes

FDATASYNC = "posix/io/sync/fdatasync"
FSYNC = "posix/io/sync/fsync"
WRITE = "posix/io/rw/write"
PWRITE = "posix/io/rw/pwrite"
TIMEOUT_S = 10.0
EARLY = Path(__file__).parent / "early"


def _library_directory() -> Path:
    """Where fiu-run looks for its preload libraries."""
    script = shutil.which("fiu-run")
    assert script is not None, "libfiu is missing: apt-get install fiu-utils libfiu0"
    found = re.search(r'^PLIBPATH="(.+)"$', Path(script).read_text(), re.MULTILINE)
    assert found is not None
    return Path(found[1])


def _control(nodes: Nodes, raft_id: int) -> Path:
    """Base name of the named pipes by which a node's process is told."""
    return nodes.layout.directory / f"fiu-{raft_id}"


def start(nodes: Nodes, *raft_ids: int) -> None:
    """Start these nodes, or all, so that their calls can be made to fail later."""
    libraries = [_library_directory() / f"fiu_{name}_preload.so" for name in ("run", "posix")]
    assert all(path.exists() for path in libraries)
    for raft_id in raft_ids or nodes.raft_ids:
        environment = {
            "LD_PRELOAD": ":".join(map(str, libraries)),
            "PYTHONPATH": str(EARLY),  # see sitecustomize.py there
            "FIU_CTRL_FIFO": str(_control(nodes, raft_id)),
        }
        nodes.start(raft_id, env=environment)


def enable(nodes: Nodes, raft_id: int, call: str, error: int) -> None:
    """From now on, every such call of the node's process fails with this errno."""
    subprocess.run(
        [
            "fiu-ctrl",
            "-c",
            f"enable name={call},failinfo={error}",
            "-f",
            str(_control(nodes, raft_id)),
            str(nodes.pid(raft_id)),
        ],
        check=True,
        timeout=TIMEOUT_S,
        capture_output=True,
    )
