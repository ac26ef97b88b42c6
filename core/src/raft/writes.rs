//! Which completed writes may be reported to raft while others are outstanding.
//!
//! Readies reach the disk in order, but several may be on their way, and a later one may replace
//! entries of an earlier one. Raft identifies a completed write by its last (index, term). That is
//! not enough: the same entry may have come, been overwritten and come back (A, B, A). When the
//! first A completes, raft would take it for the last one, and apply or acknowledge an entry that
//! the disk is about to lose to B. So a write is reported only when no outstanding write is going
//! to replace any of it.

use std::collections::VecDeque;

#[derive(Debug, Clone, Copy)]
struct Write {
    number: u64,
    first: u64,
    last: u64,
}

/// The writes of entries that raft has not been told about, in order of their Ready numbers.
#[derive(Debug, Default)]
pub struct Writes(VecDeque<Write>);

impl Writes {
    /// Notes that Ready `number` writes the entries `first` to `last`.
    pub fn begin(&mut self, number: u64, first: u64, last: u64) {
        self.0.push_back(Write {
            number,
            first,
            last,
        });
    }

    /// Notes that all writes up to Ready `number` are durable. Returns the number that raft may
    /// be told, if any, and forgets the writes up to it.
    pub fn finish(&mut self, number: u64) -> Option<u64> {
        let done = self.0.partition_point(|write| write.number <= number);
        let count = self.reportable(done);
        let last = self.0.drain(..count).next_back();
        if count == done {
            Some(number)
        } else {
            last.map(|write| write.number)
        }
    }

    /// How many of the first `done` writes no later write that is still outstanding replaces.
    fn reportable(&self, done: usize) -> usize {
        (1..=done)
            .rev()
            .find(|&count| {
                let newest = self.0.range(..count).map(|write| write.last).max();
                let replaced = self.0.range(count..).map(|write| write.first).min();
                replaced.is_none_or(|replaced| newest < Some(replaced))
            })
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Writes;

    #[test]
    fn writes_in_sequence_are_reported_as_they_complete() {
        let mut writes = Writes::default();
        writes.begin(1, 1, 3);
        writes.begin(4, 4, 4);
        assert_eq!(writes.finish(2), Some(2));
        assert_eq!(writes.finish(4), Some(4));
        assert_eq!(writes.finish(9), Some(9));
    }

    #[test]
    fn a_write_that_will_be_replaced_waits_for_its_replacement() {
        let mut writes = Writes::default();
        writes.begin(1, 5, 5);
        writes.begin(2, 5, 5);
        writes.begin(3, 5, 6);
        assert_eq!(writes.finish(1), None);
        assert_eq!(writes.finish(2), None);
        assert_eq!(writes.finish(3), Some(3));
    }

    #[test]
    fn the_part_below_the_replaced_index_is_reported() {
        let mut writes = Writes::default();
        writes.begin(1, 5, 5);
        writes.begin(2, 6, 7);
        writes.begin(3, 7, 7);
        assert_eq!(writes.finish(2), Some(1));
        assert_eq!(writes.finish(3), Some(3));
    }
}
