//! What the state tables hold (format.md section 10), and the bytes of their rows.
//!
//! Rows refer to each other by slot; ids appear only where bytes go out (`encode.rs`) or come in
//! (`decode.rs`). Counters and lists that can be derived from other tables stand beside the rows
//! they belong to and are in no row's bytes.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

use super::citation::Citation;
use super::table::{as_integer, Row, Slot, TableKey};
use super::window::Remembered;
use crate::format::{Hash32, Id16, Key32};

/// Principal types of the genesis.
pub mod principal_type {
    pub const OPERATOR: u16 = 101;
    pub const NODE: u16 = 102;
}

/// Scopes of keys (format.md section 6).
pub mod scope {
    pub const OWNER: u16 = 1;
    pub const SPEND: u16 = 2;
    pub const METER: u16 = 3;
    pub const NODE: u16 = 4;
    pub const OPERATE: u16 = 5;
    pub const PRICE: u16 = 6;
    pub const READ: u16 = 7;
    pub const AUDIT: u16 = 8;
    pub const RECOVERY: u16 = 9;
    pub const CHANNEL: u16 = 10;
    pub const ALL: [u16; 10] = [
        OWNER, SPEND, METER, NODE, OPERATE, PRICE, READ, AUDIT, RECOVERY, CHANNEL,
    ];
}

/// Flags of an account.
pub mod account_flag {
    pub const ISSUANCE: u16 = 1;
    pub const FROZEN: u16 = 2;
    pub const CLOSED: u16 = 4;
    pub const GRANT: u16 = 8;
    pub const DEFERRED: u16 = 16;
    pub const ALL: u16 = ISSUANCE | FROZEN | CLOSED | GRANT | DEFERRED;
}

/// Table 2, with what is derived from the other tables.
#[derive(Debug, Clone, Default)]
pub struct Principal {
    pub id: Id16,
    pub kind: u16,
    pub registered_at: u64,
    /// Slots of its keys, whatever their status.
    pub keys: Vec<Slot>,
    pub account_count: u32,
    /// Open holds, and channels not closed, whose payer account is one of its own.
    pub pin_count: u32,
    pub name_count: u32,
    pub reference_count: u32,
    pub live_id_count: u32,
    /// Drafts, published cards and superseded ones that are still remembered.
    pub card_count: u32,
    /// Price lines of these.
    pub line_count: u32,
    /// Corrected records whose payee account is one of its own.
    pub correction_count: u32,
    /// Disputed records whose payer account is one of its own.
    pub dispute_count: u32,
    /// Mandates against its own accounts that are remembered.
    pub mandate_count: u32,
    /// Slots of the open grants to it, in the order in which they pay.
    pub grants: Vec<Slot>,
    pub list_count: u32,
    /// Relations that it states.
    pub relation_count: u32,
    /// Limits of it, its accounts and its keys.
    pub limit_count: u32,
    /// What its open holds and channels count against limits.
    pub mark_count: u32,
    /// Quotes for it that were redeemed and are remembered.
    pub quote_count: u32,
    /// Claims, open or ended, whose payer account is one of its own.
    pub claim_count: u32,
    /// Exchange quotes of its own that were taken and are not over.
    pub exchange_count: u32,
}

/// Table 3.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub key: Key32,
    pub principal: Slot,
    pub scope: u16,
    pub revoked: bool,
    pub registered_at: u64,
    /// 0 for none.
    pub until_ns: u64,
    /// Sequence number, 0 while active.
    pub revoked_at: u64,
    /// The first key of its line; `Slot::MAX` for itself (table 21, as the next).
    pub line: Slot,
    /// The first key of the line above; `Slot::MAX` for none, and for keys that are not first.
    pub parent: Slot,
}

/// Table 4.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    pub id: Id16,
    pub owner: Slot,
    pub kind: u16,
    pub length: u16,
    pub text_hash: Hash32,
}

/// Table 5.
#[derive(Debug, Clone, Copy)]
pub struct Unit {
    pub id: Id16,
    pub issuer: Slot,
    pub symbol: [u8; 16],
    pub exponent: u8,
    /// Its issuance account.
    pub account: Slot,
}

