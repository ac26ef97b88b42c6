"""The `tallystick` command."""

from typing import Annotated

import typer

from tallystick import __version__

app = typer.Typer(no_args_is_help=True, help="A distributed token-settlement ledger.")


def _print_version(wanted: bool) -> None:
    if wanted:
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
    app()
