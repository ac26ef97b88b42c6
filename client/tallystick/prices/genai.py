"""Imports the price book of genai-prices (`data.v2.json`).

A list of providers with their models, in USD per million tokens or per thousand calls. One card per
provider and date comes out; models are found by the book's rules (see `matching`).

What is peculiar, and what is done:

- A price may be `{base, tiers: [{start, price}]}`: a cliff on the request's input tokens. The book
  does not say what holds at exactly `start`. Here the tier applies *above* it, as every band does:
  a request of exactly `start` tokens pays the lower tier's price.
- `prices` may be a list of alternatives, each maybe with a start date or with hours of the day: the
  last whose condition holds wins, whole; where none holds, the first. Each start date makes a new
  version of the provider's card; hours become windows that do not overlap.
- An empty price object means free or unknown alike: refused.
- A token of a kind that has no price of its own (cached, audio, reasoning) is billed as what it is
  part of. Lines for that are written only with the policy `same_as_parents`, and reported.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final

from tallystick.prices.book import Book, cards_of
from tallystick.prices.drafts import Draft, ImportPolicy, Reader
from tallystick.prices.errors import BookUnreadable
from tallystick.prices.limits import MINUTES_PER_DAY, NS_PER_MINUTE
from tallystick.prices.lines import PriceLine, is_name
from tallystick.prices.literals import Json, parse_json, parse_number
from tallystick.prices.matching import ModelRules, Rule, RuleUnreadable, parse_rule
from tallystick.prices.meters import Meter
from tallystick.prices.report import ImportReport, Reason
from tallystick.prices.windows import WHOLE_WEEK, WeekSet

NAME: Final = "genai"

# Powers of ten from the book's units to nano-units per million of the meter.
_PER_MILLION: Final = 9
_PER_THOUSAND: Final = 12

_UNITS: Final[dict[str, tuple[Meter, int]]] = {
    "input_mtok": (Meter.INPUT, _PER_MILLION),
    "input_audio_mtok": (Meter.INPUT_AUDIO, _PER_MILLION),
    "input_image_mtok": (Meter.INPUT_IMAGE, _PER_MILLION),
    "input_video_mtok": (Meter.INPUT_VIDEO, _PER_MILLION),
    "input_tool_mtok": (Meter.INPUT_TOOL, _PER_MILLION),
    "cache_read_mtok": (Meter.CACHE_READ, _PER_MILLION),
    "cache_audio_read_mtok": (Meter.CACHE_READ_AUDIO, _PER_MILLION),
    "cache_image_read_mtok": (Meter.CACHE_READ_IMAGE, _PER_MILLION),
    "cache_video_read_mtok": (Meter.CACHE_READ_VIDEO, _PER_MILLION),
    "cache_write_mtok": (Meter.CACHE_WRITE, _PER_MILLION),
    "cache_write_5m_mtok": (Meter.CACHE_WRITE_5M, _PER_MILLION),
    "cache_write_1h_mtok": (Meter.CACHE_WRITE_1H, _PER_MILLION),
    "cache_audio_write_mtok": (Meter.CACHE_WRITE_AUDIO, _PER_MILLION),
    "output_mtok": (Meter.OUTPUT, _PER_MILLION),
    "output_audio_mtok": (Meter.OUTPUT_AUDIO, _PER_MILLION),
    "output_image_mtok": (Meter.OUTPUT_IMAGE, _PER_MILLION),
    "output_video_mtok": (Meter.OUTPUT_VIDEO, _PER_MILLION),
    "output_reasoning_mtok": (Meter.REASONING, _PER_MILLION),
    "output_citation_mtok": (Meter.CITATION, _PER_MILLION),
    "input_mchars": (Meter.CHARACTER_IN, _PER_MILLION),
    "requests_kcount": (Meter.REQUEST, _PER_THOUSAND),
    "web_searches_kcount": (Meter.WEB_SEARCH, _PER_THOUSAND),
    "input_text_messages_kcount": (Meter.TEXT_MESSAGE, _PER_THOUSAND),
    "input_document_kpages": (Meter.PAGE, _PER_THOUSAND),
    "input_annotated_document_kpages": (Meter.PAGE_ANNOTATED, _PER_THOUSAND),
}

_UNIX_EPOCH: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Alternative:
    """One element of a model's prices.

    Attributes:
        prices: Its price object.
        from_ns: From when it may apply.
        week: When in the week.
    """

    prices: Mapping[str, Json]
    from_ns: int = 0
    week: WeekSet = WHOLE_WEEK


class ConditionUnreadable(ValueError):  # noqa: N818 - says what happened
    """A condition of another shape; `reason` says which kind."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def import_genai(data: bytes, policy: ImportPolicy | None = None) -> Book:
    """Reads the book.

    Args:
        data: The JSON file, unpacked.
        policy: What may be done beyond reading. Default: nothing.

    Returns:
        The book, with its report.

    Raises:
        BookUnreadable: It is no such file.
    """
    raw = parse_json(data)
    if not isinstance(raw, list) or not raw:
        raise BookUnreadable("This price book is a list of providers; the file is not.")
    report = ImportReport(NAME, hashlib.sha256(data).hexdigest())
    reader = Reader(report, policy or ImportPolicy())
    lines: dict[tuple[str, str, int], list[PriceLine]] = {}
    rules: dict[str, ModelRules] = {}
    for provider in raw:
        name, models = _provider(provider)
        found = _Provider(name, reader)
        for model in models:
            report.entries += 1
            found.model(model)
        lines.update(found.lines())
        rules[name] = ModelRules(tuple(found.rules), _fallbacks(provider))
    report.items[:] = dict.fromkeys(report.items)  # a card's next version says the same again
    cards = cards_of(lines)
    report.cards = len(cards)
    report.lines = sum(len(card.lines) for card in cards)
    report.models = len({(card.provider, model) for card in cards for model in card.models})
    return Book(NAME, cards, report, rules)


