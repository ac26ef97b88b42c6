//! Reading ahead: the accounts that the next records name are looked up before they are needed.
//!
//! A transfer waits for four loads from memory when the accounts do not fit the cache, and it
//! waits for them one after the other, because each record must see what the one before it did.
//! Looking up some records' accounts in one go lets the processor wait for all of them together:
//! with a million accounts a transfer costs a third. What is found here is thrown away; the rules
//! look again, and find it in the cache.

use std::hint::black_box;

use super::state::State;
use crate::format::limits::RECORD_BYTES;
use crate::format::{kind, EnvelopeView, Records};

/// Records looked at in one go: some dozens of loads, far fewer bytes than the smallest cache.
const WINDOW: usize = 32;
/// Up to here the accounts (128 bytes each) fit a core's own cache.
const WORTHWHILE_ACCOUNTS: usize = 8_192;

/// How far the records of an envelope have been read ahead.
pub struct ReadAhead<'a> {
    records: &'a [u8],
    next: usize,
}

impl<'a> ReadAhead<'a> {
    pub fn new(state: &State, envelope: EnvelopeView<'a>) -> Self {
        let is_worthwhile = state.accounts.len() > WORTHWHILE_ACCOUNTS;
        Self {
            records: envelope.records_bytes(),
            next: if is_worthwhile { 0 } else { usize::MAX },
        }
    }

    /// To be called before record `index` is executed.
    #[inline]
    pub fn reach(&mut self, state: &State, index: u32) {
        if index as usize >= self.next {
            self.next = index as usize + WINDOW;
            touch(state, &self.records[index as usize * RECORD_BYTES..]);
        }
    }
}

fn touch(state: &State, records: &[u8]) {
    let mut seen = 0;
    for record in Records::new(records).take(WINDOW) {
        if !matches!(
            record.kind(),
            kind::TRANSFER | kind::RESERVE | kind::CHANNEL
        ) {
            continue;
        }
        // Debit or payer, credit or payee; both cache lines of each row, by a field in each.
        for id in [record.id16(8), record.id16(24)] {
            if let Some(account) = state.accounts.find_row(id) {
                seen ^= u128::from(account.flags) ^ account.credits_posted;
            }
        }
    }
    black_box(seen);
}
