//! What an ATOMIC envelope must be able to take back.
//!
//! While the journal is on, each change of the state notes how to undo it; `State::roll_back` does
//! so, newest first, which leaves every table, counter and order as it was: rows are taken out
//! again before the rows they refer to, and what was appended last leaves first. Consumed ids and
//! sweeps are not journalled: they happen before the journal is switched on.

use super::claim_state::Claim;
use super::grant_rows::{GrantLife, Shares};
use super::grant_state::RelationKey;
use super::limit_rows::{Limit, LimitKey, Mark, Zone};
use super::netting_state::{ClosedWindow, Member, Pair, Position, SettledWindow, Side};
use super::price_rows::CardLife;
use super::recovery::Recovery;
use super::rows::{Account, Channel, Correction, Dispute, Hold, HoldStatus, Key, Mandate};
use super::state::{broken, State};
use super::table::Slot;
use crate::format::Id16;

/// One change, with what is needed to take it back.
pub enum Undo {
    PrincipalInserted(Slot),
    KeyInserted(Slot),
    KeyChanged(Slot, Key),
    NameInserted(Slot),
    UnitInserted(Slot),
    AccountInserted(Slot),
    AccountChanged(Slot, Account),
    HoldInserted(Slot),
    HoldChanged(Slot, Hold),
    ChannelInserted(Slot),
    ChannelChanged(Slot, Channel),
    CardInserted(Slot),
    CardChanged(Slot, CardLife),
    PriceLineInserted(Slot),
    ReferenceInserted,
    MandateInserted(Slot),
    MandateChanged(Slot, Mandate),
    QuoteInserted(Slot),
    /// What was agreed before.
    QuoteAgreed(Slot, u128),
    ExchangeInserted(Slot),
    /// What was given before.
    ExchangeGiven(Slot, u128),
    /// By the sequence number of the cited record; None if there was no row.
    CorrectionPut(u64, Option<Correction>),
    DisputePut(u64, Option<Dispute>),
    LimitPut(LimitKey, Option<Limit>),
    /// Of a principal; by hold or channel, and limit.
    MarkPut(Slot, (Id16, LimitKey), Option<Mark>),
    ZonePut(Id16, Option<Box<Zone>>),
    /// Of a principal.
    RecoveryPut(Slot, Option<Recovery>),
    Netting(NettingUndo),
    Claim(ClaimUndo),
    Grant(GrantUndo),
}

/// A change of what a deferred unit nets.
pub enum NettingUndo {
    /// Of a unit's open or closed window; 0 if there was no row.
    PairSet(Slot, Side, Pair, u128),
    MemberPut(Slot, Slot, Option<Member>),
    /// When the window had been opened.
    WindowClosed(Slot, u64),
    PositionsSet(Slot, Vec<Position>),
    /// The window, and the settled one that was forgotten for it.
    WindowSettled(Slot, Box<ClosedWindow>, Option<SettledWindow>),
}

/// A change of what holds left owing.
pub enum ClaimUndo {
    /// By its id; None if there was no row.
    Put(Id16, Option<Claim>),
    /// What a hold had charged beyond, by the slot of its terms.
    BeyondSet(Slot, u128),
}

/// A change of grants, of the shares that they pay, and of what binds them.
pub enum GrantUndo {
    ListInserted(Slot),
    Inserted(Slot),
    Changed(Slot, GrantLife),
    SharesChanged(Slot, Shares),
    /// With the registrar.
    RelationInserted(RelationKey, Slot),
    /// With the registrar and when it was stated.
    RelationRemoved(RelationKey, Slot, u64),
}

/// The changes since `begin`, oldest first; nothing is noted while it is off.
#[derive(Default)]
pub struct Journal {
    is_on: bool,
    changes: Vec<Undo>,
}

impl Journal {
    #[inline]
    pub fn note(&mut self, undo: impl FnOnce() -> Undo) {
        if self.is_on {
            self.changes.push(undo());
        }
    }

    pub fn begin(&mut self) {
        self.is_on = true;
    }

    /// Keeps the changes.
    pub fn commit(&mut self) {
        self.is_on = false;
        self.changes.clear();
    }
}

impl State {
    /// Takes back all changes since the journal was switched on, and switches it off.
    pub fn roll_back(&mut self) {
        self.journal.is_on = false;
        while let Some(undo) = self.journal.changes.pop() {
            self.take_back(undo);
        }
    }

