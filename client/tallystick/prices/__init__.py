"""Prices: books and cards, what a usage costs, and what an answer says was used.

    book = bundled_book(Bundled.GENAI)          # or open_book(path)
    reading = read_usage(answer)                # OpenAI, Anthropic, Gemini, Bedrock, OpenTelemetry
    charge = book.price("openai", reading.model, reading.usage, at_ns)
    charge.amount_nano, charge.exact, charge.parts

Nothing here talks to a node, reads a clock or holds a float. Whatever is not certain is a typed
error (`errors`), never a price of zero.

| module | what it is |
|---|---|
| meters, usage | what is counted, disjoint; how much of it |
| adapters | from the usage objects of several APIs to a usage |
| lines, windows, card | a price line, its hours, a provider's card and the look-up in it |
| pricing | the sum and the one rounding |
| literals, drafts, litellm, genai, matching | reading the two public price books |
| ledger | a card's lines as a ledger knows them |
| report | what an import refused, repaired, added and flagged |
| book, load | all cards of a price book; opening one |
"""

from tallystick.prices.adapters import Dialect, Reading, detect, read_usage
from tallystick.prices.book import Book, Found, Offer
from tallystick.prices.card import Card, Served
from tallystick.prices.drafts import ImportPolicy
from tallystick.prices.errors import (
    BookUnreadable,
    LineRefused,
    PriceError,
    UnknownModel,
    Unpriced,
    UsageRefused,
)
from tallystick.prices.lines import ANY, STANDARD, LineFlag, PriceLine
from tallystick.prices.load import Bundled, bundled_book, import_book, open_book
from tallystick.prices.meters import METERS, Group, Meter
from tallystick.prices.pricing import Charge, Part
from tallystick.prices.report import Action, ImportReport, Item, Reason
from tallystick.prices.usage import Usage, parse_usage
from tallystick.prices.windows import ALWAYS, Window

__all__ = [
    "ALWAYS",
    "ANY",
    "METERS",
    "STANDARD",
    "Action",
    "Book",
    "BookUnreadable",
    "Bundled",
    "Card",
    "Charge",
    "Dialect",
    "Found",
    "Group",
    "ImportPolicy",
    "ImportReport",
    "Item",
    "LineFlag",
    "LineRefused",
    "Meter",
    "Offer",
    "Part",
    "PriceError",
    "PriceLine",
    "Reading",
    "Reason",
    "Served",
    "UnknownModel",
    "Unpriced",
    "Usage",
    "UsageRefused",
    "Window",
    "bundled_book",
    "detect",
    "import_book",
    "open_book",
    "parse_usage",
    "read_usage",
]
