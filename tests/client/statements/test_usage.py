"""Usage: what charges were for adds up to what the captures said, on both sides."""

import sqlite3
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.client.statements.histories import Told, random_ledger
from tests.client.statements.test_projection import END_NS, project

from tallystick.errors import ConfigurationError
from tallystick.history import HistoryRecord
from tallystick.statements.posting import Side
from tallystick.statements.projection import Projection
from tallystick.statements.statement import Consumed
from tallystick.statements.usage import Usage
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    NO_ID,
    AccountId,
    Amount,
    CardId,
    EnvelopeId,
    HoldId,
    LedgerId,
    MandateId,
    NameId,
    PrincipalId,
    PublicKey,
    SequenceNumber,
    TimestampNs,
    UnitId,
    object_id,
)
from tallystick_ledger.records import (
    Capture,
    CaptureSource,
    CardTerms,
    Kind,
    Meter,
    Record,
    Reserve,
    ServedUsage,
)
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.spec.priced import check_price

# What two blocks of 40 hold of priced holds depends on chance; 60 have enough of them.
BLOCKS: Final = 60
LEDGER: Final = LedgerId(b"\x01" * 32)
OWNER: Final = PrincipalId(b"\x02" * 16)
PAYER: Final = AccountId(b"\x0a" * 16)
PAYEE: Final = AccountId(b"\x0b" * 16)
HOLD: Final = HoldId(b"\x0c" * 16)
CARD: Final = CardId(b"\x0d" * 16)
MODEL: Final = NameId(b"\x0e" * 16)
TIER: Final = NameId(b"\x0f" * 16)
IN, OUT = NameId(b"\x11" * 16), NameId(b"\x12" * 16)


# --- random ledgers -------------------------------------------------------------------------------


def _said(made: Told) -> dict[tuple[bytes, bytes], dict[bytes, int]]:
    """Quantities by account and hold, or METER, as the last capture that was priced has them."""
    totals: dict[tuple[bytes, bytes], dict[bytes, int]] = {}
    for account, entries in made.histories.items():
        over: set[bytes] = set()
        for entry in entries:
            over |= {each.origin for each in entry.effects if each.cause is Cause.EXPIRY}
            if not entry.ok or entry.kind not in (Kind.CAPTURE, Kind.METER):
                continue
            record = entry.record
            if isinstance(record, Meter):
                key = account, entry.sequence.to_bytes(8, "big")
                totals[key] = dict(record.usage.lines)
            elif isinstance(record, Capture) and record.usage:
                charged = any(each.cause in (Cause.CAPTURE, Cause.CLAIM) for each in entry.effects)
                if record.hold in over and not charged:
                    continue
                totals[account, record.hold] = dict(record.usage.lines)
                _check_price(made, record)
                if record.final:
                    over.add(record.hold)
    return {key: lines for key, lines in totals.items() if lines}


def _check_price(made: Told, record: Capture) -> None:
    """A usage that counts is one that the ledger has looked at: it costs what was charged."""
    hold, terms = made.state.holds.get(record.hold), made.state.terms.get(record.hold)
    if hold is not None and terms is not None and record.usage is not None:
        check_price(made.state, hold, terms, record.usage, record.amount)


def _booked(projection: Projection) -> dict[tuple[bytes, bytes], dict[bytes, int]]:
    found: dict[tuple[bytes, bytes], dict[bytes, int]] = defaultdict(lambda: defaultdict(int))
    for account in projection.accounts():
        causes = {
            (each.sequence, each.part): each for each in projection.postings(account, 0, END_NS)
        }
        for usage in projection.usages(account, 0, END_NS):
            charge = None if usage.part is None else causes[usage.sequence, usage.part]
            is_meter = charge is not None and charge.cause == "METER"
            of = usage.sequence.to_bytes(8, "big") if is_meter else usage.origin
            assert usage.quantity
            found[account, of][usage.meter] += usage.quantity
            if charge is not None:
                assert (charge.side, charge.origin) == (usage.side, usage.origin)
                assert charge.cause in ("METER", "CAPTURE", "CLAIM")
                assert not is_meter or (usage.model == charge.model != b"")
    return {
        key: {meter: quantity for meter, quantity in lines.items() if quantity}
        for key, lines in found.items()
        if any(lines.values())
    }


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.randoms(use_true_random=False))
def test_usage_is_what_the_last_captures_say(seed: int, cut: Random) -> None:
    made = random_ledger(seed, BLOCKS)
    with project(made) as whole, project(made, cut) as resumed:
        assert whole.rows() == resumed.rows()
        assert _booked(whole) == _said(made)
        for account in whole.accounts():
            statement = whole.statement(account, 0, END_NS)
            assert statement.adds_up
            rows = list(whole.usages(account, 0, END_NS))
            assert sum(each.count for each in statement.usage.values()) == len(rows)
            assert sum(each.debit + each.credit for each in statement.usage.values()) == sum(
                row.quantity for row in rows
            )


