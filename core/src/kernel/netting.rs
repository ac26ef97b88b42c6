//! Group 11: JOIN, WINDOW_CLOSE, SETTLE and FAIL.

use sha2::{Digest, Sha256};

use super::effect::{Cause, Effects};
use super::input::{
    check_credit_room, check_funds, check_open_account, check_room, check_usable, require, Input,
    Outcome, OWNER,
};
use super::netting_state::{
    figures_of, ClosedWindow, Member, Netting, Position, Roll, SettledWindow,
};
use super::pending::Pin;
use super::rows::{account_flag, Dispute};
use super::state::{difference, sum, State};
use super::table::Slot;
use super::unit::own_unit as own_issued_unit;
use crate::format::limits::{MAX_DEBIT, MAX_MEMBERS, POSITIONS_PREFIX};
use crate::format::{Code, Hash32};

/// Makes an account a member, or changes how far it may owe and where it settles.
pub fn join(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (account_id, settlement_id, maximum) = (record.id16(8), record.id16(24), record.u128(40));
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(56, 112)?;
    require(maximum <= MAX_DEBIT, Code::BadField)?;
    require(account_id != settlement_id, Code::SelfTransfer)?;
    input.check_signer(state, &OWNER)?;
    let slot = input.own_account(state, account_id, Code::AccountNotFound)?;
    let settlement_slot = input.own_account(state, settlement_id, Code::AccountNotFound)?;
    let account = *state.accounts.get(slot);
    require(!account.is(account_flag::ISSUANCE), Code::IssuanceAccount)?;
    require(!account.is(account_flag::CLOSED), Code::AccountClosed)?;
    let netting = state.netting.get(&account.unit);
    let netting = netting.ok_or(Code::UnitNotDeferred)?;
    let settlement = state.accounts.get(settlement_slot);
    check_usable(settlement)?;
    require(settlement.unit == netting.settlement, Code::UnitMismatch)?;
    let mut members = netting.members.iter();
    let is_taken =
        members.any(|(&other, member)| other != slot && member.settlement == settlement_slot);
    require(!is_taken, Code::SettlementTaken)?;
    let before = netting.members.get(&slot);
    let has_failed = before.is_some_and(|member| member.has_failed);
    let is_even = account.credits_posted >= account.debits_posted;
    require(!has_failed || is_even, Code::MemberFailed)?;
    let has_room = before.is_some() || netting.members.len() < MAX_MEMBERS;
    require(has_room, Code::CapExceeded)?;
    require(account.use_of_credit() <= maximum, Code::CreditInUse)?;
    check_room(account.credits_posted, maximum)?;

    state.account_mut(slot).credit_limit = maximum;
    let member = Member {
        settlement: settlement_slot,
        maximum,
        has_failed: false,
    };
    state.put_member(account.unit, slot, Some(member));
    Ok(())
}

/// Cuts the open window off and pins its net positions; the next one is open from now on.
pub fn window_close(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let window = operator_shape(input, &[(32, 112)])?;
    let unit = own_deferred_unit(state, input)?;
    let netting = state.netting_of(unit);
    let is_due = window == netting.open_window && netting.closed.is_none();
    require(is_due, Code::WindowState)?;
    let (rolls, marked) = disputed_in_window(state, input.t, unit, netting);
    let positions = positions_without(state, netting, &rolls);
    check_can_pin(state, &positions, &[])?;

    state.cut_off(unit, (input.sequence, input.t), &rolls);
    for dispute in marked {
        state.put_dispute(dispute);
    }
    pin_instead(state, &positions, &[]);
    note_pins(
        state,
        effects,
        (Cause::Position, input.index),
        unit,
        &positions,
    );
    state.set_positions(unit, positions);
    Ok(())
}

