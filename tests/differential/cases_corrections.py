"""Cases of REFUND, DISPUTE and DISPUTE_ANSWER: a TRANSFER of 100 from Alice to Bob is corrected."""

from typing import Final

from tests.differential import raw
from tests.differential.book import SECOND_NS, STEP_NS
from tests.differential.cases import (
    CAPS,
    REFERENCE_CAP,
    REFERENCE_USED,
    SIGNER,
    UNIQUE_ZERO,
    Case,
    KindCases,
    Violation,
    planned,
    shape,
)

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import CORRECTION_WINDOW_NS, MAX_U128, MIN_DISPUTE_NS

PAID: Final = 100
DISPUTED: Final = 50
_DEADLINE_NS: Final = 500 * SECOND_NS
_BY_OTHERS: Final = "revoked expired scope party reference reference_cap"
_TOO_SOON, _TOO_FAR = 1, 2


def _payment(case: Case) -> tuple[int, int, bytes, bytes]:
    """Alice pays Bob: sequence number and time of the TRANSFER, and both accounts."""
    book = case.book
    payer, payee = book.account(book.alice), book.account(book.bob)
    book.issue(payer, PAID)
    receipt = book.ok(book.alice.key, raw.transfer(payer, payee, PAID))
    return receipt.first_sequence, receipt.timestamp_ns, payer, payee


def other_payments(case: Case) -> list[int]:
    """As many other payments as may be corrected."""
    book = case.book
    record = raw.transfer(book.alice.account, book.bob.account, 1)
    return [book.ok(book.alice.key, record).first_sequence for _ in range(CAPS.references)]


def spoil_accounts(case: Case, payer: bytes, payee: bytes) -> None:
    """Brings both accounts into the planned state: they were in order when the payment was made."""
    book, alice, bob = case.book, case.book.alice, case.book.bob
    if case.get("held"):
        until_ns = book.now_ns + 900 * SECOND_NS
        book.ok(bob.key, raw.reserve(payee, alice.account, PAID, until_ns))
    if case.get("spent") or case.get("payee_closed"):
        book.ok(bob.key, raw.transfer(payee, bob.account, PAID))
    if case.get("full"):
        book.ok(book.bank.key, raw.credit_limit(book.usd, payer, MAX_U128 - PAID))
    for owner, account, operation, wanted in (
        (bob, payee, raw.FREEZE, case.get("payee_frozen")),
        (bob, payee, raw.CLOSE, case.get("payee_closed")),
        (alice, payer, raw.CLOSE, case.get("payer_closed")),
    ):
        if wanted:
            book.ok(owner.key, raw.account(operation, account_id=account))


def by_others(case: Case) -> None:
    """Has somebody else sign, where the plan says who."""
    book = case.book
    for name, person in (("alice", book.alice), ("bob", book.bob), ("bank", book.bank)):
        if case.get(f"by_{name}"):
            case.key = person.key


def cited_number(case: Case, sequence: int) -> int:
    if case.get("cited_zero"):
        return 0
    if case.get("later"):  # its own, and so of this block
        return case.book.next_sequence
    if case.get("moved_nothing"):  # the record that registered the bank
        return 1
    return sequence


def _refund(case: Case, _: bytes) -> bytes:
    book = case.book

    def use(reference: int) -> bytes:
        return raw.refund(spare, 1, reference, flags=raw.UNIQUE)

    transfer = raw.transfer(book.alice.account, book.bob.account, PAID)
    spare = book.ok(book.alice.key, transfer).first_sequence
    sequence, _at_ns, payer, payee = _payment(case)
    reference, flags = case.prepare_references(use)
    if case.get("cap"):
        for other in other_payments(case)[: CAPS.references - book_corrections(case, spare)]:
            book.ok(book.bob.key, raw.refund(other, 1))
    spoil_accounts(case, payer, payee)
    by_others(case)
    if case.get("late"):
        case.wait_ns = CORRECTION_WINDOW_NS + SECOND_NS
    reason, amount = case.get("reason", 2), case.get("amount", 5)
    return raw.refund(cited_number(case, sequence), amount, reference, flags=flags, reason=reason)


def book_corrections(case: Case, spare: int) -> int:
    """1 if the spare payment is corrected already: it counts for the cap."""
    return int(case.book.engine.correction(spare) is not None)


def _dispute(case: Case, _: bytes) -> bytes:
    book = case.book
    sequence, at_ns, payer, payee = _payment(case)
    if case.get("cap"):
        for other in other_payments(case):
            book.ok(book.alice.key, raw.dispute(other, 1, book.now_ns + _DEADLINE_NS))
    if case.get("open"):
        book.ok(book.alice.key, raw.dispute(sequence, 1, book.now_ns + _DEADLINE_NS))
    spoil_accounts(case, payer, payee)
    by_others(case)
    if case.get("late"):
        case.wait_ns = CORRECTION_WINDOW_NS + SECOND_NS
    deadline_ns = book.now_ns + _DEADLINE_NS
    if case.get("deadline") == _TOO_SOON:
        deadline_ns = book.now_ns + MIN_DISPUTE_NS - 1
    elif case.get("deadline") == _TOO_FAR:
        deadline_ns = at_ns + CORRECTION_WINDOW_NS + 1
    reason, amount = case.get("reason", 3), case.get("amount", DISPUTED)
    return raw.dispute(cited_number(case, sequence), amount, deadline_ns, reason=reason)


