"""`card`, `name` and `market`, and holds at a card's prices, on the command line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.client.test_cli import Run, cluster, market, run

from tallystick import Client
from tallystick.cli.groups import ENTRIES

__all__ = ["cluster", "market", "run"]  # fixtures

BODY = {
    "model": "gpt-5-mini-2025-08-07",
    "usage": {
        "prompt_tokens": 1_200,
        "completion_tokens": 80,
        "total_tokens": 1_280,
        "prompt_tokens_details": {"cached_tokens": 1_024},
    },
}
PUBLISH = ["card", "publish", "--from", "genai", "--same-as-parents", "-k", "bob"]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards begin when they are published; nobody has to wait for a minute."""
    monkeypatch.setattr("tallystick_ledger.limits.MIN_NOTICE_NS", -60 * 10**9)


def _published(run: Run, *models: str, seconds: int = 90) -> str:
    chosen = [part for model in models for part in ("--model", model)]
    ran = run(*PUBLISH, "--provider", "openai", *chosen, "--in", str(seconds), "--json")
    assert ran.exit_code == 0, ran.err
    (card,) = ran.json["cards"]
    assert card["models"] == sorted(models)
    return str(card["card"])


@pytest.mark.usefixtures("market")
def test_names_are_added_once_and_listed(run: Run) -> None:
    first = run("name", "add", "region", "eu", "us-east", "-k", "bob", "--json").json
    again = run("name", "add", "region", "us-east", "eu", "-k", "bob", "--json").json
    assert sorted(map(str, first["names"])) == sorted(map(str, again["names"]))
    run("name", "add", "region", "eu", "-k", "alice")
    listed = run("name", "list", "region", "e", "-k", "alice", "--json").json["names"]
    assert [each["text"] for each in listed] == ["eu", "eu"]
    only = run("name", "list", "region", "--owner", "bob", "-k", "alice").out
    assert only.splitlines()[-1] == "2 names of kind region."
    assert run("name", "add", "region", "", "-k", "bob").exit_code == 2


@pytest.mark.usefixtures("market")
def test_a_card_is_published_out_of_a_book_once(run: Run) -> None:
    card = _published(run, "gpt-5-mini", "gpt-5-nano")
    again = run(
        *PUBLISH, "--provider", "openai", "--model", "gpt-5-nano", "--model", "gpt-5-mini", "--json"
    ).json
    assert again["cards"][0]["card"] == card
    assert not again["cards"][0]["new"]
    assert again["cards"][0]["lines"] > 0
    listed = run("card", "list", "-k", "alice", "--json").json["cards"]
    assert [(each["card"], each["provider"], each["state"]) for each in listed] == [
        (card, "openai", "later")
    ]
    shown = run("card", "show", card, "--model", "gpt-5-nano", "-k", "alice")
    assert "gpt-5-nano\tinput\tstandard\t*\t\t\t0.05 USD" in shown.out
    assert "gpt-5-mini" not in shown.out
    data = run("card", "show", card, "-k", "alice", "--json").json
    assert {line["model"] for line in data["prices"]} == {"gpt-5-mini", "gpt-5-nano"}
    assert run("card", "list", "--owner", "alice", "-k", "bob").out == "0 cards.\n"


@pytest.mark.usefixtures("market")
def test_what_cannot_be_published_is_said(run: Run) -> None:
    unknown = run(*PUBLISH, "--provider", "openai", "--model", "no-such-model")
    assert (unknown.exit_code, "no prices of openai for no-such-model" in unknown.err) == (2, True)
    assert run(*PUBLISH, "--provider", "nobody").exit_code == 1
    elsewhere = run(*PUBLISH, "--provider", "openai", "--model", "gpt-5-nano", "--unit", "EUR")
    assert "decimals" in elsewhere.err
    assert run("card", "show", "ab" * 16, "-k", "bob").exit_code == 1
    assert run("card", "show", "ab", "-k", "bob").exit_code == 2


@pytest.mark.usefixtures("market", "at_once")
def test_an_answer_is_compared_reserved_and_billed(run: Run, tmp_path: Path) -> None:
    card = _published(run, "gpt-5-mini", "gpt-5-nano", "gpt-5", seconds=0)
    (tmp_path / "answer.json").write_text(json.dumps(BODY))
    asked = ["market", "--answer", "answer.json", "-k", "alice"]
    offers = run(*asked, "--json").json["offers"]
    assert [each["model"] for each in offers] == ["gpt-5-nano", "gpt-5-mini", "gpt-5"]
    assert [each["amount"] for each in offers] == ["45920", "229600", "1148000"]
    people = run(*asked, "--model", "gpt-5-mini")
    assert people.out.splitlines()[-1].endswith(
        "the cheapest is gpt-5-mini of openai for 0.0002296 USD."
    )
    assert f"reserve PAYER PAYEE 0.0002296 USD --card {card} --model 'gpt-5-mini'" in people.out
    with_tier = ["--card", card, "--model", "gpt-5-mini", "--tier", "standard"]
    hold = run("reserve", "till", "shop", "0.01", "USD", *with_tier, "-k", "alice", "--json").json
    assert hold["card"] == card
    captured = run(
        "capture", hold["hold"], "--answer", "answer.json", "--final", "-k", "bob", "--json"
    )
    assert captured.exit_code == 0, captured.err
    assert captured.json["captured"] == "229600"
    shop = run("account", "show", "shop", "-k", "bob", "--json").json
    assert shop["available"] == "229600"
    assert run("capture", hold["hold"], "-k", "bob").exit_code == 2
    both = run("capture", hold["hold"], "1", "--usage", "input=1", "-k", "bob")
    assert both.exit_code == 2


