//! Every result code of the format, given for its reason by the shortest scenario.

use std::collections::BTreeSet;

use tallystick_core::format::{kind, Code};

use crate::ledger::*;
use crate::support::{public_key, signing_key, SECOND_NS};

/// A scenario on a fresh ledger; the last of the codes is the one expected.
type Scenario = fn(&mut Ledger) -> Vec<Code>;

fn one(ledger: &mut Ledger, key: &[u8; 32], record: Record) -> Vec<Code> {
    ledger.codes(key, &[record])
}

fn pay(ledger: &Ledger, amount: u128) -> Record {
    transfer(&ledger.alice.account, &ledger.bob.account, amount)
}

fn as_alice(ledger: &mut Ledger, record: Record) -> Vec<Code> {
    let key = ledger.alice.key;
    one(ledger, &key, record)
}

fn as_bob(ledger: &mut Ledger, record: Record) -> Vec<Code> {
    let key = ledger.bob.key;
    one(ledger, &key, record)
}

fn as_operator(ledger: &mut Ledger, record: Record) -> Vec<Code> {
    let key = ledger.operator.key;
    one(ledger, &key, record)
}

fn as_bank(ledger: &mut Ledger, record: Record) -> Vec<Code> {
    let key = ledger.bank.key;
    one(ledger, &key, record)
}

fn as_alice_all(ledger: &mut Ledger, records: &[Record]) -> Vec<Code> {
    let key = ledger.alice.key;
    ledger.codes(&key, records)
}

/// A transfer of Alice's to Bob, by its sequence number.
fn paid(ledger: &mut Ledger, amount: u128) -> u64 {
    let record = pay(ledger, amount);
    as_alice(ledger, record);
    ledger.last_sequence()
}

/// As `paid`, of 10, of which Alice disputes 5 for the next minute.
fn disputed(ledger: &mut Ledger) -> u64 {
    let paid = paid(ledger, 10);
    let deadline_ns = ledger.now_ns + 60 * SECOND_NS;
    assert_eq!(as_alice(ledger, dispute(paid, 5, deadline_ns)), [Code::Ok]);
    paid
}

const ENVELOPE_CODES: &[(Code, Scenario)] = &[
    (Code::Ok, |l| as_alice(l, pay(l, 1))),
    (Code::Duplicate, |l| {
        let pay = l.envelope(&l.alice.key.clone(), &[pay(l, 1)]);
        l.apply(std::slice::from_ref(&pay));
        codes(&l.apply(&[pay]))
    }),
    (Code::IdConflict, |l| {
        let mut pay = l.envelope(&l.alice.key.clone(), &[pay(l, 1)]);
        l.apply(std::slice::from_ref(&pay));
        pay.valid_until_ns += 1;
        codes(&l.apply(&[pay]))
    }),
    (Code::Expired, |l| {
        let mut pay = l.envelope(&l.alice.key.clone(), &[pay(l, 1)]);
        pay.valid_until_ns = l.now_ns - 1;
        codes(&l.apply(&[pay]))
    }),
    (Code::UnknownKey, |l| one(l, &[7; 32], pay(l, 1))),
    (Code::AtomicAborted, |l| {
        let (key, records) = (l.alice.key, [pay(l, 0), pay(l, 1)]);
        l.atomic_codes(&key, &records)
    }),
];

const SHAPE_CODES: &[(Code, Scenario)] = &[
    (Code::UnknownKind, |l| as_alice(l, record(0x01ff, &[]))),
    (Code::UnknownFlags, |l| as_alice(l, flagged(pay(l, 1), 2))),
    (Code::ReservedNonzero, |l| {
        as_alice(l, with(pay(l, 1), 72, 1))
    }),
    (Code::ContNotAllowed, |l| {
        let (mut head, cont) = (pay(l, 1), record(kind::CONT, &[]));
        head[4] = 1;
        let key = l.alice.key;
        let mut codes = l.codes(&key, &[head, cont]);
        assert_eq!(codes.pop(), Some(Code::Ok), "a CONT's own result is zero");
        codes
    }),
    (Code::BadField, |l| as_alice(l, flagged(pay(l, 1), UNIQUE))),
    (Code::ZeroAmount, |l| as_alice(l, pay(l, 0))),
    (Code::SelfTransfer, |l| {
        as_alice(l, transfer(&l.alice.account, &l.alice.account, 1))
    }),
];

