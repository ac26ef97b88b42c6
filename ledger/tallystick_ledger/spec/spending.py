"""What limits count: checks that a spending fits all of them, counts it, gives back what was freed.

A limit keeps the count of one window, the last in which something was counted. It is begun anew by
the first record after its end that counts. A hold or channel has a mark for each limit that counts
it: what ends unspent is given back if the window is still the same. Source: docs/semantics.md,
"What limits count".
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, AccountId, Amount, TimestampNs, ZoneId
from tallystick_ledger.limits import MAX_MARKS
from tallystick_ledger.records import Limit, LimitTarget, LimitWindow, Scope
from tallystick_ledger.results import LimitDetail
from tallystick_ledger.spec import amounts
from tallystick_ledger.spec.lines import chain_of
from tallystick_ledger.spec.refusal import Refused, found, require
from tallystick_ledger.spec.signer import Place
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import AccountRow, LimitRow, MarkRow
from tallystick_ledger.state_rows.limit import limit_key
from tallystick_ledger.zones import SECOND_NS, window_end_ns

_WINDOWS: Final = (LimitWindow.DAY, LimitWindow.MONTH, LimitWindow.TOTAL)
_NEVER: Final = TimestampNs(0)
_NO_DEBT: Final = Amount(0)


def check_limits(
    state: State,
    place: Place,
    payer: AccountRow,
    amount: Amount,
    *,
    debt: Amount = _NO_DEBT,
    pin: bytes | None = None,
    payee: AccountId | None = None,
) -> list[LimitRow]:
    """Stage limits: the amount fits into all limits that count it.

    Args:
        state: Read only.
        place: Of the record.
        payer: The account that spends.
        amount: How much more it spends.
        debt: What may be charged on debt besides.
        pin: The hold or channel that pins it; None for what is paid at once.
        payee: The account that it is pinned for.

    Returns:
        The rows of these limits, their windows begun anew where they have ended.

    Raises:
        Refused: ZONE_HORIZON or LIMIT_EXCEEDED of the first limit that does not pass;
            CAP_EXCEEDED, limits that count one hold or channel.
    """
    if amount == 0:
        return []
    counting = []
    for row, above in _limits_of(state, place, payer, payee):
        current = current_window(state, row, place.timestamp_ns)
        if current.used + _counted(current, amount, debt) > current.amount:
            detail = _detail(current, above, place.timestamp_ns)
            raise Refused(Code.LIMIT_EXCEEDED, detail.encode())
        counting.append(current)
    if pin is not None:
        marked = {mark.limit for mark in state.marks.members(pin)}
        marks = marked | {row.limit_key for row in counting}
        require(len(marks) <= MAX_MARKS, Code.CAP_EXCEEDED)
    return counting


def count(
    state: State,
    counting: list[LimitRow],
    amount: Amount,
    *,
    debt: Amount = _NO_DEBT,
    pin: bytes | None = None,
) -> None:
    """Counts an amount, and what may be charged on debt, that `check_limits` let pass."""
    for row in counting:
        counted = Amount(_counted(row, amount, debt))
        state.limits.put(row.limit_key, replace(row, used=amounts.add(row.used, counted)))
        if pin is not None:
            _mark(state, pin, row, counted)


def give_back(state: State, pin: bytes, rest: Amount) -> None:
    """Gives back what a hold or channel leaves when it ends, and forgets its marks.

    Args:
        state: Changed in place.
        pin: The hold or channel.
        rest: What it did not charge.
    """
    for mark in state.marks.members(pin):
        _uncount(state, mark, Amount(min(mark.amount, rest)))
        state.marks.remove((pin, mark.limit))


def no_longer_held(state: State, pin: bytes, rest: Amount) -> None:
    """Gives back to limits of what is on hold what an open hold or channel has paid.

    Args:
        state: Changed in place.
        pin: The hold or channel.
        rest: What it still holds.
    """
    for mark in state.marks.members(pin):
        if mark.window is LimitWindow.HELD and mark.amount > rest:
            _uncount(state, mark, amounts.subtract(mark.amount, rest))
            state.marks.put((pin, mark.limit), replace(mark, amount=rest))


def current_window(state: State, row: LimitRow, timestamp_ns: TimestampNs) -> LimitRow:
    """Returns the row as it is, or with a new window if its own is over.

    Raises:
        Refused: ZONE_HORIZON.
    """
    if not row.is_over_at(timestamp_ns):
        return row
    ends_at_ns = end_of_window(state, row.window, row.zone, timestamp_ns)
    return replace(row, used=Amount(0), since_ns=timestamp_ns, ends_at_ns=ends_at_ns)


def end_of_window(
    state: State, window: LimitWindow, zone: ZoneId, timestamp_ns: TimestampNs
) -> TimestampNs:
    """Returns when the window ends that holds this time; 0 for TOTAL and HELD.

    Raises:
        Refused: ZONE_HORIZON.
    """
    if window in (LimitWindow.TOTAL, LimitWindow.HELD):
        return _NEVER
    table = None if zone == NO_ID else state.zones[zone].table
    is_month = window is LimitWindow.MONTH
    return found(window_end_ns(timestamp_ns, table, is_month=is_month), Code.ZONE_HORIZON)


def _limits_of(
    state: State, place: Place, payer: AccountRow, payee: AccountId | None
) -> Iterator[tuple[LimitRow, int]]:
    """Yields the limits that count, in their order, and how many keys above the signer's each is.

    First the key and those above it, then the account, the principal, the payee.
    """
    targets: list[tuple[LimitTarget, bytes, int]] = []
    if state.keys[place.signing_key].scope is Scope.SPEND:
        chain = chain_of(state, place.signing_key)
        targets = [(LimitTarget.KEY, line, above) for above, line in enumerate(chain)]
    targets.append((LimitTarget.ACCOUNT, Limit.of_one(payer.account), 0))
    targets.append((LimitTarget.PRINCIPAL, Limit.of_one(payer.owner), 0))
    for target, subject, above in targets:
        for window in _WINDOWS:
            row = state.limits.get(limit_key(target, window, subject, payer.unit))
            if row is not None:
                yield row, above
    if payee is not None:
        pair = Limit.of_pair(payer.account, payee)
        row = state.limits.get(limit_key(LimitTarget.PAYEE, LimitWindow.HELD, pair, payer.unit))
        if row is not None:
            yield row, 0


def _counted(row: LimitRow, amount: Amount, debt: Amount) -> int:
    """How much a limit counts: the worst case, but HELD what is pinned."""
    return amount if row.window is LimitWindow.HELD else amount + debt


def _detail(row: LimitRow, above: int, timestamp_ns: TimestampNs) -> LimitDetail:
    left_ns = row.ends_at_ns - timestamp_ns if row.ends_at_ns else 0
    return LimitDetail(row.target, row.window, above, -(-left_ns // SECOND_NS))


def _mark(state: State, pin: bytes, row: LimitRow, amount: Amount) -> None:
    """Notes that a hold or channel counts so much more; what it counted before is of no use."""
    mark = state.marks.get((pin, row.limit_key))
    if mark is not None and mark.since_ns == row.since_ns:
        amount = amounts.add(mark.amount, amount)
    state.marks.put((pin, row.limit_key), MarkRow(pin, row.limit_key, row.since_ns, amount))


def _uncount(state: State, mark: MarkRow, amount: Amount) -> None:
    """Lowers the count of a limit, unless its window is another one by now."""
    row = state.limits.get(mark.limit)
    if row is not None and row.since_ns == mark.since_ns:
        state.limits.put(mark.limit, replace(row, used=amounts.subtract(row.used, amount)))
