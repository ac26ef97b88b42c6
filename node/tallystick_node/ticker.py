"""Log time must go on while nobody submits: the leader's TICK envelopes.

A tick is needed when wall time has passed something that log time has not: the `valid_until` of an
id that was proposed here (until then a client cannot be told "never accepted") or of an envelope
that came too late (until then its client is told to come back), the expiry of an open hold (its
funds are freed by the next block), or the moment at which a recovery replaces a principal's OWNER
keys (until then a node does not know the new one). A new leader does not know what its predecessors
admitted and assumes the longest life that an envelope can have. There are no other ticks: an idle
ledger with nothing undecided grows by nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable

from tallystick_core import Kernel

from tallystick_ledger.envelope import seal
from tallystick_ledger.ids import EnvelopeId, LedgerId, TimestampNs, new_envelope_id
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import MAX_ID_AHEAD_NS
from tallystick_ledger.records import Tick
from tallystick_node.limits import TICK_CHECK_S, TICK_LIFETIME_NS
from tallystick_node.pipeline import Pipeline
from tallystick_proto.wire import SubmitResponse

RANDOM_ID_BYTES = 10
NONCE_BYTES = 16


class Ticker:
    """Submits a TICK, through the same pipeline as everybody's envelopes, when one is needed."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        submit: Callable[[bytes], Awaitable[SubmitResponse]],
        kernel: Kernel,
        ledger_id: LedgerId,
        signing_key: SigningKey,
        max_lifetime_ns: int,
        clock_ns: Callable[[], int],
        entropy: Callable[[int], bytes],
        undecided_until_ns: Callable[[], int],
    ) -> None:
        self._pipeline = pipeline
        self._submit = submit
        self._kernel = kernel
        self._ledger_id = ledger_id
        self._signing_key = signing_key
        self._max_lifetime_ns = min(max_lifetime_ns, TICK_LIFETIME_NS)
        self._inherited_life_ns = max_lifetime_ns + MAX_ID_AHEAD_NS
        self._clock_ns = clock_ns
        self._entropy = entropy
        self._asked_until_ns = undecided_until_ns
        self._leading = False
        self._inherited_until_ns = 0

    def leadership_changed(self, *, leading: bool) -> None:
        """Starts or stops ticking."""
        self._leading = leading
        # Also with no live id in the state: what was lost with a predecessor left none.
        if leading:
            self._inherited_until_ns = self._clock_ns() + self._inherited_life_ns

    async def run(self) -> None:
        """Looks about once a second whether a tick is due."""
        while True:
            await asyncio.sleep(TICK_CHECK_S)
            if self._leading and self._pipeline.idle and self.due(self._clock_ns()):
                await self._submit(self.envelope(self._clock_ns()))

    def due(self, now_ns: int) -> bool:
        """Whether wall time has passed something that log time has not."""
        status = self._kernel.status()
        log_time_ns = status.min_next_timestamp_ns
        undecided_ns = max(self._pipeline.latest_valid_until_ns, self._inherited_until_ns)
        asked_ns = self._asked_until_ns()  # 0: nobody did
        if log_time_ns <= undecided_ns < now_ns or (
            0 < asked_ns < now_ns and log_time_ns <= asked_ns
        ):
            return True
        return 0 < status.next_expiry_ns <= now_ns

    def envelope(self, now_ns: int) -> bytes:
        """A signed envelope with one TICK."""
        envelope_id: EnvelopeId = new_envelope_id(
            now_ns // 1_000_000, self._entropy(RANDOM_ID_BYTES)
        )
        return seal(
            self._signing_key,
            ledger_id=self._ledger_id,
            envelope_id=envelope_id,
            valid_until_ns=TimestampNs(now_ns + self._max_lifetime_ns // 2),
            records=Tick().encode(self._entropy(NONCE_BYTES)),
        )
