"""`tallystick demo economy`: options, where the cluster lives, and the exit code.

Exit codes: 0 all checks are ok; 1 one is not, or the day could not be carried through;
130 interrupted. The nodes are stopped in every case.
"""

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from tallystick import TallystickError
from tallystick_cluster.demo.place import ended_by_signals, working_directory
from tallystick_cluster.demo.screen import Screen
from tallystick_cluster.economy.report import show_figures
from tallystick_cluster.economy.run import Options, run_economy
from tallystick_cluster.errors import ClusterError
from tallystick_node.errors import NodeError

ALL_REQUESTS: Final = 12_031
DEFAULT_SECONDS: Final = 75
DEFAULT_IN_FLIGHT: Final = 64
DEFAULT_SEED: Final = 1
INTERRUPTED: Final = 130


def economy(
    requests: Annotated[
        int, typer.Option(min=50, max=ALL_REQUESTS, help="At most so many of each trace.")
    ] = ALL_REQUESTS,
    seconds: Annotated[
        int, typer.Option(min=20, max=600, help="How long the day lasts.")
    ] = DEFAULT_SECONDS,
    in_flight: Annotated[
        int, typer.Option(min=1, max=1_024, help="How many requests at a time.")
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
    """Run a day of a token economy on three nodes, and check every charge to the nano-unit."""
    screen = Screen(to_stderr=as_json)
    try:
        with ended_by_signals(), working_directory(keep) as directory:
            options = Options(directory, requests, seconds, in_flight, seed, keep is not None)
            figures = run_economy(options, screen)
    except KeyboardInterrupt:
        typer.echo("tallystick demo economy: interrupted; the nodes are stopped", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except (ClusterError, TallystickError, NodeError, OSError) as error:
        typer.echo(f"tallystick demo economy: {error}", err=True)
        raise typer.Exit(1) from error
    if keep is not None:
        screen.line(f"kept: {keep}; `tallystick cluster up --dir {keep}` starts it again")
    show_figures(screen, figures)
    if as_json:
        typer.echo(json.dumps(figures.as_json()))
    if not figures.ok:
        raise typer.Exit(1)
