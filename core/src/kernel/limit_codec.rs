//! Rows of tables 20 to 23 as bytes, there and back; and what must hold of them.

use std::collections::{BTreeMap, BTreeSet};

use super::debt;
use super::decode::{array, require, require_zero, Decoded, RowError};
use super::delegation::MAX_ANCESTORS;
use super::encode::{table, RowWriter, ROW_BYTES};
use super::invariants::is_scheduled;
use super::limit::{transitions_of, zone_id, MAX_TRANSITIONS, TRANSITION_BYTES};
use super::limit_rows::{target, window, Limit, LimitKey, Mark, Zone};
use super::rows::{scope, ChannelStatus, HoldStatus, Key};
use super::state::State;
use super::table::Slot;
use crate::format::{id16_at, u128_at, u16_at, u32_at, u64_at, Hash32, Id16, Key32, ZERO_ID};

pub const LIMIT_ROW_BYTES: usize = ROW_BYTES[table::LIMIT as usize];
pub const ZONE_ROW_BYTES: usize = ROW_BYTES[table::ZONE as usize];
const LINE_ROW_BYTES: usize = ROW_BYTES[table::LINE as usize];
const MARK_ROW_BYTES: usize = ROW_BYTES[table::MARK as usize];
/// Bytes of a limit's key.
pub const LIMIT_KEY_BYTES: usize = 56;
const NO_KEY: Key32 = [0; 32];

impl<const N: usize> RowWriter<N> {
    fn limit_key(self, key: &LimitKey) -> Self {
        self.u16(key.target)
            .u16(key.window)
            .skip(4)
            .put(&key.subject)
            .put(&key.unit)
    }
}

fn limit_key_at(row: &[u8], at: usize) -> Result<LimitKey, RowError> {
    require_zero(row, at + 4, at + 8)?;
    let key = LimitKey {
        target: u16_at(row, at),
        window: u16_at(row, at + 2),
        subject: array(row, at + 8),
        unit: id16_at(row, at + 40),
    };
    let of_payee = key.target == target::PAYEE;
    require(
        (target::KEY..=target::PAYEE).contains(&key.target)
            && (window::DAY..=window::HELD).contains(&key.window)
            && of_payee == (key.window == window::HELD),
        "no such kind of limit",
    )?;
    Ok(key)
}

impl State {
    pub fn limit_row(&self, key: &LimitKey, row: &Limit) -> [u8; LIMIT_ROW_BYTES] {
        RowWriter::new()
            .limit_key(key)
            .put(&row.zone)
            .u128(row.amount)
            .u128(row.used)
            .u64(row.since_ns)
            .u64(row.ends_at_ns)
            .done()
    }

    /// Of a key that is in a line.
    pub fn line_row(&self, row: &Key) -> [u8; LINE_ROW_BYTES] {
        let key_at = |slot: Slot, other: Key32| match slot {
            Slot::MAX => other,
            slot => self.keys.get(slot).key,
        };
        RowWriter::new()
            .put(&row.key)
            .put(&key_at(row.line, row.key))
            .put(&key_at(row.parent, NO_KEY))
            .done()
    }

    pub fn mark_row(&self, (pin, key): &(Id16, LimitKey), row: &Mark) -> [u8; MARK_ROW_BYTES] {
        RowWriter::new()
            .put(pin)
            .limit_key(key)
            .u64(row.since_ns)
            .u128(row.amount)
            .done()
    }

    pub fn zone_row(&self, id: &Id16, row: &Zone) -> [u8; ZONE_ROW_BYTES] {
        let writer = RowWriter::new()
            .put(id)
            .put(&row.name)
            .u64(row.from_ns)
            .u64(row.horizon_ns)
            .u32(row.version)
            .u32(row.first_offset)
            // At most 64.
            .u16(row.transitions.len() as u16)
            .skip(6);
        let written = row
            .transitions
            .iter()
            .fold(writer, |writer, &(at, offset)| writer.u64(at).u32(offset));
        let unused = MAX_TRANSITIONS - row.transitions.len();
        written.skip(unused * TRANSITION_BYTES).done()
    }

