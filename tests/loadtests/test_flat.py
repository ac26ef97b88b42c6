"""The state under mixed records and moving log time, small."""

import json
from dataclasses import replace

from typer.testing import CliRunner

from tallystick_loadtests.flat import Part, app, is_flat, measure

RECORDS = 250_000


def part(days: float, rows: int, size: int = 1_000) -> Part:
    return Part(1, days, {}, rows, size, 1)


def test_state_is_flat_if_it_stays_once_the_longest_memory_forgets() -> None:
    assert is_flat([part(40, 5), part(91, 100), part(120, 101), part(150, 100)])
    assert not is_flat([part(40, 5), part(91, 100), part(120, 102)])
    assert not is_flat([part(40, 5), part(91, 100), part(120, 100, 1_011)])
    assert not is_flat([part(40, 100), part(91, 100)])  # nothing to compare


def test_ten_thousand_a_block_of_every_kind_leave_what_the_rules_remember() -> None:
    rows = measure(RECORDS).parts
    last = rows[-1]
    assert last.records >= RECORDS
    assert set(last.rows) >= {"hold", "reference", "channel", "correction", "dispute", "live_id"}
    assert is_flat(rows)
    # Half of that, and it would still have been growing.
    early = [replace(each, log_days=each.log_days + 90) for each in rows[:3]]
    assert not is_flat(early)


def test_the_command_says_so() -> None:
    ran = CliRunner().invoke(app, ["--records", str(RECORDS), "--json"])
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.output)
    assert found["is_flat"]
    assert len(found["parts"]) == 10
