//! What tables 20, 22 and 23 hold, and how they change. Table 21 stands in the rows of keys.

use super::journal::Undo;
use super::state::State;
use super::table::Slot;
use crate::format::{Id16, Key32};

/// Whose spending a limit bounds.
pub mod target {
    pub const KEY: u16 = 1;
    pub const ACCOUNT: u16 = 2;
    pub const PRINCIPAL: u16 = 3;
    pub const PAYEE: u16 = 4;
}

/// Over what a limit counts.
pub mod window {
    pub const DAY: u16 = 1;
    pub const MONTH: u16 = 2;
    pub const TOTAL: u16 = 3;
    pub const HELD: u16 = 4;
}

/// Which limit it is. Its order is that of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LimitKey {
    pub target: u16,
    pub window: u16,
    /// The first key of a line, one id, or the ids of payer's and payee's account.
    pub subject: Key32,
    pub unit: Id16,
}

impl LimitKey {
    /// Before all others.
    pub const LEAST: Self = Self {
        target: 0,
        window: 0,
        subject: [0; 32],
        unit: [0; 16],
    };
}

/// Table 20.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// The principal whose spending it bounds.
    pub owner: Slot,
    /// Zero for UTC.
    pub zone: Id16,
    pub amount: u128,
    /// What it has counted since `since_ns`.
    pub used: u128,
    /// Timestamp of the record that began its window.
    pub since_ns: u64,
    /// 0 for a window that does not end.
    pub ends_at_ns: u64,
}

/// Table 22: what a hold or channel counts against a limit.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// The limit's when this was counted.
    pub since_ns: u64,
    pub amount: u128,
}

/// Table 23.
#[derive(Debug, Clone)]
pub struct Zone {
    pub name: [u8; 32],
    pub version: u32,
    pub from_ns: u64,
    pub horizon_ns: u64,
    /// Seconds, plus a day; so are those of the transitions.
    pub first_offset: u32,
    /// (instant, offset from then on), ascending.
    pub transitions: Vec<(u64, u32)>,
}

/// 32 bytes out of two ids.
pub fn pair(first: Id16, second: Id16) -> Key32 {
    let mut subject = [0; 32];
    subject[..16].copy_from_slice(&first);
    subject[16..].copy_from_slice(&second);
    subject
}

impl Limit {
    /// Whether its window has ended, so that nothing counts any more.
    #[inline]
    pub fn is_over_at(&self, t: u64) -> bool {
        self.ends_at_ns != 0 && self.ends_at_ns <= t
    }
}

impl State {
    /// Writes the row of a limit, or takes it away.
    pub fn put_limit(&mut self, key: LimitKey, row: Option<Limit>) {
        let old = self.set_limit(key, row);
        self.journal.note(|| Undo::LimitPut(key, old));
    }

    /// As `put_limit`, without a note; returns what was there.
    pub fn set_limit(&mut self, key: LimitKey, row: Option<Limit>) -> Option<Limit> {
        let old = match row {
            Some(row) => self.limits.insert(key, row),
            None => self.limits.remove(&key),
        };
        // A limit's subject has one owner for ever, so a changed row keeps its own.
        match (old, row) {
            (None, Some(row)) => {
                self.principals.get_mut(row.owner).limit_count += 1;
                self.limit_owners.insert((row.owner, key));
            }
            (Some(old), None) => {
                self.principals.get_mut(old.owner).limit_count -= 1;
                self.limit_owners.remove(&(old.owner, key));
            }
            _ => {}
        }
        old
    }

    /// Writes what a hold or channel of a principal counts, or takes it away.
    pub fn put_mark(&mut self, principal: Slot, key: (Id16, LimitKey), row: Option<Mark>) {
        let old = self.set_mark(principal, key, row);
        self.journal.note(|| Undo::MarkPut(principal, key, old));
    }

    /// As `put_mark`, without a note; returns what was there.
    pub fn set_mark(
        &mut self,
        principal: Slot,
        key: (Id16, LimitKey),
        row: Option<Mark>,
    ) -> Option<Mark> {
        let count = &mut self.principals.get_mut(principal).mark_count;
        *count += u32::from(row.is_some());
        let old = match row {
            Some(row) => self.marks.insert(key, row),
            None => self.marks.remove(&key),
        };
        *count -= u32::from(old.is_some());
        old
    }

    /// Writes the table of a zone.
    pub fn put_zone(&mut self, id: Id16, zone: Zone) {
        let old = self.set_zone(id, Some(zone)).map(Box::new);
        self.journal.note(|| Undo::ZonePut(id, old));
    }

    /// As `put_zone`, without a note, in any direction; returns what was there.
    pub fn set_zone(&mut self, id: Id16, zone: Option<Zone>) -> Option<Zone> {
        match zone {
            Some(zone) => self.zones.insert(id, zone),
            None => self.zones.remove(&id),
        }
    }
}
