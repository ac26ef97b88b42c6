"""The two public books: the figures of their import, and what becomes of odd entries."""

import gzip
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tallystick.prices import (
    Action,
    Book,
    BookUnreadable,
    Bundled,
    Card,
    ImportPolicy,
    ImportReport,
    Meter,
    Reason,
    Served,
    UnknownModel,
    Unpriced,
    Usage,
    data,
    import_book,
    open_book,
    parse_usage,
)
from tallystick.prices.limits import MAX_BOOK_BYTES
from tallystick.prices.litellm_fields import classify, is_price

HOUR = 3600 * 10**9
MONDAY = 4 * 24 * HOUR  # 1970-01-05 00:00 UTC


def litellm_of(entry: dict[str, Any], policy: ImportPolicy | None = None, name: str = "m") -> Book:
    return import_book(json.dumps({name: {"litellm_provider": "p", **entry}}).encode(), policy)


def genai_of(prices: object, policy: ImportPolicy | None = None, **more: object) -> Book:
    model = {"id": "m", "match": {"equals": "m"}, "prices": prices, **more}
    return import_book(json.dumps([{"id": "p", "models": [model]}]).encode(), policy)


def price_of(book: Book, usage: str = "input=1", at_ns: int = MONDAY) -> int:
    return book.price("p", "m", parse_usage(usage), at_ns).micro_nano


def reasons(book: Book, action: Action = Action.REFUSED) -> dict[str, int]:
    return book.report.counts([action]).get(action.value, {})


# --- figures of the real files


def test_figures_of_litellm(litellm: Book) -> None:
    report = litellm.report
    assert report.entries == 4_553
    assert (report.token_prices, report.exact_token_prices) == (16_009, 15_940)
    assert report.summary() == (
        "16,723 lines in 129 cards for 4,286 models; token prices 16,009, exact 15,940; refused"
        " 1,235 (ZERO 353, ZERO_ENTRY 283, VARIANT 176, NO_METER 121, MULTIPLIER 118, NO_PRICE 94,"
        " INEXACT 88, HOLE 2); flagged 73 (RANGE_END 54, OUTPUT_BELOW_INPUT 16, OUTLIER_HIGH 3);"
        " skipped 57 (SECOND_NAME 55, NOT_A_MODEL 2)"
    )


def test_figures_of_genai(genai: Book) -> None:
    report = genai.report
    assert (report.token_prices, report.exact_token_prices) == (3_299, 3_292)
    assert reasons(genai) == {"EMPTY_PRICES": 157, "INEXACT": 7}
    assert report.lines == 6_004


def test_plain_prices_of_litellm_are_the_files_decimals(litellm: Book) -> None:
    """C16, C17: each base price, read here with rationals, stands in the card or in the report."""
    raw = json.loads(data.read(data.LITELLM), parse_float=str)
    fields = {"input_cost_per_token": Meter.INPUT, "output_cost_per_token": Meter.OUTPUT}
    cards = {card.provider: card for card in litellm.cards if card.unit == "USD"}
    noted = {(item.entry, item.what) for item in litellm.report.items}
    compared = 0
    for name, entry in raw.items():
        for field, meter in fields.items():
            if field not in entry or name == "sample_spec" or (name, field) in noted:
                continue
            lines = cards[entry["litellm_provider"]].lines_of(name)
            found = {
                line.price
                for line in lines
                if line.meter is meter and line.tier == "standard" and not line.above
            }
            assert Fraction(entry[field]) * 10**15 in found, (name, field)
            compared += 1
    assert compared > 5_000


def test_no_price_field_of_litellm_goes_unnoticed(litellm: Book) -> None:
    """Each field that sounds like money has a line or an item of the report."""
    raw = json.loads(data.read(data.LITELLM), parse_float=str)
    noted = {(item.entry, item.what) for item in litellm.report.items}
    priced = {(line.model, line.meter) for card in litellm.cards for line in card.lines}
    missing = []
    for name, entry in raw.items():
        if name in {"sample_spec", "fallback_generalizations"}:
            continue
        for field, value in entry.items():
            if not is_price(field) or isinstance(value, dict | list) or (name, field) in noted:
                continue
            what = classify(field, str(entry.get("mode", "")))
            if isinstance(what, Reason) or (name, what.meter) not in priced:
                missing.append((name, field))
    assert not missing


