"""Pages of a history as a client reads them: whole, or refused as no answer of a node."""

import struct
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.client.statements.histories import random_ledger

from tallystick.errors import ProtocolError
from tallystick.history import HistoryRecord, decode_page, decode_records
from tallystick_ledger.records import Capture, Kind, Meter, Raw, Reserve
from tallystick_proto.v1 import ledger_pb2 as pb

ROW: Final = struct.Struct("<QQQHHI16s32sHHI8x128s")
HISTORIES: Final = random_ledger(7, 60).histories
ENTRIES: Final = max(HISTORIES.values(), key=lambda each: sum(len(one.conts) for one in each))


def answer(entries: list[HistoryRecord], *, with_conts: bool) -> pb.ListRecordsResponse:
    """What a node says of them."""
    rows, effects, conts = b"", b"", b""
    for each in entries:
        is_hidden = not each.data
        rows += ROW.pack(
            each.sequence,
            each.timestamp_ns,
            each.envelope_sequence or 0,
            2 if is_hidden else 0,
            0,
            len(each.effects),
            each.envelope_id or bytes(16),
            each.signer or bytes(32),
            each.code,
            0,
            each.detail,
            each.data or bytes(128),
        )
        effects += b"".join(effect.encode() for effect in each.effects)
        conts += each.conts if with_conts else b""
    return pb.ListRecordsResponse(records=rows, effects=effects, conts=conts, next_sequence=9)


def test_pages_with_and_without_conts() -> None:
    kinds = set()
    for entries in HISTORIES.values():
        whole = decode_page(answer(entries, with_conts=True), with_conts=True).records
        heads = decode_page(answer(entries, with_conts=False), with_conts=False).records
        assert list(whole) == entries
        assert [each.data for each in heads] == [each.data for each in entries]
        assert not any(each.conts for each in heads)
        for one, head in zip(whole, heads, strict=True):
            if not (one.ok and one.conts):
                continue
            record, of_head = one.record, head.record
            kinds.add(one.kind)
            match record, of_head:
                case Reserve(), Reserve():
                    assert (record.terms is not None, of_head.terms) == (True, None)
                case Capture(), Capture():
                    assert (record.usage is not None, of_head.usage) == (True, None)
                case Meter(), Meter():
                    assert any(record.model)
                    assert not any(of_head.model)
                case _:
                    assert isinstance(of_head, Raw), record
    assert {Kind.RESERVE, Kind.CAPTURE, Kind.METER} <= kinds


def test_a_watch_has_them_too() -> None:
    of_page = answer(ENTRIES, with_conts=True)
    told = pb.WatchResponse(records=of_page.records, effects=of_page.effects, conts=of_page.conts)
    assert list(decode_records(told, with_conts=True)) == ENTRIES


def test_conts_that_nobody_asked_for_are_no_answer() -> None:
    with pytest.raises(ProtocolError, match="more CONTs"):
        decode_page(answer(ENTRIES, with_conts=True), with_conts=False)


def test_an_answer_of_a_node_that_knows_no_conts_is_refused() -> None:
    """Else a statement would leave out usage in silence."""
    with pytest.raises(ProtocolError, match="CONTs are missing"):
        decode_page(answer(ENTRIES, with_conts=False), with_conts=True)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_damaged_conts_are_refused(seed: int) -> None:
    """A head commits to its CONTs: no bit of them can change, no byte can be missing."""
    rng, damaged = Random(seed), answer(ENTRIES, with_conts=True)
    conts = bytearray(damaged.conts)
    at = rng.randrange(len(conts))
    if rng.random() < 0.5:
        conts[at] ^= 1 << rng.randrange(8)
    elif rng.random() < 0.5:
        del conts[at : at + rng.choice((1, 128))]
    else:
        conts[at:at] = rng.randbytes(rng.choice((1, 128)))
    damaged.conts = bytes(conts)
    with pytest.raises(ProtocolError):
        decode_page(damaged, with_conts=True)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_damaged_rows_are_read_or_refused(seed: int) -> None:
    rng, damaged = Random(seed), answer(ENTRIES, with_conts=True)
    for field in ("records", "effects"):
        data = bytearray(getattr(damaged, field))
        for _ in range(rng.randrange(3)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        setattr(damaged, field, bytes(data))
    try:
        decode_page(damaged, with_conts=True)
    except ProtocolError:
        return


@given(rows=st.binary(max_size=500), effects=st.binary(max_size=300), conts=st.binary(max_size=300))
def test_random_bytes_are_read_or_refused(rows: bytes, effects: bytes, conts: bytes) -> None:
    made = pb.ListRecordsResponse(records=rows, effects=effects, conts=conts)
    try:
        decode_page(made, with_conts=True)
    except ProtocolError:
        return
    assert not effects
    assert not conts
