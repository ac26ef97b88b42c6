"""A good record of each kind, and every way to spoil it, in the order in which it is checked.

A `Case` is a plan: which accounts there are, in which state, who signs, what the fields say. A
`Violation` changes the plan so that one rule is broken; two that `touch` nothing in common can be
broken at once. `Case.send` carries the plan out on a fresh ledger and sends the one record.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.differential import raw
from tests.differential.book import (
    MAX_U128,
    SECOND_NS,
    START_AMOUNT,
    STEP_NS,
    Book,
    Person,
    Receipt,
    genesis_for_tests,
)
from tests.differential.engines import Engine

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps, Genesis

CAPS: Final = Caps(live_ids=100, accounts=8, open_holds=4, keys=5, names=2, references=3)
HALF: Final = MAX_U128 // 2
USED_REFERENCE: Final = 4242
NEW_REFERENCE: Final = 777
STRANGE_ID: Final = b"no such object.."


def genesis_of_cases() -> Genesis:
    return genesis_for_tests(CAPS)


@dataclass(slots=True)
class AccountPlan:
    """An account that the record names.

    Attributes:
        missing: There is none.
        foreign: It is somebody else's.
        issuance: It is the unit's issuance account.
        granted: It is the account of a grant.
        other_unit: It is of another unit than the rest.
        full: Its credits_posted is 2**128 - 2.
        frozen: It is frozen.
        closed: It is closed.
        pinned: Of its 1,000, open holds pin 600.
    """

    missing: bool = False
    foreign: bool = False
    issuance: bool = False
    granted: bool = False
    other_unit: bool = False
    full: bool = False
    frozen: bool = False
    closed: bool = False
    pinned: bool = False

    def make(self, book: Book, owner: Person, amount: int) -> bytes:
        """Makes the account with an amount in it and returns its id."""
        unit = book.unit(b"EUR") if self.other_unit else book.usd
        if self.missing:
            return book.new_id()
        if self.issuance:
            return unit
        if self.foreign:
            owner = book.bob if owner is book.alice else book.alice
        account = book.account(owner, unit)
        if self.granted:
            book.issue(account, 1, unit)
            sponsor = Person(owner.principal, owner.key, account)
            return book.grant(sponsor, book.bank, 1)
        if self.full:
            self._fill(book, owner, account, unit)
        if amount and not self.closed:
            book.issue(account, amount, unit)
        if self.pinned:
            pinned = raw.reserve(account, book.bob.account, 600, book.now_ns + 100 * SECOND_NS)
            book.ok(owner.key, pinned)
        if self.frozen:
            book.ok(owner.key, raw.account(raw.FREEZE, account_id=account))
        if self.closed:
            book.ok(owner.key, raw.account(raw.CLOSE, account_id=account))
        return account

    def _fill(self, book: Book, owner: Person, account: bytes, unit: bytes) -> None:
        second = book.account(owner, unit)
        book.issue(account, HALF, unit)
        book.ok(owner.key, raw.transfer(account, second, HALF))
        book.ok(owner.key, raw.transfer(second, account, HALF))
        if self.closed:
            book.ok(owner.key, raw.transfer(account, second, HALF))


@dataclass(slots=True)
class Case:
    """The plan of one record.

    Attributes:
        book: Where it is sent.
        build: Makes the record out of the plan, given the id of its envelope.
        signer: Whose principal signs.
        scope: Of a good signing key.
        denied_key: Signs where the scope is to be wrong; else a METER key of the signer does.
        debit, credit: The accounts of a record that moves money.
        used_ids: Ids that the records derived which used up references.
        plan: What else the record's builder asks for, by name.
    """

    book: Book
    build: Callable[["Case", bytes], bytes]
    signer: Person
    scope: int = raw.OWNER
    denied_scope: int = raw.METER_SCOPE
    denied_key: bytes = b""
    is_denied: bool = False
    is_expired: bool = False
    is_revoked: bool = False
    kind: int = 0
    flags: int = 0
    conts: int = 0
    patches: list[tuple[int, bytes]] = field(default_factory=list)
    debit: AccountPlan = field(default_factory=AccountPlan)
    credit: AccountPlan = field(default_factory=AccountPlan)
    reference: int = 0
    is_unique: bool = False
    is_reference_used: bool = False
    is_reference_cap_reached: bool = False
    used_ids: list[bytes] = field(default_factory=list)
    plan: dict[str, int] = field(default_factory=dict)
    wait_ns: int = 0
    key: bytes = b""

    def get(self, name: str, default: int = 0) -> int:
        return self.plan.get(name, default)

    def send(self) -> Receipt:
        """Carries the plan out and sends the record."""
        self.key = self._signing_key()
        self.book.now_ns += STEP_NS
        envelope_id = self.book.new_id()
        record = self.build(self, envelope_id)
        record = raw.patched(record, 2, raw.u16(int.from_bytes(record[2:4], "little") | self.flags))
        if self.kind:
            record = raw.patched(record, 0, raw.u16(self.kind))
        for offset, content in self.patches:
            record = raw.patched(record, offset, content)
        if self.conts:
            record = raw.with_conts(record[: raw.RECORD_BYTES], [b"more"] * self.conts)
        if self.is_revoked:
            self._revoke()
        if self.is_expired:
            self.wait_ns = max(self.wait_ns, 20 * SECOND_NS)
        at_ns = self.book.now_ns + self.wait_ns
        return self.book.send(self.key, record, at_ns=at_ns, envelope_id=envelope_id)

    def prepare_references(self, use: Callable[[int], bytes]) -> tuple[int, int]:
        """Uses up references as planned; returns (reference, flags) of the record."""
        if self.is_reference_cap_reached:
            self.is_unique = True
            self.reference = self.reference or NEW_REFERENCE
        if self.is_reference_used:
            self.is_unique, self.reference = True, USED_REFERENCE
        used = [USED_REFERENCE] if self.is_reference_used else []
        if self.is_reference_cap_reached:
            used += range(1, 1 + CAPS.references - len(used))
        for reference in used:
            self.used_ids += self.book.ok(self.signer.key, use(reference)).ids
        unique_zero = self.is_unique and self.get("zero_reference")
        return (0 if unique_zero else self.reference), (raw.UNIQUE if self.is_unique else 0)

    def _signing_key(self) -> bytes:
        ends = self.is_expired or self.is_revoked
        if not ends and self.is_denied and self.denied_key:
            return self.denied_key
        if not ends and not self.is_denied:
            return self.signer.key
        scope = self.denied_scope if self.is_denied else self.scope
        if self.scope in (raw.OPERATE, raw.NODE):  # theirs neither end nor are revoked
            self.signer, scope = self.book.bank, raw.OWNER
        until_ns = self.book.now_ns + 10 * SECOND_NS if self.is_expired else 0
        return self.book.add_key(self.signer, scope, until_ns)

    def _revoke(self) -> None:
        self.book.revoke_key(self.signer, self.key)


Break = Callable[[Case], None]


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule.

    Attributes:
        name: For people.
        code: The answer.
        touches: Parts of the plan that it needs for itself.
        break_it: Changes the plan.
    """

    name: str
    code: Code
    touches: frozenset[str]
    break_it: Break


