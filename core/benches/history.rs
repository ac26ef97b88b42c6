//! Costs of the history index: `cargo bench --no-default-features --bench history`.
//!
//! Two kernels apply the same blocks, one of them gathering, in turns: the machine is never quiet,
//! and the best of many turns is the cost. Figures for people, never a pass or fail. Account
//! counts as arguments: `-- 10000 1000000`.

#[path = "../tests/kernel/ledger.rs"]
mod ledger;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use ledger::{account, issue, transfer, Ledger, Record, OPEN};
use tallystick_core::format::limits::MAX_RECORDS;
use tallystick_core::format::Id16;
use tallystick_core::history::{Merge, MergeStep, Page};
use tallystick_core::kernel::Kernel;

const BLOCKS: usize = 64;
const CHUNKS: usize = 8;

/// A ledger whose one owner has so many accounts with money.
fn populated(account_count: usize) -> (Ledger, Vec<Id16>) {
    let mut ledger = Ledger::with_caps(u32::MAX);
    let (alice, bank, usd) = (ledger.alice, ledger.bank, ledger.usd);
    let mut accounts: Vec<Id16> = Vec::new();
    while accounts.len() < account_count {
        let count = MAX_RECORDS.min(account_count - accounts.len());
        let open = ledger.envelope(&alice.key, &vec![account(OPEN, &usd); count]);
        let made = (0..count as u32).map(|i| ledger.derived(&alice.principal, &open.id, i));
        let made: Vec<Id16> = made.collect();
        ledger.apply(&[open]);
        let issues: Vec<Record> = made.iter().map(|id| issue(&usd, id, 1 << 60)).collect();
        let issues = ledger.envelope(&bank.key, &issues);
        ledger.apply(&[issues]);
        accounts.extend(made);
    }
    (ledger, accounts)
}

/// A block of bulk transfers between any of the accounts.
fn block(ledger: &mut Ledger, accounts: &[Id16], seed: &mut u64) -> Vec<u8> {
    let mut below = |n: usize| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*seed >> 33) as usize % n
    };
    let one = |_| {
        let debit = below(accounts.len());
        let credit = (debit + 1 + below(accounts.len() - 1)) % accounts.len();
        transfer(&accounts[debit], &accounts[credit], 1)
    };
    let records: Vec<Record> = (0..MAX_RECORDS).map(one).collect();
    let key = ledger.alice.key;
    let envelope = ledger.envelope(&key, &records);
    ledger.now_ns = ledger.kernel.status().min_next_timestamp_ns;
    ledger.block(&[envelope])
}

fn per(time: Duration, count: usize) -> f64 {
    time.as_nanos() as f64 / count as f64
}

fn main() {
    let mut counts: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    if counts.is_empty() {
        counts = vec![10_000];
    }
    for count in counts {
        println!("{count} accounts, {MAX_RECORDS} transfers a block");
        let (mut ledger, accounts) = populated(count);
        let checkpoint = ledger.kernel.checkpoint(1);
        let restored = Kernel::restore(ledger.genesis.clone(), &checkpoint);
        let mut plain = restored.expect("its own");
        let next = plain.status().next_sequence;
        let chunk_records = (BLOCKS * MAX_RECORDS) as u64;
        let started = ledger.kernel.start_history(next, next, chunk_records);
        started.expect("nothing is missing");
        let mut seed = 7;
        let mut runs = Vec::new();
        for _ in 0..CHUNKS {
            runs.push(chunk(&mut ledger, &mut plain, &accounts, &mut seed));
        }
        merge(&runs, next);
    }
}

/// Applies a chunk of blocks to both kernels, packs it, and says what each step costs.
fn chunk(ledger: &mut Ledger, plain: &mut Kernel, accounts: &[Id16], seed: &mut u64) -> Vec<Page> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for number in 0..BLOCKS {
        let block = block(ledger, accounts, seed);
        for gathers in [number % 2 == 0, number % 2 == 1] {
            let start = Instant::now();
            if gathers {
                ledger.kernel.apply(&block).expect("the block fits");
                with.push(start.elapsed());
            } else {
                plain.apply(&block).expect("the block fits");
                without.push(start.elapsed());
            }
        }
    }
    with.sort_unstable();
    without.sort_unstable();
    let chunk = ledger.kernel.take_history().expect("a chunk");
    let postings = chunk.postings.len();
    let start = Instant::now();
    let groups = chunk.groups();
    let sorted = start.elapsed();
    let ids = ledger.kernel.account_ids(groups.slots());
    let resolved = start.elapsed() - sorted;
    let pages = groups.pack(&ids);
    let packed = start.elapsed() - sorted - resolved;
    let bytes: usize = pages.iter().map(|page| page.bytes.len()).sum();
    let half = BLOCKS / 2;
    println!(
        "a transfer: {:.1} ns, gathering {:.1} (best {:.1}, {:.1}); a posting: sort {:.1}, \
         ids {:.1}, pack {:.1} ns, {:.2} bytes; {postings} postings, {} accounts, {} pages",
        per(without[half], MAX_RECORDS),
        per(with[half], MAX_RECORDS),
        per(without[0], MAX_RECORDS),
        per(with[0], MAX_RECORDS),
        per(sorted, postings),
        per(resolved, postings),
        per(packed, postings),
        bytes as f64 / postings as f64,
        ids.len(),
        pages.len(),
    );
    pages
}

fn merge(runs: &[Vec<Page>], base: u64) {
    let start = Instant::now();
    let mut merge = Merge::new(base, runs.len());
    let mut next: Vec<_> = runs.iter().map(|run| run.iter()).collect();
    let mut pages = Vec::new();
    while let MergeStep::Feed(input) = merge.run().expect("pages") {
        let page = next[input].next().map(|page| page.bytes.clone());
        merge.feed(input, page).expect("a page");
        pages.extend(merge.take_pages());
    }
    pages.extend(merge.finish());
    let postings = runs.len() * BLOCKS * MAX_RECORDS * 2;
    let bytes: usize = pages.iter().map(|page| page.bytes.len()).sum();
    println!(
        "merge of {} runs: {:.1} ns a posting, {:.2} bytes, {} pages",
        runs.len(),
        per(start.elapsed(), postings),
        bytes as f64 / postings as f64,
        pages.len()
    );
}
