//! Amounts that move: what a hold or a channel pins is set aside, paid, freed; the rest is posted.
//!
//! What is pinned stands in debits_pending of the payer's account and in credits_pending of the
//! payee's. The rules have checked before that every sum fits.

use super::rows::{account_flag, Channel, Hold};
use super::state::{difference, sum, State};
use super::table::Slot;
use crate::format::Id16;

/// Between which accounts an amount is pinned, and what pins it.
#[derive(Debug, Clone, Copy)]
pub struct Pin {
    /// Of the hold or channel.
    pub id: Id16,
    pub payer: Slot,
    pub payee: Slot,
}

impl From<&Hold> for Pin {
    fn from(hold: &Hold) -> Self {
        Self {
            id: hold.id,
            payer: hold.payer,
            payee: hold.payee,
        }
    }
}

impl From<&Channel> for Pin {
    fn from(channel: &Channel) -> Self {
        Self {
            id: channel.id,
            payer: channel.payer,
            payee: channel.payee,
        }
    }
}

impl State {
    /// Adds `amount` to both pending columns.
    pub fn add_pending(&mut self, pin: Pin, amount: u128) {
        let payer = self.account_mut(pin.payer);
        payer.debits_pending = sum(payer.debits_pending, amount, "debits_pending leaves u128");
        let payee = self.account_mut(pin.payee);
        payee.credits_pending = sum(payee.credits_pending, amount, "credits_pending leaves u128");
    }

    /// Takes `amount` out of both pending columns.
    pub fn free_pending(&mut self, pin: Pin, amount: u128) {
        let payer = self.account_mut(pin.payer);
        payer.debits_pending = difference(
            payer.debits_pending,
            amount,
            "debits_pending below what is pinned",
        );
        let payee = self.account_mut(pin.payee);
        payee.credits_pending = difference(
            payee.credits_pending,
            amount,
            "credits_pending below what is pinned",
        );
    }

    /// Moves `amount` from the pending to the posted columns.
    pub fn post_pending(&mut self, pin: Pin, amount: u128) {
        self.free_pending(pin, amount);
        self.post(pin.payer, pin.payee, amount);
    }

    /// Moves `amount` between the posted columns of two accounts; in a deferred unit the first now
    /// owes it to the second.
    #[inline]
    pub fn post(&mut self, debit: Slot, credit: Slot, amount: u128) {
        let payer = self.account_mut(debit);
        payer.debits_posted = sum(payer.debits_posted, amount, "debits_posted leaves u128");
        let is_deferred = payer.is(account_flag::DEFERRED);
        let payee = self.account_mut(credit);
        payee.credits_posted = sum(payee.credits_posted, amount, "credits_posted leaves u128");
        if is_deferred {
            self.owe(debit, credit, amount);
        }
    }
}
