//! Group 8: LIMIT and ZONE.

use super::calendar::OFFSET_BIAS_S;
use super::input::{require, Input, Outcome, OPERATE, OWNER, OWNER_SPEND};
use super::limit_rows::{target, window, Limit, LimitKey, Zone};
use super::state::State;
use crate::format::limits::{CONT_PAYLOAD_BYTES, ZONE_PREFIX};
use crate::format::{id16_at, sha256, u32_at, u64_at, Code, Hash32, Id16, Key32, ZERO_ID};

/// Of one principal: some for each of a thousand keys.
const MAX_LIMITS: u32 = 4_096;
const MAX_ZONES: usize = 1_024;
/// Of one zone: two a year for 32 years.
pub const MAX_TRANSITIONS: usize = 64;
/// A `u64` instant and a `u32` offset.
pub const TRANSITION_BYTES: usize = 12;
const SET: u8 = 1;
const END: u8 = 2;

/// A LIMIT whose shape is right.
struct Asked {
    target: u16,
    window: u16,
    subject: Key32,
    unit: Id16,
    zone: Id16,
    amount: u128,
    is_end: bool,
}

/// Sets a limit, changes its amount or its zone, or ends it.
pub fn limit(state: &mut State, input: &Input<'_>) -> Outcome {
    let asked = parse(input)?;
    let of_key = asked.target == target::KEY;
    input.check_signer(state, if of_key { &OWNER_SPEND } else { &OWNER })?;
    let has_unit = state.units.find(asked.unit).is_some();
    require(has_unit, Code::UnitNotFound)?;
    let subject = subject_of(state, input, &asked)?;
    let has_zone = asked.zone == ZERO_ID || state.zones.contains_key(&asked.zone);
    require(has_zone, Code::ZoneNotFound)?;
    if matches!(asked.target, target::ACCOUNT | target::PAYEE) {
        let account = state.accounts.find_row(id16_at(&asked.subject, 0));
        let is_of_unit =
            account.is_some_and(|account| state.units.get(account.unit).id == asked.unit);
        require(is_of_unit, Code::UnitMismatch)?;
    }
    let key = LimitKey {
        target: asked.target,
        window: asked.window,
        subject,
        unit: asked.unit,
    };
    let old = state.limits.get(&key).copied();
    if let (Some(old), true) = (old, input.is_spend(state)) {
        let narrows = asked.amount <= old.amount && asked.zone == old.zone;
        require(!asked.is_end && narrows, Code::LimitWidened)?;
    }
    if asked.is_end {
        if old.is_some() {
            state.put_limit(key, None);
        }
        return Ok(());
    }
    let row = match old {
        Some(old) => {
            let changed = Limit {
                amount: asked.amount,
                zone: asked.zone,
                ..old
            };
            state.current_window(&key, changed, input.t)?
        }
        None => Limit {
            owner: input.principal,
            zone: asked.zone,
            amount: asked.amount,
            used: 0,
            since_ns: input.t,
            ends_at_ns: state.end_of_window(key.window, asked.zone, input.t)?,
        },
    };
    let count = state.principals.get(input.principal).limit_count;
    require(old.is_some() || count < MAX_LIMITS, Code::CapExceeded)?;

    state.put_limit(key, Some(row));
    Ok(())
}

/// Stage shape.
fn parse(input: &Input<'_>) -> Result<Asked, Code> {
    let record = input.record;
    input.check_flags_and_conts(0)?;
    input.check_reserved(56, 72)?;
    input.check_reserved(73, 80)?;
    let asked = Asked {
        target: u16::from(record.u8(6)),
        window: u16::from(record.u8(7)),
        subject: *record.array::<32>(80),
        unit: record.id16(8),
        zone: record.id16(24),
        amount: record.u128(40),
        is_end: record.u8(72) == END,
    };
    let is_known = (target::KEY..=target::PAYEE).contains(&asked.target)
        && (window::DAY..=window::HELD).contains(&asked.window)
        && (SET..=END).contains(&record.u8(72));
    let of_payee = asked.target == target::PAYEE;
    let has_days = matches!(asked.window, window::DAY | window::MONTH);
    let (first, second) = asked.subject.split_at(16);
    let is_one = matches!(asked.target, target::ACCOUNT | target::PRINCIPAL);
    let fits = is_known
        && of_payee == (asked.window == window::HELD)
        && (has_days || asked.zone == ZERO_ID)
        && (!asked.is_end || (asked.amount == 0 && asked.zone == ZERO_ID))
        && (!is_one || second == ZERO_ID)
        && (!of_payee || first != second);
    require(fits, Code::BadField)?;
    Ok(asked)
}

