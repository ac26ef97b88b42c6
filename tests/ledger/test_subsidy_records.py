"""LIST, GRANT, CLAW_BACK and RELATION: read as written, and a wrong shape gets its code."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.test_records import (
    HOLD,
    PRINCIPAL,
    TIME,
    A,
    Spoiled,
    amounts,
    id_bytes,
    nonces,
    pairs,
    references,
    times,
)

from tallystick_ledger import limits, records
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import RecordError
from tallystick_ledger.ids import AccountId, GrantId, ListId, PrincipalId

LIST: Final = records.List((b"l" * 16, b"m" * 16))
GRANT: Final = records.Grant(
    A, PRINCIPAL, 5, TIME, 500_000, 7, 9, registrar=PrincipalId(b"q" * 16), reference=7, unique=True
)
CLAW_BACK: Final = records.ClawBack(GrantId(HOLD))
RELATION: Final = records.Relation(
    records.RelationOperation.STATE, PRINCIPAL, PrincipalId(b"q" * 16)
)

STRATEGY: Final[st.SearchStrategy[records.Record]] = st.one_of(
    st.builds(
        lambda ids: records.List(tuple(sorted(ids))),
        st.sets(nonces, min_size=1, max_size=12),
    ),
    st.builds(
        lambda pair, amount, until, ratio, cap, lists, reference: records.Grant(
            AccountId(pair[0]),
            PrincipalId(pair[1]),
            amount,
            until,
            ratio,
            ratio % 65_536,
            cap,
            ListId(lists[0]),
            ListId(lists[1]),
            ListId(lists[2]),
            PrincipalId(pair[0]),
            pair[0],
            *reference,
        ),
        pairs,
        amounts,
        times,
        st.integers(1, limits.RATIO_UNITS),
        st.integers(0, limits.MAX_U128),
        st.tuples(id_bytes, id_bytes, id_bytes),
        references,
    ),
    st.builds(records.ClawBack, id_bytes.map(GrantId)),
    st.builds(
        lambda operation, pair: records.Relation(operation, *map(PrincipalId, sorted(pair))),
        st.sampled_from(records.RelationOperation),
        pairs,
    ),
)
SPOILED: Final = (
    *(Spoiled(record, 3, b"\x80", Code.UNKNOWN_FLAGS) for record in (LIST, GRANT, RELATION)),
    *(Spoiled(LIST, at, b"\1", Code.RESERVED_NONZERO) for at in (8, 79, 168, 239)),
    Spoiled(LIST, 6, bytes(2), Code.BAD_FIELD),
    Spoiled(LIST, 6, b"\1\1", Code.BAD_FIELD),
    Spoiled(LIST, 6, b"\7", Code.CONT_NOT_ALLOWED),
    Spoiled(LIST, 136, b"m" * 16, Code.BAD_FIELD),
    Spoiled(LIST, 136, bytes(16), Code.BAD_FIELD),
    *(Spoiled(GRANT, at, b"\1", Code.RESERVED_NONZERO) for at in (236, 239)),
    Spoiled(GRANT, 232, bytes(4), Code.BAD_FIELD),
    Spoiled(GRANT, 234, b"\xff", Code.BAD_FIELD),
    Spoiled(GRANT, 56, bytes(16), Code.BAD_FIELD),
    Spoiled(GRANT, 40, bytes(16), Code.ZERO_AMOUNT),
    Spoiled(GRANT, 184, PRINCIPAL, Code.SELF_DECLARED),
    *(Spoiled(CLAW_BACK, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 24, 80, 111)),
    *(Spoiled(RELATION, at, b"\1", Code.RESERVED_NONZERO) for at in (40, 79, 80, 111)),
    Spoiled(RELATION, 6, bytes(1), Code.BAD_FIELD),
    Spoiled(RELATION, 6, b"\3", Code.BAD_FIELD),
    Spoiled(RELATION, 8, b"q" * 16, Code.BAD_FIELD),
)


@given(STRATEGY, nonces)
def test_what_is_written_is_read_again(record: records.Record, nonce: bytes) -> None:
    data = record.encode(nonce * record.record_count)
    assert len(data) == limits.RECORD_BYTES * record.record_count
    assert records.decode(data) == record


@pytest.mark.parametrize("spoiled", SPOILED, ids=str)
def test_a_wrong_shape_gets_its_code(spoiled: Spoiled) -> None:
    record = spoiled.record
    data = record.encode(b"n" * 16 * record.record_count)
    end = spoiled.offset + len(spoiled.value)
    with pytest.raises(RecordError) as caught:
        records.decode(data[: spoiled.offset] + spoiled.value + data[end:])
    assert caught.value.code is spoiled.code
