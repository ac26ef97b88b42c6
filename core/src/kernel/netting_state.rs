//! Deferred units: who owes whom how much, in the open window and in the one that waits for
//! settlement; and the ways to change that.
//!
//! Pairs stand in a map for each of the two windows, so that a cut-off hands one map over whole.
//! The net positions of the closed window are kept beside its pairs: SETTLE may be tried often.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hashbrown::HashMap;

use super::journal::{NettingUndo, Undo};
use super::rows::{account_flag, Dispute};
use super::state::{broken, difference, sum, State};
use super::table::Slot;
use crate::format::limits::MAX_SETTLED_WINDOWS;

/// Who paid and owes it, who was paid.
pub type Pair = (Slot, Slot);

/// Table 27, by the slot of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Pays and is paid in the settlement unit.
    pub settlement: Slot,
    /// Of its last JOIN; 0 once it failed.
    pub maximum: u128,
    pub has_failed: bool,
}

/// The net position of an account in a window: one of the amounts is 0, the other is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub account: Slot,
    pub owes: u128,
    pub due: u128,
}

/// The window that waits for settlement; its number is the one before the open window's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedWindow {
    pub closed_at_ns: u64,
    pub pairs: HashMap<Pair, u128>,
    /// Ascending by the id of the account.
    pub positions: Vec<Position>,
}

/// Table 28 of a settled window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettledWindow {
    pub number: u64,
    pub closed_at_ns: u64,
    pub settled_at_ns: u64,
    pub gross: u128,
    pub moved: u128,
}

/// Table 26, with the rows of tables 27 to 29 of its unit.
#[derive(Debug, Clone)]
pub struct Netting {
    /// Slot of the settlement unit.
    pub settlement: Slot,
    pub open_window: u64,
    /// Sequence number of the record that opened it.
    pub opened_at: u64,
    pub open: HashMap<Pair, u128>,
    pub closed: Option<ClosedWindow>,
    /// The last ones, ascending.
    pub settled: VecDeque<SettledWindow>,
    pub members: BTreeMap<Slot, Member>,
}

/// Which of the two windows that have pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Open,
    Closed,
}

/// What an open dispute holds back of the window that closes.
#[derive(Debug, Clone, Copy)]
pub struct Roll {
    pub pair: Pair,
    pub amount: u128,
}

impl Netting {
    pub fn new(settlement: Slot, open_window: u64, opened_at: u64) -> Self {
        Self {
            settlement,
            open_window,
            opened_at,
            open: HashMap::new(),
            closed: None,
            settled: VecDeque::new(),
            members: BTreeMap::new(),
        }
    }

    fn pairs_mut(&mut self, side: Side) -> &mut HashMap<Pair, u128> {
        match (side, &mut self.closed) {
            (Side::Open, _) => &mut self.open,
            (Side::Closed, Some(closed)) => &mut closed.pairs,
            (Side::Closed, None) => broken("pairs of a closed window that is not there"),
        }
    }

    /// Whether an unsettled window has a pair of this account. Pairs are among members alone.
    pub fn has_pair_of(&self, account: Slot) -> bool {
        let closed = self.closed.iter().map(|closed| &closed.pairs);
        closed.chain([&self.open]).any(|pairs| {
            let mut others = self.members.keys();
            others.any(|&other| {
                pairs.contains_key(&(account, other)) || pairs.contains_key(&(other, account))
            })
        })
    }
}

/// What the pairs of a window come to, and what moves once they are netted; at most 2^128 - 1.
pub fn figures_of(pairs: &HashMap<Pair, u128>, positions: &[Position]) -> [u128; 2] {
    let dues = positions.iter().map(|position| position.due);
    [
        pairs.values().copied().fold(0, u128::saturating_add),
        dues.fold(0, u128::saturating_add),
    ]
}

impl State {
    /// The netting of a unit that is known to be deferred.
    pub fn netting_of(&self, unit: Slot) -> &Netting {
        match self.netting.get(&unit) {
            Some(netting) => netting,
            None => broken("a deferred account of a unit that is not"),
        }
    }

