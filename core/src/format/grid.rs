//! The grid of heads and CONT records (format.md section 6).
//!
//! The *shape* of the grid (who is a head, how many CONTs follow, nonces) costs a few reads per
//! record. The *hash* of a head over its CONTs costs SHA-256 and is left to `verify`, which asks
//! [`Heads`] for the heads that have any.

use sha2::{Digest, Sha256};

use super::bytes::Hash32;
use super::limits::{CONT_PREFIX, MAX_CONTS, RECORD_BYTES};
use super::record::{kind, RecordView};
use super::{EnvelopeView, Refusal};

/// `cont_hash` of a head whose CONT records are these bytes; zero without any.
pub fn cont_hash(conts: &[u8]) -> Hash32 {
    if conts.is_empty() {
        return [0; 32];
    }
    Sha256::new()
        .chain_update(CONT_PREFIX)
        .chain_update(conts)
        .finalize()
        .into()
}

/// Everything about the grid but the hashes over CONT records.
///
/// # Errors
/// `MALFORMED`, naming the record.
pub fn check_grid_shape(envelope: EnvelopeView<'_>) -> Result<(), Refusal> {
    let mut conts_due = 0;
    for (index, record) in envelope.records().enumerate() {
        let is_cont = record.kind() == kind::CONT;
        if is_cont != (conts_due > 0) {
            let what = if is_cont {
                "a CONT behind no head"
            } else {
                "a CONT is missing before"
            };
            return Err(Refusal::malformed(format!("record {index}: {what}")));
        }
        if is_cont {
            conts_due -= 1;
            if !record.is_zero(2, 8) {
                return Err(Refusal::malformed(format!(
                    "record {index}: fixed bytes of a CONT"
                )));
            }
        } else {
            conts_due = usize::from(record.cont_count());
            if conts_due > MAX_CONTS {
                return Err(Refusal::malformed(format!(
                    "record {index}: more than 64 CONTs"
                )));
            }
        }
        let has_nonce = !matches!(
            record.kind(),
            kind::PRINCIPAL | kind::KEY | kind::RECOVER | kind::VOUCHER
        );
        if has_nonce && record.is_zero(112, RECORD_BYTES) {
            return Err(Refusal::malformed(format!(
                "record {index}: the nonce is zero"
            )));
        }
    }
    if conts_due > 0 {
        return Err(Refusal::malformed("CONTs of the last head are missing"));
    }
    Ok(())
}

/// The heads of an envelope with their CONT records, in order.
///
/// Meant for an envelope whose grid shape holds; in any other it ends at the first head whose
/// CONTs leave the envelope, and never panics.
#[derive(Debug, Clone)]
pub struct Heads<'a> {
    envelope: EnvelopeView<'a>,
    next: usize,
}

impl<'a> Heads<'a> {
    /// From the first record on.
    #[inline]
    pub fn new(envelope: EnvelopeView<'a>) -> Self {
        Self { envelope, next: 0 }
    }
}

impl<'a> Iterator for Heads<'a> {
    /// Record index of the head, the head, the bytes of its CONT records.
    type Item = (u32, RecordView<'a>, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let records = self.envelope.records_bytes();
        let index = self.next;
        if index * RECORD_BYTES >= records.len() {
            return None;
        }
        let head = self.envelope.record(index);
        let end = index + 1 + usize::from(head.cont_count());
        let conts = records.get((index + 1) * RECORD_BYTES..end * RECORD_BYTES)?;
        self.next = end;
        // An index below 8,190 fits.
        Some((index as u32, head, conts))
    }
}
