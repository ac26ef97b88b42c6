//! Which records are in whose history.

use tallystick_core::format::limits::RECORD_BYTES;
use tallystick_core::format::{kind, Code, Id16};
use tallystick_core::history::{cut_conts, cut_records, tag, Accept, CutError, Search, CUT_BYTES};

use crate::ledger::*;
use crate::support::{block, name_with_conts, signing_key, transfers, Draft, SECOND_NS};

const DONE: [u8; 5] = [4, 5, 7, 8, 3];

/// A ledger whose history is gathered from now on.
fn gathering() -> Ledger {
    let mut ledger = Ledger::new();
    let next = ledger.kernel.status().next_sequence;
    ledger
        .kernel
        .start_history(next, next, 1_000)
        .expect("nothing is missing");
    ledger
}

fn history(ledger: &Ledger, account: &Id16) -> Vec<(u64, u8)> {
    let mut search = Search::new(*account, (0, u64::MAX), false, 1_000, Accept::all());
    assert_eq!(
        ledger.kernel.search_history(&mut search),
        ledger.kernel.history_first()
    );
    assert!(
        search.sequences.is_empty(),
        "there may be older ones elsewhere"
    );
    search.narrow(ledger.kernel.history_first(), u64::MAX);
    ledger.kernel.search_history(&mut search);
    search.sequences.iter().copied().zip(search.tags).collect()
}

fn next(ledger: &Ledger) -> u64 {
    ledger.kernel.status().next_sequence
}

#[test]
fn an_executed_record_is_in_the_history_of_both_sides() {
    let mut ledger = gathering();
    let (alice, bob, first) = (ledger.alice, ledger.bob, next(&ledger));
    ledger.ok(&alice, transfer(&alice.account, &bob.account, 5));
    let hold = ledger.hold(100, 60 * SECOND_NS);
    ledger.ok(&bob, capture(&hold, 40));
    ledger.ok(&bob, capture(&hold, 40));
    ledger.ok(&bob, last_capture(&hold, 60));
    ledger.ok(&bob, last_capture(&hold, 60));
    let other = ledger.hold(100, 60 * SECOND_NS);
    ledger.ok(&bob, capture(&other, 100));
    ledger.ok(&bob, release(&other));
    let expected: Vec<(u64, u8)> = (first..).zip([4, 5, 7, 7, 7, 7, 5, 7, 8]).collect();
    assert_eq!(history(&ledger, &alice.account), expected);
    assert_eq!(history(&ledger, &bob.account), expected);
    assert!(expected.iter().all(|(_, tag)| DONE.contains(tag)));
}

#[test]
fn registry_records_are_in_the_history_of_the_account_they_make_or_change() {
    let mut ledger = gathering();
    let (bank, usd, first) = (ledger.bank, ledger.usd, next(&ledger));
    let carol = ledger.customer(9);
    ledger.ok(&carol, account(FREEZE, &carol.account));
    let unit = ledger.new_unit(b"EUR");
    ledger.ok(&ledger.node.clone(), tick());
    // PRINCIPAL, ACCOUNT, ISSUE, ACCOUNT, UNIT, TICK.
    let of_carol = [(first + 1, 1), (first + 2, 3), (first + 3, 1)];
    assert_eq!(history(&ledger, &carol.account), of_carol);
    assert_eq!(history(&ledger, &usd), [(first + 2, 3)]);
    assert_eq!(history(&ledger, &unit), [(first + 4, 2)]);
    assert_eq!(history(&ledger, &bank.account), []);
}

