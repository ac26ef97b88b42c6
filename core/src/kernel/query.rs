//! Reads of single rows, and of what the kernel says of itself.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::encode::{ACCOUNT_ROW_BYTES, CHANNEL_ROW_BYTES, HOLD_ROW_BYTES};
use super::limit_rows::LimitKey;
use super::price_codec::TERMS_ROW_BYTES;
use super::schedule::NEVER;
use super::table::Slot;
use super::Kernel;
use crate::format::{id16_at, Genesis, Hash32, Id16, Key32};

/// How far the ledger has come, and how much it remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelStatus {
    pub next_sequence: u64,
    pub min_next_timestamp_ns: u64,
    pub tree_size: u64,
    pub tree_root: Hash32,
    pub principals: usize,
    pub keys: usize,
    pub names: usize,
    pub units: usize,
    pub accounts: usize,
    pub holds: usize,
    pub open_holds: usize,
    /// Open and closing ones, and closed ones that are still remembered.
    pub channels: usize,
    pub live_ids: usize,
    pub references: usize,
    /// When a hold or grant expires, a channel closes or a recovery takes effect next; 0 without
    /// any.
    pub next_expiry_ns: u64,
}

impl Kernel {
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    pub fn status(&self) -> KernelStatus {
        let state = &self.state;
        KernelStatus {
            next_sequence: state.next_sequence,
            min_next_timestamp_ns: state.min_next_timestamp_ns,
            tree_size: self.frontier.size(),
            tree_root: self.frontier.root(),
            principals: state.principals.len(),
            keys: state.keys.len(),
            names: state.names.len(),
            units: state.units.len(),
            accounts: state.accounts.len(),
            holds: state.holds.len(),
            open_holds: state.expiries.len(),
            channels: state.channels.len(),
            live_ids: state.live_ids.len(),
            references: state.references.len(),
            next_expiry_ns: match state.next_due_ns() {
                NEVER => 0,
                due_ns => due_ns,
            },
        }
    }

    /// Digest over all state rows (format.md section 10).
    pub fn state_digest(&self) -> Hash32 {
        self.state.digest(&self.genesis.ledger_id)
    }

    /// All state rows, as the digest and the checkpoint have them.
    pub fn state_rows(&self) -> Vec<u8> {
        let mut rows = Vec::with_capacity(self.state.rows_bytes());
        self.state
            .write_rows(&mut |bytes| rows.extend_from_slice(bytes));
        rows
    }

    /// What is wrong with the state (semantics.md section 4), in words; nothing if it is right.
    pub fn verify_invariants(&self) -> Vec<String> {
        self.state.verify_invariants()
    }

    /// Row of table 6 for each id of 16 bytes, all zero where there is none.
    pub fn account_rows(&self, ids: &[u8]) -> Vec<u8> {
        let accounts = &self.state.accounts;
        rows_of(ids, [0; ACCOUNT_ROW_BYTES], |id| {
            accounts.find_row(id).map(|row| self.state.account_row(row))
        })
    }

    /// Row of table 7 for each id of 16 bytes, all zero where there is none.
    pub fn hold_rows(&self, ids: &[u8]) -> Vec<u8> {
        let holds = &self.state.holds;
        rows_of(ids, [0; HOLD_ROW_BYTES], |id| {
            holds.find_row(id).map(|row| self.state.hold_row(row))
        })
    }

    /// Row of table 10 for each id of 16 bytes, all zero where there is none.
    pub fn channel_rows(&self, ids: &[u8]) -> Vec<u8> {
        let channels = &self.state.channels;
        rows_of(ids, [0; CHANNEL_ROW_BYTES], |id| {
            channels.find_row(id).map(|row| self.state.channel_row(row))
        })
    }

    /// Row of table 14 for each hold of 16 bytes, all zero where no card prices it.
    pub fn terms_rows(&self, ids: &[u8]) -> Vec<u8> {
        let terms = &self.state.terms;
        rows_of(ids, [0; TERMS_ROW_BYTES], |id| {
            terms.find_row(id).map(|row| self.state.terms_row(row))
        })
    }

