//! Inclusion proofs (RFC 9162 sections 2.1.3.1 and 2.1.3.2).

use super::hash::{fold_level, node_hash};
use crate::format::Hash32;

/// The path from leaf `index` to the root over `level`, nearest sibling first.
///
/// None when `index` is outside.
pub fn inclusion_path(mut level: Vec<Hash32>, mut index: usize) -> Option<Vec<Hash32>> {
    if index >= level.len() {
        return None;
    }
    let mut path = Vec::new();
    while level.len() > 1 {
        // An odd last node moves up without a sibling.
        if let Some(sibling) = level.get(index ^ 1) {
            path.push(*sibling);
        }
        fold_level(&mut level);
        index /= 2;
    }
    Some(path)
}

/// Whether `path` leads from the leaf hash at `index` to `root` in a tree of `size` leaves.
pub fn verify_inclusion(
    leaf_hash: &Hash32,
    index: u64,
    size: u64,
    path: &[Hash32],
    root: &Hash32,
) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf_hash;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node % 2 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node % 2 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}
