"""Cases of PRINCIPAL, KEY (by operation), NAME, ACCOUNT (by operation) and UNIT."""

from typing import Final

from tests.differential import raw, raw_recovery
from tests.differential.book import SECOND_NS, Book
from tests.differential.cases import (
    CAPS,
    SIGNER,
    STRANGE_ID,
    AccountPlan,
    Case,
    KindCases,
    planned,
    set_field,
    shape,
    violation,
)

from tallystick_ledger.codes import Code

NEW_KEY: Final = b"a key that nobody has registered"


def _principal(case: Case, envelope_id: bytes) -> bytes:
    book = case.book
    principal_id = book.derived(book.principal_of(case.key), envelope_id, 0)
    return raw.principal(
        STRANGE_ID if case.get("mismatch") else principal_id,
        book.bob.key if case.get("exists") else NEW_KEY,
        case.get("type", 1),
    )


def _operator_case(book: Book, kind: str) -> Case:
    build = {"PRINCIPAL": _principal, "UNIT": _unit}[kind]
    return Case(book, build, book.operator, scope=raw.OPERATE, denied_key=book.alice.key)


PRINCIPAL: Final = KindCases(
    "PRINCIPAL",
    lambda book: _operator_case(book, "PRINCIPAL"),
    (
        *shape(120),
        planned("type", Code.BAD_FIELD, "type", type=101),
        *SIGNER,
        planned("mismatch", Code.PRINCIPAL_MISMATCH, "principal", mismatch=1),
        planned("key exists", Code.KEY_EXISTS, "key", exists=1),
    ),
)


def _fill_keys(case: Case) -> None:
    """Brings the signer to the cap on keys."""
    extra = int(case.key != case.signer.key)
    for _ in range(CAPS.keys - 1 - extra):
        case.book.add_key(case.signer, raw.SPEND)


def _until(case: Case) -> int:
    """A time at the edge, seen from when the record is sent."""
    late_ns = 20 * SECOND_NS if case.is_expired else 0
    return case.book.now_ns + late_ns + case.get("until_offset_ns")


def _key_add(case: Case, _: bytes) -> bytes:
    if case.get("key_cap"):
        _fill_keys(case)
    return raw.key(
        case.get("operation", raw.ADD),
        case.book.bob.key if case.get("exists") else NEW_KEY,
        STRANGE_ID if case.get("mismatch") else case.book.principal_of(case.key),
        scope=case.get("scope", raw.METER_SCOPE),
        until_ns=_until(case) if case.get("has_until") else 0,
    )


MISMATCH: Final = planned("mismatch", Code.PRINCIPAL_MISMATCH, "principal", mismatch=1)
KEY_EXISTS: Final = planned("key exists", Code.KEY_EXISTS, "key", exists=1)
KEY_CAP: Final = planned("key cap", Code.CAP_EXCEEDED, "key_cap", key_cap=1)

KEY_ADD: Final = KindCases(
    "KEY ADD",
    lambda book: Case(book, _key_add, book.alice, denied_scope=raw.SPEND),
    (
        *shape(0),
        planned("operation", Code.BAD_FIELD, "operation", operation=4),
        planned("no scope", Code.BAD_FIELD, "scope_field", scope=0),
        planned("scope of nodes", Code.BAD_FIELD, "scope_field", scope=raw.NODE),
        planned("scope of operators", Code.BAD_FIELD, "scope_field", scope=raw.OPERATE),
        planned("no such scope", Code.BAD_FIELD, "scope_field", scope=11),
        *SIGNER,
        MISMATCH,
        KEY_EXISTS,
        planned(
            "until now",
            Code.EXPIRY_INVALID,
            "until revoked",
            has_until=1,
            until_offset_ns=0,
        ),
        KEY_CAP,
    ),
)


KEY_ADD_AUDIT: Final = KindCases(
    "KEY ADD AUDIT",
    lambda book: Case(
        book,
        _key_add,
        book.operator,
        scope=raw.OPERATE,
        denied_key=book.alice.key,
        plan={"scope": raw.AUDIT},
    ),
    (*SIGNER, MISMATCH, KEY_EXISTS),
)


