//! What an envelope's bytes must prove beyond their shape, for many envelopes at once.
//!
//! Cheap before costly, and nothing costly for those who have not shown a good signature:
//!
//! 1. the header signatures of all envelopes, in batches;
//! 2. for those that hold: records root, then the hash of each head over its CONT records;
//! 3. for those that hold: the keys to register (encoding, order) and their proofs of possession,
//!    again in batches over all envelopes.
//!
//! The shape (boundary, header fields, grid) has been checked before: see `format`.

use super::batch::{verify_batch, Item, Lane, Seed};
use super::key::key_is_acceptable;
use crate::format::limits::{ENVELOPE_PREFIX, RECORD_BYTES};
use crate::format::{cont_hash, Code, EnvelopeView, Hash32, Heads, Possession, Refusal};
use crate::threads::run_tasks;
use crate::tree;

/// Records that make a task of their own; an envelope with twice as many is hashed by all threads.
const TASK_RECORDS: u32 = 1_024;
/// Keys whose order one task checks.
const TASK_KEYS: usize = 16;

/// What became of each envelope.
#[derive(Debug)]
pub struct Verdicts {
    /// Why an envelope fails; None for those that hold. As many as there were envelopes.
    pub refusals: Vec<Option<Refusal>>,
    /// Signatures whose equation was checked: headers and possessions.
    pub signatures: u64,
}

