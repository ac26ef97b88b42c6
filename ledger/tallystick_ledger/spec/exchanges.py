"""A TRANSFER that takes an exchange quote: the taker pays in one unit, the maker in another.

The maker has signed the quote off the ledger. Its row holds how much was given under it, and stands
for its signature, too. Source: docs/semantics.md section 3.
"""

from dataclasses import replace

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, Amount, CardId, HoldId, PrincipalId
from tallystick_ledger.keys import is_valid_signature
from tallystick_ledger.limits import MAX_EXCHANGE_NS, MAX_EXCHANGES
from tallystick_ledger.records import Exchange, Group, Scope, SignedExchange, Transfer
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.spec import amounts
from tallystick_ledger.spec.accounts import (
    check_credit_room,
    check_funds,
    check_movable,
    move,
    own_account,
)
from tallystick_ledger.spec.lines import check_above, is_in_time
from tallystick_ledger.spec.refusal import Refused, found, require
from tallystick_ledger.spec.signer import (
    Place,
    check_key_and_scope,
    check_reference,
    check_reference_cap,
    remember_reference,
)
from tallystick_ledger.spec.spending import check_limits, count
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import (
    AccountFlags,
    AccountRow,
    ExchangeRow,
    KeyStatus,
    LimitRow,
)


def exchange(state: State, place: Place, record: Transfer, taken: Exchange) -> list[Effect]:
    """Moves one amount to the maker of a quote, and another from it: both or none.

    Args:
        state: Changed in place.
        place: Of the record.
        record: The whole record.
        taken: Its `exchange`.

    Returns:
        What the maker pays.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; REFERENCE_USED; DEBIT_NOT_FOUND,
            CREDIT_NOT_FOUND, ACCOUNT_NOT_FOUND, QUOTE_NOT_FOUND, BAD_QUOTE, SELF_TRANSFER; of all
            four accounts ACCOUNT_CLOSED, ACCOUNT_FROZEN, ISSUANCE_ACCOUNT, GRANT_ACCOUNT;
            UNIT_MISMATCH, UNIT_DEFERRED; QUOTE_EXPIRED, EXPIRY_INVALID; PRICE_MISMATCH;
            QUOTE_EXCEEDED; CAP_EXCEEDED; ZONE_HORIZON, LIMIT_EXCEEDED; MAKER_CANNOT_PAY;
            INSUFFICIENT_FUNDS or FUNDS_HELD; AMOUNT_OVERFLOW.
    """
    amount, output, quote = Amount(record.amount), Amount(taken.output), taken.quote
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND)
    check_reference(state, place, Group.MONEY, record.reference, unique=record.unique)
    debit = own_account(state, place.principal, record.debit_account, Code.DEBIT_NOT_FOUND)
    credit = found(state.accounts.get(record.credit_account), Code.CREDIT_NOT_FOUND)
    receiving = own_account(state, place.principal, taken.receiving_account, Code.ACCOUNT_NOT_FOUND)
    require(quote.is_for(place.principal), Code.QUOTE_NOT_FOUND)
    row = _row_of(state, place, quote)
    giving = own_account(state, row.maker, quote.give_account, Code.BAD_QUOTE)
    require(credit.owner == row.maker, Code.BAD_QUOTE)
    require(row.maker != place.principal, Code.SELF_TRANSFER)
    for account in (debit, credit, giving, receiving):
        check_movable(account)
    _check_units((debit, credit), (giving, receiving))
    require(place.timestamp_ns <= quote.not_after_ns, Code.QUOTE_EXPIRED)
    require(quote.not_after_ns <= place.timestamp_ns + MAX_EXCHANGE_NS, Code.EXPIRY_INVALID)
    require(quote.output_of(amount) == output, Code.PRICE_MISMATCH)
    check_covers(row, output)
    check_reference_cap(state, place, unique=record.unique)
    check_cap(state, row)
    counting = check_limits(state, place, debit, amount)
    of_maker = _check_limits_of_maker(state, place, row.maker, (quote, giving), output)
    check_funds(debit, amount)
    require(output <= giving.available, Code.MAKER_CANNOT_PAY)
    check_credit_room(credit, amount)
    check_credit_room(receiving, output)

    remember_reference(state, place, Group.MONEY, record.reference, unique=record.unique)
    count(state, counting, amount)
    count(state, of_maker, output)
    move(state, debit.account, credit.account, amount)
    move(state, giving.account, receiving.account, output)
    state.put_exchange(replace(row, given=amounts.add(row.given, output)))
    paid = Effect(
        cause=Cause.EXCHANGE,
        record_index=place.index,
        debit_account=giving.account,
        credit_account=receiving.account,
        amount=output,
        origin=HoldId(NO_ID),
        card=CardId(row.quote),
    )
    return [paid]


