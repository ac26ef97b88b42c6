//! Limits, zones and keys under keys: each of their codes, an undo, a restart.

use tallystick_core::format::{kind, sha256, Code, Id16, Key32, ZERO_ID};
use tallystick_core::kernel::Kernel;

use crate::ledger::*;
use crate::support::{public_key, signing_key, SECOND_NS};

const OF_KEY: u8 = 1;
const OF_PRINCIPAL: u8 = 3;
const DAY: u8 = 1;
const TOTAL: u8 = 3;
const DAY_NS: u64 = 86_400 * SECOND_NS;

pub fn limit(of: u8, window: u8, subject: &[u8], unit: &Id16, zone: &Id16, amount: u8) -> Record {
    record(
        kind::LIMIT,
        &[
            (6, &[of, window]),
            (8, unit),
            (24, zone),
            (40, &[amount]),
            (72, &[1]),
            (80, subject),
        ],
    )
}

fn zone(version: u8, from_ns: u64, horizon_ns: u64) -> Record {
    let (from_ns, horizon_ns) = (from_ns.to_le_bytes(), horizon_ns.to_le_bytes());
    let offset = 86_400_u32.to_le_bytes();
    record(
        kind::ZONE,
        &[
            (8, b"Z"),
            (40, &from_ns),
            (48, &horizon_ns),
            (56, &[version]),
            (60, &offset),
        ],
    )
}

fn delegate(key: &Key32, parent: &Key32) -> Record {
    record(kind::DELEGATE, &[(8, key), (40, parent)])
}

/// A SPEND key of Alice's.
fn agent(ledger: &mut Ledger, number: u64) -> Key32 {
    let (alice, key_) = (ledger.alice, public_key(&signing_key(number)));
    ledger.ok(&alice, key(ADD, &key_, &alice.principal, SPEND, 0));
    key_
}

/// Alice, her unit and a payment to Bob.
fn pay(ledger: &Ledger, amount: u128) -> Record {
    transfer(&ledger.alice.account, &ledger.bob.account, amount)
}

fn zone_id(ledger: &Ledger) -> Id16 {
    let mut name = [0; 32];
    name[0] = b'Z';
    let ledger_id = &ledger.kernel.genesis().ledger_id;
    let bytes = [b"tallystick/zone/v1\0", &ledger_id[..], &name[..]].concat();
    let mut id = [0; 16];
    id.copy_from_slice(&sha256(&bytes)[..16]);
    id
}

/// A scenario on a fresh ledger; the last of the codes is the one expected.
type Scenario = fn(&mut Ledger) -> Vec<Code>;

pub const CODES: &[(Code, Scenario)] = &[
    (Code::LimitExceeded, |l| {
        let (alice, usd) = (l.alice, l.usd);
        let bound = limit(OF_PRINCIPAL, TOTAL, &alice.principal, &usd, &ZERO_ID, 9);
        l.codes(&alice.key, &[bound, pay(l, 10)])
    }),
    (Code::LimitWidened, |l| {
        let (alice, usd, key) = (l.alice, l.usd, agent(l, 20));
        l.ok(&alice, limit(OF_KEY, TOTAL, &key, &usd, &ZERO_ID, 9));
        vec![l.code(&key, limit(OF_KEY, TOTAL, &key, &usd, &ZERO_ID, 10))]
    }),
    (Code::DelegationInvalid, |l| {
        let (alice, first, second) = (l.alice, agent(l, 20), agent(l, 21));
        l.codes(
            &alice.key,
            &[delegate(&first, &second), delegate(&second, &first)],
        )
    }),
    (Code::ZoneNotFound, |l| {
        let (alice, usd) = (l.alice, l.usd);
        let bound = limit(OF_PRINCIPAL, DAY, &alice.principal, &usd, &[9; 16], 9);
        vec![l.code(&alice.key, bound)]
    }),
    (Code::ZoneState, |l| {
        let operator = l.operator;
        vec![l.code(&operator.key, zone(2, 1, 2))]
    }),
    (Code::ZoneHorizon, |l| {
        let (alice, usd, operator) = (l.alice, l.usd, l.operator);
        let horizon = l.now_ns + 2 * DAY_NS;
        l.ok(&operator, zone(1, 1, horizon));
        let id = zone_id(l);
        l.ok(
            &alice,
            limit(OF_PRINCIPAL, DAY, &alice.principal, &usd, &id, 9),
        );
        l.wait(2 * DAY_NS);
        vec![l.code(&alice.key, pay(l, 1))]
    }),
];

#[test]
fn limits_come_back_from_a_checkpoint_and_from_an_undo() {
    let mut ledger = Ledger::new();
    let (alice, bob, usd, operator) = (ledger.alice, ledger.bob, ledger.usd, ledger.operator);
    let (key, child) = (agent(&mut ledger, 20), agent(&mut ledger, 21));
    let horizon = ledger.now_ns + 9 * DAY_NS;
    ledger.ok(&operator, zone(1, 1, horizon));
    let id = zone_id(&ledger);
    ledger.ok(&alice, delegate(&child, &key));
    ledger.ok(&alice, limit(OF_KEY, DAY, &key, &usd, &id, 100));
    let until = ledger.now_ns + 60 * SECOND_NS;
    let hold = reserve(&alice.account, &bob.account, 60, until);
    assert_eq!(ledger.code(&child, hold), Code::Ok);
    let before = ledger.kernel.state_rows();
    let undone = [pay(&ledger, 40), pay(&ledger, 1)];
    let codes = ledger.atomic_codes(&child, &undone);
    assert_eq!(codes, [Code::AtomicAborted, Code::LimitExceeded]);
    // Only the id is consumed: the rows of limit, line, mark and zone are what they were.
    let own = 4 * 8 + 120 + 96 + 96 + 848;
    let tail = |rows: &[u8]| rows[rows.len() - own..].to_vec();
    assert!(tail(&ledger.kernel.state_rows()) == tail(&before));
    assert_eq!(ledger.kernel.limit_rows(alice.principal).len(), 120);
    assert_eq!(ledger.kernel.zone_row(id).map(|row| row.len()), Some(848));
    assert_eq!(ledger.kernel.line_row(child).map(|row| row.len()), Some(96));
    let genesis = ledger.kernel.genesis().clone();
    let restored = Kernel::restore(genesis, &ledger.kernel.checkpoint(1)).expect("our own");
    assert_eq!(restored.state_rows(), ledger.kernel.state_rows());
    ledger.kernel = restored;
    assert_eq!(
        ledger.codes(&child, &[pay(&ledger, 40), pay(&ledger, 1)]),
        [Code::Ok, Code::LimitExceeded]
    );
    let kill = record(kind::KILL, &[(8, &key)]);
    ledger.ok(&alice, kill);
    assert_eq!(ledger.code(&child, pay(&ledger, 1)), Code::KeyRevoked);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}
