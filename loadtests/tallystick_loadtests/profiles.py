"""What can be measured: one table of profiles, and the numbers that belong to each.

| profile | a message is | how it travels | under way at once |
|---|---|---|---|
| bulk | one envelope of 8,190 transfers | one stream | 3 messages |
| packed | 2,730 envelopes of one transfer, 256 signers | one stream | 3 messages |
| unary | one envelope of one transfer, signed before | Submit, one call each | 64 calls |
| callers | `await client.transfer(…)`, signed inside the timed part | the SDK packs | 64 calls |
| lone | as `callers`, then as `unary` | one at a time | 1 call |
| vouchers | one envelope of 8,190 vouchers of 100 channels, each signed | one stream | 3 messages |
| holds | 4,094 RESERVEs and their 4,094 final CAPTUREs | one stream | 3 messages |
| usage | one envelope of 2,730 METERs, each with two CONTs | one stream | 3 messages |
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tallystick_ledger.limits import (
    ENVELOPE_PREFIX_BYTES,
    MAX_ENVELOPE_BYTES,
    MAX_RECORDS,
    RECORD_BYTES,
)

# An envelope of one transfer: 256 bytes of header and signature, 128 of record.
SINGLE_ENVELOPE_BYTES: Final = 384
PACKED_PER_MESSAGE: Final = MAX_ENVELOPE_BYTES // SINGLE_ENVELOPE_BYTES
# Who is paid by vouchers, holds and usage: the last of the parties. For vouchers, all others have a
# channel to each of them.
PAYEES: Final = 10
PAYERS: Final = 100
# A message of two envelopes with equally many records.
HELD_RECORDS: Final = (MAX_ENVELOPE_BYTES - 2 * ENVELOPE_PREFIX_BYTES) // (2 * RECORD_BYTES) * 2
# A METER of two meters takes a head and two CONTs.
METER_RECORDS: Final = 3


class Profile(StrEnum):
    """What is sent, and how."""

    BULK = "bulk"
    PACKED = "packed"
    UNARY = "unary"
    CALLERS = "callers"
    LONE = "lone"
    VOUCHERS = "vouchers"
    HOLDS = "holds"
    USAGE = "usage"


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of a profile.

    Attributes:
        parties: Principals with a key and accounts; all pay, but for vouchers, holds and
            usage the last `PAYEES` of them, who are paid.
        accounts_each: Accounts of each.
        transfers_per_message: In what one latency is measured of.
        window: Messages under way at once when the next one leaves as soon as one is answered.
        open_window: The same when messages leave by a schedule; what is due beyond it waits in the
            client, and its wait counts.
        messages_per_s: Prepared for each second of a closed loop: above what two cores have ever
            settled. Zero where nothing is prepared.
        records_per_request: Records that settle one metered request; zero where a record is none.
    """

    parties: int
    accounts_each: int
    transfers_per_message: int
    window: int
    open_window: int
    messages_per_s: int
    records_per_request: int = 0

    @property
    def may_be_open(self) -> bool:
        """Whether messages can leave by a schedule."""
        return self.open_window > 0


SHAPES: Final[dict[Profile, Shape]] = {
    # Three messages under way are the knee: more only wait in the node (measured: 1, 3 and 8 give
    # 0.65, 1.1 and 1.1 M transfers/s).
    Profile.BULK: Shape(1, 10_000, MAX_RECORDS, 3, 8, 110),
    Profile.PACKED: Shape(256, 40, PACKED_PER_MESSAGE, 3, 8, 36),
    Profile.UNARY: Shape(256, 40, 1, 64, 512, 6_000),
    Profile.CALLERS: Shape(1, 1_000, 1, 64, 0, 0),
    Profile.LONE: Shape(1, 1_000, 1, 1, 0, 1_000),
    Profile.VOUCHERS: Shape(PAYERS + PAYEES, PAYEES, MAX_RECORDS, 3, 8, 24, 1),
    Profile.HOLDS: Shape(PAYERS + PAYEES, PAYEES, HELD_RECORDS, 3, 8, 50, 2),
    Profile.USAGE: Shape(PAYERS + PAYEES, PAYEES, MAX_RECORDS, 3, 8, 60, METER_RECORDS),
}
