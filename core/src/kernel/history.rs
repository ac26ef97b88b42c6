//! What the history index asks of the kernel (`crate::history`).

use super::table::Slot;
use super::Kernel;
use crate::format::Id16;
use crate::history::{Chunk, Search};

/// The index ends before the state: the records between can be had from the log only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the history index ends at {indexed}, but the state is already that of {state}")]
pub struct HistoryGap {
    pub indexed: u64,
    pub state: u64,
}

impl Kernel {
    /// Gathers postings from the block at sequence number `since` on.
    ///
    /// `chunk_first`: where the chunk begins that `since` lies in. A chunk ends with the first
    /// block that takes it to `chunk_records` records.
    ///
    /// # Errors
    /// [`HistoryGap`] when blocks from `since` on were applied already.
    pub fn start_history(
        &mut self,
        chunk_first: u64,
        since: u64,
        chunk_records: u64,
    ) -> Result<(), HistoryGap> {
        let state = self.state.next_sequence;
        if since < state || chunk_first > since {
            return Err(HistoryGap {
                indexed: since,
                state,
            });
        }
        self.state.gather.start(chunk_first, since, chunk_records);
        Ok(())
    }

    /// First sequence number whose postings are still here.
    pub fn history_first(&self) -> u64 {
        let first = self.state.gather.first_sequence();
        first.unwrap_or(self.state.next_sequence)
    }

    /// Whether a chunk has ended, so that it is time to take it.
    pub fn is_history_full(&self) -> bool {
        self.state.gather.is_full(self.state.next_sequence)
    }

    /// Hands out what was gathered since the last time; None if that is nothing.
    pub fn take_history(&mut self) -> Option<Chunk> {
        self.state.gather.take(self.state.next_sequence)
    }

    /// Ids of the accounts in some slots.
    pub fn account_ids(&self, slots: &[Slot]) -> Vec<Id16> {
        let id_of = |&slot: &Slot| self.state.accounts.get(slot).id;
        slots.iter().map(id_of).collect()
    }

    /// Where an account stands, for as long as this kernel lives.
    pub fn account_slot(&self, account: Id16) -> Option<Slot> {
        self.state.accounts.find(account)
    }

    /// Searches what is gathered. Returns its first sequence number.
    ///
    /// A search for the oldest finds nothing here while it still misses records before those.
    pub fn search_history(&self, search: &mut Search) -> u64 {
        let first = self.history_first();
        let misses_some = !search.is_newest_first() && search.low() < first;
        if let (Some(slot), false) = (self.account_slot(*search.account()), misses_some) {
            self.state.gather.search(slot, search);
        }
        first
    }

    /// Up to `limit` accounts of a principal, ascending.
    pub fn accounts_of(&self, principal: Id16, limit: usize) -> Vec<Id16> {
        let Some(owner) = self.state.principals.find(principal) else {
            return Vec::new();
        };
        let rows = self.state.accounts.rows();
        let own = rows.filter(|account| account.owner == owner);
        let mut ids: Vec<Id16> = own.map(|account| account.id).take(limit).collect();
        ids.sort_unstable();
        ids
    }
}
