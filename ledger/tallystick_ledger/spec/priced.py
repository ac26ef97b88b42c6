"""What a card prices: RESERVE of mode CARD, what their CAPTUREs cost, and what a METER costs.

The payer agrees to a card, a model, tiers and regions; the payee says what was served and used; the
kernel multiplies. Nobody else's arithmetic reaches the ledger. Source: docs/semantics.md section 3.
"""

from tallystick_ledger import pricing
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, Amount, CardId, NameId, TimestampNs
from tallystick_ledger.records import CardTerms, Overrun, ServedUsage
from tallystick_ledger.spec.refusal import Refused, found, require
from tallystick_ledger.spec.signer import Place
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import AccountRow, CardRow, HoldRow, TermsRow


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
    require(payee.owner == card.owner, Code.NOT_PROVIDER)
    require(payee.unit == card.unit, Code.UNIT_MISMATCH)
    require(card.is_effective(place.timestamp_ns), Code.CARD_NOT_EFFECTIVE)


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
    card = state.cards[terms.card]
    check_amount(state, card, terms.model, usage, hold.created_at_ns, expected)


def check_amount(
    state: State,
    card: CardRow,
    model: NameId,
    usage: ServedUsage,
    at_ns: TimestampNs,
    expected: int,
) -> None:
    """Checks that a usage has a price, and costs what is expected.

    Args:
        state: Read only.
        card: That prices it.
        model: A NAME.
        usage: What was served.
        at_ns: The instant that decides about windows.
        expected: In the unit's smallest step.

    Raises:
        Refused: UNPRICED, PRICE_MISMATCH.
    """
    served = pricing.Served(model, usage.tier, usage.region, at_ns)
    lines = state.price_lines.members(card.card)
    try:
        amount = pricing.price(lines, card.length_meters, dict(usage.lines), served)
    except pricing.UnpricedError as error:
        raise Refused(Code.UNPRICED) from error
    require(amount == expected, Code.PRICE_MISMATCH)


def billed(hold: HoldRow, terms: TermsRow, amount: int) -> Amount:
    """Returns the part of an amount that the hold is asked for: with CAP its maximum at most."""
    return Amount(min(amount, hold.maximum) if terms.overrun is Overrun.CAP else amount)


def card_of(terms: TermsRow | None) -> CardId:
    """Returns the card that an effect cites; zero for a FLAT hold."""
    return CardId(NO_ID) if terms is None else terms.card
