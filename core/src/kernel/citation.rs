//! What earlier records moved, as far as a block cites them.
//!
//! Corrections cite a record by its sequence number, and the state does not keep what every record
//! moved. `cited_sequences` says from a block's bytes alone which records have to be looked
//! up; the shell reads them in the log, and hands in a citation of 208 bytes for each:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | sequence number |
//! | 8 | 8 | timestamp of the record |
//! | 16 | 16 | debit account |
//! | 32 | 16 | credit account |
//! | 48 | 16 | amount |
//! | 64 | 32 × 4 | legs: grant (16), amount (16), unused ones zero: what grants paid of it |
//! | 192 | 16 | card or quote that priced it, zero for none |
//!
//! All but the sequence number is zero for a record that moved nothing. Citations that are not
//! those of the block, or that contradict the state, are a broken invariant: whoever went on from
//! them would have another ledger than the others.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{broken, State};
use super::table::Slot;
use crate::format::limits::{CITATION_BYTES, MAX_CITED, RECORD_BYTES};
use crate::format::{id16_at, kind, u128_at, u16_at, u64_at, BlockView, Code, Id16, ZERO_ID};

const LEG_BYTES: usize = 32;
/// Where a citation has the card.
const CARD_AT: usize = 192;

/// What a record moved, above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Citation {
    pub sequence: u64,
    pub timestamp_ns: u64,
    pub payer: Slot,
    pub payee: Slot,
    pub amount: u128,
}

/// The part of what a record moved that a grant paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    pub grant: Id16,
    pub amount: u128,
}

/// What a record moved, what priced it, and who paid it beside its payer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cited {
    pub moved: Citation,
    /// Zero for none.
    pub card: Id16,
    /// In the order in which the grants pay.
    pub legs: Vec<Leg>,
}

/// Those of a block.
#[derive(Debug, Default)]
pub struct Citations {
    first_sequence: u64,
    /// None for a record that moved nothing.
    cited: BTreeMap<u64, Option<Cited>>,
}

/// The first 256 different earlier records that a block names in its corrections, ascending.
/// Nothing for bytes that are no block.
pub fn cited_sequences(block: &[u8]) -> Vec<u64> {
    let Ok(view) = BlockView::parse(block) else {
        return Vec::new();
    };
    sequences_of(view).into_iter().collect()
}

fn sequences_of(view: BlockView<'_>) -> BTreeSet<u64> {
    let first = view.header().first_sequence();
    let mut sequences = BTreeSet::new();
    for envelope in view.envelopes() {
        for record in envelope.view.records_bytes().chunks_exact(RECORD_BYTES) {
            if !is_citing(u16_at(record, 0)) {
                continue;
            }
            let cited = u64_at(record, 8);
            if (1..first).contains(&cited) && sequences.len() < MAX_CITED {
                sequences.insert(cited);
            }
        }
    }
    sequences
}

/// Whether records of a kind cite another one in bytes 8 to 16.
fn is_citing(record_kind: u16) -> bool {
    matches!(
        record_kind,
        kind::REFUND | kind::DISPUTE | kind::DISPUTE_ANSWER | kind::REPRICE
    )
}

impl Citations {
    /// Reads what the shell found. Without any the block is not looked at: should it cite something
    /// all the same, `find` notices.
    ///
    /// # Panics
    /// When they are not those of the block.
    pub fn of(state: &State, view: BlockView<'_>, bytes: &[u8]) -> Self {
        let mut cited = BTreeMap::new();
        if !bytes.is_empty() {
            for part in bytes.chunks(CITATION_BYTES) {
                if part.len() != CITATION_BYTES {
                    broken("a citation is cut off");
                }
                cited.insert(u64_at(part, 0), read(state, view, part));
            }
            let is_whole = cited.len() * CITATION_BYTES == bytes.len();
            if !is_whole || !cited.keys().eq(sequences_of(view).iter()) {
                broken("the citations are not those of the block");
            }
        }
        Self {
            first_sequence: view.header().first_sequence(),
            cited,
        }
    }

    /// What a record moved.
    ///
    /// # Panics
    /// When it should have been looked up and was not.
    pub fn find(&self, sequence: u64) -> Result<&Cited, Code> {
        if sequence >= self.first_sequence {
            return Err(Code::CitedNotFound);
        }
        match self.cited.get(&sequence) {
            Some(found) => found.as_ref().ok_or(Code::CitedNotFound),
            None if self.cited.len() < MAX_CITED => broken("a cited record was not looked up"),
            None => Err(Code::CitationsFull),
        }
    }

    /// As `find`, for whoever only wants to know whose it was.
    pub fn peek(&self, sequence: u64) -> Option<Citation> {
        let found = self.cited.get(&sequence)?.as_ref()?;
        Some(found.moved)
    }
}

fn read(state: &State, view: BlockView<'_>, part: &[u8]) -> Option<Cited> {
    if part[8..].iter().all(|&byte| byte == 0) {
        return None;
    }
    let account = |at| match state.accounts.find(id16_at(part, at)) {
        Some(slot) => slot,
        None => broken("a cited record names an account that is not there"),
    };
    let citation = Citation {
        sequence: u64_at(part, 0),
        timestamp_ns: u64_at(part, 8),
        payer: account(16),
        payee: account(32),
        amount: u128_at(part, 48),
    };
    let units = [citation.payer, citation.payee].map(|slot| state.accounts.get(slot).unit);
    let is_posting = citation.payer != citation.payee && units[0] == units[1];
    if !is_posting || citation.amount == 0 || citation.timestamp_ns >= view.header().timestamp_ns()
    {
        broken("what a cited record moved contradicts the state");
    }
    let legs: Vec<Leg> = part[64..CARD_AT]
        .chunks_exact(LEG_BYTES)
        .map(|leg| Leg {
            grant: id16_at(leg, 0),
            amount: u128_at(leg, 16),
        })
        .filter(|leg| leg.grant != ZERO_ID)
        .collect();
    let mut amounts = legs.iter().map(|leg| leg.amount);
    let granted = amounts.try_fold(0, u128::checked_add);
    if granted.is_none_or(|granted| granted > citation.amount) {
        broken("grants paid more than a cited record moved");
    }
    Some(Cited {
        moved: citation,
        card: id16_at(part, CARD_AT),
        legs,
    })
}
