"""How long the history of a busy account takes to read: pages, filters, and the index made anew.

    python -m tallystick_loadtests.history --records 1000000 --json

Three nodes get bulk envelopes in which every second transfer pays one account, every ten thousandth
of these from one rare payer. Then the SDK asks for pages of that account, each many times, over TLS
and through the leader; what each has is counted against what was sent. In the end one node is
stopped, its history index removed, and started again: it builds the index from its log, and has to
answer the whole history as the others do.
"""

import asyncio
import json
import os
import random
import statistics
import sys
import time
from array import array
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from tallystick import AsyncClient, HistoryFilter, RecordPage, Signer, SigningKey
from tallystick_cluster.errors import ClusterError
from tallystick_cluster.layout import ClusterLayout
from tallystick_cluster.manage import kill_node, start_node, stop_nodes
from tallystick_ledger.bulk import transfers
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.limits import MAX_RECORDS, NONCE_BYTES
from tallystick_ledger.records import Kind
from tallystick_loadtests.catch_up import wait_for_all
from tallystick_loadtests.errors import BenchError
from tallystick_loadtests.machine import git_commit
from tallystick_loadtests.place import working_directory
from tallystick_loadtests.population import Party, Population, fresh_id, plan_population, sealed
from tallystick_loadtests.screen import Screen
from tallystick_loadtests.session import start_cluster
from tallystick_loadtests.setup import leader_first, submit_messages, submit_plan
from tallystick_node.identity import DATABASE_DIRECTORY, NodeIdentity
from tallystick_node.storage import Store

ACCOUNTS: Final = 1_000
BUSY, RARE = 0, 1
RARE_EVERY: Final = 10_000
# The account was opened, and money issued to it.
BEFORE: Final = 2
PAGE: Final = 100
LARGE_PAGE: Final = 1_000
ROUNDS: Final = 21
REBUILT_NODE: Final = 3
NODES: Final = 3
MS: Final = 1_000.0

app = typer.Typer(add_completion=False)


