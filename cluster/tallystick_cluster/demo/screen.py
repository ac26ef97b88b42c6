"""What a demo writes to: lines, steps and tables, a bar on a terminal and a line elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

# Without a terminal: how many lines tell how far it is, and how wide they may be.
PLAIN_STEPS: Final = 4
PLAIN_WIDTH: Final = 100


class Screen:
    """Tells a person how the demo goes."""

    def __init__(self, *, to_stderr: bool) -> None:
        """Prints to standard output, or to standard error where that is for programs."""
        stream = sys.stderr if to_stderr else sys.stdout
        self._is_terminal = stream.isatty()
        self._console = Console(
            file=stream, width=None if self._is_terminal else PLAIN_WIDTH, highlight=False
        )

    def title(self, text: str) -> None:
        """Says what this is."""
        self._console.print(f"[bold]{text}[/bold]\n")

    def line(self, text: str = "") -> None:
        """Says something."""
        self._console.print(text, soft_wrap=not self._is_terminal)

    def step(self, text: str, seconds: float) -> None:
        """Says what was done, and how long it took."""
        self._console.print(f"{text} [dim]({seconds:.1f} s)[/dim]")

    @contextmanager
    def progress(self, total: int) -> Iterator["Advance"]:
        """A bar on a terminal, a line now and then elsewhere."""
        if not self._is_terminal:
            yield _PlainAdvance(self, total)
            return
        columns = (
            TextColumn("settling"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TextColumn("requests"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task("", total=total)
            yield _BarAdvance(progress, task)

    def table(self, table: Table) -> None:
        """Prints a table, and a line of space before it."""
        self._console.print()
        self._console.print(table)

    def verdict(self, text: str, *, ok: bool) -> None:
        """Says what was checked, and whether it is so."""
        mark = "[green]✓[/green]" if ok else "[bold red]✗[/bold red]"
        self._console.print(f"{mark} {escape(text)}", soft_wrap=True)

    def summary(self, text: str) -> None:
        """Says everything in one line, after a line of space."""
        self._console.print(f"\n[bold]{text}[/bold]", soft_wrap=True)


class Advance:
    """Told how many requests are done."""

    def __call__(self, done: int) -> None:
        """Shows it."""
        raise NotImplementedError


class _BarAdvance(Advance):
    def __init__(self, progress: Progress, task: Any) -> None:  # noqa: ANN401 - rich's TaskID
        self._progress = progress
        self._task = task

    def __call__(self, done: int) -> None:
        self._progress.update(self._task, completed=done)


class _PlainAdvance(Advance):
    def __init__(self, screen: Screen, total: int) -> None:
        self._screen = screen
        self._total = total
        self._shown = 0

    def __call__(self, done: int) -> None:
        step = done * PLAIN_STEPS // self._total
        if step > self._shown:
            self._shown = step
            self._screen.line(f"  {done:,} of {self._total:,} requests done")


def plain_table(first: str, *numbers: str) -> Table:
    """A table without lines: names on the left, numbers on the right."""
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table
