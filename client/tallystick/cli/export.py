"""`tallystick export`: postings as CSV or Parquet, charges as FOCUS 1.2."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tallystick.cli.output import CommandFailed, Report
from tallystick.cli.period import (
    FAR_NS,
    AccountsOption,
    FromOption,
    PrincipalOption,
    RebuildOption,
    ToOption,
    accounts_of,
    nanoseconds,
    projection,
    texts_of,
)
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, Session, session
from tallystick.errors import ConfigurationError, InvalidArgument
from tallystick.statements import focus
from tallystick.statements.follow import compare
from tallystick.statements.projection import Projection
from tallystick.statements.table import (
    Exported,
    write_csv,
    write_parquet,
    write_usage_csv,
    write_usage_parquet,
)
from tallystick_ledger.ids import AccountId, PrincipalId

app = typer.Typer(help="Write postings and charges to files.")


class Format(StrEnum):
    """What is written."""

    CSV = "csv"
    PARQUET = "parquet"
    FOCUS = "focus"


@app.command()
def export(
    kind: Annotated[Format, typer.Option("--format", help="Postings, or charges as FOCUS 1.2.")],
    out: Annotated[Path, typer.Option("--out", help="A directory; made if it is not there.")],
    account: AccountsOption = None,
    principal: PrincipalOption = "",
    start: FromOption = None,
    end: ToOption = None,
    service: Annotated[
        str, typer.Option(help="ServiceName of FOCUS rows.")
    ] = "AI inference and data",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files.")] = False,
    rebuild: RebuildOption = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export a period: postings.csv, unit=U/date=D/ACCOUNT.parquet, or focus-1.2.csv.

    Beside postings also what charges were for: usage.csv, or the same partitions in _usage.
    """
    with session(profile, key) as opened:
        from_ns, to_ns = nanoseconds(start, 0), nanoseconds(end, FAR_NS)
        accounts = accounts_of(opened, account, principal)
        with projection(opened, accounts, rebuild=rebuild) as kept:
            compared = compare(opened.client, kept, accounts)
            if compared.differing:
                raise CommandFailed(
                    "The projection differs from the ledger; nothing was written.",
                    advice="Make it again: --rebuild.",
                )
            exported = list(_exported(opened, kept, accounts, (from_ns, to_ns)))
            try:
                count, usage_count = _write(
                    opened, kind, out, exported, service, overwrite=overwrite
                )
            except OSError as error:
                raise ConfigurationError(f"{out} cannot be written: {error}.") from error
    rows = "charge" if kind is Format.FOCUS else "posting"
    rows += "" if count == 1 else "s"
    if usage_count:
        rows += f" and {usage_count} row{'' if usage_count == 1 else 's'} of usage"
    Report(
        {"rows": count, "usage_rows": usage_count, "out": str(out)},
        f"{count} {rows} written to {out}.",
    ).print(as_json=as_json)


def _exported(
    opened: Session, kept: Projection, accounts: list[AccountId], period: tuple[int, int]
) -> Iterator[Exported]:
    for account in accounts:
        state = kept.followed(account)
        if state is None:
            continue
        symbol = opened.book.symbol(state.unit)
        if not symbol:
            raise InvalidArgument(
                f"The decimals of the unit {state.unit.hex()} are not in the address book.",
                advice="Add them: tallystick unit add.",
            )
        exponent = opened.book.units[symbol].exponent
        entries = kept.postings(account, *period), kept.usages(account, *period)
        yield Exported(account, state.owner, symbol, exponent, *entries)


def _write(
    opened: Session,
    kind: Format,
    out: Path,
    exported: list[Exported],
    service: str,
    *,
    overwrite: bool,
) -> tuple[int, int]:
    """How many postings or charges, and how many rows of usage."""
    if kind is Format.PARQUET:
        count = write_parquet(out, exported, overwrite=overwrite)
        return count, write_usage_parquet(out, exported, overwrite=overwrite)
    usage_path = out / "usage.csv"
    path = out / ("postings.csv" if kind is Format.CSV else "focus-1.2.csv")
    for each in (path, usage_path) if kind is Format.CSV else (path,):
        if each.exists() and not overwrite:
            raise InvalidArgument(f"{each} is there already.", advice="Add --overwrite.")
    if kind is Format.CSV:
        return write_csv(path, exported), write_usage_csv(usage_path, exported)
    owners = {principal: name for name, principal in opened.book.principals.items()}

    def account_name(account: bytes) -> str:
        return opened.book.account_name(AccountId(account))

    def principal_name(principal: bytes) -> str:
        return owners.get(PrincipalId(principal), principal.hex())

    models: dict[bytes, str] = {}

    def model_name(model: bytes) -> str:
        if model not in models:
            models.update(texts_of(opened, [model]))
        return models[model]

    names = account_name, principal_name, model_name
    return focus.write_focus(path, exported, *names, service), 0
