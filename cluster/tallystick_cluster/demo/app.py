"""`tallystick demo`: options, where the cluster lives, and the exit code.

Exit codes: 0 all proofs hold; 1 one does not, or the demo could not be carried through;
130 interrupted. The nodes are stopped in every case.
"""

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from tallystick import TallystickError
from tallystick_cluster.data import TRACE_ROWS
from tallystick_cluster.demo.place import ended_by_signals, working_directory
from tallystick_cluster.demo.report import Reporter
from tallystick_cluster.demo.run import Options, run_demo
from tallystick_cluster.economy.app import economy
from tallystick_cluster.errors import ClusterError
from tallystick_node.errors import NodeError

DEFAULT_IN_FLIGHT: Final = 64
MAX_IN_FLIGHT: Final = 1_024
DEFAULT_SEED: Final = 1
INTERRUPTED: Final = 130

app = typer.Typer(help="Three nodes settle real usage and survive a kill.")


@app.callback(invoke_without_command=True)
def demo(
    context: typer.Context,
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
    if context.invoked_subcommand is not None:
        return
    reporter = Reporter(to_stderr=as_json)
    try:
        with ended_by_signals(), working_directory(keep) as directory:
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


app.command()(economy)
