"""RESERVE pins money, EXTEND adds to it, CAPTURE pays, RELEASE frees it; sweeps free the due.

A hold is open until its one end: captured (CAPTURE with FINAL), released or expired. While it is
open, its rest (maximum - captured) stands in credits_pending of the payee's account, and in
debits_pending of the payer's and of the grants that pay shares (`shares`). Captures are cumulative.
Source: docs/semantics.md 1 and 3.
"""

from dataclasses import replace
from typing import Final

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import Amount, HoldId, QuoteId, TimestampNs
from tallystick_ledger.limits import MIN_HOLD_NS
from tallystick_ledger.records import (
    Capture,
    CardTerms,
    Extend,
    Group,
    Release,
    Reserve,
    ReserveMode,
    Scope,
)
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.spec import amounts, debts, priced, quotes, shares
from tallystick_ledger.spec.accounts import (
    check_between,
    check_can_pin,
    check_credit_room,
    check_funds,
    check_movable,
    check_open,
    check_pinned_cap,
    own_account,
    pin,
)
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.signer import (
    Place,
    check_key_and_scope,
    check_reference,
    check_reference_cap,
    remember_reference,
)
from tallystick_ledger.spec.spending import check_limits, count, no_longer_held
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import (
    AccountRow,
    CardRow,
    HoldRow,
    HoldStatus,
    QuoteRow,
    TermsRow,
)

_ENDED_BY_PAYEE: Final = (HoldStatus.CAPTURED, HoldStatus.RELEASED)


def reserve(state: State, place: Place, record: Reserve) -> list[Effect]:
    """Pins money of the payer, and of grants to its owner, for the payee.

    Returns:
        No effects, if the record says it all; where grants pay, a PIN effect for each source.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; REFERENCE_USED; DEBIT_NOT_FOUND,
            CREDIT_NOT_FOUND, with terms CARD_NOT_FOUND, with a quote QUOTE_NOT_FOUND,
            UNIT_NOT_FOUND, BAD_QUOTE; ID_CONFLICT; for the payer's, then for the payee's account:
            ACCOUNT_CLOSED, ACCOUNT_FROZEN, ISSUANCE_ACCOUNT, GRANT_ACCOUNT; UNIT_MISMATCH,
            NOT_A_MEMBER; EXPIRY_INVALID, CLAIM_OPEN; with terms NOT_PROVIDER, UNIT_MISMATCH,
            CARD_NOT_EFFECTIVE or QUOTE_EXPIRED, UNPRICED, QUOTE_EXCEEDED; CAP_EXCEEDED, open holds
            and channels, references or quotes; ZONE_HORIZON, LIMIT_EXCEEDED; INSUFFICIENT_FUNDS or
            FUNDS_HELD; AMOUNT_OVERFLOW.
    """
    maximum = Amount(record.maximum)
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND)
    check_reference(state, place, Group.METERING, record.reference, unique=record.unique)
    payer = own_account(state, place.principal, record.payer_account, Code.DEBIT_NOT_FOUND)
    payee = found(state.accounts.get(record.payee_account), Code.CREDIT_NOT_FOUND)
    prices = _prices(state, place, record, payer)
    hold_id = HoldId(place.derived_id(state))
    require(hold_id not in state.holds, Code.ID_CONFLICT)
    check_movable(payer)
    check_movable(payee)
    check_between(state, payer, payee)
    earliest_ns = place.timestamp_ns + MIN_HOLD_NS
    latest_ns = place.timestamp_ns + state.genesis.hold_max_lifetime_ns
    require(earliest_ns <= record.expires_at_ns <= latest_ns, Code.EXPIRY_INVALID)
    debts.check_no_claim(state, payer, payee)
    if record.terms is not None:
        _check_prices(state, place, record, record.terms, prices, payee)
    check_pinned_cap(state, place.principal)
    check_reference_cap(state, place, unique=record.unique)
    if isinstance(prices, QuoteRow):
        quotes.check_cap(state, prices)
    debt = Amount(0 if record.terms is None else record.terms.debt_limit)
    counting = check_limits(
        state, place, payer, maximum, debt=debt, pin=hold_id, payee=payee.account
    )
    at_ns = place.timestamp_ns
    agreed = shares.Agreed.by_terms(record.terms)
    parts = shares.choose(state, payer.owner, (payer, payee), agreed, maximum, at_ns)
    own = amounts.subtract(maximum, Amount(sum(share.maximum for share in parts)))
    check_can_pin(payer, payee, own, maximum)

    remember_reference(state, place, Group.METERING, record.reference, unique=record.unique)
    count(state, counting, maximum, debt=debt, pin=hold_id)
    pin(state, record.payer_account, record.payee_account, own)
    state.put_hold(
        HoldRow(
            hold=hold_id,
            payer_account=record.payer_account,
            payee_account=record.payee_account,
            maximum=maximum,
            captured=Amount(0),
            expires_at_ns=record.expires_at_ns,
            status=HoldStatus.OPEN,
            ended_at_ns=TimestampNs(0),
            created_at_ns=place.timestamp_ns,
            mode=record.mode,
        )
    )
    if isinstance(prices, QuoteRow):
        quotes.redeem(state, prices, maximum + debt)
    if record.terms is not None:
        terms = record.terms
        state.terms.put(
            hold_id,
            TermsRow(
                hold=hold_id,
                card=terms.priced_by,
                model=terms.model,
                tiers=terms.tiers,
                regions=terms.regions,
                end_user=terms.end_user,
                overrun=terms.overrun,
                debt_limit=Amount(terms.debt_limit),
            ),
        )
    return shares.pin_hold(state, place.index, state.holds[hold_id], parts)


