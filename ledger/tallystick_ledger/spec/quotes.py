"""Quotes: prices that a provider has signed for one principal, redeemed by RESERVE and METER.

The first record that redeems a quote brings it along, and its signature is checked; its row stands
for it from then on. The row holds how much was agreed. Source: docs/semantics.md section 3.
"""

from dataclasses import replace

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import Amount, PrincipalId, QuoteId
from tallystick_ledger.keys import is_valid_signature
from tallystick_ledger.limits import MAX_QUOTE_NS, MAX_QUOTES
from tallystick_ledger.records import Scope, SignedQuote
from tallystick_ledger.spec import amounts
from tallystick_ledger.spec.lines import is_in_time
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.signer import Place
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import AccountRow, KeyStatus, QuoteRow


def existing(
    state: State,
    place: Place,
    quote_id: QuoteId,
    offer: SignedQuote | None,
    beneficiary: PrincipalId,
) -> QuoteRow:
    """Returns the row of a quote, or what it will be if this record redeems it first.

    Args:
        state: Read only.
        place: Of the record.
        quote_id: The quote that the record names.
        offer: The quote itself, if the record brings it along.
        beneficiary: The owner of the payer's account.

    Raises:
        Refused: QUOTE_NOT_FOUND, UNIT_NOT_FOUND, BAD_QUOTE.
    """
    row = state.quotes.get(quote_id)
    if row is None:
        row = _signed(state, place, found(offer, Code.QUOTE_NOT_FOUND), beneficiary)
    require(row.beneficiary == beneficiary, Code.QUOTE_NOT_FOUND)
    return row


def _signed(state: State, place: Place, offer: SignedQuote, beneficiary: PrincipalId) -> QuoteRow:
    require(offer.beneficiary == beneficiary, Code.QUOTE_NOT_FOUND)
    require(offer.unit in state.units, Code.UNIT_NOT_FOUND)
    key = found(state.keys.get(offer.key), Code.BAD_QUOTE)
    is_active = key.status is KeyStatus.ACTIVE and is_in_time(key, place.timestamp_ns)
    require(is_active and key.scope in (Scope.OWNER, Scope.PRICE), Code.BAD_QUOTE)
    message = offer.message(state.ledger_id)
    require(is_valid_signature(offer.key, message, offer.signature), Code.BAD_QUOTE)
    return QuoteRow(
        quote=offer.quote_id,
        provider=key.principal,
        beneficiary=offer.beneficiary,
        unit=offer.unit,
        cap=Amount(offer.cap),
        agreed=Amount(0),
        not_after_ns=offer.not_after_ns,
        lines=offer.lines,
    )


def check_in_force(place: Place, row: QuoteRow, payee: AccountRow) -> None:
    """Checks that the quote prices what is now agreed with the owner of the payee account.

    Raises:
        Refused: NOT_PROVIDER, UNIT_MISMATCH, QUOTE_EXPIRED, EXPIRY_INVALID.
    """
    require(payee.owner == row.provider, Code.NOT_PROVIDER)
    require(payee.unit == row.unit, Code.UNIT_MISMATCH)
    check_not_expired(place, row)
    require(row.not_after_ns <= place.timestamp_ns + MAX_QUOTE_NS, Code.EXPIRY_INVALID)


def check_not_expired(place: Place, row: QuoteRow) -> None:
    """Checks that the quote may still be redeemed.

    Raises:
        Refused: QUOTE_EXPIRED.
    """
    require(place.timestamp_ns <= row.not_after_ns, Code.QUOTE_EXPIRED)


def check_covers(row: QuoteRow, amount: int) -> None:
    """Checks that the quote covers so much more.

    Raises:
        Refused: QUOTE_EXCEEDED.
    """
    require(row.agreed + amount <= row.cap, Code.QUOTE_EXCEEDED)


def check_cap(state: State, row: QuoteRow) -> None:
    """Checks that a quote that is redeemed for the first time can be remembered.

    Raises:
        Refused: CAP_EXCEEDED.
    """
    is_known = row.quote in state.quotes
    require(is_known or state.quotes.count(row.beneficiary) < MAX_QUOTES, Code.CAP_EXCEEDED)


def redeem(state: State, row: QuoteRow, amount: int) -> None:
    """Agrees to so much more under a quote, which covers it."""
    state.put_quote(replace(row, agreed=amounts.add(row.agreed, Amount(amount))))
