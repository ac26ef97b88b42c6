//! What an applied block becomes for the shell: fixed layouts back to back, so that nobody loops
//! over records or envelopes in Python. The layouts are documented in `_kernel.pyi`.

use super::apply::{Applied, EnvelopeOutcome};
use crate::format::limits::RESULT_BYTES;

/// Bytes of an entry of `envelopes`.
pub const ENVELOPE_ENTRY_BYTES: usize = 48;
/// Bytes of an entry of `outcomes`, the layout of the public interface.
pub const OUTCOME_BYTES: usize = 32;
/// Bytes of an entry of `ids`.
pub const ID_ENTRY_BYTES: usize = 40;

impl Applied {
    /// `u32 index in the block ‖ result` of each record that is no plain success.
    pub fn sparse_results(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.plain {
            return out;
        }
        let results = self.results.chunks_exact(RESULT_BYTES);
        for (index, result) in (0_u32..).zip(results) {
            if result != [0; RESULT_BYTES] {
                out.extend_from_slice(&index.to_le_bytes());
                out.extend_from_slice(result);
            }
        }
        out
    }

    /// `u32` for each envelope.
    pub fn effect_counts(&self) -> Vec<u8> {
        let counts = self.envelopes.iter().map(|envelope| envelope.effect_count);
        counts.flat_map(u32::to_le_bytes).collect()
    }

    /// 32 bytes for each envelope.
    pub fn leaf_hashes(&self) -> Vec<u8> {
        let hashes = self.envelopes.iter().map(|envelope| envelope.leaf_hash);
        hashes.flatten().collect()
    }

    /// 48 bytes for each envelope.
    pub fn envelope_entries(&self) -> Vec<u8> {
        self.envelopes.iter().flat_map(envelope_entry).collect()
    }

    /// 32 bytes for each envelope.
    pub fn outcomes(&self) -> Vec<u8> {
        self.envelopes.iter().flat_map(outcome).collect()
    }

    /// 40 bytes for each consumed id, ascending.
    pub fn ids(&self) -> Vec<u8> {
        let consumed = self.envelopes.iter().filter(|envelope| envelope.consumed);
        let mut entries: Vec<_> = consumed.map(id_entry).collect();
        entries.sort_unstable();
        entries.into_iter().flatten().collect()
    }
}

fn envelope_entry(envelope: &EnvelopeOutcome) -> [u8; ENVELOPE_ENTRY_BYTES] {
    let mut entry = [0; ENVELOPE_ENTRY_BYTES];
    entry[0..8].copy_from_slice(&envelope.first_sequence.to_le_bytes());
    entry[8..12].copy_from_slice(&envelope.record_count.to_le_bytes());
    entry[12..14].copy_from_slice(&envelope.code.value().to_le_bytes());
    entry[16..24].copy_from_slice(&envelope.original_sequence.to_le_bytes());
    entry[24..32].copy_from_slice(&u64::from(envelope.offset).to_le_bytes());
    entry[32..48].copy_from_slice(&envelope.principal);
    entry
}

fn outcome(envelope: &EnvelopeOutcome) -> [u8; OUTCOME_BYTES] {
    let mut outcome = [0; OUTCOME_BYTES];
    outcome[0..2].copy_from_slice(&envelope.code.value().to_le_bytes());
    outcome[4..8].copy_from_slice(&envelope.record_count.to_le_bytes());
    outcome[8..16].copy_from_slice(&envelope.first_sequence.to_le_bytes());
    outcome[16..24].copy_from_slice(&envelope.timestamp_ns.to_le_bytes());
    outcome
}

fn id_entry(envelope: &EnvelopeOutcome) -> [u8; ID_ENTRY_BYTES] {
    let mut entry = [0; ID_ENTRY_BYTES];
    let id = u128::from_le_bytes(envelope.envelope_id);
    entry[0..16].copy_from_slice(&id.to_be_bytes());
    entry[16..32].copy_from_slice(&envelope.principal);
    entry[32..40].copy_from_slice(&envelope.first_sequence.to_be_bytes());
    entry
}
