"""When the next message leaves: as soon as there is room (closed loop), or by a schedule (open).

A closed loop measures a client that waits for its answers. When the ledger stalls, such a client
sends nothing, so the stall is counted once and not for all who would have come meanwhile
(coordinated omission). An open loop has arrivals of its own: message i is due at `i * interval_s`,
whatever has become of those before, and its latency runs from that moment, not from the one at
which there was room to send it.

    pacer = Pacer(seconds=20, interval_s=0.01)
    pacer.start()
    while (turn := await pacer.next()) is not None:
        position, since_s = turn
        … send message `position`; when it is answered, its latency is now - since_s …

After the timed part an open loop still sends what was due in it, for as long again at most.
"""

import asyncio
import time
from dataclasses import dataclass

# What an open loop still sends after its time, in multiples of that time.
CATCH_UP_FACTOR = 1.0


@dataclass(frozen=True, slots=True)
class Arrears:
    """How an open loop kept its schedule.

    Attributes:
        due: Messages that should have left.
        late: Of these, how many had not left when the time was over.
        unsent: Of these, how many never left; their latencies are missing.
    """

    due: int
    late: int
    unsent: int

    @property
    def reached(self) -> bool:
        """Whether the offered rate was served: hardly anything waited in the client at the end."""
        return self.late <= max(1, self.due // 100)


class Pacer:
    """Hands out turns to senders; belongs to one event loop."""

    def __init__(
        self, *, seconds: float, interval_s: float | None = None, limit: int | None = None
    ) -> None:
        """Makes a pacer.

        Args:
            seconds: Length of the timed part.
            interval_s: Between two messages of an open loop; None for a closed loop.
            limit: Messages that there are; None for as many as fit.
        """
        self._seconds = seconds
        self._interval_s = interval_s
        self._limit = limit
        self._taken = 0
        self._late = 0
        self.started_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether messages leave by a schedule."""
        return self._interval_s is not None

    def start(self) -> None:
        """Starts the clock."""
        self.started_s = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        """Since the start."""
        return time.perf_counter() - self.started_s

    async def next(self) -> tuple[int, float] | None:
        """Waits until a message is due.

        Returns:
            Its position and the moment from which its latency counts; None when it is over.
        """
        position = self._taken
        if self._limit is not None and position >= self._limit:
            return None
        elapsed_s = self.elapsed_s
        if self._interval_s is None:
            if elapsed_s >= self._seconds:
                return None
            self._taken += 1
            return position, time.perf_counter()
        due_s = position * self._interval_s
        if due_s >= self._seconds or elapsed_s > self._seconds * (1 + CATCH_UP_FACTOR):
            return None
        self._taken += 1
        if due_s > elapsed_s:
            await asyncio.sleep(due_s - elapsed_s)
        elif elapsed_s > self._seconds:
            self._late += 1
        return position, self.started_s + due_s

    def arrears(self) -> Arrears:
        """How the schedule was kept; meant for an open loop that is over."""
        due = self._taken
        if self._interval_s is not None:
            due = max(due, _due(self._seconds, self._interval_s))
            if self._limit is not None:
                due = min(due, self._limit)
        unsent = due - self._taken
        return Arrears(due, self._late + unsent, unsent)


def _due(seconds: float, interval_s: float) -> int:
    """How many multiples of the interval lie in [0, seconds)."""
    count = int(seconds / interval_s)
    while count * interval_s < seconds:
        count += 1
    while count and (count - 1) * interval_s >= seconds:
        count -= 1
    return count