#[test]
fn a_refused_record_is_in_no_history_but_its_signers() {
    let mut ledger = gathering();
    let (alice, bob, first) = (ledger.alice, ledger.bob, next(&ledger));
    let too_much = transfer(&alice.account, &bob.account, 5_000);
    assert_eq!(ledger.code(&alice.key, too_much), Code::InsufficientFunds);
    let thief = transfer(&bob.account, &alice.account, 1);
    assert_eq!(ledger.code(&alice.key, thief), Code::DebitNotFound);
    let nobody = transfer(&[9; 16], &[8; 16], 1);
    assert_eq!(ledger.code(&alice.key, nobody), Code::DebitNotFound);
    let hold = ledger.hold(100, 60 * SECOND_NS);
    assert_eq!(ledger.code(&alice.key, capture(&hold, 1)), Code::NotPayee);
    assert_eq!(
        ledger.code(&bob.key, capture(&hold, 101)),
        Code::CaptureExceedsHold
    );
    let refused = tag::REFUSED;
    assert_eq!(
        history(&ledger, &alice.account),
        [
            (first, 4 | refused),
            (first + 1, 4 | refused),
            (first + 3, 5),
            (first + 4, 7 | refused)
        ]
    );
    assert_eq!(
        history(&ledger, &bob.account),
        [(first + 3, 5), (first + 5, 7 | refused)]
    );
}

#[test]
fn an_aborted_envelope_leaves_its_refusals_alone() {
    let mut ledger = gathering();
    let (alice, bob, usd, first) = (ledger.alice, ledger.bob, ledger.usd, next(&ledger));
    let records = [
        account(OPEN, &usd),
        transfer(&alice.account, &bob.account, 5),
        transfer(&alice.account, &bob.account, 5_000),
        transfer(&alice.account, &bob.account, 5),
    ];
    ledger.atomic_codes(&alice.key, &records);
    let refused = 4 | tag::REFUSED;
    let expected = [
        (first + 1, refused),
        (first + 2, refused),
        (first + 3, refused),
    ];
    assert_eq!(history(&ledger, &alice.account), expected);
    assert_eq!(history(&ledger, &bob.account), []);
    // The slot of the account that was rolled back is used again; nothing of it remains.
    let opened = ledger.new_account(&bob, &usd);
    assert_eq!(history(&ledger, &opened), [(first + 4, 1)]);
}

#[test]
fn an_expiry_is_in_both_histories_at_the_record_before_which_it_was_swept() {
    let mut ledger = gathering();
    let (alice, bob, usd, bank) = (ledger.alice, ledger.bob, ledger.usd, ledger.bank);
    let carol = ledger.customer(9);
    ledger.hold(100, 2 * SECOND_NS);
    ledger.hold(50, 2 * SECOND_NS);
    ledger.wait(3 * SECOND_NS);
    let at = next(&ledger);
    ledger.ok(&bank, issue(&usd, &carol.account, 1));
    ledger.wait(SECOND_NS);
    ledger.hold(10, SECOND_NS);
    ledger.wait(2 * SECOND_NS);
    ledger.ok(&alice, transfer(&alice.account, &bob.account, 1));
    for account in [alice.account, bob.account] {
        let history = history(&ledger, &account);
        let behind: Vec<_> = history
            .into_iter()
            .filter(|(sequence, _)| *sequence >= at)
            .collect();
        assert_eq!(
            behind,
            [(at, tag::SWEPT), (at + 1, 5), (at + 2, 4 | tag::SWEPT)]
        );
    }
    assert_eq!(history(&ledger, &carol.account).last(), Some(&(at, 3)));
}

#[test]
fn resent_unknown_and_late_envelopes() {
    let mut ledger = gathering();
    let (alice, bob, first) = (ledger.alice, ledger.bob, next(&ledger));
    let pay = transfer(&alice.account, &bob.account, 5);
    let envelope = ledger.envelope(&alice.key, &[pay]);
    let mut conflict = envelope.clone();
    conflict.valid_until_ns += 1;
    let mut late = ledger.envelope(&alice.key, &[pay]);
    late.valid_until_ns = ledger.now_ns - 1;
    let stranger = ledger.envelope(&[77; 32], &[pay]);
    let applied = ledger.apply(&[envelope.clone(), envelope, conflict, late, stranger]);
    let expected = [
        Code::Ok,
        Code::Duplicate,
        Code::IdConflict,
        Code::Expired,
        Code::UnknownKey,
    ];
    assert_eq!(codes(&applied), expected);
    let refused = 4 | tag::REFUSED;
    let of_alice = [(first, 4), (first + 2, refused), (first + 3, refused)];
    assert_eq!(history(&ledger, &alice.account), of_alice);
    assert_eq!(history(&ledger, &bob.account), [(first, 4)]);
}

