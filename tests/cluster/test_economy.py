"""The economy as a user runs it, small: a real cluster, and every check with something planted."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tallystick.statements.posting import Posting, Side
from tallystick_cluster.demo.app import app
from tallystick_cluster.demo.screen import Screen
from tallystick_cluster.economy import app as economy_app
from tallystick_cluster.economy.books import Closing
from tallystick_cluster.economy.figures import Figures
from tallystick_cluster.economy.run import Options, Outcome, figures_of, play
from tallystick_cluster.layout import ClusterLayout
from tallystick_cluster.manage import process_of
from tallystick_ledger.ids import AccountId, TimestampNs

# Two minutes, most of them the cards' notice.
pytestmark = [pytest.mark.cluster, pytest.mark.patient, pytest.mark.slow, pytest.mark.timeout(420)]

REQUESTS = 150


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    directory = tmp_path_factory.mktemp("economy") / "kept"
    options = Options(directory, REQUESTS, seconds=20, in_flight=16, seed=1, keep=True)
    made = play(options, Screen(to_stderr=True))
    layout = ClusterLayout.open(directory)
    assert all(process_of(layout, node.raft_id) is None for node in layout.nodes)
    assert {"auditor.key", "gateway.key", "openai-meter-1.key"} <= {
        path.name for path in (directory / "keys").glob("*.key")
    }
    return made


def _failed(figures: Figures) -> set[str]:
    return {each.name for each in figures.checks if not each.ok}


def test_a_day_of_it_is_right(outcome: Outcome) -> None:
    figures = figures_of(outcome)
    assert _failed(figures) == set()
    assert figures.ok
    refused = outcome.acts.metered.refused
    assert figures.settled + len(refused) == figures.requests == 2 * REQUESTS
    assert refused
    as_json = figures.as_json()
    assert sum(each["money_nano_usd"] for each in as_json["models"]) == figures.money_nano
    jobs = [job for job in outcome.stage.plan.jobs if job.number not in refused]
    assert figures.tokens == sum(job.arrival.tokens for job in jobs)
    # Providers get what consumers and the city pay, and what the bank lent the broker.
    earned = sum(each.closing_nano - each.opening_nano for each in figures.providers)
    spent = sum(each.opening_nano - each.closing_nano for each in figures.consumers)
    back = sum(each.amount for each in outcome.acts.corrections.given)
    granted = sum(_shares(outcome))
    assert spent + granted == figures.money_nano - back
    assert earned == spent + granted + outcome.acts.netting.lent


def _shares(outcome: Outcome) -> list[int]:
    """What the grants paid, charge by charge."""
    return [each.paid for each in outcome.acts.subsidies.shares(outcome.stage, outcome.closing)]


def test_grants_pay_a_part(outcome: Outcome) -> None:
    assert sum(_shares(outcome)) > 0
    (table,) = [
        each for each in figures_of(outcome).tables if each.columns[0].startswith("the city")
    ]
    assert [row[0] for row in table.rows] == ["deepseek", "mistral"]


def test_debts_move_in_net(outcome: Outcome) -> None:
    (table,) = [each for each in figures_of(outcome).tables if each.columns[0] == "netting, USD"]
    assert [row[0] for row in table.rows][-2:] == ["broker", "all"]
    assert 0 < sum(outcome.acts.netting.moved) < sum(outcome.acts.netting.gross)


def _with_closing(outcome: Outcome, **changes: object) -> Outcome:
    return replace(outcome, closing=replace(outcome.closing, **changes))  # type: ignore[arg-type]


def _first_posting(closing: Closing, cause: str) -> tuple[AccountId, Posting]:
    return next(
        (account, posting)
        for account, postings in closing.postings.items()
        for posting in postings
        if posting.cause == cause
    )


def _posting_changed(outcome: Outcome, cause: str, change: Callable[[Posting], Posting]) -> Outcome:
    """The same in each account that has a posting of the first such record."""
    closing = outcome.closing
    _, wrong = _first_posting(closing, cause)
    postings = {
        account: tuple(
            change(each) if (each.sequence, each.cause) == (wrong.sequence, cause) else each
            for each in of_account
        )
        for account, of_account in closing.postings.items()
    }
    return _with_closing(outcome, postings=postings)


def _with_act(outcome: Outcome, name: str, **changes: object) -> Outcome:
    """As if an act had kept something else."""
    acts = copy(outcome.acts)
    setattr(acts, name, replace(getattr(acts, name), **changes))
    return replace(outcome, acts=acts)


def _low_hours_at(outcome: Outcome, at_ns: int) -> Outcome:
    tariffs = copy(outcome.stage.tariffs)
    tariffs.times = replace(tariffs.times, off_peak_ns=at_ns)
    return replace(outcome, stage=replace(outcome.stage, tariffs=tariffs))


def _share_changed(outcome: Outcome, cause: str, change: Callable[[Posting], Posting]) -> Outcome:
    """Changes what the first grant that pinned something did first."""
    postings = dict(outcome.closing.postings)
    for grant in outcome.acts.subsidies.grants.values():
        of_grant = postings[AccountId(grant)]
        places = [place for place, each in enumerate(of_grant) if each.cause == cause]
        if places:
            place = places[0]
            changed = (*of_grant[:place], change(of_grant[place]), *of_grant[place + 1 :])
            postings[AccountId(grant)] = changed
            break
    return _with_closing(outcome, postings=postings)


def _a_nano_more(posting: Posting) -> Posting:
    return replace(posting, amount=posting.amount + 1)


def _statement_off(outcome: Outcome, column: str) -> Outcome:
    statements = dict(outcome.closing.statements)
    account, wrong = next(
        (account, each) for account, each in statements.items() if each.movements.count
    )
    columns = replace(wrong.closing, **{column: getattr(wrong.closing, column) + 1})
    statements[account] = replace(wrong, closing=columns)
    return _with_closing(outcome, statements=statements)


PLANTED: dict[str, tuple[Callable[[Outcome], Outcome], set[str]]] = {
    "a charge of a nano-USD more": (
        lambda outcome: _posting_changed(outcome, "CAPTURE", _a_nano_more),
        {"charges"},
    ),
    "a request that was reserved twice": (
        lambda outcome: _posting_changed(
            outcome, "RESERVE", lambda posting: replace(posting, reference=posting.reference + 1)
        ),
        {"once"},
    ),
    "a price of another hour": (
        lambda outcome: _posting_changed(
            outcome,
            "RESERVE",
            lambda posting: replace(
                posting, timestamp_ns=TimestampNs(posting.timestamp_ns - 60 * 10**9)
            ),
        ),
        {"cards"},
    ),
    "a metered charge of a nano-USD more": (
        lambda outcome: _posting_changed(outcome, "METER", _a_nano_more),
        {"charges"},
    ),
    "a metered request that nobody planned": (
        lambda outcome: _posting_changed(
            outcome, "METER", lambda posting: replace(posting, reference=10**6)
        ),
        {"metered"},
    ),
    "a mandate that permits more": (
        lambda outcome: _with_act(outcome, "metered", cap=10**12),
        {"mandate"},
    ),
    "a mandate without an end": (
        lambda outcome: _with_act(outcome, "metered", refused_after=""),
        {"mandate"},
    ),
    "a debt of a nano-USD more": (
        lambda outcome: _posting_changed(outcome, "TRANSFER", _a_nano_more),
        {"debts"},
    ),
    "a net payment of a nano-USD more": (
        lambda outcome: _posting_changed(
            outcome,
            "NETTING",
            lambda posting: _a_nano_more(posting) if posting.side is Side.DEBIT else posting,
        ),
        {"netting"},
    ),
    "a limit that would have had room": (
        lambda outcome: _with_act(outcome, "agents", limit=10**12),
        {"limit"},
    ),
    "a limit that was not kept": (lambda outcome: _with_act(outcome, "agents", limit=1), {"limit"}),
    "a killed key that still spends": (
        lambda outcome: _with_act(outcome, "agents", refused_after=[]),
        {"kill"},
    ),
    "a share of a nano-USD more": (
        lambda outcome: _share_changed(outcome, "CAPTURE", _a_nano_more),
        {"grants", "pool"},
    ),
    "a share beyond the cap": (
        lambda outcome: _share_changed(
            outcome, "PIN", lambda posting: replace(posting, amount=10**9)
        ),
        {"grants"},
    ),
    "a second grant that was not refused": (
        lambda outcome: _with_act(outcome, "subsidies", refused=""),
        {"related"},
    ),
    "a voucher of a nano-USD more": (
        lambda outcome: _posting_changed(outcome, "VOUCHER", _a_nano_more),
        {"vouchers"},
    ),
    "a refund of a nano-USD more": (
        lambda outcome: _posting_changed(outcome, "REFUND", _a_nano_more),
        {"corrections"},
    ),
    "money from nowhere": (
        lambda outcome: _statement_off(outcome, "credits_posted"),
        {"statements", "sum_USD"},
    ),
    "money that is still on hold": (
        lambda outcome: _statement_off(outcome, "debits_pending"),
        {"statements", "holds_over"},
    ),
    "no hour of low prices": (lambda outcome: _low_hours_at(outcome, 2**62), {"hours"}),
    "deposits that were enough": (
        lambda outcome: _with_act(outcome, "vouchers", short=0),
        {"top_up"},
    ),
    "a refund beyond the charge": (
        lambda outcome: _with_act(outcome, "corrections", refused=[]),
        {"ceiling"},
    ),
    "a broker that could pay": (
        lambda outcome: _with_act(outcome, "netting", failed=[]),
        {"default"},
    ),
    "an account that nobody told of": (
        lambda outcome: _with_closing(outcome, account_count=outcome.closing.account_count + 1),
        {"balances"},
    ),
    "a balance that differs": (
        lambda outcome: _with_closing(outcome, differing=tuple(outcome.closing.names)[:1]),
        {"balances"},
    ),
    "a node that disagrees": (
        lambda outcome: replace(
            outcome, told=[*outcome.told[1:], replace(outcome.told[0], state_digest=bytes(32))]
        ),
        {"nodes"},
    ),
}


def test_something_is_planted_under_each_check(outcome: Outcome) -> None:
    planted = set().union(*(names for _, names in PLANTED.values()))
    assert {each.name for each in figures_of(outcome).checks} - planted == {"sum_USD-NET"}


@pytest.mark.parametrize("plant", PLANTED)
def test_what_is_planted_is_found(outcome: Outcome, plant: str) -> None:
    change, names = PLANTED[plant]
    figures = figures_of(change(outcome))
    assert names <= _failed(figures)
    assert not figures.ok


def test_the_exit_code_and_the_last_line(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    change, _ = PLANTED["a charge of a nano-USD more"]
    for made, code, last in (
        (outcome, 0, "all checks ok"),
        (change(outcome), 1, "1 OF"),
    ):
        figures = figures_of(made)
        monkeypatch.setattr(economy_app, "run_economy", lambda *_, figures=figures: figures)
        result = CliRunner().invoke(app, ["economy", "--keep", str(tmp_path)])
        assert result.exit_code == code
        assert last in result.stdout.splitlines()[-1]
        assert ("FAIL" in result.stdout) == bool(code)


def test_the_demo_itself_is_still_there() -> None:
    command = typer.main.get_command(app)
    assert {option.name for option in command.params} >= {"requests", "seed", "keep"}
    result = CliRunner().invoke(app, ["economy", "--help"])
    assert result.exit_code == 0
    assert "--seconds" in result.stdout