def extend(state: State, place: Place, record: Extend) -> list[Effect]:
    """Raises a hold's maximum, puts its expiry off, or both.

    Returns:
        No effects: the record says it all.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; HOLD_NOT_FOUND, NOT_PAYER; HOLD_ENDED,
            HOLD_EXPIRED; for the payer's, then for the payee's account: ACCOUNT_CLOSED,
            ACCOUNT_FROZEN; EXPIRY_INVALID; of a quoted hold QUOTE_EXPIRED, QUOTE_EXCEEDED;
            ZONE_HORIZON, LIMIT_EXCEEDED, CAP_EXCEEDED;
            INSUFFICIENT_FUNDS or FUNDS_HELD; AMOUNT_OVERFLOW, of the maximum or of the payee's
            account.
    """
    additional = Amount(record.additional)
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND)
    hold = _hold_of_payer(state, place, record.hold)
    _check_open_and_not_due(hold, place.timestamp_ns)
    payer = state.accounts[hold.payer_account]
    payee = state.accounts[hold.payee_account]
    check_open(payer)
    check_open(payee)
    if record.expires_at_ns:
        earliest_ns = max(hold.expires_at_ns, place.timestamp_ns + MIN_HOLD_NS)
        latest_ns = hold.created_at_ns + state.genesis.hold_max_lifetime_ns
        require(earliest_ns <= record.expires_at_ns <= latest_ns, Code.EXPIRY_INVALID)
    quote = _quote_of(state, hold) if additional else None
    if quote is not None:
        quotes.check_not_expired(place, quote)
        quotes.check_covers(quote, additional)
    counting = check_limits(state, place, payer, additional, pin=hold.hold, payee=payee.account)
    check_funds(payer, additional)
    require(amounts.fits(hold.maximum + additional), Code.AMOUNT_OVERFLOW)
    require(amounts.fits(payee.credits_pending + additional), Code.AMOUNT_OVERFLOW)

    count(state, counting, additional, pin=hold.hold)
    pin(state, hold.payer_account, hold.payee_account, additional)
    maximum = amounts.add(hold.maximum, additional)
    expires_at_ns = record.expires_at_ns or hold.expires_at_ns
    state.put_hold(replace(hold, maximum=maximum, expires_at_ns=expires_at_ns))
    if quote is not None:
        quotes.redeem(state, quote, additional)
    return []


