//! The state and the only ways to change it.
//!
//! A rule (`registry.rs`, `unit.rs`, …) first checks everything, through shared references, and
//! then calls the changing methods below, which cannot fail. Each of them keeps what is derived
//! (counters, orders, indexes) in step with the rows, and while an ATOMIC envelope is executed
//! writes down how to take the change back (`journal.rs`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hashbrown::{HashMap, HashSet};

use super::card_state::CardMemory;
use super::claim_state::Claim;
use super::debt;
use super::exchange_rows::Exchange;
use super::gather::Gather;
use super::grant_rows::{Grant, List, Shares};
use super::grant_state::RelationKey;
use super::journal::{Journal, Undo};
use super::limit_rows::{Limit, LimitKey, Mark, Zone};
use super::netting_state::Netting;
use super::price_rows::{Card, PriceLine, Terms};
use super::quote_rows::Quote;
use super::recovery::Recoveries;
use super::rows::{
    account_flag, principal_type, scope, Account, Channel, ChannelStatus, Correction, Dispute,
    Hold, HoldStatus, Key, LiveId, Mandate, Name, Principal, Reference, Unit,
};
use super::schedule::Schedule;
use super::table::{Slot, Table};
use super::window::Window;
use crate::format::{Genesis, Hash32, Id16};

/// All tables of format.md section 10, with what is derived from them.
#[derive(Default)]
pub struct State {
    pub next_sequence: u64,
    pub min_next_timestamp_ns: u64,
    pub principals: Table<Principal>,
    pub keys: Table<Key>,
    pub names: Table<Name>,
    pub units: Table<Unit>,
    pub accounts: Table<Account>,
    pub holds: Table<Hold>,
    pub channels: Table<Channel>,
    pub cards: Table<Card>,
    pub price_lines: Table<PriceLine>,
    pub terms: Table<Terms>,
    pub live_ids: Window<LiveId>,
    pub references: Window<Reference>,
    /// By the sequence number of the cited record, which is also the order of its time.
    pub corrections: BTreeMap<u64, Correction>,
    pub disputes: BTreeMap<u64, Dispute>,
    pub limits: BTreeMap<LimitKey, Limit>,
    /// (principal, limit) of every limit.
    pub limit_owners: BTreeSet<(Slot, LimitKey)>,
    /// By hold or channel, and limit.
    pub marks: BTreeMap<(Id16, LimitKey), Mark>,
    pub zones: BTreeMap<Id16, Zone>,
    /// (principal, cited record) of both sides of every dispute.
    pub dispute_parties: BTreeSet<(Slot, u64)>,
    pub mandates: Table<Mandate>,
    /// (principal, mandate) of both sides of every mandate.
    pub mandate_parties: BTreeSet<(Slot, Id16)>,
    pub quotes: Table<Quote>,
    /// Quotes in the order of (moment after which they are expired, id).
    pub quote_ends: Schedule,
    pub exchanges: Table<Exchange>,
    /// Exchange quotes in the order of (moment after which they are over, id).
    pub exchange_ends: Schedule,
    /// Mandates in the order of (moment from which they are over, id).
    pub mandate_ends: Schedule,
    /// Deferred units with their members, windows and pairs.
    pub netting: BTreeMap<Slot, Netting>,
    /// (unit, cited record) of every dispute in a deferred unit.
    pub deferred_disputes: BTreeSet<(Slot, u64)>,
    pub claims: BTreeMap<Id16, Claim>,
    /// (principal, claim) of both sides of every claim.
    pub claim_parties: BTreeSet<(Slot, Id16)>,
    /// How many claims are open between two accounts: (payer, payee), and (payee, payer).
    pub open_claims: BTreeMap<(Slot, Slot, bool), u32>,
    /// Paid and waived claims by (moment, id).
    pub ended_claims: BTreeSet<(u64, Id16)>,
    pub recoveries: Recoveries,
    /// (owner, name kind, hash of the text) of every name.
    pub name_texts: HashSet<(Slot, u16, Hash32)>,
    /// Units by symbol.
    pub symbols: HashMap<[u8; 16], Slot>,
    /// Open holds in the order in which they expire.
    pub expiries: Schedule,
    /// Ended holds in the order in which they ended, which is that of
    /// (ended_at_ns, expires_at_ns, id).
    pub ended: VecDeque<Slot>,
    /// Expired holds that limits still count, in the order of their expiry.
    pub in_grace: Schedule,
    /// Closing channels in the order in which they close.
    pub closings: Schedule,
    /// Closed channels in the order of (ended_at_ns, id).
    pub closed: Schedule,
    /// Drafts and superseded cards in the order of (moment after which they are forgotten, id).
    pub forgettable: Schedule,
    pub card_memory: CardMemory,
    pub lists: Table<List>,
    pub grants: Table<Grant>,
    pub shares: Table<Shares>,
    /// When each relation was stated.
    pub relations: BTreeMap<RelationKey, u64>,
    /// Open grants in the order in which they expire.
    pub grant_expiries: Schedule,
    /// Settled grants in the order of (settled_at_ns, id).
    pub settled: Schedule,
    /// (principal, grant) of sponsor and grantee of every grant.
    pub grant_parties: BTreeSet<(Slot, Id16)>,
    pub journal: Journal,
    /// What the history index gets to know; no part of the state.
    pub gather: Gather,
}

