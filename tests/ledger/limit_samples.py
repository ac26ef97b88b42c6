"""Samples of LIMIT, ZONE, DELEGATE, KILL, RECOVER and VETO, and ways to spoil them: for
test_records.
"""

from typing import Final

from hypothesis import strategies as st

from tallystick_ledger import limits, records
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    AccountId,
    PrincipalId,
    PublicKey,
    Signature,
    TimestampNs,
    UnitId,
    ZoneId,
)
from tallystick_ledger.records import kinds
from tallystick_ledger.zones import ZoneTable

A: Final = AccountId(b"a" * 16)
B: Final = AccountId(b"b" * 16)
UNIT: Final = UnitId(b"u" * 16)
KEY: Final = PublicKey(b"k" * 32)
TIME: Final = TimestampNs(2**63 + 5)

LIMIT: Final = records.Limit(
    kinds.LimitTarget.ACCOUNT,
    kinds.LimitWindow.DAY,
    records.Limit.of_one(A),
    UNIT,
    5,
    ZoneId(b"z" * 16),
)
HELD: Final = records.Limit(
    kinds.LimitTarget.PAYEE, kinds.LimitWindow.HELD, records.Limit.of_pair(A, B), UNIT, 5
)
ENDED: Final = records.Limit(
    kinds.LimitTarget.KEY,
    kinds.LimitWindow.TOTAL,
    records.Limit.of_key(KEY),
    UNIT,
    operation=kinds.LimitOperation.END,
)
ZONE: Final = records.Zone(
    "Asia/Tokyo", 1, ZoneTable(TIME, TimestampNs(TIME + 9), 32_400, ((TimestampNs(TIME + 1), 0),))
)
DELEGATE: Final = records.Delegate(KEY, PublicKey(b"p" * 32))
KILL: Final = records.Kill(KEY)

RECOVER: Final = records.Recover(
    KEY, Signature(b"s" * 64), PrincipalId(b"p" * 16), limits.MAX_RECOVERY_NS
)
VETO: Final = records.Veto(KEY)

ALL: Final = (LIMIT, HELD, ENDED, DELEGATE, KILL, ZONE, RECOVER, VETO)

_ids = st.binary(min_size=16, max_size=16)
_keys = st.binary(min_size=32, max_size=32).map(PublicKey)
_times = st.integers(0, limits.MAX_U64).map(TimestampNs)

any_record: Final = st.one_of(
    st.builds(
        records.Limit,
        st.just(kinds.LimitTarget.KEY),
        st.sampled_from([kinds.LimitWindow.DAY, kinds.LimitWindow.MONTH]),
        _keys,
        _ids.map(UnitId),
        st.integers(0, limits.MAX_U128),
        _ids.map(ZoneId),
    ),
    st.builds(
        lambda name, version, instants, offsets: records.Zone(
            name,
            version,
            ZoneTable(
                TimestampNs(instants[0]),
                TimestampNs(instants[-1]),
                offsets[0],
                tuple((TimestampNs(at), offsets[1]) for at in instants[1:-1]),
            ),
        ),
        st.text("AZaz09/_+-", min_size=1, max_size=32),
        st.integers(1, limits.MAX_U32),
        st.sets(_times, min_size=2, max_size=9).map(sorted),
        st.tuples(*[st.integers(-86_400, 86_400)] * 2),
    ),
    st.builds(
        records.Delegate,
        _keys.filter(lambda key: key[0] < 128),
        _keys.filter(lambda key: key[0] >= 128),
    ),
    st.builds(records.Kill, _keys),
    st.builds(
        records.Recover,
        _keys,
        st.binary(min_size=64, max_size=64).map(Signature),
        _ids.map(PrincipalId),
        st.integers(limits.MIN_RECOVERY_NS, limits.MAX_RECOVERY_NS),
    ),
    st.builds(records.Veto, _keys),
)

# A record, an offset in its bytes, what is written there, and the code that it must get.
SPOILED: Final[tuple[tuple[records.Record, int, bytes, Code], ...]] = (
    *((LIMIT, at, b"\1", Code.RESERVED_NONZERO) for at in (56, 71, 73, 79)),
    *((DELEGATE, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 72, 111)),
    *((KILL, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 40, 111)),
    *((ZONE, at, b"\1", Code.RESERVED_NONZERO) for at in (64, 79, 128 + 8 + 12, 128 + 111)),
    *((LIMIT, 6, bytes((value,)), Code.BAD_FIELD) for value in (0, 4, 5)),
    *((LIMIT, 7, bytes((value,)), Code.BAD_FIELD) for value in (0, 3, 4, 5)),
    *((LIMIT, 72, bytes((value,)), Code.BAD_FIELD) for value in (0, 2, 3)),
    (LIMIT, 96, b"\1", Code.BAD_FIELD),  # a second id
    (HELD, 96, A, Code.BAD_FIELD),
    (HELD, 24, b"\1", Code.BAD_FIELD),  # a zone
    (ENDED, 40, b"\1", Code.BAD_FIELD),  # an amount
    (DELEGATE, 40, KEY, Code.BAD_FIELD),
    (ZONE, 6, b"\x41", Code.BAD_FIELD),
    (ZONE, 6, b"\0", Code.CONT_NOT_ALLOWED),
    (ZONE, 8, b"\0", Code.BAD_FIELD),
    (ZONE, 12, b" ", Code.BAD_FIELD),
    (ZONE, 39, b"a", Code.BAD_FIELD),  # behind a gap
    (ZONE, 40, b"\xff" * 8, Code.BAD_FIELD),
    (ZONE, 56, bytes(4), Code.BAD_FIELD),
    (ZONE, 62, b"\xff", Code.BAD_FIELD),
    (ZONE, 128 + 8 + 10, b"\xff", Code.BAD_FIELD),
    (ZONE, 128 + 8, bytes(8), Code.BAD_FIELD),
    *((RECOVER, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7)),
    (RECOVER, 120, (limits.MIN_RECOVERY_NS - 1).to_bytes(8, "little"), Code.BAD_FIELD),
    (RECOVER, 120, (limits.MAX_RECOVERY_NS + 1).to_bytes(8, "little"), Code.BAD_FIELD),
    *((VETO, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 40, 79, 80, 111)),
)
