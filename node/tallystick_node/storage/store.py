"""The durable half of a node: one directory, opened only if it is whole and this node's own.

| in the directory | what |
|---|---|
| rocks/ | log, hard state, derived rows, pins (database.py) |
| checkpoints/ | kernel state (checkpoints.py) |
| SYNCED | lower bound of what is durable (mark.py) |

What `open` proves before it returns, in this order: the store exists, belongs to this ledger, node
and incarnation; RocksDB recovered all that was synced (state row against sync mark); the log is
contiguous to its end and reaches the commit index; every entry behind the commit index matches its
digest. Entries up to the commit index are checked when they are replayed, before the node votes.
Whatever fails is a refusal to start, never a truncation.
"""

from pathlib import Path
from typing import Final, Protocol, Self

import structlog

from tallystick_node.errors import (
    AlreadyInitialisedError,
    DamagedLogError,
    NotInitialisedError,
    WrongStoreError,
)
from tallystick_node.failure import fatal
from tallystick_node.storage.checkpoints import Checkpoints
from tallystick_node.storage.database import Database, new_batch
from tallystick_node.storage.derived import APPLIED_KEY, DerivedRows
from tallystick_node.storage.history import HistoryRows
from tallystick_node.storage.log import STATE_KEY, LogRows, check_log
from tallystick_node.storage.mark import SyncMark
from tallystick_node.storage.rows import (
    HardState,
    OwnerRow,
    Recovered,
    StateRow,
    index_key,
    index_of_key,
)

OWNER_KEY: Final = b"owner"
PEER_PREFIX: Final = b"peer"
_DATABASE: Final = "rocks"
_CHECKPOINTS: Final = "checkpoints"

_log = structlog.get_logger(__name__)


class Owner(Protocol):
    """Who a store belongs to; a `NodeIdentity` is one."""

    @property
    def ledger_id(self) -> bytes:
        """32 bytes."""

    @property
    def raft_id(self) -> int:
        """1 to 65,535."""

    @property
    def incarnation(self) -> bytes:
        """16 bytes."""