/// Pays all net positions of the closed window at once.
pub fn settle(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let window = operator_shape(input, &[(32, 40), (72, 112)])?;
    let unit = own_deferred_unit(state, input)?;
    let netting = state.netting_of(unit);
    let closed = closed_window(netting, window)?;
    let expected = positions_hash(state, input, (unit, window), &closed.positions);
    let is_expected = input.record.array::<32>(40) == &expected;
    require(is_expected, Code::PositionsMismatch)?;
    for (place, position) in (0_u32..).zip(&closed.positions) {
        let outcome = check_can_settle(state, netting, position);
        // Of the member that stands in the way.
        outcome.inspect_err(|_| input.detail.set(place))?;
    }

    let positions = closed.positions.clone();
    let [gross, moved] = figures_of(&closed.pairs, &positions);
    let settled = SettledWindow {
        number: window,
        closed_at_ns: closed.closed_at_ns,
        settled_at_ns: input.t,
        gross,
        moved,
    };
    let members: Vec<(Slot, Member)> = netting
        .members
        .iter()
        .map(|(&slot, &member)| (slot, member))
        .collect();
    note_payments(state, effects, input, unit, &positions);
    pay(state, &positions, &members);
    state.end_window(unit, settled);
    Ok(())
}

/// Takes a member that cannot settle out of the closed window; its pairs roll over.
pub fn fail(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let window = operator_shape(input, &[(32, 40), (56, 112)])?;
    let unit = own_unit(state, input)?;
    let slot = state.accounts.find(record.id16(40));
    let slot = slot.filter(|&slot| state.accounts.get(slot).unit == unit);
    let slot = slot.ok_or(Code::AccountNotFound)?;
    let netting = state.netting.get(&unit).ok_or(Code::UnitNotDeferred)?;
    let member = *netting.members.get(&slot).ok_or(Code::NotAMember)?;
    let closed = closed_window(netting, window)?;
    let mut positions = closed.positions.iter();
    let own = positions.find(|position| position.account == slot);
    let is_in_the_way =
        own.is_some_and(|position| check_can_settle(state, netting, position).is_err());
    require(is_in_the_way, Code::MemberCanPay)?;
    let pairs = closed.pairs.iter().map(|(&pair, &amount)| (pair, amount));
    let (leaving, staying): (Vec<_>, Vec<_>) =
        pairs.partition(|&((debtor, creditor), _)| debtor == slot || creditor == slot);
    let before = closed.positions.clone();
    let after = state.net_positions(staying.into_iter());
    check_can_pin(state, &after, &before)?;

    for (pair, amount) in leaving {
        state.roll_over(unit, pair, amount);
    }
    pin_instead(state, &after, &before);
    note_pins(state, effects, (Cause::Release, input.index), unit, &before);
    note_pins(state, effects, (Cause::Position, input.index), unit, &after);
    state.set_positions(unit, after);
    let account = state.account_mut(slot);
    account.credit_limit = account.use_of_credit();
    let failed = Member {
        maximum: 0,
        has_failed: true,
        ..member
    };
    state.put_member(unit, slot, Some(failed));
    Ok(())
}

/// Stage shape of all records of the operator; returns the number of the window.
fn operator_shape(input: &Input<'_>, reserved: &[(usize, usize)]) -> Result<u64, Code> {
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    for &(start, end) in reserved {
        input.check_reserved(start, end)?;
    }
    let window = input.record.u64(24);
    require(window != 0, Code::BadField)?;
    Ok(window)
}

/// Their stages up to the unit.
fn own_unit(state: &State, input: &Input<'_>) -> Result<Slot, Code> {
    input.check_signer(state, &OWNER)?;
    own_issued_unit(state, input, input.record.id16(8))
}

fn own_deferred_unit(state: &State, input: &Input<'_>) -> Result<Slot, Code> {
    let unit = own_unit(state, input)?;
    require(state.netting.contains_key(&unit), Code::UnitNotDeferred)?;
    Ok(unit)
}

fn closed_window(netting: &Netting, number: u64) -> Result<&ClosedWindow, Code> {
    let closed = netting.closed.as_ref().ok_or(Code::WindowState)?;
    require(number + 1 == netting.open_window, Code::WindowState)?;
    Ok(closed)
}

