"""Imports LiteLLM's price book, `model_prices_and_context_window.json`.

An object: model name to entry; the entry names its provider in `litellm_provider` and prices single
tokens, images, seconds and so on in USD. One card per provider comes out (and one more where prices
are in Databricks units), with the entry's whole name as the model, exactly as callers write it.

What is peculiar, and what is done:

- `sample_spec` and `fallback_generalizations` are documentation and rules: skipped.
- A missing price stays missing. A zero is refused unless the policy says otherwise; see `drafts`.
  What is refused leaves its place empty: no other band, window or meter steps in.
- `above_Nk` fields and `tiered_pricing` ranges become bands. A band applies above its threshold,
  to the whole request; a range's lower end is its threshold, and ranges must follow one another
  from 0.
- `off_peak_pricing` overrides some prices in windows: these get the windows, the usual prices the
  rest of the week. Hours are UTC. A weekday is that of the instant itself (not of the window's
  start), in UTC or in the zone that the block names, which must be one without daylight saving.
- `input_cost_per_token_cache_hit` is a second name of the cache-read price: equal, or both are
  refused.
- Web searches have a price for each of three context sizes: equal, or refused as a variant.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from tallystick.prices.book import Book, cards_of
from tallystick.prices.drafts import Draft, ImportPolicy, Reader
from tallystick.prices.errors import BookUnreadable
from tallystick.prices.limits import MAX_U64, MINUTES_PER_DAY, MINUTES_PER_WEEK
from tallystick.prices.lines import PriceLine, is_name
from tallystick.prices.litellm_fields import (
    PER_PIECE,
    Field,
    classify,
    is_price,
    is_token_price,
)
from tallystick.prices.literals import Json, parse_json, parse_number
from tallystick.prices.meters import Meter
from tallystick.prices.report import Action, ImportReport, Reason
from tallystick.prices.windows import WHOLE_WEEK, WeekSet

NAME: Final = "litellm"
_NOT_MODELS: Final = frozenset({"sample_spec", "fallback_generalizations"})
_TALKING: Final = frozenset({"chat", "completion", "responses"})
# Zones that have had one offset from UTC for decades: minutes east.
_FIXED_ZONES: Final = {"UTC": 0, "Asia/Shanghai": 480}
_SEARCH_SIZES: Final = frozenset(
    f"search_context_size_{size}" for size in ("low", "medium", "high")
)

Entry = Mapping[str, Json]


def import_litellm(data: bytes, policy: ImportPolicy | None = None) -> Book:
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
    if not isinstance(raw, Mapping) or not raw:
        raise BookUnreadable("LiteLLM's price book is an object of models; this is not.")
    report = ImportReport(NAME, hashlib.sha256(data).hexdigest(), entries=len(raw))
    importer = _Importer(Reader(report, policy or ImportPolicy()))
    lines: dict[tuple[str, str], list[PriceLine]] = {}
    for name, entry in raw.items():
        _count_token_prices(report, entry)
        for (provider, unit), made in importer.entry(name, entry).items():
            lines.setdefault((provider, unit), []).extend(made)
    cards = cards_of({(provider, unit, 0): made for (provider, unit), made in lines.items()})
    report.cards = len(cards)
    report.lines = sum(len(card.lines) for card in cards)
    report.models = sum(len(card.models) for card in cards if card.unit == "USD")
    return Book(NAME, cards, report)


def _count_token_prices(report: ImportReport, entry: Json) -> None:
    """Counts the numbers in an entry, of whatever kind, that price a token."""
    if isinstance(entry, list):
        for each in entry:
            _count_token_prices(report, each)
    elif isinstance(entry, Mapping):
        for name, value in entry.items():
            if isinstance(value, list | Mapping):
                _count_token_prices(report, value)
            elif is_token_price(name):
                number = parse_number(value)
                if number is not None:
                    report.token_prices += 1
                    report.exact_token_prices += number.scaled(PER_PIECE) is not None


class _Importer:
    """Reads entries one by one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._report = reader.report

    def entry(self, name: str, entry: Json) -> dict[tuple[str, str], list[PriceLine]]:
        """The lines of an entry, by provider and unit."""
        if name in _NOT_MODELS:
            self._report.note(Action.SKIPPED, Reason.NOT_A_MODEL, name)
            return {}
        provider = entry.get("litellm_provider") if isinstance(entry, Mapping) else None
        if not isinstance(entry, Mapping) or not isinstance(provider, str):
            self._reader.refuse(Reason.NOT_A_MODEL, name)
            return {}
        if not is_name(name) or not is_name(provider):
            self._reader.refuse(Reason.NAME, name)
            return {}
        before = len(self._report.items)
        drafts = self._once(name, self._drafts(name, entry))
        if not drafts and len(self._report.items) == before:
            self._reader.refuse(Reason.NO_PRICE, name)
        talks = entry.get("mode") in _TALKING
        made = self._reader.lines_of(name, name, drafts, talks=talks)
        return {(provider, unit): lines for unit, lines in made.items()}

    def _drafts(self, name: str, entry: Entry) -> Iterator[Draft]:
        mode = entry.get("mode")
        mode = mode if isinstance(mode, str) else ""
        off_peak = list(self._off_peak(name, entry, mode))
        discounted = {(*draft.slot, draft.above): draft.week for draft in off_peak}
        for what, value in entry.items():
            for draft in self._field(name, what, value, mode):
                taken = discounted.get((*draft.slot, draft.above), WeekSet())
                yield replace(draft, week=WHOLE_WEEK - taken)
        yield from off_peak

    def _field(self, name: str, what: str, value: Json, mode: str) -> Iterator[Draft]:
        """The drafts of one top-level field."""
        if what == "tiered_pricing":
            yield from self._ranges(name, value, mode)
        elif what == "search_context_cost_per_query":
            yield from self._web_search(name, what, value)
        elif what == "provider_specific_entry":
            self._factors(name, what, value)
        elif is_price(what):
            yield from self._price(name, what, value, mode)

    def _price(
        self, name: str, what: str, value: Json, mode: str, above: int = 0
    ) -> Iterator[Draft]:
        field = classify(what, mode)
        if isinstance(field, Reason):
            self._reader.refuse(field, name, what, value)
            return
        price = self._reader.price(name, what, value, PER_PIECE)
        yield _draft(what, value, field, price, above or field.above)

    def _ranges(self, name: str, value: Json, mode: str) -> Iterator[Draft]:
        """The bands of a `tiered_pricing` list."""
        ranges = value if isinstance(value, list) else []
        at = 0
        drafts: list[Draft] = []
        for each in ranges:
            bounds = each.get("range") if isinstance(each, Mapping) else None
            start, end = _bounds(bounds)
            if not isinstance(each, Mapping) or start != at or end <= start:
                reason = Reason.VARIANT if _has_other_range(each) else Reason.RANGE_SHAPE
                self._reader.refuse(reason, name, "tiered_pricing", value)
                yield from _unread(ranges, mode)
                return
            for what, price in each.items():
                if what != "range":
                    drafts += self._price(name, what, price, mode, above=start)
            at = end
        if drafts:
            what = "tiered_pricing"
            self._report.note(Action.FLAGGED, Reason.RANGE_END, name, what, at)
        yield from drafts

    def _web_search(self, name: str, what: str, value: Json) -> Iterator[Draft]:
        sizes = value if isinstance(value, Mapping) else {}
        if not sizes or not sizes.keys() <= _SEARCH_SIZES or len(set(map(str, sizes.values()))) > 1:
            self._reader.refuse(Reason.VARIANT, name, what, value)
            return
        literal = next(iter(sizes.values()))
        price = self._reader.price(name, what, literal, PER_PIECE)
        yield _draft(what, literal, Field(Meter.WEB_SEARCH), price, 0)

    def _factors(self, name: str, what: str, value: Json) -> None:
        """Notes factors on other prices among an entry's peculiarities."""
        for key, factor in value.items() if isinstance(value, Mapping) else ():
            if key in {"us", "eu", "fast"}:
                self._reader.refuse(Reason.MULTIPLIER, name, f"{what}.{key}", factor)

    def _off_peak(self, name: str, entry: Entry, mode: str) -> Iterator[Draft]:
        block = entry.get("off_peak_pricing")
        if block is None:
            return
        week = _week_of(block) if isinstance(block, Mapping) else None
        if not isinstance(block, Mapping) or not week:
            self._reader.refuse(Reason.WINDOW_SHAPE, name, "off_peak_pricing", block)
            for draft in _unread([block], mode):
                yield replace(draft, above=0)
            return
        for what, value in block.items():
            if is_price(what):
                for draft in self._price(name, what, value, mode):
                    yield replace(draft, what=f"off_peak_pricing.{what}", week=week)

    def _once(self, name: str, drafts: Iterator[Draft]) -> list[Draft]:
        """Drops second names, and both of two that contradict each other."""
        found: dict[tuple[object, ...], list[Draft]] = {}
        for draft in drafts:
            found.setdefault((*draft.slot, draft.above, draft.week), []).append(draft)
        kept = []
        for same in found.values():
            read = [draft for draft in same if draft.price is not None]
            if len({draft.price for draft in read}) > 1:
                for draft in read:
                    self._reader.refuse(Reason.CONTRADICTS, name, draft.what, draft.literal)
                kept.append(replace(same[0], price=None))
                continue
            kept += (read or same)[:1]
            for draft in read[1:]:
                reason = Reason.SECOND_NAME
                self._report.note(Action.SKIPPED, reason, name, draft.what, draft.literal)
        return kept


