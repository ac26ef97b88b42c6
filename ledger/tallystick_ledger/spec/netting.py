"""JOIN makes members of a deferred unit; WINDOW_CLOSE cuts off, SETTLE pays, FAIL goes on without.

Whatever is posted in a deferred unit is owed: its window keeps how much each account paid each
other (`State.pairs`). At the cut-off the net positions are pinned, what is due as debits and what
is owed as credits, so that nobody spends twice what is about to be paid. SETTLE pays them in the
settlement unit and posts the pins, which brings the obligations to zero.
Source: docs/semantics.md section 3.
"""

from collections.abc import Sequence
from dataclasses import replace

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, Amount, HoldId, UnitId
from tallystick_ledger.netting import Position, net_positions, payments, positions_hash
from tallystick_ledger.records import Fail, Join, Scope, Settle, WindowClose
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.spec import amounts
from tallystick_ledger.spec.accounts import (
    check_credit_room,
    check_funds,
    check_movable,
    check_open,
    move,
    own_account,
)
from tallystick_ledger.spec.refusal import Refused, found, require
from tallystick_ledger.spec.signer import Place, check_key_and_scope
from tallystick_ledger.spec.state import State
from tallystick_ledger.spec.units import check_issuer
from tallystick_ledger.state_rows import (
    AccountFlags,
    AccountRow,
    DeferredUnitRow,
    DisputeRow,
    MemberRow,
    MemberStatus,
    PairRow,
    WindowRow,
    WindowStatus,
)


def join(state: State, place: Place, record: Join) -> list[Effect]:
    """Makes an account a member, or changes how far it may owe and where it settles.

    Returns:
        No effects: the record says it all.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; ACCOUNT_NOT_FOUND of either;
            ISSUANCE_ACCOUNT, ACCOUNT_CLOSED, UNIT_NOT_DEFERRED of the account; ACCOUNT_CLOSED,
            ACCOUNT_FROZEN, ISSUANCE_ACCOUNT, GRANT_ACCOUNT, UNIT_MISMATCH, SETTLEMENT_TAKEN of the
            settlement account; MEMBER_FAILED; CAP_EXCEEDED, members of the unit; CREDIT_IN_USE;
            AMOUNT_OVERFLOW.
    """
    check_key_and_scope(state, place, Scope.OWNER)
    account = own_account(state, place.principal, record.account, Code.ACCOUNT_NOT_FOUND)
    pays_from = record.settlement_account
    settlement = own_account(state, place.principal, pays_from, Code.ACCOUNT_NOT_FOUND)
    require(not account.flags & AccountFlags.ISSUANCE, Code.ISSUANCE_ACCOUNT)
    require(not account.flags & AccountFlags.CLOSED, Code.ACCOUNT_CLOSED)
    unit = found(state.deferred_units.get(account.unit), Code.UNIT_NOT_DEFERRED)
    check_movable(settlement)
    require(settlement.unit == unit.settlement_unit, Code.UNIT_MISMATCH)
    members = state.members.members(unit.unit)
    others = [member for member in members if member.account != account.account]
    is_taken = any(member.settlement_account == settlement.account for member in others)
    require(not is_taken, Code.SETTLEMENT_TAKEN)
    before = state.members.get(account.account)
    has_failed = before is not None and before.status is MemberStatus.FAILED
    require(not has_failed or account.balance >= 0, Code.MEMBER_FAILED)
    require(before is not None or len(members) < limits.MAX_MEMBERS, Code.CAP_EXCEEDED)
    changed = replace(account, credit_limit=Amount(record.maximum_debit))
    require(changed.available >= 0, Code.CREDIT_IN_USE)
    check_credit_room(changed, Amount(0))

    state.put_account(changed)
    row = MemberRow(account.account, settlement.account, changed.credit_limit)
    state.members.put(account.account, row)
    return []


