//! Quotes: prices that a provider signs off the ledger for one principal, redeemed by RESERVE and
//! METER.
//!
//! The first record that redeems a quote brings it along, whole, and its signature is checked; its
//! row then stands for it, so that later ones name its id. The row also holds how much was agreed.

use sha2::{Digest, Sha256};

use super::input::{require, Input, Outcome};
use super::journal::Undo;
use super::price_rows::Terms;
use super::priced;
use super::quote_rows::{Quote, QuoteLine};
use super::rows::{scope, Account};
use super::state::{sum, State};
use super::table::Slot;
use crate::format::limits::{
    CONT_PAYLOAD_BYTES, MAX_QUOTES, MAX_QUOTE_LINES, MAX_QUOTE_NS, QUOTE_PREFIX,
};
use crate::format::{id16_at, u128_at, u16_at, u64_at, Code, Hash32, Id16, Key32, ZERO_ID};
use crate::verify::{verify_strict, Item};

/// Bytes before the lines: count and reserved, then what is signed.
const HEAD_BYTES: usize = 112;
pub const LINE_BYTES: usize = 80;
const SIGNATURE_BYTES: usize = 64;
/// CONTs of a quote, at most.
pub const MAX_QUOTE_CONTS: u16 = 14;

/// A quote as a record brings it along; its shape is right.
pub struct Offer {
    id: Id16,
    key: Key32,
    beneficiary: Id16,
    unit: Id16,
    cap: u128,
    not_after_ns: u64,
    lines: Vec<QuoteLine>,
    /// What is signed: the ledger's id, and all of the above.
    message: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

/// Stage shape: the quote that the last CONTs of a record hold.
fn parse_offer(content: &[u8], ledger_id: &Hash32) -> Result<Offer, Code> {
    let count = usize::from(u16_at(content, 0));
    require((1..=MAX_QUOTE_LINES).contains(&count), Code::BadField)?;
    let lines_end = HEAD_BYTES + LINE_BYTES * count;
    let end = lines_end + SIGNATURE_BYTES;
    let conts = end.div_ceil(CONT_PAYLOAD_BYTES);
    require(
        content.len() / CONT_PAYLOAD_BYTES == conts,
        Code::ContNotAllowed,
    )?;
    let mut reserved = content[2..8].iter().chain(&content[end..]);
    require(reserved.all(|&byte| byte == 0), Code::ReservedNonzero)?;
    let bytes = content[HEAD_BYTES..lines_end].chunks_exact(LINE_BYTES);
    let lines: Vec<QuoteLine> = bytes.map(line_of).collect();
    let is_ordered = lines.windows(2).all(|pair| pair[0].place < pair[1].place);
    let are_named = lines
        .iter()
        .all(|line| line.place.0 != ZERO_ID && line.place.1 != ZERO_ID);
    require(is_ordered && are_named, Code::BadField)?;
    let cap = u128_at(content, 72);
    let are_priced = lines.iter().all(|line| line.price != 0);
    require(cap != 0 && are_priced, Code::ZeroAmount)?;
    let message = [ledger_id.as_slice(), &content[8..lines_end]].concat();
    let (mut key, mut signature, mut id) = ([0; 32], [0; SIGNATURE_BYTES], ZERO_ID);
    key.copy_from_slice(&content[8..40]);
    signature.copy_from_slice(&content[lines_end..end]);
    let hash = Sha256::new()
        .chain_update(QUOTE_PREFIX)
        .chain_update(&content[8..lines_end])
        .finalize();
    id.copy_from_slice(&hash[..16]);
    Ok(Offer {
        id,
        key,
        beneficiary: id16_at(content, 40),
        unit: id16_at(content, 56),
        cap,
        not_after_ns: u64_at(content, 88),
        lines,
        message,
        signature,
    })
}

/// As `parse_offer`, of what is left of a record's CONTs, if anything: it has to be the quote that
/// the record names.
pub fn parse_named(rest: &[u8], ledger_id: &Hash32, id: Id16) -> Result<Option<Box<Offer>>, Code> {
    if rest.is_empty() {
        return Ok(None);
    }
    let offer = parse_offer(rest, ledger_id)?;
    require(offer.id == id, Code::BadField)?;
    Ok(Some(Box::new(offer)))
}

/// The line in 80 bytes.
pub fn line_of(bytes: &[u8]) -> QuoteLine {
    let name = |number: usize| id16_at(bytes, 16 * number);
    QuoteLine {
        place: (name(0), name(1), name(2), name(3)),
        price: u128_at(bytes, 64),
    }
}

/// Existence of what prices a record, if anything does: a published card (None), or a quote for
/// the payer's owner.
#[inline]
pub fn existing(
    state: &State,
    input: &Input<'_>,
    priced_by: Option<(Id16, bool)>,
    offer: Option<&Offer>,
    payer: Slot,
) -> Result<Option<Quote>, Code> {
    let Some((priced_by, is_quote)) = priced_by else {
        return Ok(None);
    };
    if !is_quote {
        return priced::published_card(state, priced_by).map(|_| None);
    }
    let beneficiary = state.accounts.get(payer).owner;
    let quote = match (state.quotes.find_row(priced_by), offer) {
        (Some(row), _) => row.clone(),
        (None, Some(offer)) => signed(state, input, offer, beneficiary)?,
        (None, None) => return Err(Code::QuoteNotFound),
    };
    require(quote.beneficiary == beneficiary, Code::QuoteNotFound)?;
    Ok(Some(quote))
}

/// A quote that is redeemed for the first time: a good key of its provider has signed it.
fn signed(
    state: &State,
    input: &Input<'_>,
    offer: &Offer,
    beneficiary: Slot,
) -> Result<Quote, Code> {
    let is_for = state.principals.get(beneficiary).id == offer.beneficiary;
    require(is_for, Code::QuoteNotFound)?;
    let unit = state.units.find(offer.unit).ok_or(Code::UnitNotFound)?;
    let key = state.keys.find_row(offer.key).ok_or(Code::BadQuote)?;
    let is_good = [scope::OWNER, scope::PRICE].contains(&key.scope) && key.is_active(input.t);
    let item = Item {
        key: &offer.key,
        signature: &offer.signature,
        prefix: QUOTE_PREFIX,
        body: &offer.message,
    };
    require(is_good && verify_strict(&item), Code::BadQuote)?;
    Ok(Quote {
        id: offer.id,
        provider: key.principal,
        beneficiary,
        unit,
        cap: offer.cap,
        agreed: 0,
        not_after_ns: offer.not_after_ns,
        lines: offer.lines.clone(),
    })
}

/// Stage state: the quote prices, now, what the payee's owner sells for the unit of its account.
pub fn check_in_force(quote: &Quote, payee: &Account, t: u64) -> Outcome {
    require(payee.owner == quote.provider, Code::NotProvider)?;
    require(payee.unit == quote.unit, Code::UnitMismatch)?;
    check_not_expired(quote, t)?;
    require(quote.not_after_ns - t <= MAX_QUOTE_NS, Code::ExpiryInvalid)
}

pub fn check_not_expired(quote: &Quote, t: u64) -> Outcome {
    require(t <= quote.not_after_ns, Code::QuoteExpired)
}

/// Stage state: the quote covers so much more, and what may be charged beyond it on debt.
pub fn check_covers(quote: &Quote, amount: u128, debt: u128) -> Outcome {
    let total = quote.agreed.checked_add(amount);
    let total = total.and_then(|total| total.checked_add(debt));
    let is_within = total.is_some_and(|total| total <= quote.cap);
    require(is_within, Code::QuoteExceeded)
}

/// Stage caps: a quote that is redeemed for the first time can be remembered.
pub fn check_cap(state: &State, quote: &Quote) -> Outcome {
    let is_known = state.quotes.find(quote.id).is_some();
    let count = state.principals.get(quote.beneficiary).quote_count;
    require(is_known || count < MAX_QUOTES, Code::CapExceeded)
}

/// The quote that prices a hold.
pub fn of_terms(state: &State, terms: &Terms) -> Option<Slot> {
    if terms.is_quote {
        state.quotes.find(terms.card)
    } else {
        None
    }
}

impl State {
    /// Agrees to so much more under a quote, which covers it.
    pub fn redeem(&mut self, quote: &Quote, amount: u128) {
        match self.quotes.find(quote.id) {
            Some(slot) => self.redeem_again(slot, amount),
            None => {
                let slot = self.enter_quote(Quote {
                    agreed: amount,
                    ..quote.clone()
                });
                self.journal.note(|| Undo::QuoteInserted(slot));
            }
        }
    }

    /// As `redeem`, of a quote that has a row.
    pub fn redeem_again(&mut self, slot: Slot, amount: u128) {
        let quote = self.quotes.get_mut(slot);
        let before = quote.agreed;
        self.journal.note(|| Undo::QuoteAgreed(slot, before));
        quote.agreed = sum(quote.agreed, amount, "what a quote agrees leaves u128");
    }

    /// Adds a row, with what is derived from it.
    pub fn enter_quote(&mut self, quote: Quote) -> Slot {
        let (id, not_after_ns, beneficiary) = (quote.id, quote.not_after_ns, quote.beneficiary);
        let slot = self.quotes.insert(quote);
        self.quote_ends.insert(not_after_ns, id, slot);
        self.principals.get_mut(beneficiary).quote_count += 1;
        slot
    }

    pub fn remove_quote(&mut self, slot: Slot) {
        let quote = self.quotes.get_mut(slot);
        quote.lines = Vec::new(); // what a freed slot keeps is little
        let (id, not_after_ns, beneficiary) = (quote.id, quote.not_after_ns, quote.beneficiary);
        self.quote_ends.remove(not_after_ns, id);
        self.principals.get_mut(beneficiary).quote_count -= 1;
        self.quotes.remove(slot);
    }
}
