//! Builders of valid bytes for tests and benches: a genesis, envelopes, blocks.
#![allow(dead_code)]

use ed25519_zebra::{SigningKey, VerificationKey};
use tallystick_core::format::limits::*;
use tallystick_core::format::{cont_hash, kind, sha256, write_block_header, Genesis, Hash32};
use tallystick_core::tree;

pub const SECOND_NS: u64 = 1_000_000_000;
/// "Now" of the tests.
pub const NOW_NS: u64 = 1_700_000_000 * SECOND_NS;
pub const LIFETIME_NS: u64 = 600 * SECOND_NS;
pub const SECRET: [u8; 32] = [0x5e; 32];

/// Key number `n` of the tests.
pub fn signing_key(n: u64) -> SigningKey {
    let mut name = b"test key".to_vec();
    name.extend(n.to_le_bytes());
    SigningKey::from(sha256(&name))
}

pub fn public_key(key: &SigningKey) -> [u8; 32] {
    VerificationKey::from(key).into()
}

pub fn genesis_bytes() -> Vec<u8> {
    let mut out = vec![0; GENESIS_FIXED_BYTES];
    out[..4].copy_from_slice(GENESIS_MAGIC);
    out[4..6].copy_from_slice(&1_u16.to_le_bytes());
    out[6..8].copy_from_slice(&1_u16.to_le_bytes());
    out[8..40].fill(9);
    out[40..49].copy_from_slice(b"test/one.");
    out[104..112].copy_from_slice(&LIFETIME_NS.to_le_bytes());
    out[112..120].copy_from_slice(&(86_400 * SECOND_NS).to_le_bytes());
    for offset in [120, 124, 128] {
        out[offset..offset + 4].copy_from_slice(&1_u32.to_le_bytes());
    }
    for offset in [132, 136, 140, 144, 148, 272] {
        out[offset..offset + 4].copy_from_slice(&3_000_u32.to_le_bytes());
    }
    out[152..160].copy_from_slice(&(7 * 86_400 * SECOND_NS).to_le_bytes());
    out[160..168].copy_from_slice(&(3_600 * SECOND_NS).to_le_bytes());
    out.extend(public_key(&signing_key(1_000_000)));
    let node = out.len();
    out.resize(node + GENESIS_NODE_BYTES, 0);
    out[node..node + 8].copy_from_slice(&1_u64.to_le_bytes());
    out[node + 8..node + 40].fill(1);
    out[node + 40..node + 72].copy_from_slice(&public_key(&signing_key(1_000_001)));
    out[node + 72..node + 104].fill(2);
    out
}

pub fn genesis() -> Genesis {
    Genesis::parse(&genesis_bytes()).expect("the test genesis is valid")
}

/// A TICK-like record of any kind with a nonce made of `n`.
pub fn record(kind: u16, n: u64) -> [u8; RECORD_BYTES] {
    let mut out = [0; RECORD_BYTES];
    out[..2].copy_from_slice(&kind.to_le_bytes());
    out[112..120].copy_from_slice(&(n + 1).to_le_bytes());
    out
}

/// `count` TRANSFER records.
pub fn transfers(count: usize, salt: u64) -> Vec<u8> {
    (0..count as u64)
        .flat_map(|n| {
            let mut record = record(kind::TRANSFER, salt * 10_000 + n);
            record[8..16].copy_from_slice(&n.to_le_bytes());
            record[24] = 1;
            record[40..48].copy_from_slice(&(n + 1).to_le_bytes());
            record
        })
        .collect()
}

/// A NAME head with `conts` CONT records and its hash.
pub fn name_with_conts(conts: usize) -> Vec<u8> {
    let behind: Vec<u8> = (0..conts as u64)
        .flat_map(|n| record(kind::CONT, n))
        .collect();
    let mut head = record(kind::NAME, 77);
    head[4..6].copy_from_slice(&(conts as u16).to_le_bytes());
    head[80..112].copy_from_slice(&cont_hash(&behind));
    [&head[..], &behind].concat()
}

/// A PRINCIPAL record for a key, with its proof.
pub fn principal_record(ledger_id: &Hash32, key: &SigningKey, principal: [u8; 16]) -> Vec<u8> {
    let mut out = [0; RECORD_BYTES];
    out[..2].copy_from_slice(&kind::PRINCIPAL.to_le_bytes());
    out[6] = 1;
    let public = public_key(key);
    let message = [
        &b"tallystick/possession/v1\0"[..],
        ledger_id,
        &principal,
        &public,
    ]
    .concat();
    out[8..40].copy_from_slice(&public);
    out[40..104].copy_from_slice(&<[u8; 64]>::from(key.sign(&message)));
    out[104..120].copy_from_slice(&principal);
    out.to_vec()
}

/// What goes into a header; change a field to get an envelope that is wrong there.
#[derive(Clone)]
pub struct Draft {
    pub ledger_id: Hash32,
    pub id_ms: u64,
    pub id_random: u128,
    pub valid_until_ns: u64,
    pub records: Vec<u8>,
}

impl Draft {
    pub fn new(n: u64, records: Vec<u8>) -> Self {
        Self {
            ledger_id: genesis().ledger_id,
            id_ms: NOW_NS / 1_000_000,
            id_random: u128::from(n),
            valid_until_ns: NOW_NS + 60 * SECOND_NS,
            records,
        }
    }

    pub fn header(&self, key: &SigningKey) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..4].copy_from_slice(ENVELOPE_MAGIC);
        out[4] = 1;
        out[8] = 1;
        let count = (self.records.len() / RECORD_BYTES) as u32;
        out[12..16].copy_from_slice(&count.to_le_bytes());
        out[16..48].copy_from_slice(&self.ledger_id);
        out[48..80].copy_from_slice(&public_key(key));
        let id = (u128::from(self.id_ms) << 80) | self.id_random;
        out[80..96].copy_from_slice(&id.to_le_bytes());
        out[96..104].copy_from_slice(&self.valid_until_ns.to_le_bytes());
        out[104..136].copy_from_slice(&tree::root(&self.records, RECORD_BYTES));
        out
    }

    pub fn seal(&self, key: &SigningKey) -> Vec<u8> {
        seal_header(&self.header(key), &self.records, key)
    }
}

/// Signs any header and puts any records behind it.
pub fn seal_header(header: &[u8; HEADER_BYTES], records: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature: [u8; 64] = key.sign(&[ENVELOPE_PREFIX, header].concat()).into();
    [&header[..], &signature, records].concat()
}

/// Envelope `n` of one record by key `n % keys`.
pub fn small_envelope(n: u64, keys: u64) -> Vec<u8> {
    Draft::new(n, transfers(1, n)).seal(&signing_key(n % keys))
}

/// A block of envelopes, first sequence number 1, timestamp [`NOW_NS`].
pub fn block(envelopes: &[Vec<u8>]) -> Vec<u8> {
    let bytes: usize = envelopes.iter().map(Vec::len).sum();
    let records: usize = envelopes
        .iter()
        .map(|envelope| (envelope.len() - RECORDS_OFFSET) / RECORD_BYTES)
        .sum();
    let header = write_block_header(
        1,
        NOW_NS,
        1,
        envelopes.len() as u32,
        records as u32,
        bytes as u32,
    );
    [&header[..], &envelopes.concat()].concat()
}
