"""Random records of netting; see `records`, which draws among all kinds."""

from tests.differential import raw
from tests.differential.draft import Draft
from tests.differential.population import MAX_U128, SYMBOLS, World

from tallystick_ledger.ids import AccountId
from tallystick_ledger.limits import MAX_DEBIT
from tallystick_ledger.netting import net_positions, positions_hash
from tallystick_ledger.state_rows import AccountFlags, AccountRow, DeferredUnitRow, MemberStatus


def deferred_unit(draft: Draft) -> bytes:
    """A UNIT of obligations."""
    world = draft.world
    symbol = (b"N%d" % world.rng.randrange(1000)).ljust(16, b"\0")
    if world.odd(0.1):
        symbol = world.pick(SYMBOLS)
    units = list(world.state.units)
    usual = [row for row in units if row.unit not in world.state.deferred_units]
    row = world.pick(units if world.odd(0.3) else usual)
    settlement = world.pick((bytes(16), world.new_id())) if world.odd(0.1) else row.unit
    exponent = row.exponent if not world.odd(0.2) else world.rng.randint(0, 19)
    issuer: bytes = world.new_id() if world.odd(0.05) else world.pick(world.keys).principal
    flags = 0 if world.odd(0.1) else raw.DEFERRED
    return raw.unit(issuer, symbol, exponent, settlement=settlement, flags=flags)


def join(draft: Draft) -> bytes:
    world, state = draft.world, draft.world.state
    own = world.by_owner.get(draft.signer.principal, [])
    accounts = _own_deferred(draft) or own or world.accounts
    outside = [row for row in accounts if row.account not in state.members]
    failed = [row for row in accounts if _has_failed(world, row)]
    if failed and world.chance(0.65):
        accounts = failed
    elif outside and world.chance(0.6):
        accounts = outside
    if world.odd(0.15):
        accounts = world.pick((own, world.accounts)) or world.accounts
    account = world.pick(accounts)
    settlement = world.new_id() if world.odd(0.05) else _settlement(draft, account)
    used = max(0, account.debits_posted + account.debits_pending - account.credits_posted)
    maximum = used + world.rng.randint(0, 300)
    if world.odd(0.3):
        maximum = world.pick((0, used, max(0, used - 1), MAX_DEBIT, MAX_DEBIT + 1))
    maximum = min(maximum, MAX_U128)
    account_id = world.new_id() if world.odd(0.04) else account.account
    return raw.join(account_id, account.account if world.odd(0.04) else settlement, maximum)


def _settlement(draft: Draft, account: AccountRow) -> bytes:
    """An account in the settlement unit, mostly one of the same owner that serves nobody else."""
    world, state = draft.world, draft.world.state
    unit = state.deferred_units.get(account.unit)
    own = world.by_owner.get(draft.signer.principal, world.accounts)
    if unit is None or world.odd(0.1):
        return world.pick(own).account
    rivals = state.members.members(account.unit)
    taken = {row.settlement_account for row in rivals if row.account != account.account}
    mine = [row for row in own if row.account in taken]
    if mine and world.chance(0.18):
        return world.pick(mine).account
    fitting = [row for row in own if row.unit == unit.settlement_unit]
    free = [row for row in fitting if row.account not in taken]
    free = [row for row in free if not row.flags] or free
    rows = free if free and not world.odd(0.3) else fitting
    return world.pick(rows or own).account


def _has_failed(world: World, account: AccountRow) -> bool:
    row = world.state.members.get(account.account)
    return row is not None and row.status is MemberStatus.FAILED


def window_close(draft: Draft) -> bytes:
    unit = _some_unit(draft)
    if unit is None:
        return raw.window_close(_no_unit(draft), 1)
    return raw.window_close(unit.unit, _near(draft.world, unit.open_window))


