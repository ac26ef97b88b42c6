"""Cases of METER: Alice pays what a usage costs by a card of Bob's, at 1 a meter."""

from typing import Final

from tests.differential import raw
from tests.differential.cases import (
    FUNDS,
    OVERFLOW,
    REFERENCE_CAP,
    REFERENCE_USED,
    SELF,
    SIGNER,
    UNIQUE_ZERO,
    UNIT_MISMATCH,
    Case,
    KindCases,
    movable,
    movable_state,
    planned,
    shape,
)
from tests.differential.cases_limits import LIMIT, bound
from tests.differential.cases_money import NOT_A_MEMBER, ZERO_AMOUNT
from tests.differential.cases_prices import NO_CONTS, offered_card, parties

from tallystick_ledger.codes import Code


def _meter(case: Case, _: bytes) -> bytes:
    names, card = offered_card(case)
    debit, credit, reference, flags = parties(case)
    bound(case)
    amount = case.get("amount", 5)
    meter = names.other if case.get("other_meter") else names.meter
    used = [(meter, max(1, amount - case.get("dearer")))]
    if case.get("descending"):
        used = [(b"z" * 16, 1), (b"a" * 16, 1)]
    content = raw.metered(card, names.model, raw.usage(used), b"u" * 16)
    if case.get("count"):
        content = raw.patched(content, 96, raw.u16(case.get("count")))
    if case.get("reserved_usage"):
        content = raw.patched(content, 98, b"\x01")
    source = case.get("source", 1)
    record = raw.meter(debit, credit, amount, content, reference, flags=flags, source=source)
    return raw.with_conts(record[:128], []) if case.get("no_conts") else record


METER: Final = KindCases(
    "METER",
    lambda book: Case(book, _meter, book.alice),
    (
        *shape(0, takes_conts=True),
        NO_CONTS,
        planned("too many meters", Code.BAD_FIELD, "conts", count=33),
        planned("another count", Code.CONT_NOT_ALLOWED, "conts", count=5),
        planned("usage reserved", Code.RESERVED_NONZERO, "conts reserved", reserved_usage=1),
        planned("descending meters", Code.BAD_FIELD, "conts meters", descending=1),
        planned("source", Code.BAD_FIELD, "source", source=4),
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
        NOT_A_MEMBER,
        planned(
            "not the provider", Code.NOT_PROVIDER, "foreign_card credit.foreign", foreign_card=1
        ),
        planned("card's unit", Code.UNIT_MISMATCH, "card_unit superseded", card_unit=1),
        planned("early", Code.CARD_NOT_EFFECTIVE, "early superseded", is_early=1),
        planned("superseded", Code.CARD_NOT_EFFECTIVE, "early superseded expired", is_superseded=1),
        planned("unpriced", Code.UNPRICED, "meters conts", other_meter=1),
        planned("dearer", Code.PRICE_MISMATCH, "price conts amount meters", dearer=1),
        REFERENCE_CAP,
        LIMIT,
        *FUNDS,
        OVERFLOW,
    ),
)

METER_KINDS: Final = (METER,)
