"""Cases of the kinds that move or lend money: TRANSFER, ISSUE, BURN and CREDIT_LIMIT, RESERVE,
CAPTURE, RELEASE; and TICK.
"""

from typing import Final

from tests.differential import raw
from tests.differential.book import MAX_U128, SECOND_NS, START_AMOUNT, Book
from tests.differential.cases import (
    CAPS,
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
    violation,
)
from tests.differential.cases_limits import LIMITS, bound

from tallystick_ledger.codes import Code


def outsiders(case: Case) -> tuple[bytes, bytes]:
    """Two accounts in a deferred unit; neither has joined."""
    book = case.book
    unit = book.deferred_unit()
    return book.account(book.alice, unit), book.account(book.bob, unit)


NOT_A_MEMBER: Final = planned(
    "not a member",
    Code.NOT_A_MEMBER,
    " ".join(
        f"{side}.{part}"
        for side in ("debit", "credit")
        for part in ("missing", "closed", "frozen", "issuance", "unit", "full", "pinned")
    ),
    outsiders=1,
)
UNIT_DEFERRED: Final = planned("unit deferred", Code.UNIT_DEFERRED, "unit", deferred_unit=1)
ZERO_AMOUNT: Final = planned("zero amount", Code.ZERO_AMOUNT, "amount", amount=0)


def _accounts(case: Case) -> tuple[bytes, bytes]:
    if case.get("outsiders"):
        return outsiders(case)
    debit = case.debit.make(case.book, case.signer, START_AMOUNT)
    if case.get("self_transfer"):
        return debit, debit
    return debit, case.credit.make(case.book, case.book.bob, 0)


def _transfer(case: Case, _: bytes) -> bytes:
    debit, credit = _accounts(case)
    book = case.book

    def use(reference: int) -> bytes:
        return raw.transfer(book.alice.account, book.bob.account, 1, reference, flags=raw.UNIQUE)

    reference, flags = case.prepare_references(use)
    bound(case)
    return raw.transfer(debit, credit, case.get("amount", 5), reference, flags=flags)


TRANSFER: Final = KindCases(
    "TRANSFER",
    lambda book: Case(book, _transfer, book.alice),
    (
        *shape(72),
        UNIQUE_ZERO,
        ZERO_AMOUNT,
        SELF,
        *SIGNER,
        REFERENCE_USED,
        *movable("debit", Code.DEBIT_NOT_FOUND),
        *movable("credit", Code.CREDIT_NOT_FOUND),
        *movable_state("debit"),
        *movable_state("credit"),
        UNIT_MISMATCH,
        NOT_A_MEMBER,
        REFERENCE_CAP,
        *LIMITS,
        *FUNDS,
        OVERFLOW,
    ),
)


def _reserve(case: Case, _: bytes) -> bytes:
    book = case.book

    def use(reference: int) -> bytes:
        accounts, expires_at_ns = (book.alice.account, book.bob.account), book.now_ns + SECOND_NS
        return raw.reserve(*accounts, 1, expires_at_ns, reference, flags=raw.UNIQUE)

    reference, flags = case.prepare_references(use)
    book.now_ns += 2 * SECOND_NS  # their holds are over
    debit, credit = _accounts(case)
    if case.get("hold_cap"):
        for _count in range(CAPS.open_holds - int(case.debit.pinned)):
            book.reserve(book.alice, book.bob, 1, 900 * SECOND_NS)
    bound(case)
    sent_at_ns = book.now_ns + (20 * SECOND_NS if case.is_expired else 0)
    return raw.reserve(
        debit,
        credit,
        case.get("amount", 5),
        sent_at_ns + case.get("lifetime_ns", 100 * SECOND_NS),
        reference,
        flags=flags,
        mode=case.get("mode"),
    )


RESERVE: Final = KindCases(
    "RESERVE",
    lambda book: Case(book, _reserve, book.alice),
    (
        *shape(80),
        planned("mode", Code.BAD_FIELD, "mode conts", mode=3),
        UNIQUE_ZERO,
        ZERO_AMOUNT,
        SELF,
        *SIGNER,
        REFERENCE_USED,
        *movable("debit", Code.DEBIT_NOT_FOUND),
        *movable("credit", Code.CREDIT_NOT_FOUND),
        *movable_state("debit"),
        *movable_state("credit"),
        UNIT_MISMATCH,
        NOT_A_MEMBER,
        planned("too soon", Code.EXPIRY_INVALID, "expiry", lifetime_ns=SECOND_NS - 1),
        planned("too far", Code.EXPIRY_INVALID, "expiry", lifetime_ns=1_001 * SECOND_NS),
        planned("hold cap", Code.CAP_EXCEEDED, "hold_cap", hold_cap=1),
        REFERENCE_CAP,
        *LIMITS,
        *FUNDS,
    ),
)


