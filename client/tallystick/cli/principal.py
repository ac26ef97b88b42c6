"""`tallystick principal`: who owns keys and accounts."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tallystick.cli.book import require_name
from tallystick.cli.output import Report
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, receipt_data, session
from tallystick.keyfile import KeyFile, existing_or_new, write_key_file
from tallystick_ledger.ids import PrincipalId
from tallystick_ledger.records import PrincipalType

app = typer.Typer(no_args_is_help=True, help="Register who owns keys and accounts.")


class Type(StrEnum):
    """What a principal is."""

    ORGANISATION = "organisation"
    INDIVIDUAL = "individual"
    SERVICE = "service"


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="A name for the address book, such as alice.")],
    key_file: Annotated[
        Path | None,
        typer.Option(help="Its key; made if there is none. Default: keys/NAME.key by the profile."),
    ] = None,
    kind: Annotated[Type, typer.Option("--type", help="What it is.")] = Type.ORGANISATION,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a principal with its first key. Signed by an operator."""
    require_name(name)
    with session(profile, key, sends=True) as opened:
        path = key_file or opened.directory / "keys" / f"{name}.key"
        held = existing_or_new(path, name)
        created = opened.client.register_principal(held.key, PrincipalType[kind.name])
        # Only now is it known whose key it is. Before, the file says nothing about it.
        write_key_file(path, KeyFile(held.key, created.id, name), replace=True)
        opened.book.principals[name] = PrincipalId(created.id)
        opened.book.save()
    Report(
        {
            "name": name,
            "principal": created.hex,
            "public_key": held.key.public_key.hex(),
            "key_file": str(path),
            "receipt": receipt_data(created.receipt),
        },
        f"Registered {name}; its key is in {path}.",
        [("principal", created.hex), ("public key", held.key.public_key.hex())],
    ).print(as_json=as_json)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name for the address book.")],
    principal: Annotated[str, typer.Argument(help="Its id.")],
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note somebody else's principal in the address book."""
    require_name(name)
    with session(profile) as opened:
        principal_id = opened.book.principal(principal)
        opened.book.principals[name] = principal_id
        opened.book.save()
    Report({"name": name, "principal": principal_id.hex()}, f"Noted {name}.").print(as_json=as_json)
