//! Rows of cards, price lines and terms, as bytes and back (format.md section 10).

use super::debt;
use super::decode::{array, require, require_zero, Decoded, RowError};
use super::encode::{table, RowWriter, ROW_BYTES};
use super::price_rows::{
    is_ascending, line_flag, Card, CardLife, Overrun, Permitted, PriceLine, Terms, Window,
    MAX_LENGTH_METERS,
};
use super::state::State;
use super::table::Slot;
use crate::format::{id16_at, u128_at, u16_at, u32_at, u64_at, Id16, ZERO_ID};

pub const CARD_ROW_BYTES: usize = ROW_BYTES[table::CARD as usize];
pub const PRICE_LINE_ROW_BYTES: usize = ROW_BYTES[table::PRICE_LINE as usize];
pub const TERMS_ROW_BYTES: usize = ROW_BYTES[table::TERMS as usize];

impl State {
    pub fn card_row(&self, row: &Card) -> [u8; CARD_ROW_BYTES] {
        let mut writer = RowWriter::new()
            .put(&row.id)
            .put(&self.principals.get(row.owner).id)
            .put(&self.units.get(row.unit).id)
            .put(&row.root)
            .put(&row.supersedes)
            .u64(row.effective_from_ns)
            .u64(row.created_at_ns)
            .u64(row.life.published_at_ns)
            .u64(row.life.superseded_from_ns)
            .u32(row.line_count)
            .u16(if row.life.is_published { 2 } else { 1 })
            // At most 16.
            .u16(row.length_meters.len() as u16);
        for meter in &row.length_meters {
            writer = writer.put(meter);
        }
        let unused = MAX_LENGTH_METERS - row.length_meters.len();
        writer.skip(16 * unused).done()
    }

    pub fn price_line_row(&self, row: &PriceLine) -> [u8; PRICE_LINE_ROW_BYTES] {
        RowWriter::new()
            .put(&row.id)
            .put(&self.cards.get(row.card).id)
            .put(&row.model)
            .put(&row.meter)
            .put(&row.tier)
            .put(&row.region)
            .put(&row.same_as)
            .u128(row.price)
            .put(&row.leaf)
            .u64(row.above)
            .u32(row.index)
            .u16(row.flags)
            .u16(row.window.start)
            .u16(row.window.end)
            .put(&[row.window.weekdays])
            .skip(5)
            .done()
    }

    pub fn terms_row(&self, row: &Terms) -> [u8; TERMS_ROW_BYTES] {
        RowWriter::new()
            .put(&row.hold)
            .put(&row.card)
            .put(&row.model)
            .put(row.tiers.as_flattened())
            .put(row.regions.as_flattened())
            .put(&row.end_user)
            .u16(row.overrun as u16)
            .skip(6)
            .u128(row.debt_limit)
            .u128(row.beyond)
            .done()
    }

    pub(super) fn decode_card(&mut self, row: &[u8]) -> Decoded {
        let (status, count) = (u16_at(row, 132), usize::from(u16_at(row, 134)));
        require(matches!(status, 1 | 2), "unknown status of a card")?;
        require(count <= MAX_LENGTH_METERS, "a card with too many meters")?;
        let end = 136 + 16 * count;
        require_zero(row, end, row.len())?;
        let meters = row[136..end].chunks_exact(16);
        let length_meters: Vec<Id16> = meters.map(|id| id16_at(id, 0)).collect();
        let are_listed = is_ascending(&length_meters) && !length_meters.contains(&ZERO_ID);
        require(are_listed, "meters of a card are not ascending")?;
        let unit = self.units.find(id16_at(row, 32));
        let card = Card {
            id: id16_at(row, 0),
            owner: self.principal_at(row, 16)?,
            unit: unit.ok_or_else(|| RowError("a card of a unit that is not there".to_owned()))?,
            root: array(row, 48),
            supersedes: id16_at(row, 80),
            effective_from_ns: u64_at(row, 96),
            created_at_ns: u64_at(row, 104),
            line_count: u32_at(row, 128),
            life: CardLife {
                published_at_ns: u64_at(row, 112),
                superseded_from_ns: u64_at(row, 120),
                is_published: status == 2,
            },
            length_meters,
            lines: Vec::new(),
            places: hashbrown::HashMap::new(),
            models: hashbrown::HashMap::new(),
        };
        require(
            (1..=4_096).contains(&card.line_count),
            "a card of impossible length",
        )?;
        self.insert_card(card);
        Ok(())
    }

