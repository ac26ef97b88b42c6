"""Random records of rate cards and of the holds that they price.

A card takes several records that fit each other: `CardPlan` remembers which lines a draft is still
to get, so that some cards are really published, and others lack a line or have a wrong one.
"""

from collections.abc import Sequence
from typing import Final

from tests.differential import raw
from tests.differential.draft import Draft, id_of, own_account, some_amount, some_hold
from tests.differential.population import MAX_U128, SECOND_NS, CardPlan, World

from tallystick_ledger import pricing
from tallystick_ledger.ids import NameId, QuoteId
from tallystick_ledger.records import NameKind, ReserveMode
from tallystick_ledger.state_rows import AccountRow, CardRow, HoldRow, HoldStatus, TermsRow

MAX_U64: Final = (1 << 64) - 1
NOTICE_NS: Final = 60 * SECOND_NS
WINDOWS: Final = (
    raw.ALWAYS,
    raw.ALWAYS,
    raw.ALWAYS,
    (0, 720, 0x7F),
    (720, 1440, 0x7F),
    (1320, 120, 0x55),
    (0, 1440, 0x2A),
)
BAD_WINDOWS: Final = ((1440, 1, 1), (0, 0, 1), (0, 1441, 1), (0, 1, 0), (0, 1, 0x80))


def names(world: World, kind: NameKind) -> list[bytes]:
    return [row.name for row in world.state.names if row.name_kind is kind]


def card(draft: Draft) -> bytes:
    world = draft.world
    models, meters = names(world, NameKind.MODEL), names(world, NameKind.METER)
    lines = []
    if models and meters:
        count = world.pick((1, 1, 2, 3))
        lines = [_line(draft, models, meters) for _ in range(count)]
        if world.chance(0.2):
            lines.append(lines[-1])
    units = [row.unit for row in world.state.units]
    own = [row.unit for row in world.by_owner.get(draft.signer.principal, [])]
    unit = world.pick(own or units) if units and not world.odd(0.1) else world.new_id()
    effective_from_ns = draft.about_ns + NOTICE_NS + world.rng.randrange(2 * SECOND_NS)
    if world.odd(0.3):
        effective_from_ns = draft.about_ns + world.pick((0, NOTICE_NS - SECOND_NS))
    cards = [row for row in world.state.cards if row.owner == draft.signer.principal]
    supersedes = raw.ZERO_ID
    if not world.odd(0.3):
        cards = [row for row in cards if row.is_published]
    if cards and world.chance(0.5):
        supersedes = world.pick(cards).card
    elif world.odd(0.15):
        others = [row.card for row in world.state.cards]
        supersedes = world.pick(others) if others else world.new_id()
    counted = sorted(set(meters))[: world.pick((0, 1, 2, 2))]
    if world.odd(0.1):
        counted = world.pick(([world.new_id()], counted[::-1], [raw.ZERO_ID]))
    root = raw.lines_root(lines) if not world.chance(0.15) else world.rng.randbytes(32)
    count = world.pick((0, 4097, len(lines) + 1)) if world.odd(0.1) else len(lines)
    if lines:
        world.card_plans.setdefault(draft.signer.principal, []).append(
            CardPlan(draft.own_id, lines)
        )
    record = raw.card(unit, effective_from_ns, count, root, counted, supersedes)
    return raw.with_conts(record[:128], []) if world.odd(0.05) else record


def _line(draft: Draft, models: list[bytes], meters: list[bytes]) -> bytes:
    world = draft.world
    tiers, regions = names(world, NameKind.TIER), names(world, NameKind.REGION)
    meter = world.pick(meters)
    flags, same_as = 0, raw.ZERO_ID
    amount = world.pick((500_000, 1_000_000, 3_333_333, 1))
    if world.chance(0.15):
        flags, same_as, amount = raw.SAME_AS, world.pick(meters), 0
    elif world.chance(0.1):
        flags, amount = raw.FREE, 0
    elif world.odd(0.1):
        flags, amount = world.pick(((0, 0), (raw.FREE, 1), (12, 0), (0, MAX_U128)))
    window = world.pick(BAD_WINDOWS) if world.odd(0.05) else world.pick(WINDOWS)
    return raw.price(
        draft.own_id,
        world.pick(models) if not world.chance(0.06) else world.pick(meters),
        meter,
        amount,
        tier=world.pick(tiers) if tiers and world.chance(0.25) else raw.ZERO_ID,
        region=world.pick(regions) if regions and world.chance(0.25) else raw.ZERO_ID,
        above=world.pick((0, 0, 0, 5)),
        window=window,
        flags=flags,
        same_as=same_as,
    )


def price(draft: Draft) -> bytes:
    """The next line of one of the signer's drafts, mostly."""
    world = draft.world
    plans = [plan for plan in world.card_plans.get(draft.signer.principal, []) if plan.lines]
    if plans and not world.odd(0.15):
        plan = plans[-1]
        return plan.lines.pop(0)
    models, meters = names(world, NameKind.MODEL), names(world, NameKind.METER)
    if not models or not meters:
        return raw.price(world.new_id(), world.new_id(), world.new_id(), 1)
    record = raw.patched(_line(draft, models, meters), 8, _some_card(draft))
    return raw.with_conts(record[:128], []) if world.chance(0.1) else record