_UNIT_RULES: Final = (
    planned("unit missing", Code.UNIT_NOT_FOUND, "unit", missing_unit=1),
    planned(
        "unit foreign",
        Code.UNIT_NOT_FOUND,
        "unit revoked expired scope reference reference_cap",
        foreign_unit=1,
    ),
)


def _unit(case: Case) -> bytes:
    if case.get("deferred_unit"):
        return case.book.deferred_unit()
    return STRANGE_ID if case.get("missing_unit") else case.book.usd


def _issue(case: Case, _: bytes) -> bytes:
    book = case.book
    unit = _unit(case)
    credit = unit if case.get("self_transfer") else case.credit.make(book, book.bob, 0)
    if case.get("foreign_unit"):
        case.key = book.alice.key

    def use(reference: int) -> bytes:
        return raw.issue(book.usd, book.bob.account, 1, reference, flags=raw.UNIQUE)

    reference, flags = case.prepare_references(use)
    return raw.issue(unit, credit, case.get("amount", 5), reference, flags=flags)


ISSUE: Final = KindCases(
    "ISSUE",
    lambda book: Case(book, _issue, book.bank),
    (
        *shape(72),
        UNIQUE_ZERO,
        ZERO_AMOUNT,
        planned(
            "self",
            Code.SELF_TRANSFER,
            "credit.missing credit.closed credit.frozen credit.unit credit.full",
            self_transfer=1,
        ),
        *SIGNER,
        REFERENCE_USED,
        *_UNIT_RULES,
        *movable("credit", Code.CREDIT_NOT_FOUND),
        UNIT_DEFERRED,
        *movable_state("credit")[:2],
        UNIT_MISMATCH,
        movable_state("credit")[3],
        REFERENCE_CAP,
        OVERFLOW,
    ),
)


def _burn(case: Case, _: bytes) -> bytes:
    book = case.book
    unit = _unit(case)
    debit = unit if case.get("self_transfer") else case.debit.make(book, book.bank, START_AMOUNT)
    if case.get("foreign_unit"):
        case.key = book.alice.key
    other = book.account(book.bank)
    book.issue(other, CAPS.references)
    if case.get("all_burned"):
        book.ok(book.bank.key, raw.credit_limit(book.usd, other, MAX_U128 - CAPS.references))
        book.ok(book.bank.key, raw.burn(book.usd, other, MAX_U128 - 2 * CAPS.references))

    def use(reference: int) -> bytes:
        return raw.burn(book.usd, other, 1, reference, flags=raw.UNIQUE)

    reference, flags = case.prepare_references(use)
    return raw.burn(unit, debit, case.get("amount", 7), reference, flags=flags)


BURN: Final = KindCases(
    "BURN",
    lambda book: Case(book, _burn, book.bank),
    (
        *shape(72),
        UNIQUE_ZERO,
        ZERO_AMOUNT,
        planned(
            "self",
            Code.SELF_TRANSFER,
            "debit.missing debit.closed debit.frozen debit.unit debit.full debit.pinned",
            self_transfer=1,
        ),
        *SIGNER,
        REFERENCE_USED,
        *_UNIT_RULES,
        *movable("debit", Code.DEBIT_NOT_FOUND),
        UNIT_DEFERRED,
        *movable_state("debit")[:2],
        set_field(
            "unit mismatch", Code.UNIT_MISMATCH, "debit.unit debit.pinned", "debit.other_unit"
        ),
        movable_state("debit")[3],
        REFERENCE_CAP,
        *FUNDS,
        planned("overflow", Code.AMOUNT_OVERFLOW, "all_burned", all_burned=1),
    ),
)


def _credit_limit(case: Case, _: bytes) -> bytes:
    book, plan = case.book, case.credit
    unit = _unit(case)
    account = plan.make(book, book.bob, 0)
    if case.get("foreign_unit"):
        case.key = book.alice.key
    if case.get("owes") and not (
        plan.missing or plan.closed or plan.other_unit or plan.issuance or plan.granted
    ):
        book.ok(book.bank.key, raw.credit_limit(book.usd, account, 100))
        book.ok(book.bob.key, raw.transfer(account, book.alice.account, 60))
    return raw.credit_limit(unit, account, 59 if case.get("owes") else 5)


CREDIT_LIMIT: Final = KindCases(
    "CREDIT_LIMIT",
    lambda book: Case(book, _credit_limit, book.bank),
    (
        *shape(56),
        *SIGNER,
        *_UNIT_RULES,
        *movable("credit", Code.ACCOUNT_NOT_FOUND),
        UNIT_DEFERRED,
        movable_state("credit")[0],
        UNIT_MISMATCH,
        *movable_state("credit")[2:],
        planned("in use", Code.CREDIT_IN_USE, "owes credit.full credit.frozen", owes=1),
        OVERFLOW,
    ),
)


