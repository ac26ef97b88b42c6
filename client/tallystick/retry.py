"""How long to wait between attempts: a doubling delay with jitter, and whose clock it is.

The clock and the randomness are arguments, so that tests decide both.
"""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tallystick import limits


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the SDK takes from the machine.

    Attributes:
        now_ns: Wall clock, nanoseconds since 1970; goes into envelope ids and `valid_until`.
        random_bytes: Returns so many bytes nobody can guess: nonces and envelope ids.
        jitter: Returns a number from 0 up to below 1, for delays; need not be unguessable.
    """

    now_ns: Callable[[], int] = time.time_ns
    random_bytes: Callable[[int], bytes] = os.urandom
    jitter: Callable[[], float] = random.random


@dataclass(slots=True)
class Backoff:
    """The delays of one operation's attempts.

    A delay is drawn evenly from the upper half of a bound that doubles from attempt to attempt,
    so that clients which failed together do not come back together.
    """

    jitter: Callable[[], float]
    first_s: float = limits.BACKOFF_FIRST_S
    max_s: float = limits.BACKOFF_MAX_S
    _bound_s: float = field(init=False, default=0.0)

    def next_delay_s(self, at_least_s: float = 0.0) -> float:
        """Returns the next delay; a node's own wish (`at_least_s`) is a lower bound."""
        self._bound_s = min(self._bound_s * 2 or self.first_s, self.max_s)
        share = 0.5 + self.jitter() / 2
        return max(self._bound_s * share, at_least_s * (1 + self.jitter() / 4))
