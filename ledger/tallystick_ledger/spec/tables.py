"""Tables of rows, and the journal that undoes an ATOMIC envelope.

A table maps a key to a frozen row. Beside the rows it keeps two kinds of look-up, both functions
of the rows alone and both kept right by `put` and `remove`, also while a transaction is undone:

- `member_of(row)` puts each row into at most one group (the principal whose cap it counts for);
- `alias_of(row)` gives each row at most one second key (a symbol, a reference).

A `Journal` is shared by all tables of a state. Between `begin` and `commit` or `rollback` each
change notes what was there before; `rollback` puts it back, last change first. Transactions do not
nest, since an envelope is ATOMIC as a whole or not at all.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from tallystick_ledger.errors import LedgerError

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")


class TransactionError(LedgerError):
    """A transaction was begun twice, or ended without having begun."""


class DuplicateRowError(LedgerError):
    """Two rows claim one alias: some rule forgot to look before it wrote."""


class Journal:
    """What the open transaction would have to undo, in the order in which it was done."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], None]] | None = None

    def begin(self) -> None:
        """Opens the transaction.

        Raises:
            TransactionError: One is open.
        """
        if self._steps is not None:
            raise TransactionError("transactions do not nest")
        self._steps = []

    def commit(self) -> None:
        """Keeps all changes since `begin`.

        Raises:
            TransactionError: None is open.
        """
        self._end()

    def rollback(self) -> None:
        """Undoes all changes since `begin`, last first.

        Raises:
            TransactionError: None is open.
        """
        for undo in reversed(self._end()):
            undo()

    def note(self, undo: Callable[[], None]) -> None:
        """Remembers how to undo a change; does nothing outside a transaction."""
        if self._steps is not None:
            self._steps.append(undo)

    def _end(self) -> list[Callable[[], None]]:
        if self._steps is None:
            raise TransactionError("no transaction is open")
        steps, self._steps = self._steps, None
        return steps


class Table(Generic[Key, Row]):
    """Rows by key, in the order in which they were first put."""

    def __init__(
        self,
        journal: Journal,
        *,
        member_of: Callable[[Row], Hashable | None] = lambda _: None,
        alias_of: Callable[[Row], Hashable | None] = lambda _: None,
    ) -> None:
        self._journal = journal
        self._rows: dict[Key, Row] = {}
        self._member_of = member_of
        self._alias_of = alias_of
        self._groups: dict[Hashable, dict[Key, None]] = {}
        self._aliases: dict[Hashable, Key] = {}

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self._rows)

    def __contains__(self, key: Key) -> bool:
        """Whether there is a row with this key."""
        return key in self._rows

    def __getitem__(self, key: Key) -> Row:
        """Returns the row that must be there."""
        return self._rows[key]

    def __iter__(self) -> Iterator[Row]:
        """Yields the rows in the order in which they were first put."""
        return iter(self._rows.values())

    def get(self, key: Key) -> Row | None:
        """Returns the row, or None."""
        return self._rows.get(key)

    def find(self, alias: Hashable) -> Row | None:
        """Returns the row with this second key, or None."""
        key = self._aliases.get(alias)
        return None if key is None else self._rows[key]

    def members(self, group: Hashable) -> list[Row]:
        """Returns the rows of a group."""
        return [self._rows[key] for key in self._groups.get(group, ())]

    def count(self, group: Hashable) -> int:
        """Returns how many rows a group has."""
        return len(self._groups.get(group, ()))

    def put(self, key: Key, row: Row) -> None:
        """Writes a row, new or in place of the one under its key.

        Raises:
            DuplicateRowError: Another row has its alias.
        """
        old = self._rows.get(key)
        if old is not None:
            self._unlink(key, old)
            self._journal.note(lambda: self.put(key, old))
        else:
            self._journal.note(lambda: self.remove(key))
        self._rows[key] = row
        self._link(key, row)

    def remove(self, key: Key) -> None:
        """Removes a row that is there."""
        old = self._rows.pop(key)
        self._unlink(key, old)
        self._journal.note(lambda: self.put(key, old))

    def _link(self, key: Key, row: Row) -> None:
        group = self._member_of(row)
        if group is not None:
            self._groups.setdefault(group, {})[key] = None
        alias = self._alias_of(row)
        if alias is not None:
            if alias in self._aliases:
                raise DuplicateRowError(f"two rows with alias {alias!r}")
            self._aliases[alias] = key

    def _unlink(self, key: Key, row: Row) -> None:
        group = self._member_of(row)
        if group is not None:
            del self._groups[group][key]
            if not self._groups[group]:
                del self._groups[group]
        alias = self._alias_of(row)
        if alias is not None:
            del self._aliases[alias]
