"""Samples of PAY_CLAIM and of a hold on debt, and ways to spoil them: for test_records."""

from typing import Final

from hypothesis import strategies as st
from tests.ledger import limit_samples

from tallystick_ledger import limits, records
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, CardId, ClaimId, NameId, TimestampNs
from tallystick_ledger.records import kinds

A: Final = AccountId(b"a" * 16)
B: Final = AccountId(b"b" * 16)

PAY_CLAIM: Final = records.PayClaim(records.ClaimOperation.PAY, ClaimId(b"h" * 16), 5, A)
WAIVE: Final = records.PayClaim(records.ClaimOperation.WAIVE, ClaimId(b"h" * 16))
TERMS: Final = records.CardTerms(
    CardId(b"c" * 16),
    NameId(b"m" * 16),
    overrun=kinds.Overrun.DEBT,
    debt_limit=limits.MAX_U128,
)
ON_DEBT: Final = records.Reserve(A, B, 5, TimestampNs(2**63 + 5), terms=TERMS)

ALL: Final = (PAY_CLAIM, WAIVE, ON_DEBT)
WITH_CONTS: Final = (ON_DEBT, limit_samples.ZONE)

any_record: Final = st.builds(
    lambda claim, amount, debit: records.PayClaim(
        records.ClaimOperation.PAY, ClaimId(claim), amount, AccountId(debit)
    ),
    st.binary(min_size=16, max_size=16),
    st.integers(1, limits.MAX_U128),
    st.binary(min_size=16, max_size=16),
)

# A record, an offset in its bytes, what is written there, and the code that it must get.
SPOILED: Final[tuple[tuple[records.Record, int, bytes, Code], ...]] = (
    *((PAY_CLAIM, at, b"\1", Code.RESERVED_NONZERO) for at in (56, 79, 80, 111)),
    *((WAIVE, at, b"\1", Code.RESERVED_NONZERO) for at in (24, 40, 55)),
    (PAY_CLAIM, 6, b"\3", Code.BAD_FIELD),
    (ON_DEBT, 6, b"\0", Code.CONT_NOT_ALLOWED),
    (PAY_CLAIM, 24, bytes(16), Code.ZERO_AMOUNT),
    *((ON_DEBT, 128 * 2 + 80, overrun, Code.BAD_FIELD) for overrun in (b"\0", b"\4")),
    (ON_DEBT, 128 * 2 + 80, b"\1", Code.BAD_FIELD),  # a debt limit without DEBT
    (ON_DEBT, 128 * 2 + 88, bytes(16), Code.BAD_FIELD),  # DEBT without a limit
    *((ON_DEBT, 128 * 2 + at, b"\1", Code.RESERVED_NONZERO) for at in (82, 87, 111, 111 + 128)),
)
