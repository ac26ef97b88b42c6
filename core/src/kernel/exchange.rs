//! Group 3: a TRANSFER that takes an exchange quote. The taker pays the maker in one unit, the
//! maker pays the taker in another: both or none.
//!
//! The maker has signed the quote off the ledger. Each TRANSFER brings it along, whole; its row
//! holds how much was given under it, and says that its signature was verified.

use std::cell::Cell;

use sha2::{Digest, Sha256};

use super::effect::{Cause, Effects, Source};
use super::exchange_rows::Exchange;
use super::input::{
    check_credit_room, check_funds, check_usable, require, Input, Outcome, OWNER_SPEND,
};
use super::money::GROUP;
use super::pending::Pin;
use super::rows::{account_flag, scope, Account};
use super::spending::{check_limits, Counting};
use super::state::State;
use super::table::Slot;
use crate::format::limits::{CONT_PAYLOAD_BYTES, EXCHANGE_PREFIX, MAX_EXCHANGES, MAX_EXCHANGE_NS};
use crate::format::{id16_at, u128_at, u64_at, Code, Hash32, Id16, Key32, ZERO_ID};
use crate::verify::{verify_strict, Item};

/// CONTs of an exchange.
const CONTS: u16 = 3;
/// Bytes before what is signed: receiving account and output.
const HEAD_BYTES: usize = 32;
const BODY_END: usize = 184;
const END: usize = BODY_END + SIGNATURE_BYTES;
const SIGNATURE_BYTES: usize = 64;

