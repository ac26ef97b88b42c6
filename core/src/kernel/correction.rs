//! Group 9: REFUND, DISPUTE, DISPUTE_ANSWER and REPRICE.

use super::citation::{Citation, Cited};
use super::effect::{Cause, Effects, Source};
use super::input::{
    check_credit_room, check_funds, check_open_account, require, Input, Outcome, FLAG_UNIQUE,
    OWNER_METER, OWNER_SPEND,
};
use super::pending::Pin;
use super::priced::{self, Agreed, Prices, Usage};
use super::rows::{account_flag, Account, Correction, Dispute, DisputeStatus};
use super::share::split;
use super::state::{broken, difference, sum, State};
use super::table::Slot;
use crate::format::limits::CORRECTION_WINDOW_NS;
use crate::format::{id16_at, Code, Id16, ZERO_ID};

const GROUP: u16 = 9;
/// Reasons are numbered from 1.
const REASONS: u16 = 6;
/// A deadline must leave at least so long for the answer.
const MIN_DISPUTE_NS: u64 = 1_000_000_000;
/// Bytes of the content of a REPRICE before the usage.
const REPRICE_TERMS_BYTES: usize = 32;
/// CONTs of a REPRICE, at most.
const MAX_REPRICE_CONTS: u16 = 9;

/// Moves a part of what a record paid from its payee back to its payer.
pub fn refund(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let amount = record.u128(24);
    input.check_flags_and_conts(FLAG_UNIQUE)?;
    input.check_reserved(16, 24)?;
    input.check_reserved(40, 56)?;
    input.check_reserved(80, 112)?;
    check_reason(input)?;
    input.check_reference_shape()?;
    require(record.u64(8) != 0, Code::BadField)?;
    require(amount != 0, Code::ZeroAmount)?;
    input.check_signer(state, &OWNER_METER)?;
    input.check_reference(state, GROUP)?;
    let found = cited_of_party(state, input)?;
    let cited = &found.moved;
    let payer = state.accounts.get(cited.payer);
    let payee = state.accounts.get(cited.payee);
    require(payee.owner == input.principal, Code::NotPayee)?;
    check_window(input, cited)?;
    check_can_give_back(payer, payee)?;
    let row = corrected_so_far(state, cited);
    check_ceiling(&row, amount)?;
    check_correction_cap(state, input, &row)?;
    input.check_reference_cap(state)?;
    check_funds(payee, amount)?;
    let parts = parts(state, found, &row, amount);
    check_rooms(state, &parts)?;

    give_back(
        state,
        effects,
        (Cause::Refund, input.index, None),
        &row,
        &parts,
    );
    input.remember_reference(state, GROUP);
    Ok(())
}

/// Asks for a part of what a record paid.
pub fn dispute(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (amount, deadline_ns) = (record.u128(24), record.u64(72));
    input.check_flags_and_conts(0)?;
    input.check_reserved(16, 24)?;
    input.check_reserved(40, 72)?;
    input.check_reserved(80, 112)?;
    check_reason(input)?;
    require(record.u64(8) != 0, Code::BadField)?;
    require(amount != 0, Code::ZeroAmount)?;
    input.check_signer(state, &OWNER_SPEND)?;
    let cited = cited_of_party(state, input)?.moved;
    let payer = state.accounts.get(cited.payer);
    require(payer.owner == input.principal, Code::NotPayer)?;
    check_window(input, &cited)?;
    require(!payer.is(account_flag::CLOSED), Code::AccountClosed)?;
    let before = disputed_before(state, &cited);
    let is_open = before.is_some_and(|dispute| dispute.is_open_at(input.t));
    require(!is_open, Code::DisputeOpen)?;
    check_ceiling(&corrected_so_far(state, &cited), amount)?;
    let is_answerable = u128::from(deadline_ns) >= u128::from(input.t) + u128::from(MIN_DISPUTE_NS)
        && u128::from(deadline_ns) <= end_of_window(&cited);
    require(is_answerable, Code::ExpiryInvalid)?;
    let count = state.principals.get(input.principal).dispute_count;
    let has_room = before.is_some() || count < input.genesis.cap_references;
    require(has_room, Code::CapExceeded)?;

    state.put_dispute(Dispute {
        cited,
        disputed: amount,
        accepted: 0,
        deadline_ns,
        opened_at_ns: input.t,
        answered_at_ns: 0,
        reason: record.u16(6),
        status: DisputeStatus::Open,
        is_rolled: before.is_some_and(|dispute| dispute.is_rolled),
    });
    Ok(())
}

