"""Where a message's time goes inside the nodes: their own histograms, as they grew in between.

Each node exposes one Prometheus histogram for each phase of the write path. Two scrapes and their
difference give what happened in the timed part. Quantiles are read off the buckets, linearly
within one, so they are as coarse as the buckets are.
"""

import urllib.request
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from tallystick_cluster.layout import ClusterLayout

# In the order in which a message passes; `block_check` and later run on followers too.
PHASES: Final = (
    *("admit", "verify", "order", "block_check", "persist", "sync"),
    *("replicate", "apply", "answer"),
)
SCRAPE_TIMEOUT_S: Final = 5.0
_PREFIX: Final = "tallystick_"
_SUFFIX: Final = "_seconds"
_VOUCHERS: Final = "tallystick_vouchers_verified_total"


@dataclass(frozen=True, slots=True)
class Histogram:
    """One cumulative histogram.

    Attributes:
        buckets: Upper bound in seconds and how many were at or below it, ascending.
        total_s: Sum of all durations.
    """

    buckets: tuple[tuple[float, float], ...]
    total_s: float

    @property
    def count(self) -> int:
        """How many durations there are."""
        return int(self.buckets[-1][1]) if self.buckets else 0

    def since(self, before: "Histogram | None") -> "Histogram":
        """What was added after `before`, an earlier state of the same histogram."""
        if before is None:
            return self
        pairs = zip(self.buckets, before.buckets, strict=True)
        buckets = tuple((bound, after - earlier) for (bound, after), (_, earlier) in pairs)
        return Histogram(buckets, self.total_s - before.total_s)

    def quantile_s(self, share: float) -> float:
        """The duration that this share stays below; the last finite bound for what is above it."""
        wanted = share * self.count
        lower_s = below = 0.0
        for upper_s, until in self.buckets:
            if until >= wanted and until > below:
                if upper_s == float("inf"):
                    return lower_s
                return lower_s + (upper_s - lower_s) * (wanted - below) / (until - below)
            lower_s, below = upper_s, until
        return 0.0

    def figures(self) -> dict[str, float]:
        """Count, mean and two quantiles, in milliseconds."""
        mean_s = self.total_s / self.count if self.count else 0.0
        return {
            "count": self.count,
            "mean_ms": round(mean_s * 1000, 3),
            "p50_ms": round(self.quantile_s(0.5) * 1000, 3),
            "p99_ms": round(self.quantile_s(0.99) * 1000, 3),
        }


Scrape = dict[str, dict[str, Histogram]]
"""By node (`node1` …) and phase."""


def scrape(layout: ClusterLayout) -> Scrape:
    """Reads the histograms of all running nodes.

    Raises:
        OSError: A node's metrics port does not answer.
    """
    return {f"node{node.raft_id}": parse(_get(node.metrics)) for node in layout.nodes}


def _get(address: str) -> str:
    url = f"http://{address}/metrics"
    with urllib.request.urlopen(url, timeout=SCRAPE_TIMEOUT_S) as answer:
        content: bytes = answer.read()
    return content.decode()


def vouchers_verified(layout: ClusterLayout) -> dict[str, int]:
    """Signatures of vouchers that each running node has verified since it started.

    Raises:
        OSError: A node's metrics port does not answer.
    """
    return {
        f"node{node.raft_id}": int(
            sum(
                sample.value
                for family in text_string_to_metric_families(_get(node.metrics))
                for sample in family.samples
                if sample.name == _VOUCHERS
            )
        )
        for node in layout.nodes
    }


def parse(text: str) -> dict[str, Histogram]:
    """Finds the phases' histograms in a node's metrics, in Prometheus' text format."""
    found = {}
    for family in text_string_to_metric_families(text):
        phase = family.name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
        if family.type != "histogram" or phase not in PHASES:
            continue
        buckets = tuple(
            (float(sample.labels["le"]), sample.value)
            for sample in family.samples
            if sample.name.endswith("_bucket")
        )
        total_s = sum(sample.value for sample in family.samples if sample.name.endswith("_sum"))
        found[phase] = Histogram(buckets, total_s)
    return found


def figures(after: Scrape, before: Scrape) -> dict[str, dict[str, dict[str, float]]]:
    """By node and phase: count, mean_ms, p50_ms, p99_ms of what happened between two scrapes."""
    return {
        node: {
            phase: grown.figures()
            for phase in PHASES
            if phase in histograms
            and (grown := histograms[phase].since(before.get(node, {}).get(phase))).count
        }
        for node, histograms in after.items()
    }