def _draft(what: str, value: Json, field: Field, price: int | None, above: int) -> Draft:
    return Draft(what, str(value), field.meter, price, field.unit, field.tier, above)


def _unread(blocks: list[Json], mode: str) -> Iterator[Draft]:
    """The places of prices in blocks that cannot be read, above all that can."""
    for block in blocks:
        for what, value in block.items() if isinstance(block, Mapping) else ():
            field = classify(what, mode) if is_price(what) else Reason.NO_METER
            if isinstance(field, Field):
                yield _draft(what, value, field, None, MAX_U64)


def _bounds(value: Json) -> tuple[int, int]:
    """A range's ends, or (-1, -1)."""
    if isinstance(value, list) and len(value) == 2:
        numbers = [parse_number(each) for each in value]
        ends = [None if number is None else number.scaled(0) for number in numbers]
        if ends[0] is not None and ends[1] is not None:
            return ends[0], ends[1]
    return -1, -1


def _has_other_range(each: Json) -> bool:
    return isinstance(each, Mapping) and any(key.endswith("_range") for key in each)


def _week_of(block: Mapping[str, Json]) -> WeekSet | None:
    """The minutes of the week in which off-peak prices hold; None if that cannot be read."""
    zone = block.get("weekday_timezone", "UTC")
    rules = block.get("windows")
    if rules is None:
        rules = [block]
    if not isinstance(zone, str) or zone not in _FIXED_ZONES or not isinstance(rules, list):
        return None
    week = WeekSet()
    for rule in rules:
        if not isinstance(rule, Mapping):
            return None
        hours = _hours(rule.get("hours_utc"))
        days = _days(rule.get("weekdays", block.get("weekdays")))
        if hours is None or days is None:
            return None
        week |= hours & _shifted(days, -_FIXED_ZONES[zone])
    return week


