"""Streams that share a budget, small: extended holds on a cluster, and the model beside them."""

import pytest

from tallystick_loadtests.concurrency import Outcome, Work, check_then_book, main


def test_checking_first_and_booking_later_overspends() -> None:
    outcome = check_then_book(Work(1, 128))
    assert outcome.overspent > 0
    assert not outcome.is_good


def test_an_outcome_is_bad_if_overspent_unused_or_miscounted() -> None:
    assert Outcome(1_000, 980, 980, 0, 0).is_good
    assert not Outcome(1_000, 979, 979, 0, 0).is_good
    assert not Outcome(1_000, 1_001, 1_001, 0, 0).is_good
    assert not Outcome(1_000, 990, 991, 0, 0).is_good


@pytest.mark.cluster
@pytest.mark.timeout(120)
def test_streams_use_a_budget_up_and_never_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "1", "--streams", "32"]) == 0
    assert "never overspent" in capsys.readouterr().out