    pub fn decode_limit(&mut self, row: &[u8]) -> Decoded {
        let key = limit_key_at(row, 0)?;
        let unit = self.units.find(key.unit);
        let owner = self.limited_principal(&key)?;
        require(unit.is_some(), "a limit in a unit that is not there")?;
        let limit = Limit {
            owner,
            zone: id16_at(row, 56),
            amount: u128_at(row, 72),
            used: u128_at(row, 88),
            since_ns: u64_at(row, 104),
            ends_at_ns: u64_at(row, 112),
        };
        let has_days = matches!(key.window, window::DAY | window::MONTH);
        require(
            has_days || limit.zone == ZERO_ID,
            "a zone of a limit without days",
        )?;
        require(
            has_days == (limit.ends_at_ns != 0),
            "window and end of a limit contradict each other",
        )?;
        self.set_limit(key, Some(limit));
        Ok(())
    }

    /// Whose spending a limit bounds.
    fn limited_principal(&self, key: &LimitKey) -> Result<Slot, RowError> {
        let (first, second) = (id16_at(&key.subject, 0), id16_at(&key.subject, 16));
        let account = |id| self.accounts.find_row(id);
        let of_unit = |id| account(id).filter(|row| self.units.get(row.unit).id == key.unit);
        let owner = match key.target {
            target::KEY => {
                let key = self.keys.find_row(key.subject);
                key.filter(|key| key.scope == scope::SPEND)
                    .map(|key| key.principal)
            }
            target::PRINCIPAL if second == ZERO_ID => self.principals.find(first),
            target::ACCOUNT if second == ZERO_ID => of_unit(first).map(|row| row.owner),
            target::PAYEE if first != second && account(second).is_some() => {
                of_unit(first).map(|row| row.owner)
            }
            _ => None,
        };
        owner.ok_or_else(|| RowError("a limit of what is not there".to_owned()))
    }

    pub fn decode_line(&mut self, row: &[u8]) -> Decoded {
        let find = |at: usize| self.keys.find(array::<32>(row, at));
        let missing = || RowError("a line of a key that is not there".to_owned());
        let (key, line) = (find(0).ok_or_else(missing)?, find(32).ok_or_else(missing)?);
        let has_parent = row[64..96] != NO_KEY;
        let parent = match find(64) {
            None if has_parent => return Err(missing()),
            None => Slot::MAX,
            Some(parent) => parent,
        };
        require(
            (line == key) == has_parent,
            "a row of a line that says nothing",
        )?;
        let row = self.keys.get_mut(key);
        row.parent = parent;
        if line != key {
            row.line = line;
        }
        Ok(())
    }

    pub fn decode_mark(&mut self, row: &[u8]) -> Decoded {
        let (pin, key) = (id16_at(row, 0), limit_key_at(row, 16)?);
        let slot = self.holds.find(pin);
        let hold = slot.map(|slot| (slot, *self.holds.get(slot)));
        let channel = || self.channels.find_row(pin).map(|channel| channel.payer);
        let payer = hold.map(|(_, hold)| hold.payer).or_else(channel);
        let payer =
            payer.ok_or_else(|| RowError("a mark of a hold that is not there".to_owned()))?;
        let mark = Mark {
            since_ns: u64_at(row, 72),
            amount: u128_at(row, 80),
        };
        if let Some((slot, hold)) = hold.filter(|(_, hold)| hold.status != HoldStatus::Open) {
            self.in_grace.insert(hold.expires_at_ns, pin, slot);
        }
        self.set_mark(self.accounts.get(payer).owner, (pin, key), Some(mark));
        Ok(())
    }

    pub fn decode_zone(&mut self, row: &[u8], ledger_id: &Hash32) -> Decoded {
        let count = usize::from(u16_at(row, 72));
        require(count <= MAX_TRANSITIONS, "too many transitions of a zone")?;
        require_zero(row, 74, 80)?;
        let end = 80 + count * TRANSITION_BYTES;
        require_zero(row, end, ZONE_ROW_BYTES)?;
        let zone = Zone {
            name: array(row, 16),
            version: u32_at(row, 64),
            from_ns: u64_at(row, 48),
            horizon_ns: u64_at(row, 56),
            first_offset: u32_at(row, 68),
            transitions: transitions_of(&row[80..end]),
        };
        let id = id16_at(row, 0);
        require(
            zone.version > 0 && zone.is_right() && id == zone_id(ledger_id, &zone.name),
            "a zone that no rule lets be",
        )?;
        self.set_zone(id, Some(zone));
        Ok(())
    }

