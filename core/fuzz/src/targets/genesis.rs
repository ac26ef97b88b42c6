//! A genesis as somebody hands it over.
//!
//! Input: whether keys are replaced by acceptable ones, then the genesis.
//!
//! Properties: what parses makes a kernel whose invariants hold and whose checkpoint comes back;
//! one byte more or less does not parse.

use tallystick_core::format::limits::{GENESIS_FIXED_BYTES, GENESIS_NODE_BYTES};
use tallystick_core::format::{sha256, u32_at, Genesis};
use tallystick_core::kernel::Kernel;

use crate::source::Source;
use crate::support::{public_key, signing_key};

const OPERATOR_KEYS: u8 = 1;
const NODE_KEYS: u8 = 2;
const LENGTH: u8 = 4;

pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let what = source.u8();
    let mut bytes = source.rest().to_vec();
    if bytes.len() >= GENESIS_FIXED_BYTES {
        put_right(&mut bytes, what);
    }
    let Ok(genesis) = Genesis::parse(&bytes) else {
        return;
    };
    assert_eq!(genesis.ledger_id, sha256(&bytes));
    assert!(genesis.operator_quorum as usize <= genesis.operators.len());
    let kernel = Kernel::new(genesis.clone());
    assert_eq!(kernel.verify_invariants(), Vec::<String>::new());
    let checkpoint = kernel.checkpoint(0);
    let restored = Kernel::restore(genesis, &checkpoint).expect("a checkpoint of our own");
    assert_eq!(restored.state_digest(), kernel.state_digest());

    assert!(Genesis::parse(&bytes[..bytes.len() - 1]).is_err());
    bytes.push(0);
    assert!(Genesis::parse(&bytes).is_err());
}

/// Keys cannot be guessed, and their length has to fit the counts.
fn put_right(bytes: &mut Vec<u8>, what: u8) {
    let operators = u32_at(bytes, 124) as usize % 20;
    let nodes = u32_at(bytes, 128) as usize % 12;
    let nodes_at = GENESIS_FIXED_BYTES + 32 * operators;
    if what & LENGTH != 0 {
        bytes.resize(nodes_at + GENESIS_NODE_BYTES * nodes, 0);
    }
    let mut keys: Vec<[u8; 32]> = (0..operators + nodes)
        .map(|number| public_key(&signing_key(number as u64)))
        .collect();
    keys[..operators].sort_unstable();
    for (index, key) in keys.iter().enumerate() {
        let at = match index.checked_sub(operators) {
            None => GENESIS_FIXED_BYTES + 32 * index,
            Some(node) => nodes_at + GENESIS_NODE_BYTES * node + 40,
        };
        let bit = if index < operators {
            OPERATOR_KEYS
        } else {
            NODE_KEYS
        };
        if what & bit != 0 && at + 32 <= bytes.len() {
            bytes[at..at + 32].copy_from_slice(key);
        }
    }
}