    fn take_back(&mut self, undo: Undo) {
        match undo {
            Undo::PrincipalInserted(slot) => self.principals.remove(slot),
            Undo::KeyInserted(slot) => {
                let principal = self.keys.get(slot).principal;
                if self.principals.get_mut(principal).keys.pop() != Some(slot) {
                    broken("the newest key of a principal is not the one to take back");
                }
                self.keys.remove(slot);
            }
            Undo::KeyChanged(slot, old) => *self.keys.get_mut(slot) = old,
            Undo::NameInserted(slot) => self.take_back_name(slot),
            Undo::UnitInserted(slot) => self.take_back_unit(slot),
            Undo::AccountInserted(slot) => {
                let owner = self.accounts.get(slot).owner;
                self.principals.get_mut(owner).account_count -= 1;
                self.accounts.remove(slot);
            }
            Undo::AccountChanged(slot, old) => *self.accounts.get_mut(slot) = old,
            Undo::HoldInserted(slot) => {
                let hold = *self.holds.get(slot);
                self.expiries.remove(hold.expires_at_ns, hold.id);
                self.payer_principal(hold.payer).pin_count -= 1;
                self.remove_hold(slot);
            }
            Undo::HoldChanged(slot, old) => self.take_back_hold(slot, old),
            Undo::ChannelInserted(slot) => {
                self.leave_channel(slot);
                self.channels.remove(slot);
            }
            Undo::ChannelChanged(slot, old) => self.rewrite_channel(slot, old),
            Undo::CardInserted(slot) => self.take_back_card(slot),
            Undo::CardChanged(slot, old) => self.rewrite_card(slot, old),
            Undo::PriceLineInserted(slot) => self.take_back_price_line(slot),
            Undo::MandateInserted(slot) => self.remove_mandate(slot),
            Undo::MandateChanged(slot, old) => self.rewrite_mandate(slot, old),
            Undo::QuoteInserted(slot) => self.remove_quote(slot),
            Undo::QuoteAgreed(slot, old) => self.quotes.get_mut(slot).agreed = old,
            Undo::ExchangeInserted(slot) => self.remove_exchange(slot),
            Undo::ExchangeGiven(slot, old) => self.exchanges.get_mut(slot).given = old,
            Undo::CorrectionPut(sequence, old) => {
                self.remove_correction(sequence);
                old.into_iter().for_each(|row| self.enter_correction(row));
            }
            Undo::DisputePut(sequence, old) => {
                self.remove_dispute(sequence);
                old.into_iter().for_each(|row| self.enter_dispute(row));
            }
            Undo::LimitPut(key, old) => {
                self.set_limit(key, old);
            }
            Undo::MarkPut(principal, key, old) => {
                self.set_mark(principal, key, old);
            }
            Undo::ZonePut(id, old) => {
                self.set_zone(id, old.map(|zone| *zone));
            }
            Undo::RecoveryPut(principal, old) => {
                self.set_recovery(principal, old);
            }
            Undo::ReferenceInserted => match self.references.pop_back() {
                Some(row) => self.principals.get_mut(row.principal).reference_count -= 1,
                None => broken("no reference to take back"),
            },
            Undo::Netting(undo) => self.take_back_netting(undo),
            Undo::Claim(undo) => self.take_back_claim(undo),
            Undo::Grant(undo) => self.take_back_grants(undo),
        }
    }

    fn take_back_unit(&mut self, slot: Slot) {
        self.symbols.remove(&self.units.get(slot).symbol);
        self.netting.remove(&slot);
        self.units.remove(slot);
    }

    fn take_back_claim(&mut self, undo: ClaimUndo) {
        match undo {
            ClaimUndo::Put(id, old) => {
                self.remove_claim(id);
                old.into_iter().for_each(|row| self.enter_claim(row));
            }
            ClaimUndo::BeyondSet(slot, old) => self.terms.get_mut(slot).beyond = old,
        }
    }

    fn take_back_name(&mut self, slot: Slot) {
        let name = *self.names.get(slot);
        self.name_texts
            .remove(&(name.owner, name.kind, name.text_hash));
        self.principals.get_mut(name.owner).name_count -= 1;
        self.names.remove(slot);
    }

    fn take_back_grants(&mut self, undo: GrantUndo) {
        match undo {
            GrantUndo::ListInserted(slot) => self.take_back_list(slot),
            GrantUndo::Inserted(slot) => self.remove_grant(slot),
            GrantUndo::Changed(slot, old) => self.rewrite_grant(slot, old),
            GrantUndo::SharesChanged(slot, old) => *self.shares.get_mut(slot) = old,
            GrantUndo::RelationInserted(key, registrar) => {
                self.leave_relation(key, registrar);
            }
            GrantUndo::RelationRemoved(key, registrar, t) => {
                self.enter_relation(key, registrar, t);
            }
        }
    }

    fn take_back_netting(&mut self, undo: NettingUndo) {
        match undo {
            NettingUndo::PairSet(unit, side, pair, old) => {
                self.rewrite_pair(unit, side, pair, old);
            }
            NettingUndo::MemberPut(unit, account, old) => {
                self.rewrite_member(unit, account, old);
            }
            NettingUndo::WindowClosed(unit, opened_at) => self.take_back_cut_off(unit, opened_at),
            NettingUndo::PositionsSet(unit, old) => {
                self.rewrite_positions(unit, old);
            }
            NettingUndo::WindowSettled(unit, closed, forgotten) => {
                self.take_back_window(unit, *closed, forgotten);
            }
        }
    }

    fn take_back_hold(&mut self, slot: Slot, old: Hold) {
        let now = *self.holds.get(slot);
        *self.holds.get_mut(slot) = old;
        if now.status == HoldStatus::Open {
            self.expiries.remove(now.expires_at_ns, now.id);
        } else {
            if self.ended.pop_back() != Some(slot) {
                broken("the hold that ended last is not the one to take back");
            }
            self.payer_principal(old.payer).pin_count += 1;
        }
        self.expiries.insert(old.expires_at_ns, old.id, slot);
    }
}
