//! Reads of cards and their lines, and the texts of names that a block registered.
//!
//! Cards and lines are state rows. Of a name the state keeps the text's hash only: whoever wants
//! the text gets it here as its block is applied, and keeps it.

use super::apply::EnvelopeOutcome;
use super::price_codec::{CARD_ROW_BYTES, PRICE_LINE_ROW_BYTES};
use super::price_rows::Card;
use super::query::rows_of;
use super::Kernel;
use crate::format::limits::RESULT_BYTES;
use crate::format::{kind, object_id, u16_at, BlockView, Code, Heads, Id16, RecordView, Records};

/// Which cards a list is of; `None` stands for any.
#[derive(Debug, Clone, Copy, Default)]
pub struct CardList {
    /// Whose drafts are in it, too. Published cards are everybody's.
    pub drafts_of: Option<Id16>,
    pub owner: Option<Id16>,
    /// One that it has lines for.
    pub model: Option<Id16>,
}

impl CardList {
    fn has(&self, card: &Card, owner: Id16) -> bool {
        let is_visible = card.life.is_published || self.drafts_of.is_none_or(|own| own == owner);
        let is_of = self.owner.is_none_or(|wanted| wanted == owner);
        let sells = |model| card.models.contains_key(&model);
        is_visible && is_of && self.model.is_none_or(sells)
    }
}

impl Kernel {
    /// Row of table 11 for each id of 16 bytes, all zero where there is none.
    pub fn card_rows(&self, ids: &[u8]) -> Vec<u8> {
        let cards = &self.state.cards;
        rows_of(ids, [0; CARD_ROW_BYTES], |id| {
            cards.find_row(id).map(|row| self.state.card_row(row))
        })
    }

    /// Rows of table 11 behind the id `after`: up to `limit`, ascending.
    pub fn card_list(&self, list: &CardList, after: Id16, limit: usize) -> Vec<u8> {
        let state = &self.state;
        let behind = state.cards.rows().filter(|card| card.id > after);
        let mut found: Vec<&Card> = behind
            .filter(|card| list.has(card, state.principals.get(card.owner).id))
            .collect();
        if found.len() > limit {
            found.select_nth_unstable_by_key(limit, |card| card.id);
            found.truncate(limit);
        }
        found.sort_unstable_by_key(|card| card.id);
        found.iter().flat_map(|card| state.card_row(card)).collect()
    }

    /// Rows of table 12 of a card, from line number `first` on: up to `limit`, in order; of one
    /// model if one is named.
    pub fn card_lines(&self, card: Id16, model: Option<Id16>, first: u32, limit: usize) -> Vec<u8> {
        let state = &self.state;
        let Some(card) = state.cards.find_row(card) else {
            return Vec::new();
        };
        let lines = card.lines.iter().map(|&slot| state.price_lines.get(slot));
        let mut rows = Vec::new();
        let wanted = lines
            .filter(|line| line.index >= first && model.is_none_or(|model| line.model == model));
        for line in wanted.take(limit) {
            let row: [u8; PRICE_LINE_ROW_BYTES] = state.price_line_row(line);
            rows.extend_from_slice(&row);
        }
        rows
    }

    /// The names that a block registered, which was just applied: 0 id (16), 16 owner (16), 32 u16
    /// kind, 34 u16 bytes of text, then the text.
    pub(super) fn names_of(
        &self,
        view: BlockView<'_>,
        envelopes: &[EnvelopeOutcome],
        results: &[u8],
    ) -> Vec<u8> {
        let mut names = Vec::new();
        for (envelope, outcome) in view.envelopes().zip(envelopes) {
            if outcome.code != Code::Ok {
                continue;
            }
            for (index, head, conts) in Heads::new(envelope.view) {
                let at = (envelope.first_record + index) as usize * RESULT_BYTES;
                if head.kind() == kind::NAME && u16_at(results, at) == Code::Ok as u16 {
                    let id = object_id(
                        &self.genesis.ledger_id,
                        &outcome.principal,
                        &outcome.envelope_id,
                        index,
                    );
                    push_name(&mut names, (id, outcome.principal), head, conts);
                }
            }
        }
        names
    }
}

fn push_name(names: &mut Vec<u8>, ids: (Id16, Id16), head: RecordView<'_>, conts: &[u8]) {
    let (id, owner) = ids;
    let length = usize::from(head.u16(8));
    names.extend_from_slice(&id);
    names.extend_from_slice(&owner);
    // Kind and length stand in the head as they do here.
    names.extend_from_slice(head.slice(6, 10));
    let end = names.len() + length;
    names.extend_from_slice(head.slice(16, 80));
    for cont in Records::new(conts) {
        names.extend_from_slice(cont.cont_payload());
    }
    names.truncate(end);
}
