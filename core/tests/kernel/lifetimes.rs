//! Holds, sweeps, windows and atomic envelopes: what comes back, and when.

use tallystick_core::format::{u128_at, u16_at, u32_at, Code};

use crate::ledger::*;
use crate::support::{genesis_bytes, public_key, signing_key, LIFETIME_NS, SECOND_NS};

/// Bound of sweeps and prunes in one block.
const BLOCK_BOUND: usize = 10_000;

/// Cause, record index and amount of each effect.
fn effects(bytes: &[u8]) -> Vec<(u16, u32, u128)> {
    let rows = bytes.chunks_exact(128);
    rows.map(|row| (u16_at(row, 0), u32_at(row, 4), u128_at(row, 40)))
        .collect()
}

#[test]
fn a_hold_pays_cumulatively_and_frees_its_rest() {
    let mut ledger = Ledger::new();
    let (alice, bob) = (ledger.alice, ledger.bob);
    let hold = ledger.hold(100, 60 * SECOND_NS);
    assert_eq!(ledger.columns(&alice.account), [100, 0, 0, START_AMOUNT]);
    let records = [
        capture(&hold, 30),
        capture(&hold, 30),
        last_capture(&hold, 70),
    ];
    let envelope = ledger.envelope(&bob.key, &records);
    let applied = ledger.apply(&[envelope]);
    assert_eq!(codes(&applied), [Code::Ok; 3]);
    assert_eq!(
        effects(&applied.effects),
        [(1, 0, 30), (1, 2, 40), (2, 2, 30)]
    );
    assert_eq!(ledger.columns(&alice.account), [0, 70, 0, START_AMOUNT]);
    assert_eq!(ledger.columns(&bob.account), [0, 0, 0, START_AMOUNT + 70]);
    // The last capture again is a replay, any other amount is not.
    assert_eq!(ledger.code(&bob.key, last_capture(&hold, 70)), Code::Ok);
    assert_eq!(
        ledger.code(&bob.key, last_capture(&hold, 71)),
        Code::HoldEnded
    );
}

#[test]
fn an_expired_hold_is_swept_before_the_record_that_needs_its_money() {
    let mut ledger = Ledger::new();
    let (alice, bob) = (ledger.alice, ledger.bob);
    ledger.hold(START_AMOUNT, 2 * SECOND_NS);
    let all = transfer(&alice.account, &bob.account, START_AMOUNT);
    assert_eq!(ledger.code(&alice.key, all), Code::FundsHeld);
    ledger.wait(2 * SECOND_NS);
    let envelope = ledger.envelope(&alice.key, &[all]);
    let applied = ledger.apply(&[envelope]);
    assert_eq!(codes(&applied), [Code::Ok]);
    assert_eq!(effects(&applied.effects), [(3, 0, START_AMOUNT)]);
    assert!(!applied.plain);
}

#[test]
fn sweeps_and_prunes_of_one_block_are_bounded() {
    let mut bytes = genesis_bytes();
    bytes[140..144].copy_from_slice(&20_000_u32.to_le_bytes());
    bytes[160..168].copy_from_slice(&SECOND_NS.to_le_bytes());
    let mut ledger = Ledger::from_genesis(&bytes);
    let (alice, bob, bank, node) = (ledger.alice, ledger.bob, ledger.bank, ledger.node);
    ledger.ok(&bank, issue(&ledger.usd, &alice.account, 1_000_000));
    let total = BLOCK_BOUND + 5;
    let expires = ledger.now_ns + 10 * SECOND_NS;
    let hold = reserve(&alice.account, &bob.account, 1, expires);
    for count in [total / 2, total - total / 2] {
        let codes = ledger.codes(&alice.key, &vec![hold; count]);
        assert!(codes.iter().all(|&code| code == Code::Ok));
    }
    ledger.wait(20 * SECOND_NS);
    let mut swept = Vec::new();
    for _ in 0..3 {
        let tick = ledger.envelope(&node.key, &[tick(), tick()]);
        swept.push(ledger.apply(&[tick]).effects.len() / 128);
        assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
    }
    assert_eq!(swept, [BLOCK_BOUND, 5, 0]);
    assert_eq!(ledger.kernel.status().holds, total);
    ledger.wait(2 * SECOND_NS);
    assert_eq!(ledger.code(&node.key, tick()), Code::Ok);
    assert_eq!(ledger.kernel.status().holds, 5);
}

