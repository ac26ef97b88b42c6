//! Costs of tree, admission and block check: `cargo bench --no-default-features --bench verify`.
//!
//! Prints the best and the median of several runs; a figure for people, never a pass or fail.

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use support::*;
use tallystick_core::admission::{Admission, AdmissionState, Seen};
use tallystick_core::format::{EnvelopeHeader, Id16, Key32};
use tallystick_core::tree;
use tallystick_core::verify::{check_block, BlockContext};

const RUNS: usize = 15;

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

fn measure(name: &str, per: u32, mut run: impl FnMut()) {
    run();
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    let median = times[RUNS / 2];
    println!(
        "{name:48} best {:>9.1?}  median {median:>9.1?}  each {:>8.2?}",
        times[0],
        median / per
    );
}

fn main() {
    let genesis = genesis();
    let context = BlockContext {
        ledger_id: &genesis.ledger_id,
        max_lifetime_ns: genesis.max_lifetime_ns,
        next_sequence: 1,
        min_timestamp_ns: 0,
    };
    let records = transfers(8_190, 1);
    measure("tree of 8,190 records", 8_190, || {
        black_box(tree::root(&records, 128));
    });
    measure("tree of 8,190 records, 2 threads", 8_190, || {
        black_box(tree::root_threaded(&records, 128, 2));
    });
    measure("tree of 8,190 results", 8_190, || {
        black_box(tree::root(&records[..8_190 * 16], 16));
    });
    let big = vec![Draft::new(0, records.clone()).seal(&signing_key(0))];
    let cases: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("1 x 8,190 records", big),
        (
            "2,730 x 1, 1 key",
            (0..2_730).map(|n| small_envelope(n, 1)).collect(),
        ),
        (
            "2,730 x 1, 256 keys",
            (0..2_730).map(|n| small_envelope(n, 256)).collect(),
        ),
        (
            "2,730 x 1, distinct keys",
            (0..2_730).map(|n| small_envelope(n, 9_999)).collect(),
        ),
        ("1 x 1 record", vec![small_envelope(0, 1)]),
    ];
    for (name, envelopes) in &cases {
        let count = envelopes.len() as u32;
        let message = envelopes.concat();
        let block = block(envelopes);
        measure(&format!("admit {name}"), count, || {
            black_box(Admission::new(vec![&message[..]], NOW_NS, &genesis, &Open));
        });
        for threads in [1, 2] {
            measure(
                &format!("admit + verify {name}, {threads} thread(s)"),
                count,
                || {
                    let mut admission = Admission::new(vec![&message[..]], NOW_NS, &genesis, &Open);
                    admission.verify(&SECRET, threads);
                    assert!(admission.is_whole(0));
                },
            );
            measure(
                &format!("check_block {name}, {threads} thread(s)"),
                count,
                || {
                    check_block(&block, &context, &SECRET, threads).expect("a valid block");
                },
            );
        }
    }
    let mut bad = cases[2].1.clone();
    for envelope in bad.iter_mut().step_by(100) {
        envelope[200] ^= 1;
    }
    let bad = bad.concat();
    measure("admit + verify 2,730 x 1, 28 of them bad", 2_730, || {
        let mut admission = Admission::new(vec![&bad[..]], NOW_NS, &genesis, &Open);
        admission.verify(&SECRET, 1);
        assert_eq!(admission.ok_count(0), 2_730 - 28);
    });
    let mut bad = cases[2].1.clone();
    for envelope in bad.iter_mut() {
        envelope[224] ^= 1;
    }
    let bad = bad.concat();
    measure("admit + verify 2,730 x 1, all bad", 2_730, || {
        let mut admission = Admission::new(vec![&bad[..]], NOW_NS, &genesis, &Open);
        admission.verify(&SECRET, 1);
        assert_eq!(admission.ok_count(0), 0);
    });
}