def _hours(value: Json) -> WeekSet | None:
    """`"16:30-00:30"`, or several: these hours on each day."""
    spans = value if isinstance(value, list) else [value]
    week = WeekSet()
    for span in spans:
        ends = span.split("-") if isinstance(span, str) else []
        minutes = [_minute(each) for each in ends]
        if len(minutes) != 2 or minutes[0] is None or minutes[1] is None:
            return None
        start, end = minutes[0], minutes[1]
        length = (end - start - 1) % MINUTES_PER_DAY + 1
        week |= WeekSet.of(
            (day * MINUTES_PER_DAY + start, day * MINUTES_PER_DAY + start + length)
            for day in range(7)
        )
    return week


def _days(value: Json) -> WeekSet | None:
    """ISO weekdays, 1 to 7; all of them where none are named."""
    if value is None:
        return WHOLE_WEEK
    if not isinstance(value, list) or not value:
        return None
    if not all(type(day) is int and 1 <= day <= 7 for day in value):
        return None
    days = [day for day in value if isinstance(day, int)]
    return WeekSet.of(((day - 1) * MINUTES_PER_DAY, day * MINUTES_PER_DAY) for day in days)


def _shifted(week: WeekSet, minutes: int) -> WeekSet:
    moved = (((start + minutes) % MINUTES_PER_WEEK, end - start) for start, end in week.intervals)
    return WeekSet.of((start, start + length) for start, length in moved)


def _minute(text: str) -> int | None:
    hours, _, minutes = text.strip().partition(":")
    if not (hours.isdigit() and minutes.isdigit() and len(hours) == len(minutes) == 2):
        return None
    minute = 60 * int(hours) + int(minutes)
    return minute if int(minutes) < 60 and minute < MINUTES_PER_DAY else None
