"""What grants paid, to whom; and what these passed on to whom the grants are for.

A sponsor reads the account of its grant like any other of its accounts. There stands every charge
that the grant paid a part of, with the account that it went to, and what came back of it. What came
back after the grant was over is in its pool, under the grant's id.

Money of a grant is for what a provider sells. It makes a round trip if the provider hands a part
of it back to the grantee. A ledger cannot know what a transfer is for, so the report does not
judge: it sets all that went from providers to the grantee since the grant began beside what the
grant paid to them. That stands in the providers' accounts, which are not the sponsor's to read: an
AUDIT key reads them, and what the key at hand cannot read is named as unread.

Source: docs/statements.md. All but `gather` is pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tallystick.client import Client
from tallystick.grants import GrantState
from tallystick.statements.follow import Compared, catch_up, compare
from tallystick.statements.posting import GIVES_BACK, Posting, Side
from tallystick.statements.projection import Projection
from tallystick.statements.statement import Columns
from tallystick_ledger.ids import AccountId, PrincipalId, grant_account

_CHARGES: Final = frozenset({"CAPTURE", "METER"})
_RETURNS: Final = frozenset({"GRANT_RETURN", "CLAW_BACK"})
_END_NS: Final = 2**63 - 1

Owners = Mapping[AccountId, PrincipalId]


@dataclass(frozen=True, slots=True)
class Paid:
    """What a grant paid to one account.

    Attributes:
        account: Whose credit it was.
        charges: How many charges it paid a part of.
        charged: The sum of these parts.
        given_back: What refunds, accepted disputes and new prices gave back of it, to the grant or
            its pool.
    """

    account: AccountId
    charges: int = 0
    charged: int = 0
    given_back: int = 0

    @property
    def kept(self) -> int:
        """What the account still has of it."""
        return self.charged - self.given_back


@dataclass(frozen=True, slots=True)
class Passed:
    """What went from an account of a provider to one of the grantee.

    Attributes:
        debit_account: The provider's.
        credit_account: The grantee's.
        cause: TRANSFER, CAPTURE and the like.
        count: How many movements.
        amount: Their sum.
    """

    debit_account: AccountId
    credit_account: AccountId
    cause: str
    count: int = 0
    amount: int = 0


@dataclass(frozen=True, slots=True)
class GrantReport:
    """A grant from its beginning until now.

    Attributes:
        grant: Its terms, and what the ledger says is left of it.
        columns: Of its account, as they were booked.
        paid: By account, in order of the ids.
        returned: What went back to the pool when it ended, or later when holds freed it.
        back_to_pool: What was given back of its charges after that; a part of `given_back`.
        passed: From providers that it paid to the grantee; as far as their accounts are followed.
        unread: Accounts that it paid to of which nothing more is known.
    """

    grant: GrantState
    columns: Columns
    paid: tuple[Paid, ...]
    returned: int
    back_to_pool: int
    passed: tuple[Passed, ...] = ()
    unread: tuple[AccountId, ...] = ()

    @property
    def kept(self) -> int:
        """What all providers still have of it."""
        return sum(each.kept for each in self.paid)

    @property
    def passed_on(self) -> int:
        """What went from them to the grantee."""
        return sum(each.amount for each in self.passed)

    @property
    def adds_up(self) -> bool:
        """Whether what was set aside is what was paid, returned and is left, to the last unit."""
        gone = self.kept + self.back_to_pool + self.returned
        return self.grant.terms.amount - gone == self.columns.balance

    def as_json(self, owners: Owners) -> dict[str, Any]:
        """The report as plain values: ids hexadecimal, amounts decimal strings."""
        return {
            "grant": self.grant.terms.grant.hex(),
            "sponsor": self.grant.sponsor.hex(),
            "grantee": self.grant.terms.grantee.hex(),
            "unit": self.grant.account.unit.hex(),
            "status": self.grant.terms.status.name,
            "set_aside": str(self.grant.terms.amount),
            "kept": str(self.kept),
            "returned": str(self.returned),
            "back_to_pool": str(self.back_to_pool),
            "held": str(self.columns.debits_pending),
            "left": str(self.columns.balance - self.columns.debits_pending),
            "adds_up": self.adds_up,
            "paid": [
                {
                    "account": each.account.hex(),
                    "owner": owners[each.account].hex() if each.account in owners else None,
                    "charges": each.charges,
                    "charged": str(each.charged),
                    "given_back": str(each.given_back),
                    "kept": str(each.kept),
                }
                for each in self.paid
            ],
            "passed_on": str(self.passed_on),
            "passed": [
                {
                    "debit_account": each.debit_account.hex(),
                    "credit_account": each.credit_account.hex(),
                    "cause": each.cause,
                    "count": each.count,
                    "amount": str(each.amount),
                }
                for each in self.passed
            ],
            "unread": [account.hex() for account in self.unread],
        }


@dataclass(frozen=True, slots=True)
class Gathered:
    """Reports of several grants.

    Attributes:
        reports: In the order asked for.
        owners: Of all accounts that could be read.
        compared: How the accounts of grants and pools compare with the ledger's own.
    """

    reports: tuple[GrantReport, ...]
    owners: Owners
    compared: Compared

    @property
    def is_right(self) -> bool:
        """Whether all of them add up, and are what the ledger says."""
        return all(each.adds_up for each in self.reports) and not self.compared.differing


def report_of(
    grant: GrantState, columns: Columns, own: Iterable[Posting], of_pool: Iterable[Posting]
) -> GrantReport:
    """Sums a grant up.

    Args:
        grant: The grant.
        columns: Of its account.
        own: All postings of its account.
        of_pool: Those of its pool, at least since the grant began.
    """
    paid: dict[AccountId, Paid] = {}
    returned = back_to_pool = 0

    def at(account: bytes) -> Paid:
        return paid.get(AccountId(account), Paid(AccountId(account)))

    for posting in own:
        row = at(posting.counterparty)
        if posting.cause in _CHARGES:
            charged = row.charged + posting.amount
            paid[row.account] = replace(row, charges=row.charges + 1, charged=charged)
        elif posting.cause in GIVES_BACK:
            paid[row.account] = replace(row, given_back=row.given_back + posting.amount)
        elif posting.cause in _RETURNS:
            returned += posting.amount
    for posting in of_pool:
        is_back = posting.cause in GIVES_BACK and posting.side is Side.CREDIT
        if is_back and posting.grant == grant.terms.grant:
            row = at(posting.counterparty)
            paid[row.account] = replace(row, given_back=row.given_back + posting.amount)
            back_to_pool += posting.amount
    rows = tuple(paid[account] for account in sorted(paid))
    return GrantReport(grant, columns, rows, returned, back_to_pool)


def with_passed(
    report: GrantReport, books: Mapping[AccountId, Sequence[Posting]], owners: Owners
) -> GrantReport:
    """Adds to a report what its providers passed on to the grantee.

    What is given back of a charge is left out: it is no payment.

    Args:
        report: Of a grant.
        books: Postings of the accounts that are followed.
        owners: Of these, and of the accounts opposite, as far as they are known.
    """
    providers = {owners[each.account] for each in report.paid if each.account in owners}
    grantee, begin_ns = report.grant.terms.grantee, report.grant.terms.created_at_ns
    found: dict[tuple[AccountId, AccountId, str], Passed] = {}
    for account, other, posting in _movements(books):
        if posting.side is Side.DEBIT:
            debit, credit = account, other
        else:
            debit, credit = other, account
        is_passed = owners.get(debit) in providers and owners.get(credit) == grantee
        if is_passed and posting.timestamp_ns >= begin_ns:
            key = debit, credit, posting.cause
            row = found.get(key, Passed(*key))
            amount = row.amount + posting.amount
            found[key] = replace(row, count=row.count + 1, amount=amount)
    unread = tuple(each.account for each in report.paid if each.account not in books)
    return replace(report, passed=tuple(found[key] for key in sorted(found)), unread=unread)


def _movements(
    books: Mapping[AccountId, Sequence[Posting]],
) -> Iterator[tuple[AccountId, AccountId, Posting]]:
    """Payments between accounts, each once, although both sides may be followed."""
    for account, postings in books.items():
        for posting in postings:
            other = AccountId(posting.counterparty)
            is_told = posting.side is Side.CREDIT and other in books
            if posting.posted and posting.cause not in GIVES_BACK and not is_told:
                yield account, other, posting


def gather(
    client: Client,
    projection: Projection,
    grants: Sequence[GrantState],
    accounts: Sequence[AccountId] = (),
) -> Gathered:
    """Brings the accounts that matter up to date, and makes the reports.

    Args:
        client: Whose key reads: the sponsor's, or an AUDIT key for the round trips.
        projection: Where postings are kept.
        grants: Of which.
        accounts: Further accounts of providers or grantees to look for round trips in; those that
            a grant paid to are looked at by themselves, where this key may.

    Raises:
        InvalidArgument: A grant's account, or one of `accounts`, is not this key's to read.
        TallystickError: What reading raises.
    """
    own = [grant_account(each.terms.grant) for each in grants]
    pools = [each.terms.pool_account for each in grants]
    compared = compare(client, projection, list(dict.fromkeys([*own, *pools])))
    reports = [
        report_of(
            each, _columns(projection, account), _all(projection, account), _all(projection, pool)
        )
        for each, account, pool in zip(grants, own, pools, strict=True)
    ]
    paid_to = dict.fromkeys(row.account for report in reports for row in report.paid)
    owners = dict(_owners(client, list(paid_to)))
    followed = list(dict.fromkeys([*owners, *accounts]))
    catch_up(client, projection, followed)
    books = {account: _all(projection, account) for account in followed}
    opposite = {AccountId(posting.counterparty) for each in books.values() for posting in each}
    owners.update(_owners(client, sorted({*followed, *opposite} - {*owners, AccountId(b"")})))
    passed = tuple(with_passed(report, books, owners) for report in reports)
    return Gathered(passed, owners, compared)


def _all(projection: Projection, account: AccountId) -> list[Posting]:
    return list(projection.postings(account, 0, _END_NS))


def _columns(projection: Projection, account: AccountId) -> Columns:
    followed = projection.followed(account)
    return Columns() if followed is None else followed.columns


def _owners(
    client: Client, accounts: Sequence[AccountId]
) -> Iterator[tuple[AccountId, PrincipalId]]:
    """Of those that this key may read."""
    for account, row in zip(accounts, client.get_accounts(accounts), strict=True):
        if row is not None:
            yield account, row.owner
