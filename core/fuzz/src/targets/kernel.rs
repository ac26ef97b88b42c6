//! The kernel under blocks of made-up records.
//!
//! Input: a program of eight bytes a step. Steps add records of every kind to the envelope in hand,
//! on accounts, holds and units that exist, existed or never did; begin another envelope; end the
//! block and let time pass; or look back (repeat an envelope, restart from a checkpoint).
//!
//! Properties: no panic; the invariants of semantics.md section 4 hold after each block; a refused
//! block changes nothing; an ATOMIC envelope that fails leaves all lasting rows as they were; a
//! kernel restored from a checkpoint answers every later block exactly as the one that wrote it.

mod quoted;

use sha2::{Digest, Sha256};
use tallystick_core::format::limits::{
    MAX_ENVELOPE_BYTES, POSITIONS_PREFIX, RECORD_BYTES, RESULT_BYTES,
};
use tallystick_core::format::{kind, object_id, u16_at, u64_at, Code, Id16, Key32, VOUCHER_PREFIX};
use tallystick_core::kernel::{Applied, Kernel};

use crate::ledger::{record, Record};
use crate::source::Source;
use crate::support::{public_key, SECOND_NS};
use crate::world::{
    apply, lasting_rows, pay_claim_record, recovery_record, world, write_block, Drafted, World,
};

const MAX_STEPS: usize = 160;
const UNIQUE_OR_FINAL: u16 = 1 | 2;
const DEFERRED: u16 = 16;
const KINDS: [u16; 39] = [
    kind::TRANSFER,
    kind::RESERVE,
    kind::CAPTURE,
    kind::RELEASE,
    kind::ISSUE,
    kind::ACCOUNT,
    kind::TRANSFER,
    kind::RESERVE,
    kind::UNIT,
    kind::NAME,
    kind::KEY,
    kind::PRINCIPAL,
    kind::TICK,
    kind::EXTEND,
    kind::CHANNEL,
    kind::TOP_UP,
    kind::VOUCHER,
    kind::CHANNEL_CLOSE,
    kind::BURN,
    kind::CREDIT_LIMIT,
    kind::REFUND,
    kind::DISPUTE,
    kind::DISPUTE_ANSWER,
    kind::REPRICE,
    kind::MANDATE,
    kind::MANDATE_END,
    kind::CLAW_BACK,
    kind::RELATION,
    kind::LIMIT,
    kind::ZONE,
    kind::DELEGATE,
    kind::KILL,
    kind::JOIN,
    kind::WINDOW_CLOSE,
    kind::SETTLE,
    kind::FAIL,
    kind::PAY_CLAIM,
    kind::RECOVER,
    kind::VETO,
];
const WAITS_NS: [u64; 8] = [
    0,
    1,
    SECOND_NS,
    60 * SECOND_NS,
    606 * SECOND_NS,
    3_601 * SECOND_NS,
    86_401 * SECOND_NS,
    400 * 86_400 * SECOND_NS,
];

struct Envelope {
    signer: usize,
    id: u128,
    atomic: bool,
    records: Vec<Record>,
}

struct Machine<'w> {
    world: &'w World,
    kernel: Kernel,
    /// Restored at some point; gets every block from then on.
    twin: Option<Kernel>,
    now_ns: u64,
    envelopes: Vec<Envelope>,
    accounts: Vec<Id16>,
    holds: Vec<Id16>,
    channels: Vec<Id16>,
    units: Vec<Id16>,
    keys: Vec<Key32>,
    principals: Vec<Id16>,
    made: u128,
    ids: Vec<u128>,
}

pub fn run(data: &[u8]) {
    let world = world();
    let mut machine = Machine {
        world,
        kernel: world.kernel(),
        twin: None,
        now_ns: world.now_ns,
        envelopes: Vec::new(),
        accounts: world.accounts.clone(),
        holds: world.holds.clone(),
        channels: world.channels.clone(),
        units: world.units.clone(),
        keys: world.keys.iter().map(public_key).collect(),
        principals: world.principals.clone(),
        made: 1 << 60,
        ids: Vec::new(),
    };
    let mut source = Source::new(data);
    for _ in 0..MAX_STEPS {
        if source.is_empty() {
            break;
        }
        machine.step(source.array());
    }
    machine.end_block(0);
}

