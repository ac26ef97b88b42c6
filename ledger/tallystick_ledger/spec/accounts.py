"""What the rules ask of accounts: ownership, state, funds, and the cap on their number.

Source: docs/semantics.md section 3.
"""

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, Amount, PrincipalId
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
    """Checks that TRANSFER and RESERVE may touch the account.

    Raises:
        Refused: ACCOUNT_CLOSED, ACCOUNT_FROZEN or ISSUANCE_ACCOUNT, in this order.
    """
    check_open(account)
    require(not account.flags & AccountFlags.ISSUANCE, Code.ISSUANCE_ACCOUNT)


def check_open(account: AccountRow) -> None:
    """Checks that the account may be credited.

    Raises:
        Refused: ACCOUNT_CLOSED or ACCOUNT_FROZEN, in this order.
    """
    require(not account.flags & AccountFlags.CLOSED, Code.ACCOUNT_CLOSED)
    require(not account.flags & AccountFlags.FROZEN, Code.ACCOUNT_FROZEN)


def check_funds(account: AccountRow, amount: Amount) -> None:
    """Checks that the account can pay.

    Raises:
        Refused: FUNDS_HELD, it could if its holds freed all; else INSUFFICIENT_FUNDS.
    """
    with_holds_freed = account.available + account.debits_pending
    require(amount <= with_holds_freed, Code.INSUFFICIENT_FUNDS)
    require(amount <= account.available, Code.FUNDS_HELD)


def check_account_cap(state: State, owner: PrincipalId) -> None:
    """Checks that the principal may own one account more; issuance accounts count.

    Raises:
        Refused: CAP_EXCEEDED.
    """
    require(state.accounts.count(owner) < state.genesis.caps.accounts, Code.CAP_EXCEEDED)
