"""Records: what is written is read again, and a wrong shape gets the code of semantics.md."""

from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger import correction_samples, debt_samples, exchange_samples, limit_samples
from tests.ledger.exchange_samples import TAKEN

from tallystick_ledger import cont, limits, records
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import FieldError, MalformedError, RecordError
from tallystick_ledger.ids import (
    AccountId,
    CardId,
    ChannelId,
    HoldId,
    MandateId,
    NameId,
    PrincipalId,
    PublicKey,
    SequenceNumber,
    Signature,
    TimestampNs,
    UnitId,
)
from tallystick_ledger.records import kinds

A: Final = AccountId(b"a" * 16)
B: Final = AccountId(b"b" * 16)
UNIT: Final = UnitId(b"u" * 16)
HOLD: Final = HoldId(b"h" * 16)
PRINCIPAL: Final = PrincipalId(b"p" * 16)
KEY: Final = PublicKey(b"k" * 32)
PROOF: Final = Signature(b"s" * 64)
TIME: Final = TimestampNs(2**63 + 5)

id_bytes = st.binary(min_size=16, max_size=16)
amounts = st.integers(1, limits.MAX_U128)
times = st.integers(0, limits.MAX_U64).map(TimestampNs)
nonces = id_bytes.filter(any)
keys_bytes = st.binary(min_size=32, max_size=32).map(PublicKey)
proofs = st.binary(min_size=64, max_size=64).map(Signature)
pairs = st.tuples(id_bytes, id_bytes).filter(lambda pair: pair[0] != pair[1])
texts = st.text(
    st.characters(codec="utf-8", min_codepoint=0x20, exclude_characters="\x7f"),
    min_size=1,
    max_size=64,
)
references = st.one_of(
    st.tuples(st.integers(0, limits.MAX_U128), st.just(value=False)),
    st.tuples(amounts, st.just(value=True)),
)


def _transfer(
    record: type[records.Transfer] | type[records.Issue] | type[records.Burn],
) -> st.SearchStrategy[records.Record]:
    return st.builds(
        lambda pair, amount, reference: record(pair[0], pair[1], amount, *reference),
        pairs,
        amounts,
        references,
    )


any_record = st.one_of(
    _transfer(records.Transfer),
    _transfer(records.Issue),
    _transfer(records.Burn),
    st.builds(
        lambda pair, limit: records.CreditLimit(UnitId(pair[0]), AccountId(pair[1]), limit),
        pairs,
        st.integers(0, limits.MAX_U128),
    ),
    st.builds(
        lambda pair, amount, expires, reference: records.Reserve(
            AccountId(pair[0]), AccountId(pair[1]), amount, expires, *reference
        ),
        pairs,
        amounts,
        times,
        references,
    ),
    st.builds(
        records.Capture,
        id_bytes.map(HoldId),
        amounts,
        st.sampled_from(kinds.CaptureSource),
        st.booleans(),
        times,
    ),
    st.builds(records.Extend, id_bytes.map(HoldId), amounts, times),
    st.builds(records.Release, id_bytes.map(HoldId)),
    st.builds(
        records.Refund,
        st.integers(1, limits.MAX_U64).map(SequenceNumber),
        st.integers(1, limits.MAX_U128),
        st.sampled_from(records.CorrectionReason),
        st.integers(1, limits.MAX_U128),
        unique=st.booleans(),
    ),
    st.builds(
        records.Dispute,
        st.integers(1, limits.MAX_U64).map(SequenceNumber),
        st.integers(1, limits.MAX_U128),
        st.sampled_from(records.CorrectionReason),
        st.integers(0, limits.MAX_U64).map(TimestampNs),
    ),
    st.builds(
        records.DisputeAnswer,
        st.integers(1, limits.MAX_U64).map(SequenceNumber),
        st.integers(0, limits.MAX_U128),
    ),
    st.builds(
        lambda pair, deposit, challenge, key, reference: records.Channel(
            AccountId(pair[0]), AccountId(pair[1]), deposit, challenge, key, *reference
        ),
        pairs,
        amounts,
        st.integers(limits.MIN_CHALLENGE_NS, limits.MAX_U64),
        keys_bytes,
        references,
    ),
    st.builds(
        lambda pair, maximum: records.Join(AccountId(pair[0]), AccountId(pair[1]), maximum),
        pairs,
        st.integers(0, limits.MAX_DEBIT),
    ),
    st.builds(records.WindowClose, id_bytes.map(UnitId), st.integers(1, limits.MAX_U64)),
    st.builds(
        records.Settle,
        id_bytes.map(UnitId),
        st.integers(1, limits.MAX_U64),
        st.binary(min_size=32, max_size=32),
    ),
    st.builds(
        records.Fail,
        id_bytes.map(UnitId),
        st.integers(1, limits.MAX_U64),
        id_bytes.map(AccountId),
    ),
    st.builds(records.TopUp, id_bytes.map(ChannelId), amounts),
    st.builds(
        records.Voucher,
        id_bytes.map(ChannelId),
        amounts,
        st.binary(min_size=24, max_size=24),
        proofs,
    ),
    st.builds(records.ChannelClose, id_bytes.map(ChannelId)),
    st.just(records.Tick()),
    st.builds(
        records.Unit,
        st.text("ABCXYZ0189.-_", min_size=1, max_size=16),
        st.integers(0, 18),
        id_bytes.filter(any).map(PrincipalId),
    ),
    st.builds(records.Account, st.just(kinds.AccountOperation.OPEN), id_bytes.map(UnitId)),
    st.builds(
        records.Account,
        st.sampled_from([kinds.AccountOperation.FREEZE, kinds.AccountOperation.CLOSE]),
        account=id_bytes.map(AccountId),
    ),
    st.builds(records.Name, st.sampled_from(kinds.NameKind), texts),
    st.builds(
        records.Principal,
        st.sampled_from(sorted(kinds.REGISTRABLE_TYPES)),
        keys_bytes,
        proofs,
        id_bytes.map(PrincipalId),
    ),
    st.builds(
        records.Key,
        st.just(kinds.KeyOperation.ADD),
        keys_bytes,
        id_bytes.map(PrincipalId),
        st.sampled_from(sorted(kinds.ADDABLE_SCOPES)),
        proofs,
        times,
    ),
    limit_samples.any_record | debt_samples.any_record | exchange_samples.any_record,
)