def window_close(state: State, place: Place, record: WindowClose) -> list[Effect]:
    """Cuts the open window off and pins its net positions; the next one is open from now on.

    Returns:
        For each payment that SETTLE would make a POSITION effect, of what it pins.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; UNIT_NOT_FOUND, also if the signer is not
            its issuer; UNIT_NOT_DEFERRED; WINDOW_STATE, it is not the open one or another waits
            for settlement; AMOUNT_OVERFLOW.
    """
    unit = _own_deferred_unit(state, place, record.unit)
    require(record.window == unit.open_window, Code.WINDOW_STATE)
    require(_closed_window(state, unit) is None, Code.WINDOW_STATE)
    rolls, marked = _disputed_in_window(state, place, unit)
    pairs = _pairs(state, unit.unit, unit.open_window)
    for debtor, creditor, amount in rolls:
        pairs.append((debtor, creditor, -amount))
    positions = net_positions(pairs)
    _check_can_pin(state, positions)

    upcoming = unit.open_window + 1
    for debtor, creditor, amount in rolls:
        state.add_to_pair(unit.unit, unit.open_window, debtor, creditor, -amount)
        state.add_to_pair(unit.unit, upcoming, debtor, creditor, amount)
    for dispute in marked:
        state.put_dispute(dispute)
    _pin(state, positions)
    row = WindowRow(unit.unit, unit.open_window, WindowStatus.CLOSED, place.timestamp_ns)
    state.windows.put((row.unit, row.window), row)
    changed = replace(unit, open_window=upcoming, opened_at=place.sequence_number)
    state.deferred_units.put(unit.unit, changed)
    return _effects(Cause.POSITION, place, unit, positions)


def settle(state: State, place: Place, record: Settle) -> list[Effect]:
    """Pays all net positions of the closed window at once.

    Returns:
        For each payment a NETTING effect in the settlement unit, and a NETTED effect of the
        reverse in the deferred unit.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; UNIT_NOT_FOUND, UNIT_NOT_DEFERRED;
            WINDOW_STATE, it is not the closed one; POSITIONS_MISMATCH; of the first member that
            cannot settle, with the place of its position as `detail`: ACCOUNT_CLOSED,
            ACCOUNT_FROZEN, INSUFFICIENT_FUNDS or FUNDS_HELD, AMOUNT_OVERFLOW.
    """
    unit = _own_deferred_unit(state, place, record.unit)
    window = _require_closed(state, unit, record.window)
    pairs = state.pairs.members((unit.unit, window.window))
    positions = _positions(state, unit.unit, window.window)
    expected = positions_hash(state.ledger_id, unit.unit, window.window, positions)
    require(record.positions_hash == expected, Code.POSITIONS_MISMATCH)
    for index, position in enumerate(positions):
        try:
            _check_can_settle(state, position)
        except Refused as refusal:
            raise Refused(refusal.code, index) from refusal

    effects = []
    for debtor, creditor, amount in payments(positions):
        effects += _pay(state, place, unit, debtor, creditor, amount)
    for pair in pairs:
        state.pairs.remove((pair.unit, pair.window, pair.debtor_account, pair.creditor_account))
    settled = replace(
        window,
        status=WindowStatus.SETTLED,
        settled_at_ns=place.timestamp_ns,
        gross=_at_most_u128(sum(pair.amount for pair in pairs)),
        moved=_at_most_u128(sum(position.due for position in positions)),
    )
    state.windows.put((unit.unit, window.window), settled)
    _forget_old_windows(state, unit)
    for member in state.members.members(unit.unit):
        account = state.accounts[member.account]
        limit = max(member.maximum_debit, _use(account))
        state.put_account(replace(account, credit_limit=Amount(limit)))
    return effects