def _key_revoke(case: Case, _: bytes) -> bytes:
    book = case.book
    victim = book.add_key(book.alice, raw.SPEND)
    if case.get("is_stated"):
        book.revoke_key(book.alice, victim)
    if case.get("began"):
        victim = book.add_key(book.alice, raw.RECOVERY)
        book.ok(victim, raw_recovery.recover(NEW_KEY, book.alice.principal))
    if case.get("unknown"):
        victim = NEW_KEY
    if case.get("of_bob"):
        victim = book.bob.key
    if case.get("last_owner"):
        victim = book.alice.key
    return raw.key(
        raw.REVOKE,
        victim,
        STRANGE_ID if case.get("mismatch") else book.alice.principal,
        scope=case.get("scope"),
        until_ns=case.get("until_ns"),
        possession=b"\x01" * 64 if case.get("possession") else None,
    )


KEY_REVOKE: Final = KindCases(
    "KEY REVOKE",
    lambda book: Case(book, _key_revoke, book.alice),
    (
        *shape(0),
        planned("scope field", Code.BAD_FIELD, "scope_field", scope=raw.SPEND),
        planned("until", Code.RESERVED_NONZERO, "until", until_ns=1),
        planned("possession", Code.RESERVED_NONZERO, "possession", possession=1),
        *SIGNER,
        MISMATCH,
        planned("unknown key", Code.KEY_NOT_FOUND, "victim", unknown=1),
        planned("key of another", Code.KEY_NOT_FOUND, "victim", of_bob=1),
        planned("revoked already", Code.KEY_STATE, "victim", is_stated=1),
        planned("began a recovery", Code.RECOVERY_PENDING, "victim", began=1),
        planned("last owner", Code.LAST_OWNER_KEY, "victim revoked expired scope", last_owner=1),
    ),
)


def _revoke_audit(case: Case, _: bytes) -> bytes:
    book, operator = case.book, case.book.operator
    victim = book.audit_key()
    if case.get("is_stated"):
        book.revoke_key(operator, victim)
    if case.get("of_alice"):
        victim = book.add_key(book.alice, raw.READ)
    principal_id = STRANGE_ID if case.get("mismatch") else book.principal_of(case.key)
    return raw.key(raw.REVOKE, victim, principal_id)


KEY_REVOKE_AUDIT: Final = KindCases(
    "KEY REVOKE AUDIT",
    lambda book: Case(
        book, _revoke_audit, book.operator, scope=raw.OPERATE, denied_key=book.node.key
    ),
    (
        *SIGNER,
        MISMATCH,
        planned("key of a customer", Code.KEY_NOT_FOUND, "victim", of_alice=1),
        planned("revoked already", Code.KEY_STATE, "victim revoked expired", is_stated=1),
    ),
)


def _key_rotate(case: Case, _: bytes) -> bytes:
    if case.get("key_cap"):
        _fill_keys(case)
    return raw.key(
        raw.ROTATE,
        case.book.bob.key if case.get("exists") else NEW_KEY,
        STRANGE_ID if case.get("mismatch") else case.book.principal_of(case.key),
        scope=case.get("scope"),
        until_ns=_until(case) if case.get("has_until") else 0,
    )


def _rotate_case(book: Book) -> Case:
    return Case(book, _key_rotate, book.alice, denied_key=book.node.key)


KEY_ROTATE: Final = KindCases(
    "KEY ROTATE",
    _rotate_case,
    (
        *shape(0),
        planned("scope field", Code.BAD_FIELD, "scope_field", scope=raw.SPEND),
        *SIGNER[:2],
        set_field("scope", Code.SCOPE_DENIED, "scope revoked expired", "is_denied"),
        MISMATCH,
        KEY_EXISTS,
        planned(
            "until before now",
            Code.EXPIRY_INVALID,
            "until revoked",
            has_until=1,
            until_offset_ns=-1,
        ),
        KEY_CAP,
    ),
)