@given(any_record, st.lists(nonces, min_size=9, max_size=9))
def test_what_is_written_is_read_again(record: records.Record, some: list[bytes]) -> None:
    nonce = b"".join(some)[: record.nonce_bytes]
    data = record.encode(nonce)
    assert len(data) == limits.RECORD_BYTES * record.record_count
    assert records.decode(data) == record
    assert records.decode(memoryview(data)) == record
    assert type(record).decode(data) == record
    if nonce:
        assert data[112:128] == nonce[:16]


@dataclass(frozen=True)
class Spoiled:
    """A record, one change in its bytes, and the code that it must get."""

    record: records.Record
    offset: int
    value: bytes
    code: Code

    def __str__(self) -> str:
        return f"{self.record.KIND.name}-{self.offset}-{self.code.name}"


TRANSFER: Final = records.Transfer(A, B, 5, 7, unique=True)
ISSUE: Final = records.Issue(UNIT, B, 5, 7, unique=True)
BURN: Final = records.Burn(UNIT, B, 5, 7, unique=True)
CREDIT_LIMIT: Final = records.CreditLimit(UNIT, B, 5)
RESERVE: Final = records.Reserve(A, B, 5, TIME, 7, unique=True)
CAPTURE: Final = records.Capture(HOLD, 5, kinds.CaptureSource.ESTIMATED)
RELEASE: Final = records.Release(HOLD)
EXTEND: Final = records.Extend(HOLD, 5, TIME)
CHANNEL: Final = records.Channel(A, B, 5, 2 * 10**9, KEY, 7, unique=True)
TOP_UP: Final = records.TopUp(ChannelId(HOLD), 5)
VOUCHER: Final = records.Voucher(ChannelId(HOLD), 5, b"c" * 24, PROOF)
CHANNEL_CLOSE: Final = records.ChannelClose(ChannelId(HOLD))
CARD_ID: Final = CardId(b"c" * 16)
MODEL, METER = NameId(b"m" * 16), NameId(b"n" * 16)
NO_CARD, NO_NAME, NO_MANDATE = CardId(bytes(16)), NameId(bytes(16)), MandateId(bytes(16))
TERMS: Final = records.CardTerms(CARD_ID, MODEL, (METER,), (), b"e" * 16, kinds.Overrun.CAP)
PRICED: Final = records.Reserve(A, B, 5, TIME, 7, unique=True, terms=TERMS)
USAGE: Final = records.ServedUsage(METER, lines=((MODEL, 3), (METER, 2**64 - 1)))
USED: Final = records.Capture(HOLD, 5, kinds.CaptureSource.ESTIMATED, usage=USAGE)
MANDATE_ID: Final = MandateId(b"d" * 16)
METERED: Final = records.Meter(
    A, B, 5, CARD_ID, MODEL, USAGE, reference=7, unique=True, mandate=MANDATE_ID
)
MANDATE: Final = records.Mandate(A, PRINCIPAL, 9, 5, TIME, CARD_ID)
MANDATE_END: Final = records.MandateEnd(MANDATE_ID)
CARD: Final = records.Card(UNIT, TIME, 3, b"r" * 32, (MODEL, METER), CARD_ID)
PRICE: Final = records.Price(CARD_ID, MODEL, METER, 5, above=7)
FOLLOWING: Final = records.Price(CARD_ID, MODEL, METER, 0, same_as=MODEL)
FREE: Final = records.Price(CARD_ID, MODEL, METER, 0, free=True)
PUBLISH: Final = records.CardPublish(CARD_ID)
JOIN: Final = records.Join(A, B, 5)
WINDOW_CLOSE: Final = records.WindowClose(UNIT, 5)
SETTLE: Final = records.Settle(UNIT, 5, b"h" * 32)
FAIL: Final = records.Fail(UNIT, 5, A)
DEFERRED: Final = records.Unit("IOU", 9, PRINCIPAL, UNIT)
UNIT_RECORD: Final = records.Unit("USD", 9, PRINCIPAL)
OPEN: Final = records.Account(kinds.AccountOperation.OPEN, UNIT)
CLOSE: Final = records.Account(kinds.AccountOperation.CLOSE, account=A)
NAME: Final = records.Name(kinds.NameKind.MODEL, "n" * 65)
SHORT_NAME: Final = records.Name(kinds.NameKind.MODEL, "name")
PRINCIPAL_RECORD: Final = records.Principal(kinds.PrincipalType.SERVICE, KEY, PROOF, PRINCIPAL)
ADD: Final = records.Key(kinds.KeyOperation.ADD, KEY, PRINCIPAL, kinds.Scope.SPEND, PROOF, TIME)
ROTATE: Final = records.Key(kinds.KeyOperation.ROTATE, KEY, PRINCIPAL, None, PROOF, TIME)
REVOKE: Final = records.Key(kinds.KeyOperation.REVOKE, KEY, PRINCIPAL)

