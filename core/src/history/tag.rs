//! What a posting says of its record: one byte, so that most filters need no record.
//!
//! | bits | meaning |
//! |---|---|
//! | 0 to 5 | the record's kind, by the table below; 0 if only a sweep touched the account |
//! | 6 | the record was refused |
//! | 7 | a hold of the account expired just before the record |

use crate::format::kind;

/// Bits of the kind.
pub const KIND_MASK: u8 = 0x3F;
/// The record was refused.
pub const REFUSED: u8 = 0x40;
/// A sweep at the record touched the account.
pub const SWEPT: u8 = 0x80;
/// A kind without a number of its own: the record itself has to be asked.
pub const OTHER: u8 = 63;

/// The number of a kind.
#[inline]
pub fn of_kind(record_kind: u16) -> u8 {
    match record_kind {
        kind::TRANSFER => 4,
        kind::RESERVE => 5,
        kind::CAPTURE => 7,
        kind::RELEASE => 8,
        kind::ISSUE => 3,
        kind::ACCOUNT => 1,
        kind::UNIT => 2,
        kind::EXTEND => 6,
        kind::CHANNEL => 9,
        kind::TOP_UP => 10,
        kind::VOUCHER => 11,
        kind::CHANNEL_CLOSE => 12,
        kind::BURN => 13,
        kind::CREDIT_LIMIT => 14,
        kind::METER => 15,
        kind::MANDATE => 16,
        kind::MANDATE_END => 17,
        kind::GRANT => 32,
        kind::CLAW_BACK => 33,
        kind::REFUND => 36,
        kind::DISPUTE => 37,
        kind::DISPUTE_ANSWER => 38,
        kind::REPRICE => 39,
        kind::JOIN => 44,
        kind::WINDOW_CLOSE => 45,
        kind::SETTLE => 46,
        kind::FAIL => 47,
        kind::PAY_CLAIM => 54,
        _ => OTHER,
    }
}
