"""A projection: postings of some accounts in one SQLite file, with running balances.

Theory of operation. An entry of an account's history is booked once: its postings, what they were
for, what it told about holds, the account's new columns, those of its UTC day, and from where to go
on are written in one transaction. So the file is right after a crash, and booking a page again
changes nothing: entries before the resume point are skipped. All of it is a function of the
history; `forget` and following again make the same rows.

A statement reads the balance of the last day before its period and the postings since that day:
never the log, and nothing older than a day before the period.

Amounts are u128 and do not fit SQLite's integers: they are 16 big-endian bytes, summed in Python;
so are quantities, which are signed. A file of an older version is emptied and made again.
Times and sequence numbers are integers; those above 2^63 (the year 2262) are refused.
"""

import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tallystick.errors import ConfigurationError, TallystickError
from tallystick.history import HistoryRecord
from tallystick.statements.posting import Authority, Origin, Owned, Posting, Side, postings_of
from tallystick.statements.statement import Columns, Statement, break_down, sum_up
from tallystick.statements.usage import Counted, Usage, is_using, usage_of
from tallystick_ledger.ids import (
    AccountId,
    LedgerId,
    PrincipalId,
    SequenceNumber,
    TimestampNs,
    UnitId,
)
from tallystick_ledger.limits import MAX_AMOUNT

DAY_NS: Final = 86_400 * 1_000_000_000
_SCHEMA_VERSION: Final = 2
_MAX_INTEGER: Final = 2**63 - 1
_BUSY_S: Final = 30  # another process that books a page is done by then
_AMOUNT_BYTES: Final = 16
_HOLD: Final = slice(8, 24)  # where a CAPTURE names it
_COUNTED: Final = struct.Struct(">16sQ")  # meter, quantity

_SCHEMA: Final = """
CREATE TABLE meta (version INTEGER NOT NULL, ledger BLOB NOT NULL);
CREATE TABLE account (
    account BLOB PRIMARY KEY, owner BLOB NOT NULL, unit BLOB NOT NULL,
    resume_ns INTEGER NOT NULL, next_sequence INTEGER NOT NULL, columns BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE day (
    account BLOB NOT NULL, day INTEGER NOT NULL, columns BLOB NOT NULL,
    PRIMARY KEY (account, day)
) WITHOUT ROWID;
CREATE TABLE origin (
    account BLOB NOT NULL, origin BLOB NOT NULL, side TEXT NOT NULL, counterparty BLOB NOT NULL,
    model BLOB NOT NULL, has_expired INTEGER NOT NULL,
    PRIMARY KEY (account, origin)
) WITHOUT ROWID;
CREATE TABLE posting (
    account BLOB NOT NULL, timestamp_ns INTEGER NOT NULL, part INTEGER NOT NULL,
    sequence INTEGER NOT NULL, occurred_at_ns BLOB NOT NULL, cause TEXT NOT NULL,
    side TEXT NOT NULL, pending INTEGER NOT NULL, posted INTEGER NOT NULL, amount BLOB NOT NULL,
    authority TEXT NOT NULL, counterparty BLOB NOT NULL, origin BLOB NOT NULL,
    end_state TEXT NOT NULL, source TEXT NOT NULL, card BLOB NOT NULL, grant_id BLOB NOT NULL,
    model BLOB NOT NULL, envelope_id BLOB NOT NULL, signer BLOB NOT NULL, reference BLOB NOT NULL,
    PRIMARY KEY (account, timestamp_ns, part)
) WITHOUT ROWID;
CREATE TABLE usage (
    account BLOB NOT NULL, timestamp_ns INTEGER NOT NULL, meter BLOB NOT NULL,
    sequence INTEGER NOT NULL, part INTEGER, side TEXT NOT NULL, origin BLOB NOT NULL,
    model BLOB NOT NULL, tier BLOB NOT NULL, region BLOB NOT NULL, quantity BLOB NOT NULL,
    PRIMARY KEY (account, timestamp_ns, meter)
) WITHOUT ROWID;
CREATE TABLE counted (
    account BLOB NOT NULL, hold BLOB NOT NULL, lines BLOB NOT NULL, is_over INTEGER NOT NULL,
    PRIMARY KEY (account, hold)
) WITHOUT ROWID;
CREATE INDEX posting_without_counterparty ON posting (account, origin) WHERE counterparty = x'';
"""
_OF_ACCOUNTS: Final = ("posting", "usage", "counted", "origin", "day", "account")
_TABLES: Final = (*_OF_ACCOUNTS, "meta")
_INSERT: Final = f"INSERT INTO posting VALUES ({', '.join('?' * 21)})"  # noqa: S608 - constants
_INSERT_USAGE: Final = "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT: Final = """
SELECT sequence, part, timestamp_ns, occurred_at_ns, cause, side, pending, posted, amount,
    authority, counterparty, origin, end_state, source, card, grant_id, model, envelope_id,
    signer, reference
