"""What a random record is drawn from: who writes it, and the accounts, amounts and ids to name."""

from dataclasses import dataclass

from tests.differential import raw
from tests.differential.population import MAX_U128, World, is_plain

from tallystick_ledger.state_rows import AccountFlags, AccountRow, HoldRow, KeyRow


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known about the record that is to be written."""

    world: World
    signer: KeyRow
    envelope_id: bytes
    index: int
    about_ns: int

    @property
    def own_id(self) -> bytes:
        return self.world.derived(self.signer.principal, self.envelope_id, self.index)


def own_account(draft: Draft) -> AccountRow | None:
    """An account of the signer, mostly one with money; sometimes a stranger's, or none."""
    world = draft.world
    own = world.by_owner.get(draft.signer.principal, [])
    if world.odd(0.06) or not own:
        return world.pick(world.accounts) if world.accounts and world.chance(0.7) else None
    unusual = (
        AccountFlags.ISSUANCE if world.odd(0.2) else AccountFlags.ISSUANCE | AccountFlags.GRANT
    )
    ordinary = [row for row in own if not row.flags & unusual]
    funded = [row for row in ordinary if row.available > 0 and is_plain(row)]
    if funded and world.chance(0.7):
        return world.pick(funded)
    return world.pick(ordinary) if ordinary and world.chance(0.8) else world.pick(own)


def other_account(draft: Draft, first: AccountRow | None) -> bytes:
    """An account of the same unit, mostly; sometimes the same account, another unit's, or none."""
    world = draft.world
    if world.fresh_accounts and world.chance(0.05):
        return world.pick(world.fresh_accounts)[0]
    if first is None or world.odd(0.08) or not world.accounts:
        return world.pick(world.accounts).account if world.accounts else world.new_id()
    if world.odd(0.03):
        return first.account
    if world.odd(0.03):
        return world.new_id()
    same = [
        row.account
        for row in world.accounts
        if row.unit == first.unit
        and row.account != first.account
        and (is_plain(row) or world.odd(0.5))
    ]
    return world.pick(same) if same else world.new_id()


def id_of(draft: Draft, row: AccountRow | None) -> bytes:
    world = draft.world
    if row is None and world.fresh_accounts and world.chance(0.5):
        return world.pick(world.fresh_accounts)[0]
    return world.new_id() if row is None else row.account


def some_amount(draft: Draft, row: AccountRow | None) -> int:
    world = draft.world
    small = world.rng.randint(1, 100)
    if row is None or not world.odd(0.6):
        if world.odd(0.15):
            return world.pick((0, MAX_U128))
        return small if row is None else max(1, min(small, row.available // 2))
    available = max(0, row.available)
    edges = (
        available,
        available // 2,
        available // 3,
        available + 1,
        available + row.debits_pending,
        available + row.debits_pending + 1,
    )
    return min(MAX_U128, world.pick(edges))


def some_reference(draft: Draft) -> tuple[int, int]:
    """(reference, flags): few different ones, so that they come again."""
    world = draft.world
    if world.chance(0.3):
        reference = 0 if world.odd(0.1) else world.rng.randint(1, 8)
        return reference, raw.UNIQUE
    return world.pick((0, 1, MAX_U128)), 0


def some_hold(draft: Draft) -> tuple[bytes, HoldRow | None]:
    """A hold that the signer may capture, mostly; sometimes an ended one, a stranger's, or none."""
    world = draft.world
    if world.fresh_holds and world.chance(0.15):
        return world.pick(world.fresh_holds), None
    if world.odd(0.03) or not world.holds:
        return world.new_id(), None
    own = {row.account for row in world.by_owner.get(draft.signer.principal, [])}
    payable = [row for row in world.holds if row.payee_account in own]
    if payable and world.chance(0.88):
        open_ = [row for row in payable if row.is_open]
        row = world.pick(open_) if open_ and world.chance(0.75) else world.pick(payable)
    else:
        row = world.pick(world.holds)
    return row.hold, row
