"""The benchmark against a real node: what it tells, and that it sees what is lost."""

import gzip
import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from rich.console import Console
from rocksdict import Rdict
from typer.testing import CliRunner, Result

from tallystick_ledger.limits import BLOCK_HEADER_BYTES, MAX_RECORDS
from tallystick_loadtests.bench import app
from tallystick_loadtests.outcome import header_digests
from tallystick_loadtests.profiles import Profile
from tallystick_loadtests.readback import ROCKS_DIRECTORY
from tallystick_loadtests.screen import Screen
from tallystick_loadtests.session import READ_NODE, Session
from tallystick_node.identity import DATABASE_DIRECTORY
from tallystick_node.storage.database import Database
from tallystick_node.storage.log import STATE_KEY
from tallystick_node.storage.rows import StateRow, index_key

pytestmark = pytest.mark.cluster

FIELDS = [
    *("profile", "nodes", "seconds", "transfers_per_s", "envelopes_per_s", "latency_ms"),
    *("acknowledged", "refused", "lost", "signatures_verified", "fsyncs", "cpu_s", "rss_mib"),
    *("disk_bytes_per_transfer", "machine", "git_commit"),
]
METERED_FIELDS = ["caught_up_s", "tokens_per_day"]
QUANTILES = ["p50", "p99", "p99_9", "max"]


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Session]:
    """A stopped node that settled transfers one at a time: one envelope an entry."""
    screen = Screen(Console(quiet=True))
    with Session.open(tmp_path, nodes=1, profile=Profile.LONE, screen=screen) as session:
        session.step(0.5)
        session.stop()
        yield session


def _database(session: Session) -> Database:
    directory = session.layout.node_directory(READ_NODE)
    return Database.open(directory / DATABASE_DIRECTORY / ROCKS_DIRECTORY)


def _value(family: Rdict, key: bytes) -> bytes:
    value: bytes | None = family[key]
    assert value is not None
    return value


def _entry_of(database: Database, digest: bytes) -> bytes:
    """Key of the entry that holds this envelope, and no other."""
    last = StateRow.decode(_value(database.rows, STATE_KEY)).last_index
    for index in range(last, 0, -1):
        digests = header_digests(_value(database.log, index_key(index))[BLOCK_HEADER_BYTES:])
        if digest in digests:
            assert len(digests) == 1
            return index_key(index)
    raise AssertionError("no entry holds the envelope")


def test_what_was_acknowledged_is_found(lone: Session) -> None:
    assert len(lone.acknowledged.ids) > 10  # of the SDK
    assert len(lone.acknowledged.digests) > 10  # without it
    assert lone.lost() == 0


def test_an_entry_that_is_deleted_is_told_as_lost(lone: Session) -> None:
    database = _database(lone)
    del database.log[_entry_of(database, lone.acknowledged.digests[-1])]
    database.close()
    assert lone.lost() == 1


def test_an_entry_that_is_damaged_is_told_as_lost(lone: Session) -> None:
    database = _database(lone)
    key = _entry_of(database, lone.acknowledged.digests[-1])
    payload = bytearray(_value(database.log, key))
    payload[-1] ^= 1  # far from the header by which it is looked for
    database.log[key] = bytes(payload)
    database.close()
    assert lone.lost() == 1


def test_json_is_one_object_with_the_figures_of_the_run(run: Run) -> None:
    ran = run("--nodes", "1", "--profile", "unary", "--seconds", "0.5", "--json")
    assert ran.exit_code == 0, ran.stderr
    figures = json.loads(ran.stdout)
    assert list(figures) == FIELDS
    assert figures["profile"] == "unary"
    assert figures["nodes"] == 1
    assert list(figures["latency_ms"]) == QUANTILES
    latencies = [figures["latency_ms"][name] for name in QUANTILES]
    assert latencies == sorted(latencies)
    assert latencies[0] > 0
    assert figures["acknowledged"] > 0
    assert figures["refused"] == figures["lost"] == 0
    assert figures["signatures_verified"] == {"node1": figures["acknowledged"]}
    assert figures["fsyncs"]["node1"] > 0
    assert set(figures["cpu_s"]) == set(figures["rss_mib"]) == {"client", "node1"}
    # As the fields are rounded.
    rate = figures["acknowledged"] / figures["seconds"]
    assert figures["transfers_per_s"] == pytest.approx(rate, rel=0.01)
    assert figures["envelopes_per_s"] == figures["transfers_per_s"]
    assert min(figures["machine"].values()) > 0
    assert list(Path().iterdir()) == []  # the cluster is gone