/// Checks envelopes whose shape and grid hold.
///
/// `secret`: 32 random bytes for the batches, unknown outside and new for each call.
pub fn verify_envelopes(
    envelopes: &[EnvelopeView<'_>],
    ledger_id: &Hash32,
    secret: &[u8; 32],
    threads: usize,
) -> Verdicts {
    let mut refusals = check_headers(envelopes, secret, threads);
    let mut signatures = envelopes.len() as u64;
    check_contents(envelopes, &mut refusals, threads);
    signatures += check_registrations(envelopes, &mut refusals, ledger_id, secret, threads);
    Verdicts {
        refusals,
        signatures,
    }
}

fn check_headers(
    envelopes: &[EnvelopeView<'_>],
    secret: &[u8; 32],
    threads: usize,
) -> Vec<Option<Refusal>> {
    let items: Vec<Item<'_>> = envelopes
        .iter()
        .map(|envelope| Item {
            key: envelope.header().signer(),
            signature: envelope.signature(),
            prefix: ENVELOPE_PREFIX,
            body: envelope.header().bytes(),
        })
        .collect();
    let lane = Lane::Headers;
    verify_batch(&items, Seed { secret, lane }, threads)
        .into_iter()
        .map(|holds| {
            let why = "the signature of the envelope does not hold";
            (!holds).then(|| Refusal::new(Code::BadSignature, why))
        })
        .collect()
}

/// Roots and CONT hashes of the envelopes not refused so far.
fn check_contents(
    envelopes: &[EnvelopeView<'_>],
    refusals: &mut [Option<Refusal>],
    threads: usize,
) {
    let alive: Vec<usize> = (0..envelopes.len())
        .filter(|&index| refusals[index].is_none())
        .collect();
    let is_large =
        |index: &usize| threads > 1 && envelopes[*index].record_count() >= 2 * TASK_RECORDS;
    let (large, small): (Vec<usize>, Vec<usize>) = alive.into_iter().partition(is_large);
    for index in large {
        refusals[index] = check_content(envelopes[index], threads).err();
    }
    let tasks = group_by_records(envelopes, &small);
    let parts = run_tasks(tasks.len(), threads, |task| {
        let check = |&index: &usize| check_content(envelopes[index], 1).err();
        tasks[task].iter().map(check).collect::<Vec<_>>()
    });
    for (&index, refusal) in small.iter().zip(parts.into_iter().flatten()) {
        refusals[index] = refusal;
    }
}

/// Cuts `indexes` into runs of about `TASK_RECORDS` records.
fn group_by_records<'a>(envelopes: &[EnvelopeView<'_>], indexes: &'a [usize]) -> Vec<&'a [usize]> {
    let mut groups = Vec::new();
    let (mut start, mut records) = (0, 0);
    for (position, &index) in indexes.iter().enumerate() {
        records += envelopes[index].record_count();
        if records >= TASK_RECORDS {
            groups.push(&indexes[start..=position]);
            (start, records) = (position + 1, 0);
        }
    }
    if start < indexes.len() {
        groups.push(&indexes[start..]);
    }
    groups
}

fn check_content(envelope: EnvelopeView<'_>, threads: usize) -> Result<(), Refusal> {
    let root = tree::root_threaded(envelope.records_bytes(), RECORD_BYTES, threads);
    if root != *envelope.header().records_root() {
        return Err(Refusal::new(
            Code::BadRoot,
            "the records root does not match the records",
        ));
    }
    for (index, head, conts) in Heads::new(envelope) {
        if !conts.is_empty() && head.cont_hash() != cont_hash(conts) {
            let why = format!("record {index}: the hash over its CONTs does not match");
            return Err(Refusal::malformed(why));
        }
    }
    Ok(())
}

/// A key that an envelope registers.
struct Registration<'a> {
    envelope: usize,
    record: u32,
    possession: Possession<'a>,
}

/// Keys and possessions of the envelopes not refused so far; how many proofs were checked.
///
/// The keys of an envelope come before its proofs, the first record that fails names it.
fn check_registrations(
    envelopes: &[EnvelopeView<'_>],
    refusals: &mut [Option<Refusal>],
    ledger_id: &Hash32,
    secret: &[u8; 32],
    threads: usize,
) -> u64 {
    let mut registrations = collect_registrations(envelopes, refusals);
    if registrations.is_empty() {
        return 0;
    }
    check_keys(&registrations, refusals, threads);
    registrations.retain(|entry| refusals[entry.envelope].is_none());
    let messages: Vec<_> = registrations
        .iter()
        .map(|entry| entry.possession.message(ledger_id))
        .collect();
    let items: Vec<Item<'_>> = registrations
        .iter()
        .zip(&messages)
        .map(|(entry, message)| Item {
            key: entry.possession.key,
            signature: entry.possession.proof,
            prefix: b"",
            body: message,
        })
        .collect();
    let lane = Lane::Possessions;
    let proofs = verify_batch(&items, Seed { secret, lane }, threads);
    let why = "the proof of possession does not hold";
    refuse_first(&registrations, &proofs, refusals, Code::BadPossession, why);
    items.len() as u64
}

fn check_keys(
    registrations: &[Registration<'_>],
    refusals: &mut [Option<Refusal>],
    threads: usize,
) {
    let chunks: Vec<&[Registration<'_>]> = registrations.chunks(TASK_KEYS).collect();
    let parts = run_tasks(chunks.len(), threads, |task| {
        let check = |entry: &Registration<'_>| key_is_acceptable(entry.possession.key);
        chunks[task].iter().map(check).collect::<Vec<bool>>()
    });
    let why = "the key is not canonical or not of prime order";
    refuse_first(registrations, &parts.concat(), refusals, Code::BadKey, why);
}

/// Refuses the envelopes of what failed, each for its first record that did.
fn refuse_first(
    registrations: &[Registration<'_>],
    holds: &[bool],
    refusals: &mut [Option<Refusal>],
    code: Code,
    why: &str,
) {
    for (entry, holds) in registrations.iter().zip(holds) {
        let refusal = &mut refusals[entry.envelope];
        if !holds && refusal.is_none() {
            *refusal = Some(Refusal::new(
                code,
                format!("record {}: {why}", entry.record),
            ));
        }
    }
}

fn collect_registrations<'a>(
    envelopes: &[EnvelopeView<'a>],
    refusals: &[Option<Refusal>],
) -> Vec<Registration<'a>> {
    let mut found = Vec::new();
    for (envelope, view) in envelopes.iter().enumerate() {
        if refusals[envelope].is_some() {
            continue;
        }
        for (record, head, _) in Heads::new(*view) {
            if let Some(possession) = Possession::of(head) {
                found.push(Registration {
                    envelope,
                    record,
                    possession,
                });
            }
        }
    }
    found
}
