//! A kernel as bytes: what a restart or a joining node starts from.
//!
//! | size | field |
//! |---|---|
//! | 4 | magic `TSCK` |
//! | 2 | version = 1 |
//! | 2 | rules version = 1 |
//! | 32 | ledger id |
//! | 8 | applied index of the replicated log, given by the caller |
//! | 8 | size of the log tree |
//! | 32 × set bits of that size | its frontier, largest subtree first |
//! | 8 | bytes of rows |
//! | … | the rows of format.md section 10 |
//! | 32 | SHA-256 over all of the above |
//!
//! Everything that is not in here (counters, orders, indexes, caches) follows from the rows.

use sha2::{Digest, Sha256};

use super::decode::{decode, RowError};
use super::leaf::ResultRoots;
use super::Kernel;
use crate::format::limits::RULES_VERSION;
use crate::format::{u16_at, u64_at, Genesis, Hash32};
use crate::tree::Frontier;

const MAGIC: &[u8; 4] = b"TSCK";
const VERSION: u16 = 1;
const HASH_BYTES: usize = 32;
/// Up to and with the size of the log tree.
const FIXED_BYTES: usize = 56;

/// Bytes that are no checkpoint of this ledger, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CheckpointError(pub String);

impl From<RowError> for CheckpointError {
    fn from(RowError(why): RowError) -> Self {
        Self(why)
    }
}

/// What a checkpoint says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointInfo {
    pub ledger_id: Hash32,
    pub applied_index: u64,
    pub tree_size: u64,
    pub next_sequence: u64,
    pub min_next_timestamp_ns: u64,
}

/// A checkpoint taken apart; its hash and its layout are right.
struct Parts<'a> {
    ledger_id: Hash32,
    applied_index: u64,
    frontier: Frontier,
    rows: &'a [u8],
}

fn refuse<T>(why: &str) -> Result<T, CheckpointError> {
    Err(CheckpointError(why.to_owned()))
}

fn hash32(bytes: &[u8]) -> Hash32 {
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(bytes);
    hash
}

impl<'a> Parts<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, CheckpointError> {
        if bytes.len() < FIXED_BYTES + HASH_BYTES {
            return refuse("shorter than a checkpoint");
        }
        let (body, hash) = bytes.split_at(bytes.len() - HASH_BYTES);
        if &body[..4] != MAGIC {
            return refuse("not the magic of a checkpoint");
        }
        if u16_at(body, 4) != VERSION || u16_at(body, 6) != RULES_VERSION {
            return refuse("a version that is not known here");
        }
        if Sha256::digest(body).as_slice() != hash {
            return refuse("torn or damaged: its SHA-256 does not match");
        }
        let tree_size = u64_at(body, 48);
        let roots_end = FIXED_BYTES + HASH_BYTES * tree_size.count_ones() as usize;
        let Some(roots) = body.get(FIXED_BYTES..roots_end) else {
            return refuse("the frontier is cut off");
        };
        let roots = roots.chunks_exact(HASH_BYTES).map(hash32).collect();
        let Some(frontier) = Frontier::from_parts(tree_size, roots) else {
            return refuse("the frontier does not fit the size of the tree");
        };
        let Some(length) = body.get(roots_end..roots_end + 8) else {
            return refuse("the rows are cut off");
        };
        let rows = &body[roots_end + 8..];
        if u64_at(length, 0) != rows.len() as u64 {
            return refuse("the rows have another length than stated");
        }
        Ok(Self {
            ledger_id: hash32(&body[8..40]),
            applied_index: u64_at(body, 40),
            frontier,
            rows,
        })
    }
}

impl Kernel {
    /// All of the kernel; `applied_index` is the index of the log entry applied last.
    pub fn checkpoint(&self, applied_index: u64) -> Vec<u8> {
        let rows_bytes = self.state.rows_bytes();
        let roots = self.frontier.roots();
        let size = FIXED_BYTES + HASH_BYTES * (roots.len() + 1) + 8 + rows_bytes;
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&RULES_VERSION.to_le_bytes());
        out.extend_from_slice(&self.genesis.ledger_id);
        out.extend_from_slice(&applied_index.to_le_bytes());
        out.extend_from_slice(&self.frontier.size().to_le_bytes());
        for root in roots {
            out.extend_from_slice(root);
        }
        out.extend_from_slice(&(rows_bytes as u64).to_le_bytes());
        self.state.write_rows(&mut |row| out.extend_from_slice(row));
        let hash = Sha256::digest(&out);
        out.extend_from_slice(&hash);
        out
    }

    /// The kernel that `checkpoint` wrote. It behaves as that one in every respect.
    ///
    /// # Errors
    /// [`CheckpointError`] for bytes that are torn, damaged, of another ledger, or no state.
    pub fn restore(genesis: Genesis, checkpoint: &[u8]) -> Result<Self, CheckpointError> {
        let parts = Parts::parse(checkpoint)?;
        if parts.ledger_id != genesis.ledger_id {
            return refuse("checkpoint of another ledger");
        }
        Ok(Self {
            state: decode(parts.rows, &genesis)?,
            genesis,
            frontier: parts.frontier,
            roots: ResultRoots::default(),
        })
    }
}

/// Reads a checkpoint's fields without building its state.
///
/// # Errors
/// [`CheckpointError`] for bytes that are torn, damaged or no checkpoint.
pub fn checkpoint_info(checkpoint: &[u8]) -> Result<CheckpointInfo, CheckpointError> {
    let parts = Parts::parse(checkpoint)?;
    // The row of table 1 comes first: 8 bytes in front of it, then its two fields.
    let Some(ledger) = parts.rows.get(8..24) else {
        return refuse("the rows are cut off");
    };
    Ok(CheckpointInfo {
        ledger_id: parts.ledger_id,
        applied_index: parts.applied_index,
        tree_size: parts.frontier.size(),
        next_sequence: u64_at(ledger, 0),
        min_next_timestamp_ns: u64_at(ledger, 8),
    })
}
