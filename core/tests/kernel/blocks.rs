//! Blocks that do not fit are refused whole; those that do say where everything went.

use tallystick_core::format::limits::RECORDS_OFFSET;
use tallystick_core::format::{kind, Code};
use tallystick_core::tree;

use crate::ledger::*;

#[test]
fn a_block_that_does_not_fit_changes_nothing() {
    let mut ledger = Ledger::new();
    let alice = ledger.alice;
    let pay = transfer(&alice.account, &ledger.bob.account, 1);
    let envelope = ledger.envelope(&alice.key, &[pay, pay]);
    ledger.now_ns = ledger.kernel.status().min_next_timestamp_ns;
    let block = ledger.block(&[envelope]);
    let records = BODY + RECORDS_OFFSET;
    // Offset of a byte, what it becomes, and why that is wrong.
    let spoilt: [(usize, u8, &str); 11] = [
        (0, b'X', "magic of the block"),
        (6, 2, "rules version"),
        (8, block[8].wrapping_sub(1), "timestamp before the smallest"),
        (16, block[16] + 1, "sequence number"),
        (24, 2, "envelope count"),
        (28, 3, "record count"),
        (63, 1, "reserved bytes of the block"),
        (BODY + 6, 2, "flags of the envelope"),
        (BODY + 16, block[BODY + 16] ^ 1, "ledger id"),
        (records + 4, 2, "CONTs outside of the envelope"),
        (records + 112, 0, "nonce of zero"),
    ];
    let before = (ledger.kernel.state_digest(), ledger.kernel.status());
    for (at, byte, what) in spoilt {
        let mut bad = block.clone();
        bad[at] = byte;
        assert!(ledger.kernel.apply(&bad).is_err(), "{what}");
        assert_eq!(ledger.kernel.state_digest(), before.0, "{what}");
        assert_eq!(ledger.kernel.status(), before.1, "{what}");
    }
    for length in 0..block.len() {
        assert!(
            ledger.kernel.apply(&block[..length]).is_err(),
            "{length} bytes"
        );
    }
    assert_eq!(ledger.kernel.state_digest(), before.0);
    assert!(ledger.kernel.apply(&block).is_ok(), "the block itself fits");
}

#[test]
fn a_cont_without_head_is_refused_and_not_applied() {
    let mut ledger = Ledger::new();
    let alice = ledger.alice;
    let stray = record(kind::CONT, &[]);
    let envelope = ledger.envelope(&alice.key, &[stray]);
    assert!(ledger.try_apply(&[envelope]).is_err());
}

#[test]
fn envelopes_report_place_code_principal_and_leaf() {
    let mut ledger = Ledger::new();
    let (alice, bob) = (ledger.alice, ledger.bob);
    let pay = transfer(&alice.account, &bob.account, 1);
    let first = ledger.envelope(&alice.key, &[pay, pay]);
    let stranger = ledger.envelope(&[7; 32], &[pay]);
    let status = ledger.kernel.status();
    let applied = ledger.apply(&[first.clone(), stranger, first]);
    let seen: Vec<_> = applied
        .envelopes
        .iter()
        .map(|e| {
            (
                e.code,
                e.record_count,
                e.first_sequence,
                e.original_sequence,
                e.consumed,
            )
        })
        .collect();
    let s = status.next_sequence;
    assert_eq!(
        seen,
        [
            (Code::Ok, 2, s, 0, true),
            (Code::UnknownKey, 1, s + 2, 0, false),
            (Code::Duplicate, 2, s + 3, s, false),
        ]
    );
    assert_eq!(applied.envelopes[0].principal, alice.principal);
    assert_eq!(applied.envelopes[1].principal, [0; 16]);
    assert_eq!(applied.envelopes[2].timestamp_ns, applied.timestamp_ns + 3);
    assert_eq!(
        applied.envelopes[1].offset as usize,
        BODY + RECORDS_OFFSET + 256
    );
    assert_eq!(ledger.kernel.status().tree_size, status.tree_size + 3);
    assert!(!applied.plain);
}

#[test]
fn the_tree_is_that_over_all_leaves() {
    let mut ledger = Ledger::from_genesis(&crate::support::genesis_bytes());
    // Leaves before the test began are inside the frontier only: start from a ledger's first block.
    let mut hashes = Vec::new();
    let mut fresh = tallystick_core::kernel::Kernel::new(ledger.genesis.clone());
    std::mem::swap(&mut fresh, &mut ledger.kernel);
    let node = ledger.node;
    for count in [1, 3, 2, 7] {
        let envelopes: Vec<_> = (0..count)
            .map(|_| ledger.envelope(&node.key, &[tick()]))
            .collect();
        let applied = ledger.apply(&envelopes);
        hashes.extend(applied.envelopes.iter().map(|envelope| envelope.leaf_hash));
        let root = tree::root_of_hashes(hashes.clone());
        assert_eq!(ledger.kernel.status().tree_root, root);
    }
}
