//! Claims: their rows as bytes and back, the only ways to change them, and what must hold of them.

use std::collections::{BTreeMap, BTreeSet};

use super::decode::{require, require_zero, Decoded, RowError};
use super::encode::{RowWriter, CLAIM_ROW_BYTES};
use super::journal::{ClaimUndo, Undo};
use super::state::{broken, State};
use super::table::Slot;
use crate::format::{id16_at, u128_at, u16_at, u64_at, Id16};

/// How a claim stands; the numbers are those of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum ClaimStatus {
    Open = 1,
    Paid = 2,
    Waived = 3,
}

/// Table 30.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// That of the hold that it comes from.
    pub id: Id16,
    pub payer: Slot,
    pub payee: Slot,
    /// What became a claim in all.
    pub amount: u128,
    pub paid: u128,
    pub waived: u128,
    pub opened_at_ns: u64,
    /// 0 while open.
    pub ended_at_ns: u64,
    pub status: ClaimStatus,
}

impl ClaimStatus {
    fn from_number(number: u16) -> Option<Self> {
        [Self::Open, Self::Paid, Self::Waived]
            .into_iter()
            .find(|&status| status as u16 == number)
    }
}

impl Claim {
    pub fn is_open(&self) -> bool {
        self.status == ClaimStatus::Open
    }

    fn checked_rest(&self) -> Option<u128> {
        self.amount.checked_sub(self.paid)?.checked_sub(self.waived)
    }

    /// What is still owed.
    pub fn rest(&self) -> u128 {
        match self.checked_rest() {
            Some(rest) => rest,
            None => broken("more of a claim was paid than there was"),
        }
    }

    /// Its two accounts, from either side.
    fn sides(&self) -> [(Slot, Slot, bool); 2] {
        [
            (self.payer, self.payee, true),
            (self.payee, self.payer, false),
        ]
    }
}

impl State {
    /// Writes the row of a claim.
    pub fn put_claim(&mut self, row: Claim) {
        let old = self.remove_claim(row.id);
        self.enter_claim(row);
        self.journal
            .note(|| Undo::Claim(ClaimUndo::Put(row.id, old)));
    }

    /// Adds a claim that is not there, with what is derived from it.
    pub fn enter_claim(&mut self, row: Claim) {
        self.payer_principal(row.payer).claim_count += 1;
        for account in [row.payer, row.payee] {
            let party = self.accounts.get(account).owner;
            self.claim_parties.insert((party, row.id));
        }
        if row.is_open() {
            for side in row.sides() {
                *self.open_claims.entry(side).or_default() += 1;
            }
        } else {
            self.ended_claims.insert((row.ended_at_ns, row.id));
        }
        self.claims.insert(row.id, row);
    }

    /// Takes back what `enter_claim` did, if there is such a row.
    pub fn remove_claim(&mut self, id: Id16) -> Option<Claim> {
        let row = self.claims.remove(&id)?;
        self.payer_principal(row.payer).claim_count -= 1;
        for account in [row.payer, row.payee] {
            let party = self.accounts.get(account).owner;
            self.claim_parties.remove(&(party, id));
        }
        if row.is_open() {
            for side in row.sides() {
                let count = self.open_claims.entry(side).or_default();
                *count -= 1;
                if *count == 0 {
                    self.open_claims.remove(&side);
                }
            }
        } else {
            self.ended_claims.remove(&(row.ended_at_ns, id));
        }
        Some(row)
    }

    /// Sets what a hold has charged beyond what it held, by the slot of its terms.
    pub fn set_beyond(&mut self, terms: Slot, beyond: u128) {
        let row = self.terms.get_mut(terms);
        let old = row.beyond;
        row.beyond = beyond;
        self.journal
            .note(|| Undo::Claim(ClaimUndo::BeyondSet(terms, old)));
    }

    /// Whether the payee has an open claim against the payer's account.
    #[inline]
    pub fn owes(&self, payer: Slot, payee: Slot) -> bool {
        !self.open_claims.is_empty() && self.open_claims.contains_key(&(payer, payee, true))
    }

