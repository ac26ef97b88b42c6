"""An event loop whose time moves when it is told to: timers and deadlines without waiting.

It has no input but what its callbacks do, so the same calls always give the same run.
"""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _NoInput(selectors.SelectSelector):
    """Instead of waiting it tells for how long the loop would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.idle: Callable[[float], None] = lambda _: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout != 0:
            self.idle(math.inf if timeout is None else timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0 s."""

    def __init__(self) -> None:
        self._now_s = self._until_s = 0.0
        selector = _NoInput()
        super().__init__(selector)
        selector.idle = self._idle

    def time(self) -> float:
        """Seconds that were let pass."""
        return self._now_s

    def pass_time(self, seconds: float) -> None:
        """Runs everything that happens within so many seconds; with 0 what happens at once."""
        self._until_s = self._now_s + seconds
        self.run_forever()

    def finish(self, work: Coroutine[Any, Any, Result], within_s: float = 60) -> Result:
        """Runs until `work` is done; time passes as far as it has to.

        Raises:
            TimeoutError: It takes longer than `within_s`.
        """
        task = self.create_task(work)
        task.add_done_callback(lambda _: self.stop())
        self.pass_time(within_s)
        if not task.done():
            task.cancel()
            raise TimeoutError(f"not done within {within_s} s")
        return task.result()

    def _idle(self, seconds: float) -> None:
        if self._now_s + seconds <= self._until_s:
            self._now_s += seconds
        else:
            self._now_s = self._until_s
            self.stop()
