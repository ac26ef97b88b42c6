//! Rate cards and the holds that they price: each of their codes, an undo, a restart, pruning.

use sha2::{Digest, Sha256};
use tallystick_core::format::limits::QUOTE_PREFIX;
use tallystick_core::format::{cont_hash, kind, Code, Id16, ZERO_ID};
use tallystick_core::kernel::Kernel;
use tallystick_core::tree::root_of_hashes;

use crate::ledger::*;
use crate::support::{public_key, signing_key, SECOND_NS};

const NOTICE_NS: u64 = 60 * SECOND_NS;
const MILLION: u128 = 1_000_000;

/// A head with CONTs that hold `content`.
pub fn with_conts(mut head: Record, content: &[u8], count: usize) -> Vec<Record> {
    let payloads = (0..count).map(|at| {
        let part = content.get(104 * at..).unwrap_or_default();
        let mut cont = record(kind::CONT, &[]);
        let length = part.len().min(104);
        cont[8..8 + length].copy_from_slice(&part[..length]);
        cont
    });
    let conts: Vec<Record> = payloads.collect();
    head[4] = count as u8;
    head[80..112].copy_from_slice(&cont_hash(&conts.concat()));
    [vec![head], conts].concat()
}

fn card(unit: &Id16, effective_from_ns: u64, root: &[u8; 32], supersedes: &Id16) -> Vec<Record> {
    let effective_from_ns = effective_from_ns.to_le_bytes();
    let head = record(
        kind::CARD,
        &[(8, unit), (24, &effective_from_ns), (32, &[1]), (40, root)],
    );
    with_conts(head, supersedes, 1)
}

fn price(card: &Id16, model: &Id16, meter: &Id16, price: u128) -> Vec<Record> {
    let price = price.to_le_bytes();
    let head = record(
        kind::PRICE,
        &[(8, card), (24, model), (40, meter), (56, &price)],
    );
    let mut content = [0; 53];
    content[50..52].copy_from_slice(&1_440_u16.to_le_bytes());
    content[52] = 0x7F;
    with_conts(head, &content, 1)
}

fn leaf(line: &[Record]) -> [u8; 32] {
    let hash = Sha256::new().chain_update([0]);
    let hash = hash.chain_update(&line[0][..80]);
    hash.chain_update(&line[1][8..112]).finalize().into()
}

/// A ledger on which Bob sells a model, by one meter.
pub struct Shop {
    pub model: Id16,
    pub meter: Id16,
}

impl Shop {
    pub fn new(ledger: &mut Ledger) -> Self {
        let bob = ledger.bob;
        Self {
            model: ledger.make(&bob, |_| name(1, b"model")),
            meter: ledger.make(&bob, |_| name(2, b"meter")),
        }
    }

    /// A card of one line, published unless `steps` end before: CARD, PRICE, CARD_PUBLISH.
    pub fn card(&self, ledger: &mut Ledger, old: &Id16, steps: usize) -> (Id16, Vec<Code>) {
        let bob = ledger.bob;
        let id = ledger.envelope_id();
        let card_id = ledger.derived(&bob.principal, &id, 0);
        let line = price(&card_id, &self.model, &self.meter, 3 * MILLION);
        let starts = ledger.now_ns + NOTICE_NS + SECOND_NS;
        let records = [
            card(&ledger.usd, starts, &root_of_hashes(vec![leaf(&line)]), old),
            line,
            vec![record(kind::CARD_PUBLISH, &[(8, &card_id)])],
        ];
        let mut envelope = ledger.envelope(&bob.key, &records[..steps].concat());
        envelope.id = id;
        let given = codes(&ledger.apply(&[envelope]));
        (card_id, given)
    }

    /// A published card that is effective.
    pub fn open(&self, ledger: &mut Ledger) -> Id16 {
        let (card, codes) = self.card(ledger, &ZERO_ID, 3);
        assert_eq!(codes, [Code::Ok; 5]);
        ledger.wait(NOTICE_NS + 2 * SECOND_NS);
        card
    }

    fn reserve(&self, ledger: &Ledger, card: &Id16, maximum: u128) -> Vec<Record> {
        self.reserve_on_debt(ledger, card, maximum, 0)
    }

