"""The log on a real RocksDB: what is written stays, what is replaced goes, loss is never silent."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.node.store_tools import (
    OWNER,
    Owner,
    append,
    cut,
    entry,
    flip,
    new_store,
    reopen,
    wal_files,
)

from tallystick_node.errors import (
    AlreadyInitialisedError,
    DamagedLogError,
    NotInitialisedError,
    StartRefusedError,
    WrongStoreError,
)
from tallystick_node.failure import ExitCode
from tallystick_node.storage import HardState, Store


def test_what_was_synced_is_there_after_a_restart(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    append(store, [entry(1), entry(2, size=0), entry(3, size=300_000)], commit=2)
    append(store, [entry(4, term=5)], commit=2, term=5)
    store = reopen(store, tmp_path)
    assert store.recovered.hard_state == HardState(5, 1, 2)
    assert store.recovered.last_index == 4
    assert store.recovered.runs == ((1, 1), (4, 5))
    expected = [entry(1), entry(2, size=0), entry(3, size=300_000), entry(4, term=5)]
    assert store.entries(1, 5) == expected
    assert list(store.payloads(1, 5)) == [(one.index, one.payload) for one in expected]
    assert store.payload(0) is None
    assert store.payload(5) is None
    store.close()


def test_one_sync_covers_a_group(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.write([([entry(1)], HardState(1, 1, 0)), ([entry(2), entry(3)], None)])
    store.write([([], HardState(2, 3, 1))])
    store.sync()
    assert store.sync_count == 1
    store = reopen(store, tmp_path)
    assert store.recovered.hard_state == HardState(2, 3, 1)
    assert store.entries(1, 4) == [entry(1), entry(2), entry(3)]
    store.close()


def test_a_conflicting_suffix_goes_with_the_write_that_replaces_it(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    append(store, [entry(index) for index in range(1, 8)], commit=3)
    append(store, [entry(5, term=2)], commit=3, term=2)
    assert store.last_index == 5
    assert store.payload(6) is None
    store = reopen(store, tmp_path)
    assert store.recovered.last_index == 5
    assert store.recovered.runs == ((1, 1), (5, 2))
    assert store.entries(4, 9)[1] == entry(5, term=2)
    store.close()


def test_within_one_group_the_later_write_wins(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.write(
        [
            ([entry(1), entry(2), entry(3)], HardState(1, 1, 0)),
            ([entry(2, term=2)], HardState(2, 0, 0)),
        ]
    )
    store.sync()
    store = reopen(store, tmp_path)
    assert store.entries(1, 9) == [entry(1), entry(2, term=2)]
    store.close()


def test_reads_are_bounded_but_never_empty(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    append(store, [entry(index, size=1000) for index in range(1, 11)])
    assert len(store.entries(1, 11, max_bytes=3500)) == 3
    assert len(store.entries(1, 11, max_bytes=1)) == 1
    assert [index for index, _ in store.payloads(3, 8)] == [3, 4, 5, 6, 7]
    store.close()


def test_an_applied_entry_counts_as_committed(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    append(store, [entry(1), entry(2), entry(3)], commit=1)
    store.write_applied(2, first_sequence=1, timestamp_ns=1, rows=b"", ids=b"")
    store = reopen(store, tmp_path)
    assert store.commit_index == 2
    store.close()


def test_nothing_is_opened_that_was_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError):
        Store.open(tmp_path / "nowhere", OWNER)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotInitialisedError):
        Store.open(tmp_path / "empty", OWNER)
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_wiped_database_is_not_made_anew(tmp_path: Path) -> None:
    new_store(tmp_path).close()
    for path in (tmp_path / "rocks").iterdir():
        path.unlink()
    with pytest.raises(NotInitialisedError, match="emptied"):
        Store.open(tmp_path, OWNER)


def test_a_store_is_not_made_over_another(tmp_path: Path) -> None:
    new_store(tmp_path).close()
    with pytest.raises(AlreadyInitialisedError):
        Store.create(tmp_path, OWNER)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (Owner(ledger_id=b"M" * 32), "ledger"),
        (Owner(raft_id=2), "node"),
        (Owner(incarnation=b"j" * 16), "incarnation"),
    ],
)
def test_a_store_of_another_is_refused(tmp_path: Path, other: Owner, what: str) -> None:
    new_store(tmp_path).close()
    with pytest.raises(WrongStoreError, match=what):
        Store.open(tmp_path, other)


def test_two_processes_cannot_share_a_store(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with pytest.raises(StartRefusedError):
        Store.open(tmp_path, OWNER)
    store.close()
    Store.open(tmp_path, OWNER).close()


# -- damage ----------------------------------------------------------------------------------------


def test_a_torn_tail_that_was_never_synced_is_dropped(tmp_path: Path) -> None:
    """The process died while writing entry 3: nobody was told of it."""
    code = """
        append(store, [entry(1), entry(2)], commit=1)
        store.write([([entry(3, size=5000)], HardState(1, 1, 2))])
    """
    _run_and_kill(tmp_path, code)
    cut(wal_files(tmp_path)[-1], 1000)
    store = Store.open(tmp_path, OWNER)
    assert store.recovered.last_index == 2
    assert store.recovered.hard_state.commit == 1
    append(store, [entry(3, term=2)], term=2)
    store = reopen(store, tmp_path)
    assert store.entries(1, 9) == [entry(1), entry(2), entry(3, term=2)]
    store.close()


def test_a_tail_that_was_synced_may_not_be_missing(tmp_path: Path) -> None:
    """The same cut, but entry 3 was synced and may have been acknowledged."""
    code = """
        append(store, [entry(1), entry(2)], commit=1)
        append(store, [entry(3, size=5000)], commit=2)
    """
    _run_and_kill(tmp_path, code)
    cut(wal_files(tmp_path)[-1], 1000)
    with pytest.raises(DamagedLogError, match="synced writes are missing") as caught:
        Store.open(tmp_path, OWNER)
    assert caught.value.index == 3


def test_a_lost_write_ahead_log_is_noticed(tmp_path: Path) -> None:
    _run_and_kill(tmp_path, "append(store, [entry(1), entry(2)], commit=1)")
    for path in wal_files(tmp_path):
        path.unlink()
    with pytest.raises(StartRefusedError):
        Store.open(tmp_path, OWNER)


def test_damage_inside_the_write_ahead_log_is_refused(tmp_path: Path) -> None:
    code = """
        for index in range(1, 9):
            append(store, [entry(index, size=40_000)], commit=index - 1)
    """
    _run_and_kill(tmp_path, code)
    flip(wal_files(tmp_path)[-1], entry(2, size=60).payload)
    with pytest.raises(DamagedLogError):
        Store.open(tmp_path, OWNER)


def test_unsynced_writes_may_survive_a_kill(tmp_path: Path) -> None:
    """SIGKILL between write and sync: whatever is found is whole, and what was synced is found."""
    code = """
        append(store, [entry(1), entry(2)], commit=1)
        store.write([([entry(3)], HardState(2, 2, 2))])
    """
    _run_and_kill(tmp_path, code)
    store = Store.open(tmp_path, OWNER)
    assert store.recovered.last_index in (2, 3)
    last = store.recovered.last_index
    assert store.entries(1, 9) == [entry(index) for index in range(1, last + 1)]
    assert store.recovered.hard_state.term == (2 if last == 3 else 1)
    store.close()


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_damaged_payload_is_named(tmp_path: Path, damage: str) -> None:
    store = new_store(tmp_path)
    append(store, [entry(index) for index in range(1, 6)], commit=5)
    _break_payload(store, 3, None if damage == "missing" else b"something else")
    with pytest.raises(DamagedLogError) as caught:
        list(store.payloads(1, 6))
    assert caught.value.index == 3
    with pytest.raises(DamagedLogError):
        store.payload(3)
    store.close()


def test_damage_behind_the_commit_index_refuses_the_start(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    append(store, [entry(index) for index in range(1, 6)], commit=2)
    _break_payload(store, 4, b"something else")
    store.close()
    with pytest.raises(DamagedLogError) as caught:
        Store.open(tmp_path, OWNER)
    assert caught.value.index == 4


def test_a_hole_in_the_log_refuses_the_start(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    append(store, [entry(index) for index in range(1, 6)], commit=2)
    store._database.meta.delete((2).to_bytes(8, "big"))
    store.close()
    with pytest.raises(DamagedLogError) as caught:
        Store.open(tmp_path, OWNER)
    assert caught.value.index == 2


@pytest.mark.parametrize("row", [b"state", b"owner"])
def test_a_damaged_state_or_owner_row_refuses_the_start(tmp_path: Path, row: bytes) -> None:
    store = new_store(tmp_path)
    append(store, [entry(1)])
    value = bytearray(store._database.rows.get(row) or b"")
    value[6] ^= 1
    store._database.rows.put(row, bytes(value))
    store.close()
    with pytest.raises(DamagedLogError):
        Store.open(tmp_path, OWNER)


def test_a_damaged_mark_refuses_the_start(tmp_path: Path) -> None:
    new_store(tmp_path).close()
    flip(tmp_path / "SYNCED", b"TSM1")
    with pytest.raises(DamagedLogError):
        Store.open(tmp_path, OWNER)


# -- failures that end the process -----------------------------------------------------------------


def test_a_failed_sync_ends_the_process(tmp_path: Path) -> None:
    code = """
        append(store, [entry(1)])
        def no_sync():
            raise OSError(5, "Input/output error")
        store._database.sync = no_sync
        append(store, [entry(2)])
        print("acknowledged", flush=True)
    """
    done = _run(tmp_path, code)
    assert done.returncode == ExitCode.FATAL
    assert "acknowledged" not in done.stdout
    assert "persist: sync: OSError" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("wrong", ["entry(3)", "entry(1)"])
def test_a_write_that_breaks_the_log_ends_the_process(tmp_path: Path, wrong: str) -> None:
    """A gap, and a committed entry that would be rewritten."""
    code = f"""
        append(store, [entry(1)], commit=1)
        append(store, [{wrong}], commit=1)
    """
    done = _run(tmp_path, code)
    assert done.returncode == ExitCode.FATAL
    assert "does not follow the log" in done.stderr


# -- tools -----------------------------------------------------------------------------------------

_PRELUDE = """
import sys, os, signal
from pathlib import Path
from tests.node.store_tools import *
store = new_store(Path(sys.argv[1]))
"""


def _run(directory: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code on a new store in a process of its own."""
    lines = "\n".join(line.removeprefix("        ") for line in code.splitlines())
    return subprocess.run(
        [sys.executable, "-c", _PRELUDE + lines, str(directory)],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
    )


def _run_and_kill(directory: Path, code: str) -> None:
    """The same, ended by SIGKILL: nothing is closed or flushed."""
    done = _run(directory, code + "\n        os.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -9, done.stderr


def _break_payload(store: Store, index: int, payload: bytes | None) -> None:
    key = index.to_bytes(8, "big")
    if payload is None:
        store._database.log.delete(key)
    else:
        store._database.log.put(key, payload)