    /// Row of table 15 of a record; None if nothing of it was given back, or that is forgotten.
    pub fn correction_row(&self, sequence: u64) -> Option<Vec<u8>> {
        let row = self.state.corrections.get(&sequence)?;
        Some(self.state.correction_row(row).to_vec())
    }

    /// Rows of table 16 of which a principal is the payer or the payee: up to `limit`, ascending,
    /// of records behind `after`.
    pub fn dispute_rows(&self, principal: Id16, after: u64, limit: usize) -> Vec<u8> {
        let state = &self.state;
        let (Some(party), Some(first)) = (state.principals.find(principal), after.checked_add(1))
        else {
            return Vec::new();
        };
        let own = state
            .dispute_parties
            .range((party, first)..=(party, u64::MAX));
        let rows = own
            .take(limit)
            .filter_map(|(_, sequence)| state.disputes.get(sequence));
        rows.flat_map(|row| state.dispute_row(row)).collect()
    }

    /// Row of table 13; None if there is no such quote, or nobody has redeemed it.
    pub fn quote_row(&self, id: Id16) -> Option<Vec<u8>> {
        let row = self.state.quotes.find_row(id)?;
        Some(self.state.quote_row(row).to_vec())
    }

    /// Row of table 32; None if nobody has taken such an exchange quote, or it is over.
    pub fn exchange_quote_row(&self, id: Id16) -> Option<Vec<u8>> {
        let row = self.state.exchanges.find_row(id)?;
        Some(self.state.exchange_row(row).to_vec())
    }

    /// Row of table 17; None if there is no such mandate.
    pub fn mandate_row(&self, id: Id16) -> Option<Vec<u8>> {
        let row = self.state.mandates.find_row(id)?;
        Some(self.state.mandate_row(row).to_vec())
    }

    /// Row of table 18.
    pub fn grant_row(&self, id: Id16) -> Option<Vec<u8>> {
        let row = self.state.grants.find_row(id)?;
        Some(self.state.grant_row(row).to_vec())
    }

    /// Row of table 19 of a hold; None if no grant pays of it.
    pub fn shares_row(&self, hold: Id16) -> Option<Vec<u8>> {
        let row = self.state.shares.find_row(hold)?;
        Some(self.state.shares_row(row).to_vec())
    }

    /// Rows of table 18 of which a principal is the sponsor or the grantee, each with that of its
    /// account (table 6): up to `limit`, ascending, behind the grant `after`.
    pub fn grant_rows(&self, principal: Id16, after: Id16, limit: usize) -> Vec<u8> {
        let state = &self.state;
        let own = self
            .behind(&state.grant_parties, principal, after)
            .take(limit);
        let rows = own.filter_map(|id| state.grants.find_row(id));
        rows.flat_map(|row| {
            let account = state.account_row(state.accounts.get(row.account));
            [&state.grant_row(row)[..], &account].concat()
        })
        .collect()
    }

    /// Rows of table 17 of which a principal is the payer or the payee: up to `limit`, ascending
    /// by id, behind `after` (the zero id for all).
    pub fn mandate_rows(&self, principal: Id16, after: Id16, limit: usize) -> Vec<u8> {
        let state = &self.state;
        let own = self
            .behind(&state.mandate_parties, principal, after)
            .take(limit);
        let rows = own.filter_map(|id| state.mandates.find_row(id));
        rows.flat_map(|row| state.mandate_row(row)).collect()
    }

