"""A day compressed into seconds.

Two clocks: log time, which is the nodes' real one, and the time of the day in the traces. The day
begins at a real instant and lasts so many real seconds. When something was used is told in the
traces' time, as `occurred_at_ns`, on the day before the run.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from tallystick_cluster.economy.plan import DAY_MS

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
DAY_NS: Final = DAY_MS * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Day:
    """When the day is.

    Attributes:
        begins_ns: Real instant of its midnight.
        seconds: Real seconds that it lasts.
    """

    begins_ns: int
    seconds: int

    def at_ns(self, day_ms: int) -> int:
        """The real instant of a time of the day."""
        return self.begins_ns + day_ms * self.seconds * NS_PER_S // DAY_MS

    @property
    def noon_ns(self) -> int:
        """The real instant of its middle."""
        return self.at_ns(DAY_MS // 2)

    def occurred_at_ns(self, day_ms: int) -> int:
        """The traces' time, on the calendar day before the run's."""
        return (self.begins_ns // DAY_NS - 1) * DAY_NS + day_ms * NS_PER_MS

    async def wait_for(self, day_ms: int) -> None:
        """Waits until a time of the day."""
        await wait_until(self.at_ns(day_ms))


async def wait_until(at_ns: int) -> None:
    """Waits until a real instant; returns at once if it has passed."""
    left_ns = at_ns - time.time_ns()
    if left_ns > 0:
        await asyncio.sleep(left_ns / NS_PER_S)


def clock(day_ms: int) -> str:
    """A time of the day, as people read it."""
    minutes = day_ms // 60_000
    return f"{minutes // 60:02}:{minutes % 60:02}"
