//! MANDATE and MANDATE_END: a payer lets a payee meter against an account, up to caps.

use std::collections::BTreeSet;

use super::input::{check_usable, require, Input, Outcome, OWNER};
use super::journal::Undo;
use super::priced;
use super::rows::Mandate;
use super::state::{sum, State};
use super::sweep::{is_past, MAX_PRUNED};
use super::table::Slot;
use crate::format::limits::{MAX_MANDATES, MAX_MANDATE_NS};
use crate::format::{id16_at, Code, Id16, ZERO_ID};

/// A mandate must have at least so long to live.
const MIN_MANDATE_NS: u64 = 1_000_000_000;

/// Permits a principal to meter against an account of the signer.
pub fn mandate(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (payer_id, payee_id) = (record.id16(8), record.id16(24));
    let (cap, cap_each, expires_at_ns) = (record.u128(40), record.u128(56), record.u64(72));
    let card = parse_card(input)?;
    require(payee_id != ZERO_ID, Code::BadField)?;
    require(cap != 0 && cap_each != 0, Code::ZeroAmount)?;
    require(cap_each <= cap, Code::BadField)?;
    input.check_signer(state, &OWNER)?;
    let payer = input.own_account(state, payer_id, Code::DebitNotFound)?;
    let payee = state
        .principals
        .find(payee_id)
        .ok_or(Code::PrincipalNotFound)?;
    let priced = match card {
        ZERO_ID => None,
        card => Some(priced::published_card(state, card)?),
    };
    let id = input.derived_id(state);
    require(state.mandates.find(id).is_none(), Code::IdConflict)?;
    let account = state.accounts.get(payer);
    check_usable(account)?;
    if let Some(priced) = priced {
        require(priced.owner == payee, Code::NotProvider)?;
        require(priced.unit == account.unit, Code::UnitMismatch)?;
    }
    let soonest = u128::from(input.t) + u128::from(MIN_MANDATE_NS);
    let latest = u128::from(input.t) + u128::from(MAX_MANDATE_NS);
    let fits = (soonest..=latest).contains(&u128::from(expires_at_ns));
    require(fits, Code::ExpiryInvalid)?;
    let count = state.principals.get(input.principal).mandate_count;
    require(count < MAX_MANDATES, Code::CapExceeded)?;

    state.insert_mandate(Mandate {
        id,
        payer,
        payee,
        card,
        cap,
        cap_each,
        used: 0,
        expires_at_ns,
        created_at_ns: input.t,
        ended_at_ns: 0,
    });
    Ok(())
}

/// Stage shape of MANDATE up to its amounts: the only card that it is for, or zero.
fn parse_card(input: &Input<'_>) -> Result<Id16, Code> {
    let record = input.record;
    require(record.flags() == 0, Code::UnknownFlags)?;
    require(record.cont_count() <= 1, Code::ContNotAllowed)?;
    input.check_reserved(6, 8)?;
    if record.cont_count() == 0 {
        input.check_reserved(80, 112)?;
        return Ok(ZERO_ID);
    }
    let content = input.cont_content();
    let mut reserved = content[16..].iter();
    require(reserved.all(|&byte| byte == 0), Code::ReservedNonzero)?;
    let card = id16_at(&content, 0);
    require(card != ZERO_ID, Code::BadField)?;
    Ok(card)
}

/// Takes a mandate back, or gives it up.
pub fn mandate_end(state: &mut State, input: &Input<'_>) -> Outcome {
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(24, 112)?;
    input.check_signer(state, &OWNER)?;
    let slot = partys_mandate(state, input, input.record.id16(8))?;
    let mandate = *state.mandates.get(slot);
    require(!mandate.is_over(input.t), Code::MandateEnded)?;

    state.change_mandate(
        slot,
        Mandate {
            ended_at_ns: input.t,
            ..mandate
        },
    );
    Ok(())
}

/// Existence of a mandate for its two sides: strangers see none.
fn partys_mandate(state: &State, input: &Input<'_>, id: Id16) -> Result<Slot, Code> {
    let slot = state.mandates.find(id).ok_or(Code::MandateNotFound)?;
    let mandate = state.mandates.get(slot);
    let payer = state.accounts.get(mandate.payer).owner;
    let is_party = [payer, mandate.payee].contains(&input.principal);
    require(is_party, Code::MandateNotFound)?;
    Ok(slot)
}

/// Existence of a mandate for its payee.
pub fn payees_mandate(state: &State, input: &Input<'_>, id: Id16) -> Result<Slot, Code> {
    let slot = partys_mandate(state, input, id)?;
    let is_payee = state.mandates.get(slot).payee == input.principal;
    require(is_payee, Code::NotPayee)?;
    Ok(slot)
}