    /// The ids of what concerns a principal, ascending, behind `after`.
    fn behind<'a>(
        &self,
        parties: &'a BTreeSet<(Slot, Id16)>,
        principal: Id16,
        after: Id16,
    ) -> impl Iterator<Item = Id16> + 'a {
        let party = self.state.principals.find(principal);
        let own = party.map(|party| {
            parties.range((
                Bound::Excluded((party, after)),
                Bound::Included((party, [0xFF; 16])),
            ))
        });
        own.into_iter().flatten().map(|&(_, id)| id)
    }

    /// All rows of table 20 that bound the spending of a principal, ascending.
    pub fn limit_rows(&self, principal: Id16) -> Vec<u8> {
        let state = &self.state;
        let Some(owner) = state.principals.find(principal) else {
            return Vec::new();
        };
        let own = state.limit_owners.range((owner, LimitKey::LEAST)..);
        let keys = own.take_while(|(of, _)| *of == owner).map(|(_, key)| key);
        let rows = keys.filter_map(|key| Some((key, state.limits.get(key)?)));
        rows.flat_map(|(key, row)| state.limit_row(key, row))
            .collect()
    }

    /// Row of table 31 of a principal; None if nothing is pending.
    pub fn recovery_row(&self, principal: Id16) -> Option<Vec<u8>> {
        let principal = self.state.principals.find(principal)?;
        let row = self.state.recovery_of(principal)?;
        Some(self.state.recovery_row(row).to_vec())
    }

    /// Row of table 23 of a zone.
    pub fn zone_row(&self, id: Id16) -> Option<Vec<u8>> {
        let row = self.state.zones.get(&id)?;
        Some(self.state.zone_row(&id, row).to_vec())
    }

    /// Row of table 21 of a key; None for one that is a line by itself, with none above it.
    pub fn line_row(&self, key: Key32) -> Option<Vec<u8>> {
        let row = self.state.keys.find_row(key)?;
        row.is_in_line().then(|| self.state.line_row(row).to_vec())
    }

    /// Row of table 30 for an id; None where there is none.
    pub fn claim_row(&self, id: Id16) -> Option<Vec<u8>> {
        let row = self.state.claims.get(&id)?;
        Some(self.state.claim_row(row).to_vec())
    }

    /// Rows of table 30 of which a principal is the payer or the payee: up to `limit`, ascending
    /// by id, behind `after` (the zero id for all).
    pub fn claim_rows(&self, principal: Id16, after: Id16, limit: usize) -> Vec<u8> {
        let state = &self.state;
        let own = self
            .behind(&state.claim_parties, principal, after)
            .take(limit);
        let rows = own.filter_map(|id| state.claims.get(&id));
        rows.flat_map(|row| state.claim_row(row)).collect()
    }

    pub fn principal_row(&self, id: Id16) -> Option<Vec<u8>> {
        let row = self.state.principals.find_row(id)?;
        Some(self.state.principal_row(row).to_vec())
    }

    pub fn key_row(&self, key: Key32) -> Option<Vec<u8>> {
        let row = self.state.keys.find_row(key)?;
        Some(self.state.key_row(row).to_vec())
    }

    pub fn name_row(&self, id: Id16) -> Option<Vec<u8>> {
        let row = self.state.names.find_row(id)?;
        Some(self.state.name_row(row).to_vec())
    }

    pub fn unit_row(&self, id: Id16) -> Option<Vec<u8>> {
        let row = self.state.units.find_row(id)?;
        Some(self.state.unit_row(row).to_vec())
    }

    /// All rows of table 5, ascending by id.
    pub fn unit_rows(&self) -> Vec<u8> {
        let units = self.state.units.sorted();
        let rows = units.into_iter().map(|row| self.state.unit_row(row));
        rows.flatten().collect()
    }

    pub fn live_id_row(&self, principal: Id16, envelope_id: Id16) -> Option<Vec<u8>> {
        let principal = self.state.principals.find(principal)?;
        let row = self.state.live_ids.find((principal, envelope_id))?;
        Some(self.state.live_id_row(row).to_vec())
    }
}

pub(super) fn rows_of<const N: usize>(
    ids: &[u8],
    none: [u8; N],
    row: impl Fn(Id16) -> Option<[u8; N]>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(ids.len() / 16 * N);
    for id in ids.chunks_exact(16) {
        out.extend_from_slice(&row(id16_at(id, 0)).unwrap_or(none));
    }
    out
}
