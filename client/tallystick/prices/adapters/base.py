"""What all adapters share: dialects, readings, and taking counts out of untrusted JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import final

from tallystick.prices.errors import UsageReason, UsageRefused
from tallystick.prices.limits import MAX_U64
from tallystick.prices.lines import STANDARD
from tallystick.prices.usage import Usage


class Dialect(Enum):
    """Whose way of reporting usage."""

    OPENAI_CHAT = "openai-chat"
    OPENAI_RESPONSES = "openai-responses"
    OPENAI_EMBEDDINGS = "openai-embeddings"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    BEDROCK = "bedrock"
    OTEL = "otel"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a body says.

    Attributes:
        dialect: How it was read.
        usage: Disjoint counts.
        model: The model that served, as the body names it; empty if it does not.
        tier: The service tier that was given; STANDARD if the body does not say.
        region: Where it was served; empty if the body does not say.
        notes: Remarks on what is not in `usage`, for people.
    """

    dialect: Dialect
    usage: Usage
    model: str = ""
    tier: str = STANDARD
    region: str = ""
    notes: tuple[str, ...] = ()


@final
class Counts:
    """An object of a body, whose values may be anything.

    Absent and null are kept apart: an absent optional count was not used; a null one says that
    somebody knows of it and does not tell.
    """

    __slots__ = ("_null_is_absent", "_path", "_values")

    def __init__(
        self, values: Mapping[str, object], path: str = "", *, null_is_absent: bool = False
    ) -> None:
        self._values = values
        self._path = path
        self._null_is_absent = null_is_absent

    def with_nulls_absent(self) -> "Counts":
        """The same object, for an API that documents null as "none"."""
        return Counts(self._values, self._path, null_is_absent=True)

    def has(self, key: str) -> bool:
        """Whether there is a value, null included."""
        return key in self._values

    def count(self, key: str) -> int | None:
        """A count, or None where there is none.

        Raises:
            UsageRefused: It is null (NULL_DETAILS) or no count (NOT_A_COUNT).
        """
        value = self._value(key)
        if value is None:
            return None
        if type(value) is not int or not 0 <= value <= MAX_U64:
            raise UsageRefused(UsageReason.NOT_A_COUNT, f"{self._path}{key}={value!r}")
        return value

    def optional(self, key: str) -> int:
        """A count that may be absent, and then was not used.

        Raises:
            UsageRefused: As `count`.
        """
        return self.count(key) or 0

    def needed(self, key: str, reason: UsageReason) -> int:
        """A count that must be there.

        Raises:
            UsageRefused: `reason`, or as `count`.
        """
        count = self.count(key)
        if count is None:
            raise UsageRefused(reason, f"{self._path}{key}")
        return count

    def inner(self, key: str) -> "Counts":
        """A detail object; an empty one where it is absent.

        Raises:
            UsageRefused: It is null (NULL_DETAILS) or no object (UNKNOWN_SHAPE).
        """
        value = self._value(key)
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise UsageRefused(UsageReason.UNKNOWN_SHAPE, f"{self._path}{key}")
        return Counts(value, f"{self._path}{key}.", null_is_absent=self._null_is_absent)

    def root(self, key: str) -> "Counts":
        """The usage object itself.

        Raises:
            UsageRefused: There is none (NO_USAGE), or it is no object (UNKNOWN_SHAPE).
        """
        if self._values.get(key) is None:
            raise UsageRefused(UsageReason.NO_USAGE, key)
        return self.inner(key)

    def objects(self, key: str) -> list["Counts"]:
        """A list of objects; an empty one where it is absent.

        Raises:
            UsageRefused: It is null (NULL_DETAILS), or no list of objects (UNKNOWN_SHAPE).
        """
        value = self._value(key)
        if value is None:
            value = []
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            raise UsageRefused(UsageReason.UNKNOWN_SHAPE, f"{self._path}{key}")
        nulls = self._null_is_absent
        return [Counts(each, f"{self._path}{key}.", null_is_absent=nulls) for each in value]

    def text(self, key: str) -> str:
        """A text, or an empty one where there is none."""
        value = self._values.get(key)
        return value if isinstance(value, str) else ""

    def _value(self, key: str) -> object:
        value = self._values.get(key)
        if value is None and key in self._values and not self._null_is_absent:
            raise UsageRefused(UsageReason.NULL_DETAILS, f"{self._path}{key}")
        return value


def rest(whole: int, parts: int, what: str, reason: UsageReason | None = None) -> int:
    """What is left of a whole.

    Raises:
        UsageRefused: The parts are more than the whole: `reason`, or PART_ABOVE_WHOLE.
    """
    if parts > whole:
        detail = f"{what}: {parts} of {whole}"
        raise UsageRefused(reason or UsageReason.PART_ABOVE_WHOLE, detail)
    return whole - parts


def tier_of(stated: str) -> str:
    """The service tier by its name in price lists; the names of the usual one are many."""
    lowered = stated.lower()
    return STANDARD if lowered in {"", "default", "auto", "on_demand"} else lowered