def test_outliers_are_flagged_and_zeros_refused(litellm: Book) -> None:
    flagged = [item for item in litellm.report.items if item.reason is Reason.OUTLIER_HIGH]
    assert max(int(item.became) for item in flagged) == 9_710_000_000_000
    assert all(line.price for card in litellm.cards for line in card.lines)


# --- rules for odd entries


def test_a_missing_price_is_never_zero() -> None:
    """C6: the naive model bills nothing for what it has no price for; here it is refused."""
    entry = {"input_cost_per_token": 1e-6}
    naive = 1_000 * entry["input_cost_per_token"] + 500 * entry.get("output_cost_per_token", 0)
    assert naive == pytest.approx(0.001)
    book = litellm_of(entry)
    with pytest.raises(Unpriced):
        price_of(book, "input=1000,output=500")


def test_zero_is_free_only_by_policy() -> None:
    entry = {"input_cost_per_token": 1e-6, "output_cost_per_token": 0}
    assert reasons(litellm_of(entry)) == {"ZERO": 1}
    free = litellm_of(entry, ImportPolicy(free_zeros=True))
    assert price_of(free, "output=5") == 0
    assert reasons(free, Action.ADDED) == {"FREE_ZERO": 1}
    nothing = {"input_cost_per_token": 0, "output_cost_per_token": 0}
    assert reasons(litellm_of(nothing, ImportPolicy(free_zeros=True))) == {"ZERO_ENTRY": 2}


def test_repair_is_reported_and_never_makes_a_zero() -> None:
    noisy = {"input_cost_per_token": 5.0000000000000004e-08}
    assert reasons(litellm_of(noisy)) == {"INEXACT": 1}
    repaired = litellm_of(noisy, ImportPolicy(repair=True))
    assert price_of(repaired) == 50_000_000
    assert reasons(repaired, Action.REPAIRED) == {"NOISE": 1}
    tiny = litellm_of(
        {"input_cost_per_token": 1e-16, "output_cost_per_token": 1e-6},
        ImportPolicy(repair=True, free_zeros=True),
    )
    assert reasons(tiny) == {"TOO_SMALL": 1}
    with pytest.raises(Unpriced):
        price_of(tiny)


@pytest.mark.parametrize(
    ("value", "reason"),
    [(-1e-6, "NEGATIVE"), ("1e-6", "NOT_A_NUMBER"), (None, "NOT_A_NUMBER"), (1e9, "TOO_LARGE")],
)
def test_prices_that_are_none(value: object, reason: str) -> None:
    assert reasons(litellm_of({"input_cost_per_token": value})) == {reason: 1}


@pytest.mark.parametrize("name", ["*", "", " m", "m\n", "m" * 201])
def test_no_entry_can_name_all_models(name: str) -> None:
    book = litellm_of({"input_cost_per_token": 1e-6}, name=name)
    assert reasons(book) == {"NAME": 1}
    assert not book.cards


def test_a_refused_band_leaves_a_hole_not_the_price_below() -> None:
    entry = {
        "input_cost_per_token": 1e-6,
        "input_cost_per_token_above_128k_tokens": 2.0000000000000004e-06,
        "input_cost_per_token_above_200k_tokens": 3e-6,
    }
    book = litellm_of(entry)
    assert reasons(book) == {"INEXACT": 1, "HOLE": 1}
    assert price_of(book, "input=200001") == 200_001 * 3 * 10**9
    for usage in ("input=1", "input=130000"):
        with pytest.raises(Unpriced):
            price_of(book, usage)
    assert price_of(litellm_of(entry, ImportPolicy(repair=True))) == 10**9


def test_a_refused_price_is_not_replaced_by_its_parents() -> None:
    entry = {"input_cost_per_token": 1e-6, "cache_read_input_token_cost": 1.0000000000000001e-07}
    book = litellm_of(entry, ImportPolicy(same_as_parents=True))
    with pytest.raises(Unpriced):
        price_of(book, "cache_read=1")
    assert price_of(book, "cache_write=1") == 10**9  # has none in the file: same as input


def test_no_meter_is_the_same_as_one_that_was_refused() -> None:
    entry = {"input_cost_per_token": 1e-6, "cache_read_input_token_cost": 1.0000000000000001e-07}
    book = litellm_of(entry, ImportPolicy(same_as_parents=True))
    added = {item.what for item in book.report.items if item.action is Action.ADDED}
    assert "cache_write" in added
    assert not added & {"cache_read", "cache_read_explicit", "cache_read_audio"}


