"""`tallystick history`: what touched an account, newest first, or as it happens."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import typer

from tallystick.cli.output import Report, Table
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, Session, session
from tallystick.cli.show import plain_effect, plain_fields, text_of
from tallystick.errors import InvalidArgument
from tallystick.history import HistoryFilter, HistoryRecord, Outcome
from tallystick.limits import MAX_PAGE_RECORDS
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import LedgerError
from tallystick_ledger.ids import AccountId
from tallystick_ledger.records import Kind

app = typer.Typer(help="List what touched an account.")

_NS_PER_S = 1_000_000_000
_TimeOption = Annotated[datetime | None, typer.Option(help="UTC.")]


@app.command()
def history(
    account: Annotated[str, typer.Argument(help="An account, by name or id.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest first.")] = False,
    kind: Annotated[list[str] | None, typer.Option(help="TRANSFER, RESERVE, …")] = None,
    outcome: Annotated[str, typer.Option(help="executed, refused or any.")] = "any",
    code: Annotated[str, typer.Option(help="Refused with this code.")] = "",
    counterparty: Annotated[str, typer.Option(help="What touched this account, too.")] = "",
    since: _TimeOption = None,
    until: _TimeOption = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="What comes from now on, until interrupted.")
    ] = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the records that touched an account. For its owner's keys, and auditors.

    `--follow --json` prints one object a line.
    """
    with session(profile, key) as opened:
        account_id = opened.book.account(account)
        other = opened.book.account(counterparty) if counterparty else None
        wanted = HistoryFilter(
            tuple(_named(Kind, name, "kind") for name in kind or ()),
            _named(Outcome, outcome, "outcome"),
            _named(Code, code, "code") if code else None,
            other,
            _nanoseconds(since),
            _nanoseconds(until),
        )
        if follow:
            _follow(opened, account_id, wanted, as_json=as_json)
            return
        found = opened.client.history(
            account_id,
            wanted=wanted,
            oldest_first=oldest,
            page_size=min(limit, MAX_PAGE_RECORDS),
            with_conts=True,
        )
        _report(list(islice(found, limit))).print(as_json=as_json)


def _follow(opened: Session, account: AccountId, wanted: HistoryFilter, *, as_json: bool) -> None:
    for record in opened.client.watch(account, wanted=wanted, with_conts=True):
        if as_json:
            typer.echo(json.dumps(_data(record)))
        else:
            for row in _table_rows([record]):
                typer.echo("\t".join(row))


def _named(kinds: Any, name: str, what: str) -> Any:  # noqa: ANN401 - a member of the enum given
    try:
        return kinds[name.upper().replace("-", "_")]
    except KeyError:
        raise InvalidArgument(f"There is no {what} {name!r}.") from None


def _nanoseconds(time: datetime | None) -> int:
    if time is None:
        return 0
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return int(aware.timestamp()) * _NS_PER_S


def _report(records: list[HistoryRecord]) -> Report:
    return Report(
        {"records": [_data(record) for record in records]},
        f"{len(records)} record{'' if len(records) == 1 else 's'}.",
        table=Table(("sequence>", "time", "kind", "result", "fields"), _table_rows(records)),
    )


def _data(record: HistoryRecord) -> dict[str, Any]:
    return {
        "sequence": record.sequence,
        "timestamp_ns": record.timestamp_ns,
        "envelope_id": None if record.envelope_id is None else record.envelope_id.hex(),
        "signer": None if record.signer is None else record.signer.hex(),
        "kind": _kind(record),
        "code": record.code.name,
        "hold_expired": record.hold_expired,
        "fields": _fields(record),
        "effects": [plain_effect(effect) for effect in record.effects],
    }


def _kind(record: HistoryRecord) -> str | None:
    kind = record.kind
    if kind is None:
        return None
    return kind.name if isinstance(kind, Kind) else f"{kind:#06x}"


def _fields(record: HistoryRecord) -> dict[str, Any]:
    try:
        return plain_fields(record.record)
    except LedgerError as error:
        return {"unreadable": str(error)}


def _table_rows(records: Iterable[HistoryRecord]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for record in records:
        seconds = record.timestamp_ns / _NS_PER_S
        time = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
        if record.data:
            code = record.code.name
            rows.append(
                (str(record.sequence), time, _kind(record) or "", code, text_of(_fields(record)))
            )
        rows += [
            (str(record.sequence), time, "effect", effect.cause.name, text_of(plain_effect(effect)))
            for effect in record.effects
        ]
    return rows