class Store(LogRows, DerivedRows, HistoryRows):
    """One node's store.

    Threads: log writes and syncs belong to the persist thread, `write_applied` and
    `write_checkpoint` to the apply thread, the history index to its own, reads to any. A
    failed write or sync ends the process.
    """

    def __init__(
        self,
        database: Database,
        mark: SyncMark,
        checkpoints: Checkpoints,
        state: StateRow,
        runs: tuple[tuple[int, int], ...],
    ) -> None:
        LogRows.__init__(self, database, mark, state)
        DerivedRows.__init__(self, database)
        HistoryRows.__init__(self, database)
        self._checkpoints = checkpoints
        self._recovered = Recovered(state.hard_state, runs, state.last_index)

    @classmethod
    def create(cls, directory: Path, owner: Owner) -> None:
        """Make an empty store; only `node init` does that.

        Raises:
            AlreadyInitialisedError: the directory holds anything at all.
            OSError: it cannot be written.
        """
        if directory.exists() and any(directory.iterdir()):
            raise AlreadyInitialisedError(
                f"{directory} is not empty: it may hold a node's only copy"
            )
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        SyncMark.create(directory)
        database = Database.create(directory / _DATABASE)
        try:
            batch = new_batch()
            row = OwnerRow(owner.ledger_id, owner.raft_id, owner.incarnation)
            batch.put(OWNER_KEY, row.encode())
            batch.put(STATE_KEY, StateRow(HardState(0, 0, 0), 0, 0).encode())
            database.write(batch)
            database.sync()
        finally:
            database.close()

    @classmethod
    def open(cls, directory: Path, owner: Owner) -> Self:
        """Open what `create` made, after the checks named above.

        Raises:
            NotInitialisedError: no store here (an empty or wiped directory).
            WrongStoreError: the store belongs to another ledger, node or incarnation.
            DamagedLogError: acknowledged data is missing or damaged; names the index.
            StartRefusedError: RocksDB cannot open it, for example because another process has.
        """
        mark = SyncMark.open(directory)
        database = Database.open(directory / _DATABASE)
        try:
            _check_owner(database, owner)
            state = _read_state(database, mark)
            runs = check_log(database, state)
            store = cls(database, mark, Checkpoints(directory / _CHECKPOINTS), state, runs)
            for _ in store.payloads(state.hard_state.commit + 1, state.last_index + 1):
                pass  # reading checks
        except BaseException:
            database.close()
            mark.close()
            raise
        return store

    def close(self) -> None:
        """Make everything durable and release the directory. Fatal if it fails."""
        self.sync()
        try:
            self._mark.sync()
        except OSError as error:
            fatal("store: close", error)
        self._mark.close()
        self._database.close()

    @property
    def recovered(self) -> Recovered:
        """What `open` found."""
        return self._recovered

    @property
    def commit_index(self) -> int:
        """The index that was known to be committed when the store was opened."""
        return self._recovered.hard_state.commit

    # -- checkpoints -----------------------------------------------------------------------------

    def write_checkpoint(self, applied_index: int, state: bytes) -> None:
        """Write a checkpoint of the kernel; a crash on the way leaves the older ones.

        A failure is fatal.
        Everything written before is synced first: replay starts behind the checkpoint and does not
        write the derived rows before it again.

        Args:
            applied_index: log index up to which the state is applied.
            state: what `Kernel.checkpoint` gave.
        """
        try:
            batch = new_batch()
            self.put_applied_index(batch, applied_index)
            self._database.write(batch)
            self._database.sync()
            self._mark.sync()
            self._checkpoints.write(applied_index, state)
        except BaseException as error:  # noqa: BLE001 - nothing that fails here may be survived
            fatal("apply: checkpoint", error)

    def load_checkpoint(self) -> tuple[int, bytes] | None:
        """(applied index, state) of the newest whole checkpoint, None if there is none."""
        for path in self._checkpoints.damaged():
            _log.warning("damaged checkpoint passed over", path=str(path))
        return self._checkpoints.newest()

    # -- peers -----------------------------------------------------------------------------------

    def pin_incarnation(self, raft_id: int, incarnation: bytes) -> bytes:
        """Pin a peer's incarnation at the first contact, durably. Blocks for a sync then.

        Returns:
            What is pinned: `incarnation`, or another that was pinned before.
        """
        key = PEER_PREFIX + index_key(raft_id)
        pinned: bytes | None = self._database.rows.get(key)
        if pinned is not None:
            return pinned
        try:
            batch = new_batch()
            batch.put(key, incarnation)
            self._database.write(batch)
            self._database.sync()
        except BaseException as error:  # noqa: BLE001 - nothing that fails here may be survived
            fatal("peers: pin", error)
        return incarnation


def _check_owner(database: Database, owner: Owner) -> None:
    row: bytes | None = database.rows.get(OWNER_KEY)
    if row is None:
        raise NotInitialisedError("the store was never finished: its owner is missing")
    try:
        found = OwnerRow.decode(row)
    except ValueError as error:
        raise DamagedLogError(f"the store's owner row is damaged: {error}") from error
    for name, own, other in (
        ("ledger", owner.ledger_id.hex(), found.ledger_id.hex()),
        ("node", owner.raft_id, found.raft_id),
        ("incarnation", owner.incarnation.hex(), found.incarnation.hex()),
    ):
        if own != other:
            raise WrongStoreError(f"the store belongs to {name} {other}, not to {own}")


def _read_state(database: Database, mark: SyncMark) -> StateRow:
    """The hard state with `commit` raised to what is known to be applied."""
    row: bytes | None = database.rows.get(STATE_KEY)
    if row is None:
        raise DamagedLogError("the hard state is missing: this node may have voted, and not again")
    try:
        state = StateRow.decode(row)
    except ValueError as error:
        raise DamagedLogError(f"the hard state is damaged: {error}") from error
    if state.group < mark.group:
        raise DamagedLogError(
            f"synced writes are missing: the store ends with group {state.group}, but group "
            f"{mark.group} was durable; this node may have acknowledged what it does not hold",
            state.last_index + 1,
        )
    applied: bytes | None = database.rows.get(APPLIED_KEY)
    commit = max(state.hard_state.commit, index_of_key(applied) if applied else 0)
    hard_state = HardState(state.hard_state.term, state.hard_state.vote, commit)
    return StateRow(hard_state, state.last_index, state.group)
