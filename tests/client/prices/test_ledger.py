"""Cards of a price book as a ledger's: both price functions agree on all that a card can say."""

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tallystick.errors import InvalidArgument
from tallystick.prices import ANY, Book, Meter, PriceError, PriceLine, Usage
from tallystick.prices.adapters import read_usage
from tallystick.prices.card import Card, Served
from tallystick.prices.errors import Unpriced
from tallystick.prices.ledger import Names, ledger_card
from tallystick.prices.lines import STANDARD
from tallystick_ledger.ids import NameId

AT_NS = 1_782_907_200 * 10**9  # 2026-07-01 12:00 UTC


def _id(text: str) -> NameId:
    return NameId(hashlib.sha256(text.encode()).digest()[:16])


def _names(card: Card) -> Names:
    tiers = {line.tier for line in card.lines} | {STANDARD}
    regions = {line.region for line in card.lines} - {ANY}
    return Names(
        {model: _id(f"model {model}") for model in card.models},
        {meter: _id(f"meter {meter.label}") for meter in Meter},
        {tier: _id(f"tier {tier}") for tier in tiers},
        {region: _id(f"region {region}") for region in regions},
    )


def test_both_price_functions_agree_on_real_bodies(
    genai_filled: Book, repository_root: Path
) -> None:
    path = repository_root / "tests/vectors/external/genai-prices/usages.json.gz"
    bodies: list[dict[str, Any]] = json.loads(gzip.decompress(path.read_bytes()))
    outcomes: Counter[str] = Counter()
    for each in bodies:
        providers = {found["provider_id"] for found in each["extracted"][0]["extractors"]}
        try:
            reading = read_usage(each["body"])
        except PriceError:
            continue
        for provider in sorted(providers):
            model = each.get("model") or reading.model
            outcomes[_compared(genai_filled, provider, model, reading.usage)] += 1
    print(dict(outcomes))
    assert set(outcomes) <= {"equal", "unknown", "unpriced by both"}
    assert outcomes["equal"] > 500


def _compared(book: Book, provider: str, model: str, usage: Usage) -> str:
    try:
        found = book.find(provider, model)
    except PriceError:
        return "unknown"
    cards = [each for each in book.cards if each.provider == found.provider]
    card = next(each for each in cards if found.model in each.models)
    names = _names(card)
    served = Served(found.model, AT_NS)
    translated = ledger_card(card, names, models=[found.model])
    try:
        ours: int | None = card.price(usage, served).amount_nano
    except Unpriced:
        ours = None
    try:
        theirs: int | None = translated.price(usage, served, names)
    except Unpriced:
        theirs = None
    if ours is None and theirs is None:
        return "unpriced by both"
    return "equal" if ours == theirs else f"{provider} {model} {usage}: {ours}, {theirs}"


def test_what_a_ledger_cannot_say_is_refused() -> None:
    card = Card("p", "USD", (PriceLine("m", Meter.INPUT, 1_500),))
    names = _names(card)
    assert ledger_card(card, names, exponent=11).lines[0].price == 150_000
    with pytest.raises(InvalidArgument, match="not whole"):
        ledger_card(card, names, exponent=6)
    with pytest.raises(InvalidArgument, match="no registered name"):
        ledger_card(card, Names({}, names.meters, names.tiers, names.regions))
    anything = Card("p", "USD", (PriceLine(ANY, Meter.INPUT, 1),))
    with pytest.raises(InvalidArgument, match="any model"):
        ledger_card(anything, names)
