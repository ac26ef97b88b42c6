"""Random MANDATE and MANDATE_END records; see `records`, which draws among all kinds."""

from tests.differential import raw
from tests.differential.draft import Draft, id_of, own_account
from tests.differential.population import MAX_U128, SECOND_NS

from tallystick_ledger.limits import MAX_MANDATE_NS, MIN_MANDATE_NS
from tallystick_ledger.state_rows import MandateRow


def mandate(draft: Draft) -> bytes:
    world = draft.world
    account = own_account(draft)
    cards = [row for row in world.state.cards if row.is_published or world.odd(0.2)]
    fitting = [row for row in cards if account is not None and row.unit == account.unit]
    card = world.pick(fitting or cards) if cards else None
    payees = [row.principal for row in world.state.principals]
    payee: bytes = world.pick(payees)
    if card is not None and world.chance(0.8):
        payee = card.owner
    if world.odd(0.06):
        payee = world.pick((raw.ZERO_ID, world.new_id()))
    named = card.card if card is not None and world.chance(0.6) else b""
    if world.odd(0.05):
        named = world.pick((raw.ZERO_ID, world.new_id(), named.ljust(20, b"\x01")))
    cap = world.pick((world.rng.randint(1, 12), world.rng.randint(1, 100), 10**9, MAX_U128))
    each = world.pick((cap, max(1, cap // 2), min(cap, 3)))
    if world.odd(0.08):
        cap, each = world.pick(((0, 1), (1, 0), (1, 2)))
    expires_at_ns = draft.about_ns + world.rng.randint(SECOND_NS, 20 * SECOND_NS)
    if world.odd(0.15):
        edge = world.pick((MIN_MANDATE_NS, MAX_MANDATE_NS))
        expires_at_ns = draft.about_ns + edge + world.rng.randint(-1, 1)
    return raw.mandate(id_of(draft, account), payee, cap, each, expires_at_ns, named)


def mandate_end(draft: Draft) -> bytes:
    row = some_mandate(draft, of_payee=draft.world.chance(0.4))
    return raw.mandate_end(draft.world.new_id() if row is None else row.mandate)


def some_mandate(draft: Draft, *, of_payee: bool) -> MandateRow | None:
    """One that the signer got or gave, mostly, and that is not over."""
    world = draft.world
    rows = list(world.state.mandates)
    mine = _own(draft, of_payee=of_payee)
    if not mine or world.odd(0.12):
        mine = rows
    if not mine or world.odd(0.05):
        return None
    good = [row for row in mine if not row.is_over(draft.about_ns)]
    return world.pick(good) if good and world.chance(0.85) else world.pick(mine)


def has_mandate(draft: Draft, *, of_payee: bool) -> bool:
    """Whether the signer may meter under one, or has given one."""
    return bool(_own(draft, of_payee=of_payee))


def _own(draft: Draft, *, of_payee: bool) -> list[MandateRow]:
    principal = draft.signer.principal
    own = {row.account for row in draft.world.by_owner.get(principal, [])}
    rows = draft.world.state.mandates
    if of_payee:
        return [row for row in rows if row.payee == principal]
    return [row for row in rows if row.payer_account in own]
