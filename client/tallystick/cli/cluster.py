"""`tallystick cluster`: a whole cluster on this machine.

All state is in the directory: `up` makes and starts, or starts what does not run; every other
command works on what is there, from any terminal.
"""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tallystick.cli.output import CommandFailed, Report, Table
from tallystick.profile import FILE_NAME, write_profile
from tallystick_cluster import manage
from tallystick_cluster.errors import ClusterError, NodeFailedError, NotReadyError
from tallystick_cluster.layout import CLUSTER_FILE, DEFAULT_ORIGIN, ClusterLayout, create_cluster
from tallystick_node.errors import NodeError

app = typer.Typer(no_args_is_help=True, help="Run nodes on this machine.")

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Directory = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        "-d",
        envvar="TALLYSTICK_CLUSTER",
        help="The cluster's directory. Default: ./tallystick-cluster",
    ),
]
_Node = Annotated[int, typer.Option("--node", "-n", min=1, help="The node's Raft id.")]


@app.command()
def up(
    nodes: Annotated[int, typer.Option(min=1, max=9, help="Nodes of a new cluster.")] = 3,
    directory: _Directory = None,
    timeout_s: Annotated[float, typer.Option(help="How long to wait for a leader.")] = 60.0,
    as_json: _Json = False,
) -> None:
    """Make a cluster with its own authority, keys and genesis, and start it; or start it again."""
    where = manage.cluster_directory(directory)
    try:
        if (where / CLUSTER_FILE).exists():
            layout = ClusterLayout.open(where)
        else:
            layout = make_cluster(where, nodes)
        for node in layout.nodes:
            if manage.process_of(layout, node.raft_id) is None:
                manage.start_node(layout, node.raft_id)
        leader = manage.wait_ready(layout, timeout_s)
    except (ClusterError, NodeError, OSError) as error:
        raise _failed(error) from error
    report = _status(layout, with_digest=False)
    running = f"{len(layout.nodes)} nodes run in {where}, node {leader} leads"
    Report(
        report.data | {"leader": leader},
        f"{running}. Try: tallystick -h; every command takes --profile {where}",
        table=report.table,
    ).print(as_json=as_json)


def make_cluster(directory: Path, nodes: int, origin: str = DEFAULT_ORIGIN) -> ClusterLayout:
    """Makes a cluster that does not run yet, and the profile of its operator.

    Raises:
        CommandFailed: It cannot be made there.
    """
    try:
        layout = create_cluster(directory, node_count=nodes, now_ns=time.time_ns(), origin=origin)
        endpoints = tuple(layout.endpoints)
        write_profile(directory / FILE_NAME, endpoints=endpoints, key="keys/operator.key")
    except (ClusterError, NodeError, OSError) as error:
        raise _failed(error) from error
    return layout


@app.command()
def status(
    directory: _Directory = None,
    digest: Annotated[bool, typer.Option("--digest", help="Compare the state digests.")] = False,
    as_json: _Json = False,
) -> None:
    """Show each node's process and what it says of itself."""
    _status(_layout(directory), with_digest=digest).print(as_json=as_json)


@app.command()
def down(directory: _Directory = None, as_json: _Json = False) -> None:
    """Stop all nodes in good order. Their directories stay."""
    layout = _layout(directory)
    try:
        stopped = manage.stop_nodes(layout)
    except (ClusterError, OSError) as error:
        raise _failed(error) from error
    Report({"stopped": stopped}, f"Stopped {_names(stopped)}.").print(as_json=as_json)


@app.command()
def kill(node: _Node, directory: _Directory = None, as_json: _Json = False) -> None:
    """Kill a node by SIGKILL, as a crash would."""
    try:
        pid = manage.kill_node(_layout(directory), node)
    except (ClusterError, OSError) as error:
        raise _failed(error) from error
    Report({"killed": node, "pid": pid}, f"Killed node {node} (process {pid}).").print(
        as_json=as_json
    )


@app.command()
def start(node: _Node, directory: _Directory = None, as_json: _Json = False) -> None:
    """Start a node that does not run."""
    try:
        process = manage.start_node(_layout(directory), node)
    except (ClusterError, OSError) as error:
        raise _failed(error) from error
    Report({"started": node, "pid": process.pid}, f"Started node {node}.").print(as_json=as_json)


def _layout(directory: Path | None) -> ClusterLayout:
    try:
        return ClusterLayout.open(manage.cluster_directory(directory))
    except ClusterError as error:
        raise _failed(error) from error


def _status(layout: ClusterLayout, *, with_digest: bool) -> Report:
    states = manage.node_states(layout, with_digest=with_digest)
    nodes: list[dict[str, Any]] = []
    for state in states:
        entry: dict[str, Any] = {
            "raft_id": state.raft_id,
            "address": state.address,
            "pid": state.pid,
        }
        if state.status is not None:
            entry |= {
                "role": state.status.role,
                "term": state.status.term,
                "commit_index": state.status.commit_index,
                "applied_index": state.status.applied_index,
                "next_sequence": state.status.next_sequence,
                "tree_size": state.status.tree_size,
                "accounts": state.status.account_count,
                "open_holds": state.status.open_hold_count,
            }
            if with_digest:
                entry["state_digest"] = state.status.state_digest.hex()
        nodes.append(entry)
    answering = [entry for entry in nodes if "role" in entry]
    leader = next((entry["raft_id"] for entry in answering if entry["role"] == "leader"), None)
    led = "nobody leads" if leader is None else f"node {leader} leads"
    summary = f"{len(answering)} of {len(nodes)} nodes answer, {led}."
    data: dict[str, Any] = {"directory": str(layout.directory), "leader": leader, "nodes": nodes}
    if with_digest:
        places = {(entry["next_sequence"], entry["state_digest"]) for entry in answering}
        sequences = {sequence for sequence, _ in places}
        data["digests_agree"] = len(places) == len(sequences)
        verdict = "agree" if data["digests_agree"] else "DIFFER"
        where = "at one sequence number" if len(sequences) == 1 else "at different ones"
        summary += f" State digests {verdict} ({where})."
    columns = ("node", "address", "process>", "role", "term>", "commit>", "next sequence>")
    keys = ("raft_id", "address", "pid", "role", "term", "commit_index", "next_sequence")
    rows = [["-" if entry.get(key) is None else str(entry[key]) for key in keys] for entry in nodes]
    return Report(data, summary, table=Table(columns, rows))


def _names(raft_ids: list[int]) -> str:
    if not raft_ids:
        return "nothing: no node was running"
    return f"node{'s' if len(raft_ids) > 1 else ''} {', '.join(map(str, raft_ids))}"


def _failed(error: Exception) -> CommandFailed:
    in_log = isinstance(error, NodeFailedError | NotReadyError)
    advice = "See node.log in the nodes' directories." if in_log else ""
    return CommandFailed(f"{error}.", advice=advice)
