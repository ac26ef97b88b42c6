"""What statements and balances have to add up to, over all accounts."""

from collections import defaultdict
from collections.abc import Iterator

from tallystick.statements.posting import Posting
from tallystick_cluster.economy.books import Closing
from tallystick_cluster.economy.checks import Check, check
from tallystick_cluster.economy.stage import Stage
from tallystick_ledger.ids import AccountId


def check_books(stage: Stage, closing: Closing) -> Iterator[Check]:
    """Statements add up, agree with the ledger, and sum to what was issued."""
    names = closing.names
    yield check(
        "statements",
        f"{len(closing.statements):,} statements: opening + {closing.movements:,} movements = "
        "closing, in each breakdown",
        (names[key] for key, each in closing.statements.items() if not each.adds_up),
        count=closing.movements,
    )
    yield check(
        "balances",
        f"all {len(names):,} accounts stand in the ledger as in the statements",
        [
            *(names[each] for each in closing.differing),
            *(
                [f"the ledger has {closing.account_count} accounts"]
                if closing.account_count != len(names)
                else []
            ),
        ],
        count=len(names),
    )
    pending = [
        names[key]
        for key, each in closing.statements.items()
        if each.closing.debits_pending or each.closing.credits_pending
    ]
    yield check("holds_over", "nothing is on hold any more", pending)
    yield from _check_units(stage, closing)


def _check_units(stage: Stage, closing: Closing) -> Iterator[Check]:
    by_unit: dict[bytes, dict[AccountId, int]] = defaultdict(dict)
    for account, each in closing.statements.items():
        by_unit[each.unit][account] = each.closing.balance
    for unit, symbol in stage.units.items():
        balances = by_unit.get(unit, {})
        issuance = balances.get(AccountId(unit), 0)
        held = sum(balances.values()) - issuance
        issued = _issued(closing.postings.get(AccountId(unit), ()))
        problems = []
        if held + issuance or held != issued:
            problems.append(f"{held:,} are held, {issued:,} were issued")
        yield check(
            f"sum_{symbol}",
            f"{symbol}: {len(balances):,} accounts sum to zero; {held:,} are held, all that was "
            "issued",
            problems,
            count=len(balances),
        )


def _issued(postings: tuple[Posting, ...]) -> int:
    return sum(-posting.posted_change for posting in postings)
