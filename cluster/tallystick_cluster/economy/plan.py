"""Who asks whom for which request, at what time of the day, and how it is paid for.

A pure function of the arrivals, the weights and a seed. Each trace is about an hour; its times are
stretched so that its first request is at midnight and its last at the day's end: arrivals keep
their shape. Consumers ask as unevenly as measured clients do. The largest of them is a gateway, the
next are companies, and the many small ones are companies of one person.

| who | asks for | pays |
|---|---|---|
| a regular (the largest three) | the second trace's model | on a channel, by vouchers |
| a company's agents, the gateway | the model that is metered | in one step, when it is over |
| everybody | everything else | on holds |
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tallystick.prices import Meter, Usage
from tallystick_cluster.data import ClientWeight
from tallystick_cluster.data.arrivals import Arrival, Trace
from tallystick_cluster.economy.offers import OFFERS, Offer
from tallystick_cluster.errors import DemoError
from tallystick_ledger.records import PrincipalType

DAY_MS: Final = 86_400_000
# By their place in the order of the weights.
COMPANIES: Final = 9
AGENTS: Final = 3
REGULARS: Final = 3
METERED_MODEL: Final = "gpt-5-mini"
# A provider cuts an answer here; the traces' longest has 2,000 tokens.
MAX_OUTPUT_TOKENS: Final = 2_048


class Role(Enum):
    """What kind of consumer somebody is."""

    GATEWAY = "gateway"
    COMPANY = "company"
    SOLO = "solo"

    @property
    def spend_keys(self) -> int:
        """How many keys may spend: one for each agent of a company."""
        return AGENTS if self is Role.COMPANY else 1

    @property
    def principal_type(self) -> PrincipalType:
        """As what it is registered."""
        is_person = self is Role.SOLO
        return PrincipalType.INDIVIDUAL if is_person else PrincipalType.ORGANISATION


class Way(Enum):
    """How a request is paid for."""

    HOLD = "hold"
    CHANNEL = "channel"
    METER = "meter"


@dataclass(frozen=True, slots=True)
class Consumer:
    """Somebody who asks.

    Attributes:
        name: `gateway`, `company-1`, `solo-7`.
        role: What it is.
    """

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Job:
    """A request with what is made up about it.

    Attributes:
        number: Its place in the day, from 1; the reference of its hold.
        arrival: The request.
        day_ms: Time of the day.
        consumer: Position in the plan's consumers.
        offer: The model.
        way: How it is paid for.
    """

    number: int
    arrival: Arrival
    day_ms: int
    consumer: int
    offer: Offer
    way: Way

    @property
    def usage(self) -> Usage:
        """What was used, each token on one meter."""
        arrival = self.arrival
        return Usage(
            {
                Meter.INPUT: arrival.input_tokens,
                Meter.CACHE_READ: arrival.cached_tokens,
                Meter.OUTPUT: arrival.output_tokens,
            }
        )

    @property
    def worst_usage(self) -> Usage:
        """What it may come to when only the prompt's length is known."""
        length = self.arrival.input_tokens + self.arrival.cached_tokens
        return Usage({Meter.INPUT: length, Meter.OUTPUT: MAX_OUTPUT_TOKENS})


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before the first node starts.

    Attributes:
        jobs: In order of the day.
        consumers: The largest weight first.
    """

    jobs: tuple[Job, ...]
    consumers: tuple[Consumer, ...]

    def paid_by(self, way: Way) -> list[Job]:
        """The jobs that are paid in one way, in order of the day."""
        return [job for job in self.jobs if job.way is way]


def make_plan(arrivals: Sequence[Arrival], weights: Sequence[ClientWeight], *, seed: int) -> Plan:
    """Draws who asks for what.

    Args:
        arrivals: Of both traces, each in order.
        weights: One consumer each, the largest first.
        seed: Decides the draws; the same arguments always give the same plan.

    Raises:
        DemoError: A request is longer than a provider lets it be, or a trace has none.
    """
    draw = random.Random(seed)  # noqa: S311 - decides who asks whom; nothing secret
    drafts: list[tuple[int, Arrival, int, Offer]] = []
    for trace in Trace:
        of_trace = [each for each in arrivals if each.trace is trace]
        if not of_trace:
            raise DemoError(f"no request of {trace.value}")
        offers = [offer for offer in OFFERS if offer.trace is trace]
        shares = [offer.share for offer in offers]
        who = draw.choices(
            range(len(weights)), [each.requests for each in weights], k=len(of_trace)
        )
        what = draw.choices(offers, shares, k=len(of_trace))
        span_ms = of_trace[-1].at_ms + 1
        for arrival, consumer, offer in zip(of_trace, who, what, strict=True):
            if arrival.output_tokens > MAX_OUTPUT_TOKENS:
                raise DemoError(f"request {arrival.number} of {trace.value} is too long")
            drafts.append((arrival.at_ms * DAY_MS // span_ms, arrival, consumer, offer))
    drafts.sort(key=lambda each: each[0])
    jobs = tuple(
        Job(number, arrival, day_ms, consumer, offer, _way(offer, consumer))
        for number, (day_ms, arrival, consumer, offer) in enumerate(drafts, start=1)
    )
    return Plan(jobs, tuple(_consumer(place) for place in range(len(weights))))


def _way(offer: Offer, consumer: int) -> Way:
    if offer.trace is Trace.MOONCAKE and consumer < REGULARS:
        return Way.CHANNEL
    if offer.model == METERED_MODEL and consumer <= COMPANIES:
        return Way.METER
    return Way.HOLD


def _consumer(place: int) -> Consumer:
    if place == 0:
        return Consumer("gateway", Role.GATEWAY)
    if place <= COMPANIES:
        return Consumer(f"company-{place}", Role.COMPANY)
    return Consumer(f"solo-{place - COMPANIES}", Role.SOLO)
