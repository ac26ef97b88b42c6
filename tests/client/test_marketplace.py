"""An internal marketplace out of its plan: once, whatever happens on the way."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.client.fake_node import FakeCluster
from tests.client.test_cli import Run, cluster, run

from tallystick import Client, Receipt, Signer
from tallystick.errors import ConfigurationError, ConnectionFailed
from tallystick.marketplace import PLAN_FILE, TEMPLATE, read_plan
from tallystick_ledger.records import NameKind

__all__ = ["cluster", "run"]  # fixtures

SMALL = """
[names]
meters = ["input"]

[units.USD]
decimals = 2

[labs]
names = ["lab"]

[business-units]
names = ["buyer"]
budgets = { USD = "10.50" }
"""
# market, treasury, lab, buyer; USD; three keys; two accounts; one budget; two names
JOURNALED = 4 + 1 + 3 + 2 + 1
STEPS = JOURNALED + 2


@pytest.fixture
def plan(cluster: FakeCluster, tmp_path: Path) -> Path:
    del cluster
    path = tmp_path / PLAN_FILE
    path.write_text(SMALL)
    return path


def test_the_template_is_a_plan(tmp_path: Path) -> None:
    path = tmp_path / PLAN_FILE
    path.write_text(TEMPLATE)
    read = read_plan(path)
    assert read.units == {"USD": 9, "TOKEN": 0}
    assert read.budgets == {"USD": 1_000 * 10**9, "TOKEN": 50_000_000}
    assert "input" in read.names[NameKind.METER]
    assert read.principals[:2] == ("market", "treasury")
    assert len(read.labs) == len(read.business_units) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[names]", "[names"),
        ("meters =", "words ="),
        ('["input"]', "[7]"),
        ("decimals = 2", "decimals = 19"),
        ("decimals = 2", "decimals = 2.0"),
        ('"10.50"', "10.50"),
        ('"10.50"', '"10.505"'),
        ('"10.50"', '"-1"'),
        ("USD =", "EUR ="),
        ('["buyer"]', '["lab"]'),
        ('["buyer"]', '["Buyer 1"]'),
        ("[labs]", "[shops]"),
        ("[units.USD]", "[unit.USD]"),
    ],
)
def test_what_is_no_plan_is_said(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / PLAN_FILE
    path.write_text(SMALL.replace(old, new))
    with pytest.raises(ConfigurationError):
        read_plan(path)
    with pytest.raises(ConfigurationError):
        read_plan(tmp_path / "elsewhere.toml")


@pytest.mark.usefixtures("plan")
def test_a_plan_is_done_once(run: Run) -> None:
    first = run("marketplace", "set-up", "--json")
    assert first.exit_code == 0, first.err
    assert len(first.json["made"]) == STEPS
    again = run("marketplace", "set-up", "--json").json
    assert again["made"] == []
    assert again["accounts"] == first.json["accounts"]
    shown = run("account", "show", "buyer.USD", "-k", "buyer.spend", "--json").json
    assert shown["available"] == "1050"
    providers = run("name", "list", "provider", "-k", "lab", "--json").json["names"]
    assert [each["text"] for each in providers] == ["lab"]
    paid = run("transfer", "buyer.USD", "lab.USD", "1.25", "USD", "-k", "buyer.spend")
    assert paid.exit_code == 0, paid.err


def test_a_plan_grows(run: Run, plan: Path) -> None:
    before = run("marketplace", "set-up", "--json").json
    plan.write_text(SMALL.replace('["buyer"]', '["buyer", "second"]'))
    after = run("marketplace", "set-up", "--json").json
    assert after["made"] == [
        "principal second",
        "key second.spend",
        "account second.USD",
        "budget second.USD",
    ]
    assert before["principals"].items() <= after["principals"].items()


class Cut:
    """Submits until one call, whose connection is cut; its envelope arrives or does not."""

    def __init__(self, call: int, *, arrives: bool) -> None:
        self.calls_left = call
        self.arrives = arrives
        self.submit = Client.submit

    def method(self) -> Callable[..., Receipt]:
        """In the place of `Client.submit`."""

        def submit(client: Client, envelope: bytes, *, signer: Signer) -> Receipt:
            self.calls_left -= 1
            if self.calls_left or self.arrives:
                receipt = self.submit(client, envelope, signer=signer)
            if not self.calls_left:
                raise ConnectionFailed("The connection was cut.")
            return receipt

        return submit


@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.usefixtures("plan")
def test_it_goes_on_wherever_it_was_cut_and_does_nothing_twice(
    cluster: FakeCluster, run: Run, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    failures = 0
    while True:
        with monkeypatch.context() as patch:
            # From the second run on, the first call sends again what was cut in the run before.
            cut = Cut(2 if failures else 1, arrives=arrives)
            patch.setattr(Client, "submit", cut.method())
            ran = run("marketplace", "set-up", "--json")
        if ran.exit_code == 0:
            break
        assert ran.exit_code == 5
        failures += 1
    assert failures == JOURNALED
    assert len(cluster.ledger.state.accounts) == 3  # the issuance account, and one each
    shown = run("account", "show", "buyer.USD", "-k", "buyer.spend", "--json").json
    assert shown["available"] == "1050"
    assert run("marketplace", "set-up", "--json").json["made"] == []


@pytest.mark.usefixtures("plan")
def test_what_came_too_late_is_done_anew(
    cluster: FakeCluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYSTICK_VALID_FOR_S", "0.2")
    monkeypatch.setattr("tallystick.limits.DECISION_MARGIN_S", 0.05)
    with monkeypatch.context() as patch:
        cut = Cut(1, arrives=False)
        patch.setattr(Client, "submit", cut.method())
        assert run("marketplace", "set-up").exit_code == 5
    monkeypatch.delenv("TALLYSTICK_VALID_FOR_S")
    # Log time is past the envelope's life.
    cluster.ledger.clock = lambda: time.time_ns() + 10**9  # type: ignore[assignment]
    ran = run("marketplace", "set-up", "--json")
    assert ran.exit_code == 0, ran.err
    assert len(ran.json["made"]) == STEPS


def test_a_damaged_journal_is_not_begun_anew(run: Run, plan: Path) -> None:
    plan.with_name("marketplace.journal.json").write_text("{")
    assert run("marketplace", "set-up").exit_code == 6


def test_a_genesis_comes_with_its_plan(run: Run, tmp_path: Path) -> None:
    made = run("genesis", "new", "market", "--template", "marketplace", "--json")
    assert made.exit_code == 0, made.err
    assert (tmp_path / "market" / PLAN_FILE).read_text() == TEMPLATE
    assert len(made.json["nodes"]) == 3
    shown = run("genesis", "show", "market/genesis.bin", "--json").json
    assert shown["ledger_id"] == made.json["ledger_id"]
    assert (tmp_path / "market" / "tallystick.toml").exists()
    again = run("genesis", "new", "market", "--template", "marketplace")
    assert again.exit_code == 6
    assert run("genesis", "new", "genesis2.bin").exit_code == 2
