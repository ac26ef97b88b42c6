//! The signatures inside of VOUCHER records, by the keys of their channels.
//!
//! They are judged when a block is applied, where every node must come to the same answer and
//! nobody draws random numbers. The secret of their batch is therefore a hash over everything in
//! it (as Fiat and Shamir make challenges): whoever wants a bad voucher to pass must try some
//! 2^128 batches, no fewer than to forge a signature, and a batch has one answer on all nodes.

use sha2::{Digest, Sha256};

use super::batch::{verify_batch, verify_strict, Item, Lane, Seed};
use crate::format::{Hash32, Key32, Voucher, VOUCHER_PREFIX};

/// What stands before the items in the hash that seeds their batch. Never signed, never stored.
const SEED_PREFIX: &[u8] = b"tallystick/voucher-batch/v1\0";

/// A voucher with the key of its channel.
#[derive(Debug, Clone, Copy)]
pub struct KeyedVoucher<'a> {
    pub key: Key32,
    pub voucher: Voucher<'a>,
}

/// Whether each voucher was signed by the key of its channel. The answer does not depend on
/// `threads`, and is that of [`verify_voucher`].
pub fn verify_vouchers(
    vouchers: &[KeyedVoucher<'_>],
    ledger_id: &Hash32,
    threads: usize,
) -> Vec<bool> {
    let bodies: Vec<_> = vouchers
        .iter()
        .map(|keyed| keyed.voucher.body(ledger_id))
        .collect();
    let items: Vec<Item<'_>> = vouchers
        .iter()
        .zip(&bodies)
        .map(|(keyed, body)| item(keyed, body))
        .collect();
    let mut hash = Sha256::new().chain_update(SEED_PREFIX);
    for item in &items {
        hash.update(item.key);
        hash.update(item.signature);
        hash.update(item.body);
    }
    let (secret, lane) = (hash.finalize().into(), Lane::Vouchers);
    let seed = Seed {
        secret: &secret,
        lane,
    };
    verify_batch(&items, seed, threads)
}

/// Whether one voucher was signed by the key of its channel.
pub fn verify_voucher(keyed: &KeyedVoucher<'_>, ledger_id: &Hash32) -> bool {
    verify_strict(&item(keyed, &keyed.voucher.body(ledger_id)))
}

fn item<'a>(keyed: &'a KeyedVoucher<'_>, body: &'a [u8]) -> Item<'a> {
    Item {
        key: &keyed.key,
        signature: keyed.voucher.signature(),
        prefix: VOUCHER_PREFIX,
        body,
    }
}
