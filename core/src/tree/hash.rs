//! Leaf and node hashes, many at a time.
//!
//! All leaves of a tree have one size, so the padded blocks are laid out once and only the data
//! is replaced from leaf to leaf; the compression function then runs without the bookkeeping of
//! a general hasher. Leaf of 128 bytes: 3 compressions; inner node: 2.

use sha2::compress256;
use sha2::digest::generic_array::typenum::U64;
use sha2::digest::generic_array::GenericArray;

use crate::format::{sha256, Hash32};

type Block = GenericArray<u8, U64>;

const BLOCK_BYTES: usize = 64;
/// First byte of what a leaf hashes.
const LEAF_PREFIX: u8 = 0;
/// First byte of what an inner node hashes.
const NODE_PREFIX: u8 = 1;
/// Initial hash value of SHA-256 (FIPS 180-4 section 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A message of fixed length behind a prefix byte, padded, ready for new data.
struct Padded {
    blocks: Vec<Block>,
    data_bytes: usize,
}

impl Padded {
    /// For messages of `prefix ‖ data_bytes`.
    fn new(prefix: u8, data_bytes: usize) -> Self {
        let message_bytes = data_bytes + 1;
        let count = (message_bytes + 1 + 8).div_ceil(BLOCK_BYTES);
        let mut blocks = vec![Block::default(); count];
        blocks[0][0] = prefix;
        blocks[message_bytes / BLOCK_BYTES][message_bytes % BLOCK_BYTES] = 0x80;
        let bits = (message_bytes as u64) * 8;
        blocks[count - 1][BLOCK_BYTES - 8..].copy_from_slice(&bits.to_be_bytes());
        Self { blocks, data_bytes }
    }

    /// Hash of the prefix and `data`, which has the length promised.
    #[inline]
    fn hash(&mut self, data: &[u8]) -> Hash32 {
        let data = &data[..self.data_bytes];
        let first = data.len().min(BLOCK_BYTES - 1);
        self.blocks[0][1..=first].copy_from_slice(&data[..first]);
        for (block, chunk) in self.blocks[1..]
            .iter_mut()
            .zip(data[first..].chunks(BLOCK_BYTES))
        {
            block[..chunk.len()].copy_from_slice(chunk);
        }
        let mut state = INITIAL;
        compress256(&mut state, &self.blocks);
        to_bytes(&state)
    }
}

fn to_bytes(state: &[u32; 8]) -> Hash32 {
    let mut out = [0; 32];
    for (bytes, word) in out.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    out
}

/// Hash of one leaf.
pub fn leaf_hash(leaf: &[u8]) -> Hash32 {
    Padded::new(LEAF_PREFIX, leaf.len()).hash(leaf)
}

/// Hashes of equal-size leaves, back to back.
pub fn leaf_hashes(data: &[u8], leaf_bytes: usize) -> Vec<Hash32> {
    let mut padded = Padded::new(LEAF_PREFIX, leaf_bytes);
    data.chunks_exact(leaf_bytes)
        .map(|leaf| padded.hash(leaf))
        .collect()
}

/// Hash of an inner node.
pub fn node_hash(left: &Hash32, right: &Hash32) -> Hash32 {
    let mut data = [0; 64];
    data[..32].copy_from_slice(left);
    data[32..].copy_from_slice(right);
    Padded::new(NODE_PREFIX, 64).hash(&data)
}

/// Root of the tree over nothing.
pub fn empty_root() -> Hash32 {
    sha256(b"")
}

/// Replaces a level by the one above it.
pub(super) fn fold_level(level: &mut Vec<Hash32>) {
    let mut padded = Padded::new(NODE_PREFIX, 64);
    let pairs = level.len() / 2;
    let mut data = [0; 64];
    for index in 0..pairs {
        data[..32].copy_from_slice(&level[2 * index]);
        data[32..].copy_from_slice(&level[2 * index + 1]);
        level[index] = padded.hash(&data);
    }
    if level.len() % 2 == 1 {
        level[pairs] = level[2 * pairs];
        level.truncate(pairs + 1);
    } else {
        level.truncate(pairs);
    }
}
