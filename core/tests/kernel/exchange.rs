//! Exchange quotes: their code, an undo, a restart, and how they are forgotten.

use ed25519_zebra::SigningKey;
use sha2::{Digest, Sha256};
use tallystick_core::format::limits::EXCHANGE_PREFIX;
use tallystick_core::format::{u128_at, Code, Id16, ZERO_ID};
use tallystick_core::kernel::Kernel;

use crate::ledger::*;
use crate::prices::{with_conts, Scenario};
use crate::support::{public_key, signing_key, SECOND_NS};

const ADD: u8 = 1;
const SPEND: u8 = 2;
const STOCK: u128 = 100;

/// Bob gives 3 tokens for each 2 of Alice's money.
struct Desk {
    signer: SigningKey,
    stock: Id16,
    wallet: Id16,
}

impl Desk {
    fn new(ledger: &mut Ledger) -> Self {
        let (alice, bob, bank) = (ledger.alice, ledger.bob, ledger.bank);
        let tokens = ledger.new_unit(b"TOK");
        let stock = ledger.new_account(&bob, &tokens);
        let wallet = ledger.new_account(&alice, &tokens);
        ledger.ok(&bank, issue(&tokens, &stock, STOCK));
        let signer = signing_key(61);
        let public = public_key(&signer);
        ledger.ok(&bob, key(ADD, &public, &bob.principal, SPEND, 0));
        Self {
            signer,
            stock,
            wallet,
        }
    }

    /// A quote, and its id.
    fn quote(&self, ledger: &Ledger, cap: u128, life_ns: u64) -> (Id16, Vec<u8>) {
        let body = [
            &public_key(&self.signer)[..],
            &self.stock,
            &ledger.bob.account,
            &ZERO_ID,
            &3_u128.to_le_bytes(),
            &2_u128.to_le_bytes(),
            &cap.to_le_bytes(),
            &(ledger.now_ns + life_ns).to_le_bytes(),
            &[7; 16],
        ]
        .concat();
        let message = [EXCHANGE_PREFIX, &ledger.genesis.ledger_id, &body].concat();
        let signature: [u8; 64] = self.signer.sign(&message).into();
        let hash = Sha256::new().chain_update(EXCHANGE_PREFIX);
        let mut id = ZERO_ID;
        id.copy_from_slice(&hash.chain_update(&body).finalize()[..16]);
        (id, [&body[..], &signature].concat())
    }

    fn take(&self, ledger: &Ledger, quote: &[u8], amount: u128, output: u128) -> Vec<Record> {
        let head = transfer(&ledger.alice.account, &ledger.bob.account, amount);
        let content = [&self.wallet[..], &output.to_le_bytes(), quote].concat();
        with_conts(head, &content, 3)
    }
}

pub const CODES: &[(Code, Scenario)] = &[(Code::MakerCannotPay, |l| {
    let desk = Desk::new(l);
    let (_, quote) = desk.quote(l, 1_000, 60 * SECOND_NS);
    let key = l.alice.key;
    let mut codes = l.codes(&key, &desk.take(l, &quote, STOCK, STOCK * 3 / 2));
    codes.truncate(1);
    codes
})];

fn given(ledger: &Ledger, id: Id16) -> Option<u128> {
    let row = ledger.kernel.exchange_quote_row(id)?;
    Some(u128_at(&row, 48))
}

#[test]
fn a_quote_is_taken_undone_restored_and_forgotten() {
    let mut ledger = Ledger::new();
    let desk = Desk::new(&mut ledger);
    let (id, quote) = desk.quote(&ledger, 30, 60 * SECOND_NS);
    let key = ledger.alice.key;
    let first = desk.take(&ledger, &quote, 14, 21);
    let dear = desk.take(&ledger, &quote, 8, 12);
    let before = ledger.lasting_rows();
    let mut envelope = ledger.envelope(&key, &[first.clone(), dear].concat());
    envelope.atomic = true;
    let answers = crate::ledger::codes(&ledger.apply(&[envelope]));
    assert_eq!(answers[first.len()], Code::QuoteExceeded);
    assert_eq!(ledger.lasting_rows(), before);
    let envelope = ledger.envelope(&key, &first);
    let applied = ledger.apply(&[envelope]);
    assert_eq!((applied.effects.len(), applied.effects[0]), (128, 19));
    assert_eq!(applied.effects[72..88], id);
    assert_eq!(given(&ledger, id), Some(21));
    assert_eq!(ledger.columns(&desk.wallet), [0, 0, 0, 21]);
    let checkpoint = ledger.kernel.checkpoint(7);
    ledger.kernel = Kernel::restore(ledger.genesis.clone(), &checkpoint).expect("its own");
    assert_eq!(
        ledger.codes(&key, &desk.take(&ledger, &quote, 6, 9))[0],
        Code::Ok
    );
    assert_eq!(given(&ledger, id), Some(30));
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
    ledger.wait(61 * SECOND_NS);
    let last = desk.take(&ledger, &quote, 2, 3);
    assert_eq!(ledger.codes(&key, &last)[0], Code::QuoteExpired);
    assert_eq!(given(&ledger, id), None);
    assert_eq!(ledger.kernel.verify_invariants(), Vec::<String>::new());
}

#[test]
fn a_forged_or_lowered_output_is_refused() {
    let mut ledger = Ledger::new();
    let desk = Desk::new(&mut ledger);
    let (_, quote) = desk.quote(&ledger, 30, 60 * SECOND_NS);
    let key = ledger.alice.key;
    for (amount, output) in [(3, 5), (3, 3), (1, 2)] {
        let record = desk.take(&ledger, &quote, amount, output);
        assert_eq!(ledger.codes(&key, &record)[0], Code::PriceMismatch);
    }
    let mut forged = quote;
    forged[150] ^= 1;
    let record = desk.take(&ledger, &forged, 3, 4);
    assert_eq!(ledger.codes(&key, &record)[0], Code::BadQuote);
}