def fail(state: State, place: Place, record: Fail) -> list[Effect]:
    """Takes a member that cannot settle out of the closed window; its pairs roll over.

    Returns:
        RELEASE effects of what was pinned before, then POSITION effects of what is now.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; UNIT_NOT_FOUND; ACCOUNT_NOT_FOUND, there
            is none in the unit; UNIT_NOT_DEFERRED; NOT_A_MEMBER; WINDOW_STATE, it is not the
            closed one; MEMBER_CAN_PAY, it has no position or can settle it; AMOUNT_OVERFLOW.
    """
    check_key_and_scope(state, place, Scope.OWNER)
    check_issuer(state, place, record.unit)
    account = found(state.accounts.get(record.account), Code.ACCOUNT_NOT_FOUND)
    require(account.unit == record.unit, Code.ACCOUNT_NOT_FOUND)
    unit = found(state.deferred_units.get(record.unit), Code.UNIT_NOT_DEFERRED)
    member = found(state.members.get(record.account), Code.NOT_A_MEMBER)
    window = _require_closed(state, unit, record.window)
    before = _positions(state, unit.unit, window.window)
    own = [position for position in before if position.account == record.account]
    require(bool(own) and not _can_settle(state, own[0]), Code.MEMBER_CAN_PAY)
    pairs = state.pairs.members((unit.unit, window.window))
    leaving = [row for row in pairs if record.account in (row.debtor_account, row.creditor_account)]
    staying = [row for row in pairs if row not in leaving]
    after = net_positions(_amounts_of(staying))
    _check_can_pin(state, after, instead_of=before)

    for pair in leaving:
        debtor, creditor = pair.debtor_account, pair.creditor_account
        state.add_to_pair(unit.unit, window.window, debtor, creditor, -pair.amount)
        state.add_to_pair(unit.unit, unit.open_window, debtor, creditor, pair.amount)
    _unpin(state, before)
    _pin(state, after)
    failed = state.accounts[record.account]
    state.put_account(replace(failed, credit_limit=Amount(_use(failed))))
    changed = replace(member, maximum_debit=Amount(0), status=MemberStatus.FAILED)
    state.members.put(record.account, changed)
    released = _effects(Cause.RELEASE, place, unit, before)
    return released + _effects(Cause.POSITION, place, unit, after)


def _own_deferred_unit(state: State, place: Place, unit_id: UnitId) -> DeferredUnitRow:
    """The stages of all the operator's records up to the unit."""
    check_key_and_scope(state, place, Scope.OWNER)
    check_issuer(state, place, unit_id)
    return found(state.deferred_units.get(unit_id), Code.UNIT_NOT_DEFERRED)


def _closed_window(state: State, unit: DeferredUnitRow) -> WindowRow | None:
    """The window that waits for settlement: none but the one before the open one can."""
    row = state.windows.get((unit.unit, unit.open_window - 1))
    return row if row is not None and row.status is WindowStatus.CLOSED else None


def _require_closed(state: State, unit: DeferredUnitRow, number: int) -> WindowRow:
    window = found(_closed_window(state, unit), Code.WINDOW_STATE)
    require(window.window == number, Code.WINDOW_STATE)
    return window


def _amounts_of(rows: Sequence[PairRow]) -> list[tuple[AccountId, AccountId, int]]:
    return [(row.debtor_account, row.creditor_account, int(row.amount)) for row in rows]


def _pairs(state: State, unit: UnitId, window: int) -> list[tuple[AccountId, AccountId, int]]:
    return _amounts_of(state.pairs.members((unit, window)))


def _positions(state: State, unit: UnitId, window: int) -> list[Position]:
    return net_positions(_pairs(state, unit, window))


def _disputed_in_window(
    state: State, place: Place, unit: DeferredUnitRow
) -> tuple[list[tuple[AccountId, AccountId, int]], list[DisputeRow]]:
    """What open disputes hold back of the open window, and the rows that change by that.

    A dispute holds back what its record moved if the record is of this window, or if the last
    cut-off rolled its amount over into it; never more than is left of the pair.
    """
    left = {row[:2]: row[2] for row in _pairs(state, unit.unit, unit.open_window)}
    rolls = []
    marked = []
    for dispute in sorted(state.disputes, key=lambda row: row.cited):
        if state.accounts[dispute.payer_account].unit != unit.unit:
            continue
        is_of_window = dispute.cited > unit.opened_at or dispute.rolled
        amount = 0
        if is_of_window and dispute.is_open_at(place.timestamp_ns):
            pair = (dispute.payer_account, dispute.payee_account)
            amount = min(dispute.disputed, left.get(pair, 0))
        if amount > 0:
            left[pair] -= amount
            rolls.append((*pair, amount))
        if dispute.rolled != (amount > 0):
            marked.append(replace(dispute, rolled=amount > 0))
    return rolls, marked


def _check_can_pin(
    state: State, positions: Sequence[Position], instead_of: Sequence[Position] = ()
) -> None:
    """Checks that the columns can take the pins. No honest ledger comes near that."""
    freed = {position.account: position for position in instead_of}
    for position in positions:
        account = state.accounts[position.account]
        before = freed.get(position.account, Position(position.account, Amount(0), Amount(0)))
        used = account.debits_posted + account.debits_pending - before.due + position.due
        promised = account.credits_pending - before.owes + position.owes
        require(amounts.fits(used) and amounts.fits(promised), Code.AMOUNT_OVERFLOW)


