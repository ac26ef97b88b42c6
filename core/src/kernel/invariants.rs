//! What must hold after every record (semantics.md section 4), over the whole state; and that what
//! is derived is what the rows say. For tests, auditors and restored checkpoints: it reads all.

use std::collections::BTreeSet;

use super::citation::Citation;
use super::rows::{
    account_flag, Account, ChannelStatus, DisputeStatus, Hold, HoldStatus, Principal,
};
use super::schedule::{Schedule, NEVER};
use super::state::State;
use super::table::{Row, Slot, Table};

/// An exact sum of amounts: columns may add up to more than 128 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Total {
    carries: u64,
    low: u128,
}

impl Total {
    fn add(&mut self, amount: u128) {
        let (low, carried) = self.low.overflowing_add(amount);
        self.low = low;
        self.carries += u64::from(carried);
    }
}

/// One entry for each slot that a table ever used.
fn by_slot<R: Row, T: Clone + Default>(table: &Table<R>) -> Vec<T> {
    let slots = table.slots().max().map_or(0, |slot| slot as usize + 1);
    vec![T::default(); slots]
}

impl State {
    /// All that is wrong with the state, in words; nothing when it is right.
    pub fn verify_invariants(&self) -> Vec<String> {
        let mut problems = Vec::new();
        self.verify_units(&mut problems);
        self.verify_available(&mut problems);
        self.verify_pinned(&mut problems);
        self.verify_corrections(&mut problems);
        self.verify_counters(&mut problems);
        self.verify_orders(&mut problems);
        self.verify_prices(&mut problems);
        self.verify_mandates(&mut problems);
        self.verify_quotes(&mut problems);
        self.verify_exchanges(&mut problems);
        self.verify_netting(&mut problems);
        self.verify_grants(&mut problems);
        self.verify_limits(&mut problems);
        self.verify_claims(&mut problems);
        self.verify_recoveries(&mut problems);
        problems
    }

    fn verify_units(&self, problems: &mut Vec<String>) {
        let mut sums: Vec<[Total; 4]> = by_slot(&self.units);
        for account in self.accounts.rows() {
            let sums = &mut sums[account.unit as usize];
            sums[0].add(account.debits_posted);
            sums[1].add(account.credits_posted);
            sums[2].add(account.debits_pending);
            sums[3].add(account.credits_pending);
        }
        for sums in sums {
            if sums[0] != sums[1] {
                problems.push("posted debits and credits of a unit differ".to_owned());
            }
            if sums[2] != sums[3] {
                problems.push("pending debits and credits of a unit differ".to_owned());
            }
        }
    }

    fn verify_available(&self, problems: &mut Vec<String>) {
        let is_below_zero = |account: &Account| {
            let funds = account.credits_posted.checked_add(account.credit_limit);
            let used = account.debits_posted.checked_add(account.debits_pending);
            !matches!((funds, used), (Some(funds), Some(used)) if used <= funds)
        };
        for account in self.accounts.rows() {
            if !account.is(account_flag::ISSUANCE) && is_below_zero(account) {
                problems.push("available is below zero".to_owned());
            }
        }
    }

    fn verify_pinned(&self, problems: &mut Vec<String>) {
        let mut pending: Vec<[Total; 2]> = by_slot(&self.accounts);
        for hold in self.holds.rows() {
            if hold.captured > hold.maximum {
                problems.push("a hold paid more than it holds".to_owned());
            } else if hold.status == HoldStatus::Open {
                self.add_pinned(hold, &mut pending);
            }
            if (hold.status == HoldStatus::Open) != (hold.ended_at_ns == 0) {
                problems.push("status and end of a hold contradict each other".to_owned());
            }
        }
        for channel in self.channels.rows() {
            let is_closed = channel.status == ChannelStatus::Closed;
            let is_closing = channel.status == ChannelStatus::Closing;
            if channel.paid > channel.deposit || channel.paid > channel.highest {
                problems.push("a channel paid more than its deposit or its vouchers".to_owned());
            } else if !is_closed {
                pending[channel.payer as usize][0].add(channel.rest());
                pending[channel.payee as usize][1].add(channel.rest());
            }
            if is_closed != (channel.ended_at_ns != 0) || is_closing != (channel.closes_at_ns != 0)
            {
                problems.push("status and times of a channel contradict each other".to_owned());
            }
        }
        let closed = self
            .netting
            .values()
            .filter_map(|netting| netting.closed.as_ref());
        for position in closed.flat_map(|closed| &closed.positions) {
            pending[position.account as usize][0].add(position.due);
            pending[position.account as usize][1].add(position.owes);
        }
        for slot in self.accounts.slots() {
            let account = self.accounts.get(slot);
            let exact = |low| Total { carries: 0, low };
            let columns = [account.debits_pending, account.credits_pending].map(exact);
            if pending[slot as usize] != columns {
                problems.push(
                    "pending columns are not the rests of holds, channels and positions".to_owned(),
                );
            }
        }
    }

