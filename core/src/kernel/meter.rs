//! METER: prices a usage by a published card and pays for it, in one step. The payer signs it, or
//! the payee under a mandate.

use super::effect::{Cause, Effects, Priced};
use super::input::{
    check_between, check_credit_room, check_funds, check_usable, require, Input, Outcome,
    FLAG_UNIQUE, OWNER_METER, OWNER_SPEND,
};
use super::mandate::{check_covers, payees_mandate};
use super::pending::Pin;
use super::priced::{self, Agreed, Usage};
use super::spending::check_limits;
use super::state::State;
use super::table::Slot;
use crate::format::{id16_at, Code, Id16, ZERO_ID};

const GROUP: u16 = 4;
/// Bytes of the content before the usage.
const TERMS_BYTES: usize = 64;
/// CONTs of a METER, at most.
const MAX_CONTS: u16 = 9;

/// What the CONTs of a METER say.
struct Metered {
    card: Id16,
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
    require((1..=3).contains(&record.u16(6)), Code::BadField)?;
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
    let card = priced::published_card(state, metered.card)?;
    let payer = state.accounts.get(payer_slot);
    let payee = state.accounts.get(payee_slot);
    let mandate = mandate.map(|slot| (slot, state.mandates.get(slot)));
    if let Some((_, mandate)) = mandate {
        require(!mandate.is_over(input.t), Code::MandateEnded)?;
        let is_agreed = [ZERO_ID, metered.card].contains(&mandate.card);
        require(is_agreed, Code::PriceNotAgreed)?;
    }
    check_usable(payer)?;
    check_usable(payee)?;
    check_between(state, payer, payee)?;
    priced::check_in_force(card, payee, input.t)?;
    let agreed = Agreed {
        card,
        model: metered.model,
        at_ns: input.t,
    };
    priced::check_amount(state, &agreed, &metered.usage, amount)?;
    if let Some((_, mandate)) = mandate {
        check_covers(mandate, amount)?;
    }
    let mandate = mandate.map(|(slot, _)| slot);
    input.check_reference_cap(state)?;
    let counting = check_limits(state, input, payer, amount, None)?;
    check_funds(payer, amount)?;
    check_credit_room(payee, amount)?;

    state.post(payer_slot, payee_slot, amount);
    if let Some(slot) = mandate {
        state.use_mandate(slot, amount);
    }
    let pin = Pin {
        id: metered.mandate,
        payer: payer_slot,
        payee: payee_slot,
    };
    let priced = Priced {
        card: Some(metered.card),
        beyond: 0,
    };
    effects.push_priced(state, Cause::Meter, input.index, pin, amount, priced);
    state.count(counting, input.principal, None);
    input.remember_reference(state, GROUP);
    Ok(())
}

/// Stage shape up to the source.
fn parse(input: &Input<'_>) -> Result<Metered, Code> {
    let record = input.record;
    require(record.flags() & !FLAG_UNIQUE == 0, Code::UnknownFlags)?;
    let has_conts = (1..=MAX_CONTS).contains(&record.cont_count());
    require(has_conts, Code::ContNotAllowed)?;
    let content = input.cont_content();
    Ok(Metered {
        card: id16_at(&content, 0),
        model: id16_at(&content, 16),
        mandate: id16_at(&content, 32),
        usage: priced::parse_usage(&content, TERMS_BYTES)?,
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