    pub(super) fn decode_price_line(&self, row: &[u8], lines: &mut Vec<PriceLine>) -> Decoded {
        let card = self.cards.find(id16_at(row, 16));
        let line = PriceLine {
            id: id16_at(row, 0),
            card: card.ok_or_else(|| RowError("a line of a card that is not there".to_owned()))?,
            index: u32_at(row, 168),
            model: id16_at(row, 32),
            meter: id16_at(row, 48),
            tier: id16_at(row, 64),
            region: id16_at(row, 80),
            same_as: id16_at(row, 96),
            price: u128_at(row, 112),
            leaf: array(row, 128),
            above: u64_at(row, 160),
            flags: u16_at(row, 172),
            window: Window {
                start: u16_at(row, 174),
                end: u16_at(row, 176),
                weekdays: row[178],
            },
        };
        require_zero(row, 179, 184)?;
        let follows = line.flags & line_flag::SAME_AS != 0;
        require(
            line.flags & !line_flag::ALL == 0
                && line.flags != line_flag::ALL
                && follows == (line.same_as != ZERO_ID)
                && (line.flags == 0) == (line.price != 0)
                && line.window.is_valid(),
            "a price line that no rule lets be",
        )?;
        lines.push(line);
        Ok(())
    }

    /// Enters the lines into their cards, in the cards' order.
    pub(super) fn finish_price_lines(&mut self, mut lines: Vec<PriceLine>) -> Decoded {
        lines.sort_unstable_by_key(|line| (line.card, line.index));
        for line in lines {
            let expected = self.cards.get(line.card).lines.len() as u32;
            require(
                line.index == expected,
                "a card lacks a line, or has one twice",
            )?;
            self.insert_price_line(line);
        }
        Ok(())
    }

    /// `priced`: holds without their terms so far, ascending, as the terms are.
    pub(super) fn decode_terms(&mut self, row: &[u8], priced: &mut Vec<(Id16, bool)>) -> Decoded {
        let overrun = Overrun::from_number(u16_at(row, 192))
            .ok_or_else(|| RowError("terms of an unknown overrun policy".to_owned()))?;
        let permitted = |at| -> Permitted { std::array::from_fn(|n| id16_at(row, at + 16 * n)) };
        let terms = Terms {
            hold: id16_at(row, 0),
            card: id16_at(row, 16),
            is_quote: false,
            model: id16_at(row, 32),
            tiers: permitted(48),
            regions: permitted(112),
            end_user: id16_at(row, 176),
            overrun,
            debt_limit: u128_at(row, 200),
            beyond: u128_at(row, 216),
        };
        require_zero(row, 194, 200)?;
        let is_debt = overrun == Overrun::Debt;
        require(
            is_debt == (terms.debt_limit > 0) && (is_debt || terms.beyond == 0),
            "a debt that no payer has signed for",
        )?;
        let are_lists = is_ascending(&terms.tiers) && is_ascending(&terms.regions);
        require(are_lists, "names in the terms of a hold are not ascending")?;
        let at = priced.binary_search_by_key(&terms.hold, |(hold, _)| *hold);
        let at = at.map_err(|_| RowError("terms of no priced hold".to_owned()))?;
        let (_, is_quote) = priced.remove(at);
        let terms = Terms { is_quote, ..terms };
        let slot = self.insert_terms(terms);
        let hold: Option<Slot> = self.holds.find(terms.hold);
        let hold = hold.ok_or_else(|| RowError("terms of no hold".to_owned()))?;
        self.holds.get_mut(hold).terms = slot;
        self.require_card_of(hold, &terms)
    }

    /// A hold that is not due, or may still be captured late, has its card or quote.
    fn require_card_of(&self, hold: Slot, terms: &Terms) -> Decoded {
        let hold = self.holds.get(hold);
        let now_ns = self.min_next_timestamp_ns;
        let is_open = hold.ended_at_ns == 0 && hold.expires_at_ns >= now_ns;
        let grace_ns = self.card_memory.grace_ns();
        let may_pay = is_open || debt::is_late_payable(hold, Some(terms), grace_ns, now_ns);
        let card = self.cards.find_row(terms.card);
        let has_prices = if terms.is_quote {
            self.quotes.find(terms.card).is_some()
        } else {
            card.is_some_and(|card| card.life.is_published)
        };
        require(!may_pay || has_prices, "an open hold without its prices")
    }
}
