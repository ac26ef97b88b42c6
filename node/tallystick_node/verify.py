"""Admission checks and batched signature verification, off the event loop.

One worker thread verifies for the leader's pipeline: the GIL is released in the core, and a batch
over everything that waits beats several small ones. Small batches are checked on the loop itself,
because a hop to a thread and back costs more than a few single verifications.

A stranger is a connection that has not delivered a good signature yet. Anybody can quote a
registered key and fill a message with thousands of signatures that do not hold, each of which costs
ten times what it costs to send; so of a large message of a stranger a few are picked, which the
sender cannot foresee, and if none of them holds no more are verified. Who holds a key passes.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tallystick_core import Admission, Kernel, verify_ed25519

from tallystick_ledger.envelope import SIGNATURE_DOMAIN
from tallystick_ledger.limits import ENVELOPE_HEADER_BYTES, ENVELOPE_PREFIX_BYTES
from tallystick_node.limits import STRANGER_SAMPLE

SEED_BYTES = 32
_KEY = slice(48, 80)


@dataclass(frozen=True, slots=True)
class Stranger:
    """What a message of a stranger came to.

    Attributes:
        admission: Of this one message; verified unless `bad` says otherwise.
        bad: The envelopes that were sampled, if none of their signatures holds; else empty.
    """

    admission: Admission
    bad: tuple[int, ...]


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
        self._verify(admission)
        return admission

    async def check_in_thread(self, messages: list[bytes], now_ns: int) -> Admission:
        """The same on the verify thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self.check, messages, now_ns)

    def check_stranger(self, message: bytes, now_ns: int) -> Stranger:
        """As `check` for one message of a stranger, which is sampled first if it is large."""
        admission = self._kernel.admit([message], now_ns)
        codes = memoryview(admission.codes(0)).cast("H")
        if admission.ok_count(0) > 2 * STRANGER_SAMPLE:
            candidates = [number for number, code in enumerate(codes) if not code]
            drawn = {self._draw(candidates) for _ in range(STRANGER_SAMPLE)}
            self.signatures_verified += len(drawn)
            if not any(header_signature_holds(admission.envelope(0, each)) for each in drawn):
                return Stranger(admission, tuple(sorted(drawn)))
        self._verify(admission)
        return Stranger(admission, ())

    async def check_stranger_in_thread(self, message: bytes, now_ns: int) -> Stranger:
        """The same on the verify thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self.check_stranger, message, now_ns)

    def _draw(self, candidates: list[int]) -> int:
        """One of them that nobody can foresee."""
        return candidates[int.from_bytes(self._entropy(8), "little") % len(candidates)]

    def _verify(self, admission: Admission) -> None:
        self.signatures_verified += admission.verify(self._entropy(SEED_BYTES), self._threads)

    def close(self) -> None:
        """Ends the thread once its work is done."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def header_signature_holds(envelope: bytes) -> bool:
    """Whether the signature of one whole envelope holds by the equation of format.md section 2."""
    header = envelope[:ENVELOPE_HEADER_BYTES]
    signature = envelope[ENVELOPE_HEADER_BYTES:ENVELOPE_PREFIX_BYTES]
    return verify_ed25519(header[_KEY], SIGNATURE_DOMAIN + header, signature)
