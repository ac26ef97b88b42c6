//! A ledger to write scenarios on: one envelope a block, one line a step. Signatures are left out,
//! because applying a block does not look at them.
#![allow(dead_code)]

use std::collections::BTreeMap;

use ed25519_zebra::SigningKey;
use tallystick_core::format::limits::{
    BLOCK_HEADER_BYTES, CITATION_BYTES, ENVELOPE_MAGIC, RECORDS_OFFSET, RECORD_BYTES, RESULT_BYTES,
};
use tallystick_core::format::{
    kind, object_id, u16_at, u32_at, write_block_header, Code, Genesis, Id16, Key32, VOUCHER_PREFIX,
};
use tallystick_core::kernel::{cited_sequences, Applied, BlockError, Kernel};

use crate::support::{genesis_bytes, public_key, signing_key, NOW_NS, SECOND_NS};

pub const UNIQUE: u16 = 1;
pub const FINAL: u16 = 2;
pub const OPEN: u16 = 1;
pub const FREEZE: u16 = 2;
pub const UNFREEZE: u16 = 3;
pub const CLOSE: u16 = 4;
pub const ADD: u8 = 1;
pub const REVOKE: u8 = 2;
pub const ROTATE: u8 = 3;
pub const OWNER: u8 = 1;
pub const SPEND: u8 = 2;
pub const METER: u8 = 3;
pub const READ: u8 = 7;
pub const AUDIT: u8 = 8;
pub const CHANNEL: u8 = 10;
pub const START_AMOUNT: u128 = 1_000;

pub type Record = [u8; RECORD_BYTES];

/// A record with these fields at their offsets, and a nonce where none of them lies.
pub fn record(kind: u16, fields: &[(usize, &[u8])]) -> Record {
    let mut out = [0; RECORD_BYTES];
    out[..2].copy_from_slice(&kind.to_le_bytes());
    out[112] = 1;
    for (at, field) in fields {
        out[*at..at + field.len()].copy_from_slice(field);
    }
    out
}

pub fn flagged(mut record: Record, flags: u16) -> Record {
    record[2..4].copy_from_slice(&flags.to_le_bytes());
    record
}

/// The record with one byte set.
pub fn with(mut record: Record, at: usize, byte: u8) -> Record {
    record[at] = byte;
    record
}

pub fn transfer(debit: &Id16, credit: &Id16, amount: u128) -> Record {
    let amount = amount.to_le_bytes();
    record(kind::TRANSFER, &[(8, debit), (24, credit), (40, &amount)])
}

/// A UNIQUE record with its reference.
pub fn unique(record: Record, reference: u8) -> Record {
    with(flagged(record, UNIQUE), 56, reference)
}

pub fn issue(unit: &Id16, credit: &Id16, amount: u128) -> Record {
    let amount = amount.to_le_bytes();
    record(kind::ISSUE, &[(8, unit), (24, credit), (40, &amount)])
}

pub fn burn(unit: &Id16, debit: &Id16, amount: u128) -> Record {
    let amount = amount.to_le_bytes();
    record(kind::BURN, &[(8, unit), (24, debit), (40, &amount)])
}

pub fn credit_limit(unit: &Id16, account: &Id16, limit: u128) -> Record {
    let limit = limit.to_le_bytes();
    record(
        kind::CREDIT_LIMIT,
        &[(8, unit), (24, account), (40, &limit)],
    )
}

pub fn reserve(payer: &Id16, payee: &Id16, maximum: u128, expires_at_ns: u64) -> Record {
    let (maximum, expires) = (maximum.to_le_bytes(), expires_at_ns.to_le_bytes());
    record(
        kind::RESERVE,
        &[(8, payer), (24, payee), (40, &maximum), (72, &expires)],
    )
}

pub fn capture(hold: &Id16, cumulative: u128) -> Record {
    let amount = cumulative.to_le_bytes();
    record(kind::CAPTURE, &[(6, &[1]), (8, hold), (24, &amount)])
}

pub fn last_capture(hold: &Id16, cumulative: u128) -> Record {
    flagged(capture(hold, cumulative), FINAL)
}

pub fn release(hold: &Id16) -> Record {
    record(kind::RELEASE, &[(8, hold)])
}

