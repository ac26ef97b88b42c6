"""A provider whose card prices a meter at 1, and holds with a debt limit that it captures."""

from dataclasses import dataclass
from typing import Final

from tests.differential import raw
from tests.differential.book import SECOND_NS, Book, Person
from tests.differential.cases_prices import MINUTE_NS, Names, names_of, published_card

LONG_NS: Final = 500 * SECOND_NS


@dataclass(slots=True)
class Shop:
    """A provider and its card.

    Attributes:
        book: The ledger.
        provider: Owns the card, and the accounts that are paid.
        names: What the card prices.
        card: In force.
    """

    book: Book
    provider: Person
    names: Names
    card: bytes

    @classmethod
    def of(cls, book: Book, provider: Person, names: Names | None = None) -> "Shop":
        """Publishes the card and waits for it."""
        names = names or names_of(book)
        card = published_card(book, provider, names)
        book.now_ns += 2 * MINUTE_NS
        return cls(book, provider, names, card)

    def reserve_record(
        self,
        payer_account: bytes,
        payee_account: bytes,
        maximum: int,
        limit: int,
        lifetime_ns: int = LONG_NS,
    ) -> bytes:
        overrun = raw.DEBT if limit else raw.REJECT
        terms = raw.terms(self.card, self.names.model, overrun=overrun, debt_limit=limit)
        expires_at_ns = self.book.now_ns + lifetime_ns
        return raw.priced(raw.reserve(payer_account, payee_account, maximum, expires_at_ns), terms)

    def reserve(
        self,
        payer: Person,
        maximum: int,
        limit: int,
        payee_account: bytes = b"",
        lifetime_ns: int = LONG_NS,
    ) -> bytes:
        """A hold on the payer's account, for the provider's or another account of it."""
        accounts = (payer.account, payee_account or self.provider.account)
        record = self.reserve_record(*accounts, maximum, limit, lifetime_ns)
        return self.book.ok(payer.key, record).ids[0]

    def used(self, hold: bytes, amount: int, *, flags: int = 0) -> bytes:
        """A CAPTURE of so much of the meter, which costs as much."""
        lines = [(self.names.meter, amount)] if amount else []
        return raw.used(raw.capture(hold, amount, flags=flags), raw.usage(lines))

    def claim(self, payer: Person, owed: int, payee_account: bytes = b"") -> bytes:
        """A claim of so much: the hold held 1, and the account was frozen meanwhile."""
        book = self.book
        hold = self.reserve(payer, 1, owed, payee_account)
        book.ok(payer.key, raw.account(raw.FREEZE, account_id=payer.account))
        book.ok(self.provider.key, self.used(hold, 1 + owed, flags=raw.FINAL))
        book.ok(payer.key, raw.account(raw.UNFREEZE, account_id=payer.account))
        return hold