/// What the limit's row names: a key stands for its line, by the first key of it.
fn subject_of(state: &State, input: &Input<'_>, asked: &Asked) -> Result<Key32, Code> {
    let (first, second) = (id16_at(&asked.subject, 0), id16_at(&asked.subject, 16));
    match asked.target {
        target::KEY => {
            let slot = input.own_spend_key(state, asked.subject)?;
            input.check_is_above_or_owner(state, slot)?;
            return Ok(state.keys.get(state.line_of(slot)).key);
        }
        target::PRINCIPAL => {
            let own = state.principals.get(input.principal).id;
            require(first == own, Code::PrincipalMismatch)?;
        }
        _ => {
            input.own_account(state, first, Code::AccountNotFound)?;
            let has_payee =
                asked.target == target::ACCOUNT || state.accounts.find(second).is_some();
            require(has_payee, Code::CreditNotFound)?;
        }
    }
    Ok(asked.subject)
}

/// Publishes the table of a zone, or replaces it.
pub fn zone(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let count = usize::from(record.u16(6));
    require(record.flags() == 0, Code::UnknownFlags)?;
    require(count <= MAX_TRANSITIONS, Code::BadField)?;
    let content_bytes = TRANSITION_BYTES * count;
    let announced = usize::from(record.cont_count());
    let conts = content_bytes.div_ceil(CONT_PAYLOAD_BYTES);
    require(announced == conts, Code::ContNotAllowed)?;
    input.check_reserved(64, 80)?;
    if conts == 0 {
        input.check_reserved(80, 112)?;
    }
    let content = input.cont_content();
    let (transitions, rest) = content.split_at(content_bytes);
    require(rest.iter().all(|&byte| byte == 0), Code::ReservedNonzero)?;
    let zone = Zone {
        name: *record.array(8),
        version: record.u32(56),
        from_ns: record.u64(40),
        horizon_ns: record.u64(48),
        first_offset: record.u32(60),
        transitions: transitions_of(transitions),
    };
    require(zone.version > 0 && zone.is_right(), Code::BadField)?;
    input.check_signer(state, &OPERATE)?;
    let id = zone_id(&input.genesis.ledger_id, &zone.name);
    let old = state.zones.get(&id);
    let version = old.map_or(Some(1), |old| old.version.checked_add(1));
    require(version == Some(zone.version), Code::ZoneState)?;
    let has_room = old.is_some() || state.zones.len() < MAX_ZONES;
    require(has_room, Code::CapExceeded)?;

    state.put_zone(id, zone);
    Ok(())
}

/// The transitions of a table, from their bytes.
pub fn transitions_of(bytes: &[u8]) -> Vec<(u64, u32)> {
    let pairs = bytes.chunks_exact(TRANSITION_BYTES);
    pairs
        .map(|pair| (u64_at(pair, 0), u32_at(pair, 8)))
        .collect()
}

/// First 16 bytes of a hash over ledger and name.
pub fn zone_id(ledger_id: &Hash32, name: &[u8; 32]) -> Id16 {
    id16_at(
        &sha256(&[ZONE_PREFIX, &ledger_id[..], &name[..]].concat()),
        0,
    )
}

impl Zone {
    /// Whether name, instants and offsets are what they may be.
    pub fn is_right(&self) -> bool {
        let length = self.name.iter().position(|&byte| byte == 0).unwrap_or(32);
        let (text, padding) = self.name.split_at(length);
        let is_name = !text.is_empty()
            && text
                .iter()
                .all(|&byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte))
            && padding.iter().all(|&byte| byte == 0);
        let mut instants = vec![self.from_ns];
        instants.extend(self.transitions.iter().map(|&(at, _)| at));
        instants.push(self.horizon_ns);
        let mut offsets = self.transitions.iter().map(|&(_, offset)| offset);
        is_name
            && instants.windows(2).all(|pair| pair[0] < pair[1])
            && self.first_offset <= 2 * OFFSET_BIAS_S
            && offsets.all(|offset| offset <= 2 * OFFSET_BIAS_S)
    }
}
