"""Interprets the FOCUS 1.2 requirement model (`focus/`), as far as it is mechanical.

Each of its 621 rules ends in exactly one `Verdict`; none is left out. What the model itself calls
dynamic has no check in it and needs a person; optional features are told apart by the applicability
criteria that the data claims to support.
"""

import csv
import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "focus"
MODEL: dict[str, Any] = json.loads(gzip.decompress((DATA / "model-1.2.json.gz").read_bytes()))
CURRENCIES = frozenset(
    row["currency_codes"] for row in csv.DictReader((DATA / "currency_codes.csv").open())
)

Row = dict[str, str | None]
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(E-?[0-9]+)?")
_INSTANT = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z")
_UNIT = re.compile(r"([0-9]+ )?[A-Z][A-Za-z]*([-/ ][A-Z][A-Za-z]*)*")


class Verdict(StrEnum):
    """What became of a rule."""

    HOLDS = "holds"
    BROKEN = "broken"
    ADVICE = "advice not taken"  # SHOULD, RECOMMENDED
    COMPOSITE = "composite of other rules"
    PERMISSION = "a permission"  # MAY
    NOT_MECHANICAL = "not mechanical"
    NOT_SUPPORTED = "an optional feature that the data does not claim"
    ABSENT = "about an optional column that is not there"


def check(
    columns: Sequence[str], rows: Sequence[Row], supported: frozenset[str]
) -> dict[str, Verdict]:
    """Judges a data set by each rule of the model."""
    data = _Data(columns, rows)
    return {name: _judge(rule, data, supported) for name, rule in MODEL["ModelRules"].items()}


def summary(verdicts: dict[str, Verdict]) -> str:
    """How many rules ended how, and of which kinds those are that are not mechanical."""
    lines = [f"{count:>4} {verdict}" for verdict, count in Counter(verdicts.values()).most_common()]
    kinds = Counter(
        MODEL["ModelRules"][name]["Function"]
        for name, verdict in verdicts.items()
        if verdict is Verdict.NOT_MECHANICAL
    )
    lines += [f"     not mechanical: {count} of {kind}" for kind, count in kinds.most_common()]
    return "\n".join(lines)


class _Data:
    def __init__(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        self.columns, self.rows = set(columns), rows


def _judge(rule: dict[str, Any], data: _Data, supported: frozenset[str]) -> Verdict:
    undecided = _undecided(rule, data, supported)
    if undecided is not None:
        return undecided
    criteria = rule["ValidationCriteria"]
    if _holds_everywhere(criteria["Requirement"], criteria["Condition"], data):
        return Verdict.HOLDS
    return Verdict.BROKEN if criteria["Keyword"] in {"MUST", "MUST NOT"} else Verdict.ADVICE


def _undecided(rule: dict[str, Any], data: _Data, supported: frozenset[str]) -> Verdict | None:
    needed = rule["ValidationCriteria"]["Requirement"]
    if not set(rule["ApplicabilityCriteria"]) <= supported:
        return Verdict.NOT_SUPPORTED
    if rule["Type"] == "Dynamic" or not needed:
        return Verdict.NOT_MECHANICAL
    if rule["Function"] == "Composite" or _is_composite(needed):
        return Verdict.COMPOSITE
    if rule["ValidationCriteria"]["Keyword"] == "MAY":
        return Verdict.PERMISSION
    is_there = rule["Function"] == "Presence" or _columns_of(needed) <= data.columns
    return None if is_there else Verdict.ABSENT


def _is_composite(check_: dict[str, Any]) -> bool:
    if check_["CheckFunction"] == "CheckModelRule":
        return True
    return any(_is_composite(item) for item in check_.get("Items", ()))


def _columns_of(check_: dict[str, Any]) -> set[str]:
    found = {
        value
        for key, value in check_.items()
        if key.endswith("ColumnName") or re.fullmatch(r"Column[AB]Name", key)
    }
    return found.union(*(_columns_of(item) for item in check_.get("Items", ())))


def _holds_everywhere(needed: dict[str, Any], condition: dict[str, Any], data: _Data) -> bool:
    name = needed["CheckFunction"]
    if name == "ColumnPresent":
        return needed["ColumnName"] in data.columns
    if name == "CheckDistinctCount":
        return _distinct_count_is(needed, data)
    return all(_holds(needed, row) for row in data.rows if not condition or _holds(condition, row))


def _distinct_count_is(needed: dict[str, Any], data: _Data) -> bool:
    groups: dict[str | None, set[str | None]] = {}
    for row in data.rows:
        groups.setdefault(row[needed["ColumnAName"]], set()).add(row[needed["ColumnBName"]])
    return all(len(group) == needed["ExpectedCount"] for group in groups.values())


def _holds(check_: dict[str, Any], row: Row) -> bool:
    name = check_["CheckFunction"]
    if name in ("AND", "OR"):
        return (all if name == "AND" else any)(_holds(item, row) for item in check_["Items"])
    if name in ("CheckSameValue", "CheckNotSameValue"):
        same = row.get(check_["ColumnAName"]) == row.get(check_["ColumnBName"])
        return same is (name == "CheckSameValue")
    if name == "ColumnByColumnEqualsColumnValue":
        a, b, result = (
            row.get(check_[key]) for key in ("ColumnAName", "ColumnBName", "ResultColumnName")
        )
        if a is None or b is None or result is None:
            return True
        return Decimal(a) * Decimal(b) == Decimal(result)
    value = row.get(check_["ColumnName"])  # a column that is not there is null everywhere
    if name in ("CheckValue", "CheckNotValue"):
        return _equals(value, check_["Value"]) is (name == "CheckValue")
    return value is None or _OF_VALUE[name](value, check_)


def _equals(value: str | None, wanted: object) -> bool:
    if isinstance(wanted, int) and value is not None:
        return Decimal(value) == wanted
    return value == wanted


def _is_number(value: str, _: object) -> bool:
    return _NUMBER.fullmatch(value) is not None


def _is_decimal(value: str, _: object) -> bool:
    """A whole number would be read as an integer."""
    return _NUMBER.fullmatch(value) is not None and "." in value


def _is_string(value: str, _: object) -> bool:
    """One of digits only would be read as a number."""
    return bool(value.strip()) and not _NUMBER.fullmatch(value)


def _is_instant(value: str, _: object) -> bool:
    return _INSTANT.fullmatch(value) is not None


_OF_VALUE: dict[str, Callable[[str, Any], bool]] = {
    "TypeDecimal": _is_decimal,
    "CheckDecimalValue": _is_decimal,
    "FormatNumeric": _is_number,
    "TypeString": _is_string,
    "FormatString": _is_string,
    "TypeDateTime": _is_instant,
    "FormatDateTime": _is_instant,
    "FormatUnit": lambda value, _: _UNIT.fullmatch(value) is not None,
    "FormatKeyValue": lambda value, _: isinstance(json.loads(value), dict),
    "FormatCurrency": lambda value, _: re.fullmatch("[A-Z]{3}", value) is not None,
    "CheckNationalCurrency": lambda value, _: value in CURRENCIES,
    "CheckGreaterOrEqualThanValue": lambda value, check_: Decimal(value) >= check_["Value"],
}
