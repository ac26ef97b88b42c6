//! Group 3: TRANSFER. With CONTs it is an exchange (`exchange.rs`).

use super::effect::Effects;
use super::exchange::exchange;
use super::input::{
    check_between, check_credit_room, check_funds, check_usable, require, Input, Outcome,
    FLAG_UNIQUE, OWNER_SPEND,
};
use super::spending::check_limits;
use super::state::State;
use crate::format::Code;

pub const GROUP: u16 = 3;

/// Moves an amount from an account of the signer to any other of the same unit.
pub fn transfer(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (debit_id, credit_id, amount) = (record.id16(8), record.id16(24), record.u128(40));
    require(record.flags() & !FLAG_UNIQUE == 0, Code::UnknownFlags)?;
    if record.cont_count() != 0 {
        return exchange(state, effects, input);
    }
    input.check_reserved(6, 8)?;
    input.check_reserved(72, 112)?;
    input.check_reference_shape()?;
    require(amount != 0, Code::ZeroAmount)?;
    require(debit_id != credit_id, Code::SelfTransfer)?;
    input.check_signer(state, &OWNER_SPEND)?;
    input.check_reference(state, GROUP)?;
    let debit_slot = input.own_account(state, debit_id, Code::DebitNotFound)?;
    let credit_slot = state.accounts.find(credit_id).ok_or(Code::CreditNotFound)?;
    let debit = state.accounts.get(debit_slot);
    let credit = state.accounts.get(credit_slot);
    check_usable(debit)?;
    check_usable(credit)?;
    check_between(state, debit, credit)?;
    input.check_reference_cap(state)?;
    let counting = check_limits(state, input, debit, amount, None)?;
    check_funds(debit, amount)?;
    check_credit_room(credit, amount)?;

    state.post(debit_slot, credit_slot, amount);
    state.count(counting, input.principal, None);
    input.remember_reference(state, GROUP);
    Ok(())
}
