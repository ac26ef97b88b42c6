"""Random REFUND, DISPUTE and DISPUTE_ANSWER records; see `records`, which draws among all kinds."""

from tests.differential import raw
from tests.differential.draft import Draft, some_reference
from tests.differential.population import MAX_U128, SECOND_NS

from tallystick_ledger.citations import Citation
from tallystick_ledger.limits import CORRECTION_WINDOW_NS, MIN_DISPUTE_NS
from tallystick_ledger.state_rows import DisputeRow


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