/// Gives back what was disputed, a part of it, or nothing.
pub fn dispute_answer(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (sequence, amount) = (record.u64(8), record.u128(24));
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(16, 24)?;
    input.check_reserved(40, 112)?;
    require(sequence != 0, Code::BadField)?;
    input.check_signer(state, &OWNER_METER)?;
    let asked = *state.disputes.get(&sequence).ok_or(Code::DisputeNotFound)?;
    let payer = state.accounts.get(asked.cited.payer);
    let payee = state.accounts.get(asked.cited.payee);
    let is_party = [payer.owner, payee.owner].contains(&input.principal);
    require(is_party, Code::DisputeNotFound)?;
    require(payee.owner == input.principal, Code::NotPayee)?;
    let found = input.citations.find(sequence)?;
    if found.moved != asked.cited {
        broken("a disputed record moved something else than last time");
    }
    let is_open = asked.status == DisputeStatus::Open;
    require(is_open, Code::DisputeAnswered)?;
    require(asked.is_open_at(input.t), Code::DisputeLapsed)?;
    require(amount <= asked.disputed, Code::AnswerExceeds)?;
    if amount == 0 {
        state.put_dispute(Dispute {
            answered_at_ns: input.t,
            status: DisputeStatus::Rejected,
            ..asked
        });
        return Ok(());
    }
    check_can_give_back(payer, payee)?;
    let row = corrected_so_far(state, &asked.cited);
    check_ceiling(&row, amount)?;
    check_correction_cap(state, input, &row)?;
    check_funds(payee, amount)?;
    let parts = parts(state, found, &row, amount);
    check_rooms(state, &parts)?;

    state.put_dispute(Dispute {
        accepted: amount,
        answered_at_ns: input.t,
        status: DisputeStatus::Accepted,
        ..asked
    });
    give_back(
        state,
        effects,
        (Cause::Dispute, input.index, None),
        &row,
        &parts,
    );
    Ok(())
}

/// What the CONTs of a REPRICE say.
struct Repriced {
    card: Id16,
    model: Id16,
    usage: Usage,
}

/// Prices again what a card had priced, and gives back what it cost above that.
pub fn reprice(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let repriced = parse_reprice(input)?;
    let amount = input.record.u128(24);
    require(input.record.u64(8) != 0, Code::BadField)?;
    input.check_signer(state, &OWNER_METER)?;
    let found = cited_of_party(state, input)?;
    let cited = found.moved;
    let payer = state.accounts.get(cited.payer);
    let payee = state.accounts.get(cited.payee);
    require(payee.owner == input.principal, Code::NotPayee)?;
    let card = priced::published_card(state, repriced.card)?;
    check_window(input, &cited)?;
    require(found.card != ZERO_ID, Code::CitedNotPriced)?;
    check_can_give_back(payer, payee)?;
    require(payee.owner == card.owner, Code::NotProvider)?;
    require(payee.unit == card.unit, Code::UnitMismatch)?;
    let agreed = Agreed {
        prices: Prices::Card(card),
        model: repriced.model,
        at_ns: cited.timestamp_ns,
    };
    priced::check_amount(state, &agreed, &repriced.usage, amount)?;
    let row = corrected_so_far(state, &cited);
    let back = what_goes_back(&row, amount)?;
    check_correction_cap(state, input, &row)?;
    check_funds(payee, back)?;
    let parts = parts(state, found, &row, back);
    check_rooms(state, &parts)?;

    let why = (Cause::Reprice, input.index, Some(repriced.card));
    give_back(state, effects, why, &row, &parts);
    Ok(())
}

/// Stage shape up to the usage.
fn parse_reprice(input: &Input<'_>) -> Result<Repriced, Code> {
    let record = input.record;
    require(record.flags() == 0, Code::UnknownFlags)?;
    let has_conts = (1..=MAX_REPRICE_CONTS).contains(&record.cont_count());
    require(has_conts, Code::ContNotAllowed)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(16, 24)?;
    input.check_reserved(40, 72)?;
    let content = input.cont_content();
    Ok(Repriced {
        card: id16_at(&content, 0),
        model: id16_at(&content, 16),
        usage: priced::parse_usage(&content, REPRICE_TERMS_BYTES)?,
    })
}

/// What a record cost, less what was given back before, above its new price: at least 1.
fn what_goes_back(row: &Correction, repriced: u128) -> Result<u128, Code> {
    let left = difference(
        row.cited.amount,
        row.corrected,
        "more is corrected than was moved",
    );
    let back = left.checked_sub(repriced).ok_or(Code::PriceNotLower)?;
    require(back > 0, Code::PriceNotLower)?;
    Ok(back)
}

fn check_reason(input: &Input<'_>) -> Outcome {
    let is_reason = (1..=REASONS).contains(&input.record.u16(6));
    require(is_reason, Code::BadField)
}

/// Existence of the cited record for its two sides: strangers see none.
fn cited_of_party<'a>(state: &State, input: &Input<'a>) -> Result<&'a Cited, Code> {
    let found = input.citations.find(input.record.u64(8))?;
    let cited = &found.moved;
    let is_own = |slot| state.accounts.get(slot).owner == input.principal;
    let is_party = is_own(cited.payer) || is_own(cited.payee);
    require(is_party, Code::CitedNotFound)?;
    Ok(found)
}

