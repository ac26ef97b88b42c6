//! Extended holds, channels and their vouchers: what is paid, what comes back, and when.

use tallystick_core::format::{u128_at, u16_at, u32_at, u64_at, Code, Id16};
use tallystick_core::kernel::{CheckedVouchers, Kernel};

use crate::ledger::*;
use crate::support::{genesis_bytes, public_key, signing_key, SECOND_NS};

const CAUSE_VOUCHER: u16 = 4;
const CAUSE_CLOSE: u16 = 5;
/// Bound of sweeps and prunes in one block.
const BLOCK_BOUND: usize = 10_000;

/// Cause, record index and amount of each effect.
fn effects(bytes: &[u8]) -> Vec<(u16, u32, u128)> {
    let rows = bytes.chunks_exact(128);
    rows.map(|row| (u16_at(row, 0), u32_at(row, 4), u128_at(row, 40)))
        .collect()
}

/// The row of a channel: deposit, paid, highest, closes_at_ns, status, ended_at_ns.
fn row(ledger: &Ledger, id: &Id16) -> (u128, u128, u128, u64, u16, u64) {
    let row = ledger.kernel.channel_rows(id);
    assert_eq!(row.len(), 160);
    let amounts = [80, 96, 112].map(|at| u128_at(&row, at));
    let (closes, status, ended) = (u64_at(&row, 136), u16_at(&row, 144), u64_at(&row, 152));
    (amounts[0], amounts[1], amounts[2], closes, status, ended)
}

fn whole(ledger: &Ledger) {
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}

#[test]
fn a_channel_pays_cumulatively_and_gives_its_rest_back() {
    let mut ledger = Ledger::new();
    let (alice, bob) = (ledger.alice, ledger.bob);
    let channel = ledger.channel(400, 5 * SECOND_NS);
    assert_eq!(ledger.columns(&alice.account), [400, 0, 0, START_AMOUNT]);
    let records = [
        ledger.voucher(&channel, 100),
        ledger.voucher(&channel, 100),
        ledger.voucher(&channel, 99),
        ledger.voucher(&channel, 500),
        ledger.voucher(&channel, 500),
        ledger.voucher(&channel, 501),
    ];
    let envelope = ledger.envelope(&bob.key, &records);
    let applied = ledger.apply(&[envelope]);
    let expected = [
        Code::Ok,
        Code::Ok,
        Code::VoucherLowered,
        Code::Ok,
        Code::Ok,
        Code::ChannelExhausted,
    ];
    assert_eq!(codes(&applied), expected);
    let paid = [(CAUSE_VOUCHER, 0, 100), (CAUSE_VOUCHER, 3, 300)];
    assert_eq!(effects(&applied.effects), paid);
    assert_eq!(row(&ledger, &channel), (400, 400, 500, 0, 1, 0));
    // The rest of the same voucher, once there is a deposit for it.
    ledger.ok(&alice, top_up(&channel, 250));
    ledger.ok(&bob, ledger.voucher(&channel, 500));
    assert_eq!(row(&ledger, &channel), (650, 500, 500, 0, 1, 0));
    let envelope = ledger.envelope(&bob.key, &[channel_close(&channel)]);
    let applied = ledger.apply(&[envelope]);
    assert_eq!(effects(&applied.effects), [(CAUSE_CLOSE, 0, 150)]);
    assert_eq!(applied.effects[56..72], channel);
    let ended = applied.timestamp_ns;
    assert_eq!(row(&ledger, &channel), (650, 500, 500, 0, 3, ended));
    assert_eq!(ledger.columns(&alice.account), [0, 500, 0, START_AMOUNT]);
    assert_eq!(ledger.columns(&bob.account), [0, 0, 0, START_AMOUNT + 500]);
    whole(&ledger);
}