def _name(case: Case, _: bytes) -> bytes:
    book, text = case.book, b"a name"
    if case.get("exists"):
        book.ok(book.alice.key, raw.name(text))
    if case.get("name_cap"):
        for number in range(CAPS.names - case.get("exists")):
            book.ok(book.alice.key, raw.name(b"other %d" % number))
    if case.get("bad_text"):
        text = b"a \xff name"
    record = raw.name(text, case.get("name_kind", 1), case.get("length", len(text)))
    if case.get("rest"):
        record = raw.patched(record, 16 + 63, b"x")
    if case.get("more_conts"):
        record = raw.with_conts(record, [bytes(104)])
    return record


NAME: Final = KindCases(
    "NAME",
    lambda book: Case(book, _name, book.alice),
    (
        *shape(10, takes_conts=True),
        planned("name kind 0", Code.BAD_FIELD, "name_kind", name_kind=0),
        planned("name kind 8", Code.BAD_FIELD, "name_kind", name_kind=8),
        planned("length 0", Code.BAD_FIELD, "length", length=0),
        planned("length 257", Code.BAD_FIELD, "length", length=257),
        planned("one CONT too many", Code.CONT_NOT_ALLOWED, "more_conts", more_conts=1),
        planned("one CONT too few", Code.CONT_NOT_ALLOWED, "length more_conts", length=65),
        planned("rest", Code.RESERVED_NONZERO, "rest", rest=1),
        planned("text", Code.BAD_FIELD, "text", bad_text=1),
        *SIGNER,
        planned("name exists", Code.NAME_EXISTS, "text", exists=1),
        planned("name cap", Code.CAP_EXCEEDED, "name_cap", name_cap=1),
    ),
)


def _account_open(case: Case, _: bytes) -> bytes:
    book = case.book
    if case.get("account_cap"):
        for _count in range(CAPS.accounts - 1):
            book.account(book.alice)
    return raw.account(
        case.get("operation", raw.OPEN),
        unit=STRANGE_ID if case.get("no_unit") else book.usd,
        account_id=STRANGE_ID if case.get("has_account") else raw.ZERO_ID,
    )


ACCOUNT_OPEN: Final = KindCases(
    "ACCOUNT OPEN",
    lambda book: Case(book, _account_open, book.alice),
    (
        *shape(40),
        planned("operation 0", Code.BAD_FIELD, "operation", operation=0),
        planned("operation 5", Code.BAD_FIELD, "operation", operation=5),
        planned("account named", Code.RESERVED_NONZERO, "account", has_account=1),
        *SIGNER,
        planned("no unit", Code.UNIT_NOT_FOUND, "unit", no_unit=1),
        planned("account cap", Code.CAP_EXCEEDED, "account_cap", account_cap=1),
    ),
)


def _account_change(case: Case, _: bytes) -> bytes:
    book = case.book
    operation = case.get("operation")
    case.debit.frozen = bool(case.get("is_stated")) == (operation == raw.FREEZE)
    if operation == raw.CLOSE:
        case.debit.frozen = False
    amount = 10 if case.get("not_empty") else 0
    account = case.debit.make(book, case.signer, amount)
    return raw.account(
        operation,
        unit=book.usd if case.get("names_unit") else raw.ZERO_ID,
        account_id=account,
    )


def _change_case(book: Book, operation: int) -> Case:
    return Case(book, _account_change, book.alice, plan={"operation": operation})


def _issuance_of_bank(case: Case) -> None:
    case.signer, case.debit = case.book.bank, AccountPlan(issuance=True)


_ACCOUNT_RULES: Final = (
    *shape(111),
    planned("unit named", Code.RESERVED_NONZERO, "unit", names_unit=1),
    *SIGNER,
    set_field("missing", Code.ACCOUNT_NOT_FOUND, "account closed state", "debit.missing"),
    set_field("foreign", Code.ACCOUNT_NOT_FOUND, "account closed state", "debit.foreign"),
    violation("issuance", Code.ISSUANCE_ACCOUNT, "account closed state", _issuance_of_bank),
    set_field("granted", Code.GRANT_ACCOUNT, "account closed state amount", "debit.granted"),
)


_CLOSED: Final = set_field("closed", Code.ACCOUNT_CLOSED, "closed amount", "debit.closed")

