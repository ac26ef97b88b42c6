"""Cases of TRANSFER with an exchange quote: Alice pays USD, Bob, who made it, pays TOK."""

from typing import Final

from tests.differential import raw, raw_exchange
from tests.differential.book import SECOND_NS, START_AMOUNT, Person
from tests.differential.cases import (
    FUNDS,
    HALF,
    OVERFLOW,
    REFERENCE_CAP,
    REFERENCE_USED,
    SELF,
    SIGNER,
    STRANGE_ID,
    UNIQUE_ZERO,
    UNIT_MISMATCH,
    Case,
    KindCases,
    Violation,
    movable,
    movable_state,
    planned,
    shape,
    violation,
)
from tests.differential.cases_limits import LIMITS, bound
from tests.differential.cases_money import ZERO_AMOUNT

from tallystick_ledger.codes import Code
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import MAX_EXCHANGE_NS, MAX_EXCHANGES

_LIFE_NS: Final = 900 * SECOND_NS
_RATIO: Final = (3, 2)
_STOCK: Final = 10_000
_PARTS: Final = ("missing", "foreign", "closed", "frozen", "issuance", "unit", "full")


def _account(case: Case, side: str, owner: Person, unit: bytes, amount: int) -> bytes:
    """An account of the half that the maker pays, in the state that the plan asks for."""
    book = case.book
    if case.get(f"{side}.missing"):
        return STRANGE_ID
    if case.get(f"{side}.issuance"):
        return unit
    owner = book.register() if case.get(f"{side}.foreign") else owner
    unit = book.unit(b"CHF") if case.get(f"{side}.unit") else unit
    account = book.account(owner, unit)
    if case.get(f"{side}.full"):
        other = book.account(owner, unit)
        book.issue(account, HALF, unit)
        book.ok(owner.key, raw.transfer(account, other, HALF))
        book.ok(owner.key, raw.transfer(other, account, HALF))
    if amount and not case.get(f"{side}.closed"):
        book.issue(account, amount, unit)
    for state, operation in (("frozen", raw.FREEZE), ("closed", raw.CLOSE)):
        if case.get(f"{side}.{state}"):
            book.ok(owner.key, raw.account(operation, account_id=account))
    return account


def _maker_key(case: Case, maker: Person) -> SigningKey:
    """The key that signs the quote, good or not."""
    book = case.book
    scope = raw.METER_SCOPE if case.get("key_scope") else raw.SPEND
    until_ns = book.now_ns + SECOND_NS if case.get("key_over") else 0
    key = book.signing_key(maker, scope, until_ns)
    if case.get("key_missing"):
        return SigningKey(book.fresh_key())
    if case.get("key_revoked"):
        book.revoke_key(maker, key.public_key)
    if case.get("above_revoked"):
        above = book.add_key(maker, raw.SPEND)
        book.ok(maker.key, raw.delegate(key.public_key, above))
        book.revoke_key(maker, above)
    return key


def _bound_maker(case: Case, maker: Person, key: SigningKey, unit: bytes) -> None:
    if case.get("maker_limit"):
        subject = key.public_key
        book = case.book
        book.ok(maker.key, raw.limit(raw.OF_KEY, raw.TOTAL, subject, unit, 1))


def _many_quotes(case: Case, maker: Person, giving: bytes) -> None:
    """As many quotes that were taken as are remembered; each takes 1 and gives 1."""
    book = case.book
    unit = book.row(giving).unit
    carol = book.customer(MAX_EXCHANGES)
    receiving, taking = book.account(carol, unit), book.account(maker)
    key = book.signing_key(maker, raw.SPEND)
    records = []
    for number in range(MAX_EXCHANGES):
        nonce = number.to_bytes(16, "big")
        body = raw_exchange.body(
            key.public_key, (giving, taking), (1, 1), 1, book.now_ns + _LIFE_NS, nonce=nonce
        )
        flat = raw.transfer(carol.account, taking, 1)
        quote = book.exchange_quote(key, body)
        records.append(raw_exchange.exchanged(flat, receiving, 1, quote))
    book.ok(carol.key, *records)