#[test]
fn the_payer_closes_after_the_challenge_period() {
    let mut ledger = Ledger::new();
    let (alice, bob, node) = (ledger.alice, ledger.bob, ledger.node);
    let channel = ledger.channel(400, 5 * SECOND_NS);
    ledger.ok(&alice, channel_close(&channel));
    let closes = row(&ledger, &channel).3;
    assert_eq!(ledger.kernel.status().next_expiry_ns, closes);
    assert_eq!(row(&ledger, &channel).4, 2);
    let again = ledger.code(&alice.key, channel_close(&channel));
    assert_eq!(again, Code::ChannelClosing);
    let more = ledger.code(&alice.key, top_up(&channel, 1));
    assert_eq!(more, Code::ChannelClosing);
    // It still pays, up to the last nanosecond.
    ledger.now_ns = closes - 1;
    let late = [ledger.voucher(&channel, 10), ledger.voucher(&channel, 20)];
    let envelope = ledger.envelope(&bob.key, &late);
    let applied = ledger.apply(&[envelope]);
    assert_eq!(codes(&applied), [Code::Ok, Code::ChannelEnded]);
    let expected = [(CAUSE_VOUCHER, 0, 10), (CAUSE_CLOSE, 1, 390)];
    assert_eq!(effects(&applied.effects), expected);
    assert_eq!(row(&ledger, &channel), (400, 10, 10, 0, 3, closes));
    assert_eq!(ledger.kernel.status().next_expiry_ns, 0);
    whole(&ledger);
    // Forgotten after its retention, not a nanosecond sooner.
    let retention = ledger.genesis.hold_retention_ns;
    for (after, expected) in [(0, 1), (1, 0)] {
        ledger.now_ns = closes + retention + after;
        assert_eq!(ledger.code(&node.key, tick()), Code::Ok);
        assert_eq!(ledger.kernel.status().channels, expected);
    }
    let gone = ledger.code(&bob.key, channel_close(&channel));
    assert_eq!(gone, Code::ChannelNotFound);
    whole(&ledger);
}

#[test]
fn a_channel_whose_rest_is_nothing_is_swept_with_an_effect_and_closed_without() {
    let mut ledger = Ledger::new();
    let (alice, bob, node) = (ledger.alice, ledger.bob, ledger.node);
    let (first, second) = (ledger.channel(5, SECOND_NS), ledger.channel(5, SECOND_NS));
    let vouchers = [ledger.voucher(&first, 5), ledger.voucher(&second, 5)];
    assert_eq!(ledger.codes(&bob.key, &vouchers), [Code::Ok; 2]);
    let envelope = ledger.envelope(&bob.key, &[channel_close(&first)]);
    assert!(ledger.apply(&[envelope]).effects.is_empty());
    ledger.ok(&alice, channel_close(&second));
    ledger.wait(2 * SECOND_NS);
    let envelope = ledger.envelope(&node.key, &[tick()]);
    let applied = ledger.apply(&[envelope]);
    assert_eq!(effects(&applied.effects), [(CAUSE_CLOSE, 0, 0)]);
    whole(&ledger);
}

#[test]
fn sweeps_share_their_bound_and_prunes_have_their_own() {
    let mut bytes = genesis_bytes();
    bytes[140..144].copy_from_slice(&20_000_u32.to_le_bytes());
    bytes[160..168].copy_from_slice(&SECOND_NS.to_le_bytes());
    let mut ledger = Ledger::from_genesis(&bytes);
    let (alice, bob, bank, node) = (ledger.alice, ledger.bob, ledger.bank, ledger.node);
    ledger.ok(&bank, issue(&ledger.usd, &alice.account, 1_000_000));
    let (holds, channels) = (5_000, BLOCK_BOUND - 4_000);
    let expires = ledger.now_ns + 10 * SECOND_NS;
    let hold = reserve(&alice.account, &bob.account, 1, expires);
    assert_eq!(ledger.codes(&alice.key, &vec![hold; holds])[0], Code::Ok);
    let key = ledger.channel_key();
    let open = channel(
        &alice.account,
        &bob.account,
        1,
        SECOND_NS,
        &public_key(&key),
    );
    let envelope = ledger.envelope(&alice.key, &vec![open; channels]);
    let ids: Vec<Id16> = (0..channels as u32)
        .map(|index| ledger.derived(&alice.principal, &envelope.id, index))
        .collect();
    ledger.apply(&[envelope]);
    let closes: Vec<Record> = ids.iter().map(channel_close).collect();
    let codes = ledger.codes(&alice.key, &closes);
    assert!(codes.iter().all(|&code| code == Code::Ok));
    ledger.wait(20 * SECOND_NS);
    let mut swept = Vec::new();
    for _ in 0..3 {
        let tick = ledger.envelope(&node.key, &[tick(), tick()]);
        let rows = effects(&ledger.apply(&[tick]).effects);
        let closed = rows.iter().filter(|(cause, _, _)| *cause == CAUSE_CLOSE);
        swept.push((rows.len(), closed.count()));
        whole(&ledger);
    }
    assert_eq!(swept, [(BLOCK_BOUND, 5_000), (1_000, 1_000), (0, 0)]);
    ledger.wait(2 * SECOND_NS);
    assert_eq!(ledger.code(&node.key, tick()), Code::Ok);
    let status = ledger.kernel.status();
    assert_eq!((status.holds, status.channels), (0, 0));
    whole(&ledger);
}

