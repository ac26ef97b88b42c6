//! Open holds in the order in which they expire.

use std::collections::BTreeMap;

use super::table::Slot;
use crate::format::Id16;

/// What `next_ns` says when no hold is open.
pub const NEVER: u64 = u64::MAX;

/// Slots of open holds by (expires_at_ns, id). The first moment is kept beside them, because every
/// record asks for it.
pub struct Expiries {
    holds: BTreeMap<(u64, Id16), Slot>,
    next_ns: u64,
}

impl Default for Expiries {
    fn default() -> Self {
        Self {
            holds: BTreeMap::new(),
            next_ns: NEVER,
        }
    }
}

impl Expiries {
    pub fn len(&self) -> usize {
        self.holds.len()
    }

    /// When the first of them expires.
    #[inline]
    pub fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// The hold that expires first.
    pub fn first(&self) -> Option<Slot> {
        self.holds.first_key_value().map(|(_, &slot)| slot)
    }

    pub fn insert(&mut self, expires_at_ns: u64, id: Id16, slot: Slot) {
        self.holds.insert((expires_at_ns, id), slot);
        self.next_ns = self.next_ns.min(expires_at_ns);
    }

    pub fn remove(&mut self, expires_at_ns: u64, id: Id16) {
        self.holds.remove(&(expires_at_ns, id));
        if expires_at_ns == self.next_ns {
            let first = self.holds.first_key_value();
            self.next_ns = first.map_or(NEVER, |((expires_at_ns, _), _)| *expires_at_ns);
        }
    }
}
