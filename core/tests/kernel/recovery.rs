//! Recovery of a lost key: its codes, an undo, a restart, and the moment at which it takes effect.

use tallystick_core::format::{kind, Code, Key32};
use tallystick_core::kernel::Kernel;

use crate::ledger::*;
use crate::support::{public_key, signing_key, SECOND_NS};

const RECOVERY: u8 = 9;
const DELAY_NS: u64 = 72 * 3_600 * SECOND_NS;

fn veto(key: &Key32) -> Record {
    record(kind::VETO, &[(8, key)])
}

fn recover(ledger: &Ledger, key: &Key32) -> Record {
    let delay = DELAY_NS.to_le_bytes();
    let principal = ledger.alice.principal;
    record(kind::RECOVER, &[(8, key), (104, &principal), (120, &delay)])
}

/// A RECOVERY key of Alice's, and the key that it is to announce.
fn keys(ledger: &mut Ledger) -> (Key32, Key32) {
    let alice = ledger.alice;
    let [vault, heir] = [30, 31].map(|number| public_key(&signing_key(number)));
    ledger.ok(&alice, key(ADD, &vault, &alice.principal, RECOVERY, 0));
    (vault, heir)
}

/// A scenario on a fresh ledger; the last of the codes is the one expected.
type Scenario = fn(&mut Ledger) -> Vec<Code>;

pub const CODES: &[(Code, Scenario)] = &[
    (Code::RecoveryPending, |l| {
        let (vault, heir) = keys(l);
        let other = public_key(&signing_key(32));
        l.codes(&vault, &[recover(l, &heir), recover(l, &other)])
    }),
    (Code::RecoveryNotFound, |l| {
        let (alice, (_, heir)) = (l.alice, keys(l));
        vec![l.code(&alice.key, veto(&heir))]
    }),
];

#[test]
fn a_recovery_comes_back_from_an_undo_and_a_checkpoint_and_takes_effect() {
    let mut ledger = Ledger::new();
    let alice = ledger.alice;
    let (vault, heir) = keys(&mut ledger);
    let begins = recover(&ledger, &heir);
    let codes = ledger.atomic_codes(&vault, &[begins, begins]);
    assert_eq!(codes, [Code::AtomicAborted, Code::KeyExists]);
    assert_eq!(ledger.kernel.recovery_row(alice.principal), None);
    assert_eq!(ledger.code(&vault, begins), Code::Ok);
    let row = ledger.kernel.recovery_row(alice.principal);
    let codes = ledger.atomic_codes(&alice.key, &[veto(&heir), veto(&heir)]);
    assert_eq!(codes, [Code::AtomicAborted, Code::RecoveryNotFound]);
    assert_eq!(ledger.kernel.recovery_row(alice.principal), row);
    assert_eq!(row.map(|row| row.len()), Some(96));
    let genesis = ledger.kernel.genesis().clone();
    let restored = Kernel::restore(genesis, &ledger.kernel.checkpoint(1)).expect("our own");
    assert_eq!(restored.state_rows(), ledger.kernel.state_rows());
    ledger.kernel = restored;
    ledger.wait(DELAY_NS);
    assert_eq!(ledger.code(&alice.key, tick()), Code::KeyRevoked);
    assert_eq!(ledger.kernel.recovery_row(alice.principal), None);
    assert_eq!(ledger.code(&heir, name(1, b"in force")), Code::Ok);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}
