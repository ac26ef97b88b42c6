//! Putting right what a fuzzer cannot guess: ledger id, roots, hashes, signatures.

use ed25519_zebra::SigningKey;
use tallystick_core::format::limits::{
    ENVELOPE_PREFIX, HEADER_BYTES, RECORDS_OFFSET, RECORD_BYTES,
};
use tallystick_core::format::{
    cont_hash, kind, u16_at, u32_at, EnvelopeView, Hash32, POSSESSION_PREFIX,
};
use tallystick_core::tree;

use crate::support::public_key;

pub const LEDGER_ID: u8 = 1;
pub const SIGNER: u8 = 2;
pub const TIMES: u8 = 4;
pub const CONTS: u8 = 8;
pub const ROOT: u8 = 16;
pub const SIGNATURE: u8 = 32;
pub const POSSESSIONS: u8 = 64;
pub const NONCES: u8 = 128;

/// What envelopes are put right with.
pub struct Repair<'a> {
    /// Which of the constants above.
    pub what: u8,
    pub ledger_id: &'a Hash32,
    pub key: &'a SigningKey,
    pub id_ms: u64,
    pub valid_until_ns: u64,
}

impl Repair<'_> {
    fn does(&self, what: u8) -> bool {
        self.what & what != 0
    }

    /// Puts right all envelopes, back to back, up to where a boundary is lost.
    pub fn message(&self, message: &mut [u8]) {
        let mut offset = 0;
        while let Ok(view) = EnvelopeView::frame(&message[offset..]) {
            let end = offset + view.bytes().len();
            self.envelope(&mut message[offset..end]);
            offset = end;
        }
    }

    fn envelope(&self, envelope: &mut [u8]) {
        let (head, records) = envelope.split_at_mut(RECORDS_OFFSET);
        self.records(records);
        if self.does(LEDGER_ID) {
            head[16..48].copy_from_slice(self.ledger_id);
        }
        if self.does(SIGNER) {
            head[48..80].copy_from_slice(&public_key(self.key));
        }
        if self.does(TIMES) {
            head[90..96].copy_from_slice(&self.id_ms.to_le_bytes()[..6]);
            head[96..104].copy_from_slice(&self.valid_until_ns.to_le_bytes());
        }
        if self.does(ROOT) {
            head[104..136].copy_from_slice(&tree::root(records, RECORD_BYTES));
        }
        if self.does(SIGNATURE) {
            let message = [ENVELOPE_PREFIX, &head[..HEADER_BYTES]].concat();
            head[HEADER_BYTES..].copy_from_slice(&<[u8; 64]>::from(self.key.sign(&message)));
        }
    }

    fn records(&self, records: &mut [u8]) {
        for at in (0..records.len()).step_by(RECORD_BYTES) {
            let record = &mut records[at..at + RECORD_BYTES];
            let number = u16_at(record, 0);
            let has_proof = matches!(number, kind::PRINCIPAL | kind::KEY);
            if self.does(NONCES) && !has_proof {
                record[127] |= 1;
            }
            if self.does(POSSESSIONS) && has_proof {
                self.possession(record);
            }
            let conts = usize::from(u16_at(record, 4)) * RECORD_BYTES;
            let begin = at + RECORD_BYTES;
            if self.does(CONTS) && number != kind::CONT && begin + conts <= records.len() {
                let hash = cont_hash(&records[begin..begin + conts]);
                records[at + 80..at + 112].copy_from_slice(&hash);
            }
        }
    }

    /// Lets the record register the repairing key itself.
    fn possession(&self, record: &mut [u8]) {
        let key = public_key(self.key);
        let message = [POSSESSION_PREFIX, self.ledger_id, &record[104..120], &key].concat();
        record[8..40].copy_from_slice(&key);
        record[40..104].copy_from_slice(&<[u8; 64]>::from(self.key.sign(&message)));
    }
}

/// Number of envelopes and records that stand in a message, back to back.
pub fn count(message: &[u8]) -> (u32, u32) {
    let (mut offset, mut envelopes, mut records) = (0, 0_u32, 0_u32);
    while let Ok(view) = EnvelopeView::frame(&message[offset..]) {
        offset += view.bytes().len();
        envelopes += 1;
        records += u32_at(view.bytes(), 12);
    }
    (envelopes, records)
}
