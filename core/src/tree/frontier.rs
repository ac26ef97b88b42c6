//! The right edge of a growing tree: enough to append and to tell the root, nothing more.
//!
//! A tree of `n` leaves is a row of full subtrees, one for each set bit of `n`, largest first.
//! Their roots are the frontier; an append merges equal neighbours as a binary counter carries.

use super::hash::{empty_root, node_hash};
use crate::format::Hash32;

/// Frontier of a log tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the full subtrees, largest first; as many as `size` has set bits.
    roots: Vec<Hash32>,
}

impl Frontier {
    /// Of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// From its parts, as [`Self::size`] and [`Self::roots`] gave them; None if they do not fit.
    pub fn from_parts(size: u64, roots: Vec<Hash32>) -> Option<Self> {
        (roots.len() == size.count_ones() as usize).then_some(Self { size, roots })
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the full subtrees, largest first.
    pub fn roots(&self) -> &[Hash32] {
        &self.roots
    }

    /// Adds a leaf by its hash.
    pub fn append(&mut self, leaf_hash: Hash32) {
        let mut node = leaf_hash;
        for _ in 0..self.size.trailing_ones() {
            match self.roots.pop() {
                Some(left) => node = node_hash(&left, &node),
                None => break,
            }
        }
        self.roots.push(node);
        self.size += 1;
    }

    /// Root of the tree so far.
    pub fn root(&self) -> Hash32 {
        let mut from_right = self.roots.iter().rev();
        let Some(&last) = from_right.next() else {
            return empty_root();
        };
        from_right.fold(last, |right, left| node_hash(left, &right))
    }
}
