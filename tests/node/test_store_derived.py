"""Derived rows, checkpoints and pins on a real RocksDB."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from rocksdict import RdictIter
from tests.node.store_tools import append, entry, flip, new_store, reopen

from tallystick_node.storage.checkpoints import Checkpoints

ALICE, BOB = b"A" * 16, b"B" * 16


def envelope_id(time_ms: int, tail: int) -> bytes:
    """As in a header: u128 little-endian."""
    return (time_ms << 80 | tail).to_bytes(16, "little")


def run_of(rows: list[tuple[bytes, bytes, int]]) -> bytes:
    """(id as in the header, principal, first sequence) as the kernel packs them."""
    packed = [one[::-1] + principal + seq.to_bytes(8, "big") for one, principal, seq in rows]
    return b"".join(sorted(packed))


def test_a_block_is_found_by_its_sequence_numbers(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for index, first in ((2, 1), (3, 11), (7, 500)):
        store.write_applied(index, first_sequence=first, timestamp_ns=1, rows=b"", ids=b"")
    assert store.index_of_sequence(0) is None
    assert [store.index_of_sequence(number) for number in (1, 10, 11, 499, 500, 10**9)] == [
        *(2, 2, 3, 3, 7, 7)
    ]
    store.close()


def test_rows_are_kept_only_for_blocks_that_were_not_plain(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    append(store, [entry(1), entry(2), entry(3)])
    store.write_applied(2, first_sequence=1, timestamp_ns=1, rows=b"", ids=b"")
    store.write_applied(3, first_sequence=9, timestamp_ns=1, rows=b"what applying made", ids=b"")
    store = reopen(store, tmp_path)
    assert store.applied_rows(2) is None
    assert store.applied_rows(3) == b"what applying made"
    assert store.commit_index == 3
    store.close()


def test_ids_are_found_by_principal_and_id(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    same = envelope_id(1000, 5)
    ids = run_of([(same, ALICE, 1), (same, BOB, 2), (envelope_id(1001, 0), ALICE, 3)])
    store.write_applied(1, first_sequence=1, timestamp_ns=1, rows=b"", ids=ids)
    assert store.find_id(ALICE, same) == 1
    assert store.find_id(BOB, same) == 2
    assert store.find_id(ALICE, envelope_id(1001, 0)) == 3
    assert store.find_id(BOB, envelope_id(1001, 0)) is None
    assert store.find_id(ALICE, envelope_id(1000, 4)) is None
    assert store.find_id(ALICE, envelope_id(999, 5)) is None
    store.close()


def test_ids_agree_with_a_dictionary(tmp_path: Path) -> None:
    """Overlapping blocks, ids minutes old and fresh, spans crossed within one block."""
    rng = random.Random(7)
    store = new_store(tmp_path)
    known: dict[tuple[bytes, bytes], int] = {}
    sequence = 1
    for index in range(1, 61):
        rows = []
        now_ms = 10_000_000 + index * 700
        for _ in range(rng.randrange(1, 40)):
            age_ms = rng.choice((0, rng.randrange(300), rng.randrange(600_000)))
            row = (envelope_id(now_ms - age_ms, rng.getrandbits(20)), rng.choice((ALICE, BOB)))
            if row not in known:
                known[row] = sequence
                rows.append((*row, sequence))
                sequence += 1
        store.write_applied(
            index, first_sequence=sequence, timestamp_ns=1, rows=b"", ids=run_of(rows)
        )
    for (one, principal), first in known.items():
        assert store.find_id(principal, one) == first
        other = envelope_id(int.from_bytes(one, "little") >> 80, rng.getrandbits(80))
        assert store.find_id(principal, other) == known.get((other, principal))
    store.close()


def test_a_lookup_does_not_read_runs_that_cannot_match(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(tmp_path)
    for index in range(1, 50):
        ids = run_of([(envelope_id(5000 + index * 10, tail), ALICE, 1) for tail in range(9)])
        store.write_applied(index, first_sequence=index, timestamp_ns=1, rows=b"", ids=ids)
    family = store._database.ids
    values_read: list[int] = []
    family_iter = family.iter

    class Counting:
        @staticmethod
        def iter() -> _CountingCursor:
            return _CountingCursor(family_iter(), values_read)

    monkeypatch.setattr(store._database, "ids", Counting)
    assert store.find_id(ALICE, envelope_id(5100, 3)) == 1
    assert values_read == [1]
    monkeypatch.setattr(store._database, "ids", family)
    store.close()


class _CountingCursor:
    """A cursor of rocksdict that counts what is copied out of the database."""

    def __init__(self, cursor: RdictIter, counts: list[int]) -> None:
        self._cursor = cursor
        self._counts = counts

    def seek(self, key: bytes) -> None:
        self._cursor.seek(key)

    def valid(self) -> bool:
        return self._cursor.valid()

    def next(self) -> None:
        self._cursor.next()

    def key(self) -> bytes:
        return bytes(self._cursor.key())

    def value(self) -> bytes:
        self._counts.append(1)
        return bytes(self._cursor.value())


# -- checkpoints -----------------------------------------------------------------------------------


def test_the_newest_checkpoint_is_loaded_and_two_are_kept(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    append(store, [entry(index) for index in range(1, 10)])
    assert store.load_checkpoint() is None
    for index in (3, 5, 8):
        store.write_checkpoint(index, b"state %d " % index * 1000)
    assert store.load_checkpoint() == (8, b"state 8 " * 1000)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2
    store = reopen(store, tmp_path)
    assert store.commit_index == 8
    assert store.load_checkpoint() == (8, b"state 8 " * 1000)
    store.close()


@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "empty"])
def test_a_damaged_checkpoint_gives_way_to_the_older(tmp_path: Path, damage: str) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(3, b"older state" * 100)
    checkpoints.write(5, b"newer state" * 100)
    newest = max(tmp_path.iterdir())
    content = newest.read_bytes()
    newest.write_bytes(
        {
            "flipped": content[:50] + bytes([content[50] ^ 1]) + content[51:],
            "cut": content[:-1],
            "longer": content + b"x",
            "empty": b"",
        }[damage]
    )
    assert checkpoints.damaged() == [newest]
    assert checkpoints.newest() == (3, b"older state" * 100)


def test_a_kill_while_a_checkpoint_is_written_leaves_the_older(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
import tallystick_node.storage.checkpoints as module
checkpoints = module.Checkpoints(Path(sys.argv[1]))
checkpoints.write(3, b"older state" * 100)
real = os.write
def dying(descriptor, piece):
    real(descriptor, bytes(piece)[: len(piece) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
module.os.write = dying
checkpoints.write(5, b"newer state" * 100)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.newest() == (3, b"older state" * 100)
    assert checkpoints.damaged() == []
    checkpoints.write(6, b"next")
    assert checkpoints.newest() == (6, b"next")


def test_a_checkpoint_makes_the_rows_before_it_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replay starts behind it, so nothing would write them again."""
    store = new_store(tmp_path)
    append(store, [entry(1), entry(2)])
    store.write_applied(2, first_sequence=1, timestamp_ns=1, rows=b"rows", ids=b"")
    written = store._database.rows.latest_sequence_number()
    synced_at: list[int] = []
    sync = store._database.sync

    def watched_sync() -> None:
        synced_at.append(store._database.rows.latest_sequence_number())
        sync()

    monkeypatch.setattr(store._database, "sync", watched_sync)
    store.write_checkpoint(2, b"state")
    assert synced_at
    assert synced_at[0] > written
    store.close()


# -- pins ------------------------------------------------------------------------------------------


def test_the_first_incarnation_stays_pinned(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    assert store.pin_incarnation(2, b"x" * 16) == b"x" * 16
    assert store.pin_incarnation(2, b"y" * 16) == b"x" * 16
    assert store.pin_incarnation(3, b"y" * 16) == b"y" * 16
    store = reopen(store, tmp_path)
    assert store.pin_incarnation(2, b"z" * 16) == b"x" * 16
    store.close()


def test_a_flipped_bit_in_a_checkpoint_file_is_noticed_by_the_store(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    append(store, [entry(1)])
    store.write_checkpoint(1, b"only state" * 50)
    flip(next((tmp_path / "checkpoints").iterdir()), b"only state")
    assert store.load_checkpoint() is None
    store = reopen(store, tmp_path)
    assert store.recovered.last_index == 1
    store.close()
