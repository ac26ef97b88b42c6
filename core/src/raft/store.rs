//! What Raft may ask of the log without waiting: everything here is in memory.
//!
//! The log on disk belongs to the node's shell. This store keeps what Raft needs at once:
//!
//! * the *runs*: first index of each term in the log. They grow only at elections, so the term of
//!   every index since the ledger began fits in a few hundred bytes.
//! * the *tail*: the entries from some index up to the last one.
//!   **Invariant: the tail covers (applied, last].** Raft reads that range synchronously (Readies,
//!   campaigns); everything below is committed and applied, hence immutable and on disk.
//! * the *wants*: ranges below the tail that Raft would like to send to a lagging follower. The
//!   shell reads them from disk and answers through a side slot that lives for one call only.
//!
//! The log is the ledger and never compacted: the first index is always 1, and there are no Raft
//! snapshots.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use parking_lot::Mutex;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Result, Storage, StorageError};

/// A range of the log that a lagging follower needs and that only the disk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// First index to read.
    pub low: u64,
    /// Read up to this index, exclusive; fewer entries are fine.
    pub high: u64,
}

#[derive(Debug, Default)]
struct Wants {
    /// Ranges asked of the shell and not answered yet: low to high.
    open: BTreeMap<u64, u64>,
    /// Lows in `open` that the shell has not collected yet.
    fresh: Vec<u64>,
}

/// The in-memory side of the log. See the module's description.
#[derive(Debug)]
pub struct LogStore {
    hard_state: HardState,
    conf_state: ConfState,
    /// (first index, term), both strictly increasing.
    runs: Vec<(u64, u64)>,
    last_index: u64,
    tail: VecDeque<Entry>,
    tail_bytes: u64,
    /// Entries read back from disk; filled for the duration of one `fetched` call.
    slot: Vec<Entry>,
    /// Behind a lock because raft asks through `&self`; never contended.
    wants: Mutex<Wants>,
}

/// Approximate memory of an entry, and its share of a message's size limit.
fn entry_cost(entry: &Entry) -> u64 {
    entry.data.len() as u64 + 24
}

/// The longest prefix of `entries` within `max` bytes, but at least one entry.
fn take_limited<'a>(entries: impl Iterator<Item = &'a Entry>, max: Option<u64>) -> Vec<Entry> {
    let mut used = 0u64;
    let mut taken = Vec::new();
    for entry in entries {
        used = used.saturating_add(entry_cost(entry));
        if !taken.is_empty() && max.is_some_and(|limit| used > limit) {
            break;
        }
        taken.push(entry.clone());
    }
    taken
}

