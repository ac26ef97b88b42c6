"""Random records that correct what was paid; see `records`, which draws among all kinds."""

from tests.differential import raw
from tests.differential.draft import Draft, some_reference
from tests.differential.population import MAX_U128, SECOND_NS
from tests.differential.records_prices import names, price_of

from tallystick_ledger.citations import Citation
from tallystick_ledger.ids import NO_ID
from tallystick_ledger.limits import CORRECTION_WINDOW_NS, MIN_DISPUTE_NS
from tallystick_ledger.records import NameKind
from tallystick_ledger.state_rows import CardRow, DisputeRow

MAX_U64 = (1 << 64) - 1


def refund(draft: Draft) -> bytes:
    world = draft.world
    reference, flags = some_reference(draft)
    posting = _some_posting(draft, of_payer=False)
    return raw.refund(
        _cited(draft, posting),
        _some_part(draft, posting),
        reference,
        flags=flags,
        reason=_some_reason(draft),
        occurred_at_ns=world.pick((0, draft.about_ns)),
    )


def dispute(draft: Draft) -> bytes:
    world = draft.world
    posting = _some_posting(draft, of_payer=True)
    deadline_ns = draft.about_ns + world.rng.randint(SECOND_NS, 20 * SECOND_NS)
    if world.odd(0.3):
        end_ns = CORRECTION_WINDOW_NS + (posting.timestamp_ns if posting else draft.about_ns)
        edge = world.pick((draft.about_ns + MIN_DISPUTE_NS, end_ns))
        deadline_ns = max(0, edge + world.rng.randint(-1, 1))
    cited, amount = _cited(draft, posting), _some_part(draft, posting)
    return raw.dispute(cited, amount, deadline_ns, reason=_some_reason(draft))


def dispute_answer(draft: Draft) -> bytes:
    world = draft.world
    row = _some_dispute(draft)
    if row is None:
        return raw.dispute_answer(world.rng.randrange(100), 1)
    amount = world.rng.randint(0, min(row.disputed, 1000))
    if world.odd(0.7):
        above = row.disputed + 1
        amount = world.pick((0, row.disputed, above, above, above))
    return raw.dispute_answer(row.cited, min(amount, MAX_U128))


def reprice(draft: Draft) -> bytes:
    """A new price of what a card had priced, mostly a lower one by a card of the signer's."""
    world = draft.world
    priced = _priced_postings(draft)
    posting = world.pick(priced) if priced else None
    if posting is None or world.odd(0.12):
        posting = _some_posting(draft, of_payer=False)
    row = _some_card_for(draft, posting)
    card_id = world.new_id() if row is None else row.card
    lines = [line for line in world.state.price_lines if line.card == card_id]
    model: bytes = world.pick(lines).model if lines else world.new_id()
    meters: list[bytes] = sorted({line.meter for line in lines if line.model == model})
    if not meters or world.odd(0.1):
        meters = sorted(names(world, NameKind.METER))
    used = [(meter, _some_quantity(draft, posting)) for meter in meters[: world.pick((1, 1, 2))]]
    if world.odd(0.08):
        used = world.pick(([], used[::-1], [(meter, 0) for meter, _ in used], used * 17))
    tiers = names(world, NameKind.TIER)
    tier = world.pick(tiers) if tiers and world.chance(0.2) else raw.ZERO_ID
    at_ns = draft.about_ns if posting is None else posting.timestamp_ns
    amount = price_of(world, row, model, used, (tier, raw.ZERO_ID), at_ns)
    if amount is None or world.odd(0.15):
        amount = world.pick(((amount or 1) + 1, 0, 1, 2))
    content = raw.repriced(card_id, model, raw.usage(used, tier))
    if world.odd(0.06):
        content = raw.patched(content, 67, b"\x01")
    record = raw.reprice(
        _cited(draft, posting),
        min(amount, MAX_U128),
        content,
        occurred_at_ns=world.pick((0, draft.about_ns)),
    )
    return raw.with_conts(record[:128], []) if world.odd(0.04) else record