@pytest.mark.usefixtures("market", "at_once")
def test_a_hold_is_billed_on_debt(run: Run, tmp_path: Path) -> None:
    card = _published(run, "gpt-5-mini", seconds=0)
    (tmp_path / "answer.json").write_text(json.dumps(BODY))
    reserve = ["reserve", "till", "shop", "0.0001", "USD", "--card", card, "--model", "gpt-5-mini"]
    reserve += ["--tier", "standard", "-k", "alice", "--json"]
    assert run(*reserve, "--debt-limit", "0.0002 USD").exit_code != 0
    assert run(*reserve, "--overrun", "debt").exit_code != 0
    flat = run("reserve", "till", "shop", "0.0001", "USD", "--overrun", "cap", "-k", "alice")
    assert flat.exit_code == 2
    made = run(*reserve, "--overrun", "debt", "--debt-limit", "0.0002 USD")
    assert made.exit_code == 0, made.err
    hold = made.json["hold"]
    captured = run("capture", hold, "--answer", "answer.json", "--final", "-k", "bob")
    assert captured.exit_code == 0, captured.err
    assert captured.out.startswith("Captured 0.0002296 USD so far; 0.00 USD went back.")
    assert run("account", "show", "shop", "-k", "bob", "--json").json["available"] == "229600"


@pytest.mark.usefixtures("market")
def test_offers_say_why_they_have_no_price(run: Run) -> None:
    _published(run, "gpt-5-nano")
    asked = ["market", "--usage", "input=10,web_search=1", "-k", "alice"]
    (early,) = run(*asked, "--json").json["offers"]
    assert early["why"].endswith("the card is not in force then")
    later = run(*asked, "--at", "2100-01-01T00:00:00Z")
    assert later.out.splitlines()[-1].startswith("None of 1 offers has a price")
    assert "web_search: no line for this model and meter" in later.out
    assert (
        run("market", "--provider", "bob", "-k", "alice")
        .out.splitlines()[-1]
        .startswith("1 offers of 1 providers")
    )
    assert run("market", "--provider", "nobody", "-k", "alice").out.startswith("0 offers")
    assert run("market", "--unit", "USD", "-k", "alice", "--json").json["offers"][0]["prices"]
    assert run("market", "--unit", "cd" * 16, "-k", "alice", "--json").json["offers"] == []


# --- docs/market.md ------------------------------------------------------------------------------


@pytest.fixture
def page(repository_root: Path) -> str:
    return (repository_root / "docs" / "market.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("market", "at_once")
def test_the_commands_of_the_page_run_as_they_stand(run: Run, page: str) -> None:
    words: dict[str, str] = {}
    lines = re.findall(r"^\$ tallystick (.*)$", page, re.MULTILINE)
    assert len(lines) == 6
    for line in lines:
        command = [words.get(word, word) for word in line.split()]
        if command[:2] == ["card", "publish"]:
            command += ["--in", "0"]
        ran = run(*command, "--json")
        assert ran.exit_code == 0, (line, ran.err)
        words |= {"HOLD": ran.json["hold"]} if "hold" in ran.json else {}
        words |= {"CARD": ran.json["cards"][0]["card"]} if "cards" in ran.json else {}
    assert ran.json["captured"] == "610000"
    for command in re.findall(r"^\| `([a-z]+)", page, re.MULTILINE):
        assert command in ENTRIES or command == "client"


PREAMBLE = """
from pathlib import Path

from tallystick import Client
from tallystick.cli.book import load_book
from tallystick.keyfile import read_key_file

here = Path()
till, shop = (load_book(here).account(name) for name in ("till", "shop"))
bob = read_key_file(here / "keys" / "bob.key").signer()
client = Client.from_profile(here, key="alice")
"""


@pytest.mark.usefixtures("market", "at_once")
def test_the_program_of_the_page_runs_as_it_stands(run: Run, page: str, tmp_path: Path) -> None:
    _published(run, "gpt-5-mini", "gpt-5-nano", seconds=0)
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    subprocess.run([sys.executable, "-c", PREAMBLE + program], cwd=tmp_path, check=True)
    assert run("account", "show", "shop", "-k", "bob", "--json").json["available"] == "610000"
    for name in re.findall(r"`client\.(\w+)\(", page):
        assert hasattr(Client, name)
