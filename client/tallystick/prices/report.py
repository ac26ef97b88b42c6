"""What an import did: every number that was refused, repaired or flagged, with its reason.

Nothing disappears. A price in the file is either a line of the book, or an item here that says why
not; an item may also say of a line that it looks wrong. Counts per reason go into the summary.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum


class Action(Enum):
    """What was done."""

    REFUSED = "refused"
    REPAIRED = "repaired"
    ADDED = "added"
    FLAGGED = "flagged"
    SKIPPED = "skipped"


class Reason(Enum):
    """Why, in words. The name is what counts and reports use."""

    NOT_A_MODEL = "the entry is documentation or a rule, not a model"
    NO_PRICE = "the entry has no price at all; missing is not zero"
    EMPTY_PRICES = "the price object is empty: free or unknown alike"
    NAME = "the name is empty, too long or holds control characters"
    NOT_A_NUMBER = "the value is no number"
    NEGATIVE = "the price is below zero"
    INEXACT = "not a whole number of nano-units per million: noise or a quotient"
    NOISE = "a short decimal that went through a float; 15 digits give it back"
    QUOTIENT = "a quotient of currencies; nearest nano-unit per million"
    TOO_SMALL = "above zero, but less than half a nano-unit per million"
    HOLE = "a longer band of it was refused; this price would be taken for what that one says"
    TOO_LARGE = "the price does not fit into 64 bits"
    ZERO = "zero, which may mean free or unknown; import with free zeros if it is meant"
    ZERO_ENTRY = "every price of the entry is zero: plainly unknown, or free; not decided here"
    ZERO_BAND = "zero above a threshold, where the price below it is not: plainly unknown"
    SECOND_NAME = "a second name for a price that is there; equal"
    CONTRADICTS = "the entry prices the same thing twice, and not alike"
    NO_METER = "no meter counts this"
    VARIANT = "the price depends on a size or resolution that no line can name"
    MULTIPLIER = "a factor on other prices; one price is not derived from another"
    RANGE_SHAPE = "the ranges do not start at 0, or have gaps, or overlap"
    RANGE_END = "the last range ends; the price is taken to go on above it"
    WINDOW_SHAPE = "the hours, weekdays or zone of a window cannot be read"
    START_DATE = "the date from which a price holds cannot be read"
    MATCH_RULE = "the rule by which the model is found cannot be read"
    OUTLIER_HIGH = "above 1,000 per million tokens: an obvious error of a thousandfold or so"
    OUTPUT_BELOW_INPUT = "output is cheaper than input in a model that talks"
    SAME_AS_PARENT = "no price of its own: billed like the meter it is part of, by policy"
    FREE_ZERO = "zero taken for free, by policy"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was not simply imported.

    Attributes:
        action: What was done.
        reason: Why.
        entry: Which entry of the file.
        what: Which field or meter of it.
        literal: The value as the file has it.
        became: The value that a line got, where one did.
    """

    action: Action
    reason: Reason
    entry: str
    what: str = ""
    literal: str = ""
    became: str = ""

    def as_json(self) -> dict[str, str]:
        """For programs."""
        return {
            "action": self.action.value,
            "reason": self.reason.name,
            "entry": self.entry,
            "what": self.what,
            "literal": self.literal,
            "became": self.became,
        }


@dataclass(slots=True)
class ImportReport:
    """What became of a file; filled while it is read.

    Attributes:
        book: Which book: `litellm` or `genai`.
        source_sha256: Of the unpacked file.
        entries: Entries seen, models or not.
        models: Entries that got at least one line.
        token_prices: Numbers in the file that price a token, wherever they stand.
        exact_token_prices: Those of them that are whole nano-units per million as written.
        cards: Cards made.
        lines: Lines made, SAME_AS lines by policy included.
        items: Whatever else there is to say.
    """

    book: str
    source_sha256: str = ""
    entries: int = 0
    models: int = 0
    token_prices: int = 0
    exact_token_prices: int = 0
    cards: int = 0
    lines: int = 0
    items: list[Item] = field(default_factory=list)

    def note(
        self,
        action: Action,
        reason: Reason,
        entry: str,
        what: str = "",
        literal: object = "",
        became: object = "",
    ) -> None:
        """Adds an item."""
        self.items.append(Item(action, reason, entry, what, str(literal), str(became)))

    def counts(self, actions: Iterable[Action] = tuple(Action)) -> dict[str, dict[str, int]]:
        """Items per action and reason, the most frequent first."""
        counted: dict[str, dict[str, int]] = {}
        for action in actions:
            tally = Counter(item.reason.name for item in self.items if item.action is action)
            if tally:
                counted[action.value] = dict(tally.most_common())
        return counted

    def summary(self) -> str:
        """One line: what there is, and counts per reason."""
        parts = [
            f"{self.lines:,} lines in {self.cards:,} cards for {self.models:,} models",
            f"token prices {self.token_prices:,}, exact {self.exact_token_prices:,}",
        ]
        for action, reasons in self.counts().items():
            listed = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
            parts.append(f"{action} {sum(reasons.values()):,} ({listed})")
        return "; ".join(parts)

    def as_json(self) -> dict[str, object]:
        """For programs, with all items."""
        return {**self.totals(), "items": [item.as_json() for item in self.items]}

    def totals(self) -> dict[str, object]:
        """For programs, without the items."""
        return {
            "book": self.book,
            "source_sha256": self.source_sha256,
            "entries": self.entries,
            "models": self.models,
            "token_prices": self.token_prices,
            "exact_token_prices": self.exact_token_prices,
            "cards": self.cards,
            "lines": self.lines,
            "counts": self.counts(),
        }
