//! What the tables of cards, price lines and terms of priced holds hold (format.md section 10).

use hashbrown::HashMap;

use super::table::{Row, Slot};
use crate::format::{Hash32, Id16, ZERO_ID};

pub const MINUTES_PER_DAY: u16 = 1_440;
const MINUTES_PER_WEEK: u64 = 7 * MINUTES_PER_DAY as u64;
const NS_PER_MINUTE: u64 = 60_000_000_000;
/// 1970-01-01 was a Thursday: three days into its week.
const EPOCH_MINUTE: u64 = 3 * MINUTES_PER_DAY as u64;
pub const ALL_DAYS: u8 = 0x7F;

/// Names that a list of a card or of a hold has room for.
pub const MAX_LENGTH_METERS: usize = 16;
pub const MAX_PERMITTED: usize = 4;

/// Flags of a line.
pub mod line_flag {
    pub const FREE: u16 = 4;
    pub const SAME_AS: u16 = 8;
    pub const ALL: u16 = FREE | SAME_AS;
}

/// (model, meter, tier, region): where a line is looked up.
pub type Place = (Id16, Id16, Id16, Id16);

/// What of a card changes after its draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardLife {
    /// 0 for a draft.
    pub published_at_ns: u64,
    /// 0 unless superseded.
    pub superseded_from_ns: u64,
    pub is_published: bool,
}

/// Table 11, with what is derived from table 12.
#[derive(Debug, Clone)]
pub struct Card {
    pub id: Id16,
    pub owner: Slot,
    pub unit: Slot,
    pub root: Hash32,
    pub supersedes: Id16,
    pub effective_from_ns: u64,
    pub created_at_ns: u64,
    pub line_count: u32,
    pub life: CardLife,
    /// Ascending.
    pub length_meters: Vec<Id16>,
    /// Slots of its lines, in order.
    pub lines: Vec<Slot>,
    /// The same, by place.
    pub places: HashMap<Place, Vec<Slot>>,
    /// How many lines a model has.
    pub models: HashMap<Id16, u32>,
}

/// A recurring part of the week, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start: u16,
    pub end: u16,
    pub weekdays: u8,
}

/// Table 12.
#[derive(Debug, Clone, Copy)]
pub struct PriceLine {
    pub id: Id16,
    pub card: Slot,
    pub index: u32,
    pub model: Id16,
    pub meter: Id16,
    pub tier: Id16,
    pub region: Id16,
    pub same_as: Id16,
    pub price: u128,
    pub leaf: Hash32,
    pub above: u64,
    pub flags: u16,
    pub window: Window,
}

/// What becomes of a charge above the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Overrun {
    Reject = 1,
    Cap = 2,
    Debt = 3,
}

/// Up to four names, ascending; unused ones are zero and come last.
pub type Permitted = [Id16; MAX_PERMITTED];

/// Table 14.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    pub hold: Id16,
    /// The card that prices it, or the quote.
    pub card: Id16,
    pub is_quote: bool,
    pub model: Id16,
    pub tiers: Permitted,
    pub regions: Permitted,
    pub end_user: Id16,
    pub overrun: Overrun,
    /// What may be charged above the maximum; not 0 with DEBT alone.
    pub debt_limit: u128,
    /// What was charged so far that the hold did not pay.
    pub beyond: u128,
}

impl Row for Card {
    type Key = Id16;

    fn key(&self) -> Id16 {
        self.id
    }
}

impl Row for PriceLine {
    type Key = Id16;

    fn key(&self) -> Id16 {
        self.id
    }
}

impl Row for Terms {
    type Key = Id16;

    fn key(&self) -> Id16 {
        self.hold
    }
}

impl Card {
    /// Whether a RESERVE at `t` may name it.
    pub fn is_effective(&self, t: u64) -> bool {
        let ends = self.life.superseded_from_ns;
        self.life.is_published && self.effective_from_ns <= t && (ends == 0 || t < ends)
    }
}

impl PriceLine {
    pub fn place(&self) -> Place {
        (self.model, self.meter, self.tier, self.region)
    }

