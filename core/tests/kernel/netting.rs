//! Deferred units: debts are pinned, settled, rolled over; and the codes of their records.

use sha2::{Digest, Sha256};
use tallystick_core::format::limits::POSITIONS_PREFIX;
use tallystick_core::format::{kind, Code, Id16};
use tallystick_core::kernel::Kernel;

use crate::ledger::*;

const DEFERRED: u16 = 16;

pub fn deferred_unit(ledger: &Ledger, symbol: &[u8]) -> Record {
    let fields: [(usize, &[u8]); 3] =
        [(8, &ledger.bank.principal), (24, symbol), (40, &ledger.usd)];
    flagged(record(kind::UNIT, &fields), DEFERRED)
}

pub fn join(account: &Id16, settlement: &Id16, maximum: u128) -> Record {
    let maximum = maximum.to_le_bytes();
    record(
        kind::JOIN,
        &[(8, account), (24, settlement), (40, &maximum)],
    )
}

pub fn window_close(unit: &Id16, window: u64) -> Record {
    record(
        kind::WINDOW_CLOSE,
        &[(8, unit), (24, &window.to_le_bytes())],
    )
}

pub fn fail(unit: &Id16, window: u64, account: &Id16) -> Record {
    let window = window.to_le_bytes();
    record(kind::FAIL, &[(8, unit), (24, &window), (40, account)])
}

/// Alice owes Bob 50 in a unit that the bank nets; both may owe 100 and settle in USD.
pub struct Ring {
    pub unit: Id16,
    pub alice: Id16,
    pub bob: Id16,
}

impl Ring {
    pub fn new(ledger: &mut Ledger) -> Self {
        let operator = ledger.operator;
        let unit = deferred_unit(ledger, b"IOU");
        let unit = ledger.make(&operator, |_| unit);
        let [alice, bob] = [ledger.alice, ledger.bob].map(|person| {
            let account = ledger.new_account(&person, &unit);
            ledger.ok(&person, join(&account, &person.account, 100));
            account
        });
        let person = ledger.alice;
        ledger.ok(&person, transfer(&alice, &bob, 50));
        Self { unit, alice, bob }
    }

    pub fn close(&self, ledger: &mut Ledger, window: u64) -> Code {
        let bank = ledger.bank.key;
        ledger.code(&bank, window_close(&self.unit, window))
    }

    /// A SETTLE of the positions that there are, but for `twist`.
    pub fn settle(&self, ledger: &Ledger, window: u64, twist: u8) -> Record {
        let view = ledger.kernel.netting_view(self.unit, None, None);
        let view = view.expect("a deferred unit");
        let hash = Sha256::new()
            .chain_update(POSITIONS_PREFIX)
            .chain_update(ledger.genesis.ledger_id)
            .chain_update(self.unit)
            .chain_update(window.to_le_bytes())
            .chain_update(&view.closed)
            .finalize();
        let settle = record(
            kind::SETTLE,
            &[(8, &self.unit), (24, &window.to_le_bytes()), (40, &hash)],
        );
        with(settle, 40, settle[40] ^ twist)
    }

    /// Alice has no money any more.
    fn spend(ledger: &mut Ledger) {
        let (alice, bob) = (ledger.alice, ledger.bob);
        ledger.ok(&alice, transfer(&alice.account, &bob.account, START_AMOUNT));
    }
}

fn as_bank(ledger: &mut Ledger, record: Record) -> Vec<Code> {
    let key = ledger.bank.key;
    ledger.codes(&key, &[record])
}

fn as_alice(ledger: &mut Ledger, record: Record) -> Vec<Code> {
    let key = ledger.alice.key;
    ledger.codes(&key, &[record])
}

type Scenario = fn(&mut Ledger) -> Vec<Code>;

pub const CODES: &[(Code, Scenario)] = &[
    (Code::UnitDeferred, |l| {
        let ring = Ring::new(l);
        as_bank(l, issue(&ring.unit, &ring.alice, 1))
    }),
    (Code::UnitNotDeferred, |l| {
        as_bank(l, window_close(&l.usd.clone(), 1))
    }),
    (Code::NotAMember, |l| {
        let ring = Ring::new(l);
        let bob = l.bob;
        let outsider = l.new_account(&bob, &ring.unit);
        as_alice(l, transfer(&ring.alice, &outsider, 1))
    }),
    (Code::WindowState, |l| vec![Ring::new(l).close(l, 2)]),
    (Code::PositionsMismatch, |l| {
        let ring = Ring::new(l);
        ring.close(l, 1);
        as_bank(l, ring.settle(l, 1, 1))
    }),
    (Code::MemberCanPay, |l| {
        let ring = Ring::new(l);
        ring.close(l, 1);
        as_bank(l, fail(&ring.unit, 1, &ring.alice))
    }),
    (Code::MemberFailed, |l| {
        let ring = Ring::new(l);
        ring.close(l, 1);
        Ring::spend(l);
        assert_eq!(as_bank(l, fail(&ring.unit, 1, &ring.alice)), [Code::Ok]);
        as_alice(l, join(&ring.alice, &l.alice.account.clone(), 100))
    }),
    (Code::SettlementTaken, |l| {
        let ring = Ring::new(l);
        let alice = l.alice;
        let second = l.new_account(&alice, &ring.unit);
        as_alice(l, join(&second, &alice.account, 1))
    }),
];

