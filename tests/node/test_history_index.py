"""The index itself: live, restarted, rebuilt and searched while it moves, against the whole log."""

import random
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from rocksdict import Options, Rdict
from tallystick_core import Kernel, block_header
from tests.node.history_tools import (
    CHUNK_RECORDS,
    client_of,
    finish_merges,
    new_market,
    node_at,
    pay,
    pay_oneself,
    searched,
)
from tests.node.store_tools import new_store

from tallystick_cluster.layout import create_cluster
from tallystick_node import app
from tallystick_node.apply import apply_entry
from tallystick_node.history import History, covered_until
from tallystick_node.identity import DATABASE_DIRECTORY, NodeIdentity
from tallystick_node.limits import HISTORY_FANOUT
from tallystick_node.storage import Store
from tallystick_node.storage.history import Catalogue, Run

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Ledger:
    """A log, and what should be in whose history."""

    genesis: bytes
    blocks: list[bytes]
    histories: dict[bytes, list[int]]

    @property
    def end(self) -> int:
        header = block_header(self.blocks[-1])
        return header.first_sequence + header.record_count


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ledger(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ledger]:
    """Some 300 records in as many blocks, made by a real node."""
    layout = create_cluster(
        tmp_path_factory.mktemp("index") / "cluster", node_count=1, now_ns=time.time_ns()
    )
    async with node_at(layout.node_directory(1)) as node, client_of(layout) as client:
        market = await new_market(client)
        for number in range(40):
            await pay(client, market, 7)
            if number % 8 == 0:
                await pay_oneself(client, market)
        found = [payload for _, payload in node.store.payloads(1, node.store.last_index + 1)]
        named: dict[bytes, list[int]] = {
            market.accounts[name]: sequences for name, sequences in market.histories.items()
        }
        yield Ledger(node.identity.genesis_bytes, [block for block in found if block], named)


def apply_one(store: Store, history: History, kernel: Kernel, index: int, block: bytes) -> None:
    applied = apply_entry(kernel, store, index, block)
    assert applied is not None
    history.applied(applied.first_sequence + applied.record_count)


def replay(store: Store, ledger: Ledger, history: History, kernel: Kernel, low: int) -> None:
    for index, block in enumerate(ledger.blocks[low:], low + 1):
        apply_one(store, history, kernel, index, block)


def check_all(history: History, ledger: Ledger, end: int | None = None) -> None:
    """Everything, in both orders, and random pieces of it."""
    chance = random.Random(7)
    end = ledger.end if end is None else end
    for account, expected in ledger.histories.items():
        known = [sequence for sequence in expected if sequence < end]
        assert searched(history, account, 0, end, newest_first=False) == known
        assert searched(history, account, 0, end, newest_first=True) == known[::-1]
        for _ in range(20):
            low, high = sorted(chance.choices(range(end + 1), k=2))
            limit = chance.randrange(1, 30)
            part = [sequence for sequence in known if low <= sequence < high]
            for newest_first in (False, True):
                wanted = (part[::-1] if newest_first else part)[:limit]
                assert wanted == searched(
                    history, account, low, high, newest_first=newest_first, limit=limit
                )
    assert searched(history, bytes(16), 0, end, newest_first=True) == []


def contents(store: Store) -> list[tuple[bytes, bytes]]:
    """All pages of complete runs."""
    runs = store.read_catalogue()
    assert runs is not None
    return [(run.prefix, page) for run in runs.runs if run.level for page in store.run_pages(run)]


async def test_the_index_has_what_the_log_has(tmp_path: Path, ledger: Ledger) -> None:
    store, kernel = new_store(tmp_path), Kernel(ledger.genesis)
    history = History(kernel, store, chunk_records=CHUNK_RECORDS)
    replay(store, ledger, history, kernel, 0)
    check_all(history, ledger)
    assert history.unwritten_records <= CHUNK_RECORDS * 6
    history.flush()
    assert history.unwritten_records == 0
    check_all(history, ledger)
    history.close()
    finish_merges(history)
    check_all(history, ledger)
    levels = [run.level for run in history._catalogue.runs]
    assert max(levels) >= 2
    assert all(levels.count(level) < HISTORY_FANOUT for level in set(levels) - {0})
    store.close()


@pytest.mark.parametrize("seed", range(4))
async def test_stops_at_any_block_leave_the_same_runs(
    tmp_path: Path, ledger: Ledger, seed: int
) -> None:
    """Rebuilt in one go against checkpoints, restarts and lost tails in between."""
    (tmp_path / "whole").mkdir()
    whole, kernel = new_store(tmp_path / "whole"), Kernel(ledger.genesis)
    history = History(kernel, whole, chunk_records=CHUNK_RECORDS)
    replay(whole, ledger, history, kernel, 0)
    history.close()
    finish_merges(history)

    chance = random.Random(seed)
    (tmp_path / "parts").mkdir()
    store, kernel, applied = new_store(tmp_path / "parts"), Kernel(ledger.genesis), 0
    while True:
        history = History(kernel, store, chunk_records=CHUNK_RECORDS)
        stop = min(applied + chance.randrange(1, 40), len(ledger.blocks))
        for index in range(applied, stop):
            apply_one(store, history, kernel, index + 1, ledger.blocks[index])
        history.flush()
        state = kernel.checkpoint(stop)
        saved, applied = stop, stop
        if applied == len(ledger.blocks):
            break
        # Some more that the checkpoint does not have; what of it is in the index is passed over.
        for index in range(stop, min(stop + chance.randrange(30), len(ledger.blocks))):
            apply_one(store, history, kernel, index + 1, ledger.blocks[index])
        history.close()
        kernel, applied = Kernel.restore(ledger.genesis, state), saved
    history.close()
    finish_merges(history)
    check_all(history, ledger)
    assert contents(store) == contents(whole)
    whole.close()
    store.close()


