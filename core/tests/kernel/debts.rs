//! Holds that charge on debt, and the claims that this leaves: each code, an undo, a restart.

use tallystick_core::format::{kind, Code, Id16, ZERO_ID};
use tallystick_core::kernel::Kernel;

use crate::ledger::*;
use crate::limits::limit;
use crate::prices::{heads, Scenario, Shop};
use crate::support::SECOND_NS;

const FINAL: u8 = 2;

fn pay(claim: &Id16, amount: u128, account: &Id16) -> Record {
    let amount = amount.to_le_bytes();
    record(
        kind::PAY_CLAIM,
        &[(6, &[1]), (8, claim), (24, &amount), (40, account)],
    )
}

fn waive(claim: &Id16) -> Record {
    record(kind::PAY_CLAIM, &[(6, &[2]), (8, claim)])
}

/// Alice owes Bob 29: she had all of her 100 on hold, and signed for 50 more.
fn claim(ledger: &mut Ledger) -> (Shop, Id16, Id16) {
    let shop = Shop::new(ledger);
    let card = shop.open(ledger);
    let hold = shop.hold_on_debt(ledger, &card, START_AMOUNT, 50);
    let bob = ledger.bob;
    let mut used = shop.used(&hold, (START_AMOUNT as u64 + 29) / 3);
    used[0][2] = FINAL;
    assert_eq!(ledger.codes(&bob.key, &used)[0], Code::Ok);
    (shop, card, hold)
}

pub const CODES: &[(Code, Scenario)] = &[
    (Code::ClaimNotFound, |l| {
        let alice = l.alice;
        l.codes(&alice.key, &[pay(&[9; 16], 1, &alice.account)])
    }),
    (Code::ClaimOpen, |l| {
        let (shop, card, _) = claim(l);
        let alice = l.alice;
        let records = shop.reserve_on_debt(l, &card, 1, 0);
        heads(l, &alice, &records)
    }),
    (Code::ClaimEnded, |l| {
        let (_, _, claim) = claim(l);
        let bob = l.bob;
        l.codes(&bob.key, &[waive(&claim), waive(&claim)])
    }),
    (Code::ClaimExceeds, |l| {
        let (_, _, claim) = claim(l);
        let alice = l.alice;
        l.codes(&alice.key, &[pay(&claim, 30, &alice.account)])
    }),
];

#[test]
fn a_restart_keeps_a_claim_and_it_is_paid_and_forgotten() {
    let mut ledger = Ledger::new();
    let (_, _, id) = claim(&mut ledger);
    let (alice, bob, bank, usd) = (ledger.alice, ledger.bob, ledger.bank, ledger.usd);
    assert_eq!(
        ledger.columns(&bob.account),
        [0, 0, 0, 2 * START_AMOUNT],
        "a claim is no balance"
    );
    let checkpoint = ledger.kernel.checkpoint(7);
    ledger.kernel = Kernel::restore(ledger.genesis.clone(), &checkpoint).expect("its own");
    let issued = issue(&usd, &alice.account, 29);
    assert_eq!(ledger.codes(&bank.key, &[issued]), [Code::Ok]);
    let payment = pay(&id, 29, &alice.account);
    let envelope = ledger.envelope(&alice.key, &[payment]);
    let applied = ledger.apply(&[envelope]);
    assert_eq!(codes(&applied), [Code::Ok]);
    assert_eq!(applied.effects[..2], [18, 0]);
    assert_eq!(applied.effects[88..104], id);
    assert_eq!(ledger.kernel.claim_row(id).map(|row| row[112]), Some(2));
    let listed = ledger.kernel.claim_rows(bob.principal, [0; 16], 9);
    assert_eq!(Some(listed), ledger.kernel.claim_row(id));
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
    ledger.wait(400 * 86_400 * SECOND_NS);
    let node = ledger.node;
    ledger.codes(&node.key, &[tick()]);
    assert_eq!(ledger.kernel.claim_row(id), None);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}

#[test]
fn an_undone_debt_and_an_undone_payment_leave_nothing() {
    let mut ledger = Ledger::new();
    let shop = Shop::new(&mut ledger);
    let card = shop.open(&mut ledger);
    let hold = shop.hold_on_debt(&mut ledger, &card, START_AMOUNT, 50);
    let bob = ledger.bob;
    let before = ledger.lasting_rows();
    let used = shop.used(&hold, (START_AMOUNT as u64 + 20) / 3);
    let records = [used, vec![release(&[9; 16])]].concat();
    let mut envelope = ledger.envelope(&bob.key, &records);
    envelope.atomic = true;
    assert_eq!(codes(&ledger.apply(&[envelope]))[2], Code::HoldNotFound);
    assert_eq!(ledger.lasting_rows(), before);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
    let used = shop.used(&hold, (START_AMOUNT as u64 + 20) / 3);
    assert_eq!(ledger.codes(&bob.key, &used)[0], Code::Ok);
    let before = ledger.lasting_rows();
    let records = [waive(&hold), release(&[9; 16])];
    let mut envelope = ledger.envelope(&bob.key, &records);
    envelope.atomic = true;
    let given = codes(&ledger.apply(&[envelope]));
    assert_eq!(given, [Code::AtomicAborted, Code::HoldNotFound]);
    assert_eq!(ledger.lasting_rows(), before);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}

/// What Alice's one limit has counted.
fn counted(ledger: &Ledger) -> u128 {
    let row = ledger.kernel.limit_rows(ledger.alice.principal);
    u128::from_le_bytes(row[88..104].try_into().expect("16 bytes"))
}

#[test]
fn a_limit_counts_a_debt_until_its_grace_is_over_and_over_a_restart() {
    let mut ledger = Ledger::new();
    let shop = Shop::new(&mut ledger);
    let card = shop.open(&mut ledger);
    let (alice, bob, node) = (ledger.alice, ledger.bob, ledger.node);
    let subject = [alice.principal, ZERO_ID].concat();
    let total = limit(3, 3, &subject, &ledger.usd, &ZERO_ID, 200);
    ledger.ok(&alice, total);
    let late = shop.hold_on_debt(&mut ledger, &card, 30, 40);
    shop.hold_on_debt(&mut ledger, &card, 60, 50);
    assert_eq!(counted(&ledger), 180);
    ledger.wait(51 * SECOND_NS);
    assert_eq!(ledger.codes(&node.key, &[tick()]), [Code::Ok]);
    let mut used = shop.used(&late, 13);
    used[0][2] = FINAL;
    assert_eq!(ledger.codes(&bob.key, &used)[0], Code::Ok);
    assert_eq!(counted(&ledger), 180);
    let checkpoint = ledger.kernel.checkpoint(7);
    ledger.kernel = Kernel::restore(ledger.genesis.clone(), &checkpoint).expect("its own");
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
    assert_eq!(counted(&ledger), 180);
    ledger.wait(ledger.genesis.hold_retention_ns.min(600 * SECOND_NS));
    assert_eq!(ledger.codes(&node.key, &[tick()]), [Code::Ok]);
    assert_eq!(counted(&ledger), 39);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}
