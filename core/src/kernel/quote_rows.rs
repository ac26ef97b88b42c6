//! Table 13: quotes that were redeemed, their rows as bytes and back, and when they are forgotten.

use super::decode::{require, require_zero, Decoded, RowError};
use super::encode::{table, RowWriter, ROW_BYTES};
use super::price_rows::Place;
use super::quote::{line_of, LINE_BYTES};
use super::state::State;
use super::sweep::{is_past, MAX_PRUNED};
use super::table::{Row, Slot};
use crate::format::limits::MAX_QUOTE_LINES;
use crate::format::{id16_at, u128_at, u16_at, u64_at, Genesis, Id16, ZERO_ID};

pub const QUOTE_ROW_BYTES: usize = ROW_BYTES[table::QUOTE as usize];
const LINES_AT: usize = 112;

/// A price of a quote.
#[derive(Debug, Clone, Copy)]
pub struct QuoteLine {
    /// Tier and region may be zero, for ANY.
    pub place: Place,
    pub price: u128,
}

/// Table 13.
#[derive(Debug, Clone)]
pub struct Quote {
    pub id: Id16,
    /// Whose key has signed it.
    pub provider: Slot,
    /// The only principal that may redeem it.
    pub beneficiary: Slot,
    pub unit: Slot,
    pub cap: u128,
    /// What was agreed under it so far.
    pub agreed: u128,
    pub not_after_ns: u64,
    /// Ascending by place.
    pub lines: Vec<QuoteLine>,
}

impl Row for Quote {
    type Key = Id16;

    fn key(&self) -> Id16 {
        self.id
    }
}

impl Quote {
    pub fn has_model(&self, model: Id16) -> bool {
        self.lines.iter().any(|line| line.place.0 == model)
    }

    pub fn price_at(&self, place: &Place) -> Option<u128> {
        let at = self.lines.binary_search_by_key(place, |line| line.place);
        at.ok().map(|at| self.lines[at].price)
    }
}

impl State {
    pub fn quote_row(&self, row: &Quote) -> [u8; QUOTE_ROW_BYTES] {
        let mut writer = RowWriter::new()
            .put(&row.id)
            .put(&self.principals.get(row.provider).id)
            .put(&self.principals.get(row.beneficiary).id)
            .put(&self.units.get(row.unit).id)
            .u128(row.cap)
            .u128(row.agreed)
            .u64(row.not_after_ns)
            // At most 16.
            .u16(row.lines.len() as u16)
            .skip(6);
        for line in &row.lines {
            let (model, meter, tier, region) = &line.place;
            writer = writer.put(model).put(meter).put(tier).put(region);
            writer = writer.u128(line.price);
        }
        let unused = MAX_QUOTE_LINES - row.lines.len();
        writer.skip(LINE_BYTES * unused).done()
    }

    pub(super) fn decode_quote(&mut self, row: &[u8]) -> Decoded {
        let count = usize::from(u16_at(row, 104));
        let is_count = (1..=MAX_QUOTE_LINES).contains(&count);
        require(is_count, "a quote of no or too many lines")?;
        let end = LINES_AT + LINE_BYTES * count;
        require_zero(row, 106, LINES_AT)?;
        require_zero(row, end, row.len())?;
        let unit = self.units.find(id16_at(row, 48));
        let quote = Quote {
            id: id16_at(row, 0),
            provider: self.principal_at(row, 16)?,
            beneficiary: self.principal_at(row, 32)?,
            unit: unit.ok_or_else(|| RowError("a quote in no unit".to_owned()))?,
            cap: u128_at(row, 64),
            agreed: u128_at(row, 80),
            not_after_ns: u64_at(row, 96),
            lines: row[LINES_AT..end]
                .chunks_exact(LINE_BYTES)
                .map(line_of)
                .collect(),
        };
        let lines = &quote.lines;
        let is_ordered = lines.windows(2).all(|pair| pair[0].place < pair[1].place);
        let are_priced = lines
            .iter()
            .all(|line| line.price != 0 && line.place.0 != ZERO_ID && line.place.1 != ZERO_ID);
        require(
            is_ordered && are_priced && quote.agreed > 0 && quote.agreed <= quote.cap,
            "a quote that no rule lets be",
        )?;
        self.enter_quote(quote);
        Ok(())
    }

    /// Those that no hold can need any more.
    pub fn prune_quotes(&mut self, genesis: &Genesis, t0: u64) {
        let (lifetime_ns, retention_ns) = (genesis.hold_max_lifetime_ns, genesis.hold_retention_ns);
        for _ in 0..MAX_PRUNED {
            match self.quote_ends.first() {
                Some(slot) if is_past(self.quote_ends.next_ns(), lifetime_ns, retention_ns, t0) => {
                    self.remove_quote(slot);
                }
                _ => return,
            }
        }
    }

    /// What is wrong with quotes beside their counts.
    pub fn verify_quotes(&self, problems: &mut Vec<String>) {
        let is_within = |row: &Quote| row.agreed > 0 && row.agreed <= row.cap;
        if !self.quotes.rows().all(is_within) {
            problems.push("more was agreed under a quote than its cap".to_owned());
        }
        let ends = self.quotes.rows().map(|row| row.not_after_ns);
        if !super::invariants::is_scheduled(&self.quote_ends, ends) {
            problems.push("the order of quotes is wrong".to_owned());
        }
    }
}
