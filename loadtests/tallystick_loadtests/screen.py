"""What a person sees while it takes: phases with their time, bars that move."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

TICK_S = 0.25


class Screen:
    """Progress on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(f"[dim]{text}[/dim]", highlight=False)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Says how long something took."""
        started_s = time.perf_counter()
        yield
        self.say(f"{name}: {time.perf_counter() - started_s:.1f} s")

    @contextmanager
    def progress(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar that is told how much is done."""
        columns = (
            TextColumn(f"{name:<10}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task("", total=total)
            yield lambda completed: progress.update(task, completed=completed)

    @contextmanager
    def clock(self, name: str, seconds: float) -> Iterator[None]:
        """A bar that moves with time, from a thread of its own."""
        over = threading.Event()
        with Progress(
            TextColumn(f"{name:<10}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=self._console,
            refresh_per_second=1 / TICK_S,
        ) as progress:
            task = progress.add_task("", total=seconds)

            def move() -> None:
                started_s = time.perf_counter()
                while not over.wait(TICK_S):
                    progress.update(task, completed=time.perf_counter() - started_s)

            mover = threading.Thread(target=move, name="clock", daemon=True)
            mover.start()
            try:
                yield
            finally:
                over.set()
                mover.join()
                progress.update(task, completed=seconds)