/// Stage state: the mandate is in force, and permits this card.
pub fn check_permits(mandate: &Mandate, card: Id16, t: u64) -> Outcome {
    require(!mandate.is_over(t), Code::MandateEnded)?;
    let is_agreed = [ZERO_ID, card].contains(&mandate.card);
    require(is_agreed, Code::PriceNotAgreed)
}

/// Stage state: the mandate covers one more charge.
pub fn check_covers(mandate: &Mandate, amount: u128) -> Outcome {
    let total = mandate.used.checked_add(amount);
    let is_within = amount <= mandate.cap_each && total.is_some_and(|total| total <= mandate.cap);
    require(is_within, Code::MandateExceeded)
}

impl State {
    pub fn insert_mandate(&mut self, mandate: Mandate) {
        let slot = self.mandates.insert(mandate);
        self.enter_mandate(slot);
        self.journal.note(|| Undo::MandateInserted(slot));
    }

    /// Writes the row of a mandate anew; its id and its parties stay.
    fn change_mandate(&mut self, slot: Slot, mandate: Mandate) {
        let before = *self.mandates.get(slot);
        self.journal.note(|| Undo::MandateChanged(slot, before));
        self.rewrite_mandate(slot, mandate);
    }

    /// Notes a charge under a mandate, which covers it.
    pub fn use_mandate(&mut self, slot: Slot, amount: u128) {
        let mandate = self.mandates.get_mut(slot);
        self.journal.note(|| Undo::MandateChanged(slot, *mandate));
        mandate.used = sum(mandate.used, amount, "a mandate's use leaves u128");
    }

    /// As `change_mandate`, in any direction and without a note.
    pub fn rewrite_mandate(&mut self, slot: Slot, mandate: Mandate) {
        self.leave_mandate(slot);
        *self.mandates.get_mut(slot) = mandate;
        self.enter_mandate(slot);
    }

    fn enter_mandate(&mut self, slot: Slot) {
        let mandate = *self.mandates.get(slot);
        self.mandate_ends
            .insert(mandate.over_at_ns(), mandate.id, slot);
        self.payer_principal(mandate.payer).mandate_count += 1;
        for party in self.parties_of(&mandate) {
            self.mandate_parties.insert((party, mandate.id));
        }
    }

    fn parties_of(&self, mandate: &Mandate) -> [Slot; 2] {
        [self.accounts.get(mandate.payer).owner, mandate.payee]
    }

    /// Takes back what `enter_mandate` did.
    fn leave_mandate(&mut self, slot: Slot) {
        let mandate = *self.mandates.get(slot);
        self.mandate_ends.remove(mandate.over_at_ns(), mandate.id);
        self.payer_principal(mandate.payer).mandate_count -= 1;
        for party in self.parties_of(&mandate) {
            self.mandate_parties.remove(&(party, mandate.id));
        }
    }

    pub fn remove_mandate(&mut self, slot: Slot) {
        self.leave_mandate(slot);
        self.mandates.remove(slot);
    }

    /// Those that were over before the retention.
    pub fn prune_mandates(&mut self, retention_ns: u64, t0: u64) {
        for _ in 0..MAX_PRUNED {
            match self.mandate_ends.first() {
                Some(slot) if is_past(self.mandate_ends.next_ns(), retention_ns, 0, t0) => {
                    self.remove_mandate(slot);
                }
                _ => return,
            }
        }
    }

    /// What is wrong with mandates beside their counts.
    pub fn verify_mandates(&self, problems: &mut Vec<String>) {
        for row in self.mandates.rows() {
            let is_within = row.used <= row.cap && row.cap_each <= row.cap && row.cap_each > 0;
            let is_in_order = row.created_at_ns < row.expires_at_ns
                && self.is_past(row.created_at_ns.max(row.ended_at_ns))
                && (row.ended_at_ns == 0
                    || row.created_at_ns < row.ended_at_ns && row.ended_at_ns < row.expires_at_ns);
            if !is_within || !is_in_order {
                problems.push("caps, use or times of a mandate contradict each other".to_owned());
            }
        }
        let sides = self.mandates.rows().flat_map(|row| {
            let parties = self.parties_of(row);
            parties.map(|party| (party, row.id))
        });
        if sides.collect::<BTreeSet<_>>() != self.mandate_parties {
            problems.push("the index of mandates is wrong".to_owned());
        }
        let ends = self.mandates.rows().map(Mandate::over_at_ns);
        if !super::invariants::is_scheduled(&self.mandate_ends, ends) {
            problems.push("the order of mandates is wrong".to_owned());
        }
    }
}
