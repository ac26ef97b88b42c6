//! Group 5: CHANNEL, TOP_UP, VOUCHER and CHANNEL_CLOSE.

use super::effect::{Cause, Effects};
use super::input::{
    check_between, check_credit_room, check_funds, check_open_account, check_room, check_usable,
    require, Input, Outcome, FLAG_UNIQUE, OWNER_METER, OWNER_SPEND, OWNER_SPEND_METER,
};
use super::rows::{scope, Channel, ChannelStatus};
use super::spending::{check_limits, Pinning};
use super::state::{difference, sum, State};
use super::table::Slot;
use crate::format::{Code, Id16, Key32, Voucher};
use crate::verify::KeyedVoucher;

const GROUP: u16 = 5;
/// The payee must have at least so long to redeem once the payer closes.
const MIN_CHALLENGE_NS: u64 = 1_000_000_000;

/// Pins a deposit of the payer for the vouchers that one of its CHANNEL keys signs.
pub fn channel(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (payer_id, payee_id, deposit) = (record.id16(8), record.id16(24), record.u128(40));
    let (challenge_ns, key) = (record.u64(72), *record.array::<32>(80));
    input.check_flags_and_conts(FLAG_UNIQUE)?;
    input.check_reserved(6, 8)?;
    input.check_reference_shape()?;
    require(deposit != 0, Code::ZeroAmount)?;
    require(payer_id != payee_id, Code::SelfTransfer)?;
    let challenges = MIN_CHALLENGE_NS..=input.genesis.hold_max_lifetime_ns;
    require(challenges.contains(&challenge_ns), Code::BadField)?;
    input.check_signer(state, &OWNER_SPEND)?;
    input.check_reference(state, GROUP)?;
    let payer_slot = input.own_account(state, payer_id, Code::DebitNotFound)?;
    let payee_slot = state.accounts.find(payee_id).ok_or(Code::CreditNotFound)?;
    let key_slot = own_channel_key(state, input, key)?;
    let id = input.derived_id(state);
    require(state.channels.find(id).is_none(), Code::IdConflict)?;
    let is_active = state.keys.get(key_slot).is_active(input.t);
    require(is_active, Code::KeyState)?;
    let payer = state.accounts.get(payer_slot);
    let payee = state.accounts.get(payee_slot);
    check_usable(payer)?;
    check_usable(payee)?;
    check_between(state, payer, payee)?;
    input.check_pin_cap(state)?;
    input.check_reference_cap(state)?;
    let counting = check_limits(state, input, payer, deposit, Pinning::of(id, payee_id))?;
    check_funds(payer, deposit)?;
    check_room(payee.credits_pending, deposit)?;

    let channel = Channel {
        id,
        payer: payer_slot,
        payee: payee_slot,
        key,
        deposit,
        paid: 0,
        highest: 0,
        challenge_ns,
        closes_at_ns: 0,
        status: ChannelStatus::Open,
        ended_at_ns: 0,
    };
    state.add_pending((&channel).into(), deposit);
    state.insert_channel(channel);
    state.count(counting, input.principal, Some(id));
    input.remember_reference(state, GROUP);
    Ok(())
}

/// A key of the signer's principal that may sign vouchers, whatever its status.
fn own_channel_key(state: &State, input: &Input<'_>, key: Key32) -> Result<Slot, Code> {
    let slot = state.keys.find(key).ok_or(Code::KeyNotFound)?;
    let row = state.keys.get(slot);
    let is_own = row.principal == input.principal && row.scope == scope::CHANNEL;
    require(is_own, Code::KeyNotFound)?;
    Ok(slot)
}

/// What the signer's principal is to a channel.
struct Party {
    slot: Slot,
    channel: Channel,
    is_payer: bool,
    is_payee: bool,
}

/// Existence of a channel for its two sides: strangers see none.
fn party(state: &State, input: &Input<'_>, id: Id16) -> Result<Party, Code> {
    let slot = state.channels.find(id).ok_or(Code::ChannelNotFound)?;
    let channel = *state.channels.get(slot);
    let is_own = |account: Slot| state.accounts.get(account).owner == input.principal;
    let (is_payer, is_payee) = (is_own(channel.payer), is_own(channel.payee));
    require(is_payer || is_payee, Code::ChannelNotFound)?;
    Ok(Party {
        slot,
        channel,
        is_payer,
        is_payee,
    })
}

