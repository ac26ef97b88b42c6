"""Cases of JOIN, WINDOW_CLOSE, SETTLE and FAIL: Alice owes Bob 50 in a unit that USD settles."""

from typing import Final

from tests.differential import raw
from tests.differential.book import SECOND_NS, Member, Person
from tests.differential.cases import (
    HALF,
    SIGNER,
    STRANGE_ID,
    Case,
    KindCases,
    planned,
    shape,
)

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import MAX_DEBIT

OWED: Final = 50
MAXIMUM: Final = 100
_ACCOUNT: Final = "account owes"
_SETTLEMENT: Final = "settlement"


def _ring(case: Case, debtors_money: int = OWED) -> tuple[bytes, Member, Member]:
    """A deferred unit in which Alice owes Bob; both have joined."""
    book = case.book
    unit = book.deferred_unit()
    alice = book.member(book.alice, unit, MAXIMUM, debtors_money)
    bob = book.member(book.bob, unit, MAXIMUM)
    book.ok(alice.key, raw.transfer(alice.account, bob.account, OWED))
    return unit, alice, bob


def _joining(case: Case, unit: bytes) -> bytes:
    """The account that is to join."""
    book = case.book
    if case.get("missing"):
        return STRANGE_ID
    if case.get("foreign"):
        return book.account(book.bob, unit)
    if case.get("issuance"):
        return unit
    account = book.account(book.alice, book.usd if case.get("not_deferred") else unit)
    if case.get("closed"):
        book.ok(book.alice.key, raw.account(raw.CLOSE, account_id=account))
    return account


def _settling(case: Case, unit: bytes) -> bytes:
    """The account that is to pay and be paid."""
    book, owner = case.book, case.signer
    if case.get("settlement_missing"):
        return book.new_id()
    if case.get("settlement_foreign"):
        return book.account(book.register(), book.usd)
    if case.get("settlement_issuance"):
        return book.usd
    if case.get("mismatch"):
        return book.account(owner, book.unit(b"EUR"))
    if case.get("taken"):
        return book.member(owner, unit, MAXIMUM).settlement
    account = book.account(owner, book.usd)
    if case.get("settlement_granted"):
        book.issue(account, 1)
        account = book.grant(Person(owner.principal, owner.key, account), book.bank, 1)
    for operation in (raw.FREEZE, raw.CLOSE):
        if case.get("settlement_closed" if operation == raw.CLOSE else "settlement_frozen"):
            book.ok(owner.key, raw.account(operation, account_id=account))
    return account


def _indebted(case: Case, unit: bytes) -> bytes:
    """An account of a member that owes 50, or that failed to pay it."""
    book = case.book
    alice, bob = book.member(book.alice, unit, MAXIMUM), book.member(book.bob, unit, MAXIMUM)
    book.ok(alice.key, raw.transfer(alice.account, bob.account, OWED))
    if case.get("failed"):
        book.ok(book.bank.key, raw.window_close(unit, 1))
        book.ok(book.bank.key, raw.fail(unit, 1, alice.account))
    return alice.account


def _join(case: Case, _: bytes) -> bytes:
    book = case.book
    unit = book.deferred_unit()
    if case.get("issuance") or case.get("settlement_issuance"):
        case.signer, case.key = book.bank, book.bank.key
    owes = case.get("failed") or case.get("in_use")
    account = _indebted(case, unit) if owes else _joining(case, unit)
    if case.get("settlement_issuance") and not case.get("issuance"):
        account = book.account(book.bank, unit)
    settlement = account if case.get("self") else _settling(case, unit)
    return raw.join(account, settlement, case.get("maximum", OWED - 1 if owes else MAXIMUM))


