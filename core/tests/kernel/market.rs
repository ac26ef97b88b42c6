//! Reads of cards and lines, and the texts of names that a block registered.

use tallystick_core::format::{Code, Id16, ZERO_ID};
use tallystick_core::kernel::CardList;

use crate::ledger::*;
use crate::prices::Shop;

const CARD_ROW_BYTES: usize = 392;
const LINE_ROW_BYTES: usize = 184;
const TERMS_ROW_BYTES: usize = 232;

fn ids(rows: &[u8]) -> Vec<&[u8]> {
    rows.chunks(CARD_ROW_BYTES).map(|row| &row[..16]).collect()
}

/// (id, owner, kind, text) of each name.
fn names(mut packed: &[u8]) -> Vec<(Id16, Id16, u16, Vec<u8>)> {
    let id = |bytes: &[u8]| -> Id16 { bytes.try_into().expect("16 bytes") };
    let number = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
    let mut found = Vec::new();
    while !packed.is_empty() {
        let end = 36 + usize::from(number(&packed[34..]));
        found.push((
            id(&packed[..16]),
            id(&packed[16..32]),
            number(&packed[32..]),
            packed[36..end].to_vec(),
        ));
        packed = &packed[end..];
    }
    found
}

#[test]
fn a_block_tells_the_names_that_it_registered_and_no_others() {
    let mut ledger = Ledger::new();
    let (alice, bob) = (ledger.alice, ledger.bob);
    let first = ledger.envelope_id();
    let mut envelopes = vec![
        ledger.envelope(
            &alice.key,
            &[
                transfer(&alice.account, &bob.account, 1),
                name(1, b"model"),
                name(1, b"model"),
                name(2, b"meter"),
            ],
        ),
        ledger.envelope(&bob.key, &[name(5, b"undone"), release(&[9; 16])]),
        ledger.envelope(&bob.key, &[name(7, b"label")]),
    ];
    envelopes[0].id = first;
    envelopes[1].atomic = true;
    let applied = ledger.apply(&envelopes);
    let found = names(&applied.names);
    let made = |index| ledger.derived(&alice.principal, &first, index);
    assert_eq!(found[0], (made(1), alice.principal, 1, b"model".to_vec()));
    assert_eq!(found[1], (made(3), alice.principal, 2, b"meter".to_vec()));
    assert_eq!(found[2].1, bob.principal);
    assert_eq!(found[2].3, b"label");
    assert_eq!(found.len(), 3);
    assert_eq!(ledger.kernel.status().names, 3);
    // The same envelope once more is a duplicate and registers nothing.
    let again = ledger.apply(&envelopes[..1]);
    assert_eq!(codes(&again)[1], Code::Duplicate);
    assert!(again.names.is_empty());
}

#[test]
fn a_long_name_is_told_whole() {
    let mut ledger = Ledger::new();
    let text = [b'x'; 200];
    let mut head = name(1, &text[..64]);
    head[8] = 200;
    let conts = crate::prices::with_conts(head, &text[64..], 2);
    let bob = ledger.bob;
    let envelope = ledger.envelope(&bob.key, &conts);
    let applied = ledger.apply(&[envelope]);
    assert_eq!(codes(&applied), [Code::Ok; 3]);
    assert_eq!(names(&applied.names)[0].3, text);
}

#[test]
fn cards_are_listed_by_id_and_drafts_with_their_owners_only() {
    let mut ledger = Ledger::new();
    let shop = Shop::new(&mut ledger);
    let published = shop.open(&mut ledger);
    let (draft, _) = shop.card(&mut ledger, &ZERO_ID, 2);
    let (alice, bob) = (ledger.alice.principal, ledger.bob.principal);
    let kernel = &ledger.kernel;
    let list = |drafts_of, owner, model| {
        let list = CardList {
            drafts_of,
            owner,
            model,
        };
        kernel.card_list(&list, ZERO_ID, 10)
    };
    let mut both = vec![published.as_slice(), draft.as_slice()];
    both.sort_unstable();
    assert_eq!(ids(&list(Some(bob), None, None)), both);
    assert_eq!(ids(&list(None, Some(bob), Some(shop.model))), both);
    assert_eq!(ids(&list(Some(alice), None, None)), [published]);
    assert!(list(None, Some(alice), None).is_empty());
    assert!(list(None, None, Some(shop.meter)).is_empty());
    let all = CardList::default();
    let first = kernel.card_list(&all, ZERO_ID, 1);
    assert_eq!(ids(&first), both[..1]);
    let after = first[..16].try_into().expect("an id");
    assert_eq!(ids(&kernel.card_list(&all, after, 1)), both[1..]);
    assert_eq!(kernel.card_rows(&published)[..16], published);
    assert_eq!(kernel.card_rows(&[9; 16]), [0; CARD_ROW_BYTES]);
}

#[test]
fn lines_are_those_of_the_card_from_a_number_on() {
    let mut ledger = Ledger::new();
    let shop = Shop::new(&mut ledger);
    let card = shop.open(&mut ledger);
    let kernel = &ledger.kernel;
    let rows = kernel.card_lines(card, None, 0, 10);
    assert_eq!(rows.len(), LINE_ROW_BYTES);
    assert_eq!(rows[16..32], card);
    assert_eq!(kernel.card_lines(card, Some(shop.model), 0, 10), rows);
    assert!(kernel.card_lines(card, Some(shop.meter), 0, 10).is_empty());
    assert!(kernel.card_lines(card, None, 1, 10).is_empty());
    assert!(kernel.card_lines(card, None, 0, 0).is_empty());
    assert!(kernel.card_lines([9; 16], None, 0, 10).is_empty());
}

#[test]
fn only_a_priced_hold_has_terms() {
    let mut ledger = Ledger::new();
    let shop = Shop::new(&mut ledger);
    let card = shop.open(&mut ledger);
    let priced = shop.hold(&mut ledger, &card, 5);
    let (alice, bob) = (ledger.alice, ledger.bob);
    let expires = ledger.now_ns + 50 * crate::support::SECOND_NS;
    let flat = ledger.make(&alice, |_| {
        reserve(&alice.account, &bob.account, 1, expires)
    });
    let rows = ledger.kernel.terms_rows(&[priced, flat].concat());
    assert_eq!(rows[..16], priced);
    assert_eq!(rows[16..32], card);
    assert_eq!(rows.len(), 2 * TERMS_ROW_BYTES);
    assert_eq!(rows[TERMS_ROW_BYTES..], [0; TERMS_ROW_BYTES]);
}