/// Adds to the deposit of an open channel.
pub fn top_up(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (id, amount) = (record.id16(8), record.u128(24));
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(40, 112)?;
    require(amount != 0, Code::ZeroAmount)?;
    input.check_signer(state, &OWNER_SPEND)?;
    let party = party(state, input, id)?;
    let channel = party.channel;
    require(party.is_payer, Code::NotPayer)?;
    require(!channel.is_over(input.t), Code::ChannelEnded)?;
    let is_closing = channel.status == ChannelStatus::Closing;
    require(!is_closing, Code::ChannelClosing)?;
    let payer = state.accounts.get(channel.payer);
    let payee = state.accounts.get(channel.payee);
    check_open_account(payer)?;
    check_open_account(payee)?;
    let counting = check_limits(state, input, payer, amount, Pinning::of(id, payee.id))?;
    check_funds(payer, amount)?;
    check_room(channel.deposit, amount)?;
    check_room(payee.credits_pending, amount)?;

    state.add_pending((&channel).into(), amount);
    let topped_up = Channel {
        deposit: sum(channel.deposit, amount, "a deposit leaves u128"),
        ..channel
    };
    state.change_channel(party.slot, topped_up);
    state.count(counting, input.principal, Some(id));
    Ok(())
}

/// Pays the payee up to what a voucher says, or up to the deposit.
pub fn voucher(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let voucher = Voucher::of(input.record).ok_or(Code::UnknownKind)?;
    let cumulative = voucher.cumulative();
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    require(cumulative != 0, Code::ZeroAmount)?;
    input.check_signer(state, &OWNER_METER)?;
    let party = party(state, input, voucher.channel())?;
    let channel = party.channel;
    require(party.is_payee, Code::NotPayee)?;
    require(!channel.is_over(input.t), Code::ChannelEnded)?;
    let payee = state.accounts.get(channel.payee);
    check_open_account(payee)?;
    require(cumulative >= channel.highest, Code::VoucherLowered)?;
    let keyed = KeyedVoucher {
        key: channel.key,
        voucher,
    };
    let ledger_id = &input.genesis.ledger_id;
    let is_signed = input.vouchers.holds(input.sequence, &keyed, ledger_id);
    require(is_signed, Code::BadVoucher)?;
    let payable = difference(
        cumulative.min(channel.deposit),
        channel.paid,
        "a channel paid more than its vouchers say",
    );
    if payable == 0 {
        let is_replay = cumulative == channel.highest;
        return require(is_replay, Code::ChannelExhausted);
    }
    check_credit_room(payee, payable)?;

    state.post_pending((&channel).into(), payable);
    let paid = Channel {
        paid: sum(channel.paid, payable, "what is paid leaves u128"),
        highest: cumulative,
        ..channel
    };
    state.change_channel(party.slot, paid);
    state.no_longer_held(channel.id, channel.payer, paid.rest());
    let pin = (&channel).into();
    effects.push(state, Cause::Voucher, input.index, pin, payable);
    Ok(())
}

/// Closes a channel: the payee's at once, the payer's after the challenge period. Whoever is both
/// is the payee.
pub fn channel_close(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let record = input.record;
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(24, 112)?;
    input.check_signer(state, &OWNER_SPEND_METER)?;
    let party = party(state, input, record.id16(8))?;
    let channel = party.channel;
    match state.keys.get(input.key).scope {
        scope::SPEND => require(party.is_payer, Code::ScopeDenied)?,
        scope::METER => require(party.is_payee, Code::ScopeDenied)?,
        _ => {}
    }
    require(!channel.is_over(input.t), Code::ChannelEnded)?;
    let is_open = channel.status == ChannelStatus::Open;
    require(is_open || party.is_payee, Code::ChannelClosing)?;

    if party.is_payee {
        let rest = state.close_channel(party.slot, input.t);
        if rest > 0 {
            let pin = (&channel).into();
            effects.push(state, Cause::ChannelClose, input.index, pin, rest);
        }
        return Ok(());
    }
    let closing = Channel {
        status: ChannelStatus::Closing,
        // No timestamp reaches the last moment: such a channel closes never.
        closes_at_ns: input.t.saturating_add(channel.challenge_ns),
        ..channel
    };
    state.change_channel(party.slot, closing);
    Ok(())
}
