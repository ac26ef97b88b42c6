"""Cases of debts: CAPTURE above a maximum and after the expiry, PAY_CLAIM of both sides."""

from typing import Final

from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, Person
from tests.differential.cases import (
    CAPS,
    FUNDS,
    SIGNER,
    STRANGE_ID,
    Case,
    KindCases,
    movable,
    movable_state,
    planned,
    set_field,
    shape,
    violation,
)
from tests.differential.cases_money import ZERO_AMOUNT
from tests.differential.debts import Shop

from tallystick_ledger.codes import Code

OWED: Final = 5 * START_AMOUNT
LIMIT: Final = 50
GRACE_NS: Final = 50 * SECOND_NS  # as long as ended holds are remembered here
LIFETIME_NS: Final = 30 * SECOND_NS
_EVERYTHING: Final = " ".join(
    f"{side}.{part}"
    for side in ("debit", "credit")
    for part in ("missing", "closed", "frozen", "issuance", "unit", "full", "pinned")
)


def _payee_account(case: Case, owner: Person) -> bytes:
    """The account that is paid; it is frozen later, if at all."""
    freezes, case.credit.frozen = case.credit.frozen, False
    account = case.credit.make(case.book, owner, 0)
    case.credit.frozen = freezes
    return account


def _claim(case: Case, payer: Person, provider: Person) -> tuple[bytes, bytes]:
    """A claim against the payer, and the account of the provider's that it is of."""
    book = case.book
    shop = Shop.of(book, provider)
    account = _payee_account(case, provider)
    pays = book.account(payer)
    book.issue(pays, 1)
    claim = shop.claim(Person(payer.principal, payer.key, pays), OWED, account)
    if case.get("is_ended"):
        book.ok(provider.key, raw.waive_claim(claim))
    if case.credit.frozen:
        book.ok(provider.key, raw.account(raw.FREEZE, account_id=account))
    for name, person in (("payer", payer), ("provider", provider), ("stranger", book.bank)):
        if case.get(f"by_{name}"):
            case.key = person.key
    if case.is_expired:  # its time runs from now
        case.key = case._signing_key()
    return (STRANGE_ID if case.get("missing") else claim), account


def _pay(case: Case, _: bytes) -> bytes:
    provider = case.signer if case.get("self_transfer") else case.book.bob
    claim, account = _claim(case, case.signer, provider)
    debit = case.debit.make(case.book, case.signer, START_AMOUNT)
    debit = account if case.get("self_transfer") else debit
    operation = case.get("operation", raw.PAY)
    return raw.pay_claim(claim, case.get("amount", 5), debit, operation=operation)


_PARTY: Final = "revoked expired scope issuance party"
PAY_CLAIM: Final = KindCases(
    "PAY_CLAIM PAY",
    lambda book: Case(book, _pay, book.alice),
    (
        *shape(56),
        planned("operation", Code.BAD_FIELD, "operation", operation=3),
        ZERO_AMOUNT,
        *SIGNER,
        planned("claim missing", Code.CLAIM_NOT_FOUND, "missing ended", missing=1),
        planned("stranger", Code.CLAIM_NOT_FOUND, _PARTY, by_stranger=1),
        planned("payee", Code.NOT_PAYER, _PARTY, by_provider=1),
        *movable("debit", Code.DEBIT_NOT_FOUND),
        planned("self", Code.SELF_TRANSFER, f"party {_EVERYTHING}", self_transfer=1),
        planned("ended", Code.CLAIM_ENDED, "missing ended", is_ended=1),
        planned("exceeds", Code.CLAIM_EXCEEDS, "amount", amount=OWED + 1),
        *movable_state("debit"),
        set_field("payee frozen", Code.ACCOUNT_FROZEN, "credit.frozen", "credit.frozen"),
        set_field(
            "unit mismatch", Code.UNIT_MISMATCH, "debit.unit debit.pinned", "debit.other_unit"
        ),
        *FUNDS,
        set_field("overflow", Code.AMOUNT_OVERFLOW, "credit.full", "credit.full"),
    ),
)


def _waive(case: Case, _: bytes) -> bytes:
    claim, _account = _claim(case, case.book.alice, case.book.bob)
    amount, debit = case.get("amount"), b"d" * 16 if case.get("account") else raw.ZERO_ID
    return raw.pay_claim(claim, amount, debit, operation=raw.WAIVE)


