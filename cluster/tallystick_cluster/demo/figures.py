"""The demo's figures, computed from the evidence: what `--json` prints and the report shows.

Money and tokens are the balances that the replayed logs give, never sums that the client kept.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tallystick_cluster.demo.outage import Outage
from tallystick_cluster.demo.proofs import Evidence, Proof, prove
from tallystick_cluster.demo.settle import Settlement


@dataclass(frozen=True, slots=True)
class ProviderFigures:
    """What a provider sold.

    Attributes:
        name: Its name.
        requests: Requests that were captured.
        tokens: Balance of tokens.
        money_nano: Balance, nano-USD.
    """

    name: str
    requests: int
    tokens: int
    money_nano: int


@dataclass(frozen=True, slots=True)
class ConsumerFigures:
    """What a consumer bought.

    Attributes:
        name: Its name.
        settled: Requests that it paid.
        refused: Requests that it could not pay.
        deposit_nano: Money at the start, nano-USD.
        left_nano: Money at the end, nano-USD.
    """

    name: str
    settled: int
    refused: int
    deposit_nano: int
    left_nano: int


@dataclass(frozen=True, slots=True)
class OutageFigures:
    """What the kill did.

    Attributes:
        node: Raft id of the leader that was killed.
        successor: Who led afterwards.
        silent_s: Longest time without an answer to anybody from the kill on.
        back_s: From the start of its new process until it had caught up.
        repeated_answers: Envelopes that were sent twice and answered with their first ordering.
    """

    node: int
    successor: int
    silent_s: float
    back_s: float
    repeated_answers: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The outcome of a demo; `as_json` is the object that `--json` prints.

    Attributes:
        requests: Requests of the trace.
        settled: Of these, captured.
        envelopes: Envelopes that were acknowledged while requests ran.
        input_tokens: Tokens in, of settled requests.
        output_tokens: Tokens out, of settled requests.
        money_nano: Captured, nano-USD.
        seconds: From the first request to the last.
        latency_ms: Of an envelope, from sending to its receipt: p50, p99, max.
        refusals: How often a RESERVE was refused, by code.
        outage: The kill.
        providers: In the plan's order.
        consumers: In the plan's order.
        proofs: What was checked.
    """

    requests: int
    settled: int
    envelopes: int
    input_tokens: int
    output_tokens: int
    money_nano: int
    seconds: float
    latency_ms: dict[str, float]
    refusals: dict[str, int]
    outage: OutageFigures
    providers: Sequence[ProviderFigures]
    consumers: Sequence[ConsumerFigures]
    proofs: Sequence[Proof]

    @property
    def holds(self) -> bool:
        """Whether every proof does."""
        return bool(self.proofs) and all(proof.holds for proof in self.proofs)

    @property
    def requests_per_s(self) -> float:
        """Settled requests in each second, the outage included."""
        return self.settled / self.seconds

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints; amounts are whole numbers of the smallest step."""
        outage = self.outage
        return {
            "ok": self.holds,
            "requests": self.requests,
            "settled": self.settled,
            "envelopes": self.envelopes,
            "tokens": {"input": self.input_tokens, "output": self.output_tokens},
            "money_nano_usd": self.money_nano,
            "seconds": round(self.seconds, 3),
            "requests_per_s": round(self.requests_per_s, 1),
            "latency_ms": self.latency_ms,
            "refusals": self.refusals,
            "outage": {
                "node": outage.node,
                "successor": outage.successor,
                "silent_s": round(outage.silent_s, 3),
                "back_s": round(outage.back_s, 3),
                "repeated_answers": outage.repeated_answers,
            },
            "providers": [
                {
                    "name": each.name,
                    "requests": each.requests,
                    "tokens": each.tokens,
                    "money_nano_usd": each.money_nano,
                }
                for each in self.providers
            ],
            "consumers": [
                {
                    "name": each.name,
                    "settled": each.settled,
                    "refused": each.refused,
                    "deposit_nano_usd": each.deposit_nano,
                    "left_nano_usd": each.left_nano,
                }
                for each in self.consumers
            ],
            "proofs": [
                {"name": each.name, "ok": each.holds, "text": each.text} for each in self.proofs
            ],
        }


def figures_of(
    evidence: Evidence, settlement: Settlement, outage: Outage, silent_s: float
) -> Figures:
    """Proves what is to be proved, and sums up.

    Args:
        evidence: What the nodes hold, and what was acknowledged.
        settlement: What the client measured.
        outage: The kill.
        silent_s: Longest time without an acknowledgement from then on.
    """
    plan, population = evidence.plan, evidence.population
    accounts = evidence.nodes[0].accounts
    used = [usage for usage in evidence.usage if usage.number in evidence.settled]
    asked = Counter(job.consumer for job in plan.jobs)
    paid = Counter(plan.jobs[usage.number - 1].consumer for usage in used)
    sold = Counter(plan.jobs[usage.number - 1].provider for usage in used)
    providers = [
        ProviderFigures(
            party.name,
            sold[position],
            accounts[party.tokens].balance,
            accounts[party.money].balance,
        )
        for position, party in enumerate(population.providers)
    ]
    consumers = [
        ConsumerFigures(
            party.name,
            paid[position],
            asked[position] - paid[position],
            consumer.deposit_nano,
            accounts[party.money].balance,
        )
        for position, (party, consumer) in enumerate(
            zip(population.consumers, plan.consumers, strict=True)
        )
    ]
    return Figures(
        requests=len(plan.jobs),
        settled=len(used),
        envelopes=len(evidence.acknowledged),
        input_tokens=sum(usage.context_tokens for usage in used),
        output_tokens=sum(usage.generated_tokens for usage in used),
        money_nano=sum(each.money_nano for each in providers),
        seconds=settlement.elapsed_s,
        latency_ms=_quantiles(settlement.latencies_s),
        refusals={code.name: count for code, count in settlement.refusals.most_common()},
        outage=OutageFigures(
            outage.node,
            outage.successor,
            silent_s,
            outage.back_at_s - outage.started_at_s,
            settlement.repeated_answers,
        ),
        providers=providers,
        consumers=consumers,
        proofs=prove(evidence),
    )


def _quantiles(latencies_s: Sequence[float]) -> dict[str, float]:
    """p50, p99 and the longest, in milliseconds."""
    if len(latencies_s) < 2:
        only_ms = round(1000 * sum(latencies_s), 2)
        return {"p50": only_ms, "p99": only_ms, "max": only_ms}
    cuts = statistics.quantiles(latencies_s, n=100, method="inclusive")
    return {
        "p50": round(1000 * cuts[49], 2),
        "p99": round(1000 * cuts[98], 2),
        "max": round(1000 * max(latencies_s), 2),
    }
