//! Grants: each of their codes, shares that are paid and freed, an undo, a restart, forgetting.

use tallystick_core::format::{kind, Code, Id16, ZERO_ID};
use tallystick_core::kernel::Kernel;

use crate::ledger::*;
use crate::prices::{heads, with_conts, Scenario};
use crate::support::SECOND_NS;

const STATE: u8 = 1;
const END: u8 = 2;
const GRANT_ROW_BYTES: usize = 200;
const DAY_NS: u64 = 86_400 * SECOND_NS;

/// A ledger's every kind of row of grants: a list, a live grant with shares, one that is over.
pub fn populate(ledger: &mut Ledger) {
    let (pool, _) = granted(ledger, 100, 400_000);
    let (bank, alice, bob) = (ledger.bank, ledger.alice, ledger.bob);
    let head = record(kind::LIST, &[(6, &[1])]);
    let id = ledger.envelope_id();
    let mut envelope = ledger.envelope(&bank.key, &with_conts(head, &bob.principal, 1));
    envelope.id = id;
    ledger.apply(&[envelope]);
    let list = ledger.derived(&bank.principal, &id, 0);
    let lists = [list, ZERO_ID, ZERO_ID, bank.principal, [9; 16]];
    let records = terms(ledger, &pool, 50, 300_000, lists);
    assert_eq!(ledger.codes(&bank.key, &records), [Code::Ok; 2]);
    let expires = ledger.now_ns + 50 * SECOND_NS;
    ledger.ok(&alice, reserve(&alice.account, &bob.account, 100, expires));
    let over = grant(ledger, &pool, 7, 1);
    let id = ledger.envelope_id();
    let mut envelope = ledger.envelope(&bank.key, &over);
    envelope.id = id;
    ledger.apply(&[envelope]);
    let over = ledger.derived(&bank.principal, &id, 0);
    ledger.ok(&bank, claw_back(&over));
    let operator = ledger.operator.principal;
    ledger.ok(&bank, relation(&alice.principal, &operator, STATE));
}

/// Of the bank's pool to Alice: amount, ratio in parts per million.
fn grant(ledger: &Ledger, pool: &Id16, amount: u128, ratio: u32) -> Vec<Record> {
    terms(ledger, pool, amount, ratio, [ZERO_ID; 5])
}

/// `lists`: providers, models, regions, registrar, exclusivity key.
fn terms(ledger: &Ledger, pool: &Id16, amount: u128, ratio: u32, lists: [Id16; 5]) -> Vec<Record> {
    let until = (ledger.now_ns + 60 * SECOND_NS).to_le_bytes();
    let head = record(
        kind::GRANT,
        &[
            (8, pool),
            (24, &ledger.alice.principal),
            (40, &amount.to_le_bytes()),
            (72, &until),
        ],
    );
    let ratio = ratio.to_le_bytes();
    let content = [lists.as_flattened(), &[0; 16], &ratio];
    with_conts(head, &content.concat(), 1)
}

fn claw_back(grant: &Id16) -> Record {
    record(kind::CLAW_BACK, &[(8, grant)])
}

fn relation(first: &Id16, second: &Id16, operation: u8) -> Record {
    let (first, second) = (first.min(second), first.max(second));
    record(
        kind::RELATION,
        &[(6, &[operation]), (8, first), (24, second)],
    )
}

/// A pool of the bank's with 1,000 in it.
fn pool(ledger: &mut Ledger) -> Id16 {
    let (bank, usd) = (ledger.bank, ledger.usd);
    let pool = ledger.new_account(&bank, &usd);
    ledger.ok(&bank, issue(&usd, &pool, 1_000));
    pool
}

/// A grant of the bank's to Alice; the pool and the grant.
fn granted(ledger: &mut Ledger, amount: u128, ratio: u32) -> (Id16, Id16) {
    let (bank, pool) = (ledger.bank, pool(ledger));
    let id = ledger.envelope_id();
    let records = grant(ledger, &pool, amount, ratio);
    let mut envelope = ledger.envelope(&bank.key, &records);
    envelope.id = id;
    assert_eq!(codes(&ledger.apply(&[envelope])), [Code::Ok; 2]);
    let made = ledger.derived(&bank.principal, &id, 0);
    (pool, made)
}

