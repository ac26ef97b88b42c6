"""Cases of LIST, GRANT, CLAW_BACK and RELATION; and of the account of a grant in other records."""

from typing import Final

from tests.differential import raw, raw_grants
from tests.differential.book import SECOND_NS, START_AMOUNT
from tests.differential.cases import (
    CAPS,
    FUNDS,
    REFERENCE_CAP,
    REFERENCE_USED,
    SIGNER,
    STRANGE_ID,
    UNIQUE_ZERO,
    Case,
    KindCases,
    movable,
    movable_state,
    planned,
    shape,
)
from tests.differential.cases_limits import LIMITS, bound
from tests.differential.cases_money import ZERO_AMOUNT

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import MAX_GRANT_NS, MAX_LISTS, MAX_LIVE_GRANTS, MIN_GRANT_NS

EXPIRED_NS: Final = 20 * SECOND_NS  # how long a case of an expired key waits
_MEMBERS: Final = (b"first member....", b"second member...")
_NO_CONTS: Final = planned("conts", Code.CONT_NOT_ALLOWED, "conts", no_conts=1)
_TOO_SOON, _TOO_FAR = 1, 2
_KEY: Final = b"exclusivity key."


def _list(case: Case, _: bytes) -> bytes:
    book = case.book
    if case.get("cap"):
        lists = [
            raw_grants.id_list([number.to_bytes(16, "big")]) for number in range(1, MAX_LISTS + 1)
        ]
        for start in range(0, MAX_LISTS, 16):
            book.ok(case.signer.key, *lists[start : start + 16])
    members = list(_MEMBERS)
    if case.get("descending"):
        members.reverse()
    record = raw_grants.id_list(members, 257 if case.get("too_many") else None)
    if case.get("padded"):
        return raw.with_conts(record[: raw.RECORD_BYTES], [b"".join(members).ljust(104, b"\1")])
    return raw.with_conts(record[: raw.RECORD_BYTES], []) if case.get("no_conts") else record


LIST: Final = KindCases(
    "LIST",
    lambda book: Case(book, _list, book.alice),
    (
        *shape(0, takes_conts=True),
        planned("too many", Code.BAD_FIELD, "conts count", too_many=1),
        _NO_CONTS,
        *shape(8, takes_conts=True)[2:],
        planned("padding", Code.RESERVED_NONZERO, "conts reserved", padded=1),
        planned("descending", Code.BAD_FIELD, "count order conts", descending=1),
        *SIGNER,
        planned("cap", Code.CAP_EXCEEDED, "cap", cap=1),
    ),
)


def _other_sponsor_grants(case: Case, count: int, exclusivity: bytes = raw.ZERO_ID) -> None:
    """Grants of others to the grantee, as many a sponsor as it may have accounts."""
    book = case.book
    until_ns = book.now_ns + 900 * SECOND_NS
    while count > 0:
        sponsor = book.customer()
        some = min(count, CAPS.accounts - 1)
        record = raw_grants.grant(
            sponsor.account, book.bob.principal, 1, until_ns, exclusivity=exclusivity
        )
        book.ok(sponsor.key, *[record] * some)
        count -= some


def _grant(case: Case, _: bytes) -> bytes:
    book = case.book

    def use(reference: int) -> bytes:
        until_ns = book.now_ns + 2 * SECOND_NS
        pool, stranger = book.alice.account, book.bank.principal
        return raw_grants.grant(pool, stranger, 1, until_ns, reference, flags=raw.UNIQUE)

    reference, flags = case.prepare_references(use)
    pool = case.debit.make(book, case.signer, START_AMOUNT)
    if case.get("deferred"):
        pool = book.account(case.signer, book.deferred_unit())
    if case.get("double"):
        _other_sponsor_grants(case, 1, _KEY)
    if case.get("grantee_cap"):
        _other_sponsor_grants(case, MAX_LIVE_GRANTS - int(case.get("double")))
    if case.get("account_cap"):
        while book.codes(case.signer.key, raw.open_account(book.usd)) == [Code.OK]:
            pass
    bound(case)
    sent_at_ns = book.now_ns + (EXPIRED_NS if case.is_expired else 0)
    lifetime_ns = {
        _TOO_SOON: MIN_GRANT_NS - 1,
        _TOO_FAR: MAX_GRANT_NS + 1,
    }.get(case.get("lifetime"), 500 * SECOND_NS)
    grantee = STRANGE_ID if case.get("no_grantee") else book.bob.principal
    registrar = b"no such registr." if case.get("no_registrar") else raw.ZERO_ID
    record = raw_grants.grant(
        pool,
        grantee,
        case.get("amount", 5),
        sent_at_ns + lifetime_ns,
        reference,
        flags=flags,
        ratio=1_000_001 if case.get("ratio") else 500_000,
        models=STRANGE_ID if case.get("no_list") else raw.ZERO_ID,
        registrar=grantee if case.get("own_registrar") else registrar,
        exclusivity=_KEY,
    )
    if case.get("padded"):
        return raw.with_conts(record[: raw.RECORD_BYTES], [record[136:239] + b"\1"])
    return raw.with_conts(record[: raw.RECORD_BYTES], []) if case.get("no_conts") else record