/// What a counter or a column cannot do while the rules hold.
#[cold]
#[inline(never)]
pub fn broken(what: &str) -> ! {
    panic!("kernel invariant broken: {what}");
}

/// `a + b`, which the caller has proved to fit.
#[inline]
pub fn sum(a: u128, b: u128, what: &str) -> u128 {
    match a.checked_add(b) {
        Some(sum) => sum,
        None => broken(what),
    }
}

/// `a - b`, which the caller has proved to be none below zero.
#[inline]
pub fn difference(a: u128, b: u128, what: &str) -> u128 {
    match a.checked_sub(b) {
        Some(difference) => difference,
        None => broken(what),
    }
}

impl State {
    /// The state before the first block: operators, nodes and their keys.
    pub fn from_genesis(genesis: &Genesis) -> Self {
        let mut state = Self {
            next_sequence: 1,
            card_memory: CardMemory::of(genesis),
            ..Self::default()
        };
        let operators = genesis.operators.iter().zip(0_u32..).map(|(key, index)| {
            let id = genesis.operator_principal(index);
            (id, principal_type::OPERATOR, *key, scope::OPERATE)
        });
        let nodes = genesis.nodes.iter().map(|node| {
            let id = genesis.node_principal(node.raft_id);
            (id, principal_type::NODE, node.ledger_key, scope::NODE)
        });
        for (id, kind, key, scope) in operators.chain(nodes) {
            let principal = state.insert_principal(id, kind, 0);
            state.insert_key(Key {
                key,
                principal,
                scope,
                revoked: false,
                registered_at: 0,
                until_ns: 0,
                revoked_at: 0,
                line: Slot::MAX,
                parent: Slot::MAX,
            });
        }
        state
    }

    pub fn insert_principal(&mut self, id: Id16, kind: u16, registered_at: u64) -> Slot {
        let slot = self.principals.insert(Principal {
            id,
            kind,
            registered_at,
            ..Principal::default()
        });
        self.journal.note(|| Undo::PrincipalInserted(slot));
        slot
    }

    pub fn insert_key(&mut self, key: Key) {
        let slot = self.keys.insert(key);
        self.principals.get_mut(key.principal).keys.push(slot);
        self.journal.note(|| Undo::KeyInserted(slot));
    }

    /// The key at `slot`, to change anything but its bytes and its principal.
    pub fn key_mut(&mut self, slot: Slot) -> &mut Key {
        let key = self.keys.get_mut(slot);
        self.journal.note(|| Undo::KeyChanged(slot, *key));
        key
    }

    pub fn insert_name(&mut self, name: Name) {
        let slot = self.names.insert(name);
        self.name_texts
            .insert((name.owner, name.kind, name.text_hash));
        self.principals.get_mut(name.owner).name_count += 1;
        self.journal.note(|| Undo::NameInserted(slot));
    }

    /// Adds a unit together with its issuance account.
    pub fn insert_unit(&mut self, id: Id16, issuer: Slot, symbol: [u8; 16], exponent: u8) -> Slot {
        // The unit's slot is known before the row stands in it: no row leaves this table.
        let account = self.insert_account(id, issuer, 0, account_flag::ISSUANCE);
        let slot = self.units.insert(Unit {
            id,
            issuer,
            symbol,
            exponent,
            account,
        });
        self.accounts.get_mut(account).unit = slot;
        self.symbols.insert(symbol, slot);
        self.journal.note(|| Undo::UnitInserted(slot));
        slot
    }

