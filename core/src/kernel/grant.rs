//! LIST, and group 7: GRANT, CLAW_BACK and RELATION.

use super::effect::{Cause, Effects, Source};
use super::grant_rows::{Earmarks, Grant, GrantLife, GrantStatus, List, MAX_LIST_IDS, RATIO_UNITS};
use super::input::{check_funds, check_usable, require, Input, Outcome, FLAG_UNIQUE, OWNER};
use super::pending::Pin;
use super::price_rows::is_ascending;
use super::rows::account_flag;
use super::share;
use super::spending::check_limits;
use super::state::{sum, State};
use super::table::Slot;
use crate::format::limits::CONT_PAYLOAD_BYTES;
use crate::format::{id16_at, u128_at, u32_at, Code, Id16, ZERO_ID};

const GROUP: u16 = 7;
/// Of one principal, for good.
const MAX_LISTS: u32 = 64;
/// To one principal; each of its holds looks at all of them.
const MAX_LIVE_GRANTS: usize = 64;
const MIN_GRANT_NS: u64 = 1_000_000_000;
const MAX_GRANT_NS: u64 = 1_100 * 86_400_000_000_000;
/// Operations of RELATION.
const STATE: u16 = 1;
const END: u16 = 2;

/// Registers a set of ids.
pub fn list(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let count = usize::from(record.u16(6));
    require(record.flags() == 0, Code::UnknownFlags)?;
    require((1..=MAX_LIST_IDS).contains(&count), Code::BadField)?;
    let conts = (16 * count).div_ceil(CONT_PAYLOAD_BYTES);
    let announced = usize::from(record.cont_count());
    require(announced == conts, Code::ContNotAllowed)?;
    input.check_reserved(8, 80)?;
    let content = input.cont_content();
    let (ids, rest) = content.split_at(16 * count);
    require(rest.iter().all(|&byte| byte == 0), Code::ReservedNonzero)?;
    let ids: Vec<Id16> = ids.chunks_exact(16).map(|id| id16_at(id, 0)).collect();
    let is_set = is_ascending(&ids) && !ids.contains(&ZERO_ID);
    require(is_set, Code::BadField)?;
    input.check_signer(state, &OWNER)?;
    let id = input.derived_id(state);
    require(state.lists.find(id).is_none(), Code::IdConflict)?;
    let lists = state.principals.get(input.principal).list_count;
    require(lists < MAX_LISTS, Code::CapExceeded)?;

    state.insert_list(List {
        id,
        owner: input.principal,
        ids,
    });
    Ok(())
}

/// Sets money of a pool aside for a principal.
pub fn grant(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (amount, expires_at_ns) = (record.u128(40), record.u64(72));
    require(record.flags() & !FLAG_UNIQUE == 0, Code::UnknownFlags)?;
    require(record.cont_count() == 1, Code::ContNotAllowed)?;
    let content = input.cont_content();
    let is_reserved_zero = content[100..].iter().all(|&byte| byte == 0);
    require(is_reserved_zero, Code::ReservedNonzero)?;
    let ratio = u32_at(&content, 96);
    require((1..=RATIO_UNITS).contains(&ratio), Code::BadField)?;
    input.check_reference_shape()?;
    require(amount != 0, Code::ZeroAmount)?;
    let registrar = id16_at(&content, 48);
    let is_declared = registrar == ZERO_ID || registrar != record.id16(24);
    require(is_declared, Code::SelfDeclared)?;
    input.check_signer(state, &OWNER)?;
    input.check_reference(state, GROUP)?;
    let pool_slot = input.own_account(state, record.id16(8), Code::DebitNotFound)?;
    let grantee = state.principals.find(record.id16(24));
    let grantee = grantee.ok_or(Code::PrincipalNotFound)?;
    let earmarks = Earmarks {
        providers: id16_at(&content, 0),
        models: id16_at(&content, 16),
        regions: id16_at(&content, 32),
    };
    let is_there = |&list: &Id16| list == ZERO_ID || state.lists.find(list).is_some();
    require(earmarks.lists().iter().all(is_there), Code::ListNotFound)?;
    let is_registrar = registrar == ZERO_ID || state.principals.find(registrar).is_some();
    require(is_registrar, Code::PrincipalNotFound)?;
    let id = input.derived_id(state);
    let is_taken = state.grants.find(id).is_some() || state.accounts.find(id).is_some();
    require(!is_taken, Code::IdConflict)?;
    let pool = state.accounts.get(pool_slot);
    check_usable(pool)?;
    require(!pool.is(account_flag::DEFERRED), Code::UnitDeferred)?;
    check_expiry(input, expires_at_ns)?;
    let exclusivity = id16_at(&content, 64);
    check_exclusivity(state, input, grantee, exclusivity)?;
    check_caps(state, input, grantee)?;
    let counting = check_limits(state, input, pool, amount, None)?;
    check_funds(pool, amount)?;

    let unit = pool.unit;
    let pool = state.account_mut(pool_slot);
    pool.debits_posted = sum(pool.debits_posted, amount, "debits_posted leaves u128");
    let account = state.insert_account(id, input.principal, unit, account_flag::GRANT);
    state.account_mut(account).credits_posted = amount;
    state.insert_grant(Grant {
        id,
        account,
        pool: pool_slot,
        grantee,
        earmarks,
        registrar,
        exclusivity,
        amount,
        cap: u128_at(&content, 80),
        expires_at_ns,
        created_at_ns: input.t,
        ratio,
        priority: record.u16(6),
        life: GrantLife::open(),
    });
    tell(state, effects, input.index, [pool_slot, account], amount);
    state.count(counting, input.principal, None);
    input.remember_reference(state, GROUP);
    Ok(())
}