    /// Adds what an open hold pins: of its payer, of the grants that pay shares, for its payee.
    fn add_pinned(&self, hold: &Hold, pending: &mut [[Total; 2]]) {
        pending[hold.payee as usize][1].add(hold.rest());
        let mut own = hold.rest();
        if hold.shares != Slot::MAX {
            for share in self.shares.get(hold.shares).parts() {
                let rest = share.maximum.saturating_sub(share.paid);
                pending[share.account as usize][0].add(rest);
                own = own.saturating_sub(rest);
            }
        }
        pending[hold.payer as usize][0].add(own);
    }

    fn verify_corrections(&self, problems: &mut Vec<String>) {
        let mut problem = |holds: bool, what: &str| {
            if !holds {
                problems.push(what.to_owned());
            }
        };
        let is_earlier = |cited: &Citation| {
            cited.sequence < self.next_sequence && self.is_past(cited.timestamp_ns)
        };
        for row in self.corrections.values() {
            problem(
                is_earlier(&row.cited),
                "a record of the future is corrected",
            );
            let is_below = row.corrected > 0 && row.corrected <= row.cited.amount;
            problem(is_below, "more was given back than a record moved");
        }
        for row in self.disputes.values() {
            problem(is_earlier(&row.cited), "a record of the future is disputed");
            let amounts = [row.accepted, row.disputed, row.cited.amount];
            problem(
                amounts.is_sorted() && row.disputed > 0,
                "amounts of a dispute contradict each other",
            );
            let is_accepted = row.status == DisputeStatus::Accepted;
            let is_open = row.status == DisputeStatus::Open;
            let is_in_order = row.cited.timestamp_ns < row.opened_at_ns
                && row.opened_at_ns < row.deadline_ns
                && self.is_past(row.opened_at_ns.max(row.answered_at_ns));
            problem(
                is_accepted == (row.accepted > 0)
                    && is_open == (row.answered_at_ns == 0)
                    && is_in_order,
                "status, amount and times of a dispute contradict each other",
            );
            let corrected = self.corrections.get(&row.cited.sequence);
            problem(
                !is_accepted || corrected.is_some_and(|total| total.corrected >= row.accepted),
                "an accepted dispute was not given back",
            );
        }
        let parties = self.disputes.values().flat_map(|row| {
            let sequence = row.cited.sequence;
            self.parties(row).map(|party| (party, sequence))
        });
        let parties: BTreeSet<_> = parties.collect();
        problem(
            parties == self.dispute_parties,
            "the parties of the disputes are wrong",
        );
    }

    fn verify_counters(&self, problems: &mut Vec<String>) {
        let mut counted: Vec<Principal> = by_slot(&self.principals);
        for account in self.accounts.rows() {
            counted[account.owner as usize].account_count += 1;
        }
        for hold in self.holds.rows() {
            if hold.status == HoldStatus::Open {
                let owner = self.accounts.get(hold.payer).owner;
                counted[owner as usize].pin_count += 1;
            }
        }
        for channel in self.channels.rows() {
            if channel.status != ChannelStatus::Closed {
                let owner = self.accounts.get(channel.payer).owner;
                counted[owner as usize].pin_count += 1;
            }
        }
        for card in self.cards.rows() {
            let owner = &mut counted[card.owner as usize];
            owner.card_count += 1;
            // At most 4,096.
            owner.line_count += card.lines.len() as u32;
        }
        self.count_grants(&mut counted);
        for name in self.names.rows() {
            counted[name.owner as usize].name_count += 1;
        }
        for reference in self.references.iter() {
            counted[reference.principal as usize].reference_count += 1;
        }
        for row in self.corrections.values() {
            counted[self.accounts.get(row.cited.payee).owner as usize].correction_count += 1;
        }
        for row in self.disputes.values() {
            counted[self.accounts.get(row.cited.payer).owner as usize].dispute_count += 1;
        }
        self.count_quotes(&mut counted);
        for row in self.mandates.rows() {
            counted[self.accounts.get(row.payer).owner as usize].mandate_count += 1;
        }
        for row in self.limits.values() {
            counted[row.owner as usize].limit_count += 1;
        }
        for (pin, _) in self.marks.keys() {
            let hold = self.holds.find_row(*pin).map(|hold| hold.payer);
            let payer = hold.or_else(|| self.channels.find_row(*pin).map(|row| row.payer));
            if let Some(payer) = payer {
                counted[self.accounts.get(payer).owner as usize].mark_count += 1;
            }
        }
        for row in self.claims.values() {
            counted[self.accounts.get(row.payer).owner as usize].claim_count += 1;
        }
        for live in self.live_ids.iter() {
            counted[live.principal as usize].live_id_count += 1;
        }
        for slot in self.keys.slots() {
            counted[self.keys.get(slot).principal as usize]
                .keys
                .push(slot);
        }
        for slot in self.principals.slots() {
            if !same_counts(self.principals.get(slot), &counted[slot as usize]) {
                problems.push("counters of a principal are wrong".to_owned());
            }
        }
    }

