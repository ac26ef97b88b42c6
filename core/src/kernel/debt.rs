//! What a hold may charge beyond its maximum, and the claims that this leaves; PAY_CLAIM.

use super::claim_state::{Claim, ClaimStatus};
use super::effect::{Cause, Effects};
use super::input::{
    check_between, check_credit_room, check_funds, check_open_account, check_usable, require,
    Input, Outcome, OWNER_METER, OWNER_SPEND,
};
use super::pending::Pin;
use super::price_rows::{Overrun, Terms};
use super::rows::{account_flag, Hold, HoldStatus};
use super::state::{difference, sum, State};
use super::table::Slot;
use crate::format::limits::LATE_CAPTURE_NS;
use crate::format::{Code, Genesis};

const PAY: u16 = 1;
const WAIVE: u16 = 2;

/// Where the amount of one CAPTURE comes from.
#[derive(Debug, Clone, Copy)]
pub struct Split {
    /// What the hold holds.
    pub pinned: u128,
    /// What else the payer's account has available.
    pub available: u128,
    /// Nowhere: it becomes a claim.
    pub claimed: u128,
}

impl Split {
    /// What the payee is paid now.
    pub fn posted(&self) -> u128 {
        sum(self.pinned, self.available, "a capture leaves u128")
    }
}

/// What was charged so far, whoever has paid or owes it.
pub fn charged(hold: &Hold, terms: Option<&Terms>) -> u128 {
    let beyond = terms.map_or(0, |terms| terms.beyond);
    sum(hold.captured, beyond, "more was charged than fits")
}

/// How long after its expiry a hold may be captured late.
pub fn grace_ns(genesis: &Genesis) -> u64 {
    LATE_CAPTURE_NS.min(genesis.hold_retention_ns)
}

/// Whether the payer of this hold has signed for a last CAPTURE after its expiry.
pub fn may_come_late(hold: &Hold, terms: Option<&Terms>) -> bool {
    let is_debt = terms.is_some_and(|terms| terms.overrun == Overrun::Debt);
    is_debt && hold.status == HoldStatus::Expired
}

/// Whether such a CAPTURE is still in time at `t`. While it is, the hold's card is there.
pub fn is_late_payable(hold: &Hold, terms: Option<&Terms>, grace_ns: u64, t: u64) -> bool {
    let ends_ns = u128::from(hold.expires_at_ns) + u128::from(grace_ns);
    may_come_late(hold, terms) && u128::from(t) < ends_ns
}

impl State {
    /// What a priced hold was agreed on.
    pub fn terms_of(&self, hold: &Hold) -> Option<&Terms> {
        (hold.terms != Slot::MAX).then(|| self.terms.get(hold.terms))
    }

    /// What has expired is held no longer, but limits go on counting it while it may be captured.
    pub fn begin_grace(&mut self, slot: Slot) {
        let hold = *self.holds.get(slot);
        self.no_longer_held(hold.id, hold.payer, 0);
        if self.is_marked(&hold) {
            self.in_grace.insert(hold.expires_at_ns, hold.id, slot);
        }
    }

    /// Gives back to limits what was promised and will not be charged any more.
    pub fn give_back_rest(&mut self, slot: Slot) {
        let hold = *self.holds.get(slot);
        if self.is_marked(&hold) {
            let (debt_limit, beyond) = self
                .terms_of(&hold)
                .map_or((0, 0), |terms| (terms.debt_limit, terms.beyond));
            // More than a u128 is more than any limit has counted.
            let promised = hold.rest().saturating_add(debt_limit);
            self.give_back(hold.id, hold.payer, promised.saturating_sub(beyond));
        }
        self.in_grace.remove(hold.expires_at_ns, hold.id);
    }

    #[inline]
    fn is_marked(&self, hold: &Hold) -> bool {
        let owner = self.accounts.get(hold.payer).owner;
        self.principals.get(owner).mark_count > 0 && self.marks_of(hold.id).next().is_some()
    }
}

/// Where an amount comes from: first the hold, then the account unless it is frozen or closed.
pub fn split(state: &State, hold: &Hold, amount: u128) -> Split {
    let rest = if hold.status == HoldStatus::Open {
        hold.rest()
    } else {
        0
    };
    let pinned = amount.min(rest);
    let beyond = difference(amount, pinned, "a hold pays more than is asked");
    if beyond == 0 {
        return Split {
            pinned,
            available: 0,
            claimed: 0,
        };
    }
    let payer = state.accounts.get(hold.payer);
    let is_usable = !payer.is(account_flag::FROZEN | account_flag::CLOSED);
    let available = if is_usable {
        beyond.min(payer.available())
    } else {
        0
    };
    Split {
        pinned,
        available,
        claimed: difference(beyond, available, "an account pays more than is asked"),
    }
}