const SIGNER_CODES: &[(Code, Scenario)] = &[
    (Code::KeyRevoked, |l| {
        let (alice, second) = (l.alice, public_key(&signing_key(20)));
        l.ok(&alice, key(ADD, &second, &alice.principal, OWNER, 0));
        let revoke = key(REVOKE, &alice.key, &alice.principal, 0, 0);
        l.codes(&alice.key, &[revoke, pay(l, 1)])
    }),
    (Code::KeyExpired, |l| {
        let (alice, second) = (l.alice, public_key(&signing_key(20)));
        let until = l.now_ns + SECOND_NS;
        l.ok(&alice, key(ADD, &second, &alice.principal, SPEND, until));
        assert_eq!(l.code(&second, pay(l, 1)), Code::Ok);
        l.wait(SECOND_NS);
        one(l, &second, pay(l, 1))
    }),
    (Code::ScopeDenied, |l| as_alice(l, tick())),
    (Code::ReferenceUsed, |l| {
        let (alice, pay) = (l.alice, unique(pay(l, 1), 9));
        l.codes(&alice.key, &[pay, pay])
    }),
    (Code::NotPayee, |l| {
        let hold = l.hold(10, 60 * SECOND_NS);
        as_alice(l, release(&hold))
    }),
    (Code::NotPayer, |l| {
        let hold = l.hold(10, 60 * SECOND_NS);
        as_bob(l, extend(&hold, 1, 0))
    }),
    (Code::PrincipalMismatch, |l| {
        as_operator(l, principal(&[9; 16], &public_key(&signing_key(20))))
    }),
];

const EXISTENCE_CODES: &[(Code, Scenario)] = &[
    (Code::DebitNotFound, |l| {
        as_alice(l, transfer(&l.bob.account, &l.alice.account, 1))
    }),
    (Code::CreditNotFound, |l| {
        as_alice(l, transfer(&l.alice.account, &[9; 16], 1))
    }),
    (Code::UnitNotFound, |l| {
        as_alice(l, issue(&l.usd, &l.alice.account, 1))
    }),
    (Code::HoldNotFound, |l| as_alice(l, release(&[9; 16]))),
    (Code::PrincipalNotFound, |l| {
        as_operator(l, unit(&[9; 16], b"EUR"))
    }),
    (Code::KeyNotFound, |l| {
        as_alice(l, key(REVOKE, &l.bob.key, &l.alice.principal, 0, 0))
    }),
    (Code::AccountNotFound, |l| {
        as_alice(l, account(CLOSE, &l.bob.account))
    }),
    (Code::CitedNotFound, |l| as_bob(l, refund(9_999, 1))),
    (Code::CorrectionExceeds, |l| {
        let paid = paid(l, 10);
        as_bob(l, refund(paid, 4));
        as_bob(l, refund(paid, 7))
    }),
    (Code::CorrectionTooLate, |l| {
        let paid = paid(l, 10);
        l.now_ns += 91 * 86_400 * SECOND_NS;
        as_bob(l, refund(paid, 1))
    }),
    (Code::DisputeNotFound, |l| as_bob(l, dispute_answer(1, 1))),
    (Code::DisputeOpen, |l| {
        let disputed = disputed(l);
        let deadline_ns = l.now_ns + 60 * SECOND_NS;
        as_alice(l, dispute(disputed, 1, deadline_ns))
    }),
    (Code::DisputeAnswered, |l| {
        let disputed = disputed(l);
        as_bob(l, dispute_answer(disputed, 0));
        as_bob(l, dispute_answer(disputed, 0))
    }),
    (Code::DisputeLapsed, |l| {
        let disputed = disputed(l);
        l.now_ns += 61 * SECOND_NS;
        as_bob(l, dispute_answer(disputed, 1))
    }),
    (Code::AnswerExceeds, |l| {
        let disputed = disputed(l);
        as_bob(l, dispute_answer(disputed, 6))
    }),
    (Code::CitationsFull, |l| {
        let pays = vec![pay(l, 1); 257];
        let last = *as_alice_all(l, &pays).last().expect("some");
        assert_eq!(last, Code::Ok);
        let first = l.last_sequence() - 256;
        let refunds: Vec<_> = (first..first + 257).map(|paid| refund(paid, 1)).collect();
        let bob = l.bob.key;
        l.codes(&bob, &refunds)
    }),
    (Code::ChannelNotFound, |l| {
        as_alice(l, channel_close(&[9; 16]))
    }),
    (Code::KeyExists, |l| {
        as_alice(l, key(ADD, &l.bob.key, &l.alice.principal, SPEND, 0))
    }),
    (Code::NameExists, |l| {
        let alice = l.alice;
        l.ok(&alice, name(1, "méter".as_bytes()));
        l.ok(&alice, name(2, "méter".as_bytes()));
        as_alice(l, name(1, "méter".as_bytes()))
    }),
    (Code::UnitExists, |l| {
        as_operator(l, unit(&l.bank.principal, b"USD"))
    }),
];

