//! Group 4: RESERVE, EXTEND, CAPTURE and RELEASE.

use super::debt;
use super::effect::{Cause, Effects, Source};
use super::grant_rows::Shares;
use super::input::{
    check_between, check_credit_room, check_funds, check_open_account, check_room, check_usable,
    require, Input, Outcome, FLAG_FINAL, FLAG_UNIQUE, OWNER_METER, OWNER_SPEND,
};
use super::price_rows::Terms;
use super::priced;
use super::quote::{self, Offer};
use super::quote_rows::Quote;
use super::rows::{Account, Hold, HoldStatus};
use super::share;
use super::spending::{check_limits, Pinning};
use super::state::{difference, sum, State};
use super::table::Slot;
use crate::format::limits::CONT_PAYLOAD_BYTES;
use crate::format::{Code, Id16, ZERO_ID};

const GROUP: u16 = 4;
const MODE_FLAT: u16 = 0;
const MODE_CARD: u16 = 1;
const MODE_QUOTE: u16 = 2;
/// A hold must have at least so long to live.
const MIN_HOLD_LIFETIME_NS: u64 = 1_000_000_000;

/// Pins an amount of the payer for the payee until it expires.
pub fn reserve(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (payer_id, payee_id, maximum) = (record.id16(8), record.id16(24), record.u128(40));
    let expires_at_ns = record.u64(72);
    let (terms, offer) = parse_mode(input)?;
    input.check_reference_shape()?;
    require(maximum != 0, Code::ZeroAmount)?;
    require(payer_id != payee_id, Code::SelfTransfer)?;
    input.check_signer(state, &OWNER_SPEND)?;
    input.check_reference(state, GROUP)?;
    let payer_slot = input.own_account(state, payer_id, Code::DebitNotFound)?;
    let payee_slot = state.accounts.find(payee_id).ok_or(Code::CreditNotFound)?;
    let priced_by = terms.as_ref().map(|terms| (terms.card, terms.is_quote));
    let quote = quote::existing(state, input, priced_by, offer.as_deref(), payer_slot)?;
    let id = input.derived_id(state);
    require(state.holds.find(id).is_none(), Code::IdConflict)?;
    let payer = state.accounts.get(payer_slot);
    let payee = state.accounts.get(payee_slot);
    check_usable(payer)?;
    check_usable(payee)?;
    check_between(state, payer, payee)?;
    check_expiry(input, expires_at_ns, input.t)?;
    require(!state.owes(payer_slot, payee_slot), Code::ClaimOpen)?;
    let debt = terms.as_ref().map_or(0, |terms| terms.debt_limit);
    if let Some(terms) = &terms {
        match &quote {
            Some(quote) => check_quote(quote, terms, payee, maximum, input.t)?,
            None => priced::check_card(state, input, terms, payee)?,
        }
    }
    input.check_pin_cap(state)?;
    input.check_reference_cap(state)?;
    if let Some(quote) = &quote {
        quote::check_cap(state, quote)?;
    }
    let pin = Pinning {
        id,
        payee: payee_id,
        debt,
    };
    let counting = check_limits(state, input, payer, maximum, Some(pin))?;
    let agreed = terms.as_ref().map(Terms::agreed);
    let shares = share::of_grants(state, input.t, [payer, payee], agreed, maximum);
    let granted = shares.map_or(0, |shares| shares.totals().0);
    let own = difference(maximum, granted, "grants pay more than a hold");
    check_funds(payer, own)?;
    check_room(payee.credits_pending, maximum)?;

    let terms = terms.map(|terms| state.insert_terms(Terms { hold: id, ..terms }));
    let hold = Hold {
        id,
        payer: payer_slot,
        payee: payee_slot,
        maximum,
        captured: 0,
        expires_at_ns,
        status: HoldStatus::Open,
        ended_at_ns: 0,
        created_at_ns: input.t,
        terms: terms.unwrap_or(Slot::MAX),
        shares: Slot::MAX,
    };
    pin_all(state, effects, input.index, hold, (own, shares));
    state.count(counting, input.principal, Some(id));
    if let Some(quote) = &quote {
        state.redeem(quote, sum(maximum, debt, "a quote beyond u128"));
    }
    input.remember_reference(state, GROUP);
    Ok(())
}

