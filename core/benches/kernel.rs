//! Costs of the kernel: `cargo bench --no-default-features --bench kernel`.
//!
//! Prints figures for people, never a pass or fail. `ACCOUNTS` as arguments: `-- 10000 1000000`.

#[path = "../tests/kernel/ledger.rs"]
mod ledger;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use ledger::{
    account, issue, last_capture, reserve, transfer, with, Envelope, Ledger, Record, OPEN,
};
use support::SECOND_NS;
use tallystick_core::format::limits::MAX_RECORDS;
use tallystick_core::format::Id16;
use tallystick_core::kernel::Kernel;

const BULK_BLOCKS: u64 = 60;
const SMALL_BLOCKS: u64 = 480;
const VOUCHER_BLOCKS: u64 = 5;

/// The smallest generator that is good enough here (Steele and others, SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// A ledger in which Alice owns all accounts.
struct Bench {
    ledger: Ledger,
    accounts: Vec<Id16>,
}

impl Bench {
    fn new(account_count: usize) -> Self {
        let mut ledger = Ledger::with_caps(u32::MAX);
        let mut accounts: Vec<Id16> = Vec::new();
        let (alice, bank, usd) = (ledger.alice, ledger.bank, ledger.usd);
        while accounts.len() < account_count {
            let count = MAX_RECORDS.min(account_count - accounts.len());
            let open = ledger.envelope(&alice.key, &vec![account(OPEN, &usd); count]);
            let opened: Vec<Id16> = (0..count as u32)
                .map(|index| ledger.derived(&alice.principal, &open.id, index))
                .collect();
            assert!(ledger.apply(&[open]).plain);
            let issues: Vec<Record> = opened
                .iter()
                .map(|id| issue(&usd, id, u128::from(u64::MAX)))
                .collect();
            let issues = ledger.envelope(&bank.key, &issues);
            assert!(ledger.apply(&[issues]).plain);
            accounts.extend(opened);
        }
        Self { ledger, accounts }
    }

    fn envelope(&mut self, records: &[Record]) -> Envelope {
        let key = self.ledger.alice.key;
        self.ledger.envelope(&key, records)
    }

    fn pair(&self, numbers: &mut Numbers) -> (&Id16, &Id16) {
        let count = self.accounts.len();
        let debit = numbers.below(count);
        let credit = (debit + 1 + numbers.below(count - 1)) % count;
        (&self.accounts[debit], &self.accounts[credit])
    }

    fn transfers(&self, numbers: &mut Numbers, count: usize) -> Vec<Record> {
        let one = |_| {
            let (debit, credit) = self.pair(numbers);
            transfer(debit, credit, 1)
        };
        (0..count).map(one).collect()
    }

    /// RESERVE and its final CAPTURE, as many as fit.
    fn holds(&mut self, numbers: &mut Numbers) -> Envelope {
        let mut envelope = self.envelope(&[]);
        let expires = self.ledger.now_ns + 3_600 * SECOND_NS;
        let principal = self.ledger.alice.principal;
        for pair in 0..MAX_RECORDS as u32 / 2 {
            let (payer, payee) = self.pair(numbers);
            let hold = self.ledger.derived(&principal, &envelope.id, 2 * pair);
            let records = [reserve(payer, payee, 10, expires), last_capture(&hold, 10)];
            envelope.records.extend(records.concat());
        }
        envelope
    }

    /// A channel of Alice that outlasts the bench.
    fn channel(&mut self) -> Id16 {
        let (bank, alice, usd) = (self.ledger.bank, self.ledger.alice, self.ledger.usd);
        let deposit = u128::from(u64::MAX);
        self.ledger.ok(&bank, issue(&usd, &alice.account, deposit));
        self.ledger.channel(deposit, SECOND_NS)
    }

    /// Bob redeems as many vouchers as fit, each of them higher; `spoil` makes of them what comes.
    fn vouchers(
        &mut self,
        channel: &Id16,
        from: u128,
        spoil: impl Fn(Record) -> Record,
    ) -> Envelope {
        let amounts = from + 1..=from + MAX_RECORDS as u128;
        let vouchers: Vec<Record> = amounts
            .map(|amount| spoil(self.ledger.voucher(channel, amount)))
            .collect();
        let key = self.ledger.bob.key;
        self.ledger.envelope(&key, &vouchers)
    }

