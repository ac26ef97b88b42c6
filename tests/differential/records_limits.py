"""Random LIMIT, ZONE, DELEGATE and KILL records; see `records`, which draws among all kinds.

Zones are such that midnight is near: their offsets are no hours of any clock on earth.
"""

from typing import Final

from tests.differential import raw
from tests.differential.draft import Draft, id_of, other_account, own_account
from tests.differential.population import MAX_U128, SECOND_NS

from tallystick_ledger.records import LimitTarget, LimitWindow, Scope
from tallystick_ledger.state_rows import KeyStatus, LimitRow

_DAY_S: Final = 86_400
_NAMES: Final = (b"Z/East", b"Z/West", b"Etc/GMT+5", b"N" * 32)
_BAD_NAMES: Final = (b"", b"a b", b"A\0B", b"caf\xe9", b"dot.")


def limit(draft: Draft) -> bytes:
    """Sets, changes or ends a limit; of a SPEND key mostly one of its own."""
    world, signer = draft.world, draft.signer
    own = world.state.limits.members(signer.principal)
    if signer.scope is Scope.SPEND and not world.odd(0.1):
        own = [row for row in own if row.target is LimitTarget.KEY]
    if own and world.chance(0.45):
        row = world.pick(own)
        return _changed(draft, row)
    account = own_account(draft)
    unit: bytes = world.new_id() if account is None else account.unit
    if world.odd(0.08):
        unit = world.pick([row.unit for row in world.state.units])
    target = raw.OF_KEY if signer.scope is Scope.SPEND else world.pick((1, 2, 2, 3, 3, 4))
    window = raw.HELD if target == raw.OF_PAYEE else world.pick((1, 1, 2, 3))
    if world.odd(0.06):
        target, window = world.pick((0, 1, 2, 3, 4, 5)), world.pick((0, 1, 3, 4, 5))
    subject = _subject(draft, target, id_of(draft, account))
    if target == raw.OF_PAYEE:
        subject = subject[:16] + other_account(draft, account)
    zone_id = _some_zone(draft) if window in (raw.DAY, raw.MONTH) or world.odd(0.05) else bytes(16)
    operation = world.pick((0, 2, 2, 3)) if world.odd(0.08) else raw.SET
    amount = 0 if operation == raw.END and not world.odd(0.1) else _some_amount(draft)
    return raw.limit(target, window, subject, unit, amount, zone_id=zone_id, operation=operation)


def _subject(draft: Draft, target: int, account: bytes) -> bytes:
    world, signer = draft.world, draft.signer
    if target == raw.OF_KEY:
        key = signer.key if signer.scope is Scope.SPEND and world.chance(0.5) else None
        return key or _spend_key(draft)
    first: bytes = signer.principal if target == raw.OF_PRINCIPAL else account
    if world.odd(0.08):
        first = world.pick((world.new_id(), world.pick(world.keys).principal))
    return first + (world.new_id() if world.odd(0.04) else bytes(16))


def _changed(draft: Draft, row: LimitRow) -> bytes:
    """Another amount, another zone or none, or the end of a limit."""
    world = draft.world
    if world.chance(0.35):
        return raw.limit(row.target, row.window, row.subject, row.unit, operation=raw.END)
    amount = _some_amount(draft)
    if world.chance(0.4):
        amount = world.pick(
            (row.amount, row.amount - 1, *[row.amount + 1] * 2, row.used, row.used + 1)
        )
    zone_id: bytes = row.zone
    if row.window in (LimitWindow.DAY, LimitWindow.MONTH) and world.chance(0.2):
        zone_id = _some_zone(draft)
    amount = max(0, min(amount, MAX_U128))
    return raw.limit(row.target, row.window, row.subject, row.unit, amount, zone_id=zone_id)


