"""Envelopes that are signed before users start, so that no key is touched in the timed part.

A pool that runs dry signs more on the spot and counts that: the figures of such a run contain the
client's own signing, and the run says so.
"""

import os
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from tallystick_loadtests.population import LIFETIME_NS, Population
from tallystick_loadtests.signing import bulk_messages, single_messages

# Between two of these, other greenlets run: a worker that is silent for seconds is given up.
SINGLES_PER_SLICE: Final = 100
SINGLES_WHEN_DRY: Final = 20
# Dropped that long before they expire; a request may wait for its turn.
MARGIN_NS: Final = 60_000_000_000


class Pool:
    """Signed messages of one kind; users take from it."""

    def __init__(self, make: Callable[[int], list[bytes]], per_slice: int) -> None:
        """Starts empty.

        Args:
            make: Signs that many messages.
            per_slice: How many of them before others get a turn.
        """
        self._make = make
        self._per_slice = per_slice
        self._messages: deque[tuple[int, bytes]] = deque()
        self.signed = 0
        self.signed_late = 0

    def fill(self, count: int, give_way: Callable[[], None]) -> None:
        """Signs messages until there are `count`.

        Args:
            count: How many the pool shall hold.
            give_way: Called in between, to let others run.
        """
        self._drop_old()
        while len(self._messages) < count:
            self._add(min(self._per_slice, count - len(self._messages)))
            give_way()

    def take(self) -> bytes:
        """A message that nobody else gets."""
        self._drop_old()
        if not self._messages:
            self.signed_late += self._add(min(self._per_slice, SINGLES_WHEN_DRY))
        return self._messages.popleft()[1]

    def _add(self, count: int) -> int:
        expires_ns = time.time_ns() + LIFETIME_NS - MARGIN_NS
        made = self._make(count)
        self._messages.extend((expires_ns, message) for message in made)
        self.signed += len(made)
        return len(made)

    def _drop_old(self) -> None:
        now_ns = time.time_ns()
        while self._messages and self._messages[0][0] < now_ns:
            self._messages.popleft()


def single_pool(population: Population) -> Pool:
    """Envelopes of one transfer."""
    return Pool(lambda count: single_messages(_seed(), population, count), SINGLES_PER_SLICE)


def bulk_pool(population: Population) -> Pool:
    """Envelopes of 8,190 transfers."""
    return Pool(
        lambda count: [each for _ in range(count) for each in bulk_messages(_seed(), population)],
        1,
    )


def _seed() -> int:
    return int.from_bytes(os.urandom(8), "little")
