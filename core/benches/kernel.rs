//! Costs of the kernel: `cargo bench --no-default-features --bench kernel`.
//!
//! Prints figures for people, never a pass or fail. `ACCOUNTS` as arguments: `-- 10000 1000000`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use support::{genesis_bytes, public_key, signing_key, NOW_NS, SECOND_NS};
use tallystick_core::format::limits::{ENVELOPE_MAGIC, MAX_RECORDS, RECORD_BYTES};
use tallystick_core::format::{kind, object_id, write_block_header, Genesis, Id16};
use tallystick_core::kernel::Kernel;

const BULK_BLOCKS: u64 = 60;

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

fn record(kind: u16, fields: &[(usize, &[u8])]) -> [u8; RECORD_BYTES] {
    let mut out = [0; RECORD_BYTES];
    out[..2].copy_from_slice(&kind.to_le_bytes());
    out[112] = 1;
    for (at, field) in fields {
        out[*at..at + field.len()].copy_from_slice(field);
    }
    out
}

/// A kernel with one payer that owns all accounts.
struct Ledger {
    kernel: Kernel,
    genesis: Genesis,
    principal: Id16,
    accounts: Vec<Id16>,
    ids: u64,
}

impl Ledger {
    fn new(account_count: usize) -> Self {
        let mut bytes = genesis_bytes();
        for at in [132, 136, 140, 144, 148, 272] {
            bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        }
        let genesis = Genesis::parse(&bytes).expect("a genesis");
        let mut ledger = Self {
            kernel: Kernel::new(genesis.clone()),
            principal: [0; 16],
            accounts: Vec::new(),
            genesis,
            ids: 0,
        };
        ledger.found(account_count);
        ledger
    }

    fn found(&mut self, account_count: usize) {
        let operator = self.genesis.operator_principal(0);
        let setup = self.envelope_id();
        let id = |principal: &Id16, envelope: &Id16, index| {
            object_id(&self.genesis.ledger_id, principal, envelope, index)
        };
        self.principal = id(&operator, &setup, 0);
        let unit = id(&operator, &setup, 1);
        let key = public_key(&signing_key(1));
        let mut principal = record(
            kind::PRINCIPAL,
            &[(6, &[1]), (8, &key), (104, &self.principal)],
        );
        principal[120..].fill(0);
        let setup_records = [
            principal,
            record(kind::UNIT, &[(8, &self.principal), (24, b"USD")]),
        ]
        .concat();
        let operator_key = public_key(&signing_key(1_000_000));
        let envelope = self.seal(&setup, &operator_key, &setup_records, false);
        self.apply(&[envelope]);
        while self.accounts.len() < account_count {
            let count = MAX_RECORDS.min(account_count - self.accounts.len());
            let envelope_id = self.envelope_id();
            let open = record(kind::ACCOUNT, &[(6, &[1]), (8, &unit)]).repeat(count);
            let ids = (0..count as u32).map(|index| {
                object_id(
                    &self.genesis.ledger_id,
                    &self.principal,
                    &envelope_id,
                    index,
                )
            });
            let opened: Vec<Id16> = ids.collect();
            let issue: Vec<u8> = opened
                .iter()
                .flat_map(|id| {
                    record(
                        kind::ISSUE,
                        &[(8, &unit), (24, id), (40, &(1_u64 << 60).to_le_bytes())],
                    )
                })
                .collect();
            self.accounts.extend(opened);
            let envelope = self.seal(&envelope_id, &key, &open, false);
            self.apply(&[envelope]);
            let envelope_id = self.envelope_id();
            let envelope = self.seal(&envelope_id, &key, &issue, false);
            self.apply(&[envelope]);
        }
    }

    fn envelope_id(&mut self) -> Id16 {
        self.ids += 1;
        let milliseconds = u128::from(NOW_NS / 1_000_000);
        let random = u128::from(self.ids).wrapping_mul(0x9E37_79B9_7F4A_7C15) & ((1 << 80) - 1);
        ((milliseconds << 80) | random).to_le_bytes()
    }

    fn seal(&self, id: &Id16, key: &[u8; 32], records: &[u8], atomic: bool) -> Vec<u8> {
        let mut out = vec![0; 256];
        out[..4].copy_from_slice(ENVELOPE_MAGIC);
        out[4] = 1;
        out[6] = u8::from(atomic);
        out[8] = 1;
        let count = (records.len() / RECORD_BYTES) as u32;
        out[12..16].copy_from_slice(&count.to_le_bytes());
        out[16..48].copy_from_slice(&self.genesis.ledger_id);
        out[48..80].copy_from_slice(key);
        out[80..96].copy_from_slice(id);
        out[96..104].copy_from_slice(&(NOW_NS + 60 * SECOND_NS).to_le_bytes());
        out.extend_from_slice(records);
        out
    }

