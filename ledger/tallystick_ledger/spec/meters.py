"""METER prices a usage by a published card and pays for it, in one step.

There is no hold: the funds have to be there when it is applied. The instant that decides about the
card's windows is the record's own. Source: docs/semantics.md section 3.
"""

from typing import Final

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, Amount, HoldId
from tallystick_ledger.records import Group, Meter, Scope
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.spec import priced
from tallystick_ledger.spec.accounts import (
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
from tallystick_ledger.spec.state import State

_NO_ORIGIN: Final = HoldId(NO_ID)


def meter(state: State, place: Place, record: Meter) -> list[Effect]:
    """Pays what a usage costs.

    Returns:
        A METER effect of the amount, with the card.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; REFERENCE_USED; DEBIT_NOT_FOUND,
            CREDIT_NOT_FOUND, CARD_NOT_FOUND; for the payer's, then for the payee's account:
            ACCOUNT_CLOSED, ACCOUNT_FROZEN, ISSUANCE_ACCOUNT; UNIT_MISMATCH; NOT_PROVIDER,
            UNIT_MISMATCH, CARD_NOT_EFFECTIVE; UNPRICED, PRICE_MISMATCH; CAP_EXCEEDED;
            INSUFFICIENT_FUNDS or FUNDS_HELD; AMOUNT_OVERFLOW.
    """
    amount = Amount(record.amount)
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND)
    check_reference(state, place, Group.METERING, record.reference, unique=record.unique)
    payer = own_account(state, place.principal, record.payer_account, Code.DEBIT_NOT_FOUND)
    payee = found(state.accounts.get(record.payee_account), Code.CREDIT_NOT_FOUND)
    card = priced.published_card(state, record.card)
    check_movable(payer)
    check_movable(payee)
    require(payer.unit == payee.unit, Code.UNIT_MISMATCH)
    priced.check_card(place, card, payee)
    at_ns = place.timestamp_ns
    priced.check_amount(state, card, record.model, record.usage, at_ns, record.amount)
    check_reference_cap(state, place, unique=record.unique)
    check_funds(payer, amount)
    check_credit_room(payee, amount)

    remember_reference(state, place, Group.METERING, record.reference, unique=record.unique)
    move(state, record.payer_account, record.payee_account, amount)
    effect = Effect(
        cause=Cause.METER,
        record_index=place.index,
        debit_account=record.payer_account,
        credit_account=record.payee_account,
        amount=amount,
        origin=_NO_ORIGIN,
        card=record.card,
    )
    return [effect]