class WrongHistoryError(BenchError):
    """A page is not what was sent."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One question, asked `ROUNDS` times.

    Attributes:
        records: On the page.
        first_ms: Of the first time, in milliseconds.
        median_ms, max_ms: Of the others.
    """

    records: int
    first_ms: float
    median_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured.

    Attributes:
        account_records: In the history of the busy account.
        ledger_records: Transfers in all.
        pages: By question.
        walk_s: Reading the whole history, in pages of 1,000.
        rebuild_s: Start of a node without an index until it serves, replay of the log included.
        restart_s: Start of the same node with its index, right after.
        rebuilt_equals_live: Whether the node with the new index answered the whole history alike.
        git_commit: Of the checkout.
    """

    account_records: int
    ledger_records: int
    pages: dict[str, Timing]
    walk_s: float
    rebuild_s: float
    restart_s: float
    rebuilt_equals_live: bool
    git_commit: str


@dataclass(slots=True)
class Traffic:
    """Makes the transfers and remembers how many concern whom."""

    population: Population
    busy: int = 0
    rare: int = 0
    total: int = 0
    _chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311

    @property
    def party(self) -> Party:
        """Who signs everything."""
        return self.population.parties[0]

    def messages(self, wanted: int, progress: Callable[[int], None]) -> Iterator[bytes]:
        """Envelopes until the busy account has `wanted` records more."""
        ids = self.party.account_ids
        while self.busy < wanted:
            pairs = [self._pair() for _ in range(MAX_RECORDS)]
            records = transfers(
                b"".join(ids[debit] for debit, _ in pairs),
                b"".join(ids[credit] for _, credit in pairs),
                array("Q", [1]) * MAX_RECORDS,
                os.urandom(NONCE_BYTES * MAX_RECORDS),
            )
            key = SigningKey(self.party.seed)
            yield sealed(self.population.ledger_id, key, fresh_id(), records)
            progress(min(self.busy, wanted))

    def _pair(self) -> tuple[int, int]:
        self.total += 1
        if self.total % 2:
            debit, credit = self._chance.sample(range(RARE + 1, ACCOUNTS), 2)
            return debit, credit
        self.busy += 1
        if self.busy % RARE_EVERY:
            return self._chance.randrange(RARE + 1, ACCOUNTS), BUSY
        self.rare += 1
        return RARE, BUSY


class Reader:
    """Asks a cluster for the history of the busy account."""

    def __init__(self, layout: ClusterLayout, traffic: Traffic) -> None:
        self._layout = layout
        self._traffic = traffic
        accounts = traffic.party.account_ids
        self._account, self._rare = accounts[BUSY], accounts[RARE]

    def _client(self, endpoints: Sequence[str]) -> AsyncClient:
        party = self._traffic.party
        signer = Signer(SigningKey(party.seed), party.principal)
        layout = self._layout
        return AsyncClient(endpoints, layout.genesis, tls=layout.ca_pem, signer=signer)

    async def pages(self) -> dict[str, Timing]:
        """Times each question.

        Raises:
            WrongHistoryError: An answer has another number of records than were sent.
        """
        by_rare = HistoryFilter(counterparty=self._rare)
        # Issued once, before all transfers: what has to be found is at the far end.
        issued = HistoryFilter(kinds=(Kind.ISSUE,))
        rare_count = min(PAGE, self._traffic.rare)
        async with self._client(leader_first(self._layout)) as client:
            half = self._traffic.busy // LARGE_PAGE // 2
            middle = (await self._walk(client, most_pages=half))[1]
            ask = partial(client.list_records, self._account, page_size=PAGE)
            large = partial(ask, page_size=LARGE_PAGE)
            questions = {
                "first page, the newest": (ask, PAGE),
                "last page, the oldest": (partial(ask, oldest_first=True), PAGE),
                "a page in the middle": (partial(ask, page_token=middle), PAGE),
                "first page of 1,000": (large, LARGE_PAGE),
                "by a rare counterparty": (partial(ask, wanted=by_rare), rare_count),
                "by a kind it has once": (partial(ask, wanted=issued), 1),
            }
            return {
                name: await _timed(name, question, expected)
                for name, (question, expected) in questions.items()
            }

    async def walk(self, endpoints: Sequence[str], *, stale: bool = False) -> list[int]:
        """All sequence numbers of the account, newest first."""
        async with self._client(endpoints) as client:
            return (await self._walk(client, stale=stale))[0]

    async def _walk(
        self, client: AsyncClient, *, most_pages: int = sys.maxsize, stale: bool = False
    ) -> tuple[list[int], bytes]:
        numbers: list[int] = []
        token = b""
        for _ in range(most_pages):
            page = await client.list_records(
                self._account, page_size=LARGE_PAGE, page_token=token, stale=stale
            )
            numbers += [record.sequence for record in page.records]
            token = page.page_token
            if not token:
                break
        return numbers, token


async def _timed(name: str, ask: Callable[..., Awaitable[RecordPage]], expected: int) -> Timing:
    """A page that is full must come whole; one that a filter leaves short may come in parts."""
    took_ms = []
    for _ in range(ROUNDS):
        found, token = 0, b""
        started_s = time.perf_counter()
        while True:
            page = await (ask(page_token=token) if token else ask())
            found += len(page.records)
            token = page.page_token
            if found >= expected or not token:
                break
        took_ms.append((time.perf_counter() - started_s) * MS)
        if found != expected:
            message = f"{name}: {found} records instead of {expected}"
            raise WrongHistoryError(message)
    later = took_ms[1:]
    figures = (took_ms[0], statistics.median(later), max(later))
    return Timing(expected, *(round(each, 2) for each in figures))


def measure(directory: Path, records: int, screen: Screen) -> Figures:
    """Makes a cluster and its history, and measures.

    Args:
        directory: Where the cluster is made, on a real disk.
        records: Transfers that shall concern the busy account; at least 2,000.
        screen: What a person sees.

    Raises:
        WrongHistoryError: A node's answer is not what was sent.
        BenchError: Something was refused, or a node stayed behind.
        ClusterError: A node could not be started.
    """
    layout = start_cluster(directory, nodes=NODES)
    try:
        ledger_id = Genesis.decode(layout.genesis).ledger_id
        plan = plan_population(ledger_id, layout.operator_key, parties=1, accounts_each=ACCOUNTS)
        submit_plan(layout, plan)
        traffic = Traffic(plan.population)
        with screen.progress("settling", records) as update:
            submit_messages(layout, traffic.messages(records, update))
        wait_for_all(layout)
        reader = Reader(layout, traffic)
        pages = asyncio.run(reader.pages())
        started_s = time.perf_counter()
        live = asyncio.run(reader.walk(leader_first(layout)))
        walk_s = time.perf_counter() - started_s
        expected = traffic.busy + BEFORE
        if len(live) != expected or live != sorted(set(live), reverse=True):
            message = f"the whole history has {len(live)} records instead of {expected}"
            raise WrongHistoryError(message)
        rebuild_s, restart_s = _start_s(layout, emptied=True), _start_s(layout, emptied=False)
        address = next(n.client for n in layout.nodes if n.raft_id == REBUILT_NODE)
        rebuilt = asyncio.run(reader.walk([address], stale=True))
    finally:
        stop_nodes(layout)
    return Figures(
        account_records=len(live),
        ledger_records=traffic.total,
        pages=pages,
        walk_s=round(walk_s, 2),
        rebuild_s=round(rebuild_s, 2),
        restart_s=round(restart_s, 2),
        rebuilt_equals_live=rebuilt == live,
        git_commit=git_commit(),
    )


def _start_s(layout: ClusterLayout, *, emptied: bool) -> float:
    """Kills one node and starts it again; how long until it has applied what the others have."""
    kill_node(layout, REBUILT_NODE)
    if emptied:
        directory = layout.node_directory(REBUILT_NODE)
        identity = NodeIdentity.load(directory, REBUILT_NODE)
        store = Store.open(directory / DATABASE_DIRECTORY, identity)
        store.reset_history()
        store.close()
    started_s = time.perf_counter()
    start_node(layout, REBUILT_NODE)
    wait_for_all(layout)
    return time.perf_counter() - started_s


def _show(figures: Figures, console: Console) -> None:
    table = Table("page", box=None)
    for name in ("records", "first ms", "median ms", "max ms"):
        table.add_column(name, justify="right")
    for name, timing in figures.pages.items():
        table.add_row(
            name,
            f"{timing.records:,}",
            f"{timing.first_ms:.1f}",
            f"{timing.median_ms:.1f}",
            f"{timing.max_ms:.1f}",
        )
    console.print(table)
    console.print(
        f"a restart takes {figures.restart_s:.1f} s, one that makes the index anew "
        f"{figures.rebuild_s:.1f} s; reading everything {figures.walk_s:.1f} s"
    )
    same = "answers as before" if figures.rebuilt_equals_live else "DOES NOT answer as before"
    first = figures.pages["first page, the newest"].median_ms
    console.print(
        f"{figures.account_records:,} of {figures.ledger_records:,} records concern the account; "
        f"its first page takes {first:.1f} ms; the index made anew {same}"
    )


@app.command()
def history(
    records: Annotated[
        int, typer.Option(min=2_000, help="Transfers that concern the busy account.")
    ] = 1_000_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how long pages of a busy account's history take, on a fresh cluster of three."""
    console = Console(stderr=as_json or not sys.stdout.isatty())
    try:
        with working_directory("history") as directory:
            figures = measure(directory, records, Screen(console))
    except (BenchError, ClusterError) as error:
        typer.echo(f"history: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(asdict(figures)))
    else:
        _show(figures, Console())
    if not figures.rebuilt_equals_live:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
