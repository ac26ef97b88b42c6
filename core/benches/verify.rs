//! Costs of tree, admission and block check: `cargo bench --no-default-features --bench verify`.
//!
//! Prints the best and the median of several runs; a figure for people, never a pass or fail.

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use support::*;
use tallystick_core::admission::{Admission, AdmissionState, Seen};
use tallystick_core::format::{EnvelopeHeader, Genesis, Id16, Key32};
use tallystick_core::tree;
use tallystick_core::verify::{check_block, BlockContext};

const RUNS: usize = 15;

static GENESIS: LazyLock<Genesis> = LazyLock::new(genesis);

/// Knows everybody and has seen nothing.
struct Open;

impl AdmissionState for Open {
    fn signer(&self, key: &Key32) -> Option<Id16> {
        key.first_chunk().copied()
    }

    fn seen(&self, _: &Id16, _: EnvelopeHeader<'_>) -> Seen {
        Seen::No
    }

    fn live_ids(&self, _: &Id16) -> u32 {
        0
    }
}

/// Nanoseconds that this thread was on a processor, where the system tells; a busy machine then
/// does not show. Work of helper threads is not in it.
fn on_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn measure(name: &str, per: u32, mut run: impl FnMut()) {
    run();
    let mut walls = Vec::new();
    let mut processor = Vec::new();
    for _ in 0..RUNS {
        let (start, before) = (Instant::now(), on_cpu());
        run();
        walls.push(start.elapsed());
        if let (Some(before), Some(after)) = (before, on_cpu()) {
            processor.push(after - before);
        }
    }
    walls.sort();
    processor.sort();
    let (best, median) = (walls[0], walls[RUNS / 2]);
    // The system counts in ticks of some milliseconds.
    let own = processor
        .get(RUNS / 2)
        .copied()
        .filter(|own| own.as_millis() > 4);
    let own = own.unwrap_or(median);
    let each = best / per;
    println!(
        "{name:54} best {best:>9.1?} ({each:>8.2?} each) median {median:>9.1?} cpu {own:>9.1?}"
    );
}

fn bench_trees(records: &[u8]) {
    measure("tree of 8,190 records", 8_190, || {
        black_box(tree::root(records, 128));
    });
    measure("tree of 8,190 records, 2 threads", 8_190, || {
        black_box(tree::root_threaded(records, 128, 2));
    });
    measure("tree of 8,190 results", 8_190, || {
        black_box(tree::root(&records[..8_190 * 16], 16));
    });
}

fn admit_and_verify(message: &[u8], threads: usize) -> usize {
    let mut admission = Admission::new(vec![message], NOW_NS, &GENESIS, &Open);
    admission.verify(&SECRET, threads);
    admission.ok_count(0)
}

fn bench_good(name: &str, envelopes: &[Vec<u8>]) {
    let genesis = &*GENESIS;
    let context = BlockContext {
        ledger_id: &genesis.ledger_id,
        max_lifetime_ns: genesis.max_lifetime_ns,
        next_sequence: 1,
        min_timestamp_ns: 0,
    };
    let count = envelopes.len() as u32;
    let (message, block) = (envelopes.concat(), block(envelopes));
    measure(&format!("admit {name}"), count, || {
        black_box(Admission::new(vec![&message[..]], NOW_NS, genesis, &Open));
    });
    for threads in [1, 2] {
        let title = format!("admit + verify {name}, threads: {threads}");
        measure(&title, count, || {
            assert_eq!(admit_and_verify(&message, threads), envelopes.len());
        });
        let title = format!("check_block {name}, threads: {threads}");
        measure(&title, count, || {
            check_block(&block, &context, &SECRET, threads).expect("a valid block");
        });
    }
}

/// Every `step`-th envelope has another S than it should.
fn bench_bad(step: usize) {
    let mut envelopes = small_envelopes(256);
    for envelope in envelopes.iter_mut().step_by(step) {
        envelope[224] ^= 1;
    }
    let good = envelopes.len() - envelopes.len().div_ceil(step);
    let message = envelopes.concat();
    let title = format!("admit + verify 2,730 x 1, one in {step} bad");
    measure(&title, 2_730, || {
        assert_eq!(admit_and_verify(&message, 1), good)
    });
}

fn small_envelopes(keys: u64) -> Vec<Vec<u8>> {
    (0..2_730).map(|n| small_envelope(n, keys)).collect()
}

fn main() {
    let records = transfers(8_190, 1);
    bench_trees(&records);
    bench_good(
        "1 x 8,190 records",
        &[Draft::new(0, records).seal(&signing_key(0))],
    );
    bench_good("2,730 x 1, 1 key", &small_envelopes(1));
    bench_good("2,730 x 1, 256 keys", &small_envelopes(256));
    bench_good("2,730 x 1, distinct keys", &small_envelopes(9_999));
    bench_good("1 x 1 record", &[small_envelope(0, 1)]);
    for step in [2_730, 100, 10, 1] {
        bench_bad(step);
    }
}
