//! Table 32: exchange quotes that were taken, their rows as bytes and back, and when they are
//! forgotten.

use super::decode::{require, Decoded};
use super::encode::{table, RowWriter, ROW_BYTES};
use super::invariants::is_scheduled;
use super::journal::Undo;
use super::state::State;
use super::sweep::{is_past, MAX_PRUNED};
use super::table::{Row, Slot};
use crate::format::{id16_at, u128_at, u64_at, Id16};

pub const EXCHANGE_ROW_BYTES: usize = ROW_BYTES[table::EXCHANGE as usize];

/// Table 32.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    pub id: Id16,
    /// Whose key has signed it.
    pub maker: Slot,
    pub cap: u128,
    /// What was given under it so far.
    pub given: u128,
    pub not_after_ns: u64,
}

impl Row for Exchange {
    type Key = Id16;

    fn key(&self) -> Id16 {
        self.id
    }
}

impl State {
    pub fn exchange_row(&self, row: &Exchange) -> [u8; EXCHANGE_ROW_BYTES] {
        RowWriter::new()
            .put(&row.id)
            .put(&self.principals.get(row.maker).id)
            .u128(row.cap)
            .u128(row.given)
            .u64(row.not_after_ns)
            .done()
    }

    pub(super) fn decode_exchange(&mut self, row: &[u8]) -> Decoded {
        let exchange = Exchange {
            id: id16_at(row, 0),
            maker: self.principal_at(row, 16)?,
            cap: u128_at(row, 32),
            given: u128_at(row, 48),
            not_after_ns: u64_at(row, 64),
        };
        let is_possible = exchange.given > 0 && exchange.given <= exchange.cap;
        require(is_possible, "an exchange quote that no rule lets be")?;
        self.enter_exchange(exchange);
        Ok(())
    }

    /// Writes the row of an exchange quote; of one that is there, only what was given changes.
    pub fn put_exchange(&mut self, row: Exchange) {
        match self.exchanges.find(row.id) {
            Some(slot) => {
                let before = self.exchanges.get(slot).given;
                self.journal.note(|| Undo::ExchangeGiven(slot, before));
                self.exchanges.get_mut(slot).given = row.given;
            }
            None => {
                let slot = self.enter_exchange(row);
                self.journal.note(|| Undo::ExchangeInserted(slot));
            }
        }
    }

    /// Adds a row, with what is derived from it.
    fn enter_exchange(&mut self, row: Exchange) -> Slot {
        let slot = self.exchanges.insert(row);
        self.exchange_ends.insert(row.not_after_ns, row.id, slot);
        self.principals.get_mut(row.maker).exchange_count += 1;
        slot
    }

    pub fn remove_exchange(&mut self, slot: Slot) {
        let row = *self.exchanges.get(slot);
        self.exchange_ends.remove(row.not_after_ns, row.id);
        self.principals.get_mut(row.maker).exchange_count -= 1;
        self.exchanges.remove(slot);
    }

    /// Those whose time is over: nobody can take them again.
    pub fn prune_exchanges(&mut self, t0: u64) {
        for _ in 0..MAX_PRUNED {
            match self.exchange_ends.first() {
                Some(slot) if is_past(self.exchange_ends.next_ns(), 0, 0, t0) => {
                    self.remove_exchange(slot);
                }
                _ => return,
            }
        }
    }

    /// What is wrong with exchange quotes beside their counts.
    pub fn verify_exchanges(&self, problems: &mut Vec<String>) {
        let is_within = |row: &Exchange| row.given > 0 && row.given <= row.cap;
        if !self.exchanges.rows().all(is_within) {
            problems.push("more was given under an exchange quote than its cap".to_owned());
        }
        let ends = self.exchanges.rows().map(|row| row.not_after_ns);
        if !is_scheduled(&self.exchange_ends, ends) {
            problems.push("the order of exchange quotes is wrong".to_owned());
        }
    }
}
