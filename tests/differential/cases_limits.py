"""Cases of LIMIT, ZONE, DELEGATE and KILL; and the limits that a record which spends may meet."""

from typing import Final

from tests.differential import raw
from tests.differential.book import SECOND_NS, Book
from tests.differential.cases import (
    SIGNER,
    STRANGE_ID,
    Case,
    KindCases,
    planned,
    shape,
)

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import LedgerId
from tallystick_ledger.zones import zone_id

DAY_S: Final = 86_400
ZONE_NAME: Final = "Asia/Shanghai"
_LIMIT: Final = 50

# What a record that spends may meet beside its own rules: see `bound`.
LIMIT: Final = planned("limit", Code.LIMIT_EXCEEDED, "limit", limit=1)
LIMITS: Final = (
    planned("horizon", Code.ZONE_HORIZON, "limit reference debit.issuance", horizon=1),
    LIMIT,
)


def bound(case: Case) -> None:
    """Bounds what Alice spends, as planned: by nothing at all, or by days that nobody knows."""
    book = case.book
    if case.get("limit"):
        book.ok(book.alice.key, _of_alice(book, raw.TOTAL, 0))
    if case.get("horizon"):
        zone = publish(book, 1, 400 * DAY_S, before_midnight_s=1)
        book.ok(book.alice.key, _of_alice(book, raw.DAY, 10**9, zone))
        publish(book, 2, 2, before_midnight_s=1)
        book.now_ns += SECOND_NS + SECOND_NS // 2


def _of_alice(book: Book, window: int, amount: int, zone: bytes = raw.ZERO_ID) -> bytes:
    subject = book.alice.principal + bytes(16)
    return raw.limit(raw.OF_PRINCIPAL, window, subject, book.usd, amount, zone_id=zone)


def publish(book: Book, version: int, ahead_s: int, *, before_midnight_s: int) -> bytes:
    """Publishes a zone in which a day ends in some seconds; returns its id."""
    second = book.now_ns // SECOND_NS
    offset_s = DAY_S - second % DAY_S - before_midnight_s
    from_ns, horizon_ns = (second - DAY_S) * SECOND_NS, (second + ahead_s) * SECOND_NS
    record = raw.zone(ZONE_NAME.encode(), version, from_ns, horizon_ns, offset_s)
    book.ok(book.operator.key, record)
    return zone_id(LedgerId(book.genesis.ledger_id), ZONE_NAME)


def _subject(case: Case) -> bytes:
    book, target = case.book, case.get("target", raw.OF_KEY)
    if target == raw.OF_KEY:
        if case.get("missing"):
            return book.fresh_key()
        if case.get("of_owner"):
            return book.alice.key
        return book.add_key(book.bob if case.get("foreign") else book.alice, raw.SPEND)
    if target == raw.OF_PRINCIPAL:
        return (book.bob if case.get("foreign") else book.alice).principal + bytes(16)
    account = STRANGE_ID if case.get("missing") else book.alice.account
    account = book.bob.account if case.get("foreign") else account
    if case.get("other_unit"):
        account = book.account(book.alice, book.unit(b"EUR"))
    if target == raw.OF_ACCOUNT:
        return account + (STRANGE_ID if case.get("second") else bytes(16))
    payee = STRANGE_ID[::-1] if case.get("no_payee") else book.account(book.bob)
    return account + (account if case.get("self_held") else payee)


def _limit(case: Case, _: bytes) -> bytes:
    book = case.book
    zone = raw.ZERO_ID
    if case.get("horizon"):
        zone = publish(book, 1, 60, before_midnight_s=100)
    elif case.get("in_zone"):
        zone = publish(book, 1, 90 * DAY_S, before_midnight_s=100)
    zone = STRANGE_ID if case.get("no_zone") else zone
    is_held = case.get("target") == raw.OF_PAYEE
    return raw.limit(
        case.get("target", raw.OF_KEY),
        case.get("window", raw.HELD if is_held else raw.MONTH),
        _subject(case),
        STRANGE_ID if case.get("no_unit") else book.usd,
        case.get("amount", _LIMIT),
        zone_id=zone,
        operation=case.get("operation", raw.SET),
    )


def _narrow(case: Case, _: bytes) -> bytes:
    """A SPEND key narrows a limit: its own, or that of a key under it."""
    book, alice = case.book, case.book.alice
    if case.key == alice.key:
        case.key = book.add_key(alice, raw.SPEND)
    subject = case.key
    if case.is_denied or case.get("sideways"):
        subject = book.add_key(alice, raw.SPEND)
    elif case.get("under"):
        subject = book.add_key(alice, raw.SPEND)
        book.ok(alice.key, raw.delegate(subject, case.key))
    before = raw.limit(raw.OF_KEY, raw.TOTAL, subject, book.usd, _LIMIT)
    book.ok(alice.key, before)
    amount, operation = case.get("amount", _LIMIT), case.get("operation", raw.SET)
    return raw.limit(raw.OF_KEY, raw.TOTAL, subject, book.usd, amount, operation=operation)