/// The last moment at which the record can be corrected.
fn end_of_window(cited: &Citation) -> u128 {
    u128::from(cited.timestamp_ns) + u128::from(CORRECTION_WINDOW_NS)
}

fn check_window(input: &Input<'_>, cited: &Citation) -> Outcome {
    let is_in_time = u128::from(input.t) <= end_of_window(cited);
    require(is_in_time, Code::CorrectionTooLate)
}

/// A frozen payer gets its money back: freezing an account stops what leaves it.
fn check_can_give_back(payer: &Account, payee: &Account) -> Outcome {
    check_open_account(payee)?;
    require(!payer.is(account_flag::CLOSED), Code::AccountClosed)
}

/// The row of the cited record, or what it would be before its first correction.
fn corrected_so_far(state: &State, cited: &Citation) -> Correction {
    match state.corrections.get(&cited.sequence) {
        Some(row) if row.cited == *cited => *row,
        Some(_) => broken("a cited record moved something else than last time"),
        None => Correction {
            cited: *cited,
            corrected: 0,
        },
    }
}

fn disputed_before(state: &State, cited: &Citation) -> Option<Dispute> {
    let before = state.disputes.get(&cited.sequence).copied();
    if before.is_some_and(|dispute| dispute.cited != *cited) {
        broken("a disputed record moved something else than last time");
    }
    before
}

/// All corrections of a record share one ceiling: what it moved.
fn check_ceiling(row: &Correction, amount: u128) -> Outcome {
    let is_below = row
        .corrected
        .checked_add(amount)
        .is_some_and(|total| total <= row.cited.amount);
    require(is_below, Code::CorrectionExceeds)
}

fn check_correction_cap(state: &State, input: &Input<'_>, row: &Correction) -> Outcome {
    let count = state.principals.get(input.principal).correction_count;
    let has_room = row.corrected > 0 || count < input.genesis.cap_references;
    require(has_room, Code::CapExceeded)
}

/// What goes back to one source: its account, and whose money it is unless the payer's.
struct Part {
    account: Slot,
    grant: Option<Id16>,
    amount: u128,
}

/// Splits what is given back into what each source had paid of it.
fn parts(state: &State, found: &Cited, row: &Correction, amount: u128) -> Vec<Part> {
    let payers = |amount| Part {
        account: row.cited.payer,
        grant: None,
        amount,
    };
    if found.legs.is_empty() {
        return vec![payers(amount)];
    }
    let of = |total| {
        let legs = found.legs.iter().map(|leg| leg.amount);
        split(total, legs, row.cited.amount)
    };
    let (before, after) = (of(row.corrected), of(row.corrected + amount));
    let mut own = amount;
    let mut granted = Vec::with_capacity(found.legs.len());
    for (leg, (before, after)) in found.legs.iter().zip(before.into_iter().zip(after)) {
        let step = difference(after, before, "a part of a correction goes down");
        own = difference(own, step, "parts above what is given back");
        granted.push(Part {
            account: source(state, leg.grant),
            grant: Some(leg.grant),
            amount: step,
        });
    }
    let all = std::iter::once(payers(own)).chain(granted);
    all.filter(|part| part.amount > 0).collect()
}

/// Where money of a grant goes back to: the grant, or its pool once it is over.
fn source(state: &State, grant: Id16) -> Slot {
    match state.grants.find_row(grant) {
        Some(grant) if grant.is_open() => grant.account,
        Some(grant) => grant.pool,
        None => broken("a grant was forgotten before what it paid"),
    }
}

/// Two parts may go back to one account: a pool.
fn check_rooms(state: &State, parts: &[Part]) -> Outcome {
    parts.iter().try_for_each(|part| {
        let same = parts.iter().filter(|other| other.account == part.account);
        // Parts of one amount.
        let total = same.map(|other| other.amount).sum();
        check_credit_room(state.accounts.get(part.account), total)
    })
}

/// Moves posted money from the payee to the sources, and remembers how much.
fn give_back(
    state: &mut State,
    effects: &mut Effects,
    (cause, index, card): (Cause, u32, Option<Id16>),
    row: &Correction,
    parts: &[Part],
) {
    let mut corrected = row.corrected;
    for part in parts {
        state.post(row.cited.payee, part.account, part.amount);
        // Its debit account is that of whoever had been paid.
        let pin = Pin {
            id: ZERO_ID,
            payer: row.cited.payee,
            payee: part.account,
        };
        let granted = Source {
            card,
            grant: part.grant,
            ..Source::default()
        };
        effects.push_from(state, cause, index, pin, part.amount, granted);
        corrected = sum(corrected, part.amount, "more is corrected than was moved");
    }
    state.put_correction(Correction { corrected, ..*row });
}
