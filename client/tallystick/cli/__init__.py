"""The `tallystick` command.

Each group of subcommands is a module that is loaded when it is used; `groups` has the list. What
all of them share: `--profile` and `--key` (see `tallystick.profile`), `--json` for programs, tables
and progress on a terminal only, and a summary as the last line for people.

Exit codes:

| code | meaning |
|---|---|
| 0 | done |
| 1 | it did not work out: a node would not start, a check failed |
| 2 | the command line is wrong |
| 3 | the ledger refused it; nothing has changed |
| 4 | outcome unknown: it may have taken effect; `tallystick show ENVELOPE_ID` finds out |
| 5 | no node could be reached; nothing was sent |
| 6 | profile, key file or installation is not usable |
| 130 | interrupted |

With `--json` an error is one JSON object too, on standard output: `{"error": {"code", "message",
"advice"}}`. For people it goes to standard error.
"""

import sys
from typing import Annotated

import typer

from tallystick.cli.groups import LazyGroup
from tallystick.cli.output import exit_code_of, print_error
from tallystick.errors import TallystickError

app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A distributed token-settlement ledger.",
    epilog="Exit codes: 3 refused, 4 outcome unknown, 5 no connection, 6 configuration.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from tallystick import __version__  # noqa: PLC0415 - reading it takes a while

        typer.echo(f"tallystick {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Version.")
    ] = False,
) -> None:
    """Set the options that all subcommands share."""


def main() -> None:
    """Run the command; the entry point named in pyproject.toml."""
    try:
        app()
    except TallystickError as error:
        print_error(error)
        sys.exit(exit_code_of(error))
    except KeyboardInterrupt:
        sys.exit(130)
