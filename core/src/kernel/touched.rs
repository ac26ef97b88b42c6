//! Which accounts a record has to do with, beyond those whose rows it changed.
//!
//! | record | is in the history of |
//! |---|---|
//! | executed | the accounts that it changed or made; if none, those of what it is about |
//! | refused | those that it, or what it is about, names, if the signer owns them |
//! | DUPLICATE, UNKNOWN_KEY | nobody |
//!
//! A record is about its hold, channel, claim, dispute, mandate or unit, or about the record that
//! it cites. A mandate is in the history of the account that pays, and of no other.
//!
//! A refused record thus reaches no history but its signer's: nobody can fill another's. A record
//! that was sent again says nothing that its first copy does not say, and anybody may have sent it.
//! A hold that expired and a channel that closed by itself are in the history of both their
//! accounts, at the record before which they were swept.
//!
//! A correction is in the histories of the two accounts between which the cited record moved
//! something, not at the cited record.
//!
//! A new kind that names accounts, holds or channels gets an arm in `named`.

use super::citation::Citations;
use super::envelope::Placed;
use super::input::{Input, Outcome};
use super::pending::Pin;
use super::state::State;
use super::table::Slot;
use crate::format::{kind, Code, Heads, RecordView};
use crate::history::tag;

/// Notes what record `input` was refused for, or did, beside its changes. `before`: postings
/// gathered before it.
#[inline]
pub fn note(state: &mut State, input: &Input<'_>, outcome: Outcome, before: usize) {
    if outcome.is_err() {
        let place = (input.index, input.record);
        refused(state, input.principal, input.citations, place);
    } else if state.gather.len() == before {
        unchanging(state, input.record);
    }
}

/// An executed record that changed no account: a replayed capture or voucher, the release of
/// nothing, a later expiry, a payer's close, a dispute or its rejection, a mandate and its end, a
/// waived claim.
fn unchanging(state: &mut State, record: RecordView<'_>) {
    if !state.gather.is_on() {
        return;
    }
    for slot in pinned(state, record).into_iter().flatten() {
        state.gather.touch(slot);
    }
}

#[cold]
fn refused(
    state: &mut State,
    principal: Slot,
    citations: &Citations,
    (index, record): (u32, RecordView<'_>),
) {
    if !state.gather.is_on() {
        return;
    }
    state
        .gather
        .at(index, tag::of_kind(record.kind()) | tag::REFUSED);
    for slot in named(state, citations, record).into_iter().flatten() {
        if state.accounts.get(slot).owner == principal {
            state.gather.touch(slot);
        }
    }
}

/// Notes the records of an envelope none of which was executed.
#[cold]
pub fn refused_all(
    state: &mut State,
    placed: &Placed<'_>,
    principal: Slot,
    citations: &Citations,
    code: Code,
) {
    if code == Code::Duplicate {
        return;
    }
    for (index, record, _) in Heads::new(placed.view) {
        refused(state, principal, citations, (index, record));
    }
}

/// The accounts of the hold, channel, claim, grant, dispute or mandate that a record names, where
/// it exists; twice the same one where there is no other.
fn pinned(state: &State, record: RecordView<'_>) -> Option<[Slot; 2]> {
    let id = || record.id16(8);
    let pin: Option<Pin> = match record.kind() {
        kind::EXTEND | kind::CAPTURE | kind::RELEASE => state.holds.find_row(id()).map(Pin::from),
        kind::TOP_UP | kind::VOUCHER | kind::CHANNEL_CLOSE => {
            state.channels.find_row(id()).map(Pin::from)
        }
        kind::PAY_CLAIM => {
            let claim = state.claims.get(&id())?;
            return Some([claim.payer, claim.payee]);
        }
        kind::CLAW_BACK => {
            let grant = state.grants.find_row(id())?;
            return Some([grant.pool, grant.account]);
        }
        kind::DISPUTE | kind::DISPUTE_ANSWER => {
            let dispute = state.disputes.get(&record.u64(8))?;
            return Some([dispute.cited.payer, dispute.cited.payee]);
        }
        // The unit's own account stands for a window in which nobody owes; the payer's for a
        // mandate.
        kind::WINDOW_CLOSE | kind::SETTLE | kind::MANDATE => {
            let account = state.accounts.find(id())?;
            return Some([account, account]);
        }
        kind::MANDATE_END => {
            let payer = state.mandates.find_row(id())?.payer;
            return Some([payer, payer]);
        }
        _ => None,
    };
    pin.map(|pin| [pin.payer, pin.payee])
}

/// The accounts that a record names, directly or by what it is about, where they exist.
fn named(state: &State, citations: &Citations, record: RecordView<'_>) -> [Option<Slot>; 2] {
    let account = |offset| state.accounts.find(record.id16(offset));
    match record.kind() {
        // An issuance account has its unit's id.
        kind::TRANSFER
        | kind::RESERVE
        | kind::METER
        | kind::CHANNEL
        | kind::ISSUE
        | kind::BURN
        | kind::CREDIT_LIMIT
        | kind::JOIN => [account(8), account(24)],
        kind::FAIL => [account(8), account(40)],
        kind::ACCOUNT => [account(24), None],
        kind::GRANT => [account(8), None],
        kind::REFUND | kind::DISPUTE | kind::REPRICE => match citations.peek(record.u64(8)) {
            Some(cited) => [Some(cited.payer), Some(cited.payee)],
            None => [None, None],
        },
        _ => match pinned(state, record) {
            Some(accounts) => accounts.map(Some),
            None => [None, None],
        },
    }
}
