//! METER: prices a usage by a published card and pays for it, in one step. The payer signs it, or
//! the payee under a mandate.

use super::effect::{Cause, Effects, Source};
use super::grant_rows::Shares;
use super::input::{
    check_between, check_credit_room, check_funds, check_usable, require, Input, Outcome,
    FLAG_UNIQUE, OWNER_METER, OWNER_SPEND,
};
use super::mandate::{check_covers, check_permits, payees_mandate};
use super::pending::Pin;
use super::priced::{self, Agreed, Prices, Usage};
use super::quote::{self, Offer};
use super::quote_rows::Quote;
use super::rows::Account;
use super::share;
use super::spending::check_limits;
use super::state::{difference, State};
use super::table::Slot;
use crate::format::{id16_at, Code, Id16, ZERO_ID};

const GROUP: u16 = 4;
/// Bytes of the content before the usage.
const TERMS_BYTES: usize = 64;
/// CONTs of a METER, at most, without a quote.
const MAX_CONTS: u16 = 9;
/// High byte of the source: what prices the usage.
const BY_QUOTE: u8 = 1;

/// What the CONTs of a METER say.
struct Metered {
    /// The card that prices it, or the quote.
    card: Id16,
    is_quote: bool,
    offer: Option<Box<Offer>>,
    model: Id16,
    /// Zero if the payer signs.
    mandate: Id16,
    usage: Usage,
}

/// Pays what a usage costs to the owner of the card.
pub fn meter(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (payer_id, payee_id, amount) = (record.id16(8), record.id16(24), record.u128(40));
    let metered = parse(input)?;
    require((1..=3).contains(&record.u8(6)), Code::BadField)?;
    input.check_reference_shape()?;
    require(amount != 0, Code::ZeroAmount)?;
    require(payer_id != payee_id, Code::SelfTransfer)?;
    let by_payer = metered.mandate == ZERO_ID;
    input.check_signer(state, if by_payer { &OWNER_SPEND } else { &OWNER_METER })?;
    input.check_reference(state, GROUP)?;
    let Parties {
        payer: payer_slot,
        payee: payee_slot,
        mandate,
    } = parties(state, input, metered.mandate)?;
    let priced_by = Some((metered.card, metered.is_quote));
    let offer = metered.offer.as_deref();
    let quote = quote::existing(state, input, priced_by, offer, payer_slot)?;
    let payer = state.accounts.get(payer_slot);
    let payee = state.accounts.get(payee_slot);
    let given = mandate.map(|slot| state.mandates.get(slot));
    if let Some(mandate) = given {
        check_permits(mandate, metered.card, input.t)?;
    }
    check_usable(payer)?;
    check_usable(payee)?;
    check_between(state, payer, payee)?;
    let agreed = Agreed {
        prices: in_force(state, quote.as_ref(), metered.card, payee, input.t)?,
        model: metered.model,
        at_ns: input.t,
    };
    priced::check_amount(state, &agreed, &metered.usage, amount)?;
    if let Some(mandate) = given {
        check_covers(mandate, amount)?;
    }
    if let Some(quote) = &quote {
        quote::check_covers(quote, amount, 0)?;
    }
    input.check_reference_cap(state)?;
    if let Some(quote) = &quote {
        quote::check_cap(state, quote)?;
    }
    let counting = check_limits(state, input, payer, amount, None)?;
    let regions = [metered.usage.region];
    let served = Some((metered.model, &regions[..]));
    let shares = share::of_grants(state, input.t, [payer, payee], served, amount);
    let shares = shares.unwrap_or_else(|| Shares::none(amount));
    let own = difference(amount, shares.totals().0, "grants pay more than a METER");
    check_funds(payer, own)?;
    check_credit_room(payee, amount)?;

    let pin = Pin {
        id: metered.mandate,
        payer: payer_slot,
        payee: payee_slot,
    };
    if let Some(slot) = mandate {
        state.use_mandate(slot, amount);
    }
    if let Some(quote) = &quote {
        state.redeem(quote, amount);
    }
    pay_all(state, effects, (input.index, metered.card), pin, &shares);
    state.count(counting, input.principal, None);
    input.remember_reference(state, GROUP);
    Ok(())
}

