"""What a card prices: RESERVE of mode CARD, what their CAPTUREs cost, and what a METER costs.

The payer agrees to a card, a model, tiers and regions; the payee says what was served and used; the
kernel multiplies. Nobody else's arithmetic reaches the ledger. Source: docs/semantics.md section 3.
"""

from tallystick_ledger import pricing
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, Amount, CardId, NameId, QuoteId, TimestampNs
from tallystick_ledger.records import CardTerms, Overrun, ReserveMode, ServedUsage
from tallystick_ledger.spec.refusal import Refused, found, require
from tallystick_ledger.spec.signer import Place
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import AccountRow, CardRow, HoldRow, QuoteRow, TermsRow


def published_card(state: State, card_id: CardId) -> CardRow:
    """Returns a published card; a draft looks as if it were not there.

    Raises:
        Refused: CARD_NOT_FOUND.
    """
    row = found(state.cards.get(card_id), Code.CARD_NOT_FOUND)
    require(row.is_published, Code.CARD_NOT_FOUND)
    return row


def check_card(place: Place, card: CardRow, payee: AccountRow) -> None:
    """Checks that the card prices what is now agreed with the owner of the payee account.

    Raises:
        Refused: NOT_PROVIDER, UNIT_MISMATCH, CARD_NOT_EFFECTIVE.
    """
    check_owner(card, payee)
    require(card.is_effective(place.timestamp_ns), Code.CARD_NOT_EFFECTIVE)


def check_owner(card: CardRow, payee: AccountRow) -> None:
    """Checks that the card is of the payee account's owner, and prices in its unit.

    Raises:
        Refused: NOT_PROVIDER, UNIT_MISMATCH.
    """
    require(payee.owner == card.owner, Code.NOT_PROVIDER)
    require(payee.unit == card.unit, Code.UNIT_MISMATCH)


def check_model(state: State, card: CardRow, terms: CardTerms) -> None:
    """Checks that the card has any price for the model: better now than after it was served.

    Raises:
        Refused: UNPRICED.
    """
    lines = state.price_lines.members(card.card)
    require(any(line.model == terms.model for line in lines), Code.UNPRICED)


def check_price(
    state: State, hold: HoldRow, terms: TermsRow, usage: ServedUsage, expected: int
) -> None:
    """Checks that the usage is what was agreed and costs what is expected.

    Raises:
        Refused: PRICE_NOT_AGREED, UNPRICED, PRICE_MISMATCH.
    """
    require(terms.permits(usage.tier, usage.region), Code.PRICE_NOT_AGREED)
    prices = prices_of(state, hold, terms)
    check_amount(state, prices, terms.model, usage, hold.created_at_ns, expected)


def prices_of(state: State, hold: HoldRow, terms: TermsRow) -> CardRow | QuoteRow:
    """Returns what prices an open hold."""
    if hold.mode is ReserveMode.QUOTE:
        return state.quotes[QuoteId(terms.card)]
    return state.cards[terms.card]


def check_amount(
    state: State,
    prices: CardRow | QuoteRow,
    model: NameId,
    usage: ServedUsage,
    at_ns: TimestampNs,
    expected: int,
) -> None:
    """Checks that a usage has a price, and costs what is expected.

    Args:
        state: Read only.
        prices: The card or the quote that prices it.
        model: A NAME.
        usage: What was served.
        at_ns: The instant that decides about windows.
        expected: In the unit's smallest step.

    Raises:
        Refused: UNPRICED, PRICE_MISMATCH.
    """
    served = pricing.Served(model, usage.tier, usage.region, at_ns)
    used = dict(usage.lines)
    try:
        if isinstance(prices, QuoteRow):
            amount = pricing.price(prices.lines, (), used, served)
        else:
            lines = state.price_lines.members(prices.card)
            amount = pricing.price(lines, prices.length_meters, used, served)
    except pricing.UnpricedError as error:
        raise Refused(Code.UNPRICED) from error
    require(amount == expected, Code.PRICE_MISMATCH)


def billed(hold: HoldRow, terms: TermsRow, amount: int) -> Amount:
    """Returns the part of an amount that the hold is asked for: with CAP its maximum at most."""
    return Amount(min(amount, hold.maximum) if terms.overrun is Overrun.CAP else amount)


def card_of(terms: TermsRow | None) -> CardId:
    """Returns the card or quote that an effect cites; zero for a FLAT hold."""
    return CardId(NO_ID) if terms is None else terms.card
