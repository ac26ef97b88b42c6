"""UNIT registers what is counted; ISSUE and BURN make and unmake money, CREDIT_LIMIT lends it.

Source: docs/semantics.md section 3.
"""

from dataclasses import replace

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import Amount, UnitId, issuance_account
from tallystick_ledger.records import Burn, CreditLimit, Group, Issue, Scope, Unit
from tallystick_ledger.results import Effect
from tallystick_ledger.spec import amounts
from tallystick_ledger.spec.accounts import (
    check_account_cap,
    check_credit_room,
    check_funds,
    check_open,
    check_ordinary,
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
from tallystick_ledger.state_rows import AccountFlags, AccountRow, DeferredUnitRow, UnitRow


def unit(state: State, place: Place, record: Unit) -> list[Effect]:
    """Registers a unit, and the issuance account that all its money comes from.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; PRINCIPAL_NOT_FOUND; UNIT_EXISTS, the
            symbol is taken; UNIT_NOT_FOUND of the settlement unit; ID_CONFLICT; UNIT_DEFERRED,
            UNIT_MISMATCH of the settlement unit; CAP_EXCEEDED, accounts of the issuer.
    """
    check_key_and_scope(state, place, Scope.OPERATE)
    require(record.issuer in state.principals, Code.PRINCIPAL_NOT_FOUND)
    require(state.units.find(record.symbol) is None, Code.UNIT_EXISTS)
    settlement = None
    if record.settlement_unit is not None:
        settlement = found(state.units.get(record.settlement_unit), Code.UNIT_NOT_FOUND)
    unit_id = UnitId(place.derived_id(state))
    require(unit_id not in state.units, Code.ID_CONFLICT)
    require(issuance_account(unit_id) not in state.accounts, Code.ID_CONFLICT)
    if settlement is not None:
        require(settlement.unit not in state.deferred_units, Code.UNIT_DEFERRED)
        require(settlement.exponent == record.exponent, Code.UNIT_MISMATCH)
    check_account_cap(state, record.issuer)

    state.units.put(
        unit_id,
        UnitRow(unit=unit_id, issuer=record.issuer, symbol=record.symbol, exponent=record.exponent),
    )
    state.put_account(
        AccountRow(issuance_account(unit_id), record.issuer, unit_id, AccountFlags.ISSUANCE)
    )
    if settlement is not None:
        row = DeferredUnitRow(unit_id, settlement.unit, 1, place.sequence_number)
        state.deferred_units.put(unit_id, row)
    return []


def issue(state: State, place: Place, record: Issue) -> list[Effect]:
    """Makes new money of a unit.

    Returns:
        No effects: the record says it all.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; REFERENCE_USED; UNIT_NOT_FOUND, also if
            the signer is not its issuer; CREDIT_NOT_FOUND; UNIT_DEFERRED; ACCOUNT_CLOSED,
            ACCOUNT_FROZEN, UNIT_MISMATCH, ISSUANCE_ACCOUNT, GRANT_ACCOUNT of the credit account;
            CAP_EXCEEDED;
            AMOUNT_OVERFLOW.
    """
    amount = Amount(record.amount)
    check_key_and_scope(state, place, Scope.OWNER)
    check_reference(state, place, Group.UNIT, record.reference, unique=record.unique)
    check_issuer(state, place, record.unit)
    credit = found(state.accounts.get(record.credit_account), Code.CREDIT_NOT_FOUND)
    _check_not_deferred(state, record.unit)
    check_open(credit)
    require(credit.unit == record.unit, Code.UNIT_MISMATCH)
    check_ordinary(credit)
    check_reference_cap(state, place, unique=record.unique)
    issuance = state.accounts[issuance_account(record.unit)]
    require(amounts.fits(issuance.debits_posted + amount), Code.AMOUNT_OVERFLOW)
    check_credit_room(credit, amount)

    remember_reference(state, place, Group.UNIT, record.reference, unique=record.unique)
    state.put_account(replace(issuance, debits_posted=amounts.add(issuance.debits_posted, amount)))
    state.put_account(replace(credit, credits_posted=amounts.add(credit.credits_posted, amount)))
    return []


def burn(state: State, place: Place, record: Burn) -> list[Effect]:
    """Takes money of the issuer's own out of the world.

    Returns:
        No effects: the record says it all.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; REFERENCE_USED; UNIT_NOT_FOUND, also if
            the signer is not its issuer; DEBIT_NOT_FOUND; UNIT_DEFERRED; ACCOUNT_CLOSED,
            ACCOUNT_FROZEN, UNIT_MISMATCH, ISSUANCE_ACCOUNT, GRANT_ACCOUNT of the debit account;
            CAP_EXCEEDED;
            INSUFFICIENT_FUNDS or FUNDS_HELD; AMOUNT_OVERFLOW.
    """
    amount = Amount(record.amount)
    check_key_and_scope(state, place, Scope.OWNER)
    check_reference(state, place, Group.UNIT, record.reference, unique=record.unique)
    check_issuer(state, place, record.unit)
    debit = own_account(state, place.principal, record.debit_account, Code.DEBIT_NOT_FOUND)
    _check_not_deferred(state, record.unit)
    check_open(debit)
    require(debit.unit == record.unit, Code.UNIT_MISMATCH)
    check_ordinary(debit)
    check_reference_cap(state, place, unique=record.unique)
    check_funds(debit, amount)
    issuance = state.accounts[issuance_account(record.unit)]
    check_credit_room(issuance, amount)

    remember_reference(state, place, Group.UNIT, record.reference, unique=record.unique)
    state.put_account(replace(debit, debits_posted=amounts.add(debit.debits_posted, amount)))
    credits_posted = amounts.add(issuance.credits_posted, amount)
    state.put_account(replace(issuance, credits_posted=credits_posted))
    return []


def credit_limit(state: State, place: Place, record: CreditLimit) -> list[Effect]:
    """Says how far an account may go below zero.

    Returns:
        No effects: the record says it all.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; UNIT_NOT_FOUND, also if the signer is not
            its issuer; ACCOUNT_NOT_FOUND; UNIT_DEFERRED; ACCOUNT_CLOSED, UNIT_MISMATCH,
            ISSUANCE_ACCOUNT, GRANT_ACCOUNT; CREDIT_IN_USE; AMOUNT_OVERFLOW.
    """
    check_key_and_scope(state, place, Scope.OWNER)
    check_issuer(state, place, record.unit)
    account = found(state.accounts.get(record.account), Code.ACCOUNT_NOT_FOUND)
    _check_not_deferred(state, record.unit)
    require(not account.flags & AccountFlags.CLOSED, Code.ACCOUNT_CLOSED)
    require(account.unit == record.unit, Code.UNIT_MISMATCH)
    check_ordinary(account)
    changed = replace(account, credit_limit=Amount(record.limit))
    require(changed.available >= 0, Code.CREDIT_IN_USE)
    check_credit_room(changed, Amount(0))

    state.put_account(changed)
    return []


def check_issuer(state: State, place: Place, unit_id: UnitId) -> None:
    """Checks that the unit exists and the signer issues it.

    Raises:
        Refused: UNIT_NOT_FOUND.
    """
    unit_row = found(state.units.get(unit_id), Code.UNIT_NOT_FOUND)
    require(unit_row.issuer == place.principal, Code.UNIT_NOT_FOUND)


def _check_not_deferred(state: State, unit_id: UnitId) -> None:
    """Checks that the unit is not one of obligations, which nobody makes or lends.

    Raises:
        Refused: UNIT_DEFERRED.
    """
    require(unit_id not in state.deferred_units, Code.UNIT_DEFERRED)