ACCOUNT_FREEZE: Final = KindCases(
    "ACCOUNT FREEZE",
    lambda book: _change_case(book, raw.FREEZE),
    (
        *_ACCOUNT_RULES,
        _CLOSED,
        planned("frozen", Code.ACCOUNT_STATE, "state", is_stated=1),
    ),
)
ACCOUNT_UNFREEZE: Final = KindCases(
    "ACCOUNT UNFREEZE",
    lambda book: _change_case(book, raw.UNFREEZE),
    (
        *_ACCOUNT_RULES,
        _CLOSED,
        planned("not frozen", Code.ACCOUNT_STATE, "state", is_stated=1),
    ),
)
ACCOUNT_CLOSE: Final = KindCases(
    "ACCOUNT CLOSE",
    lambda book: _change_case(book, raw.CLOSE),
    (
        *_ACCOUNT_RULES,
        _CLOSED,
        planned("not empty", Code.ACCOUNT_NOT_EMPTY, "amount state", not_empty=1),
    ),
)


def _unit(case: Case, _: bytes) -> bytes:
    book = case.book
    if case.get("account_cap"):
        for _count in range(CAPS.accounts - 1):  # one is its first unit's
            book.account(book.bank)
    issuer = STRANGE_ID if case.get("strange_issuer") else book.bank.principal
    symbol = b"USD" if case.get("exists") else b"NEW"
    if case.get("bad_symbol"):
        symbol = b"new"
    settlement, flags = _settlement_unit(case)
    return raw.unit(
        raw.ZERO_ID if case.get("zero_issuer") else issuer,
        symbol.ljust(16, b"\0"),
        case.get("exponent", 0),
        settlement=settlement,
        flags=flags,
    )


def _settlement_unit(case: Case) -> tuple[bytes, int]:
    """What the unit is settled in, and its flags."""
    book = case.book
    if case.get("settlement_zero"):
        return raw.ZERO_ID, raw.DEFERRED
    if case.get("settlement_missing"):
        return STRANGE_ID, raw.DEFERRED
    if case.get("settlement_deferred"):
        return book.deferred_unit(), raw.DEFERRED
    if case.get("settlement_coarser"):
        record = raw.unit(book.bank.principal, b"NANO".ljust(16, b"\0"), 9)
        return book.ok(book.operator.key, record).ids[0], raw.DEFERRED
    if case.get("settlement_unflagged"):
        return book.usd, 0
    return raw.ZERO_ID, 0


UNIT: Final = KindCases(
    "UNIT",
    lambda book: _operator_case(book, "UNIT"),
    (
        *shape(7),
        planned("unflagged", Code.RESERVED_NONZERO, "settlement", settlement_unflagged=1),
        planned("exponent", Code.BAD_FIELD, "exponent", exponent=19),
        planned("symbol", Code.BAD_FIELD, "symbol", bad_symbol=1),
        planned("zero issuer", Code.BAD_FIELD, "issuer", zero_issuer=1),
        planned("settlement zero", Code.BAD_FIELD, "settlement", settlement_zero=1),
        *SIGNER,
        planned("no such issuer", Code.PRINCIPAL_NOT_FOUND, "issuer", strange_issuer=1),
        planned("symbol taken", Code.UNIT_EXISTS, "symbol", exists=1),
        planned("no settlement", Code.UNIT_NOT_FOUND, "settlement", settlement_missing=1),
        planned("deferred", Code.UNIT_DEFERRED, "settlement account_cap", settlement_deferred=1),
        planned("coarser", Code.UNIT_MISMATCH, "settlement account_cap", settlement_coarser=1),
        planned("account cap", Code.CAP_EXCEEDED, "account_cap", account_cap=1),
    ),
)

REGISTRY_KINDS: Final = (
    PRINCIPAL,
    KEY_ADD,
    KEY_ADD_AUDIT,
    KEY_REVOKE,
    KEY_REVOKE_AUDIT,
    KEY_ROTATE,
    NAME,
    ACCOUNT_OPEN,
    ACCOUNT_FREEZE,
    ACCOUNT_UNFREEZE,
    ACCOUNT_CLOSE,
    UNIT,
)