const STATE_CODES: &[(Code, Scenario)] = &[
    (Code::AccountFrozen, |l| {
        let alice = l.alice;
        l.codes(&alice.key, &[account(FREEZE, &alice.account), pay(l, 1)])
    }),
    (Code::AccountClosed, |l| {
        let bob = l.bob;
        l.ok(&bob, transfer(&bob.account, &l.alice.account, START_AMOUNT));
        l.ok(&bob, account(CLOSE, &bob.account));
        as_alice(l, pay(l, 1))
    }),
    (Code::UnitMismatch, |l| {
        let (bob, euro) = (l.bob, l.new_unit(b"EUR"));
        let account = l.new_account(&bob, &euro);
        as_alice(l, transfer(&l.alice.account, &account, 1))
    }),
    (Code::IssuanceAccount, |l| {
        as_alice(l, transfer(&l.alice.account, &l.usd, 1))
    }),
    (Code::AccountNotEmpty, |l| {
        as_alice(l, account(CLOSE, &l.alice.account))
    }),
    (Code::AccountState, |l| {
        as_alice(l, account(UNFREEZE, &l.alice.account))
    }),
    (Code::LastOwnerKey, |l| {
        as_alice(l, key(REVOKE, &l.alice.key, &l.alice.principal, 0, 0))
    }),
    (Code::KeyState, |l| {
        let (alice, second) = (l.alice, public_key(&signing_key(20)));
        l.ok(&alice, key(ADD, &second, &alice.principal, METER, 0));
        let revoke = key(REVOKE, &second, &alice.principal, 0, 0);
        l.codes(&alice.key, &[revoke, revoke])
    }),
    (Code::HoldExpired, |l| {
        let hold = l.hold(10, SECOND_NS + 1);
        l.wait(SECOND_NS + 1);
        as_bob(l, capture(&hold, 10))
    }),
    (Code::HoldEnded, |l| {
        let hold = l.hold(10, 60 * SECOND_NS);
        let (bob, done) = (l.bob, release(&hold));
        l.codes(&bob.key, &[done, done])
    }),
    (Code::CaptureLowered, |l| {
        let hold = l.hold(10, 60 * SECOND_NS);
        let bob = l.bob;
        l.codes(&bob.key, &[capture(&hold, 6), capture(&hold, 5)])
    }),
    (Code::CaptureExceedsHold, |l| {
        let hold = l.hold(10, 60 * SECOND_NS);
        as_bob(l, capture(&hold, 11))
    }),
    (Code::ExpiryInvalid, |l| {
        let at = l.now_ns + SECOND_NS - 1;
        as_alice(l, reserve(&l.alice.account, &l.bob.account, 1, at))
    }),
    (Code::CapExceeded, |l| {
        *l = Ledger::with_caps(1);
        let alice = l.alice;
        l.codes(&alice.key, &[name(1, b"one"), name(1, b"two")])
    }),
];