ALL: Final = (
    *limit_samples.ALL,
    TRANSFER,
    ISSUE,
    BURN,
    CREDIT_LIMIT,
    RESERVE,
    CAPTURE,
    RELEASE,
    EXTEND,
    CHANNEL,
    TOP_UP,
    VOUCHER,
    CHANNEL_CLOSE,
    records.Tick(),
    UNIT_RECORD,
    OPEN,
    SHORT_NAME,
    PRINCIPAL_RECORD,
    ADD,
    PRICED,
    *debt_samples.ALL,
    *correction_samples.ALL,
    TAKEN,
    USED,
    CARD,
    PUBLISH,
    JOIN,
    WINDOW_CLOSE,
    SETTLE,
    FAIL,
    DEFERRED,
)
WITH_CONTS: Final = (
    SHORT_NAME,
    CAPTURE,
    PRICED,
    USED,
    CARD,
    *debt_samples.WITH_CONTS,
    *correction_samples.WITH_CONTS,
    TAKEN,
)

SPOILED: Final = (
    *(Spoiled(*each) for each in limit_samples.SPOILED),
    *(Spoiled(*each) for each in debt_samples.SPOILED),
    *(Spoiled(*each) for each in correction_samples.SPOILED),
    *(Spoiled(*each) for each in exchange_samples.SPOILED),
    *(Spoiled(record, 2, b"\4", Code.UNKNOWN_FLAGS) for record in ALL),
    *(Spoiled(record, 3, b"\x80", Code.UNKNOWN_FLAGS) for record in ALL),
    Spoiled(CAPTURE, 2, b"\1", Code.UNKNOWN_FLAGS),  # UNIQUE is another kind's flag
    Spoiled(TRANSFER, 2, b"\2", Code.UNKNOWN_FLAGS),  # so is FINAL
    *(Spoiled(TRANSFER, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 72, 79, 80, 111)),
    *(Spoiled(ISSUE, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 72, 79, 80, 111)),
    *(Spoiled(BURN, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 72, 79, 80, 111)),
    *(Spoiled(CREDIT_LIMIT, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 56, 79, 80, 111)),
    Spoiled(BURN, 56, bytes(16), Code.BAD_FIELD),
    Spoiled(BURN, 40, bytes(16), Code.ZERO_AMOUNT),
    Spoiled(BURN, 24, UNIT, Code.SELF_TRANSFER),
    Spoiled(CREDIT_LIMIT, 2, b"\1", Code.UNKNOWN_FLAGS),
    *(Spoiled(RESERVE, at, b"\1", Code.RESERVED_NONZERO) for at in (80, 111)),
    *(Spoiled(CAPTURE, at, b"\1", Code.RESERVED_NONZERO) for at in (40, 71, 80, 111)),
    *(Spoiled(JOIN, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 56, 79, 80, 111)),
    Spoiled(JOIN, 40, (2**80 + 1).to_bytes(16, "little"), Code.BAD_FIELD),
    Spoiled(JOIN, 24, A, Code.SELF_TRANSFER),
    *(Spoiled(WINDOW_CLOSE, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 32, 80, 111)),
    Spoiled(WINDOW_CLOSE, 24, bytes(8), Code.BAD_FIELD),
    *(Spoiled(SETTLE, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 32, 39, 72, 111)),
    Spoiled(SETTLE, 24, bytes(8), Code.BAD_FIELD),
    *(Spoiled(FAIL, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 32, 39, 56, 111)),
    Spoiled(FAIL, 24, bytes(8), Code.BAD_FIELD),
    *(Spoiled(DEFERRED, at, b"\1", Code.RESERVED_NONZERO) for at in (7, 56, 79, 80, 111)),
    Spoiled(DEFERRED, 40, bytes(16), Code.BAD_FIELD),
    *(Spoiled(RELEASE, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 24, 79, 80, 111)),
    *(Spoiled(EXTEND, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 40, 71, 80, 111)),
    *(Spoiled(CHANNEL, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7)),
    *(Spoiled(TOP_UP, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 40, 79, 80, 111)),
    *(Spoiled(VOUCHER, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7)),
    *(Spoiled(CHANNEL_CLOSE, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 24, 80, 111)),
    *(Spoiled(records.Tick(), at, b"\1", Code.RESERVED_NONZERO) for at in (6, 79, 80, 111)),
    *(Spoiled(UNIT_RECORD, at, b"\1", Code.RESERVED_NONZERO) for at in (7, 40, 79, 80, 111)),
    *(Spoiled(OPEN, at, b"\1", Code.RESERVED_NONZERO) for at in (24, 39, 40, 79, 80, 111)),
    Spoiled(CLOSE, 8, b"\1", Code.RESERVED_NONZERO),
    *(Spoiled(SHORT_NAME, at, b"\1", Code.RESERVED_NONZERO) for at in (10, 15, 20, 79, 80, 111)),
    *(Spoiled(NAME, at, b"\1", Code.RESERVED_NONZERO) for at in (10, 15, 128 + 9, 128 + 111)),
    *(Spoiled(PRINCIPAL_RECORD, at, b"\1", Code.RESERVED_NONZERO) for at in (120, 127)),
    Spoiled(REVOKE, 40, b"\1", Code.RESERVED_NONZERO),
    Spoiled(REVOKE, 120, b"\1", Code.RESERVED_NONZERO),
    Spoiled(TRANSFER, 56, bytes(16), Code.BAD_FIELD),
    Spoiled(ISSUE, 56, bytes(16), Code.BAD_FIELD),
    Spoiled(RESERVE, 56, bytes(16), Code.BAD_FIELD),
    Spoiled(CHANNEL, 56, bytes(16), Code.BAD_FIELD),
    Spoiled(CHANNEL, 72, (10**9 - 1).to_bytes(8, "little"), Code.BAD_FIELD),
    Spoiled(TRANSFER, 40, bytes(16), Code.ZERO_AMOUNT),
    Spoiled(ISSUE, 40, bytes(16), Code.ZERO_AMOUNT),
    Spoiled(RESERVE, 40, bytes(16), Code.ZERO_AMOUNT),
    Spoiled(CAPTURE, 24, bytes(16), Code.ZERO_AMOUNT),
    Spoiled(CHANNEL, 40, bytes(16), Code.ZERO_AMOUNT),
    Spoiled(TOP_UP, 24, bytes(16), Code.ZERO_AMOUNT),
    Spoiled(VOUCHER, 24, bytes(16), Code.ZERO_AMOUNT),
    Spoiled(TRANSFER, 24, A, Code.SELF_TRANSFER),
    Spoiled(ISSUE, 24, UNIT, Code.SELF_TRANSFER),
    Spoiled(RESERVE, 24, A, Code.SELF_TRANSFER),
    Spoiled(CHANNEL, 24, A, Code.SELF_TRANSFER),
    Spoiled(RESERVE, 6, b"\3", Code.BAD_FIELD),
    Spoiled(RESERVE, 6, b"\1", Code.CONT_NOT_ALLOWED),  # CARD needs three
    Spoiled(PRICED, 128 + 8 + 48, b"a", Code.BAD_FIELD),  # a second tier before the first
    Spoiled(PRICED, 128 + 8 + 64, b"z", Code.BAD_FIELD),  # a third without a second
    Spoiled(USED, 128 + 8 + 32, b"\3", Code.CONT_NOT_ALLOWED),
    Spoiled(USED, 128 + 8 + 32, b"\x21", Code.BAD_FIELD),
    Spoiled(USED, 128 + 8 + 32, b"\1", Code.RESERVED_NONZERO),
    Spoiled(USED, 128 + 8 + 34, b"\1", Code.RESERVED_NONZERO),
    Spoiled(USED, 128 + 8 + 40, b"z", Code.BAD_FIELD),
    Spoiled(USED, 128 + 8 + 56, bytes(8), Code.BAD_FIELD),
    *(Spoiled(CARD, at, b"\1", Code.RESERVED_NONZERO) for at in (36, 39, 72, 79, 128 + 56)),
    Spoiled(CARD, 6, b"\x11", Code.BAD_FIELD),
    Spoiled(CARD, 6, b"\x06", Code.CONT_NOT_ALLOWED),
    Spoiled(CARD, 6, b"\x05", Code.BAD_FIELD),  # meters of zero
    Spoiled(CARD, 32, bytes(4), Code.BAD_FIELD),
    Spoiled(CARD, 32, b"\1\x10", Code.BAD_FIELD),
    Spoiled(CARD, 128 + 8 + 16, b"z", Code.BAD_FIELD),
    Spoiled(PRICE, 3, b"\x80", Code.UNKNOWN_FLAGS),
    *(Spoiled(PRICE, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 128 + 61, 128 + 111)),
    Spoiled(PRICE, 2, b"\4", Code.BAD_FIELD),  # FREE with a price
    Spoiled(PRICE, 2, b"\x08", Code.BAD_FIELD),  # SAME_AS nothing
    Spoiled(PRICE, 128 + 8 + 32, b"x", Code.BAD_FIELD),  # a meter to follow without SAME_AS
    Spoiled(PRICE, 56, bytes(16), Code.ZERO_AMOUNT),
    Spoiled(PRICE, 128 + 8 + 48, b"\xa0\x05", Code.BAD_FIELD),  # minute 1,440
    Spoiled(PRICE, 128 + 8 + 50, b"\0\0", Code.BAD_FIELD),
    Spoiled(PRICE, 128 + 8 + 50, b"\xa1\x05", Code.BAD_FIELD),
    *(Spoiled(PRICE, 128 + 8 + 52, days, Code.BAD_FIELD) for days in (b"\0", b"\x80")),
    Spoiled(FREE, 56, b"\1", Code.BAD_FIELD),
    Spoiled(FOLLOWING, 2, b"\x0c", Code.BAD_FIELD),
    Spoiled(FOLLOWING, 128 + 8 + 32, METER, Code.BAD_FIELD),
    *(Spoiled(PUBLISH, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 24, 111)),
    Spoiled(CAPTURE, 6, b"\0", Code.BAD_FIELD),
    Spoiled(CAPTURE, 6, b"\4", Code.BAD_FIELD),
    Spoiled(CAPTURE, 7, b"\1", Code.BAD_FIELD),
    Spoiled(UNIT_RECORD, 6, b"\x13", Code.BAD_FIELD),
    Spoiled(UNIT_RECORD, 8, bytes(16), Code.BAD_FIELD),
    Spoiled(UNIT_RECORD, 24, bytes(16), Code.BAD_FIELD),
    Spoiled(UNIT_RECORD, 24, b"usd", Code.BAD_FIELD),
    Spoiled(UNIT_RECORD, 24, b"U\0D", Code.BAD_FIELD),
    Spoiled(UNIT_RECORD, 24, b"\xc3\x84", Code.BAD_FIELD),
    Spoiled(OPEN, 6, b"\0", Code.BAD_FIELD),
    Spoiled(OPEN, 6, b"\5", Code.BAD_FIELD),
    Spoiled(SHORT_NAME, 6, b"\0", Code.BAD_FIELD),
    Spoiled(SHORT_NAME, 6, b"\x08", Code.BAD_FIELD),
    Spoiled(SHORT_NAME, 8, b"\0\0", Code.BAD_FIELD),
    Spoiled(SHORT_NAME, 8, b"\1\1", Code.BAD_FIELD),  # a length of 257
    Spoiled(SHORT_NAME, 8, b"\x41\0", Code.CONT_NOT_ALLOWED),  # 65 bytes need a CONT
    Spoiled(NAME, 8, b"\x40\0", Code.CONT_NOT_ALLOWED),  # 64 do not
    Spoiled(NAME, 8, b"\xa9\0", Code.CONT_NOT_ALLOWED),  # 169 need two
    *(
        Spoiled(SHORT_NAME, 16, text, Code.BAD_FIELD)
        for text in (b"na\x1fe", b"na\x7fe", b"na\xffe", b"\xed\xa0\x80e", b"\xc0\xaeme")
    ),
    Spoiled(PRINCIPAL_RECORD, 6, b"\0\0", Code.BAD_FIELD),
    Spoiled(PRINCIPAL_RECORD, 6, b"\4\0", Code.BAD_FIELD),
    Spoiled(PRINCIPAL_RECORD, 6, b"\x65\0", Code.BAD_FIELD),  # 101: an operator's
    Spoiled(ADD, 6, b"\0", Code.BAD_FIELD),
    Spoiled(ADD, 6, b"\4", Code.BAD_FIELD),
    Spoiled(ADD, 7, b"\0", Code.BAD_FIELD),
    Spoiled(ADD, 7, b"\4", Code.BAD_FIELD),  # NODE
    *(Spoiled(ADD, 7, scope, Code.BAD_FIELD) for scope in (b"\5", b"\x0b", b"\x0c")),
    Spoiled(ROTATE, 7, b"\1", Code.BAD_FIELD),
    Spoiled(REVOKE, 7, b"\1", Code.BAD_FIELD),
)


