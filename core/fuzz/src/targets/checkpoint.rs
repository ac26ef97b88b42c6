//! A checkpoint of state as a disk or another node gives it.
//!
//! Input: whether the hash, the lengths and the ledger id are put right, a time to wait, then the
//! checkpoint.
//!
//! Properties: what is restored writes exactly the bytes that it was restored from, and behaves:
//! blocks on the accounts and holds that stand in it are applied, and its invariants go on holding.

use sha2::{Digest, Sha256};
use tallystick_core::format::{u16_at, u32_at, u64_at, Id16, Key32};
use tallystick_core::kernel::{checkpoint_info, Kernel};

use crate::ledger::{
    account, capture, channel_close, extend, issue, last_capture, name, release, reserve, tick,
    top_up, transfer, unique, Record,
};
use crate::ledger::{CLOSE, FREEZE, OPEN, UNFREEZE};
use crate::source::Source;
use crate::support::SECOND_NS;
use crate::world::{world, write_block};

const HASH: u8 = 1;
const LEDGER_ID: u8 = 2;
const ROWS_LENGTH: u8 = 4;
const HASH_BYTES: usize = 32;
const FIXED_BYTES: usize = 56;
const CHANNEL_ROW: u16 = 10;

pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let world = world();
    let what = source.u8();
    let wait_ns = source.one_of(&[0, 1, SECOND_NS, 3_600 * SECOND_NS, 864_000 * SECOND_NS]);
    let mut bytes = source.rest().to_vec();
    if bytes.len() >= FIXED_BYTES + HASH_BYTES {
        put_right(&mut bytes, what, &world.genesis.ledger_id);
    }
    let Ok(kernel) = Kernel::restore(world.genesis.clone(), &bytes) else {
        return;
    };
    let info = checkpoint_info(&bytes).expect("restored, so it has them");
    assert_eq!(info.tree_size, kernel.status().tree_size);
    assert_eq!(info.next_sequence, kernel.status().next_sequence);
    let again = kernel.checkpoint(info.applied_index);
    assert!(again == bytes, "two checkpoints of one state");
    live(kernel, wait_ns);
}

fn put_right(bytes: &mut [u8], what: u8, ledger_id: &[u8; 32]) {
    let end = bytes.len() - HASH_BYTES;
    if what & LEDGER_ID != 0 {
        bytes[8..40].copy_from_slice(ledger_id);
    }
    let roots_end = FIXED_BYTES + HASH_BYTES * u64_at(bytes, 48).count_ones() as usize;
    if what & ROWS_LENGTH != 0 && roots_end + 8 <= end {
        let length = (end - roots_end - 8) as u64;
        bytes[roots_end..roots_end + 8].copy_from_slice(&length.to_le_bytes());
    }
    if what & HASH != 0 {
        let hash = Sha256::digest(&bytes[..end]);
        bytes[end..].copy_from_slice(&hash);
    }
}

/// What stands in the rows that a block can name.
#[derive(Default)]
struct Named {
    keys: Vec<Key32>,
    units: Vec<Id16>,
    accounts: Vec<Id16>,
    holds: Vec<Id16>,
    channels: Vec<Id16>,
}

fn named(kernel: &Kernel) -> Named {
    let (rows, mut found) = (kernel.state_rows(), Named::default());
    let mut rest = &rows[..];
    while !rest.is_empty() {
        let content = 8 + u32_at(rest, 4) as usize;
        let id = rest.get(8..24).and_then(|id| id.try_into().ok());
        match (u16_at(rest, 0), id) {
            (3, _) => found.keys.extend(rest[8..40].first_chunk::<32>()),
            (5, Some(id)) => found.units.push(id),
            (6, Some(id)) => found.accounts.push(id),
            (7, Some(id)) => found.holds.push(id),
            (CHANNEL_ROW, Some(id)) => found.channels.push(id),
            _ => {}
        }
        rest = &rest[content..];
    }
    found
}

fn live(mut kernel: Kernel, wait_ns: u64) {
    let named = named(&kernel);
    let status = kernel.status();
    let mut now_ns = status.min_next_timestamp_ns.saturating_add(wait_ns);
    for round in 0..2_u8 {
        let records = records(&named, now_ns, round);
        for (index, key) in named.keys.iter().take(6).enumerate() {
            let id =
                (u128::from(now_ns / 1_000_000) << 80) | u128::from(round) << 8 | index as u128;
            let block = write_block(&kernel, now_ns, &[(*key, id, index == 5, &records)]);
            if kernel.apply(&block).is_err() {
                return; // sequence number or time at their end
            }
            assert_eq!(kernel.verify_invariants(), Vec::<String>::new());
            now_ns = kernel.status().min_next_timestamp_ns;
        }
        now_ns = now_ns.saturating_add(86_400 * SECOND_NS);
    }
}

/// A bit of everything, on what is there.
fn records(named: &Named, now_ns: u64, round: u8) -> Vec<Record> {
    let accounts: Vec<Id16> = named.accounts.iter().copied().take(4).collect();
    let expires = now_ns.saturating_add(2 * SECOND_NS);
    let mut out = vec![tick(), name(1 + round, b"text")];
    for debit in &accounts {
        for credit in &accounts {
            out.push(transfer(debit, credit, 1));
            out.push(unique(reserve(debit, credit, 1, expires), 3 + round));
        }
        out.push(transfer(debit, &accounts[0], u128::MAX));
    }
    for hold in named.holds.iter().take(6) {
        out.push(extend(hold, 1, expires));
        out.push(capture(hold, 1));
        out.push(last_capture(hold, u128::MAX));
        out.push(release(hold));
    }
    for one in named.channels.iter().take(4) {
        out.push(top_up(one, 1));
        out.push(channel_close(one));
    }
    for unit in named.units.iter().take(2) {
        out.push(account(OPEN, unit));
        out.extend(accounts.iter().map(|id| issue(unit, id, u128::MAX / 2)));
    }
    for operation in [FREEZE, UNFREEZE, CLOSE] {
        out.extend(accounts.iter().take(2).map(|id| account(operation, id)));
    }
    out
}
