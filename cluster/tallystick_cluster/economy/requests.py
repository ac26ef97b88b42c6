"""Act: requests on priced holds.

Each request comes at its time of the day. The consumer RESERVEs under the card in force, as much as
95 of 100 such requests came to, and never more than this one can; the provider CAPTUREs what was
used, which every node prices by the card. When that is more than what is pinned, the consumer
EXTENDs first. A card that is superseded between asking and ordering refuses the RESERVE: it is sent
again under the next one. References are unique, so no request can be billed twice.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tallystick import PastCaptures, RollingP95, errors
from tallystick.holds import Hold
from tallystick.prices import Served
from tallystick.prices.ledger import served_usage
from tallystick_cluster.economy import audit
from tallystick_cluster.economy.books import Closing
from tallystick_cluster.economy.cast import Party
from tallystick_cluster.economy.checks import Check, check
from tallystick_cluster.economy.pacing import run_paced
from tallystick_cluster.economy.plan import Job, Way
from tallystick_cluster.economy.stage import Act, Stage
from tallystick_cluster.economy.tariffs import Version
from tallystick_cluster.errors import DemoError
from tallystick_ledger.ids import SequenceNumber, TimestampNs

# No hold may expire while its request is under way.
HOLD_S: Final = 600.0
# How often a RESERVE is tried that came when money was pinned or a card changed, and how far apart.
ATTEMPTS: Final = 50
WAIT_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Billed:
    """A request that was billed.

    Attributes:
        job: Which.
        amount: What it cost, nano-USD.
        sequence: Sequence number of its CAPTURE.
    """

    job: Job
    amount: int
    sequence: SequenceNumber


@dataclass(slots=True)
class Requests(Act):
    """The act.

    Attributes:
        billed: What was billed, in order of the answers.
        extended: How many holds had to grow.
        tried_again: How often a RESERVE was refused at first, by code.
        lag_s: How long after its time a request began at most.
        elapsed_s: From the first request to the last.
        held: The requests as the auditor found them.
    """

    billed: list[Billed] = field(default_factory=list)
    extended: int = 0
    tried_again: Counter[str] = field(default_factory=Counter)
    lag_s: float = 0.0
    elapsed_s: float = 0.0
    held: audit.Ledgered = audit.NOTHING_READ
    _past: PastCaptures = field(default_factory=PastCaptures)

    async def day(self, stage: Stage) -> None:
        """See `Act.day`."""
        jobs = stage.plan.paid_by(Way.HOLD)
        started_s = time.monotonic()
        with stage.screen.progress(len(jobs)) as advance:

            async def settle(job: Job) -> None:
                await self._settle(stage, job)
                advance(len(self.billed))

            self.lag_s = await run_paced(stage, jobs, settle)
        self.elapsed_s = time.monotonic() - started_s

    async def _settle(self, stage: Stage, job: Job) -> None:
        payee = stage.cast.providers[job.offer.provider]
        hold, version = await self._reserve(stage, job, payee)
        at_ns = hold.receipt.timestamp_ns
        amount = stage.tariffs.price(version, job.offer, job.usage, at_ns)
        if amount > hold.maximum:
            self.extended += 1
            await hold.extend(amount - hold.maximum)
        receipt = await stage.client.capture(
            hold.id,
            amount,
            final=True,
            occurred_at_ns=TimestampNs(stage.day.occurred_at_ns(job.day_ms)),
            usage=served_usage(job.usage, Served(job.offer.model, at_ns), stage.tariffs.names),
            signer=payee.biller,
        )
        self._past.add(payee.money, job.offer.model, amount)
        self.billed.append(Billed(job, amount, receipt.sequence))

    async def _reserve(self, stage: Stage, job: Job, payee: Party) -> tuple[Hold, Version]:
        """Pins money for a request; returns the hold and the card that prices it."""
        payer = stage.cast.consumers[job.consumer]
        spender = payer.workers[job.number % len(payer.workers)]
        for _ in range(ATTEMPTS):
            now_ns = time.time_ns()
            version = stage.tariffs.in_force(job.offer.provider, now_ns)
            try:
                hold = await stage.client.reserve(
                    payer.money,
                    payee.money,
                    stage.tariffs.price(version, job.offer, job.worst_usage, now_ns),
                    expires_in_s=HOLD_S,
                    reference=job.number,
                    unique=True,
                    sizing=RollingP95(self._past, job.offer.model),
                    terms=stage.tariffs.terms(version, job.offer),
                    signer=spender,
                )
            except (errors.FundsHeld, errors.CardRefused) as refused:
                self.tried_again[refused.code] += 1
                await asyncio.sleep(WAIT_S)
            else:
                return hold, version
        raise DemoError(f"request {job.number} found no room in {ATTEMPTS} attempts")

    def checks(self, stage: Stage, closing: Closing) -> Iterator[Check]:
        """See `Act.checks`."""
        self.held = audit.read_holds(stage, closing)
        yield check(
            "once",
            f"{len(self.held.charged):,} requests on holds: each reserved once, billed once, by "
            "its provider",
            self.held.problems,
            count=len(self.held.charged),
        )
        self.told |= {
            "holds": f"pinned at what 95 of 100 came to, or the worst case; {self.extended:,} of "
            f"{len(self.billed):,} grew",
            "refused at first": ", ".join(
                f"{code} {count:,}" for code, count in self.tried_again.items()
            )
            or "nothing",
            "latest start": f"{self.lag_s:.2f} s after its time",
        }
