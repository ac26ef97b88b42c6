//! Decompressed keys of signers that come again.
//!
//! Decompressing a key costs about a quarter of checking a signature of a signer who appears once
//! in a batch. What is kept is a pure function of the key, so the cache shows in time only, never
//! in an answer. Only encodings that are points are kept, and only keys of envelope headers and of
//! channels come here: those are registered.

use std::sync::LazyLock;

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use hashbrown::HashMap;
use parking_lot::Mutex;

/// Keys of one generation; two are kept, about 7 MiB each.
const GENERATION_KEYS: usize = 32_768;

static CACHE: LazyLock<Mutex<Generations>> = LazyLock::new(Mutex::default);

/// Keys used lately, and those of the time before: what is not asked for during one whole
/// generation is forgotten.
#[derive(Default)]
struct Generations {
    young: HashMap<[u8; 32], EdwardsPoint>,
    old: HashMap<[u8; 32], EdwardsPoint>,
}

impl Generations {
    fn get(&mut self, key: &[u8; 32]) -> Option<EdwardsPoint> {
        if let Some(point) = self.young.get(key) {
            return Some(*point);
        }
        let point = self.old.remove(key)?;
        self.insert(*key, point);
        Some(point)
    }

    fn insert(&mut self, key: [u8; 32], point: EdwardsPoint) {
        if self.young.len() >= GENERATION_KEYS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, point);
    }
}

/// The point of a key, from the cache or into it; None if it is none.
pub(super) fn decompress_cached(key: &[u8; 32]) -> Option<EdwardsPoint> {
    if let Some(point) = CACHE.lock().get(key) {
        return Some(point);
    }
    let point = CompressedEdwardsY(*key).decompress()?;
    CACHE.lock().insert(*key, point);
    Some(point)
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;

    use super::*;

    fn name(n: usize) -> [u8; 32] {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&(n as u64).to_le_bytes());
        key
    }

    #[test]
    fn is_bounded_and_keeps_what_is_asked_for() {
        let mut cache = Generations::default();
        for n in 0..5 * GENERATION_KEYS {
            cache.insert(name(n), ED25519_BASEPOINT_POINT);
            assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION_KEYS);
            assert!(
                cache.get(&name(0)).is_some(),
                "key 0 is asked for all the time"
            );
        }
        assert!(cache.get(&name(1)).is_none());
    }
}
