//! Many Ed25519 signatures at once, with an answer for each (format.md section 2, ZIP-215).
//!
//! For signatures (R_i, S_i) by keys A_i over messages M_i, with k_i = SHA-512(R_i ‖ A_i ‖ M_i),
//! random 128-bit z_i and all groups taken together by distinct key, one equation is checked:
//!
//! ```text
//! [8] ( Σ z_i R_i  +  Σ_keys [Σ z_i k_i] A  −  [Σ z_i S_i] B )  =  0
//! ```
//!
//! If all signatures are good it holds. If one is bad it holds with probability 2^-128 at most,
//! as long as nobody who makes signatures can foresee the z_i: they come from ChaCha20 under a
//! seed of the caller, who must draw a new secret one for each call. The single rule is cofactored
//! too, so batch and single agree on every input.
//!
//! A batch that fails is searched: it is cut into sixteen parts, each a batch of its own, and so on
//! down to a few signatures that are checked one by one. One bad signature among n costs about one
//! more batch; if all are bad, each has been in three batches at most before it is checked alone.
//! What is costly per signature (hash, decompression of R and A) is done once in any case.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use hashbrown::HashMap;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha512};

use super::key::point_is_canonical;
use super::keycache::decompress_cached;
use crate::threads::run_tasks;

/// Signatures of one batch at most. A larger one saves little per signature; this one covers a
/// block of one-record envelopes, so that each key of a block is taken once.
const CHUNK_ITEMS: usize = 4_096;
/// Fewer than this are not worth a thread of their own.
const MIN_CHUNK_ITEMS: usize = 32;
/// Into how many parts a batch is cut when it fails.
const SEARCH_PARTS: usize = 16;
/// Smallest part: a batch of so many costs about as much as three signatures alone.
const MIN_PART_ITEMS: usize = 8;
/// A batch of at most so many that fails is checked one by one.
const SINGLES_AT_MOST: usize = 16;

/// One signature to check. The signed message is `prefix ‖ body`.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// The key that is said to have signed.
    pub key: &'a [u8; 32],
    /// R and S.
    pub signature: &'a [u8; 64],
    /// Start of the message.
    pub prefix: &'a [u8],
    /// Rest of the message.
    pub body: &'a [u8],
}

/// Where the z of a batch come from.
#[derive(Debug, Clone, Copy)]
pub struct Seed<'a> {
    /// Unknown to everybody who makes signatures; new for each call from outside.
    pub secret: &'a [u8; 32],
    /// Tells apart batches under one secret.
    pub lane: Lane,
}

/// What a batch is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Lane {
    /// Envelope headers: their keys come again, and are remembered.
    Headers = 0,
    /// Proofs of possession: each key comes once.
    Possessions = 1,
    /// Vouchers: the keys of channels come again, and are remembered.
    Vouchers = 2,
}

/// What an item needs to enter equations.
struct Prepared {
    /// Index of the item in its chunk.
    item: usize,
    /// Index of the key in the chunk's table.
    key: usize,
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
    z: Scalar,
}

/// Whether each item is good by section 2: canonical R and S, and the equation.
///
/// The answer does not depend on `threads`.
pub fn verify_batch(items: &[Item<'_>], seed: Seed<'_>, threads: usize) -> Vec<bool> {
    let per_thread = items.len().div_ceil(threads.max(1));
    let size = per_thread.clamp(MIN_CHUNK_ITEMS, CHUNK_ITEMS);
    let chunks: Vec<&[Item<'_>]> = items.chunks(size).collect();
    let parts = run_tasks(chunks.len(), threads, |index| {
        let mut random = ChaCha20Rng::from_seed(*seed.secret);
        // Each chunk has a stream of its own; there are far fewer than 2^32.
        random.set_stream(((seed.lane as u64) << 32) | index as u64);
        verify_chunk(chunks[index], &mut random, seed.lane)
    });
    parts.concat()
}

/// As [`verify_batch`] for one signature, without randomness.
pub fn verify_strict(item: &Item<'_>) -> bool {
    let mut keys = KeyTable::default();
    match prepare(0, item, &mut keys, Scalar::ONE) {
        Some(prepared) => single_holds(&prepared, &keys),
        None => false,
    }
}

fn verify_chunk(items: &[Item<'_>], random: &mut ChaCha20Rng, lane: Lane) -> Vec<bool> {
    let mut keys = KeyTable {
        cached: lane != Lane::Possessions,
        ..KeyTable::default()
    };
    let prepared: Vec<Prepared> = items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| prepare(index, item, &mut keys, random_z(random)))
        .collect();
    let mut good = vec![false; items.len()];
    let mut search = Search {
        keys: &keys,
        good: &mut good,
    };
    search.judge(&prepared, false);
    good
}

fn random_z(random: &mut ChaCha20Rng) -> Scalar {
    let mut bytes = [0; 16];
    random.fill_bytes(&mut bytes);
    Scalar::from(u128::from_le_bytes(bytes))
}

/// None for what is bad by itself: S or R not canonical, R or the key not a point.
fn prepare(index: usize, item: &Item<'_>, keys: &mut KeyTable, z: Scalar) -> Option<Prepared> {
    let (r_bytes, rest) = item.signature.split_first_chunk::<32>()?;
    let s_bytes = rest.first_chunk::<32>()?;
    let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(*s_bytes))?;
    if !point_is_canonical(r_bytes) {
        return None;
    }
    let key = keys.index_of(item.key)?;
    let r = CompressedEdwardsY(*r_bytes).decompress()?;
    let hash = Sha512::new()
        .chain_update(r_bytes)
        .chain_update(item.key)
        .chain_update(item.prefix)
        .chain_update(item.body);
    Some(Prepared {
        item: index,
        key,
        r,
        s,
        k: Scalar::from_hash(hash),
        z,
    })
}

/// The distinct keys of a chunk, decompressed once.
#[derive(Default)]
struct KeyTable {
    /// Whether they are signers' keys, worth remembering from call to call.
    cached: bool,
    indexes: HashMap<[u8; 32], Option<usize>>,
    points: Vec<EdwardsPoint>,
}

impl KeyTable {
    /// Where the key stands; None if it is no point.
    fn index_of(&mut self, key: &[u8; 32]) -> Option<usize> {
        if let Some(&known) = self.indexes.get(key) {
            return known;
        }
        let point = if self.cached {
            decompress_cached(key)
        } else {
            CompressedEdwardsY(*key).decompress()
        };
        let index = point.map(|point| {
            self.points.push(point);
            self.points.len() - 1
        });
        self.indexes.insert(*key, index);
        index
    }
}

/// The search for bad signatures in a batch.
struct Search<'a> {
    keys: &'a KeyTable,
    /// By index of the item.
    good: &'a mut [bool],
}

