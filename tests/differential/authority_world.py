"""A ledger on which every party has a key of every scope, for the table of authority."""

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

from tests.differential import raw, raw_exchange, raw_grants, raw_quotes, raw_recovery
from tests.differential.book import (
    SECOND_NS,
    Book,
    MakeEngine,
    Member,
    Person,
    genesis_for_tests,
)
from tests.differential.cases_prices import Draft, Names, draft_card
from tests.differential.debts import Shop

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records import Scope
from tallystick_ledger.state_rows import RecoveryRow, Table

if TYPE_CHECKING:
    from tests.differential.authority_table import Row

# Those that only a genesis or an operator gives.
SYSTEM_SCOPES: Final = {Scope.NODE: "node", Scope.OPERATE: "operator", Scope.AUDIT: "operator"}
PARTIES: Final = ("payer", "payee", "issuer", "stranger")
SIGNERS: Final = (
    *((party, scope) for party in PARTIES for scope in Scope if scope not in SYSTEM_SCOPES),
    *((party, scope) for scope, party in SYSTEM_SCOPES.items()),
)

# All that the table makes has to fit; no cap is what these tests are about.
_CAPS: Final = Caps(keys=100_000)
# More than are asked for, less than a card may have of one meter.
_SPARE_LINES: Final = 60


@dataclass
class Signed:
    """Who signs, under which id: a record may have to know."""

    world: "World"
    party: str
    scope: Scope
    key: bytes
    principal: bytes
    envelope_id: bytes

    def derives(self) -> bytes:
        """The id of what the record makes."""
        return self.world.book.derived(self.principal, self.envelope_id, 0)

    def use_new_key(self) -> bytes:
        """Signs with another key of the same scope, which may be used up."""
        person = self.world.person(self.party)
        if self.scope not in (Scope.NODE, Scope.OPERATE):
            self.key = self.world.book.add_key(person, self.scope)
        return self.key


@dataclass
class Debt:
    """What the payer owes the payee in a deferred unit."""

    book: Book
    unit: bytes
    debtor: Member
    creditor: Member

    def settle(self) -> bytes:
        pairs = [(self.debtor.account, self.creditor.account, 5)]
        return self.book.settle(self.unit, 1, pairs)

    def fail(self) -> bytes:
        return raw.fail(self.unit, 1, self.debtor.account)