def test_ranges_become_bands() -> None:
    tiers = [
        {"input_cost_per_token": 1e-6, "range": [0, 32e3]},
        {"input_cost_per_token": 2e-6, "range": [32e3, 128e3]},
    ]
    book = litellm_of({"tiered_pricing": tiers})
    assert price_of(book, "input=32000") == 32_000 * 10**9
    assert price_of(book, "input=32001") == 32_001 * 2 * 10**9
    assert reasons(book, Action.FLAGGED) == {"RANGE_END": 1}
    tiers[1]["range"] = [64e3, 128e3]
    broken = litellm_of({"input_cost_per_token": 1e-6, "tiered_pricing": tiers})
    assert reasons(broken) == {"RANGE_SHAPE": 1, "HOLE": 1}


def test_off_peak_hours_cross_midnight_and_weekdays_are_of_the_instant() -> None:
    entry = {
        "input_cost_per_token": 3e-6,
        "off_peak_pricing": {
            "input_cost_per_token": 1e-6,
            "hours_utc": "22:00-02:00",
            "weekdays": [1],
        },
    }
    book = litellm_of(entry)
    cheap, dear = 10**9, 3 * 10**9
    assert price_of(book, at_ns=MONDAY) == cheap
    assert price_of(book, at_ns=MONDAY + 2 * HOUR - 1) == cheap
    assert price_of(book, at_ns=MONDAY + 2 * HOUR) == dear
    assert price_of(book, at_ns=MONDAY + 22 * HOUR) == cheap
    assert price_of(book, at_ns=MONDAY + 24 * HOUR) == dear
    assert price_of(book, at_ns=MONDAY - HOUR) == dear


@pytest.mark.parametrize(
    "block",
    [
        {"hours_utc": "25:00-02:00"},
        {"hours_utc": "22-02"},
        {"hours_utc": "22:00-02:00", "weekdays": [0]},
        {"hours_utc": "22:00-02:00", "weekday_timezone": "Europe/Berlin"},
        {"hours_utc": 5},
        {"windows": [5]},
    ],
)
def test_hours_that_cannot_be_read_leave_no_price_at_all(block: dict[str, object]) -> None:
    off_peak = {"input_cost_per_token": 1e-6, **block}
    book = litellm_of({"input_cost_per_token": 3e-6, "off_peak_pricing": off_peak})
    assert reasons(book) == {"WINDOW_SHAPE": 1}
    with pytest.raises((Unpriced, UnknownModel)):
        price_of(book)


def test_two_names_of_one_price_agree_or_both_go() -> None:
    entry = {"cache_read_input_token_cost": 1e-7, "input_cost_per_token_cache_hit": 1e-7}
    assert reasons(litellm_of(entry), Action.SKIPPED) == {"SECOND_NAME": 1}
    entry["input_cost_per_token_cache_hit"] = 2e-7
    assert reasons(litellm_of(entry)) == {"CONTRADICTS": 2}


# --- genai-prices


def test_a_tier_of_genai_applies_above_its_start() -> None:
    book = genai_of({"input_mtok": {"base": 1, "tiers": [{"start": 1000, "price": 2.5}]}})
    assert price_of(book, "input=1000") == 1_000 * 10**9
    assert price_of(book, "input=1001") == 1_001 * 2_500_000_000


def test_start_dates_make_versions_of_a_card() -> None:
    prices = [
        {"prices": {"input_mtok": 3}},
        {"constraint": {"start_date": "2026-09-01"}, "prices": {"input_mtok": 2}},
    ]
    book = genai_of(prices)
    start = 1_788_220_800 * 10**9
    assert price_of(book, at_ns=start - 1) == 3 * 10**9
    assert price_of(book, at_ns=start) == 2 * 10**9
    before, after = (book.card("p", at) for at in (start - 1, start))
    assert before.digest != after.digest
    with pytest.raises(UnknownModel):
        book.card("p", -1)


def test_the_first_alternative_holds_where_none_does() -> None:
    prices = [
        {"constraint": {"start_date": "2026-09-01"}, "prices": {"input_mtok": 3}},
        {"constraint": {"start_date": "2026-10-01"}, "prices": {"input_mtok": 2}},
    ]
    assert price_of(genai_of(prices)) == 3 * 10**9


def test_cards_of_a_book_need_no_order() -> None:
    cards = [Card("p", "USD", (), effective_from_ns=date) for date in (5, 9, 0)]
    book = Book("own", tuple(cards), ImportReport("own"))
    found = [book.card("p", at).effective_from_ns for at in (0, 4, 5, 8, 9, 99)]
    assert found == [0, 0, 5, 5, 9, 9]


