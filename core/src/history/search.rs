//! A search for postings of one account, which goes from source to source.
//!
//! Sources (what the kernel gathered, chunks, pages) cover ranges of sequence numbers that do not
//! overlap. They are searched in the order of the search, and the caller narrows the range as it
//! goes, so nothing is found twice even if a chunk moves from one source to the next meanwhile.

use super::page::{PageError, PageView};
use super::tag;
use crate::format::Id16;

/// Which postings are wanted.
#[derive(Debug, Clone)]
pub struct Accept {
    /// By tag: wanted whatever their sequence number.
    pub always: [bool; 256],
    /// By tag: wanted if their sequence number is one of `listed`.
    pub if_listed: [bool; 256],
    /// Ascending.
    pub listed: Vec<u64>,
}

impl Accept {
    /// Every posting.
    pub fn all() -> Self {
        Self {
            always: [true; 256],
            if_listed: [false; 256],
            listed: Vec::new(),
        }
    }

    #[inline]
    fn accepts(&self, sequence: u64, tag: u8) -> bool {
        self.always[usize::from(tag)]
            || self.if_listed[usize::from(tag)] && self.listed.binary_search(&sequence).is_ok()
    }
}

/// A search under way, with what it has found so far.
#[derive(Debug, Clone)]
pub struct Search {
    account: Id16,
    low: u64,
    high: u64,
    newest_first: bool,
    limit: usize,
    accept: Accept,
    /// In the order of the search.
    pub sequences: Vec<u64>,
    pub tags: Vec<u8>,
}

impl Search {
    /// For postings with `low <= sequence < high`; ends after `limit` of them.
    pub fn new(
        account: Id16,
        (low, high): (u64, u64),
        newest_first: bool,
        limit: usize,
        accept: Accept,
    ) -> Self {
        Self {
            account,
            low,
            high,
            newest_first,
            limit,
            accept,
            sequences: Vec::new(),
            tags: Vec::new(),
        }
    }

    pub fn account(&self) -> &Id16 {
        &self.account
    }

    pub fn low(&self) -> u64 {
        self.low
    }

    pub fn high(&self) -> u64 {
        self.high
    }

    pub fn is_newest_first(&self) -> bool {
        self.newest_first
    }

    /// Whether enough was found: sources that come later are not to be searched.
    pub fn is_full(&self) -> bool {
        self.sequences.len() >= self.limit
    }

    /// Looks only at sequence numbers in both ranges from now on.
    pub fn narrow(&mut self, low: u64, high: u64) {
        self.low = self.low.max(low);
        self.high = self.high.min(high);
    }

    /// Adds a posting if it is wanted and there is room. The tag `0` is no posting's.
    #[inline]
    pub fn add(&mut self, sequence: u64, tag: u8) {
        debug_assert_ne!(tag & (tag::KIND_MASK | tag::SWEPT), 0);
        let is_within = self.low <= sequence && sequence < self.high;
        if is_within && !self.is_full() && self.accept.accepts(sequence, tag) {
            self.sequences.push(sequence);
            self.tags.push(tag);
        }
    }

    /// Searches one page.
    ///
    /// # Errors
    /// [`PageError`]
    pub fn page(&mut self, page: &[u8]) -> Result<(), PageError> {
        let page = PageView::parse(page)?;
        let Some(entry) = page.find(&self.account) else {
            return Ok(());
        };
        if !self.newest_first {
            return page.each(entry, |sequence, tag| self.add(sequence, tag));
        }
        let mut found = Vec::new();
        let range = self.low..self.high;
        page.each(entry, |sequence, tag| {
            if range.contains(&sequence) {
                found.push((sequence, tag));
            }
        })?;
        for (sequence, tag) in found.into_iter().rev() {
            self.add(sequence, tag);
        }
        Ok(())
    }
}
