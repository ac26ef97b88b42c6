"""Admission checks and batched signature verification, off the event loop.

One worker thread verifies for the leader's pipeline: the GIL is released in the core, and a batch
over everything that waits beats several small ones. Small batches are checked on the loop itself,
because a hop to a thread and back costs more than a few single verifications.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tallystick_core import Admission, Kernel

SEED_BYTES = 32


class Verifier:
    """Runs ``Kernel.admit`` and ``Admission.verify`` for lists of messages."""

    def __init__(self, kernel: Kernel, *, threads: int, entropy: Callable[[int], bytes]) -> None:
        """Makes a verifier.

        Args:
            kernel: State against which signers and ids are looked up.
            threads: Threads that one batch may use inside the core.
            entropy: Gives that many unpredictable bytes: an attacker who could predict the batch
                coefficients could make bad signatures cancel out.
        """
        self._kernel = kernel
        self._threads = threads
        self._entropy = entropy
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="verify")
        self.signatures_verified = 0

    def check(self, messages: list[bytes], now_ns: int) -> Admission:
        """Admits and verifies messages on the calling thread.

        Args:
            messages: Each one or more envelopes back to back.
            now_ns: The node's clock.

        Returns:
            The admission, with a code for each envelope.
        """
        admission = self._kernel.admit(messages, now_ns)
        self.signatures_verified += admission.verify(self._entropy(SEED_BYTES), self._threads)
        return admission

    async def check_in_thread(self, messages: list[bytes], now_ns: int) -> Admission:
        """The same on the verify thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self.check, messages, now_ns)

    def close(self) -> None:
        """Ends the thread once its work is done."""
        self._executor.shutdown(wait=True, cancel_futures=True)
