"""`tallystick node`: a node's keys, its directory, its process.

A genesis names the keys of all its nodes, so a node is made in three steps: `node keys` makes its
keys and prints its line for `genesis new`; `node init` takes the finished genesis; `node run` runs.
"""

import time
from pathlib import Path
from typing import Annotated

import typer

from tallystick.cli.output import CommandFailed, Report
from tallystick.errors import ConfigurationError
from tallystick_node.app import run_node
from tallystick_node.errors import NodeError
from tallystick_node.identity import IDENTITY_DIRECTORY, create_seeds, initialise

app = typer.Typer(no_args_is_help=True, help="Prepare and run a node.")

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Directory = Annotated[Path, typer.Argument(help="The node's directory.")]
_RaftId = Annotated[int, typer.Option("--raft-id", min=1, max=65_535, help="The node's Raft id.")]


@app.command()
def keys(
    directory: _Directory,
    raft_id: _RaftId,
    authority: Annotated[
        Path, typer.Option(help="Directory of the cluster's TLS authority; made if it is empty.")
    ],
    host: Annotated[
        list[str] | None, typer.Option(help="Names or addresses that the node is reached by.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Make a node's keys and certificate, and print its line for `tallystick genesis new`."""
    try:
        from tallystick_cluster import pki  # noqa: PLC0415 - of another extra
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"`tallystick node keys` needs {error.name}, which is not installed.",
            advice="Run: pip install 'tallystick[cluster]'",
        ) from error
    try:
        if (authority / pki.CA_KEY_FILE).exists():
            ca = pki.read_ca(authority)
        else:
            ca = pki.make_ca(now_ns=time.time_ns())
            pki.write_ca(authority, ca)
        names = [*pki.DEFAULT_NAMES, *(host or ())]
        credentials = pki.issue_node_certificate(ca, raft_id, now_ns=time.time_ns(), names=names)
        pki.write_node_credentials(directory / IDENTITY_DIRECTORY, credentials)
        ledger_key, cosigner_key = create_seeds(directory)
    except (OSError, ValueError) as error:
        raise CommandFailed(f"The keys cannot be made: {error}.") from error
    parts = (credentials.transport_identity, ledger_key, cosigner_key)
    line = ":".join([str(raft_id), *(part.hex() for part in parts)])
    Report({"raft_id": raft_id, "node": line}, line).print(as_json=as_json)


@app.command()
def init(
    directory: _Directory,
    raft_id: _RaftId,
    genesis: Annotated[Path, typer.Option(help="The ledger's genesis file.")],
    as_json: _Json = False,
) -> None:
    """Make a node of a directory that holds its keys."""
    try:
        incarnation = initialise(directory, genesis.read_bytes(), raft_id)
    except NodeError as error:
        raise CommandFailed(f"{error}.", advice="A node directory is made once.") from error
    except OSError as error:
        raise CommandFailed(f"{error}.") from error
    Report(
        {"directory": str(directory), "raft_id": raft_id, "incarnation": incarnation.hex()},
        f"{directory} is node {raft_id}; write its node.toml and run it.",
        [("incarnation", incarnation.hex())],
    ).print(as_json=as_json)


@app.command()
def run(directory: _Directory) -> None:
    """Run a node until SIGTERM or SIGINT."""
    try:
        run_node(directory)
    except NodeError as error:
        raise CommandFailed(f"{error}.", advice="See the node's log.") from error