def test_random_ledgers_have_usage_and_both_sides_say_the_same() -> None:
    made = random_ledger(5, BLOCKS)
    with project(made) as projection:
        sides: dict[Side, set[tuple[object, ...]]] = {Side.DEBIT: set(), Side.CREDIT: set()}
        for account in projection.accounts():
            for each in projection.usages(account, 0, END_NS):
                assert each.part is not None or each.origin
                what = (each.sequence, each.origin, each.meter, each.tier, each.quantity)
                sides[each.side].add(what)
        assert sides[Side.DEBIT] == sides[Side.CREDIT]
        assert len({origin for _, origin, *_ in sides[Side.DEBIT]}) > 3
        causes = {entry.kind for entries in made.histories.values() for entry in entries}
        assert {Kind.METER, Kind.CAPTURE} <= causes


# --- one hold -------------------------------------------------------------------------------------


def entry(number: int, record: Record, *effects: Effect, code: Code = Code.OK) -> HistoryRecord:
    data = record.encode(b"\x07" * record.nonce_bytes)
    return HistoryRecord(
        SequenceNumber(number),
        TimestampNs(number * 10**9),
        False,
        EnvelopeId(number.to_bytes(16, "little")),
        SequenceNumber(number),
        PublicKey(b"\x09" * 32),
        code,
        0,
        data[:128],
        effects,
        data[128:],
    )


def captured(
    number: int,
    cumulative: int,
    paid: int,
    *lines: tuple[NameId, int],
    final: bool = False,
    code: Code = Code.OK,
) -> HistoryRecord:
    usage = ServedUsage(TIER, NameId(NO_ID), lines)
    record = Capture(HOLD, cumulative, CaptureSource.PROVIDER_REPORTED, final, usage=usage)
    effect = Effect(Cause.CAPTURE, 0, PAYER, PAYEE, Amount(paid), HOLD, CARD)
    return entry(number, record, *[effect] * bool(paid), code=code)


def metered(number: int, mandate: bytes = NO_ID) -> HistoryRecord:
    usage = ServedUsage(lines=((IN, 3),))
    of = MandateId(mandate)
    record = Meter(PAYER, PAYEE, 5, CARD, MODEL, usage, mandate=of)
    return entry(number, record, Effect(Cause.METER, 0, PAYER, PAYEE, Amount(5), of, CARD))


def booked(account: AccountId, *entries: HistoryRecord) -> list[Usage]:
    projection = Projection(":memory:", LEDGER)
    projection.add(account, OWNER, UnitId(b"\x03" * 16))
    # What is captured was on hold.
    projection._db.execute("UPDATE account SET columns = ?", (4 * (1_000).to_bytes(16, "big"),))
    for each in entries:
        projection.book(account, [each], each.sequence)
    return list(projection.usages(account, 0, END_NS))


STORY: Final = (
    captured(1, 10, 10, (IN, 100)),
    captured(2, 25, 15, (IN, 100), (OUT, 30)),
    captured(3, 99, 0, (IN, 900), code=Code.PRICE_MISMATCH),
    captured(4, 25, 0, (IN, 90), (OUT, 30)),
    captured(5, 25, 0, (IN, 90), (OUT, 30)),
    captured(6, 40, 15, (OUT, 2**64 - 1), final=True),
    captured(7, 40, 0, (IN, 5), (OUT, 6)),
    captured(8, 40, 0, (IN, 7), final=True),
)


@pytest.mark.parametrize(("account", "side"), [(PAYER, Side.DEBIT), (PAYEE, Side.CREDIT)])
def test_a_capture_is_for_what_it_adds(account: AccountId, side: Side) -> None:
    """The refused one, the replay, and what repeats the last one with any usage add nothing."""
    found = booked(account, *STORY)
    assert [(each.sequence, each.part, each.meter, each.quantity) for each in found] == [
        (1, 0, IN, 100),
        (2, 0, OUT, 30),
        (4, None, IN, -10),
        (6, 0, IN, -90),
        (6, 0, OUT, 2**64 - 31),
    ]
    assert {(each.side, each.origin, each.tier, each.region) for each in found} == {
        (side, HOLD, TIER, b"")
    }


def late(
    number: int, cumulative: int, quantity: int, *causes: Cause, is_expiry: bool = False
) -> HistoryRecord:
    usage = ServedUsage(TIER, NameId(NO_ID), ((IN, quantity),))
    record = Capture(HOLD, cumulative, CaptureSource.GATEWAY_COUNTED, final=True, usage=usage)
    expiry = Effect(Cause.EXPIRY, 0, PAYER, PAYEE, Amount(5), HOLD)
    effects = [Effect(each, 0, PAYER, PAYEE, Amount(2), HOLD, CARD) for each in causes]
    beyond = [
        replace(each, beyond=each.amount) if each.cause is Cause.CAPTURE else each
        for each in effects
    ]
    return entry(number, record, *[expiry] * is_expiry, *beyond)


