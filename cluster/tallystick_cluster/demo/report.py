"""Tells a person how the demo goes and what came out: lines and tables, a bar on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tallystick_cluster.demo.figures import Figures
from tallystick_cluster.demo.proofs import usd

# Without a terminal: how many lines tell how far it is, and how wide they may be.
PLAIN_STEPS: Final = 4
PLAIN_WIDTH: Final = 100
LARGEST_SHOWN: Final = 5


class Reporter:
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

    def figures(self, figures: Figures) -> None:
        """Prints everything; the last line is a summary."""
        self._balances(figures)
        self._facts(figures)
        self.line()
        for proof in figures.proofs:
            mark = "[green]✓[/green]" if proof.holds else "[bold red]✗[/bold red]"
            self._console.print(f"{mark} {proof.text}", soft_wrap=True)
        self.line()
        tokens = figures.input_tokens + figures.output_tokens
        verdict = "all proofs hold" if figures.holds else "NOT ALL PROOFS HOLD"
        summary = (
            f"{figures.settled:,} of {figures.requests:,} requests settled, {tokens:,} tokens for "
            f"{usd(figures.money_nano)} USD, {figures.requests_per_s:,.0f} requests/s; {verdict}"
        )
        self._console.print(f"[bold]{summary}[/bold]", soft_wrap=True)

    def _balances(self, figures: Figures) -> None:
        table = _table("provider", "requests", "tokens", "earned, USD")
        for provider in figures.providers:
            table.add_row(
                provider.name,
                f"{provider.requests:,}",
                f"{provider.tokens:,}",
                usd(provider.money_nano),
            )
        self.line()
        self._console.print(table)
        table = _table("consumer", "settled", "refused", "deposit, USD", "left, USD")
        largest, others = figures.consumers[:LARGEST_SHOWN], figures.consumers[LARGEST_SHOWN:]
        for consumer in (*largest, *(each for each in others if each.refused)):
            table.add_row(
                consumer.name,
                f"{consumer.settled:,}",
                f"{consumer.refused:,}",
                usd(consumer.deposit_nano),
                usd(consumer.left_nano),
            )
        rest = [each for each in others if not each.refused]
        table.add_row(
            f"{len(rest)} others",
            f"{sum(each.settled for each in rest):,}",
            "0",
            usd(sum(each.deposit_nano for each in rest)),
            usd(sum(each.left_nano for each in rest)),
        )
        self.line()
        self._console.print(table)

    def _facts(self, figures: Figures) -> None:
        refused = ", ".join(f"{code} {count:,}" for code, count in figures.refusals.items())
        latency = figures.latency_ms
        outage = figures.outage
        self.line()
        facts = {
            "tokens settled": f"{figures.input_tokens:,} in, {figures.output_tokens:,} out",
            "money settled": f"{usd(figures.money_nano)} USD",
            "speed": f"{figures.requests_per_s:,.0f} requests/s over {figures.seconds:.1f} s, "
            "the outage included",
            "an envelope takes": f"p50 {latency['p50']:,.1f} ms, p99 {latency['p99']:,.1f} ms, "
            f"longest {latency['max']:,.0f} ms (the outage)",
            "RESERVEs refused": refused or "none",
            "leader killed": f"node {outage.node}; no answers for {outage.silent_s:.2f} s, then "
            f"node {outage.successor} led; caught up {outage.back_s:.2f} s after its start",
            "sent twice": f"{outage.repeated_answers:,} envelopes, answered as the first time",
        }
        for label, value in facts.items():
            self._console.print(f"{label:<17} {value}", soft_wrap=True)


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
    def __init__(self, reporter: Reporter, total: int) -> None:
        self._reporter = reporter
        self._total = total
        self._shown = 0

    def __call__(self, done: int) -> None:
        step = done * PLAIN_STEPS // self._total
        if step > self._shown:
            self._shown = step
            self._reporter.line(f"  {done:,} of {self._total:,} requests done")


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table