def _encode(record: records.Record) -> bytes:
    return record.encode(b"\xee" * record.nonce_bytes)


def _patched(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


@pytest.mark.parametrize("spoiled", SPOILED, ids=str)
def test_a_wrong_shape_gets_its_code(spoiled: Spoiled) -> None:
    data = _encode(spoiled.record)
    assert records.decode(data) == spoiled.record
    with pytest.raises(RecordError) as caught:
        records.decode(_patched(data, spoiled.offset, spoiled.value))
    assert caught.value.code is spoiled.code


@pytest.mark.parametrize("record", [record for record in ALL if record not in WITH_CONTS])
def test_others_have_no_conts(record: records.Record) -> None:
    data = _patched(_encode(record), 4, b"\1") + cont.encode(b"x", b"n" * 16)
    with pytest.raises(RecordError) as caught:
        records.decode(data)
    assert caught.value.code is Code.CONT_NOT_ALLOWED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({2: b"\x80", 4: b"\1", 6: b"\1"}, Code.UNKNOWN_FLAGS),
        ({4: b"\1", 6: b"\1", 40: bytes(16)}, Code.CONT_NOT_ALLOWED),
        ({6: b"\1", 40: bytes(16), 56: bytes(16)}, Code.RESERVED_NONZERO),
        ({40: bytes(16), 56: bytes(16), 24: A}, Code.BAD_FIELD),
        ({40: bytes(16), 24: A}, Code.ZERO_AMOUNT),
    ],
)
def test_the_first_check_that_fails_gives_the_code(changes: dict[int, bytes], code: Code) -> None:
    data = _encode(TRANSFER)
    for offset, value in changes.items():
        data = _patched(data, offset, value)
    if data[4]:
        data += cont.encode(b"x", b"n" * 16)
    with pytest.raises(RecordError) as caught:
        records.decode(data)
    assert caught.value.code is code