_NO_UNIT: Final = planned("no unit", Code.UNIT_NOT_FOUND, "unit", no_unit=1)
_OTHER_UNIT: Final = planned("other unit", Code.UNIT_MISMATCH, "unit subject", other_unit=1)
_SHAPE: Final = (
    *shape(73),
    planned("window", Code.BAD_FIELD, "window", window=5),
    planned("operation", Code.BAD_FIELD, "operation amount", operation=3),
    planned("end of an amount", Code.BAD_FIELD, "operation amount", operation=raw.END),
)
_ACCOUNT: Final = (
    planned("missing", Code.ACCOUNT_NOT_FOUND, "subject", missing=1),
    planned("foreign", Code.ACCOUNT_NOT_FOUND, "subject", foreign=1),
)

LIMIT_KEY: Final = KindCases(
    "LIMIT KEY",
    lambda book: Case(book, _limit, book.alice, plan={"in_zone": 1}),
    (
        *_SHAPE,
        planned("held", Code.BAD_FIELD, "window", window=raw.HELD),
        planned("zone without days", Code.BAD_FIELD, "window", window=raw.TOTAL),
        *SIGNER,
        _NO_UNIT,
        planned("missing", Code.KEY_NOT_FOUND, "subject", missing=1),
        planned("foreign", Code.KEY_NOT_FOUND, "subject", foreign=1),
        planned("owner key", Code.KEY_NOT_FOUND, "subject", of_owner=1),
        planned("no zone", Code.ZONE_NOT_FOUND, "zone", no_zone=1),
        planned("horizon", Code.ZONE_HORIZON, "zone", horizon=1),
    ),
)

LIMIT_ACCOUNT: Final = KindCases(
    "LIMIT ACCOUNT",
    lambda book: Case(
        book, _limit, book.alice, denied_scope=raw.SPEND, plan={"target": raw.OF_ACCOUNT}
    ),
    (
        *_SHAPE,
        planned("second id", Code.BAD_FIELD, "subject", second=1),
        *SIGNER,
        _NO_UNIT,
        *_ACCOUNT,
        planned("no zone", Code.ZONE_NOT_FOUND, "zone", no_zone=1),
        _OTHER_UNIT,
    ),
)

LIMIT_PRINCIPAL: Final = KindCases(
    "LIMIT PRINCIPAL",
    lambda book: Case(
        book, _limit, book.alice, denied_scope=raw.SPEND, plan={"target": raw.OF_PRINCIPAL}
    ),
    (
        *SIGNER,
        _NO_UNIT,
        planned("foreign", Code.PRINCIPAL_MISMATCH, "subject", foreign=1),
    ),
)

LIMIT_PAYEE: Final = KindCases(
    "LIMIT PAYEE",
    lambda book: Case(
        book, _limit, book.alice, denied_scope=raw.SPEND, plan={"target": raw.OF_PAYEE}
    ),
    (
        planned("day", Code.BAD_FIELD, "window", window=raw.DAY),
        planned("of itself", Code.BAD_FIELD, "subject payee", self_held=1),
        *SIGNER,
        _NO_UNIT,
        *_ACCOUNT,
        planned("no payee", Code.CREDIT_NOT_FOUND, "payee", no_payee=1),
        _OTHER_UNIT,
    ),
)

LIMIT_NARROW: Final = KindCases(
    "LIMIT by SPEND",
    lambda book: Case(book, _narrow, book.alice, scope=raw.SPEND, plan={"under": 1}),
    (
        *SIGNER,
        planned("sideways", Code.SCOPE_DENIED, "subject", sideways=1),
        planned("wider", Code.LIMIT_WIDENED, "amount", amount=_LIMIT + 1),
        planned("end", Code.LIMIT_WIDENED, "amount", amount=0, operation=raw.END),
    ),
)


def _zone(case: Case, _: bytes) -> bytes:
    book = case.book
    publish(book, 1, 90 * DAY_S, before_midnight_s=100)
    from_ns = book.now_ns - SECOND_NS
    horizon_ns = from_ns if case.get("empty") else book.now_ns + 90 * DAY_S * SECOND_NS
    transitions = [(book.now_ns + SECOND_NS, 3_600), (book.now_ns + 9 * SECOND_NS, 7_200)]
    if case.get("descending"):
        transitions.reverse()
    name = b"no zone" if case.get("bad_name") else ZONE_NAME.encode()
    offset_s = case.get("offset", 28_800)
    version = case.get("version", 2)
    record = raw.zone(name, version, from_ns, horizon_ns, offset_s, transitions)
    if case.get("count"):
        record = raw.patched(record, 6, raw.u16(case.get("count")))
    if case.get("reserved_content"):
        content = record[136:240]
        record = raw.with_conts(record[:128], [content[:24] + b"\x01" + content[25:]])
    return record


