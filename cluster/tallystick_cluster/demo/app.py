"""`tallystick demo`: options, where the cluster lives, and the exit code.

Exit codes: 0 all proofs hold; 1 one does not, or the demo could not be carried through;
130 interrupted. The nodes are stopped in every case.
"""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer

from tallystick import TallystickError
from tallystick_cluster.data import TRACE_ROWS
from tallystick_cluster.demo.report import Reporter
from tallystick_cluster.demo.run import Options, run_demo
from tallystick_cluster.errors import ClusterError
from tallystick_node.errors import NodeError

DEFAULT_IN_FLIGHT: Final = 64
MAX_IN_FLIGHT: Final = 1_024
DEFAULT_SEED: Final = 1
INTERRUPTED: Final = 130
# Outlives a restart of the machine by convention, so it is a disk nearly everywhere: in memory,
# a sync would mean nothing.
DISK_FOR_TEMPORARY_FILES: Final = Path("/var/tmp")  # noqa: S108 - mkdtemp makes a private one

app = typer.Typer(help="Three nodes settle real usage and survive a kill.")


@app.callback(invoke_without_command=True)
def demo(
    requests: Annotated[
        int, typer.Option(min=1, max=TRACE_ROWS, help="How many requests of the trace.")
    ] = TRACE_ROWS,
    in_flight: Annotated[
        int, typer.Option(min=1, max=MAX_IN_FLIGHT, help="How many of them at a time.")
    ] = DEFAULT_IN_FLIGHT,
    seed: Annotated[int, typer.Option(help="Decides who asks whom.")] = DEFAULT_SEED,
    keep: Annotated[
        Path | None,
        typer.Option(help="Leave genesis, keys and node-1 … node-3 in this new directory."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the final figures as one JSON object.")
    ] = False,
) -> None:
    """Settle real usage on three nodes, kill their leader, and prove that nothing was lost."""
    reporter = Reporter(to_stderr=as_json)
    try:
        with _ended_by_signals(), _directory(keep) as directory:
            options = Options(directory, requests, in_flight, seed, keep is not None)
            figures = run_demo(options, reporter)
    except KeyboardInterrupt:
        typer.echo("tallystick demo: interrupted; the nodes are stopped", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except (ClusterError, TallystickError, NodeError, OSError) as error:
        typer.echo(f"tallystick demo: {error}", err=True)
        raise typer.Exit(1) from error
    if keep is not None:
        reporter.line(f"kept: {keep}; `tallystick cluster up --dir {keep}` starts it again")
    reporter.figures(figures)
    if as_json:
        typer.echo(json.dumps(figures.as_json()))
    if not figures.holds:
        raise typer.Exit(1)


@contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
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
def _ended_by_signals() -> Iterator[None]:
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
