"""A running cluster of its own with a population, ready for one or more timed parts.

    with Session.open(directory, nodes=3, profile=Profile.BULK, screen=screen) as session:
        step = session.step(seconds=20)
        session.stop()
        lost = session.lost()

Making it: a fresh cluster on a real disk, mutual TLS between its nodes, accounts and money for the
profile. A step signs its messages first; only then the clock starts. What was acknowledged in any
step is looked for in the end in the store of one stopped node, once all nodes have applied it.
"""

import asyncio
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tallystick_core import Kernel

from tallystick_cluster.layout import ClusterLayout, create_cluster
from tallystick_cluster.manage import start_node, stop_nodes, wait_ready
from tallystick_ledger.genesis import Genesis
from tallystick_loadtests import phases
from tallystick_loadtests.cards import with_cards
from tallystick_loadtests.catch_up import wait_for_all
from tallystick_loadtests.channels import with_channels
from tallystick_loadtests.connection import Target
from tallystick_loadtests.drivers import Driver
from tallystick_loadtests.drivers.callers import CallerDriver
from tallystick_loadtests.drivers.stream import StreamDriver
from tallystick_loadtests.drivers.unary import UnaryDriver
from tallystick_loadtests.machine import Machine, probe, require_disk
from tallystick_loadtests.outcome import Outcome
from tallystick_loadtests.pacing import Arrears, Pacer
from tallystick_loadtests.population import FUNDS, Population, plan_population
from tallystick_loadtests.profiles import PAYEES, SHAPES, Profile
from tallystick_loadtests.readback import Acknowledged, read_stored
from tallystick_loadtests.screen import Screen
from tallystick_loadtests.setup import apply_plan, leader_first, submit_plan
from tallystick_loadtests.signing import Signers
from tallystick_loadtests.usage import Usage

# The node whose store is read in the end; all have the same by then.
READ_NODE: Final = 1
_NS_PER_S: Final = 1_000_000_000
_STREAMED: Final = frozenset(Profile) - {Profile.UNARY, Profile.CALLERS, Profile.LONE}


def start_cluster(directory: Path, *, nodes: int) -> ClusterLayout:
    """Makes a cluster on a real disk and starts it.

    Args:
        directory: Where; it must hold no cluster yet.
        nodes: How many.

    Raises:
        UnsuitableDiskError: The directory is in memory.
        ClusterError: The cluster could not be made or started.
    """
    require_disk(directory)
    layout = create_cluster(directory, node_count=nodes, now_ns=time.time_ns())
    try:
        for node in layout.nodes:
            start_node(layout, node.raft_id)
        wait_ready(layout)
    except BaseException:
        stop_nodes(layout)
        raise
    return layout


@dataclass(frozen=True, slots=True)
class Step:
    """One timed part.

    Attributes:
        outcome: What was answered.
        before, after: Counters around it.
        phases: The nodes' histograms; see phases.py.
        arrears: How the schedule was kept; None for a closed loop.
        raw: `lone` only: the outcome without the SDK.
    """

    outcome: Outcome
    before: Usage
    after: Usage
    phases: dict[str, dict[str, dict[str, float]]]
    arrears: Arrears | None
    raw: Outcome | None