    /// A RESERVE with overrun DEBT, or REJECT without a limit.
    pub fn reserve_on_debt(
        &self,
        ledger: &Ledger,
        card: &Id16,
        maximum: u128,
        limit: u128,
    ) -> Vec<Record> {
        let (alice, bob) = (ledger.alice, ledger.bob);
        let expires = ledger.now_ns + 50 * SECOND_NS;
        let head = with(
            reserve(&alice.account, &bob.account, maximum, expires),
            6,
            1,
        );
        let mut content = [card.as_slice(), &self.model, &[0; 168]].concat();
        content[176] = if limit > 0 { 3 } else { 1 };
        content[184..200].copy_from_slice(&limit.to_le_bytes());
        with_conts(head, &content, 3)
    }

    /// A priced hold; its id.
    pub fn hold(&self, ledger: &mut Ledger, card: &Id16, maximum: u128) -> Id16 {
        self.hold_on_debt(ledger, card, maximum, 0)
    }

    /// As `hold`, with overrun DEBT.
    pub fn hold_on_debt(
        &self,
        ledger: &mut Ledger,
        card: &Id16,
        maximum: u128,
        limit: u128,
    ) -> Id16 {
        let alice = ledger.alice;
        let id = ledger.envelope_id();
        let hold = ledger.derived(&alice.principal, &id, 0);
        let records = self.reserve_on_debt(ledger, card, maximum, limit);
        let mut envelope = ledger.envelope(&alice.key, &records);
        envelope.id = id;
        assert_eq!(codes(&ledger.apply(&[envelope])), [Code::Ok; 4]);
        hold
    }

    /// A CAPTURE of what costs 3 each.
    pub fn used(&self, hold: &Id16, quantity: u64) -> Vec<Record> {
        self.capture(hold, 3 * u128::from(quantity), &self.meter, quantity)
    }

    /// The content of a quote of Bob's for Alice, at 3 a meter.
    fn quote(&self, ledger: &mut Ledger, cap: u128, life_ns: u64) -> Vec<u8> {
        let (alice, bob) = (ledger.alice, ledger.bob);
        let signer = signing_key(51);
        let public = public_key(&signer);
        if ledger.kernel.key_row(public).is_none() {
            ledger.ok(&bob, key(ADD, &public, &bob.principal, 6, 0));
        }
        let not_after = (ledger.now_ns + life_ns).to_le_bytes();
        let line = [self.model, self.meter, ZERO_ID, ZERO_ID].concat();
        let price = (3 * MILLION).to_le_bytes();
        let body = [
            &public[..],
            &alice.principal,
            &ledger.usd,
            &cap.to_le_bytes(),
            &not_after,
            &[7; 16],
            &line,
            &price,
        ]
        .concat();
        let message = [QUOTE_PREFIX, &ledger.genesis.ledger_id, &body].concat();
        let signature: [u8; 64] = signer.sign(&message).into();
        [&[1, 0, 0, 0, 0, 0, 0, 0][..], &body, &signature].concat()
    }

    /// A METER of Alice's under a quote, which comes along or does not.
    fn metered_quoted(
        &self,
        ledger: &Ledger,
        quote: &[u8],
        amount: u128,
        quantity: u64,
        along: bool,
    ) -> Vec<Record> {
        let body = &quote[8..quote.len() - 64];
        let hash = Sha256::new().chain_update(QUOTE_PREFIX);
        let mut id = ZERO_ID;
        id.copy_from_slice(&hash.chain_update(body).finalize()[..16]);
        let mut records = metered(ledger, &id, self, amount, quantity);
        if along {
            let conts = quote.len().div_ceil(104);
            let more = with_conts(records[0], quote, conts).split_off(1);
            records.extend(more);
        }
        records[0][7] = 1;
        records[0][4] = records.len() as u8 - 1;
        let hash = cont_hash(&records[1..].concat());
        records[0][80..112].copy_from_slice(&hash);
        records
    }