/// Moves the payer's part and the shares of grants, with an effect of each.
fn pay_all(
    state: &mut State,
    effects: &mut Effects,
    (index, card): (u32, Id16),
    payers: Pin,
    shares: &Shares,
) {
    let own = difference(
        shares.whole,
        shares.totals().0,
        "grants pay more than a METER",
    );
    state.post(payers.payer, payers.payee, own);
    let source = Source::of_card(card);
    effects.push_from(state, Cause::Meter, index, payers, own, source);
    for share in shares.parts() {
        let pin = Pin {
            payer: share.account,
            ..payers
        };
        state.post(pin.payer, pin.payee, share.maximum);
        let source = Source {
            grant: Some(state.accounts.get(share.account).id),
            ..source
        };
        effects.push_from(state, Cause::Meter, index, pin, share.maximum, source);
    }
}

/// Stage shape up to the source.
fn parse(input: &Input<'_>) -> Result<Metered, Code> {
    let record = input.record;
    require(record.flags() & !FLAG_UNIQUE == 0, Code::UnknownFlags)?;
    let is_quote = record.u8(7) == BY_QUOTE;
    let most = MAX_CONTS + if is_quote { quote::MAX_QUOTE_CONTS } else { 0 };
    let has_conts = (1..=most).contains(&record.cont_count());
    require(has_conts, Code::ContNotAllowed)?;
    let content = input.cont_content();
    let (content, rest) = if is_quote {
        content.split_at(priced::usage_conts_end(&content, TERMS_BYTES)?)
    } else {
        content.split_at(content.len())
    };
    let card = id16_at(content, 0);
    let usage = priced::parse_usage(content, TERMS_BYTES)?;
    require(record.u8(7) <= BY_QUOTE, Code::BadField)?;
    Ok(Metered {
        card,
        is_quote,
        offer: quote::parse_named(rest, &input.genesis.ledger_id, card)?,
        model: id16_at(content, 16),
        mandate: id16_at(content, 32),
        usage,
    })
}

/// Whose money moves, and by which mandate if not the payer's own word.
struct Parties {
    payer: Slot,
    payee: Slot,
    mandate: Option<Slot>,
}

/// Existence and ownership, but of the card.
fn parties(state: &State, input: &Input<'_>, mandate: Id16) -> Result<Parties, Code> {
    let (payer_id, payee_id) = (input.record.id16(8), input.record.id16(24));
    if mandate == ZERO_ID {
        return Ok(Parties {
            payer: input.own_account(state, payer_id, Code::DebitNotFound)?,
            payee: state.accounts.find(payee_id).ok_or(Code::CreditNotFound)?,
            mandate: None,
        });
    }
    let slot = payees_mandate(state, input, mandate)?;
    let payer = state.mandates.get(slot).payer;
    require(
        state.accounts.get(payer).id == payer_id,
        Code::DebitNotFound,
    )?;
    Ok(Parties {
        payer,
        payee: input.own_account(state, payee_id, Code::CreditNotFound)?,
        mandate: Some(slot),
    })
}

/// Stage state: the card or quote that prices the usage now.
fn in_force<'a>(
    state: &'a State,
    quote: Option<&'a Quote>,
    card: Id16,
    payee: &Account,
    t: u64,
) -> Result<Prices<'a>, Code> {
    if let Some(quote) = quote {
        quote::check_in_force(quote, payee, t)?;
        return Ok(Prices::Quote(quote));
    }
    let card = priced::published_card(state, card)?;
    priced::check_in_force(card, payee, t)?;
    Ok(Prices::Card(card))
}