def _hold(case: Case) -> bytes:
    """The hold that CAPTURE or RELEASE is about: 100 of Alice's for an account of Bob's."""
    book = case.book
    payee = case.credit
    closes, freezes = payee.closed, payee.frozen
    payee.closed = payee.frozen = False
    account = payee.make(book, book.bob, 0)
    lifetime_ns = (10 if case.get("is_due") else 500) * SECOND_NS
    captured = 100 if closes else case.get("captured", 50)
    record = raw.reserve(book.alice.account, account, 100, book.now_ns + lifetime_ns)
    hold = book.ok(book.alice.key, record).ids[0]
    if captured:
        book.ok(book.bob.key, raw.capture(hold, captured))
    if case.get("is_captured"):
        book.ok(book.bob.key, raw.capture(hold, captured, flags=raw.FINAL))
    if case.get("is_released"):
        book.ok(book.bob.key, raw.release(hold))
    if closes:
        book.ok(book.bob.key, raw.transfer(account, book.alice.account, captured))
    if freezes:
        book.ok(book.bob.key, raw.account(raw.FREEZE, account_id=account))
    if closes:
        book.ok(book.bob.key, raw.account(raw.CLOSE, account_id=account))
    if case.get("is_due"):
        case.wait_ns = 15 * SECOND_NS
    if case.get("by_payer"):
        case.key = book.alice.key
    if case.get("by_stranger"):
        case.key = book.bank.key
    return STRANGE_ID if case.get("missing") else hold


def _capture(case: Case, _: bytes) -> bytes:
    hold = _hold(case)
    default = 99 if case.get("captured", 50) == 0 else 60
    record = raw.capture(hold, case.get("amount", default), source=case.get("source", 1))
    return raw.used(record, raw.usage([(b"m" * 16, 1)])) if case.get("usage") else record


_ANY_HOLD: Final = "missing ended due credit.closed credit.frozen credit.full"
_BY_OTHERS: Final = "revoked expired scope payee"

HOLD_RULES: Final = (
    planned("hold missing", Code.HOLD_NOT_FOUND, _ANY_HOLD, missing=1),
    planned("stranger", Code.HOLD_NOT_FOUND, _BY_OTHERS, by_stranger=1),
    planned("payer", Code.NOT_PAYEE, _BY_OTHERS, by_payer=1),
    planned("captured", Code.HOLD_ENDED, "ended", is_captured=1),
    planned("released", Code.HOLD_ENDED, "ended", is_released=1),
    planned("due", Code.HOLD_EXPIRED, "due", is_due=1),
)


def _fill_payee(case: Case) -> None:
    """Nothing is captured yet, and 2 do not fit any more."""
    case.credit.full = True
    case.plan["captured"] = 0


CAPTURE: Final = KindCases(
    "CAPTURE",
    lambda book: Case(book, _capture, book.bob, denied_scope=raw.SPEND),
    (
        *shape(80),
        planned("source", Code.BAD_FIELD, "source", source=4),
        ZERO_AMOUNT,
        *SIGNER,
        *HOLD_RULES[:3],
        planned("usage", Code.HOLD_MODE, "conts reserved missing", usage=1),
        *HOLD_RULES[3:],
        set_field(
            "payee closed",
            Code.ACCOUNT_CLOSED,
            "credit.closed credit.full",
            "credit.closed",
        ),
        set_field("payee frozen", Code.ACCOUNT_FROZEN, "credit.frozen", "credit.frozen"),
        planned("lowered", Code.CAPTURE_LOWERED, "amount", amount=49),
        planned("exceeds", Code.CAPTURE_EXCEEDS_HOLD, "amount", amount=101),
        violation(
            "overflow",
            Code.AMOUNT_OVERFLOW,
            "credit.full credit.closed amount",
            _fill_payee,
        ),
    ),
)


RELEASE: Final = KindCases(
    "RELEASE",
    lambda book: Case(book, lambda case, _: raw.release(_hold(case)), book.bob, denied_scope=2),
    (*shape(24), *SIGNER, *HOLD_RULES),
)


def _tick_case(book: Book) -> Case:
    denied = book.operator.key
    return Case(book, lambda *_: raw.tick(), book.node, scope=raw.NODE, denied_key=denied)


TICK: Final = KindCases("TICK", _tick_case, (*shape(79), *SIGNER))

MONEY_KINDS: Final = (
    TRANSFER,
    ISSUE,
    BURN,
    CREDIT_LIMIT,
    RESERVE,
    CAPTURE,
    RELEASE,
    TICK,
)