    fn capture(&self, hold: &Id16, amount: u128, meter: &Id16, quantity: u64) -> Vec<Record> {
        let mut content = [0; 40].to_vec();
        content[32] = 1;
        content.extend_from_slice(meter);
        content.extend_from_slice(&quantity.to_le_bytes());
        with_conts(capture(hold, amount), &content, 1)
    }
}

/// A METER of Alice's for Bob.
pub fn metered(
    ledger: &Ledger,
    card: &Id16,
    shop: &Shop,
    amount: u128,
    quantity: u64,
) -> Vec<Record> {
    metered_by(ledger, card, shop, (amount, quantity), &ZERO_ID)
}

/// The same, under a mandate.
fn metered_by(
    ledger: &Ledger,
    card: &Id16,
    shop: &Shop,
    (amount, quantity): (u128, u64),
    mandate: &Id16,
) -> Vec<Record> {
    let (alice, bob, amount) = (ledger.alice, ledger.bob, amount.to_le_bytes());
    let head = record(
        kind::METER,
        &[
            (6, &[1]),
            (8, &alice.account),
            (24, &bob.account),
            (40, &amount),
        ],
    );
    let mut content = [card.as_slice(), &shop.model, mandate, &[0; 56]].concat();
    content[96] = 1;
    content.extend_from_slice(&shop.meter);
    content.extend_from_slice(&quantity.to_le_bytes());
    with_conts(head, &content, 2)
}

/// The codes up to that of the last head.
pub fn heads(ledger: &mut Ledger, person: &Person, records: &[Record]) -> Vec<Code> {
    let is_head = |record: &Record| record[..2] != kind::CONT.to_le_bytes();
    let last = records.iter().rposition(is_head).unwrap_or_default();
    let mut given = ledger.codes(&person.key, records);
    given.truncate(last + 1);
    given
}

pub type Scenario = fn(&mut Ledger) -> Vec<Code>;

