"""Cases of RESERVE, METER and EXTEND under a quote of Bob's for Alice, at 1 a meter."""

from dataclasses import dataclass
from typing import Final

from tests.differential import raw, raw_quotes
from tests.differential.book import SECOND_NS
from tests.differential.cases import (
    FUNDS,
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
    movable,
    movable_state,
    planned,
    shape,
)
from tests.differential.cases_money import ZERO_AMOUNT
from tests.differential.cases_prices import (
    NO_CONTS,
    Names,
    names_of,
    parties,
    reserve_head,
)

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import MAX_QUOTE_NS, MAX_QUOTES

_CAP: Final = 100_000
_LIFE_NS: Final = 900 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Offered:
    """A quote, and what it is about."""

    names: Names
    quote: bytes
    content: bytes


def _offered(case: Case) -> Offered:
    book = case.book
    names = names_of(book)
    provider = book.alice if case.get("foreign_quote") else book.bob
    key = book.price_key(provider)
    signer = book.price_key(provider) if case.get("forged") else key
    unit = book.unit(b"GBP") if case.get("quote_unit") else book.usd
    payer = book.bank if case.debit.issuance else book.alice
    if case.debit.foreign:
        payer = book.bob
    beneficiary = STRANGE_ID if case.get("for_others") else payer.principal
    lines = sorted(
        raw_quotes.quote_line(names.model, meter, 1_000_000) for meter in (names.meter, names.tier)
    )
    if case.get("lines_descending"):
        lines.reverse()
    if case.get("free_line"):
        lines[0] = lines[0][:64] + raw.u128(0)
    unit = STRANGE_ID if case.get("missing_unit") else unit
    not_after_ns = book.now_ns + (SECOND_NS if case.get("is_over") else _LIFE_NS)
    if case.get("too_late"):
        not_after_ns += MAX_QUOTE_NS
    cap = case.get("cap", _CAP)
    body = raw_quotes.quote_body(key.public_key, beneficiary, unit, cap, not_after_ns, lines)
    if case.get("key_revoked"):
        book.revoke_key(provider, key.public_key)
    content = book.quote(signer, body)
    if case.get("count"):
        content = raw.patched(content, 0, raw.u16(case.get("count")))
    if case.get("reserved_quote"):
        content = raw.patched(content, 2, b"\x01")
    if case.get("is_over"):
        book.now_ns += 2 * SECOND_NS
    return Offered(names, raw_quotes.quote_id(body), content)


def _named(case: Case, offered: Offered) -> bytes:
    if case.get("other_quote"):
        return STRANGE_ID
    return raw.ZERO_ID if case.get("no_quote") else offered.quote


def _many_quotes(case: Case, offered: Offered) -> None:
    """As many redeemed quotes as are remembered."""
    book = case.book
    book.issue(book.alice.account, MAX_QUOTES)
    key = book.price_key(book.bob)
    lines = [raw_quotes.quote_line(offered.names.model, offered.names.meter, 1_000_000)]
    accounts = (book.alice.account, book.bob.account)
    for number in range(MAX_QUOTES):
        body = raw_quotes.quote_body(
            key.public_key,
            book.alice.principal,
            book.usd,
            1,
            book.now_ns + _LIFE_NS,
            lines,
            number.to_bytes(16, "big"),
        )
        used = raw.usage([(offered.names.meter, 1)])
        content = raw.metered(raw_quotes.quote_id(body), offered.names.model, used)
        flat = raw.meter(*accounts, 1, content)
        book.ok(book.alice.key, raw_quotes.meter_quoted(flat, content, book.quote(key, body)))


