"""Exchanges: two halves or none, never more than the exact ratio, never more than the cap."""

from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.differential import raw, raw_exchange
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, MakeEngine
from tests.differential.engines import KernelEngine, SpecEngine

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, PublicKey, TimestampNs
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records import SignedExchange
from tallystick_ledger.results import Cause

MAX_U128 = (1 << 128) - 1
LIFE_NS = 60 * SECOND_NS
AMOUNTS = st.one_of(st.integers(1, 1_000), st.integers(1, MAX_U128))


@dataclass
class Desk:
    """Bob sells tokens for the USD of Alice."""

    book: Book
    key: SigningKey
    tokens: bytes
    stock: bytes
    wallet: bytes

    @classmethod
    def on(cls, book: Book, stock: int = START_AMOUNT) -> "Desk":
        tokens = book.unit(b"TOK")
        giving, wallet = book.account(book.bob, tokens), book.account(book.alice, tokens)
        if stock:
            book.issue(giving, stock, tokens)
        return cls(book, book.signing_key(book.bob, raw.SPEND), tokens, giving, wallet)

    def quote(
        self,
        ratio: tuple[int, int] = (3, 2),
        cap: int = START_AMOUNT,
        life_ns: int = LIFE_NS,
        taker: bytes = raw.ZERO_ID,
    ) -> bytes:
        accounts = self.stock, self.book.bob.account
        until_ns = self.book.now_ns + life_ns
        body = raw_exchange.body(
            self.key.public_key,
            accounts,
            ratio,
            cap,
            until_ns,
            taker=taker,
            nonce=self.book.new_id(),
        )
        return self.book.exchange_quote(self.key, body)

    def take(self, quote: bytes, amount: int, output: int) -> bytes:
        flat = raw.transfer(self.book.alice.account, self.book.bob.account, amount)
        return raw_exchange.exchanged(flat, self.wallet, output, quote)

    def given(self, quote: bytes) -> int | None:
        row = self.book.engine.exchange(raw_exchange.quote_id(quote[:-64]))
        return None if row is None else row.given

    def have(self) -> tuple[int, int, int, int]:
        """USD of Alice and Bob, tokens of Alice and Bob."""
        book = self.book
        accounts = (book.alice.account, book.bob.account, self.wallet, self.stock)
        usd, usd_of_bob, tokens, stock = (book.row(account).available for account in accounts)
        return usd, usd_of_bob, tokens, stock


@pytest.fixture
def desk(book: Book) -> Desk:
    return Desk.on(book)


def test_both_halves_move_and_the_second_is_an_effect(desk: Desk) -> None:
    quote = desk.quote()
    receipt = desk.book.ok(desk.book.alice.key, desk.take(quote, 11, 16))
    (paid,) = receipt.effects
    assert paid.cause is Cause.EXCHANGE
    assert (paid.debit_account, paid.credit_account) == (desk.stock, desk.wallet)
    assert (paid.amount, paid.card) == (16, raw_exchange.quote_id(quote[:-64]))
    assert desk.have() == (989, 1011, 16, 984)


def test_a_cap_holds_over_many_takes(desk: Desk) -> None:
    quote, book = desk.quote(cap=50), desk.book
    for taken in range(1, 17):
        assert book.codes(book.alice.key, desk.take(quote, 2, 3)) == [Code.OK]
        assert desk.given(quote) == 3 * taken
    assert book.codes(book.alice.key, desk.take(quote, 2, 3)) == [Code.QUOTE_EXCEEDED]
    assert book.codes(book.alice.key, desk.take(quote, 1, 1)) == [Code.OK]
    # Another nonce is another quote.
    assert book.codes(book.alice.key, desk.take(desk.quote(cap=50), 2, 3)) == [Code.OK]
    assert desk.given(quote) == 49


def test_what_is_sent_again_is_not_taken_again(desk: Desk) -> None:
    quote, book = desk.quote(), desk.book
    envelope = book.envelope(book.alice.key, desk.take(quote, 2, 3))
    first, second = (book.apply(envelope)[0] for _ in range(2))
    assert (first.codes, second.codes) == ([Code.OK], [Code.DUPLICATE])
    assert second.effects == []
    assert desk.given(quote) == 3
    assert desk.have() == (998, 1002, 3, 997)


def test_an_atomic_envelope_takes_both_halves_back(desk: Desk) -> None:
    quote, book = desk.quote(cap=4), desk.book
    digest = desk.have()
    records = desk.take(quote, 2, 3), desk.take(quote, 2, 3)
    receipt = book.send(book.alice.key, *records, atomic=True)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.QUOTE_EXCEEDED]
    assert (desk.have(), desk.given(quote), receipt.effects) == (digest, None, [])
    assert book.codes(book.alice.key, *records) == [Code.OK, Code.QUOTE_EXCEEDED]


