"""`tallystick meter`: what a usage costs is paid, and nothing else."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.client.test_cli import Run, cluster, market, run

from tallystick import Client
from tallystick_ledger import limits
from tallystick_ledger.ids import CardId, NameId, UnitId
from tallystick_ledger.records import NameKind, Price

__all__ = ["cluster", "market", "run"]


@dataclass(frozen=True, slots=True)
class Offer:
    """A card in force, at 1 USD a meter, and what it prices."""

    card: CardId
    model: NameId
    meter: NameId

    def terms(self, quantity: int) -> list[str]:
        used = ["--used", f"{self.meter.hex()}={quantity}"]
        return ["--card", self.card.hex(), "--model", self.model.hex(), *used]


@pytest.fixture
def offer(
    run: Run,
    market: None,  # noqa: ARG001 - opened before anything is offered
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Offer:
    monkeypatch.setattr(limits, "MIN_NOTICE_NS", -(10**12))  # the past will do
    (unit,) = run("unit", "list", "--json").json["units"]
    with Client.from_profile(tmp_path, key="bob") as bob:
        model = bob.register_name(NameKind.MODEL, "m-small").id
        meter = bob.register_name(NameKind.METER, "tokens").id
        line = Price(CardId(bytes(16)), model, meter, 10**15)
        card = bob.publish_card(UnitId(bytes.fromhex(unit["unit"])), [line], effective_in_s=0.01).id
    return Offer(card, model, meter)


def test_a_usage_is_paid(run: Run, offer: Offer) -> None:
    card, model, meter = offer.card, offer.model, offer.meter
    terms = ["--card", card.hex(), "--model", model.hex()]
    line_of = ["meter", "till", "shop", "2", "USD", *terms, "-k", "alice"]
    ran = run(*line_of, "--used", f"{meter.hex()}=2")
    assert ran.exit_code == 0, ran.err
    assert ran.out.splitlines()[-1].startswith("till paid shop 2.00 USD; sequence number ")
    assert run(*line_of, "--used", f"{meter.hex()}=3").exit_code == 3
    for wrong in ("2", f"{meter.hex()}=x", f"{meter.hex()}=0", "ab=2"):
        assert run(*line_of, "--used", wrong).exit_code == 2, wrong
    place = f"{model.hex()}:{meter.hex()}"
    sign = ["quote", "make", "alice", "3", "USD", "--price", f"{place}=500000", "-k", "bob"]
    quote = run(*sign).out.splitlines()[-1]
    assert run("quote", "check", quote).exit_code == 0
    assert run("quote", "show", quote, "--json").json["cap"] == "3000000000"
    assert run("quote", "check", quote[:-1] + ("0" if quote[-1] != "0" else "1")).exit_code == 2
    redeemed = ["meter", "till", "shop", "1", "USD", "--quote", quote, "--model", model.hex()]
    ran = run(*redeemed, "--used", f"{meter.hex()}=2", "-k", "alice")
    assert ran.exit_code == 0, ran.err
    held = ["reserve", "till", "shop", "2", "USD", "--quote", quote, "--model", model.hex()]
    hold = run(*held, "-k", "alice", "--json").json["hold"]
    assert run(*held, "-k", "alice").exit_code == 3
    counted = ["--used", f"{meter.hex()}=2", "--final", "-k", "bob"]
    assert run("capture", hold, "2", "USD", *counted).exit_code == 3
    assert run("capture", hold, *counted).exit_code == 2
    captured = run("capture", hold, "1", "USD", *counted)
    assert captured.out.splitlines()[-1] == "Captured 1.00 USD so far; 1.00 USD went back."
    assert run(*held, "--card", card.hex(), "-k", "alice").exit_code == 2
    assert run(*held, "--tier", "fast", "-k", "alice").exit_code == 2
    shop = run("account", "show", "shop", "-k", "bob", "--json").json
    assert shop["available"] == "4000000000"


def test_a_payee_meters_under_a_mandate(run: Run, offer: Offer) -> None:
    give = ["mandate", "give", "till", "bob", "3", "USD", "--each", "2", "-k", "alice", "--json"]
    mandate = run(*give, "--card", offer.card.hex()).json["mandate"]
    paid = ["meter", "till", "shop", "2", "USD", *offer.terms(2), "--mandate", mandate]
    billed = [*paid, "-k", "bob"]
    assert run(*billed).exit_code == 0
    assert run(*billed).exit_code == 3
    for who in ("alice", "bob"):
        (listed,) = run("mandate", "list", "-k", who, "--json").json["mandates"]
        assert (listed["mandate"], listed["state"]) == (mandate, "IN FORCE")
        assert (listed["used"], listed["cap_each"]) == ("2000000000", "2000000000")
        ran = run("mandate", "list", "-k", who)
        assert ran.out.splitlines()[-1] == "1 mandate in force."
        assert "3.00 USD" in ran.out
    ended = run("mandate", "end", mandate, "-k", "alice")
    assert ended.out.splitlines()[-1] == f"Ended the mandate {mandate}."
    assert run("mandate", "end", mandate, "-k", "alice").exit_code == 3
    assert run("mandate", "list", "-k", "alice", "--json").json == {"mandates": []}
    (listed,) = run("mandate", "list", "--all", "-k", "alice", "--json").json["mandates"]
    assert listed["state"] == "ENDED"


def test_a_charge_is_priced_again(run: Run, offer: Offer) -> None:
    paid = run("meter", "till", "shop", "2", "USD", *offer.terms(2), "-k", "alice", "--json").json
    cited = str(paid["receipt"]["sequence"])
    again = ["reprice", cited, "1", "USD", *offer.terms(1), "-k", "bob"]
    ran = run(*again)
    assert ran.exit_code == 0, ran.err
    assert ran.out.splitlines()[-1].startswith(f"Record {cited} costs 1 USD now; the rest went")
    assert run(*again).exit_code == 3
    shop = run("account", "show", "shop", "-k", "bob", "--json").json
    assert shop["available"] == "1000000000"
