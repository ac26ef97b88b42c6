"""The measurement of a long history: what it tells, and that it looks at the answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tallystick_loadtests import history
from tallystick_loadtests.history import app

pytestmark = pytest.mark.cluster


def run() -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["--records", "2000", "--json"])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(history, "ROUNDS", 3)
    monkeypatch.setattr(history, "RARE_EVERY", 1_000)
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def test_every_page_is_measured_and_the_index_made_anew_is_the_same() -> None:
    code, told, complaint = run()
    assert code == 0, complaint
    figures = json.loads(told)
    assert figures["rebuilt_equals_live"] is True
    assert figures["account_records"] >= 2_000
    assert figures["ledger_records"] >= 2 * 2_000
    assert len(figures["pages"]) == 6
    for page in figures["pages"].values():
        assert page["records"] > 0
        assert 0 < page["median_ms"] <= page["max_ms"]


def test_an_answer_that_is_not_what_was_sent_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "BEFORE", 3)
    code, _, complaint = run()
    assert code == 1
    assert "the whole history has" in complaint
