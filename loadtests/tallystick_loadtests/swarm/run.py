"""A locust run against a cluster of its own: start, prepare, load, stop, read back.

Locust runs in processes of its own, as anybody would start it: one, or a master and workers. Its
exit code is ours, so that a failed request fails the run; so does an acknowledged envelope that is
not on disk in the end.
"""

import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tallystick_cluster.layout import ClusterLayout
from tallystick_cluster.manage import stop_nodes
from tallystick_ledger.genesis import Genesis
from tallystick_loadtests.catch_up import wait_for_all
from tallystick_loadtests.connection import Target
from tallystick_loadtests.machine import git_commit
from tallystick_loadtests.population import plan_population
from tallystick_loadtests.profiles import SHAPES, Profile
from tallystick_loadtests.readback import Acknowledged, read_stored
from tallystick_loadtests.screen import Screen
from tallystick_loadtests.session import READ_NODE, Session
from tallystick_loadtests.setup import leader_first, submit_plan
from tallystick_loadtests.swarm.directory import DIRECTORY_VARIABLE, LoadDirectory
from tallystick_loadtests.swarm.figures import (
    BOUND_SHARE,
    SwarmReport,
    busiest,
    requests_of,
    transfers_per_s,
)
from tallystick_loadtests.swarm.own import LOAD
from tallystick_loadtests.usage import Usage, cpu_growth

LOCUSTFILE: Final = Path(__file__).parents[2] / "locustfile.py"
# Transfers signed in advance for each second: above what locust on one core has ever sent.
SINGLES_PER_S: Final = 5_000
# For a user that loses its first seconds.
SPARE_S: Final = 5.0
STOP_TIMEOUT_S: Final = 15
# Beyond the run itself: signing, starting, stopping.
PATIENCE_S: Final = 240.0
HOST: Final = "127.0.0.1"
STATISTICS: Final = "statistics"


@dataclass(frozen=True, slots=True)
class SwarmSettings:
    """What locust is to do.

    Attributes:
        nodes: Of the cluster.
        users: At once.
        bulk_users: Of these, how many send bulk.
        seconds: Length of the run; not looked at with `steps`.
        user_rate: Transfers a second of each user; 0 for as many as are answered.
        steps: Numbers of users, one step after another; empty for none.
        step_s: Length of a step.
        workers: Worker processes; 0 for a single process.
    """

    nodes: int = 3
    users: int = 64
    bulk_users: int = 1
    seconds: float = 30.0
    user_rate: float = 0.0
    steps: tuple[int, ...] = ()
    step_s: float = 10.0
    workers: int = 0

    @property
    def length_s(self) -> float:
        """How long users run."""
        return self.step_s * len(self.steps) if self.steps else self.seconds

    def arguments(self) -> list[str]:
        """Locust's, for the process that decides."""
        share = max(1, self.workers)
        singles = SINGLES_PER_S * self.length_s
        if self.user_rate:
            singles = min(singles, self.user_rate * self.users * (self.length_s + SPARE_S))
        bulks = self.bulk_users * (self.length_s + SPARE_S)
        arguments = [
            f"--users={self.users}",
            f"--spawn-rate={max(1, self.users)}",
            f"--bulk-users={self.bulk_users}",
            f"--singles={math.ceil(singles / share)}",
            f"--bulks={math.ceil(bulks / share)}",
            f"--user-rate={self.user_rate}",
            f"--stop-timeout={STOP_TIMEOUT_S}",
            f"--run-time={math.ceil(self.length_s)}s",
        ]
        if self.steps:
            arguments.append(f"--steps={','.join(map(str, self.steps))}")
            arguments.append(f"--step-s={self.step_s}")
        classes = ["TransferUser"] if self.users > self.bulk_users or self.steps else []
        return arguments + classes + (["BulkUser"] if self.bulk_users else [])


def prepare(layout: ClusterLayout, directory: Path) -> LoadDirectory:
    """Registers who pays on a running cluster, and writes what locust processes need.

    Raises:
        SetupFailedError: Accounts and money were refused.
    """
    shape = SHAPES[Profile.UNARY]
    plan = plan_population(
        Genesis.decode(layout.genesis).ledger_id,
        layout.operator_key,
        parties=shape.parties,
        accounts_each=shape.accounts_each,
    )
    submit_plan(layout, plan)
    target = Target(tuple(leader_first(layout)), layout.ca_pem, layout.genesis)
    return LoadDirectory.write(directory, target, plan.population)


