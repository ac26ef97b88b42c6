//! Signatures in batches and alone.
//!
//! Input: any number of signatures, each a recipe: a good one, one with a field damaged, or fields
//! from a table of awkward encodings (small order, not canonical, no point) or from the input.
//!
//! Properties: a batch gives each signature the answer that it gets alone, whatever the threads and
//! the secret; what is accepted holds by the bare equation of ZIP-215, too; whatever has canonical
//! R and S and holds by the equation is accepted.

use tallystick_core::format::limits::ENVELOPE_PREFIX;
use tallystick_core::verify::{
    key_is_acceptable, point_is_canonical, verify_batch, verify_strict, verify_zip215, Item, Lane,
    Seed,
};

use crate::source::Source;
use crate::support::public_key;
use crate::world::world;

/// Encodings that implementations disagree about: points of order 1, 2, 4 and 8, the same not
/// canonically encoded, y = p and above, no point.
const AWKWARD: [[u8; 32]; 10] = [
    filled(1, 0, 0),
    filled(1, 0, 0x80),
    filled(0xec, 0xff, 0x7f),
    filled(0xec, 0xff, 0xff),
    filled(0xed, 0xff, 0x7f),
    filled(0xee, 0xff, 0x7f),
    filled(0xff, 0xff, 0xff),
    filled(0, 0, 0),
    filled(0, 0, 0x80),
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];
const MAX_ITEMS: usize = 48;

const fn filled(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut out = [middle; 32];
    out[0] = first;
    out[31] = last;
    out
}

struct Signed {
    key: [u8; 32],
    signature: [u8; 64],
    body: Vec<u8>,
}

pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let mut signed = Vec::new();
    while !source.is_empty() && signed.len() < MAX_ITEMS {
        signed.push(recipe(&mut source));
    }
    let items: Vec<Item<'_>> = signed
        .iter()
        .map(|one| Item {
            key: &one.key,
            signature: &one.signature,
            prefix: ENVELOPE_PREFIX,
            body: &one.body,
        })
        .collect();
    let alone: Vec<bool> = items.iter().map(verify_strict).collect();
    for (secret, lane) in [([1; 32], Lane::Headers), ([2; 32], Lane::Possessions)] {
        let seed = Seed {
            secret: &secret,
            lane,
        };
        assert_eq!(verify_batch(&items, seed, 1), alone);
    }
    for (one, &accepted) in signed.iter().zip(&alone) {
        let message = [ENVELOPE_PREFIX, &one.body].concat();
        let holds = verify_zip215(&one.key, &message, &one.signature);
        let r = one.signature.first_chunk().expect("64 bytes");
        assert_eq!(accepted, holds && point_is_canonical(r));
        // Only that it answers.
        key_is_acceptable(&one.key);
    }
}

fn recipe(source: &mut Source<'_>) -> Signed {
    let world = world();
    let (kind, which) = (source.u8(), source.u8());
    let signer = &world.keys[usize::from(which) % world.keys.len()];
    let body = vec![which, kind];
    let message = [ENVELOPE_PREFIX, &body].concat();
    let mut one = Signed {
        key: public_key(signer),
        signature: signer.sign(&message).into(),
        body,
    };
    match kind % 8 {
        0 | 1 => {}
        2 => one.body.push(0),
        3 => one.signature[usize::from(source.u8()) % 64] ^= 1 << (which % 8),
        4 => one.key = source.one_of(&AWKWARD),
        5 => one.signature[..32].copy_from_slice(&source.one_of(&AWKWARD)),
        6 => {
            // Small-order key and R with S = 0: the equation holds, cofactored.
            one.key = source.one_of(&AWKWARD);
            one.signature[..32].copy_from_slice(&source.one_of(&AWKWARD));
            one.signature[32..].fill(0);
        }
        _ => {
            one.key = source.array();
            one.signature = source.array();
        }
    }
    one
}