/// Pins the payer's part of a new hold and the shares of grants.
#[inline]
fn pin_all(
    state: &mut State,
    effects: &mut Effects,
    index: u32,
    mut hold: Hold,
    (own, shares): (u128, Option<Shares>),
) {
    state.add_pending((&hold).into(), own);
    if let Some(shares) = shares {
        hold.shares = share::pin(state, effects, index, &hold, shares);
    }
    state.insert_hold(hold);
}

/// Stages state and price of a RESERVE of mode QUOTE.
fn check_quote(quote: &Quote, terms: &Terms, payee: &Account, maximum: u128, t: u64) -> Outcome {
    quote::check_in_force(quote, payee, t)?;
    require(quote.has_model(terms.model), Code::Unpriced)?;
    quote::check_covers(quote, maximum, terms.debt_limit)
}

/// Stage shape of RESERVE up to its mode, the terms of modes CARD and QUOTE, and the quote that
/// comes along.
#[inline]
fn parse_mode(input: &Input<'_>) -> Result<(Option<Terms>, Option<Box<Offer>>), Code> {
    match input.record.u16(6) {
        MODE_CARD => return parse_card_mode(input).map(|terms| (Some(terms), None)),
        MODE_QUOTE => return parse_quote_mode(input),
        _ => {}
    }
    input.check_flags_and_conts(FLAG_UNIQUE)?;
    input.check_reserved(80, 112)?;
    require(input.record.u16(6) == MODE_FLAT, Code::BadField)?;
    Ok((None, None))
}

#[inline(never)]
fn parse_card_mode(input: &Input<'_>) -> Result<Terms, Code> {
    let record = input.record;
    require(record.flags() & !FLAG_UNIQUE == 0, Code::UnknownFlags)?;
    let has_terms = record.cont_count() == priced::TERMS_CONTS;
    require(has_terms, Code::ContNotAllowed)?;
    priced::parse_terms(&input.cont_content(), false)
}

#[inline(never)]
fn parse_quote_mode(input: &Input<'_>) -> Result<(Option<Terms>, Option<Box<Offer>>), Code> {
    let record = input.record;
    require(record.flags() & !FLAG_UNIQUE == 0, Code::UnknownFlags)?;
    let most = priced::TERMS_CONTS + quote::MAX_QUOTE_CONTS;
    let has_terms = (priced::TERMS_CONTS..=most).contains(&record.cont_count());
    require(has_terms, Code::ContNotAllowed)?;
    let content = input.cont_content();
    let (terms, rest) = content.split_at(usize::from(priced::TERMS_CONTS) * CONT_PAYLOAD_BYTES);
    let terms = priced::parse_terms(terms, true)?;
    require(terms.card != ZERO_ID, Code::BadField)?;
    let offer = quote::parse_named(rest, &input.genesis.ledger_id, terms.card)?;
    Ok((Some(terms), offer))
}

/// `t + 1 s <= expires_at <= created_at + hold_max_lifetime`, in exact arithmetic.
fn check_expiry(input: &Input<'_>, expires_at_ns: u64, created_at_ns: u64) -> Outcome {
    let soonest = u128::from(input.t) + u128::from(MIN_HOLD_LIFETIME_NS);
    let latest = u128::from(created_at_ns) + u128::from(input.genesis.hold_max_lifetime_ns);
    let fits = (soonest..=latest).contains(&u128::from(expires_at_ns));
    require(fits, Code::ExpiryInvalid)
}

/// Existence of a hold for its payee: strangers see none, the payer may not.
fn payees_hold(state: &State, input: &Input<'_>, id: Id16) -> Result<Slot, Code> {
    let slot = state.holds.find(id).ok_or(Code::HoldNotFound)?;
    let hold = state.holds.get(slot);
    check_side(state, input, [hold.payee, hold.payer], Code::NotPayee)?;
    Ok(slot)
}

/// Existence of a hold for its payer: strangers see none, the payee may not.
fn payers_hold(state: &State, input: &Input<'_>, id: Id16) -> Result<Slot, Code> {
    let slot = state.holds.find(id).ok_or(Code::HoldNotFound)?;
    let hold = state.holds.get(slot);
    check_side(state, input, [hold.payer, hold.payee], Code::NotPayer)?;
    Ok(slot)
}