    /// Whether an open claim is of or against an account.
    pub fn has_open_claim(&self, account: Slot) -> bool {
        let of_account = (account, 0, false)..=(account, Slot::MAX, true);
        self.open_claims.range(of_account).next().is_some()
    }

    pub fn claim_row(&self, row: &Claim) -> [u8; CLAIM_ROW_BYTES] {
        RowWriter::new()
            .put(&row.id)
            .put(&self.accounts.get(row.payer).id)
            .put(&self.accounts.get(row.payee).id)
            .u128(row.amount)
            .u128(row.paid)
            .u128(row.waived)
            .u64(row.opened_at_ns)
            .u64(row.ended_at_ns)
            .u16(row.status as u16)
            .skip(6)
            .done()
    }

    pub(super) fn decode_claim(&mut self, row: &[u8]) -> Decoded {
        let status = ClaimStatus::from_number(u16_at(row, 112))
            .ok_or_else(|| RowError("unknown status of a claim".to_owned()))?;
        let claim = Claim {
            id: id16_at(row, 0),
            payer: self.account_at(row, 16)?,
            payee: self.account_at(row, 32)?,
            amount: u128_at(row, 48),
            paid: u128_at(row, 64),
            waived: u128_at(row, 80),
            opened_at_ns: u64_at(row, 96),
            ended_at_ns: u64_at(row, 104),
            status,
        };
        require_zero(row, 114, 120)?;
        self.require_pinnable(claim.payer, claim.payee)?;
        require(claim.checked_rest().is_some(), "a claim paid too often")?;
        // Whether status, rest and times fit is asked of all rows in the end.
        self.enter_claim(claim);
        Ok(())
    }

    /// What is wrong with claims, and with what holds have charged beyond what they held.
    pub fn verify_claims(&self, problems: &mut Vec<String>) {
        let mut problem = |holds: bool, what: &str| {
            if !holds {
                problems.push(what.to_owned());
            }
        };
        let mut open_claims: BTreeMap<_, u32> = BTreeMap::new();
        let mut parties = BTreeSet::new();
        for row in self.claims.values() {
            let is_open = row.is_open();
            problem(
                row.amount > 0
                    && is_open == (row.checked_rest() != Some(0))
                    && is_open == (row.ended_at_ns == 0)
                    && (row.status != ClaimStatus::Waived || row.waived > 0),
                "status, amounts and end of a claim contradict each other",
            );
            problem(
                self.is_past(row.opened_at_ns.max(row.ended_at_ns))
                    && (is_open || row.opened_at_ns <= row.ended_at_ns),
                "a claim was opened or paid in the future",
            );
            for account in [row.payer, row.payee] {
                parties.insert((self.accounts.get(account).owner, row.id));
            }
            for side in row.sides().into_iter().filter(|_| is_open) {
                *open_claims.entry(side).or_default() += 1;
            }
            let hold = self.holds.find_row(row.id);
            let is_its = hold.is_none_or(|hold| {
                let fits = (hold.payer, hold.payee) == (row.payer, row.payee);
                fits && hold.terms != Slot::MAX && row.amount <= self.terms.get(hold.terms).beyond
            });
            problem(is_its, "a claim is not that of its hold");
        }
        let ended = self.claims.values().filter(|row| !row.is_open());
        let ended: BTreeSet<_> = ended.map(|row| (row.ended_at_ns, row.id)).collect();
        problem(
            open_claims == self.open_claims
                && parties == self.claim_parties
                && ended == self.ended_claims,
            "an index of the claims is wrong",
        );
        for hold in self.holds.rows().filter(|hold| hold.terms != Slot::MAX) {
            let terms = self.terms.get(hold.terms);
            let charged = hold.captured.checked_add(terms.beyond);
            let above = charged.map(|charged| charged.saturating_sub(hold.maximum));
            problem(
                above.is_some_and(|above| above <= terms.debt_limit),
                "a hold charged more than its payer has signed for",
            );
        }
    }
}