@dataclass(frozen=True, slots=True)
class KindCases:
    """A good record of a kind (or of one of its operations), and its rules in order."""

    name: str
    start: Callable[[Book], Case] = field(repr=False)
    violations: tuple[Violation, ...] = field(repr=False)


def violation(name: str, code: Code, touches: str, break_it: Break) -> Violation:
    return Violation(name, code, frozenset(touches.split()), break_it)


def planned(name: str, code: Code, touches: str, **plan: int) -> Violation:
    """A violation that only sets entries of `Case.plan`."""
    return violation(name, code, touches, lambda case: case.plan.update(plan))


def set_field(name: str, code: Code, touches: str, path: str) -> Violation:
    """A violation that only sets a flag of the case, or of one of its account plans."""

    def break_it(case: Case) -> None:
        owner, _, attribute = path.rpartition(".")
        setattr(getattr(case, owner) if owner else case, attribute, True)

    return violation(name, code, touches, break_it)


def shape(reserved_offset: int, *, takes_conts: bool = False) -> tuple[Violation, ...]:
    """The rules on bytes that all kinds share."""
    rules = [
        violation("kind", Code.UNKNOWN_KIND, "kind", _set_kind),
        violation("flags", Code.UNKNOWN_FLAGS, "flags", _set_flags),
    ]
    if not takes_conts:
        rules.append(violation("conts", Code.CONT_NOT_ALLOWED, "conts", _set_conts))
    if reserved_offset:
        rules.append(
            violation(
                "reserved",
                Code.RESERVED_NONZERO,
                "reserved",
                lambda case: case.patches.append((reserved_offset, b"\x01")),
            )
        )
    return tuple(rules)


