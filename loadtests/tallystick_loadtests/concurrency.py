"""Many streams share one budget: is it ever overspent, and how much of it can be used?

    python -m tallystick_loadtests.concurrency [--seeds 5] [--streams 128]

A budget is the funds of one account on a three-node cluster, worth 50 to 200 mean requests. So many
streams at once take requests whose output lengths come from the Azure trace, one unit a token, and
reserve, extend and capture through the SDK until nothing is left. No time passes between a stream's
slices of 64 tokens: how fast a model is does not matter here, only who asks for the money at once.
A stream that cannot pin its first hold waits for another to end; one whose extension is refused is
cut short and pays for what it had.

Beside it stand the same requests with the worst case reserved, and a model of a gateway that checks
the budget first and books afterwards. The command ends with 1 if extended holds overspent, if they
used less than 98 % of a budget, or if the ledger's sums are not what the streams counted.
"""

import argparse
import asyncio
import heapq
import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tallystick import AsyncClient, PastCaptures, RollingP95, Signer, SigningKey, WorstCase, errors
from tallystick.sizing import Sizing
from tallystick_cluster.data import TRACE_ROWS, load_usage
from tallystick_cluster.manage import stop_nodes
from tallystick_ledger.ids import AccountId, UnitId
from tallystick_loadtests.place import working_directory
from tallystick_loadtests.session import start_cluster