    /// Keys that have a row of table 21.
    pub fn line_count(&self) -> usize {
        self.keys.rows().filter(|key| key.is_in_line()).count()
    }

    pub fn verify_limits(&self, problems: &mut Vec<String>) {
        let mut problem = |holds: bool, what: &str| {
            if !holds {
                problems.push(what.to_owned());
            }
        };
        problem(self.are_lines_right(), "a line of keys is wrong");
        let mut marked: BTreeMap<LimitKey, Option<u128>> = BTreeMap::new();
        for ((pin, key), mark) in &self.marks {
            let rest = self.marked_rest(*pin);
            let fits = |rest| key.window != window::HELD || mark.amount <= rest;
            problem(
                rest.is_some_and(fits),
                "a mark of what does not pin so much",
            );
            let limit = self.limits.get(key);
            if limit.is_some_and(|limit| limit.since_ns == mark.since_ns) {
                let total = marked.entry(*key).or_insert(Some(0));
                *total = total.and_then(|total| total.checked_add(mark.amount));
            }
        }
        for (key, limit) in &self.limits {
            let marked = marked.get(key).copied().unwrap_or(Some(0));
            let is_held = key.window == window::HELD;
            let counts = |total: u128| total <= limit.used && (!is_held || total == limit.used);
            problem(
                marked.is_some_and(counts) && self.is_past(limit.since_ns),
                "a limit has not counted what is marked",
            );
            let has_zone = limit.zone == ZERO_ID || self.zones.contains_key(&limit.zone);
            problem(has_zone, "a limit in a zone that is not there");
            let of_first = key.target != target::KEY
                || self
                    .keys
                    .find_row(key.subject)
                    .is_some_and(|row| row.line == Slot::MAX);
            problem(
                of_first,
                "a limit of a key that is not the first of its line",
            );
        }
        let marked = self.marks.keys().filter_map(|(pin, _)| {
            let hold = self.holds.find_row(*pin)?;
            (hold.status != HoldStatus::Open).then_some((*pin, hold.expires_at_ns))
        });
        let in_grace: BTreeMap<Id16, u64> = marked.collect();
        problem(
            is_scheduled(&self.in_grace, in_grace.into_values()),
            "the order of holds that expired on debt is wrong",
        );
        let owners = self.limits.iter().map(|(key, row)| (row.owner, *key));
        problem(
            owners.collect::<BTreeSet<_>>() == self.limit_owners,
            "the owners of the limits are wrong",
        );
    }

    /// What a hold or channel that may be marked still holds.
    fn marked_rest(&self, pin: Id16) -> Option<u128> {
        if let Some(hold) = self.holds.find_row(pin) {
            return match hold.status {
                HoldStatus::Open => Some(hold.maximum.saturating_sub(hold.captured)),
                _ => debt::may_come_late(hold, self.terms_of(hold)).then_some(0),
            };
        }
        let channel = self.channels.find_row(pin)?;
        let is_open = channel.status != ChannelStatus::Closed;
        is_open.then(|| channel.deposit.saturating_sub(channel.paid))
    }

    /// Lines and what is above them are SPEND keys of one principal, first keys, and not too many.
    fn are_lines_right(&self) -> bool {
        self.keys.rows().all(|key| {
            let mut above = [key.line, key.parent].into_iter();
            let is_fitting = above.all(|slot| {
                slot == Slot::MAX || {
                    let other = self.keys.get(slot);
                    let is_first = other.line == Slot::MAX;
                    is_first && other.principal == key.principal && other.scope == scope::SPEND
                }
            });
            let is_spend = !key.is_in_line() || key.scope == scope::SPEND;
            let has_one = key.line == Slot::MAX || key.parent == Slot::MAX;
            let mut line = key.parent;
            let mut lines = 0;
            while line != Slot::MAX && lines <= MAX_ANCESTORS {
                line = self.keys.get(line).parent;
                lines += 1;
            }
            is_fitting && is_spend && has_one && lines <= MAX_ANCESTORS
        })
    }
}
