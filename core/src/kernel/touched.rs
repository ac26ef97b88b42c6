//! Which accounts a record has to do with, beyond those whose rows it changed.
//!
//! | record | is in the history of |
//! |---|---|
//! | executed | every account that it changed or made; if none, those of the hold that it names |
//! | refused | the accounts that it, or the hold that it names, names, if the signer owns them |
//! | DUPLICATE, UNKNOWN_KEY | nobody |
//!
//! A refused record thus reaches no history but its signer's: nobody can fill another's. A record
//! that was sent again says nothing that its first copy does not say, and anybody may have sent it.
//! An expired hold is in the history of both its accounts, at the record before which it was swept.
//!
//! A new kind that names accounts or holds gets an arm in `named`.

use super::envelope::Placed;
use super::input::{Input, Outcome};
use super::state::State;
use super::table::Slot;
use crate::format::{kind, Code, Heads, RecordView};
use crate::history::tag;

/// Notes what record `input` was refused for, or did, beside its changes. `before`: postings
/// gathered before it.
#[inline]
pub fn note(state: &mut State, input: &Input<'_>, outcome: Outcome, before: usize) {
    if outcome.is_err() {
        refused(state, input.principal, input.index, input.record);
    } else if state.gather.len() == before {
        unchanging(state, input.record);
    }
}

/// An executed record that changed no account: a replayed capture, the release of nothing.
fn unchanging(state: &mut State, record: RecordView<'_>) {
    if !state.gather.is_on() || named_hold(record).is_none() {
        return;
    }
    for slot in named(state, record).into_iter().flatten() {
        state.gather.touch(slot);
    }
}

#[cold]
fn refused(state: &mut State, principal: Slot, index: u32, record: RecordView<'_>) {
    if !state.gather.is_on() {
        return;
    }
    state
        .gather
        .at(index, tag::of_kind(record.kind()) | tag::REFUSED);
    for slot in named(state, record).into_iter().flatten() {
        if state.accounts.get(slot).owner == principal {
            state.gather.touch(slot);
        }
    }
}

/// Notes the records of an envelope none of which was executed.
#[cold]
pub fn refused_all(state: &mut State, placed: &Placed<'_>, principal: Slot, code: Code) {
    if code == Code::Duplicate {
        return;
    }
    for (index, record, _) in Heads::new(placed.view) {
        refused(state, principal, index, record);
    }
}

/// Where a record names a hold.
fn named_hold(record: RecordView<'_>) -> Option<[u8; 16]> {
    matches!(record.kind(), kind::CAPTURE | kind::RELEASE).then(|| record.id16(8))
}

/// The accounts that a record names, directly or by a hold, where they exist.
fn named(state: &State, record: RecordView<'_>) -> [Option<Slot>; 2] {
    let account = |offset| state.accounts.find(record.id16(offset));
    match record.kind() {
        // An issuance account has its unit's id.
        kind::TRANSFER | kind::RESERVE | kind::ISSUE => [account(8), account(24)],
        kind::ACCOUNT => [account(24), None],
        _ => match named_hold(record).and_then(|id| state.holds.find_row(id)) {
            Some(hold) => [Some(hold.payer), Some(hold.payee)],
            None => [None, None],
        },
    }
}
