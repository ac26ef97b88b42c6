"""Who asks whom for which request, what it reserves, what it costs, and who has how much money.

A pure function of the usage, the weights, the offers and a seed. Prices are whole nano-USD a token
(1 nano-USD a token is 0.001 USD a million), so a charge is exact and nothing is rounded.

Each request reserves its worst case before it runs, when nobody knows its size: the whole context
window and the longest answer at the provider's price, and as many tokens. It then captures what it
used. Every sixth consumer gets half the money it would need: its later requests are refused.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tallystick_cluster.data import ClientWeight, Usage
from tallystick_cluster.errors import DemoError

NANO_PER_USD: Final = 1_000_000_000
CENT_NANO: Final = NANO_PER_USD // 100
# Limits of the made-up models; the trace's largest request has 14,050 and 1,000 tokens.
CONTEXT_LIMIT_TOKENS: Final = 16_384
OUTPUT_LIMIT_TOKENS: Final = 1_024
WORST_CASE_TOKENS: Final = CONTEXT_LIMIT_TOKENS + OUTPUT_LIMIT_TOKENS
# The consumers at these places in the order of their weights get half of what they need: from the
# fourth largest on, so that most requests are paid.
SHORT_EVERY: Final = 6
SHORT_FIRST: Final = 3


@dataclass(frozen=True, slots=True)
class Offer:
    """What a provider sells.

    Attributes:
        provider: Its name.
        input_nano: Price of a token that goes in, nano-USD.
        output_nano: Price of a token that comes out, nano-USD.
        share: Its part of all requests, relative to the others'.
    """

    provider: str
    input_nano: int
    output_nano: int
    share: int

    def charge_nano(self, context_tokens: int, generated_tokens: int) -> int:
        """Price of a request, nano-USD."""
        return self.input_nano * context_tokens + self.output_nano * generated_tokens

    @property
    def worst_case_nano(self) -> int:
        """The most that a request can cost, nano-USD."""
        return self.charge_nano(CONTEXT_LIMIT_TOKENS, OUTPUT_LIMIT_TOKENS)


OFFERS: Final = (
    Offer("aster", 150, 600, share=4),
    Offer("briar", 400, 1_600, share=3),
    Offer("cedar", 1_250, 5_000, share=2),
    Offer("dahlia", 3_000, 15_000, share=1),
)


@dataclass(frozen=True, slots=True)
class Job:
    """One request of the trace with the parts that are made up.

    Attributes:
        usage: The request.
        consumer: Position in the plan's consumers.
        provider: Position in the plan's offers.
    """

    usage: Usage
    consumer: int
    provider: int


@dataclass(frozen=True, slots=True)
class Consumer:
    """Somebody who pays.

    Attributes:
        name: Says which of ServeGen's clients lends its weight.
        deposit_nano: Money at the start, nano-USD, at least a cent.
        deposit_tokens: Tokens that it may use.
        is_short: Whether it gets half of what its requests cost, and a cent at least.
    """

    name: str
    deposit_nano: int
    deposit_tokens: int
    is_short: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before the first node starts.

    Attributes:
        jobs: In the order of the trace.
        consumers: The largest weight first.
        offers: One for each provider.
    """

    jobs: tuple[Job, ...]
    consumers: tuple[Consumer, ...]
    offers: tuple[Offer, ...]

    def cost_nano(self, job: Job) -> int:
        """What a job's usage costs, nano-USD."""
        offer = self.offers[job.provider]
        return offer.charge_nano(job.usage.context_tokens, job.usage.generated_tokens)

    def worst_case_nano(self, job: Job) -> int:
        """What a job reserves, nano-USD."""
        return self.offers[job.provider].worst_case_nano


def make_plan(
    usage: Sequence[Usage],
    weights: Sequence[ClientWeight],
    *,
    in_flight: int,
    seed: int,
    offers: tuple[Offer, ...] = OFFERS,
) -> Plan:
    """Draws consumers and providers, and computes what everybody needs.

    Args:
        usage: The requests to settle.
        weights: One consumer each, the largest first.
        in_flight: How many requests may hold their worst case at a time.
        seed: Decides the draws; the same arguments always give the same plan.
        offers: What the providers sell.

    Raises:
        DemoError: A request is larger than the models' limits, so no hold would cover it.
    """
    for each in usage:
        if (
            each.context_tokens > CONTEXT_LIMIT_TOKENS
            or each.generated_tokens > OUTPUT_LIMIT_TOKENS
        ):
            raise DemoError(f"request {each.number} of the trace is above the models' limits")
    draw = random.Random(seed)  # noqa: S311 - decides who asks whom; nothing secret
    consumers = draw.choices(range(len(weights)), [each.requests for each in weights], k=len(usage))
    providers = draw.choices(range(len(offers)), [each.share for each in offers], k=len(usage))
    jobs = tuple(map(Job, usage, consumers, providers))
    return Plan(jobs, _endow(jobs, weights, offers, in_flight), offers)


def _endow(
    jobs: Sequence[Job], weights: Sequence[ClientWeight], offers: Sequence[Offer], in_flight: int
) -> tuple[Consumer, ...]:
    """Gives each consumer its deposit."""
    cost_nano = [0] * len(weights)
    tokens = [0] * len(weights)
    for job in jobs:
        usage = job.usage
        offer = offers[job.provider]
        cost_nano[job.consumer] += offer.charge_nano(usage.context_tokens, usage.generated_tokens)
        tokens[job.consumer] += usage.tokens
    room_nano = in_flight * max(offer.worst_case_nano for offer in offers)
    consumers = []
    for position, weight in enumerate(weights):
        is_short = position % SHORT_EVERY == SHORT_FIRST and cost_nano[position] > 0
        if is_short:
            deposit_nano = max(CENT_NANO, cost_nano[position] // 2 // CENT_NANO * CENT_NANO)
        else:
            deposit_nano = _round_up(cost_nano[position] + room_nano, NANO_PER_USD)
        consumers.append(
            Consumer(
                f"client-{weight.client}",
                deposit_nano,
                tokens[position] + in_flight * WORST_CASE_TOKENS,
                is_short,
            )
        )
    return tuple(consumers)


def _round_up(amount: int, step: int) -> int:
    return -(-amount // step) * step
