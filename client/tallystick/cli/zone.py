"""`tallystick zone make|publish|show`: time zones by which limits count days and months."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tallystick.cli.output import CommandFailed, Report, Table
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, receipt_data, session
from tallystick.errors import InvalidArgument
from tallystick_ledger.ids import TimestampNs
from tallystick_ledger.zones import ZoneTable

app = typer.Typer(no_args_is_help=True, help="Publish time zones for limits.")

_NS_PER_S = 1_000_000_000
_Name = Annotated[str, typer.Argument(help="As in the time-zone database, such as Asia/Shanghai.")]


@app.command()
def make(
    name: _Name,
    since: Annotated[str, typer.Option("--from", help="First day, such as 2026-01-01.")],
    until: Annotated[str, typer.Option("--until", help="Day of the horizon.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    as_json: JsonOption = False,
) -> None:
    """Write a zone's table, out of the time-zone database of this machine."""
    from tallystick import zone_tables  # noqa: PLC0415 - loads the database's reader

    table = zone_tables.make(name, _day(since), _day(until))
    out.write_text(json.dumps({"name": name, **asdict(table)}, indent=2) + "\n", encoding="utf-8")
    count = len(table.transitions)
    Report(
        {"name": name, "path": str(out), "transitions": count},
        f"Wrote {name} with {count} changes of its offset to {out}.",
    ).print(as_json=as_json)


@app.command()
def publish(
    path: Annotated[Path, typer.Argument(help="A file that `tallystick zone make` wrote.")],
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a zone, or a newer table of one. Signed by an operator."""
    name, table = _read(path)
    with session(profile, key, sends=True) as opened:
        (row,) = opened.client.zones([name])
        version = 1 if row is None else row.version + 1
        receipt = opened.client.publish_zone(name, version, table)
    Report(
        {"name": name, "version": version, "receipt": receipt_data(receipt)},
        f"Published version {version} of {name}.",
    ).print(as_json=as_json)


@app.command()
def show(
    name: _Name,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the table of a zone that is in force."""
    with session(profile, key) as opened:
        (row,) = opened.client.zones([name])
    if row is None:
        raise CommandFailed(f"There is no zone {name}.", advice="An operator has to publish it.")
    spans = row.table.spans()
    Report(
        {"name": name, "version": row.version, **asdict(row.table)},
        f"Version {row.version} of {name}, until {_moment(row.table.horizon_ns)}.",
        table=Table(
            ("from", "offset>"), [(_moment(start), _offset(offset)) for start, _, offset in spans]
        ),
    ).print(as_json=as_json)


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidArgument(f"{text!r} is no day.", advice="Write it as 2026-01-01.") from error


def _read(path: Path) -> tuple[str, ZoneTable]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        transitions = tuple(
            (TimestampNs(int(at)), int(offset)) for at, offset in content["transitions"]
        )
        table = ZoneTable(
            TimestampNs(int(content["from_ns"])),
            TimestampNs(int(content["horizon_ns"])),
            int(content["first_offset_s"]),
            transitions,
        )
        return str(content["name"]), table
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandFailed(
            f"{path} holds no table of a zone: {error}.",
            advice="Make it by `tallystick zone make`.",
        ) from error


def _moment(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // _NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _offset(seconds: int) -> str:
    minutes, rest = divmod(abs(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if seconds < 0 else "+"
    return f"{sign}{hours:02}:{minutes:02}" + (f":{rest:02}" if rest else "")