def check_covers(row: ExchangeRow, output: Amount) -> None:
    """Checks that the quote covers so much more.

    Raises:
        Refused: QUOTE_EXCEEDED.
    """
    require(row.given + output <= row.cap, Code.QUOTE_EXCEEDED)


def check_cap(state: State, row: ExchangeRow) -> None:
    """Checks that a quote that is taken for the first time can be remembered.

    Raises:
        Refused: CAP_EXCEEDED.
    """
    is_known = row.quote in state.exchanges
    require(is_known or state.exchanges.count(row.maker) < MAX_EXCHANGES, Code.CAP_EXCEEDED)


def _row_of(state: State, place: Place, quote: SignedExchange) -> ExchangeRow:
    """The row of a quote, or what it will be. Its key has to be good each time that it is taken.

    Raises:
        Refused: BAD_QUOTE.
    """
    key = found(state.keys.get(quote.key), Code.BAD_QUOTE)
    is_active = key.status is KeyStatus.ACTIVE and is_in_time(key, place.timestamp_ns)
    require(is_active and key.scope in (Scope.OWNER, Scope.SPEND), Code.BAD_QUOTE)
    try:
        check_above(state, key.key, place.timestamp_ns)
    except Refused as error:
        raise Refused(Code.BAD_QUOTE) from error
    row = state.exchanges.get(quote.quote_id)
    if row is not None:
        return row
    message = quote.message(state.ledger_id)
    require(is_valid_signature(quote.key, message, quote.signature), Code.BAD_QUOTE)
    return ExchangeRow(
        quote=quote.quote_id,
        maker=key.principal,
        cap=Amount(quote.cap),
        given=Amount(0),
        not_after_ns=quote.not_after_ns,
    )


def _check_units(
    taker: tuple[AccountRow, AccountRow], maker: tuple[AccountRow, AccountRow]
) -> None:
    """Checks that what the taker pays is of one unit, what the maker pays of another.

    Raises:
        Refused: UNIT_MISMATCH; UNIT_DEFERRED.
    """
    for debit, credit in (taker, maker):
        require(debit.unit == credit.unit, Code.UNIT_MISMATCH)
    require(taker[0].unit != maker[0].unit, Code.UNIT_MISMATCH)
    flags = taker[0].flags | maker[0].flags
    require(not flags & AccountFlags.DEFERRED, Code.UNIT_DEFERRED)


def _check_limits_of_maker(
    state: State,
    place: Place,
    maker: PrincipalId,
    given: tuple[SignedExchange, AccountRow],
    output: Amount,
) -> list[LimitRow]:
    """The limits that count what the maker pays, as if its key had signed the record.

    Which of them has no room is not for the taker to know.

    Raises:
        Refused: MAKER_CANNOT_PAY.
    """
    quote, giving = given
    as_maker = replace(place, signing_key=quote.key, principal=maker)
    try:
        return check_limits(state, as_maker, giving, output)
    except Refused as error:
        raise Refused(Code.MAKER_CANNOT_PAY) from error
