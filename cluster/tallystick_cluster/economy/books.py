"""The auditor reads every account's history and makes statements of the day.

It uses what every user has: histories, a projection, statements. Nothing of what the acts kept for
themselves goes in. The projection lives in memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tallystick import Client
from tallystick.statements.follow import compare
from tallystick.statements.posting import Posting
from tallystick.statements.projection import Projection
from tallystick.statements.statement import Statement
from tallystick_cluster.economy.cast import Cast
from tallystick_cluster.layout import ClusterLayout
from tallystick_ledger.ids import AccountId

IN_MEMORY: Final = ":memory:"
_FOR_EVER_NS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Closing:
    """What the auditor read.

    Attributes:
        names: Whose account is whose.
        statements: Of the day, by account.
        postings: All of each account, those before the day included.
        differing: Accounts that the ledger has otherwise.
        account_count: How many accounts the ledger has.
    """

    names: Mapping[AccountId, str]
    statements: Mapping[AccountId, Statement]
    postings: Mapping[AccountId, tuple[Posting, ...]]
    differing: tuple[AccountId, ...]
    account_count: int

    @property
    def movements(self) -> int:
        """Postings of the day, over all accounts."""
        return sum(each.movements.count for each in self.statements.values())


def read_books(
    layout: ClusterLayout, cast: Cast, accounts: Mapping[AccountId, str], from_ns: int
) -> Closing:
    """Reads everything with the auditor's key; blocks.

    Args:
        layout: The cluster, which runs.
        cast: Who the auditor is.
        accounts: What to read, and whose it is.
        from_ns: Where the statements begin.

    Raises:
        TallystickError: Something could not be read or booked.
    """
    ids = list(accounts)
    client = Client(layout.endpoints, layout.genesis, tls=layout.ca_pem, read_key=cast.auditor)
    with client, Projection(IN_MEMORY, client.ledger_id) as projection:
        compared = compare(client, projection, ids)
        account_count = client.status(linearizable=True).account_count
        return Closing(
            accounts,
            {each: projection.statement(each, from_ns, _FOR_EVER_NS) for each in ids},
            {each: tuple(projection.postings(each, 0, _FOR_EVER_NS)) for each in ids},
            compared.differing,
            account_count,
        )