#[test]
fn chunks_follow_each_other_and_end_by_their_records() {
    let mut ledger = Ledger::new();
    let first = next(&ledger);
    ledger
        .kernel
        .start_history(first, first, 10)
        .expect("nothing is missing");
    let (alice, bob) = (ledger.alice, ledger.bob);
    let pay = transfer(&alice.account, &bob.account, 1);
    ledger.codes(&alice.key, &[pay; 4]);
    assert!(!ledger.kernel.is_history_full());
    // A part, as before a checkpoint: the chunk goes on behind it.
    let part = ledger.kernel.take_history().expect("four records");
    assert_eq!((part.first_sequence, part.end_sequence), (first, first + 4));
    assert!(!part.is_complete);
    assert_eq!(ledger.kernel.take_history(), None);
    ledger.codes(&alice.key, &[pay; 7]);
    assert!(ledger.kernel.is_history_full());
    let rest = ledger.kernel.take_history().expect("seven records");
    assert_eq!(
        (rest.first_sequence, rest.end_sequence),
        (first + 4, first + 11)
    );
    assert!(rest.is_complete);
    assert!(!ledger.kernel.is_history_full());
    assert_eq!(ledger.kernel.history_first(), first + 11);
}

#[test]
fn what_was_gathered_before_a_restart_is_not_gathered_again() {
    let mut ledger = gathering();
    let (alice, bob, first) = (ledger.alice, ledger.bob, next(&ledger));
    let pay = transfer(&alice.account, &bob.account, 1);
    let checkpoint = ledger.kernel.checkpoint(1);
    let genesis = ledger.genesis.clone();
    let restored = tallystick_core::kernel::Kernel::restore(genesis, &checkpoint);
    ledger.kernel = restored.expect("its own checkpoint");
    let gap = ledger.kernel.start_history(first - 1, first - 1, 10);
    assert!(gap.is_err(), "blocks that the kernel has applied already");
    ledger
        .kernel
        .start_history(first, first + 2, 10)
        .expect("ahead of the state");
    ledger.codes(&alice.key, &[pay; 2]);
    assert_eq!(history(&ledger, &alice.account), []);
    assert_eq!(ledger.kernel.take_history(), None);
    ledger.codes(&alice.key, &[pay]);
    assert_eq!(history(&ledger, &alice.account), [(first + 2, 4)]);
}

