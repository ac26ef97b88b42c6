"""`tallystick key`: signing keys in files."""

import os
from pathlib import Path
from typing import Annotated

import typer

from tallystick.cli.output import Report
from tallystick.keyfile import KeyFile, new_key_file, read_key_file, write_key_file
from tallystick_ledger.limits import SEED_BYTES

app = typer.Typer(no_args_is_help=True, help="Make and read signing keys.")

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def new(
    path: Annotated[Path, typer.Argument(help="The file to make, such as alice.key.")],
    name: Annotated[str, typer.Option(help="A word for people. Default: the file's name.")] = "",
    as_json: _Json = False,
) -> None:
    """Make a key and write it to a file that only its owner can read."""
    key_file = new_key_file(os.urandom(SEED_BYTES), name or path.stem)
    write_key_file(path, key_file)
    _report(path, key_file, "is new; keep it secret and keep a copy").print(as_json=as_json)


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="A key file.")],
    as_json: _Json = False,
) -> None:
    """Show what may be shown of a key: its public half and whose it is."""
    _report(path, read_key_file(path), "is usable").print(as_json=as_json)


def _report(path: Path, key_file: KeyFile, state: str) -> Report:
    public_key = key_file.key.public_key.hex()
    principal = None if key_file.principal is None else key_file.principal.hex()
    return Report(
        {
            "path": str(path),
            "name": key_file.name,
            "public_key": public_key,
            "principal": principal,
        },
        f"{path} {state}.",
        [("public key", public_key), ("principal", principal or "not registered by this file")],
    )