/// What open disputes hold back of the open window, and the disputes whose mark changes by that.
///
/// A dispute holds back what its record moved if the record is of this window, or if the last
/// cut-off rolled its amount over into it; never more than is left of the pair.
fn disputed_in_window(
    state: &State,
    t: u64,
    unit: Slot,
    netting: &Netting,
) -> (Vec<Roll>, Vec<Dispute>) {
    let (mut rolls, mut marked): (Vec<Roll>, Vec<Dispute>) = (Vec::new(), Vec::new());
    let mut held: hashbrown::HashMap<(Slot, Slot), u128> = hashbrown::HashMap::new();
    let own = state.deferred_disputes.range((unit, 0)..=(unit, u64::MAX));
    for dispute in own.filter_map(|(_, sequence)| state.disputes.get(sequence)) {
        let pair = (dispute.cited.payer, dispute.cited.payee);
        let is_of_window = dispute.cited.sequence > netting.opened_at || dispute.is_rolled;
        let held = held.entry(pair).or_default();
        let left = netting.open.get(&pair).map_or(0, |amount| amount - *held);
        let amount = if is_of_window && dispute.is_open_at(t) {
            dispute.disputed.min(left)
        } else {
            0
        };
        *held += amount;
        if amount > 0 {
            rolls.push(Roll { pair, amount });
        }
        if dispute.is_rolled != (amount > 0) {
            marked.push(Dispute {
                is_rolled: amount > 0,
                ..*dispute
            });
        }
    }
    (rolls, marked)
}

/// Net positions of the open window without what disputes hold back.
fn positions_without(state: &State, netting: &Netting, rolls: &[Roll]) -> Vec<Position> {
    let mut pairs = netting.open.clone();
    for roll in rolls {
        if let Some(amount) = pairs.get_mut(&roll.pair) {
            *amount = difference(*amount, roll.amount, "more is held back than is there");
        }
    }
    state.net_positions(pairs.into_iter())
}

/// The position of an account, or one of nothing.
fn position_of(positions: &[Position], account: Slot) -> Position {
    let mut found = positions.iter();
    let found = found.find(|position| position.account == account);
    found.copied().unwrap_or(Position {
        account,
        owes: 0,
        due: 0,
    })
}

/// Stage overflow of pins in place of others. No honest ledger comes near that.
fn check_can_pin(state: &State, positions: &[Position], instead_of: &[Position]) -> Outcome {
    for position in positions {
        let account = state.accounts.get(position.account);
        let freed = position_of(instead_of, position.account);
        let pending = account.debits_pending - freed.due;
        check_room(account.credits_pending - freed.owes, position.owes)?;
        check_room(pending, position.due)?;
        check_room(pending + position.due, account.debits_posted)?;
    }
    Ok(())
}

/// Pins what is due and what is owed, in place of what was pinned before.
///
/// What is due may have been promised to others by holds already: the credit limit then grows to
/// what is used, until the next SETTLE.
fn pin_instead(state: &mut State, positions: &[Position], instead_of: &[Position]) {
    let accounts = positions.iter().chain(instead_of);
    let accounts: std::collections::BTreeSet<Slot> = accounts.map(|row| row.account).collect();
    for slot in accounts {
        let (freed, pinned) = (position_of(instead_of, slot), position_of(positions, slot));
        let account = state.account_mut(slot);
        let debits = difference(account.debits_pending, freed.due, "a pin is not there");
        account.debits_pending = sum(debits, pinned.due, "debits_pending leaves u128");
        let credits = difference(account.credits_pending, freed.owes, "a pin is not there");
        account.credits_pending = sum(credits, pinned.owes, "credits_pending leaves u128");
        account.credit_limit = account.credit_limit.max(account.use_of_credit());
    }
}

/// `H(prefix ‖ ledger id ‖ unit ‖ window ‖ positions)`.
fn positions_hash(
    state: &State,
    input: &Input<'_>,
    (unit, window): (Slot, u64),
    positions: &[Position],
) -> Hash32 {
    let mut hash = Sha256::new()
        .chain_update(POSITIONS_PREFIX)
        .chain_update(input.genesis.ledger_id)
        .chain_update(state.units.get(unit).id)
        .chain_update(window.to_le_bytes());
    for position in positions {
        hash.update(state.accounts.get(position.account).id);
        hash.update(position.owes.to_le_bytes());
        hash.update(position.due.to_le_bytes());
    }
    hash.finalize().into()
}