class Session:
    """A cluster under measurement; made by `open`."""

    def __init__(
        self,
        layout: ClusterLayout,
        profile: Profile,
        population: Population,
        signers: Signers,
        screen: Screen,
    ) -> None:
        self.layout = layout
        self.profile = profile
        self.population = population
        self._signers = signers
        self._screen = screen
        self._shape = SHAPES[profile]
        self._prepared = 0
        self.acknowledged = Acknowledged()
        self._answered_at_s = 0.0
        self.caught_up_s = 0.0
        self.vouchers_verified: dict[str, int] = {}

    @classmethod
    @contextmanager
    def open(
        cls,
        directory: Path,
        *,
        nodes: int,
        profile: Profile,
        screen: Screen,
        funds: int = FUNDS,
    ) -> Iterator[Self]:
        """Makes and starts a cluster; stops it in the end.

        Args:
            directory: Where; it must hold no cluster yet.
            nodes: How many.
            profile: What will be sent.
            screen: What a person sees.
            funds: Money in each account.

        Raises:
            BenchError: The disk is none, or accounts and money were refused.
            ClusterError: The cluster could not be made or started.
        """
        layout = start_cluster(directory, nodes=nodes)
        try:
            shape = SHAPES[profile]
            with screen.phase("accounts and money"):
                plan = plan_population(
                    Genesis.decode(layout.genesis).ledger_id,
                    layout.operator_key,
                    parties=shape.parties,
                    accounts_each=shape.accounts_each,
                    funds=funds,
                )
                if profile is Profile.VOUCHERS:
                    plan = with_channels(plan, PAYEES, funds // 2)
                if profile is Profile.USAGE:
                    plan = with_cards(plan, PAYEES)
                submit_plan(layout, plan)
            with Signers() as signers:
                yield cls(layout, profile, plan.population, signers, screen)
        finally:
            stop_nodes(layout)

    def machine(self) -> Machine:
        """Measures the machine, on the cluster's disk."""
        with self._screen.phase("measuring the machine"):
            shape = SHAPES[Profile.PACKED]
            plan = plan_population(
                self.population.ledger_id,
                self.layout.operator_key,
                parties=shape.parties,
                accounts_each=shape.accounts_each,
            )
            kernel = Kernel(self.layout.genesis)
            apply_plan(kernel, plan)
            (message,) = self._signers.prepare(Profile.PACKED, plan.population, 1)
            return probe(self.layout.directory, kernel, message, time.time_ns())

    # -- timed parts -----------------------------------------------------------------------------

    def step(self, seconds: float, transfers_per_s: float | None = None) -> Step:
        """Signs, then measures.

        Args:
            seconds: Length of the timed part.
            transfers_per_s: Offered by a schedule; None for as many as are answered.

        Raises:
            NodeSilentError: A node does not answer.
        """
        interval_s = None
        if transfers_per_s is not None:
            interval_s = self._shape.transfers_per_message / transfers_per_s
        messages = self._messages(seconds, interval_s)
        self._wait_for_prices()
        target = Target(tuple(leader_first(self.layout)), self.layout.ca_pem, self.layout.genesis)
        before, scraped = Usage.of(self.layout), phases.scrape(self.layout)
        pacer = Pacer(
            seconds=seconds / 2 if self.profile is Profile.LONE else seconds,
            interval_s=interval_s,
            limit=len(messages) or None,
        )
        outcome = self._drive(self._driver(target, messages, pacer), pacer, seconds)
        after, scraped_after = Usage.of(self.layout), phases.scrape(self.layout)
        raw = None
        if self.profile is Profile.LONE:
            pacer = Pacer(seconds=seconds / 2, limit=len(messages))
            raw = self._drive(UnaryDriver(target, messages, 1), pacer, seconds)
            self.acknowledged.add(raw, messages)
        self.acknowledged.add(outcome, messages)
        return Step(
            outcome,
            before,
            after,
            phases.figures(scraped_after, scraped),
            pacer.arrears() if pacer.is_open else None,
            raw,
        )

    def _messages(self, seconds: float, interval_s: float | None) -> list[bytes]:
        count = math.ceil(
            seconds * self._shape.messages_per_s if interval_s is None else seconds / interval_s
        )
        if not self._shape.messages_per_s:
            return []
        first, count = self._prepared, max(1, count)
        self._prepared += count
        with self._screen.progress("signing", count) as update:
            return self._signers.prepare(self.profile, self.population, count, update, first=first)

    def _wait_for_prices(self) -> None:
        """A card prices nothing before its notice is over."""
        offers = self.population.offers
        if offers is not None:
            with self._screen.phase("until the cards are in force"):
                time.sleep(max(0.0, (offers.priced_from_ns - time.time_ns()) / _NS_PER_S))

    def _driver(self, target: Target, messages: list[bytes], pacer: Pacer) -> Driver:
        shape = self._shape
        window = shape.open_window if pacer.is_open else shape.window
        if self.profile in _STREAMED:
            return StreamDriver(target, messages, window)
        if self.profile is Profile.UNARY:
            return UnaryDriver(target, messages, window)
        seed = int.from_bytes(os.urandom(8), "little")
        return CallerDriver(target, self.population.parties[0], window, seed)

    def _drive(self, driver: Driver, pacer: Pacer, seconds: float) -> Outcome:
        with self._screen.clock("settling", seconds):
            asyncio.run(driver.run(pacer))
        self._answered_at_s = time.perf_counter()
        return driver.outcome

    # -- the end ---------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stops all nodes as soon as each has applied all that was acknowledged.

        From then on `caught_up_s` is how long after the last answer that was, and
        `vouchers_verified`, where vouchers were sent, what each node has verified in the session.

        Raises:
            NotCaughtUpError: A node stays silent or behind.
            OSError: A node's metrics port does not answer.
        """
        with self._screen.phase("catching up"):
            wait_for_all(self.layout)
            self.caught_up_s = time.perf_counter() - self._answered_at_s
            if self.profile is Profile.VOUCHERS:
                self.vouchers_verified = phases.vouchers_verified(self.layout)
        stop_nodes(self.layout)

    def lost(self) -> int:
        """How many acknowledged envelopes of all steps are not in the stopped node's store."""
        with self._screen.phase("reading back"):
            stored = read_stored(self.layout.node_directory(READ_NODE))
            return stored.lost(self.acknowledged)