def settle(draft: Draft) -> bytes:
    world = draft.world
    unit = _some_unit(draft)
    if unit is None:
        return raw.settle(_no_unit(draft), 1, bytes(32))
    number = unit.open_window - 1
    pairs = world.state.pairs.members((unit.unit, number))
    positions = net_positions(
        (row.debtor_account, row.creditor_account, row.amount) for row in pairs
    )
    expected = positions_hash(world.ledger_id, unit.unit, number, positions)
    if world.odd(0.5):
        expected = world.rng.randbytes(32)
    return raw.settle(unit.unit, _near(world, number), expected)


def fail(draft: Draft) -> bytes:
    world, state = draft.world, draft.world.state
    unit = _some_unit(draft)
    if unit is None:
        no_unit = _no_unit(draft)
        inside = [row for row in world.accounts if row.unit == no_unit]
        return raw.fail(no_unit, 1, world.pick(inside or world.accounts).account)
    members: list[bytes] = [row.account for row in state.members.members(unit.unit)]
    pairs = state.pairs.members((unit.unit, unit.open_window - 1))
    involved = [row.debtor_account for row in pairs] + [row.creditor_account for row in pairs]
    accounts: list[bytes] = list(involved or members)
    if not accounts or world.odd(0.3):
        accounts = [row.account for row in world.accounts if row.unit == unit.unit]
    account = world.new_id() if world.odd(0.1) else world.pick(accounts)
    return raw.fail(unit.unit, _near(world, unit.open_window - 1), account)


def obligation(draft: Draft) -> bytes:
    """A TRANSFER between members, mostly."""
    world, state = draft.world, draft.world.state
    own = _own_deferred(draft)
    can_pay = [row for row in own if row.available > 0]
    debit = world.pick(can_pay or own or world.accounts)
    others = [row for row in world.accounts if row.unit == debit.unit and row is not debit]
    joined = [row for row in others if AccountId(row.account) in state.members]
    credit = world.pick(joined if joined and not world.odd(0.15) else others or world.accounts)
    amount = max(1, world.rng.randint(0, max(1, debit.available)))
    return raw.transfer(debit.account, credit.account, amount)


def can_join(draft: Draft) -> bool:
    """Whether the signer has an account of a deferred unit."""
    return bool(_own_deferred(draft))


def can_owe(draft: Draft) -> bool:
    """Whether the signer may pay in a deferred unit."""
    return any(row.available > 0 for row in _own_deferred(draft))


def _own_deferred(draft: Draft) -> list[AccountRow]:
    own = draft.world.by_owner.get(draft.signer.principal, [])
    return [row for row in own if row.flags & AccountFlags.DEFERRED]


def operates(draft: Draft, *, closed: bool) -> bool:
    """Whether the signer nets a unit, with or without a window that waits for settlement."""
    return any(_waits(draft.world, unit) == closed for unit in _own_units(draft))


def _own_units(draft: Draft) -> list[DeferredUnitRow]:
    state = draft.world.state
    signer = draft.signer.principal
    return [row for row in state.deferred_units if state.units[row.unit].issuer == signer]


def _waits(world: World, unit: DeferredUnitRow) -> bool:
    row = world.state.windows.get((unit.unit, unit.open_window - 1))
    return row is not None and not row.settled_at_ns


def _some_unit(draft: Draft) -> DeferredUnitRow | None:
    world = draft.world
    units = _own_units(draft)
    if not units or world.odd(0.08):
        units = list(world.state.deferred_units)
    return world.pick(units) if units and not world.odd(0.12) else None


def _no_unit(draft: Draft) -> bytes:
    """A unit that is not deferred, perhaps the signer's own, or none."""
    world = draft.world
    own = [row.unit for row in world.state.units if row.issuer == draft.signer.principal]
    units: list[bytes] = [row for row in own if row not in world.state.deferred_units]
    return world.pick(units) if units and world.chance(0.8) else world.new_id()


def _near(world: World, number: int) -> int:
    return max(0, number + world.pick((-1, 1))) if world.odd(0.15) else max(0, number)