pub fn extend(hold: &Id16, additional: u128, expires_at_ns: u64) -> Record {
    let (additional, expires) = (additional.to_le_bytes(), expires_at_ns.to_le_bytes());
    record(
        kind::EXTEND,
        &[(8, hold), (24, &additional), (72, &expires)],
    )
}

pub fn channel(
    payer: &Id16,
    payee: &Id16,
    deposit: u128,
    challenge_ns: u64,
    key: &Key32,
) -> Record {
    let (deposit, challenge) = (deposit.to_le_bytes(), challenge_ns.to_le_bytes());
    let fields: [(usize, &[u8]); 5] = [
        (8, payer),
        (24, payee),
        (40, &deposit),
        (72, &challenge),
        (80, key),
    ];
    record(kind::CHANNEL, &fields)
}

pub fn top_up(channel: &Id16, amount: u128) -> Record {
    record(kind::TOP_UP, &[(8, channel), (24, &amount.to_le_bytes())])
}

pub fn channel_close(channel: &Id16) -> Record {
    record(kind::CHANNEL_CLOSE, &[(8, channel)])
}

pub fn refund(cited: u64, amount: u128) -> Record {
    let (cited, amount) = (cited.to_le_bytes(), amount.to_le_bytes());
    record(kind::REFUND, &[(6, &[2]), (8, &cited), (24, &amount)])
}

pub fn dispute(cited: u64, amount: u128, deadline_ns: u64) -> Record {
    let (cited, amount) = (cited.to_le_bytes(), amount.to_le_bytes());
    let deadline = deadline_ns.to_le_bytes();
    let fields: [(usize, &[u8]); 4] = [(6, &[3]), (8, &cited), (24, &amount), (72, &deadline)];
    record(kind::DISPUTE, &fields)
}

pub fn dispute_answer(cited: u64, amount: u128) -> Record {
    let (cited, amount) = (cited.to_le_bytes(), amount.to_le_bytes());
    record(kind::DISPUTE_ANSWER, &[(8, &cited), (24, &amount)])
}

pub fn account(operation: u16, id: &Id16) -> Record {
    let at = if operation == OPEN { 8 } else { 24 };
    record(kind::ACCOUNT, &[(6, &operation.to_le_bytes()), (at, id)])
}

pub fn unit(issuer: &Id16, symbol: &[u8]) -> Record {
    record(kind::UNIT, &[(8, issuer), (24, symbol)])
}

pub fn principal(id: &Id16, key: &Key32) -> Record {
    let fields: [(usize, &[u8]); 4] = [(6, &[1]), (8, key), (104, id), (120, &[0; 8])];
    record(kind::PRINCIPAL, &fields)
}

pub fn key(operation: u8, key: &Key32, principal: &Id16, scope: u8, until_ns: u64) -> Record {
    let until = until_ns.to_le_bytes();
    let fields: [(usize, &[u8]); 4] = [
        (6, &[operation, scope]),
        (8, key),
        (104, principal),
        (120, &until),
    ];
    record(kind::KEY, &fields)
}

/// A name that needs no CONT.
pub fn name(name_kind: u8, text: &[u8]) -> Record {
    let length = [text.len() as u8];
    record(kind::NAME, &[(6, &[name_kind]), (8, &length), (16, text)])
}

pub fn tick() -> Record {
    record(kind::TICK, &[])
}

/// Somebody with a principal, an OWNER key and (but for the bank) an account.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    pub principal: Id16,
    pub key: Key32,
    pub account: Id16,
}

/// An envelope that nobody signed.
#[derive(Debug, Clone)]
pub struct Envelope {
    pub key: Key32,
    pub id: Id16,
    pub valid_until_ns: u64,
    pub atomic: bool,
    pub records: Vec<u8>,
}

pub struct Ledger {
    pub kernel: Kernel,
    pub genesis: Genesis,
    /// Timestamp of the next block.
    pub now_ns: u64,
    pub operator: Person,
    pub node: Person,
    /// Issues USD.
    pub bank: Person,
    pub usd: Id16,
    pub alice: Person,
    pub bob: Person,
    /// What records moved, by sequence number: time, accounts, amount, card.
    moved: BTreeMap<u64, [u8; 72]>,
    made: u64,
}

