"""Act: a company lets agents spend, and bounds them.

The agents' keys stand under one key of the company, which has a limit a day, by the day of a place
on earth. What an agent meters counts for its own key and for the one above. Once there is no room
for a request, it is refused, says whose limit it was and when it resets, and is not paid. In the
evening the company kills the key above: its agents' keys fall with it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tallystick import Signer, errors
from tallystick.spending import LimitOf
from tallystick.zone_tables import make
from tallystick_cluster.economy.books import Closing
from tallystick_cluster.economy.cast import Registrar
from tallystick_cluster.economy.checks import Check, check
from tallystick_cluster.economy.day import NS_PER_S
from tallystick_cluster.economy.metered import Metered
from tallystick_cluster.economy.plan import Job, Way
from tallystick_cluster.economy.stage import Act, Stage
from tallystick_cluster.economy.tariffs import dearest_nano
from tallystick_ledger.records import LimitTarget, LimitWindow, Scope

# Whose agents they are: its place among the consumers.
COMPANY: Final = 2
AGENTS: Final = 2
# Of what they would need.
LIMIT_PERCENT: Final = 80
# The day has to end far enough from now: a limit that resets during the run shows less.
ZONES: Final = ("Asia/Shanghai", "Europe/Berlin")
_FAR: Final = timedelta(minutes=20)
_TABLE: Final = timedelta(days=400)


@dataclass(slots=True)
class Agents(Act):
    """The act.

    Attributes:
        metered: Where the agents' requests are paid.
        limit: What they may spend in a day, nano-USD.
        zone: Whose day.
        day_ends_ns: When it ends.
        refused_after: Codes with which their requests were refused once the key above was killed.
    """

    metered: Metered = field(default_factory=Metered)
    limit: int = 0
    zone: str = ""
    day_ends_ns: int = 0
    refused_after: list[str] = field(default_factory=list)
    _lead: Signer | None = None
    _agents: tuple[Signer, ...] = ()

    async def prepare(self, stage: Stage) -> None:
        """See `Act.prepare`."""
        owner = stage.cast.consumers[COMPANY].owner
        registrar = Registrar(stage.client, stage.entropy)
        self._lead = await registrar.worker(owner, f"{owner.name}-lead", Scope.SPEND)
        agents = []
        for number in range(1, AGENTS + 1):
            agent = await registrar.worker(owner, f"{owner.name}-agent-{number}", Scope.SPEND)
            await stage.client.delegate(agent.public_key, self._lead.public_key, signer=owner)
            agents.append(agent)
        self._agents = tuple(agents)
        self.metered.signers[COMPANY] = self._agents
        await self._publish_zone(stage)
        needed = sum(_dearest(stage, job) for job in self._jobs(stage))
        self.limit = max(1, needed * LIMIT_PERCENT // 100)
        await stage.client.set_limit(
            LimitOf.key(self._lead.public_key),
            stage.cast.money_unit,
            self.limit,
            LimitWindow.DAY,
            zone=self.zone,
            signer=owner,
        )

    async def _publish_zone(self, stage: Stage) -> None:
        """Has the operator publish the table of a zone whose day does not end soon."""
        now = datetime.fromtimestamp(time.time_ns() // NS_PER_S, UTC)
        ends = {name: _midnight_after(now, name) for name in ZONES}
        self.zone = next(name for name, end in ends.items() if end - now > _FAR)
        self.day_ends_ns = int(ends[self.zone].timestamp()) * NS_PER_S
        since = now.replace(hour=0, minute=0, second=0) - timedelta(days=1)
        await stage.client.publish_zone(self.zone, 1, make(self.zone, since, since + _TABLE))

    async def evening(self, stage: Stage) -> None:
        """See `Act.evening`."""
        if self._lead is None:
            return
        owner = stage.cast.consumers[COMPANY].owner
        await stage.client.kill(self._lead.public_key, signer=owner)
        for agent, job in zip(self._agents, self._jobs(stage), strict=False):
            try:
                await self.metered.pay(stage, job, agent)
            except errors.KeyRefused as refused:
                self.refused_after.append(refused.code)

    def checks(self, stage: Stage, closing: Closing) -> Iterator[Check]:
        """See `Act.checks`."""
        del closing
        refused = self.metered.refused
        spent = sum(
            each.amount for each in self.metered.metered.charged if each.job.consumer == COMPANY
        )
        problems = []
        if spent > self.limit:
            problems.append(f"they spent {spent:,}")
        for job in self._jobs(stage):
            error = refused.get(job.number)
            if error is None:
                continue
            place = (error.scope, error.window, error.above)
            if place != (LimitTarget.KEY, LimitWindow.DAY, 1):
                problems.append(f"request {job.number} met another limit")
            if error.resets_at_ns is None or abs(error.resets_at_ns - self.day_ends_ns) > NS_PER_S:
                problems.append(f"request {job.number} heard of another end of the day")
            if _dearest(stage, job) <= self.limit - spent:
                problems.append(f"request {job.number} would have fitted")
        name = stage.cast.consumers[COMPANY].name
        yield check(
            "limit",
            f"{name}'s agents spent {spent:,} of {self.limit:,} nano-USD a day in {self.zone}; "
            f"{len(refused):,} requests found no room, and heard until when",
            problems,
            count=len(refused),
        )
        yield check(
            "kill",
            f"the key above was killed, and its {AGENTS} agents' keys with it "
            f"({', '.join(sorted(set(self.refused_after))) or 'no code'})",
            [] if self.refused_after == ["KEY_REVOKED"] * AGENTS else ["they still spend"],
        )

    def _jobs(self, stage: Stage) -> list[Job]:
        return [job for job in stage.plan.paid_by(Way.METER) if job.consumer == COMPANY]


def _dearest(stage: Stage, job: Job) -> int:
    return dearest_nano(stage.books, job.offer, job.usage)


def _midnight_after(now: datetime, zone: str) -> datetime:
    local = now.astimezone(ZoneInfo(zone))
    tomorrow = local.date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=ZoneInfo(zone))