pub const CODES: &[(Code, Scenario)] = &[
    (Code::CardNotFound, |l| {
        let bob = l.bob;
        heads(l, &bob, &[record(kind::CARD_PUBLISH, &[(8, &[5; 16])])])
    }),
    (Code::NameNotFound, |l| {
        let shop = Shop::new(l);
        let (card, _) = shop.card(l, &ZERO_ID, 1);
        let bob = l.bob;
        heads(l, &bob, &price(&card, &shop.meter, &shop.meter, 1))
    }),
    (Code::CardState, |l| {
        let shop = Shop::new(l);
        let card = shop.open(l);
        let bob = l.bob;
        heads(l, &bob, &[record(kind::CARD_PUBLISH, &[(8, &card)])])
    }),
    (Code::LineCountMismatch, |l| {
        let shop = Shop::new(l);
        let (card, _) = shop.card(l, &ZERO_ID, 1);
        let bob = l.bob;
        heads(l, &bob, &[record(kind::CARD_PUBLISH, &[(8, &card)])])
    }),
    (Code::LinesRootMismatch, |l| {
        let shop = Shop::new(l);
        let (card, _) = shop.card(l, &ZERO_ID, 1);
        let bob = l.bob;
        let line = price(&card, &shop.model, &shop.meter, 1);
        let publish = record(kind::CARD_PUBLISH, &[(8, &card)]);
        heads(l, &bob, &[line, vec![publish]].concat())
    }),
    (Code::LinesOverlap, |l| {
        let (bob, usd) = (l.bob, l.usd);
        let shop = Shop::new(l);
        let mut head = card(&usd, 1, &[0; 32], &ZERO_ID);
        head[0][32] = 2;
        let id = l.envelope_id();
        let card = l.derived(&bob.principal, &id, 0);
        let line = price(&card, &shop.model, &shop.meter, 1);
        let mut envelope = l.envelope(&bob.key, &[head, line.clone(), line].concat());
        envelope.id = id;
        codes(&l.apply(&[envelope]))[..5].to_vec()
    }),
    (Code::NoticeTooShort, |l| {
        let shop = Shop::new(l);
        let (card, _) = shop.card(l, &ZERO_ID, 2);
        l.wait(2 * SECOND_NS);
        let bob = l.bob;
        heads(l, &bob, &[record(kind::CARD_PUBLISH, &[(8, &card)])])
    }),
    (Code::NotProvider, |l| {
        let shop = Shop::new(l);
        let card = shop.open(l);
        let (bank, usd, alice) = (l.bank, l.usd, l.alice);
        let other = l.new_account(&bank, &usd);
        let mut records = shop.reserve(l, &card, 5);
        records[0][24..40].copy_from_slice(&other);
        heads(l, &alice, &records)
    }),
    (Code::CardNotEffective, |l| {
        let shop = Shop::new(l);
        let (card, _) = shop.card(l, &ZERO_ID, 3);
        let (alice, records) = (l.alice, shop.reserve(l, &card, 5));
        heads(l, &alice, &records)
    }),
    (Code::HoldMode, |l| {
        let shop = Shop::new(l);
        let card = shop.open(l);
        let (bob, hold) = (l.bob, shop.hold(l, &card, 9));
        heads(l, &bob, &[capture(&hold, 3)])
    }),
    (Code::PriceNotAgreed, |l| {
        let shop = Shop::new(l);
        let card = shop.open(l);
        let (bob, hold) = (l.bob, shop.hold(l, &card, 9));
        let mut records = shop.capture(&hold, 3, &shop.meter, 1);
        records[1][8] = 1;
        heads(l, &bob, &records)
    }),
    (Code::Unpriced, |l| {
        let shop = Shop::new(l);
        let card = shop.open(l);
        let (bob, hold) = (l.bob, shop.hold(l, &card, 9));
        heads(l, &bob, &shop.capture(&hold, 3, &shop.model, 1))
    }),
    (Code::MandateNotFound, |l| {
        let bob = l.bob;
        heads(l, &bob, &[record(kind::MANDATE_END, &[(8, &[5; 16])])])
    }),
    (Code::MandateEnded, |l| {
        let mandate = l.mandate(9);
        let (alice, end) = (l.alice, record(kind::MANDATE_END, &[(8, &mandate)]));
        heads(l, &alice, &[end, end])
    }),
    (Code::MandateExceeded, |l| {
        let shop = Shop::new(l);
        let card = shop.open(l);
        let (bob, mandate) = (l.bob, l.mandate(9));
        let records = metered_by(l, &card, &shop, (12, 4), &mandate);
        heads(l, &bob, &records)
    }),
    (Code::QuoteNotFound, |l| {
        let shop = Shop::new(l);
        let quote = shop.quote(l, 100, 60 * SECOND_NS);
        let alice = l.alice;
        heads(l, &alice, &shop.metered_quoted(l, &quote, 3, 1, false))
    }),
    (Code::QuoteExpired, |l| {
        let shop = Shop::new(l);
        let quote = shop.quote(l, 100, 0);
        l.wait(SECOND_NS);
        let alice = l.alice;
        heads(l, &alice, &shop.metered_quoted(l, &quote, 3, 1, true))
    }),
    (Code::BadQuote, |l| {
        let shop = Shop::new(l);
        let mut quote = shop.quote(l, 100, 60 * SECOND_NS);
        let last = quote.len() - 1;
        quote[last] ^= 1;
        let alice = l.alice;
        heads(l, &alice, &shop.metered_quoted(l, &quote, 3, 1, true))
    }),
    (Code::QuoteExceeded, |l| {
        let shop = Shop::new(l);
        let quote = shop.quote(l, 2, 60 * SECOND_NS);
        let alice = l.alice;
        heads(l, &alice, &shop.metered_quoted(l, &quote, 3, 1, true))
    }),
    (Code::PriceMismatch, |l| {
        let shop = Shop::new(l);
        let card = shop.open(l);
        let (bob, hold) = (l.bob, shop.hold(l, &card, 9));
        heads(l, &bob, &shop.capture(&hold, 4, &shop.meter, 1))
    }),
];

