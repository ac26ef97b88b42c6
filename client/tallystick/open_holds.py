"""Finding the holds that are open on an account, out of what any node answers.

A node keeps holds by their ids. Which ids there are follows from the history of the payer's
account: a RESERVE in it is by the account's owner, so its hold's id can be derived. The walk goes
from the newest back, and ends where no open hold can be older, or as soon as those found come to
all that is pinned. It serves the payer and auditors; a payee learns ids from its payers, who name
them when they ask for something.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from tallystick.history import HistoryFilter, HistoryRecord, Outcome
from tallystick_ledger.ids import HoldId, LedgerId, object_id
from tallystick_ledger.records import Kind, Reserve
from tallystick_ledger.results import Cause
from tallystick_ledger.state_rows import AccountRow, HoldRow

# Holds that are looked up at a time.
BATCH: Final = 500
RESERVES: Final = HistoryFilter((Kind.RESERVE,), Outcome.EXECUTED)

ReadHolds = Callable[[list[HoldId]], Awaitable[list[HoldRow | None]]]


def hold_of(record: HistoryRecord, payer: AccountRow, ledger_id: LedgerId) -> HoldId | None:
    """The id of the hold that a record of a payer's history made; None if it made none of its own.

    Args:
        record: From the history of `payer`.
        payer: The account.
        ledger_id: Of the ledger, 32 bytes.
    """
    made = record.record
    if not isinstance(made, Reserve) or made.payer_account != payer.account or not record.ok:
        return None
    if record.envelope_id is None or record.envelope_sequence is None:
        return None
    index = record.sequence - record.envelope_sequence
    return HoldId(object_id(ledger_id, payer.owner, record.envelope_id, index))


async def find(
    records: AsyncGenerator[HistoryRecord, None],
    payer: AccountRow,
    ledger_id: LedgerId,
    read: ReadHolds,
) -> list[HoldRow]:
    """Returns the open holds of an account, the oldest first.

    Args:
        records: RESERVEs of its history, newest first.
        payer: The account.
        ledger_id: Of the ledger, 32 bytes.
        read: Reads holds by their ids.
    """
    found: list[HoldRow] = []
    waiting: list[HoldId] = []
    shared: set[HoldId] = set()  # grants pay a part: their rests are not the payer's alone
    pinned = 0
    async for record in records:
        hold = hold_of(record, payer, ledger_id)
        if hold is not None:
            waiting.append(hold)
            if any(effect.cause is Cause.PIN for effect in record.effects):
                shared.add(hold)
        if len(waiting) == BATCH:
            found += _open(await read(waiting))
            waiting.clear()
            pinned = sum(row.rest for row in found if row.hold not in shared)
        if pinned >= payer.debits_pending:
            break
    if waiting:
        found += _open(await read(waiting))
    return sorted(found, key=lambda row: (row.created_at_ns, row.hold))


def _open(rows: list[HoldRow | None]) -> list[HoldRow]:
    return [row for row in rows if row is not None and row.is_open]
