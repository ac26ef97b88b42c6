//! Changes of cards, price lines and terms of holds, and of what is derived from them.

use super::debt;
use super::journal::Undo;
use super::price_rows::{Card, CardLife, PriceLine, Terms};
use super::schedule::NEVER;
use super::state::{broken, State};
use super::sweep::MAX_PRUNED;
use super::table::Slot;
use crate::format::Genesis;

/// A draft that was not published so long is forgotten.
const DRAFT_LIFETIME_NS: u64 = 86_400_000_000_000;

/// How long a superseded card is remembered: until no hold can need it.
#[derive(Debug, Clone, Copy, Default)]
pub struct CardMemory {
    superseded_ns: u64,
    /// How long after its expiry a hold may still need its card.
    grace_ns: u64,
}

impl CardMemory {
    pub fn of(genesis: &Genesis) -> Self {
        let lifetime_ns = genesis.hold_max_lifetime_ns;
        Self {
            superseded_ns: lifetime_ns.saturating_add(genesis.hold_retention_ns),
            grace_ns: debt::grace_ns(genesis),
        }
    }

    pub fn grace_ns(self) -> u64 {
        self.grace_ns
    }

    /// After which moment a card is forgotten; none for one that is in force for good. A moment
    /// that does not fit never comes.
    fn forgotten_after(self, card: &Card) -> Option<u64> {
        let life = card.life;
        let after = if !life.is_published {
            card.created_at_ns.saturating_add(DRAFT_LIFETIME_NS)
        } else if life.superseded_from_ns != 0 {
            life.superseded_from_ns.saturating_add(self.superseded_ns)
        } else {
            NEVER
        };
        (after != NEVER).then_some(after)
    }
}

impl State {
    pub fn insert_card(&mut self, card: Card) -> Slot {
        let owner = card.owner;
        let slot = self.cards.insert(card);
        self.principals.get_mut(owner).card_count += 1;
        self.schedule_card(slot);
        self.journal.note(|| Undo::CardInserted(slot));
        slot
    }

    /// Publishes or supersedes a card.
    pub fn change_card(&mut self, slot: Slot, life: CardLife) {
        let before = self.cards.get(slot).life;
        self.journal.note(|| Undo::CardChanged(slot, before));
        self.rewrite_card(slot, life);
    }

    /// As `change_card`, in any direction and without a note.
    pub fn rewrite_card(&mut self, slot: Slot, life: CardLife) {
        self.unschedule_card(slot);
        self.cards.get_mut(slot).life = life;
        self.schedule_card(slot);
    }

    /// Adds a line at the end of its card.
    pub fn insert_price_line(&mut self, line: PriceLine) {
        let slot = self.price_lines.insert(line);
        let card = self.cards.get_mut(line.card);
        card.lines.push(slot);
        card.places.entry(line.place()).or_default().push(slot);
        *card.models.entry(line.model).or_default() += 1;
        let owner = card.owner;
        self.principals.get_mut(owner).line_count += 1;
        self.journal.note(|| Undo::PriceLineInserted(slot));
    }

    /// Takes the line that was inserted last out again.
    pub fn take_back_price_line(&mut self, slot: Slot) {
        let line = *self.price_lines.get(slot);
        let card = self.cards.get_mut(line.card);
        if card.lines.pop() != Some(slot) {
            broken("the last line of a card is not the one to take back");
        }
        if let Some(lines) = card.places.get_mut(&line.place()) {
            lines.pop();
            if lines.is_empty() {
                card.places.remove(&line.place());
            }
        }
        if let Some(count) = card.models.get_mut(&line.model) {
            *count -= 1;
            if *count == 0 {
                card.models.remove(&line.model);
            }
        }
        let owner = card.owner;
        self.principals.get_mut(owner).line_count -= 1;
        self.price_lines.remove(slot);
    }

    /// Takes a card that was drafted last out again; its lines are gone.
    pub fn take_back_card(&mut self, slot: Slot) {
        self.unschedule_card(slot);
        let owner = self.cards.get(slot).owner;
        self.principals.get_mut(owner).card_count -= 1;
        self.cards.remove(slot);
    }

