//! A checkpoint is the kernel, and nothing else is a checkpoint.

use tallystick_core::format::{sha256, Code};
use tallystick_core::kernel::{checkpoint_info, Kernel};

use crate::ledger::*;
use crate::support::{public_key, signing_key, SECOND_NS};

/// A ledger with rows in every table, and holds in every status.
fn lively() -> Ledger {
    let mut ledger = Ledger::new();
    let (alice, bob) = (ledger.alice, ledger.bob);
    let holds: Vec<_> = (0..6_u8)
        .map(|n| ledger.hold(10 + u128::from(n), (2 + u64::from(n % 3)) * SECOND_NS))
        .collect();
    ledger.ok(&bob, release(&holds[0]));
    ledger.ok(&bob, last_capture(&holds[1], 4));
    ledger.ok(&bob, capture(&holds[2], 3));
    ledger.ok(&alice, name(3, b"a provider"));
    ledger.ok(&alice, unique(transfer(&alice.account, &bob.account, 1), 8));
    let second = public_key(&signing_key(40));
    ledger.ok(&alice, key(ADD, &second, &alice.principal, SPEND, 0));
    ledger.ok(&alice, key(REVOKE, &second, &alice.principal, 0, 0));
    let other = ledger.new_account(&bob, &ledger.usd.clone());
    ledger.ok(&bob, account(FREEZE, &other));
    let channels = [60, 70, 80].map(|deposit| ledger.channel(deposit, 20 * SECOND_NS));
    ledger.ok(&bob, ledger.voucher(&channels[0], 20));
    ledger.ok(&alice, channel_close(&channels[1]));
    ledger.ok(&bob, channel_close(&channels[2]));
    ledger.wait(3 * SECOND_NS);
    let node = ledger.node;
    assert_eq!(ledger.code(&node.key, tick()), Code::Ok);
    ledger.hold(5, 60 * SECOND_NS);
    crate::grants::populate(&mut ledger);
    ledger
}

fn rehash(mut checkpoint: Vec<u8>) -> Vec<u8> {
    let body = checkpoint.len() - 32;
    let hash = sha256(&checkpoint[..body]);
    checkpoint[body..].copy_from_slice(&hash);
    checkpoint
}

#[test]
fn a_restored_kernel_goes_on_as_the_one_that_was_written() {
    let mut ledger = lively();
    let bytes = ledger.kernel.checkpoint(77);
    let info = checkpoint_info(&bytes).expect("a checkpoint");
    assert_eq!(info.applied_index, 77);
    assert_eq!(info.next_sequence, ledger.kernel.status().next_sequence);
    let mut restored = Kernel::restore(ledger.genesis.clone(), &bytes).expect("a checkpoint");
    assert_eq!(restored.state_digest(), ledger.kernel.state_digest());
    assert_eq!(restored.status(), ledger.kernel.status());
    assert_eq!(restored.checkpoint(77), bytes);
    let (alice, bob, node) = (ledger.alice, ledger.bob, ledger.node);
    for step in 0..200_u64 {
        ledger.wait(step % 7 * SECOND_NS / 2);
        ledger.now_ns = ledger
            .now_ns
            .max(ledger.kernel.status().min_next_timestamp_ns);
        let expires = ledger.now_ns + (1 + step % 5) * SECOND_NS + 5;
        let envelopes = [
            ledger.envelope(
                &alice.key,
                &[
                    reserve(&alice.account, &bob.account, 1, expires),
                    unique(
                        transfer(&alice.account, &bob.account, 1),
                        step as u8 % 16 + 1,
                    ),
                ],
            ),
            ledger.envelope(&node.key, &[tick()]),
        ];
        let block = ledger.block(&envelopes);
        assert_eq!(ledger.kernel.apply(&block), restored.apply(&block));
    }
    assert_eq!(restored.checkpoint(0), ledger.kernel.checkpoint(0));
    assert_eq!(restored.verify_invariants(), Vec::<String>::new());
}

#[test]
fn a_torn_or_damaged_checkpoint_is_refused() {
    let ledger = lively();
    let bytes = ledger.kernel.checkpoint(1);
    let refused = |bytes: &[u8]| {
        checkpoint_info(bytes).is_err() && Kernel::restore(ledger.genesis.clone(), bytes).is_err()
    };
    assert!((0..bytes.len()).all(|length| refused(&bytes[..length])));
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(refused(&bad), "byte {at}");
    }
    let mut other = crate::support::genesis_bytes();
    other[8] ^= 1;
    let other = Ledger::from_genesis(&other).genesis;
    assert!(Kernel::restore(other, &bytes).is_err());
}

#[test]
fn hostile_rows_under_a_right_hash_never_panic_and_never_break_an_invariant() {
    let ledger = lively();
    let bytes = ledger.kernel.checkpoint(1);
    let (mut accepted, mut refused) = (0, 0);
    let mut restore = |bad: Vec<u8>| match Kernel::restore(ledger.genesis.clone(), &rehash(bad)) {
        Ok(kernel) => {
            accepted += 1;
            assert_eq!(kernel.verify_invariants(), Vec::<String>::new());
        }
        Err(_) => refused += 1,
    };
    for at in 0..bytes.len() - 32 {
        for byte in [0, 1, bytes[at] ^ 0x80, 0xFF] {
            let mut bad = bytes.clone();
            bad[at] = byte;
            restore(bad);
        }
    }
    for length in 32..bytes.len() {
        restore(bytes[..length].to_vec());
    }
    // Whole rows left out, doubled or swapped: every 8 bytes, by 8 to 144 bytes.
    for at in (0..bytes.len() - 200).step_by(8) {
        for length in [8, 24, 40, 64, 80, 88, 96, 120, 144, 168] {
            let (head, tail) = (&bytes[..at], &bytes[at + length..]);
            restore([head, tail].concat());
            restore([head, &bytes[at..at + length], &bytes[at..]].concat());
        }
    }
    assert!(refused > accepted, "{refused} refused, {accepted} accepted");
    assert!(accepted > 0, "bytes that no rule binds may have any value");
}