    fn count_grants(&self, counted: &mut [Principal]) {
        for slot in self.grants.slots() {
            let grant = self.grants.get(slot);
            if grant.is_open() {
                counted[grant.grantee as usize].grants.push(slot);
            }
        }
        for list in self.lists.rows() {
            counted[list.owner as usize].list_count += 1;
        }
        for key in self.relations.keys() {
            if let Some(registrar) = self.principals.find(key[0]) {
                counted[registrar as usize].relation_count += 1;
            }
        }
    }

    fn count_quotes(&self, counted: &mut [Principal]) {
        for row in self.quotes.rows() {
            counted[row.beneficiary as usize].quote_count += 1;
        }
        for row in self.exchanges.rows() {
            counted[row.maker as usize].exchange_count += 1;
        }
    }

    fn verify_orders(&self, problems: &mut Vec<String>) {
        let ended = |slot: &Slot| {
            let hold = self.holds.get(*slot);
            (hold.ended_at_ns, hold.expires_at_ns, hold.id)
        };
        let holds = || self.holds.rows();
        let open: Vec<u64> = holds()
            .filter(|hold| hold.status == HoldStatus::Open)
            .map(|hold| hold.expires_at_ns)
            .collect();
        let next = open.iter().copied().min().unwrap_or(NEVER);
        let channels = |status| {
            let rows = self.channels.rows();
            rows.filter(move |channel| channel.status == status)
        };
        let closing = channels(ChannelStatus::Closing).map(|channel| channel.closes_at_ns);
        let closed = channels(ChannelStatus::Closed).map(|channel| channel.ended_at_ns);
        let checks = [
            (
                self.expiries.len() == open.len()
                    && self.ended.len() + open.len() == self.holds.len(),
                "a hold is neither open nor ended",
            ),
            (self.expiries.next_ns() == next, "the next expiry is wrong"),
            (
                is_scheduled(&self.closings, closing) && is_scheduled(&self.closed, closed),
                "the order of closing or closed channels is wrong",
            ),
            (
                self.closed.last_ns().is_none_or(|last| self.is_past(last)),
                "a channel was closed in the future",
            ),
            (
                holds().all(|hold| self.is_past(hold.created_at_ns)),
                "a hold was made in the future",
            ),
            (
                self.ended.iter().is_sorted_by_key(ended)
                    && self
                        .ended
                        .back()
                        .is_none_or(|slot| self.is_past(ended(slot).0)),
                "ended holds are not in the order in which they ended",
            ),
            (
                self.are_in_log_order(
                    self.live_ids
                        .iter()
                        .map(|row| (row.first_sequence, row.block_timestamp_ns)),
                ),
                "live ids are not in the order of the log",
            ),
            (
                self.are_in_log_order(
                    self.references
                        .iter()
                        .map(|row| (row.sequence, row.timestamp_ns)),
                ),
                "references are not in the order of the log",
            ),
            (
                self.symbols.len() == self.units.len() && self.name_texts.len() == self.names.len(),
                "an index has another size than its table",
            ),
        ];
        let broken = checks.iter().filter(|(holds, _)| !holds);
        problems.extend(broken.map(|(_, problem)| (*problem).to_owned()));
    }

    /// Whether these sequence numbers ascend, their timestamps do not fall, and both stay below
    /// those of the next record.
    fn are_in_log_order(&self, rows: impl Iterator<Item = (u64, u64)>) -> bool {
        let (mut last_sequence, mut last_timestamp) = (0, 0);
        for (sequence, timestamp) in rows {
            if sequence <= last_sequence || timestamp < last_timestamp || !self.is_past(timestamp) {
                return false;
            }
            (last_sequence, last_timestamp) = (sequence, timestamp);
        }
        last_sequence < self.next_sequence
    }

    /// Whether log time has passed this moment: the next record cannot have it.
    pub fn is_past(&self, moment_ns: u64) -> bool {
        moment_ns < self.min_next_timestamp_ns
    }
}

/// Whether a schedule has as many rows as there are moments, and the same first and last.
pub fn is_scheduled(schedule: &Schedule, moments: impl Iterator<Item = u64>) -> bool {
    let moments: Vec<u64> = moments.collect();
    let first = moments.iter().copied().min().unwrap_or(NEVER);
    schedule.len() == moments.len()
        && schedule.next_ns() == first
        && schedule.last_ns() == moments.iter().copied().max()
}

fn same_counts(a: &Principal, b: &Principal) -> bool {
    let counts = |p: &Principal| {
        let sorted = |slots: &[Slot]| {
            let mut slots = slots.to_vec();
            slots.sort_unstable();
            slots
        };
        let counters = [
            p.account_count,
            p.pin_count,
            p.name_count,
            p.reference_count,
            p.live_id_count,
            p.card_count,
            p.line_count,
            p.correction_count,
            p.dispute_count,
            p.mandate_count,
            p.list_count,
            p.relation_count,
            p.limit_count,
            p.mark_count,
            p.quote_count,
            p.claim_count,
            p.exchange_count,
        ];
        (counters, sorted(&p.keys), sorted(&p.grants))
    };
    counts(a) == counts(b)
}
