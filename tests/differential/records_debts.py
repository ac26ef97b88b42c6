"""Random PAY_CLAIM records; see `records`, which draws among all kinds."""

from tests.differential import raw
from tests.differential.draft import Draft, id_of, own_account
from tests.differential.population import MAX_U128

from tallystick_ledger.state_rows import AccountRow, ClaimRow


def pay_claim(draft: Draft) -> bytes:
    """Pays one of the signer's claims, or waives one that is owed to the signer."""
    world = draft.world
    own = _own(draft)
    claim = _some_claim(draft)
    if claim is None:
        return raw.pay_claim(world.new_id(), 1, id_of(draft, own_account(draft)))
    is_payee = claim.payee_account in own and claim.payer_account not in own
    if world.chance(0.35) if is_payee else world.odd(0.1):
        record = raw.waive_claim(claim.claim)
        return raw.patched(record, world.pick((24, 40)), b"\x01") if world.odd(0.1) else record
    amount = max(1, world.rng.randint(1, max(1, claim.rest)) // world.pick((1, 3, 10)))
    if world.chance(0.4):
        above = claim.rest + 1
        amount = min(MAX_U128, world.pick((0, claim.rest, above, above, above)))
    debit = id_of(draft, _paying_account(draft, claim))
    operation = world.pick((0, 3)) if world.odd(0.1) else raw.PAY
    return raw.pay_claim(claim.claim, amount, debit, operation=operation)


def has_claim(draft: Draft) -> bool:
    """Whether the signer owes, or is owed."""
    return bool(_own_claims(draft))


def owed_by(draft: Draft) -> list[ClaimRow]:
    """The open claims against the signer."""
    own = _own(draft)
    return [row for row in _own_claims(draft) if row.is_open and row.payer_account in own]


def _own(draft: Draft) -> set[bytes]:
    return {row.account for row in draft.world.by_owner.get(draft.signer.principal, [])}


def _own_claims(draft: Draft) -> list[ClaimRow]:
    own = _own(draft)
    rows = draft.world.state.claims
    return [row for row in rows if own & {row.payer_account, row.payee_account}]


def _some_claim(draft: Draft) -> ClaimRow | None:
    world = draft.world
    mine = _own_claims(draft)
    if not mine or world.odd(0.1):
        mine = list(world.state.claims)
    if not mine or world.odd(0.05):
        return None
    open_ = [row for row in mine if row.is_open]
    return world.pick(open_) if open_ and world.chance(0.7) else world.pick(mine)


def _paying_account(draft: Draft, claim: ClaimRow) -> AccountRow | None:
    """Mostly one of the claim's unit, with money."""
    world = draft.world
    payee = world.state.accounts[claim.payee_account]
    if world.odd(0.05):
        return payee
    own = world.by_owner.get(draft.signer.principal, [])
    fitting = [row for row in own if row.unit == payee.unit and row.account != payee.account]
    if fitting and not world.odd(0.2):
        rich = [row for row in fitting if row.available > 0]
        return world.pick(rich) if rich and world.chance(0.8) else world.pick(fitting)
    return own_account(draft)