def _pin(state: State, positions: Sequence[Position]) -> None:
    """Pins what is due and what is owed.

    What is due may have been promised to others by holds already: the credit limit then grows to
    what is used, until the next SETTLE.
    """
    for position in positions:
        account = state.accounts[position.account]
        pinned = replace(
            account,
            debits_pending=amounts.add(account.debits_pending, position.due),
            credits_pending=amounts.add(account.credits_pending, position.owes),
        )
        limit = max(pinned.credit_limit, _use(pinned))
        state.put_account(replace(pinned, credit_limit=Amount(limit)))


def _unpin(state: State, positions: Sequence[Position]) -> None:
    for position in positions:
        account = state.accounts[position.account]
        freed = replace(
            account,
            debits_pending=amounts.subtract(account.debits_pending, position.due),
            credits_pending=amounts.subtract(account.credits_pending, position.owes),
        )
        state.put_account(freed)


def _effects(
    cause: Cause, place: Place, unit: DeferredUnitRow, positions: Sequence[Position]
) -> list[Effect]:
    """What positions pin, in pairs: the debit side is the creditor's, who will have less."""
    return [
        Effect(cause, place.index, creditor, debtor, amount, HoldId(unit.unit))
        for debtor, creditor, amount in payments(positions)
    ]


def _use(account: AccountRow) -> int:
    """How far an account is below zero, pins included: the least credit limit that it can have."""
    return max(0, account.debits_posted + account.debits_pending - account.credits_posted)


def _check_can_settle(state: State, position: Position) -> None:
    """Checks that nothing keeps a member from settling its position.

    A frozen account gets what is due to it: freezing stops what leaves it.

    Raises:
        Refused: Of its settlement account: ACCOUNT_CLOSED; if it owes ACCOUNT_FROZEN,
            INSUFFICIENT_FUNDS or FUNDS_HELD; AMOUNT_OVERFLOW.
    """
    account = state.accounts[position.account]
    settlement = state.accounts[state.members[position.account].settlement_account]
    if position.owes > 0:
        check_open(settlement)
        check_funds(settlement, position.owes)
        check_credit_room(account, position.owes)
    else:
        require(not settlement.flags & AccountFlags.CLOSED, Code.ACCOUNT_CLOSED)
        check_credit_room(settlement, position.due)


def _can_settle(state: State, position: Position) -> bool:
    try:
        _check_can_settle(state, position)
    except Refused:
        return False
    return True


def _pay(
    state: State,
    place: Place,
    unit: DeferredUnitRow,
    debtor: AccountId,
    creditor: AccountId,
    amount: Amount,
) -> list[Effect]:
    """Pays in the settlement unit, and posts the pins of the debt in the deferred one."""
    payer = state.members[debtor].settlement_account
    payee = state.members[creditor].settlement_account
    move(state, payer, payee, amount)
    owing = state.accounts[debtor]
    released = replace(
        owing,
        credits_pending=amounts.subtract(owing.credits_pending, amount),
        credits_posted=amounts.add(owing.credits_posted, amount),
    )
    state.put_account(released)
    owed = state.accounts[creditor]
    paid = replace(
        owed,
        debits_pending=amounts.subtract(owed.debits_pending, amount),
        debits_posted=amounts.add(owed.debits_posted, amount),
    )
    state.put_account(paid)
    origin = HoldId(unit.unit)
    return [
        Effect(Cause.NETTING, place.index, payer, payee, amount, origin),
        Effect(Cause.NETTED, place.index, creditor, debtor, amount, origin),
    ]


def _at_most_u128(total: int) -> Amount:
    """A sum of many amounts; one above 128 bits is only a figure, and stops there."""
    return Amount(min(total, limits.MAX_AMOUNT))


def _forget_old_windows(state: State, unit: DeferredUnitRow) -> None:
    """Keeps the last settled windows of the unit."""
    number = unit.open_window - 1 - limits.MAX_SETTLED_WINDOWS
    if (unit.unit, number) in state.windows:
        state.windows.remove((unit.unit, number))
