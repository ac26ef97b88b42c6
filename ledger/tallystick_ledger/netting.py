"""Net positions: what is left when everybody's debts are set off against everybody's claims.

Pure functions that the rules, the operator's SETTLE and whoever checks it have in common.
Source: docs/semantics.md, "What a window comes to".
"""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tallystick_ledger.ids import AccountId, Amount, LedgerId, UnitId

POSITIONS_DOMAIN: Final = b"tallystick/positions/v1\0"


@dataclass(frozen=True, slots=True)
class Position:
    """The net position of an account in a window. One of the amounts is 0, the other is not.

    Attributes:
        account: In the deferred unit.
        owes: What it has to pay.
        due: What it gets.
    """

    account: AccountId
    owes: Amount
    due: Amount


def net_positions(pairs: Iterable[tuple[AccountId, AccountId, int]]) -> list[Position]:
    """Returns the positions that are not zero, ascending by account.

    Args:
        pairs: Debtor, creditor and amount.
    """
    balances: dict[AccountId, int] = defaultdict(int)
    for debtor, creditor, amount in pairs:
        balances[debtor] -= amount
        balances[creditor] += amount
    return [
        Position(account, Amount(max(0, -balance)), Amount(max(0, balance)))
        for account, balance in sorted(balances.items())
        if balance != 0
    ]


def positions_hash(
    ledger_id: LedgerId, unit: UnitId, window: int, positions: Sequence[Position]
) -> bytes:
    """Returns what SETTLE commits to: 32 bytes over the net positions, ascending by account."""
    content = hashlib.sha256(POSITIONS_DOMAIN + ledger_id + unit + window.to_bytes(8, "little"))
    for position in positions:
        content.update(position.account)
        content.update(position.owes.to_bytes(16, "little"))
        content.update(position.due.to_bytes(16, "little"))
    return content.digest()


def payments(positions: Sequence[Position]) -> list[tuple[AccountId, AccountId, Amount]]:
    """Returns who pays whom how much: debtor, creditor, amount.

    Debtors and creditors are gone through in the order of their accounts; each step pays what both
    still can take. So there are fewer payments than positions.

    Args:
        positions: Ascending by account; what is owed adds up to what is due.
    """
    debts = deque((position.account, position.owes) for position in positions if position.owes)
    claims = deque((position.account, position.due) for position in positions if position.due)
    made = []
    while debts and claims:
        (debtor, owed), (creditor, claimed) = debts.popleft(), claims.popleft()
        amount = min(owed, claimed)
        made.append((debtor, creditor, amount))
        if owed > amount:
            debts.appendleft((debtor, Amount(owed - amount)))
        if claimed > amount:
            claims.appendleft((creditor, Amount(claimed - amount)))
    return made