pub const CODES: &[(Code, Scenario)] = &[
    (Code::GrantAccount, |l| {
        let (_, made) = granted(l, 100, 1_000_000);
        let (bank, bob) = (l.bank, l.bob);
        heads(l, &bank, &[transfer(&made, &bob.account, 1)])
    }),
    (Code::GrantNotFound, |l| {
        let (_, made) = granted(l, 100, 1_000_000);
        let bob = l.bob;
        heads(l, &bob, &[claw_back(&made)])
    }),
    (Code::NotSponsor, |l| {
        let (_, made) = granted(l, 100, 1_000_000);
        let alice = l.alice;
        heads(l, &alice, &[claw_back(&made)])
    }),
    (Code::GrantEnded, |l| {
        let (_, made) = granted(l, 100, 1_000_000);
        let bank = l.bank;
        heads(l, &bank, &[claw_back(&made), claw_back(&made)])
    }),
    (Code::ListNotFound, |l| {
        let (bank, pool) = (l.bank, pool(l));
        let lists = [[5; 16], ZERO_ID, ZERO_ID, ZERO_ID, ZERO_ID];
        let records = terms(l, &pool, 1, 1_000_000, lists);
        heads(l, &bank, &records)
    }),
    (Code::DoubleSubsidy, |l| {
        let (bank, pool) = (l.bank, pool(l));
        let lists = [ZERO_ID, ZERO_ID, ZERO_ID, ZERO_ID, [5; 16]];
        let records = terms(l, &pool, 1, 1_000_000, lists);
        heads(l, &bank, &[records.clone(), records].concat())
    }),
    (Code::SelfDeclared, |l| {
        let (alice, bob) = (l.alice, l.bob);
        let record = relation(&alice.principal, &bob.principal, STATE);
        heads(l, &alice, &[record])
    }),
    (Code::RelationExists, |l| {
        let (bank, alice, bob) = (l.bank, l.alice, l.bob);
        let record = relation(&alice.principal, &bob.principal, STATE);
        heads(l, &bank, &[record, record])
    }),
    (Code::RelationNotFound, |l| {
        let (bank, alice, bob) = (l.bank, l.alice, l.bob);
        let record = relation(&alice.principal, &bob.principal, END);
        heads(l, &bank, &[record])
    }),
];

fn settled_at(ledger: &Ledger, grant: &Id16) -> Option<u64> {
    let row = ledger.kernel.grant_row(*grant)?;
    assert_eq!(row.len(), GRANT_ROW_BYTES);
    let bytes = row[184..192].try_into().ok()?;
    Some(u64::from_le_bytes(bytes))
}

#[test]
fn shares_are_paid_freed_and_forgotten() {
    let mut ledger = Ledger::new();
    let (pool, made) = granted(&mut ledger, 100, 400_000);
    let (alice, bob, bank) = (ledger.alice, ledger.bob, ledger.bank);
    let expires = ledger.now_ns + 50 * SECOND_NS;
    let hold = ledger.make(&alice, |_| {
        reserve(&alice.account, &bob.account, 100, expires)
    });
    assert!(ledger.kernel.shares_row(hold).is_some());
    ledger.ok(&bob, capture(&hold, 33));
    let checkpoint = ledger.kernel.checkpoint(7);
    let genesis = ledger.kernel.genesis().clone();
    let restored = Kernel::restore(genesis, &checkpoint);
    let restored = restored.expect("its own checkpoint");
    assert_eq!(restored.state_digest(), ledger.kernel.state_digest());
    ledger.kernel = restored;

    let before = ledger.lasting_rows();
    let aborted = [capture(&hold, 50), transfer(&bob.account, &bob.account, 1)];
    ledger.atomic_codes(&bob.key, &aborted);
    let fails = transfer(&pool, &pool, 1);
    ledger.atomic_codes(&bank.key, &[claw_back(&made), fails]);
    assert_eq!(ledger.lasting_rows(), before);

    ledger.ok(&bank, claw_back(&made));
    assert_eq!(settled_at(&ledger, &made), Some(0));
    ledger.ok(&bob, record(kind::RELEASE, &[(8, &hold)]));
    assert_eq!(
        settled_at(&ledger, &made),
        Some(ledger.kernel.status().min_next_timestamp_ns - 1)
    );
    let spent = 1_000 - 13;
    assert_eq!(available(&ledger, &pool), spent);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
    ledger.wait(91 * DAY_NS);
    ledger.codes(&bob.key, &[record(kind::TICK, &[])]);
    assert_eq!(settled_at(&ledger, &made), None);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}

fn available(ledger: &Ledger, account: &Id16) -> u128 {
    let row = ledger.kernel.account_rows(account);
    let column = |at: usize| u128::from_le_bytes(row[at..at + 16].try_into().unwrap_or_default());
    column(120) - column(88) - column(72)
}

#[test]
fn both_parties_find_a_grant() {
    let mut ledger = Ledger::new();
    let (_, made) = granted(&mut ledger, 100, 400_000);
    for (party, bytes) in [
        (ledger.bank, GRANT_ROW_BYTES + 136),
        (ledger.alice, GRANT_ROW_BYTES + 136),
        (ledger.bob, 0),
    ] {
        let rows = ledger.kernel.grant_rows(party.principal, ZERO_ID, 10);
        assert_eq!(rows.len(), bytes);
        assert!(rows.is_empty() || rows[..16] == made);
        let behind = ledger.kernel.grant_rows(party.principal, made, 10);
        assert!(behind.is_empty());
    }
}
