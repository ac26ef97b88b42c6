"""Cases of RECOVER and VETO."""

from typing import Final

from tests.differential import raw, raw_recovery
from tests.differential.book import Book, Person
from tests.differential.cases import (
    CAPS,
    SIGNER,
    STRANGE_ID,
    Case,
    KindCases,
    planned,
    shape,
)
from tests.differential.cases_registry import KEY_CAP, KEY_EXISTS, MISMATCH, NEW_KEY

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import MAX_RECOVERY_NS, MIN_RECOVERY_NS

PENDING_KEY: Final = b"a key that is announced already."


def begin(book: Book, person: Person, key: bytes = PENDING_KEY) -> bytes:
    """Begins a recovery by a new RECOVERY key, which is returned."""
    recovery_key = book.add_key(person, raw.RECOVERY)
    book.ok(recovery_key, raw_recovery.recover(key, person.principal))
    return recovery_key


def _recover(case: Case, _: bytes) -> bytes:
    book, alice = case.book, case.book.alice
    if case.key == alice.key:
        case.key = book.add_key(alice, raw.RECOVERY)
    if case.get("pending"):
        begin(book, alice)
    if case.get("announced"):
        begin(book, book.bob, NEW_KEY)
    if case.get("key_cap"):
        taken = 2 + 2 * case.get("pending")
        for _count in range(CAPS.keys - taken):
            book.add_key(alice, raw.SPEND)
    return raw_recovery.recover(
        book.bob.key if case.get("exists") else NEW_KEY,
        STRANGE_ID if case.get("mismatch") else book.principal_of(case.key),
        case.get("delay_ns", MIN_RECOVERY_NS),
    )


RECOVER: Final = KindCases(
    "RECOVER",
    lambda book: Case(book, _recover, book.alice, scope=raw.RECOVERY),
    (
        *shape(6),
        planned("too soon", Code.BAD_FIELD, "delay", delay_ns=MIN_RECOVERY_NS - 1),
        planned("too late", Code.BAD_FIELD, "delay", delay_ns=MAX_RECOVERY_NS + 1),
        *SIGNER,
        MISMATCH,
        KEY_EXISTS,
        planned("announced", Code.KEY_EXISTS, "key", announced=1),
        planned("pending", Code.RECOVERY_PENDING, "pending", pending=1),
        KEY_CAP,
    ),
)


def _veto(case: Case, _: bytes) -> bytes:
    if not case.get("none"):
        begin(case.book, case.book.bob if case.get("of_bob") else case.book.alice)
    return raw_recovery.veto(NEW_KEY if case.get("other") else PENDING_KEY)


VETO: Final = KindCases(
    "VETO",
    lambda book: Case(book, _veto, book.alice),
    (
        *shape(40),
        *SIGNER,
        planned("none", Code.RECOVERY_NOT_FOUND, "pending", none=1),
        planned("of another", Code.RECOVERY_NOT_FOUND, "pending", of_bob=1),
        planned("to another key", Code.RECOVERY_NOT_FOUND, "key", other=1),
    ),
)

RECOVERY_KINDS: Final = (RECOVER, VETO)