/// Whether nothing keeps a member from settling its position. A frozen account gets what is due to
/// it: freezing stops what leaves it.
fn check_can_settle(state: &State, netting: &Netting, position: &Position) -> Outcome {
    let account = state.accounts.get(position.account);
    let member = &netting.members[&position.account];
    let settlement = state.accounts.get(member.settlement);
    if position.owes > 0 {
        check_open_account(settlement)?;
        check_funds(settlement, position.owes)?;
        check_credit_room(account, position.owes)
    } else {
        require(!settlement.is(account_flag::CLOSED), Code::AccountClosed)?;
        check_credit_room(settlement, position.due)
    }
}

/// Who pays whom how much, debtor first: debtors and creditors are gone through in the order of
/// their accounts, and each step pays what both still can take.
fn payments(positions: &[Position]) -> Vec<(Slot, Slot, u128)> {
    let mut made = Vec::new();
    let mut debts = positions
        .iter()
        .copied()
        .filter(|position| position.owes > 0);
    let mut claims = positions
        .iter()
        .copied()
        .filter(|position| position.due > 0);
    let (mut debt, mut claim) = (debts.next(), claims.next());
    while let (Some(owing), Some(owed)) = (&mut debt, &mut claim) {
        let amount = owing.owes.min(owed.due);
        made.push((owing.account, owed.account, amount));
        owing.owes -= amount;
        owed.due -= amount;
        if owing.owes == 0 {
            debt = debts.next();
        }
        if owed.due == 0 {
            claim = claims.next();
        }
    }
    made
}

/// Effects of what positions pin, in pairs: the debit side is the creditor's, who will have less.
fn note_pins(
    state: &State,
    effects: &mut Effects,
    (cause, index): (Cause, u32),
    unit: Slot,
    positions: &[Position],
) {
    let id = state.units.get(unit).id;
    // The creditor is the payer of its own pin.
    for (payee, payer, amount) in payments(positions) {
        effects.push(state, cause, index, Pin { id, payer, payee }, amount);
    }
}

/// The effects of a settlement: each payment, and the debt that it pays.
fn note_payments(
    state: &State,
    effects: &mut Effects,
    input: &Input<'_>,
    unit: Slot,
    positions: &[Position],
) {
    let netting = state.netting_of(unit);
    let id = state.units.get(unit).id;
    for (debtor, creditor, amount) in payments(positions) {
        let paid = Pin {
            id,
            payer: netting.members[&debtor].settlement,
            payee: netting.members[&creditor].settlement,
        };
        effects.push(state, Cause::Netting, input.index, paid, amount);
        let netted = Pin {
            id,
            payer: creditor,
            payee: debtor,
        };
        effects.push(state, Cause::Netted, input.index, netted, amount);
    }
}

/// Moves the money and posts the pins: each account once. The credit limit of every member becomes
/// its maximum debit again, or what it uses beyond that.
fn pay(state: &mut State, positions: &[Position], members: &[(Slot, Member)]) {
    for &(slot, member) in members {
        let position = position_of(positions, slot);
        let before = *state.accounts.get(slot);
        let mut after = before;
        after.debits_pending = difference(before.debits_pending, position.due, "a pin is gone");
        after.debits_posted = sum(before.debits_posted, position.due, "debits leave u128");
        after.credits_pending = difference(before.credits_pending, position.owes, "a pin is gone");
        after.credits_posted = sum(before.credits_posted, position.owes, "credits leave u128");
        after.credit_limit = member.maximum.max(after.use_of_credit());
        if position.owes != position.due || after.credit_limit != before.credit_limit {
            *state.account_mut(slot) = after;
        }
        if position.owes != position.due {
            let settlement = state.account_mut(member.settlement);
            settlement.debits_posted =
                sum(settlement.debits_posted, position.owes, "debits leave u128");
            settlement.credits_posted = sum(
                settlement.credits_posted,
                position.due,
                "credits leave u128",
            );
        }
    }
}
