"""What sends messages and times their answers: over a stream, by single calls, through the SDK."""

from typing import Protocol

from tallystick_loadtests.outcome import Outcome
from tallystick_loadtests.pacing import Pacer


class Driver(Protocol):
    """Drives one timed part; one instance each."""

    @property
    def outcome(self) -> Outcome:
        """What was answered so far."""

    async def run(self, pacer: Pacer) -> None:
        """Sends until the pacer ends it and waits for all answers; connects before it starts it."""