/// Every other one is of obligations.
fn unit_record(step: [u8; 8], principal: &Id16, settlement: &Id16) -> Record {
    let [_, _, _, b, c, d, _, _] = step;
    let symbol = [b'A' + d % 26];
    if b % 2 == 1 {
        return record(kind::UNIT, &[(6, &[c % 20]), (8, principal), (24, &symbol)]);
    }
    let fields: [(usize, &[u8]); 4] = [
        (2, &DEFERRED.to_le_bytes()),
        (8, principal),
        (24, &symbol),
        (40, settlement),
    ];
    record(kind::UNIT, &fields)
}

fn correction_record(kind: u16, [a, b]: [u8; 2], amount: &[u8], expires: &[u8]) -> Record {
    let has_reason = u8::from(matches!(kind, kind::REFUND | kind::DISPUTE));
    let reason = [has_reason * (b % 8)];
    let cited = u64::from(a).to_le_bytes();
    record(
        kind,
        &[(6, &reason), (8, &cited), (24, amount), (72, expires)],
    )
}

fn relation_record(one: Id16, other: Id16, operation: u8) -> Record {
    let (first, second) = (one.min(other), one.max(other));
    record(
        kind::RELATION,
        &[(6, &[operation]), (8, &first), (24, &second)],
    )
}