class _Provider:
    """Reads one provider's models."""

    def __init__(self, name: str, reader: Reader) -> None:
        self.rules: list[tuple[Rule, str]] = []
        self._name = name
        self._reader = reader
        self._models: dict[str, list[Alternative]] = {}

    def model(self, value: Json) -> None:
        """Takes one model: its rule, and its prices if it has any."""
        model = value.get("id") if isinstance(value, Mapping) else None
        if not isinstance(value, Mapping) or not isinstance(model, str) or not is_name(model):
            self._reader.refuse(Reason.NAME, f"{self._name} {model}")
            return
        entry = f"{self._name} {model}"
        if model in self._models:
            self._reader.refuse(Reason.CONTRADICTS, entry, "id", model)
            return
        try:
            self.rules.append((parse_rule(value.get("match")), model))
            alternatives = list(_alternatives(value.get("prices")))
        except RuleUnreadable:
            self._reader.refuse(Reason.MATCH_RULE, entry, "match", value.get("match"))
            return
        except ConditionUnreadable as error:
            self._reader.refuse(error.reason, entry, "prices", value.get("prices"))
            return
        self._models[model] = alternatives
        for number, alternative in enumerate(alternatives):
            self._count(alternative.prices)
            if not alternative.prices:
                what = "prices" if len(alternatives) == 1 else f"prices[{number}]"
                self._reader.refuse(Reason.EMPTY_PRICES, entry, what)

    def lines(self) -> dict[tuple[str, str, int], list[PriceLine]]:
        """All lines, by card: one card for each date on which some price changes."""
        starts = {each.from_ns for listed in self._models.values() for each in listed}
        made: dict[tuple[str, str, int], list[PriceLine]] = {}
        for from_ns in sorted(starts | {0}):
            for model, alternatives in self._models.items():
                drafts = list(self._drafts(f"{self._name} {model}", alternatives, from_ns))
                talks = len({d.meter for d in drafts} & {Meter.INPUT, Meter.OUTPUT}) == 2
                entry = f"{self._name} {model}"
                for unit, lines in self._reader.lines_of(entry, model, drafts, talks=talks).items():
                    made.setdefault((self._name, unit, from_ns), []).extend(lines)
            if made:  # a card without lines, too, ends the one before
                made.setdefault((self._name, "USD", from_ns), [])
        return made

    def _drafts(self, entry: str, alternatives: list[Alternative], at_ns: int) -> Iterator[Draft]:
        """The prices at an instant: each minute's from the last alternative that covers it."""
        left = WHOLE_WEEK
        shares: list[WeekSet] = []
        for alternative in reversed(alternatives):
            week = alternative.week if alternative.from_ns <= at_ns else WeekSet()
            shares.insert(0, left & week)
            left -= week
        if shares:
            shares[0] |= left  # where none applies, the first does
        for alternative, share in zip(alternatives, shares, strict=True):
            if share:
                for draft in self._prices(entry, alternative.prices):
                    yield replace(draft, week=share)

    def _prices(self, entry: str, prices: Mapping[str, Json]) -> Iterator[Draft]:
        for what, value in prices.items():
            if what not in _UNITS:
                self._reader.refuse(Reason.NO_METER, entry, what, value)
                continue
            meter, power = _UNITS[what]
            steps = self._steps(entry, what, value)
            if not steps:
                yield Draft(what, str(value), meter, None)
            for above, literal in steps:
                label = what if not above else f"{what} above {above}"
                price = self._reader.price(entry, label, literal, power)
                yield Draft(label, str(literal), meter, price, above=above)

    def _steps(self, entry: str, what: str, value: Json) -> list[tuple[int, Json]]:
        """Pairs of threshold and price: one, or those of a tiered price."""
        if not isinstance(value, Mapping):
            return [(0, value)]
        tiers = value.get("tiers")
        steps: list[tuple[int, Json]] = [(0, value.get("base"))]
        for tier in tiers if isinstance(tiers, list) else [None]:
            start = tier.get("start") if isinstance(tier, Mapping) else None
            if not isinstance(tier, Mapping) or type(start) is not int or start <= 0:
                self._reader.refuse(Reason.RANGE_SHAPE, entry, what, value)
                return []
            steps.append((start, tier.get("price")))
        if len({above for above, _ in steps}) != len(steps):
            self._reader.refuse(Reason.RANGE_SHAPE, entry, what, value)
            return []
        return steps

    def _count(self, prices: Mapping[str, Json]) -> None:
        report = self._reader.report
        for what, value in prices.items():
            if not what.endswith("_mtok"):
                continue
            tiers = value.get("tiers") if isinstance(value, Mapping) else None
            literals = [value.get("base") if isinstance(value, Mapping) else value]
            steps = tiers if isinstance(tiers, list) else []
            literals += [step.get("price") for step in steps if isinstance(step, Mapping)]
            for literal in literals:
                number = parse_number(literal)
                if number is not None:
                    report.token_prices += 1
                    report.exact_token_prices += number.scaled(_PER_MILLION) is not None