    pub fn insert_terms(&mut self, terms: Terms) -> Slot {
        self.terms.insert(terms)
    }

    fn schedule_card(&mut self, slot: Slot) {
        let card = self.cards.get(slot);
        if let Some(after_ns) = self.card_memory.forgotten_after(card) {
            self.forgettable.insert(after_ns, card.id, slot);
        }
    }

    fn unschedule_card(&mut self, slot: Slot) {
        let card = self.cards.get(slot);
        if let Some(after_ns) = self.card_memory.forgotten_after(card) {
            self.forgettable.remove(after_ns, card.id);
        }
    }

    /// Drafts that were not published in time, and superseded cards that no hold can need.
    pub fn prune_cards(&mut self, t0: u64) {
        let mut removed = 0;
        while removed < MAX_PRUNED && self.forgettable.next_ns() < t0 {
            let Some(slot) = self.forgettable.first() else {
                return;
            };
            self.unschedule_card(slot);
            let card = self.cards.get_mut(slot);
            let lines = std::mem::take(&mut card.lines);
            // What a freed slot keeps is little.
            card.places = hashbrown::HashMap::new();
            card.models = hashbrown::HashMap::new();
            let owner = card.owner;
            let principal = self.principals.get_mut(owner);
            principal.card_count -= 1;
            // At most 4,096.
            principal.line_count -= lines.len() as u32;
            for &line in &lines {
                self.price_lines.remove(line);
            }
            self.cards.remove(slot);
            removed += 1 + lines.len();
        }
    }

    /// What is wrong with cards, lines and terms beside their rows.
    pub fn verify_prices(&self, problems: &mut Vec<String>) {
        let mut lines = 0;
        for slot in self.cards.slots() {
            let card = self.cards.get(slot);
            lines += card.lines.len();
            let indexed: usize = card.places.values().map(Vec::len).sum();
            let models: u32 = card.models.values().sum();
            let is_whole = !card.life.is_published || card.lines.len() == card.line_count as usize;
            let has_room = card.lines.len() <= card.line_count as usize;
            if !is_whole || !has_room || indexed != card.lines.len() || models as usize != indexed {
                problems.push("the lines of a card are not those that it has".to_owned());
            }
            let are_in_order = (0_u32..).zip(&card.lines).all(|(index, &line)| {
                let line = self.price_lines.get(line);
                line.index == index && line.card == slot
            });
            if !are_in_order {
                problems.push("the lines of a card are not in order".to_owned());
            }
            let life = card.life;
            if life.is_published != (life.published_at_ns != 0)
                || (life.superseded_from_ns != 0 && !life.is_published)
            {
                problems.push("status and times of a card contradict each other".to_owned());
            }
            if !self.is_past(card.created_at_ns) || !self.is_past_or_zero(life.published_at_ns) {
                problems.push("a card was made in the future".to_owned());
            }
            if card.places.values().any(|slots| self.have_overlap(slots)) {
                problems.push("two lines of a card overlap".to_owned());
            }
        }
        if lines != self.price_lines.len() {
            problems.push("a price line without a card".to_owned());
        }
        let priced = self.holds.rows().filter(|hold| hold.terms != Slot::MAX);
        let fitting = priced.filter(|hold| self.terms.find(hold.id) == Some(hold.terms));
        if fitting.count() != self.terms.len() {
            problems.push("terms without a hold, or a hold without its terms".to_owned());
        }
    }

    fn is_past_or_zero(&self, moment_ns: u64) -> bool {
        moment_ns == 0 || self.is_past(moment_ns)
    }

    fn have_overlap(&self, slots: &[Slot]) -> bool {
        let lines = || slots.iter().map(|&slot| self.price_lines.get(slot));
        lines()
            .enumerate()
            .any(|(at, line)| lines().skip(at + 1).any(|other| line.overlaps(other)))
    }
}
