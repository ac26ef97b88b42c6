"""Locust users of a Tallystick ledger.

    make locust                                     a cluster of its own, 30 s, headless
    locust -f loadtests/locustfile.py --headless …  the same, with locust's own options

With `TALLYSTICK_LOAD_DIR`, the ledger that was prepared there is loaded instead; several processes
need that.

`TransferUser` submits envelopes of one transfer, each as soon as the one before is answered, or at
`--user-rate`. `BulkUser` submits envelopes of 8,190 transfers, one a second. Keys are read and
envelopes signed when the test starts, before any user does. `--steps 8,16,32` raises the number of
users from step to step. docs/benchmarks.md says how to run this on several machines.

All users of a process share one channel, as the tasks of one program would. gRPC is driven by
gevent; asyncio must not be mixed in.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
from grpc.experimental import gevent as grpc_gevent

grpc_gevent.init_gevent()

from locust import LoadTestShape, User, constant_throughput, events, task  # noqa: E402

from tallystick_loadtests.errors import BenchError  # noqa: E402
from tallystick_loadtests.outcome import header_digests  # noqa: E402
from tallystick_loadtests.swarm.client import NotAcceptedError, SwarmClient  # noqa: E402
from tallystick_loadtests.swarm.directory import (  # noqa: E402
    DIRECTORY_VARIABLE,
    LoadDirectory,
    Told,
)
from tallystick_loadtests.swarm.own import OwnCluster  # noqa: E402
from tallystick_loadtests.swarm.pool import Pool, bulk_pool, single_pool  # noqa: E402

BULKS_PER_USER_PER_S = 1.0


class Load:
    """What all users of this process share; made when the test starts."""

    def __init__(self, directory: LoadDirectory) -> None:
        self.directory = directory
        self.singles = single_pool(directory.population)
        self.bulks = bulk_pool(directory.population)
        self.client = SwarmClient(directory.target, gevent.sleep)
        self.acknowledged: list[bytes] = []
        self.transfers = 0
        self._started_s = self._cpu_s = 0.0

    def start(self, singles: int, bulks: int) -> None:
        """Signs, then starts the clocks."""
        self.singles.fill(singles, _give_way)
        self.bulks.fill(bulks, _give_way)
        self._started_s, self._cpu_s = time.perf_counter(), time.process_time()

    def submit(self, message: bytes) -> int:
        """Sends a message; returns the length of the answer."""
        answer = self.client.submit(message)
        self.acknowledged += header_digests(message)
        self.transfers += int.from_bytes(message[12:16], "little")
        return len(answer.outcomes) + len(answer.results)

    def stop(self) -> None:
        """Leaves what this process has to tell."""
        pools = (self.singles, self.bulks)
        late = sum(pool.signed_late for pool in pools)
        told = Told(
            signed=sum(pool.signed for pool in pools) - late,
            signed_late=late,
            cpu_s=time.process_time() - self._cpu_s,
            wall_s=time.perf_counter() - self._started_s,
            transfers=self.transfers,
        )
        self.directory.tell(told, self.acknowledged)


def _give_way() -> None:
    gevent.sleep(0)


class LedgerUser(User):
    """A user that submits one message after another."""

    abstract = True
    request_name = ""

    def pool(self) -> Pool:
        """Where its messages come from."""
        raise NotImplementedError

    @property
    def load(self) -> Load:
        """What the users of this process share."""
        load: Load = self.environment.load
        return load

    @task
    def submit(self) -> None:
        """Takes a signed message, sends it, and tells locust how long the answer took."""
        message = self.pool().take()
        problem: Exception | None = None
        length = 0
        started_s = time.perf_counter()
        try:
            length = self.load.submit(message)
        except NotAcceptedError as error:
            problem = error
        self.environment.events.request.fire(
            request_type="grpc",
            name=self.request_name,
            response_time=(time.perf_counter() - started_s) * 1000,
            response_length=length,
            exception=problem,
            context={},
        )


class TransferUser(LedgerUser):
    """Pays once, and again as soon as that is answered."""

    request_name = "transfer"
    pace: Callable[[Any], float] | None = None

    def pool(self) -> Pool:
        """Envelopes of one transfer."""
        return self.load.singles

    def wait_time(self) -> float:
        """Nothing, or what keeps `--user-rate`."""
        rate = self.environment.parsed_options.user_rate
        if not rate:
            return 0.0
        if self.pace is None:
            self.pace = constant_throughput(rate)
        return self.pace(self)


class BulkUser(LedgerUser):
    """Pays 8,190 times in one envelope, once a second."""

    request_name = "bulk"
    wait_time = constant_throughput(BULKS_PER_USER_PER_S)

    def pool(self) -> Pool:
        """Envelopes of 8,190 transfers."""
        return self.load.bulks


class Steps(LoadTestShape):
    """The users of `--steps`, one number after another; without it, `--users` all the time."""

    use_common_options = True
    _first_user_s: float | None = None

    def tick(self) -> tuple[int, float] | None:
        """How many users there should be now; None at the end."""
        if self.runner is None or self.runner.environment.parsed_options is None:
            return None
        options = self.runner.environment.parsed_options
        now_s = 0.0
        if self.runner.user_count == 0:
            self._first_user_s = None  # processes still sign
        elif self._first_user_s is None:
            self._first_user_s = time.perf_counter()
        else:
            now_s = time.perf_counter() - self._first_user_s
        if options.steps:
            steps = [int(users) for users in options.steps.split(",")]
            position = int(now_s // options.step_s)
            return (steps[position], max(steps)) if position < len(steps) else None
        if options.run_time and now_s >= options.run_time:
            return None
        users = options.num_users or 1
        return users, options.spawn_rate or users


def add_options(parser: Any) -> None:  # noqa: ANN401 - locust's own
    """Adds what the users can be told."""
    group = parser.add_argument_group("Tallystick")
    group.add_argument("--singles", type=int, default=20_000, help="Transfers to sign in advance.")
    group.add_argument("--bulks", type=int, default=20, help="Bulk envelopes to sign in advance.")
    group.add_argument("--bulk-users", type=int, default=1, help="Of all users, send bulk.")
    group.add_argument("--user-rate", type=float, default=0, help="Transfers a second and user.")
    group.add_argument("--steps", default="", help="Users of each step, as 8,16,32.")
    group.add_argument("--step-s", type=float, default=10, help="Length of a step in seconds.")


def count_bulk_users(environment: Any, **_: object) -> None:  # noqa: ANN401 - locust's own
    """Takes the number of bulk users over."""
    BulkUser.fixed_count = environment.parsed_options.bulk_users


def find_load(environment: Any, **_: object) -> None:  # noqa: ANN401 - locust's own
    """Takes the prepared load, or makes a cluster for a process that works alone."""
    options = environment.parsed_options
    if options.master:
        return
    try:
        if os.environ.get(DIRECTORY_VARIABLE) or options.worker:
            environment.load_directory = LoadDirectory.from_environment()
        else:
            own = OwnCluster.start()
            environment.load_directory = own.load
            environment.events.quit.add_listener(partial(leave, own))
    except BenchError as error:
        sys.stderr.write(f"locust: {error}\n")
        sys.exit(1)


def leave(own: OwnCluster, **_: object) -> None:
    """Reads back what was acknowledged, and puts the cluster away."""
    if code := own.finish():
        sys.exit(code)


def start_load(environment: Any, **_: object) -> None:  # noqa: ANN401 - locust's own
    """Signs, in each process that has users, before they start."""
    options = environment.parsed_options
    if not options.master:
        environment.load = Load(environment.load_directory)
        environment.load.start(options.singles, options.bulks)


def stop_load(environment: Any, **_: object) -> None:  # noqa: ANN401 - locust's own
    """Leaves what this process has to tell; a master only tells workers what to do."""
    if not environment.parsed_options.master:
        environment.load.stop()


events.init_command_line_parser.add_listener(add_options)
events.init.add_listener(count_bulk_users)
events.init.add_listener(find_load)
events.test_start.add_listener(start_load)
events.test_stop.add_listener(stop_load)