FROM posting WHERE account = ? AND timestamp_ns >= ? AND timestamp_ns < ?
ORDER BY timestamp_ns, part
"""
_SELECT_USAGE: Final = """
SELECT sequence, part, timestamp_ns, side, origin, model, tier, region, meter, quantity
FROM usage WHERE account = ? AND timestamp_ns >= ? AND timestamp_ns < ?
ORDER BY timestamp_ns, meter
"""


class ProjectionDamaged(TallystickError):  # noqa: N818 - says what happened
    """The file contradicts itself or the ledger; nothing of it is to be believed."""

    code = "PROJECTION_DAMAGED"
    default_advice = "Make it again from the ledger: --rebuild."


@dataclass(frozen=True, slots=True)
class Followed:
    """An account that a projection has.

    Attributes:
        account: Its id.
        owner: Its principal.
        unit: What it counts in.
        resume_ns: Entries from this timestamp on are not booked yet.
        next_sequence: All before this sequence number is booked.
        columns: After all of it.
    """

    account: AccountId
    owner: PrincipalId
    unit: UnitId
    resume_ns: TimestampNs
    next_sequence: SequenceNumber
    columns: Columns


class Projection:
    """A projection in a file. Belongs to one thread; several processes may have it open."""

    def __init__(self, path: Path | str, ledger_id: LedgerId) -> None:
        """Opens the file, or makes it.

        Args:
            path: The file; `:memory:` for none.
            ledger_id: Whose accounts it has.

        Raises:
            ConfigurationError: It cannot be opened, or is that of another ledger or newer version.
        """
        self._ledger_id = ledger_id
        self._path = path
        try:
            self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            with self._transaction():
                self._prepare()
        except sqlite3.Error as error:
            raise ConfigurationError(f"{path} cannot be used: {error}.") from error

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the file."""
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def _prepare(self) -> None:
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master")}
        if not tables:
            self._create()
            return
        if "meta" not in tables:
            raise ConfigurationError(f"{self._path} is no projection.", advice="Name another file.")
        ((version, ledger),) = self._db.execute("SELECT version, ledger FROM meta").fetchall()
        if version > _SCHEMA_VERSION:
            advice = "Remove it; it is made again from the ledger."
            raise ConfigurationError(f"{self._path} is of a newer version.", advice=advice)
        if ledger != self._ledger_id:
            raise ConfigurationError(
                f"{self._path} belongs to the ledger {ledger.hex()}.", advice="Name another file."
            )
        if version < _SCHEMA_VERSION:
            for table in sorted(tables & {*_TABLES}):
                self._db.execute(f"DROP TABLE {table}")
            self._create()

    def _create(self) -> None:
        for statement in _SCHEMA.split(";"):
            self._db.execute(statement)
        self._db.execute("INSERT INTO meta VALUES (?, ?)", (_SCHEMA_VERSION, self._ledger_id))

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)

    # -- booking ---------------------------------------------------------------------------------

    def add(self, account: AccountId, owner: PrincipalId, unit: UnitId) -> None:
        """Starts with an account, from the beginning of its history. Nothing if it is there."""
        with self._transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO account VALUES (?, ?, ?, 0, 0, ?)",
                (account, owner, unit, _packed(Columns())),
            )

    def forget(self, account: AccountId) -> None:
        """Forgets all of an account; following it again makes the same rows."""
        with self._transaction():
            for table in _OF_ACCOUNTS:
                self._db.execute(f"DELETE FROM {table} WHERE account = ?", (account,))  # noqa: S608

    def followed(self, account: AccountId) -> Followed | None:
        """Returns how far an account is booked, None for one that is not here."""
        row = self._db.execute("SELECT * FROM account WHERE account = ?", (account,)).fetchone()
        if row is None:
            return None
        _, owner, unit, resume_ns, next_sequence, columns = row
        return Followed(account, owner, unit, resume_ns, next_sequence, _unpacked(columns))

    def book(
        self, account: AccountId, entries: Iterable[HistoryRecord], next_sequence: int
    ) -> None:
        """Books a page of an account's history, or none of it.

        Args:
            account: One that was added.
            entries: Oldest first, without a gap from `resume_ns` on; those before it are skipped.
            next_sequence: Nothing before it is missing once they are booked.

        Raises:
            UnknownMovement: One cannot be booked.
            ProjectionDamaged: A column would leave its range.
        """
        with self._transaction():
            state = self._require(account)
            owned = Owned(account, state.owner, self._ledger_id)
            columns, resume_ns = state.columns, state.resume_ns
            for entry in entries:
                if entry.timestamp_ns < resume_ns:
                    continue
                columns = self._book_entry(owned, entry, columns)
                resume_ns = TimestampNs(_integer(entry.timestamp_ns) + 1)
            self._db.execute(
                "UPDATE account SET resume_ns = ?, next_sequence = ?, columns = ? "
                "WHERE account = ?",
                (resume_ns, max(next_sequence, state.next_sequence), _packed(columns), account),
            )

    def _book_entry(self, owned: Owned, entry: HistoryRecord, columns: Columns) -> Columns:
        account = owned.account
        origins = self._origins(account, entry)
        step = postings_of(entry, owned, origins)
        for origin, known in step.learned.items():
            self._db.execute(
                "INSERT OR REPLACE INTO origin VALUES (?, ?, ?, ?, ?, ?)",
                (
                    account,
                    origin,
                    known.side,
                    known.counterparty,
                    known.model,
                    known.has_expired,
                ),
            )
            self._db.execute(
                "UPDATE posting SET counterparty = ? "
                "WHERE account = ? AND origin = ? AND counterparty = x''",
                (known.counterparty, account, origin),
            )
        for posting in step.postings:
            self._db.execute(_INSERT, _row(account, posting))
            columns = columns.after(posting)
        if step.postings:
            self._db.execute(
                "INSERT OR REPLACE INTO day VALUES (?, ?, ?)",
                (account, entry.timestamp_ns // DAY_NS, _packed(columns)),
            )
        if is_using(entry):
            self._book_usage(account, entry, step.postings, {**origins, **step.learned})
        return columns

    def _book_usage(
        self,
        account: AccountId,
        entry: HistoryRecord,
        postings: Sequence[Posting],
        origins: Mapping[bytes, Origin],
    ) -> None:
        hold = bytes(entry.data[_HOLD])
        used = usage_of(entry, postings, origins.get(hold), self._counted(account, hold))
        for usage in used.usages:
            self._db.execute(_INSERT_USAGE, _usage_row(account, usage))
        if used.counted is not None:
            packed = b"".join(_COUNTED.pack(*line) for line in used.counted.lines)
            self._db.execute(
                "INSERT OR REPLACE INTO counted VALUES (?, ?, ?, ?)",
                (account, hold, packed, used.counted.is_over),
            )

    def _counted(self, account: AccountId, hold: bytes) -> Counted | None:
        row = self._db.execute(
            "SELECT lines, is_over FROM counted WHERE account = ? AND hold = ?", (account, hold)
        ).fetchone()
        if row is None:
            return None
        lines, is_over = row
        return Counted(tuple(_COUNTED.iter_unpack(lines)), bool(is_over))

    def _origins(self, account: AccountId, entry: HistoryRecord) -> dict[bytes, Origin]:
        """What is known of the holds and channels that an entry may name."""
        wanted = {bytes(effect.origin) for effect in entry.effects} | {bytes(entry.data[8:24])}
        found = {}
        for origin in wanted:
            row = self._db.execute(
                "SELECT side, counterparty, model, has_expired FROM origin "
                "WHERE account = ? AND origin = ?",
                (account, origin),
            ).fetchone()
            if row is not None:
                found[origin] = Origin(Side(row[0]), AccountId(row[1]), row[2], bool(row[3]))
        return found

    def _require(self, account: AccountId) -> Followed:
        state = self.followed(account)
        if state is None:
            raise LookupError(f"the projection does not have the account {account.hex()}")
        return state

    # -- reading ---------------------------------------------------------------------------------

    def accounts(self) -> list[AccountId]:
        """Returns all accounts that it has, in order of their ids."""
        rows = self._db.execute("SELECT account FROM account ORDER BY account")
        return [AccountId(account) for (account,) in rows]

    def postings(self, account: AccountId, from_ns: int, to_ns: int) -> Iterator[Posting]:
        """Yields an account's postings of a period, in the order of booking."""
        bounds = (min(from_ns, _MAX_INTEGER), min(to_ns, _MAX_INTEGER))
        for row in self._db.execute(_SELECT, (account, *bounds)):
            yield _posting(row)

    def usages(self, account: AccountId, from_ns: int, to_ns: int) -> Iterator[Usage]:
        """Yields what an account's charges of a period were for, in the order of booking."""
        bounds = (min(from_ns, _MAX_INTEGER), min(to_ns, _MAX_INTEGER))
        for row in self._db.execute(_SELECT_USAGE, (account, *bounds)):
            sequence, part, timestamp_ns, side, origin, model, tier, region, meter, packed = row
            quantity = int.from_bytes(packed, "big", signed=True)
            ids = origin, model, tier, region, meter
            yield Usage(sequence, part, timestamp_ns, Side(side), *ids, quantity)

    def columns_at(self, account: AccountId, at_ns: int) -> Columns:
        """Returns an account's columns before an instant, from the last day before it on."""
        day = min(at_ns, _MAX_INTEGER) // DAY_NS
        row = self._db.execute(
            "SELECT columns FROM day WHERE account = ? AND day < ? ORDER BY day DESC LIMIT 1",
            (account, day),
        ).fetchone()
        columns = Columns() if row is None else _unpacked(row[0])
        for posting in self.postings(account, day * DAY_NS, at_ns):
            columns = columns.after(posting)
        return columns

    def statement(
        self, account: AccountId, from_ns: int, to_ns: int, *, log_time_ns: int = 0
    ) -> Statement:
        """Makes an account's statement of a period.

        Args:
            account: One that is followed.
            from_ns: First instant of the period.
            to_ns: First instant after it.
            log_time_ns: Log time before the account was brought up to date, as GetStatus tells it.
        """
        state = self._require(account)
        is_all = to_ns >= state.resume_ns
        flows = break_down(self.postings(account, from_ns, to_ns))
        return Statement(
            account,
            state.owner,
            state.unit,
            from_ns,
            to_ns,
            log_time_ns >= to_ns,
            self.columns_at(account, from_ns),
            state.columns if is_all else self.columns_at(account, to_ns),
            flows,
            sum_up(self.usages(account, from_ns, to_ns)),
        )

    def passed(self, account: AccountId, since: Columns, from_ns: int) -> Iterator[Columns]:
        """Yields `since` and each state of an account's columns that followed it."""
        yield since
        for posting in self.postings(account, from_ns, _MAX_INTEGER):
            since = since.after(posting)
            yield since

    def rows(self) -> list[tuple[object, ...]]:
        """Returns all that it holds, table by table; equal for equal histories."""
        found: list[tuple[object, ...]] = []
        for table in _TABLES:
            rows = self._db.execute(f"SELECT * FROM {table}")  # noqa: S608 - one of ours
            found += [(table, *row) for row in rows]
        return found


class _Transaction:
    """All or nothing, alone among the writers."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._db.execute("COMMIT" if error is None else "ROLLBACK")


def _row(account: AccountId, posting: Posting) -> tuple[object, ...]:
    return (
        account,
        posting.timestamp_ns,
        posting.part,
        _integer(posting.sequence),
        posting.occurred_at_ns.to_bytes(8, "big"),
        posting.cause,
        posting.side,
        posting.pending,
        posting.posted,
        posting.amount.to_bytes(_AMOUNT_BYTES, "big"),
        posting.authority,
        posting.counterparty,
        posting.origin,
        posting.end_state,
        posting.source,
        posting.card,
        posting.grant,
        posting.model,
        posting.envelope_id,
        posting.signer,
        posting.reference.to_bytes(_AMOUNT_BYTES, "big"),
    )


def _usage_row(account: AccountId, usage: Usage) -> tuple[object, ...]:
    return (
        account,
        usage.timestamp_ns,
        usage.meter,
        _integer(usage.sequence),
        usage.part,
        usage.side,
        usage.origin,
        usage.model,
        usage.tier,
        usage.region,
        usage.quantity.to_bytes(_AMOUNT_BYTES, "big", signed=True),
    )


def _posting(row: tuple[Any, ...]) -> Posting:
    sequence, part, timestamp_ns, occurred, cause, side, pending, posted, amount, word, *rest = row
    counterparty, origin, end_state, source, line, grant, model, *rest = rest
    envelope_id, signer, reference = rest
    return Posting(
        sequence,
        part,
        timestamp_ns,
        _number(occurred),
        cause,
        Side(side),
        pending,
        posted,
        _number(amount),
        Authority(word),
        counterparty,
        origin,
        end_state,
        source,
        line,
        grant,
        model,
        envelope_id,
        signer,
        _number(reference),
    )


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _integer(value: int) -> int:
    if value > _MAX_INTEGER:
        raise ProjectionDamaged(f"{value} is beyond 2^63: no projection can hold it.")
    return value


def _packed(columns: Columns) -> bytes:
    values = (
        columns.debits_pending,
        columns.debits_posted,
        columns.credits_pending,
        columns.credits_posted,
    )
    if not all(0 <= value <= MAX_AMOUNT for value in values):
        raise ProjectionDamaged(f"A column would be {min(values)} to {max(values)}.")
    return b"".join(value.to_bytes(_AMOUNT_BYTES, "big") for value in values)


def _unpacked(data: bytes) -> Columns:
    starts = range(0, 4 * _AMOUNT_BYTES, _AMOUNT_BYTES)
    return Columns(*(int.from_bytes(data[at : at + _AMOUNT_BYTES], "big") for at in starts))
