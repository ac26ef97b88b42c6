//! Proof that a key to register is possessed (format.md section 6).

use super::bytes::{array_at, Hash32, Id16, Key32};
use super::record::{kind, RecordView};

/// What stands before ledger id, principal and key in the signed bytes.
pub const POSSESSION_PREFIX: &[u8] = b"tallystick/possession/v1\0";

const KEY_ADD: u8 = 1;
const KEY_ROTATE: u8 = 3;
/// Bytes that a proof signs.
pub const MESSAGE_BYTES: usize = 25 + 32 + 16 + 32;

/// A key that a record registers, with its proof.
#[derive(Debug, Clone, Copy)]
pub struct Possession<'a> {
    /// The key.
    pub key: &'a Key32,
    /// Its signature.
    pub proof: &'a [u8; 64],
    /// Whom the record says it belongs to.
    pub principal: Id16,
}

impl<'a> Possession<'a> {
    /// The possession that a record must prove: PRINCIPAL, RECOVER, and KEY with ADD or ROTATE.
    #[inline]
    pub fn of(record: RecordView<'a>) -> Option<Self> {
        let due = match record.kind() {
            kind::PRINCIPAL | kind::RECOVER => true,
            kind::KEY => matches!(record.u8(6), KEY_ADD | KEY_ROTATE),
            _ => false,
        };
        due.then(|| Self {
            key: record.array(8),
            proof: record.array(40),
            principal: array_at(record.bytes(), 104),
        })
    }

    /// The signed bytes.
    pub fn message(&self, ledger_id: &Hash32) -> [u8; MESSAGE_BYTES] {
        let mut out = [0; MESSAGE_BYTES];
        out[..25].copy_from_slice(POSSESSION_PREFIX);
        out[25..57].copy_from_slice(ledger_id);
        out[57..73].copy_from_slice(&self.principal);
        out[73..].copy_from_slice(self.key);
        out
    }
}
