"""Samples of corrections, and ways to spoil them: for test_records."""

from typing import Final

from tallystick_ledger import records
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import CardId, NameId, SequenceNumber, TimestampNs

_METER: Final = NameId(b"n" * 16)
_USAGE: Final = records.ServedUsage(lines=((_METER, 3),))

REFUND: Final = records.Refund(SequenceNumber(9), 5, records.CorrectionReason.ERROR)
DISPUTE: Final = records.Dispute(
    SequenceNumber(9), 5, records.CorrectionReason.SERVICE, TimestampNs(1)
)
ANSWER: Final = records.DisputeAnswer(SequenceNumber(9), 5)
REPRICE: Final = records.Reprice(
    SequenceNumber(9), 5, CardId(b"c" * 16), NameId(b"m" * 16), _USAGE, TimestampNs(7)
)
FREE: Final = records.Reprice(
    SequenceNumber(9), 0, CardId(b"c" * 16), NameId(b"m" * 16), records.ServedUsage()
)

ALL: Final = (REFUND, DISPUTE, ANSWER, REPRICE, FREE)
WITH_CONTS: Final = (REPRICE, FREE)
# record; where; what instead; the answer
SPOILED: Final = (
    *((REFUND, at, b"\1", Code.RESERVED_NONZERO) for at in (16, 23, 40, 55, 80, 111)),
    (REFUND, 6, b"\7", Code.BAD_FIELD),
    (REFUND, 8, bytes(8), Code.BAD_FIELD),
    (REFUND, 24, bytes(16), Code.ZERO_AMOUNT),
    *((DISPUTE, at, b"\1", Code.RESERVED_NONZERO) for at in (16, 23, 40, 71, 80, 111)),
    (DISPUTE, 6, bytes(2), Code.BAD_FIELD),
    (DISPUTE, 8, bytes(8), Code.BAD_FIELD),
    (DISPUTE, 24, bytes(16), Code.ZERO_AMOUNT),
    *((ANSWER, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 16, 23, 40, 111)),
    (ANSWER, 8, bytes(8), Code.BAD_FIELD),
    *((REPRICE, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 16, 23, 40, 71)),
    (REPRICE, 8, bytes(8), Code.BAD_FIELD),
)
