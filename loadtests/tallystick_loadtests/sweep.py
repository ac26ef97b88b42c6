"""A sweep: one cluster, a closed loop to find its limit, then offered rates up to it.

What it gives is the curve that matters to who plans capacity: the latency at each rate, measured
from when a message was due.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tallystick_loadtests.machine import Machine, git_commit
from tallystick_loadtests.outcome import quantiles
from tallystick_loadtests.plot import plot_sweep
from tallystick_loadtests.report import require_valid
from tallystick_loadtests.run import Settings
from tallystick_loadtests.screen import Screen
from tallystick_loadtests.session import Session, Step
from tallystick_loadtests.usage import cpu_growth

# Offered rates, as shares of what the closed loop reached.
SHARES: Final = (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 1.0, 1.1)


@dataclass(frozen=True, slots=True)
class Point:
    """One rate.

    Attributes:
        offered_per_s: Transfers that the schedule asked for; None for the closed loop.
        transfers_per_s: Transfers that were made.
        latency_ms: Of messages, from when they were due.
        reached: Whether the rate was served.
        cpu_s: By process.
    """

    offered_per_s: float | None
    transfers_per_s: float
    latency_ms: dict[str, float]
    reached: bool
    cpu_s: dict[str, float]


@dataclass(frozen=True, slots=True)
class Sweep:
    """All rates of one sweep.

    Attributes:
        profile: What was sent.
        nodes: Of the cluster.
        seconds: Length of each step.
        closed: The closed loop that the rates are shares of.
        points: The rates, ascending.
        lost: Acknowledged envelopes that were not found on disk.
        machine: The machine's own figures.
        git_commit: What was measured.
    """

    profile: str
    nodes: int
    seconds: float
    closed: Point
    points: tuple[Point, ...]
    lost: int
    machine: Machine
    git_commit: str


def sweep(settings: Settings, directory: Path, screen: Screen) -> Sweep:
    """Measures a profile at rising rates.

    Args:
        settings: What is measured; each step takes `seconds`.
        directory: Where the cluster is made; it stays.
        screen: What a person sees.

    Raises:
        BenchError: The sweep could not be made, or does not count.
        ClusterError: The cluster could not be made or started.
    """
    with Session.open(
        directory, nodes=settings.nodes, profile=settings.profile, screen=screen
    ) as session:
        machine = session.machine()
        closed = _point(session.step(settings.seconds), None)
        screen.say(f"closed loop: {closed.transfers_per_s:,.0f} transfers/s")
        points = []
        for share in SHARES:
            offered_per_s = round(share * closed.transfers_per_s)
            point = _point(session.step(settings.seconds, offered_per_s), offered_per_s)
            screen.say(
                f"offered {offered_per_s:,}: {point.transfers_per_s:,.0f} transfers/s, "
                f"p50 {point.latency_ms['p50']} ms, p99 {point.latency_ms['p99']} ms"
            )
            points.append(point)
        session.stop()
        return Sweep(
            str(settings.profile),
            settings.nodes,
            settings.seconds,
            closed,
            tuple(points),
            session.lost(),
            machine,
            git_commit(),
        )


def _point(step: Step, offered_per_s: float | None) -> Point:
    require_valid(step.outcome)
    return Point(
        offered_per_s,
        round(step.outcome.ok_records / step.outcome.elapsed_s, 1),
        quantiles(step.outcome.latencies_ms),
        step.arrears is None or step.arrears.reached,
        cpu_growth(step.after.cpu_s, step.before.cpu_s),
    )


def write_sweep(found: Sweep, directory: Path) -> list[Path]:
    """Writes `sweep-PROFILE.json` and the plot beside it; returns both paths."""
    directory.mkdir(parents=True, exist_ok=True)
    data = directory / f"sweep-{found.profile}.json"
    data.write_text(json.dumps(asdict(found), indent=1) + "\n")
    picture = data.with_suffix(".png")
    plot_sweep(json.loads(data.read_text()), picture)
    return [data, picture]
