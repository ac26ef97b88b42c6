//! Postings as the kernel gathers them: eight bytes each, in the order of the log.
//!
//! Accounts stand as slots of the kernel's table, which they keep for ever. Sorting eight-byte
//! integers costs a few nanoseconds each; ids are looked up once for each account of a chunk.

use super::pack::{Packer, Page};
use super::search::Search;
use crate::format::Id16;
use crate::kernel::Slot;

/// Most records of a chunk: so many and those of one more block fit the 24 bits of a posting.
pub const MAX_CHUNK_RECORDS: u64 = 1 << 23;
/// Bits of one pass of the sort: its counters fit a core's first cache.
const DIGIT_BITS: u32 = 11;
/// Postings that a search looks at in one go.
const PIECE: usize = 16_384;
const SLOT_SHIFT: u32 = 32;
const PLACE_SHIFT: u32 = 8;

/// A posting: slot of the account, place of the record (counted from the chunk's first), tag.
#[inline]
pub fn posting(slot: Slot, place: u32, tag: u8) -> u64 {
    u64::from(slot) << SLOT_SHIFT | u64::from(place << PLACE_SHIFT | u32::from(tag))
}

#[inline]
fn slot_of(posting: u64) -> Slot {
    (posting >> SLOT_SHIFT) as Slot
}

/// A run of records, and the postings of all accounts that they touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Sequence number of place 0.
    pub first_sequence: u64,
    /// Sequence number behind the last record.
    pub end_sequence: u64,
    /// Whether the chunk ends here; else more will be gathered for it.
    pub is_complete: bool,
    /// In the order of the log. The same account and place may stand there more than once.
    pub postings: Vec<u64>,
}

impl Chunk {
    /// The postings sorted by slot, then as they came.
    fn sorted(&self) -> Vec<u64> {
        let (mut from, mut to) = (self.postings.clone(), vec![0; self.postings.len()]);
        let highest = self.postings.iter().copied().map(slot_of).max();
        let used_bits = u32::BITS - highest.unwrap_or(0).leading_zeros();
        for pass in 0..used_bits.div_ceil(DIGIT_BITS) {
            let shift = SLOT_SHIFT + pass * DIGIT_BITS;
            let digit = |posting: u64| (posting >> shift) as usize & ((1 << DIGIT_BITS) - 1);
            let mut next = [0_u32; 1 << DIGIT_BITS];
            for &posting in &from {
                next[digit(posting)] += 1;
            }
            let mut before = 0;
            for count in &mut next {
                before += std::mem::replace(count, before);
            }
            for &posting in &from {
                let at = &mut next[digit(posting)];
                to[*at as usize] = posting;
                *at += 1;
            }
            std::mem::swap(&mut from, &mut to);
        }
        from
    }

    /// The postings by account.
    pub fn groups(&self) -> Groups {
        let postings = self.sorted();
        let (mut slots, mut ends) = (Vec::new(), Vec::new());
        for group in postings.chunk_by(|a, b| slot_of(*a) == slot_of(*b)) {
            slots.push(slot_of(group[0]));
            ends.push(ends.last().unwrap_or(&0) + group.len());
        }
        Groups {
            first_sequence: self.first_sequence,
            postings,
            slots,
            ends,
        }
    }

    /// Adds what a search wants of this chunk to what it has found.
    pub fn search(&self, slot: Slot, search: &mut Search) {
        search_postings(&self.postings, self.first_sequence, slot, search);
    }
}

/// The postings of a chunk by account, in the order of their slots.
pub struct Groups {
    first_sequence: u64,
    postings: Vec<u64>,
    slots: Vec<Slot>,
    /// Where in `postings` the group of each slot ends.
    ends: Vec<usize>,
}

impl Groups {
    /// The accounts, each once.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The pages, given the ids of the accounts in the order of `slots`.
    pub fn pack(&self, ids: &[Id16]) -> Vec<Page> {
        let number = |id: &Id16| u128::from_be_bytes(*id);
        // Ids are hashes: their first half nearly always decides, in half the memory.
        let mut accounts: Vec<(u64, u32)> = ids
            .iter()
            .map(|id| (number(id) >> 64) as u64)
            .zip(0..)
            .collect();
        accounts.sort_unstable_by(|a, b| {
            let whole = |group: u32| number(&ids[group as usize]);
            a.0.cmp(&b.0).then_with(|| whole(a.1).cmp(&whole(b.1)))
        });
        let mut packer = Packer::new(self.first_sequence);
        for (_, group) in accounts {
            let group = group as usize;
            packer.begin(ids[group]);
            let start = group.checked_sub(1).map_or(0, |before| self.ends[before]);
            let postings = &self.postings[start..self.ends[group]];
            each(postings, self.first_sequence, |sequence, tag| {
                packer.push(sequence, tag);
            });
        }
        packer.finish()
    }
}

#[inline]
fn place_of(posting: u64) -> u32 {
    posting as u32 >> PLACE_SHIFT
}

/// Calls with (sequence number, tag) of each place of one account's postings.
fn each(postings: &[u64], first_sequence: u64, mut call: impl FnMut(u64, u8)) {
    for same in postings.chunk_by(|a, b| place_of(*a) == place_of(*b)) {
        let tag = same.iter().fold(0, |tag, &posting| tag | posting as u8);
        call(first_sequence + u64::from(place_of(same[0])), tag);
    }
}

/// Adds what a search wants of gathered postings, place 0 of which is `first_sequence`.
pub fn search_postings(postings: &[u64], first_sequence: u64, slot: Slot, search: &mut Search) {
    let before = |sequence: u64| {
        let place = sequence.saturating_sub(first_sequence);
        postings.partition_point(|&posting| u64::from(place_of(posting)) < place)
    };
    let range = &postings[before(search.low())..before(search.high())];
    let in_order = |piece: &[u64]| {
        let own = piece.iter().filter(|&&posting| slot_of(posting) == slot);
        let (own, mut found): (Vec<u64>, _) = (own.copied().collect(), Vec::new());
        each(&own, first_sequence, |sequence, tag| {
            found.push((sequence, tag))
        });
        found
    };
    // In pieces, so that the first of a busy account's postings are found at once.
    let (mut start, mut end) = (0, range.len());
    while start < end && !search.is_full() {
        if search.is_newest_first() {
            let from = piece_start(range, start, end);
            let found = in_order(&range[from..end]);
            let found = found.into_iter().rev();
            found.for_each(|(sequence, tag)| search.add(sequence, tag));
            end = from;
        } else {
            let to = piece_end(range, start, end);
            let found = in_order(&range[start..to]);
            let found = found.into_iter();
            found.for_each(|(sequence, tag)| search.add(sequence, tag));
            start = to;
        }
    }
}

/// Start of a piece of `range[start..end]` that ends at `end`, not between postings of one record.
fn piece_start(range: &[u64], start: usize, end: usize) -> usize {
    let Some(from) = end.checked_sub(PIECE).filter(|&from| from > start) else {
        return start;
    };
    let place = place_of(range[from]);
    start + range[start..from].partition_point(|&posting| place_of(posting) < place)
}

/// End of a piece of `range[start..end]` that starts at `start`, likewise.
fn piece_end(range: &[u64], start: usize, end: usize) -> usize {
    let to = start + PIECE;
    if to >= end {
        return end;
    }
    let place = place_of(range[to]);
    to + range[to..end].partition_point(|&posting| place_of(posting) <= place)
}