@pytest.mark.parametrize("amount", [-1, 2**128, 1.0, True, "5"])
def test_an_amount_is_a_whole_number_that_fits(amount: int) -> None:
    with pytest.raises(FieldError):
        records.Transfer(A, B, amount)


@pytest.mark.parametrize("account", [b"", b"a" * 15, b"a" * 17, bytearray(16), "a" * 16])
def test_an_id_is_sixteen_bytes(account: AccountId) -> None:
    with pytest.raises(FieldError):
        records.Transfer(account, B, 5)


@pytest.mark.parametrize("nonce", [b"", b"n" * 15, b"n" * 17, bytes(16)])
def test_a_nonce_is_sixteen_bytes_not_all_zero(nonce: bytes) -> None:
    with pytest.raises(FieldError):
        TRANSFER.encode(nonce)


def test_the_nonce_of_a_cont_is_not_zero_either() -> None:
    with pytest.raises(FieldError):
        NAME.encode(b"n" * 16 + bytes(16))


def test_a_capture_of_nothing_must_be_final() -> None:
    with pytest.raises(RecordError):
        records.Capture(HOLD, 0, kinds.CaptureSource.ESTIMATED)
    nothing = records.Capture(HOLD, 0, kinds.CaptureSource.ESTIMATED, final=True)
    assert records.decode(_encode(nothing)) == nothing


