//! Group 1, what is registered once: PRINCIPAL, NAME and ACCOUNT. Keys are in `key.rs`.

use super::input::{check_ordinary, require, Input, Outcome, OPERATE, OWNER};
use super::rows::{account_flag, scope, Account, Key, Name};
use super::state::State;
use super::table::Slot;
use crate::format::limits::CONT_PAYLOAD_BYTES;
use crate::format::{sha256, Code};

/// Bytes of a name's text in its head.
const HEAD_TEXT_BYTES: usize = 64;
const MAX_NAME_BYTES: usize = 256;

/// Registers a principal with its first OWNER key.
pub fn principal(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let kind = record.u16(6);
    let key = *record.array::<32>(8);
    input.check_flags_and_conts(0)?;
    input.check_reserved(120, 128)?;
    require((1..=3).contains(&kind), Code::BadField)?;
    input.check_signer(state, &OPERATE)?;
    let id = input.derived_id(state);
    require(record.id16(104) == id, Code::PrincipalMismatch)?;
    require(!state.knows_key(key), Code::KeyExists)?;
    require(state.principals.find(id).is_none(), Code::IdConflict)?;

    let principal = state.insert_principal(id, kind, input.sequence);
    state.insert_key(Key {
        key,
        principal,
        scope: scope::OWNER,
        revoked: false,
        registered_at: input.sequence,
        until_ns: 0,
        revoked_at: 0,
        line: Slot::MAX,
        parent: Slot::MAX,
    });
    Ok(())
}

/// Registers a text under an id.
pub fn name(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (kind, length) = (record.u16(6), record.u16(8));
    require(record.flags() == 0, Code::UnknownFlags)?;
    input.check_reserved(10, 16)?;
    if record.cont_count() == 0 {
        input.check_reserved(80, 112)?;
    }
    require((1..=7).contains(&kind), Code::BadField)?;
    let text_bytes = usize::from(length);
    require((1..=MAX_NAME_BYTES).contains(&text_bytes), Code::BadField)?;
    let conts = text_bytes
        .saturating_sub(HEAD_TEXT_BYTES)
        .div_ceil(CONT_PAYLOAD_BYTES);
    let announced = usize::from(record.cont_count());
    require(announced == conts, Code::ContNotAllowed)?;
    let field = input.text_field();
    let (text, rest) = field.split_at(text_bytes);
    require(rest.iter().all(|&byte| byte == 0), Code::ReservedNonzero)?;
    require(is_text(text), Code::BadField)?;
    input.check_signer(state, &OWNER)?;
    let text_hash = sha256(text);
    let is_taken = state
        .name_texts
        .contains(&(input.principal, kind, text_hash));
    require(!is_taken, Code::NameExists)?;
    let id = input.derived_id(state);
    require(state.names.find(id).is_none(), Code::IdConflict)?;
    let names = state.principals.get(input.principal).name_count;
    require(names < input.genesis.cap_names, Code::CapExceeded)?;

    state.insert_name(Name {
        id,
        owner: input.principal,
        kind,
        length,
        text_hash,
    });
    Ok(())
}

/// UTF-8 without control characters of ASCII.
fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.bytes().any(|b| b < 0x20 || b == 0x7F))
}

/// What an ACCOUNT record does; the numbers are those of its field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Open,
    Freeze,
    Unfreeze,
    Close,
}

impl Operation {
    fn from_field(value: u16) -> Option<Self> {
        match value {
            1 => Some(Self::Open),
            2 => Some(Self::Freeze),
            3 => Some(Self::Unfreeze),
            4 => Some(Self::Close),
            _ => None,
        }
    }
}

/// Opens an account, or changes the flags of one.
pub fn account(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    input.check_flags_and_conts(0)?;
    input.check_reserved(40, 112)?;
    let operation = Operation::from_field(record.u16(6)).ok_or(Code::BadField)?;
    if operation == Operation::Open {
        input.check_reserved(24, 40)?;
        return open_account(state, input);
    }
    input.check_reserved(8, 24)?;
    input.check_signer(state, &OWNER)?;
    let slot = input.own_account(state, record.id16(24), Code::AccountNotFound)?;
    let account = state.accounts.get(slot);
    check_change(account, operation)?;
    let unit = account.unit;
    let owes = operation == Operation::Close && state.has_open_claim(slot);
    require(!owes, Code::AccountNotEmpty)?;
    let is_leaving = operation == Operation::Close && state.is_member(slot);
    if is_leaving {
        let is_even = !state.netting_of(unit).has_pair_of(slot);
        require(is_even, Code::AccountNotEmpty)?;
    }

    let account = state.account_mut(slot);
    match operation {
        Operation::Open => {}
        Operation::Freeze => account.flags |= account_flag::FROZEN,
        Operation::Unfreeze => account.flags &= !account_flag::FROZEN,
        Operation::Close => account.flags |= account_flag::CLOSED,
    }
    if is_leaving {
        state.put_member(unit, slot, None);
    }
    Ok(())
}

fn open_account(state: &mut State, input: &Input<'_>) -> Outcome {
    input.check_signer(state, &OWNER)?;
    let unit_id = input.record.id16(8);
    let unit = state.units.find(unit_id).ok_or(Code::UnitNotFound)?;
    let id = input.derived_id(state);
    require(state.accounts.find(id).is_none(), Code::IdConflict)?;
    let accounts = state.principals.get(input.principal).account_count;
    require(accounts < input.genesis.cap_accounts, Code::CapExceeded)?;

    let is_deferred = state.netting.contains_key(&unit);
    let flags = if is_deferred {
        account_flag::DEFERRED
    } else {
        0
    };
    state.insert_account(id, input.principal, unit, flags);
    Ok(())
}

/// Stage state of all operations but OPEN.
fn check_change(account: &Account, operation: Operation) -> Outcome {
    check_ordinary(account)?;
    require(!account.is(account_flag::CLOSED), Code::AccountClosed)?;
    let is_frozen = account.is(account_flag::FROZEN);
    match operation {
        Operation::Open => Ok(()),
        Operation::Freeze => require(!is_frozen, Code::AccountState),
        Operation::Unfreeze => require(is_frozen, Code::AccountState),
        Operation::Close => {
            let nothing_pending = account.debits_pending == 0 && account.credits_pending == 0;
            let is_even = account.credits_posted == account.debits_posted;
            let is_pool = account.pool_count > 0;
            let is_empty = nothing_pending && is_even && !is_pool;
            require(is_empty, Code::AccountNotEmpty)
        }
    }
}