_POOL: Final = "debit.closed debit.frozen debit.issuance debit.full debit.pinned"
_POOL_STATE: Final = movable_state("debit")
GRANT: Final = KindCases(
    "GRANT",
    lambda book: Case(book, _grant, book.alice),
    (
        *shape(0, takes_conts=True),
        _NO_CONTS,
        planned("padding", Code.RESERVED_NONZERO, "conts", padded=1),
        planned("ratio", Code.BAD_FIELD, "conts ratio", ratio=1),
        UNIQUE_ZERO,
        ZERO_AMOUNT,
        planned("own registrar", Code.SELF_DECLARED, "conts registrar", own_registrar=1),
        *SIGNER,
        REFERENCE_USED,
        *movable("debit", Code.DEBIT_NOT_FOUND),
        planned("no grantee", Code.PRINCIPAL_NOT_FOUND, "grantee double", no_grantee=1),
        planned("no list", Code.LIST_NOT_FOUND, "conts list", no_list=1),
        planned("no registrar", Code.PRINCIPAL_NOT_FOUND, "conts registrar", no_registrar=1),
        *_POOL_STATE,
        planned("deferred", Code.UNIT_DEFERRED, f"amount issuance {_POOL}", deferred=1),
        planned("too soon", Code.EXPIRY_INVALID, "lifetime", lifetime=_TOO_SOON),
        planned("too far", Code.EXPIRY_INVALID, "lifetime", lifetime=_TOO_FAR),
        planned("double", Code.DOUBLE_SUBSIDY, "double grantee expired", double=1),
        planned("grantee cap", Code.CAP_EXCEEDED, "grantee cap reference_cap", grantee_cap=1),
        planned("account cap", Code.CAP_EXCEEDED, "cap issuance", account_cap=1),
        REFERENCE_CAP,
        *LIMITS,
        *FUNDS,
    ),
)


def _claw_back(case: Case, _: bytes) -> bytes:
    book = case.book
    lifetime_ns = (10 if case.get("due") else 500) * SECOND_NS
    grant = book.grant(book.alice, book.bob, 5, lifetime_ns=lifetime_ns)
    if case.get("ended"):
        book.ok(book.alice.key, raw_grants.claw_back(grant))
    if case.get("due"):
        case.wait_ns = 15 * SECOND_NS
    for name, person in (("grantee", book.bob), ("stranger", book.bank)):
        if case.get(f"by_{name}"):
            case.key = person.key
    return raw_grants.claw_back(STRANGE_ID if case.get("missing") else grant)


_BY_OTHERS: Final = "revoked expired scope party"
CLAW_BACK: Final = KindCases(
    "CLAW_BACK",
    lambda book: Case(book, _claw_back, book.alice),
    (
        *shape(24),
        *SIGNER,
        planned("missing", Code.GRANT_NOT_FOUND, "missing ended due", missing=1),
        planned("stranger", Code.GRANT_NOT_FOUND, _BY_OTHERS, by_stranger=1),
        planned("grantee", Code.NOT_SPONSOR, _BY_OTHERS, by_grantee=1),
        planned("ended", Code.GRANT_ENDED, "ended", ended=1),
        planned("due", Code.GRANT_ENDED, "due ended", due=1),
    ),
)


def _relation(case: Case, _: bytes) -> bytes:
    book = case.book
    first, second = sorted((book.alice.principal, book.bob.principal))
    if case.get("stated"):
        book.ok(case.signer.key, raw_grants.relation((first, second)))
    if case.get("cap"):
        others = [book.register().principal for _ in range(CAPS.references)]
        pairs = [sorted((book.alice.principal, other)) for other in others]
        book.ok(case.signer.key, *(raw_grants.relation(pair) for pair in pairs))
    if case.get("party"):
        first, second = sorted((first, case.signer.principal))
    if case.get("missing"):
        first, second = sorted((first, STRANGE_ID))
    if case.get("descending"):
        first, second = second, first
    return raw_grants.relation((first, second), case.get("operation", raw_grants.STATE))


RELATION: Final = KindCases(
    "RELATION",
    lambda book: Case(book, _relation, book.register()),
    (
        *shape(40),
        planned("operation", Code.BAD_FIELD, "operation", operation=3),
        planned("descending", Code.BAD_FIELD, "order", descending=1),
        *SIGNER,
        planned("missing", Code.PRINCIPAL_NOT_FOUND, "parties", missing=1),
        planned("ends none", Code.RELATION_NOT_FOUND, "operation stated", operation=raw_grants.END),
        planned("party", Code.SELF_DECLARED, "parties stated", party=1),
        planned("stated", Code.RELATION_EXISTS, "stated operation", stated=1),
        planned("cap", Code.CAP_EXCEEDED, "cap stated", cap=1),
    ),
)

GRANT_KINDS: Final = (LIST, GRANT, CLAW_BACK, RELATION)