def test_an_extension_of_nothing_by_nothing_is_none() -> None:
    with pytest.raises(RecordError) as caught:
        records.Extend(HOLD)
    assert caught.value.code is Code.BAD_FIELD
    for some in (records.Extend(HOLD, 1), records.Extend(HOLD, expires_at_ns=TIME)):
        assert records.decode(_encode(some)) == some


@pytest.mark.parametrize("length", [1, 63, 64, 65, 168, 169, 255, 256])
def test_names_fill_as_many_conts_as_they_need(length: int) -> None:
    name = records.Name(kinds.NameKind.LABEL, "x" * length)
    data = _encode(name)
    assert len(data) == 128 * (1 + -(-max(0, length - 64) // 104))
    assert records.decode(data) == name
    if name.cont_count:
        assert data[80:112] == cont.cont_hash(data[128:])


@pytest.mark.parametrize("text", ["", "x" * 257, "é" * 129, "a\nb", "\ud800"])
def test_text_that_is_no_name(text: str) -> None:
    with pytest.raises(RecordError) as caught:
        records.Name(kinds.NameKind.LABEL, text)
    assert caught.value.code is Code.BAD_FIELD


def test_unknown_kinds_are_kept_as_they_are() -> None:
    data = _patched(_encode(NAME), 0, b"\x77\x77")
    raw = records.decode(data)
    assert raw == records.Raw(data)
    assert isinstance(raw, records.Raw)
    assert (raw.kind, raw.record_count) == (0x7777, 2)


@pytest.mark.parametrize("data", [b"", bytes(127), _encode(TRANSFER) * 2, _encode(NAME)[:128]])
def test_lengths_that_do_not_fit_the_head(data: bytes) -> None:
    with pytest.raises(FieldError):
        records.decode(data)


def test_another_kind_is_not_read() -> None:
    with pytest.raises(FieldError):
        records.Issue.decode(_encode(TRANSFER))


# --- CONT ----------------------------------------------------------------------------------------


@given(st.binary(max_size=400))
def test_conts_hold_their_content(content: bytes) -> None:
    count = cont.cont_count(len(content))
    conts = cont.encode(content, b"n" * 16 * count)
    assert len(conts) == 128 * count
    assert cont.content(conts) == content.ljust(104 * count, b"\0")


def test_no_more_than_64_conts() -> None:
    assert len(cont.encode(bytes(104 * 64), b"n" * 16 * 64)) == 128 * 64
    with pytest.raises(FieldError):
        cont.encode(bytes(104 * 64 + 1), b"n" * 16 * 65)


def test_torn_conts_have_no_content() -> None:
    with pytest.raises(MalformedError):
        cont.content(cont.encode(b"x", b"n" * 16)[:-1])
    with pytest.raises(MalformedError):
        cont.content(_encode(TRANSFER))