def card_publish(draft: Draft) -> bytes:
    world = draft.world
    plans = world.card_plans.get(draft.signer.principal, [])
    whole = [plan for plan in plans if not plan.lines]
    if whole and not world.odd(0.3):
        plan = whole[-1]
        if world.chance(0.6):
            plans.remove(plan)
        return raw.card_publish(plan.card)
    return raw.card_publish(_some_card(draft))


def _some_card(draft: Draft) -> bytes:
    world = draft.world
    cards = [row for row in world.state.cards if row.owner == draft.signer.principal]
    if not cards or world.odd(0.1):
        cards = list(world.state.cards)
    return world.pick(cards).card if cards and not world.odd(0.05) else world.new_id()


def reserve_card(draft: Draft) -> bytes:
    """A priced hold, mostly for the owner of the card that it names."""
    world = draft.world
    payer = own_account(draft)
    row = some_card(draft, payer)
    card_id = world.new_id() if row is None else row.card
    payee = payee_of(draft, row, id_of(draft, payer))
    expires_at_ns = draft.about_ns + world.rng.randint(SECOND_NS, 10 * SECOND_NS)
    longest_ns = draft.about_ns + world.state.genesis.hold_max_lifetime_ns
    terms = _terms(draft, card_id)
    amount = some_amount(draft, payer)
    if terms[176] == raw.DEBT and payer is not None and world.chance(0.6):
        amount = max(1, payer.available)  # so that what is above it becomes a claim
    record = raw.reserve(id_of(draft, payer), payee, amount, min(expires_at_ns, longest_ns))
    world.fresh_holds.append(draft.own_id)
    if world.odd(0.05):
        terms = raw.patched(terms, 176, raw.u16(world.pick((0, 3, 4))))
    if world.odd(0.05):
        terms += world.pick((b"\x01", b"\0"))
    return raw.priced(record, terms)


def some_card(draft: Draft, payer: AccountRow | None) -> CardRow | None:
    """A card in force, mostly, that prices in the unit of the payer's account."""
    world = draft.world
    cards = [row for row in world.state.cards if row.is_effective(draft.about_ns)]
    if not cards or world.chance(0.25):
        over = [row for row in world.state.cards if not row.is_effective(draft.about_ns)]
        published = [row for row in over if row.is_published]
        cards = published if published and world.chance(0.8) else list(world.state.cards)
    if payer is not None and not world.odd(0.1):
        cards = [row for row in cards if row.unit == payer.unit] or cards
    return world.pick(cards) if cards and not world.odd(0.04) else None


def payee_of(draft: Draft, card_row: CardRow | None, payer: bytes) -> bytes:
    """An account of the card's owner, mostly."""
    world = draft.world
    rows = world.accounts
    if card_row is not None and not world.chance(0.3):
        own = [row for row in rows if row.owner == card_row.owner and row.account != payer]
        fitting = [row for row in own if row.unit == card_row.unit and not row.flags]
        rows = fitting or own or rows
    return world.pick(rows).account if rows else world.new_id()


def _terms(draft: Draft, card_id: bytes) -> bytes:
    world = draft.world
    lines = [line for line in world.state.price_lines if line.card == card_id]
    models = names(world, NameKind.MODEL) or [world.new_id()]
    model: bytes = world.pick(lines).model if lines else world.pick(models)
    if world.chance(0.06):
        model = world.new_id()
    tiers = sorted(names(world, NameKind.TIER))[: world.pick((0, 0, 1, 2))]
    regions = sorted(names(world, NameKind.REGION))[: world.pick((0, 0, 1))]
    if world.odd(0.05):
        tiers = [world.new_id()] * 2
    overrun = world.pick((raw.REJECT, raw.CAP, raw.DEBT, raw.DEBT))
    limit = world.pick((1, 20, 20, 10**6, MAX_U128)) if overrun == raw.DEBT else 0
    if world.odd(0.04):
        limit = 0 if limit else 1
    return raw.terms(card_id, model, tiers, regions, world.new_id(), overrun, limit)


