"""What is counted and told: outcomes, quantiles, histograms, validity, pools, plots."""

import json
import struct
import time
from pathlib import Path

import pytest

from tallystick_ledger.codes import Code
from tallystick_loadtests.errors import InvalidRunError, LoadNotPreparedError
from tallystick_loadtests.outcome import Outcome, header_digests, quantiles
from tallystick_loadtests.phases import parse
from tallystick_loadtests.plot import plot_sweep
from tallystick_loadtests.report import require_valid
from tallystick_loadtests.swarm.directory import LoadDirectory
from tallystick_loadtests.swarm.figures import requests_of
from tallystick_loadtests.swarm.pool import Pool
from tallystick_proto import wire

ENVELOPE_BYTES = 256 + 128
OK_RESULT = bytes(16)
REFUSED_RESULT = b"\1" + bytes(15)


def _answer(*outcomes: tuple[Code, int], results: bytes = b"") -> wire.SubmitResponse:
    packed = b"".join(struct.pack("<II24x", code, records) for code, records in outcomes)
    return wire.SubmitResponse(packed, results)


def _message(count: int) -> bytes:
    """Envelopes of one record, distinct, with nothing in them but their count of records."""
    return b"".join(
        bytes([position]) + bytes(11) + struct.pack("<I", 1) + bytes(ENVELOPE_BYTES - 16)
        for position in range(count)
    )


def test_only_records_that_are_ok_count() -> None:
    outcome = Outcome()
    results = OK_RESULT + REFUSED_RESULT
    assert outcome.take(_answer((Code.OK, 1), (Code.OK, 1), results=results), 0, 5.0)
    assert (outcome.ok_records, outcome.refused_records, outcome.envelopes) == (1, 1, 2)
    assert outcome.latencies_ms == [5.0]


def test_an_envelope_that_was_not_ordered_is_not_acknowledged() -> None:
    outcome = Outcome()
    answer = _answer((Code.OK, 1), (Code.BAD_SIGNATURE, 0), (Code.OK, 1), results=OK_RESULT * 2)
    assert outcome.take(answer, 0, 5.0)
    message = _message(3)
    digests = header_digests(message)
    assert list(outcome.digests([message])) == [digests[0], digests[2]]
    assert (outcome.envelopes, outcome.refused_envelopes, outcome.refused) == (2, 1, 1)


@pytest.mark.parametrize("code", [Code.NOT_LEADER, Code.UNAVAILABLE, Code.OVERLOADED])
def test_what_has_to_be_sent_again_is_not_counted(code: Code) -> None:
    outcome = Outcome()
    assert not outcome.take(_answer((code, 0)), 0, 5.0)
    assert outcome == Outcome()


def test_quantiles_are_those_of_the_latencies() -> None:
    found = quantiles([float(ms) for ms in range(1_001)])
    assert found == {"p50": 500.0, "p99": 990.0, "p99_9": 999.0, "max": 1_000.0}
    assert quantiles([7.0]) == dict.fromkeys(("p50", "p99", "p99_9", "max"), 7.0)
    assert set(quantiles([]).values()) == {0.0}


@pytest.mark.parametrize(("refused", "valid"), [(0, True), (10, True), (11, False)])
def test_a_run_with_more_than_one_percent_refused_does_not_count(refused: int, valid: bool) -> None:
    outcome = Outcome(ok_records=1_000 - refused, refused_records=refused)
    if valid:
        require_valid(outcome)
    else:
        with pytest.raises(InvalidRunError, match="11 of 1000"):
            require_valid(outcome)


def test_a_run_without_answers_does_not_count() -> None:
    with pytest.raises(InvalidRunError):
        require_valid(Outcome())


def _metrics(fast: int, slow: int, total_s: float) -> str:
    return (
        "# TYPE tallystick_apply_seconds histogram\n"
        f'tallystick_apply_seconds_bucket{{le="0.001"}} {fast}\n'
        f'tallystick_apply_seconds_bucket{{le="0.01"}} {fast + slow}\n'
        f'tallystick_apply_seconds_bucket{{le="+Inf"}} {fast + slow}\n'
        f"tallystick_apply_seconds_count {fast + slow}\n"
        f"tallystick_apply_seconds_sum {total_s}\n"
        "# TYPE tallystick_term gauge\ntallystick_term 3\n"
    )


def test_a_phase_is_what_its_histogram_grew_by() -> None:
    before, after = parse(_metrics(100, 100, 1.0)), parse(_metrics(190, 110, 1.5))
    assert set(after) == {"apply"}
    figures = after["apply"].since(before["apply"]).figures()
    assert figures == {"count": 100, "mean_ms": 5.0, "p50_ms": 0.556, "p99_ms": 9.1}


def test_a_pool_that_runs_dry_says_so() -> None:
    made = iter(range(1_000))
    pool = Pool(lambda count: [bytes([next(made)]) for _ in range(count)], 4)
    pool.fill(10, lambda: None)
    assert (pool.signed, pool.signed_late) == (10, 0)
    taken = [pool.take() for _ in range(12)]
    assert taken == [bytes([number]) for number in range(12)]
    assert (pool.signed, pool.signed_late) == (14, 4)


def test_a_pool_drops_what_would_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(range(1_000))
    pool = Pool(lambda count: [bytes([next(made)]) for _ in range(count)], 4)
    pool.fill(4, lambda: None)
    later_ns = time.time_ns() + 600_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: later_ns)
    assert pool.take() == bytes([4])


def test_locusts_statistics_are_read() -> None:
    entry = {
        "name": "transfer",
        "num_requests": 100,
        "num_failures": 2,
        "start_time": 10.0,
        "last_request_timestamp": 14.0,
        "max_response_time": 91.237,
        "response_times": {"5": 60, "7": 39, "90": 1},
    }
    found = requests_of([entry])["transfer"]
    assert (found.requests, found.failures, found.per_s) == (100, 2, 25.0)
    assert found.latency_ms == {"p50": 5.0, "p99": 7.0, "max": 91.24}


def test_a_directory_without_a_load_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadNotPreparedError, match="swarm prepare"):
        LoadDirectory.open(tmp_path)


def test_a_sweep_is_drawn(tmp_path: Path) -> None:
    latency_ms = {"p50": 2.0, "p99": 9.0, "p99_9": 10.0, "max": 11.0}
    points = [
        {"transfers_per_s": rate, "latency_ms": latency_ms, "reached": rate < 900}
        for rate in (100, 500, 900)
    ]
    content = {
        "profile": "unary",
        "nodes": 3,
        "seconds": 2.0,
        "closed": {"transfers_per_s": 950},
        "points": points,
    }
    plot_sweep(json.loads(json.dumps(content)), tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