def _answer(case: Case, _: bytes) -> bytes:
    book = case.book
    sequence, _at_ns, payer, payee = _payment(case)
    if not case.get("undisputed"):
        book.ok(book.alice.key, raw.dispute(sequence, DISPUTED, book.now_ns + _DEADLINE_NS))
    if case.get("answered"):
        book.ok(book.bob.key, raw.dispute_answer(sequence))
    if case.get("refunded"):
        book.ok(book.bob.key, raw.refund(sequence, PAID - 1))
    if case.get("cap"):
        for other in other_payments(case):
            book.ok(book.bob.key, raw.refund(other, 1))
    spoil_accounts(case, payer, payee)
    by_others(case)
    if case.get("lapsed"):
        case.wait_ns = _DEADLINE_NS + STEP_NS
    return raw.dispute_answer(cited_number(case, sequence), case.get("amount", 5))


def existence(signer: Violation) -> tuple[Violation, ...]:
    """Rules of the cited record, and who signs about it."""
    return (
        planned("later", Code.CITED_NOT_FOUND, "cited", later=1),
        planned("moved nothing", Code.CITED_NOT_FOUND, "cited", moved_nothing=1),
        planned("stranger", Code.CITED_NOT_FOUND, _BY_OTHERS, by_bank=1),
        signer,
    )


CITED_ZERO: Final = planned("cited zero", Code.BAD_FIELD, "cited", cited_zero=1)
_REASON: Final = planned("reason", Code.BAD_FIELD, "reason", reason=7)
_ZERO: Final = planned("zero amount", Code.ZERO_AMOUNT, "amount", amount=0)
BY_PAYER: Final = planned("payer", Code.NOT_PAYEE, _BY_OTHERS, by_alice=1)
LATE: Final = planned("late", Code.CORRECTION_TOO_LATE, "reference reference_cap held", late=1)
_PAYER_CLOSED: Final = planned("payer closed", Code.ACCOUNT_CLOSED, "payer", payer_closed=1)
ACCOUNTS: Final = (
    planned("payee closed", Code.ACCOUNT_CLOSED, "payee funds refunded", payee_closed=1),
    planned("payee frozen", Code.ACCOUNT_FROZEN, "payee", payee_frozen=1),
    _PAYER_CLOSED,
)
FUNDS: Final = (
    planned("insufficient", Code.INSUFFICIENT_FUNDS, "funds refunded", spent=1),
    planned("held", Code.FUNDS_HELD, "funds held refunded", held=1),
    planned("overflow", Code.AMOUNT_OVERFLOW, "payer refunded", full=1),
)
CAP: Final = planned("cap", Code.CAP_EXCEEDED, "reference_cap refunded", cap=1)

REFUND: Final = KindCases(
    "REFUND",
    lambda book: Case(book, _refund, book.bob, denied_scope=raw.SPEND),
    (
        *shape(16),
        _REASON,
        UNIQUE_ZERO,
        CITED_ZERO,
        _ZERO,
        *SIGNER,
        REFERENCE_USED,
        *existence(BY_PAYER),
        LATE,
        *ACCOUNTS,
        planned("exceeds", Code.CORRECTION_EXCEEDS, "amount", amount=PAID + 1),
        CAP,
        REFERENCE_CAP,
        *FUNDS,
    ),
)

DISPUTE: Final = KindCases(
    "DISPUTE",
    lambda book: Case(book, _dispute, book.alice),
    (
        *shape(16),
        _REASON,
        CITED_ZERO,
        _ZERO,
        *SIGNER,
        *existence(planned("payee", Code.NOT_PAYER, _BY_OTHERS, by_bob=1)),
        LATE,
        _PAYER_CLOSED,
        planned("open", Code.DISPUTE_OPEN, "cap", open=1),
        planned("exceeds", Code.CORRECTION_EXCEEDS, "amount", amount=PAID + 1),
        planned("too soon", Code.EXPIRY_INVALID, "deadline", deadline=_TOO_SOON),
        planned("too far", Code.EXPIRY_INVALID, "deadline", deadline=_TOO_FAR),
        planned("cap", Code.CAP_EXCEEDED, "cap", cap=1),
    ),
)

DISPUTE_ANSWER: Final = KindCases(
    "DISPUTE_ANSWER",
    lambda book: Case(book, _answer, book.bob, denied_scope=raw.SPEND),
    (
        *shape(6),
        CITED_ZERO,
        *SIGNER,
        planned("undisputed", Code.DISPUTE_NOT_FOUND, "cited asked refunded", undisputed=1),
        planned("stranger", Code.DISPUTE_NOT_FOUND, _BY_OTHERS, by_bank=1),
        BY_PAYER,
        planned("answered", Code.DISPUTE_ANSWERED, "asked", answered=1),
        planned("lapsed", Code.DISPUTE_LAPSED, "asked held", lapsed=1),
        planned("above", Code.ANSWER_EXCEEDS, "amount", amount=DISPUTED + 1),
        *ACCOUNTS,
        planned("exceeds", Code.CORRECTION_EXCEEDS, "refunded payee payer", refunded=1),
        CAP,
        *FUNDS,
    ),
)

CORRECTION_KINDS: Final = (REFUND, DISPUTE, DISPUTE_ANSWER)
