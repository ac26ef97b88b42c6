"""TRANSFER moves money between two accounts. Source: docs/semantics.md section 3."""

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import Amount
from tallystick_ledger.records import Group, Scope, Transfer
from tallystick_ledger.results import Effect
from tallystick_ledger.spec.accounts import (
    check_between,
    check_credit_room,
    check_funds,
    check_movable,
    move,
    own_account,
)
from tallystick_ledger.spec.exchanges import exchange
from tallystick_ledger.spec.refusal import found
from tallystick_ledger.spec.signer import (
    Place,
    check_key_and_scope,
    check_reference,
    check_reference_cap,
    remember_reference,
)
from tallystick_ledger.spec.spending import check_limits, count
from tallystick_ledger.spec.state import State


def transfer(state: State, place: Place, record: Transfer) -> list[Effect]:
    """Moves money between two accounts of one unit; with an exchange quote see `exchanges`.

    Returns:
        No effects: the record says it all. With an exchange quote, what its maker pays.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; REFERENCE_USED; DEBIT_NOT_FOUND,
            CREDIT_NOT_FOUND; for the debit, then for the credit account: ACCOUNT_CLOSED,
            ACCOUNT_FROZEN, ISSUANCE_ACCOUNT, GRANT_ACCOUNT; UNIT_MISMATCH, NOT_A_MEMBER;
            CAP_EXCEEDED; ZONE_HORIZON, LIMIT_EXCEEDED; INSUFFICIENT_FUNDS or FUNDS_HELD;
            AMOUNT_OVERFLOW.
    """
    if record.exchange is not None:
        return exchange(state, place, record, record.exchange)
    amount = Amount(record.amount)
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND)
    check_reference(state, place, Group.MONEY, record.reference, unique=record.unique)
    debit = own_account(state, place.principal, record.debit_account, Code.DEBIT_NOT_FOUND)
    credit = found(state.accounts.get(record.credit_account), Code.CREDIT_NOT_FOUND)
    check_movable(debit)
    check_movable(credit)
    check_between(state, debit, credit)
    check_reference_cap(state, place, unique=record.unique)
    counting = check_limits(state, place, debit, amount)
    check_funds(debit, amount)
    check_credit_room(credit, amount)

    remember_reference(state, place, Group.MONEY, record.reference, unique=record.unique)
    count(state, counting, amount)
    move(state, debit.account, credit.account, amount)
    return []
