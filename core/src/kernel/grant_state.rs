//! Changes of grants, shares, lists and relations, and of what is derived from them.

use std::collections::BTreeSet;

use super::grant_rows::{Grant, GrantLife, GrantStatus, List, Shares};
use super::journal::{GrantUndo, Undo};
use super::price_rows::Terms;
use super::rows::{account_flag, Hold, HoldStatus};
use super::schedule::NEVER;
use super::share::{is_earmarked, split};
use super::state::{broken, State};
use super::sweep::MAX_PRUNED;
use super::table::Slot;
use crate::format::limits::CORRECTION_WINDOW_NS;
use crate::format::{Id16, ZERO_ID};

/// Registrar and both principals of a relation.
pub type RelationKey = [Id16; 3];

impl State {
    pub fn insert_list(&mut self, list: List) {
        let owner = list.owner;
        let slot = self.lists.insert(list);
        self.principals.get_mut(owner).list_count += 1;
        self.journal
            .note(|| Undo::Grant(GrantUndo::ListInserted(slot)));
    }

    pub fn take_back_list(&mut self, slot: Slot) {
        let owner = self.lists.get(slot).owner;
        self.principals.get_mut(owner).list_count -= 1;
        self.lists.remove(slot);
    }

    /// Adds a grant whose account is there; the columns are the caller's.
    pub fn insert_grant(&mut self, grant: Grant) {
        let slot = self.grants.insert(grant);
        self.accounts.get_mut(grant.pool).pool_count += 1;
        for party in self.grant_parties_of(&grant) {
            self.grant_parties.insert((party, grant.id));
        }
        self.enter_grant(slot);
        self.journal.note(|| Undo::Grant(GrantUndo::Inserted(slot)));
    }

    /// Ends or settles a grant.
    pub fn change_grant(&mut self, slot: Slot, life: GrantLife) {
        let before = self.grants.get(slot).life;
        self.journal
            .note(|| Undo::Grant(GrantUndo::Changed(slot, before)));
        self.rewrite_grant(slot, life);
    }

    /// As `change_grant`, in any direction and without a note.
    pub fn rewrite_grant(&mut self, slot: Slot, life: GrantLife) {
        self.leave_grant(slot);
        self.grants.get_mut(slot).life = life;
        self.enter_grant(slot);
    }

    /// Takes a grant out of its table, and out of all that is derived from it.
    pub fn remove_grant(&mut self, slot: Slot) {
        self.leave_grant(slot);
        let grant = *self.grants.get(slot);
        for party in self.grant_parties_of(&grant) {
            self.grant_parties.remove(&(party, grant.id));
        }
        self.accounts.get_mut(grant.pool).pool_count -= 1;
        self.grants.remove(slot);
    }

    /// Sponsor and grantee.
    fn grant_parties_of(&self, grant: &Grant) -> [Slot; 2] {
        [self.accounts.get(grant.pool).owner, grant.grantee]
    }

    /// Enters a grant into the orders that its status asks for.
    fn enter_grant(&mut self, slot: Slot) {
        let grant = *self.grants.get(slot);
        if grant.is_open() {
            self.grant_expiries
                .insert(grant.expires_at_ns, grant.id, slot);
            let grants = &self.principals.get(grant.grantee).grants;
            let order = |&other: &Slot| self.grants.get(other).burn_order();
            let at = grants.partition_point(|other| order(other) < grant.burn_order());
            self.principals
                .get_mut(grant.grantee)
                .grants
                .insert(at, slot);
        } else if grant.life.settled_at_ns != 0 {
            self.settled
                .insert(grant.life.settled_at_ns, grant.id, slot);
        }
    }

    /// Takes back what `enter_grant` did.
    fn leave_grant(&mut self, slot: Slot) {
        let grant = *self.grants.get(slot);
        if grant.is_open() {
            self.grant_expiries.remove(grant.expires_at_ns, grant.id);
            let grants = &mut self.principals.get_mut(grant.grantee).grants;
            match grants.iter().position(|&other| other == slot) {
                Some(at) => grants.remove(at),
                None => broken("a live grant is none of its grantee's"),
            };
        } else if grant.life.settled_at_ns != 0 {
            self.settled.remove(grant.life.settled_at_ns, grant.id);
        }
    }

    /// Writes down what the shares of a hold have paid; the columns are the caller's.
    pub fn change_shares(&mut self, slot: Slot, shares: Shares) {
        let row = self.shares.get_mut(slot);
        self.journal
            .note(|| Undo::Grant(GrantUndo::SharesChanged(slot, *row)));
        *row = shares;
    }

    pub fn insert_relation(&mut self, key: RelationKey, registrar: Slot, t: u64) {
        self.enter_relation(key, registrar, t);
        self.journal
            .note(|| Undo::Grant(GrantUndo::RelationInserted(key, registrar)));
    }

    pub fn remove_relation(&mut self, key: RelationKey, registrar: Slot) {
        let stated_at_ns = self.leave_relation(key, registrar);
        self.journal
            .note(|| Undo::Grant(GrantUndo::RelationRemoved(key, registrar, stated_at_ns)));
    }