impl LogStore {
    /// A store for a log that ends at `last_index` and whose entries `tail` are in memory.
    ///
    /// # Errors
    ///
    /// A description of the first inconsistency among the arguments.
    pub fn new(
        hard_state: HardState,
        conf_state: ConfState,
        runs: Vec<(u64, u64)>,
        last_index: u64,
        tail: Vec<Entry>,
    ) -> std::result::Result<Self, String> {
        let ordered = runs.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 < w[1].1);
        if !ordered || runs.first().is_some_and(|run| run.0 != 1 || run.1 == 0) {
            return Err("term runs must start at index 1 and rise in index and term".into());
        }
        if (last_index == 0) != runs.is_empty() || runs.last().is_some_and(|r| r.0 > last_index) {
            return Err("term runs and last index disagree".into());
        }
        let mut store = Self {
            hard_state,
            conf_state,
            runs,
            last_index,
            tail: VecDeque::with_capacity(tail.len()),
            tail_bytes: 0,
            slot: Vec::new(),
            wants: Mutex::default(),
        };
        let first = last_index + 1 - (tail.len() as u64).min(last_index);
        for (expected, entry) in (first..).zip(tail) {
            if entry.index != expected || store.term_of(expected) != Some(entry.term) {
                return Err(format!(
                    "tail entry ({}, term {}) does not fit the log at {expected}",
                    entry.index, entry.term
                ));
            }
            store.tail_bytes += entry_cost(&entry);
            store.tail.push_back(entry);
        }
        if store.tail.len() as u64 > last_index {
            return Err("more tail entries than the log has".into());
        }
        Ok(store)
    }

    /// Term of the entry at `index`; `Some(0)` for index 0, `None` beyond the log.
    pub fn term_of(&self, index: u64) -> Option<u64> {
        if index == 0 {
            return Some(0);
        }
        if index > self.last_index {
            return None;
        }
        let after = self.runs.partition_point(|run| run.0 <= index);
        Some(self.runs[after - 1].1)
    }

    /// Largest index at most `index` whose term is at most `term`. The same answer as raft's
    /// `find_conflict_by_term`, found by runs and not entry by entry.
    pub fn conflict_hint(&self, index: u64, term: u64) -> u64 {
        let index = index.min(self.last_index);
        let beyond = self.runs.partition_point(|run| run.1 <= term);
        match self.runs.get(beyond) {
            Some(run) => index.min(run.0 - 1),
            None => index,
        }
    }

    /// The runs, to be kept with the log on disk.
    pub fn runs(&self) -> &[(u64, u64)] {
        &self.runs
    }

    /// Index of the last entry.
    pub fn last(&self) -> u64 {
        self.last_index
    }

    /// First index whose entry is in memory; `last + 1` if none is.
    pub fn tail_first(&self) -> u64 {
        self.last_index + 1 - self.tail.len() as u64
    }

    /// Approximate memory of the entries in the tail.
    pub fn tail_bytes(&self) -> u64 {
        self.tail_bytes
    }

    /// Adds entries at the end, or in place of an uncommitted suffix that they conflict with.
    ///
    /// # Panics
    ///
    /// If the entries would leave a hole or reach below the tail: broken invariants.
    pub fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first().map(|entry| entry.index) else {
            return;
        };
        assert!(
            self.tail_first() <= first && first <= self.last_index + 1,
            "append at {first} to a tail [{}, {}]",
            self.tail_first(),
            self.last_index
        );
        for dropped in self.tail.drain((first - self.tail_first()) as usize..) {
            self.tail_bytes -= entry_cost(&dropped);
        }
        self.last_index = first - 1;
        while self.runs.last().is_some_and(|run| run.0 >= first) {
            self.runs.pop();
        }
        for entry in entries {
            assert_eq!(entry.index, self.last_index + 1, "hole in appended entries");
            if self.runs.last().is_none_or(|run| run.1 != entry.term) {
                self.runs.push((entry.index, entry.term));
            }
            self.last_index = entry.index;
            self.tail_bytes += entry_cost(entry);
            self.tail.push_back(entry.clone());
        }
    }

    /// Replaces the memory behind an entry's payload by an equal copy, so that the received frame
    /// it was a slice of can be freed.
    pub fn rehome(&mut self, index: u64, payload: Bytes) {
        let first = self.tail_first();
        if let Some(entry) = index
            .checked_sub(first)
            .and_then(|at| self.tail.get_mut(at as usize))
        {
            debug_assert_eq!(entry.data, payload);
            entry.data = payload;
        }
    }

    /// Drops entries from the front of the tail while they are at or below `index` and the tail
    /// is larger than `keep_bytes`. Returns the new first index of the tail.
    ///
    /// The caller sees to it that `index` is not above the applied index.
    pub fn trim(&mut self, index: u64, keep_bytes: u64) -> u64 {
        while self.tail_bytes > keep_bytes {
            match self.tail.front() {
                Some(entry) if entry.index <= index => {
                    self.tail_bytes -= entry_cost(entry);
                    self.tail.pop_front();
                }
                _ => break,
            }
        }
        self.tail_first()
    }

    /// Wants that were not handed out before. Each stays open, and is not handed out again, until
    /// [`LogStore::close_want`].
    pub fn take_wants(&mut self) -> Vec<Want> {
        let wants = self.wants.get_mut();
        let fresh = std::mem::take(&mut wants.fresh);
        fresh
            .into_iter()
            .filter_map(|low| wants.open.get(&low).map(|high| Want { low, high: *high }))
            .collect()
    }

    /// Number of wants that the shell has not answered.
    pub fn open_wants(&self) -> usize {
        self.wants.lock().open.len()
    }

    /// Marks a want as answered; a later one for the same place is handed out again.
    pub fn close_want(&mut self, low: u64) {
        let wants = self.wants.get_mut();
        wants.open.remove(&low);
        wants.fresh.retain(|fresh| *fresh != low);
    }

    /// Forgets all wants: this node no longer feeds anybody.
    pub fn clear_wants(&mut self) {
        *self.wants.get_mut() = Wants::default();
    }

    /// Sets or clears the entries that answer reads below the tail.
    pub fn set_slot(&mut self, entries: Vec<Entry>) {
        self.slot = entries;
    }

    fn note_want(&self, low: u64, high: u64) {
        let mut wants = self.wants.lock();
        if let std::collections::btree_map::Entry::Vacant(vacant) = wants.open.entry(low) {
            vacant.insert(high);
            wants.fresh.push(low);
        }
    }
}

impl Storage for LogStore {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(RaftState::new(
            self.hard_state.clone(),
            self.conf_state.clone(),
        ))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        let max_size = max_size.into();
        let first = self.tail_first();
        if low >= first {
            let range = (low - first) as usize..(high - first) as usize;
            return Ok(take_limited(self.tail.range(range), max_size));
        }
        if !context.can_async() {
            // Cannot happen while the tail covers (applied, last]; raft panics on it.
            return Err(Error::Store(StorageError::Unavailable));
        }
        let slot_first = self.slot.first().map_or(u64::MAX, |entry| entry.index);
        if let Some(skip) = low.checked_sub(slot_first) {
            let count = (high - low) as usize;
            let found = take_limited(self.slot.iter().skip(skip as usize).take(count), max_size);
            if !found.is_empty() {
                return Ok(found);
            }
        }
        self.note_want(low, high.min(first));
        Err(Error::Store(StorageError::LogTemporarilyUnavailable))
    }

    fn term(&self, index: u64) -> Result<u64> {
        self.term_of(index)
            .ok_or(Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> Result<u64> {
        Ok(1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last_index)
    }

    fn snapshot(&self, _request_index: u64, _to: u64) -> Result<Snapshot> {
        Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
