"""``python -m tallystick_node DIRECTORY``: runs one node until SIGTERM or SIGINT."""

import sys
from pathlib import Path

from tallystick_node.app import run_node
from tallystick_node.errors import NodeError
from tallystick_node.failure import ExitCode


def main() -> int:
    """Runs the node; returns the process's exit code."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m tallystick_node DIRECTORY\n")
        return ExitCode.USAGE
    try:
        run_node(Path(sys.argv[1]))
    except NodeError as error:
        sys.stderr.write(f"tallystick node: {error}\n")
        return ExitCode.REFUSED
    return ExitCode.OK


if __name__ == "__main__":
    raise SystemExit(main())
