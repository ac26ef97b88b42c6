"""The figures of a locust run: locust's own statistics, and what our processes add to them."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tallystick_loadtests.machine import Machine
from tallystick_loadtests.swarm.directory import Told

# A process that runs users this much of the time has no time left for more of them.
BOUND_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of one name, as locust counted them.

    Attributes:
        requests: All of them.
        failures: Of these, how many failed.
        per_s: From the first to the last.
        latency_ms: p50, p99 and max; locust rounds to about two digits.
    """

    requests: int
    failures: int
    per_s: float
    latency_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class SwarmReport:
    """The figures of one locust run.

    Attributes:
        nodes: Of the cluster.
        users: At most at once; of them `bulk_users` send bulk.
        workers: Locust worker processes; 0 for a single process.
        seconds: Length of the run.
        transfers_per_s: Answered OK.
        by_name: `transfer` and `bulk`.
        signed_late: Envelopes that were signed while users ran; should be 0.
        locust_busy: Share of the time for which the busiest locust process ran on a core.
        locust_bound: Whether that is so much that locust itself was the bound.
        cpu_s: By process; `client` is all locust processes together.
        acknowledged: Envelopes.
        lost: Of these, not found on disk in the end.
        machine: The machine's own figures.
        git_commit: What was measured.
    """

    nodes: int
    users: int
    bulk_users: int
    workers: int
    seconds: float
    transfers_per_s: float
    by_name: dict[str, Requests]
    signed_late: int
    locust_busy: float
    locust_bound: bool
    cpu_s: dict[str, float]
    acknowledged: int
    lost: int
    machine: Machine
    git_commit: str

    @property
    def failures(self) -> int:
        """Requests that failed."""
        return sum(each.failures for each in self.by_name.values())


def requests_of(statistics: list[dict[str, Any]]) -> dict[str, Requests]:
    """Reads what `locust --json-file` wrote: by name."""
    return {each["name"]: _requests(each) for each in statistics}


def _requests(entry: dict[str, Any]) -> Requests:
    count: int = entry["num_requests"]
    wall_s = entry["last_request_timestamp"] - entry["start_time"] if count else 0.0
    times = Counter({float(ms): number for ms, number in entry["response_times"].items()})
    return Requests(
        requests=count,
        failures=entry["num_failures"],
        per_s=round(count / wall_s, 1) if wall_s > 0 else 0.0,
        latency_ms={
            "p50": _quantile(times, 0.5),
            "p99": _quantile(times, 0.99),
            "max": round(entry["max_response_time"] or 0.0, 2),
        },
    )


def _quantile(times: Counter[float], share: float) -> float:
    """The smallest time at or below which this share of all lie."""
    wanted = share * times.total()
    seen = 0
    for milliseconds in sorted(times):
        seen += times[milliseconds]
        if seen >= wanted:
            return milliseconds
    return 0.0


def busiest(told: list[Told]) -> float:
    """Share of the time for which the busiest process ran on a core."""
    return round(max((each.cpu_s / each.wall_s for each in told if each.wall_s), default=0.0), 2)


def transfers_per_s(told: list[Told]) -> float:
    """Transfers that were answered OK, of all processes."""
    wall_s = max((each.wall_s for each in told), default=0.0)
    return round(sum(each.transfers for each in told) / wall_s, 1) if wall_s else 0.0