    pub fn insert_account(&mut self, id: Id16, owner: Slot, unit: Slot, flags: u16) -> Slot {
        let slot = self.accounts.insert(Account {
            id,
            owner,
            unit,
            flags,
            pool_count: 0,
            credit_limit: 0,
            debits_pending: 0,
            debits_posted: 0,
            credits_pending: 0,
            credits_posted: 0,
        });
        self.principals.get_mut(owner).account_count += 1;
        self.gather.touch(slot);
        self.journal.note(|| Undo::AccountInserted(slot));
        slot
    }

    /// The account at `slot`, to change its flags and columns.
    #[inline]
    pub fn account_mut(&mut self, slot: Slot) -> &mut Account {
        self.gather.touch(slot);
        let account = self.accounts.get_mut(slot);
        self.journal.note(|| Undo::AccountChanged(slot, *account));
        account
    }

    /// Adds an open hold; the pending columns are the caller's.
    pub fn insert_hold(&mut self, hold: Hold) {
        let slot = self.holds.insert(hold);
        self.expiries.insert(hold.expires_at_ns, hold.id, slot);
        self.payer_principal(hold.payer).pin_count += 1;
        self.journal.note(|| Undo::HoldInserted(slot));
    }

    /// Takes a hold out of its table, and its terms and shares out of theirs; the orders are the
    /// caller's.
    pub fn remove_hold(&mut self, slot: Slot) {
        let Hold { terms, shares, .. } = *self.holds.get(slot);
        if terms != Slot::MAX {
            self.terms.remove(terms);
        }
        if shares != Slot::MAX {
            self.shares.remove(shares);
        }
        self.holds.remove(slot);
    }

    /// Raises the maximum of an open hold and sets when it expires; the columns are the caller's.
    pub fn extend_hold(&mut self, slot: Slot, maximum: u128, expires_at_ns: u64) {
        let hold = self.holds.get_mut(slot);
        self.journal.note(|| Undo::HoldChanged(slot, *hold));
        let before = *hold;
        hold.maximum = maximum;
        hold.expires_at_ns = expires_at_ns;
        self.expiries.remove(before.expires_at_ns, before.id);
        self.expiries.insert(expires_at_ns, before.id, slot);
    }

    /// Sets what an open hold has paid so far; the columns are the caller's.
    pub fn set_captured(&mut self, slot: Slot, captured: u128) {
        let hold = self.holds.get_mut(slot);
        self.journal.note(|| Undo::HoldChanged(slot, *hold));
        hold.captured = captured;
        let hold = *hold;
        self.no_longer_held(hold.id, hold.payer, hold.rest());
    }

    /// Ends an open hold; the columns are the caller's.
    pub fn end_hold(&mut self, slot: Slot, status: HoldStatus, t: u64) {
        let hold = self.holds.get_mut(slot);
        if hold.status != HoldStatus::Open {
            broken("a hold ends once");
        }
        self.journal.note(|| Undo::HoldChanged(slot, *hold));
        hold.status = status;
        hold.ended_at_ns = t;
        let hold = *hold;
        self.expiries.remove(hold.expires_at_ns, hold.id);
        self.ended.push_back(slot);
        self.payer_principal(hold.payer).pin_count -= 1;
        if debt::may_come_late(&hold, self.terms_of(&hold)) {
            self.begin_grace(slot);
        } else {
            self.give_back_rest(slot);
        }
    }

    /// Adds a channel; the pending columns are the caller's.
    pub fn insert_channel(&mut self, channel: Channel) {
        let slot = self.channels.insert(channel);
        self.enter_channel(slot);
        self.journal.note(|| Undo::ChannelInserted(slot));
    }

    /// Writes the row of a channel anew; its id and its accounts stay. The columns are the
    /// caller's.
    pub fn change_channel(&mut self, slot: Slot, channel: Channel) {
        let before = *self.channels.get(slot);
        if before.status == ChannelStatus::Closed {
            broken("a channel is closed once");
        }
        self.journal.note(|| Undo::ChannelChanged(slot, before));
        self.rewrite_channel(slot, channel);
    }

    /// As `change_channel`, in any direction and without a note.
    pub fn rewrite_channel(&mut self, slot: Slot, channel: Channel) {
        self.leave_channel(slot);
        *self.channels.get_mut(slot) = channel;
        self.enter_channel(slot);
    }

