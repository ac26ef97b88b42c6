"""Random RESERVE and METER records under quotes; see `records`, which draws among all kinds.

Quotes are made off the ledger, by whoever sells; `World.offers` keeps them, so that they are
redeemed again, by the wrong principal, too late, or without being sent along.
"""

from tests.differential import raw, raw_quotes
from tests.differential.draft import Draft, id_of, own_account, some_amount, some_reference
from tests.differential.population import MAX_U128, SECOND_NS, Offer
from tests.differential.records_prices import names

from tallystick_ledger.ids import QuoteId
from tallystick_ledger.limits import MAX_QUOTE_NS
from tallystick_ledger.records import NameKind, Scope
from tallystick_ledger.state_rows import AccountRow

_DOMAIN = b"tallystick/quote/v1\0"


def reserve_quote(draft: Draft) -> bytes:
    """A hold that a quote prices."""
    world = draft.world
    payer = own_account(draft)
    offer = _some_offer(draft, payer)
    payee = _payee(draft, offer, id_of(draft, payer))
    expires_at_ns = draft.about_ns + world.rng.randint(SECOND_NS, 10 * SECOND_NS)
    longest_ns = draft.about_ns + world.state.genesis.hold_max_lifetime_ns
    maximum = some_amount(draft, payer)
    if world.chance(0.5):
        maximum = min(maximum, world.rng.randint(1, 30))
    flat = raw.reserve(id_of(draft, payer), payee, maximum, min(expires_at_ns, longest_ns))
    world.fresh_holds.append(draft.own_id)
    model = offer.lines[0][0] if not world.chance(0.06) else world.new_id()
    tiers = sorted(names(world, NameKind.TIER))[: world.pick((0, 0, 1))]
    overrun = world.pick((raw.REJECT, raw.CAP, raw.DEBT))
    limit = world.pick((1, 5, 20)) if overrun == raw.DEBT else 0
    quote = raw.ZERO_ID if world.odd(0.04) else offer.quote
    terms = raw.terms(quote, model, tiers, (), world.new_id(), overrun, limit)
    return raw_quotes.quoted(flat, terms, _along(draft, offer))


def meter_quote(draft: Draft) -> bytes:
    """A usage under a quote, mostly for what it costs."""
    world = draft.world
    payer = own_account(draft)
    offer = _some_offer(draft, payer)
    model, meter, price, tier = world.pick(offer.lines)
    quantity = world.rng.randint(1, 9)
    if payer is not None and world.chance(0.2):
        quantity = min((1 << 64) - 1, max(1, payer.available))
    amount = (quantity * price + 500_000) // 1_000_000
    if world.chance(0.12):
        amount = world.pick((amount + 1, 1, 2))
    if world.chance(0.06):
        meter = world.new_id()
    used = raw.usage([(meter, quantity)], tier)
    content = raw.metered(offer.quote, model, used, world.new_id())
    reference, flags = some_reference(draft)
    payee = _payee(draft, offer, id_of(draft, payer))
    amount = min(MAX_U128, amount)
    flat = raw.meter(id_of(draft, payer), payee, amount, content, reference, flags=flags)
    record = raw_quotes.meter_quoted(flat, content, _along(draft, offer))
    return raw.patched(record, 7, b"\x02") if world.odd(0.03) else record


def can_redeem(draft: Draft) -> bool:
    """Whether the signer has money, and somebody can name a model."""
    world = draft.world
    own = world.by_owner.get(draft.signer.principal, [])
    has_money = any(row.available > 0 and not row.flags for row in own)
    return has_money and bool(names(world, NameKind.MODEL) and names(world, NameKind.METER))


def _some_offer(draft: Draft, payer: AccountRow | None) -> Offer:
    """One that was made for the signer, mostly."""
    world = draft.world
    mine = [offer for offer in world.offers if offer.beneficiary == draft.signer.principal]
    if payer is not None and not world.odd(0.1):
        mine = [offer for offer in mine if offer.unit == payer.unit]
    if world.offers and world.odd(0.12):
        mine = world.offers
    if mine and world.chance(0.7):
        return world.pick(mine)
    offer = _new_offer(draft, payer)
    world.offers.append(offer)
    del world.offers[:-30]
    return offer


def _new_offer(draft: Draft, payer: AccountRow | None) -> Offer:
    world = draft.world
    able = [row for row in world.keys if row.key in world.signing_keys]
    good = [row for row in able if row.scope in (Scope.OWNER, Scope.PRICE)]
    if not good or world.odd(0.15):
        good = able
    signer = world.pick(good)
    model = world.pick(names(world, NameKind.MODEL) or [world.new_id()])
    meters = sorted(names(world, NameKind.METER)) or [world.new_id()]
    tiers = [raw.ZERO_ID, raw.ZERO_ID, *names(world, NameKind.TIER)]
    tier = world.pick(tiers)
    lines = [(model, meter, world.pick((1_000_000, 333_333)), tier) for meter in meters[:2]]
    encoded = [
        raw_quotes.quote_line(model, meter, price, tier) for model, meter, price, tier in lines
    ]
    if world.odd(0.06):
        encoded = world.pick((encoded * 17, [], encoded[::-1] + encoded[:1], encoded * 2))
    units = [row.unit for row in world.state.units]
    unit: bytes = world.pick(units)
    if payer is not None and not world.odd(0.1):
        unit = payer.unit
    if world.odd(0.06):
        unit = world.new_id()
    not_after_ns = draft.about_ns + world.pick((SECOND_NS, 5 * SECOND_NS, 60 * SECOND_NS))
    if world.odd(0.1):
        edge_ns = world.pick((0, 0, MAX_QUOTE_NS, 2 * MAX_QUOTE_NS))
        not_after_ns = draft.about_ns + edge_ns + world.rng.randint(-1, 1)
    cap = world.pick((world.rng.randint(1, 20), world.rng.randint(1, 200), MAX_U128))
    if world.odd(0.04):
        cap = 0
    beneficiary = draft.signer.principal
    body = raw_quotes.quote_body(
        signer.key, beneficiary, unit, cap, not_after_ns, encoded, world.new_id()
    )
    ledger_id = world.ledger_id if not world.chance(0.08) else world.rng.randbytes(32)
    signature = world.signing_keys[signer.key].sign(_DOMAIN + ledger_id + body)
    content = raw_quotes.quote(body, signature)
    if world.odd(0.05):
        content = raw.patched(content, world.pick((2, 0)), b"\x01")
    return Offer(raw_quotes.quote_id(body), content, beneficiary, signer.principal, unit, lines)


def _along(draft: Draft, offer: Offer) -> bytes:
    """The quote itself: always the first time, mostly; sometimes later."""
    world = draft.world
    is_known = QuoteId(offer.quote) in world.state.quotes
    if world.chance(0.4 if is_known else 0.06):
        return b""
    return offer.content


def _payee(draft: Draft, offer: Offer, payer: bytes) -> bytes:
    world = draft.world
    rows = world.accounts
    if not world.chance(0.1):
        own = [row for row in rows if row.owner == offer.provider and row.account != payer]
        fitting = [row for row in own if row.unit == offer.unit and not row.flags]
        rows = fitting or own or rows
    return world.pick(rows).account if rows else world.new_id()
