//! Rows of tables 26 to 29, there and back (format.md section 10).

use super::decode::{require, require_zero, Decoded, RowError};
use super::encode::{table, write_row, RowWriter, ROW_BYTES};
use super::netting_state::{ClosedWindow, Member, Netting, Pair, SettledWindow, Side};
use super::state::State;
use super::table::Slot;
use crate::format::limits::{MAX_DEBIT, MAX_MEMBERS};
use crate::format::{id16_at, u128_at, u16_at, u64_at, Id16};

const DEFERRED_UNIT_BYTES: usize = ROW_BYTES[table::DEFERRED_UNIT as usize];
const MEMBER_BYTES: usize = ROW_BYTES[table::MEMBER as usize];
const WINDOW_BYTES: usize = ROW_BYTES[table::WINDOW as usize];
const PAIR_BYTES: usize = ROW_BYTES[table::PAIR as usize];
/// Statuses in their rows.
const JOINED: u16 = 1;
const FAILED: u16 = 2;
const CLOSED: u16 = 1;
const SETTLED: u16 = 2;

fn wrong(why: &str) -> RowError {
    RowError(why.to_owned())
}

impl State {
    /// Deferred units, ascending by id.
    fn sorted_netting(&self) -> Vec<(Id16, &Netting)> {
        let units = self.netting.iter();
        let mut units: Vec<_> = units
            .map(|(&unit, netting)| (self.units.get(unit).id, netting))
            .collect();
        units.sort_unstable_by_key(|&(id, _)| id);
        units
    }

    pub fn deferred_unit_row(&self, unit: Id16, row: &Netting) -> [u8; DEFERRED_UNIT_BYTES] {
        RowWriter::new()
            .put(&unit)
            .put(&self.units.get(row.settlement).id)
            .u64(row.open_window)
            .u64(row.opened_at)
            .done()
    }

    pub fn member_row(&self, account: Slot, row: &Member) -> [u8; MEMBER_BYTES] {
        RowWriter::new()
            .put(&self.accounts.get(account).id)
            .put(&self.accounts.get(row.settlement).id)
            .u128(row.maximum)
            .u16(if row.has_failed { FAILED } else { JOINED })
            .skip(6)
            .done()
    }

    /// Rows of the windows of a unit that are not open, ascending.
    pub fn window_rows(&self, unit: Id16, row: &Netting) -> Vec<[u8; WINDOW_BYTES]> {
        let writer = |number| RowWriter::new().put(&unit).u64(number);
        let settled = row.settled.iter().map(|window| {
            writer(window.number)
                .u16(SETTLED)
                .skip(6)
                .u64(window.closed_at_ns)
                .u64(window.settled_at_ns)
                .u128(window.gross)
                .u128(window.moved)
                .done()
        });
        let closed = row.closed.iter().map(|window| {
            writer(row.open_window - 1)
                .u16(CLOSED)
                .skip(6)
                .u64(window.closed_at_ns)
                .skip(40)
                .done()
        });
        settled.chain(closed).collect()
    }

    /// Rows of the pairs of a unit of which `wanted` is true, ascending.
    pub fn pair_rows(
        &self,
        unit: Id16,
        row: &Netting,
        wanted: impl Fn(Pair) -> bool,
    ) -> Vec<[u8; PAIR_BYTES]> {
        let closed = row.closed.iter().flat_map(|closed| &closed.pairs);
        let closed = closed.map(|(&pair, &amount)| (row.open_window - 1, pair, amount));
        let open = row.open.iter();
        let open = open.map(|(&pair, &amount)| (row.open_window, pair, amount));
        let mut rows: Vec<_> = closed
            .chain(open)
            .filter(|&(_, pair, _)| wanted(pair))
            .map(|(window, (debtor, creditor), amount)| {
                let id = |slot| self.accounts.get(slot).id;
                (window, id(debtor), id(creditor), amount)
            })
            .collect();
        rows.sort_unstable();
        let write = |(window, debtor, creditor, amount): (u64, Id16, Id16, u128)| {
            RowWriter::new()
                .put(&unit)
                .u64(window)
                .put(&debtor)
                .put(&creditor)
                .u128(amount)
                .done()
        };
        rows.into_iter().map(write).collect()
    }

    pub fn write_netting(&self, sink: &mut impl FnMut(&[u8])) {
        let units = self.sorted_netting();
        for &(id, row) in &units {
            write_row(sink, table::DEFERRED_UNIT, &self.deferred_unit_row(id, row));
        }
        let members = units.iter().flat_map(|(_, row)| &row.members);
        let mut members: Vec<_> = members
            .map(|(&slot, member)| self.member_row(slot, member))
            .collect();
        members.sort_unstable();
        for row in &members {
            write_row(sink, table::MEMBER, row);
        }
        for &(id, row) in &units {
            for window in self.window_rows(id, row) {
                write_row(sink, table::WINDOW, &window);
            }
        }
        for &(id, row) in &units {
            for pair in self.pair_rows(id, row, |_| true) {
                write_row(sink, table::PAIR, &pair);
            }
        }
    }

    /// How many rows tables 26 to 29 have.
    pub fn netting_counts(&self) -> [usize; 4] {
        let mut counts = [self.netting.len(), 0, 0, 0];
        for row in self.netting.values() {
            let closed = row.closed.as_ref();
            counts[1] += row.members.len();
            counts[2] += row.settled.len() + usize::from(closed.is_some());
            counts[3] += row.open.len() + closed.map_or(0, |closed| closed.pairs.len());
        }
        counts
    }

    fn unit_at(&self, row: &[u8], offset: usize) -> Result<Slot, RowError> {
        let unit = self.units.find(id16_at(row, offset));
        unit.ok_or_else(|| wrong("a row names a unit that is not there"))
    }