def test_of_an_expired_hold_counts_what_still_charges() -> None:
    """On debt a capture may come late, and again; a replay is not priced."""
    story = (
        late(1, 0, 9, is_expiry=True),
        late(2, 4, 10, Cause.CAPTURE, Cause.CLAIM),
        late(3, 4, 99),
        late(4, 6, 15, Cause.CLAIM),
    )
    assert [(each.sequence, each.part, each.quantity) for each in booked(PAYER, *story)] == [
        (2, 0, 10),
        (4, 0, 5),
    ]


def test_the_payer_learns_the_model_from_its_reserve() -> None:
    """The payee cannot tell which RESERVE made which hold."""
    reserve = Reserve(PAYER, PAYEE, 50, TimestampNs(2**62), terms=CardTerms(CARD, MODEL))
    opened = entry(1, reserve)
    assert opened.envelope_id is not None
    hold = HoldId(object_id(LEDGER, OWNER, opened.envelope_id, 0))
    usage = ServedUsage(TIER, NameId(NO_ID), ((IN, 3),))
    charge = Capture(hold, 9, CaptureSource.GATEWAY_COUNTED, usage=usage)
    again = Capture(hold, 9, CaptureSource.GATEWAY_COUNTED, usage=replace(usage, lines=((IN, 4),)))
    effect = Effect(Cause.CAPTURE, 0, PAYER, PAYEE, Amount(9), hold, CARD)
    story = opened, entry(2, charge, effect), entry(3, again)
    assert [each.model for each in booked(PAYER, *story)] == [MODEL, MODEL]
    assert [each.model for each in booked(PAYEE, *story)] == [b"", b""]
    bare = [replace(each, conts=b"") if each is opened else each for each in story]
    assert [each.model for each in booked(PAYER, *bare)] == [b"", b""]
    with Projection(":memory:", LEDGER) as projection:
        projection.add(PAYER, OWNER, UnitId(b"\x03" * 16))
        for each in story:
            projection.book(PAYER, [each], each.sequence)
        models = {each.cause: each.model for each in projection.postings(PAYER, 0, END_NS)}
        assert models == {"RESERVE": b"", "CAPTURE": MODEL}


def test_a_meter_is_for_what_it_says() -> None:
    mandate = b"\x21" * 16
    first, second = booked(PAYER, metered(1), metered(2, mandate))
    assert first == Usage(
        SequenceNumber(1), 0, TimestampNs(10**9), Side.DEBIT, b"", MODEL, b"", b"", IN, 3
    )
    assert (second.origin, second.model, second.quantity) == (mandate, MODEL, 3)


def test_without_conts_nothing_is_known_of_usage() -> None:
    assert booked(PAYER, *(replace(each, conts=b"") for each in (*STORY, metered(9)))) == []


def test_statements_sum_quantities_up_by_model_and_meter() -> None:
    with Projection(":memory:", LEDGER) as projection:
        projection.add(PAYEE, OWNER, UnitId(b"\x03" * 16))
        projection.book(PAYEE, [metered(1), metered(2)], 2)
        made = projection.statement(PAYEE, 0, END_NS)
        assert made.usage == {(MODEL, IN): Consumed(2, 0, 6)}
        assert made.flows["model"][MODEL.hex()].change.credits_posted == 10
        assert made.as_json()["usage"] == [
            {
                "model": MODEL.hex(),
                "meter": IN.hex(),
                "count": 2,
                "debit_quantity": "0",
                "credit_quantity": "6",
            }
        ]
        before = projection.statement(PAYEE, 0, 2 * 10**9)
        assert before.usage == {(MODEL, IN): Consumed(1, 0, 3)}
        projection.forget(PAYEE)
        assert list(projection.usages(PAYEE, 0, END_NS)) == []


# --- files of other versions ----------------------------------------------------------------------


def test_a_file_of_an_older_version_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "statements.sqlite"
    with Projection(path, LEDGER) as projection:
        projection.add(PAYEE, OWNER, UnitId(b"\x03" * 16))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET version = 1")
        for table in ("usage", "counted"):
            db.execute(f"DROP TABLE {table}")
    with pytest.raises(ConfigurationError, match="belongs to the ledger"):
        Projection(path, LedgerId(b"\x02" * 32))
    with Projection(path, LEDGER) as projection:
        assert projection.accounts() == []
        projection.add(PAYEE, OWNER, UnitId(b"\x03" * 16))
        projection.book(PAYEE, [metered(1)], 1)
    with Projection(path, LEDGER) as projection:
        assert len(list(projection.usages(PAYEE, 0, END_NS))) == 1
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET version = 99")
    with pytest.raises(ConfigurationError, match="newer version"):
        Projection(path, LEDGER)
