//! Group 2: UNIT, ISSUE, BURN and CREDIT_LIMIT.

use super::input::{
    check_credit_room, check_funds, check_open_account, check_ordinary, check_room, require, Input,
    Outcome, FLAG_DEFERRED, FLAG_UNIQUE, OPERATE, OWNER,
};
use super::netting_state::Netting;
use super::rows::account_flag;
use super::state::{sum, State};
use super::table::Slot;
use crate::format::{Code, Id16, ZERO_ID};

const GROUP: u16 = 2;
const MAX_EXPONENT: u8 = 18;

/// Registers a unit of an issuer, with its issuance account.
pub fn unit(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (exponent, issuer_id) = (record.u8(6), record.id16(8));
    let symbol = *record.array::<16>(24);
    let is_deferred = record.flags() & FLAG_DEFERRED != 0;
    let settlement_id = record.id16(40);
    input.check_flags_and_conts(FLAG_DEFERRED)?;
    input.check_reserved(7, 8)?;
    input.check_reserved(56, 112)?;
    require(
        is_deferred || settlement_id == ZERO_ID,
        Code::ReservedNonzero,
    )?;
    require(exponent <= MAX_EXPONENT, Code::BadField)?;
    require(is_symbol(&symbol), Code::BadField)?;
    require(issuer_id != ZERO_ID, Code::BadField)?;
    let is_named = !is_deferred || settlement_id != ZERO_ID;
    require(is_named, Code::BadField)?;
    input.check_signer(state, &OPERATE)?;
    let issuer = state
        .principals
        .find(issuer_id)
        .ok_or(Code::PrincipalNotFound)?;
    require(!state.symbols.contains_key(&symbol), Code::UnitExists)?;
    let settlement = if is_deferred {
        let found = state.units.find(settlement_id);
        Some(found.ok_or(Code::UnitNotFound)?)
    } else {
        None
    };
    let id = input.derived_id(state);
    let is_new = state.units.find(id).is_none() && state.accounts.find(id).is_none();
    require(is_new, Code::IdConflict)?;
    if let Some(settlement) = settlement {
        check_not_deferred(state, settlement)?;
        let is_alike = state.units.get(settlement).exponent == exponent;
        require(is_alike, Code::UnitMismatch)?;
    }
    let accounts = state.principals.get(issuer).account_count;
    require(accounts < input.genesis.cap_accounts, Code::CapExceeded)?;

    let slot = state.insert_unit(id, issuer, symbol, exponent);
    if let Some(settlement) = settlement {
        let netting = Netting::new(settlement, 1, input.sequence);
        state.netting.insert(slot, netting);
    }
    Ok(())
}

/// 1 to 16 bytes of `A-Z 0-9 . - _`, zero-padded.
fn is_symbol(field: &[u8; 16]) -> bool {
    let length = field.iter().position(|&byte| byte == 0).unwrap_or(16);
    let (text, padding) = field.split_at(length);
    length > 0
        && padding.iter().all(|&byte| byte == 0)
        && text
            .iter()
            .all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
}

/// Brings an amount of the signer's own unit into the world.
pub fn issue(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (unit_id, credit_id, amount) = (record.id16(8), record.id16(24), record.u128(40));
    input.check_flags_and_conts(FLAG_UNIQUE)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(72, 112)?;
    input.check_reference_shape()?;
    require(amount != 0, Code::ZeroAmount)?;
    require(unit_id != credit_id, Code::SelfTransfer)?;
    input.check_signer(state, &OWNER)?;
    input.check_reference(state, GROUP)?;
    let unit_slot = own_unit(state, input, unit_id)?;
    let unit = *state.units.get(unit_slot);
    let credit_slot = state.accounts.find(credit_id).ok_or(Code::CreditNotFound)?;
    let credit = state.accounts.get(credit_slot);
    check_not_deferred(state, unit_slot)?;
    check_open_account(credit)?;
    require(credit.unit == unit_slot, Code::UnitMismatch)?;
    check_ordinary(credit)?;
    input.check_reference_cap(state)?;
    check_room(state.accounts.get(unit.account).debits_posted, amount)?;
    check_credit_room(credit, amount)?;

    let issuance = state.account_mut(unit.account);
    issuance.debits_posted = sum(issuance.debits_posted, amount, "debits_posted leaves u128");
    let credit = state.account_mut(credit_slot);
    credit.credits_posted = sum(credit.credits_posted, amount, "credits_posted leaves u128");
    input.remember_reference(state, GROUP);
    Ok(())
}

/// Takes an amount of the signer's own unit, from an account of its own, out of the world.
pub fn burn(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (unit_id, debit_id, amount) = (record.id16(8), record.id16(24), record.u128(40));
    input.check_flags_and_conts(FLAG_UNIQUE)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(72, 112)?;
    input.check_reference_shape()?;
    require(amount != 0, Code::ZeroAmount)?;
    require(unit_id != debit_id, Code::SelfTransfer)?;
    input.check_signer(state, &OWNER)?;
    input.check_reference(state, GROUP)?;
    let unit_slot = own_unit(state, input, unit_id)?;
    let issuance_slot = state.units.get(unit_slot).account;
    let debit_slot = input.own_account(state, debit_id, Code::DebitNotFound)?;
    let debit = state.accounts.get(debit_slot);
    check_not_deferred(state, unit_slot)?;
    check_open_account(debit)?;
    require(debit.unit == unit_slot, Code::UnitMismatch)?;
    check_ordinary(debit)?;
    input.check_reference_cap(state)?;
    check_funds(debit, amount)?;
    check_credit_room(state.accounts.get(issuance_slot), amount)?;

    let debit = state.account_mut(debit_slot);
    debit.debits_posted = sum(debit.debits_posted, amount, "debits_posted leaves u128");
    let issuance = state.account_mut(issuance_slot);
    issuance.credits_posted = sum(
        issuance.credits_posted,
        amount,
        "credits_posted leaves u128",
    );
    input.remember_reference(state, GROUP);
    Ok(())
}

/// Says how far an account of the signer's own unit may go below zero.
pub fn credit_limit(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (unit_id, account_id, limit) = (record.id16(8), record.id16(24), record.u128(40));
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(56, 112)?;
    input.check_signer(state, &OWNER)?;
    let unit_slot = own_unit(state, input, unit_id)?;
    let account_slot = state
        .accounts
        .find(account_id)
        .ok_or(Code::AccountNotFound)?;
    let account = state.accounts.get(account_slot);
    check_not_deferred(state, unit_slot)?;
    require(!account.is(account_flag::CLOSED), Code::AccountClosed)?;
    require(account.unit == unit_slot, Code::UnitMismatch)?;
    check_ordinary(account)?;
    require(account.use_of_credit() <= limit, Code::CreditInUse)?;
    check_room(account.credits_posted, limit)?;

    state.account_mut(account_slot).credit_limit = limit;
    Ok(())
}

/// Stage state: the unit is not one of obligations, which nobody makes or lends.
fn check_not_deferred(state: &State, unit: Slot) -> Outcome {
    require(!state.netting.contains_key(&unit), Code::UnitDeferred)
}

/// A unit that exists and is issued by the signer's principal.
pub fn own_unit(state: &State, input: &Input<'_>, id: Id16) -> Result<Slot, Code> {
    match state.units.find(id) {
        Some(slot) if state.units.get(slot).issuer == input.principal => Ok(slot),
        _ => Err(Code::UnitNotFound),
    }
}
