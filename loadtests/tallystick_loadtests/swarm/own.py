"""A cluster of its own, for a locust that was not told whom to load.

It is made in a new directory below the current one before the first user starts. After the last one
has ended, all that was acknowledged is looked for on a node's disk, and the directory is removed.
All of this happens in processes of its own: locust's are patched by gevent, which asyncio and
threads of gRPC do not bear.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, Self

from tallystick_loadtests.errors import SetupFailedError
from tallystick_loadtests.swarm.directory import LoadDirectory

MODULE: Final = "tallystick_loadtests.swarm"
LOAD: Final = "load"
TIMEOUT_S: Final = 180.0


class OwnCluster:
    """A cluster that belongs to one locust process; made by `start`.

    Attributes:
        directory: Where it is.
        load: What the users need.
    """

    def __init__(self, directory: Path, load: LoadDirectory) -> None:
        self.directory = directory
        self.load = load

    @classmethod
    def start(cls) -> Self:
        """Makes a cluster, starts it and registers who pays.

        Raises:
            SetupFailedError: One of these did not work; says why.
        """
        directory = Path(tempfile.mkdtemp(prefix="tallystick-locust-", dir=Path.cwd()))
        code = _command("up", directory)
        if code:
            shutil.rmtree(directory, ignore_errors=True)
            message = "the cluster for the load could not be made"
            raise SetupFailedError(message)
        return cls(directory, LoadDirectory.open(directory / LOAD))

    def finish(self) -> int:
        """Reads back, stops the nodes and removes the directory.

        Returns:
            1 if an acknowledged envelope is not on disk or that cannot be told, else 0.
        """
        try:
            return _command("check", self.directory)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


def _command(name: str, directory: Path) -> int:
    """Runs one of our commands; what it says is seen."""
    command = [sys.executable, "-m", MODULE, name, "--dir", str(directory)]
    return subprocess.run(command, check=False, timeout=TIMEOUT_S).returncode
