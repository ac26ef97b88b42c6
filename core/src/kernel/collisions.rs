//! Tests of what no client can bring about: derived ids that are taken already.

use std::cell::Cell;

use super::citation::Citations;
use super::effect::Effects;
use super::input::{execute, Input, Outcome};
use super::rows::{scope, Channel, ChannelStatus, Hold, HoldStatus, Key, Mandate, Name};
use super::state::State;
use super::table::Slot;
use super::voucher::CheckedVouchers;
use crate::format::{kind, Code, Genesis, RecordView};

const ID: [u8; 16] = [5; 16];
const KEY: [u8; 32] = [6; 32];
const CHANNEL_KEY: [u8; 32] = [10; 32];

/// The smallest genesis that a kernel runs with; no bytes make it.
pub fn genesis() -> Genesis {
    Genesis {
        ledger_id: [1; 32],
        rules_version: 1,
        origin: "test".to_owned(),
        max_lifetime_ns: 1,
        reference_window_ns: 1,
        operator_quorum: 1,
        cap_live_ids: 9,
        cap_accounts: 9,
        cap_open_holds: 9,
        cap_keys: 9,
        cap_names: 9,
        cap_references: 9,
        hold_max_lifetime_ns: 10_000_000_000,
        hold_retention_ns: 1,
        operators: vec![[2; 32]],
        nodes: Vec::new(),
    }
}

/// A state with one principal, its key of scope `scope`, a unit and an account that can pay.
fn state(scope: u16) -> (State, Slot, Slot) {
    let mut state = State::from_genesis(&genesis());
    let principal = state.insert_principal(ID, 1, 1);
    state.insert_key(Key {
        key: KEY,
        principal,
        scope,
        revoked: false,
        registered_at: 1,
        until_ns: 0,
        revoked_at: 0,
        line: Slot::MAX,
        parent: Slot::MAX,
    });
    state.insert_unit([7; 16], principal, [b'U'; 16], 0);
    let account = state.insert_account([8; 16], principal, 0, 0);
    state.account_mut(account).credits_posted = 100;
    state.insert_account([9; 16], principal, 0, 0);
    state.insert_key(Key {
        key: CHANNEL_KEY,
        principal,
        scope: scope::CHANNEL,
        revoked: false,
        registered_at: 1,
        until_ns: 0,
        revoked_at: 0,
        line: Slot::MAX,
        parent: Slot::MAX,
    });
    (state, principal, account)
}

/// Executes a record twice: as it is, and once `plant` has put a row where its id would be.
fn run(scope: u16, record: [u8; 128], plant: impl Fn(&mut State, [u8; 16], Slot)) -> [Outcome; 2] {
    [false, true].map(|planted| {
        let (mut state, principal, account) = state(scope);
        let genesis = genesis();
        let mut bytes = record;
        let mut input = Input {
            genesis: &genesis,
            record: RecordView::new(&record),
            conts: &[],
            index: 0,
            sequence: 5,
            t: 5,
            signer: &KEY,
            key: state.keys.find(KEY).unwrap_or_default(),
            principal,
            envelope_id: [4; 16],
            vouchers: &CheckedVouchers::default(),
            detail: Cell::new(0),
            citations: &Citations::default(),
        };
        let id = input.derived_id(&state);
        if record[0..2] == kind::PRINCIPAL.to_le_bytes() {
            bytes[104..120].copy_from_slice(&id);
            input.record = RecordView::new(&bytes);
        }
        if planted {
            plant(&mut state, id, account);
        }
        execute(&mut state, &mut Effects::default(), &input)
    })
}

fn record(kind: u16, fields: &[(usize, &[u8])]) -> [u8; 128] {
    let mut record = [0; 128];
    record[0..2].copy_from_slice(&kind.to_le_bytes());
    for (at, field) in fields {
        record[*at..at + field.len()].copy_from_slice(field);
    }
    record
}

const EXPECTED: [Outcome; 2] = [Ok(()), Err(Code::IdConflict)];

