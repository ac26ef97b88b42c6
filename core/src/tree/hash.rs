//! Leaf and node hashes, many at a time.
//!
//! All leaves of a tree have one size, so the padded blocks are laid out once and only the data
//! is replaced from leaf to leaf. The compressions of one leaf need each other's results, those of
//! different leaves do not: a group of leaves goes through its first blocks, then through its
//! second blocks, and so on, and a processor with SHA instructions overlaps neighbours. The blocks
//! of a group are written before any is compressed, so that no load waits for a store just made.
//! Together that is 1.0 ms instead of 1.6 for 8,190 records (3 compressions a leaf, 2 a node).

use sha2::compress256;
use sha2::digest::generic_array::typenum::U64;
use sha2::digest::generic_array::GenericArray;
use sha2::{Digest, Sha256};

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

/// Messages that are compressed side by side: 4 and 64 are a tenth slower.
const LANES: usize = 16;
/// So few are not worth laying out blocks for.
const FEW: usize = 4;

/// Messages of one length behind a prefix byte, padded, ready for new data.
struct Padded {
    /// By position in the message, then by lane.
    blocks: Vec<[Block; LANES]>,
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
        Self {
            blocks: blocks.into_iter().map(|block| [block; LANES]).collect(),
            data_bytes,
        }
    }

    /// Hashes of up to `LANES` messages whose data, of the promised length, are back to back.
    #[inline]
    fn hash(&mut self, data: &[u8]) -> ([Hash32; LANES], usize) {
        let mut states = [INITIAL; LANES];
        let used = data.len() / self.data_bytes.max(1);
        // The prefix takes one byte of the first block.
        let (mut start, mut offset) = (0, 1);
        for blocks in &mut self.blocks {
            let end = (start + BLOCK_BYTES - offset).min(self.data_bytes);
            for (lane, block) in blocks.iter_mut().take(used).enumerate() {
                let first = lane * self.data_bytes;
                let part = &data[first + start..first + end];
                block[offset..offset + part.len()].copy_from_slice(part);
            }
            for (state, block) in states.iter_mut().zip(blocks).take(used) {
                compress256(state, std::slice::from_ref(block));
            }
            (start, offset) = (end, 0);
        }
        (states.map(|state| to_bytes(&state)), used)
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
    Sha256::new()
        .chain_update([LEAF_PREFIX])
        .chain_update(leaf)
        .finalize()
        .into()
}

/// Hashes of equal-size leaves, back to back.
pub fn leaf_hashes(data: &[u8], leaf_bytes: usize) -> Vec<Hash32> {
    if data.len() <= FEW * leaf_bytes {
        return data.chunks_exact(leaf_bytes).map(leaf_hash).collect();
    }
    let mut padded = Padded::new(LEAF_PREFIX, leaf_bytes);
    let mut hashes = Vec::with_capacity(data.len() / leaf_bytes);
    for group in data.chunks(LANES * leaf_bytes) {
        let (lanes, used) = padded.hash(group);
        hashes.extend_from_slice(&lanes[..used]);
    }
    hashes
}

/// Hash of an inner node.
pub fn node_hash(left: &Hash32, right: &Hash32) -> Hash32 {
    Sha256::new()
        .chain_update([NODE_PREFIX])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// Root of the tree over nothing.
pub fn empty_root() -> Hash32 {
    sha256(b"")
}

/// Replaces a level by the one above it.
pub(super) fn fold_level(level: &mut Vec<Hash32>) {
    let pairs = level.len() / 2;
    if pairs <= FEW {
        for index in 0..pairs {
            level[index] = node_hash(&level[2 * index], &level[2 * index + 1]);
        }
    } else {
        fold_pairs(level, pairs);
    }
    if level.len() % 2 == 1 {
        level[pairs] = level[2 * pairs];
        level.truncate(pairs + 1);
    } else {
        level.truncate(pairs);
    }
}

/// Replaces the first `pairs` hashes by those over neighbours.
fn fold_pairs(level: &mut [Hash32], pairs: usize) {
    let mut padded = Padded::new(NODE_PREFIX, 64);
    let mut done = 0;
    while done < pairs {
        // A group is read before its results are written, and these never pass what is unread.
        let group = &level[2 * done..2 * pairs.min(done + LANES)];
        let (lanes, used) = padded.hash(group.as_flattened());
        level[done..done + used].copy_from_slice(&lanes[..used]);
        done += used;
    }
}
