//! What an applied envelope adds to the log tree (format.md section 9).

use super::input::Outcome;
use crate::format::limits::{
    EFFECT_BYTES, FORMAT_VERSION, HEADER_BYTES, LEAF_BYTES, MAX_RECORDS, RESULT_BYTES,
};
use crate::format::{EnvelopeView, Hash32};
use crate::tree;

/// The result of a head that succeeded, and of every CONT.
const PLAIN: [u8; RESULT_BYTES] = [0; RESULT_BYTES];

/// Roots over results. Plain successes, the usual case, are hashed once for each count.
pub struct ResultRoots {
    /// By count; bounded by the records of an envelope.
    plain: Vec<Option<Hash32>>,
    empty: Hash32,
}

impl Default for ResultRoots {
    fn default() -> Self {
        Self {
            plain: vec![None; MAX_RECORDS + 1],
            empty: tree::empty_root(),
        }
    }
}

impl ResultRoots {
    /// Root over `count` plain successes, at most 8,190.
    pub fn of_plain(&mut self, count: usize) -> Hash32 {
        *self.plain[count].get_or_insert_with(|| uniform_root(&PLAIN, count))
    }

    /// Root over any results.
    pub fn of(&self, results: &[u8]) -> Hash32 {
        let (first, rest) = results.split_at(RESULT_BYTES.min(results.len()));
        if rest
            .chunks_exact(RESULT_BYTES)
            .all(|result| result == first)
        {
            return uniform_root(first, results.len() / RESULT_BYTES);
        }
        tree::root(results, RESULT_BYTES)
    }

    pub fn of_effects(&self, effects: &[u8]) -> Hash32 {
        if effects.is_empty() {
            return self.empty;
        }
        tree::root(effects, EFFECT_BYTES)
    }
}

/// Root over `count` equal leaves, in O(log count) hashes: all full subtrees of a size are equal.
fn uniform_root(leaf: &[u8], count: usize) -> Hash32 {
    if count == 0 {
        return tree::empty_root();
    }
    // The subtree for the lowest bits so far, and the full subtree of the next bit.
    let (mut right, mut full) = (None, tree::leaf_hash(leaf));
    for bit in 0.. {
        if count >> bit & 1 == 1 {
            right = Some(match right {
                None => full,
                Some(right) => tree::node_hash(&full, &right),
            });
        }
        if count >> bit <= 1 {
            break;
        }
        full = tree::node_hash(&full, &full);
    }
    right.unwrap_or(full)
}

/// What of a leaf is not in the envelope's own bytes.
pub struct LeafFields {
    pub rules_version: u16,
    pub first_sequence: u64,
    pub timestamp_ns: u64,
    pub results_root: Hash32,
    pub effects_root: Hash32,
}

/// Leaf hash of an envelope.
pub fn leaf_hash(envelope: EnvelopeView<'_>, fields: &LeafFields) -> Hash32 {
    let mut leaf = [0; LEAF_BYTES];
    leaf[0..2].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    leaf[2..4].copy_from_slice(&fields.rules_version.to_le_bytes());
    leaf[4..8].copy_from_slice(&envelope.record_count().to_le_bytes());
    leaf[8..16].copy_from_slice(&fields.first_sequence.to_le_bytes());
    leaf[16..24].copy_from_slice(&fields.timestamp_ns.to_le_bytes());
    leaf[24..24 + HEADER_BYTES].copy_from_slice(envelope.header().bytes());
    leaf[216..280].copy_from_slice(envelope.signature());
    leaf[280..312].copy_from_slice(&fields.results_root);
    leaf[312..344].copy_from_slice(&fields.effects_root);
    tree::leaf_hash(&leaf)
}

/// The 16 bytes of a result.
pub fn result_bytes(outcome: Outcome, detail: u32) -> [u8; RESULT_BYTES] {
    let mut bytes = PLAIN;
    if let Err(code) = outcome {
        bytes[0..2].copy_from_slice(&code.value().to_le_bytes());
        bytes[4..8].copy_from_slice(&detail.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_results_hash_as_any_others() {
        let roots = ResultRoots::default();
        for count in (0..70).chain([127, 128, 129, 1000, 8189, 8190]) {
            let results = [7; RESULT_BYTES].repeat(count);
            let expected = tree::root(&results, RESULT_BYTES);
            assert_eq!(uniform_root(&[7; RESULT_BYTES], count), expected, "{count}");
            assert_eq!(roots.of(&results), expected, "{count}");
        }
    }

    #[test]
    fn plain_roots_are_cached_and_right() {
        let mut roots = ResultRoots::default();
        for count in [1, 2, 3, 8190, 3, 1] {
            let expected = tree::root(&vec![0; count * RESULT_BYTES], RESULT_BYTES);
            assert_eq!(roots.of_plain(count), expected, "{count}");
        }
    }

    #[test]
    fn one_different_result_changes_the_root() {
        let roots = ResultRoots::default();
        let mut results = vec![0; 5 * RESULT_BYTES];
        results[4 * RESULT_BYTES] = 1;
        assert_eq!(roots.of(&results), tree::root(&results, RESULT_BYTES));
        assert_ne!(roots.of(&results), uniform_root(&PLAIN, 5));
    }
}
