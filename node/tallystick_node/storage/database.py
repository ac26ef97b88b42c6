"""RocksDB, opened the one way a node opens it.

Families (all share one write-ahead log, so a batch over several is atomic):

| family | key | value |
|---|---|---|
| default | `owner`, `state`, `applied`, `peer` ‖ Raft id | see rows.py |
|  | `history` | catalogue of the history index, see history.py |
| log | log index | payload |
| meta | log index | term, length, SHA-256 of the payload |
| applied | log index | what applying made, for blocks that were not plain |
| sequence | first sequence number of a block | log index, timestamp of its first record |
| ids | largest id ‖ smallest id ‖ log index | run of consumed ids |
| history | see history.py | page of postings |
| names | see names.py | name |

Options, as measured: 64 MiB write buffers and direct I/O for flushes (page-cache growth was a third
of all CPU), no compression and no compaction of payloads (they are written once and read by index),
a write-ahead log that refuses silent loss: an incomplete last record is a torn write, damage before
it fails the open. rocksdict's `get`, `put` and `write` hold the GIL; `flush_wal` does not.
"""

from pathlib import Path
from typing import Final, Self

from rocksdict import (
    BlockBasedOptions,
    ColumnFamily,
    DBCompressionType,
    DBRecoveryMode,
    Options,
    Rdict,
    WriteBatch,
)

from tallystick_node.errors import (
    AlreadyInitialisedError,
    DamagedLogError,
    NotInitialisedError,
    StartRefusedError,
)
from tallystick_node.limits import (
    LOG_WRITE_BUFFER_BYTES,
    MAX_WAL_BYTES,
    TABLE_WRITE_BUFFER_BYTES,
)

FAMILIES: Final = ("log", "meta", "applied", "sequence", "ids", "history", "names")
# Made where they are missing: their indexes are built from the log at the next start.
_ADDED: Final = frozenset({"history", "names"})
# Without compaction, level 0 only grows: no number of files may slow a write down.
_NO_TRIGGER: Final = 1 << 30


class Database:
    """RocksDB with its families. Usable from any thread.

    Attributes:
        rows: the default family.
        log, meta, applied, sequence, ids, history, names: the others.
        handles: the same for use in a batch, by name.
    """

    def __init__(self, rocks: Rdict) -> None:
        self.rows = rocks
        self.log = rocks.get_column_family("log")
        self.meta = rocks.get_column_family("meta")
        self.applied = rocks.get_column_family("applied")
        self.sequence = rocks.get_column_family("sequence")
        self.ids = rocks.get_column_family("ids")
        self.history = rocks.get_column_family("history")
        self.names = rocks.get_column_family("names")
        self.handles: dict[str, ColumnFamily] = {
            name: rocks.get_column_family_handle(name) for name in FAMILIES
        }

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty database.

        Raises:
            AlreadyInitialisedError: `path` exists.
        """
        if path.exists():
            raise AlreadyInitialisedError(f"{path} exists: a store is never made over another")
        return cls(_open(path, create=True))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open what `create` made.

        Raises:
            NotInitialisedError: no database here.
            DamagedLogError: RocksDB finds its files damaged.
            StartRefusedError: RocksDB cannot open it, for example because another process has.
        """
        # RocksDB would leave a directory behind where it finds none.
        if not (path / "CURRENT").is_file():
            raise NotInitialisedError(
                f"there is no store in {path}: a node whose directory was emptied has forgotten "
                "its vote and its log, and must join under a new id"
            )
        try:
            return cls(_open(path, create=False))
        except Exception as error:  # rocksdict raises nothing more precise
            if "orrupt" in str(error):
                raise DamagedLogError(f"the store in {path} is damaged: {error}") from error
            raise StartRefusedError(f"cannot open the store in {path}: {error}") from error

    def write(self, batch: WriteBatch) -> None:
        """Write a batch, not yet durable."""
        self.rows.write(batch)

    def sync(self) -> None:
        """One fsync of the write-ahead log: all that was written before is durable."""
        self.rows.flush_wal(True)

    def close(self) -> None:
        """Release the database; another process may open it then."""
        # Each of these keeps RocksDB's lock.
        self.handles.clear()
        families = (self.log, self.meta, self.applied, self.sequence, self.ids)
        for family in (*families, self.history, self.names):
            family.close()
        self.rows.close()


def new_batch() -> WriteBatch:
    """An empty batch for `Database.write`."""
    return WriteBatch(raw_mode=True)


def _open(path: Path, *, create: bool) -> Rdict:
    families = {name: _table_options() for name in FAMILIES}
    families["log"] = _log_options()
    options = _table_options()
    options.create_if_missing(create)
    options.create_missing_column_families(create or _lacks_only_added(path))
    options.set_wal_recovery_mode(DBRecoveryMode.tolerate_corrupted_tail_records())
    options.set_paranoid_checks(True)
    options.set_use_direct_io_for_flush_and_compaction(True)
    options.set_max_total_wal_size(MAX_WAL_BYTES)
    options.set_max_background_jobs(2)
    options.set_keep_log_file_num(4)
    return Rdict(str(path), options, column_families=families)


def _lacks_only_added(path: Path) -> bool:
    """Whether the families that are missing are those that older stores have not."""
    return set(FAMILIES) - set(Rdict.list_cf(str(path))) <= _ADDED


def _table_options() -> Options:
    options = Options(raw_mode=True)
    options.set_write_buffer_size(TABLE_WRITE_BUFFER_BYTES)
    # Digests and ids do not compress.
    options.set_compression_type(DBCompressionType.none())
    return options


def _log_options() -> Options:
    options = Options(raw_mode=True)
    options.set_write_buffer_size(LOG_WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(3)
    options.set_compression_type(DBCompressionType.none())
    options.set_disable_auto_compactions(True)
    options.set_level_zero_file_num_compaction_trigger(_NO_TRIGGER)
    options.set_level_zero_slowdown_writes_trigger(_NO_TRIGGER)
    options.set_level_zero_stop_writes_trigger(_NO_TRIGGER)
    # A payload is read once, by replay or for a lagging peer.
    table = BlockBasedOptions()
    table.disable_cache()
    options.set_block_based_table_factory(table)
    return options