#[test]
fn a_kernel_that_gathers_has_the_same_state() {
    let run = |gathers: bool| {
        let mut ledger = if gathers { gathering() } else { Ledger::new() };
        let (alice, bob) = (ledger.alice, ledger.bob);
        let hold = ledger.hold(100, 2 * SECOND_NS);
        let records = [
            capture(&hold, 5),
            transfer(&bob.account, &alice.account, 5_000),
        ];
        ledger.atomic_codes(&bob.key, &records);
        ledger.wait(3 * SECOND_NS);
        ledger.codes(&alice.key, &[transfer(&alice.account, &bob.account, 7)]);
        ledger.kernel.state_digest()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn records_are_cut_out_of_a_block() {
    let mut ledger = Ledger::new();
    let (alice, bob, first) = (ledger.alice, ledger.bob, next(&ledger));
    let pay = |amount| transfer(&alice.account, &bob.account, amount);
    let one = ledger.envelope(&alice.key, &[pay(1), pay(2)]);
    let two = ledger.envelope(&bob.key, &[pay(3), pay(4), pay(5)]);
    let block = ledger.block(&[one.clone(), two.clone()]);
    let cut = cut_records(&block, &[first + 4, first, first + 2]).expect("all are there");
    let place = |at: usize| cut[at * CUT_BYTES..][..8].to_vec();
    assert_eq!(place(0), [1, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(place(1), [0; 8]);
    assert_eq!(place(2), [1, 0, 0, 0, 0, 0, 0, 0]);
    let last = &cut[..CUT_BYTES];
    assert_eq!(last[8..16], (first + 2).to_le_bytes());
    assert_eq!(last[16..32], two.id);
    assert_eq!(last[32..64], bob.key);
    assert_eq!(last[64..], two.records[2 * RECORD_BYTES..]);
    assert_eq!(
        cut_records(&block, &[first + 5]),
        Err(CutError::Outside(first + 5))
    );
    assert_eq!(cut_records(&block, &[0]), Err(CutError::Outside(0)));
    assert!(matches!(cut_records(b"", &[1]), Err(CutError::NoBlock(_))));
    assert_eq!(tag::of_kind(kind::TICK), tag::OTHER);
}

#[test]
fn conts_are_cut_out_of_a_block() {
    let names = [name_with_conts(2), name_with_conts(0), name_with_conts(1)].concat();
    let both = |records: &[u8]| {
        let one = Draft::new(1, transfers(1, 1)).seal(&signing_key(1));
        block(&[one, Draft::new(2, records.to_vec()).seal(&signing_key(2))])
    };
    let whole = both(&names);
    let records = |range: std::ops::Range<usize>| {
        names[range.start * RECORD_BYTES..range.end * RECORD_BYTES].to_vec()
    };
    // Sequence numbers: 1 the transfer, 2 to 4, 5, and 6 to 7 the names.
    let cut = |sequences: &[u64]| cut_conts(&whole, sequences).expect("all are there");
    assert_eq!(cut(&[2]), records(1..3));
    assert_eq!(cut(&[6]), records(5..6));
    assert_eq!(cut(&[6, 1, 2, 5]), [records(5..6), records(1..3)].concat());
    assert_eq!(cut(&[1, 5]), []);
    assert_eq!(cut(&[3]), []); // a CONT has none itself
    assert_eq!(cut_conts(&whole, &[8]), Err(CutError::Outside(8)));
    assert!(matches!(cut_conts(b"", &[1]), Err(CutError::NoBlock(_))));
    // No block that was admitted has a head that names CONTs beyond its envelope.
    let torn = both(&names[..names.len() - RECORD_BYTES]);
    assert_eq!(cut_conts(&torn, &[2, 6]), Err(CutError::NoConts(6)));
}

#[test]
fn channels_are_in_the_history_of_both_sides() {
    let mut ledger = gathering();
    let (alice, bob, node) = (ledger.alice, ledger.bob, ledger.node);
    ledger.channel_key();
    let first = next(&ledger);
    let hold = ledger.hold(100, 60 * SECOND_NS);
    ledger.ok(&alice, extend(&hold, 0, ledger.now_ns + 90 * SECOND_NS));
    let channel = ledger.channel(100, SECOND_NS);
    ledger.ok(&bob, ledger.voucher(&channel, 40));
    ledger.ok(&bob, ledger.voucher(&channel, 40));
    ledger.ok(&alice, top_up(&channel, 1));
    ledger.ok(&alice, channel_close(&channel));
    let refused = ledger.code(&alice.key, top_up(&channel, 1));
    assert_eq!(refused, Code::ChannelClosing);
    ledger.wait(2 * SECOND_NS);
    ledger.ok(&node, tick());
    let both: Vec<(u64, u8)> = (first..).zip([5, 6, 9, 11, 11, 10, 12]).collect();
    let swept = (first + 8, tag::SWEPT);
    let refused = (first + 7, 10 | tag::REFUSED);
    let of_alice = [&both[..], &[refused, swept]].concat();
    assert_eq!(history(&ledger, &alice.account), of_alice);
    let of_bob = [&both[..], &[swept]].concat();
    assert_eq!(history(&ledger, &bob.account), of_bob);
}