    /// `ns` for each record of blocks that `make` writes one by one.
    fn time(&mut self, name: &str, blocks: u64, mut make: impl FnMut(&mut Self) -> Vec<Envelope>) {
        let (mut each, mut effects, mut failed) = (Vec::new(), 0, 0);
        for _ in 0..blocks {
            let envelopes = make(self);
            self.ledger.now_ns = self.ledger.kernel.status().min_next_timestamp_ns;
            let block = self.ledger.block(&envelopes);
            let start = Instant::now();
            let applied = self.ledger.kernel.apply(&block).expect("the block fits");
            each.push(start.elapsed().as_nanos() / u128::from(applied.record_count));
            effects += applied.effects.len() / 128;
            let results = applied.results.chunks_exact(16);
            failed += results.filter(|result| *result != [0; 16]).count();
        }
        each.sort_unstable();
        let (best, median, worst) = (each[0], each[each.len() / 2], each[each.len() - 1]);
        println!(
            "{name:38} {median:>5} ns each (best block {best}, worst {worst}); \
             {effects} effects, {failed} refused"
        );
    }
}

fn state_costs(ledger: &Ledger) {
    let start = Instant::now();
    let checkpoint = ledger.kernel.checkpoint(1);
    let written = start.elapsed();
    let start = Instant::now();
    let restored = Kernel::restore(ledger.genesis.clone(), &checkpoint).expect("its own");
    let read = start.elapsed();
    let start = Instant::now();
    let digest = ledger.kernel.state_digest();
    let digested = start.elapsed();
    assert_eq!(digest, restored.state_digest());
    let mib = checkpoint.len() as u128 / (1 << 20) + 1;
    println!(
        "checkpoint of {mib} MiB: {} us a MiB to write, {} to restore; digest {} us a MiB",
        written.as_micros() / mib,
        read.as_micros() / mib,
        digested.as_micros() / mib
    );
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

fn main() {
    let mut counts: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    if counts.is_empty() {
        counts = vec![10_000];
    }
    for count in counts {
        println!("{count} accounts");
        let mut bench = Bench::new(count);
        let mut numbers = Numbers(7);
        bench.time("transfers, 8,190 an envelope", BULK_BLOCKS, |bench| {
            let records = bench.transfers(&mut numbers, MAX_RECORDS);
            vec![bench.envelope(&records)]
        });
        bench.time(
            "transfers, 8,190 an ATOMIC envelope",
            BULK_BLOCKS,
            |bench| {
                let records = bench.transfers(&mut numbers, MAX_RECORDS);
                let mut envelope = bench.envelope(&records);
                envelope.atomic = true;
                vec![envelope]
            },
        );
        bench.time(
            "RESERVE and final CAPTURE, a record",
            BULK_BLOCKS,
            |bench| vec![bench.holds(&mut numbers)],
        );
        let (channel, mut paid) = (bench.channel(), 0);
        bench.time("VOUCHER, 8,190 an envelope", VOUCHER_BLOCKS, |bench| {
            paid += MAX_RECORDS as u128;
            vec![bench.vouchers(&channel, paid, |record| record)]
        });
        bench.time("VOUCHER, none of them signed", VOUCHER_BLOCKS, |bench| {
            vec![bench.vouchers(&channel, 2 * paid, |record| {
                with(record, 40, record[40] ^ 1)
            })]
        });
        let live = bench.ledger.kernel.status().live_ids;
        let before = resident_bytes();
        bench.time("transfers, one an envelope", SMALL_BLOCKS, |bench| {
            let mut one = |_| {
                let records = bench.transfers(&mut numbers, 1);
                bench.envelope(&records)
            };
            (0..2_730).map(&mut one).collect()
        });
        let grown = resident_bytes().saturating_sub(before);
        let added = bench.ledger.kernel.status().live_ids - live;
        println!(
            "{} bytes of memory for each of {added} live ids",
            grown / added as u64
        );
        state_costs(&bench.ledger);
    }
}