    fn netting_mut(&mut self, unit: Slot) -> &mut Netting {
        match self.netting.get_mut(&unit) {
            Some(netting) => netting,
            None => broken("a deferred account of a unit that is not"),
        }
    }

    pub fn is_member(&self, account: Slot) -> bool {
        let unit = self.accounts.get(account).unit;
        let netting = self.netting.get(&unit);
        netting.is_some_and(|netting| netting.members.contains_key(&account))
    }

    /// The open window keeps that one account paid another.
    #[inline(never)]
    pub fn owe(&mut self, debtor: Slot, creditor: Slot, amount: u128) {
        let unit = self.accounts.get(debtor).unit;
        self.add_to_pair(unit, Side::Open, (debtor, creditor), amount);
    }

    fn add_to_pair(&mut self, unit: Slot, side: Side, pair: Pair, amount: u128) {
        let pairs = self.netting_mut(unit).pairs_mut(side);
        let before = pairs.get(&pair).copied().unwrap_or(0);
        let after = sum(before, amount, "a pair leaves u128");
        self.set_pair(unit, side, pair, after);
    }

    fn take_from_pair(&mut self, unit: Slot, side: Side, pair: Pair, amount: u128) {
        let pairs = self.netting_mut(unit).pairs_mut(side);
        let before = pairs.get(&pair).copied().unwrap_or(0);
        let after = difference(before, amount, "a pair below zero");
        self.set_pair(unit, side, pair, after);
    }

    fn set_pair(&mut self, unit: Slot, side: Side, pair: Pair, amount: u128) {
        let before = self.rewrite_pair(unit, side, pair, amount);
        self.journal
            .note(|| Undo::Netting(NettingUndo::PairSet(unit, side, pair, before)));
    }

    /// Sets a pair without a note, and returns what it was; 0 is no row.
    pub fn rewrite_pair(&mut self, unit: Slot, side: Side, pair: Pair, amount: u128) -> u128 {
        let pairs = self.netting_mut(unit).pairs_mut(side);
        let before = if amount == 0 {
            pairs.remove(&pair)
        } else {
            pairs.insert(pair, amount)
        };
        before.unwrap_or(0)
    }

    /// Writes or removes the row of a member.
    pub fn put_member(&mut self, unit: Slot, account: Slot, member: Option<Member>) {
        let before = self.rewrite_member(unit, account, member);
        self.journal
            .note(|| Undo::Netting(NettingUndo::MemberPut(unit, account, before)));
    }

    pub fn rewrite_member(
        &mut self,
        unit: Slot,
        account: Slot,
        member: Option<Member>,
    ) -> Option<Member> {
        let members = &mut self.netting_mut(unit).members;
        match member {
            Some(member) => members.insert(account, member),
            None => members.remove(&account),
        }
    }

    /// Net positions of pairs, ascending by the id of the account.
    pub fn net_positions(&self, pairs: impl Iterator<Item = (Pair, u128)>) -> Vec<Position> {
        let mut sides: HashMap<Slot, (u128, u128)> = HashMap::new();
        for ((debtor, creditor), amount) in pairs {
            let owes = &mut sides.entry(debtor).or_default().0;
            *owes = sum(*owes, amount, "what is owed leaves u128");
            let due = &mut sides.entry(creditor).or_default().1;
            *due = sum(*due, amount, "what is due leaves u128");
        }
        let nets = sides.into_iter().filter(|(_, (owes, due))| owes != due);
        let mut positions: Vec<Position> = nets
            .map(|(account, (owes, due))| Position {
                account,
                owes: owes.saturating_sub(due),
                due: due.saturating_sub(owes),
            })
            .collect();
        positions.sort_unstable_by_key(|position| self.accounts.get(position.account).id);
        positions
    }

