"""`tallystick key`: signing keys in files, and keys under keys in the ledger."""

import os
from pathlib import Path
from typing import Annotated

import typer

from tallystick.cli.limit import public_key
from tallystick.cli.output import Report
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, receipt_data, session
from tallystick.keyfile import KeyFile, new_key_file, read_key_file, write_key_file
from tallystick_ledger.limits import SEED_BYTES

app = typer.Typer(no_args_is_help=True, help="Make and read signing keys; delegate and kill them.")

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


@app.command()
def delegate(
    agent: Annotated[str, typer.Argument(help="A SPEND key: 64 hexadecimal digits.")],
    under: Annotated[str, typer.Option(help="The SPEND key above it; none: nothing above.")] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a SPEND key under another: what it spends counts for both. Signed by an OWNER key."""
    with session(profile, key, sends=True) as opened:
        parent = public_key(under) if under else None
        receipt = opened.client.delegate(public_key(agent), parent)
    Report(
        {"key": agent, "parent": under or None, "receipt": receipt_data(receipt)},
        f"The key stands {'under another' if under else 'by itself'} now.",
    ).print(as_json=as_json)


@app.command()
def kill(
    agent: Annotated[str, typer.Argument(help="A SPEND key: 64 hexadecimal digits.")],
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a SPEND key and all keys under it. Signed by an OWNER key or a key above it."""
    with session(profile, key, sends=True) as opened:
        receipt = opened.client.kill(public_key(agent))
    Report(
        {"key": agent, "receipt": receipt_data(receipt)}, "The key and all under it are revoked."
    ).print(as_json=as_json)


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