/// The effect of what was set aside.
fn tell(state: &State, effects: &mut Effects, index: u32, [payer, payee]: [Slot; 2], amount: u128) {
    let id = ZERO_ID;
    let pin = Pin { id, payer, payee };
    let granted = Source::of_grant(state.accounts.get(payee).id);
    effects.push_from(state, Cause::Grant, index, pin, amount, granted);
}

fn check_expiry(input: &Input<'_>, expires_at_ns: u64) -> Outcome {
    let soonest = u128::from(input.t) + u128::from(MIN_GRANT_NS);
    let latest = u128::from(input.t) + u128::from(MAX_GRANT_NS);
    let fits = (soonest..=latest).contains(&u128::from(expires_at_ns));
    require(fits, Code::ExpiryInvalid)
}

/// No other live grant to the grantee has this key.
fn check_exclusivity(state: &State, input: &Input<'_>, grantee: Slot, key: Id16) -> Outcome {
    let grants = state.principals.get(grantee).grants.iter();
    let mut live = grants
        .map(|&slot| state.grants.get(slot))
        .filter(|grant| grant.is_live(input.t));
    let is_taken = key != ZERO_ID && live.any(|grant| grant.exclusivity == key);
    require(!is_taken, Code::DoubleSubsidy)
}

fn check_caps(state: &State, input: &Input<'_>, grantee: Slot) -> Outcome {
    let live = state.principals.get(grantee).grants.len();
    require(live < MAX_LIVE_GRANTS, Code::CapExceeded)?;
    let accounts = state.principals.get(input.principal).account_count;
    require(accounts < input.genesis.cap_accounts, Code::CapExceeded)?;
    input.check_reference_cap(state)
}

/// Ends a grant; what holds pin stays pinned, and goes back when they end.
pub fn claw_back(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(24, 112)?;
    input.check_signer(state, &OWNER)?;
    let slot = state.grants.find(input.record.id16(8));
    let slot = slot.ok_or(Code::GrantNotFound)?;
    let grant = state.grants.get(slot);
    let is_sponsor = state.accounts.get(grant.pool).owner == input.principal;
    let is_party = is_sponsor || grant.grantee == input.principal;
    require(is_party, Code::GrantNotFound)?;
    require(is_sponsor, Code::NotSponsor)?;
    require(grant.is_live(input.t), Code::GrantEnded)?;

    let ended = (GrantStatus::ClawedBack, Cause::ClawBack);
    end(state, effects, (slot, ended), (input.index, input.t));
    Ok(())
}

/// Ends a grant and gives back what no hold pins.
pub fn end(
    state: &mut State,
    effects: &mut Effects,
    (slot, (status, cause)): (Slot, (GrantStatus, Cause)),
    (index, t): (u32, u64),
) {
    let ended = GrantLife {
        status,
        ended_at_ns: t,
        settled_at_ns: 0,
    };
    state.change_grant(slot, ended);
    let account = state.grants.get(slot).account;
    let available = state.accounts.get(account).available();
    share::give_back(state, effects, (slot, available), cause, index);
    share::settle(state, account, t);
}

/// States that two principals are related, or takes it back.
pub fn relation(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (operation, first, second) = (record.u16(6), record.id16(8), record.id16(24));
    input.check_flags_and_conts(0)?;
    input.check_reserved(40, 112)?;
    require(matches!(operation, STATE | END), Code::BadField)?;
    require(first < second, Code::BadField)?;
    input.check_signer(state, &OWNER)?;
    let is_there = |id| state.principals.find(id).is_some();
    let are_there = is_there(first) && is_there(second);
    require(are_there, Code::PrincipalNotFound)?;
    let registrar = state.principals.get(input.principal);
    let key = [registrar.id, first, second];
    let is_stated = state.relations.contains_key(&key);
    require(operation == STATE || is_stated, Code::RelationNotFound)?;
    let is_party = key[1..].contains(&registrar.id);
    require(!is_party, Code::SelfDeclared)?;
    if operation == END {
        state.remove_relation(key, input.principal);
        return Ok(());
    }
    require(!is_stated, Code::RelationExists)?;
    let has_room = registrar.relation_count < input.genesis.cap_references;
    require(has_room, Code::CapExceeded)?;

    state.insert_relation(key, input.principal, input.t);
    Ok(())
}