def test_a_price_that_ends_ends() -> None:
    prices: list[dict[str, object]] = [
        {"prices": {"input_mtok": 3}},
        {"constraint": {"start_date": "2026-09-01"}, "prices": {}},
    ]
    book = genai_of(prices)
    assert price_of(book) == 3 * 10**9
    with pytest.raises(Unpriced):
        price_of(book, at_ns=1_788_220_800 * 10**9)


def test_hours_of_genai() -> None:
    hours = {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}
    prices = [
        {"prices": {"input_mtok": 1}},
        {"constraint": hours, "prices": {"input_mtok": 3}},
    ]
    book = genai_of(prices)
    assert price_of(book, at_ns=MONDAY) == 10**9
    assert price_of(book, at_ns=MONDAY + HOUR) == 3 * 10**9
    assert price_of(book, at_ns=MONDAY + 17 * HOUR) == 10**9


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ({}, "EMPTY_PRICES"),
        ([], "EMPTY_PRICES"),
        ({"input_mtok": {"base": 1, "tiers": [{"start": 0, "price": 2}]}}, "RANGE_SHAPE"),
        ({"input_mtok": {"base": 1, "tiers": "x"}}, "RANGE_SHAPE"),
        ({"smell_mtok": 1}, "NO_METER"),
        ([{"constraint": {"start_date": "soon"}, "prices": {}}], "START_DATE"),
        ([{"constraint": {"moon": "full"}, "prices": {}}], "WINDOW_SHAPE"),
        ([{"constraint": {"start_time": "x", "end_time": "y"}, "prices": {}}], "WINDOW_SHAPE"),
    ],
)
def test_odd_prices_of_genai(prices: object, reason: str) -> None:
    assert reasons(genai_of(prices)) == {reason: 1}


def test_a_rule_that_cannot_be_read_is_reported() -> None:
    assert reasons(genai_of({"input_mtok": 1}, match={"near": "m"})) == {"MATCH_RULE": 1}


# --- finding and comparing


def test_models_are_found_by_the_books_rules(genai: Book) -> None:
    assert genai.find("openai", "GPT-5.2-20251211") == genai.find("openai", "gpt-5.2-2025-12-11")
    fallback = genai.find("azure", "gpt-5-mini-2025-08-07")
    assert (fallback.provider, fallback.model) == ("openai", "gpt-5-mini")
    for provider, model in (
        ("openai", "no-such-model"),
        ("nobody", "gpt-5"),
        ("openai", "x" * 999),
    ):
        with pytest.raises(UnknownModel):
            genai.find(provider, model)


def test_offers_price_a_usage_everywhere_or_say_why_not(litellm: Book) -> None:
    offers = list(litellm.offers(Usage({Meter.INPUT: 1_000, Meter.OUTPUT: 100}), MONDAY))
    refused = [each for each in offers if isinstance(each, Unpriced)]
    priced = [each for each in offers if not isinstance(each, Unpriced)]
    assert len(offers) == litellm.report.models
    assert len(priced) > 2_000
    assert refused
    for offer in priced[:50]:
        card = litellm.card(offer.provider, MONDAY)
        assert card.price(parse_usage("input=1000,output=100"), Served(offer.model, MONDAY)) == (
            offer.charge
        )


# --- opening


def test_a_file_is_either_book_packed_or_not(tmp_path: Path, genai: Book) -> None:
    content = data.read(Bundled.GENAI.value)
    plain, packed = tmp_path / "a.json", tmp_path / "a.json.gz"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    for path in (plain, packed):
        book = open_book(path)
        assert book.name == "genai"
        assert [card.digest for card in book.cards] == [card.digest for card in genai.cards]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"5",
        b"{}",
        b"[]",
        b"[5]",
        b'[{"id": "p"}]',
        b'[{"id": "*", "models": []}]',
        b"\x1f\x8bjunk",
        gzip.compress(b"x" * 99, mtime=0)[:-9],
        b'"' + b"[" * 9,
    ],
)
def test_what_is_no_book(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "book"
    path.write_bytes(content)
    with pytest.raises(BookUnreadable):
        open_book(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(MAX_BOOK_BYTES // (16 << 20) + 1):
            file.write(bytes(16 << 20))
    with pytest.raises(BookUnreadable, match="more than"):
        open_book(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(BookUnreadable, match="No such file"):
        open_book(tmp_path / "none")
