"""What the rules ask of accounts, and how money is pinned, freed and moved.

Source: docs/semantics.md section 3.
"""

from dataclasses import replace

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, Amount, PrincipalId
from tallystick_ledger.spec import amounts
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import AccountFlags, AccountRow


def own_account(
    state: State, principal: PrincipalId, account_id: AccountId, code: Code
) -> AccountRow:
    """Returns the account if it is the principal's own.

    Raises:
        Refused: With `code`, it does not exist or is somebody else's: the two look alike.
    """
    account = found(state.accounts.get(account_id), code)
    require(account.owner == principal, code)
    return account


def check_movable(account: AccountRow) -> None:
    """Checks that TRANSFER, RESERVE and CHANNEL may touch the account.

    Raises:
        Refused: ACCOUNT_CLOSED, ACCOUNT_FROZEN, ISSUANCE_ACCOUNT or GRANT_ACCOUNT, in this order.
    """
    check_open(account)
    check_ordinary(account)


def check_ordinary(account: AccountRow) -> None:
    """Checks that the account is neither a unit's nor a grant's.

    Raises:
        Refused: ISSUANCE_ACCOUNT or GRANT_ACCOUNT.
    """
    require(not account.flags & AccountFlags.ISSUANCE, Code.ISSUANCE_ACCOUNT)
    require(not account.flags & AccountFlags.GRANT, Code.GRANT_ACCOUNT)


def check_open(account: AccountRow) -> None:
    """Checks that the account may be credited.

    Raises:
        Refused: ACCOUNT_CLOSED or ACCOUNT_FROZEN, in this order.
    """
    require(not account.flags & AccountFlags.CLOSED, Code.ACCOUNT_CLOSED)
    require(not account.flags & AccountFlags.FROZEN, Code.ACCOUNT_FROZEN)


def check_between(state: State, debit: AccountRow, credit: AccountRow) -> None:
    """Checks that money may go from one account to the other.

    Raises:
        Refused: UNIT_MISMATCH; in a deferred unit NOT_A_MEMBER.
    """
    require(debit.unit == credit.unit, Code.UNIT_MISMATCH)
    if debit.flags & AccountFlags.DEFERRED:
        require(debit.account in state.members, Code.NOT_A_MEMBER)
        require(credit.account in state.members, Code.NOT_A_MEMBER)


def check_funds(account: AccountRow, amount: Amount) -> None:
    """Checks that the account can pay.

    Raises:
        Refused: FUNDS_HELD, it could if its holds freed all; else INSUFFICIENT_FUNDS.
    """
    with_holds_freed = account.available + account.debits_pending
    require(amount <= with_holds_freed, Code.INSUFFICIENT_FUNDS)
    require(amount <= account.available, Code.FUNDS_HELD)


def check_credit_room(account: AccountRow, amount: Amount) -> None:
    """Checks that `credits_posted` can take so much, together with the credit limit.

    Raises:
        Refused: AMOUNT_OVERFLOW.
    """
    total = account.credits_posted + account.credit_limit + amount
    require(amounts.fits(total), Code.AMOUNT_OVERFLOW)


def check_account_cap(state: State, owner: PrincipalId) -> None:
    """Checks that the principal may own one account more; issuance accounts count.

    Raises:
        Refused: CAP_EXCEEDED.
    """
    require(state.accounts.count(owner) < state.genesis.caps.accounts, Code.CAP_EXCEEDED)


def check_pinned_cap(state: State, payer: PrincipalId) -> None:
    """Checks that the principal may pay one hold or channel more.

    Raises:
        Refused: CAP_EXCEEDED.
    """
    count = state.holds.count(payer) + state.channels.count(payer)
    require(count < state.genesis.caps.open_holds, Code.CAP_EXCEEDED)


def check_can_pin(payer: AccountRow, payee: AccountRow, own: Amount, total: Amount) -> None:
    """Checks what `pin` needs.

    Args:
        payer: Pays its own part.
        payee: Is promised all of it.
        own: The payer's part.
        total: With what grants pay.

    Raises:
        Refused: INSUFFICIENT_FUNDS or FUNDS_HELD; AMOUNT_OVERFLOW.
    """
    check_funds(payer, own)
    require(amounts.fits(payee.credits_pending + total), Code.AMOUNT_OVERFLOW)


def pin(state: State, payer_account: AccountId, payee_account: AccountId, amount: Amount) -> None:
    """Adds to both pending columns."""
    payer = state.accounts[payer_account]
    state.put_account(replace(payer, debits_pending=amounts.add(payer.debits_pending, amount)))
    payee = state.accounts[payee_account]
    state.put_account(replace(payee, credits_pending=amounts.add(payee.credits_pending, amount)))


def free(state: State, payer_account: AccountId, payee_account: AccountId, amount: Amount) -> None:
    """Takes out of both pending columns."""
    payer = state.accounts[payer_account]
    state.put_account(replace(payer, debits_pending=amounts.subtract(payer.debits_pending, amount)))
    payee = state.accounts[payee_account]
    left = amounts.subtract(payee.credits_pending, amount)
    state.put_account(replace(payee, credits_pending=left))


def move(state: State, debit: AccountId, credit: AccountId, amount: Amount) -> None:
    """Adds to both posted columns; in a deferred unit the first now owes it to the second."""
    payer = state.accounts[debit]
    state.put_account(replace(payer, debits_posted=amounts.add(payer.debits_posted, amount)))
    payee = state.accounts[credit]
    state.put_account(replace(payee, credits_posted=amounts.add(payee.credits_posted, amount)))
    if payer.flags & AccountFlags.DEFERRED:
        window = state.deferred_units[payer.unit].open_window
        state.add_to_pair(payer.unit, window, debit, credit, amount)


def pay(state: State, payer_account: AccountId, payee_account: AccountId, amount: Amount) -> None:
    """Moves from pending to posted on both accounts."""
    free(state, payer_account, payee_account, amount)
    move(state, payer_account, payee_account, amount)
