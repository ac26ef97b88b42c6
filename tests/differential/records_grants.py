"""Random LIST, GRANT, CLAW_BACK and RELATION records; `records` draws among all kinds."""

from typing import Final

from tests.differential import raw, raw_grants
from tests.differential.draft import Draft, id_of, own_account, some_amount, some_reference
from tests.differential.population import SECOND_NS

from tallystick_ledger.ids import NameId
from tallystick_ledger.limits import MAX_GRANT_NS, MAX_LIST_IDS, MIN_GRANT_NS
from tallystick_ledger.state_rows import GrantRow

_KEY: Final = b"exclusivity key."
_RATIOS: Final = (1_000_000, 1_000_000, 500_000, 333_333, 1)


def id_list(draft: Draft) -> bytes:
    world = draft.world
    known: list[bytes] = [row.principal for row in world.state.principals]
    if world.chance(0.6):
        known = [row.name for row in world.state.names]
    ids = sorted({world.pick(known) for _ in range(world.rng.randint(1, 6))})
    if world.odd(0.1):
        ids = sorted(world.new_id() for _ in range(world.pick((100, MAX_LIST_IDS))))
    if world.odd(0.1):
        ids = list(reversed(ids)) if len(ids) > 1 else [raw.ZERO_ID]
    count = world.pick((0, 257, len(ids) + 8)) if world.odd(0.1) else len(ids)
    return raw_grants.id_list(ids, count)


def grant(draft: Draft) -> bytes:
    world = draft.world
    pool = own_account(draft)
    reference, flags = some_reference(draft)
    lifetime_ns = world.rng.randint(SECOND_NS, world.pick((10, 200, 10**6)) * SECOND_NS)
    if world.odd(0.2):
        edge_ns = world.pick((MIN_GRANT_NS, MAX_GRANT_NS))
        lifetime_ns = edge_ns + world.rng.randint(-1, 1)
    grantee = _some_principal(draft)
    registrar = raw.ZERO_ID
    if world.chance(0.3):
        registrar = _some_principal(draft)
        if registrar == grantee and not world.odd(0.5):
            registrar = raw.ZERO_ID
    return raw_grants.grant(
        id_of(draft, pool),
        grantee,
        some_amount(draft, pool),
        draft.about_ns + lifetime_ns,
        reference,
        flags=flags,
        priority=world.rng.randrange(3),
        ratio=world.pick((0, 1_000_001)) if world.odd(0.05) else world.pick(_RATIOS),
        cap=world.rng.randint(1, 20) if world.chance(0.3) else 0,
        providers=_some_list(draft, of_names=False),
        models=_some_list(draft, of_names=True),
        regions=_some_list(draft, of_names=True),
        registrar=registrar,
        exclusivity=_KEY if world.chance(0.2) else raw.ZERO_ID,
    )


def claw_back(draft: Draft) -> bytes:
    world = draft.world
    grants = _own_grants(draft)
    if not grants or world.odd(0.3):
        grants = list(world.state.grants)
        own = [row for row in grants if row.grantee == draft.signer.principal]
        grants = own if own and world.chance(0.5) else grants
    open_ = [row for row in grants if row.is_open]
    if open_ and world.chance(0.7):
        grants = open_
    return raw_grants.claw_back(world.pick(grants).grant if grants else world.new_id())


def relation(draft: Draft) -> bytes:
    world = draft.world
    parties = sorted((_some_principal(draft), _some_principal(draft)))
    operation = raw_grants.STATE
    own = [row for row in world.state.relations if row.registrar == draft.signer.principal]
    if own and world.chance(0.6):
        row = world.pick(own)
        parties, operation = [row.first, row.second], raw_grants.END
        operation = raw_grants.STATE if world.odd(0.5) else operation
    elif world.odd(0.4):
        operation = world.pick((0, 2, 2, 3))
    if world.odd(0.1):
        parties.reverse()
    return raw_grants.relation(parties, operation)


def has_room(draft: Draft) -> bool:
    """Whether the signer may have another account, and has money to set aside."""
    own = draft.world.by_owner.get(draft.signer.principal, [])
    is_room = len(own) < draft.world.state.genesis.caps.accounts
    return is_room and any(row.available > 0 and not row.flags for row in own)


def has_grant(draft: Draft) -> bool:
    """Whether there is something to claw back."""
    return any(row.is_open for row in _own_grants(draft))


def _own_grants(draft: Draft) -> list[GrantRow]:
    own = {row.account for row in draft.world.by_owner.get(draft.signer.principal, [])}
    return [row for row in draft.world.state.grants if row.pool_account in own]


def _some_principal(draft: Draft) -> bytes:
    """Mostly of somebody who can pay; sometimes anybody's, or none."""
    world = draft.world
    if world.odd(0.04):
        return world.new_id()
    rich = sorted(world.rich)
    if rich and not world.odd(0.1):
        return world.pick(rich)
    return world.pick(world.keys).principal


def _some_list(draft: Draft, *, of_names: bool) -> bytes:
    """None, mostly; else one whose ids are of this sort, or any, or none that is there."""
    world = draft.world
    if not world.chance(0.15):
        return raw.ZERO_ID
    lists = list(world.state.lists)
    fitting = [row for row in lists if (NameId(row.ids[0]) in world.state.names) == of_names]
    if fitting and not world.odd(0.2):
        return world.pick(fitting).list_id
    return world.pick(lists).list_id if lists and not world.odd(0.3) else world.new_id()
