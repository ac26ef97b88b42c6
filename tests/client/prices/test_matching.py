"""Rules by which models are found."""

import time

import pytest

from tallystick.prices.literals import Json
from tallystick.prices.matching import ModelRules, RuleUnreadable, parse_rule


@pytest.mark.parametrize(
    ("rule", "yes", "no"),
    [
        ({"equals": "GPT-5"}, "gpt-5", "gpt-5x"),
        ({"starts_with": "gpt"}, "gpt-5", "a-gpt"),
        ({"ends_with": "-mini"}, "gpt-mini", "gpt-mini-2"),
        ({"contains": "mini"}, "gpt-mini-2", "gpt"),
        ({"regex": r"^gpt-\d{4}$"}, "gpt-2026", "gpt-20261"),
        ({"or": [{"equals": "a"}, {"equals": "b"}]}, "b", "c"),
        ({"and": [{"starts_with": "a"}, {"ends_with": "z"}]}, "a-z", "a"),
    ],
)
def test_rules(rule: Json, yes: str, no: str) -> None:
    parsed = parse_rule(rule)
    assert parsed.matches(yes)
    assert not parsed.matches(no)


def deep(levels: int) -> Json:
    rule: Json = {"equals": "a"}
    for _ in range(levels):
        rule = {"or": [rule]}
    return rule


@pytest.mark.parametrize(
    "rule",
    [
        None,
        {},
        {"equals": 5},
        {"near": "a"},
        {"or": []},
        {"equals": "a", "contains": "b"},
        {"regex": "["},
        {"regex": "a" * 201},
        {"regex": "(a+)+$"},
        {"regex": "a*a*a*b"},
        {"regex": "a{1,999999999999}"},
        deep(17),
    ],
)
def test_no_rules(rule: Json) -> None:
    with pytest.raises(RuleUnreadable):
        parse_rule(rule)


def test_rules_nest_as_deep_as_they_may() -> None:
    assert parse_rule(deep(16)).matches("a")


def test_the_first_rule_wins() -> None:
    rules = ModelRules(
        ((parse_rule({"equals": "a"}), "one"), (parse_rule({"starts_with": "a"}), "two"))
    )
    assert rules.find("A") == "one"
    assert rules.find("ab") == "two"
    assert rules.find("b") is None


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("m-20251211", "dated"),
        ("m-2025-12-11", "dated"),
        ("m-20251211:free", None),
        ("m-20251399", None),
    ],
)
def test_compact_dates_get_dashes(name: str, found: str | None) -> None:
    rules = ModelRules(((parse_rule({"equals": "m-2025-12-11"}), "dated"),))
    assert rules.find(name) == found


def test_the_worst_pattern_that_is_allowed_is_quick() -> None:
    rule = parse_rule({"regex": "a*b"})
    begin = time.process_time()
    assert not rule.matches("a" * 200)
    assert time.process_time() - begin < 1
