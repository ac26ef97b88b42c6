"""`tallystick name`: the words that cards and holds refer to, such as models and meters."""

from enum import StrEnum
from typing import Annotated

import typer

from tallystick.cli.output import Report, Table
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, session
from tallystick_ledger.records import NameKind

app = typer.Typer(no_args_is_help=True, help="Register and list names of models, meters, regions.")


class Kind(StrEnum):
    """What a name is the name of."""

    MODEL = "model"
    METER = "meter"
    PROVIDER = "provider"
    REGION = "region"
    TIER = "tier"
    SERVICE = "service"
    LABEL = "label"


@app.command()
def add(
    kind: Annotated[Kind, typer.Argument(help="What they are the names of.")],
    text: Annotated[list[str], typer.Argument(help="1 to 256 bytes each; no personal data.")],
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register names; those that you have already stay. Signed by OWNER."""
    with session(profile, key, sends=True) as opened:
        found = opened.client.ensure_names([(NameKind[kind.name], each) for each in text])
    rows = [(name.hex(), each) for (_, each), name in found.items()]
    Report(
        {"names": [{"name": name, "kind": kind.value, "text": each} for name, each in rows]},
        f"{len(rows)} name{'' if len(rows) == 1 else 's'} of kind {kind.value}.",
        [(each, name) for name, each in rows],
    ).print(as_json=as_json)


@app.command(name="list")
def list_names(
    kind: Annotated[Kind, typer.Argument(help="What they are the names of.")],
    prefix: Annotated[str, typer.Argument(help="How they begin.")] = "",
    owner: Annotated[str, typer.Option(help="Only of this principal: name or id.")] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List names of all principals, in the order of their texts."""
    with session(profile, key) as opened:
        whose = opened.book.principal(owner) if owner else None
        names = [
            each
            for each in opened.client.names(NameKind[kind.name], prefix)
            if whose in (None, each.owner)
        ]
        owners = {value: name for name, value in opened.book.principals.items()}
    Report(
        {
            "names": [
                {
                    "name": each.id.hex(),
                    "kind": kind.value,
                    "text": each.text,
                    "owner": each.owner.hex(),
                }
                for each in names
            ]
        },
        f"{len(names)} name{'' if len(names) == 1 else 's'} of kind {kind.value}.",
        table=Table(
            ("text", "owner", "name"),
            [
                (each.text, owners.get(each.owner, each.owner.hex()), each.id.hex())
                for each in names
            ],
        ),
    ).print(as_json=as_json)