JOIN: Final = KindCases(
    "JOIN",
    lambda book: Case(book, _join, book.alice),
    (
        *shape(56),
        planned("maximum", Code.BAD_FIELD, "maximum owes", maximum=MAX_DEBIT + 1),
        planned("self", Code.SELF_TRANSFER, f"{_SETTLEMENT} account owes", self=1),
        *SIGNER,
        planned("missing", Code.ACCOUNT_NOT_FOUND, f"{_ACCOUNT} issuance", missing=1),
        planned("foreign", Code.ACCOUNT_NOT_FOUND, f"{_ACCOUNT} issuance", foreign=1),
        planned("settlement missing", Code.ACCOUNT_NOT_FOUND, _SETTLEMENT, settlement_missing=1),
        planned("settlement foreign", Code.ACCOUNT_NOT_FOUND, _SETTLEMENT, settlement_foreign=1),
        planned(
            "issuance",
            Code.ISSUANCE_ACCOUNT,
            f"{_ACCOUNT} issuance revoked expired scope",
            issuance=1,
        ),
        planned("closed", Code.ACCOUNT_CLOSED, f"{_ACCOUNT} issuance", closed=1),
        planned("not deferred", Code.UNIT_NOT_DEFERRED, f"{_ACCOUNT} issuance", not_deferred=1),
        planned("settlement closed", Code.ACCOUNT_CLOSED, _SETTLEMENT, settlement_closed=1),
        planned("settlement frozen", Code.ACCOUNT_FROZEN, _SETTLEMENT, settlement_frozen=1),
        planned(
            "settlement issuance",
            Code.ISSUANCE_ACCOUNT,
            f"{_SETTLEMENT} {_ACCOUNT} issuance revoked expired scope",
            settlement_issuance=1,
        ),
        planned("settlement granted", Code.GRANT_ACCOUNT, _SETTLEMENT, settlement_granted=1),
        planned("unit mismatch", Code.UNIT_MISMATCH, _SETTLEMENT, mismatch=1),
        planned("taken", Code.SETTLEMENT_TAKEN, _SETTLEMENT, taken=1),
        planned("failed", Code.MEMBER_FAILED, _ACCOUNT, failed=1),
        planned("in use", Code.CREDIT_IN_USE, f"{_ACCOUNT} maximum", in_use=1),
    ),
)

_UNITS: Final = (
    planned("unit missing", Code.UNIT_NOT_FOUND, "unit", missing_unit=1),
    planned("unit foreign", Code.UNIT_NOT_FOUND, "unit revoked expired scope", foreign_unit=1),
)
_WINDOW_ZERO: Final = planned("window zero", Code.BAD_FIELD, "window", window=-1)
_NOT_DEFERRED: Final = planned("not deferred", Code.UNIT_NOT_DEFERRED, "unit", usd=1)
_OTHER_WINDOW: Final = planned("other window", Code.WINDOW_STATE, "window", window=3)


def _named(case: Case, unit: bytes) -> tuple[bytes, int]:
    """The unit and the window that the record names."""
    if case.get("foreign_unit"):
        case.key = case.book.alice.key
    if case.get("missing_unit"):
        unit = STRANGE_ID
    elif case.get("usd"):
        unit = case.book.usd
    return unit, max(0, case.get("window", 1))


def _window_close(case: Case, _: bytes) -> bytes:
    unit, _alice, _bob = _ring(case)
    if case.get("waiting"):
        case.book.ok(case.book.bank.key, raw.window_close(unit, 1))
        case.plan["window"] = 2
    return raw.window_close(*_named(case, unit))


WINDOW_CLOSE: Final = KindCases(
    "WINDOW_CLOSE",
    lambda book: Case(book, _window_close, book.bank),
    (
        *shape(32),
        _WINDOW_ZERO,
        *SIGNER,
        *_UNITS,
        _NOT_DEFERRED,
        _OTHER_WINDOW,
        planned("waiting", Code.WINDOW_STATE, "window", waiting=1),
    ),
)