SLICE_TOKENS: Final = 64
SEEDS: Final = 5
STREAMS: Final = 128
LEAST_USED_PERCENT: Final = 98
BUDGET_REQUESTS: Final = (50, 200)
_LABEL: Final = "conv"
_PAST_REQUESTS: Final = 1_000
_HOLD_S: Final = 120.0
# What others measured, each on a setup of its own: to be read beside, not against, our rows.
_OTHERS: Final = (
    ("check, then book; 3 replicas, 128 streams", "+234 % of budget", "-", "hardcap README"),
    ("reserve max_tokens", "never", "95.6 %", "hardcap README"),
    ("rolling p95, extend every 64 tokens", "+0.03 %", "98.7 %", "hardcap README"),
    ("LiteLLM BudgetManager, Shekel", "1,000 calls, cap for 50", "-", "snipz README"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one budget; all but `streams_*` in tokens.

    Attributes:
        budget: What there was.
        spent: What the payee got.
        delivered: What the streams handed out.
        streams_refused: Requests that got nothing.
        streams_cut: Requests that were truncated.
    """

    budget: int
    spent: int
    delivered: int
    streams_refused: int
    streams_cut: int

    @property
    def overspent(self) -> int:
        """What was handed out or paid beyond the budget."""
        return max(0, self.spent - self.budget, self.delivered - self.budget)

    @property
    def is_good(self) -> bool:
        """Whether nothing was overspent, enough was used, and both counts agree."""
        enough = self.spent * 100 >= self.budget * LEAST_USED_PERCENT
        return enough and not self.overspent and self.spent == self.delivered


@dataclass(frozen=True, slots=True)
class Parties:
    """A client, who pays and who is paid, in one unit."""

    client: AsyncClient
    payer: Signer
    payee: Signer
    unit: UnitId


class Work:
    """A seed's budget, and requests far beyond it; the same for every way of spending it."""

    def __init__(self, seed: int, streams: int) -> None:
        """Draws them.

        Args:
            seed: Any number.
            streams: How many run at once.
        """
        generator = random.Random(seed)  # noqa: S311 - a workload, no secret
        lengths = [max(1, each.generated_tokens) for each in load_usage(TRACE_ROWS)]
        generator.shuffle(lengths)
        mean = sum(lengths) // len(lengths)
        self.streams = streams
        self.longest = max(lengths)
        self.budget = mean * generator.randint(*BUDGET_REQUESTS)
        self.past, self.lengths = lengths[:_PAST_REQUESTS], lengths[_PAST_REQUESTS:]


class Run:
    """One budget spent through the SDK."""

    def __init__(self, work: Work, parties: Parties, sizing: Sizing) -> None:
        """Nothing is sent yet."""
        self._work, self._parties, self._sizing = work, parties, sizing
        self._lengths = iter(work.lengths)
        self._ended = asyncio.Condition()
        self._ends = 0
        self._delivered = self._refused = self._cut = 0

    async def spend(self, till: AccountId, shop: AccountId) -> Outcome:
        """Runs all streams until the funds of `till` let none begin."""
        await asyncio.gather(*(self._stream(till, shop) for _ in range(self._work.streams)))
        spent = await self._parties.client.balance(shop, signer=self._parties.payee)
        return Outcome(self._work.budget, spent, self._delivered, self._refused, self._cut)

    async def _stream(self, till: AccountId, shop: AccountId) -> None:
        for length in self._lengths:
            try:
                await self._request(till, shop, length)
            except errors.InsufficientFunds:
                self._refused += 1
                return

    async def _request(self, till: AccountId, shop: AccountId, length: int) -> None:
        while True:
            before = self._ends
            try:
                hold = await self._parties.client.reserve(
                    till,
                    shop,
                    self._work.longest,
                    expires_in_s=_HOLD_S,
                    sizing=self._sizing,
                    payee=self._parties.payee,
                )
                break
            except errors.FundsHeld:
                async with self._ended:
                    while self._ends == before:
                        await self._ended.wait()
        try:
            while hold.observed < length:
                await hold.observe(min(length, hold.observed + SLICE_TOKENS))
        except errors.HoldExhausted:
            self._cut += 1
        await hold.end()
        self._delivered += hold.observed
        async with self._ended:
            self._ends += 1
            self._ended.notify_all()


def check_then_book(work: Work) -> Outcome:
    """A model of a gateway that looks whether budget is left, serves, and books at the end."""
    lengths = iter(work.lengths)
    spent = refused = 0
    running = [(length, length) for length, _ in zip(lengths, range(work.streams), strict=False)]
    heapq.heapify(running)
    while running:
        now, length = heapq.heappop(running)
        spent += length
        if spent < work.budget:
            following = next(lengths)
            heapq.heappush(running, (now + following, following))
        else:
            refused += 1
    return Outcome(work.budget, spent, spent, refused, 0)


async def set_up(directory: Path) -> Parties:
    """A payer and a payee of a running cluster; the caller closes the client."""
    payer_key, payee_key = SigningKey(os.urandom(32)), SigningKey(os.urandom(32))
    async with AsyncClient.from_profile(directory) as operator:
        payer = Signer(payer_key, (await operator.register_principal(payer_key)).id)
        payee = Signer(payee_key, (await operator.register_principal(payee_key)).id)
        unit = (await operator.create_unit("OUT-TOKEN", 0, payer.principal)).id
    return Parties(AsyncClient.from_profile(directory, key=payer), payer, payee, unit)


async def spend(parties: Parties, work: Work, *, is_extended: bool) -> Outcome:
    """Spends a seed's budget from a new account, with extended holds or the worst case."""
    till = (await parties.client.open_account(parties.unit)).id
    shop = (await parties.client.open_account(parties.unit, signer=parties.payee)).id
    await parties.client.issue(parties.unit, till, work.budget)
    sizing: Sizing = WorstCase()
    if is_extended:
        past = PastCaptures()
        for length in work.past:
            past.add(shop, _LABEL, length)
        sizing = RollingP95(past, _LABEL, slice_size=SLICE_TOKENS, ahead=0)
    return await Run(work, parties, sizing).spend(till, shop)


async def campaign(directory: Path, seeds: int, streams: int, table: Table) -> bool:
    """Runs all seeds on a running cluster; returns whether all of them were good."""
    parties = await set_up(directory)
    is_good = True
    async with parties.client:
        for seed in range(1, seeds + 1):
            work = Work(seed, streams)
            extended = await spend(parties, work, is_extended=True)
            worst = await spend(parties, work, is_extended=False)
            is_good = is_good and extended.is_good
            for way, each in (
                ("p95, extended", extended),
                ("worst case", worst),
                ("check, then book (model)", check_then_book(work)),
            ):
                _add(table, seed, way, each)
    return is_good


def _add(table: Table, seed: int, way: str, outcome: Outcome) -> None:
    hundredths = outcome.spent * 10_000 // outcome.budget
    table.add_row(
        str(seed),
        way,
        f"{outcome.budget:,}",
        f"{outcome.spent:,}",
        f"{hundredths // 100}.{hundredths % 100:02} %",
        f"{outcome.overspent:,}",
        f"{outcome.streams_refused:,}",
        f"{outcome.streams_cut:,}",
    )


def main(arguments: list[str] | None = None) -> int:
    """Runs it; returns the exit code."""
    parser = argparse.ArgumentParser(description="Many streams share one budget.")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--streams", type=int, default=STREAMS)
    parser.add_argument("--directory", type=Path, help="where to make the cluster")
    given = parser.parse_args(arguments)
    columns = ("seed", "holds", "budget", "spent", "used", "overspent", "refused", "cut")
    table = Table(*columns, title=f"{given.streams} streams share a budget (output tokens)")
    began = time.monotonic()
    with working_directory("concurrency", given.directory) as directory:
        layout = start_cluster(directory / "cluster", nodes=3)
        try:
            is_good = asyncio.run(campaign(layout.directory, given.seeds, given.streams, table))
        finally:
            stop_nodes(layout)
    console = Console()
    console.print(table)
    others = Table("others' own figures", "overspent", "used", "source", title="Elsewhere")
    for row in _OTHERS:
        others.add_row(*row)
    console.print(others)
    verdict = "never overspent, all budgets used" if is_good else "NOT as promised"
    console.print(f"{verdict}; {time.monotonic() - began:.0f} s")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
