"""Settles each planned request through the SDK, and keeps what the ledger acknowledged.

One request is two envelopes, each ATOMIC with a record for the money and one for the tokens: the
consumer RESERVEs the worst case, the provider CAPTUREs what was used and ends the hold. So many
requests are under way at once; the SDK packs their envelopes into messages, finds the leader, and
sends the same bytes again when an answer does not come.

What was acknowledged is kept here, outside the nodes: the digest of the very bytes that were sent,
and the receipt. FUNDS_HELD means that the money is there but pinned by other requests, so the
request waits a moment and tries again; every other refusal ends it.
"""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tallystick import AsyncClient, OutcomeUnknown, Receipt, Stored
from tallystick_cluster.demo.plan import WORST_CASE_TOKENS, Job, Plan
from tallystick_cluster.demo.population import Population
from tallystick_cluster.errors import DemoError
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import HoldId, TimestampNs
from tallystick_ledger.records import Capture, CaptureSource, Reserve

# Longer than the whole demo: no hold may expire while its request is under way.
HOLD_NS: Final = 600 * 1_000_000_000
# How often a request that found its consumer's money pinned tries again, and after what time.
FUNDS_HELD_ATTEMPTS: Final = 5
FUNDS_HELD_WAIT_S: Final = 0.1
# After OutcomeUnknown (about 70 s) the stored bytes are sent once more; then the demo has failed.
UNKNOWN_ATTEMPTS: Final = 2


@dataclass(slots=True)
class Settlement:
    """What came of the requests, as this process saw it.

    Attributes:
        acknowledged: SHA-256 of an envelope's bytes to its receipt, refused ones included.
        settled: Numbers of the requests that were captured.
        refusals: How often the ledger refused a RESERVE with which code.
        latencies_s: From sending an envelope to its receipt, resends included.
        acknowledged_at_s: When each receipt came, by the monotonic clock.
        repeated_answers: Receipts of an earlier ordering: the bytes had been sent twice.
        elapsed_s: From the first request to the last.
    """

    acknowledged: dict[bytes, Receipt] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)
    refusals: Counter[Code] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    acknowledged_at_s: list[float] = field(default_factory=list)
    repeated_answers: int = 0
    elapsed_s: float = 0.0


class Settler:
    """Settles the jobs of one plan."""

    def __init__(
        self,
        client: AsyncClient,
        plan: Plan,
        population: Population,
        on_done: Callable[[int], None],
    ) -> None:
        """Starts nothing yet.

        Args:
            client: Whose connections are used; every envelope names its own signer.
            plan: What to settle.
            population: With whose keys and accounts.
            on_done: Told after each request how many are done, refused ones included.
        """
        self._client = client
        self._plan = plan
        self._population = population
        self._on_done = on_done
        self._done = 0
        self.settlement = Settlement()

    async def run(self, in_flight: int) -> Settlement:
        """Settles all jobs, `in_flight` at a time.

        Raises:
            DemoError: A capture was refused, or an outcome stayed unknown.
            TallystickError: An envelope was not executed.
        """
        started_s = time.monotonic()
        jobs = iter(self._plan.jobs)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(in_flight):
                    group.create_task(self._work(jobs))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # the others follow from the first
        self.settlement.elapsed_s = time.monotonic() - started_s
        return self.settlement

    async def _work(self, jobs: Iterator[Job]) -> None:
        for job in jobs:
            await self._settle(job)
            self._done += 1
            self._on_done(self._done)

    async def _settle(self, job: Job) -> None:
        for attempt in range(1, FUNDS_HELD_ATTEMPTS + 1):
            holds = await self._reserve(job)
            if not isinstance(holds, Code):
                await self._capture(job, holds)
                self.settlement.settled.add(job.usage.number)
                return
            if holds is not Code.FUNDS_HELD or attempt == FUNDS_HELD_ATTEMPTS:
                return
            await asyncio.sleep(FUNDS_HELD_WAIT_S)

    async def _reserve(self, job: Job) -> tuple[HoldId, HoldId] | Code:
        """Pins the worst case; returns the holds of money and tokens, or why there are none."""
        payer = self._population.consumers[job.consumer]
        payee = self._population.providers[job.provider]
        expires_at_ns = TimestampNs(time.time_ns() + HOLD_NS)
        number = job.usage.number
        draft = self._client.draft(payer.worker)
        money = Reserve(
            payer.money,
            payee.money,
            self._plan.worst_case_nano(job),
            expires_at_ns,
            reference=number,
            unique=True,
        )
        tokens = Reserve(
            payer.tokens, payee.tokens, WORST_CASE_TOKENS, expires_at_ns, reference=number
        )
        holds = HoldId(draft.add_creating(money)), HoldId(draft.add_creating(tokens))
        receipt = await self._submit(draft.seal(atomic=True))
        refusal = receipt.error()
        if refusal is None:
            return holds
        self.settlement.refusals[refusal.refusal] += 1
        return refusal.refusal

    async def _capture(self, job: Job, holds: tuple[HoldId, HoldId]) -> None:
        """Bills what was used and ends the holds."""
        draft = self._client.draft(self._population.providers[job.provider].worker)
        used = self._plan.cost_nano(job), job.usage.tokens
        for hold, amount in zip(holds, used, strict=True):
            draft.add(Capture(hold, amount, CaptureSource.PROVIDER_REPORTED, final=True))
        receipt = await self._submit(draft.seal(atomic=True))
        refusal = receipt.error()
        if refusal is not None:
            raise DemoError(f"the capture of request {job.usage.number} was refused: {refusal}")

    async def _submit(self, stored: Stored) -> Receipt:
        """Sends an envelope until its outcome is known, and keeps it."""
        started_s = time.monotonic()
        for attempt in range(1, UNKNOWN_ATTEMPTS + 1):
            try:
                receipt = await self._client.submit(stored)
                break
            except OutcomeUnknown:
                if attempt == UNKNOWN_ATTEMPTS:
                    raise
        now_s = time.monotonic()
        settlement = self.settlement
        settlement.acknowledged[hashlib.sha256(stored.envelope).digest()] = receipt
        settlement.latencies_s.append(now_s - started_s)
        settlement.acknowledged_at_s.append(now_s)
        settlement.repeated_answers += receipt.duplicate
        return receipt
