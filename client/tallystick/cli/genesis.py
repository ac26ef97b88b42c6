"""`tallystick genesis`: what a ledger is before its first block."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tallystick import marketplace
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
_GENESIS_FILE = "genesis.bin"


class Template(StrEnum):
    """What a ledger is set up for."""

    MARKETPLACE = "marketplace"


@app.command()
def new(
    path: Annotated[
        Path,
        typer.Argument(
            help="The file to make, such as genesis.bin; with --template, the directory."
        ),
    ],
    operator: Annotated[
        list[str] | None,
        typer.Option(help="An operator: a key file, or a public key in hexadecimal."),
    ] = None,
    node: Annotated[
        list[str] | None,
        typer.Option(
            help="A node: RAFT_ID:TRANSPORT_IDENTITY:LEDGER_KEY:COSIGNER_KEY, "
            "as `tallystick node keys` prints it."
        ),
    ] = None,
    template: Annotated[
        Template | None,
        typer.Option(
            help="Also write a plan to set the ledger up by. Without --node it makes three nodes "
            "on this machine, for `tallystick cluster up`."
        ),
    ] = None,
    origin: Annotated[
        str, typer.Option(help="The ledger's public name: a-z 0-9 . - /")
    ] = "tallystick.local/ledger",
    quorum: Annotated[int, typer.Option(help="How many operators must agree.")] = 1,
    max_lifetime_s: Annotated[int, typer.Option(help="Longest life of an envelope.")] = 600,
    as_json: _Json = False,
) -> None:
    """Make a genesis; its hash is the new ledger's id."""
    if template is not None:
        _require_new(path / marketplace.PLAN_FILE)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not node and not operator:
            _report(path / _GENESIS_FILE, _make_cluster(path, origin)).print(as_json=as_json)
            _write(path / marketplace.PLAN_FILE, marketplace.TEMPLATE.encode())
            return
        path = path / _GENESIS_FILE
    if not node or not operator:
        raise InvalidArgument("A genesis has operators and nodes.", advice="See --help.")
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
    _write(path, genesis.encode())
    if template is not None:
        _write(path.with_name(marketplace.PLAN_FILE), marketplace.TEMPLATE.encode())
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


def _make_cluster(directory: Path, origin: str) -> Genesis:
    """Three nodes on this machine, not started yet, with the profile for their operator."""
    try:
        from tallystick.cli.cluster import make_cluster  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"Without --node this needs {error.name}, which is not installed.",
            advice="Run: pip install 'tallystick[cluster]'; or name operators and nodes.",
        ) from error
    return Genesis.decode(make_cluster(directory, 3, origin).genesis)


def _require_new(path: Path) -> None:
    if path.exists():
        raise ConfigurationError(
            f"{path} exists already.", advice="A ledger has one plan: choose another directory."
        )


def _write(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise ConfigurationError(
            f"{path} exists already.", advice="A ledger has one genesis: choose another name."
        ) from error
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}.") from error


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