async def test_searches_miss_nothing_while_chunks_and_runs_move(
    tmp_path: Path, ledger: Ledger
) -> None:
    store, kernel = new_store(tmp_path), Kernel(ledger.genesis)
    history = History(kernel, store, chunk_records=4)
    failures: list[str] = []
    applied = threading.Event()
    looked = 0

    def look(newest_first: bool) -> None:
        nonlocal looked
        while not applied.is_set() and not failures:
            end = kernel.status().next_sequence
            for account, expected in ledger.histories.items():
                found = searched(history, account, 0, end, newest_first=newest_first)
                known = [sequence for sequence in expected if sequence < end]
                if found != (known[::-1] if newest_first else known):
                    failures.append(f"{newest_first} before {end}: {found} for {known}")
            looked += 1

    readers = [threading.Thread(target=look, args=(order,)) for order in (False, True)]
    for reader in readers:
        reader.start()
    replay(store, ledger, history, kernel, 0)
    history.flush()
    applied.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert looked > 2
    history.close()
    store.close()


async def test_other_chunks_build_it_anew(tmp_path: Path, ledger: Ledger) -> None:
    store, kernel = new_store(tmp_path), Kernel(ledger.genesis)
    history = History(kernel, store, chunk_records=CHUNK_RECORDS)
    replay(store, ledger, history, kernel, 0)
    history.flush()
    history.close()
    assert covered_until(store, CHUNK_RECORDS) == ledger.end
    assert covered_until(store, CHUNK_RECORDS + 1) == 1
    kernel = Kernel(ledger.genesis)
    history = History(kernel, store, chunk_records=CHUNK_RECORDS + 1)
    replay(store, ledger, history, kernel, 0)
    check_all(history, ledger)
    history.close()
    store.close()


@pytest.mark.parametrize("damage", ["catalogue", "version", "family", "gap"])
async def test_an_index_that_is_not_there_is_built_from_the_log(
    tmp_path: Path, damage: str
) -> None:
    layout = create_cluster(tmp_path / "cluster", node_count=1, now_ns=time.time_ns())
    home = layout.node_directory(1)
    async with node_at(home), client_of(layout) as client:
        market = await new_market(client)
        await pay(client, market, 60)
    rocks = home / DATABASE_DIRECTORY / "rocks"
    options = Options(raw_mode=True)
    raw = Rdict(
        str(rocks), options, {name: Options(raw_mode=True) for name in Rdict.list_cf(str(rocks))}
    )
    row = raw[b"history"] or b""
    if damage == "version":
        raw[b"history"] = b"\xee" + row[1:]
    elif damage == "gap":  # as of an index that ends before the checkpoint
        catalogue = Catalogue.decode(row)
        assert catalogue is not None
        assert len(catalogue.runs) > 2
        raw[b"history"] = Catalogue(catalogue.chunk_records, catalogue.runs[:-1]).encode()
    else:
        del raw[b"history"]
    if damage == "family":
        raw.drop_column_family("history")
    raw.close()
    async with node_at(home) as node, client_of(layout) as client:
        await pay(client, market, 3)
        end = node.reads.next_sequence
        for name, expected in market.histories.items():
            for newest_first in (False, True):
                assert searched(
                    node.history, market.accounts[name], 0, end, newest_first=newest_first
                ) == (expected[::-1] if newest_first else expected)


async def test_a_whole_index_is_gone_on_with(tmp_path: Path, ledger: Ledger) -> None:
    del ledger
    layout = create_cluster(tmp_path / "cluster", node_count=1, now_ns=time.time_ns())
    home = layout.node_directory(1)
    async with node_at(home), client_of(layout) as client:
        await pay(client, await new_market(client), 20)
    identity = NodeIdentity.load(home, 1)
    store = Store.open(home / DATABASE_DIRECTORY, identity)
    kernel, applied, history = app.recover(
        identity.genesis_bytes, store, chunk_records=CHUNK_RECORDS
    )
    # Nothing was replayed: the state is that of the checkpoint.
    assert applied == store.commit_index
    assert history._catalogue.end(1) == kernel.status().next_sequence
    history.close()
    store.close()


async def test_catalogues_are_read_as_written_or_not_at_all() -> None:
    runs = (Run(2, 1, 40, True), Run(1, 40, 50, True), Run(0, 50, 52, False))
    catalogue = Catalogue(16, runs)
    row = catalogue.encode()
    assert Catalogue.decode(row) == catalogue
    assert (catalogue.end(1), catalogue.chunk_first(1)) == (52, 50)
    assert (Catalogue(16).end(1), Catalogue(16).chunk_first(1)) == (1, 1)
    for bad in (b"", row[:-1], row + b"\0", b"\x02" + row[1:], Catalogue(16, runs[::2]).encode()):
        assert Catalogue.decode(bad) is None