/// The signer's principal owns the first account; `wrong_side` if it owns the second alone.
fn check_side(
    state: &State,
    input: &Input<'_>,
    [right, wrong]: [Slot; 2],
    wrong_side: Code,
) -> Outcome {
    let is_own = |account: Slot| state.accounts.get(account).owner == input.principal;
    if is_own(right) {
        return Ok(());
    }
    Err(if is_own(wrong) {
        wrong_side
    } else {
        Code::HoldNotFound
    })
}

/// Raises a hold's maximum, puts its expiry off, or both.
pub fn extend(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (id, additional, expires_at_ns) = (record.id16(8), record.u128(24), record.u64(72));
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(40, 72)?;
    input.check_reserved(80, 112)?;
    require(additional != 0 || expires_at_ns != 0, Code::BadField)?;
    input.check_signer(state, &OWNER_SPEND)?;
    let slot = payers_hold(state, input, id)?;
    let hold = *state.holds.get(slot);
    check_open(&hold, input.t)?;
    let payer = state.accounts.get(hold.payer);
    let payee = state.accounts.get(hold.payee);
    check_open_account(payer)?;
    check_open_account(payee)?;
    if expires_at_ns != 0 {
        require(expires_at_ns >= hold.expires_at_ns, Code::ExpiryInvalid)?;
        check_expiry(input, expires_at_ns, hold.created_at_ns)?;
    }
    let quote = quoted(state, &hold, additional);
    if let Some(slot) = quote {
        let quote = state.quotes.get(slot);
        quote::check_not_expired(quote, input.t)?;
        quote::check_covers(quote, additional, 0)?;
    }
    let pin = Pinning::of(id, payee.id);
    let counting = check_limits(state, input, payer, additional, pin)?;
    check_funds(payer, additional)?;
    check_room(hold.maximum, additional)?;
    check_room(payee.credits_pending, additional)?;

    state.add_pending((&hold).into(), additional);
    let maximum = sum(hold.maximum, additional, "a hold's maximum leaves u128");
    // No sooner than before, or 0 for unchanged.
    let expires_at_ns = expires_at_ns.max(hold.expires_at_ns);
    state.extend_hold(slot, maximum, expires_at_ns);
    state.count(counting, input.principal, Some(id));
    if let Some(slot) = quote {
        state.redeem_again(slot, additional);
    }
    Ok(())
}

/// The quote that has to agree to more of a hold, if one prices it.
fn quoted(state: &State, hold: &Hold, additional: u128) -> Option<Slot> {
    if additional == 0 || hold.terms == Slot::MAX {
        return None;
    }
    quote::of_terms(state, state.terms.get(hold.terms))
}

/// Posts what was used so far, cumulatively; FINAL frees the rest.
pub fn capture(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (hold_id, cumulative) = (record.id16(8), record.u128(24));
    let is_final = record.flags() & FLAG_FINAL != 0;
    let usage = parse_capture_conts(input)?;
    require((1..=3).contains(&record.u16(6)), Code::BadField)?;
    require(cumulative != 0 || is_final, Code::ZeroAmount)?;
    input.check_signer(state, &OWNER_METER)?;
    let slot = payees_hold(state, input, hold_id)?;
    let hold = *state.holds.get(slot);
    let terms = (hold.terms != Slot::MAX).then(|| state.terms.get(hold.terms));
    require(terms.is_some() == usage.is_some(), Code::HoldMode)?;
    let expected = cumulative;
    let cumulative = terms.map_or(expected, |terms| terms.billed(hold.maximum, expected));
    let charged = debt::charged(&hold, terms);
    let is_late = is_final && debt::may_come_late(&hold, terms);
    if cumulative == charged && (is_late || hold.status == HoldStatus::Captured) {
        return Ok(());
    }
    if is_late {
        let grace_ns = debt::grace_ns(input.genesis);
        let is_in_time = debt::is_late_payable(&hold, terms, grace_ns, input.t);
        require(is_in_time, Code::HoldExpired)?;
    } else {
        check_open(&hold, input.t)?;
    }
    let payee = state.accounts.get(hold.payee);
    check_open_account(payee)?;
    if let (Some(terms), Some(usage)) = (terms, &usage) {
        priced::check_price(state, &hold, terms, usage, expected)?;
    }
    require(cumulative >= charged, Code::CaptureLowered)?;
    let debt_limit = terms.map_or(0, |terms| terms.debt_limit);
    let is_below = cumulative.saturating_sub(hold.maximum) <= debt_limit;
    require(is_below, Code::CaptureExceedsHold)?;
    let step = difference(cumulative, charged, "capture below what was charged");
    let parts = debt::split(state, &hold, step);
    debt::check_claim_cap(state, input, &hold, parts.claimed)?;
    check_credit_room(payee, parts.posted())?;

    let card = terms.map(|terms| terms.card);
    pay(state, effects, input, slot, parts, card);
    if is_final && !is_late {
        end(state, effects, input, slot, HoldStatus::Captured);
    }
    Ok(())
}