#[test]
fn a_priced_hold_pays_what_its_card_says_and_cites_it() {
    let mut ledger = Ledger::new();
    let shop = Shop::new(&mut ledger);
    let card = shop.open(&mut ledger);
    let hold = shop.hold(&mut ledger, &card, 100);
    let bob = ledger.bob;
    let envelope = ledger.envelope(&bob.key, &shop.capture(&hold, 21, &shop.meter, 7));
    let applied = ledger.apply(&[envelope]);
    assert_eq!(codes(&applied)[0], Code::Ok);
    assert_eq!(applied.effects[72..88], card);
    assert_eq!(ledger.columns(&bob.account), [0, 0, 79, START_AMOUNT + 21]);
}

#[test]
fn metered_usage_pays_what_the_card_says_and_is_undone_whole() {
    let mut ledger = Ledger::new();
    let shop = Shop::new(&mut ledger);
    let card = shop.open(&mut ledger);
    let alice = ledger.alice;
    let (good, dear) = (
        metered(&ledger, &card, &shop, 21, 7),
        metered(&ledger, &card, &shop, 22, 7),
    );
    let envelope = ledger.envelope(&alice.key, &good);
    let applied = ledger.apply(&[envelope]);
    assert_eq!(codes(&applied)[0], Code::Ok);
    assert_eq!((applied.effects[0], applied.effects[40]), (6, 21));
    assert_eq!(applied.effects[72..88], card);
    let columns = [0, 21, 0, START_AMOUNT];
    assert_eq!(ledger.columns(&alice.account), columns);
    let before = ledger.lasting_rows();
    let mut envelope = ledger.envelope(&alice.key, &[good, dear].concat());
    envelope.atomic = true;
    let applied = ledger.apply(&[envelope]);
    assert_eq!(codes(&applied)[3], Code::PriceMismatch);
    assert!(applied.effects.is_empty());
    assert_eq!(ledger.lasting_rows(), before);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}

#[test]
fn a_mandate_is_used_undone_restored_and_forgotten() {
    let mut ledger = Ledger::new();
    let shop = Shop::new(&mut ledger);
    let card = shop.open(&mut ledger);
    let (alice, bob, mandate) = (ledger.alice, ledger.bob, ledger.mandate(30));
    let used = |ledger: &Ledger| {
        let row = ledger.kernel.mandate_row(mandate).expect("it is there");
        tallystick_core::format::u128_at(&row, 96)
    };
    let charge = metered_by(&ledger, &card, &shop, (21, 7), &mandate);
    assert_eq!(ledger.codes(&bob.key, &charge)[0], Code::Ok);
    assert_eq!(used(&ledger), 21);
    let before = ledger.lasting_rows();
    let small = metered_by(&ledger, &card, &shop, (3, 1), &mandate);
    let end = vec![record(kind::MANDATE_END, &[(8, &mandate)])];
    let mut envelope = ledger.envelope(&bob.key, &[small.clone(), end, charge].concat());
    envelope.atomic = true;
    assert_eq!(codes(&ledger.apply(&[envelope]))[4], Code::MandateEnded);
    assert_eq!(ledger.lasting_rows(), before);
    let checkpoint = ledger.kernel.checkpoint(7);
    ledger.kernel = Kernel::restore(ledger.genesis.clone(), &checkpoint).expect("its own");
    assert_eq!(ledger.codes(&bob.key, &small)[0], Code::Ok);
    assert_eq!(used(&ledger), 24);
    let end = record(kind::MANDATE_END, &[(8, &mandate)]);
    assert_eq!(ledger.codes(&alice.key, &[end]), [Code::Ok]);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
    ledger.wait(400 * 86_400 * SECOND_NS);
    let node = ledger.node;
    ledger.codes(&node.key, &[tick()]);
    assert_eq!(ledger.kernel.mandate_row(mandate), None);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}

