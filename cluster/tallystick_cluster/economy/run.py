"""From an empty directory to the figures.

make the cluster → start three nodes → register everybody → publish the cards, and let the acts
prepare while their notice runs → the day → the evening → the nodes agree → the auditor reads
everything → checks. Whatever happens, the nodes are stopped.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tallystick import AsyncClient
from tallystick.cli.book import FILE_NAME, AccountEntry, Book, UnitEntry
from tallystick.keyfile import KeyFile, write_key_file
from tallystick_cluster.data import load_weights
from tallystick_cluster.data.arrivals import Trace, load_arrivals
from tallystick_cluster.demo.nodes import agreed, nodes_stopped, start_all, timed
from tallystick_cluster.demo.plan import NANO_PER_USD
from tallystick_cluster.demo.population import MONEY_EXPONENT, MONEY_SYMBOL
from tallystick_cluster.demo.proofs import Told
from tallystick_cluster.demo.screen import Screen
from tallystick_cluster.economy.agents import Agents
from tallystick_cluster.economy.audit import check_prices
from tallystick_cluster.economy.books import Closing, read_books
from tallystick_cluster.economy.cast import Cast, pay_in, register
from tallystick_cluster.economy.checks import Check, check
from tallystick_cluster.economy.corrections import Corrections
from tallystick_cluster.economy.day import NS_PER_S, wait_until
from tallystick_cluster.economy.figures import Figures, consumers_of, models_of, providers_of
from tallystick_cluster.economy.metered import Metered
from tallystick_cluster.economy.netting import Netting
from tallystick_cluster.economy.offers import Books
from tallystick_cluster.economy.plan import Plan, make_plan
from tallystick_cluster.economy.report import introduce, show_prices
from tallystick_cluster.economy.requests import Requests
from tallystick_cluster.economy.stage import Act, Stage
from tallystick_cluster.economy.subsidies import Subsidies
from tallystick_cluster.economy.sums import check_books
from tallystick_cluster.economy.tariffs import Tariffs, dearest_nano, set_times
from tallystick_cluster.economy.vouchers import Vouchers
from tallystick_cluster.layout import KEYS_DIRECTORY, ClusterLayout, create_cluster

NODES: Final = 3


@dataclass(frozen=True, slots=True)
class Options:
    """What to do.

    Attributes:
        directory: Where the cluster is made.
        requests: How many requests of each trace at most.
        seconds: How long the day lasts.
        in_flight: How many requests may be under way at a time.
        seed: Decides who asks whom.
        keep: Whether the directory stays, so that keys and names are written into it.
    """

    directory: Path
    requests: int
    seconds: int
    in_flight: int
    seed: int
    keep: bool


class Acts:
    """All that is shown, in order."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self.requests = Requests()
        self.subsidies = Subsidies()
        self.metered = Metered()
        self.agents = Agents(metered=self.metered)
        self.vouchers = Vouchers()
        self.corrections = Corrections(requests=self.requests)
        self.netting = Netting()

    @property
    def all(self) -> Sequence[Act]:
        """In the order of their evenings and checks."""
        return (
            self.requests,
            self.subsidies,
            self.metered,
            self.agents,
            self.vouchers,
            self.corrections,
            self.netting,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that the checks look at.

    Attributes:
        stage: The day.
        acts: What was shown.
        closing: What the auditor read.
        told: What each node says of its state.
        wall_s: How long it took.
    """

    stage: Stage
    acts: Acts
    closing: Closing
    told: Sequence[Told]
    wall_s: float


def run_economy(options: Options, screen: Screen) -> Figures:
    """Runs everything.

    Raises:
        ClusterError: The cluster could not be made, or did not do what it should.
        TallystickError: The ledger refused what it should not.
    """
    return figures_of(play(options, screen))


def play(options: Options, screen: Screen) -> Outcome:
    """Runs everything but the checks; raises what `run_economy` does."""
    arrivals = [each for trace in Trace for each in load_arrivals(trace, options.requests)]
    plan = make_plan(arrivals, load_weights(), seed=options.seed)
    books = Books()
    introduce(screen, plan, options.seconds)
    show_prices(screen, books)
    layout = create_cluster(options.directory, node_count=NODES, now_ns=time.time_ns())
    with nodes_stopped(layout, screen):
        return asyncio.run(_play(layout, plan, books, options, screen))


def figures_of(outcome: Outcome) -> Figures:
    """Checks what is to be checked, and sums up."""
    stage, closing, acts = outcome.stage, outcome.closing, outcome.acts
    checks = [each for act in acts.all for each in act.checks(stage, closing)]
    priced = (*acts.requests.held.charged, *acts.metered.metered.charged)
    checks += check_prices(stage, priced)
    checks += check_books(stage, closing)
    checks.append(_check_nodes(outcome.told))
    charged = (*priced, *acts.vouchers.charged)
    told = {label: value for act in acts.all for label, value in act.told.items()}
    return Figures(
        len(stage.plan.jobs),
        models_of(charged),
        providers_of(stage, closing),
        consumers_of(stage, closing),
        [table for act in acts.all for table in act.shown(stage, closing)],
        told,
        checks,
        acts.requests.elapsed_s,
        outcome.wall_s,
    )


async def _play(
    layout: ClusterLayout, plan: Plan, books: Books, options: Options, screen: Screen
) -> Outcome:
    started_s = time.monotonic()
    with timed(screen, f"{NODES} nodes with mutual TLS run and have a leader"):
        await start_all(layout)
    client = AsyncClient(
        layout.endpoints, layout.genesis, tls=layout.ca_pem, signer=layout.operator_key
    )
    acts = Acts()
    async with client:
        with timed(screen, "principals, keys, the unit and accounts registered"):
            cast = await register(client, plan, os.urandom)
        if options.keep:
            write_names(layout, cast)
        tariffs = Tariffs(books, set_times(time.time_ns(), options.seconds))
        stage = Stage(
            client,
            plan,
            cast,
            books,
            tariffs,
            screen,
            options.in_flight,
            os.urandom,
            {cast.money_unit: MONEY_SYMBOL},
            dict(cast.accounts),
        )
        await _prepare(stage, acts)
        with timed(screen, f"the day: {len(plan.jobs):,} requests"):
            await _day(stage, acts)
        with timed(screen, "the evening: channels closed, corrections, netting"):
            for act in acts.all:
                await act.evening(stage)
        with timed(screen, "all nodes stand at one sequence number"):
            told = await agreed(layout)
        with timed(screen, "the auditor has read every account's history"):
            from_ns = stage.day.begins_ns
            closing = await asyncio.to_thread(
                read_books, layout, cast, dict(stage.accounts), from_ns
            )
    return Outcome(stage, acts, closing, told, time.monotonic() - started_s)


async def _prepare(stage: Stage, acts: Acts) -> None:
    with timed(stage.screen, "cards published, a minute or more ahead"):
        await stage.tariffs.publish(stage.client, stage.cast)
    with timed(stage.screen, "deposits paid in, channels opened"):
        await pay_in(stage.client, stage.cast, deposits_nano(stage))
        for act in acts.all:
            await act.prepare(stage)
    left_s = (stage.day.begins_ns - time.time_ns()) // NS_PER_S
    stage.screen.line(f"the day begins in {left_s} s, when the cards' minute of notice has run")
    with timed(stage.screen, "the cards are in force"):
        await wait_until(stage.day.begins_ns)


async def _day(stage: Stage, acts: Acts) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for act in acts.all:
                group.create_task(act.day(stage))
    except ExceptionGroup as failed:
        raise _first(failed) from None  # the others follow from the first


def _first(failed: ExceptionGroup[Exception]) -> Exception:
    error: Exception = failed
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def deposits_nano(stage: Stage) -> list[int]:
    """What each consumer needs: its requests at the dearest price, and room for those under way."""
    needs = [0] * len(stage.plan.consumers)
    room = 0
    for job in stage.plan.jobs:
        needs[job.consumer] += dearest_nano(stage.books, job.offer, job.usage)
        room = max(room, dearest_nano(stage.books, job.offer, job.worst_usage))
    room *= stage.in_flight
    # Vouchers pay from a deposit that is not there for holds, so nothing is needed twice.
    return [-(-(need + room) // NANO_PER_USD) * NANO_PER_USD for need in needs]


def _check_nodes(told: Sequence[Told]) -> Check:
    digests = {each.state_digest for each in told}
    first = told[0].state_digest.hex()[:16] if told else ""
    return check(
        "nodes",
        f"{len(told)} nodes stand at one sequence number with one state digest, {first}…",
        [] if len(digests) == 1 else [f"they have {len(digests)} digests"],
        count=len(told),
    )


def write_names(layout: ClusterLayout, cast: Cast) -> None:
    """Writes all keys, and an address book, so that the command line can look around later."""
    parties = (*cast.providers.values(), *cast.consumers)
    signers = [cast.bank, cast.auditor, cast.registry]
    signers += [key for party in parties for key in (party.owner, *party.workers)]
    for signer in signers:
        key_file = KeyFile(signer.key, signer.principal, signer.name)
        write_key_file(layout.directory / KEYS_DIRECTORY / f"{signer.name}.key", key_file)
    book = Book(layout.directory / FILE_NAME)
    book.units[MONEY_SYMBOL] = UnitEntry(cast.money_unit, MONEY_EXPONENT)
    book.principals[cast.bank.name] = cast.bank.principal
    for party in parties:
        book.principals[party.name] = party.owner.principal
        book.accounts[party.name] = AccountEntry(party.money, MONEY_SYMBOL)
    book.save()