#[test]
fn principal() {
    let record = record(kind::PRINCIPAL, &[(6, &[1]), (8, &[3; 32])]);
    let plant = |state: &mut State, id, _| {
        state.insert_principal(id, 1, 1);
    };
    assert_eq!(run(scope::OPERATE, record, plant), EXPECTED);
}

#[test]
fn name() {
    let record = record(kind::NAME, &[(6, &[1]), (8, &[1]), (16, b"n")]);
    let plant = |state: &mut State, id, _| {
        state.insert_name(Name {
            id,
            owner: 0,
            kind: 1,
            length: 1,
            text_hash: [0; 32],
        });
    };
    assert_eq!(run(scope::OWNER, record, plant), EXPECTED);
}

#[test]
fn account() {
    let record = record(kind::ACCOUNT, &[(6, &[1]), (8, &[7; 16])]);
    let plant = |state: &mut State, id, _| {
        state.insert_account(id, 0, 0, 0);
    };
    assert_eq!(run(scope::OWNER, record, plant), EXPECTED);
}

#[test]
fn unit_against_unit_and_account() {
    let record = record(kind::UNIT, &[(8, &ID), (24, b"EUR")]);
    let unit = |state: &mut State, id, _| {
        state.insert_unit(id, 0, [b'X'; 16], 0);
    };
    let account = |state: &mut State, id, _| {
        state.insert_account(id, 0, 0, 0);
    };
    assert_eq!(run(scope::OPERATE, record, unit), EXPECTED);
    assert_eq!(run(scope::OPERATE, record, account), EXPECTED);
}

#[test]
fn hold() {
    let expires = 2_000_000_000_u64.to_le_bytes();
    let fields: [(usize, &[u8]); 4] = [(8, &[8; 16]), (24, &[9; 16]), (40, &[1]), (72, &expires)];
    let plant = |state: &mut State, id, account| {
        state.insert_hold(Hold {
            id,
            payer: account,
            payee: account + 1,
            maximum: 1,
            captured: 0,
            expires_at_ns: 9,
            status: HoldStatus::Open,
            ended_at_ns: 0,
            created_at_ns: 5,
            terms: Slot::MAX,
            shares: Slot::MAX,
        });
    };
    assert_eq!(
        run(scope::OWNER, record(kind::RESERVE, &fields), plant),
        EXPECTED
    );
}

#[test]
fn mandate() {
    let expires = 2_000_000_000_u64.to_le_bytes();
    let fields: [(usize, &[u8]); 5] = [
        (8, &[8; 16]),
        (24, &ID),
        (40, &[1]),
        (56, &[1]),
        (72, &expires),
    ];
    let plant = |state: &mut State, id, account| {
        state.insert_mandate(Mandate {
            id,
            payer: account,
            payee: 0,
            card: [0; 16],
            cap: 1,
            cap_each: 1,
            used: 0,
            expires_at_ns: 9,
            created_at_ns: 5,
            ended_at_ns: 0,
        });
    };
    assert_eq!(
        run(scope::OWNER, record(kind::MANDATE, &fields), plant),
        EXPECTED
    );
}

#[test]
fn channel() {
    let challenge = 2_000_000_000_u64.to_le_bytes();
    let fields: [(usize, &[u8]); 5] = [
        (8, &[8; 16]),
        (24, &[9; 16]),
        (40, &[1]),
        (72, &challenge),
        (80, &CHANNEL_KEY),
    ];
    let plant = |state: &mut State, id, account| {
        state.insert_channel(Channel {
            id,
            payer: account,
            payee: account + 1,
            key: CHANNEL_KEY,
            deposit: 1,
            paid: 0,
            highest: 0,
            challenge_ns: 1,
            closes_at_ns: 0,
            status: ChannelStatus::Open,
            ended_at_ns: 0,
        });
    };
    assert_eq!(
        run(scope::OWNER, record(kind::CHANNEL, &fields), plant),
        EXPECTED
    );
}