def _spoil_debtor(case: Case, alice: Member) -> None:
    book = case.book
    if case.get("held"):
        until_ns = book.now_ns + 900 * SECOND_NS
        reserve = raw.reserve(alice.settlement, book.bob.account, 1, until_ns)
        book.ok(alice.key, reserve)
    if case.get("spent") or case.get("debtor_closed"):
        away = OWED if case.get("debtor_closed") else 1
        book.ok(alice.key, raw.transfer(alice.settlement, book.bob.account, away))
    for operation, wanted in ((raw.FREEZE, "debtor_frozen"), (raw.CLOSE, "debtor_closed")):
        if case.get(wanted):
            book.ok(alice.key, raw.account(operation, account_id=alice.settlement))


def _spoil_creditor(case: Case, bob: Member) -> None:
    book = case.book
    if case.get("creditor_closed"):
        book.ok(bob.key, raw.account(raw.CLOSE, account_id=bob.settlement))
    if case.get("full"):
        second = book.account(bob.person)
        book.issue(bob.settlement, HALF)
        for debit, credit in ((bob.settlement, second), (second, bob.settlement)):
            book.ok(bob.key, raw.transfer(debit, credit, HALF))


def _settle(case: Case, _: bytes) -> bytes:
    unit, alice, bob = _ring(case)
    case.book.ok(case.book.bank.key, raw.window_close(unit, 1))
    _spoil_debtor(case, alice)
    _spoil_creditor(case, bob)
    owed = OWED + case.get("more")
    record = case.book.settle(unit, 1, [(alice.account, bob.account, owed)])
    named, window = _named(case, unit)
    return raw.patched(raw.patched(record, 8, named), 24, raw.u64(window))


SETTLE: Final = KindCases(
    "SETTLE",
    lambda book: Case(book, _settle, book.bank),
    (
        *shape(72),
        _WINDOW_ZERO,
        *SIGNER,
        *_UNITS,
        _NOT_DEFERRED,
        _OTHER_WINDOW,
        planned("positions", Code.POSITIONS_MISMATCH, "positions", more=1),
        planned("debtor closed", Code.ACCOUNT_CLOSED, _SETTLEMENT, debtor_closed=1),
        planned("creditor closed", Code.ACCOUNT_CLOSED, _SETTLEMENT, creditor_closed=1),
        planned("debtor frozen", Code.ACCOUNT_FROZEN, _SETTLEMENT, debtor_frozen=1),
        planned("insufficient", Code.INSUFFICIENT_FUNDS, _SETTLEMENT, spent=1),
        planned("held", Code.FUNDS_HELD, _SETTLEMENT, held=1),
        planned("overflow", Code.AMOUNT_OVERFLOW, _SETTLEMENT, full=1),
    ),
)


def _fail(case: Case, _: bytes) -> bytes:
    book = case.book
    unit, alice, bob = _ring(case, OWED if case.get("can_pay") else OWED - 1)
    book.ok(book.bank.key, raw.window_close(unit, 1))
    account = bob.account if case.get("creditor") else alice.account
    if case.get("missing"):
        account = STRANGE_ID
    elif case.get("usd") or case.get("other_unit"):
        account = book.alice.account
    elif case.get("outsider"):
        account = book.account(book.alice, unit)
    named, window = _named(case, unit)
    return raw.fail(named, window, account)


FAIL: Final = KindCases(
    "FAIL",
    lambda book: Case(book, _fail, book.bank),
    (
        *shape(56),
        _WINDOW_ZERO,
        *SIGNER,
        *_UNITS,
        planned("missing", Code.ACCOUNT_NOT_FOUND, "account", missing=1),
        planned("other unit", Code.ACCOUNT_NOT_FOUND, "account unit", other_unit=1),
        planned("not deferred", Code.UNIT_NOT_DEFERRED, "unit account", usd=1),
        planned("not a member", Code.NOT_A_MEMBER, "account", outsider=1),
        _OTHER_WINDOW,
        planned("can pay", Code.MEMBER_CAN_PAY, "can_pay", can_pay=1),
        planned("is paid", Code.MEMBER_CAN_PAY, "account can_pay", creditor=1),
    ),
)

NETTING_KINDS: Final = (JOIN, WINDOW_CLOSE, SETTLE, FAIL)