def capture(state: State, place: Place, record: Capture) -> list[Effect]:
    """Pays the payee up to a cumulative amount; FINAL ends the hold and frees its rest.

    Returns:
        CAPTURE effects of what is newly paid, if that is above 0, for each source, the payer's
        first; a CLAIM effect of what is newly owed and RELEASE effects of what FINAL frees, for
        each source, each only if above 0. None for a replay after the hold's end.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; HOLD_NOT_FOUND, NOT_PAYEE; HOLD_MODE;
            HOLD_ENDED, HOLD_EXPIRED; ACCOUNT_CLOSED, ACCOUNT_FROZEN of the payee's account; with
            usage PRICE_NOT_AGREED, UNPRICED, PRICE_MISMATCH; CAPTURE_LOWERED,
            CAPTURE_EXCEEDS_HOLD; CAP_EXCEEDED, claims; AMOUNT_OVERFLOW.
    """
    check_key_and_scope(state, place, Scope.OWNER, Scope.METER)
    hold = _hold_of_payee(state, place, record.hold)
    terms = state.terms.get(hold.hold)
    require((terms is None) == (record.usage is None), Code.HOLD_MODE)
    amount = Amount(record.amount) if terms is None else priced.billed(hold, terms, record.amount)
    charged = debts.charged(hold, terms)
    is_late = debts.may_come_late(hold, terms, final=record.final)
    if amount == charged and (is_late or hold.status is HoldStatus.CAPTURED):
        return []
    if is_late:
        debts.check_grace(state, hold, place.timestamp_ns)
    else:
        _check_open_and_not_due(hold, place.timestamp_ns)
    payee = state.accounts[hold.payee_account]
    check_open(payee)
    if terms is not None and record.usage is not None:
        priced.check_price(state, hold, terms, record.usage, record.amount)
    require(amount >= charged, Code.CAPTURE_LOWERED)
    require(amount <= debts.limit(hold, terms), Code.CAPTURE_EXCEEDS_HOLD)
    parts = debts.split(state, hold, amounts.subtract(amount, charged))
    debts.check_claim_cap(state, hold, parts.claimed)
    check_credit_room(payee, parts.posted)

    effects: list[Effect] = []
    if parts.pinned > 0:
        captured = amounts.add(hold.captured, parts.pinned)
        effects = shares.pay_hold(state, place.index, hold, captured, place.timestamp_ns)
        hold = state.holds[hold.hold]
        no_longer_held(state, hold.hold, amounts.subtract(hold.maximum, hold.captured))
    debts.charge_beyond(state, hold, parts)
    if parts.available > 0:
        effects = shares.paying_beyond(place.index, hold, effects, parts.available)
    effects = [replace(effect, card=priced.card_of(terms)) for effect in effects]
    effects += debts.add_claim(state, place, hold, parts.claimed)
    if record.final and not is_late:
        effects += _end_by_payee(state, place, hold.hold, HoldStatus.CAPTURED)
    return effects


def release(state: State, place: Place, record: Release) -> list[Effect]:
    """Frees the rest of a hold.

    Returns:
        RELEASE effects of the rest for each source, if above 0.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; HOLD_NOT_FOUND, NOT_PAYEE; HOLD_ENDED,
            HOLD_EXPIRED.
    """
    check_key_and_scope(state, place, Scope.OWNER, Scope.METER)
    hold = _hold_of_payee(state, place, record.hold)
    _check_open_and_not_due(hold, place.timestamp_ns)

    return _end_by_payee(state, place, hold.hold, HoldStatus.RELEASED)


def sweep(
    state: State, timestamp_ns: TimestampNs, index: int, limit: int
) -> tuple[int, list[Effect]]:
    """Expires the holds that are due, in the order of (expires_at_ns, id).

    Args:
        state: Changed in place.
        timestamp_ns: Time of the record before which the sweep runs: due is what expires by then.
        index: The record's index in its envelope.
        limit: How many holds may still be swept in this block.

    Returns:
        How many were swept, and their effects: one EXPIRY effect of the payer's rest a hold, also
        of 0; then what `shares.free_hold` says of its shares.
    """
    effects: list[Effect] = []
    for swept in range(limit):
        hold = state.next_to_expire()
        if hold is None or hold.expires_at_ns > timestamp_ns:
            return swept, effects
        effects += _end(state, Cause.EXPIRY, index, hold, HoldStatus.EXPIRED, timestamp_ns)
    return limit, effects