/// What the CONTs say; its shape is right.
struct Taken {
    /// The taker's account that is paid.
    receiving: Id16,
    output: u128,
    id: Id16,
    key: Key32,
    give_account: Id16,
    take_account: Id16,
    /// Zero for anyone.
    taker: Id16,
    give: u128,
    take: u128,
    cap: u128,
    not_after_ns: u64,
    /// What is signed: the ledger's id, and the quote.
    message: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

/// The four accounts: the taker's that pays, the maker's that is paid, and the other way round.
struct Sides {
    debit: Slot,
    credit: Slot,
    giving: Slot,
    receiving: Slot,
}

/// Moves one amount to the maker of a quote, and another from it. Of the shape, the flags are
/// checked.
#[inline(never)]
pub fn exchange(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (debit_id, credit_id, amount) = (record.id16(8), record.id16(24), record.u128(40));
    let taken = parse(input)?;
    input.check_reference_shape()?;
    require(amount != 0, Code::ZeroAmount)?;
    require(debit_id != credit_id, Code::SelfTransfer)?;
    require(taken.take_account == credit_id, Code::BadField)?;
    input.check_signer(state, &OWNER_SPEND)?;
    input.check_reference(state, GROUP)?;
    let debit_slot = input.own_account(state, debit_id, Code::DebitNotFound)?;
    let credit_slot = state.accounts.find(credit_id).ok_or(Code::CreditNotFound)?;
    let receiving_slot = input.own_account(state, taken.receiving, Code::AccountNotFound)?;
    let is_for = [ZERO_ID, state.principals.get(input.principal).id].contains(&taken.taker);
    require(is_for, Code::QuoteNotFound)?;
    let key = good_key(state, input, &taken)?;
    let row = existing(state, &taken, key)?;
    let sides = Sides {
        debit: debit_slot,
        credit: credit_slot,
        giving: giving_account(state, &taken, row.maker, credit_slot)?,
        receiving: receiving_slot,
    };
    require(row.maker != input.principal, Code::SelfTransfer)?;
    check_sides(state, &sides)?;
    let remaining_ns = taken.not_after_ns.checked_sub(input.t);
    let remaining_ns = remaining_ns.ok_or(Code::QuoteExpired)?;
    require(remaining_ns <= MAX_EXCHANGE_NS, Code::ExpiryInvalid)?;
    let is_output = is_quotient(taken.output, (amount, taken.give), taken.take);
    require(is_output, Code::PriceMismatch)?;
    let given = row.given.checked_add(taken.output);
    let given = given.filter(|&given| given <= row.cap);
    let given = given.ok_or(Code::QuoteExceeded)?;
    input.check_reference_cap(state)?;
    check_cap(state, &row)?;
    let debit = state.accounts.get(debit_slot);
    let giving = state.accounts.get(sides.giving);
    let counting = check_limits(state, input, debit, amount, None)?;
    let of_maker = check_limits_of_maker(state, input, (key, row.maker), giving, taken.output)?;
    check_funds(debit, amount)?;
    let can_pay = taken.output <= giving.available();
    require(can_pay, Code::MakerCannotPay)?;
    check_credit_room(state.accounts.get(credit_slot), amount)?;
    check_credit_room(state.accounts.get(receiving_slot), taken.output)?;

    state.post(debit_slot, credit_slot, amount);
    state.post(sides.giving, receiving_slot, taken.output);
    let pin = Pin {
        id: ZERO_ID,
        payer: sides.giving,
        payee: receiving_slot,
    };
    let quote = Source {
        card: Some(row.id),
        ..Source::default()
    };
    effects.push_from(
        state,
        Cause::Exchange,
        input.index,
        pin,
        taken.output,
        quote,
    );
    state.count(counting, input.principal, None);
    state.count(of_maker, row.maker, None);
    state.put_exchange(Exchange { given, ..row });
    input.remember_reference(state, GROUP);
    Ok(())
}

/// Stage shape up to the fields of the head.
fn parse(input: &Input<'_>) -> Result<Taken, Code> {
    require(input.record.cont_count() == CONTS, Code::ContNotAllowed)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(72, 80)?;
    let content = input.cont_content();
    let is_whole = content.len() == usize::from(CONTS) * CONT_PAYLOAD_BYTES;
    require(is_whole, Code::ContNotAllowed)?;
    let is_padded = content[END..].iter().all(|&byte| byte == 0);
    require(is_padded, Code::ReservedNonzero)?;
    let amount = |at: usize| match u128_at(&content, at) {
        0 => Err(Code::ZeroAmount),
        amount => Ok(amount),
    };
    let body = &content[HEAD_BYTES..BODY_END];
    let hash: Hash32 = Sha256::new()
        .chain_update(EXCHANGE_PREFIX)
        .chain_update(body)
        .finalize()
        .into();
    let (mut key, mut signature) = ([0; 32], [0; SIGNATURE_BYTES]);
    key.copy_from_slice(&body[..32]);
    signature.copy_from_slice(&content[BODY_END..END]);
    Ok(Taken {
        receiving: id16_at(&content, 0),
        output: amount(16)?,
        id: id16_at(&hash, 0),
        key,
        give_account: id16_at(&content, 64),
        take_account: id16_at(&content, 80),
        taker: id16_at(&content, 96),
        give: amount(112)?,
        take: amount(128)?,
        cap: amount(144)?,
        not_after_ns: u64_at(&content, 160),
        message: [&input.genesis.ledger_id, body].concat(),
        signature,
    })
}

/// The key that has signed the quote: one of its owner's that may spend now.
fn good_key(state: &State, input: &Input<'_>, taken: &Taken) -> Result<Slot, Code> {
    let slot = state.keys.find(taken.key).ok_or(Code::BadQuote)?;
    let key = state.keys.get(slot);
    let may_spend = [scope::OWNER, scope::SPEND].contains(&key.scope);
    require(may_spend && key.is_active(input.t), Code::BadQuote)?;
    if key.is_in_line() {
        let above = state.check_above(slot, input.t);
        above.map_err(|_| Code::BadQuote)?;
    }
    Ok(slot)
}

/// The row of the quote, or what it will be if it is taken for the first time.
fn existing(state: &State, taken: &Taken, key: Slot) -> Result<Exchange, Code> {
    if let Some(row) = state.exchanges.find_row(taken.id) {
        return Ok(*row);
    }
    let item = Item {
        key: &taken.key,
        signature: &taken.signature,
        prefix: EXCHANGE_PREFIX,
        body: &taken.message,
    };
    require(verify_strict(&item), Code::BadQuote)?;
    Ok(Exchange {
        id: taken.id,
        maker: state.keys.get(key).principal,
        cap: taken.cap,
        given: 0,
        not_after_ns: taken.not_after_ns,
    })
}

/// The account that the maker pays from; the one that it is paid to has to be its own, too.
fn giving_account(state: &State, taken: &Taken, maker: Slot, credit: Slot) -> Result<Slot, Code> {
    let giving = state.accounts.find(taken.give_account);
    let giving = giving.ok_or(Code::BadQuote)?;
    let mut accounts = [giving, credit].into_iter();
    let are_own = accounts.all(|slot| state.accounts.get(slot).owner == maker);
    require(are_own, Code::BadQuote)?;
    Ok(giving)
}

/// Stage state of the accounts: money may move through all four, of one unit on either half.
fn check_sides(state: &State, sides: &Sides) -> Outcome {
    let slots = [sides.debit, sides.credit, sides.giving, sides.receiving];
    let accounts = slots.map(|slot| state.accounts.get(slot));
    accounts.into_iter().try_for_each(check_usable)?;
    let [debit, credit, giving, receiving] = accounts;
    require(debit.unit == credit.unit, Code::UnitMismatch)?;
    require(giving.unit == receiving.unit, Code::UnitMismatch)?;
    require(debit.unit != giving.unit, Code::UnitMismatch)?;
    let is_deferred = debit.is(account_flag::DEFERRED) || giving.is(account_flag::DEFERRED);
    require(!is_deferred, Code::UnitDeferred)
}

/// Stage caps: a quote that is taken for the first time can be remembered.
fn check_cap(state: &State, row: &Exchange) -> Outcome {
    let is_known = state.exchanges.find(row.id).is_some();
    let count = state.principals.get(row.maker).exchange_count;
    require(is_known || count < MAX_EXCHANGES, Code::CapExceeded)
}

/// Stage limits of what the maker pays, as if its key had signed the record. Which of them has no
/// room is not for the taker to know.
fn check_limits_of_maker(
    state: &State,
    input: &Input<'_>,
    (key, principal): (Slot, Slot),
    giving: &Account,
    output: u128,
) -> Result<Counting, Code> {
    let as_maker = Input {
        key,
        principal,
        detail: Cell::new(0),
        ..*input
    };
    let counting = check_limits(state, &as_maker, giving, output, None);
    counting.map_err(|_| Code::MakerCannotPay)
}

/// Whether `quotient = floor(a * b / divisor)`, in 256 bits; the divisor is not zero.
fn is_quotient(quotient: u128, (a, b): (u128, u128), divisor: u128) -> bool {
    let (dividend, below) = (product(a, b), product(quotient, divisor));
    let (low, borrowed) = dividend.1.overflowing_sub(below.1);
    let high = dividend.0.checked_sub(below.0);
    let high = high.and_then(|high| high.checked_sub(u128::from(borrowed)));
    high == Some(0) && low < divisor
}

/// `a * b` as its upper and its lower 128 bits.
fn product(a: u128, b: u128) -> (u128, u128) {
    let halves = |x: u128| (x >> 64, x & u128::from(u64::MAX));
    let ((a_high, a_low), (b_high, b_low)) = (halves(a), halves(b));
    let (middle, carried) = (a_high * b_low).overflowing_add(a_low * b_high);
    let (low, carried_low) = (a_low * b_low).overflowing_add(middle << 64);
    let high = a_high * b_high + (middle >> 64);
    let carries = (u128::from(carried) << 64) + u128::from(carried_low);
    // A product of two 128 bit numbers has 256 bits.
    (high + carries, low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_have_256_bits() {
        assert_eq!(product(3, 5), (0, 15));
        assert_eq!(product(1 << 127, 2), (1, 0));
        assert_eq!(product(u128::MAX, u128::MAX), (u128::MAX - 1, 1));
        let odd = u128::MAX / 3;
        assert_eq!(product(odd, 3), (0, u128::MAX));
        assert_eq!(product((1 << 64) + 1, (1 << 64) - 1), (0, u128::MAX));
    }

    #[test]
    fn outputs_are_rounded_down() {
        for (quotient, factors, divisor, holds) in [
            (3, (10, 1), 3, true),
            (4, (10, 1), 3, false),
            (2, (10, 1), 3, false),
            (0, (1, 1), 2, true),
            (u128::MAX, (u128::MAX, u128::MAX), u128::MAX, true),
            (u128::MAX - 1, (u128::MAX, u128::MAX), u128::MAX, false),
            (u128::MAX, (u128::MAX, 2), 1, false),
            (1 << 127, (u128::MAX, 1 << 127), u128::MAX, true),
            ((1 << 127) - 1, (u128::MAX, (1 << 127) - 1), u128::MAX, true),
        ] {
            assert_eq!(is_quotient(quotient, factors, divisor), holds, "{quotient}");
        }
    }
}