    /// Hands the pairs of the open window over to the closed one, but for what disputes hold back.
    pub fn cut_off(&mut self, unit: Slot, (sequence, t): (u64, u64), rolls: &[Roll]) {
        let netting = self.netting_mut(unit);
        let opened_at = std::mem::replace(&mut netting.opened_at, sequence);
        netting.closed = Some(ClosedWindow {
            closed_at_ns: t,
            pairs: std::mem::take(&mut netting.open),
            positions: Vec::new(),
        });
        netting.open_window += 1;
        self.journal
            .note(|| Undo::Netting(NettingUndo::WindowClosed(unit, opened_at)));
        for roll in rolls {
            self.roll_over(unit, roll.pair, roll.amount);
        }
    }

    /// Takes back what `cut_off` did before it rolled anything over.
    pub fn take_back_cut_off(&mut self, unit: Slot, opened_at: u64) {
        let netting = self.netting_mut(unit);
        let Some(closed) = netting.closed.take() else {
            broken("no closed window to take back");
        };
        netting.open = closed.pairs;
        netting.open_window -= 1;
        netting.opened_at = opened_at;
    }

    /// Moves a pair of the closed window to the open one.
    pub fn roll_over(&mut self, unit: Slot, pair: Pair, amount: u128) {
        self.take_from_pair(unit, Side::Closed, pair, amount);
        self.add_to_pair(unit, Side::Open, pair, amount);
    }

    /// Keeps the net positions of the closed window, which its pairs have become.
    pub fn set_positions(&mut self, unit: Slot, positions: Vec<Position>) {
        let before = self.rewrite_positions(unit, positions);
        self.journal
            .note(|| Undo::Netting(NettingUndo::PositionsSet(unit, before)));
    }

    pub fn rewrite_positions(&mut self, unit: Slot, positions: Vec<Position>) -> Vec<Position> {
        match &mut self.netting_mut(unit).closed {
            Some(closed) => std::mem::replace(&mut closed.positions, positions),
            None => broken("positions of a closed window that is not there"),
        }
    }

    /// The closed window is paid: its pairs are gone, its figures stay for a while.
    pub fn end_window(&mut self, unit: Slot, settled: SettledWindow) {
        let netting = self.netting_mut(unit);
        let Some(closed) = netting.closed.take() else {
            broken("no closed window to settle");
        };
        netting.settled.push_back(settled);
        let is_full = netting.settled.len() > MAX_SETTLED_WINDOWS;
        let forgotten = if is_full {
            netting.settled.pop_front()
        } else {
            None
        };
        self.journal.note(|| {
            Undo::Netting(NettingUndo::WindowSettled(
                unit,
                Box::new(closed),
                forgotten,
            ))
        });
    }

    /// Takes back what `end_window` did.
    pub fn take_back_window(
        &mut self,
        unit: Slot,
        closed: ClosedWindow,
        forgotten: Option<SettledWindow>,
    ) {
        let netting = self.netting_mut(unit);
        netting.closed = Some(closed);
        netting.settled.pop_back();
        if let Some(forgotten) = forgotten {
            netting.settled.push_front(forgotten);
        }
    }

    /// The unit of a dispute, if it is a deferred one.
    pub fn deferred_unit_of(&self, row: &Dispute) -> Option<Slot> {
        let payer = self.accounts.get(row.cited.payer);
        payer.is(account_flag::DEFERRED).then_some(payer.unit)
    }

