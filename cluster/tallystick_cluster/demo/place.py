"""Where a demo's cluster lives, and how a demo is ended early."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

# Outlives a restart of the machine by convention, so it is a disk nearly everywhere: in memory,
# a sync would mean nothing.
DISK_FOR_TEMPORARY_FILES: Final = Path("/var/tmp")  # noqa: S108 - mkdtemp makes a private one


@contextmanager
def working_directory(keep: Path | None) -> Iterator[Path]:
    """The directory to use: `keep`, or one that is removed afterwards."""
    if keep is not None:
        yield keep
        return
    usable = os.access(DISK_FOR_TEMPORARY_FILES, os.W_OK) and "TMPDIR" not in os.environ
    parent = DISK_FOR_TEMPORARY_FILES if usable else None
    directory = Path(tempfile.mkdtemp(prefix="tallystick-demo-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Turns SIGTERM and SIGHUP into what Ctrl-C is, so that the nodes are stopped."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    previous = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
