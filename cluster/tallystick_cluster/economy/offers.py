"""What is sold: models of the public price books, and what the books themselves say about changes.

Two facts of the books are shown. OpenAI's card changes at noon as it changed on 2026-07-30.
DeepSeek's hours of low prices begin at a minute of this run: the card's windows are moved by as
many minutes, since those of the book (16:30 to 00:30 UTC) may be hours away. Prices never change.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from tallystick.prices import ALWAYS, Book, Bundled, Card, PriceLine, Window, bundled_book
from tallystick_cluster.data.arrivals import Trace

MINUTES_PER_DAY: Final = 1_440
_NS_PER_S: Final = 1_000_000_000
# DeepSeek's window in the book, from which the low prices apply.
OFF_PEAK_MINUTE: Final = 16 * 60 + 30


def _date_ns(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * _NS_PER_S


# The instants for which prices are looked up in the books; fixed, so that every run is alike.
PRICES_AT_NS: Final = _date_ns(2026, 9, 2)
OPENAI_BEFORE_NS: Final = _date_ns(2026, 7, 29)


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that a provider sells.

    Attributes:
        provider: As it is called here.
        model: Its name in the book.
        trace: Whose requests ask for it.
        share: Its part of those requests, relative to the others'.
        has_hours: Whether its price depends on the time of the day.
    """

    provider: str
    model: str
    trace: Trace
    share: int
    has_hours: bool = False


@dataclass(frozen=True, slots=True)
class PriceList:
    """Where a provider's prices are from.

    Attributes:
        provider: As it is called here.
        bundled: Which of the two books.
        book_provider: What the book calls it.
        dates_ns: For which instants the book is asked: one card each, the first from the morning
            on, the second from noon on.
        has_moved_windows: Whether its hours are moved into the run.
    """

    provider: str
    bundled: Bundled
    book_provider: str
    dates_ns: tuple[int, ...] = (PRICES_AT_NS,)
    has_moved_windows: bool = False


OFFERS: Final = (
    Offer("openai", "gpt-5-mini", Trace.AZURE, share=30),
    Offer("openai", "gpt-5.6-terra", Trace.AZURE, share=20),
    Offer("anthropic", "claude-sonnet-5", Trace.AZURE, share=15),
    Offer("deepseek", "deepseek-chat", Trace.AZURE, share=20, has_hours=True),
    # Its price is no whole number of nano-USD a token: charges have to be rounded.
    Offer("deepseek", "deepseek-v3.2", Trace.AZURE, share=5),
    Offer("mistral", "mistral/mistral-medium-latest", Trace.AZURE, share=10),
    Offer("moonshot", "kimi-k2-0711-preview", Trace.MOONCAKE, share=100),
)
PRICE_LISTS: Final = (
    PriceList("openai", Bundled.GENAI, "openai", (OPENAI_BEFORE_NS, PRICES_AT_NS)),
    PriceList("anthropic", Bundled.GENAI, "anthropic"),
    PriceList("deepseek", Bundled.GENAI, "deepseek", has_moved_windows=True),
    PriceList("mistral", Bundled.LITELLM, "mistral"),
    PriceList("moonshot", Bundled.GENAI, "moonshotai"),
)
# Another book's opinion, on which disputes rest.
OTHER_BOOK: Final = Bundled.LITELLM


class Books:
    """The bundled books, each read once."""

    def __init__(self) -> None:
        """Reads them; takes half a second."""
        self._books: dict[Bundled, Book] = {each: bundled_book(each) for each in Bundled}
        self._cards: dict[tuple[PriceList, int], Card] = {}
        self._changes: dict[Offer, tuple[tuple[Card, int], ...]] = {}

    def card(self, of: PriceList, at_ns: int) -> Card:
        """A provider's card as the book has it at an instant; looked for once."""
        key = (of, at_ns)
        if key not in self._cards:
            self._cards[key] = self._books[of.bundled].card(of.book_provider, at_ns)
        return self._cards[key]

    def changes(self, offer: Offer) -> tuple[tuple[Card, int], ...]:
        """A provider's cards, each with every minute of the day at which a line of this begins."""
        if offer not in self._changes:
            of = price_list(offer.provider)
            cards = [self.card(of, date_ns) for date_ns in of.dates_ns]
            self._changes[offer] = tuple(
                (card, minute)
                for card in cards
                for minute in {line.window.start_minute for line in card.lines_of(offer.model)}
            )
        return self._changes[offer]

    def other_card(self, provider: str) -> Card:
        """What the other book says of a provider."""
        return self._books[OTHER_BOOK].card(provider, PRICES_AT_NS)


def price_list(provider: str) -> PriceList:
    """Where a provider's prices are from."""
    return next(each for each in PRICE_LISTS if each.provider == provider)


def models_of(provider: str) -> list[str]:
    """The models that a provider sells, in order."""
    return [offer.model for offer in OFFERS if offer.provider == provider]


def moved(card: Card, minutes: int) -> Card:
    """A card whose windows begin and end so many minutes later; its prices stay."""
    return replace(card, lines=tuple(_moved(line, minutes) for line in card.lines))


def _moved(line: PriceLine, minutes: int) -> PriceLine:
    if line.window == ALWAYS:
        return line
    window = line.window
    start = (window.start_minute + minutes) % MINUTES_PER_DAY
    end = (window.end_minute + minutes - 1) % MINUTES_PER_DAY + 1
    return replace(line, window=Window(start, end, window.weekdays))
