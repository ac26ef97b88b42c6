//! Which encodings of points and scalars the ledger takes.

use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::traits::IsIdentity;

/// p = 2^255 - 19, little-endian.
const P: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    p
};

/// Whether 32 bytes are the one canonical encoding of what they encode, should that be a point:
/// y below p, and no sign bit on the two points whose x is zero (y = 1 and y = -1).
pub fn point_is_canonical(encoding: &[u8; 32]) -> bool {
    let mut y = *encoding;
    y[31] &= 0x7f;
    let sign = encoding[31] & 0x80 != 0;
    let below_p = y.iter().rev().lt(P.iter().rev());
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = P;
    minus_one[0] -= 1;
    below_p && !(sign && (y == one || y == minus_one))
}

/// Whether a key may be registered: canonically encoded, a point, of prime order (so neither the
/// identity nor with a torsion component).
pub fn key_is_acceptable(key: &[u8; 32]) -> bool {
    if !point_is_canonical(key) {
        return false;
    }
    match CompressedEdwardsY(*key).decompress() {
        Some(point) => !point.is_identity() && point.is_torsion_free(),
        None => false,
    }
}