def _quote(
    case: Case, key: SigningKey, accounts: tuple[bytes, bytes], ratio: tuple[int, int]
) -> bytes:
    book = case.book
    giving, taking = accounts
    not_after_ns = book.now_ns + (SECOND_NS if case.get("is_over") else _LIFE_NS)
    if case.get("too_late"):
        not_after_ns += MAX_EXCHANGE_NS
    body = raw_exchange.body(
        key.public_key,
        (giving, STRANGE_ID if case.get("other_credit") else taking),
        ratio,
        case.get("cap", _STOCK),
        not_after_ns,
        taker=STRANGE_ID if case.get("for_others") else case.signer.principal,
    )
    quote = book.exchange_quote(key, body)
    return raw.patched(quote, len(body), bytes(64)) if case.get("forged") else quote


def _exchange(case: Case, _: bytes) -> bytes:
    book, taker = case.book, case.signer
    maker = book.bank if case.get("by_bank") or case.credit.issuance else book.bob
    maker = taker if case.get("own_quote") else maker
    debit = case.debit.make(book, taker, START_AMOUNT)
    credit = case.credit.make(book, maker, 0)
    if case.get("self_transfer"):
        credit = debit
    if case.get("credit_foreign"):
        credit = book.account(book.register())
    tokens = book.deferred_unit(b"TOK") if case.get("deferred") else book.unit(b"TOK")
    if case.get("one_unit"):
        tokens = book.usd
    stock = 0 if case.get("deferred") or case.get("poor_maker") else _STOCK
    giving = _account(case, "giving", maker, tokens, stock)
    receiving = _account(case, "receiving", taker, tokens, 0)
    if case.get("quote_cap"):
        _many_quotes(case, maker, giving)
    key = _maker_key(case, maker)
    _bound_maker(case, maker, key, tokens)

    def use(reference: int) -> bytes:
        return raw.transfer(book.alice.account, book.bob.account, 1, reference, flags=raw.UNIQUE)

    reference, flags = case.prepare_references(use)
    bound(case)
    give, take = (case.get("give", _RATIO[0]), case.get("take", _RATIO[1]))
    quote = _quote(case, key, (giving, credit), (give, take))
    if case.get("is_over") or case.get("key_over"):
        book.now_ns += 2 * SECOND_NS
    if case.is_expired:  # its time runs from now
        case.key = case._signing_key()
    amount = case.get("amount", 5)
    output = max(1, amount * give // max(1, take)) + case.get("dearer")
    output = 0 if case.get("no_output") else output
    flat = raw.transfer(debit, credit, amount, reference, flags=flags)
    return _padded(case, raw_exchange.exchanged(flat, receiving, output, quote))


def _padded(case: Case, record: bytes) -> bytes:
    if not case.get("reserved_content"):
        return record
    payloads = [record[128 * at + 8 : 128 * at + 112] for at in range(1, len(record) // 128)]
    return raw.with_conts(record[:128], [*payloads[:-1], payloads[-1][:-1] + b"\x01"])


def _make_taker_issuer(case: Case) -> None:
    case.signer = case.book.bank
    case.plan["receiving.issuance"] = 1


_GIVING: Final = " ".join(f"giving.{part}" for part in _PARTS)
_RECEIVING: Final = " ".join(f"receiving.{part}" for part in _PARTS)
_CREDIT: Final = " ".join(f"credit.{part}" for part in (*_PARTS, "pinned"))
_BANK_SIGNS: Final = "issuance revoked expired scope reference reference_cap limit debit.issuance"
# Takes its time, so it is tried with those around it alone.
_QUOTE_CAP: Final = planned(
    "quotes",
    Code.CAP_EXCEEDED,
    f"{_GIVING} {_RECEIVING} {_CREDIT} {_BANK_SIGNS} debit.missing debit.closed debit.frozen "
    "amount kind flags conts reserved padding ratio cap output taking taker key own unit funds "
    "quote_cap",
    quote_cap=1,
)


def _state(side: str) -> tuple[Violation, ...]:
    """State of an account of the half that the maker pays."""
    issuance = planned(
        f"{side} issuance",
        Code.ISSUANCE_ACCOUNT,
        f"{_GIVING} own unit debit.issuance credit.issuance",
        **{f"{side}.issuance": 1, "by_bank": 1},
    )
    if side == "receiving":
        issuance = violation(
            f"{side} issuance",
            Code.ISSUANCE_ACCOUNT,
            f"{_RECEIVING} {_BANK_SIGNS} own unit",
            _make_taker_issuer,
        )
    return (
        planned(f"{side} closed", Code.ACCOUNT_CLOSED, f"{side}.closed", **{f"{side}.closed": 1}),
        planned(f"{side} frozen", Code.ACCOUNT_FROZEN, f"{side}.frozen", **{f"{side}.frozen": 1}),
        issuance,
    )


_UNITS: Final = (
    UNIT_MISMATCH,
    planned("given unit", Code.UNIT_MISMATCH, "unit giving.unit", **{"giving.unit": 1}),
    planned(
        "one unit",
        Code.UNIT_MISMATCH,
        "unit credit.unit credit.full giving.full receiving.full quote_cap",
        one_unit=1,
    ),
    planned("deferred", Code.UNIT_DEFERRED, f"{_GIVING} receiving.full unit quote_cap", deferred=1),
)

EXCHANGE: Final = KindCases(
    "TRANSFER exchange",
    lambda book: Case(book, _exchange, book.alice),
    (
        *shape(0, takes_conts=True),
        violation("conts", Code.CONT_NOT_ALLOWED, "conts", lambda case: setattr(case, "conts", 2)),
        violation(
            "reserved",
            Code.RESERVED_NONZERO,
            "reserved",
            lambda case: case.patches.append((72, b"\x01")),
        ),
        planned("padding", Code.RESERVED_NONZERO, "padding", reserved_content=1),
        planned("gives nothing", Code.ZERO_AMOUNT, "ratio", give=0),
        planned("takes nothing", Code.ZERO_AMOUNT, "ratio", take=0),
        planned("no cap", Code.ZERO_AMOUNT, "cap", cap=0),
        planned("no output", Code.ZERO_AMOUNT, "output", no_output=1),
        UNIQUE_ZERO,
        ZERO_AMOUNT,
        SELF,
        planned("paid elsewhere", Code.BAD_FIELD, "taking", other_credit=1),
        *SIGNER,
        REFERENCE_USED,
        *movable("debit", Code.DEBIT_NOT_FOUND),
        *movable("credit", Code.CREDIT_NOT_FOUND),
        planned(
            "receiving missing", Code.ACCOUNT_NOT_FOUND, _RECEIVING, **{"receiving.missing": 1}
        ),
        planned(
            "receiving foreign", Code.ACCOUNT_NOT_FOUND, _RECEIVING, **{"receiving.foreign": 1}
        ),
        planned("for others", Code.QUOTE_NOT_FOUND, "taker", for_others=1),
        planned("key missing", Code.BAD_QUOTE, "key", key_missing=1),
        planned("key revoked", Code.BAD_QUOTE, "key", key_revoked=1),
        planned("key over", Code.BAD_QUOTE, "key", key_over=1),
        planned("key scope", Code.BAD_QUOTE, "key", key_scope=1),
        planned("key above revoked", Code.BAD_QUOTE, "key", above_revoked=1),
        planned("forged", Code.BAD_QUOTE, "key", forged=1),
        planned("giving missing", Code.BAD_QUOTE, _GIVING, **{"giving.missing": 1}),
        planned("giving foreign", Code.BAD_QUOTE, _GIVING, **{"giving.foreign": 1}),
        planned("paid to others", Code.BAD_QUOTE, _CREDIT, credit_foreign=1),
        planned("own quote", Code.SELF_TRANSFER, "own issuance", own_quote=1),
        *movable_state("debit"),
        *movable_state("credit"),
        *_state("giving"),
        *_state("receiving"),
        *_UNITS,
        planned("over", Code.QUOTE_EXPIRED, "over", is_over=1),
        planned("too late an end", Code.EXPIRY_INVALID, "over", too_late=1),
        planned("dearer", Code.PRICE_MISMATCH, "output", dearer=1),
        planned("exceeds", Code.QUOTE_EXCEEDED, "cap", cap=6),
        REFERENCE_CAP,
        _QUOTE_CAP,
        *LIMITS,
        planned("maker's limit", Code.MAKER_CANNOT_PAY, "key maker_limit", maker_limit=1),
        *FUNDS,
        planned("poor maker", Code.MAKER_CANNOT_PAY, "funds giving.closed", poor_maker=1),
        OVERFLOW,
        planned(
            "receiving full",
            Code.AMOUNT_OVERFLOW,
            "receiving.full receiving.closed",
            **{"receiving.full": 1},
        ),
    ),
)
