"""METER prices a usage by a published card and pays for it, in one step.

The payer signs it, or the payee under a mandate. There is no hold: the funds have to be there when
it is applied. The instant that decides about the card's windows is the record's own. Source:
docs/semantics.md section 3.
"""

from dataclasses import replace

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, Amount, QuoteId, grant_account
from tallystick_ledger.records import Group, Meter, Scope
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.spec import amounts, mandates, priced, quotes, shares
from tallystick_ledger.spec.accounts import (
    check_between,
    check_credit_room,
    check_funds,
    check_movable,
    move,
    own_account,
)
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.signer import (
    Place,
    check_key_and_scope,
    check_reference,
    check_reference_cap,
    remember_reference,
)
from tallystick_ledger.spec.spending import check_limits, count
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import AccountRow, CardRow, MandateRow, QuoteRow, Share


def meter(state: State, place: Place, record: Meter) -> list[Effect]:
    """Pays what a usage costs.

    Returns:
        A METER effect of the payer's part, with the card, also of 0 if grants pay all of it; then
        one for each share of a grant.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; REFERENCE_USED; DEBIT_NOT_FOUND,
            CREDIT_NOT_FOUND, CARD_NOT_FOUND; for the payer's, then for the payee's account:
            ACCOUNT_CLOSED, ACCOUNT_FROZEN, ISSUANCE_ACCOUNT, GRANT_ACCOUNT; UNIT_MISMATCH,
            NOT_A_MEMBER; NOT_PROVIDER, UNIT_MISMATCH, CARD_NOT_EFFECTIVE; UNPRICED, PRICE_MISMATCH;
            CAP_EXCEEDED; ZONE_HORIZON, LIMIT_EXCEEDED; INSUFFICIENT_FUNDS or FUNDS_HELD;
            AMOUNT_OVERFLOW. Under a mandate also MANDATE_NOT_FOUND, NOT_PAYEE before the accounts,
            MANDATE_ENDED, PRICE_NOT_AGREED before their state, and MANDATE_EXCEEDED after the
            price. With a quote, in the places of what a card gives, QUOTE_NOT_FOUND,
            UNIT_NOT_FOUND, BAD_QUOTE; QUOTE_EXPIRED; after the price QUOTE_EXCEEDED.
    """
    amount = Amount(record.amount)
    by_payer = record.mandate == NO_ID
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND if by_payer else Scope.METER)
    check_reference(state, place, Group.METERING, record.reference, unique=record.unique)
    mandate = None if by_payer else mandates.mandate_of_payee(state, place, record.mandate)
    payer, payee = _parties(state, place, record, mandate)
    prices: CardRow | QuoteRow
    if record.by_quote:
        quote_id = QuoteId(record.card)
        prices = quotes.existing(state, place, quote_id, record.quote, payer.owner)
    else:
        prices = priced.published_card(state, record.card)
    if mandate is not None:
        require(not mandate.is_over(place.timestamp_ns), Code.MANDATE_ENDED)
        require(mandate.card in (NO_ID, record.card), Code.PRICE_NOT_AGREED)
    check_movable(payer)
    check_movable(payee)
    check_between(state, payer, payee)
    if isinstance(prices, QuoteRow):
        quotes.check_in_force(place, prices, payee)
    else:
        priced.check_card(place, prices, payee)
    at_ns = place.timestamp_ns
    priced.check_amount(state, prices, record.model, record.usage, at_ns, record.amount)
    if mandate is not None:
        mandates.check_covers(mandate, amount)
    if isinstance(prices, QuoteRow):
        quotes.check_covers(prices, amount)
    check_reference_cap(state, place, unique=record.unique)
    if isinstance(prices, QuoteRow):
        quotes.check_cap(state, prices)
    counting = check_limits(state, place, payer, amount)
    agreed = shares.Agreed.by_meter(record)
    parts = shares.choose(state, payer.owner, (payer, payee), agreed, amount, at_ns)
    own = amounts.subtract(amount, Amount(sum(share.maximum for share in parts)))
    check_funds(payer, own)
    check_credit_room(payee, amount)

    remember_reference(state, place, Group.METERING, record.reference, unique=record.unique)
    count(state, counting, amount)
    if mandate is not None:
        mandates.use(state, mandate, amount)
    if isinstance(prices, QuoteRow):
        quotes.redeem(state, prices, amount)
    return _pay(state, place, record, parts, own)


def _pay(
    state: State, place: Place, record: Meter, parts: tuple[Share, ...], own: Amount
) -> list[Effect]:
    """Moves the payer's part and the shares of grants, with an effect of each."""
    move(state, record.payer_account, record.payee_account, own)
    effect = Effect(
        cause=Cause.METER,
        record_index=place.index,
        debit_account=record.payer_account,
        credit_account=record.payee_account,
        amount=own,
        origin=record.mandate,
        card=record.card,
    )
    effects = [effect]
    for share in parts:
        source, part = grant_account(share.grant), share.maximum
        move(state, source, record.payee_account, part)
        granted = replace(effect, debit_account=source, amount=part, grant=share.grant)
        effects.append(granted)
    return effects


def _parties(
    state: State, place: Place, record: Meter, mandate: MandateRow | None
) -> tuple[AccountRow, AccountRow]:
    """Returns the payer's and the payee's account.

    Raises:
        Refused: DEBIT_NOT_FOUND, CREDIT_NOT_FOUND.
    """
    if mandate is None:
        payer = own_account(state, place.principal, record.payer_account, Code.DEBIT_NOT_FOUND)
        return payer, found(state.accounts.get(record.payee_account), Code.CREDIT_NOT_FOUND)
    require(record.payer_account == mandate.payer_account, Code.DEBIT_NOT_FOUND)
    payer = state.accounts[mandate.payer_account]
    return payer, own_account(state, place.principal, record.payee_account, Code.CREDIT_NOT_FOUND)