    /// What is wrong with deferred units: positions, members and windows against the accounts.
    pub fn verify_netting(&self, problems: &mut Vec<String>) {
        let mut problem = |holds: bool, what: &str| {
            if !holds {
                problems.push(what.to_owned());
            }
        };
        let disputes = self.disputes.values().filter_map(|row| {
            let unit = self.deferred_unit_of(row)?;
            Some((unit, row.cited.sequence))
        });
        let disputes: BTreeSet<(Slot, u64)> = disputes.collect();
        problem(
            disputes == self.deferred_disputes,
            "the disputes of deferred units are not those that are known",
        );
        let mut of_units: HashMap<Slot, Vec<Slot>> = HashMap::new();
        for slot in self.accounts.slots() {
            let account = self.accounts.get(slot);
            let is_deferred = self.netting.contains_key(&account.unit);
            if is_deferred {
                of_units.entry(account.unit).or_default().push(slot);
            }
            let is_flagged = account.is(account_flag::DEFERRED);
            let is_issuance = account.is(account_flag::ISSUANCE);
            problem(
                is_flagged == (is_deferred && !is_issuance),
                "the flag of a deferred account is not that of its unit",
            );
        }
        for (&unit, netting) in &self.netting {
            let accounts = of_units.get(&unit).map_or(&[][..], Vec::as_slice);
            let what = self.wrong_netting(unit, netting, accounts);
            problem(what.is_none(), what.unwrap_or_default());
        }
    }

    /// `accounts`: all that hold the unit.
    fn wrong_netting(
        &self,
        unit: Slot,
        netting: &Netting,
        accounts: &[Slot],
    ) -> Option<&'static str> {
        let closed_pairs = netting.closed.iter().flat_map(|closed| closed.pairs.iter());
        let pairs = || netting.open.iter().chain(closed_pairs.clone());
        let has_members = |(&(debtor, creditor), &amount): (&Pair, &u128)| {
            let members = &netting.members;
            amount > 0
                && debtor != creditor
                && members.contains_key(&debtor)
                && members.contains_key(&creditor)
        };
        if !pairs().all(has_members) {
            return Some("a pair of a deferred unit is none of its members");
        }
        let positions = self.net_positions(pairs().map(|(&pair, &amount)| (pair, amount)));
        let positions: HashMap<Slot, Position> = positions
            .into_iter()
            .map(|position| (position.account, position))
            .collect();
        let is_exact = accounts.iter().all(|slot| {
            let account = self.accounts.get(*slot);
            let position = positions.get(slot);
            let (owes, due) = position.map_or((0, 0), |position| (position.owes, position.due));
            account.debits_posted.saturating_sub(account.credits_posted) == owes
                && account.credits_posted.saturating_sub(account.debits_posted) == due
        });
        if !is_exact {
            return Some("the pairs of unsettled windows are not the position of an account");
        }
        let closed = netting.closed.as_ref();
        let is_known = closed.is_none_or(|closed| {
            let pairs = closed.pairs.iter().map(|(&pair, &amount)| (pair, amount));
            closed.positions == self.net_positions(pairs) && self.is_past(closed.closed_at_ns)
        });
        if !is_known {
            return Some("the positions of a closed window are not those of its pairs");
        }
        if !self.are_last_windows(netting) {
            return Some("the settled windows are not the last ones");
        }
        let mut settlements = BTreeSet::new();
        let is_fitting = netting.members.iter().all(|(&slot, member)| {
            let account = self.accounts.get(slot);
            let settlement = self.accounts.get(member.settlement);
            account.unit == unit
                && account.is(account_flag::DEFERRED)
                && !account.is(account_flag::CLOSED)
                && account.owner == settlement.owner
                && settlement.unit == netting.settlement
                && !settlement.is(account_flag::ISSUANCE)
                && account.credit_limit >= member.maximum
                && settlements.insert(member.settlement)
        });
        (!is_fitting).then_some("a member does not fit its accounts")
    }

    fn are_last_windows(&self, netting: &Netting) -> bool {
        let last = netting.open_window - 1 - u64::from(netting.closed.is_some());
        let count = netting.settled.len() as u64;
        let are_numbered = netting.settled.iter().zip(0..).all(|(window, place)| {
            window.number + count == last + 1 + place
                && window.moved <= window.gross
                && window.closed_at_ns < window.settled_at_ns
                && self.is_past(window.settled_at_ns)
        });
        are_numbered
            && netting.settled.len() <= MAX_SETTLED_WINDOWS
            && (count >= last || count >= MAX_SETTLED_WINDOWS as u64)
            && netting.opened_at < self.next_sequence
    }
}