ZONE: Final = KindCases(
    "ZONE",
    lambda book: Case(book, _zone, book.operator, scope=raw.OPERATE, denied_key=book.alice.key),
    (
        *shape(0, takes_conts=True),
        planned("too many", Code.BAD_FIELD, "conts", count=65),
        planned("another count", Code.CONT_NOT_ALLOWED, "conts", count=10),
        *shape(64)[3:],
        planned("content reserved", Code.RESERVED_NONZERO, "conts", reserved_content=1),
        planned("name", Code.BAD_FIELD, "name", bad_name=1),
        planned("version 0", Code.BAD_FIELD, "version", version=0),
        planned("offset", Code.BAD_FIELD, "offset", offset=DAY_S + 1),
        planned("no time", Code.BAD_FIELD, "times", empty=1),
        planned("descending", Code.BAD_FIELD, "conts", descending=1),
        *SIGNER,
        planned("same version", Code.ZONE_STATE, "version", version=1),
        planned("version left out", Code.ZONE_STATE, "version", version=3),
    ),
)


def _delegate(case: Case, _: bytes) -> bytes:
    book, alice = case.book, case.book.alice
    key, parent = book.add_key(alice, raw.SPEND), book.add_key(alice, raw.SPEND)
    if case.get("cycle"):
        book.ok(alice.key, raw.delegate(parent, key))
    if case.get("missing"):
        key = book.fresh_key()
    if case.get("no_parent"):
        parent = book.add_key(book.bob, raw.SPEND)
    return raw.delegate(key, key if case.get("itself") else parent)


DELEGATE: Final = KindCases(
    "DELEGATE",
    lambda book: Case(book, _delegate, book.alice),
    (
        *shape(72),
        planned("itself", Code.BAD_FIELD, "parent cycle", itself=1),
        *SIGNER,
        planned("missing", Code.KEY_NOT_FOUND, "key", missing=1),
        planned("no parent", Code.KEY_NOT_FOUND, "parent", no_parent=1),
        planned("cycle", Code.DELEGATION_INVALID, "cycle key parent", cycle=1),
    ),
)


def _move_down(case: Case, _: bytes) -> bytes:
    """A SPEND key puts a key under it further down."""
    book, alice = case.book, case.book.alice
    if case.key == alice.key:
        case.key = book.add_key(alice, raw.SPEND)
    above = case.key
    if case.is_denied:
        above = book.add_key(alice, raw.SPEND)
    key = book.add_key(alice, raw.SPEND)
    if not case.get("sideways"):
        book.ok(alice.key, raw.delegate(key, above))
    if case.get("up"):
        return raw.delegate(key)
    if case.get("itself_under"):
        return raw.delegate(above, key)
    return raw.delegate(key, above)


DELEGATE_DOWN: Final = KindCases(
    "DELEGATE by SPEND",
    lambda book: Case(book, _move_down, book.alice, scope=raw.SPEND),
    (
        *SIGNER,
        planned("sideways", Code.SCOPE_DENIED, "key", sideways=1),
        planned("up", Code.SCOPE_DENIED, "key", up=1),
        planned("itself", Code.SCOPE_DENIED, "key", itself_under=1),
    ),
)


def _kill(case: Case, _: bytes) -> bytes:
    book, alice = case.book, case.book.alice
    if case.get("missing"):
        return raw.kill(book.fresh_key())
    key = book.add_key(book.bob if case.get("foreign") else alice, raw.SPEND)
    if case.get("is_stated"):
        book.revoke_key(alice, key)
    return raw.kill(key)


KILL: Final = KindCases(
    "KILL",
    lambda book: Case(book, _kill, book.alice),
    (
        *shape(40),
        *SIGNER,
        planned("missing", Code.KEY_NOT_FOUND, "key", missing=1),
        planned("foreign", Code.KEY_NOT_FOUND, "key", foreign=1),
        planned("revoked already", Code.KEY_STATE, "key", is_stated=1),
    ),
)


def _kill_under(case: Case, _: bytes) -> bytes:
    book, alice = case.book, case.book.alice
    if case.key == alice.key:
        case.key = book.add_key(alice, raw.SPEND)
    key = book.add_key(alice, raw.SPEND)
    if not case.is_denied and not case.get("sideways"):
        book.ok(alice.key, raw.delegate(key, case.key))
    return raw.kill(key)


KILL_UNDER: Final = KindCases(
    "KILL by SPEND",
    lambda book: Case(book, _kill_under, book.alice, scope=raw.SPEND),
    (*SIGNER, planned("sideways", Code.SCOPE_DENIED, "key", sideways=1)),
)

LIMIT_KINDS: Final = (
    LIMIT_KEY,
    LIMIT_ACCOUNT,
    LIMIT_PRINCIPAL,
    LIMIT_PAYEE,
    LIMIT_NARROW,
    ZONE,
    DELEGATE,
    DELEGATE_DOWN,
    KILL,
    KILL_UNDER,
)
