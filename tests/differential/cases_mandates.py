"""Cases of MANDATE and MANDATE_END, and of a METER that the payee signs under a mandate."""

from typing import Final

from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT
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
    set_field,
    shape,
)
from tests.differential.cases_corrections import by_others
from tests.differential.cases_meters import METER
from tests.differential.cases_money import ZERO_AMOUNT
from tests.differential.cases_prices import (
    EXPIRED_NS,
    NO_CONTS,
    names_of,
    offered_card,
    published_card,
)

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import MAX_MANDATE_NS, MAX_MANDATES, MIN_MANDATE_NS

_LIFETIME_NS: Final = 500 * SECOND_NS
_TOO_SOON, _TOO_FAR = 1, 2


def _mandate(case: Case, _: bytes) -> bytes:
    book = case.book
    _names, card = offered_card(case)
    account = case.debit.make(book, case.signer, START_AMOUNT)
    if case.get("cap"):
        until_ns = book.now_ns + _LIFETIME_NS
        given = raw.mandate(book.alice.account, book.bob.principal, 9, 9, until_ns)
        for start in range(0, MAX_MANDATES, 128):
            book.ok(book.alice.key, *[given] * min(128, MAX_MANDATES - start))
    now_ns = book.now_ns + (EXPIRED_NS if case.is_expired else 0)
    expires_at_ns = now_ns + _LIFETIME_NS
    if case.get("expiry") == _TOO_SOON:
        expires_at_ns = now_ns + MIN_MANDATE_NS - 1
    elif case.get("expiry") == _TOO_FAR:
        expires_at_ns = now_ns + MAX_MANDATE_NS + 1
    payee = STRANGE_ID if case.get("missing_payee") else book.bob.principal
    if case.get("nobody"):
        payee = raw.ZERO_ID
    if case.get("no_card"):
        card = raw.ZERO_ID
    if case.get("reserved_card"):
        card += b"\x01"
    total = case.get("total", 100)
    return raw.mandate(account, payee, total, case.get("each", 40), expires_at_ns, card)


_CARD: Final = (
    planned("card missing", Code.CARD_NOT_FOUND, "card conts", missing_card=1),
    planned("card is a draft", Code.CARD_NOT_FOUND, "card superseded conts", is_draft=1),
)
MANDATE: Final = KindCases(
    "MANDATE",
    lambda book: Case(book, _mandate, book.alice),
    (
        *shape(6),
        planned("card reserved", Code.RESERVED_NONZERO, "conts card", reserved_card=1),
        planned("no card", Code.BAD_FIELD, "conts card foreign_card", no_card=1),
        planned("nobody", Code.BAD_FIELD, "payee", nobody=1),
        planned("no total", Code.ZERO_AMOUNT, "amount", total=0),
        planned("no part", Code.ZERO_AMOUNT, "amount", each=0),
        planned("parts above the total", Code.BAD_FIELD, "amount", each=101),
        *SIGNER,
        *movable("debit", Code.DEBIT_NOT_FOUND),
        planned("payee missing", Code.PRINCIPAL_NOT_FOUND, "payee", missing_payee=1),
        *_CARD,
        *movable_state("debit"),
        planned("not the provider", Code.NOT_PROVIDER, "foreign_card conts", foreign_card=1),
        planned("card's unit", Code.UNIT_MISMATCH, "card_unit superseded conts", card_unit=1),
        planned("too soon", Code.EXPIRY_INVALID, "expiry", expiry=_TOO_SOON),
        planned("too far", Code.EXPIRY_INVALID, "expiry", expiry=_TOO_FAR),
        planned("cap", Code.CAP_EXCEEDED, "cap", cap=1),
    ),
)


def _given(case: Case, account: bytes, card: bytes = b"", *, total: int = 100) -> bytes:
    """A mandate of the account's owner for Bob, in the planned state."""
    book = case.book
    payer = book.alice if not case.debit.issuance else book.bank
    lifetime_ns = (10 if case.get("is_due") else 500) * SECOND_NS
    expires_at_ns = book.now_ns + lifetime_ns
    record = raw.mandate(account, book.bob.principal, total, total, expires_at_ns, card)
    mandate = book.ok(payer.key, record).ids[0]
    if case.get("is_ended"):
        book.ok(payer.key, raw.mandate_end(mandate))
    if case.get("is_due"):
        case.wait_ns = 15 * SECOND_NS
    return STRANGE_ID if case.get("missing") else mandate


def _end(case: Case, _: bytes) -> bytes:
    mandate = _given(case, case.book.alice.account)
    by_others(case)
    return raw.mandate_end(mandate)