impl Search<'_> {
    /// Marks the good ones of `group`, and says whether all are. `known_bad`: at least one is bad.
    fn judge(&mut self, group: &[Prepared], known_bad: bool) -> bool {
        if group.len() <= 1 {
            return self.judge_singles(group);
        }
        if !known_bad && batch_holds(group, self.keys) {
            for prepared in group {
                self.good[prepared.item] = true;
            }
            return true;
        }
        if group.len() <= SINGLES_AT_MOST {
            return self.judge_singles(group);
        }
        let size = group.len().div_ceil(SEARCH_PARTS).max(MIN_PART_ITEMS);
        let last = group.len().div_ceil(size) - 1;
        let mut all = true;
        for (index, part) in group.chunks(size).enumerate() {
            // If all others are good, the bad one is in the last part.
            all &= self.judge(part, all && index == last);
        }
        all
    }

    fn judge_singles(&mut self, group: &[Prepared]) -> bool {
        let mut all = true;
        for prepared in group {
            let holds = single_holds(prepared, self.keys);
            self.good[prepared.item] = holds;
            all &= holds;
        }
        all
    }
}

/// The batch equation over a group.
fn batch_holds(group: &[Prepared], keys: &KeyTable) -> bool {
    let mut key_scalars = vec![Scalar::ZERO; keys.points.len()];
    let mut base_scalar = Scalar::ZERO;
    for prepared in group {
        key_scalars[prepared.key] += prepared.z * prepared.k;
        base_scalar -= prepared.z * prepared.s;
    }
    // Collected: multiplication wants iterators that know their exact length.
    let used: Vec<usize> = (0..keys.points.len())
        .filter(|&key| key_scalars[key] != Scalar::ZERO)
        .collect();
    let scalars = group.iter().map(|prepared| prepared.z);
    let points = group.iter().map(|prepared| prepared.r);
    let scalars = scalars.chain(used.iter().map(|&key| key_scalars[key]));
    let points = points.chain(used.iter().map(|&key| keys.points[key]));
    let sum = EdwardsPoint::vartime_multiscalar_mul(scalars, points)
        + EdwardsPoint::mul_base(&base_scalar);
    sum.mul_by_cofactor().is_identity()
}

/// The equation of one signature: `[8](R + [k]A − [S]B) = 0`.
fn single_holds(prepared: &Prepared, keys: &KeyTable) -> bool {
    let minus_key = -keys.points[prepared.key];
    let expected =
        EdwardsPoint::vartime_double_scalar_mul_basepoint(&prepared.k, &minus_key, &prepared.s);
    (prepared.r - expected).mul_by_cofactor().is_identity()
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};

    use super::*;

    /// Good signatures, each by a key and with an R that carry torsion.
    fn signed(count: u64) -> (Vec<Prepared>, KeyTable) {
        let mut keys = KeyTable::default();
        let mut random = ChaCha20Rng::from_seed([3; 32]);
        let prepared = (0..count)
            .map(|n| {
                let (secret, nonce) = (Scalar::from(n % 5 + 3), Scalar::from(n + 100));
                let torsion = EIGHT_TORSION[n as usize % 8];
                keys.points.push(ED25519_BASEPOINT_POINT * secret + torsion);
                let k = Scalar::from(17 * n + 1);
                Prepared {
                    item: n as usize,
                    key: n as usize,
                    r: ED25519_BASEPOINT_POINT * nonce + EIGHT_TORSION[3],
                    s: nonce + k * secret,
                    k,
                    z: random_z(&mut random),
                }
            })
            .collect();
        (prepared, keys)
    }

    /// `verify_batch` would hide a batch equation that never holds: it only gets slower.
    #[test]
    fn the_batch_equation_holds_for_good_and_only_for_good() {
        for count in [1, 2, 30, 250] {
            let (mut prepared, keys) = signed(count);
            assert!(batch_holds(&prepared, &keys), "{count} good ones");
            assert!(prepared.iter().all(|one| single_holds(one, &keys)));
            prepared[0].s += Scalar::ONE;
            assert!(!batch_holds(&prepared, &keys), "a bad one among {count}");
            assert!(!single_holds(&prepared[0], &keys));
        }
    }
}
