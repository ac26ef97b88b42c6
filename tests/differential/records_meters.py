"""Random METER records; see `records`, which draws among all kinds."""

from tests.differential import raw
from tests.differential.draft import Draft, id_of, own_account, some_reference
from tests.differential.population import MAX_U128
from tests.differential.records_mandates import some_mandate
from tests.differential.records_prices import MAX_U64, names, payee_of, price_of, some_card

from tallystick_ledger.records import NameKind
from tallystick_ledger.state_rows import AccountRow, CardRow, MandateRow


def meter(draft: Draft) -> bytes:
    """A usage under a card, mostly one in force and for what it costs."""
    payer = own_account(draft)
    return _metered(draft, payer, some_card(draft, payer), None, raw.ZERO_ID)


def meter_mandated(draft: Draft) -> bytes:
    """The same by the payee, under a mandate that it got."""
    world = draft.world
    given = some_mandate(draft, of_payee=True)
    payer = None if given is None else world.state.accounts.get(given.payer_account)
    if world.odd(0.06):
        payer = own_account(draft)
    card = some_card(draft, payer)
    own = [row for row in world.state.cards if row.owner == draft.signer.principal]
    good = [row for row in own if row.is_effective(draft.about_ns)]
    fitting = [row for row in good if payer is not None and row.unit == payer.unit]
    if fitting and not world.odd(0.15):
        card = world.pick(fitting)
    if given is not None and given.card in world.state.cards:
        card = world.state.cards.get(given.card)
        if world.chance(0.3):
            card = world.pick(list(world.state.cards))
    return _metered(draft, payer, card, given, world.new_id() if given is None else given.mandate)


def _metered(
    draft: Draft,
    payer: AccountRow | None,
    row: CardRow | None,
    given: MandateRow | None,
    mandate_id: bytes,
) -> bytes:
    world = draft.world
    card_id = world.new_id() if row is None else row.card
    lines = [line for line in world.state.price_lines if line.card == card_id]
    model: bytes = world.pick(lines).model if lines else world.new_id()
    if world.chance(0.04):
        model = world.new_id()
    priced: list[bytes] = sorted({line.meter for line in lines if line.model == model})
    used = _used(draft, payer, given, priced)
    tier = _some_name(draft, NameKind.TIER)
    region = _some_name(draft, NameKind.REGION)
    amount = price_of(world, row, model, used, (tier, region), draft.about_ns)
    if amount is None or world.chance(0.12):
        amount = world.pick(((amount or 1) + 1, 0 if world.odd(0.3) else 1, 2))
    reference, flags = some_reference(draft)
    usage = raw.usage(used, tier, region)
    content = raw.metered(card_id, model, usage, world.new_id(), mandate_id)
    if world.odd(0.06):
        content = raw.patched(content, 99, b"\x01")
    record = raw.meter(
        id_of(draft, payer),
        payee_of(draft, row, id_of(draft, payer)),
        min(amount, MAX_U128),
        content,
        reference,
        flags=flags,
        source=world.pick((0, 4)) if world.odd(0.05) else world.rng.randint(1, 3),
        occurred_at_ns=world.pick((0, draft.about_ns)),
    )
    return raw.with_conts(record[:128], []) if world.odd(0.04) else record


def _used(
    draft: Draft, payer: AccountRow | None, given: MandateRow | None, priced: list[bytes]
) -> list[tuple[bytes, int]]:
    world = draft.world
    meters = sorted(names(world, NameKind.METER))
    if priced and not world.chance(0.1):
        meters = list(priced)
    used = [(each, world.rng.randint(1, 9)) for each in meters[: world.pick((1, 1, 2))]]
    if payer is not None and world.chance(0.3):
        edges = (payer.available, payer.available // 2, payer.available + payer.debits_pending)
        quantity = min(MAX_U64, max(1, world.pick(edges)))
        used = [(each, quantity) for each, _ in used]
    if given is not None and world.chance(0.4):
        rest = given.cap - given.used
        quantity = min(MAX_U64, max(1, world.pick((rest, rest + 1, rest // 2))))
        used = [(each, quantity) for each, _ in used[:1]]
    if world.odd(0.08):
        used = world.pick(([], used[::-1], [(each, 0) for each, _ in used], used * 17))
    return used


def _some_name(draft: Draft, kind: NameKind) -> bytes:
    world = draft.world
    known = names(world, kind)
    return world.pick(known) if known and world.chance(0.2) else raw.ZERO_ID
