"""The end of a process that cannot be trusted any more.

Theory of operation
-------------------
Some failures leave nothing to decide: a write or fsync that failed (the kernel may have dropped the
dirty pages, so trying again proves nothing), a panic of the native core, a worker or task that
died, a broken invariant. The only safe answer is silence. `fatal` writes one line to stderr and
ends the process at once, without running any handler that might still acknowledge something.

Peers see a node that crashed, which is what the consensus protocol is made for.
"""

import contextlib
import os
import sys
from enum import IntEnum
from typing import NoReturn


class ExitCode(IntEnum):
    """How a node process ends."""

    OK = 0
    USAGE = 2
    """The command line is wrong."""
    REFUSED = 3
    """The node must not run like this: settings, no or damaged store, or refused by its peers."""
    FATAL = 70
    """A write, a sync, the core or a part of the node failed."""


def fatal(part: str, error: BaseException | str, code: ExitCode = ExitCode.FATAL) -> NoReturn:
    """End the process now, acknowledging nothing more.

    Args:
        part: what failed, for example `persist`.
        error: why.
        code: exit code of the process.
    """
    why = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    line = f"tallystick node stops: {part}: {' '.join(why.split())}\n"
    # Nowhere to say it does not mean staying.
    with contextlib.suppress(OSError, ValueError):
        os.write(sys.stderr.fileno(), line.encode(errors="replace"))
    os._exit(code)
