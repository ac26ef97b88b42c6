//! Ids that are derived, never chosen (format.md section 4).

use sha2::{Digest, Sha256};

use super::bytes::{array_at, Hash32, Id16};
use super::limits::OBJECT_PREFIX;

/// SHA-256 of the bytes.
pub fn sha256(bytes: &[u8]) -> Hash32 {
    Sha256::digest(bytes).into()
}

/// The id of the object that record `index` of an envelope makes.
pub fn object_id(ledger_id: &Hash32, principal: &Id16, envelope_id: &Id16, index: u32) -> Id16 {
    let hash = Sha256::new()
        .chain_update(OBJECT_PREFIX)
        .chain_update(ledger_id)
        .chain_update(principal)
        .chain_update(envelope_id)
        .chain_update(index.to_le_bytes())
        .finalize();
    array_at(&hash, 0)
}

/// The index under which the principal of the node with this Raft id is derived.
pub fn node_principal_index(raft_id: u16) -> u32 {
    65_536 + u32::from(raft_id)
}