def read_back(layout: ClusterLayout, load: Path) -> tuple[int, int]:
    """Stops a cluster when all nodes have all of it, and looks for what was acknowledged.

    Args:
        layout: A running cluster that nobody submits to any more.
        load: The directory that locust processes left their acknowledgements in.

    Returns:
        How many envelopes were acknowledged, and how many of them are not on disk.

    Raises:
        NotCaughtUpError: A node stays silent or behind.
    """
    try:
        wait_for_all(layout)
    finally:
        stop_nodes(layout)
    acknowledged = Acknowledged()
    acknowledged.add_digests(LoadDirectory.open(load).acknowledged())
    stored = read_stored(layout.node_directory(READ_NODE))
    return len(acknowledged.digests), stored.lost(acknowledged)


def run_swarm(settings: SwarmSettings, directory: Path, screen: Screen) -> tuple[SwarmReport, int]:
    """Makes a run.

    Args:
        settings: What locust is to do.
        directory: Where cluster and load are made; it stays.
        screen: What a person sees.

    Returns:
        The figures, and locust's exit code: 1 if a request failed.

    Raises:
        BenchError: The run could not be made.
        ClusterError: The cluster could not be made or started.
    """
    with Session.open(
        directory, nodes=settings.nodes, profile=Profile.UNARY, screen=screen
    ) as session:
        machine = session.machine()
        target = Target(
            tuple(leader_first(session.layout)), session.layout.ca_pem, session.layout.genesis
        )
        load = LoadDirectory.write(directory / LOAD, target, session.population)
        before = Usage.of(session.layout)
        with screen.phase("locust, with its signing"):
            code = _locust(settings, load.path)
        after = Usage.of(session.layout)
        session.stop()
        acknowledged = load.acknowledged()
        session.acknowledged.add_digests(acknowledged)
        told = load.told()
        busy = busiest(told)
        cpu_s = cpu_growth(after.cpu_s, before.cpu_s)
        cpu_s["client"] = round(sum(each.cpu_s for each in told), 2)
        # Locust adds `.json` to the name.
        (statistics,) = load.path.glob(f"{STATISTICS}*")
        return SwarmReport(
            nodes=settings.nodes,
            users=max(settings.steps, default=settings.users),
            bulk_users=settings.bulk_users,
            workers=settings.workers,
            seconds=settings.length_s,
            transfers_per_s=transfers_per_s(told),
            by_name=requests_of(json.loads(statistics.read_text())),
            signed_late=sum(each.signed_late for each in told),
            locust_busy=busy,
            locust_bound=busy >= BOUND_SHARE,
            cpu_s=cpu_s,
            acknowledged=len(acknowledged),
            lost=session.lost(),
            machine=machine,
            git_commit=git_commit(),
        ), code


def _locust(settings: SwarmSettings, load: Path) -> int:
    """Runs locust; returns its exit code."""
    environment = os.environ | {DIRECTORY_VARIABLE: str(load), "GRPC_VERBOSITY": "ERROR"}
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE)]
    deciding = [
        *command,
        "--headless",
        "--only-summary",
        f"--json-file={load / STATISTICS}",
        *settings.arguments(),
    ]
    with ExitStack() as stack:
        if settings.workers:
            port = _free_port()
            deciding += ["--master", f"--master-bind-host={HOST}", f"--master-bind-port={port}"]
            deciding.append(f"--expect-workers={settings.workers}")
            worker = [*command, "--worker", f"--master-host={HOST}", f"--master-port={port}"]
            for _ in range(settings.workers):
                stack.enter_context(_process(worker, environment, load / "workers.log"))
        with _process(deciding, environment, load / "locust.log") as process:
            return process.wait(settings.length_s + PATIENCE_S)


@contextmanager
def _process(
    command: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output goes to a file, and which does not outlive the block for long."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
        process.wait(STOP_TIMEOUT_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