def _set_kind(case: Case) -> None:
    case.kind = 0x0666


def _set_flags(case: Case) -> None:
    case.flags |= 0x4000


def _set_conts(case: Case) -> None:
    case.conts = 2


def _make_unique_zero(case: Case) -> None:
    case.is_unique = True
    case.plan["zero_reference"] = 1


SIGNER: Final = (
    set_field("revoked", Code.KEY_REVOKED, "revoked", "is_revoked"),
    set_field("expired", Code.KEY_EXPIRED, "expired", "is_expired"),
    set_field("scope", Code.SCOPE_DENIED, "scope", "is_denied"),
)
UNIQUE_ZERO: Final = violation(
    "unique zero",
    Code.BAD_FIELD,
    "reference",
    _make_unique_zero,
)
REFERENCE_USED: Final = set_field(
    "reference used", Code.REFERENCE_USED, "reference", "is_reference_used"
)
REFERENCE_CAP: Final = set_field(
    "reference cap", Code.CAP_EXCEEDED, "reference_cap", "is_reference_cap_reached"
)


def movable(side: str, missing: Code) -> tuple[Violation, ...]:
    """Existence of the account on one side of a record, for `movable_state` after both sides."""
    parts = ("missing", "closed", "frozen", "issuance", "unit", "full", "pinned")
    everything = " ".join(f"{side}.{part}" for part in parts)
    rules = [set_field(f"{side} missing", missing, everything, f"{side}.missing")]
    if side == "debit":
        rules.append(set_field(f"{side} foreign", missing, everything, f"{side}.foreign"))
    return tuple(rules)


def movable_state(side: str) -> tuple[Violation, ...]:
    """State of the account on one side of a TRANSFER or RESERVE."""
    ordinary = f"{side}.closed {side}.frozen {side}.issuance {side}.full {side}.pinned"
    bank = " revoked expired scope reference reference_cap" if side == "debit" else ""
    return (
        set_field(
            f"{side} closed",
            Code.ACCOUNT_CLOSED,
            f"{side}.closed {side}.pinned",
            f"{side}.closed",
        ),
        set_field(f"{side} frozen", Code.ACCOUNT_FROZEN, f"{side}.frozen", f"{side}.frozen"),
        violation(
            f"{side} issuance",
            Code.ISSUANCE_ACCOUNT,
            f"issuance {ordinary} {side}.unit{bank}",
            lambda case: _make_issuance(case, side),
        ),
        set_field(
            f"{side} granted",
            Code.GRANT_ACCOUNT,
            f"issuance {ordinary} amount",
            f"{side}.granted",
        ),
    )


def _make_issuance(case: Case, side: str) -> None:
    if side == "debit":
        case.debit.issuance = True
        case.signer = case.book.bank
    else:
        case.credit.issuance = True


SELF: Final = planned(
    "self",
    Code.SELF_TRANSFER,
    " ".join(
        f"{side}.{part}"
        for side in ("debit", "credit")
        for part in ("missing", "closed", "frozen", "issuance", "unit", "full", "pinned")
    ),
    self_transfer=1,
)
UNIT_MISMATCH: Final = set_field(
    "unit mismatch", Code.UNIT_MISMATCH, "credit.unit", "credit.other_unit"
)


def _hold_funds(case: Case) -> None:
    case.debit.pinned = True
    case.plan["amount"] = 401


FUNDS: Final = (
    planned("insufficient", Code.INSUFFICIENT_FUNDS, "amount", amount=START_AMOUNT + 1),
    violation("held", Code.FUNDS_HELD, "amount debit.pinned", _hold_funds),
)
OVERFLOW: Final = set_field("overflow", Code.AMOUNT_OVERFLOW, "credit.full", "credit.full")


def new_case(kind: KindCases, make_engine: Callable[[bytes], Engine]) -> Case:
    """A fresh ledger with a good plan."""
    return kind.start(Book(make_engine, genesis_of_cases()))