impl Machine<'_> {
    fn step(&mut self, step: [u8; 8]) {
        match step[0] {
            0..=159 => self.add_record(step),
            160..=199 => self.begin(step),
            200..=235 => self.end_block(WAITS_NS[usize::from(step[1]) % WAITS_NS.len()]),
            236..=243 => {
                self.end_block(0);
                self.twin = Some(self.restored());
            }
            244..=249 => self.add_quoted(step),
            _ => self.hostile_block(step),
        }
    }

    fn restored(&self) -> Kernel {
        let checkpoint = self.kernel.checkpoint(3);
        let genesis = self.world.genesis.clone();
        let kernel = Kernel::restore(genesis, &checkpoint).expect("a checkpoint of our own");
        assert!(kernel.checkpoint(3) == checkpoint);
        kernel
    }

    fn begin(&mut self, step: [u8; 8]) {
        let repeats = step[2] % 8 == 0 && !self.ids.is_empty();
        let id = if repeats {
            self.ids[usize::from(step[3]) % self.ids.len()]
        } else {
            self.made += 1;
            (u128::from(self.now_ns / 1_000_000) << 80) | self.made
        };
        self.ids.push(id);
        self.envelopes.push(Envelope {
            signer: usize::from(step[1]) % self.keys.len(),
            id,
            atomic: step[2] & 0x10 != 0,
            records: Vec::new(),
        });
    }

    fn add_record(&mut self, step: [u8; 8]) {
        if self.envelopes.is_empty() {
            self.begin([0, step[7], 1, 0, 0, 0, 0, 0]);
        }
        let made = self.make_record(step);
        let Some(envelope) = self.envelopes.last_mut() else {
            return;
        };
        envelope.records.push(made);
        // What it will be called if it succeeds.
        let principal = self.principals.get(envelope.signer);
        let (Some(principal), index) = (principal, envelope.records.len() as u32 - 1) else {
            return;
        };
        let id_bytes = envelope.id.to_le_bytes();
        let id = object_id(&self.world.genesis.ledger_id, principal, &id_bytes, index);
        match u16_at(&made, 0) {
            kind::ACCOUNT => self.accounts.push(id),
            kind::RESERVE | kind::MANDATE => self.holds.push(id),
            kind::CHANNEL => self.channels.push(id),
            kind::UNIT => {
                self.units.push(id);
                self.accounts.push(id);
            }
            kind::PRINCIPAL => self.principals.push(id),
            _ => {}
        }
    }

    fn amount(&self, choice: u8) -> [u8; 16] {
        let amount = match choice {
            0..=127 => u128::from(choice),
            128..=191 => u128::from(choice - 128) * 20,
            192..=207 => u128::MAX - u128::from(choice - 192),
            208..=223 => (u128::MAX / 2) + u128::from(choice - 208),
            224..=239 => u128::from(u64::MAX) + u128::from(choice - 224),
            _ => 1_000 + u128::from(choice - 240),
        };
        amount.to_le_bytes()
    }

    fn make_record(&mut self, step: [u8; 8]) -> Record {
        let [_, which, a, b, c, d, flags, twist] = step;
        let pick = |ids: &[Id16], choice: u8| ids[usize::from(choice) % ids.len()];
        let kind = KINDS[usize::from(which) % KINDS.len()];
        let (first, second) = (pick(&self.accounts, a), pick(&self.accounts, b));
        let (hold, unit) = (pick(&self.holds, a), pick(&self.units, a));
        let amount = self.amount(c);
        let wait_ns = WAITS_NS[usize::from(d) % WAITS_NS.len()] + u64::from(d);
        let expires = self.now_ns.saturating_add(wait_ns).to_le_bytes();
        let key = self.keys[usize::from(b) % self.keys.len()];
        let principal = pick(&self.principals, c);
        let mut record = match kind {
            kind::TRANSFER | kind::JOIN => {
                record(kind, &[(8, &first), (24, &second), (40, &amount)])
            }
            kind::RESERVE => record(
                kind,
                &[(8, &first), (24, &second), (40, &amount), (72, &expires)],
            ),
            kind::EXTEND => record(kind, &[(8, &hold), (24, &amount), (72, &expires)]),
            kind::CHANNEL | kind::TOP_UP | kind::VOUCHER | kind::CHANNEL_CLOSE => {
                self.channel_record(kind, step)
            }
            kind::CAPTURE => record(kind, &[(6, &[1 + b % 3]), (8, &hold), (24, &amount)]),
            kind::RELEASE | kind::CLAW_BACK => record(kind, &[(8, &hold)]),
            kind::RELATION => relation_record(principal, pick(&self.principals, a), 1 + b % 2),
            kind::MANDATE | kind::MANDATE_END => self.mandate_record(kind, step),
            kind::PAY_CLAIM => pay_claim_record(b, &hold, &amount, &first),
            kind::REFUND | kind::DISPUTE | kind::DISPUTE_ANSWER | kind::REPRICE => {
                correction_record(kind, [a, b], &amount, &expires)
            }
            kind::ISSUE | kind::BURN | kind::CREDIT_LIMIT => {
                record(kind, &[(8, &unit), (24, &second), (40, &amount)])
            }
            kind::WINDOW_CLOSE | kind::SETTLE | kind::FAIL => {
                self.netting_record(kind, &unit, &second, c)
            }
            kind::ACCOUNT if b % 2 == 0 => record(kind, &[(6, &[1]), (8, &unit)]),
            kind::ACCOUNT => record(kind, &[(6, &[2 + b % 3]), (24, &first)]),
            kind::UNIT => unit_record(step, &principal, &unit),
            kind::NAME => record(kind, &[(6, &[1 + b % 8]), (8, &[1 + c % 4]), (16, &[d; 2])]),
            kind::KEY => record(
                kind,
                &[(6, &[1 + a % 3, d % 12]), (8, &key), (104, &principal)],
            ),
            kind::RECOVER | kind::VETO => recovery_record(kind, d % 4, &principal, a),
            kind::PRINCIPAL => record(kind, &[(6, &[1 + a % 3]), (8, &key), (120, &[0; 8])]),
            kind::LIMIT | kind::ZONE | kind::DELEGATE | kind::KILL => self.limit_record(kind, step),
            _ => record(kind, &[]),
        };
        if matches!(kind, kind::KEY | kind::RECOVER | kind::PRINCIPAL) {
            self.own_principal(&mut record, twist);
        }
        if kind != kind::UNIT {
            record[2..4].copy_from_slice(&(u16::from(flags) & UNIQUE_OR_FINAL).to_le_bytes());
        }
        if !matches!(kind, kind::CAPTURE | kind::VOUCHER) {
            record[56] |= flags >> 2;
        }
        if twist >= 0xf0 {
            record[usize::from(d) % 112] ^= twist << 1 | 1;
            record[4..6].fill(0); // a head without its CONTs is no block at all
        }
        record
    }

    /// Mandates are remembered among the holds.
    fn mandate_record(&self, kind: u16, step: [u8; 8]) -> Record {
        let [_, _, a, _, c, d, _, _] = step;
        if kind == kind::MANDATE_END {
            return record(kind, &[(8, &self.holds[usize::from(a) % self.holds.len()])]);
        }
        let account = self.accounts[usize::from(a) % self.accounts.len()];
        let payee = self.principals[usize::from(c) % self.principals.len()];
        let (cap, lifetime_ns) = (self.amount(c), WAITS_NS[usize::from(d) % WAITS_NS.len()]);
        let expires = self.now_ns.saturating_add(lifetime_ns).to_le_bytes();
        record(
            kind,
            &[
                (8, &account),
                (24, &payee),
                (40, &cap),
                (56, &cap),
                (72, &expires),
            ],
        )
    }

    /// About the window that is due, mostly, and the positions that there are.
    fn netting_record(&self, kind: u16, unit: &Id16, account: &Id16, twist: u8) -> Record {
        let view = self.kernel.netting_view(*unit, None, None);
        let open = view.as_ref().map_or(1, |view| u64_at(&view.unit, 32));
        let due = open - u64::from(kind != kind::WINDOW_CLOSE);
        let window = due.wrapping_add(u64::from(twist / 250)).to_le_bytes();
        let closed = view.map_or(Vec::new(), |view| view.closed);
        let hash = Sha256::new()
            .chain_update(POSITIONS_PREFIX)
            .chain_update(self.world.genesis.ledger_id)
            .chain_update(unit)
            .chain_update(window)
            .chain_update(&closed)
            .finalize();
        match kind {
            kind::SETTLE => record(kind, &[(8, unit), (24, &window), (40, &hash)]),
            kind::FAIL => record(kind, &[(8, unit), (24, &window), (40, account)]),
            _ => record(kind, &[(8, unit), (24, &window)]),
        }
    }

    fn limit_record(&self, kind: u16, step: [u8; 8]) -> Record {
        let [_, _, a, b, c, d, _, twist] = step;
        let keys = &self.keys;
        let key = keys[usize::from(b) % keys.len()];
        let other = keys[usize::from(c) % keys.len()];
        match kind {
            kind::DELEGATE => record(kind, &[(8, &key), (40, &other)]),
            kind::KILL => record(kind, &[(8, &key)]),
            kind::ZONE => {
                let horizon = self.now_ns.saturating_add(u64::from(d) << 40).to_le_bytes();
                let offset = (u32::from(c) * 700).to_le_bytes();
                let fields: [(usize, &[u8]); 5] = [
                    (8, &[b'A' + a % 2]),
                    (40, &[1]),
                    (48, &horizon),
                    (56, &[1 + b % 3]),
                    (60, &offset),
                ];
                record(kind, &fields)
            }
            _ => {
                let account = self.accounts[usize::from(b) % self.accounts.len()];
                let payee = self.accounts[usize::from(c) % self.accounts.len()];
                let principal = self.principals[usize::from(b) % self.principals.len()];
                let unit = self.units[usize::from(a) % self.units.len()];
                let (target, window) = (1 + d % 4, 1 + twist % 3);
                let (window, second) = match target {
                    4 => (4, payee),
                    _ => (window, [0; 16]),
                };
                let subject = match target {
                    1 => key.to_vec(),
                    3 => [principal, second].concat(),
                    _ => [account, second].concat(),
                };
                let fields: [(usize, &[u8]); 5] = [
                    (6, &[target, window]),
                    (8, &unit),
                    (40, &[c]),
                    (72, &[1 + u8::from(c == 0)]),
                    (80, &subject),
                ];
                record(kind, &fields)
            }
        }
    }

    fn channel_record(&self, kind: u16, step: [u8; 8]) -> Record {
        let [_, _, a, b, c, d, _, twist] = step;
        let channel = self.channels[usize::from(a) % self.channels.len()];
        let amount = self.amount(c);
        match kind {
            kind::CHANNEL => {
                let payer = self.accounts[usize::from(a) % self.accounts.len()];
                let payee = self.accounts[usize::from(b) % self.accounts.len()];
                let challenge = WAITS_NS[usize::from(d) % WAITS_NS.len()].to_le_bytes();
                let own = self.keys.len().min(self.world.keys.len()) - 1;
                let which = if twist < 128 { own } else { usize::from(twist) };
                let key = self.keys[which % self.keys.len()];
                let fields: [(usize, &[u8]); 5] = [
                    (8, &payer),
                    (24, &payee),
                    (40, &amount),
                    (72, &challenge),
                    (80, &key),
                ];
                record(kind, &fields)
            }
            kind::TOP_UP => record(kind, &[(8, &channel), (24, &amount)]),
            kind::VOUCHER => self.voucher(&channel, &amount, [b; 24], d),
            _ => record(kind, &[(8, &channel)]),
        }
    }

    /// By the key that has Alice's channels, more often than not.
    fn voucher(&self, channel: &Id16, amount: &[u8], commitment: [u8; 24], by: u8) -> Record {
        let keys = &self.world.keys;
        let which = if by < 192 {
            keys.len() - 1
        } else {
            usize::from(by) % keys.len()
        };
        let ledger_id = &self.world.genesis.ledger_id;
        let message = [VOUCHER_PREFIX, ledger_id, channel, amount, &commitment].concat();
        let signature = <[u8; 64]>::from(keys[which].sign(&message));
        let fields: [(usize, &[u8]); 4] = [
            (8, channel),
            (24, amount),
            (40, &commitment),
            (64, &signature),
        ];
        record(kind::VOUCHER, &fields)
    }

    /// The principal id that such a record must name, more often than not.
    fn own_principal(&self, record: &mut Record, twist: u8) {
        let Some(envelope) = self.envelopes.last() else {
            return;
        };
        let principal = self.principals.get(envelope.signer).copied();
        let signer = principal.unwrap_or_default();
        let index = envelope.records.len() as u32;
        let id_bytes = envelope.id.to_le_bytes();
        if u16_at(record, 0) == kind::PRINCIPAL {
            let id = object_id(&self.world.genesis.ledger_id, &signer, &id_bytes, index);
            record[104..120].copy_from_slice(&id);
        } else if twist % 2 == 0 {
            record[104..120].copy_from_slice(&signer);
        }
    }

    fn end_block(&mut self, wait_ns: u64) {
        let envelopes = std::mem::take(&mut self.envelopes);
        let drafted: Vec<Drafted<'_>> = envelopes
            .iter()
            .filter(|envelope| !envelope.records.is_empty())
            .map(|one| (self.keys[one.signer], one.id, one.atomic, &one.records[..]))
            .collect();
        if !drafted.is_empty() {
            let block = write_block(&self.kernel, self.now_ns, &drafted);
            assert!(block.len() <= MAX_ENVELOPE_BYTES);
            self.apply(&block, drafted.len() == 1 && drafted[0].2);
        }
        let least = self.kernel.status().min_next_timestamp_ns;
        self.now_ns = self.now_ns.saturating_add(wait_ns).max(least);
    }

    fn apply(&mut self, block: &[u8], is_one_atomic: bool) {
        let swept = is_one_atomic.then(|| self.rows_when_swept());
        let Ok(applied) = apply(&mut self.kernel, block) else {
            return self.expect_unchanged(block);
        };
        assert_eq!(self.kernel.verify_invariants(), Vec::<String>::new());
        if let Some(twin) = &mut self.twin {
            assert_eq!(
                apply(twin, block).as_ref(),
                Ok(&applied),
                "restored, so another"
            );
            assert_eq!(twin.state_digest(), self.kernel.state_digest());
        }
        check_answer(&applied);
        let aborted = codes(&applied).any(|code| code == Code::AtomicAborted);
        if let (Some(rows), true) = (swept, aborted) {
            let is_as_before = rows == lasting_rows(&self.kernel);
            assert!(is_as_before, "aborted, but left a trace");
        }
    }

    /// What sweeping and pruning leave, which come before the envelopes of a block.
    fn rows_when_swept(&self) -> Vec<u8> {
        let (mut other, tick) = (self.restored(), [record(kind::TICK, &[])]);
        let drafted = [(self.keys[0], 0, false, &tick[..])];
        let _ = apply(
            &mut other,
            &write_block(&self.kernel, self.now_ns, &drafted),
        );
        lasting_rows(&other)
    }

    fn expect_unchanged(&mut self, block: &[u8]) {
        let digest = self.kernel.state_digest();
        assert!(apply(&mut self.kernel, block).is_err());
        assert_eq!(self.kernel.state_digest(), digest);
    }

    /// A block with a byte changed anywhere.
    fn hostile_block(&mut self, step: [u8; 8]) {
        let records = [self.make_record([0, step[1], step[2], step[3], 1, 0, 0, 0])];
        let id = (u128::from(self.now_ns / 1_000_000) << 80) | u128::from(step[4]);
        let drafted = [(self.keys[3], id, false, &records[..])];
        let mut block = write_block(&self.kernel, self.now_ns, &drafted);
        let at = usize::from(u16::from_le_bytes([step[5], step[6]])) % block.len();
        block[at] ^= step[7];
        let digest = self.kernel.state_digest();
        let mut other = Kernel::restore(self.world.genesis.clone(), &self.kernel.checkpoint(0))
            .expect("a checkpoint of our own");
        let fits = apply(&mut other, &block);
        if fits.is_ok() {
            self.apply(&block, false);
            let least = self.kernel.status().min_next_timestamp_ns;
            self.now_ns = self.now_ns.max(least);
        } else {
            assert!(apply(&mut self.kernel, &block).is_err());
            assert_eq!(
                self.kernel.state_digest(),
                digest,
                "refused, but not as it was"
            );
        }
    }
}

fn codes(applied: &Applied) -> impl Iterator<Item = Code> + '_ {
    let results = applied.results.chunks_exact(RESULT_BYTES);
    results.map(|result| Code::from_u16(u16_at(result, 0)).expect("a code of the format"))
}

fn check_answer(applied: &Applied) {
    let records: u32 = applied.envelopes.iter().map(|one| one.record_count).sum();
    assert_eq!(records, applied.record_count);
    assert_eq!(applied.results.len(), records as usize * RESULT_BYTES);
    let is_plain = applied.effects.is_empty() && codes(applied).all(|code| code == Code::Ok);
    assert_eq!(applied.plain, is_plain);
    for code in codes(applied) {
        assert!(
            code == Code::Ok || code.value() >= 64,
            "{code:?} in the ledger"
        );
    }
    let consumed = applied.envelopes.iter().filter(|one| one.consumed);
    for envelope in consumed {
        assert!(matches!(envelope.code, Code::Ok | Code::Expired));
    }
}

/// A record's size, as the program's steps have none of their own.
const _: () = assert!(RECORD_BYTES == std::mem::size_of::<Record>());