def has_priced_posting(draft: Draft) -> bool:
    """Whether there is something to price again."""
    return bool(_priced_postings(draft))


def _priced_postings(draft: Draft) -> list[Citation]:
    postings = _own_postings(draft, of_payer=False)
    return [posting for posting in postings if posting.card != NO_ID]


def _some_card_for(draft: Draft, posting: Citation | None) -> CardRow | None:
    """A card of the signer's in the unit of the posting, mostly."""
    world = draft.world
    cards = [row for row in world.state.cards if row.is_published or world.odd(0.1)]
    payee = None if posting is None else world.state.accounts.get(posting.payee_account)
    if payee is not None and not world.odd(0.15):
        own = [row for row in cards if row.owner == payee.owner]
        cards = [row for row in own if row.unit == payee.unit] or own or cards
    return world.pick(cards) if cards and not world.odd(0.05) else None


def _some_quantity(draft: Draft, posting: Citation | None) -> int:
    """Of about what is left of the posting at the most."""
    world = draft.world
    if posting is None or world.chance(0.3):
        return world.rng.randint(1, 9)
    row = world.state.corrections.get(posting.sequence_number)
    left = posting.amount - (0 if row is None else row.corrected)
    return min(MAX_U64, max(1, left // world.pick((1, 2, 3, 4, 8))))


def has_posting(draft: Draft, *, of_payer: bool) -> bool:
    """Whether there is something to refund, or to dispute."""
    return bool(_own_postings(draft, of_payer=of_payer))


def has_dispute(draft: Draft) -> bool:
    """Whether there is something to answer."""
    own = _own(draft)
    return any(row.payee_account in own for row in draft.world.state.disputes)


def _own(draft: Draft) -> set[bytes]:
    return {row.account for row in draft.world.by_owner.get(draft.signer.principal, [])}


def _own_postings(draft: Draft, *, of_payer: bool) -> list[Citation]:
    own = _own(draft)
    return [
        posting
        for posting in draft.world.moved
        if (posting.payer_account if of_payer else posting.payee_account) in own
    ]


def _some_posting(draft: Draft, *, of_payer: bool) -> Citation | None:
    """One of the signer's, mostly; preferably of a record that has been corrected before."""
    world = draft.world
    mine = _own_postings(draft, of_payer=of_payer)
    if not mine or world.odd(0.12):
        mine = world.moved
    if not mine or world.odd(0.05):
        return None
    again = [row for row in mine if row.sequence_number in world.state.corrections]
    again += [row for row in mine if row.sequence_number in world.state.disputes]
    return world.pick(again) if again and world.chance(0.4) else world.pick(mine)


def _cited(draft: Draft, posting: Citation | None) -> int:
    """Without a posting: of this block, of what moved nothing, or none at all."""
    world = draft.world
    if posting is not None:
        return posting.sequence_number
    next_sequence = world.state.next_sequence_number
    return world.pick((0, 1, next_sequence, next_sequence + 5, (1 << 64) - 1))


def _some_part(draft: Draft, posting: Citation | None) -> int:
    world = draft.world
    if posting is None:
        return world.rng.randint(1, 100)
    row = world.state.corrections.get(posting.sequence_number)
    rest = posting.amount - (0 if row is None else row.corrected)
    if world.odd(0.6):
        return min(MAX_U128, world.pick((0, rest, rest + 1, posting.amount, MAX_U128)))
    return max(1, world.rng.randint(1, max(1, rest)) // world.pick((1, 2, 10)))


def _some_reason(draft: Draft) -> int:
    world = draft.world
    return world.pick((0, 7)) if world.odd(0.1) else world.rng.randint(1, 6)


def _some_dispute(draft: Draft) -> DisputeRow | None:
    world, own = draft.world, _own(draft)
    rows = list(world.state.disputes)
    mine = [row for row in rows if row.payee_account in own]
    if not mine or world.odd(0.15):
        mine = rows
    if not mine or world.odd(0.05):
        return None
    open_ = [row for row in mine if row.is_open_at(draft.about_ns)]
    return world.pick(open_) if open_ and world.chance(0.8) else world.pick(mine)