def test_the_key_that_signed_it_ends_it(desk: Desk) -> None:
    quote, book = desk.quote(), desk.book
    book.ok(book.alice.key, desk.take(quote, 2, 3))
    book.revoke_key(book.bob, desk.key.public_key)
    assert book.codes(book.alice.key, desk.take(quote, 2, 3)) == [Code.BAD_QUOTE]
    assert desk.given(quote) == 3


def test_it_is_forgotten_after_its_end_and_cannot_come_again(desk: Desk) -> None:
    quote, book = desk.quote(life_ns=5 * SECOND_NS), desk.book
    book.ok(book.alice.key, desk.take(quote, 2, 3))
    book.now_ns += 5 * SECOND_NS
    assert book.codes(book.alice.key, desk.take(quote, 2, 3)) == [Code.QUOTE_EXPIRED]
    assert desk.given(quote) is None
    assert book.codes(book.alice.key, desk.take(quote, 2, 3)) == [Code.QUOTE_EXPIRED]


def test_the_last_nanosecond_is_good(desk: Desk) -> None:
    quote, book = desk.quote(), desk.book
    records = desk.take(quote, 2, 3), desk.take(quote, 2, 3)
    ends_ns = int.from_bytes(quote[128:136], "little")
    receipt = book.send(book.alice.key, *records, at_ns=ends_ns)
    assert receipt.codes == [Code.OK, Code.QUOTE_EXPIRED]


def test_limits_of_the_maker_count_what_it_gives(desk: Desk) -> None:
    quote, book = desk.quote(), desk.book
    bound = raw.limit(raw.OF_KEY, raw.TOTAL, desk.key.public_key, desk.tokens, 5)
    book.ok(book.bob.key, bound)
    receipt = book.send(book.alice.key, desk.take(quote, 2, 3), desk.take(quote, 2, 3))
    assert receipt.codes == [Code.OK, Code.MAKER_CANNOT_PAY]
    assert [result.detail for result in receipt.results] == [0] * 8
    assert book.codes(book.alice.key, desk.take(quote, 1, 1)) == [Code.OK]


def test_limits_of_the_taker_count_what_it_pays(desk: Desk) -> None:
    quote, book = desk.quote(), desk.book
    subject = book.alice.account + bytes(16)
    book.ok(book.alice.key, raw.limit(raw.OF_ACCOUNT, raw.TOTAL, subject, book.usd, 3))
    codes = book.codes(book.alice.key, desk.take(quote, 2, 3), desk.take(quote, 2, 3))
    assert codes == [Code.OK, Code.LIMIT_EXCEEDED]


def test_neither_half_is_given_back(desk: Desk) -> None:
    quote, book = desk.quote(), desk.book
    cited = book.ok(book.alice.key, desk.take(quote, 2, 3)).first_sequence
    assert book.codes(book.bob.key, raw.refund(cited, 1)) == [Code.CITED_NOT_FOUND]
    until_ns = book.now_ns + LIFE_NS
    assert book.codes(book.alice.key, raw.dispute(cited, 1, until_ns)) == [Code.CITED_NOT_FOUND]


def test_a_maker_who_has_none_does_not_pay(engine: MakeEngine) -> None:
    desk = Desk.on(Book(engine), stock=2)
    quote, book = desk.quote(), desk.book
    assert book.codes(book.alice.key, desk.take(quote, 2, 3)) == [Code.MAKER_CANNOT_PAY]
    assert book.codes(book.alice.key, desk.take(quote, 1, 1)) == [Code.OK]
    assert desk.have() == (999, 1001, 1, 1)


@given(amount=AMOUNTS, give=AMOUNTS, take=AMOUNTS)
def test_an_output_is_never_more_than_the_exact_ratio(amount: int, give: int, take: int) -> None:
    quote = SignedExchange(
        PublicKey(bytes(32)),
        AccountId(bytes(16)),
        AccountId(bytes(16)),
        raw.ZERO_ID,  # type: ignore[arg-type]
        give,
        take,
        1,
        TimestampNs(0),
        bytes(16),
        bytes(64),  # type: ignore[arg-type]
    )
    exact = Fraction(amount * give, take)
    assert 0 <= exact - quote.output_of(amount) < 1


@given(amount=st.integers(1, START_AMOUNT), give=AMOUNTS, take=AMOUNTS, off=st.integers(-1, 1))
def test_both_implementations_take_the_same_output_and_no_other(
    amount: int, give: int, take: int, off: int
) -> None:
    exact = amount * give // take
    output = exact + off
    if not 0 <= output <= MAX_U128:
        return
    codes = set()
    for make in (SpecEngine, KernelEngine):
        desk = Desk.on(Book(make), stock=0)
        quote = desk.quote((give, take), cap=MAX_U128)
        codes.add(desk.book.codes(desk.book.alice.key, desk.take(quote, amount, output))[0])
    # Nobody has any tokens: what is right gets as far as that.
    right = Code.MAKER_CANNOT_PAY if off == 0 else Code.PRICE_MISMATCH
    assert codes == {Code.ZERO_AMOUNT if output == 0 else right}