def _some_amount(draft: Draft) -> int:
    world = draft.world
    if world.odd(0.1):
        return world.pick((0, MAX_U128, MAX_U128 // 2))
    return world.pick((20, 100, 400, 3_000, 10**9, MAX_U128 // 8))


def _some_zone(draft: Draft) -> bytes:
    world = draft.world
    zones = [row.zone for row in world.state.zones]
    if world.odd(0.4):
        return world.new_id()
    return world.pick(zones) if zones and world.chance(0.8) else raw.ZERO_ID


def zone(draft: Draft) -> bytes:
    world, rng = draft.world, draft.world.rng
    name = world.pick(_BAD_NAMES) if world.odd(0.1) else world.pick(_NAMES)
    row = next((row for row in world.state.zones if row.name.encode() == name), None)
    version = 1 if row is None else row.version + 1
    if world.odd(0.3):
        version = max(0, version + world.pick((-1, 1)))
    now_ns = draft.about_ns
    from_ns = now_ns - rng.randrange(1, 400 * _DAY_S) * SECOND_NS
    ahead_s = world.pick((5, 60, 3 * _DAY_S, 40 * _DAY_S, 40 * _DAY_S, 80 * _DAY_S))
    horizon_ns = now_ns + ahead_s * SECOND_NS
    count = world.pick((0, 1, 2, 2, 3, 9))
    instants = sorted({now_ns + rng.randint(-40, 40) * SECOND_NS for _ in range(count)})
    instants = [at for at in instants if from_ns < at < horizon_ns or world.odd(0.1)]
    transitions = [(at, _near_midnight(draft)) for at in instants]
    if world.odd(0.05):
        from_ns, horizon_ns = horizon_ns, from_ns
    if world.odd(0.05):
        return raw.zone(name, version, from_ns, horizon_ns, _DAY_S + 1, transitions)
    return raw.zone(name, version, from_ns, horizon_ns, _near_midnight(draft), transitions)


def _near_midnight(draft: Draft) -> int:
    """An offset by which a day ends within some seconds."""
    second_of_day = draft.about_ns // SECOND_NS % _DAY_S
    return max(-_DAY_S, draft.world.rng.randint(-25, 8) - second_of_day)


def delegate(draft: Draft) -> bytes:
    world = draft.world
    key, parent = _spend_key(draft), _spend_key(draft)
    principal = draft.signer.principal
    under = [
        row
        for row in world.state.lines
        if row.parent != raw.NO_KEY and world.state.keys[row.key].principal == principal
    ]
    if under and world.odd(0.8):  # the other way round
        row = world.pick(under)
        return raw.delegate(row.parent, row.key)
    if draft.signer.scope is Scope.SPEND:
        children = [row.key for row in world.state.lines if row.parent == draft.signer.key]
        key = world.pick(children) if children and world.chance(0.7) else key
    if world.chance(0.1):
        parent = raw.NO_KEY
    return raw.delegate(key, parent)


def kill(draft: Draft) -> bytes:
    world = draft.world
    children = [row.key for row in world.state.lines if row.parent == draft.signer.key]
    if children and world.chance(0.6):
        return raw.kill(world.pick(children))
    return raw.kill(_spend_key(draft))


def has_spend_key(draft: Draft) -> bool:
    """Whether there is a key to delegate, and seldom: each KILL costs the ledger some."""
    world, principal = draft.world, draft.signer.principal
    spend = [row for row in world.keys if row.scope is Scope.SPEND and row.principal == principal]
    return len(spend) > 1 and world.chance(0.5)


def _spend_key(draft: Draft) -> bytes:
    """A SPEND key of the signer's principal, mostly."""
    world, principal = draft.world, draft.signer.principal
    own = [row for row in world.keys if row.scope is Scope.SPEND and row.principal == principal]
    active = [row for row in own if row.status is KeyStatus.ACTIVE]
    own = active if active and world.chance(0.8) else own
    if not own or world.odd(0.08):
        return world.pick(world.keys).key
    return world.pick(own).key
