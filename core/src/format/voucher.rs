//! A voucher of a channel, as its payer signed it (format.md section 6).

use super::bytes::{Hash32, Id16};
use super::record::{kind, RecordView};

/// What stands before ledger id, channel, amount and commitment in the signed bytes.
pub const VOUCHER_PREFIX: &[u8] = b"tallystick/voucher/v1\0";

/// Bytes that a voucher's signature is over, without their prefix.
pub const VOUCHER_BODY_BYTES: usize = 32 + 16 + 16 + 24;

/// The voucher inside of a VOUCHER record.
#[derive(Debug, Clone, Copy)]
pub struct Voucher<'a>(RecordView<'a>);

impl<'a> Voucher<'a> {
    /// The voucher that a record redeems; None for all kinds but VOUCHER.
    #[inline]
    pub fn of(record: RecordView<'a>) -> Option<Self> {
        (record.kind() == kind::VOUCHER).then_some(Self(record))
    }

    /// Offset 8: the channel.
    #[inline]
    pub fn channel(self) -> Id16 {
        self.0.id16(8)
    }

    /// Offset 24: what the channel pays so far, earlier vouchers included.
    #[inline]
    pub fn cumulative(self) -> u128 {
        self.0.u128(24)
    }

    /// Offset 64: by the channel's key.
    #[inline]
    pub fn signature(self) -> &'a [u8; 64] {
        self.0.array(64)
    }

    /// The signed bytes behind [`VOUCHER_PREFIX`].
    pub fn body(self, ledger_id: &Hash32) -> [u8; VOUCHER_BODY_BYTES] {
        let mut out = [0; VOUCHER_BODY_BYTES];
        out[..32].copy_from_slice(ledger_id);
        // Channel, cumulative amount and commitment stand in the record as they are signed.
        out[32..].copy_from_slice(self.0.slice(8, 64));
        out
    }
}
