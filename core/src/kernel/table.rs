//! One table of the state: rows in a slab, found by their id.
//!
//! A row keeps its slot for its whole life, so tables refer to each other by slot (four bytes, no
//! hashing) and only what comes from outside is looked up by id. The index holds slots alone and
//! compares against the row, which the caller is about to touch anyway: five bytes an entry
//! instead of thirty-three, so it stays in the cache for longer.
//!
//! Ids are partly chosen by those who send records. The hash is therefore seeded for each process;
//! nothing that leaves the kernel depends on the order of an index.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::format::{Id16, Key32};

/// Where a row lives in its table.
pub type Slot = u32;

/// What a row is found by. Its order is that of its bytes.
pub trait TableKey: Copy + Ord {
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64;
}

/// The 16 bytes as one integer: a hash over a slice would also go over its length.
#[inline]
pub fn as_integer(id: &Id16) -> u128 {
    u128::from_ne_bytes(*id)
}

impl TableKey for Id16 {
    #[inline]
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
        hasher.hash_one(as_integer(self))
    }
}

impl TableKey for Key32 {
    #[inline]
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
        let (low, high) = self.split_at(16);
        let half = |bytes: &[u8]| bytes.try_into().map_or(0, u128::from_ne_bytes);
        hasher.hash_one((half(low), half(high)))
    }
}

/// A row that is found by a key of its own.
pub trait Row {
    type Key: TableKey;

    fn key(&self) -> Self::Key;
}

/// Rows with stable slots and an index by key. Freed slots are used again.
pub struct Table<R: Row> {
    rows: Vec<R>,
    free: Vec<Slot>,
    index: HashTable<Slot>,
    hasher: DefaultHashBuilder,
}

impl<R: Row> Default for Table<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl<R: Row> Table<R> {
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// The slot of the row with this key.
    #[inline]
    pub fn find(&self, key: R::Key) -> Option<Slot> {
        let hash = key.hash_with(&self.hasher);
        self.index
            .find(hash, |&slot| self.rows[slot as usize].key() == key)
            .copied()
    }

    pub fn find_row(&self, key: R::Key) -> Option<&R> {
        self.find(key).map(|slot| self.get(slot))
    }

    /// The row at `slot`, which must be one that `find` or `insert` returned.
    #[inline]
    pub fn get(&self, slot: Slot) -> &R {
        &self.rows[slot as usize]
    }

    /// The row at `slot`, to change anything but its key.
    #[inline]
    pub fn get_mut(&mut self, slot: Slot) -> &mut R {
        &mut self.rows[slot as usize]
    }

    /// Adds a row. The caller has made sure that its key is new.
    pub fn insert(&mut self, row: R) -> Slot {
        let hash = row.key().hash_with(&self.hasher);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.rows[slot as usize] = row;
                slot
            }
            None => {
                let slot = Slot::try_from(self.rows.len()).expect("a table holds below 2^32 rows");
                self.rows.push(row);
                slot
            }
        };
        let (rows, hasher) = (&self.rows, &self.hasher);
        self.index
            .insert_unique(hash, slot, |&s| rows[s as usize].key().hash_with(hasher));
        slot
    }

    /// Takes the row at `slot` out of the table.
    pub fn remove(&mut self, slot: Slot) {
        let hash = self.get(slot).key().hash_with(&self.hasher);
        match self.index.find_entry(hash, |&s| s == slot) {
            Ok(entry) => {
                entry.remove();
                self.free.push(slot);
            }
            Err(_) => panic!("kernel invariant broken: removed a row that is not in its table"),
        }
    }

    /// All slots in use, in no order that means anything.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.index.iter().copied()
    }

    /// All rows, in no order that means anything.
    pub fn rows(&self) -> impl Iterator<Item = &R> {
        self.index.iter().map(|&slot| self.get(slot))
    }

    /// All rows, ascending by key.
    pub fn sorted(&self) -> Vec<&R> {
        let mut rows: Vec<&R> = self.rows().collect();
        rows.sort_unstable_by_key(|row| row.key());
        rows
    }
}