impl Ledger {
    /// A bank that issues USD, and Alice and Bob with 1,000 each.
    pub fn new() -> Self {
        Self::with_caps(3_000)
    }

    pub fn with_caps(cap: u32) -> Self {
        let mut bytes = genesis_bytes();
        for at in [132, 136, 140, 144, 148, 272] {
            bytes[at..at + 4].copy_from_slice(&cap.to_le_bytes());
        }
        Self::from_genesis(&bytes)
    }

    pub fn from_genesis(bytes: &[u8]) -> Self {
        let genesis = Genesis::parse(bytes).expect("the test genesis is valid");
        let person = |principal, key: u64| Person {
            principal,
            key: public_key(&signing_key(key)),
            account: [0; 16],
        };
        let nobody = person([0; 16], 0);
        let mut ledger = Self {
            kernel: Kernel::new(genesis.clone()),
            now_ns: NOW_NS,
            operator: person(genesis.operator_principal(0), 1_000_000),
            node: person(genesis.node_principal(1), 1_000_001),
            bank: nobody,
            usd: [0; 16],
            alice: nobody,
            bob: nobody,
            moved: BTreeMap::new(),
            made: 0,
            genesis,
        };
        ledger.bank = ledger.register(1);
        ledger.usd = ledger.new_unit(b"USD");
        ledger.alice = ledger.customer(2);
        ledger.bob = ledger.customer(3);
        ledger
    }

