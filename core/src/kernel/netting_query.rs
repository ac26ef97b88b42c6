//! What the shell reads of a deferred unit, in one go: all of it is of one moment.

use super::netting_state::{figures_of, Netting, Pair, Position};
use super::table::Slot;
use super::Kernel;
use crate::format::Id16;

/// Rows of tables 26 to 29 of a unit, with what they come to, back to back.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct NettingView {
    /// The row of table 26.
    pub unit: Vec<u8>,
    pub windows: Vec<u8>,
    pub members: Vec<u8>,
    /// Net positions: account ‖ u128 it owes ‖ u128 due to it.
    pub closed: Vec<u8>,
    pub open: Vec<u8>,
    pub pairs: Vec<u8>,
    /// u128 each: gross and moved of the closed, then of the open window.
    pub figures: Vec<u8>,
}

impl Kernel {
    /// What a principal may see of a deferred unit; None for one who may see everything.
    ///
    /// The issuer sees all, a member the windows, its own positions and (by account) its own pairs,
    /// others the unit alone. `account`: whose pairs are asked for. None if the unit is not
    /// deferred.
    pub fn netting_view(
        &self,
        unit: Id16,
        principal: Option<Id16>,
        account: Option<Id16>,
    ) -> Option<NettingView> {
        let state = &self.state;
        let slot = state.units.find(unit)?;
        let row = state.netting.get(&slot)?;
        let issuer = state.principals.get(state.units.get(slot).issuer).id;
        let reader = principal.filter(|&principal| principal != issuer);
        let is_visible = |account: Slot| {
            let owner = state.accounts.get(account).owner;
            reader.is_none_or(|reader| state.principals.get(owner).id == reader)
        };
        let mut view = NettingView {
            unit: state.deferred_unit_row(unit, row).to_vec(),
            ..NettingView::default()
        };
        let mut members: Vec<_> = row.members.iter().collect();
        members.retain(|(&account, _)| is_visible(account));
        if members.is_empty() && reader.is_some() {
            return Some(view);
        }
        let mut rows: Vec<_> = members
            .into_iter()
            .map(|(&account, member)| state.member_row(account, member))
            .collect();
        rows.sort_unstable();
        view.members = rows.concat();
        view.windows = state.window_rows(unit, row).concat();
        let closed = row.closed.as_ref();
        let open = state.net_positions(row.open.iter().map(|(&pair, &amount)| (pair, amount)));
        let positions = closed.map(|closed| closed.positions.as_slice());
        view.closed = self.positions_of(positions.unwrap_or_default(), is_visible);
        view.open = self.positions_of(&open, is_visible);
        view.figures = figures(row, &open);
        let wanted = account.and_then(|id| state.accounts.find(id));
        if let Some(wanted) = wanted.filter(|&account| is_visible(account)) {
            let is_own = |(debtor, creditor): Pair| debtor == wanted || creditor == wanted;
            view.pairs = state.pair_rows(unit, row, is_own).concat();
        }
        Some(view)
    }

    fn positions_of(&self, positions: &[Position], is_visible: impl Fn(Slot) -> bool) -> Vec<u8> {
        let visible = positions.iter().filter(|row| is_visible(row.account));
        let entry = |row: &Position| {
            let id = &self.state.accounts.get(row.account).id;
            [&id[..], &row.owes.to_le_bytes(), &row.due.to_le_bytes()].concat()
        };
        visible.flat_map(entry).collect()
    }
}

fn figures(row: &Netting, open: &[Position]) -> Vec<u8> {
    let closed = row.closed.as_ref();
    let closed = closed.map_or([0; 2], |window| {
        figures_of(&window.pairs, &window.positions)
    });
    let all = [closed, figures_of(&row.open, open)].concat();
    all.into_iter().flat_map(u128::to_le_bytes).collect()
}