#[test]
fn an_atomic_envelope_that_fails_takes_channels_and_extensions_back() {
    let mut ledger = Ledger::new();
    let (alice, bob) = (ledger.alice, ledger.bob);
    let hold = ledger.hold(100, 60 * SECOND_NS);
    let (open, closing) = (
        ledger.channel(50, 60 * SECOND_NS),
        ledger.channel(50, 60 * SECOND_NS),
    );
    ledger.ok(&alice, channel_close(&closing));
    let own_key = ledger.channel_key();
    let fails = transfer(&bob.account, &alice.account, u128::MAX);
    let later = ledger.now_ns + 90 * SECOND_NS;
    let by_alice = [
        extend(&hold, 10, later),
        extend(&hold, 20, 0),
        top_up(&open, 5),
        channel_close(&open),
        channel(
            &alice.account,
            &bob.account,
            9,
            SECOND_NS,
            &public_key(&own_key),
        ),
        transfer(&alice.account, &bob.account, u128::MAX),
    ];
    let by_bob = [
        ledger.voucher(&open, 7),
        ledger.voucher(&closing, 60),
        channel_close(&closing),
        channel_close(&open),
        last_capture(&hold, 60),
        fails,
    ];
    let before = ledger.lasting_rows();
    for (person, records) in [(alice, by_alice), (bob, by_bob)] {
        let codes = ledger.atomic_codes(&person.key, &records);
        assert_eq!(codes[5], Code::InsufficientFunds, "{codes:?}");
        assert!(codes[..5].iter().all(|&code| code == Code::AtomicAborted));
        assert_eq!(ledger.lasting_rows(), before);
        whole(&ledger);
    }
    // All of it is still possible, also one after the other.
    for (person, records) in [(alice, by_alice), (bob, by_bob)] {
        let codes = ledger.atomic_codes(&person.key, &records[..5]);
        assert_eq!(codes, [Code::Ok; 5]);
        whole(&ledger);
    }
    let posted = 7 + 50 + 60;
    assert_eq!(ledger.columns(&alice.account), [9, posted, 0, START_AMOUNT]);
    let paid = START_AMOUNT + posted;
    assert_eq!(ledger.columns(&bob.account), [0, 0, 9, paid]);
}

#[test]
fn an_extended_hold_holds_more_for_longer() {
    let mut ledger = Ledger::new();
    let (alice, bob, node) = (ledger.alice, ledger.bob, ledger.node);
    let hold = ledger.hold(100, 10 * SECOND_NS);
    let made = ledger.now_ns;
    assert_eq!(u64_at(&ledger.kernel.hold_rows(&hold), 104), made);
    let longest = made + ledger.genesis.hold_max_lifetime_ns;
    ledger.ok(&alice, extend(&hold, 50, 0));
    ledger.ok(&alice, extend(&hold, 0, made + 30 * SECOND_NS));
    assert_eq!(ledger.columns(&alice.account), [150, 0, 0, START_AMOUNT]);
    for (expires, code) in [
        (made + 30 * SECOND_NS - 1, Code::ExpiryInvalid),
        (longest + 1, Code::ExpiryInvalid),
        (made + 30 * SECOND_NS, Code::Ok),
    ] {
        assert_eq!(ledger.code(&alice.key, extend(&hold, 0, expires)), code);
    }
    ledger.now_ns = made + 30 * SECOND_NS - 1;
    ledger.ok(&bob, capture(&hold, 150));
    let envelope = ledger.envelope(&node.key, &[tick(), tick()]);
    let applied = ledger.apply(&[envelope]);
    assert_eq!(effects(&applied.effects), [(3, 0, 0)]);
    let late = ledger.code(&alice.key, extend(&hold, 1, 0));
    assert_eq!(late, Code::HoldExpired);
    whole(&ledger);
    // Its longest life counts from its RESERVE, and may be used up to the end.
    let hold = ledger.hold(1, 10 * SECOND_NS);
    let made = ledger.now_ns;
    ledger.wait(2 * SECOND_NS);
    let longest = made + ledger.genesis.hold_max_lifetime_ns;
    ledger.ok(&alice, extend(&hold, 0, longest));
    let row = ledger.kernel.hold_rows(&hold);
    assert_eq!((row.len(), u64_at(&row, 104)), (112, made));
}

