"""Act: requests that are priced and paid in one step.

The agents of the companies know what a request came to when it is over. Each signs a METER with its
own SPEND key: which card and model, how much of each meter, and the amount that this costs. Every
node prices it again. So these charges rest on the payer's signature, not on the provider's word.

The gateway signs once: a mandate, by which the provider meters what the gateway's requests come to,
each and all of them up to a cap. In the evening nothing is left of it, and one more is refused.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tallystick import Signer, errors
from tallystick.prices import Served
from tallystick.prices.ledger import served_usage
from tallystick_cluster.economy import audit
from tallystick_cluster.economy.books import Closing
from tallystick_cluster.economy.checks import Check, check
from tallystick_cluster.economy.pacing import run_paced
from tallystick_cluster.economy.plan import Job, Way
from tallystick_cluster.economy.requests import ATTEMPTS, WAIT_S
from tallystick_cluster.economy.stage import Act, Stage
from tallystick_cluster.economy.tariffs import dearest_nano
from tallystick_cluster.errors import DemoError
from tallystick_ledger.ids import NO_ID, MandateId, TimestampNs

# Its place among the consumers.
GATEWAY: Final = 0
MANDATE_S: Final = 3_600.0
NO_MANDATE: Final = MandateId(NO_ID)


@dataclass(slots=True)
class Metered(Act):
    """The act.

    Attributes:
        cap: What the mandate is good for, nano-USD.
        refused_after: With which code one charge too many was refused.
        signers: Keys that pay instead of a consumer's own, by its place among the consumers.
        refused: Requests that a limit had no room for, by number.
        metered: The requests as the auditor found them.
    """

    cap: int = 0
    refused_after: str = ""
    signers: dict[int, tuple[Signer, ...]] = field(default_factory=dict)
    refused: dict[int, errors.LimitExceeded] = field(default_factory=dict)
    metered: audit.Ledgered = audit.NOTHING_READ
    _mandate: MandateId = NO_MANDATE

    async def prepare(self, stage: Stage) -> None:
        """See `Act.prepare`."""
        jobs = _mandated(stage)
        if not jobs:
            raise DemoError("the gateway meters nothing: take more requests")
        gateway = stage.cast.consumers[GATEWAY]
        costs = [dearest_nano(stage.books, job.offer, job.usage) for job in jobs]
        self.cap = sum(costs)
        made = await stage.client.give_mandate(
            gateway.money,
            stage.cast.providers[jobs[0].offer.provider].owner.principal,
            self.cap,
            cap_each=max(costs),
            expires_in_s=MANDATE_S,
            signer=gateway.owner,
        )
        self._mandate = made.id

    async def day(self, stage: Stage) -> None:
        """See `Act.day`."""

        async def settle(job: Job) -> None:
            await self._settle(stage, job)

        await run_paced(stage, stage.plan.paid_by(Way.METER), settle)

    async def _settle(self, stage: Stage, job: Job) -> None:
        for _ in range(ATTEMPTS):
            try:
                if job.consumer == GATEWAY:
                    await self._claim(stage, job)
                else:
                    own = stage.cast.consumers[job.consumer].workers
                    agents = self.signers.get(job.consumer, own)
                    await self.pay(stage, job, agents[job.number % len(agents)])
            except errors.LimitExceeded as refused:
                self.refused[job.number] = refused
                return
            except (errors.FundsHeld, errors.CardRefused, errors.PriceRefused):
                await asyncio.sleep(WAIT_S)
            else:
                return
        raise DemoError(f"request {job.number} was not metered in {ATTEMPTS} attempts")

    async def _claim(self, stage: Stage, job: Job, *, is_again: bool = False) -> None:
        """The provider meters a request of the gateway's, under the mandate."""
        biller = stage.cast.providers[job.offer.provider].biller
        await self.pay(stage, job, biller, self._mandate, is_again=is_again)

    async def pay(
        self,
        stage: Stage,
        job: Job,
        signer: Signer,
        mandate: MandateId = NO_MANDATE,
        *,
        is_again: bool = False,
    ) -> None:
        """Meters one request, by the card that is in force now; raises what `meter` does."""
        now_ns = time.time_ns()
        version = stage.tariffs.in_force(job.offer.provider, now_ns)
        terms = stage.tariffs.terms(version, job.offer)
        served = Served(job.offer.model, now_ns)
        await stage.client.meter(
            stage.cast.consumers[job.consumer].money,
            stage.cast.providers[job.offer.provider].money,
            stage.tariffs.price(version, job.offer, job.usage, now_ns),
            card=terms.card,
            model=terms.model,
            usage=served_usage(job.usage, served, stage.tariffs.names),
            reference=0 if is_again else job.number,
            unique=not is_again,
            occurred_at_ns=TimestampNs(stage.day.occurred_at_ns(job.day_ms)),
            mandate=mandate,
            signer=signer,
        )

    async def evening(self, stage: Stage) -> None:
        """See `Act.evening`."""
        try:
            await self._claim(stage, _mandated(stage)[0], is_again=True)
        except errors.MandateRefused as refused:
            self.refused_after = refused.code
        await stage.client.end_mandate(self._mandate, signer=stage.cast.consumers[GATEWAY].owner)

    def checks(self, stage: Stage, closing: Closing) -> Iterator[Check]:
        """See `Act.checks`."""
        self.metered = audit.read_metered(stage, closing, self.refused)
        charged = self.metered.charged
        claimed = [each for each in charged if each.job.consumer == GATEWAY]
        yield check(
            "metered",
            f"{len(charged):,} requests were priced and paid in one step, once: "
            f"{len(charged) - len(claimed):,} on the signature of an agent",
            self.metered.problems,
            count=len(charged),
        )
        total = sum(each.amount for each in claimed)
        problems = []
        if total != self.cap or self._by_mandate(stage, closing) != total:
            problems.append(f"{self.cap:,} were permitted")
        if self.refused_after != "MANDATE_EXCEEDED":
            problems.append("one more was not refused")
        yield check(
            "mandate",
            f"{len(claimed):,} of them under the gateway's mandate, {total:,} nano-USD, which is "
            f"what it permitted; one more was refused ({self.refused_after or 'no code'})",
            problems,
            count=len(claimed),
        )

    def _by_mandate(self, stage: Stage, closing: Closing) -> int:
        postings = closing.postings[stage.cast.consumers[GATEWAY].money]
        return sum(each.amount for each in postings if each.origin == self._mandate)


def _mandated(stage: Stage) -> list[Job]:
    return [job for job in stage.plan.paid_by(Way.METER) if job.consumer == GATEWAY]
