"""Random RECOVER and VETO records; see `records`, which draws among all kinds."""

from tests.differential import raw_recovery
from tests.differential.draft import Draft

from tallystick_ledger.limits import MAX_RECOVERY_NS, MAX_U64, MIN_RECOVERY_NS


def recover(draft: Draft) -> bytes:
    """Mostly after the least delay, which a block reaches sooner."""
    world = draft.world
    key = world.pick(world.keys).key if world.odd(0.15) else world.new_key()
    announced = [row.key for row in world.state.recoveries]
    if announced and world.odd(0.15):
        key = world.pick(announced)
    principal_id: bytes = draft.signer.principal
    if world.odd(0.1):
        principal_id = world.pick(world.keys).principal
    delay_ns = MIN_RECOVERY_NS + world.pick((0, 0, 1, world.rng.randrange(10**9)))
    if world.odd(0.2):
        edges = (0, MIN_RECOVERY_NS - 1, MAX_RECOVERY_NS, MAX_RECOVERY_NS + 1, MAX_U64)
        delay_ns = world.pick(edges)
    return raw_recovery.recover(key, principal_id, delay_ns)


def veto(draft: Draft) -> bytes:
    """Of what is pending for the signer's principal, mostly."""
    world = draft.world
    row = world.state.recoveries.get(draft.signer.principal)
    if row is not None and not world.odd(0.1):
        return raw_recovery.veto(row.key)
    others = [row.key for row in world.state.recoveries]
    return raw_recovery.veto(
        world.pick(others) if others and world.chance(0.5) else world.new_key()
    )


def can_veto(draft: Draft) -> bool:
    """Whether something is pending, and seldom: others have to take effect."""
    is_pending = draft.signer.principal in draft.world.state.recoveries
    return is_pending and draft.world.chance(0.4)