def _reserve(case: Case, _: bytes) -> bytes:
    offered = _offered(case)
    if case.get("quote_cap"):
        _many_quotes(case, offered)
    if case.is_expired:  # its time runs from now
        case.key = case._signing_key()
    debit, payee, reference, flags = parties(case)
    flat = reserve_head(case, debit, payee, reference, flags)
    terms = raw.terms(
        _named(case, offered),
        offered.names.other if case.get("no_model") else offered.names.model,
        [b"z" * 16, b"a" * 16] if case.get("descending") else [offered.names.tier],
        (),
        b"u" * 16,
        case.get("overrun", raw.CAP),
        case.get("debt_limit"),
    )
    along = b"" if case.get("not_along") else offered.content
    record = raw_quotes.quoted(flat, terms, along)
    if case.get("reserved_terms"):
        payloads = [record[128 * at + 8 : 128 * at + 112] for at in range(1, len(record) // 128)]
        payloads[0] = b"\x01" + payloads[0][1:]
        record = raw.with_conts(record[:128], payloads)
    return raw.with_conts(record[:128], []) if case.get("no_conts") else record


_QUOTE: Final = "conts quote"
_QUOTE_SHAPE: Final = (
    planned("too many lines", Code.BAD_FIELD, _QUOTE, count=17),
    planned("no lines", Code.BAD_FIELD, _QUOTE, count=1 << 15),
    planned("another count", Code.CONT_NOT_ALLOWED, _QUOTE, count=5),
    planned("quote reserved", Code.RESERVED_NONZERO, f"{_QUOTE} reserved", reserved_quote=1),
    planned("lines descending", Code.BAD_FIELD, _QUOTE, lines_descending=1),
    planned("a free line", Code.ZERO_AMOUNT, f"{_QUOTE} unpriced", free_line=1),
    planned("no cap", Code.ZERO_AMOUNT, f"{_QUOTE} amount covers", cap=0),
    planned("another quote", Code.BAD_FIELD, f"{_QUOTE} named", other_quote=1),
)
_MISSING: Final = (
    planned("not along", Code.QUOTE_NOT_FOUND, f"{_QUOTE} quote_cap", not_along=1),
    planned("for others", Code.QUOTE_NOT_FOUND, f"{_QUOTE} quote_cap", for_others=1),
    planned("quote's unit missing", Code.UNIT_NOT_FOUND, f"{_QUOTE} quote_unit", missing_unit=1),
    planned("forged", Code.BAD_QUOTE, _QUOTE, forged=1),
    planned("key revoked", Code.BAD_QUOTE, _QUOTE, key_revoked=1),
)
_IN_FORCE: Final = (
    planned("not the provider", Code.NOT_PROVIDER, f"{_QUOTE} credit.foreign", foreign_quote=1),
    planned("quote's unit", Code.UNIT_MISMATCH, f"{_QUOTE} quote_unit", quote_unit=1),
    planned("over", Code.QUOTE_EXPIRED, f"{_QUOTE} over", is_over=1),
    planned("too late an end", Code.EXPIRY_INVALID, f"{_QUOTE} over", too_late=1),
)
RESERVE_QUOTED: Final = KindCases(
    "RESERVE quoted",
    lambda book: Case(book, _reserve, book.alice),
    (
        *shape(0, takes_conts=True),
        NO_CONTS,
        planned("terms reserved", Code.RESERVED_NONZERO, f"{_QUOTE} reserved", reserved_terms=1),
        planned("overrun", Code.BAD_FIELD, "conts overrun", overrun=4),
        planned("descending tiers", Code.BAD_FIELD, "conts tiers", descending=1),
        planned("no quote", Code.BAD_FIELD, f"{_QUOTE} named", no_quote=1),
        *_QUOTE_SHAPE,
        UNIQUE_ZERO,
        ZERO_AMOUNT,
        SELF,
        *SIGNER,
        REFERENCE_USED,
        *movable("debit", Code.DEBIT_NOT_FOUND),
        *movable("credit", Code.CREDIT_NOT_FOUND),
        *_MISSING,
        *movable_state("debit"),
        *movable_state("credit"),
        UNIT_MISMATCH,
        planned("too soon", Code.EXPIRY_INVALID, "expiry", lifetime_ns=SECOND_NS - 1),
        *_IN_FORCE,
        planned("no model", Code.UNPRICED, "model conts", no_model=1),
        planned("exceeds", Code.QUOTE_EXCEEDED, f"{_QUOTE} amount", cap=4),
        planned(
            "exceeds on debt",
            Code.QUOTE_EXCEEDED,
            f"{_QUOTE} amount overrun",
            cap=8,
            overrun=raw.DEBT,
            debt_limit=4,
        ),
        planned("hold cap", Code.CAP_EXCEEDED, "hold_cap quote_cap", hold_cap=1),
        REFERENCE_CAP,
        planned("quotes", Code.CAP_EXCEEDED, "quote_cap amount debit.pinned", quote_cap=1),
        *FUNDS,
    ),
)


def _meter(case: Case, _: bytes) -> bytes:
    offered = _offered(case)
    if case.get("quote_cap"):
        _many_quotes(case, offered)
    if case.is_expired:  # its time runs from now
        case.key = case._signing_key()
    debit, credit, reference, flags = parties(case)
    amount = case.get("amount", 5)
    meter = offered.names.other if case.get("other_meter") else offered.names.meter
    used = raw.usage([(meter, max(1, amount - case.get("dearer")))])
    content = raw.metered(_named(case, offered), offered.names.model, used)
    source = case.get("source", 1)
    flat = raw.meter(debit, credit, amount, content, reference, flags=flags, source=source)
    along = b"" if case.get("not_along") else offered.content
    record = raw_quotes.meter_quoted(flat, content, along)
    if case.get("by_nothing"):
        record = raw.patched(record, 7, b"\x02")
    return raw.with_conts(record[:128], []) if case.get("no_conts") else record


METER_QUOTED: Final = KindCases(
    "METER quoted",
    lambda book: Case(book, _meter, book.alice),
    (
        *shape(0, takes_conts=True),
        NO_CONTS,
        *_QUOTE_SHAPE,
        planned("source", Code.BAD_FIELD, "source", source=4),
        UNIQUE_ZERO,
        ZERO_AMOUNT,
        SELF,
        *SIGNER,
        REFERENCE_USED,
        *movable("debit", Code.DEBIT_NOT_FOUND),
        *movable("credit", Code.CREDIT_NOT_FOUND),
        *_MISSING,
        *movable_state("debit"),
        *movable_state("credit"),
        UNIT_MISMATCH,
        *_IN_FORCE,
        planned("unpriced", Code.UNPRICED, "meters conts", other_meter=1),
        planned("dearer", Code.PRICE_MISMATCH, "price conts amount", dearer=1),
        planned("exceeds", Code.QUOTE_EXCEEDED, f"{_QUOTE} amount", cap=4),
        REFERENCE_CAP,
        planned("quotes", Code.CAP_EXCEEDED, "quote_cap amount debit.pinned", quote_cap=1),
        *FUNDS,
        OVERFLOW,
    ),
)


def _extend(case: Case, _: bytes) -> bytes:
    """EXTEND of a quoted hold; 10 of the quote are agreed."""
    book = case.book
    case.plan.setdefault("cap", 20)
    offered = _offered(case)
    flat = raw.reserve(book.alice.account, book.bob.account, 10, book.now_ns + _LIFE_NS // 2)
    terms = raw.terms(offered.quote, offered.names.model)
    hold = book.ok(book.alice.key, raw_quotes.quoted(flat, terms, offered.content)).ids[0]
    if case.is_expired:  # its time runs from now
        case.key = case._signing_key()
    return raw.extend(hold, case.get("amount", 10))


EXTEND_QUOTED: Final = KindCases(
    "EXTEND quoted",
    lambda book: Case(book, _extend, book.alice),
    (
        *SIGNER,
        planned("exceeds", Code.QUOTE_EXCEEDED, "amount", amount=11),
        planned("never had it", Code.QUOTE_EXCEEDED, "amount", amount=100_000),
    ),
)

QUOTE_KINDS: Final = (RESERVE_QUOTED, METER_QUOTED, EXTEND_QUOTED)
