"""Nodes die by SIGKILL under load, thirty times and then all at once; nothing acknowledged is lost.

What is checked, and how, stands in tallystick_cluster/campaign. That it would be seen if something
were lost is shown in test_campaign.py.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick_cluster.campaign.run import ClientKind, Findings, run_campaign

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

BETWEEN = 500


def _check_counts(findings: Findings, kills: int, leaders: int) -> None:
    count = findings.kills.count
    assert count["leader"] + count["follower"] == kills
    assert count["leader"] >= leaders
    assert count["all"] == 1
    assert len(findings.kills.acknowledged_between) == kills + 1
    assert min(findings.kills.acknowledged_between) >= BETWEEN
    assert findings.witness.count >= BETWEEN * (kills + 2)
    # Outcomes that were told again, after kills too, and compared with the first telling.
    assert findings.witness.repeats >= findings.witness.count // 100
    assert findings.executed >= findings.witness.count


@pytest.mark.long
def test_thirty_kills_and_then_all_at_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    findings = run_campaign(tmp_path / "cluster", kills=30, between=BETWEEN, seed=1)
    print(findings.as_json())
    record_property("campaign", findings.as_json())
    assert findings.faults == []
    _check_counts(findings, 30, leaders=10)


def test_the_sdk_survives_kills_and_its_receipts_are_what_the_ledger_holds(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    findings = run_campaign(
        tmp_path / "cluster", kills=6, between=BETWEEN, seed=2, client=ClientKind.SDK
    )
    print(findings.as_json())
    record_property("campaign", findings.as_json())
    assert findings.faults == []
    _check_counts(findings, 6, leaders=3)
    assert findings.looked_up >= findings.witness.count
