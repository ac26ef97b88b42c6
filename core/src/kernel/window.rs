//! Rows that are remembered for a time and forgotten in the order in which they came: live ids and
//! references.
//!
//! The rows stand in a queue, oldest first; an index maps a key to the position in it. Each index
//! entry keeps 32 bits of the key's hash beside the position: a key that was never seen, the usual
//! case, is answered from the index alone, and growing the index reads no row. The index is split
//! into shards that grow one by one, so that no block pays for all ids at once.

use std::collections::VecDeque;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::table::TableKey;

/// A power of two. Ten million ids make shards of 160,000, which grow in about a millisecond.
const SHARD_COUNT: usize = 64;

/// A row that is found by its key while it is remembered.
pub trait Remembered {
    type Key: TableKey;

    fn key(&self) -> Self::Key;
}

#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
    /// The low 32 bits of the row's position since the beginning of time.
    position: u32,
}

/// A queue of remembered rows with an index by key.
pub struct Window<R: Remembered> {
    rows: VecDeque<R>,
    /// How many rows have left the queue at its front.
    forgotten: u64,
    shards: Vec<HashTable<Entry>>,
    hasher: DefaultHashBuilder,
}

impl<R: Remembered> Default for Window<R> {
    fn default() -> Self {
        Self {
            rows: VecDeque::new(),
            forgotten: 0,
            shards: (0..SHARD_COUNT).map(|_| HashTable::new()).collect(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

/// Spreads 32 bits of hash over the 64 that the table looks at (Fibonacci hashing).
#[inline]
fn widen(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// By the high bits: the low ones choose the place inside of the shard.
#[inline]
fn shard_of(hash: u32) -> usize {
    (hash >> (u32::BITS - SHARD_COUNT.ilog2())) as usize
}

impl<R: Remembered> Window<R> {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.rows.iter()
    }

    pub fn front(&self) -> Option<&R> {
        self.rows.front()
    }

    #[inline]
    pub fn find(&self, key: R::Key) -> Option<&R> {
        let hash = key.hash_with(&self.hasher) as u32;
        self.shards[shard_of(hash)]
            .find(widen(hash), |entry| {
                entry.hash == hash && self.at(entry.position).key() == key
            })
            .map(|entry| self.at(entry.position))
    }

    /// Adds the newest row. The caller has made sure that its key is new.
    pub fn push(&mut self, row: R) {
        let hash = row.key().hash_with(&self.hasher) as u32;
        let position = self.forgotten.wrapping_add(self.rows.len() as u64) as u32;
        assert!(
            self.rows.len() < u32::MAX as usize,
            "a window holds below 2^32 rows"
        );
        self.rows.push_back(row);
        let entry = Entry { hash, position };
        self.shards[shard_of(hash)].insert_unique(widen(hash), entry, |e| widen(e.hash));
    }

    /// Forgets the oldest row.
    pub fn pop_front(&mut self) -> Option<R> {
        let position = self.forgotten as u32;
        let row = self.rows.pop_front()?;
        self.forgotten += 1;
        self.unlink(&row, position);
        Some(row)
    }

    /// Takes the newest row back.
    pub fn pop_back(&mut self) -> Option<R> {
        let row = self.rows.pop_back()?;
        let position = self.forgotten.wrapping_add(self.rows.len() as u64) as u32;
        self.unlink(&row, position);
        Some(row)
    }

    #[inline]
    fn at(&self, position: u32) -> &R {
        &self.rows[position.wrapping_sub(self.forgotten as u32) as usize]
    }

    fn unlink(&mut self, row: &R, position: u32) {
        let hash = row.key().hash_with(&self.hasher) as u32;
        match self.shards[shard_of(hash)].find_entry(widen(hash), |e| e.position == position) {
            Ok(entry) => {
                entry.remove();
            }
            Err(_) => panic!("kernel invariant broken: a remembered row is not in its index"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::hash::BuildHasher;

    struct Number(u64);

    impl TableKey for u64 {
        fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
            hasher.hash_one(self)
        }
    }

    impl Remembered for Number {
        type Key = u64;

        fn key(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn finds_what_is_remembered_and_nothing_else() {
        let mut window = Window::default();
        for n in 0..10_000 {
            window.push(Number(n * 7));
        }
        for _ in 0..4_000 {
            window.pop_front();
        }
        assert_eq!(window.pop_back().map(|row| row.0), Some(9_999 * 7));
        assert_eq!(window.len(), 5_999);
        for n in 0..10_000 {
            let expected = (4_000..9_999).contains(&n);
            assert_eq!(window.find(n * 7).is_some(), expected, "{n}");
            assert!(window.find(n * 7 + 1).is_none());
        }
    }

    #[test]
    fn positions_may_wrap_around() {
        let mut window = Window {
            forgotten: u64::from(u32::MAX) - 5,
            ..Window::default()
        };
        for n in 0..20 {
            window.push(Number(n));
        }
        for n in 0..10 {
            assert_eq!(window.pop_front().map(|row| row.0), Some(n));
        }
        assert!((0..10).all(|n| window.find(n).is_none()));
        assert!((10..20).all(|n| window.find(n).is_some()));
    }
}
