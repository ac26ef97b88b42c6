"""`tallystick genesis`: what a ledger is before its first block."""

import os
from pathlib import Path
from typing import Annotated

import typer

from tallystick.cli.output import CommandFailed, Report
from tallystick.errors import ConfigurationError, InvalidArgument
from tallystick.keyfile import read_key_file
from tallystick_ledger.errors import LedgerError
from tallystick_ledger.genesis import Genesis, GenesisNode
from tallystick_ledger.ids import PublicKey
from tallystick_ledger.limits import KEY_BYTES

app = typer.Typer(no_args_is_help=True, help="Make and read a ledger's genesis.")

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_NS_PER_S = 1_000_000_000


@app.command()
def new(
    path: Annotated[Path, typer.Argument(help="The file to make, such as genesis.bin.")],
    operator: Annotated[
        list[str], typer.Option(help="An operator: a key file, or a public key in hexadecimal.")
    ],
    node: Annotated[
        list[str],
        typer.Option(
            help="A node: RAFT_ID:TRANSPORT_IDENTITY:LEDGER_KEY:COSIGNER_KEY, "
            "as `tallystick node keys` prints it."
        ),
    ],
    origin: Annotated[
        str, typer.Option(help="The ledger's public name: a-z 0-9 . - /")
    ] = "tallystick.local/ledger",
    quorum: Annotated[int, typer.Option(help="How many operators must agree.")] = 1,
    max_lifetime_s: Annotated[int, typer.Option(help="Longest life of an envelope.")] = 600,
    as_json: _Json = False,
) -> None:
    """Make a genesis; its hash is the new ledger's id."""
    try:
        genesis = Genesis(
            random_bytes=os.urandom(32),
            origin=origin,
            operators=[_operator(each) for each in operator],
            nodes=[_node(each) for each in node],
            operator_quorum=quorum,
            max_lifetime_ns=max_lifetime_s * _NS_PER_S,
        )
    except LedgerError as error:
        raise InvalidArgument(f"That makes no genesis: {error}.") from error
    try:
        with path.open("xb") as file:
            file.write(genesis.encode())
    except FileExistsError as error:
        raise ConfigurationError(
            f"{path} exists already.", advice="A ledger has one genesis: choose another name."
        ) from error
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}.") from error
    _report(path, genesis).print(as_json=as_json)


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="A genesis file.")], as_json: _Json = False
) -> None:
    """Show what a genesis says."""
    try:
        genesis = Genesis.decode(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    except LedgerError as error:
        raise ConfigurationError(f"{path} is no genesis: {error}.") from error
    _report(path, genesis).print(as_json=as_json)


def _report(path: Path, genesis: Genesis) -> Report:
    data = {
        "path": str(path),
        "ledger_id": genesis.ledger_id.hex(),
        "origin": genesis.origin,
        "operators": [key.hex() for key in genesis.operators],
        "operator_quorum": genesis.operator_quorum,
        "nodes": [
            {
                "raft_id": node.raft_id,
                "transport_identity": node.transport_identity.hex(),
                "ledger_key": node.ledger_key.hex(),
                "cosigner_key": node.cosigner_key.hex(),
            }
            for node in genesis.nodes
        ],
        "max_lifetime_ns": genesis.max_lifetime_ns,
        "reference_window_ns": genesis.reference_window_ns,
        "hold_max_lifetime_ns": genesis.hold_max_lifetime_ns,
        "hold_retention_ns": genesis.hold_retention_ns,
        "predecessor": None if genesis.predecessor is None else genesis.predecessor.ledger_id.hex(),
    }
    facts = [
        ("origin", genesis.origin),
        ("operators", f"{len(genesis.operators)}, {genesis.operator_quorum} must agree"),
        *((f"node {node.raft_id}", node.ledger_key.hex()) for node in genesis.nodes),
        ("envelopes live", f"up to {genesis.max_lifetime_ns // _NS_PER_S} s"),
        ("holds live", f"up to {genesis.hold_max_lifetime_ns // _NS_PER_S} s"),
    ]
    return Report(data, f"Ledger {genesis.ledger_id.hex()}", facts)


def _operator(text: str) -> PublicKey:
    if len(text) == 2 * KEY_BYTES:
        try:
            return PublicKey(bytes.fromhex(text))
        except ValueError:
            pass  # a file with a long name
    return read_key_file(Path(text)).key.public_key


def _node(text: str) -> GenesisNode:
    parts = text.split(":")
    try:
        raft_id, transport_identity, ledger_key, cosigner_key = parts
        return GenesisNode(
            int(raft_id),
            bytes.fromhex(transport_identity),
            PublicKey(bytes.fromhex(ledger_key)),
            PublicKey(bytes.fromhex(cosigner_key)),
        )
    except ValueError as error:
        raise InvalidArgument(
            f"{text!r} is no node: {error}.",
            advice="Take the line that `tallystick node keys` printed.",
        ) from error
