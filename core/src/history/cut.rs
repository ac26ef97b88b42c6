//! Records out of a block, by sequence number, with what their envelopes say of them.

use crate::format::limits::RECORD_BYTES;
use crate::format::{BlockEnvelope, BlockView};

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
    #[error("the record at {0} names more CONTs than its envelope has behind it")]
    NoConts(u64),
}

/// `CUT_BYTES` for each of the sequence numbers, in their order.
///
/// # Errors
/// [`CutError`]
pub fn cut_records(block: &[u8], sequences: &[u64]) -> Result<Vec<u8>, CutError> {
    let block = Block::parse(block)?;
    let mut out = Vec::with_capacity(sequences.len() * CUT_BYTES);
    for &sequence in sequences {
        let (number, index) = block.place(sequence)?;
        let envelope = &block.envelopes[number];
        let header = envelope.view.header();
        out.extend_from_slice(&(number as u32).to_le_bytes());
        out.extend_from_slice(&(index as u32).to_le_bytes());
        out.extend_from_slice(&(block.first + u64::from(envelope.first_record)).to_le_bytes());
        out.extend_from_slice(&header.envelope_id());
        out.extend_from_slice(header.signer());
        out.extend_from_slice(envelope.view.record(index).bytes());
    }
    Ok(out)
}

/// The CONTs behind the records at the sequence numbers, in their order: `RECORD_BYTES` each, as
/// many as each record's `cont_count` says.
///
/// # Errors
/// [`CutError`]
pub fn cut_conts(block: &[u8], sequences: &[u64]) -> Result<Vec<u8>, CutError> {
    let block = Block::parse(block)?;
    let mut out = Vec::new();
    for &sequence in sequences {
        let (number, index) = block.place(sequence)?;
        let view = block.envelopes[number].view;
        let count = usize::from(view.record(index).cont_count());
        let start = (index + 1) * RECORD_BYTES;
        let conts = view
            .records_bytes()
            .get(start..start + count * RECORD_BYTES)
            .ok_or(CutError::NoConts(sequence))?;
        out.extend_from_slice(conts);
    }
    Ok(out)
}

/// A block with its envelopes at hand.
struct Block<'a> {
    first: u64,
    record_count: u32,
    envelopes: Vec<BlockEnvelope<'a>>,
}

impl<'a> Block<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, CutError> {
        let view =
            BlockView::parse(bytes).map_err(|refusal| CutError::NoBlock(refusal.to_string()))?;
        Ok(Self {
            first: view.header().first_sequence(),
            record_count: view.header().record_count(),
            envelopes: view.envelopes().collect(),
        })
    }

    /// The envelope that a record is in, and its index in there.
    fn place(&self, sequence: u64) -> Result<(usize, usize), CutError> {
        let place = sequence
            .checked_sub(self.first)
            .filter(|&place| place < u64::from(self.record_count))
            .ok_or(CutError::Outside(sequence))? as u32;
        let behind = self
            .envelopes
            .partition_point(|envelope| envelope.first_record <= place);
        let number = behind.saturating_sub(1);
        Ok((
            number,
            (place - self.envelopes[number].first_record) as usize,
        ))
    }
}
