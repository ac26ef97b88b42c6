"""Brings a projection up to date from a ledger, and compares it with the ledger's own balances.

Timestamps are unique and rise with sequence numbers, so "not older than the last one and a
nanosecond" is exactly what is not booked yet. Nodes find it by their index; nothing is scanned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tallystick.client import Client
from tallystick.errors import InvalidArgument
from tallystick.history import HistoryFilter
from tallystick.limits import MAX_PAGE_RECORDS
from tallystick.statements.projection import Projection
from tallystick.statements.statement import Columns
from tallystick_ledger.ids import AccountId
from tallystick_ledger.state_rows import AccountRow


@dataclass(frozen=True, slots=True)
class Compared:
    """How a projection compares with the ledger.

    Attributes:
        log_time_ns: All that was booked before this instant is in the projection.
        differing: Accounts whose columns the ledger has otherwise.
    """

    log_time_ns: int
    differing: tuple[AccountId, ...]


def catch_up(client: Client, projection: Projection, accounts: Sequence[AccountId]) -> None:
    """Books all that is missing of some accounts.

    Raises:
        InvalidArgument: There is no such account, or it is not this key's to read.
        TallystickError: What reading raises; what is booked stays booked.
    """
    unknown = [each for each in accounts if projection.followed(each) is None]
    if unknown:
        for account, row in zip(unknown, client.get_accounts(unknown), strict=True):
            if row is None:
                raise _unreadable(account)
            projection.add(account, row.owner, row.unit)
    for account in accounts:
        _follow(client, projection, account)


def _follow(client: Client, projection: Projection, account: AccountId) -> None:
    state = projection.followed(account)
    wanted = HistoryFilter(since_ns=0 if state is None else state.resume_ns)
    token = b""
    while True:
        page = client.list_records(
            account,
            wanted=wanted,
            oldest_first=True,
            page_size=MAX_PAGE_RECORDS,
            page_token=token,
            with_conts=True,
        )
        # Before the last page nobody knows how far the ones so far reach.
        reached = 0 if page.page_token else page.next_sequence
        projection.book(account, page.records, reached)
        token = page.page_token
        if not token:
            return


def compare(client: Client, projection: Projection, accounts: Sequence[AccountId]) -> Compared:
    """Brings accounts up to date and compares their columns with the ledger's, linearizably.

    The ledger goes on meanwhile. So the balances that it tells have to be those of the projection
    at one of the moments between two updates, one before and one after.

    Raises:
        TallystickError: As `catch_up`.
    """
    log_time_ns = client.status(linearizable=True).log_time_ns
    catch_up(client, projection, accounts)
    before = [_state(projection, account) for account in accounts]
    found = client.get_accounts(accounts)
    rows = [_readable(account, row) for account, row in zip(accounts, found, strict=True)]
    catch_up(client, projection, accounts)
    differing = tuple(
        account
        for account, row, (columns, resume_ns) in zip(accounts, rows, before, strict=True)
        if _columns(row) not in projection.passed(account, columns, resume_ns)
    )
    return Compared(log_time_ns, differing)


def _readable(account: AccountId, row: AccountRow | None) -> AccountRow:
    if row is None:
        raise _unreadable(account)
    return row


def _unreadable(account: AccountId) -> InvalidArgument:
    return InvalidArgument(
        f"There is no account {account.hex()} that this key may read.",
        advice="Use a key of its owner, or an AUDIT key: --key.",
    )


def _state(projection: Projection, account: AccountId) -> tuple[Columns, int]:
    state = projection.followed(account)
    return (Columns(), 0) if state is None else (state.columns, state.resume_ns)


def _columns(row: AccountRow) -> Columns:
    return Columns(row.debits_pending, row.debits_posted, row.credits_pending, row.credits_posted)