def _provider(value: Json) -> tuple[str, list[Json]]:
    name = value.get("id") if isinstance(value, Mapping) else None
    models = value.get("models") if isinstance(value, Mapping) else None
    if not isinstance(name, str) or not is_name(name) or not isinstance(models, list):
        raise BookUnreadable("A provider of this price book has no id or no models.")
    return name, models


def _fallbacks(provider: Json) -> tuple[str, ...]:
    listed = provider.get("fallback_model_providers") if isinstance(provider, Mapping) else None
    if not isinstance(listed, list):
        return ()
    return tuple(each for each in listed if isinstance(each, str))


def _alternatives(value: Json) -> Iterator[Alternative]:
    if isinstance(value, Mapping):
        yield Alternative(value)
        return
    if not isinstance(value, list) or not value:
        raise ConditionUnreadable(Reason.EMPTY_PRICES)
    for each in value:
        prices = each.get("prices") if isinstance(each, Mapping) else None
        if not isinstance(each, Mapping) or not isinstance(prices, Mapping):
            raise ConditionUnreadable(Reason.EMPTY_PRICES)
        constraint = each.get("constraint")
        if constraint is None:
            yield Alternative(prices)
        elif not isinstance(constraint, Mapping):
            raise ConditionUnreadable(Reason.WINDOW_SHAPE)
        elif constraint.keys() == {"start_date"}:
            yield Alternative(prices, from_ns=_date_ns(constraint["start_date"]))
        elif constraint.keys() == {"start_time", "end_time"}:
            hours = _hours(constraint["start_time"], constraint["end_time"])
            yield Alternative(prices, week=hours)
        else:
            raise ConditionUnreadable(Reason.WINDOW_SHAPE)


def _date_ns(value: Json) -> int:
    """The instant at which a date begins in UTC."""
    try:
        days = date.fromisoformat(value if isinstance(value, str) else "").toordinal() - _UNIX_EPOCH
    except ValueError as error:
        raise ConditionUnreadable(Reason.START_DATE) from error
    if days <= 0:
        raise ConditionUnreadable(Reason.START_DATE)
    return days * MINUTES_PER_DAY * NS_PER_MINUTE


def _hours(start: Json, end: Json) -> WeekSet:
    """Hours of each day, from a start to an end that is not inside."""
    first, last = _minute(start), _minute(end)
    if first == last:
        return WeekSet()  # from an instant to itself: no time, as the book's own code has it
    length = (last - first) % MINUTES_PER_DAY
    days = (day * MINUTES_PER_DAY + first for day in range(7))
    return WeekSet.of((begin, begin + length) for begin in days)


def _minute(value: Json) -> int:
    """The minute of the day in UTC; a time without an offset is UTC."""
    try:
        parsed = time.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ConditionUnreadable(Reason.WINDOW_SHAPE) from error
    offset = datetime.combine(date(1970, 1, 1), parsed).utcoffset() or timedelta()
    shift = offset // timedelta(minutes=1)
    if parsed.second or parsed.microsecond or shift * timedelta(minutes=1) != offset:
        raise ConditionUnreadable(Reason.WINDOW_SHAPE)
    return (60 * parsed.hour + parsed.minute - shift) % MINUTES_PER_DAY