    /// Whether both price the same minute of the same band, if they are of one place.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.above == other.above && self.window.overlaps(other.window)
    }
}

impl Overrun {
    pub fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Reject),
            2 => Some(Self::Cap),
            3 => Some(Self::Debt),
            _ => None,
        }
    }
}

impl Terms {
    /// Model and permitted regions, some of them zero.
    pub fn agreed(&self) -> (Id16, &[Id16]) {
        (self.model, &self.regions)
    }

    /// Whether this tier and this region may have been served; none where none is listed.
    pub fn permit(&self, tier: Id16, region: Id16) -> bool {
        permits(&self.tiers, tier) && permits(&self.regions, region)
    }

    /// The part of an amount that the hold is asked for.
    pub fn billed(&self, maximum: u128, amount: u128) -> u128 {
        match self.overrun {
            Overrun::Reject | Overrun::Debt => amount,
            Overrun::Cap => amount.min(maximum),
        }
    }
}

fn permits(list: &Permitted, name: Id16) -> bool {
    if list[0] == ZERO_ID {
        name == ZERO_ID
    } else {
        name != ZERO_ID && list.contains(&name)
    }
}

/// Whether ids ascend strictly, none is zero, and those behind the last are all zero.
pub fn is_ascending(ids: &[Id16]) -> bool {
    let count = ids
        .iter()
        .position(|&id| id == ZERO_ID)
        .unwrap_or(ids.len());
    let (used, rest) = ids.split_at(count);
    used.windows(2).all(|pair| pair[0] < pair[1]) && rest.iter().all(|&id| id == ZERO_ID)
}

/// The week's minute of an instant; 0 is Monday 00:00 UTC.
pub fn minute_of_week(at_ns: u64) -> u64 {
    (at_ns / NS_PER_MINUTE + EPOCH_MINUTE) % MINUTES_PER_WEEK
}

impl Window {
    pub fn is_valid(self) -> bool {
        let starts = self.start < MINUTES_PER_DAY;
        let ends = (1..=MINUTES_PER_DAY).contains(&self.end);
        starts && ends && (1..=ALL_DAYS).contains(&self.weekdays)
    }

    /// Minutes that it lasts: one that ends at or before its start crosses midnight.
    fn length(self) -> u64 {
        let day = u64::from(MINUTES_PER_DAY);
        (u64::from(self.end) + day - u64::from(self.start) - 1) % day + 1
    }

    fn starts(self) -> impl Iterator<Item = u64> {
        let is_day = move |day: &u64| self.weekdays >> day & 1 == 1;
        let day = u64::from(MINUTES_PER_DAY);
        (0..7)
            .filter(is_day)
            .map(move |number| number * day + u64::from(self.start))
    }

    pub fn covers(self, minute: u64) -> bool {
        let since = |start: u64| (minute + MINUTES_PER_WEEK - start) % MINUTES_PER_WEEK;
        self.starts().any(|start| since(start) < self.length())
    }

    /// Whether some minute lies in both: one then begins inside the other.
    pub fn overlaps(self, other: Self) -> bool {
        self.starts().any(|minute| other.covers(minute))
            || other.starts().any(|minute| self.covers(minute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: u16, end: u16, weekdays: u8) -> Window {
        Window {
            start,
            end,
            weekdays,
        }
    }

    #[test]
    fn the_epoch_was_a_thursday() {
        assert_eq!(minute_of_week(0), 3 * 1_440);
        assert_eq!(minute_of_week(4 * 86_400_000_000_000 - 1), 7 * 1_440 - 1);
        assert_eq!(minute_of_week(4 * 86_400_000_000_000), 0);
    }

    #[test]
    fn a_window_crosses_midnight_also_into_monday() {
        let night = window(23 * 60, 60, 1 << 6);
        assert!(night.covers(6 * 1_440 + 23 * 60) && night.covers(0) && night.covers(59));
        assert!(!night.covers(60) && !night.covers(23 * 60));
        assert!(night.overlaps(window(0, 1, 1)) && !night.overlaps(window(60, 61, 1)));
        assert!(window(0, 1_440, ALL_DAYS).covers(10_079));
    }
}