def capture_usage(draft: Draft) -> bytes:
    """A capture with usage, mostly of a priced hold and with the amount that it costs."""
    world = draft.world
    hold, row = _priced_hold(draft)
    terms = None if row is None else world.state.terms.get(row.hold)
    meters = sorted(names(world, NameKind.METER))
    if terms is not None and not world.chance(0.1):
        lines = _lines_of(world, terms)
        priced = sorted({line.meter for line in lines if line.model == terms.model})
        meters = list(priced) or meters
    count = world.pick((1, 1, 2))
    used = [(meter, world.rng.randint(1, 9)) for meter in meters[:count]]
    tier = world.pick(terms.tiers) if terms is not None and terms.tiers else raw.ZERO_ID
    region = world.pick(terms.regions) if terms is not None and terms.regions else raw.ZERO_ID
    if world.chance(0.3):
        tier = world.pick([*names(world, NameKind.TIER), raw.ZERO_ID, world.new_id()])
    if row is not None and row.rest and world.chance(0.5):
        used = [(meter, min(MAX_U64, row.maximum)) for meter, _ in used]
    if row is not None and terms is not None and terms.debt_limit and world.chance(0.6):
        used = _beyond(world, row, terms, used[:1], tier, region) or used
    if world.odd(0.08):
        used = world.pick(([], used[::-1], [(meter, 0) for meter, _ in used], used * 17))
    amount = _cost(world, row, terms, used, tier, region)
    if amount is None or world.chance(0.25):
        amount = world.pick(((amount or 1) + 1, 1, 2, 3))
    is_late = row is not None and row.status is HoldStatus.EXPIRED
    record = raw.capture(
        hold,
        min(amount, MAX_U128),
        flags=raw.FINAL if world.chance(0.8 if is_late else 0.3) else 0,
        source=world.pick((0, 4)) if world.odd(0.05) else 1,
    )
    content = raw.usage(used, tier, region)
    if world.odd(0.04):
        content = raw.patched(content, 35, b"\x01")
    return raw.used(record, content)


def _priced_hold(draft: Draft) -> tuple[bytes, HoldRow | None]:
    world = draft.world
    own = {row.account for row in world.by_owner.get(draft.signer.principal, [])}
    priced = [row for row in world.holds if row.hold in world.state.terms]
    payable = [row for row in priced if row.payee_account in own]
    open_ = [row for row in payable if row.is_open]
    late = [row for row in payable if _may_come_late(world, row)]
    debts = [row for row in open_ if world.state.terms[row.hold].debt_limit]
    for rows in (late, debts):
        if rows and world.chance(0.3):
            row = world.pick(rows)
            return row.hold, row
    if payable and not world.odd(0.2):
        row = world.pick(open_) if open_ and world.chance(0.8) else world.pick(payable)
        return row.hold, row
    return some_hold(draft)


def _beyond(
    world: World,
    row: HoldRow,
    terms: TermsRow,
    used: list[tuple[bytes, int]],
    tier: bytes,
    region: bytes,
) -> list[tuple[bytes, int]] | None:
    """A usage that costs more than the maximum, mostly within the debt limit."""
    above = world.rng.randint(0, min(terms.debt_limit, 50) + 1)
    target = max(row.maximum + above, row.captured + terms.beyond)
    for quantity in (target, 2 * target, target * 3 // 10):
        more = [(meter, max(1, min(MAX_U64, quantity))) for meter, _ in used]
        cost = _cost(world, row, terms, more, tier, region)
        if cost is not None and row.maximum < cost <= row.maximum + terms.debt_limit + 1:
            return more
    return None


def _may_come_late(world: World, row: HoldRow) -> bool:
    is_expired = row.status is HoldStatus.EXPIRED
    return is_expired and bool(world.state.terms[row.hold].debt_limit)


def _cost(
    world: World,
    row: HoldRow | None,
    terms: TermsRow | None,
    used: list[tuple[bytes, int]],
    tier: bytes,
    region: bytes,
) -> int | None:
    """What the usage costs by the hold's card, if it can be priced."""
    if row is None or terms is None:
        return None
    if row.mode is ReserveMode.QUOTE:
        circumstances = pricing.Served(terms.model, NameId(tier), NameId(region), 0)
        used_so_far = {NameId(meter): quantity for meter, quantity in used}
        try:
            return pricing.price(_lines_of(world, terms), (), used_so_far, circumstances)
        except pricing.UnpricedError:
            return None
    card_row = world.state.cards.get(terms.card)
    return price_of(world, card_row, terms.model, used, (tier, region), row.created_at_ns)


def _lines_of(world: World, terms: TermsRow) -> Sequence[pricing.Line]:
    """Of the quote, or of the card."""
    quote = world.state.quotes.get(QuoteId(terms.card))
    if quote is not None:
        return quote.lines
    return [line for line in world.state.price_lines if line.card == terms.card]


def price_of(
    world: World,
    card_row: CardRow | None,
    model: bytes,
    used: list[tuple[bytes, int]],
    where: tuple[bytes, bytes],
    at_ns: int,
) -> int | None:
    """What a usage costs by a card, if it can be priced; `where`: tier and region."""
    if card_row is None:
        return None
    tier, region = map(NameId, where)
    served = pricing.Served(NameId(model), tier, region, at_ns)
    lines = [line for line in world.state.price_lines if line.card == card_row.card]
    usage = {NameId(meter): quantity for meter, quantity in used}
    try:
        return pricing.price(lines, card_row.length_meters, usage, served)
    except pricing.UnpricedError:
        return None


def has_priced_hold(draft: Draft) -> bool:
    world = draft.world
    own = {row.account for row in world.by_owner.get(draft.signer.principal, [])}
    return any(
        row.is_open and row.payee_account in own and row.hold in world.state.terms
        for row in world.holds
    )
