"""Killed while the index is written and merged: what is left of it leads to the index of the log.

After each kill a copy of what the killed process left is gone on with, and must end as the very
pages of an index that was built in one go. The next process goes on with the original.
"""

import asyncio
import multiprocessing
import random
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.node import dying_index
from tests.node.dying_index import build
from tests.node.history_tools import (
    client_of,
    finish_merges,
    new_market,
    node_at,
    pay,
    pay_oneself,
    searched,
)
from tests.node.store_tools import OWNER, append, new_store

from tallystick_cluster.layout import create_cluster
from tallystick_node.storage import LogEntry, Store

# Forked from a process that has imported everything and opened nothing: soon there.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.node.dying_index"])


@dataclass(frozen=True)
class Ledger:
    """A log, and what should be in whose history."""

    genesis: bytes
    blocks: list[bytes]
    histories: dict[bytes, list[int]]


async def make_ledger(directory: Path) -> Ledger:
    """Some 230 records, in about as many blocks, made by a real node."""
    layout = create_cluster(directory, node_count=1, now_ns=time.time_ns())
    async with node_at(layout.node_directory(1)) as node, client_of(layout) as client:
        market = await new_market(client)
        for number in range(30):
            await pay(client, market, 7)
            if number % 8 == 0:
                await pay_oneself(client, market)
        found = [payload for _, payload in node.store.payloads(1, node.store.last_index + 1)]
        named: dict[bytes, list[int]] = {
            market.accounts[name]: sequences for name, sequences in market.histories.items()
        }
        return Ledger(node.identity.genesis_bytes, [block for block in found if block], named)


def pages_of(store: Store) -> list[tuple[bytes, bytes]]:
    """All pages of complete runs; and no pages are there that no run lists."""
    catalogue = store.read_catalogue()
    assert catalogue is not None
    listed = [(run, page) for run in catalogue.runs for page in store.run_pages(run)]
    cursor = store.history_cursor()
    cursor.seek_to_first()
    count = 0
    while cursor.valid():
        count += 1
        cursor.next()
    assert count == len(listed), "pages that no run lists were left behind"
    return [(run.prefix, page) for run, page in listed if run.level]


def go_on(directory: Path, ledger: Ledger) -> list[tuple[bytes, bytes]]:
    """Builds the rest of an index, searches it, and returns its pages."""
    store = Store.open(directory, OWNER)
    history = build(store, ledger.genesis)
    end = 1 << 40
    for account, expected in ledger.histories.items():
        assert searched(history, account, 0, end, newest_first=False) == expected
        assert searched(history, account, 0, end, newest_first=True) == expected[::-1]
    history.close()
    finish_merges(history)
    pages = pages_of(store)
    store.close()
    return pages


def runs_of(directory: Path) -> list[int]:
    """Levels of the runs that a killed process has published."""
    store = Store.open(directory, OWNER)
    catalogue = store.read_catalogue()
    store.close()
    return [] if catalogue is None else [run.level for run in catalogue.runs]


def die_at(home: Path, count: int, *, keeps: bool) -> bool:
    """Runs a process that dies at its `count`-th write; False if it had fewer to do."""
    process = PROCESSES.Process(target=dying_index.main, args=(home, count, keeps))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL), f"exit code {process.exitcode}"
    return process.exitcode != 0


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return asyncio.run(make_ledger(tmp_path_factory.mktemp("kills") / "cluster"))


def test_an_index_survives_kills_at_any_write(tmp_path: Path, ledger: Ledger) -> None:
    whole, home = tmp_path / "whole", tmp_path / "home"
    for directory in (whole, home):
        directory.mkdir()
        store = new_store(directory)
        (directory / "genesis").write_bytes(ledger.genesis)
        append(store, [LogEntry(index, 1, block) for index, block in enumerate(ledger.blocks, 1)])
        store.close()
    expected = go_on(whole, ledger)
    chance = random.Random(1)
    kills, levels = 0, set[int]()
    while True:
        count, keeps = chance.choice([1, 3, 5, 8]), chance.random() < 0.8
        if not die_at(home, count, keeps=keeps):
            break
        kills += 1
        levels |= set(runs_of(home))
        copy = tmp_path / f"copy-{kills}"
        shutil.copytree(home, copy)
        assert go_on(copy, ledger) == expected, f"after kill {kills}: {count} writes, kept: {keeps}"
    assert go_on(home, ledger) == expected
    assert kills >= 12
    assert levels == {0, 1, 2}  # parts, chunks and merged runs were on the disk when it died
