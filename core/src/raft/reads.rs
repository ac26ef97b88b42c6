//! Read contexts on the wire.
//!
//! Raft finds the reads that a heartbeat round confirms by their context, and forgets a second
//! read with the context of a pending one. So contexts must never repeat, not even those of two
//! nodes, or of a node before and after a restart: the answer to the old read would be taken for
//! that of the new one, and it is older than the new one was asked. Each context is therefore
//! wrapped: `u64 node id | u64 nonce of the process | u64 counter | the caller's context`.

use bytes::Bytes;

const PREFIX_BYTES: usize = 24;

/// Makes and recognises the read contexts of one process.
#[derive(Debug)]
pub struct ReadContexts {
    id: u64,
    nonce: u64,
    count: u64,
}

/// The node that a wrapped context belongs to; `None` if it is too short to be one.
pub fn owner(wrapped: &[u8]) -> Option<u64> {
    let word = wrapped.get(..PREFIX_BYTES)?.get(..8)?;
    Some(u64::from_le_bytes(word.try_into().ok()?))
}

impl ReadContexts {
    /// `nonce` must differ between two runs of the same node.
    pub fn new(id: u64, nonce: u64) -> Self {
        Self {
            id,
            nonce,
            count: 0,
        }
    }

    /// A context that was never used before.
    pub fn wrap(&mut self, context: &[u8]) -> Vec<u8> {
        let mut wrapped = Vec::with_capacity(PREFIX_BYTES + context.len());
        for word in [self.id, self.nonce, self.count] {
            wrapped.extend_from_slice(&word.to_le_bytes());
        }
        wrapped.extend_from_slice(context);
        self.count += 1;
        wrapped
    }

    /// The caller's context, if this process wrapped it.
    pub fn unwrap(&self, wrapped: Vec<u8>) -> Option<Bytes> {
        let run = [self.id.to_le_bytes(), self.nonce.to_le_bytes()].concat();
        let mine = wrapped.len() >= PREFIX_BYTES && wrapped.starts_with(&run);
        mine.then(|| Bytes::from(wrapped).slice(PREFIX_BYTES..))
    }
}