#[test]
fn a_quote_is_redeemed_undone_restored_and_forgotten() {
    let mut ledger = Ledger::new();
    let shop = Shop::new(&mut ledger);
    let (alice, quote) = (ledger.alice, shop.quote(&mut ledger, 30, 60 * SECOND_NS));
    let mut id = ZERO_ID;
    let hash = Sha256::new().chain_update(QUOTE_PREFIX);
    let body = &quote[8..quote.len() - 64];
    id.copy_from_slice(&hash.chain_update(body).finalize()[..16]);
    let agreed = |ledger: &Ledger| {
        let row = ledger.kernel.quote_row(id);
        row.map(|row| tallystick_core::format::u128_at(&row, 80))
    };
    let (first, dear) = (
        shop.metered_quoted(&ledger, &quote, 21, 7, true),
        shop.metered_quoted(&ledger, &quote, 12, 4, false),
    );
    let before = ledger.lasting_rows();
    let mut envelope = ledger.envelope(&alice.key, &[first.clone(), dear].concat());
    envelope.atomic = true;
    let given = codes(&ledger.apply(&[envelope]));
    assert_eq!(given[first.len()], Code::QuoteExceeded);
    assert_eq!(ledger.lasting_rows(), before);
    assert_eq!(ledger.codes(&alice.key, &first)[0], Code::Ok);
    assert_eq!(agreed(&ledger), Some(21));
    let checkpoint = ledger.kernel.checkpoint(7);
    ledger.kernel = Kernel::restore(ledger.genesis.clone(), &checkpoint).expect("its own");
    let small = shop.metered_quoted(&ledger, &quote, 9, 3, false);
    assert_eq!(ledger.codes(&alice.key, &small)[0], Code::Ok);
    assert_eq!(agreed(&ledger), Some(30));
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
    ledger.wait(400 * 86_400 * SECOND_NS);
    let node = ledger.node;
    ledger.codes(&node.key, &[tick()]);
    assert_eq!(agreed(&ledger), None);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}

#[test]
fn an_undone_card_leaves_nothing() {
    let mut ledger = Ledger::new();
    let shop = Shop::new(&mut ledger);
    let old = shop.open(&mut ledger);
    let before = ledger.lasting_rows();
    let (bob, usd) = (ledger.bob, ledger.usd);
    let id = ledger.envelope_id();
    let new = ledger.derived(&bob.principal, &id, 0);
    let line = price(&new, &shop.model, &shop.meter, 1);
    let starts = ledger.now_ns + 2 * NOTICE_NS;
    let records = [
        card(&usd, starts, &root_of_hashes(vec![leaf(&line)]), &old),
        line,
        vec![record(kind::CARD_PUBLISH, &[(8, &new)])],
        vec![release(&[9; 16])],
    ];
    let mut envelope = ledger.envelope(&bob.key, &records.concat());
    (envelope.id, envelope.atomic) = (id, true);
    let given = codes(&ledger.apply(&[envelope]));
    assert_eq!(given[5], Code::HoldNotFound, "{given:?}");
    assert_eq!(ledger.lasting_rows(), before);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}

#[test]
fn a_restart_keeps_cards_and_terms_and_log_time_forgets_them() {
    let mut ledger = Ledger::new();
    let shop = Shop::new(&mut ledger);
    let card = shop.open(&mut ledger);
    let hold = shop.hold(&mut ledger, &card, 100);
    shop.card(&mut ledger, &ZERO_ID, 2);
    shop.card(&mut ledger, &card, 3);
    let checkpoint = ledger.kernel.checkpoint(7);
    ledger.kernel = Kernel::restore(ledger.genesis.clone(), &checkpoint).expect("its own");
    let bob = ledger.bob;
    let used = shop.capture(&hold, 21, &shop.meter, 7);
    assert_eq!(ledger.codes(&bob.key, &used)[0], Code::Ok);
    let count = |ledger: &Ledger, table| {
        let (rows, mut at, mut found) = (ledger.kernel.state_rows(), 0, 0);
        while at < rows.len() {
            let head = &rows[at..at + 8];
            found += usize::from(head[0] == table);
            at += 8 + u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        }
        found
    };
    assert_eq!([11, 12, 14].map(|table| count(&ledger, table)), [3, 3, 1]);
    // All holds and drafts are over.
    ledger.wait(400 * 86_400 * SECOND_NS);
    let node = ledger.node;
    ledger.codes(&node.key, &[tick()]);
    ledger.wait(400 * 86_400 * SECOND_NS);
    ledger.codes(&node.key, &[tick()]);
    assert_eq!([11, 12, 14].map(|table| count(&ledger, table)), [1, 1, 0]);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}