fn sound(ledger: &Ledger) {
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}

#[test]
fn a_restart_keeps_open_closed_and_settled_windows() {
    let mut ledger = Ledger::new();
    let ring = Ring::new(&mut ledger);
    for window in 1..3 {
        assert_eq!(ring.close(&mut ledger, window), Code::Ok);
        let restored = Kernel::restore(ledger.genesis.clone(), &ledger.kernel.checkpoint(7));
        ledger.kernel = restored.expect("its own");
        sound(&ledger);
        let settle = ring.settle(&ledger, window, 0);
        assert_eq!(as_bank(&mut ledger, settle), [Code::Ok]);
        assert_eq!(
            ring.settle(&ledger, window, 0),
            settle_of_nothing(&ring, &ledger, window)
        );
        let alice = ledger.alice;
        ledger.ok(&alice, transfer(&ring.alice, &ring.bob, 40));
        sound(&ledger);
    }
    let paid = ledger.columns(&ledger.bob.account.clone());
    assert_eq!(paid[3] - paid[1], START_AMOUNT + 50 + 40);
}

/// Without a closed window there is nothing to hash.
fn settle_of_nothing(ring: &Ring, ledger: &Ledger, window: u64) -> Record {
    let view = ledger.kernel.netting_view(ring.unit, None, None);
    assert!(view.is_some_and(|view| view.closed.is_empty()));
    ring.settle(ledger, window, 0)
}

#[test]
fn checkpoints_with_wrong_windows_or_pairs_are_refused() {
    let mut ledger = Ledger::new();
    let ring = Ring::new(&mut ledger);
    ring.close(&mut ledger, 1);
    let alice = ledger.alice;
    ledger.ok(&alice, transfer(&ring.alice, &ring.bob, 7));
    let rows = ledger.kernel.state_rows();
    let (mut at, mut tables) = (0, Vec::new());
    while at < rows.len() {
        let table = u16::from_le_bytes([rows[at], rows[at + 1]]);
        let length = u32::from_le_bytes([rows[at + 4], rows[at + 5], rows[at + 6], rows[at + 7]]);
        tables.push((table, at + 8, length as usize));
        at += 8 + length as usize;
    }
    let checkpoint = ledger.kernel.checkpoint(7);
    let rows_at = checkpoint
        .windows(rows.len())
        .position(|window| window == rows)
        .expect("a checkpoint holds the rows");
    for (table, at, length) in tables.into_iter().filter(|row| row.0 >= 26) {
        for offset in 0..length {
            let mut spoiled = checkpoint.clone();
            spoiled[rows_at + at + offset] ^= 0x40;
            let restored = Kernel::restore(ledger.genesis.clone(), &spoiled);
            assert!(restored.is_err(), "table {table}, byte {offset}");
        }
    }
}

#[test]
fn a_member_sees_its_own_and_the_issuer_everything() {
    let mut ledger = Ledger::new();
    let ring = Ring::new(&mut ledger);
    ring.close(&mut ledger, 1);
    let (bank, alice, operator) = (ledger.bank, ledger.alice, ledger.operator);
    let see = |principal, account| {
        let view = ledger.kernel.netting_view(ring.unit, principal, account);
        view.expect("a deferred unit")
    };
    let all = see(None, Some(ring.bob));
    assert_eq!(all, see(Some(bank.principal), Some(ring.bob)));
    assert_eq!(
        [all.members.len(), all.closed.len(), all.pairs.len()],
        [112, 96, 72]
    );
    let own = see(Some(alice.principal), Some(ring.bob));
    assert_eq!(
        [own.members.len(), own.closed.len(), own.pairs.len()],
        [56, 48, 0]
    );
    assert_eq!(own.figures, all.figures);
    let own = see(Some(alice.principal), Some(ring.alice));
    assert_eq!(own.pairs, all.pairs);
    let nothing = see(Some(operator.principal), Some(ring.alice));
    assert_eq!(nothing.unit, all.unit);
    assert!(nothing.windows.is_empty() && nothing.members.is_empty() && nothing.figures.is_empty());
    assert!(ledger.kernel.netting_view(ledger.usd, None, None).is_none());
}
