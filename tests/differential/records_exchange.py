"""Random TRANSFERs that take an exchange quote; see `records`, which draws among all kinds.

Quotes are made off the ledger, by whoever has two units; `World.bids` keeps them, so that they are
taken again, by the wrong principal, too late, or after their key was revoked.
"""

from tests.differential import raw, raw_exchange
from tests.differential.draft import Draft, id_of, own_account, some_amount, some_reference
from tests.differential.population import MAX_U128, SECOND_NS, Bid, is_plain

from tallystick_ledger.limits import MAX_EXCHANGE_NS
from tallystick_ledger.records import Scope
from tallystick_ledger.state_rows import AccountFlags, AccountRow, KeyRow, KeyStatus

_RATIOS = ((1, 1), (3, 2), (1, 7), (1_000_000, 999_999), (MAX_U128, MAX_U128), (MAX_U128, 1))


def exchange(draft: Draft) -> bytes:
    """Pays in one unit for another, mostly what the quote asks for."""
    world = draft.world
    debit = own_account(draft)
    for _ in range(3):
        if debit is None or not debit.flags or world.odd(0.1):
            break
        debit = own_account(draft)
    bid = _some_bid(draft, debit)
    amount = some_amount(draft, debit)
    give, take = bid.ratio
    if world.chance(0.3):
        amount = max(1, min(amount, world.rng.randint(0, 2 * bid.cap) * take // max(1, give)))
    output = amount * give // max(1, take)
    if world.odd(0.12):
        output += world.pick((-1, 1))
    amount, output = min(MAX_U128, amount), min(MAX_U128, max(0, output))
    if world.chance(0.5):
        output = max(1, output)
    reference, flags = some_reference(draft)
    credit = bid.taking if not world.odd(0.03) else world.pick(world.accounts).account
    flat = raw.transfer(id_of(draft, debit), credit, amount, reference, flags=flags)
    record = raw_exchange.exchanged(flat, _receiving(draft, bid), output, bid.quote)
    if world.odd(0.02):
        return raw.with_conts(record[:128], [record[136:240]] * world.pick((1, 2, 4)))
    return record


def can_exchange(draft: Draft) -> bool:
    """Whether the signer has money of one unit, and an account of another."""
    own = draft.world.by_owner.get(draft.signer.principal, [])
    plain = [row for row in own if not row.flags]
    return any(row.available > 0 for row in plain) and len({row.unit for row in plain}) > 1


def _some_bid(draft: Draft, debit: AccountRow | None) -> Bid:
    """A quote that takes the unit of the account, mostly."""
    world = draft.world
    me = draft.signer.principal
    bids = [bid for bid in world.bids if bid.maker != me and bid.taker in (raw.ZERO_ID, me)]
    if debit is not None and not world.odd(0.1):
        units = _own_units(draft)
        bids = [bid for bid in bids if bid.takes == debit.unit and bid.gives in units]
    if world.odd(0.05):
        bids = world.bids
    if bids and world.chance(0.6):
        return world.pick(bids)
    bid = _new_bid(draft, debit)
    world.bids.append(bid)
    del world.bids[:-30]
    return bid


def _new_bid(draft: Draft, debit: AccountRow | None) -> Bid:
    world = draft.world
    key = _maker_key(draft, debit)
    own = world.by_owner.get(key.principal, []) or world.accounts
    giving, taking = _pair(draft, own, debit)
    give, take = world.pick(_RATIOS) if world.odd(0.3) else world.pick(_RATIOS[:4])
    if world.odd(0.02):
        give, take = world.pick(((0, 1), (1, 0)))
    cap = world.pick((world.rng.randint(1, 30), world.rng.randint(1, 300), MAX_U128))
    if world.odd(0.03):
        cap = 0
    not_after_ns = draft.about_ns + world.pick((SECOND_NS, 5 * SECOND_NS, 60 * SECOND_NS))
    if world.odd(0.1):
        edge_ns = world.pick((0, 0, MAX_EXCHANGE_NS, 2 * MAX_EXCHANGE_NS))
        not_after_ns = draft.about_ns + edge_ns + world.rng.randint(-1, 1)
    taker = raw.ZERO_ID if world.chance(0.5) else draft.signer.principal
    body = raw_exchange.body(
        key.key,
        (giving.account, taking.account),
        (give, take),
        cap,
        not_after_ns,
        taker=taker,
        nonce=world.new_id(),
    )
    ledger_id = world.ledger_id if not world.chance(0.06) else world.rng.randbytes(32)
    signature = world.signing_keys[key.key].sign(raw_exchange.DOMAIN + ledger_id + body)
    return Bid(
        body + signature,
        key.principal,
        taker,
        giving.unit,
        taking.account,
        taking.unit,
        (give, take),
        min(cap, 1_000),
    )


def _maker_key(draft: Draft, debit: AccountRow | None) -> KeyRow:
    """A key that can sign: mostly a good one of somebody else's, who has what is wanted."""
    world = draft.world
    able = [row for row in world.keys if row.key in world.signing_keys]
    good = [
        row
        for row in able
        if row.scope in (Scope.OWNER, Scope.SPEND)
        and row.status is KeyStatus.ACTIVE
        and row.principal in world.rich
        and row.principal != draft.signer.principal
    ]
    fitting = [row for row in good if debit is not None and _has_both(draft, row, debit.unit)]
    if fitting and world.chance(0.9):
        good = fitting
    return world.pick(able if world.odd(0.12) or not good else good)


def _has_both(draft: Draft, key: KeyRow, takes: bytes) -> bool:
    """Whether a maker can be paid in one unit, and has money in another of the signer's."""
    own = draft.world.by_owner.get(key.principal, [])
    plain = [row for row in own if not row.flags]
    wanted = _own_units(draft) - {takes}
    has_money = any(row.available > 0 and row.unit in wanted for row in plain)
    return has_money and any(row.unit == takes for row in plain)


def _pair(
    draft: Draft, own: list[AccountRow], debit: AccountRow | None
) -> tuple[AccountRow, AccountRow]:
    """From which account the maker gives, and to which it takes."""
    world = draft.world
    plain = [row for row in own if not row.flags] or own
    if world.odd(0.12):
        plain = own
    takes = None if debit is None else debit.unit
    taking = [row for row in plain if row.unit == takes]
    taken = world.pick(taking if taking and not world.odd(0.05) else plain)
    giving = [row for row in plain if row.unit != taken.unit]
    wanted = [row for row in giving if row.unit in _own_units(draft)]
    if wanted and not world.odd(0.1):
        giving = wanted
    funded = [row for row in giving if row.available > 0]
    if funded and world.chance(0.85):
        giving = funded
    return world.pick(giving if giving and not world.odd(0.05) else plain), taken


def _own_units(draft: Draft) -> set[bytes]:
    own = draft.world.by_owner.get(draft.signer.principal, [])
    return {row.unit for row in own if not row.flags}


def _receiving(draft: Draft, bid: Bid) -> bytes:
    """An account of the signer of the unit that is given, mostly."""
    world = draft.world
    own = world.by_owner.get(draft.signer.principal, [])
    if world.odd(0.04) or not own:
        return world.pick(world.accounts).account if world.accounts else world.new_id()
    fitting = [row for row in own if row.unit == bid.gives and is_plain(row)]
    if world.odd(0.15):
        fitting = [row for row in own if not row.flags & AccountFlags.ISSUANCE]
    return world.pick(fitting or own).account
