use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use proptest::prelude::*;
use sha2::{Digest, Sha512};
use tallystick_core::verify::{
    key_is_acceptable, point_is_canonical, verify_batch, verify_strict, verify_zip215, Item, Lane,
    Seed,
};

use crate::support::*;

struct Signed {
    key: [u8; 32],
    message: Vec<u8>,
    signature: [u8; 64],
}

impl Signed {
    fn honest(n: u64, keys: u64) -> Self {
        let key = signing_key(n % keys);
        let message = n.to_le_bytes().to_vec();
        Self {
            key: public_key(&key),
            signature: key.sign(&message).into(),
            message,
        }
    }

    fn item(&self) -> Item<'_> {
        Item {
            key: &self.key,
            signature: &self.signature,
            prefix: &self.message[..3],
            body: &self.message[3..],
        }
    }
}

fn batch(signed: &[Signed], secret: &[u8; 32], threads: usize) -> Vec<bool> {
    let items: Vec<Item<'_>> = signed.iter().map(Signed::item).collect();
    let both = [Lane::Headers, Lane::Possessions].map(|lane| {
        let seed = Seed { secret, lane };
        verify_batch(&items, seed, threads)
    });
    assert_eq!(both[0], both[1], "the cache of keys changes no answer");
    both[0].clone()
}

/// A signature whose key and R carry torsion of choice: `S B = R + k A` holds up to the cofactor.
fn with_torsion(n: u64, key_torsion: usize, r_torsion: usize) -> Signed {
    let secret = Scalar::from(n + 11);
    let nonce = Scalar::from(7 * n + 5);
    let key = (ED25519_BASEPOINT_POINT * secret + EIGHT_TORSION[key_torsion])
        .compress()
        .0;
    let r = (ED25519_BASEPOINT_POINT * nonce + EIGHT_TORSION[r_torsion])
        .compress()
        .0;
    let message = n.to_le_bytes().to_vec();
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(key)
        .chain_update(&message);
    let s = nonce + Scalar::from_hash(hash) * secret;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(s.as_bytes());
    Signed {
        key,
        message,
        signature,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Exactly the bad ones are found, however many, wherever, with whatever seed and threads.
    #[test]
    fn exactly_the_bad_ones_are_found(
        count in 0_usize..150,
        keys in 1_u64..40,
        bad in proptest::collection::btree_map(0_usize..150, (0_usize..64, 1_u8..=255), 0..20),
        secret in any::<[u8; 32]>(),
        threads in 0_usize..4,
    ) {
        let mut signed: Vec<Signed> = (0..count as u64).map(|n| Signed::honest(n, keys)).collect();
        for (&index, &(at, mask)) in &bad {
            if let Some(one) = signed.get_mut(index) {
                one.signature[at] ^= mask;
            }
        }
        let good = batch(&signed, &secret, threads);
        for (index, one) in signed.iter().enumerate() {
            prop_assert_eq!(good[index], !bad.contains_key(&index), "item {}", index);
            prop_assert_eq!(good[index], verify_strict(&one.item()));
        }
    }

    /// The cofactored equation does not see torsion, alone or in a batch with good neighbours.
    #[test]
    fn batch_and_single_agree_on_torsion(
        kinds in proptest::collection::vec((0_usize..8, 0_usize..8), 1..20),
        secret in any::<[u8; 32]>(),
    ) {
        let signed: Vec<Signed> = kinds
            .iter()
            .zip(0..)
            .map(|(&(key, r), n)| with_torsion(n, key, r))
            .collect();
        for one in &signed {
            prop_assert!(verify_zip215(&one.key, &one.message, &one.signature));
        }
        prop_assert!(batch(&signed, &secret, 1).into_iter().all(|good| good));
    }
}

#[test]
fn a_flood_of_bad_ones_is_judged_one_by_one() {
    let mut signed: Vec<Signed> = (0..400).map(|n| Signed::honest(n, 400)).collect();
    for one in signed.iter_mut().step_by(2) {
        one.signature[40] ^= 1;
    }
    let good = batch(&signed, &SECRET, 2);
    assert!(good
        .iter()
        .enumerate()
        .all(|(index, &good)| good == (index % 2 == 1)));
}

/// Without random factors these two would cancel out: one S is too large by what the other lacks.
#[test]
fn errors_do_not_cancel_out() {
    let mut pair = [Signed::honest(1, 1), Signed::honest(2, 1)];
    for (one, shift) in pair
        .iter_mut()
        .zip([Scalar::from(9_u8), -Scalar::from(9_u8)])
    {
        let s = Scalar::from_bytes_mod_order(one.signature[32..].try_into().unwrap()) + shift;
        one.signature[32..].copy_from_slice(s.as_bytes());
    }
    assert_eq!(batch(&pair, &SECRET, 1), [false, false]);
}

#[test]
fn encodings_of_r_and_s_must_be_canonical() {
    // The identity as key and R, S = 0: the equation holds for every message.
    let identity = EdwardsPoint::default().compress().0;
    let zero_s = |r: [u8; 32]| {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r);
        Signed {
            key: identity,
            message: b"any".to_vec(),
            signature,
        }
    };
    let plain = zero_s(identity);
    assert!(verify_zip215(&plain.key, &plain.message, &plain.signature));
    assert!(
        verify_strict(&plain.item()),
        "that the key is weak is for registration to refuse"
    );
    let mut signs = identity;
    signs[31] |= 0x80;
    let mut above_p = [0xff; 32];
    (above_p[0], above_p[31]) = (0xee, 0x7f); // p + 1, the same point as y = 1
    for r in [signs, above_p] {
        let one = zero_s(r);
        assert!(!point_is_canonical(&r));
        assert!(verify_zip215(&one.key, &one.message, &one.signature));
        assert!(!verify_strict(&one.item()));
        assert_eq!(batch(&[one, zero_s(identity)], &SECRET, 1), [false, true]);
    }
    // S + L satisfies the equation and is refused by every rule.
    let mut one = Signed::honest(1, 1);
    let order: [u8; 16] = 0x14de_f9de_a2f7_9cd6_5812_631a_5cf5_d3ed_u128.to_le_bytes();
    let mut carry = 0_u16;
    let order = order.into_iter().chain([0; 15]).chain([0x10]);
    for (byte, add) in one.signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert!(!verify_zip215(&one.key, &one.message, &one.signature));
    assert!(!verify_strict(&one.item()));
}

#[test]
fn keys_of_small_or_mixed_order_are_not_acceptable() {
    for point in EIGHT_TORSION {
        assert!(!key_is_acceptable(&point.compress().0));
        let mixed = point + ED25519_BASEPOINT_POINT;
        assert_eq!(
            key_is_acceptable(&mixed.compress().0),
            mixed.is_torsion_free()
        );
    }
    assert!(key_is_acceptable(&public_key(&signing_key(3))));
    assert!(!key_is_acceptable(&[2; 32]), "not on the curve");
}

proptest! {
    /// The check on bytes is the definition: what decompresses must compress to the same bytes.
    #[test]
    fn canonical_means_it_survives_a_round_trip(
        mut bytes in any::<[u8; 32]>(),
        low in 0_u8..32,
        edge in any::<bool>(),
    ) {
        if edge {
            // Around p, with and without the sign.
            bytes = [0xff; 32];
            bytes[0] = 0xe0 + low;
            bytes[31] = if low % 2 == 0 { 0x7f } else { 0xff };
        }
        if let Some(point) = curve25519_dalek::edwards::CompressedEdwardsY(bytes).decompress() {
            prop_assert_eq!(point_is_canonical(&bytes), point.compress().0 == bytes);
        }
    }
}
