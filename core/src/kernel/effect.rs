//! Postings that the kernel computed itself (format.md section 7).

use super::pending::Pin;
use super::state::State;
use crate::format::limits::EFFECT_BYTES;
use crate::format::Id16;

/// Why an effect happened; the numbers are those of its bytes.
#[derive(Debug, Clone, Copy)]
#[repr(u16)]
pub enum Cause {
    Capture = 1,
    Release = 2,
    Expiry = 3,
    Voucher = 4,
    ChannelClose = 5,
    Meter = 6,
    Refund = 7,
    Dispute = 8,
    GrantReturn = 10,
    ClawBack = 11,
    Grant = 12,
    Pin = 13,
    /// Paid in the settlement unit.
    Netting = 14,
    /// The debt in the deferred unit that this paid.
    Netted = 15,
    /// What a settlement would pay, pinned until then.
    Position = 16,
    Claim = 17,
    PayClaim = 18,
    /// What the maker of an exchange quote pays.
    Exchange = 19,
    Reprice = 20,
}

/// What an effect says of its amount beside it; nothing for most.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source {
    /// That has priced it.
    pub card: Option<Id16>,
    /// Whose money it is, if not the payer's own.
    pub grant: Option<Id16>,
    /// What of it was not on hold.
    pub beyond: u128,
}

impl Source {
    pub fn of_grant(grant: Id16) -> Self {
        Self {
            grant: Some(grant),
            ..Self::default()
        }
    }

    pub fn of_card(card: Id16) -> Self {
        Self {
            card: Some(card),
            ..Self::default()
        }
    }
}

/// The effects of a block, in order, 128 bytes each.
#[derive(Default)]
pub struct Effects {
    bytes: Vec<u8>,
}

impl Effects {
    /// Appends a posting of a hold or channel that belongs to record `index` of its envelope.
    #[inline]
    pub fn push(&mut self, state: &State, cause: Cause, index: u32, pin: Pin, amount: u128) {
        self.push_from(state, cause, index, pin, amount, Source::default());
    }

    /// As `push`, of an amount that a card or quote has priced or a grant pays.
    pub fn push_from(
        &mut self,
        state: &State,
        cause: Cause,
        index: u32,
        pin: Pin,
        amount: u128,
        source: Source,
    ) {
        let mut row = [0_u8; EFFECT_BYTES];
        row[0..2].copy_from_slice(&(cause as u16).to_le_bytes());
        row[4..8].copy_from_slice(&index.to_le_bytes());
        row[8..24].copy_from_slice(&state.accounts.get(pin.payer).id);
        row[24..40].copy_from_slice(&state.accounts.get(pin.payee).id);
        row[40..56].copy_from_slice(&amount.to_le_bytes());
        row[56..72].copy_from_slice(&pin.id);
        if let Some(card) = source.card {
            row[72..88].copy_from_slice(&card);
        }
        if let Some(grant) = source.grant {
            row[88..104].copy_from_slice(&grant);
        }
        row[104..120].copy_from_slice(&source.beyond.to_le_bytes());
        self.bytes.extend_from_slice(&row);
    }

    /// As `push`, of a claim, which has the id of the hold that it comes from.
    pub fn push_claim(&mut self, state: &State, cause: Cause, index: u32, pin: Pin, amount: u128) {
        self.push(state, cause, index, pin, amount);
        let at = self.bytes.len() - EFFECT_BYTES;
        self.bytes[at + 88..at + 104].copy_from_slice(&pin.id);
    }

    pub fn count(&self) -> usize {
        self.bytes.len() / EFFECT_BYTES
    }

    /// Drops all effects but the first `count`.
    pub fn truncate(&mut self, count: usize) {
        self.bytes.truncate(count * EFFECT_BYTES);
    }

    /// The bytes of the effects from number `first` on.
    pub fn since(&self, first: usize) -> &[u8] {
        &self.bytes[first * EFFECT_BYTES..]
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
