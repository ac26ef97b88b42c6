"""Cases of REPRICE: Alice paid Bob 100 by METER; by a card that costs 1 a meter it is 60."""

from typing import Final

from tests.differential import raw
from tests.differential.cases import SIGNER, Case, KindCases, planned, shape
from tests.differential.cases_corrections import (
    ACCOUNTS,
    BY_PAYER,
    CAP,
    CITED_ZERO,
    FUNDS,
    LATE,
    PAID,
    by_others,
    cited_number,
    existence,
    other_payments,
    spoil_accounts,
)
from tests.differential.cases_prices import (
    MINUTE_NS,
    NO_CONTS,
    Names,
    offered_card,
    published_card,
)

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import CORRECTION_WINDOW_NS

_WORTH: Final = 60


def _payment(case: Case, names: Names) -> tuple[int, bytes, bytes]:
    """Alice pays Bob by a card of his: sequence number, and both accounts."""
    book = case.book
    card = published_card(book, book.bob, names)
    book.now_ns += 2 * MINUTE_NS
    payer, payee = book.account(book.alice), book.account(book.bob)
    book.issue(payer, PAID)
    used = raw.usage([(names.meter, PAID)])
    record = raw.meter(payer, payee, PAID, raw.metered(card, names.model, used))
    if case.get("not_priced"):
        record = raw.transfer(payer, payee, PAID)
    return book.ok(book.alice.key, record).first_sequence, payer, payee


def _reprice(case: Case, _: bytes) -> bytes:
    book = case.book
    names, card = offered_card(case)
    sequence, payer, payee = _payment(case, names)
    if case.get("refunded"):
        book.ok(book.bob.key, raw.refund(sequence, PAID - _WORTH))
    if case.get("cap"):
        for other in other_payments(case):
            book.ok(book.bob.key, raw.refund(other, 1))
    spoil_accounts(case, payer, payee)
    by_others(case)
    if case.get("late"):
        case.wait_ns = CORRECTION_WINDOW_NS + MINUTE_NS
    amount = case.get("amount", _WORTH)
    meter = names.other if case.get("other_meter") else names.meter
    used = [(meter, amount - case.get("dearer"))]
    if case.get("descending"):
        used = [(b"z" * 16, 1), (b"a" * 16, 1)]
    content = raw.repriced(card, names.model, raw.usage(used))
    if case.get("count"):
        content = raw.patched(content, 64, raw.u16(case.get("count")))
    if case.get("reserved_usage"):
        content = raw.patched(content, 66, b"\x01")
    record = raw.reprice(cited_number(case, sequence), amount, content)
    return raw.with_conts(record[:128], []) if case.get("no_conts") else record


REPRICE: Final = KindCases(
    "REPRICE",
    lambda book: Case(book, _reprice, book.bob, denied_scope=raw.SPEND),
    (
        *shape(0, takes_conts=True),
        NO_CONTS,
        *shape(16)[3:],
        planned("too many meters", Code.BAD_FIELD, "conts", count=33),
        planned("another count", Code.CONT_NOT_ALLOWED, "conts", count=5),
        planned("usage reserved", Code.RESERVED_NONZERO, "conts reserved", reserved_usage=1),
        planned("descending meters", Code.BAD_FIELD, "conts meters", descending=1),
        CITED_ZERO,
        *SIGNER,
        *existence(BY_PAYER),
        planned("card missing", Code.CARD_NOT_FOUND, "card", missing_card=1),
        planned("card is a draft", Code.CARD_NOT_FOUND, "card", is_draft=1),
        LATE,
        planned("not priced", Code.CITED_NOT_PRICED, "cited", not_priced=1),
        *ACCOUNTS,
        planned("not the provider", Code.NOT_PROVIDER, "foreign_card", foreign_card=1),
        planned("card's unit", Code.UNIT_MISMATCH, "card_unit", card_unit=1),
        planned("unpriced", Code.UNPRICED, "meters conts", other_meter=1),
        planned("dearer", Code.PRICE_MISMATCH, "price conts meters", dearer=1),
        planned("no lower", Code.PRICE_NOT_LOWER, "amount", amount=PAID),
        planned("given back before", Code.PRICE_NOT_LOWER, "refunded funds cap payer", refunded=1),
        CAP,
        *FUNDS,
    ),
)

REPRICE_KINDS: Final = (REPRICE,)
