//! Gathering of postings for the history index while blocks are applied (`crate::history`).
//!
//! Every change of an account goes through `State::account_mut` or `State::insert_account`, and
//! these note the account's slot: a rule for a new kind of record has nothing to do for it.
//! `touched.rs` adds what changes no account. Switched off, all of it is one branch.

use super::table::Slot;
use crate::history::{posting, search_postings, tag, Chunk, Search, MAX_CHUNK_RECORDS};

/// Postings gathered so far, and how far a chunk goes.
#[derive(Default)]
pub struct Gather {
    /// Whether the block under way is gathered.
    is_on: bool,
    plan: Option<Plan>,
    /// First sequence number of what is in memory: place 0.
    first_sequence: u64,
    /// Place of the first record of the envelope under way.
    envelope_place: u32,
    /// Place and tag of what happens now.
    place: u32,
    tag: u8,
    postings: Vec<u64>,
}

/// Where chunks begin and end.
struct Plan {
    /// Blocks before this sequence number were gathered before.
    since: u64,
    /// First sequence number of the chunk under way, a part of which may have been taken.
    chunk_first: u64,
    /// A chunk ends with the first block that takes it to so many records.
    chunk_records: u64,
}

impl Gather {
    /// Gathers the blocks from sequence number `since` on.
    pub fn start(&mut self, chunk_first: u64, since: u64, chunk_records: u64) {
        self.plan = Some(Plan {
            since,
            chunk_first,
            chunk_records: chunk_records.clamp(1, MAX_CHUNK_RECORDS),
        });
        self.first_sequence = since;
        self.postings = Vec::new();
    }

    /// First sequence number that is still in memory; None if nothing is gathered.
    pub fn first_sequence(&self) -> Option<u64> {
        self.plan.as_ref().map(|_| self.first_sequence)
    }

    /// Whether a chunk ends before `next_sequence`.
    pub fn is_full(&self, next_sequence: u64) -> bool {
        self.plan.as_ref().is_some_and(|plan| {
            next_sequence.saturating_sub(plan.chunk_first) >= plan.chunk_records
        })
    }

    /// Hands out what was gathered before `next_sequence`; None if that is nothing.
    pub fn take(&mut self, next_sequence: u64) -> Option<Chunk> {
        let is_complete = self.is_full(next_sequence);
        let plan = self.plan.as_mut()?;
        if next_sequence <= self.first_sequence {
            return None;
        }
        let chunk = Chunk {
            first_sequence: self.first_sequence,
            end_sequence: next_sequence,
            is_complete,
            postings: std::mem::take(&mut self.postings),
        };
        self.first_sequence = next_sequence;
        if is_complete {
            plan.chunk_first = next_sequence;
        }
        Some(chunk)
    }

    /// Adds what a search wants of the gathered postings to what it has found.
    pub fn search(&self, slot: Slot, search: &mut Search) {
        search_postings(&self.postings, self.first_sequence, slot, search);
    }

    pub fn begin_block(&mut self, first_sequence: u64) {
        self.is_on = self
            .plan
            .as_ref()
            .is_some_and(|plan| first_sequence >= plan.since);
    }

    #[inline]
    pub fn begin_envelope(&mut self, first_sequence: u64) {
        if self.is_on {
            // A chunk ends in time for its places to fit 24 bits.
            self.envelope_place = (first_sequence - self.first_sequence) as u32;
        }
    }

    /// What is touched from now on is touched by record `index` of the envelope under way.
    #[inline]
    pub fn at(&mut self, index: u32, tag: u8) {
        self.place = self.envelope_place.wrapping_add(index);
        self.tag = tag;
    }

    /// As `at`, for the holds that are swept before that record.
    pub fn at_sweep(&mut self, index: u32) {
        self.at(index, tag::SWEPT);
    }

    /// The account in this slot is touched.
    #[inline]
    pub fn touch(&mut self, slot: Slot) {
        if self.is_on {
            let posting = posting(slot, self.place, self.tag);
            // A capture changes the same two accounts in several steps.
            let is_known = self
                .postings
                .iter()
                .rev()
                .take(2)
                .any(|&last| last == posting);
            if !is_known {
                self.postings.push(posting);
            }
        }
    }

    pub fn is_on(&self) -> bool {
        self.is_on
    }

    pub fn len(&self) -> usize {
        self.postings.len()
    }

    /// Forgets all postings but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.postings.truncate(len);
    }
}