    pub fn enter_relation(&mut self, key: RelationKey, registrar: Slot, t: u64) {
        self.relations.insert(key, t);
        self.principals.get_mut(registrar).relation_count += 1;
    }

    pub fn leave_relation(&mut self, key: RelationKey, registrar: Slot) -> u64 {
        self.principals.get_mut(registrar).relation_count -= 1;
        match self.relations.remove(&key) {
            Some(stated_at_ns) => stated_at_ns,
            None => broken("a relation that is not there ends"),
        }
    }

    /// Grants that no correction can give anything back to any more; their accounts stay.
    pub fn prune_grants(&mut self, t0: u64) {
        for _ in 0..MAX_PRUNED {
            let settled = u128::from(self.settled.next_ns());
            match self.settled.first() {
                Some(slot) if settled + u128::from(CORRECTION_WINDOW_NS) < u128::from(t0) => {
                    self.remove_grant(slot);
                }
                _ => return,
            }
        }
    }

    /// What is wrong with grants, shares, lists and relations beside their rows.
    pub fn verify_grants(&self, problems: &mut Vec<String>) {
        let mut problem = |holds: bool, what: &str| {
            if !holds {
                problems.push(what.to_owned());
            }
        };
        let (mut open, mut settled, mut parties) = (Vec::new(), 0, BTreeSet::new());
        for grant in self.grants.rows() {
            problem(
                self.is_whole(grant),
                "status, times, account or lists of a grant contradict each other",
            );
            if grant.is_open() {
                open.push(grant.expires_at_ns);
            }
            settled += usize::from(grant.life.settled_at_ns != 0);
            for party in self.grant_parties_of(grant) {
                parties.insert((party, grant.id));
            }
        }
        let next = open.iter().copied().min().unwrap_or(NEVER);
        problem(
            self.grant_expiries.len() == open.len()
                && self.grant_expiries.next_ns() == next
                && self.settled.len() == settled
                && self.grant_parties == parties,
            "the order of grants is wrong",
        );
        let are_whole = self.grants.rows().all(|grant| self.is_whole(grant));
        let with_shares = || self.holds.rows().filter(|hold| hold.shares != Slot::MAX);
        problem(
            with_shares().count() == self.shares.len(),
            "shares without a hold",
        );
        for hold in with_shares() {
            let shares = self.shares.get(hold.shares);
            problem(
                shares.hold == hold.id && are_in_proportion(hold, shares),
                "the shares of a hold are not those that it has",
            );
            if hold.status == HoldStatus::Open && are_whole {
                let pays = self.pays_within_earmarks(hold, shares);
                problem(pays, "a grant pays outside of its earmark");
            }
        }
    }

    fn is_whole(&self, grant: &Grant) -> bool {
        let (life, account) = (grant.life, self.accounts.get(grant.account));
        let pool = self.accounts.get(grant.pool);
        let is_over = life.ended_at_ns != 0;
        let is_settled = life.settled_at_ns != 0;
        let has_list = |&list: &Id16| list == ZERO_ID || self.lists.find(list).is_some();
        grant.is_open() != is_over
            && is_settled == (is_over && account.debits_pending == 0)
            && (!is_settled || life.settled_at_ns >= life.ended_at_ns)
            && self.is_past(grant.created_at_ns.max(life.settled_at_ns))
            && self.is_past(life.ended_at_ns.max(grant.created_at_ns))
            && account.is(account_flag::GRANT)
            && account.owner == pool.owner
            && account.unit == pool.unit
            && grant.earmarks.lists().iter().all(has_list)
    }

    /// Of an open hold. Relations are not asked: they count when a hold is made.
    fn pays_within_earmarks(&self, hold: &Hold, shares: &Shares) -> bool {
        let terms = (hold.terms != Slot::MAX).then(|| self.terms.get(hold.terms));
        let agreed = terms.map(Terms::agreed);
        let (payer, payee) = (self.accounts.get(hold.payer), self.accounts.get(hold.payee));
        let pinning = shares.parts().iter().filter(|share| share.rest() > 0);
        pinning.into_iter().all(|share| {
            let Some(grant) = self.grants.find_row(self.accounts.get(share.account).id) else {
                return false;
            };
            let unrelated = Grant {
                registrar: ZERO_ID,
                ..*grant
            };
            grant.grantee == payer.owner
                && self.accounts.get(share.account).unit == payer.unit
                && is_earmarked(self, &unrelated, payee.owner, agreed)
        })
    }
}

/// Whether each share has paid its part of what was captured.
fn are_in_proportion(hold: &Hold, shares: &Shares) -> bool {
    let maxima = || shares.parts().iter().map(|share| share.maximum);
    let total = maxima().try_fold(0_u128, u128::checked_add);
    if shares.whole > hold.maximum || total.is_none_or(|total| total > shares.whole) {
        return false;
    }
    let due = split(hold.captured.min(shares.whole), maxima(), shares.whole);
    let paid = shares.parts().iter().map(|share| share.paid);
    paid.eq(due.into_iter().take(shares.count))
}

impl GrantLife {
    pub fn open() -> Self {
        Self {
            status: GrantStatus::Open,
            ended_at_ns: 0,
            settled_at_ns: 0,
        }
    }
}
