"""The command behind `make locust`.

    python -m tallystick_loadtests.swarm run --seconds 30 --users 64
    python -m tallystick_loadtests.swarm prepare --cluster my-cluster --out my-load

`run` makes a cluster, lets locust load it, and ends with exit code 1 if a request failed or an
acknowledged envelope is not on disk. `prepare` only writes what locust needs to load a cluster that
runs already; docs/benchmarks.md has the distributed run. `up` and `check` are what a locust that
was started by hand does before and after (own.py).
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tallystick_cluster.errors import ClusterError
from tallystick_cluster.layout import ClusterLayout
from tallystick_loadtests.errors import BenchError
from tallystick_loadtests.place import working_directory
from tallystick_loadtests.screen import Screen
from tallystick_loadtests.session import READ_NODE, start_cluster
from tallystick_loadtests.swarm.directory import DIRECTORY_VARIABLE
from tallystick_loadtests.swarm.figures import SwarmReport
from tallystick_loadtests.swarm.own import LOAD
from tallystick_loadtests.swarm.run import SwarmSettings, prepare, read_back, run_swarm

DEFAULT_NODES = 3

app = typer.Typer(help="Load a ledger with locust users.", no_args_is_help=True)


@app.command()
def run(
    nodes: Annotated[int, typer.Option(min=1, max=9, help="Nodes of the cluster.")] = DEFAULT_NODES,
    users: Annotated[int, typer.Option(min=1, help="Users at once.")] = 64,
    bulk_users: Annotated[int, typer.Option(min=0, help="Of these, send bulk.")] = 1,
    seconds: Annotated[float, typer.Option(min=1, help="Length of the run.")] = 30.0,
    user_rate: Annotated[
        float, typer.Option(min=0, help="Transfers a second of each user; 0: no limit.")
    ] = 0.0,
    steps: Annotated[str, typer.Option(help="Users of each step, as 8,16,32.")] = "",
    step_s: Annotated[float, typer.Option(min=1, help="Length of a step.")] = 10.0,
    workers: Annotated[
        int, typer.Option(min=0, help="Locust worker processes; 0: a single process.")
    ] = 0,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where cluster and logs are made; kept if given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Load a cluster of its own, headless."""
    screen = Screen(Console(stderr=as_json or not sys.stdout.isatty()))
    numbers = tuple(int(number) for number in steps.split(",") if number)
    settings = SwarmSettings(nodes, users, bulk_users, seconds, user_rate, numbers, step_s, workers)
    try:
        with working_directory("locust", directory) as chosen:
            report, code = run_swarm(settings, chosen, screen)
            if code and not as_json:
                typer.echo((chosen / LOAD / "locust.log").read_text(), err=True)
    except (BenchError, ClusterError) as error:
        typer.echo(f"locust: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    else:
        _print(report)
    if code or report.lost:
        raise typer.Exit(code or 1)


@app.command("prepare")
def prepare_load(
    cluster: Annotated[Path, typer.Option(help="Directory of a running cluster.")],
    out: Annotated[Path, typer.Option(help="Directory to write; give it to locust.")],
) -> None:
    """Register who pays on a running cluster, and write what locust needs."""
    try:
        prepare(ClusterLayout.open(cluster), out)
    except (BenchError, ClusterError) as error:
        typer.echo(f"locust: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{DIRECTORY_VARIABLE}={out}")


_OwnDirectory = Annotated[Path, typer.Option("--dir", help="The cluster's directory.")]


@app.command("up", hidden=True)
def up(directory: _OwnDirectory) -> None:
    """Make and start a cluster, and prepare a load of it."""
    try:
        layout = start_cluster(directory, nodes=DEFAULT_NODES)
        prepare(layout, directory / LOAD)
    except (BenchError, ClusterError) as error:
        typer.echo(f"locust: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"locust: {DEFAULT_NODES} nodes run in {directory}", err=True)


@app.command("check", hidden=True)
def check(directory: _OwnDirectory) -> None:
    """Stop a cluster that `up` made, and look for all that was acknowledged."""
    try:
        acknowledged, lost = read_back(ClusterLayout.open(directory), directory / LOAD)
    except (BenchError, ClusterError) as error:
        typer.echo(f"locust: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(
        f"locust: {lost} of {acknowledged:,} acknowledged envelopes are lost, by the disk of node "
        f"{READ_NODE}",
        err=True,
    )
    if lost:
        raise typer.Exit(1)


def _print(report: SwarmReport) -> None:
    """One line for each kind of request; the last line is a summary."""
    for name, each in report.by_name.items():
        latency_ms = each.latency_ms
        typer.echo(
            f"{name:<9} {each.requests:>8,} requests, {each.failures} failed, {each.per_s:,.0f}/s, "
            f"p50 {latency_ms['p50']:g} ms, p99 {latency_ms['p99']:g} ms"
        )
    for process, seconds in report.cpu_s.items():
        typer.echo(f"{process:<9} {seconds:>8.2f} s of CPU")
    if report.signed_late:
        typer.echo(f"{report.signed_late} envelopes had to be signed while users ran")
    bound = "which was the bound" if report.locust_bound else "which left room"
    typer.echo(
        f"{report.transfers_per_s:,.0f} transfers/s by {report.users} users, "
        f"{report.failures} requests failed, {report.lost} of {report.acknowledged:,} acknowledged "
        f"lost; locust was busy for {report.locust_busy:.0%} of the time, {bound}"
    )


if __name__ == "__main__":
    app()
