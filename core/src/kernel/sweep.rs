//! Forgetting what is past its window, and freeing what holds and channels pin once it is due
//! (semantics.md section 1). Both go by log time alone and are bounded for each block.

use super::debt;
use super::effect::{Cause, Effects};
use super::grant;
use super::grant_rows::GrantStatus;
use super::rows::{Channel, ChannelStatus, HoldStatus};
use super::share;
use super::state::State;
use super::table::Slot;
use crate::format::limits::{CORRECTION_WINDOW_NS, ID_FUTURE_TOLERANCE_NS};
use crate::format::Genesis;

/// Rows of each table that one block may prune.
pub const MAX_PRUNED: usize = 10_000;
/// Holds, channels, grants and recoveries that one block may sweep.
pub const MAX_SWEPT: u32 = 10_000;

/// Whether `moment + window < now`, in exact arithmetic.
pub fn is_past(moment: u64, window: u64, tolerance: u64, now: u64) -> bool {
    u128::from(moment) + u128::from(window) + u128::from(tolerance) < u128::from(now)
}

impl State {
    /// Step 1 of a block with timestamp `t0`.
    pub fn prune(&mut self, genesis: &Genesis, t0: u64) {
        self.prune_live_ids(genesis.max_lifetime_ns, t0);
        self.prune_references(genesis.reference_window_ns, t0);
        self.give_back_after_grace(debt::grace_ns(genesis), t0);
        self.prune_holds(genesis.hold_retention_ns, t0);
        self.prune_channels(genesis.hold_retention_ns, t0);
        self.prune_cards(t0);
        self.prune_corrections(t0);
        self.prune_mandates(genesis.hold_retention_ns, t0);
        self.prune_quotes(genesis, t0);
        self.prune_claims(genesis.hold_retention_ns, t0);
        self.prune_grants(t0);
        self.prune_exchanges(t0);
    }

    fn prune_live_ids(&mut self, lifetime_ns: u64, t0: u64) {
        for _ in 0..MAX_PRUNED {
            match self.live_ids.front() {
                Some(row)
                    if is_past(
                        row.block_timestamp_ns,
                        lifetime_ns,
                        ID_FUTURE_TOLERANCE_NS,
                        t0,
                    ) => {}
                _ => return,
            }
            if let Some(row) = self.live_ids.pop_front() {
                self.principals.get_mut(row.principal).live_id_count -= 1;
            }
        }
    }

    fn prune_references(&mut self, window_ns: u64, t0: u64) {
        for _ in 0..MAX_PRUNED {
            match self.references.front() {
                Some(row) if is_past(row.timestamp_ns, window_ns, 0, t0) => {}
                _ => return,
            }
            if let Some(row) = self.references.pop_front() {
                self.principals.get_mut(row.principal).reference_count -= 1;
            }
        }
    }

    /// What expired on debt cannot be captured any more: limits get back what it did not charge.
    fn give_back_after_grace(&mut self, grace_ns: u64, t0: u64) {
        for _ in 0..MAX_PRUNED {
            match self.in_grace.first() {
                Some(slot) if is_past(self.in_grace.next_ns(), grace_ns, 0, t0) => {
                    self.give_back_rest(slot);
                }
                _ => return,
            }
        }
    }

    fn prune_holds(&mut self, retention_ns: u64, t0: u64) {
        for _ in 0..MAX_PRUNED {
            match self.ended.front() {
                Some(&slot) if is_past(self.holds.get(slot).ended_at_ns, retention_ns, 0, t0) => {
                    self.ended.pop_front();
                    self.give_back_rest(slot);
                    self.remove_hold(slot);
                }
                _ => return,
            }
        }
    }

    fn prune_channels(&mut self, retention_ns: u64, t0: u64) {
        for _ in 0..MAX_PRUNED {
            match self.closed.first() {
                Some(slot) if is_past(self.closed.next_ns(), retention_ns, 0, t0) => {
                    self.leave_channel(slot);
                    self.channels.remove(slot);
                }
                _ => return,
            }
        }
    }

    /// Claims that were paid or waived; an open one is never forgotten.
    fn prune_claims(&mut self, retention_ns: u64, t0: u64) {
        for _ in 0..MAX_PRUNED {
            match self.ended_claims.first() {
                Some(&(ended_at_ns, id)) if is_past(ended_at_ns, retention_ns, 0, t0) => {
                    self.remove_claim(id);
                }
                _ => return,
            }
        }
    }

    /// Both tables by the time of the records that they are about.
    fn prune_corrections(&mut self, t0: u64) {
        let is_due = |timestamp_ns| is_past(timestamp_ns, CORRECTION_WINDOW_NS, 0, t0);
        for _ in 0..MAX_PRUNED {
            match self.corrections.first_key_value() {
                Some((&sequence, row)) if is_due(row.cited.timestamp_ns) => {
                    self.remove_correction(sequence);
                }
                _ => break,
            }
        }
        for _ in 0..MAX_PRUNED {
            match self.disputes.first_key_value() {
                Some((&sequence, row)) if is_due(row.cited.timestamp_ns) => {
                    self.remove_dispute(sequence);
                }
                _ => break,
            }
        }
    }

    /// Frees the holds that have expired at `t`, then closes the channels and ends the grants that
    /// are due, then lets recoveries take effect; at most `budget` of them together, which it
    /// lowers. `sequence` and `index` are those of the record before which it runs.
    pub fn sweep(
        &mut self,
        t: u64,
        (sequence, index): (u64, u32),
        budget: &mut u32,
        effects: &mut Effects,
    ) {
        while *budget > 0 && self.expiries.next_ns() <= t {
            let Some(slot) = self.expiries.first() else {
                break;
            };
            *budget -= 1;
            let hold = *self.holds.get(slot);
            if hold.shares == Slot::MAX {
                let rest = hold.rest();
                self.free_pending((&hold).into(), rest);
                effects.push(self, Cause::Expiry, index, (&hold).into(), rest);
            } else {
                share::free(self, effects, Cause::Expiry, (index, t), &hold);
            }
            self.end_hold(slot, HoldStatus::Expired, t);
        }
        while *budget > 0 && self.closings.next_ns() <= t {
            let Some(slot) = self.closings.first() else {
                break;
            };
            *budget -= 1;
            let rest = self.close_channel(slot, t);
            let pin = self.channels.get(slot).into();
            effects.push(self, Cause::ChannelClose, index, pin, rest);
        }
        while *budget > 0 && self.grant_expiries.next_ns() <= t {
            let Some(slot) = self.grant_expiries.first() else {
                break;
            };
            *budget -= 1;
            let expired = (GrantStatus::Expired, Cause::GrantReturn);
            grant::end(self, effects, (slot, expired), (index, t));
        }
        if self.recoveries.next_ns() <= t {
            self.sweep_recoveries(t, sequence, budget);
        }
    }

    /// Closes a channel, gives its rest back to the payer and says how much that is.
    pub fn close_channel(&mut self, slot: Slot, t: u64) -> u128 {
        let channel = *self.channels.get(slot);
        let rest = channel.rest();
        self.free_pending((&channel).into(), rest);
        let closed = Channel {
            closes_at_ns: 0,
            status: ChannelStatus::Closed,
            ended_at_ns: t,
            ..channel
        };
        self.change_channel(slot, closed);
        self.give_back(channel.id, channel.payer, rest);
        rest
    }
}