    fn own_envelope(&mut self, records: &[u8], atomic: bool) -> Vec<u8> {
        let id = self.envelope_id();
        self.seal(&id, &public_key(&signing_key(1)), records, atomic)
    }

    fn block(&self, envelopes: &[Vec<u8>], sequence: u64, timestamp_ns: u64) -> Vec<u8> {
        let bytes: usize = envelopes.iter().map(Vec::len).sum();
        let records = (bytes - 256 * envelopes.len()) / RECORD_BYTES;
        let count = envelopes.len() as u32;
        let header = write_block_header(
            1,
            timestamp_ns,
            sequence,
            count,
            records as u32,
            bytes as u32,
        );
        [&header[..], &envelopes.concat()].concat()
    }

    fn apply(&mut self, envelopes: &[Vec<u8>]) {
        let status = self.kernel.status();
        let at = status.min_next_timestamp_ns.max(NOW_NS);
        let block = self.block(envelopes, status.next_sequence, at);
        let applied = self.kernel.apply(&block).expect("the block fits");
        assert!(applied.plain, "the benchmark's records succeed");
    }

    /// `ns` for each record of blocks that `make` writes one by one.
    fn time(&mut self, name: &str, blocks: u64, mut make: impl FnMut(&mut Self) -> Vec<Vec<u8>>) {
        let (mut each, mut effects, mut failed) = (Vec::new(), 0, 0);
        for _ in 0..blocks {
            let envelopes = make(self);
            let status = self.kernel.status();
            let at = status.min_next_timestamp_ns;
            let block = self.block(&envelopes, status.next_sequence, at);
            let start = Instant::now();
            let applied = self.kernel.apply(&block).expect("the block fits");
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

fn transfer(ledger: &Ledger, numbers: &mut Numbers) -> [u8; RECORD_BYTES] {
    let count = ledger.accounts.len();
    let debit = numbers.below(count);
    let credit = (debit + 1 + numbers.below(count - 1)) % count;
    let (debit, credit) = (&ledger.accounts[debit], &ledger.accounts[credit]);
    record(kind::TRANSFER, &[(8, debit), (24, credit), (40, &[1])])
}

fn transfers(ledger: &Ledger, numbers: &mut Numbers, count: usize) -> Vec<u8> {
    (0..count).flat_map(|_| transfer(ledger, numbers)).collect()
}

fn holds(ledger: &mut Ledger, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let pairs = MAX_RECORDS / 2;
    let id = ledger.envelope_id();
    let expires = NOW_NS + 3_600 * SECOND_NS;
    let mut records = Vec::new();
    for index in 0..pairs as u32 {
        let pair = transfer(ledger, numbers);
        let hold = object_id(&ledger.genesis.ledger_id, &ledger.principal, &id, 2 * index);
        let amount = 10_u8;
        records.extend(record(
            kind::RESERVE,
            &[
                (8, &pair[8..24]),
                (24, &pair[24..40]),
                (40, &[amount]),
                (72, &expires.to_le_bytes()),
            ],
        ));
        let mut capture = record(kind::CAPTURE, &[(6, &[1]), (8, &hold), (24, &[amount])]);
        capture[2] = 2;
        records.extend(capture);
    }
    vec![ledger.seal(&id, &public_key(&signing_key(1)), &records, false)]
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
        let mut ledger = Ledger::new(count);
        let mut numbers = Numbers(7);
        ledger.time("transfers, 8,190 an envelope", BULK_BLOCKS, |ledger| {
            let records = transfers(ledger, &mut numbers, MAX_RECORDS);
            vec![ledger.own_envelope(&records, false)]
        });
        ledger.time(
            "transfers, 8,190 an ATOMIC envelope",
            BULK_BLOCKS,
            |ledger| {
                let records = transfers(ledger, &mut numbers, MAX_RECORDS);
                vec![ledger.own_envelope(&records, true)]
            },
        );
        ledger.time(
            "RESERVE and final CAPTURE, a record",
            BULK_BLOCKS,
            |ledger| holds(ledger, &mut numbers),
        );
        let (before, live) = (resident_bytes(), ledger.kernel.status().live_ids);
        ledger.time("transfers, one an envelope", 8 * BULK_BLOCKS, |ledger| {
            let mut one = |ledger: &mut Ledger| {
                let records = transfers(ledger, &mut numbers, 1);
                ledger.own_envelope(&records, false)
            };
            (0..2_730).map(|_| one(ledger)).collect()
        });
        let grown = resident_bytes().saturating_sub(before);
        let added = ledger.kernel.status().live_ids - live;
        println!(
            "{} bytes of memory for each of {added} live ids",
            grown / added as u64
        );
        state_costs(&ledger);
    }
}
