//! Quotes of Bob's for Alice, redeemed by her and by others, whole and broken.

use sha2::{Digest, Sha256};
use tallystick_core::format::limits::{CONT_PAYLOAD_BYTES, QUOTE_PREFIX};
use tallystick_core::format::{cont_hash, kind, object_id, Id16, ZERO_ID};

use super::{Machine, WAITS_NS};
use crate::ledger::{record, Record};
use crate::support::public_key;

const ALICE: usize = 3;
const BOB: usize = 4;
const MODEL: Id16 = [1; 16];
const METER: Id16 = [2; 16];
/// Bytes of the terms of a RESERVE in its three CONTs.
const TERMS_BYTES: usize = 3 * CONT_PAYLOAD_BYTES;

impl Machine<'_> {
    /// A METER or a RESERVE of Alice's, in an envelope of her own or in the one in hand.
    pub(super) fn add_quoted(&mut self, step: [u8; 8]) {
        let [_, form, nonce, cap, quantity, wait, at, twist] = step;
        if form & 1 == 0 || self.envelopes.is_empty() {
            self.begin([0, ALICE as u8, 1 | form & 0x10, 0, 0, 0, 0, 0]);
        }
        let body = self.body(nonce, cap, wait);
        let hash = Sha256::new().chain_update(QUOTE_PREFIX);
        let hash = hash.chain_update(&body).finalize();
        let mut id = ZERO_ID;
        id.copy_from_slice(&hash[..16]);
        let message = [QUOTE_PREFIX, &self.world.genesis.ledger_id, &body].concat();
        let signature: [u8; 64] = self.world.keys[BOB].sign(&message).into();
        let mut quote = [&[1, 0, 0, 0, 0, 0, 0, 0][..], &body, &signature].concat();
        if twist >= 0xc0 {
            let place = usize::from(at) * quote.len() / 256;
            quote[place] ^= twist << 1 | 1;
        }
        let is_held = form & 2 != 0;
        let mut content = if is_held {
            held(&id, twist)
        } else {
            used(&id, quantity)
        };
        if form & 4 == 0 {
            content.extend_from_slice(&quote);
        }
        let records = self.with_conts(is_held, quantity, &content);
        self.push_whole(is_held, &records);
    }

    fn body(&self, nonce: u8, cap: u8, wait: u8) -> Vec<u8> {
        let not_after = self
            .world
            .now_ns
            .saturating_add(WAITS_NS[usize::from(wait) % WAITS_NS.len()]);
        let line = [MODEL, METER, ZERO_ID, ZERO_ID].concat();
        [
            &public_key(&self.world.keys[BOB])[..],
            &self.world.principals[ALICE],
            &self.world.units[0],
            &u128::from(cap).to_le_bytes(),
            &not_after.to_le_bytes(),
            &[nonce % 128; 16],
            &line,
            &1_000_000_u128.to_le_bytes(),
        ]
        .concat()
    }

    fn with_conts(&self, is_held: bool, quantity: u8, content: &[u8]) -> Vec<Record> {
        let conts: Vec<Record> = content
            .chunks(CONT_PAYLOAD_BYTES)
            .map(|part| record(kind::CONT, &[(8, part)]))
            .collect();
        let expires = self.now_ns.saturating_add(WAITS_NS[3]).to_le_bytes();
        let (kind, form, at_72) = if is_held {
            (kind::RESERVE, [2, 0], expires)
        } else {
            (kind::METER, [1, 1], [0; 8])
        };
        let head = record(
            kind,
            &[
                (4, &[conts.len() as u8]),
                (6, &form),
                (8, &self.world.accounts[1]),
                (24, &self.world.accounts[2]),
                (40, &u128::from(quantity).to_le_bytes()),
                (72, &at_72),
                (80, &cont_hash(&conts.concat())),
            ],
        );
        [vec![head], conts].concat()
    }

    fn push_whole(&mut self, is_held: bool, records: &[Record]) {
        let Some(envelope) = self.envelopes.last_mut() else {
            return;
        };
        let index = envelope.records.len() as u32;
        envelope.records.extend_from_slice(records);
        if let (true, Some(principal)) = (is_held, self.principals.get(envelope.signer)) {
            let ledger_id = &self.world.genesis.ledger_id;
            let id_bytes = envelope.id.to_le_bytes();
            self.holds
                .push(object_id(ledger_id, principal, &id_bytes, index));
        }
    }
}

/// The terms of a hold.
fn held(id: &Id16, twist: u8) -> Vec<u8> {
    let mut terms = vec![0; TERMS_BYTES];
    terms[16..32].copy_from_slice(&MODEL);
    terms[176] = 1 + twist % 3;
    terms[184] = if twist % 3 == 2 { twist } else { 0 };
    terms[200..216].copy_from_slice(id);
    terms
}

/// A usage that costs as much as there is of it.
fn used(id: &Id16, quantity: u8) -> Vec<u8> {
    let mut content = vec![0; 2 * CONT_PAYLOAD_BYTES];
    content[..16].copy_from_slice(id);
    content[16..32].copy_from_slice(&MODEL);
    content[96] = 1;
    content[104..120].copy_from_slice(&METER);
    content[120] = quantity;
    content
}
