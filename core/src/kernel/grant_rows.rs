//! Rows of subsidies: lists, grants, and the shares that grants pay of holds.

use super::table::{Row, Slot};
use crate::format::Id16;

/// Of a LIST.
pub const MAX_LIST_IDS: usize = 256;
/// Grants that pay one charge.
pub const MAX_SHARES: usize = 4;
/// A match ratio is in parts per million.
pub const RATIO_UNITS: u32 = 1_000_000;

/// Table 24.
#[derive(Debug, Clone)]
pub struct List {
    pub id: Id16,
    pub owner: Slot,
    /// Ascending.
    pub ids: Vec<Id16>,
}

/// How a grant stands; the numbers are those of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum GrantStatus {
    Open = 1,
    Expired = 2,
    ClawedBack = 3,
}

/// What of a grant changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantLife {
    pub status: GrantStatus,
    /// 0 while open.
    pub ended_at_ns: u64,
    /// When it had ended and no hold pinned any of it any more; 0 before.
    pub settled_at_ns: u64,
}

/// What a grant may pay for: ids of lists, zero for anything.
#[derive(Debug, Clone, Copy)]
pub struct Earmarks {
    pub providers: Id16,
    pub models: Id16,
    pub regions: Id16,
}

/// Table 18. What is left of it says its account.
#[derive(Debug, Clone, Copy)]
pub struct Grant {
    /// Also of its account.
    pub id: Id16,
    pub account: Slot,
    pub pool: Slot,
    pub grantee: Slot,
    pub earmarks: Earmarks,
    /// Principal whose relations count; zero for none.
    pub registrar: Id16,
    /// Zero for none.
    pub exclusivity: Id16,
    pub amount: u128,
    /// 0 for none.
    pub cap: u128,
    pub expires_at_ns: u64,
    pub created_at_ns: u64,
    pub ratio: u32,
    pub priority: u16,
    pub life: GrantLife,
}

/// What a grant pays of a hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Share {
    /// The grant's; it has the grant's id.
    pub account: Slot,
    /// Above 0.
    pub maximum: u128,
    pub paid: u128,
}

/// Table 19.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    pub hold: Id16,
    /// The hold's maximum at its RESERVE, of which the shares are parts.
    pub whole: u128,
    pub count: usize,
    all: [Share; MAX_SHARES],
}

impl Row for List {
    type Key = Id16;

    fn key(&self) -> Id16 {
        self.id
    }
}

impl Row for Grant {
    type Key = Id16;

    fn key(&self) -> Id16 {
        self.id
    }
}

impl Row for Shares {
    type Key = Id16;

    fn key(&self) -> Id16 {
        self.hold
    }
}

impl List {
    pub fn has(&self, id: &Id16) -> bool {
        self.ids.binary_search(id).is_ok()
    }
}

impl GrantStatus {
    pub fn from_number(number: u16) -> Option<Self> {
        [Self::Open, Self::Expired, Self::ClawedBack]
            .into_iter()
            .find(|&status| status as u16 == number)
    }
}

impl Earmarks {
    pub fn lists(&self) -> [Id16; 3] {
        [self.providers, self.models, self.regions]
    }
}

impl Grant {
    pub fn is_open(&self) -> bool {
        self.life.status == GrantStatus::Open
    }

    /// Whether new holds can pin some of it.
    pub fn is_live(&self, t: u64) -> bool {
        self.is_open() && t < self.expires_at_ns
    }

    /// Grants pay in this order; no two are alike, since no two records have one timestamp.
    pub fn burn_order(&self) -> (u16, u64, u64) {
        (self.priority, self.expires_at_ns, self.created_at_ns)
    }
}

impl Share {
    pub fn rest(&self) -> u128 {
        match self.maximum.checked_sub(self.paid) {
            Some(rest) => rest,
            None => panic!("kernel invariant broken: a share paid more than it pins"),
        }
    }
}

impl Shares {
    pub fn none(whole: u128) -> Self {
        Self {
            hold: [0; 16],
            whole,
            count: 0,
            all: [Share::default(); MAX_SHARES],
        }
    }

    pub fn push(&mut self, share: Share) {
        self.all[self.count] = share;
        self.count += 1;
    }

    pub fn parts(&self) -> &[Share] {
        &self.all[..self.count]
    }

    pub fn parts_mut(&mut self) -> &mut [Share] {
        &mut self.all[..self.count]
    }

    /// What the shares pin together, and what they have paid together: parts of the hold's own.
    pub fn totals(&self) -> (u128, u128) {
        let maxima = self.parts().iter().map(|share| share.maximum);
        let paid = self.parts().iter().map(|share| share.paid);
        (maxima.sum(), paid.sum())
    }
}
