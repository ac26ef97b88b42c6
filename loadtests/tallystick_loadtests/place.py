"""Where a measurement makes its cluster: never in a temporary file system, which has no sync."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def working_directory(tool: str, given: Path | None = None) -> Iterator[Path]:
    """The given directory, or a new one below the current one that is removed in the end.

    Args:
        tool: Part of the new one's name.
        given: Made if it is not there; kept.
    """
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    made = Path(tempfile.mkdtemp(prefix=f"tallystick-{tool}-", dir=Path.cwd()))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
