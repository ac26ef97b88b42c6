"""What a ledger forgets, by log time only. Source: docs/semantics.md section 1, step 1.

Each table's rows are looked at oldest first; the first that is not due yet ends it. Live ids and
references are put in ascending order of their sequence numbers, which is also that of their times.
"""

from collections.abc import Callable
from itertools import islice, takewhile

from tallystick_ledger.ids import SequenceNumber, TimestampNs
from tallystick_ledger.limits import CORRECTION_WINDOW_NS, MAX_ID_AHEAD_NS, MAX_PRUNED_ROWS
from tallystick_ledger.spec import debts
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import CorrectionRow, DisputeRow


def prune(state: State, block_timestamp_ns: TimestampNs) -> None:
    """Forgets what is due, of each table at most 10,000 rows, and a last card whole."""
    _prune_live_ids(state, block_timestamp_ns)
    _prune_references(state, block_timestamp_ns)
    _give_back_after_grace(state, block_timestamp_ns)
    _prune_ended_holds(state, block_timestamp_ns)
    _prune_closed_channels(state, block_timestamp_ns)
    _prune_cards(state, block_timestamp_ns)
    _prune_corrections(state, block_timestamp_ns)
    _prune_disputes(state, block_timestamp_ns)
    _prune_mandates(state, block_timestamp_ns)
    _prune_quotes(state, block_timestamp_ns)
    _prune_ended_claims(state, block_timestamp_ns)
    _prune_grants(state, block_timestamp_ns)
    _prune_exchanges(state, block_timestamp_ns)


def _prune_live_ids(state: State, now_ns: TimestampNs) -> None:
    lifetime_ns = state.genesis.max_lifetime_ns + MAX_ID_AHEAD_NS
    due = takewhile(lambda row: row.block_timestamp_ns + lifetime_ns < now_ns, state.live_ids)
    for row in list(islice(due, MAX_PRUNED_ROWS)):
        state.live_ids.remove(row.first_sequence)


def _prune_references(state: State, now_ns: TimestampNs) -> None:
    window_ns = state.genesis.reference_window_ns
    due = takewhile(lambda row: row.timestamp_ns + window_ns < now_ns, state.references)
    for row in list(islice(due, MAX_PRUNED_ROWS)):
        state.references.remove(row.sequence_number)


def _give_back_after_grace(state: State, now_ns: TimestampNs) -> None:
    """What expired on debt cannot be captured any more: limits get back what it did not charge."""
    for _ in range(MAX_PRUNED_ROWS):
        hold = state.next_out_of_grace()
        if hold is None or debts.end_of_grace(state, hold) >= now_ns:
            break
        debts.give_back_rest(state, hold)


def _prune_ended_holds(state: State, now_ns: TimestampNs) -> None:
    for _ in range(MAX_PRUNED_ROWS):
        hold = state.next_to_forget()
        if hold is None or hold.ended_at_ns + state.genesis.hold_retention_ns >= now_ns:
            break
        debts.give_back_rest(state, hold)
        state.holds.remove(hold.hold)
        if hold.hold in state.terms:
            state.terms.remove(hold.hold)
        if hold.hold in state.shares:
            state.shares.remove(hold.hold)


def _prune_closed_channels(state: State, now_ns: TimestampNs) -> None:
    for _ in range(MAX_PRUNED_ROWS):
        channel = state.next_channel_to_forget()
        if channel is None or channel.ended_at_ns + state.genesis.hold_retention_ns >= now_ns:
            break
        state.channels.remove(channel.channel)


def _prune_cards(state: State, now_ns: TimestampNs) -> None:
    """Drafts that were not published in time, and superseded cards that no hold can need."""
    removed = 0
    while removed < MAX_PRUNED_ROWS:
        card = state.next_card_to_forget()
        if card is None or (state.card_forgotten_after_ns(card) or 0) >= now_ns:
            break
        removed += state.remove_card(card)


def _prune_corrections(state: State, now_ns: TimestampNs) -> None:
    _prune_cited(state.next_correction_to_forget, state.corrections.remove, now_ns)


def _prune_disputes(state: State, now_ns: TimestampNs) -> None:
    _prune_cited(state.next_dispute_to_forget, state.disputes.remove, now_ns)


def _prune_ended_claims(state: State, now_ns: TimestampNs) -> None:
    """Claims that were paid or waived; an open one is never forgotten."""
    for _ in range(MAX_PRUNED_ROWS):
        claim = state.next_claim_to_forget()
        if claim is None or claim.ended_at_ns + state.genesis.hold_retention_ns >= now_ns:
            break
        state.claims.remove(claim.claim)


def _prune_cited(
    oldest: Callable[[], CorrectionRow | DisputeRow | None],
    forget: Callable[[SequenceNumber], None],
    now_ns: TimestampNs,
) -> None:
    """Forgets rows about records that can be corrected no more."""
    for _ in range(MAX_PRUNED_ROWS):
        row = oldest()
        if row is None or row.cited_at_ns + CORRECTION_WINDOW_NS >= now_ns:
            break
        forget(row.cited)


def _prune_mandates(state: State, now_ns: TimestampNs) -> None:
    for _ in range(MAX_PRUNED_ROWS):
        mandate = state.next_mandate_to_forget()
        if mandate is None or mandate.over_at_ns + state.genesis.hold_retention_ns >= now_ns:
            break
        state.mandates.remove(mandate.mandate)


def _prune_quotes(state: State, now_ns: TimestampNs) -> None:
    """Those that no hold can need any more."""
    kept_ns = state.genesis.hold_max_lifetime_ns + state.genesis.hold_retention_ns
    for _ in range(MAX_PRUNED_ROWS):
        quote = state.next_quote_to_forget()
        if quote is None or quote.not_after_ns + kept_ns >= now_ns:
            break
        state.quotes.remove(quote.quote)


def _prune_grants(state: State, now_ns: TimestampNs) -> None:
    """Grants that no correction can give anything back to any more; their accounts stay."""
    for _ in range(MAX_PRUNED_ROWS):
        row = state.next_grant_to_forget()
        if row is None or row.settled_at_ns + CORRECTION_WINDOW_NS >= now_ns:
            break
        state.grants.remove(row.grant)


def _prune_exchanges(state: State, now_ns: TimestampNs) -> None:
    """Those whose time is over: nobody can take them again."""
    for _ in range(MAX_PRUNED_ROWS):
        exchange = state.next_exchange_to_forget()
        if exchange is None or exchange.not_after_ns >= now_ns:
            break
        state.exchanges.remove(exchange.quote)