WAIVE_CLAIM: Final = KindCases(
    "PAY_CLAIM WAIVE",
    lambda book: Case(book, _waive, book.bob, denied_scope=raw.SPEND),
    (
        *shape(56),
        planned("an amount", Code.RESERVED_NONZERO, "amount", amount=1),
        planned("an account", Code.RESERVED_NONZERO, "account", account=1),
        *SIGNER,
        planned("claim missing", Code.CLAIM_NOT_FOUND, "missing ended", missing=1),
        planned("stranger", Code.CLAIM_NOT_FOUND, _PARTY, by_stranger=1),
        planned("payer", Code.NOT_PAYEE, _PARTY, by_payer=1),
        planned("ended", Code.CLAIM_ENDED, "missing ended", is_ended=1),
    ),
)


def _debt(case: Case, *, is_late: bool) -> bytes:
    """The CAPTURE of 120 of a hold of 100; 50 are captured. Its payer has 10 beside it."""
    book, alice = case.book, case.book.alice
    shop = Shop.of(book, book.bob)
    account = _payee_account(case, book.bob)
    pays = book.account(alice)
    book.issue(pays, 111 + CAPS.references)
    payer = Person(alice.principal, alice.key, pays)
    if case.get("cap"):
        for _ in range(CAPS.references):  # each of its own, lest it stop the next hold
            shop.claim(payer, 1, book.account(book.bob))
    hold = shop.reserve(payer, 100, LIMIT, account, LIFETIME_NS)
    captured = case.get("captured", 50)
    if captured:
        book.ok(book.bob.key, shop.used(hold, captured))
    if case.credit.frozen:
        book.ok(book.bob.key, raw.account(raw.FREEZE, account_id=account))
    if case.get("is_dry", 1):
        rest = book.row(pays).available - 10
        book.ok(alice.key, raw.transfer(pays, alice.account, rest))
    if is_late:
        book.now_ns += LIFETIME_NS
    if is_late and not case.get("too_late"):
        book.ok(book.node.key, raw.tick())  # it expires now, not with the CAPTURE
    if case.get("too_late"):
        book.now_ns += GRACE_NS - LIFETIME_NS if not is_late else GRACE_NS - 2 * SECOND_NS
        case.wait_ns = 5 * SECOND_NS
    if case.is_expired:
        case.key = case._signing_key()
    flags = 0 if case.get("is_open") or not is_late else raw.FINAL
    return shop.used(hold, case.get("amount", 120), flags=flags)


def _fill_payee(case: Case) -> None:
    case.credit.full = True
    case.plan["captured"] = 0


_EXCEEDS: Final = planned("exceeds", Code.CAPTURE_EXCEEDS_HOLD, "amount", amount=101 + LIMIT)
_LOWERED: Final = planned("lowered", Code.CAPTURE_LOWERED, "amount cap credit.full", amount=49)
_CLAIM_CAP: Final = planned("claim cap", Code.CAP_EXCEEDED, "cap expired", cap=1)
_FULL: Final = violation("overflow", Code.AMOUNT_OVERFLOW, "credit.full cap", _fill_payee)
_FROZEN: Final = set_field("payee frozen", Code.ACCOUNT_FROZEN, "credit.frozen", "credit.frozen")

CAPTURE_DEBT: Final = KindCases(
    "CAPTURE on debt",
    lambda book: Case(book, lambda case, _: _debt(case, is_late=False), book.bob),
    (_FROZEN, _LOWERED, _EXCEEDS, _CLAIM_CAP, _FULL),
)
CAPTURE_LATE: Final = KindCases(
    "CAPTURE late",
    lambda book: Case(book, lambda case, _: _debt(case, is_late=True), book.bob),
    (
        planned("not final", Code.HOLD_EXPIRED, "late", is_open=1),
        planned("too late", Code.HOLD_EXPIRED, "late", too_late=1),
        _FROZEN,
        _LOWERED,
        _EXCEEDS,
        _CLAIM_CAP,
        _FULL,
    ),
)

DEBT_KINDS: Final = (PAY_CLAIM, WAIVE_CLAIM, CAPTURE_DEBT, CAPTURE_LATE)
