//! Group 2: UNIT and ISSUE.

use super::input::{
    check_open_account, check_room, require, Input, Outcome, FLAG_UNIQUE, OPERATE, OWNER,
};
use super::rows::account_flag;
use super::state::{sum, State};
use crate::format::{Code, ZERO_ID};

const GROUP: u16 = 2;
const MAX_EXPONENT: u8 = 18;

/// Registers a unit of an issuer, with its issuance account.
pub fn unit(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (exponent, issuer_id) = (record.u8(6), record.id16(8));
    let symbol = *record.array::<16>(24);
    input.check_flags_and_conts(0)?;
    input.check_reserved(7, 8)?;
    input.check_reserved(40, 112)?;
    require(exponent <= MAX_EXPONENT, Code::BadField)?;
    require(is_symbol(&symbol), Code::BadField)?;
    require(issuer_id != ZERO_ID, Code::BadField)?;
    input.check_signer(state, &OPERATE)?;
    let issuer = state
        .principals
        .find(issuer_id)
        .ok_or(Code::PrincipalNotFound)?;
    require(!state.symbols.contains_key(&symbol), Code::UnitExists)?;
    let id = input.derived_id(state);
    let is_new = state.units.find(id).is_none() && state.accounts.find(id).is_none();
    require(is_new, Code::IdConflict)?;
    let accounts = state.principals.get(issuer).account_count;
    require(accounts < input.genesis.cap_accounts, Code::CapExceeded)?;

    state.insert_unit(id, issuer, symbol, exponent);
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
    let unit_slot = state.units.find(unit_id).ok_or(Code::UnitNotFound)?;
    let unit = *state.units.get(unit_slot);
    require(unit.issuer == input.principal, Code::UnitNotFound)?;
    let credit_slot = state.accounts.find(credit_id).ok_or(Code::CreditNotFound)?;
    let credit = state.accounts.get(credit_slot);
    check_open_account(credit)?;
    require(credit.unit == unit_slot, Code::UnitMismatch)?;
    require(!credit.is(account_flag::ISSUANCE), Code::IssuanceAccount)?;
    input.check_reference_cap(state)?;
    check_room(state.accounts.get(unit.account).debits_posted, amount)?;
    check_room(credit.credits_posted, amount)?;

    let issuance = state.account_mut(unit.account);
    issuance.debits_posted = sum(issuance.debits_posted, amount, "debits_posted leaves u128");
    let credit = state.account_mut(credit_slot);
    credit.credits_posted = sum(credit.credits_posted, amount, "credits_posted leaves u128");
    input.remember_reference(state, GROUP);
    Ok(())
}
