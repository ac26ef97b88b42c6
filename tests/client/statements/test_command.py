"""`tallystick statement` and `export` against a node: the examples of docs/statements.md."""

import json
import re
import shlex
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tallystick_cluster.layout import ClusterLayout, create_cluster
from tallystick_cluster.manage import start_node, stop_nodes, wait_ready

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

PAGE = "docs/statements.md"
OUTPUT = re.compile(r"```console\n(.*?)```", re.DOTALL)


def run(layout: ClusterLayout, line: str, exit_code: int = 0) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("tallystick")), *shlex.split(line)],
        cwd=layout.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == exit_code, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterLayout]:
    """A node, and a ledger on which Alice issued, paid Bob, and was billed by him."""
    directory = tmp_path_factory.mktemp("statements") / "cluster"
    made = create_cluster(directory, node_count=1, now_ns=time.time_ns())
    try:
        start_node(made, made.nodes[0].raft_id)
        wait_ready(made, 60)
        for line in (
            "principal new alice",
            "principal new bob",
            "unit new USD --exponent 9 --issuer alice",
            "account open --unit USD --name till -k alice",
            "account open --unit USD --name shop -k bob",
            "issue till 100 USD -k alice",
            "transfer till shop 12.50 USD -k alice --reference 7",
        ):
            run(made, line)
        reserved = json.loads(run(made, "reserve till shop 5 USD -k alice --json"))
        run(made, f"capture {reserved['hold']} 1.234567891 USD --final -k bob")
        yield made
    finally:
        stop_nodes(made)


def statement(layout: ClusterLayout, line: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(run(layout, f"statement {line} --json"))


def test_statements_of_both_sides(layout: ClusterLayout) -> None:
    said = statement(layout, "--principal alice -k alice")
    assert said["is_right"]
    (till,) = said["statements"]
    assert till["by_authority"]["payee-claimed"]["debits_posted"] == "1234567891"
    assert till["by_authority"]["payer-signed"]["debits_posted"] == "12500000000"
    assert till["by_end_state"]["captured"]["count"] == 1
    assert till["closing"]["debits_pending"] == "0"
    shop = statement(layout, "--account shop -k bob")["statements"][0]
    assert shop["by_cause"]["CAPTURE"]["credits_posted"] == "1234567891"
    assert shop["closing"]["credits_posted"] == "13734567891"
    assert statement(layout, "--account shop -k bob --rebuild")["statements"][0] == shop


def test_a_period_that_is_over_is_final(layout: ClusterLayout) -> None:
    (past,) = statement(layout, "-a till -k alice --to 2026-01-01")["statements"]
    assert (past["is_final"], past["movements"]["count"]) == (True, 0)
    (now,) = statement(layout, "-a till -k alice --from 2026-01-01")["statements"]
    assert (now["is_final"], now["movements"]["count"]) == (False, 5)


def test_the_examples_of_the_page(layout: ClusterLayout, repository_root: Path) -> None:
    text = (repository_root / PAGE).read_text(encoding="utf-8")
    seen = 0
    for block in OUTPUT.findall(text):
        command, _, wanted = block.partition("\n")
        assert command.startswith("$ tallystick "), command
        found = run(layout, command.removeprefix("$ tallystick "))
        assert _plain(found) == _plain(wanted), command
        seen += 1
    assert seen >= 3
    rows = duckdb.execute(
        f"SELECT sum(posted_steps) FROM read_parquet('{layout.directory}/lake/*/*/*.parquet', "
        "hive_partitioning=true) WHERE unit = 'USD'"
    ).fetchall()
    assert int(rows[0][0]) == 100_000_000_000 - 12_500_000_000 - 1_234_567_891


def _plain(text: str) -> list[str]:
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]
    # Counterparties stand in the order of their ids, which are new each time.
    return sorted(re.sub(r"\b[0-9a-f]{32}\b", "ID", line) for line in lines)


def test_what_does_not_add_up_exits_1(layout: ClusterLayout) -> None:
    run(layout, "statement -a till -k alice")
    path = layout.directory / "tallystick-statements.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM posting WHERE cause = 'TRANSFER'")
    assert not json.loads(run(layout, "statement -a till -k alice --json", 1).split("\n")[0])[
        "is_right"
    ]
    run(layout, "statement -a till -k alice --rebuild")
    with sqlite3.connect(path) as db:
        db.execute("UPDATE account SET columns = ?", (bytes(64),))
    run(layout, "export -a till -k alice --format csv --out wrong", 1)
    assert not (layout.directory / "wrong").exists()
    run(layout, "statement -a till -k alice --rebuild")


def test_only_readers_get_a_statement(layout: ClusterLayout) -> None:
    run(layout, "statement -a till -k bob", 2)  # although the projection has it
    run(layout, "statement -a till -k bob --rebuild", 2)
    run(layout, "statement -k bob", 2)


def test_a_channel_that_closes_by_itself_is_in_the_statement(layout: ClusterLayout) -> None:
    """The record before which it closes is a stranger's."""
    line = "channel open till shop 3 USD -k alice --seconds 1 --json"
    channel = json.loads(run(layout, line))["channel"]
    run(layout, f"channel close {channel} -k alice")
    for number in range(40):
        run(layout, f"principal new stranger{number}")
        (till,) = statement(layout, "-a till -k alice")["statements"]
        if "closed" in till["by_end_state"]:
            break
    assert till["by_end_state"]["closed"]["debits_pending"] == "-3000000000"
    assert till["by_authority"]["rule"]["count"] == 1