#[test]
fn ids_and_references_are_forgotten_after_their_windows() {
    let mut ledger = Ledger::new();
    let (alice, node) = (ledger.alice, ledger.node);
    let pay = unique(transfer(&alice.account, &ledger.bob.account, 1), 5);
    assert_eq!(ledger.code(&alice.key, pay), Code::Ok);
    assert_eq!(ledger.code(&alice.key, pay), Code::ReferenceUsed);
    ledger.wait(LIFETIME_NS + 6 * SECOND_NS);
    assert_eq!(ledger.code(&node.key, tick()), Code::Ok);
    assert_eq!(ledger.kernel.status().live_ids, 1);
    ledger.wait(86_400 * SECOND_NS);
    assert_eq!(ledger.code(&alice.key, pay), Code::Ok);
    assert_eq!(ledger.kernel.status().references, 1);
}

#[test]
fn an_atomic_envelope_that_fails_leaves_nothing_but_its_id() {
    let mut ledger = Ledger::new();
    let (alice, bob, operator) = (ledger.alice, ledger.bob, ledger.operator);
    let hold = ledger.hold(100, 60 * SECOND_NS);
    let own = ledger.new_account(&bob, &ledger.usd.clone());
    let before = ledger.lasting_rows();
    let expires = ledger.now_ns + 60 * SECOND_NS;
    let fails = transfer(&bob.account, &alice.account, u128::MAX);
    let records = [
        capture(&hold, 40),
        unique(transfer(&bob.account, &alice.account, 1_040), 3),
        reserve(&own, &alice.account, 1, expires),
        last_capture(&hold, 50),
        key(ADD, &public_key(&signing_key(30)), &bob.principal, SPEND, 0),
        name(1, b"taken back"),
        account(OPEN, &ledger.usd),
        account(FREEZE, &own),
        key(
            ROTATE,
            &public_key(&signing_key(31)),
            &bob.principal,
            0,
            expires,
        ),
        fails,
    ];
    let mut envelope = ledger.envelope(&bob.key, &records);
    envelope.atomic = true;
    let applied = ledger.apply(&[envelope]);
    // The third record fails: the account has nothing to hold.
    let codes_of = codes(&applied);
    assert_eq!(codes_of[2], Code::InsufficientFunds);
    assert!(
        codes_of
            .iter()
            .filter(|&&code| code == Code::AtomicAborted)
            .count()
            == 9
    );
    assert_eq!(
        u32_at(&applied.results, 4),
        2,
        "detail is the failing index"
    );
    assert!(applied.effects.is_empty());
    assert_eq!(ledger.lasting_rows(), before);
    // Without that one, it is the last that fails, after one of everything.
    let mut rest = records.to_vec();
    rest.remove(2);
    let codes_of = ledger.atomic_codes(&bob.key, &rest);
    assert_eq!(codes_of[8], Code::InsufficientFunds);
    assert_eq!(ledger.lasting_rows(), before);
    let units = [unit(&bob.principal, b"ONE"), unit(&bob.principal, b"ONE")];
    let codes_of = ledger.atomic_codes(&operator.key, &units);
    assert_eq!(codes_of, [Code::AtomicAborted, Code::UnitExists]);
    assert_eq!(ledger.lasting_rows(), before);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
    // All of it is still possible.
    rest.pop();
    assert_eq!(ledger.atomic_codes(&bob.key, &rest), [Code::Ok; 8]);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}