def _prices(
    state: State, place: Place, record: Reserve, payer: AccountRow
) -> CardRow | QuoteRow | None:
    """Stage 4 of RESERVE: the card or quote that prices the hold; None for a FLAT one."""
    terms = record.terms
    if terms is None:
        return None
    if record.mode is ReserveMode.QUOTE:
        return quotes.existing(state, place, terms.quote, record.quote, payer.owner)
    return priced.published_card(state, terms.card)


def _check_prices(
    state: State,
    place: Place,
    record: Reserve,
    terms: CardTerms,
    prices: CardRow | QuoteRow | None,
    payee: AccountRow,
) -> None:
    """Stages 5 of RESERVE: what prices the hold is in force, knows the model, and covers it."""
    if isinstance(prices, QuoteRow):
        quotes.check_in_force(place, prices, payee)
        has_model = any(line.model == terms.model for line in prices.lines)
        require(has_model, Code.UNPRICED)
        quotes.check_covers(prices, record.maximum + terms.debt_limit)
    elif prices is not None:
        priced.check_card(place, prices, payee)
        priced.check_model(state, prices, terms)


def _quote_of(state: State, hold: HoldRow) -> QuoteRow | None:
    """The quote that has to agree to more of a hold, if one prices it."""
    if hold.mode is not ReserveMode.QUOTE:
        return None
    return state.quotes[QuoteId(state.terms[hold.hold].card)]


def _hold_of_payee(state: State, place: Place, hold_id: HoldId) -> HoldRow:
    """Stage 4 of CAPTURE and RELEASE: HOLD_NOT_FOUND to strangers, NOT_PAYEE to the payer."""
    hold = _hold_of_party(state, place, hold_id)
    require(state.accounts[hold.payee_account].owner == place.principal, Code.NOT_PAYEE)
    return hold


def _hold_of_payer(state: State, place: Place, hold_id: HoldId) -> HoldRow:
    """Stage 4 of EXTEND: HOLD_NOT_FOUND to strangers, NOT_PAYER to the payee."""
    hold = _hold_of_party(state, place, hold_id)
    require(state.accounts[hold.payer_account].owner == place.principal, Code.NOT_PAYER)
    return hold


def _hold_of_party(state: State, place: Place, hold_id: HoldId) -> HoldRow:
    hold = found(state.holds.get(hold_id), Code.HOLD_NOT_FOUND)
    parties = (hold.payer_account, hold.payee_account)
    owners = [state.accounts[account].owner for account in parties]
    require(place.principal in owners, Code.HOLD_NOT_FOUND)
    return hold


def _check_open_and_not_due(hold: HoldRow, timestamp_ns: TimestampNs) -> None:
    """HOLD_ENDED if the payee ended it; HOLD_EXPIRED if it expired, whether or not swept yet."""
    require(hold.status not in _ENDED_BY_PAYEE, Code.HOLD_ENDED)
    require(hold.status is not HoldStatus.EXPIRED, Code.HOLD_EXPIRED)
    require(hold.expires_at_ns > timestamp_ns, Code.HOLD_EXPIRED)


def _end_by_payee(state: State, place: Place, hold: HoldId, status: HoldStatus) -> list[Effect]:
    row, at_ns = state.holds[hold], place.timestamp_ns
    return _end(state, Cause.RELEASE, place.index, row, status, at_ns)


def _end(
    state: State,
    cause: Cause,
    index: int,
    hold: HoldRow,
    status: HoldStatus,
    timestamp_ns: TimestampNs,
) -> list[Effect]:
    """Ends a hold and takes its rest out of all pending columns."""
    effects = shares.free_hold(state, cause, index, hold, timestamp_ns)
    ended = replace(hold, status=status, ended_at_ns=timestamp_ns)
    if debts.may_come_late(ended, state.terms.get(hold.hold), final=True):
        no_longer_held(state, hold.hold, Amount(0))
    else:
        debts.give_back_rest(state, ended)
    state.put_hold(ended)
    return effects
