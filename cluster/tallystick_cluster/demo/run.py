"""The demo from an empty directory to its figures.

make the cluster → start three nodes → register everybody → settle, and half-way kill the leader →
read balances and state digests → stop the nodes → replay each node's own directory → prove.
Whatever happens, the nodes are stopped.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tallystick import AsyncClient
from tallystick.cli.book import FILE_NAME, AccountEntry, Book, UnitEntry
from tallystick.keyfile import KeyFile, write_key_file
from tallystick_cluster.data import load_usage, load_weights
from tallystick_cluster.demo.figures import Figures, figures_of
from tallystick_cluster.demo.nodes import agreed, nodes_stopped, start_all, timed
from tallystick_cluster.demo.outage import Outage, kill_and_restart, longest_silence_s
from tallystick_cluster.demo.plan import Plan, make_plan
from tallystick_cluster.demo.population import (
    MONEY_EXPONENT,
    MONEY_SYMBOL,
    TOKEN_EXPONENT,
    TOKEN_SYMBOL,
    Population,
    populate,
)
from tallystick_cluster.demo.proofs import Evidence, Told
from tallystick_cluster.demo.replay import replay_nodes
from tallystick_cluster.demo.report import Reporter
from tallystick_cluster.demo.settle import Settlement, Settler
from tallystick_cluster.layout import KEYS_DIRECTORY, ClusterLayout, create_cluster
from tallystick_ledger.ids import AccountId
from tallystick_ledger.state_rows import AccountRow

NODES: Final = 3


@dataclass(frozen=True, slots=True)
class Options:
    """What to do.

    Attributes:
        directory: Where the cluster is made.
        requests: How many requests of the trace.
        in_flight: How many of them at a time.
        seed: Decides who asks whom.
        keep: Whether the directory stays, so that keys and names are written into it.
    """

    directory: Path
    requests: int
    in_flight: int
    seed: int
    keep: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen while the nodes ran."""

    population: Population
    settlement: Settlement
    outage: Outage
    balances: dict[AccountId, AccountRow]
    told: list[Told]


def run_demo(options: Options, reporter: Reporter) -> Figures:
    """Runs everything.

    Raises:
        ClusterError: The cluster could not be made, or did not do what it should.
        TallystickError: The ledger refused what it should not.
    """
    plan = make_plan(
        load_usage(options.requests),
        load_weights(),
        in_flight=options.in_flight,
        seed=options.seed,
    )
    _introduce(plan, reporter)
    layout = create_cluster(options.directory, node_count=NODES, now_ns=time.time_ns())
    with nodes_stopped(layout, reporter):
        observed = asyncio.run(_observe(layout, plan, options, reporter))
    with timed(reporter, "each node's own directory read, and its log replayed from the genesis"):
        evidence = Evidence(
            nodes=replay_nodes(layout, {told.next_sequence for told in observed.told}),
            acknowledged=observed.settlement.acknowledged,
            settled=observed.settlement.settled,
            told=observed.told,
            balances=observed.balances,
            usage=load_usage(options.requests),
            plan=plan,
            population=observed.population,
        )
    silent_s = longest_silence_s(observed.settlement.acknowledged_at_s, observed.outage.killed_at_s)
    return figures_of(evidence, observed.settlement, observed.outage, silent_s)


async def _observe(
    layout: ClusterLayout, plan: Plan, options: Options, reporter: Reporter
) -> Observed:
    """Everything that needs running nodes.

    What blocks runs in threads, for which the event loop waits when it is interrupted: so no node
    is started after the nodes were stopped.
    """
    with timed(reporter, f"{NODES} nodes with mutual TLS run and have a leader"):
        await start_all(layout)
    client = AsyncClient(
        layout.endpoints, layout.genesis, tls=layout.ca_pem, signer=layout.operator_key
    )
    async with client:
        with timed(reporter, "principals, keys, units and accounts registered, deposits paid"):
            population = await populate(client, plan, os.urandom)
        if options.keep:
            write_names(layout, population)
        settlement, outage = await _settle(client, layout, plan, population, options, reporter)
        with timed(reporter, "all nodes stand at one sequence number"):
            told = await agreed(layout)
        parties = (*population.consumers, *population.providers)
        # Nodes tell balances to those whose they are: each party asks for its own.
        rows = await asyncio.gather(
            *(client.get_accounts([each.money, each.tokens], signer=each.owner) for each in parties)
        )
    balances = {row.account: row for two in rows for row in two if row is not None}
    return Observed(population, settlement, outage, balances, told)


async def _settle(
    client: AsyncClient,
    layout: ClusterLayout,
    plan: Plan,
    population: Population,
    options: Options,
    reporter: Reporter,
) -> tuple[Settlement, Outage]:
    """Settles all requests; kills the leader when half of them are done."""
    half = asyncio.Event()
    with reporter.progress(len(plan.jobs)) as advance:

        def on_done(done: int) -> None:
            advance(done)
            if 2 * done >= len(plan.jobs):
                half.set()

        async def break_leader() -> Outage:
            await half.wait()
            return await kill_and_restart(layout, lambda text: reporter.line(f"  {text}"))

        settler = Settler(client, plan, population, on_done)
        try:
            async with asyncio.TaskGroup() as group:
                breaking = group.create_task(break_leader())
                settling = group.create_task(settler.run(options.in_flight))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # the other was cancelled because of it
    return settling.result(), breaking.result()


def _introduce(plan: Plan, reporter: Reporter) -> None:
    usage = [job.usage for job in plan.jobs]
    context = sum(each.context_tokens for each in usage)
    generated = sum(each.generated_tokens for each in usage)
    prices = ", ".join(
        f"{offer.provider} {offer.input_nano:,}/{offer.output_nano:,}" for offer in plan.offers
    )
    short = sum(consumer.is_short for consumer in plan.consumers)
    reporter.title("Tallystick demo: three nodes settle real usage and lose their leader")
    for line in (
        f"real     {len(usage):,} requests of a public trace (Azure LLM inference 2023):",
        f"         {context:,} tokens in, {generated:,} tokens out",
        f"         how unevenly {len(plan.consumers)} consumers ask (measured clients, ServeGen)",
        f"made up  consumers and their money; {short} of them get half of what they need",
        "         who asks whom, and when: as fast as answers come",
        "         providers and their prices in nano-USD a token in/out:",
        f"         {prices}",
        "",
    ):
        reporter.line(line)


def write_names(layout: ClusterLayout, population: Population) -> None:
    """Writes all keys, and an address book, so that the command line can look around later."""
    for signer in population.signers:
        key_file = KeyFile(signer.key, signer.principal, signer.name)
        write_key_file(layout.directory / KEYS_DIRECTORY / f"{signer.name}.key", key_file)
    book = Book(layout.directory / FILE_NAME)
    book.units[MONEY_SYMBOL] = UnitEntry(population.money_unit, MONEY_EXPONENT)
    book.units[TOKEN_SYMBOL] = UnitEntry(population.token_unit, TOKEN_EXPONENT)
    book.principals[population.issuer.name] = population.issuer.principal
    for party in (*population.consumers, *population.providers):
        book.principals[party.name] = party.owner.principal
        book.accounts[party.name] = AccountEntry(party.money, MONEY_SYMBOL)
        book.accounts[f"{party.name}-tokens"] = AccountEntry(party.tokens, TOKEN_SYMBOL)
    book.save()
