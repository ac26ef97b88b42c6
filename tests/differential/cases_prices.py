"""Cases of rate cards: CARD, PRICE, CARD_PUBLISH, and RESERVE and CAPTURE that a card prices."""

from dataclasses import dataclass
from typing import Final

from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, Person
from tests.differential.cases import (
    CAPS,
    FUNDS,
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
from tests.differential.cases_money import HOLD_RULES, ZERO_AMOUNT, outsiders

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import MAX_CARDS, MAX_LINES_OF_PLACE

MINUTE_NS: Final = 60 * SECOND_NS
EXPIRED_NS: Final = 20 * SECOND_NS  # how long a case of an expired key waits
NO_CONTS: Final = planned("conts", Code.CONT_NOT_ALLOWED, "conts", no_conts=1)


@dataclass(frozen=True, slots=True)
class Names:
    """A NAME of each kind that prices ask for."""

    model: bytes
    meter: bytes
    other: bytes
    tier: bytes
    region: bytes


def names_of(book: Book) -> Names:
    """Registers the names, two a person, as the cap has it."""
    kinds = (
        raw.MODEL_NAME,
        raw.METER_NAME,
        raw.METER_NAME,
        raw.TIER_NAME,
        raw.REGION_NAME,
    )
    ids = []
    owner = book.bank
    for place, kind in enumerate(kinds):
        if place % CAPS.names == 0:
            owner = book.register()
        ids.append(book.ok(owner.key, raw.name(b"name %d" % place, kind)).ids[0])
    return Names(*ids)


@dataclass(slots=True)
class Draft:
    """A draft, and the lines that it asks for."""

    card: bytes
    lines: list[bytes]

    def fill(self, book: Book, owner: Person) -> None:
        for start in range(0, len(self.lines), 8):
            book.ok(owner.key, *self.lines[start : start + 8])


def draft_card(
    book: Book,
    owner: Person,
    names: Names,
    *,
    lines: int = 1,
    unit: bytes | None = None,
    supersedes: bytes = raw.ZERO_ID,
    notice_ns: int = 2 * MINUTE_NS,
    root: bytes | None = None,
) -> Draft:
    """Sends the CARD; line number n applies above n and costs 1 a meter."""
    envelope_id = book.new_id()
    card = book.derived(owner.principal, envelope_id, 0)
    made = [
        raw.price(card, names.model, names.meter, 1_000_000, above=above) for above in range(lines)
    ]
    root = root or raw.lines_root(made)
    head = raw.card(unit or book.usd, book.now_ns + notice_ns, lines, root, (), supersedes)
    book.ok(owner.key, head, envelope_id=envelope_id)
    return Draft(card, made)


def published_card(
    book: Book, owner: Person, names: Names, notice_ns: int = 2 * MINUTE_NS, **changes: bytes
) -> bytes:
    draft = draft_card(book, owner, names, notice_ns=notice_ns, **changes)  # type: ignore[arg-type]
    draft.fill(book, owner)
    book.ok(owner.key, raw.card_publish(draft.card))
    return draft.card


def _superseded(case: Case, names: Names) -> bytes:
    """The card to supersede, as planned."""
    book = case.book
    if case.get("old_missing"):
        return STRANGE_ID
    if case.get("old_draft"):
        return draft_card(book, case.signer, names).card
    owner = book.bank if case.get("old_foreign") else case.signer
    unit = book.unit(b"EUR") if case.get("other_unit") else book.usd
    card = published_card(book, owner, names, unit=unit)
    if case.get("old_superseded"):
        published_card(book, owner, names, unit=unit, supersedes=card)
    return card


def _card(case: Case, _: bytes) -> bytes:
    book = case.book
    names = names_of(book)
    supersedes = raw.ZERO_ID if case.get("card_cap") else _superseded(case, names)
    meters = [names.meter]
    if case.get("descending"):
        meters = sorted((names.meter, names.other), reverse=True)
    if case.get("wrong_name"):
        meters = [names.model]
    if case.get("card_cap"):
        drafts = [raw.card(book.usd, number, 1, b"r" * 32) for number in range(MAX_CARDS)]
        book.ok(case.signer.key, *drafts)
    unit = STRANGE_ID if case.get("missing_unit") else book.usd
    starts_ns = book.now_ns + 2 * MINUTE_NS
    record = raw.card(unit, starts_ns, case.get("lines", 1), b"r" * 32, meters, supersedes)
    if case.get("too_many_meters"):
        record = raw.patched(record, 6, raw.u16(17))
    return raw.with_conts(record[:128], []) if case.get("no_conts") else record


_OLD: Final = (
    planned("old missing", Code.CARD_NOT_FOUND, "old card_cap", old_missing=1),
    planned("old draft", Code.CARD_NOT_FOUND, "old card_cap", old_draft=1),
    planned("old foreign", Code.CARD_NOT_FOUND, "old card_cap", old_foreign=1),
)
CARD: Final = KindCases(
    "CARD",
    lambda book: Case(book, _card, book.alice),
    (
        *shape(0, takes_conts=True),
        planned("too many meters", Code.BAD_FIELD, "meters conts", too_many_meters=1),
        NO_CONTS,
        *shape(36)[3:],
        planned("no lines", Code.BAD_FIELD, "lines", lines=0),
        planned("too many lines", Code.BAD_FIELD, "lines", lines=4_097),
        planned("descending meters", Code.BAD_FIELD, "meters", descending=1),
        *SIGNER,
        planned("unit missing", Code.UNIT_NOT_FOUND, "unit other_unit", missing_unit=1),
        *_OLD,
        planned("no meter", Code.NAME_NOT_FOUND, "meters", wrong_name=1),
        planned("old superseded", Code.CARD_STATE, "old card_cap", old_superseded=1),
        planned("unit mismatch", Code.UNIT_MISMATCH, "old_unit unit card_cap", other_unit=1),
        planned("card cap", Code.CAP_EXCEEDED, "card_cap", card_cap=1),
    ),
)


def _price(case: Case, _: bytes) -> bytes:
    book = case.book
    names = names_of(book)
    owner = book.bank if case.get("foreign") else case.signer
    count = MAX_LINES_OF_PLACE + 1 if case.get("place_cap") else 2
    draft = draft_card(book, owner, names, lines=count)
    last = draft.lines.pop()
    if case.get("is_full") or case.get("is_published"):
        draft.lines.append(last)
    if case.get("is_short"):
        draft.lines.clear()
    draft.fill(book, owner)
    if case.get("is_published"):
        book.ok(owner.key, raw.card_publish(draft.card))
    flags = case.get("price_flags")
    same_as = names.meter if case.get("same_as_itself") else raw.ZERO_ID
    if case.get("same_as"):
        same_as = names.model if case.get("same_as") == 2 else names.other
    record = raw.price(
        STRANGE_ID if case.get("missing") else draft.card,
        names.tier if case.get("no_model") else names.model,
        names.model if case.get("no_meter") else names.meter,
        case.get("amount", 0 if flags else 1_000_000),
        tier=names.region if case.get("no_tier") else raw.ZERO_ID,
        region=names.tier if case.get("no_region") else raw.ZERO_ID,
        above=case.get("above", 1_000),
        window=(case.get("start"), 1440, 0x7F),
        flags=flags,
        same_as=same_as,
    )
    return raw.with_conts(record[:128], []) if case.get("no_conts") else record


PRICE: Final = KindCases(
    "PRICE",
    lambda book: Case(book, _price, book.alice),
    (
        *shape(0, takes_conts=True),
        NO_CONTS,
        *shape(6)[3:],
        planned("window", Code.BAD_FIELD, "window", start=1_440),
        planned("no SAME_AS flag", Code.BAD_FIELD, "same_as", same_as_itself=1),
        planned(
            "SAME_AS itself", Code.BAD_FIELD, "same_as amount", same_as_itself=1, price_flags=8
        ),
        planned("FREE and SAME_AS", Code.BAD_FIELD, "same_as amount", same_as=1, price_flags=12),
        planned("a price with FREE", Code.BAD_FIELD, "same_as amount", price_flags=4, amount=1),
        planned("no price", Code.ZERO_AMOUNT, "same_as amount", amount=0),
        *SIGNER,
        planned("card missing", Code.CARD_NOT_FOUND, "card place_cap", missing=1),
        planned("card foreign", Code.CARD_NOT_FOUND, "card place_cap", foreign=1),
        planned("no model", Code.NAME_NOT_FOUND, "model place_cap", no_model=1),
        planned("no meter", Code.NAME_NOT_FOUND, "meter same_as place_cap", no_meter=1),
        planned("no tier", Code.NAME_NOT_FOUND, "tier place_cap", no_tier=1),
        planned("no region", Code.NAME_NOT_FOUND, "region place_cap", no_region=1),
        planned("follows none", Code.NAME_NOT_FOUND, "same_as amount", same_as=2, price_flags=8),
        planned("published", Code.CARD_STATE, "card place_cap", is_published=1),
        planned("full", Code.LINE_COUNT_MISMATCH, "card place_cap", is_full=1),
        planned("overlap", Code.LINES_OVERLAP, "above", above=0),
        planned("place cap", Code.CAP_EXCEEDED, "place_cap", place_cap=1),
    ),
)


def _publish(case: Case, _: bytes) -> bytes:
    book = case.book
    names = names_of(book)
    owner = book.bank if case.get("foreign") else case.signer
    old = published_card(book, owner, names)
    notice_ns = MINUTE_NS // 2 if case.get("short_notice") else 3 * MINUTE_NS
    root = b"r" * 32 if case.get("wrong_root") else None
    draft = draft_card(book, owner, names, lines=2, supersedes=old, notice_ns=notice_ns, root=root)
    if case.get("is_short"):
        draft.lines.pop()
    draft.fill(book, owner)
    if case.get("is_published"):
        book.ok(owner.key, raw.card_publish(draft.card))
    if case.get("old_superseded"):
        published_card(book, owner, names, supersedes=old)
    return raw.card_publish(STRANGE_ID if case.get("missing") else draft.card)


_WHOLE: Final = "published count root notice"
CARD_PUBLISH: Final = KindCases(
    "CARD_PUBLISH",
    lambda book: Case(book, _publish, book.alice),
    (
        *shape(24),
        *SIGNER,
        planned("card missing", Code.CARD_NOT_FOUND, "card", missing=1),
        planned("card foreign", Code.CARD_NOT_FOUND, "card", foreign=1),
        planned("published", Code.CARD_STATE, f"{_WHOLE} old", is_published=1),
        planned("old superseded", Code.CARD_STATE, "old published", old_superseded=1),
        planned("lines missing", Code.LINE_COUNT_MISMATCH, "count published", is_short=1),
        planned("wrong root", Code.LINES_ROOT_MISMATCH, "root published", wrong_root=1),
        planned("notice", Code.NOTICE_TOO_SHORT, "notice published", short_notice=1),
    ),
)


def offered_card(case: Case) -> tuple[Names, bytes]:
    """A card of Bob's, in force unless the case has it otherwise, and its names."""
    book = case.book
    names = names_of(book)
    provider = book.alice if case.get("foreign_card") else book.bob
    unit = book.unit(b"GBP") if case.get("card_unit") else book.usd
    card = draft_card(book, provider, names, unit=unit)
    if not case.get("is_draft"):
        card.fill(book, provider)
        book.ok(provider.key, raw.card_publish(card.card))
    if not case.get("is_early"):
        book.now_ns += 2 * MINUTE_NS
    if case.get("is_superseded"):
        published_card(book, provider, names, MINUTE_NS + SECOND_NS, supersedes=card.card)
        book.now_ns += 2 * MINUTE_NS
    if case.is_expired:  # its time runs from now
        case.key = case._signing_key()
    return names, STRANGE_ID if case.get("missing_card") else card.card


def _reserve(case: Case, _: bytes) -> bytes:
    """A priced hold of Alice's for Bob, whose card it is."""
    names, card = offered_card(case)
    flat = _reserve_head(case, card, names)
    terms = raw.terms(
        card,
        names.other if case.get("no_model") else names.model,
        [b"z" * 16, b"a" * 16] if case.get("descending") else [names.tier],
        (),
        b"u" * 16,
        case.get("overrun", raw.CAP),
        case.get("debt_limit"),
    )
    if case.get("reserved_terms"):
        terms = terms.ljust(300, b"\0") + b"\x01"
    record = raw.priced(flat, terms)
    return raw.with_conts(record[:128], []) if case.get("no_conts") else record


def _leave_owing(case: Case, card: bytes, names: Names, debit: bytes, payee: bytes) -> None:
    """The payer owes the payee 9: its account was frozen when they were captured."""
    book, owner = case.book, case.signer
    flat = raw.reserve(debit, payee, 1, book.now_ns + 50 * SECOND_NS)
    terms = raw.terms(card, names.model, overrun=raw.DEBT, debt_limit=9)
    hold = book.ok(owner.key, raw.priced(flat, terms)).ids[0]
    book.ok(owner.key, raw.account(raw.FREEZE, account_id=debit))
    used = raw.usage([(names.meter, 10)])
    book.ok(book.bob.key, raw.used(raw.capture(hold, 10, flags=raw.FINAL), used))
    book.ok(owner.key, raw.account(raw.UNFREEZE, account_id=debit))


def parties(case: Case) -> tuple[bytes, bytes, int, int]:
    """Payer's and payee's account, reference and flags of a record of group 4."""
    book = case.book

    def use(reference: int) -> bytes:
        accounts, expires_at_ns = (book.alice.account, book.bob.account), book.now_ns + SECOND_NS
        return raw.reserve(*accounts, 1, expires_at_ns, reference, flags=raw.UNIQUE)

    reference, flags = case.prepare_references(use)
    book.now_ns += 2 * SECOND_NS  # their holds are over
    debit = case.debit.make(book, case.signer, START_AMOUNT)
    payee = debit if case.get("self_transfer") else case.credit.make(book, book.bob, 0)
    if case.get("outsiders"):
        debit, payee = outsiders(case)
    return debit, payee, reference, flags


def _reserve_head(case: Case, card: bytes, names: Names) -> bytes:
    debit, payee, reference, flags = parties(case)
    if case.get("claim"):
        _leave_owing(case, card, names, debit, payee)
    return reserve_head(case, debit, payee, reference, flags)


def reserve_head(case: Case, debit: bytes, payee: bytes, reference: int, flags: int) -> bytes:
    """The RESERVE as if it were FLAT."""
    book = case.book
    if case.get("hold_cap"):
        for _count in range(CAPS.open_holds - int(case.debit.pinned)):
            book.reserve(book.alice, book.bob, 1, 900 * SECOND_NS)
    sent_at_ns = book.now_ns + (EXPIRED_NS if case.is_expired else 0)
    return raw.reserve(
        debit,
        payee,
        case.get("amount", 5),
        sent_at_ns + case.get("lifetime_ns", 100 * SECOND_NS),
        reference,
        flags=flags,
    )


_TERMS: Final = "card foreign_card card_unit early model"
_CLAIM_NEEDS: Final = (
    "card foreign_card card_unit early superseded model hold_cap debit.missing debit.closed"
    " debit.frozen debit.issuance debit.unit debit.pinned credit.missing credit.closed"
    " credit.frozen credit.issuance credit.unit credit.foreign"
)
RESERVE_CARD: Final = KindCases(
    "RESERVE priced",
    lambda book: Case(book, _reserve, book.alice),
    (
        *shape(0, takes_conts=True),
        NO_CONTS,
        planned("terms reserved", Code.RESERVED_NONZERO, "conts reserved", reserved_terms=1),
        planned("overrun", Code.BAD_FIELD, "conts overrun", overrun=4),
        planned("no debt limit", Code.BAD_FIELD, "conts overrun limit", overrun=raw.DEBT),
        planned("a debt limit", Code.BAD_FIELD, "conts limit", debt_limit=1),
        planned("descending tiers", Code.BAD_FIELD, "conts tiers", descending=1),
        UNIQUE_ZERO,
        ZERO_AMOUNT,
        SELF,
        *SIGNER,
        REFERENCE_USED,
        *movable("debit", Code.DEBIT_NOT_FOUND),
        *movable("credit", Code.CREDIT_NOT_FOUND),
        planned("card missing", Code.CARD_NOT_FOUND, "card", missing_card=1),
        planned("card is a draft", Code.CARD_NOT_FOUND, "card superseded", is_draft=1),
        *movable_state("debit"),
        *movable_state("credit"),
        UNIT_MISMATCH,
        planned("too soon", Code.EXPIRY_INVALID, "expiry", lifetime_ns=SECOND_NS - 1),
        planned("too far", Code.EXPIRY_INVALID, "expiry", lifetime_ns=1_001 * SECOND_NS),
        planned("claim open", Code.CLAIM_OPEN, _CLAIM_NEEDS, claim=1),
        planned(
            "not the provider", Code.NOT_PROVIDER, "foreign_card credit.foreign", foreign_card=1
        ),
        planned("card's unit", Code.UNIT_MISMATCH, "card_unit superseded", card_unit=1),
        planned("early", Code.CARD_NOT_EFFECTIVE, "early superseded", is_early=1),
        planned("superseded", Code.CARD_NOT_EFFECTIVE, "early superseded expired", is_superseded=1),
        planned("no model", Code.UNPRICED, "model", no_model=1),
        planned("hold cap", Code.CAP_EXCEEDED, "hold_cap", hold_cap=1),
        REFERENCE_CAP,
        *FUNDS,
    ),
)


def _priced_hold(case: Case, names: Names) -> bytes:
    """A priced hold of Alice's for an account of Bob's, at 1 a meter; 50 of 100 are captured."""
    book = case.book
    payee = case.credit
    freezes, payee.frozen = payee.frozen, False
    card = published_card(book, book.bob, names)
    book.now_ns += 2 * MINUTE_NS
    account = payee.make(book, book.bob, 0)
    lifetime_ns = (10 if case.get("is_due") else 500) * SECOND_NS
    flat = raw.reserve(book.alice.account, account, 100, book.now_ns + lifetime_ns)
    tiers = [names.tier] if case.get("tiers") else []
    record = raw.priced(flat, raw.terms(card, names.model, tiers))
    hold = book.ok(book.alice.key, record).ids[0]
    captured = case.get("captured", 50)
    tier = names.tier if tiers else raw.ZERO_ID
    used = raw.usage([(names.meter, captured)] if captured else [], tier)
    if captured:
        book.ok(book.bob.key, raw.used(raw.capture(hold, captured), used))
    if case.get("is_captured"):
        book.ok(book.bob.key, raw.used(raw.capture(hold, captured, flags=raw.FINAL), used))
    if case.get("is_released"):
        book.ok(book.bob.key, raw.release(hold))
    if freezes:
        book.ok(book.bob.key, raw.account(raw.FREEZE, account_id=account))
    if case.get("is_due"):
        case.wait_ns = 15 * SECOND_NS
    if case.get("by_payer"):
        case.key = book.alice.key
    if case.get("by_stranger"):
        case.key = book.bank.key
    return STRANGE_ID if case.get("missing") else hold


def _capture(case: Case, _: bytes) -> bytes:
    book = case.book
    names = names_of(book)
    hold = _priced_hold(case, names)
    if case.is_expired:  # its time runs from now
        case.key = case._signing_key()
    amount = case.get("amount", 99 if case.get("captured", 50) == 0 else 60)
    meter = names.other if case.get("other_meter") else names.meter
    used = [(meter, max(1, amount - case.get("dearer")))]
    if case.get("descending"):
        used = [(b"z" * 16, 1), (b"a" * 16, 1)]
    content = raw.usage(used, names.tier if case.get("tier") else raw.ZERO_ID)
    if case.get("count"):
        content = raw.patched(content, 32, raw.u16(case.get("count")))
    if case.get("reserved_usage"):
        content = raw.patched(content, 34, b"\x01")
    record = raw.capture(hold, amount, source=case.get("source", 1))
    return record if case.get("no_usage") else raw.used(record, content)


def _fill_payee(case: Case) -> None:
    case.credit.full = True
    case.plan["captured"] = 0


CAPTURE_PRICED: Final = KindCases(
    "CAPTURE priced",
    lambda book: Case(book, _capture, book.bob, denied_scope=raw.SPEND),
    (
        *shape(0, takes_conts=True),
        *shape(40)[3:],
        planned("too many meters", Code.BAD_FIELD, "conts", count=33),
        planned("another count", Code.CONT_NOT_ALLOWED, "conts", count=5),
        planned("usage reserved", Code.RESERVED_NONZERO, "conts reserved", reserved_usage=1),
        planned("descending meters", Code.BAD_FIELD, "conts meters", descending=1),
        planned("source", Code.BAD_FIELD, "source", source=4),
        ZERO_AMOUNT,
        *SIGNER,
        *HOLD_RULES[:3],
        planned("no usage", Code.HOLD_MODE, "conts reserved missing meters tier", no_usage=1),
        *HOLD_RULES[3:],
        set_field("payee frozen", Code.ACCOUNT_FROZEN, "credit.frozen", "credit.frozen"),
        planned("tier", Code.PRICE_NOT_AGREED, "tier conts", tier=1),
        planned("unpriced", Code.UNPRICED, "meters conts", other_meter=1),
        planned("dearer", Code.PRICE_MISMATCH, "price conts amount", dearer=1),
        planned("lowered", Code.CAPTURE_LOWERED, "amount", amount=49),
        planned("exceeds", Code.CAPTURE_EXCEEDS_HOLD, "amount", amount=101),
        violation("overflow", Code.AMOUNT_OVERFLOW, "credit.full amount ended", _fill_payee),
    ),
)

PRICE_KINDS: Final = (CARD, PRICE, CARD_PUBLISH, RESERVE_CARD, CAPTURE_PRICED)
