//! REPRICE: what a card had priced is priced again, and the rest goes back.

use tallystick_core::format::{kind, Code, Id16};

use crate::ledger::*;
use crate::prices::{heads, metered, with_conts, Scenario, Shop};

pub const CODES: &[(Code, Scenario)] = &[
    (Code::CitedNotPriced, |l| {
        let shop = Shop::new(l);
        let card = shop.open(l);
        let (alice, bob) = (l.alice, l.bob);
        l.ok(&alice, transfer(&alice.account, &bob.account, 9));
        let cited = l.last_sequence();
        heads(l, &bob, &reprice(&shop, &card, cited, (3, 1)))
    }),
    (Code::PriceNotLower, |l| {
        let shop = Shop::new(l);
        let card = shop.open(l);
        let (bob, cited) = (l.bob, paid(l, &shop, &card, 3));
        heads(l, &bob, &reprice(&shop, &card, cited, (9, 3)))
    }),
];

/// A METER of Alice's for Bob, at 3 each, by its sequence number.
fn paid(ledger: &mut Ledger, shop: &Shop, card: &Id16, quantity: u64) -> u64 {
    let alice = ledger.alice;
    let records = metered(ledger, card, shop, 3 * u128::from(quantity), quantity);
    assert_eq!(heads(ledger, &alice, &records), [Code::Ok]);
    // Its CONTs come behind it.
    ledger.last_sequence() + 1 - records.len() as u64
}

/// A REPRICE at an amount, of a quantity.
fn reprice(shop: &Shop, card: &Id16, cited: u64, (amount, quantity): (u128, u64)) -> Vec<Record> {
    let (cited, amount) = (cited.to_le_bytes(), amount.to_le_bytes());
    let head = record(kind::REPRICE, &[(8, &cited), (24, &amount)]);
    let mut content = [card.as_slice(), &shop.model, &[0; 40]].concat();
    content[64] = 1;
    content.extend_from_slice(&shop.meter);
    content.extend_from_slice(&quantity.to_le_bytes());
    with_conts(head, &content, 1)
}

#[test]
fn a_charge_comes_to_its_new_price_and_an_atomic_failure_undoes_that() {
    let mut ledger = Ledger::new();
    let shop = Shop::new(&mut ledger);
    let card = shop.open(&mut ledger);
    let cited = paid(&mut ledger, &shop, &card, 7);
    let bob = ledger.bob;
    let again = reprice(&shop, &card, cited, (12, 4));
    let before = ledger.lasting_rows();
    let twice = [again.clone(), again.clone()].concat();
    let mut envelope = ledger.envelope(&bob.key, &twice);
    envelope.atomic = true;
    let applied = ledger.apply(&[envelope]);
    assert_eq!(codes(&applied)[2], Code::PriceNotLower);
    assert_eq!(ledger.lasting_rows(), before);

    let refunded = [vec![refund(cited, 2)], again].concat();
    let envelope = ledger.envelope(&bob.key, &refunded);
    let applied = ledger.apply(&[envelope]);
    assert_eq!(codes(&applied)[1], Code::Ok);
    let effect = &applied.effects[128..];
    assert_eq!((effect[0], effect[40]), (20, 7));
    assert_eq!(effect[72..88], card);
    assert_eq!(
        ledger.columns(&bob.account)[3] - ledger.columns(&bob.account)[1],
        START_AMOUNT + 12
    );
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}