/// Table 6. Two cache lines, and never a third.
#[derive(Debug, Clone, Copy)]
#[repr(align(128))]
pub struct Account {
    pub id: Id16,
    pub owner: Slot,
    pub unit: Slot,
    pub flags: u16,
    /// Grants that are remembered and came from it.
    pub pool_count: u32,
    pub credit_limit: u128,
    pub debits_pending: u128,
    pub debits_posted: u128,
    pub credits_pending: u128,
    pub credits_posted: u128,
}

/// How a hold stands; the numbers are those of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum HoldStatus {
    Open = 1,
    Captured = 2,
    Released = 3,
    Expired = 4,
}

/// Table 7.
#[derive(Debug, Clone, Copy)]
pub struct Hold {
    pub id: Id16,
    pub payer: Slot,
    pub payee: Slot,
    pub maximum: u128,
    pub captured: u128,
    pub expires_at_ns: u64,
    pub status: HoldStatus,
    /// 0 while open.
    pub ended_at_ns: u64,
    /// When its RESERVE was applied.
    pub created_at_ns: u64,
    /// Slot of its terms; `Slot::MAX` for a FLAT hold.
    pub terms: Slot,
    /// Slot of its shares; `Slot::MAX` if no grant pays of it.
    pub shares: Slot,
}

/// How a channel stands; the numbers are those of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum ChannelStatus {
    Open = 1,
    Closing = 2,
    Closed = 3,
}

/// Table 10.
#[derive(Debug, Clone, Copy)]
pub struct Channel {
    pub id: Id16,
    pub payer: Slot,
    pub payee: Slot,
    /// Signs its vouchers.
    pub key: Key32,
    pub deposit: u128,
    pub paid: u128,
    /// The highest cumulative amount redeemed.
    pub highest: u128,
    pub challenge_ns: u64,
    /// 0 unless closing.
    pub closes_at_ns: u64,
    pub status: ChannelStatus,
    /// 0 until closed.
    pub ended_at_ns: u64,
}

/// Table 8.
#[derive(Debug, Clone, Copy)]
pub struct LiveId {
    pub first_sequence: u64,
    pub principal: Slot,
    pub record_count: u32,
    pub block_timestamp_ns: u64,
    pub envelope_id: Id16,
    pub header_digest: Hash32,
}

/// Table 9.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    pub sequence: u64,
    pub timestamp_ns: u64,
    pub reference: Id16,
    pub principal: Slot,
    pub group: u16,
}

/// Table 15.
#[derive(Debug, Clone, Copy)]
pub struct Correction {
    /// What the record moved: the ceiling of all its corrections.
    pub cited: Citation,
    /// What of it was given back.
    pub corrected: u128,
}

/// How a dispute stands; the numbers are those of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum DisputeStatus {
    Open = 1,
    Accepted = 2,
    Rejected = 3,
}

/// Table 16.
#[derive(Debug, Clone, Copy)]
pub struct Dispute {
    /// What the record moved that it is about.
    pub cited: Citation,
    pub disputed: u128,
    /// 0 until accepted.
    pub accepted: u128,
    pub deadline_ns: u64,
    pub opened_at_ns: u64,
    /// 0 until answered.
    pub answered_at_ns: u64,
    pub reason: u16,
    pub status: DisputeStatus,
    /// Whether the last cut-off of netting rolled its amount over into the open window.
    pub is_rolled: bool,
}

/// Table 17.
#[derive(Debug, Clone, Copy)]
pub struct Mandate {
    pub id: Id16,
    /// The account that pays.
    pub payer: Slot,
    /// The principal that may meter.
    pub payee: Slot,
    /// The only card that it is for; zero for any.
    pub card: Id16,
    /// Of all charges together.
    pub cap: u128,
    /// Of each charge.
    pub cap_each: u128,
    pub used: u128,
    pub expires_at_ns: u64,
    pub created_at_ns: u64,
    /// 0 unless one of its parties ended it.
    pub ended_at_ns: u64,
}

impl Row for Principal {
    type Key = Id16;

    fn key(&self) -> Id16 {
        self.id
    }
}

impl Row for Key {
    type Key = Key32;

    #[inline]
    fn key(&self) -> Key32 {
        self.key
    }
}

impl Row for Name {
    type Key = Id16;

    fn key(&self) -> Id16 {
        self.id
    }
}