#[test]
fn the_batch_answers_what_each_voucher_answers_alone() {
    let mut ledger = Ledger::new();
    let (alice, bob) = (ledger.alice, ledger.bob);
    let old: Vec<Id16> = (0..3).map(|_| ledger.channel(100, SECOND_NS)).collect();
    let key = ledger.channel_key();
    // A channel that is opened in the block itself: no batch knows it.
    let open = channel(
        &alice.account,
        &bob.account,
        100,
        SECOND_NS,
        &public_key(&key),
    );
    let opening = ledger.envelope(&alice.key, &[open]);
    let fresh = ledger.derived(&alice.principal, &opening.id, 0);
    let good = ledger.voucher(&old[0], 10);
    let records = [
        good,
        with(ledger.voucher(&old[0], 20), 24, 21),
        with(ledger.voucher(&old[1], 5), 40, 1),
        with(ledger.voucher(&old[1], 5), 100, 1),
        ledger.voucher_by(&signing_key(77), &old[2], 5),
        ledger.voucher(&old[2], 6),
        ledger.voucher(&fresh, 7),
        with(ledger.voucher(&fresh, 8), 63, 9),
        // Somebody else's voucher moved to another channel.
        {
            let mut moved = ledger.voucher(&old[0], 50);
            moved[8..24].copy_from_slice(&old[1]);
            moved
        },
    ];
    let redeeming = ledger.envelope(&bob.key, &records);
    ledger.now_ns = ledger.kernel.status().min_next_timestamp_ns;
    let block = ledger.block(&[opening, redeeming]);
    let bytes = ledger.kernel.checkpoint(0);
    let restored = || Kernel::restore(ledger.genesis.clone(), &bytes).expect("a checkpoint");
    let batch = ledger.kernel.collect_vouchers(&block);
    assert_eq!(
        batch.len(),
        7,
        "those of the fresh channel are not there yet"
    );
    let checked = [batch.verify(1), batch.verify(3), CheckedVouchers::default()];
    let applied = checked.map(|vouchers| restored().apply_checked(&block, &vouchers, &[]));
    assert_eq!(applied[0], applied[1]);
    assert_eq!(applied[0], applied[2]);
    let applied = applied[0].as_ref().expect("the block fits");
    let bad = Code::BadVoucher;
    let expected = [
        Code::Ok,
        Code::Ok,
        bad,
        bad,
        bad,
        bad,
        Code::Ok,
        Code::Ok,
        bad,
        bad,
    ];
    assert_eq!(codes(applied), expected);
}

#[test]
fn strangers_and_the_closed_never_reach_a_batch() {
    let mut ledger = Ledger::new();
    let (alice, bob) = (ledger.alice, ledger.bob);
    let carol = ledger.customer(9);
    let (open, closed) = (ledger.channel(9, SECOND_NS), ledger.channel(9, SECOND_NS));
    ledger.ok(&bob, channel_close(&closed));
    ledger.ok(&bob, ledger.voucher(&open, 5));
    let vouchers = [
        ledger.voucher(&open, 4),
        ledger.voucher(&open, 6),
        ledger.voucher(&closed, 6),
        ledger.voucher(&[9; 16], 6),
    ];
    let expected = [(alice.key, 0), (carol.key, 0), ([7; 32], 0), (bob.key, 1)];
    for (key, count) in expected {
        let envelope = ledger.envelope(&key, &vouchers);
        ledger.now_ns = ledger.kernel.status().min_next_timestamp_ns;
        let block = ledger.block(&[envelope]);
        assert_eq!(ledger.kernel.collect_vouchers(&block).len(), count);
        assert!(ledger.kernel.collect_vouchers(&block[1..]).is_empty());
    }
}

