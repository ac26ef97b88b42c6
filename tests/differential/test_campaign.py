"""Random blocks on both engines: a short run every time, and the full campaign of 10,000 blocks.

The full campaign also shows that it looks everywhere: each result code at least 30 times, and 97 of
100 rules of a kind (test_order.py has each of them by name). A disagreement prints the command that
shows it again.
"""

import pytest
from tests.differential import raw
from tests.differential.campaign import Tally, run_seed
from tests.differential.test_order import KINDS

from tallystick_ledger.codes import Code
from tallystick_ledger.results import Cause

BLOCKS_PER_LEDGER = 100
# Among these every code is frequent enough; that changes with every kind that joins them.
FULL_LEDGERS = range(50, 150)
SHORT_LEDGERS = range(1_000, 1_005)  # other seeds than the full campaign's
MIN_RECORDS_PER_BLOCK = 20
MIN_OF_A_CODE = 30
# What 10,000 blocks happen to miss changes with every kind that joins them.
MAX_MISSED_RULES = 0.03

KIND_NUMBERS = {
    name: value
    for name, value in vars(raw).items()
    if name in {kind.name.split()[0] for kind in KINDS}
}
# Needs a hold or channel that has paid all it can but goes on, of an account that is then emptied
# and closed, within the life of the hold or channel: test_order.py has it.
_PAYING = (raw.EXTEND, raw.CAPTURE, raw.TOP_UP, raw.VOUCHER)
TOO_RARE = {(kind, Code.ACCOUNT_CLOSED) for kind in _PAYING}
# Need 64 cards of one principal, or 64 lines of one place: test_order.py has them.
TOO_RARE |= {(kind, Code.CAP_EXCEEDED) for kind in (raw.CARD, raw.PRICE)}
# Needs 1,024 mandates of one principal.
TOO_RARE.add((raw.MANDATE, Code.CAP_EXCEEDED))
# Needs 64 lists of one principal: test_order.py has it.
TOO_RARE.add((raw.LIST, Code.CAP_EXCEEDED))
# Needs 2**128 burned in all, most of it on credit.
TOO_RARE.add((raw.BURN, Code.AMOUNT_OVERFLOW))
# Keys of nodes and operators do not end, and others sign these by mistake only: test_order.py.
TOO_RARE |= {(kind, Code.KEY_EXPIRED) for kind in (raw.TICK, raw.UNIT, raw.PRINCIPAL)}

# Takes a block that cites more than 256 records: test_corrections.py has it.
NEVER = {Code.CITATIONS_FULL}


def test_500_random_blocks_agree() -> None:
    tally = Tally()
    for seed in SHORT_LEDGERS:
        run_seed(seed, BLOCKS_PER_LEDGER, tally)
    assert tally.blocks == 500
    assert tally.records >= MIN_RECORDS_PER_BLOCK * tally.blocks
    assert tally.restarts > 0
    assert set(tally.causes) == set(Cause)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_10_000_random_blocks_agree(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    for seed in FULL_LEDGERS:
        run_seed(seed, BLOCKS_PER_LEDGER, tally)
    with capsys.disabled():
        print(f"\n{tally.table()}")
    assert tally.blocks == 10_000
    assert tally.records >= MIN_RECORDS_PER_BLOCK * tally.blocks
    results = [code for code in Code if not code.is_refusal and code not in NEVER]
    seldom = {code: tally.codes[code] for code in results if tally.codes[code] < MIN_OF_A_CODE}
    assert seldom == {}
    rules = {
        (KIND_NUMBERS[kind.name.split()[0]], rule.code)
        for kind in KINDS
        for rule in kind.violations
        if rule.code is not Code.UNKNOWN_KIND
    }
    missed = rules - set(tally.pairs) - TOO_RARE
    assert len(missed) <= MAX_MISSED_RULES * len(rules), missed
