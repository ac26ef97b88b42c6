"""How a model is found by the name that a caller or an answer uses.

A rule is a tree: `equals`, `starts_with`, `ends_with`, `contains`, `regex`, and `or`, `and` of
rules. Names are compared in lower case, regular expressions are tried on the lower-cased name as
they stand. A provider's models are asked in the book's order and the first that matches wins. A
name with a compact date that nothing matches (`gpt-5.2-20251211`) is tried once more with dashes.

Rules come out of a file, so their depth, the length of names, and the length and shape of patterns
are bounded: a pattern has no groups and at most one open repetition (`*`, `+`, `?`, `{1,}`), which
leaves nothing that could take exponential time.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from tallystick.prices.limits import (
    MAX_MODEL_CHARACTERS,
    MAX_PATTERN_CHARACTERS,
    MAX_PATTERN_REPETITIONS,
    MAX_RULE_DEPTH,
)
from tallystick.prices.literals import Json

_FIXED_COUNT: Final = re.compile(r"\{[0-9]{1,2}\}")
_COMPACT_DATE: Final = re.compile(r"-(20[0-9]{2})([0-9]{2})([0-9]{2})(?=-|:|$)")


class RuleUnreadable(ValueError):  # noqa: N818 - says what happened
    """A rule of another shape than the known ones, too deep, or with a bad pattern."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One node of a rule tree.

    Attributes:
        kind: `equals`, `starts_with`, `ends_with`, `contains`, `regex`, `or` or `and`.
        text: What a leaf compares with, in lower case; a pattern as it stands.
        parts: The rules of `or` and `and`.
    """

    kind: str
    text: str = ""
    parts: tuple["Rule", ...] = ()

    def matches(self, name: str) -> bool:
        """Whether a name, in lower case, matches."""
        if self.kind == "or":
            return any(part.matches(name) for part in self.parts)
        if self.kind == "and":
            return all(part.matches(name) for part in self.parts)
        return _LEAVES[self.kind](name, self.text)


_LEAVES: Final[dict[str, Callable[[str, str], bool]]] = {
    "equals": lambda name, text: name == text,
    "starts_with": lambda name, text: name.startswith(text),
    "ends_with": lambda name, text: name.endswith(text),
    "contains": lambda name, text: text in name,
    "regex": lambda name, text: re.search(text, name) is not None,
}


@dataclass(frozen=True, slots=True)
class ModelRules:
    """How one provider's models are found.

    Attributes:
        models: Pairs of rule and model, asked in this order.
        fallbacks: Providers to ask next, each without its own fallbacks.
    """

    models: tuple[tuple[Rule, str], ...]
    fallbacks: tuple[str, ...] = ()

    def find(self, name: str) -> str | None:
        """The model that a name means here, if any."""
        if len(name) > MAX_MODEL_CHARACTERS:
            return None
        lowered = name.lower()
        found = self._first(lowered)
        if found is None:
            dashed = _with_dashes(lowered)
            found = self._first(dashed) if dashed != lowered else None
        return found

    def _first(self, name: str) -> str | None:
        return next((model for rule, model in self.models if rule.matches(name)), None)


def parse_rule(value: Json, depth: int = 0) -> Rule:
    """Reads a rule.

    Raises:
        RuleUnreadable: It is none.
    """
    if not isinstance(value, Mapping) or len(value) != 1 or depth > MAX_RULE_DEPTH:
        raise RuleUnreadable(repr(value))
    ((kind, content),) = value.items()
    if kind in {"or", "and"} and isinstance(content, list) and content:
        return Rule(kind, parts=tuple(parse_rule(part, depth + 1) for part in content))
    if kind not in _LEAVES or not isinstance(content, str):
        raise RuleUnreadable(repr(value))
    if kind != "regex":
        return Rule(kind, content.lower())
    _check_pattern(content)
    return Rule(kind, content)


def _check_pattern(pattern: str) -> None:
    open_ended = sum(_FIXED_COUNT.sub("", pattern).count(sign) for sign in "*+?{")
    if (
        len(pattern) > MAX_PATTERN_CHARACTERS
        or "(" in pattern
        or open_ended > MAX_PATTERN_REPETITIONS
    ):
        raise RuleUnreadable(pattern)
    try:
        re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise RuleUnreadable(pattern) from error


def _with_dashes(name: str) -> str:
    return _COMPACT_DATE.sub(_dashed, name)


def _dashed(match: re.Match[str]) -> str:
    year, month, day = (int(part) for part in match.groups())
    try:
        date(year, month, day)
    except ValueError:
        return match[0]  # eight digits, but no date
    return f"-{year:04}-{month:02}-{day:02}"
