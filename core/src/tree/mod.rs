//! RFC 6962 section 2.1 Merkle trees over SHA-256.
//!
//! A leaf hashes as `H(0x00 ‖ leaf)`, an inner node as `H(0x01 ‖ left ‖ right)`, the split is the
//! largest power of two below the count. Built level by level, that split means: pair neighbours
//! from the left, an odd last node moves up as it is.
//!
//! [`root`] hashes equal-size leaves (records, results, effects, log leaves) fast; [`Frontier`]
//! grows the log tree leaf by leaf in O(log n) memory; [`inclusion_path`] and [`verify_inclusion`]
//! are the proofs of RFC 9162 section 2.1.3.

mod frontier;
mod hash;
mod path;
#[cfg(feature = "python")]
mod python;
#[cfg(test)]
mod tests;

pub use frontier::Frontier;
pub use hash::{empty_root, leaf_hash, leaf_hashes, node_hash};
pub use path::{inclusion_path, verify_inclusion};
#[cfg(feature = "python")]
pub use python::register;

use crate::format::Hash32;
use crate::threads::run_tasks;
use hash::fold_level;

/// Leaves of a subtree that one thread hashes at a time: a power of two, so that the subtrees'
/// roots are nodes of the whole tree.
const SUBTREE_LEAVES: usize = 1_024;

/// Root over equal-size leaves that stand back to back.
///
/// `leaf_bytes` must not be zero; an odd tail shorter than a leaf is not looked at.
pub fn root(data: &[u8], leaf_bytes: usize) -> Hash32 {
    root_of_hashes(leaf_hashes(data, leaf_bytes))
}

/// As [`root`], on up to `threads` threads when there is enough to do.
pub fn root_threaded(data: &[u8], leaf_bytes: usize, threads: usize) -> Hash32 {
    let chunks: Vec<&[u8]> = data.chunks(SUBTREE_LEAVES * leaf_bytes).collect();
    if threads <= 1 || chunks.len() <= 1 {
        return root(data, leaf_bytes);
    }
    root_of_hashes(run_tasks(chunks.len(), threads, |index| {
        root(chunks[index], leaf_bytes)
    }))
}

/// Root over leaf hashes (or over the roots of equal, full subtrees and a smaller last one).
pub fn root_of_hashes(mut level: Vec<Hash32>) -> Hash32 {
    while level.len() > 1 {
        fold_level(&mut level);
    }
    level.pop().unwrap_or_else(empty_root)
}
