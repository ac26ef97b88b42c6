//! Records out of a block, by sequence number, with what their envelopes say of them.

use crate::format::limits::RECORD_BYTES;
use crate::format::BlockView;

/// Bytes of one cut: u32 envelope in the block, u32 record in the envelope, u64 first sequence
/// number of the envelope, envelope id (16), signer (32), record (128).
pub const CUT_BYTES: usize = 64 + RECORD_BYTES;

/// What cannot be cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    #[error("no block: {0}")]
    NoBlock(String),
    #[error("sequence number {0} is not in the block")]
    Outside(u64),
}

/// `CUT_BYTES` for each of the sequence numbers, in their order.
///
/// # Errors
/// [`CutError`]
pub fn cut_records(block: &[u8], sequences: &[u64]) -> Result<Vec<u8>, CutError> {
    let view = BlockView::parse(block).map_err(|refusal| CutError::NoBlock(refusal.to_string()))?;
    let first = view.header().first_sequence();
    let envelopes: Vec<_> = view.envelopes().collect();
    let mut out = Vec::with_capacity(sequences.len() * CUT_BYTES);
    for &sequence in sequences {
        let place = sequence
            .checked_sub(first)
            .filter(|&place| place < u64::from(view.header().record_count()))
            .ok_or(CutError::Outside(sequence))? as u32;
        let behind = envelopes.partition_point(|envelope| envelope.first_record <= place);
        let number = behind.saturating_sub(1);
        let envelope = &envelopes[number];
        let index = place - envelope.first_record;
        let header = envelope.view.header();
        out.extend_from_slice(&(number as u32).to_le_bytes());
        out.extend_from_slice(&index.to_le_bytes());
        out.extend_from_slice(&(first + u64::from(envelope.first_record)).to_le_bytes());
        out.extend_from_slice(&header.envelope_id());
        out.extend_from_slice(header.signer());
        out.extend_from_slice(envelope.view.record(index as usize).bytes());
    }
    Ok(out)
}