@dataclass
class World:
    """The parties, and what their records are about.

    Attributes:
        book: The ledger.
        keys: By party and scope.
        channel_key: A key of the payer's that signs vouchers.
        signer: Who signs the record that is being made.
    """

    book: Book
    payer: Person
    payee: Person
    issuer: Person
    stranger: Person
    channel_key: SigningKey
    keys: dict[tuple[str, Scope], bytes] = field(default_factory=dict)
    signer: Signed = field(init=False)
    _spare_lines: list[bytes] = field(default_factory=list)
    _price_names: Names | None = None
    _card: bytes = b""
    _quote: tuple[bytes, bytes] | None = None
    _shop: Shop | None = None
    _grant: bytes | None = None
    _exchange: bytes = b""
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @classmethod
    def on(cls, make_engine: MakeEngine) -> "World":
        """A fresh ledger."""
        book = Book(make_engine, genesis_for_tests(_CAPS))
        bank = book.bank
        issuer = Person(bank.principal, bank.key, book.account(bank))
        book.issue(issuer.account, 1_000_000)
        for person in (book.alice, book.bob):
            book.issue(person.account, 1_000_000)
        channel_key = book.channel_key(book.alice)
        made = cls(book, book.alice, book.bob, issuer, book.customer(), channel_key)
        for party, scope in SIGNERS:
            person = made.person(party)
            made.keys[party, scope] = (
                person.key
                if scope in (Scope.OWNER, Scope.NODE, Scope.OPERATE)
                else book.add_key(person, scope)
            )
        return made

    def person(self, party: str) -> Person:
        system = {"operator": self.book.operator, "node": self.book.node}
        return system[party] if party in system else getattr(self, party)

    def answer(self, row: "Row", party: str, scope: Scope) -> Code:
        """Sends one record, right but for its signer; returns what the ledger says."""
        key = self.keys[party, scope]
        principal = self.person(party).principal
        self.signer = by = Signed(self, party, scope, key, principal, self.book.new_id())
        record = row.make(self)
        (code,) = self.book.send(by.key, record, envelope_id=by.envelope_id).codes
        return code

    # -- what a record needs -----------------------------------------------------------------------

    def new_key(self) -> bytes:
        return self.book.fresh_key()

    def spare_key(self, person: Person) -> bytes:
        return self.book.add_key(person, Scope.OWNER)

    def successor_of(self, key: bytes) -> bytes:
        new = self.book.fresh_key()
        self.book.owns(new, self.book.principal_of(key))
        return new

    def end_recovery(self) -> None:
        """Leaves nothing pending for the payer."""
        for row in map(RecoveryRow.decode, self.book.engine.rows(Table.RECOVERY)):
            if row.principal == self.payer.principal:
                self.book.ok(self.payer.key, raw_recovery.veto(row.key))

    def announced(self) -> bytes:
        """The key of a recovery of the payer's that is pending."""
        self.end_recovery()
        key, recovery_key = self.book.fresh_key(), self.book.add_key(self.payer, Scope.RECOVERY)
        self.book.ok(recovery_key, raw_recovery.recover(key, self.payer.principal))
        return key

    def new_text(self) -> bytes:
        return b"name %d" % next(self._numbers)

    def new_symbol(self) -> bytes:
        return (b"U%d" % next(self._numbers)).ljust(16, b"\0")

    def agent(self, above: bytes | None = None) -> bytes:
        """A SPEND key of the payer's, perhaps under another."""
        key = self.book.add_key(self.payer, Scope.SPEND)
        if above is not None:
            self.book.ok(self.payer.key, raw.delegate(key, above))
        return key

    def new_zone(self) -> bytes:
        name = b"Zone/%d" % next(self._numbers)
        return raw.zone(name, 1, self.book.now_ns, self.book.now_ns + SECOND_NS, 0)

    def outsider(self) -> bytes:
        """An account of the payer in a deferred unit that has not joined."""
        unit = self.book.deferred_unit(self.new_symbol())
        return self.book.account(self.payer, unit)

    def debt(self, money: int = 5) -> Debt:
        book = self.book
        unit = book.deferred_unit(self.new_symbol())
        debtor = book.member(self.payer, unit, 5, money)
        creditor = book.member(self.payee, unit, 5)
        book.ok(debtor.key, raw.transfer(debtor.account, creditor.account, 5))
        return Debt(book, unit, debtor, creditor)

    def closed_debt(self, *, can_pay: bool = True) -> Debt:
        """A debt whose window waits for settlement."""
        debt = self.debt(5 if can_pay else 0)
        self.book.ok(self.issuer.key, raw.window_close(debt.unit, 1))
        return debt

    def hold(self) -> bytes:
        return self.book.reserve(self.payer, self.payee, 10)

    def channel(self) -> bytes:
        return self.book.channel(self.payer, self.payee, 10, self.channel_key)

    def payment(self) -> int:
        record = raw.transfer(self.payer.account, self.payee.account, 10)
        return self.book.ok(self.payer.key, record).first_sequence

    def disputed(self) -> int:
        cited = self.payment()
        self.book.ok(self.payer.key, raw.dispute(cited, 5, self.book.now_ns + 60 * SECOND_NS))
        return cited

    def repriced(self) -> bytes:
        """A new price of what the payer paid for 2 of a meter: that of 1."""
        card, names = self.card(), self.names()

        def used(quantity: int) -> bytes:
            return raw.usage([(names.meter, quantity)])

        accounts = (self.payer.account, self.payee.account)
        record = raw.meter(*accounts, 2, raw.metered(card, names.model, used(2)))
        cited = self.book.ok(self.payer.key, record).first_sequence
        return raw.reprice(cited, 1, raw.repriced(card, names.model, used(1)))

    def claim(self) -> bytes:
        """Something that the payer owes the payee, from an account that no other row is about."""
        if self._shop is None:
            self._shop = Shop.of(self.book, self.payee, self.names())
        account = self.book.account(self.payer)
        self.book.issue(account, 1)
        return self._shop.claim(Person(self.payer.principal, self.payer.key, account), 10)

    def grant(self) -> bytes:
        """A live grant of the payer's to the payee."""
        row = None if self._grant is None else self.book.engine.grant(self._grant)
        if self._grant is None or row is None or not row.is_open:
            self._grant = self.book.grant(self.payer, self.payee, 1)
        return self._grant

    def payers_and_payees(self) -> list[bytes]:
        """The principals of payer and payee, ascending."""
        return sorted((self.payer.principal, self.payee.principal))

    def related_by_stranger(self) -> list[bytes]:
        """Payer and issuer, whom the stranger says to be related."""
        pair = sorted((self.payer.principal, self.issuer.principal))
        self.book.codes(self.stranger.key, raw_grants.relation(pair))
        return pair

    def names(self) -> Names:
        """Names that a line of a card asks for."""
        if self._price_names is None:
            model, meter = (
                self.book.ok(self.issuer.key, raw.name(self.new_text(), kind)).ids[0]
                for kind in (raw.MODEL_NAME, raw.METER_NAME)
            )
            self._price_names = Names(model, meter, meter, raw.ZERO_ID, raw.ZERO_ID)
        return self._price_names

    def line(self) -> bytes:
        """A line that a draft of the payee's does not have yet."""
        if not self._spare_lines:
            draft = draft_card(self.book, self.payee, self.names(), lines=_SPARE_LINES)
            self._spare_lines = draft.lines
        return self._spare_lines.pop()

    def mandate(self) -> bytes:
        """A mandate of the payer's for the payee."""
        until_ns = self.book.now_ns + 900 * SECOND_NS
        record = raw.mandate(self.payer.account, self.payee.principal, 10, 10, until_ns)
        return self.book.ok(self.payer.key, record).ids[0]

    def quote(self) -> tuple[bytes, bytes]:
        """The id of a quote of the payee's for the payer, and the quote itself."""
        if not self._quote:
            names = self.names()
            key = self.book.price_key(self.payee)
            lines = [raw_quotes.quote_line(names.model, names.meter, 1_000_000)]
            until_ns = self.book.now_ns + 900_000 * SECOND_NS
            whom, unit = self.payer.principal, self.book.usd
            body = raw_quotes.quote_body(key.public_key, whom, unit, 1_000, until_ns, lines)
            self._quote = (raw_quotes.quote_id(body), self.book.quote(key, body))
        return self._quote

    def exchange(self) -> bytes:
        """The payer pays the payee, who has signed that it gives as much of another unit."""
        if not self._exchange:
            book, payer, payee = self.book, self.payer, self.payee
            tokens = book.unit(self.new_symbol())
            giving, receiving = book.account(payee, tokens), book.account(payer, tokens)
            book.issue(giving, 1_000, tokens)
            key = book.signing_key(payee, raw.SPEND)
            accounts, until_ns = (giving, payee.account), book.now_ns + 900_000 * SECOND_NS
            body = raw_exchange.body(key.public_key, accounts, (1, 1), 1_000, until_ns)
            flat = raw.transfer(payer.account, payee.account, 1)
            quote = book.exchange_quote(key, body)
            self._exchange = raw_exchange.exchanged(flat, receiving, 1, quote)
        return self._exchange

    def card(self) -> bytes:
        """A published card of the payee's that is in force: a meter costs 1."""
        if not self._card:
            draft = self.filled_draft()
            self.book.ok(self.payee.key, raw.card_publish(draft.card))
            self.book.now_ns += 3 * 60 * SECOND_NS
            self._card = draft.card
        return self._card

    def filled_draft(self) -> Draft:
        """A card of the payee's that only has to be published."""
        draft = draft_card(self.book, self.payee, self.names())
        draft.fill(self.book, self.payee)
        return draft
