"""What a command prints: one JSON object for programs, or lines and tables for people.

A command makes a `Report` of plain values and prints it once, at its end. Tables appear only on a
terminal; the last line for people is a summary.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import typer

from tallystick.errors import (
    ConfigurationError,
    ConnectionFailed,
    InvalidArgument,
    OutcomeUnknown,
    RecordRefused,
    Refused,
    TallystickError,
)

_EXIT_CODES: Final[tuple[tuple[type[TallystickError], int], ...]] = (
    (OutcomeUnknown, 4),
    (ConnectionFailed, 5),
    (ConfigurationError, 6),
    (InvalidArgument, 2),
    (Refused, 3),
    (RecordRefused, 3),
)


class CommandFailed(TallystickError):  # noqa: N818 - says what happened
    """Something outside the ledger did not work out; exit code 1."""

    code = "FAILED"
    default_advice = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for people.

    Attributes:
        columns: Their headings; one that ends in `>` is aligned to the right.
        rows: Text for each column.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Report:
    """What a command found or did.

    Attributes:
        data: For programs: what `--json` prints. Amounts are strings, ids hexadecimal.
        summary: For people: the last line.
        facts: For people: pairs of label and value, printed above the summary.
        table: For people on a terminal.
    """

    data: dict[str, Any]
    summary: str
    facts: Sequence[tuple[str, str]] = ()
    table: Table | None = field(default=None)

    def print(self, *, as_json: bool) -> None:
        """Prints it."""
        if as_json:
            typer.echo(json.dumps(self.data))
            return
        if self.table is not None and self.table.rows:
            _print_table(self.table)
        width = max((len(label) for label, _ in self.facts), default=0)
        for label, value in self.facts:
            typer.echo(f"{label:<{width}}  {value}")
        typer.echo(self.summary)


def exit_code_of(error: TallystickError) -> int:
    """Returns the exit code that stands for an error; see `tallystick.cli`."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), 1)


def print_error(error: TallystickError) -> None:
    """Prints an error: for people to standard error, with `--json` as JSON to standard output."""
    if "--json" in sys.argv[1:]:
        typer.echo(json.dumps({"error": describe(error)}))
    typer.echo(f"tallystick: {error.message}", err=True)
    if error.advice:
        typer.echo(f"  {error.advice}", err=True)


def describe(error: TallystickError) -> dict[str, Any]:
    """Returns an error as a JSON object."""
    described: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "advice": error.advice,
        "retryable": error.retryable,
    }
    if isinstance(error, OutcomeUnknown | Refused) and error.envelope_id:
        described["envelope_id"] = error.envelope_id.hex()
    if isinstance(error, RecordRefused):
        described["envelope_id"] = error.receipt.envelope_id.hex()
        described["sequence"] = error.receipt.sequence + error.index
    return described


def _print_table(table: Table) -> None:
    if not sys.stdout.isatty():
        for row in table.rows:
            typer.echo("\t".join(row))
        return
    from rich.console import Console  # noqa: PLC0415 - only for terminals
    from rich.table import Table as RichTable  # noqa: PLC0415

    drawn = RichTable()
    for column in table.columns:
        drawn.add_column(
            column.rstrip(">"), justify="right" if column.endswith(">") else "left", no_wrap=True
        )
    for row in table.rows:
        drawn.add_row(*row)
    Console().print(drawn)


def age(duration_ns: int) -> str:
    """A time for people; log time may be a little behind this machine's clock."""
    seconds = max(0, duration_ns) // 1_000_000_000
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
