//! All that a node checks of a block before it appends it (format.md section 8): bytes only,
//! never state, so that a node that lags refuses no good block.

use super::envelopes::verify_envelopes;
use crate::format::limits::ID_FUTURE_TOLERANCE_NS;
use crate::format::{check_grid_shape, BlockView, Code, EnvelopeView, Hash32, Refusal};

/// What a block must fit: its ledger and the block before it.
#[derive(Debug, Clone, Copy)]
pub struct BlockContext<'a> {
    /// The ledger.
    pub ledger_id: &'a Hash32,
    /// The genesis' `max_lifetime_ns`.
    pub max_lifetime_ns: u64,
    /// Sequence number that it must start with.
    pub next_sequence: u64,
    /// Smallest timestamp that it may have.
    pub min_timestamp_ns: u64,
}

/// A block that holds, and what the next one must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedBlock {
    /// Records, CONTs counted.
    pub record_count: u32,
    /// Envelopes.
    pub envelope_count: u32,
    /// Sequence number that the next block starts with.
    pub next_sequence: u64,
    /// Smallest timestamp of the next block.
    pub min_next_timestamp_ns: u64,
    /// Signatures checked: headers and possessions.
    pub signatures: u64,
}

/// Checks a block.
///
/// `secret`: as for [`verify_envelopes`].
///
/// # Errors
/// A code below 64 and what is wrong, naming the envelope: `MALFORMED` (layout, place in the
/// log), `WRONG_LEDGER`, `BAD_ID_TIME`, `ID_IN_FUTURE`, `BAD_SIGNATURE`, `BAD_ROOT`, `BAD_KEY`,
/// `BAD_POSSESSION`.
pub fn check_block(
    block: &[u8],
    context: &BlockContext<'_>,
    secret: &[u8; 32],
    threads: usize,
) -> Result<CheckedBlock, Refusal> {
    let view = BlockView::parse(block)?;
    let header = view.header();
    if header.first_sequence() != context.next_sequence {
        return Err(Refusal::malformed(format!(
            "the block starts with sequence number {}, not {}",
            header.first_sequence(),
            context.next_sequence
        )));
    }
    if header.timestamp_ns() < context.min_timestamp_ns {
        return Err(Refusal::malformed(format!(
            "the block's timestamp {} is below {}",
            header.timestamp_ns(),
            context.min_timestamp_ns
        )));
    }
    let envelopes: Vec<EnvelopeView<'_>> = view.envelopes().map(|entry| entry.view).collect();
    for (index, envelope) in envelopes.iter().enumerate() {
        check_grid_shape(*envelope).map_err(|refusal| at_envelope(index, refusal))?;
    }
    for (index, envelope) in envelopes.iter().enumerate() {
        check_times(*envelope, context, header.timestamp_ns())
            .map_err(|refusal| at_envelope(index, refusal))?;
    }
    let verdicts = verify_envelopes(&envelopes, context.ledger_id, secret, threads);
    for (index, refusal) in verdicts.refusals.into_iter().enumerate() {
        if let Some(refusal) = refusal {
            return Err(at_envelope(index, refusal));
        }
    }
    // BlockView has refused a block whose numbers leave 64 bits.
    let overflow = || Refusal::malformed("sequence number or timestamp leaves 64 bits");
    Ok(CheckedBlock {
        record_count: header.record_count(),
        envelope_count: header.envelope_count(),
        next_sequence: header.next_sequence().ok_or_else(overflow)?,
        min_next_timestamp_ns: header.min_next_timestamp_ns().ok_or_else(overflow)?,
        signatures: verdicts.signatures,
    })
}

fn check_times(
    envelope: EnvelopeView<'_>,
    context: &BlockContext<'_>,
    timestamp_ns: u64,
) -> Result<(), Refusal> {
    envelope.check_binding(context.ledger_id, context.max_lifetime_ns)?;
    if envelope.header().id_time_ns() > timestamp_ns.saturating_add(ID_FUTURE_TOLERANCE_NS) {
        let why = "the id was made more than 5 s after the block's timestamp";
        return Err(Refusal::new(Code::IdInFuture, why));
    }
    Ok(())
}

fn at_envelope(index: usize, refusal: Refusal) -> Refusal {
    Refusal::new(
        refusal.code,
        format!("envelope {index}: {}", refusal.detail),
    )
}
