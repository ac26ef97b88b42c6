//! Group 8: DELEGATE and KILL.

use super::input::{require, Input, Outcome, OWNER_SPEND};
use super::state::State;
use super::table::Slot;
use crate::format::{Code, Key32};

/// Lines above a line, so that a spending looks at few limits.
pub const MAX_ANCESTORS: usize = 4;
const NO_KEY: Key32 = [0; 32];

/// Puts the line of a key under that of another, or takes it out from under one.
pub fn delegate(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (key, parent) = (*record.array::<32>(8), *record.array::<32>(40));
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(72, 112)?;
    require(key != parent, Code::BadField)?;
    input.check_signer(state, &OWNER_SPEND)?;
    let slot = input.own_spend_key(state, key)?;
    let above = if parent == NO_KEY {
        Vec::new()
    } else {
        state.chain_of(input.own_spend_key(state, parent)?)
    };
    let line = state.line_of(slot);
    if input.is_spend(state) {
        let current = state.keys.get(line).parent;
        let own = state.line_of(input.key);
        let is_under = state.chain_of(slot)[1..].contains(&own);
        require(is_under && above.contains(&current), Code::ScopeDenied)?;
    }
    require(!above.contains(&line), Code::DelegationInvalid)?;
    let depth = above.len() + height(state, input.principal, line);
    require(depth <= MAX_ANCESTORS, Code::DelegationInvalid)?;

    state.key_mut(line).parent = above.first().copied().unwrap_or(Slot::MAX);
    Ok(())
}

/// How many lines stand under a line, one under the other.
fn height(state: &State, principal: Slot, line: Slot) -> usize {
    let places = state.spend_keys(principal).filter_map(|key| {
        let chain = state.chain_of(key);
        chain.iter().position(|&above| above == line)
    });
    places.max().unwrap_or(0)
}

/// Revokes all keys of a line and of the lines under it.
pub fn kill(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(40, 112)?;
    input.check_signer(state, &OWNER_SPEND)?;
    let slot = input.own_spend_key(state, *record.array::<32>(8))?;
    input.check_is_above_or_owner(state, slot)?;
    let line = state.line_of(slot);
    let is_doomed =
        |&key: &Slot| !state.keys.get(key).revoked && state.chain_of(key).contains(&line);
    let doomed: Vec<Slot> = state
        .spend_keys(input.principal)
        .filter(is_doomed)
        .collect();
    require(!doomed.is_empty(), Code::KeyState)?;

    for key in doomed {
        let key = state.key_mut(key);
        key.revoked = true;
        key.revoked_at = input.sequence;
    }
    Ok(())
}