#[test]
fn revoking_its_key_stops_new_channels_but_no_voucher() {
    let mut ledger = Ledger::new();
    let (alice, bob) = (ledger.alice, ledger.bob);
    let public = public_key(&ledger.channel_key());
    let old = ledger.channel(100, SECOND_NS);
    let open = channel(&alice.account, &bob.account, 1, SECOND_NS, &public);
    ledger.ok(&alice, open);
    // The key ends itself; it may sign nothing else.
    assert_eq!(ledger.code(&public, open), Code::ScopeDenied);
    let revoke = key(REVOKE, &public, &alice.principal, 0, 0);
    assert_eq!(ledger.code(&public, revoke), Code::Ok);
    assert_eq!(ledger.code(&alice.key, open), Code::KeyState);
    ledger.ok(&bob, ledger.voucher(&old, 5));
    let others = channel(&alice.account, &bob.account, 1, SECOND_NS, &alice.key);
    assert_eq!(ledger.code(&alice.key, others), Code::KeyNotFound);
}

#[test]
fn who_may_add_and_revoke_the_keys_of_the_new_scopes() {
    let mut ledger = Ledger::new();
    let (alice, operator) = (ledger.alice, ledger.operator);
    let second = public_key(&signing_key(60));
    let add = |person: &Person, scope| key(ADD, &second, &person.principal, scope, 0);
    for (person, scope, code) in [
        (alice, 11, Code::BadField),
        (alice, 4, Code::BadField),
        (alice, AUDIT, Code::ScopeDenied),
        (operator, READ, Code::ScopeDenied),
        (operator, OWNER, Code::ScopeDenied),
    ] {
        assert_eq!(ledger.code(&person.key, add(&person, scope)), code);
    }
    for (number, (person, scope)) in (0..).zip([
        (alice, READ),
        (alice, 6),
        (alice, CHANNEL),
        (operator, AUDIT),
    ]) {
        let [first, next] = [70 + number, 80 + number].map(|n| public_key(&signing_key(n)));
        ledger.ok(&person, key(ADD, &first, &person.principal, scope, 0));
        let rotate = key(ROTATE, &next, &person.principal, 0, 0);
        assert_eq!(ledger.code(&first, rotate), Code::Ok);
        let row = ledger.kernel.key_row(next).expect("it is registered");
        assert_eq!(u16_at(&row, 48), u16::from(scope));
        // Whoever may add it may revoke it.
        ledger.ok(&person, key(REVOKE, &next, &person.principal, 0, 0));
        assert_eq!(ledger.code(&next, tick()), Code::KeyRevoked);
    }
    let itself = key(REVOKE, &operator.key, &operator.principal, 0, 0);
    assert_eq!(ledger.code(&operator.key, itself), Code::ScopeDenied);
}

#[test]
fn who_may_close_goes_by_side_and_scope() {
    let mut ledger = Ledger::new();
    let (alice, bob) = (ledger.alice, ledger.bob);
    let channel_id = ledger.channel(100, SECOND_NS);
    let close = channel_close(&channel_id);
    let carol = ledger.customer(9);
    let mut scoped = |person: &Person, number, scope| {
        let public = public_key(&signing_key(number));
        ledger.ok(person, key(ADD, &public, &person.principal, scope, 0));
        public
    };
    let (alice_spend, alice_meter) = (scoped(&alice, 61, SPEND), scoped(&alice, 62, METER));
    let (bob_spend, bob_meter) = (scoped(&bob, 63, SPEND), scoped(&bob, 64, METER));
    for (key, code) in [
        (carol.key, Code::ChannelNotFound),
        (alice_meter, Code::ScopeDenied),
        (bob_spend, Code::ScopeDenied),
        (alice_spend, Code::Ok),
        (bob_meter, Code::Ok),
        (bob.key, Code::ChannelEnded),
    ] {
        assert_eq!(ledger.code(&key, close), code);
    }
    // Between two accounts of one owner: the payee's right wins, whatever the scope.
    let (alice, usd) = (ledger.alice, ledger.usd);
    let own = ledger.new_account(&alice, &usd);
    let signer = public_key(&ledger.channel_key());
    let open = |_: &Id16| channel(&alice.account, &own, 5, SECOND_NS, &signer);
    let inner = ledger.make(&alice, open);
    assert_eq!(ledger.code(&alice_spend, channel_close(&inner)), Code::Ok);
    assert_eq!(row(&ledger, &inner).4, 3);
    whole(&ledger);
}