/// Posts the parts of a capture, and enters what nobody has paid as a claim.
#[inline]
fn pay(
    state: &mut State,
    effects: &mut Effects,
    input: &Input<'_>,
    slot: Slot,
    parts: debt::Split,
    card: Option<Id16>,
) {
    let hold = *state.holds.get(slot);
    let source = Source {
        card,
        grant: None,
        beyond: parts.available,
    };
    let captured = sum(
        hold.captured,
        parts.pinned,
        "a hold paid more than it holds",
    );
    if hold.shares != Slot::MAX && parts.pinned > 0 {
        let at = (input.index, input.t);
        share::pay(state, effects, at, (&hold, captured), source);
    } else if parts.posted() > 0 {
        let (pin, posted) = ((&hold).into(), parts.posted());
        state.post_pending(pin, parts.pinned);
        effects.push_from(state, Cause::Capture, input.index, pin, posted, source);
    }
    if parts.pinned > 0 {
        state.set_captured(slot, captured);
    }
    debt::charge_beyond(state, &hold, parts);
    debt::add_claim(state, effects, input, &hold, parts.claimed);
}

/// Stage shape of CAPTURE up to its source, and the usage of a priced one.
#[inline]
fn parse_capture_conts(input: &Input<'_>) -> Result<Option<priced::Usage>, Code> {
    let record = input.record;
    require(record.flags() & !FLAG_FINAL == 0, Code::UnknownFlags)?;
    let conts = record.cont_count();
    require(conts <= priced::MAX_USAGE_CONTS, Code::ContNotAllowed)?;
    input.check_reserved(40, 72)?;
    if conts > 0 {
        return priced::parse_usage(&input.cont_content(), 0).map(Some);
    }
    input.check_reserved(80, 112)?;
    Ok(None)
}

/// Gives the whole rest back to the payer.
pub fn release(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(24, 112)?;
    input.check_signer(state, &OWNER_METER)?;
    let slot = payees_hold(state, input, input.record.id16(8))?;
    check_open(state.holds.get(slot), input.t)?;

    end(state, effects, input, slot, HoldStatus::Released);
    Ok(())
}

/// Stage state: the hold neither ended nor is past its expiry (swept or not).
fn check_open(hold: &Hold, t: u64) -> Outcome {
    match hold.status {
        HoldStatus::Captured | HoldStatus::Released => Err(Code::HoldEnded),
        HoldStatus::Expired => Err(Code::HoldExpired),
        HoldStatus::Open => require(hold.expires_at_ns > t, Code::HoldExpired),
    }
}

/// Frees what is left, and ends the hold.
fn end(
    state: &mut State,
    effects: &mut Effects,
    input: &Input<'_>,
    slot: Slot,
    status: HoldStatus,
) {
    let hold = *state.holds.get(slot);
    let rest = hold.rest();
    if hold.shares != Slot::MAX {
        let at = (input.index, input.t);
        share::free(state, effects, Cause::Release, at, &hold);
    } else if rest > 0 {
        state.free_pending((&hold).into(), rest);
        effects.push(state, Cause::Release, input.index, (&hold).into(), rest);
    }
    state.end_hold(slot, status, input.t);
}
