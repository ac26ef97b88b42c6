"""One run: a fresh cluster, one timed part, and what is on the disk in the end."""

from dataclasses import dataclass
from pathlib import Path

from tallystick_loadtests.errors import BenchError
from tallystick_loadtests.profiles import SHAPES, Profile
from tallystick_loadtests.report import Report, make_report
from tallystick_loadtests.screen import Screen
from tallystick_loadtests.session import Session


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured.

    Attributes:
        nodes: Of the cluster.
        profile: What is sent.
        seconds: Length of a timed part.
        transfers_per_s: Offered by a schedule; None for a closed loop.
        with_phases: Whether the nodes' histograms are wanted.
    """

    nodes: int
    profile: Profile
    seconds: float
    transfers_per_s: float | None = None
    with_phases: bool = False

    def __post_init__(self) -> None:
        """Raises BenchError if the profile cannot be offered by a schedule."""
        if self.transfers_per_s is not None and not SHAPES[self.profile].may_be_open:
            able = ", ".join(profile for profile, shape in SHAPES.items() if shape.may_be_open)
            message = f"{self.profile} waits for its answers; --rate is for: {able}"
            raise BenchError(message)


def run(settings: Settings, directory: Path, screen: Screen) -> Report:
    """Makes one run.

    Args:
        settings: What is measured.
        directory: Where the cluster is made; it stays.
        screen: What a person sees.

    Raises:
        BenchError: The run could not be made, or does not count.
        ClusterError: The cluster could not be made or started.
    """
    with Session.open(
        directory, nodes=settings.nodes, profile=settings.profile, screen=screen
    ) as session:
        machine = session.machine()
        step = session.step(settings.seconds, settings.transfers_per_s)
        session.stop()
        return make_report(
            step,
            profile=settings.profile,
            nodes=settings.nodes,
            machine=machine,
            lost=session.lost(),
            caught_up_s=session.caught_up_s,
            vouchers_verified=session.vouchers_verified,
            offered_per_s=settings.transfers_per_s,
            with_phases=settings.with_phases,
        )


def better(report: Report, best: Report | None) -> bool:
    """Whether a run is the best so far: by rate, or by median latency where one waits alone."""
    if best is None:
        return True
    if report.profile == Profile.LONE:
        return report.latency_ms["p50"] < best.latency_ms["p50"]
    return report.transfers_per_s > best.transfers_per_s
