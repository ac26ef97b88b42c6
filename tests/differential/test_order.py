"""Which code wins when a record breaks two rules: the one that stands earlier in semantics.md.

For each kind, each rule alone gives its code, and each pair of rules that can be broken at once
gives the code of the earlier one: not only of neighbours.
"""

import pytest
from tests.differential.book import MakeEngine
from tests.differential.cases import Case, KindCases, Violation, new_case
from tests.differential.cases_channels import CHANNEL_KINDS
from tests.differential.cases_corrections import CORRECTION_KINDS
from tests.differential.cases_debts import DEBT_KINDS
from tests.differential.cases_exchange import EXCHANGE
from tests.differential.cases_grants import GRANT_KINDS
from tests.differential.cases_limits import LIMIT_KINDS
from tests.differential.cases_mandates import MANDATE_KINDS
from tests.differential.cases_meters import METER_KINDS
from tests.differential.cases_money import MONEY_KINDS
from tests.differential.cases_netting import NETTING_KINDS
from tests.differential.cases_prices import PRICE_KINDS
from tests.differential.cases_quotes import QUOTE_KINDS
from tests.differential.cases_recovery import RECOVERY_KINDS
from tests.differential.cases_registry import REGISTRY_KINDS
from tests.differential.cases_reprice import REPRICE_KINDS

from tallystick_ledger.codes import Code

KINDS = (
    *MONEY_KINDS,
    EXCHANGE,
    *METER_KINDS,
    *MANDATE_KINDS,
    *QUOTE_KINDS,
    *CHANNEL_KINDS,
    *PRICE_KINDS,
    *LIMIT_KINDS,
    *DEBT_KINDS,
    *CORRECTION_KINDS,
    *REPRICE_KINDS,
    *GRANT_KINDS,
    *REGISTRY_KINDS,
    *RECOVERY_KINDS,
    *NETTING_KINDS,
)
RULES = [
    pytest.param(kind, place, id=f"{kind.name}-{rule.name}".replace(" ", "_"))
    for kind in KINDS
    for place, rule in enumerate(kind.violations)
]


def broken(kind: KindCases, engine: MakeEngine, *rules: Violation) -> Case:
    case = new_case(kind, engine)
    for rule in rules:
        rule.break_it(case)
    return case


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_good_record_of_each_kind_is_done(kind: KindCases, engine: MakeEngine) -> None:
    assert new_case(kind, engine).send().codes == [Code.OK]


@pytest.mark.parametrize(("kind", "place"), RULES)
def test_each_rule_alone_gives_its_code(kind: KindCases, place: int, engine: MakeEngine) -> None:
    rule = kind.violations[place]
    assert broken(kind, engine, rule).send().codes == [rule.code]


@pytest.mark.parametrize(("kind", "place"), RULES)
def test_of_two_broken_rules_the_earlier_gives_the_code(
    kind: KindCases, place: int, engine: MakeEngine
) -> None:
    first = kind.violations[place]
    for second in kind.violations[place + 1 :]:
        if first.touches & second.touches:
            continue
        receipt = broken(kind, engine, first, second).send()
        assert receipt.codes == [first.code], f"{first.name} before {second.name}"


def test_neighbouring_rules_can_be_broken_together_or_exclude_each_other() -> None:
    """Guards the tables: enough pairs are really tried."""
    tried = sum(
        not (first.touches & second.touches)
        for kind in KINDS
        for at, first in enumerate(kind.violations)
        for second in kind.violations[at + 1 :]
    )
    assert tried > 1_900
