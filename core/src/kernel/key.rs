//! Group 1: KEY adds, revokes and rotates the keys of the signer's own principal.

use super::input::{
    require, Input, Outcome, ANY_BUT_NODE_AND_OPERATE, OPERATE, OWNER, OWNER_OPERATE, ROTATING,
};
use super::rows::{scope, Key};
use super::state::State;
use super::table::Slot;
use crate::format::{Code, Key32};

const ADD: u8 = 1;
const REVOKE: u8 = 2;
const ROTATE: u8 = 3;

/// Runs the record's operation.
pub fn key(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    input.check_flags_and_conts(0)?;
    match record.u8(6) {
        ADD => add(state, input),
        REVOKE => revoke(state, input),
        ROTATE => rotate(state, input),
        _ => Err(Code::BadField),
    }
}

fn record_key(input: &Input<'_>) -> Key32 {
    *input.record.array::<32>(8)
}

fn record_scope(input: &Input<'_>) -> u16 {
    u16::from(input.record.u8(7))
}

fn record_until_ns(input: &Input<'_>) -> u64 {
    input.record.u64(120)
}

pub fn check_principal(state: &State, input: &Input<'_>) -> Outcome {
    let own = state.principals.get(input.principal).id;
    require(input.record.id16(104) == own, Code::PrincipalMismatch)
}

pub fn check_cap(state: &State, input: &Input<'_>) -> Outcome {
    let keys = state.key_count(input.principal);
    require(keys < input.genesis.cap_keys as usize, Code::CapExceeded)
}

fn new_key(input: &Input<'_>, scope: u16, until_ns: u64) -> Key {
    Key {
        key: record_key(input),
        principal: input.principal,
        scope,
        revoked: false,
        registered_at: input.sequence,
        until_ns,
        revoked_at: 0,
        line: Slot::MAX,
        parent: Slot::MAX,
    }
}

fn add(state: &mut State, input: &Input<'_>) -> Outcome {
    let (scope, until_ns) = (record_scope(input), record_until_ns(input));
    let signers = match scope {
        scope::OWNER
        | scope::SPEND
        | scope::METER
        | scope::PRICE
        | scope::READ
        | scope::RECOVERY
        | scope::CHANNEL => &OWNER,
        scope::AUDIT => &OPERATE,
        _ => return Err(Code::BadField),
    };
    input.check_signer(state, signers)?;
    check_principal(state, input)?;
    require(!state.knows_key(record_key(input)), Code::KeyExists)?;
    require(until_ns == 0 || until_ns > input.t, Code::ExpiryInvalid)?;
    check_cap(state, input)?;

    state.insert_key(new_key(input, scope, until_ns));
    Ok(())
}

fn revoke(state: &mut State, input: &Input<'_>) -> Outcome {
    require(record_scope(input) == 0, Code::BadField)?;
    input.check_reserved(120, 128)?;
    input.check_reserved(40, 104)?;
    let key = record_key(input);
    let revokes_itself = key == *input.signer;
    let scopes = if revokes_itself {
        &ANY_BUT_NODE_AND_OPERATE
    } else {
        &OWNER_OPERATE
    };
    input.check_signer(state, scopes)?;
    check_principal(state, input)?;
    let slot = state.keys.find(key).ok_or(Code::KeyNotFound)?;
    let row = *state.keys.get(slot);
    require(row.principal == input.principal, Code::KeyNotFound)?;
    // Cannot fail: an operator's principal has no other keys beside the signing one.
    let is_operator = state.keys.get(input.key).scope == scope::OPERATE;
    let may_revoke = !is_operator || row.scope == scope::AUDIT;
    require(may_revoke, Code::ScopeDenied)?;
    require(!row.revoked, Code::KeyState)?;
    let began_pending = row.scope == scope::RECOVERY && state.is_recovering_by(slot);
    require(!began_pending, Code::RecoveryPending)?;
    if row.scope == scope::OWNER {
        require(has_other_owner_key(state, input, slot), Code::LastOwnerKey)?;
    }

    revoke_at(state.key_mut(slot), input.sequence);
    Ok(())
}

fn has_other_owner_key(state: &State, input: &Input<'_>, revoked: Slot) -> bool {
    let keys = &state.principals.get(input.principal).keys;
    keys.iter().filter(|&&slot| slot != revoked).any(|&slot| {
        let key = state.keys.get(slot);
        key.scope == scope::OWNER && key.is_active(input.t)
    })
}

fn rotate(state: &mut State, input: &Input<'_>) -> Outcome {
    let until_ns = record_until_ns(input);
    require(record_scope(input) == 0, Code::BadField)?;
    input.check_signer(state, &ROTATING)?;
    check_principal(state, input)?;
    require(!state.knows_key(record_key(input)), Code::KeyExists)?;
    // Unlike ADD: an overlap may end with this very record.
    require(until_ns == 0 || until_ns >= input.t, Code::ExpiryInvalid)?;
    check_cap(state, input)?;

    let scope = state.keys.get(input.key).scope;
    let line = match scope {
        scope::SPEND => state.line_of(input.key),
        _ => Slot::MAX,
    };
    state.insert_key(Key {
        line,
        ..new_key(input, scope, 0)
    });
    let old = state.key_mut(input.key);
    if until_ns == 0 {
        revoke_at(old, input.sequence);
    } else if old.until_ns == 0 || until_ns < old.until_ns {
        old.until_ns = until_ns;
    }
    Ok(())
}

pub fn revoke_at(key: &mut Key, sequence: u64) {
    key.revoked = true;
    key.revoked_at = sequence;
}