_BY_OTHERS: Final = "revoked expired scope party reference reference_cap"
_STATE: Final = (
    planned("ended", Code.MANDATE_ENDED, "ended", is_ended=1),
    planned("due", Code.MANDATE_ENDED, "due", is_due=1),
)
_MISSING: Final = (
    planned("mandate missing", Code.MANDATE_NOT_FOUND, "mandate", missing=1),
    planned("stranger", Code.MANDATE_NOT_FOUND, _BY_OTHERS, by_bank=1),
)
MANDATE_END: Final = KindCases(
    "MANDATE_END",
    lambda book: Case(book, _end, book.alice),
    (*shape(24), *SIGNER, *_MISSING, *_STATE),
)
END_BY_PAYEE: Final = KindCases(
    "MANDATE_END by the payee",
    lambda book: Case(book, _end, book.bob),
    (*SIGNER, *_MISSING, *_STATE),
)


def _mandated(case: Case, _: bytes) -> bytes:
    """A METER of 5 that Bob signs, under a mandate of Alice's for 100."""
    book = case.book
    names, card = offered_card(case)

    def use(reference: int) -> bytes:
        accounts = (book.bob.account, book.alice.account)
        until_ns = book.now_ns + SECOND_NS
        return raw.reserve(*accounts, 1, until_ns, reference, flags=raw.UNIQUE)

    reference, flags = case.prepare_references(use)
    book.now_ns += 2 * SECOND_NS  # their holds are over
    plan = case.debit
    freezes, closes = plan.frozen, plan.closed
    plan.frozen = plan.closed = False
    debit = plan.make(book, book.alice, 0 if closes else START_AMOUNT)
    only = _other_card(case) if case.get("other_card") else b""
    mandate = _given(case, debit, only, total=case.get("total", 10_000))
    for operation, wanted in ((raw.FREEZE, freezes), (raw.CLOSE, closes)):
        if wanted:
            book.ok(book.alice.key, raw.account(operation, account_id=debit))
    payee = debit if case.get("self_transfer") else case.credit.make(book, book.bob, 0)
    if case.is_expired:  # its time runs from now
        case.key = case._signing_key()
    by_others(case)
    if case.get("other_debit"):
        debit = book.bob.account
    amount = case.get("amount", 5)
    meter = names.other if case.get("other_meter") else names.meter
    used = raw.usage([(meter, max(1, amount - case.get("dearer")))])
    content = raw.metered(card, names.model, used, b"u" * 16, mandate)
    source = case.get("source", 1)
    record = raw.meter(debit, payee, amount, content, reference, flags=flags, source=source)
    return raw.with_conts(record[:128], []) if case.get("no_conts") else record


def _other_card(case: Case) -> bytes:
    """A second card of Bob's, which is not the one that prices."""
    return published_card(case.book, case.book.bob, names_of(case.book))


_DEBIT: Final = (
    set_field("debit closed", Code.ACCOUNT_CLOSED, "debit.closed debit.pinned", "debit.closed"),
    set_field("debit frozen", Code.ACCOUNT_FROZEN, "debit.frozen", "debit.frozen"),
)
_ANY_DEBIT: Final = "debit.closed debit.frozen debit.pinned debit.unit"
# What is not about the mandate is as for the payer's own METER.
_PRICED: Final = tuple(
    rule
    for rule in METER.violations
    if rule.code
    in (Code.CARD_NOT_FOUND, Code.CARD_NOT_EFFECTIVE, Code.UNPRICED, Code.PRICE_MISMATCH)
)
METER_MANDATED: Final = KindCases(
    "METER mandated",
    lambda book: Case(book, _mandated, book.bob, denied_scope=raw.SPEND),
    (
        NO_CONTS,
        planned("source", Code.BAD_FIELD, "source", source=4),
        UNIQUE_ZERO,
        ZERO_AMOUNT,
        SELF,
        *SIGNER,
        REFERENCE_USED,
        *_MISSING,
        planned("payer", Code.NOT_PAYEE, _BY_OTHERS, by_alice=1),
        planned("another's account", Code.DEBIT_NOT_FOUND, _ANY_DEBIT, other_debit=1),
        *movable("credit", Code.CREDIT_NOT_FOUND),
        set_field(
            "credit foreign",
            Code.CREDIT_NOT_FOUND,
            "credit.missing credit.closed credit.frozen credit.unit credit.full credit.pinned",
            "credit.foreign",
        ),
        *_PRICED[:2],
        *_STATE,
        planned("another card", Code.PRICE_NOT_AGREED, "other_card card superseded", other_card=1),
        *_DEBIT,
        *movable_state("credit")[:2],
        UNIT_MISMATCH,
        planned("not the provider", Code.NOT_PROVIDER, "foreign_card other_card", foreign_card=1),
        planned("card's unit", Code.UNIT_MISMATCH, "card_unit superseded", card_unit=1),
        *_PRICED[2:],
        planned("exceeds", Code.MANDATE_EXCEEDED, "amount", total=4),
        REFERENCE_CAP,
        *FUNDS,
        OVERFLOW,
    ),
)

MANDATE_KINDS: Final = (MANDATE, MANDATE_END, END_BY_PAYEE, METER_MANDATED)