impl Row for Unit {
    type Key = Id16;

    fn key(&self) -> Id16 {
        self.id
    }
}

impl Row for Account {
    type Key = Id16;

    #[inline]
    fn key(&self) -> Id16 {
        self.id
    }
}

impl Row for Hold {
    type Key = Id16;

    #[inline]
    fn key(&self) -> Id16 {
        self.id
    }
}

impl Row for Mandate {
    type Key = Id16;

    #[inline]
    fn key(&self) -> Id16 {
        self.id
    }
}

impl Row for Channel {
    type Key = Id16;

    #[inline]
    fn key(&self) -> Id16 {
        self.id
    }
}

/// (principal, envelope id)
impl TableKey for (Slot, Id16) {
    #[inline]
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
        hasher.hash_one((self.0, as_integer(&self.1)))
    }
}

/// (principal, group, reference)
impl TableKey for (Slot, u16, Id16) {
    #[inline]
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
        hasher.hash_one((self.0, self.1, as_integer(&self.2)))
    }
}

impl Remembered for LiveId {
    type Key = (Slot, Id16);

    #[inline]
    fn key(&self) -> (Slot, Id16) {
        (self.principal, self.envelope_id)
    }
}

impl Remembered for Reference {
    type Key = (Slot, u16, Id16);

    #[inline]
    fn key(&self) -> (Slot, u16, Id16) {
        (self.principal, self.group, self.reference)
    }
}

impl Key {
    /// Whether it can sign a record at `t`.
    #[inline]
    pub fn is_active(&self, t: u64) -> bool {
        !self.revoked && (self.until_ns == 0 || self.until_ns > t)
    }

    /// Whether it is more than a line by itself with none above.
    #[inline]
    pub fn is_in_line(&self) -> bool {
        self.line != Slot::MAX || self.parent != Slot::MAX
    }
}

impl Account {
    /// What its owner may spend or promise. Not for issuance accounts, which are below zero by
    /// what they issued.
    #[inline]
    pub fn available(&self) -> u128 {
        let funds = self.credits_posted.checked_add(self.credit_limit);
        let used = self.debits_posted.checked_add(self.debits_pending);
        match (funds, used) {
            (Some(funds), Some(used)) if used <= funds => funds - used,
            _ => panic!("kernel invariant broken: available is below zero"),
        }
    }

    /// How far it is below zero, pins included: the least credit limit that it can have.
    pub fn use_of_credit(&self) -> u128 {
        // What it used so far was covered by its credits and its limit, so this sum fits.
        match self.debits_posted.checked_add(self.debits_pending) {
            Some(used) => used.saturating_sub(self.credits_posted),
            None => panic!("kernel invariant broken: use leaves u128"),
        }
    }

    #[inline]
    pub fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

impl Mandate {
    /// From when on it permits nothing.
    pub fn over_at_ns(&self) -> u64 {
        match self.ended_at_ns {
            0 => self.expires_at_ns,
            ended => ended,
        }
    }

    #[inline]
    pub fn is_over(&self, t: u64) -> bool {
        self.over_at_ns() <= t
    }
}

impl Dispute {
    /// Whether it can still be answered.
    #[inline]
    pub fn is_open_at(&self, t: u64) -> bool {
        self.status == DisputeStatus::Open && t < self.deadline_ns
    }
}

impl Hold {
    /// What it still holds.
    #[inline]
    pub fn rest(&self) -> u128 {
        match self.maximum.checked_sub(self.captured) {
            Some(rest) => rest,
            None => panic!("kernel invariant broken: a hold paid more than it holds"),
        }
    }
}

impl Channel {
    /// What it may still pay or give back.
    #[inline]
    pub fn rest(&self) -> u128 {
        match self.deposit.checked_sub(self.paid) {
            Some(rest) => rest,
            None => panic!("kernel invariant broken: a channel paid more than its deposit"),
        }
    }

    /// Whether it is closed, or its challenge period has passed at `t`, swept or not.
    #[inline]
    pub fn is_over(&self, t: u64) -> bool {
        match self.status {
            ChannelStatus::Open => false,
            ChannelStatus::Closing => self.closes_at_ns <= t,
            ChannelStatus::Closed => true,
        }
    }
}