    /// Enters a channel into the order and the count that its status asks for.
    pub fn enter_channel(&mut self, slot: Slot) {
        let channel = *self.channels.get(slot);
        match channel.status {
            ChannelStatus::Open => {}
            ChannelStatus::Closing => {
                self.closings.insert(channel.closes_at_ns, channel.id, slot);
            }
            ChannelStatus::Closed => self.closed.insert(channel.ended_at_ns, channel.id, slot),
        }
        if channel.status != ChannelStatus::Closed {
            self.payer_principal(channel.payer).pin_count += 1;
        }
    }

    /// Takes back what `enter_channel` did.
    pub fn leave_channel(&mut self, slot: Slot) {
        let channel = *self.channels.get(slot);
        match channel.status {
            ChannelStatus::Open => {}
            ChannelStatus::Closing => self.closings.remove(channel.closes_at_ns, channel.id),
            ChannelStatus::Closed => self.closed.remove(channel.ended_at_ns, channel.id),
        }
        if channel.status != ChannelStatus::Closed {
            self.payer_principal(channel.payer).pin_count -= 1;
        }
    }

    /// When the next hold or grant expires, channel closes or recovery takes effect.
    #[inline]
    pub fn next_due_ns(&self) -> u64 {
        let pinned = self.expiries.next_ns().min(self.closings.next_ns());
        let granted = pinned.min(self.grant_expiries.next_ns());
        granted.min(self.recoveries.next_ns())
    }

    /// Remembers a UNIQUE reference.
    pub fn insert_reference(&mut self, reference: Reference) {
        self.references.push(reference);
        self.principals.get_mut(reference.principal).reference_count += 1;
        self.journal.note(|| Undo::ReferenceInserted);
    }

    /// Consumes an envelope id. Not journalled: it stays consumed.
    pub fn insert_live_id(&mut self, live: LiveId) {
        self.live_ids.push(live);
        self.principals.get_mut(live.principal).live_id_count += 1;
    }

    /// Writes the row of a corrected record.
    pub fn put_correction(&mut self, row: Correction) {
        let sequence = row.cited.sequence;
        let old = self.remove_correction(sequence);
        self.enter_correction(row);
        self.journal.note(|| Undo::CorrectionPut(sequence, old));
    }

    /// Adds the row of a record that has none, with what is derived from it.
    pub fn enter_correction(&mut self, row: Correction) {
        self.payer_principal(row.cited.payee).correction_count += 1;
        self.corrections.insert(row.cited.sequence, row);
    }

    /// Takes back what `enter_correction` did, if there is such a row.
    pub fn remove_correction(&mut self, sequence: u64) -> Option<Correction> {
        let row = self.corrections.remove(&sequence)?;
        self.payer_principal(row.cited.payee).correction_count -= 1;
        Some(row)
    }

    /// Writes the row of a disputed record.
    pub fn put_dispute(&mut self, row: Dispute) {
        let sequence = row.cited.sequence;
        let old = self.remove_dispute(sequence);
        self.enter_dispute(row);
        self.journal.note(|| Undo::DisputePut(sequence, old));
    }

    /// Adds the row of a record that has none, with what is derived from it.
    pub fn enter_dispute(&mut self, row: Dispute) {
        let sequence = row.cited.sequence;
        self.payer_principal(row.cited.payer).dispute_count += 1;
        for party in self.parties(&row) {
            self.dispute_parties.insert((party, sequence));
        }
        if let Some(unit) = self.deferred_unit_of(&row) {
            self.deferred_disputes.insert((unit, sequence));
        }
        self.disputes.insert(sequence, row);
    }

    /// Takes back what `enter_dispute` did, if there is such a row.
    pub fn remove_dispute(&mut self, sequence: u64) -> Option<Dispute> {
        let row = self.disputes.remove(&sequence)?;
        self.payer_principal(row.cited.payer).dispute_count -= 1;
        for party in self.parties(&row) {
            self.dispute_parties.remove(&(party, sequence));
        }
        if let Some(unit) = self.deferred_unit_of(&row) {
            self.deferred_disputes.remove(&(unit, sequence));
        }
        Some(row)
    }

    /// The principals of both sides of a dispute.
    pub fn parties(&self, row: &Dispute) -> [Slot; 2] {
        [row.cited.payer, row.cited.payee].map(|account| self.accounts.get(account).owner)
    }

    /// The principal of a payer's account.
    pub fn payer_principal(&mut self, payer: Slot) -> &mut Principal {
        let owner = self.accounts.get(payer).owner;
        self.principals.get_mut(owner)
    }
}
