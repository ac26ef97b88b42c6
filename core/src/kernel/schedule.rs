//! Rows in the order in which something is due for them.

use std::collections::BTreeMap;

use super::table::Slot;
use crate::format::Id16;

/// What `next_ns` says when nothing is due ever. No record has this timestamp.
pub const NEVER: u64 = u64::MAX;

/// Slots by (moment, id of the row). The first moment is kept beside them, because every record
/// asks for it.
pub struct Schedule {
    rows: BTreeMap<(u64, Id16), Slot>,
    next_ns: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            next_ns: NEVER,
        }
    }
}

impl Schedule {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// When the first of them is due.
    #[inline]
    pub fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// The row that is due first.
    pub fn first(&self) -> Option<Slot> {
        self.rows.first_key_value().map(|(_, &slot)| slot)
    }

    /// The last moment of all.
    pub fn last_ns(&self) -> Option<u64> {
        let last = self.rows.last_key_value();
        last.map(|((moment_ns, _), _)| *moment_ns)
    }

    pub fn insert(&mut self, moment_ns: u64, id: Id16, slot: Slot) {
        self.rows.insert((moment_ns, id), slot);
        self.next_ns = self.next_ns.min(moment_ns);
    }

    pub fn remove(&mut self, moment_ns: u64, id: Id16) {
        self.rows.remove(&(moment_ns, id));
        if moment_ns == self.next_ns {
            let first = self.rows.first_key_value();
            self.next_ns = first.map_or(NEVER, |((moment_ns, _), _)| *moment_ns);
        }
    }
}