    pub fn envelope_id(&mut self) -> Id16 {
        self.made += 1;
        let milliseconds = u128::from(self.now_ns / 1_000_000);
        let random = u128::from(self.made.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        ((milliseconds << 80) | random).to_le_bytes()
    }

    pub fn envelope(&mut self, key: &Key32, records: &[Record]) -> Envelope {
        Envelope {
            key: *key,
            id: self.envelope_id(),
            valid_until_ns: self.now_ns + 60 * SECOND_NS,
            atomic: false,
            records: records.concat(),
        }
    }

    pub fn derived(&self, principal: &Id16, envelope: &Id16, index: u32) -> Id16 {
        object_id(&self.genesis.ledger_id, principal, envelope, index)
    }

    /// The envelopes as the next block.
    pub fn block(&self, envelopes: &[Envelope]) -> Vec<u8> {
        let body: Vec<u8> = envelopes
            .iter()
            .flat_map(|envelope| envelope.bytes(&self.genesis))
            .collect();
        let records = (body.len() - RECORDS_OFFSET * envelopes.len()) / RECORD_BYTES;
        let header = write_block_header(
            1,
            self.now_ns,
            self.kernel.status().next_sequence,
            envelopes.len() as u32,
            records as u32,
            body.len() as u32,
        );
        [&header[..], &body].concat()
    }

    pub fn try_apply(&mut self, envelopes: &[Envelope]) -> Result<Applied, BlockError> {
        self.now_ns = self.now_ns.max(self.kernel.status().min_next_timestamp_ns);
        let block = self.block(envelopes);
        let cited = cited_sequences(&block).into_iter();
        let citations: Vec<u8> = cited.flat_map(|sequence| self.citation(sequence)).collect();
        let applied = self.kernel.apply_citing(&block, &citations)?;
        self.remember(envelopes, &applied);
        Ok(applied)
    }

    /// What a record moved, as whoever keeps the log says it.
    pub fn citation(&self, sequence: u64) -> [u8; CITATION_BYTES] {
        let mut citation = [0; CITATION_BYTES];
        citation[..8].copy_from_slice(&sequence.to_le_bytes());
        if let Some(moved) = self.moved.get(&sequence) {
            let (posting, card) = moved.split_at(56);
            citation[8..64].copy_from_slice(posting);
            // What grants paid of it stands between.
            citation[192..].copy_from_slice(card);
        }
        citation
    }

    /// Keeps what the records of a block moved: time, accounts, amount and card.
    fn remember(&mut self, envelopes: &[Envelope], applied: &Applied) {
        let mut effects = applied.effects.chunks_exact(128);
        for (envelope, outcome) in envelopes.iter().zip(&applied.envelopes) {
            let mut keep = |index: usize, posting: &[u8], card: &[u8]| {
                let timestamp = outcome.timestamp_ns + index as u64;
                let mut moved = [0; 72];
                moved[..8].copy_from_slice(&timestamp.to_le_bytes());
                moved[8..56].copy_from_slice(posting);
                moved[56..].copy_from_slice(card);
                self.moved
                    .insert(outcome.first_sequence + index as u64, moved);
            };
            for (index, record) in envelope.records.chunks_exact(RECORD_BYTES).enumerate() {
                let sequence = outcome.first_sequence + index as u64;
                let at = (sequence - applied.first_sequence) as usize * 16;
                let is_ok = applied.results[at..at + 2] == [0, 0];
                if is_ok && record[..2] == kind::TRANSFER.to_le_bytes() {
                    keep(index, &record[8..56], &[0; 16]);
                }
            }
            for effect in effects.by_ref().take(outcome.effect_count as usize) {
                if matches!(effect[0], 1 | 4 | 6) {
                    let index = u32_at(effect, 4) as usize;
                    keep(index, &effect[8..56], &effect[72..88]);
                }
            }
        }
    }

    /// The sequence number of the last record.
    pub fn last_sequence(&self) -> u64 {
        self.kernel.status().next_sequence - 1
    }

    pub fn apply(&mut self, envelopes: &[Envelope]) -> Applied {
        self.try_apply(envelopes).expect("the block fits")
    }

    /// One block of one envelope; the codes of its records.
    pub fn codes(&mut self, key: &Key32, records: &[Record]) -> Vec<Code> {
        let envelope = self.envelope(key, records);
        codes(&self.apply(&[envelope]))
    }

    /// As `codes`, all or none.
    pub fn atomic_codes(&mut self, key: &Key32, records: &[Record]) -> Vec<Code> {
        let mut envelope = self.envelope(key, records);
        envelope.atomic = true;
        codes(&self.apply(&[envelope]))
    }

    /// The code of one record in a block of its own.
    pub fn code(&mut self, key: &Key32, record: Record) -> Code {
        self.codes(key, &[record])[0]
    }

    /// Does a record that succeeds, and gives the id that it derives.
    pub fn make(&mut self, person: &Person, make: impl FnOnce(&Id16) -> Record) -> Id16 {
        let id = self.envelope_id();
        let derived = self.derived(&person.principal, &id, 0);
        let mut envelope = self.envelope(&person.key, &[make(&derived)]);
        envelope.id = id;
        assert_eq!(codes(&self.apply(&[envelope])), [Code::Ok]);
        derived
    }

    pub fn ok(&mut self, person: &Person, record: Record) {
        self.make(person, |_| record);
    }

    pub fn register(&mut self, key_number: u64) -> Person {
        let key = public_key(&signing_key(key_number));
        let operator = self.operator;
        Person {
            principal: self.make(&operator, |id| principal(id, &key)),
            key,
            account: [0; 16],
        }
    }

    pub fn new_unit(&mut self, symbol: &[u8]) -> Id16 {
        let (operator, issuer) = (self.operator, self.bank.principal);
        self.make(&operator, |_| unit(&issuer, symbol))
    }

    pub fn new_account(&mut self, owner: &Person, unit: &Id16) -> Id16 {
        self.make(owner, |_| account(OPEN, unit))
    }

    /// Somebody new with an account that holds 1,000.
    pub fn customer(&mut self, key_number: u64) -> Person {
        let mut person = self.register(key_number);
        let (usd, bank) = (self.usd, self.bank);
        person.account = self.new_account(&person, &usd);
        self.ok(&bank, issue(&usd, &person.account, START_AMOUNT));
        person
    }

    /// Alice holds an amount for Bob.
    pub fn hold(&mut self, maximum: u128, lifetime_ns: u64) -> Id16 {
        let (alice, bob, expires) = (self.alice, self.bob, self.now_ns + lifetime_ns);
        self.make(&alice, |_| {
            reserve(&alice.account, &bob.account, maximum, expires)
        })
    }

    /// The key that signs Alice's vouchers.
    pub fn channel_key(&mut self) -> SigningKey {
        let (alice, signer) = (self.alice, signing_key(50));
        let public = public_key(&signer);
        if self.kernel.key_row(public).is_none() {
            self.ok(&alice, key(ADD, &public, &alice.principal, CHANNEL, 0));
        }
        signer
    }

    /// Alice opens a channel to Bob.
    pub fn channel(&mut self, deposit: u128, challenge_ns: u64) -> Id16 {
        let key = public_key(&self.channel_key());
        let (alice, bob) = (self.alice, self.bob);
        self.make(&alice, |_| {
            channel(&alice.account, &bob.account, deposit, challenge_ns, &key)
        })
    }

    /// Alice lets Bob meter against her account.
    pub fn mandate(&mut self, cap: u128) -> Id16 {
        let (alice, bob, cap) = (self.alice, self.bob, cap.to_le_bytes());
        let expires = (self.now_ns + 86_400 * SECOND_NS).to_le_bytes();
        let fields: [(usize, &[u8]); 5] = [
            (8, &alice.account),
            (24, &bob.principal),
            (40, &cap),
            (56, &cap),
            (72, &expires),
        ];
        self.make(&alice, |_| record(kind::MANDATE, &fields))
    }

    /// What Bob redeems of a voucher of Alice.
    pub fn voucher(&self, channel: &Id16, cumulative: u128) -> Record {
        self.voucher_by(&signing_key(50), channel, cumulative)
    }

    pub fn voucher_by(&self, key: &SigningKey, channel: &Id16, cumulative: u128) -> Record {
        let amount = cumulative.to_le_bytes();
        let commitment = [cumulative as u8; 24];
        let ledger_id = &self.genesis.ledger_id;
        let message = [VOUCHER_PREFIX, ledger_id, channel, &amount, &commitment].concat();
        let signature: [u8; 64] = key.sign(&message).into();
        let fields: [(usize, &[u8]); 4] = [
            (8, channel),
            (24, &amount),
            (40, &commitment),
            (64, &signature),
        ];
        record(kind::VOUCHER, &fields)
    }

    pub fn wait(&mut self, duration_ns: u64) {
        self.now_ns += duration_ns;
    }

    /// Debits pending and posted, credits pending and posted.
    pub fn columns(&self, account: &Id16) -> [u128; 4] {
        let row = self.kernel.account_rows(account);
        [72, 88, 104, 120].map(|at| tallystick_core::format::u128_at(&row, at))
    }

    /// All state but the ledger row and the live ids, which every envelope changes.
    pub fn lasting_rows(&self) -> Vec<u8> {
        let rows = self.kernel.state_rows();
        let (mut rest, mut out) = (&rows[..], Vec::new());
        while !rest.is_empty() {
            let length = 8 + tallystick_core::format::u32_at(rest, 4) as usize;
            let (row, behind) = rest.split_at(length);
            if !matches!(u16_at(row, 0), 1 | 8) {
                out.extend_from_slice(row);
            }
            rest = behind;
        }
        out
    }
}

impl Envelope {
    fn bytes(&self, genesis: &Genesis) -> Vec<u8> {
        let mut out = vec![0; RECORDS_OFFSET];
        out[..4].copy_from_slice(ENVELOPE_MAGIC);
        out[4] = 1;
        out[6] = u8::from(self.atomic);
        out[8] = 1;
        let count = (self.records.len() / RECORD_BYTES) as u32;
        out[12..16].copy_from_slice(&count.to_le_bytes());
        out[16..48].copy_from_slice(&genesis.ledger_id);
        out[48..80].copy_from_slice(&self.key);
        out[80..96].copy_from_slice(&self.id);
        out[96..104].copy_from_slice(&self.valid_until_ns.to_le_bytes());
        out.extend_from_slice(&self.records);
        out
    }
}

pub fn codes(applied: &Applied) -> Vec<Code> {
    let results = applied.results.chunks_exact(RESULT_BYTES);
    results
        .map(|result| Code::from_u16(u16_at(result, 0)).expect("a code of the format"))
        .collect()
}

/// Where the envelopes of a block begin.
pub const BODY: usize = BLOCK_HEADER_BYTES;
