"""`tallystick key`: signing keys in files, and what the ledger knows of them."""

import os
import time
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tallystick.cli.book import require_name
from tallystick.cli.ids import public_key
from tallystick.cli.output import Report
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, receipt_data, session
from tallystick.errors import InvalidArgument
from tallystick.keyfile import (
    KeyFile,
    existing_or_new,
    new_key_file,
    read_key_file,
    write_key_file,
)
from tallystick_ledger.ids import TimestampNs
from tallystick_ledger.limits import MIN_RECOVERY_NS, SEED_BYTES
from tallystick_ledger.records import Scope

app = typer.Typer(
    no_args_is_help=True, help="Make, add, revoke, delegate, kill and recover signing keys."
)

_NS_PER_S = 1_000_000_000
_NS_PER_DAY = 24 * 60 * 60 * _NS_PER_S
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class KeyScope(StrEnum):
    """What a further key may sign or see."""

    OWNER = "owner"
    SPEND = "spend"
    METER = "meter"
    PRICE = "price"
    READ = "read"
    AUDIT = "audit"
    RECOVERY = "recovery"


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
def add(
    name: Annotated[str, typer.Argument(help="A name for the key, such as agent.")],
    scope: Annotated[KeyScope, typer.Option(help="What it may sign or see.")],
    days: Annotated[
        float | None, typer.Option(min=0, help="How long it is good. Default: until revoked.")
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(help="Made if it is not there. Default: keys/NAME.key by the profile."),
    ] = None,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give the signer's principal a further key. Signed by an OWNER key (audit: by an operator)."""
    require_name(name)
    until_ns = TimestampNs(0 if days is None else time.time_ns() + int(days * _NS_PER_DAY))
    with session(profile, key, sends=True) as opened:
        path = key_file or opened.directory / "keys" / f"{name}.key"
        held = existing_or_new(path, name)
        receipt = opened.client.add_key(held.key, Scope[scope.name], until_ns=until_ns)
        principal = opened.client.signer.principal
        # Only now is it known whose key it is. Before, the file says nothing about it.
        write_key_file(path, KeyFile(held.key, principal, held.name), replace=True)
    public = held.key.public_key.hex()
    Report(
        {
            "name": name,
            "scope": scope.value,
            "principal": principal.hex(),
            "public_key": public,
            "until_ns": until_ns or None,
            "key_file": str(path),
            "receipt": receipt_data(receipt),
        },
        f"Added a key of scope {scope.value}; it is in {path}.",
        [("principal", principal.hex()), ("public key", public)],
    ).print(as_json=as_json)


@app.command()
def revoke(
    which: Annotated[str, typer.Argument(help="A public key: 64 hexadecimal digits.")],
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a key, from the next record on. Signed by an OWNER key or by the key itself."""
    with session(profile, key, sends=True) as opened:
        receipt = opened.client.revoke_key(public_key(which))
    Report({"key": which, "receipt": receipt_data(receipt)}, "The key is revoked.").print(
        as_json=as_json
    )


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


@app.command()
def recover(
    name: Annotated[str, typer.Argument(help="A name for the new OWNER key, such as alice-2.")],
    days: Annotated[
        float, typer.Option(help="How long an OWNER key can veto it: 3 to 30 days.")
    ] = MIN_RECOVERY_NS / _NS_PER_DAY,
    key_file: Annotated[
        Path | None,
        typer.Option(help="Made if it is not there. Default: keys/NAME.key by the profile."),
    ] = None,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Announce a new OWNER key in place of all others. Signed by a RECOVERY key."""
    require_name(name)
    with session(profile, key, sends=True) as opened:
        path = key_file or opened.directory / "keys" / f"{name}.key"
        held = existing_or_new(path, name)
        delay_ns = int(days * _NS_PER_DAY)
        receipt = opened.client.recover(held.key, delay_ns=delay_ns)
        principal = opened.client.signer.principal
        write_key_file(path, KeyFile(held.key, principal, held.name), replace=True)
    public, due_ns = held.key.public_key.hex(), receipt.timestamp_ns + delay_ns
    Report(
        {
            "name": name,
            "principal": principal.hex(),
            "public_key": public,
            "due_ns": due_ns,
            "key_file": str(path),
            "receipt": receipt_data(receipt),
        },
        f"The key in {path} is the OWNER from {_moment(due_ns)} on, if nobody vetoes it.",
        [("principal", principal.hex()), ("public key", public)],
    ).print(as_json=as_json)


@app.command()
def recovery(
    principal: Annotated[str, typer.Option(help="Whose, by name or id; default: the key's.")] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which key is to replace the OWNER keys, and when."""
    with session(profile, key) as opened:
        whose = opened.book.principal(principal) if principal else None
        row = opened.client.pending_recovery(whose)
    if row is None:
        Report({"recovery": None}, "No recovery is pending.").print(as_json=as_json)
        return
    data = {
        "principal": row.principal.hex(),
        "public_key": row.key.hex(),
        "recovery_key": row.recovery_key.hex(),
        "begun_at": row.begun_at,
        "due_ns": row.due_ns,
    }
    Report(
        {"recovery": data},
        f"A new key replaces the OWNER keys at {_moment(row.due_ns)}; `key veto` ends that.",
        [("new key", row.key.hex()), ("begun by", row.recovery_key.hex())],
    ).print(as_json=as_json)


@app.command()
def veto(
    which: Annotated[
        str, typer.Argument(help="The announced key, 64 digits; default: that of `key recovery`.")
    ] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """End the pending recovery and revoke the key that began it. Signed by an OWNER key."""
    with session(profile, key, sends=True) as opened:
        if which:
            announced = public_key(which)
        else:
            row = opened.client.pending_recovery(opened.client.signer.principal)
            if row is None:
                raise InvalidArgument("No recovery is pending.", advice="There is nothing to end.")
            announced = row.key
        receipt = opened.client.veto(announced)
    Report(
        {"key": announced.hex(), "receipt": receipt_data(receipt)},
        "The recovery is ended, and the key that began it is revoked.",
    ).print(as_json=as_json)


def _moment(timestamp_ns: int) -> str:
    return datetime.fromtimestamp(timestamp_ns // _NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


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