const CHANNEL_CODES: &[(Code, Scenario)] = &[
    (Code::ChannelEnded, |l| {
        let id = l.channel(10, SECOND_NS);
        let (bob, close) = (l.bob, channel_close(&id));
        l.codes(&bob.key, &[close, close])
    }),
    (Code::ChannelClosing, |l| {
        let id = l.channel(10, SECOND_NS);
        let alice = l.alice;
        l.codes(&alice.key, &[channel_close(&id), top_up(&id, 1)])
    }),
    (Code::VoucherLowered, |l| {
        let id = l.channel(10, SECOND_NS);
        let (bob, records) = (l.bob, [l.voucher(&id, 6), l.voucher(&id, 5)]);
        l.codes(&bob.key, &records)
    }),
    (Code::ChannelExhausted, |l| {
        let id = l.channel(10, SECOND_NS);
        let (bob, records) = (l.bob, [l.voucher(&id, 10), l.voucher(&id, 11)]);
        l.codes(&bob.key, &records)
    }),
    (Code::BadVoucher, |l| {
        let id = l.channel(10, SECOND_NS);
        as_bob(l, with(l.voucher(&id, 6), 24, 7))
    }),
];

const FUNDS_CODES: &[(Code, Scenario)] = &[
    (Code::InsufficientFunds, |l| {
        l.hold(10, 60 * SECOND_NS);
        as_alice(l, pay(l, START_AMOUNT + 1))
    }),
    (Code::FundsHeld, |l| {
        l.hold(10, 60 * SECOND_NS);
        as_alice(l, pay(l, START_AMOUNT - 9))
    }),
    (Code::CreditInUse, |l| {
        let (bank, alice, usd) = (l.bank, l.alice, l.usd);
        l.ok(&bank, credit_limit(&usd, &alice.account, 10));
        l.ok(&alice, pay(l, START_AMOUNT + 10));
        as_bank(l, credit_limit(&usd, &alice.account, 9))
    }),
    (Code::AmountOverflow, |l| {
        as_bank(
            l,
            issue(&l.usd, &l.bob.account, u128::MAX - START_AMOUNT + 1),
        )
    }),
];

#[test]
fn every_result_code_is_given() {
    let tables = [
        ENVELOPE_CODES,
        SHAPE_CODES,
        SIGNER_CODES,
        EXISTENCE_CODES,
        STATE_CODES,
        CHANNEL_CODES,
        FUNDS_CODES,
        crate::prices::CODES,
        crate::netting::CODES,
        crate::grants::CODES,
        crate::limits::CODES,
        crate::debts::CODES,
        crate::reprice::CODES,
        crate::exchange::CODES,
        crate::recovery::CODES,
    ];
    let mut given = BTreeSet::new();
    for (expected, scenario) in tables.into_iter().flatten() {
        let mut ledger = Ledger::new();
        let codes = scenario(&mut ledger);
        assert_eq!(codes.last(), Some(expected), "{}", expected.name());
        assert!(codes[..codes.len() - 1]
            .iter()
            .all(|&code| code == Code::Ok || code == Code::ZeroAmount));
        assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
        given.insert(*expected);
    }
    let results = Code::ALL.iter().filter(|code| !code.is_refusal());
    assert_eq!(given, results.copied().collect());
}

#[test]
fn a_refused_record_changes_nothing() {
    let mut ledger = Ledger::new();
    let before = ledger.lasting_rows();
    let (alice, bob) = (ledger.alice, ledger.bob);
    let expires = ledger.now_ns + 60 * SECOND_NS;
    let refused = [
        unique(pay(&ledger, START_AMOUNT + 1), 5),
        reserve(&alice.account, &bob.account, START_AMOUNT + 1, expires),
        account(CLOSE, &alice.account),
        key(REVOKE, &alice.key, &alice.principal, 0, 0),
        name(8, b"no such kind"),
    ];
    let codes = ledger.codes(&alice.key, &refused);
    assert!(codes.iter().all(|&code| code != Code::Ok), "{codes:?}");
    assert_eq!(ledger.lasting_rows(), before);
}