/// Stage caps: there is room for one more claim against the payer, if it takes one.
pub fn check_claim_cap(state: &State, input: &Input<'_>, hold: &Hold, claimed: u128) -> Outcome {
    if claimed == 0 || state.claims.contains_key(&hold.id) {
        return Ok(());
    }
    let payer = state.accounts.get(hold.payer).owner;
    let count = state.principals.get(payer).claim_count;
    require(count < input.genesis.cap_references, Code::CapExceeded)
}

/// Takes what is available, and remembers what the hold did not pay.
pub fn charge_beyond(state: &mut State, hold: &Hold, parts: Split) {
    let charged = sum(parts.available, parts.claimed, "a capture leaves u128");
    if charged > 0 {
        let before = state.terms.get(hold.terms).beyond;
        let beyond = sum(before, charged, "more was charged than fits");
        state.set_beyond(hold.terms, beyond);
    }
    if parts.available > 0 {
        state.post(hold.payer, hold.payee, parts.available);
    }
}

/// Opens the claim of a hold, or lets it grow; one that was paid is open again.
pub fn add_claim(
    state: &mut State,
    effects: &mut Effects,
    input: &Input<'_>,
    hold: &Hold,
    amount: u128,
) {
    if amount == 0 {
        return;
    }
    let before = state.claims.get(&hold.id).copied();
    let row = before.unwrap_or(Claim {
        id: hold.id,
        payer: hold.payer,
        payee: hold.payee,
        amount: 0,
        paid: 0,
        waived: 0,
        opened_at_ns: input.t,
        ended_at_ns: 0,
        status: ClaimStatus::Open,
    });
    state.put_claim(Claim {
        amount: sum(row.amount, amount, "a claim leaves u128"),
        ended_at_ns: 0,
        status: ClaimStatus::Open,
        ..row
    });
    effects.push_claim(state, Cause::Claim, input.index, hold.into(), amount);
}

/// Pays a claim, or waives what is left of it.
pub fn pay_claim(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    input.check_flags_and_conts(0)?;
    input.check_reserved(56, 112)?;
    match input.record.u16(6) {
        PAY => pay(state, effects, input),
        WAIVE => waive(state, input),
        _ => Err(Code::BadField),
    }
}

fn pay(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    let amount = input.record.u128(24);
    require(amount != 0, Code::ZeroAmount)?;
    input.check_signer(state, &OWNER_SPEND)?;
    let claim = claim_of_party(state, input)?;
    let payer = state.accounts.get(claim.payer);
    require(payer.owner == input.principal, Code::NotPayer)?;
    let debit_slot = input.own_account(state, input.record.id16(40), Code::DebitNotFound)?;
    require(debit_slot != claim.payee, Code::SelfTransfer)?;
    require(claim.is_open(), Code::ClaimEnded)?;
    require(amount <= claim.rest(), Code::ClaimExceeds)?;
    let debit = state.accounts.get(debit_slot);
    let payee = state.accounts.get(claim.payee);
    check_usable(debit)?;
    check_open_account(payee)?;
    check_between(state, debit, payee)?;
    check_funds(debit, amount)?;
    check_credit_room(payee, amount)?;

    state.post(debit_slot, claim.payee, amount);
    let mut paid = Claim {
        paid: sum(claim.paid, amount, "more of a claim was paid than fits"),
        ..claim
    };
    if paid.rest() == 0 {
        paid.status = ClaimStatus::Paid;
        paid.ended_at_ns = input.t;
    }
    state.put_claim(paid);
    let pin = Pin {
        id: claim.id,
        payer: debit_slot,
        payee: claim.payee,
    };
    effects.push_claim(state, Cause::PayClaim, input.index, pin, amount);
    Ok(())
}

fn waive(state: &mut State, input: &Input<'_>) -> Outcome {
    input.check_reserved(24, 56)?;
    input.check_signer(state, &OWNER_METER)?;
    let claim = claim_of_party(state, input)?;
    let payee = state.accounts.get(claim.payee);
    require(payee.owner == input.principal, Code::NotPayee)?;
    require(claim.is_open(), Code::ClaimEnded)?;

    state.put_claim(Claim {
        waived: sum(claim.waived, claim.rest(), "more was waived than was owed"),
        ended_at_ns: input.t,
        status: ClaimStatus::Waived,
        ..claim
    });
    Ok(())
}

/// Existence of a claim for its two sides: strangers see none.
fn claim_of_party(state: &State, input: &Input<'_>) -> Result<Claim, Code> {
    let claim = state.claims.get(&input.record.id16(8));
    let claim = *claim.ok_or(Code::ClaimNotFound)?;
    let is_own = |slot: Slot| state.accounts.get(slot).owner == input.principal;
    let is_party = is_own(claim.payer) || is_own(claim.payee);
    require(is_party, Code::ClaimNotFound)?;
    Ok(claim)
}