def test_an_offered_rate_and_phases_are_told_when_asked_for(run: Run) -> None:
    ran = run(
        *("--nodes", "1", "--profile", "unary", "--seconds", "1", "--rate", "50"),
        *("--phases", "--json"),
    )
    assert ran.exit_code == 0, ran.stderr
    figures = json.loads(ran.stdout)
    assert set(figures) == {*FIELDS, "open_loop", "phases"}
    assert figures["open_loop"] == {"offered_per_s": 50, "reached": True, "late": 0, "unsent": 0}
    assert figures["acknowledged"] == 50
    assert figures["phases"]["node1"]["apply"]["count"] > 0


def test_each_node_verifies_each_voucher(run: Run) -> None:
    ran = run("--nodes", "3", "--profile", "vouchers", "--seconds", "0.5", "--json")
    assert ran.exit_code == 0, ran.stderr
    figures = json.loads(ran.stdout)
    assert set(figures) == {*FIELDS, *METERED_FIELDS, "vouchers_per_s", "vouchers_verified"}
    assert figures["refused"] == figures["lost"] == 0
    sent, nodes = figures["acknowledged"] * MAX_RECORDS, ("node1", "node2", "node3")
    assert sent > 0
    assert figures["vouchers_verified"] == dict.fromkeys(nodes, sent)
    assert figures["transfers_per_s"] == pytest.approx(sent / figures["seconds"], rel=0.01)
    until_all_s = figures["seconds"] + figures["caught_up_s"]
    assert figures["vouchers_per_s"] == pytest.approx(sent / until_all_s, rel=0.01)
    _check_tokens(figures["tokens_per_day"], figures["vouchers_per_s"])


def test_a_hold_is_two_records(run: Run) -> None:
    ran = run("--nodes", "1", "--profile", "holds", "--seconds", "0.5", "--json")
    assert ran.exit_code == 0, ran.stderr
    figures = json.loads(ran.stdout)
    assert set(figures) == {*FIELDS, *METERED_FIELDS}
    assert figures["acknowledged"] > 0
    assert figures["refused"] == figures["lost"] == 0
    records = figures["acknowledged"] * 4_094
    until_all_s = figures["seconds"] + figures["caught_up_s"]
    _check_tokens(figures["tokens_per_day"], records / 2 / until_all_s)


@pytest.mark.slow
def test_a_usage_is_three_records(run: Run) -> None:
    """Slow, because a card needs a minute's notice."""
    ran = run("--nodes", "1", "--profile", "usage", "--seconds", "0.5", "--json")
    assert ran.exit_code == 0, ran.stderr
    figures = json.loads(ran.stdout)
    assert set(figures) == {*FIELDS, *METERED_FIELDS}
    assert figures["acknowledged"] > 0
    assert figures["refused"] == figures["lost"] == 0
    until_all_s = figures["seconds"] + figures["caught_up_s"]
    requests = figures["acknowledged"] * (MAX_RECORDS // 3)
    _check_tokens(figures["tokens_per_day"], requests / until_all_s)


def _check_tokens(tokens: dict[str, float], requests_per_s: float) -> None:
    packed = files("tallystick_cluster.data").joinpath("azure-llm-2023-conv.csv.gz").read_bytes()
    rows = [line.split(",") for line in gzip.decompress(packed).decode().splitlines()][1:]
    mean = sum(int(context) + int(generated) for _, context, generated in rows) / len(rows)
    assert tokens["requests_per_s"] == pytest.approx(requests_per_s, rel=0.01)
    assert tokens["tokens_per_request"] == pytest.approx(mean, abs=0.1)
    per_day = tokens["requests_per_s"] * mean * 24 * 3_600
    assert tokens["tokens_per_day"] == pytest.approx(per_day, rel=0.001)
    assert tokens["ratio"] == pytest.approx(per_day / 140e12, abs=0.0001)


def test_a_table_ends_with_a_summary(run: Run) -> None:
    ran = run("--nodes", "1", "--profile", "packed", "--seconds", "0.5")
    assert ran.exit_code == 0, ran.stderr
    assert "transfers/s" in ran.stdout.splitlines()[-1]
    assert "lost 0" in ran.stdout.splitlines()[-1]


def test_a_rate_that_makes_no_sense_is_refused(run: Run) -> None:
    ran = run("--profile", "callers", "--rate", "10")
    assert ran.exit_code == 1
    assert "--rate is for: bulk, packed, unary, vouchers, holds, usage" in ran.stderr


def test_help_names_all_profiles(run: Run) -> None:
    ran = run("--help")
    assert ran.exit_code == 0
    for profile in Profile:
        assert f"\n   {profile} " in ran.stdout