    fn netting_at(&mut self, row: &[u8]) -> Result<&mut Netting, RowError> {
        let unit = self.unit_at(row, 0)?;
        let netting = self.netting.get_mut(&unit);
        netting.ok_or_else(|| wrong("a row of a unit that is not deferred"))
    }

    pub fn decode_deferred_unit(&mut self, row: &[u8]) -> Decoded {
        let (unit, settlement) = (self.unit_at(row, 0)?, self.unit_at(row, 16)?);
        let netting = Netting::new(settlement, u64_at(row, 32), u64_at(row, 40));
        let exponent = |slot| self.units.get(slot).exponent;
        require(
            unit != settlement && exponent(unit) == exponent(settlement),
            "a deferred unit is settled in one that does not fit",
        )?;
        require(
            netting.open_window > 0 && netting.open_window < u64::MAX && netting.opened_at > 0,
            "windows and sequence numbers start at 1",
        )?;
        self.netting.insert(unit, netting);
        Ok(())
    }

    pub fn decode_member(&mut self, row: &[u8]) -> Decoded {
        let (slot, status) = (self.account_at(row, 0)?, u16_at(row, 48));
        let member = Member {
            settlement: self.account_at(row, 16)?,
            maximum: u128_at(row, 32),
            has_failed: status == FAILED,
        };
        require(
            matches!(status, JOINED | FAILED),
            "unknown status of a member",
        )?;
        require_zero(row, 50, 56)?;
        require(
            member.maximum <= MAX_DEBIT && (!member.has_failed || member.maximum == 0),
            "impossible maximum debit of a member",
        )?;
        let unit = self.accounts.get(slot).unit;
        let netting = self.netting.get_mut(&unit);
        let netting = netting.ok_or_else(|| wrong("a member of a unit that is not deferred"))?;
        netting.members.insert(slot, member);
        require(netting.members.len() <= MAX_MEMBERS, "too many members")
    }

    pub fn decode_window(&mut self, row: &[u8]) -> Decoded {
        let (number, status) = (u64_at(row, 16), u16_at(row, 24));
        let window = SettledWindow {
            number,
            closed_at_ns: u64_at(row, 32),
            settled_at_ns: u64_at(row, 40),
            gross: u128_at(row, 48),
            moved: u128_at(row, 64),
        };
        require(
            matches!(status, CLOSED | SETTLED),
            "unknown status of a window",
        )?;
        require_zero(row, 26, 32)?;
        let netting = self.netting_at(row)?;
        require(
            number > 0 && number < netting.open_window && netting.closed.is_none(),
            "a window that is not before the open one",
        )?;
        if status == SETTLED {
            netting.settled.push_back(window);
            return Ok(());
        }
        require_zero(row, 40, 80)?;
        require(
            number + 1 == netting.open_window,
            "a closed window that is not the last",
        )?;
        netting.closed = Some(ClosedWindow {
            closed_at_ns: window.closed_at_ns,
            pairs: hashbrown::HashMap::new(),
            positions: Vec::new(),
        });
        Ok(())
    }

    pub fn decode_pair(&mut self, row: &[u8]) -> Decoded {
        let (number, amount) = (u64_at(row, 16), u128_at(row, 56));
        let pair = (self.account_at(row, 24)?, self.account_at(row, 40)?);
        let unit = self.unit_at(row, 0)?;
        let netting = self.netting_at(row)?;
        let side = match (number, &netting.closed) {
            (number, _) if number == netting.open_window => Side::Open,
            (number, Some(_)) if number + 1 == netting.open_window => Side::Closed,
            _ => return Err(wrong("a pair of no window that has any")),
        };
        require(amount > 0, "a pair of nothing")?;
        let members = &netting.members;
        require(
            members.contains_key(&pair.0) && members.contains_key(&pair.1),
            "a pair of a deferred unit is none of its members",
        )?;
        self.rewrite_pair(unit, side, pair, amount);
        Ok(())
    }

    /// Once all pairs are there: what they come to. Wrong sums are refused here already, since
    /// nothing else may add them up before.
    pub fn finish_netting(&mut self) -> Decoded {
        let units: Vec<Slot> = self.netting.keys().copied().collect();
        for unit in units {
            let netting = self.netting_of(unit);
            let closed = netting.closed.iter().flat_map(|closed| &closed.pairs);
            let pairs = netting.open.iter().chain(closed);
            require(self.do_sums_fit(pairs), "pairs leave u128")?;
            let Some(closed) = &netting.closed else {
                continue;
            };
            let pairs = closed.pairs.iter().map(|(&pair, &amount)| (pair, amount));
            let positions = self.net_positions(pairs);
            self.rewrite_positions(unit, positions);
        }
        Ok(())
    }

    /// Whether what is paid to and by each account stays within its posted columns.
    fn do_sums_fit<'a>(&self, pairs: impl Iterator<Item = (&'a Pair, &'a u128)>) -> bool {
        let mut sums: hashbrown::HashMap<Slot, (u128, u128)> = hashbrown::HashMap::new();
        for (&(debtor, creditor), &amount) in pairs {
            for (slot, (owes, due)) in [(debtor, (amount, 0)), (creditor, (0, amount))] {
                let (owed, given) = sums.entry(slot).or_default();
                match (owed.checked_add(owes), given.checked_add(due)) {
                    (Some(total_owed), Some(total_due)) => {
                        (*owed, *given) = (total_owed, total_due);
                    }
                    _ => return false,
                }
            }
        }
        sums.iter().all(|(&slot, &(owes, due))| {
            let account = self.accounts.get(slot);
            owes <= account.debits_posted && due <= account.credits_posted
        })
    }
}
